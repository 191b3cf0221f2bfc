import { assert } from "../base.ts";
import type { Column } from "./column.ts";
import type { Ring } from "./ring.ts";

/** By column of `to`, that of its name in `from`; both must mean the same bytes. */
export function sourcesOf(from: Ring, to: Ring): readonly Column[] {
  const sources = to.columns.map((column) => {
    const source = from.column(column.name);
    assert(source !== undefined, `${to.name}: ${from.name} has no column ${column.name}`);
    assert(source.kind === column.kind && source.slot === column.slot,
      `${to.name}.${column.name} is no copy of ${from.name}.${column.name}`);
    return source;
  });
  // Mostly all of them in their order: that list is there already, for each tag of a plant.
  const isWhole = sources.every((source, i) => source === from.columns[i]);
  return isWhole ? from.columns : sources;
}

/**
 * Copies `n` whole rows, oldest first, with time, source time and flags. `to` may be `from` if rows
 * move towards older sequences. The source may be overwritten meanwhile: no value read decides more
 * than what is copied, and a length is never believed past its slot.
 */
export function gather(
  from: Ring, fromSeq: number, to: Ring, toSeq: number, n: number,
  sources: readonly Column[],
): void {
  copyFloats(from, from.timeAt, fromSeq, to, to.timeAt, toSeq, n);
  copyFloats(from, from.sourceAt, fromSeq, to, to.sourceAt, toSeq, n);
  copyBytes(from, from.flagsAt, fromSeq, to, to.flagsAt, toSeq, n);
  for (let c = 0; c < sources.length; c++) {
    const source = sources[c]!, target = to.columns[c]!;
    if (source.slot > 0) copySlots(from, source, fromSeq, to, target, toSeq, n);
    else if (source.kind === "int64") copyPairs(from, source, fromSeq, to, target, toSeq, n);
    else copyFloats(from, source.payload, fromSeq, to, target.payload, toSeq, n);
    copyBytes(from, source.state, fromSeq, to, target.state, toSeq, n);
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
  from: Ring, fromColumn: Column, fromSeq: number,
  to: Ring, toColumn: Column, toSeq: number, n: number,
): void {
  const source = from.arena.I;
  const target = to.arena.I;
  for (let i = 0; i < n; i++) {
    const fromWord = (fromColumn.payload + ((fromSeq + i) & from.mask)) * 2;
    const toWord = (toColumn.payload + ((toSeq + i) & to.mask)) * 2;
    target[toWord] = source[fromWord]!;
    target[toWord + 1] = source[fromWord + 1]!;
  }
}

/** Slots by words: they are 8n bytes long and lie on multiples of 8. */
function copySlots(
  from: Ring, fromColumn: Column, fromSeq: number,
  to: Ring, toColumn: Column, toSeq: number, n: number,
): void {
  const source = from.arena.I;
  const target = to.arena.I;
  const words = fromColumn.slot / 4;
  for (let i = 0; i < n; i++) {
    const fromRow = (fromSeq + i) & from.mask;
    const toRow = (toSeq + i) & to.mask;
    const length = source[fromColumn.length + fromRow]!;
    const used = Math.min(words, Math.max(0, (length + 3) >> 2));
    const fromWord = fromColumn.payload / 4 + fromRow * words;
    const toWord = toColumn.payload / 4 + toRow * words;
    for (let w = 0; w < used; w++) target[toWord + w] = source[fromWord + w]!;
    target[toColumn.length + toRow] = length;
  }
}
