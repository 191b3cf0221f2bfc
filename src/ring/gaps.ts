/**
 * Rows that a ring lacks because its writer was stopped, failed or too slow, or what that reads was
 * (W8). Kept by the thread that writes the ring; its readers compare `count`.
 */
export class Gaps {
  /** Raised with each. */
  count = 0;
  /** Engine time: rows of up to then may be missing. Infinity: its writer gives none now. */
  upTo = -Infinity;

  open(): void {
    if (this.upTo === Infinity) return;
    this.count += 1;
    this.upTo = Infinity;
  }

  close(time: number): void {
    this.count += 1;
    this.upTo = this.upTo === Infinity ? time : Math.max(this.upTo, time);
  }
}
