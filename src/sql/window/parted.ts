import { type Column, copyCell, copyStamp, hashCell, Ring, sameCell } from "../../ring.ts";
import type { Layout } from "../emit/params.ts";
import type { PartedPlan, Site } from "../program.ts";
import type { Boundary } from "./boundary.ts";
import type { Span } from "./span.ts";

/** Words of the field `parted`: a slot + 1 each, 0 = none; `used` counts slots ever in use. */
const word = { used: 0, free: 1, oldest: 2, newest: 3 } as const;

/**
 * A state window for each key: open ones and their rows. A window is known by the slot of its first
 * row. Fields of its state, n slots:
 *
 *     parted  F × 4    see above
 *     heads   I × 2n   first window with a hash
 *     alike   I × n    of a first row: the next window with its hash
 *     last    I × n    of a first row: the last row of its window
 *     next    I × n    the next row of the same window; of a free slot the next free one
 *     older   I × n    rows of all windows in the order of their coming,
 *     newer   I × n    both ways
 *     slots   U × n    a ring whose rows are the slots
 *     closed  U × n    a ring: the rows of the window that has closed
 */
export function addPartedFields(layout: Layout, { ring }: PartedPlan): void {
  layout.add("parted", "F", 4);
  layout.add("heads", "I", 2 * ring.rows);
  for (const field of ["alike", "last", "next", "older", "newer"]) {
    layout.add(field, "I", ring.rows);
  }
  layout.add("slots", "U", ring.bytes);
  layout.add("closed", "U", ring.bytes);
}

/** From a row where `begin` holds to the next of its key where `emit` does (boundary.ts). */
export class Parted implements Boundary {
  /** Rows of the window that has closed, at `from` and `to` of the span. */
  readonly closed: Ring;
  readonly #span: Span;
  readonly #begin: Column;
  readonly #emit: Column | null;
  readonly #keys: readonly Column[];
  readonly #slotKeys: readonly Column[];
  readonly #slots: Ring;
  readonly #words: number;
  /** Places of the fields in I. */
  readonly #heads: number;
  readonly #alike: number;
  readonly #last: number;
  readonly #next: number;
  readonly #older: number;
  readonly #newer: number;

