import type { Column } from "./column.ts";
import type { Ring } from "./ring.ts";

/** FNV-1a over what the cell means: −0 is 0. */
export function hashCell(ring: Ring, column: Column, row: number): number {
  const { kind, slot, payload, stride, length } = column;
  const { F, I, U } = ring.arena;
  const at = row & ring.mask;
  let hash = -2128831035;
  if (slot > 0) {
    const from = payload + at * stride, n = I[length + at]!;
    for (let i = 0; i < n; i++) hash = Math.imul(hash ^ U[from + i]!, 0x01000193);
  } else if (kind === "int64") {
    const word = (payload + at) * 2;
    hash = Math.imul(Math.imul(hash ^ I[word]!, 0x01000193) ^ I[word + 1]!, 0x01000193);
  } else {
    scratch[0] = F[payload + at]! + 0;
    hash = Math.imul(Math.imul(hash ^ words[0]!, 0x01000193) ^ words[1]!, 0x01000193);
  }
  return hash ^ hash >>> 15;
}

const scratch = new Float64Array(1);
const words = new Int32Array(scratch.buffer);

/** Whether two cells of one kind have the same value. */
export function sameCell(
  a: Ring, x: Column, rowA: number, b: Ring, y: Column, rowB: number,
): boolean {
  const i = rowA & a.mask, j = rowB & b.mask;
  if (x.slot > 0) {
    const n = a.arena.I[x.length + i]!;
    if (n !== b.arena.I[y.length + j]) return false;
    const p = x.payload + i * x.stride, q = y.payload + j * y.stride;
    for (let k = 0; k < n; k++) if (a.arena.U[p + k] !== b.arena.U[q + k]) return false;
    return true;
  }
  if (x.kind !== "int64") return a.arena.F[x.payload + i] === b.arena.F[y.payload + j];
  const p = (x.payload + i) * 2, q = (y.payload + j) * 2;
  return a.arena.I[p] === b.arena.I[q] && a.arena.I[p + 1] === b.arena.I[q + 1];
}
