import { type Column, type Dyn, DynReader, type Ring, UNCERTAIN_MAX } from "../ring.ts";
import { orderDyn } from "./emit/open-values.ts";

/** A column that rows are put in order by. */
export interface Key {
  readonly column: Column;
  readonly descending: boolean;
  /** The order is any that tells unequal values apart: rows of one partition come together. */
  readonly apart: boolean;
}

const reader = new DynReader();

function compareBytes(
  U: Uint8Array, a: number, aLength: number, b: number, bLength: number,
): number {
  const n = aLength < bLength ? aLength : bLength;
  for (let i = 0; i < n; i++) {
    const difference = U[a + i]! - U[b + i]!;
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** NaN is equal to itself and the largest. */
function compareNumbers(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return a === b ? 0 : Number(a !== a) - Number(b !== b);
}

const dynAt = (ring: Ring, { payload, stride }: Column, row: number): Dyn =>
  reader.read(ring.arena.U, payload + row * stride);

/** Of values of one kind; allocates. */
function compareOpen(a: Dyn, b: Dyn): number {
  const order = orderDyn(a, b);
  return order === undefined || order !== order ? compareNumbers(Number(a), Number(b)) : order;
}

/** Below 0, 0 or above as the value of row `a` comes before that of `b`. */
function compareValues(ring: Ring, { column, apart }: Key, a: number, b: number): number {
  const { F, I, U } = ring.arena;
  const { kind, slot, payload, length } = column;
  if (kind === "dyn" && !apart) {
    return compareOpen(dynAt(ring, column, a), dynAt(ring, column, b));
  }
  if (slot > 0) {
    return compareBytes(U, payload + a * slot, I[length + a]!, payload + b * slot, I[length + b]!);
  }
  if (kind !== "int64") return compareNumbers(F[payload + a]!, F[payload + b]!);
  const p = 2 * (payload + a), q = 2 * (payload + b);
  const high = compareNumbers(I[p + 1]!, I[q + 1]!);
  return high !== 0 ? high : compareNumbers(I[p]! >>> 0, I[q]! >>> 0);
}

/** Of two rows of a ring, by number: what reads as NULL, or is an error, comes last. */
export function compareRows(ring: Ring, keys: readonly Key[], a: number, b: number): number {
  const { U } = ring.arena;
  for (let i = 0; i < keys.length; i++) {
    const { column: { state }, descending } = keys[i]!;
    const none = Number(U[state + a]! > UNCERTAIN_MAX) - Number(U[state + b]! > UNCERTAIN_MAX);
    if (none !== 0) return none;
    if (U[state + a]! > UNCERTAIN_MAX) continue;
    const order = compareValues(ring, keys[i]!, a, b);
    if (order !== 0) return descending ? -order : order;
  }
  return 0;
}

/** Values of no fixed type are compared with those of their kind; 0 = a structure, with none. */
function kindOf(value: Dyn): number {
  switch (typeof value) {
    case "number": case "bigint": return 1;
    case "string": return 2;
    case "boolean": return 3;
    default: return value instanceof Date ? 4 : value instanceof Uint8Array ? 5 : 0;
  }
}

/** True if all rows I[at … at + n) have an order by these keys. */
export function haveOrder(ring: Ring, keys: readonly Key[], at: number, n: number): boolean {
  const { I, U } = ring.arena;
  for (const { column, apart } of keys) {
    if (column.kind !== "dyn" || apart) continue;
    let kind = -1;
    for (let i = at; i < at + n; i++) {
      const row = I[i]!;
      if (U[column.state + row]! > UNCERTAIN_MAX) continue;
      const own = kindOf(dynAt(ring, column, row));
      if (own === 0 || (kind >= 0 && own !== kind)) return false;
      kind = own;
    }
  }
  return true;
}

/**
 * Puts the row numbers I[at … at + n) in order, rows of equal keys in that of before (a merge sort
 * from the bottom up); `scratch` is room for n of them.
 */
export function sortRows(
  ring: Ring, keys: readonly Key[], at: number, n: number, scratch: number,
): void {
  const { I } = ring.arena;
  for (let width = 1; width < n; width *= 2) {
    for (let left = 0; left < n; left += 2 * width) {
      const middle = Math.min(left + width, n), right = Math.min(left + 2 * width, n);
      let i = left, j = middle;
      for (let k = left; k < right; k++) {
        const first = j >= right ||
          (i < middle && compareRows(ring, keys, I[at + i]!, I[at + j]!) <= 0);
        I[scratch + k] = I[at + (first ? i++ : j++)]!;
      }
    }
    I.copyWithin(at, scratch, scratch + n);
  }
}
