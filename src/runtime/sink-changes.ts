import type { Deadband, OnChange } from "../config.ts";
import { limits } from "../base.ts";
import { DynReader, type Column, type Ring } from "../ring.ts";

const dyns = new DynReader();

/** The numbers of an array that was told last: any of them over the band is news. */
class ToldItems {
  readonly #told: Float64Array;
  readonly #now: Float64Array;
  #count = 0;

  constructor(slot: number) {
    const most = Math.min(slot, limits.array_items_max);
    this.#told = new Float64Array(most);
    this.#now = new Float64Array(most);
  }

  /** Null: it is no array of numbers, or was none. */
  differs(U: Uint8Array, at: number, deadband: Deadband): boolean | null {
    const count = dyns.numbers(U, at, this.#now);
    if (count < 0 || this.#count < 0) return null;
    if (count !== this.#count) return true;
    for (let i = 0; i < count; i++) {
      if (isOver(this.#now[i]!, this.#told[i]!, deadband)) return true;
    }
    return false;
  }

  take(U: Uint8Array, at: number): void {
    this.#count = dyns.numbers(U, at, this.#told);
  }
}

function isOver(now: number, told: number, { band, percent }: Deadband): boolean {
  return !(Math.abs(now - told) <= (percent ? Math.abs(told) * band / 100 : band));
}

/** What was told of one column last. */
class Told {
  readonly column: Column;
  readonly #deadband: Deadband | null;
  readonly #isNumber: boolean;
  readonly #items: ToldItems | null;
  readonly #words = new Int32Array(2);
  readonly #number = new Float64Array(this.#words.buffer);
  readonly #bytes: Uint8Array;
  #length = 0;
  #state = -1;

  constructor(column: Column, deadband: Deadband | null) {
    this.column = column;
    this.#isNumber = column.kind === "float64" || column.kind === "int53" ||
      column.kind === "int64";
    this.#deadband = (deadband?.band ?? 0) > 0 ? deadband : null;
    this.#items = column.kind === "dyn" && this.#deadband !== null
      ? new ToldItems(column.slot) : null;
    this.#bytes = new Uint8Array(column.slot);
  }

  differs({ arena: { F, I, U } }: Ring, row: number): boolean {
    const { state, payload, slot, length, stride } = this.column;
    if (U[state + row] !== this.#state) return true;
    if (slot > 0) {
      const n = I[length + row]!;
      const from = payload + row * stride;
      const over = n === 0 ? null : this.#items?.differs(U, from, this.#deadband!) ?? null;
      if (over !== null) return over;
      if (n !== this.#length) return true;
      for (let i = 0; i < n; i++) if (U[from + i] !== this.#bytes[i]) return true;
      return false;
    }
    if (this.#isNumber && this.#deadband !== null) {
      return isOver(this.#numberOf(F, I, payload + row),
        this.#numberOf(this.#number, this.#words, 0), this.#deadband);
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
      this.#items?.take(U, from);
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
