import type { Dyn } from "../../ring.ts";

/** What functions over arrays and objects know of values. */
export type List = readonly Dyn[];
export type Fields = ReadonlyMap<string, Dyn>;

export const isList = (value: Dyn): value is List => Array.isArray(value);
export const isFields = (value: Dyn): value is Fields => value instanceof Map;

/** Numbers by what they are worth, whole or not; a structure equals nothing, not even itself. */
export function equal(a: Dyn, b: Dyn): boolean {
  if (typeof a === "object" && a !== null) {
    return a instanceof Date && b instanceof Date && a.getTime() === b.getTime();
  }
  return a === b || (isNumeric(a) && isNumeric(b) && a == b);
}

/** What equal values share and others do not; undefined: nothing is equal to it. */
function keyOf(value: Dyn): unknown {
  if (typeof value === "string") return `'${value}`;
  if (typeof value === "number") {
    // Past 64 bits no whole number is of another kind.
    return Number.isInteger(value) && Math.abs(value) <= 2 ** 64 ? BigInt(value)
      : Number.isNaN(value) ? undefined : value;
  }
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : `@${+value}`;
  return typeof value === "object" && value !== null ? undefined : value;
}

/** Values that others are looked for among, by hash: lists may have some ten thousand items. */
export class Values {
  readonly #keys = new Set<unknown>();

  constructor(list: List = []) {
    for (const item of list) this.add(item);
  }

  /** False if one that is equal was there. */
  add(value: Dyn): boolean {
    const key = keyOf(value);
    if (key === undefined) return true;
    const before = this.#keys.size;
    return this.#keys.add(key).size > before;
  }

  has(value: Dyn): boolean {
    const key = keyOf(value);
    return key !== undefined && this.#keys.has(key);
  }
}

export const isNumeric = (value: Dyn): value is number | bigint =>
  typeof value === "number" || typeof value === "bigint";

const rank = (value: Dyn): number => (isNumeric(value) ? 0 : typeof value === "string" ? 1 : 2);

/** Numbers before texts before all else. */
export function sortOrder(a: Dyn, b: Dyn): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (rank(a) === 2) return 0;
  return a! < b! ? -1 : a! > b! ? 1 : 0;
}

/** An item as text among other texts; null: it is a structure; undefined: a time without a date. */
export function writtenOf(value: Dyn): string | null | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number") return JSON.stringify(value);
  if (value instanceof Date) return Number.isNaN(+value) ? undefined : value.toISOString();
  return typeof value === "bigint" || typeof value === "boolean" ? String(value) : null;
}
