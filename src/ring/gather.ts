import { assert } from "../base.ts";
import type { Column } from "./column.ts";
import type { Ring, RingLayout } from "./ring.ts";

/** Where the cells are that become those of another ring's columns, in their order. */
export interface Sources {
  readonly columns: readonly Column[];
  /** Bytes that they lie further on than `columns` say. */
  readonly shift: number;
}

/** By column of `to`, that of its name in `from`; both must mean the same bytes. */
export function sourcesOf(from: Ring, to: Ring): Sources {
  // The one block is as the other: there are no columns of `from` to be made for it.
  if (isAlike(from.layout, to.layout)) return { columns: to.columns, shift: from.at - to.at };
  const columns = to.columns.map((column) => {
    const source = from.column(column.name);
    assert(source !== undefined, `${to.name}: ${from.name} has no column ${column.name}`);
    assert(source.kind === column.kind && source.slot === column.slot,
      `${to.name}.${column.name} is no copy of ${from.name}.${column.name}`);
    return source;
  });
  return { columns, shift: 0 };
}

function isAlike(a: RingLayout, b: RingLayout): boolean {
  return a.rows === b.rows && a.columns.length === b.columns.length &&
    a.columns.every(({ name, kind, slot }, i) => {
      const other = b.columns[i]!;
      return name === other.name && kind === other.kind && slot === other.slot;
    });
}

/**
 * Copies `n` whole rows, oldest first, with time, source time and flags. `to` may be `from` if rows
 * move towards older sequences. The source may be overwritten meanwhile: no value read decides more
 * than what is copied, and a length is never believed past its slot.
 */
export function gather(
  from: Ring, fromSeq: number, to: Ring, toSeq: number, n: number,
  { columns, shift }: Sources,
): void {
  copyFloats(from, from.timeAt, fromSeq, to, to.timeAt, toSeq, n);
  copyFloats(from, from.sourceAt, fromSeq, to, to.sourceAt, toSeq, n);
  copyBytes(from, from.flagsAt, fromSeq, to, to.flagsAt, toSeq, n);
  const targets = to.columns;
  for (let c = 0; c < columns.length; c++) {
    const source = columns[c]!, target = targets[c]!;
    const payload = source.payload + (source.slot > 0 ? shift : shift / 8);
    if (source.slot > 0) {
      copySlots(from, payload, source.length + shift / 4, fromSeq, to, target, toSeq, n);
    } else if (source.kind === "int64") copyPairs(from, payload, fromSeq, to, target, toSeq, n);
    else copyFloats(from, payload, fromSeq, to, target.payload, toSeq, n);
    copyBytes(from, source.state + shift, fromSeq, to, target.state, toSeq, n);
  }
}

function copyFloats(
  from: Ring, fromAt: number, fromSeq: number, to: Ring, toAt: number, toSeq: number, n: number,
): void {
  const source = from.arena.F;
  const target = to.arena.F;
  for (let i = 0; i < n; i++) {
    target[toAt + ((toSeq + i) & to.mask)] = source[fromAt + ((fromSeq + i) & from.mask)]!;
  }
}

function copyBytes(
  from: Ring, fromAt: number, fromSeq: number, to: Ring, toAt: number, toSeq: number, n: number,
): void {
  const source = from.arena.U;
  const target = to.arena.U;
  for (let i = 0; i < n; i++) {
    target[toAt + ((toSeq + i) & to.mask)] = source[fromAt + ((fromSeq + i) & from.mask)]!;
  }
}

/** int64 as two words: through the Float64 view an engine may change the bits of what looks NaN. */
function copyPairs(
  from: Ring, fromAt: number, fromSeq: number,
  to: Ring, toColumn: Column, toSeq: number, n: number,
): void {
  const source = from.arena.I;
  const target = to.arena.I;
  for (let i = 0; i < n; i++) {
    const fromWord = (fromAt + ((fromSeq + i) & from.mask)) * 2;
    const toWord = (toColumn.payload + ((toSeq + i) & to.mask)) * 2;
    target[toWord] = source[fromWord]!;
    target[toWord + 1] = source[fromWord + 1]!;
  }
}

/** Slots by words: they are 8n bytes long and lie on multiples of 8. */
function copySlots(
  from: Ring, fromAt: number, lengthAt: number, fromSeq: number,
  to: Ring, toColumn: Column, toSeq: number, n: number,
): void {
  const source = from.arena.I;
  const target = to.arena.I;
  const words = toColumn.slot / 4;
  for (let i = 0; i < n; i++) {
    const fromRow = (fromSeq + i) & from.mask;
    const toRow = (toSeq + i) & to.mask;
    const length = source[lengthAt + fromRow]!;
    const used = Math.min(words, Math.max(0, (length + 3) >> 2));
    const fromWord = fromAt / 4 + fromRow * words;
    const toWord = toColumn.payload / 4 + toRow * words;
    for (let w = 0; w < used; w++) target[toWord + w] = source[fromWord + w]!;
    target[toColumn.length + toRow] = length;
  }
}
