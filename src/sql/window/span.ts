import type { Column, Ring } from "../../ring.ts";

/**
 * Words of the state field `span` (float64, so that a checkpoint is a copy); sequences are int32:
 *
 *     0 first    oldest kept row that is still needed
 *     1 next     first kept row that the window has not taken in
 *     2 from     rows of the window that is being closed: [from, to)
 *     3 to
 *     4 start    its times
 *     5 end
 *     6 closes   engine time at which a window closes by itself, 0 = none does
 *     7 closing  1 = its groups are being written out
 *     8 written  groups written so far
 *     9 lost     rows pushed out of a full ring while a window needed them
 *    10 errors   rows on which WHERE failed after the window had taken them
 *    11 mark     of the kind of window (`boundary.ts`)
 *    12 lostAt   time of the newest row so pushed out, or that came too late; 0 = none was
 */
const first = 0, next = 1, from = 2, to = 3, start = 4, end = 5, closes = 6;
export const span_words = 13;

/** The rows that a window keeps, and which of them it is about: a view of the state. */
export class Span {
  readonly ring: Ring;
  /** States of a condition that are trusted are less than this. */
  readonly #trusted: number;
  readonly #F: Float64Array;
  readonly #at: number;

  constructor(ring: Ring, at: number, strict: boolean) {
    this.ring = ring;
    this.#trusted = strict ? 1 : 64;
    this.#F = ring.arena.F;
    this.#at = at;
  }

  get first(): number { return this.#F[this.#at + first]! | 0; }
  set first(seq: number) { this.#F[this.#at + first] = seq; }
  get next(): number { return this.#F[this.#at + next]! | 0; }
  get from(): number { return this.#F[this.#at + from]! | 0; }
  get to(): number { return this.#F[this.#at + to]! | 0; }
  get start(): number { return this.#F[this.#at + start]!; }
  get end(): number { return this.#F[this.#at + end]!; }
  /** Infinity if no window closes by itself. */
  get closes(): number { return this.#F[this.#at + closes]! || Infinity; }
  set closes(time: number) { this.#F[this.#at + closes] = time === Infinity ? 0 : time; }
  get closing(): boolean { return this.#F[this.#at + 7] === 1; }
  set closing(on: boolean) { this.#F[this.#at + 7] = on ? 1 : 0; }
  get written(): number { return this.#F[this.#at + 8]!; }
  set written(groups: number) { this.#F[this.#at + 8] = groups; }
  get lost(): number { return this.#F[this.#at + 9]!; }
  get lostAt(): number { return this.#F[this.#at + 12]!; }
  get errors(): number { return this.#F[this.#at + 10]!; }
  get mark(): number { return this.#F[this.#at + 11]!; }
  set mark(value: number) { this.#F[this.#at + 11] = value; }

  /** No row is kept that a window has taken in. */
  get empty(): boolean {
    return this.first === this.next;
  }

  timeOf(seq: number): number {
    return this.#F[this.ring.timeAt + (seq & this.ring.mask)]!;
  }

  /** True if a condition kept as a column is TRUE with a value, and good if it must be. */
  holds(column: Column, seq: number): boolean {
    const row = seq & this.ring.mask;
    const state = this.ring.arena.U[column.state + row]!;
    return state < this.#trusted && this.#F[column.payload + row] !== 0;
  }

  /** True if nobody may rely on what a condition kept as a column says (W8). */
  doubts(column: Column, seq: number): boolean {
    return this.#trusted === 1 &&
      this.ring.arena.U[column.state + (seq & this.ring.mask)]! !== 0;
  }

  countError(): void {
    this.#F[this.#at + 10] = this.errors + 1;
  }

  /** Row `next` belongs to the window now. */
  take(): void {
    this.#F[this.#at + next] = (this.next + 1) | 0;
  }

  /** So do all kept rows up to the first one that is not before this time. */
  takeBefore(time: number): void {
    const { head } = this.ring;
    let seq = this.next;
    while (seq !== head && this.timeOf(seq) < time) seq = (seq + 1) | 0;
    this.#F[this.#at + next] = seq;
  }

  /** Rows before this time are needed no more. */
  release(time: number): void {
    let seq = this.first;
    const last = this.next;
    while (seq !== last && this.timeOf(seq) < time) seq = (seq + 1) | 0;
    this.first = seq;
  }

  /** A row of this time is missing. */
  miss(time: number): void {
    if (time > this.lostAt) this.#F[this.#at + 12] = time;
  }

  /** A full ring: the oldest row gives way. */
  evict(): void {
    this.lose(this.timeOf(this.first));
    this.first = (this.first + 1) | 0;
  }

  /** A row of this time had to give way. */
  lose(time: number): void {
    this.miss(time);
    this.#F[this.#at + 9] = this.lost + 1;
  }

  /** The window over rows [a, b) is to be written. */
  close(a: number, b: number, startTime: number, endTime: number): void {
    this.#F[this.#at + from] = a;
    this.#F[this.#at + to] = b;
    this.#F[this.#at + start] = startTime;
    this.#F[this.#at + end] = endTime;
  }
}
