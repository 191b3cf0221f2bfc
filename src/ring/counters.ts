import { assert } from "../base.ts";
import type { Arena } from "./arena.ts";

/**
 * Named counters that one thread raises and any thread may read at any time, for `/metrics` and
 * `why`: float64 words in one block, exact up to 2^53. An aligned word of 8 bytes is never seen
 * half written (ARM ARM B2.2.1; Intel SDM 3A 9.1.1); a reader may see it a moment late.
 */
export class Counters {
  readonly names: readonly string[];
  /** Offset in bytes, to tell another thread. */
  readonly at: number;
  readonly #F: Float64Array;
  readonly #first: number;

  private constructor(arena: Arena, at: number, names: readonly string[]) {
    assert(new Set(names).size === names.length, `counters: a name twice in ${names.join(" ")}`);
    this.names = names;
    this.at = at;
    this.#F = arena.F;
    this.#first = at / 8;
  }

  static create(arena: Arena, names: readonly string[], owner: string): Counters {
    return new Counters(arena, arena.take(names.length * 8, owner).at, names);
  }

  static attach(arena: Arena, at: number, names: readonly string[]): Counters {
    return new Counters(arena, at, names);
  }

  /** `index` is the place in `names`: the owner looks it up once. */
  add(index: number, n: number): void {
    this.#F[this.#first + index]! += n;
  }

  set(index: number, value: number): void {
    this.#F[this.#first + index] = value;
  }

  get(index: number): number {
    return this.#F[this.#first + index]!;
  }
}
