/** So long (ms) after one too many came each answer is listened behind. */
const caution_ms = 600_000;

/**
 * Where nothing but their order tells answers apart. When it was lost, the right answer may still
 * come for twice as long as the slowest one took. Where one came too many (a device or a converter
 * doubles them, a heartbeat), the next may come behind the next question, and would be its answer:
 * so the next question waits until it had its time.
 */
export class InStep {
  readonly #timeout_ms: number;
  /** By station: its slowest answer, ms; 0 = none came yet. */
  readonly #slowest = new Float64Array(256);
  #lostAt = -Infinity;
  #tooManyAt = -Infinity;
  #now = -Infinity;

  constructor(timeout_ms: number) {
    this.#timeout_ms = timeout_ms;
  }

  /** What a person should know; empty = nothing. */
  get remark(): string {
    if (this.#now >= this.#lostAt + caution_ms) return "";
    return "some answers are damaged, or come unasked: without numbers the connection is " +
      "made anew for each" + (this.#isCautious(this.#now)
      ? ", and behind each answer one too many is waited for" : "");
  }

  answered(station: number, roundTrip_ms: number): void {
    this.#slowest[station] = Math.max(this.#slowest[station]!, roundTrip_ms);
  }

  /** ms in which the right answer of the station may still come. */
  patience_ms(station: number): number {
    return Math.min(this.#timeout_ms, 2 * this.#slowest[station]! || this.#timeout_ms);
  }

  /** The order is lost. */
  lost(now: number): void {
    this.#lostAt = this.#now = now;
  }

  /** One came that nobody asked for. */
  tooMany(now: number): void {
    this.#tooManyAt = this.#now = now;
  }

  /** ms to listen behind an answer of the station that came now. */
  pause_ms(station: number, now: number): number {
    this.#now = now;
    return this.#isCautious(now) ? this.patience_ms(station) : 0;
  }

  #isCautious(now: number): boolean {
    return now < this.#tooManyAt + caution_ms;
  }
}
