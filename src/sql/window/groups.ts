import { fieldIndex, hasField } from "../emit/params.ts";
import type { FoldPlan, Site, WindowPlan } from "../program.ts";

/** The key table of a fold's groups (kernel.ts), as far as its stage has to do with it. */
export class GroupTable {
  readonly #I: Int32Array;
  /** Index of its field `table` in I, and how long that is; 0: there are no keys. */
  readonly #at: number;
  readonly #slots: number;
  /** Of `recency`; −1: no group gives way. */
  readonly #recencyAt: number;

  constructor({ state, keys }: FoldPlan | WindowPlan, { arena, state: { at } }: Site) {
    const keyed = hasField(state, "table");
    this.#I = arena.I;
    this.#at = keyed ? fieldIndex(state, "table", at) : 0;
    this.#slots = keyed ? 2 * keys : 0;
    this.#recencyAt = hasField(state, "recency") ? fieldIndex(state, "recency", at) : -1;
  }

  clear(): void {
    this.#I.fill(0, this.#at, this.#at + this.#slots);
    if (this.#recencyAt >= 0) this.#I.fill(0, this.#recencyAt, this.#recencyAt + 2);
  }
}
