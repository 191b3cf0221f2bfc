import type { Ring } from "../../ring.ts";
import { word } from "./words.ts";

/**
 * Rows of a time whose window has closed: they are left out and counted, so that no window is given
 * twice. Nothing that a poll or a fan-in brings comes so late (`Round`), and event time has put its
 * rows in order: this is for what passes from thread to thread between rules. Its words stand among
 * those of the window.
 */
export class Latecomers {
  readonly #input: Ring;
  readonly #F: Float64Array;
  readonly #at: number;
  /** Up to here times do not go back: none of these rows is late if the first is not. */
  #inOrder = 0;

  constructor(input: Ring, at: number) {
    this.#input = input;
    this.#F = input.arena.F;
    this.#at = at;
  }

  get count(): number {
    return this.#F[this.#at + word.late]!;
  }

  /** Rows before this time come too late from now on. */
  pass(time: number): void {
    this.#F[this.#at + word.passed] = time;
  }

  /** Looks at rows [from, to) from the beginning; `now` is engine time. */
  look(from: number, now: number): void {
    this.#inOrder = from;
    // State of before a restart, and a clock that was set back since: nothing is late by it.
    if (this.#F[this.#at + word.passed]! > now) this.pass(0);
  }

  /** True if row `seq` is late: it is counted. */
  is(seq: number): boolean {
    const F = this.#F, { timeAt, mask } = this.#input;
    if (F[timeAt + (seq & mask)]! >= F[this.#at + word.passed]!) return false;
    F[this.#at + word.late] = this.count + 1;
    if (this.#inOrder === seq) this.#inOrder = (seq + 1) | 0;
    return true;
  }

  /** End of the rows from `seq` on, none of which is late. */
  end(seq: number, to: number): number {
    if (this.#inOrder !== seq) return this.#inOrder;
    const F = this.#F, { timeAt, mask } = this.#input;
    let end = (seq + 1) | 0;
    while (end !== to && F[timeAt + (end & mask)]! >= F[timeAt + ((end - 1) & mask)]!) {
      end = (end + 1) | 0;
    }
    return this.#inOrder = end;
  }
}
