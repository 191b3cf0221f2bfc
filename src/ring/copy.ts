import type { Column } from "./column.ts";
import type { Ring } from "./ring.ts";

/** Copies one cell, payload and state, between two columns of one kind and slot. */
export function copyCell(
  from: Ring, source: Column, fromSeq: number, to: Ring, target: Column, toSeq: number,
): void {
  const at = fromSeq & from.mask;
  const row = toSeq & to.mask;
  to.arena.U[target.state + row] = from.arena.U[source.state + at]!;
  if (source.slot === 0) {
    // As words: a float64 copy may change the bits of an int64 that look like a NaN.
    const word = (source.payload + at) * 2;
    to.arena.I[(target.payload + row) * 2] = from.arena.I[word]!;
    to.arena.I[(target.payload + row) * 2 + 1] = from.arena.I[word + 1]!;
    return;
  }
  const length = from.arena.I[source.length + at]!;
  const U = from.arena.U;
  const target0 = target.payload + row * target.stride;
  const source0 = source.payload + at * source.stride;
  for (let i = 0; i < length; i++) to.arena.U[target0 + i] = U[source0 + i]!;
  to.arena.I[target.length + row] = length;
}

/** The cell keeps the last known value, with the reason why it is not new. */
export function spoilCell(ring: Ring, index: number, seq: number, state: number): void {
  const column = ring.columns[index]!;
  copyCell(ring, column, seq - 1, ring, column, seq);
  ring.arena.U[column.state + (seq & ring.mask)] = state;
}

/** Copies what a row carries beside its cells: engine time, source time, flags. */
export function copyStamp(from: Ring, fromSeq: number, to: Ring, toSeq: number): void {
  const at = fromSeq & from.mask;
  const row = toSeq & to.mask;
  to.arena.F[to.timeAt + row] = from.arena.F[from.timeAt + at]!;
  to.arena.F[to.sourceAt + row] = from.arena.F[from.sourceAt + at]!;
  to.arena.U[to.flagsAt + row] = from.arena.U[from.flagsAt + at]!;
}

/**
 * Copies cells column by column, so that each loop does one thing: those of rows fromRows[i] of
 * `from` into rows toRows[first + i] of `to`, i < n.
 */
export function copyCells(
  from: Ring, source: Column, fromRows: Int32Array, to: Ring, target: Column, toRows: Int32Array,
  first: number, n: number,
): void {
  if (source.slot > 0) {
    for (let i = 0; i < n; i++) {
      copyCell(from, source, fromRows[i]!, to, target, toRows[first + i]!);
    }
    return;
  }
  const { I, U } = from.arena, { I: J, U: V } = to.arena;
  const { payload, state } = source, { payload: toPayload, state: toState } = target;
  for (let i = 0; i < n; i++) {
    const at = fromRows[i]!, row = toRows[first + i]!;
    V[toState + row] = U[state + at]!;
    J[(toPayload + row) * 2] = I[(payload + at) * 2]!;
    J[(toPayload + row) * 2 + 1] = I[(payload + at) * 2 + 1]!;
  }
}

/** As `copyStamp`, of rows as `copyCells` has them. */
export function copyStamps(
  from: Ring, fromRows: Int32Array, to: Ring, toRows: Int32Array, first: number, n: number,
): void {
  const { F, U } = from.arena, { F: G, U: V } = to.arena;
  const { timeAt, sourceAt, flagsAt } = from;
  const { timeAt: toTime, sourceAt: toSource, flagsAt: toFlags } = to;
  for (let i = 0; i < n; i++) {
    const at = fromRows[i]!, row = toRows[first + i]!;
    G[toTime + row] = F[timeAt + at]!;
    G[toSource + row] = F[sourceAt + at]!;
    V[toFlags + row] = U[flagsAt + at]!;
  }
}
