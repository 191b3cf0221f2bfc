import type { Deadband, OnChange } from "../config.ts";
import type { Column, Ring } from "../ring.ts";

/** What was told of one column last. */
class Told {
  readonly column: Column;
  readonly #band: number;
  readonly #isPercent: boolean;
  readonly #isNumber: boolean;
  readonly #words = new Int32Array(2);
  readonly #number = new Float64Array(this.#words.buffer);
  readonly #bytes: Uint8Array;
  #length = 0;
  #state = -1;

  constructor(column: Column, deadband: Deadband | null) {
    this.column = column;
    this.#isNumber = column.kind === "float64" || column.kind === "int53" ||
      column.kind === "int64";
    this.#band = deadband?.band ?? 0;
    this.#isPercent = deadband?.percent ?? false;
    this.#bytes = new Uint8Array(column.slot);
  }

  differs({ arena: { F, I, U } }: Ring, row: number): boolean {
    const { state, payload, slot, length, stride } = this.column;
    if (U[state + row] !== this.#state) return true;
    if (slot > 0) {
      const n = I[length + row]!;
      if (n !== this.#length) return true;
      const from = payload + row * stride;
      for (let i = 0; i < n; i++) if (U[from + i] !== this.#bytes[i]) return true;
      return false;
    }
    if (this.#isNumber && this.#band > 0) {
      const told = this.#numberOf(this.#number, this.#words, 0);
      const band = this.#isPercent ? Math.abs(told) * this.#band / 100 : this.#band;
      return !(Math.abs(this.#numberOf(F, I, payload + row) - told) <= band);
    }
    const word = (payload + row) * 2;
    return I[word] !== this.#words[0] || I[word + 1] !== this.#words[1];
  }

  /** Of an int64 as near as float64 has it: a deadband is no matter of single digits past 2^53. */
  #numberOf(F: Float64Array, I: Int32Array, at: number): number {
    return this.column.kind === "int64" ? I[2 * at + 1]! * 2 ** 32 + (I[2 * at]! >>> 0) : F[at]!;
  }

  take({ arena: { I, U } }: Ring, row: number): void {
    const { state, payload, slot, length, stride } = this.column;
    this.#state = U[state + row]!;
    if (slot > 0) {
      this.#length = I[length + row]!;
      const from = payload + row * stride;
      for (let i = 0; i < this.#length; i++) this.#bytes[i] = U[from + i]!;
      return;
    }
    this.#words[0] = I[(payload + row) * 2]!;
    this.#words[1] = I[(payload + row) * 2 + 1]!;
  }
}

/**
 * Which rows of a stream a sink with `onChange` is told of: those in which a value or its quality
 * is another than the one it was told last, by more than the deadband, or too long ago. Each row is
 * asked for in order; one that is told changes what the next is compared with.
 */
export class Changes {
  readonly #told: readonly Told[];
  readonly #ring: Ring;
  readonly #atLeast_ms: number;
  #time = -Infinity;

  constructor(ring: Ring, { deadbands, every, atLeast }: OnChange) {
    this.#ring = ring;
    this.#atLeast_ms = atLeast ?? Infinity;
    this.#told = ring.shown.map((column) => new Told(column, deadbands[column.name] ?? every));
  }

  isTold(seq: number): boolean {
    const ring = this.#ring;
    const row = seq & ring.mask;
    const time = ring.arena.F[ring.timeAt + row]!;
    let differs = time - this.#time >= this.#atLeast_ms;
    for (let i = 0; !differs && i < this.#told.length; i++) {
      differs = this.#told[i]!.differs(ring, row);
    }
    if (!differs) return false;
    for (let i = 0; i < this.#told.length; i++) this.#told[i]!.take(ring, row);
    this.#time = time;
    return true;
  }
}