  /** `part` gives the place of a field of the window's state. */
  constructor(
    plan: PartedPlan, site: Site, span: Span, part: (field: string) => number,
    [begin, emit]: readonly [Column, Column | null],
  ) {
    this.#span = span;
    this.#begin = begin;
    this.#emit = emit;
    this.#slots = Ring.attach(site.arena, part("slots"), plan.ring);
    this.closed = Ring.attach(site.arena, part("closed"), plan.ring);
    this.#keys = plan.keys.map((name) => span.ring.column(name)!);
    this.#slotKeys = plan.keys.map((name) => this.#slots.column(name)!);
    this.#words = part("parted") / 8;
    [this.#heads, this.#alike] = [part("heads") / 4, part("alike") / 4];
    [this.#last, this.#next] = [part("last") / 4, part("next") / 4];
    [this.#older, this.#newer] = [part("older") / 4, part("newer") / 4];
  }

  due(_time: number): boolean {
    return false;
  }

  row(time: number): boolean {
    const span = this.#span, row = span.next, single = this.#emit === null;
    span.take();
    // What belongs to a window has a place of its own.
    span.first = span.next;
    let head = this.#find(row);
    if (head < 0 && !span.holds(this.#begin, row)) return false;
    if (this.#isFull) {
      this.#evict();
      head = this.#find(row);
      if (head < 0 && !span.holds(this.#begin, row)) return false;
    }
    if (single) {
      const closes = head >= 0 && span.holds(this.#begin, row);
      if (closes) this.#close(head, time);
      this.#add(closes ? -1 : head, row);
      return closes;
    }
    head = this.#add(head, row);
    if (!span.holds(this.#emit!, row)) return false;
    this.#close(head, time);
    return true;
  }

  #word(index: number): number {
    return this.#slots.arena.F[this.#words + index]! - 1;
  }

  #setWord(index: number, slot: number): void {
    this.#slots.arena.F[this.#words + index] = slot + 1;
  }

  /** First row of the open window with the key of a row, −1 = none is open. */
  #find(row: number): number {
    const { I } = this.#slots.arena;
    for (let e = I[this.#place(this.#span.ring, this.#keys, row)]!; e !== 0;
      e = I[this.#alike + e - 1]!) {
      if (this.#isSame(row, e - 1)) return e - 1;
    }
    return -1;
  }

  /** Where the chain of windows with a row's hash begins. */
  #place(ring: Ring, keys: readonly Column[], row: number): number {
    let hash = 0;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!, isNull = ring.arena.U[key.state + (row & ring.mask)]! > 63;
      hash = Math.imul(hash, 31) ^ (isNull ? 0 : hashCell(ring, key, row));
    }
    return this.#heads + (hash & (2 * this.#slots.rows - 1));
  }

  /** NULL is a key, and so is what is no number. */
  #isSame(row: number, slot: number): boolean {
    const { ring } = this.#span, { F, U } = ring.arena, at = row & ring.mask;
    for (let i = 0; i < this.#keys.length; i++) {
      const a = this.#keys[i]!, b = this.#slotKeys[i]!;
      const isNull = U[a.state + at]! > 63;
      if (isNull !== U[b.state + slot]! > 63) return false;
      if (isNull || sameCell(ring, a, row, this.#slots, b, slot)) continue;
      const isFloat = a.kind === "float64";
      if (!isFloat || !Number.isNaN(F[a.payload + at]) || !Number.isNaN(F[b.payload + slot])) {
        return false;
      }
    }
    return true;
  }

  get #isFull(): boolean {
    return this.#word(word.free) < 0 && this.#word(word.used) + 1 === this.#slots.rows;
  }

  /** Puts a row at the end of its window, −1 = it begins one; the window's first row. */
  #add(head: number, row: number): number {
    const { I } = this.#slots.arena;
    const slot = this.#take(), first = head < 0 ? slot : head;
    this.#copy(this.#span.ring, row, this.#slots, slot);
    I[this.#next + slot] = 0;
    this.#arrive(slot);
    if (head < 0) this.#link(slot, this.#place(this.#slots, this.#slotKeys, slot));
    else I[this.#next + I[this.#last + head]! - 1] = slot + 1;
    I[this.#last + first] = slot + 1;
    return first;
  }

  #link(head: number, place: number): void {
    const { I } = this.#slots.arena;
    I[this.#alike + head] = I[place]!;
    I[place] = head + 1;
  }

  /** A slot that is free. */
  #take(): number {
    const free = this.#word(word.free);
    if (free < 0) {
      const used = this.#word(word.used) + 1;
      this.#setWord(word.used, used);
      return used;
    }
    this.#setWord(word.free, this.#slots.arena.I[this.#next + free]! - 1);
    return free;
  }

  #copy(from: Ring, row: number, to: Ring, at: number): void {
    copyStamp(from, row, to, at);
    for (let i = 0; i < from.columns.length; i++) {
      copyCell(from, from.columns[i]!, row, to, to.columns[i]!, at);
    }
  }

  /** The oldest row of all gives way: a window that loses its first row is known by the next. */
  #evict(): void {
    const { F, I } = this.#slots.arena;
    const slot = this.#word(word.oldest);
    this.#span.lose(F[this.#slots.timeAt + slot]!);
    const after = I[this.#next + slot]! - 1;
    const place = this.#unlink(slot);
    if (after >= 0) {
      this.#link(after, place);
      I[this.#last + after] = I[this.#last + slot]!;
    }
    this.#free(slot);
  }

  /** Takes a window out of the chain of its hash; where that begins. */
  #unlink(head: number): number {
    const { I } = this.#slots.arena;
    const begin = this.#place(this.#slots, this.#slotKeys, head);
    let place = begin;
    while (I[place] !== head + 1) place = this.#alike + I[place]! - 1;
    I[place] = I[this.#alike + head]!;
    return begin;
  }

  #close(head: number, time: number): void {
    const { closed } = this, { F, I } = this.#slots.arena;
    const begun = F[this.#slots.timeAt + head]!;
    this.#unlink(head);
    const from = closed.head;
    for (let slot = head; slot >= 0;) {
      closed.claim(1);
      this.#copy(this.#slots, slot, closed, closed.head);
      closed.publish(1);
      const after = I[this.#next + slot]! - 1;
      this.#free(slot);
      slot = after;
    }
    this.#span.close(from, closed.head, begun, time);
  }

  #arrive(slot: number): void {
    const { I } = this.#slots.arena;
    const newest = this.#word(word.newest);
    I[this.#older + slot] = newest + 1;
    I[this.#newer + slot] = 0;
    if (newest < 0) this.#setWord(word.oldest, slot);
    else I[this.#newer + newest] = slot + 1;
    this.#setWord(word.newest, slot);
  }

  #free(slot: number): void {
    const { I } = this.#slots.arena;
    const older = I[this.#older + slot]! - 1, newer = I[this.#newer + slot]! - 1;
    if (older < 0) this.#setWord(word.oldest, newer);
    else I[this.#newer + older] = newer + 1;
    if (newer < 0) this.#setWord(word.newest, older);
    else I[this.#older + newer] = older + 1;
    I[this.#next + slot] = this.#word(word.free) + 1;
    this.#setWord(word.free, slot);
  }
}
