import type { DriverTag } from "../../driver.ts";
import {
  arrayOf, copyCell, DynWriter, ERROR, GOOD, UNCERTAIN_MAX, type Column, type Ring,
} from "../../ring.ts";

/** The tags that an array is made of, `device.tag[0]` and on; of any other tag it alone. */
export function itemsOf(tag: DriverTag): DriverTag[] {
  const array = arrayOf(tag.type);
  return array === null ? [tag] : Array.from({ length: array.count }, (_, i) => itemOf(tag, i));
}

/** One of them; what is no array is its own only item. */
export function itemOf(tag: DriverTag, index: number): DriverTag {
  const array = arrayOf(tag.type);
  if (array === null) return tag;
  // Part by part: those of a gateway's tag are not its own, so that copying it would lose them.
  const { id, station, at, scale, offset, decimals, signal, wordOrder, writable, column } = tag;
  return { id: `${id}[${index}]`, station, at, type: array.item, scale, offset, decimals, signal,
    wordOrder, writable, column };
}

/** How an item stands in the cell. Numbers, because the hot path switches on them. */
const BOOL = 0, WHOLE = 1, FLOAT = 2;

/** States up to this one leave a value. */
const hasValue = (state: number): boolean => state <= UNCERTAIN_MAX;

/**
 * The cell of an array, item by item straight into its slot. The array is one instant: the first
 * item without a value makes all of it bad for the same reason, and the last known array stands. An
 * uncertain one makes it uncertain.
 */
export class ArrayCell {
  readonly #writer = new DynWriter();
  #kind = FLOAT;
  #state: number = GOOD;

  begin(
    { arena, mask }: Ring, { shape, payload, stride, slot }: Column, seq: number, count: number,
  ): void {
    const item = shape?.of === "array" && shape.item.of === "value" ? shape.item.kind : "float64";
    this.#kind = item === "bool" ? BOOL : item === "int53" ? WHOLE : FLOAT;
    this.#state = GOOD;
    this.#writer.begin(arena.U, payload + (seq & mask) * stride, slot);
    this.#writer.list(count);
  }

  /** A number, or 0 or 1 of a bool; of a state without a value it is not looked at. */
  put(value: number, state: number): void {
    this.#note(state);
    if (!hasValue(this.#state)) return;
    if (this.#kind === BOOL) this.#writer.bool(value !== 0);
    else if (this.#kind === WHOLE) this.#writer.whole(value);
    else this.#writer.float(value);
  }

  /** A whole number of 64 bits; one from 2^63 on has no place in a cell. */
  putWords(low: number, high: number, isUnsigned: boolean): void {
    if (isUnsigned && high < 0) this.#note(ERROR.overflow);
    else this.#writer.words(low, high);
  }

  end(ring: Ring, column: Column, seq: number): void {
    const row = seq & ring.mask;
    if (hasValue(this.#state)) {
      ring.arena.I[column.length + row] =
        this.#writer.place - column.payload - row * column.stride;
    } else copyCell(ring, column, seq - 1, ring, column, seq);
    ring.arena.U[column.state + row] = this.#state;
  }

  /** The first without a value counts, and before it the first that is uncertain. */
  #note(state: number): void {
    if (this.#state === GOOD || (hasValue(this.#state) && !hasValue(state))) this.#state = state;
  }
}
