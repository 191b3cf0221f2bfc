import { type Column, FLAG, GOOD, type Ring } from "../ring.ts";

/**
 * W8: a row in which no tag of its device is good is doubtful as a whole. Rows come while a device
 * is silent, too, and what else they have (constants, the clock, that they are there at all) says
 * nothing of the machine; `asked` are the columns that do.
 */
export function doubt(ring: Ring, from: number, n: number, asked: readonly Column[]): void {
  for (let i = 0; i < n; i++) {
    const row = ((from + i) | 0) & ring.mask;
    if (!hasGood(ring, row, asked)) ring.arena.U[ring.flagsAt + row]! |= FLAG.doubtful;
  }
}

function hasGood({ arena: { U } }: Ring, row: number, asked: readonly Column[]): boolean {
  for (let c = 0; c < asked.length; c++) if (U[asked[c]!.state + row] === GOOD) return true;
  return false;
}
