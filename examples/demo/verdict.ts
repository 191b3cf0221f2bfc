const tolerance_C = 1;

/** Whether the loop really closed, as seen from the plant: what it received, and what it became. */
export class Verdict {
  readonly #seconds: number;
  readonly #target: number;
  #worst = 0;
  #samples = 0;
  #writes = 0;
  /** Writes before the last third began. */
  #before = 0;

  constructor(seconds: number, target: number) {
    this.#seconds = seconds;
    this.#target = target;
  }

  /** `writes`: frames that reached the plant so far. */
  sample(elapsed: number, temperature: number, writes: number): void {
    this.#writes = writes;
    if (elapsed < this.#seconds * 2 / 3) {
      this.#before = writes;
      return;
    }
    this.#samples += 1;
    this.#worst = Math.max(this.#worst, Math.abs(temperature - this.#target));
  }

  get closed(): boolean {
    return this.#samples > 0 && this.#before > 0 && this.#writes > this.#before
      && this.#worst <= tolerance_C;
  }

  text(): string {
    return [
      `writes that reached the plant: ${this.#writes}, ` +
        `of them in the last third: ${this.#writes - this.#before}`,
      `largest distance from ${this.#target} °C in the last third: ${this.#worst.toFixed(2)} °C ` +
        `(${this.#samples} samples; allowed ${tolerance_C} °C)`,
      this.closed ? "the loop is closed" : "THE LOOP IS NOT CLOSED",
    ].join("\n");
  }
}
