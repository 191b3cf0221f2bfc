/** Stray bytes that a line may have while it changes its direction. */
export const stray_max = 3;

/**
 * Whether an adapter gives back what it sends, learnt from its connection: 2-wire adapters do whose
 * receiver stays on. The answer to a write of functions 5, 6 and 22 is byte for byte its request,
 * and that to a read of 17 to 24 bits may be: so an echo must be told from it before a write may
 * be said to be acknowledged, or such bits to be read. Until a read has
 * shown what this line does, and where it echoes, the first copy of our own frame is the echo.
 */
export class Echo {
  /** null = no read has shown it yet. */
  #comes: boolean | null = null;
  #isWrite = false;
  #isOwed = false;
  #wasSkipped = false;
  /** Bytes since the frame left that are neither its echo nor its answer. */
  #stray = 0;

  /** Once it was seen it stays known: a single one that got lost does not make an answer of it. */
  get comes(): boolean {
    return this.#comes === true;
  }

  /** What stands first and equals our frame is its echo, whatever else it could be. */
  get isOwed(): boolean {
    return this.#isOwed;
  }

  /** `mayRepeat`: the answer may be byte for byte the frame. */
  sent(isWrite: boolean, mayRepeat: boolean): void {
    this.#isWrite = isWrite;
    this.#isOwed = this.#comes === true || (this.#comes === null && mayRepeat);
    this.#wasSkipped = false;
    this.#stray = 0;
  }

  /** A whole copy of our frame was passed over; `inDoubt`: it could have been the answer. */
  skipped(inDoubt: boolean): void {
    this.#isOwed = false;
    this.#wasSkipped = true;
    if (!inDoubt) this.#comes = true;
  }

  strayed(n: number): void {
    this.#stray += n;
  }

  /** The answer came. A damaged echo before it would have been more than a few bytes. */
  answered(): void {
    if (this.#wasSkipped) this.#comes = true;
    else if (this.#comes === null && !this.#isWrite && this.#stray <= stray_max) {
      this.#comes = false;
    }
    this.#isOwed = false;
  }

  /** Another adapter may be there when the wire opens again. */
  clear(): void {
    this.#comes = null;
    this.#isOwed = false;
  }
}
