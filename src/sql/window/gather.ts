import { type Dyn, DynReader } from "../../ring.ts";
import type { Gathering } from "../bound.ts";
import { equal } from "../functions/values.ts";

const reader = new DynReader();

/** Of pairs [key, row] those whose key stands in none before; what is no key is one of its own. */
const firsts = (pairs: readonly (readonly Dyn[])[]): Dyn[] => pairs
  .filter(([key], i) => !pairs.slice(0, i).some(([before]) => equal(before!, key!)))
  .map(([, row]) => row!);

/**
 * What the values of a group come to; null is NULL. They are cells at U[payload + row × stride],
 * the rows chained from `head` by I[next + row]. Allocates.
 */
export function gather(
  fn: Gathering, U: Uint8Array, I: Int32Array, next: number, head: number, n: number,
  payload: number, stride: number,
): Dyn {
  const values: Dyn[] = [];
  for (let i = 0, row = head; i < n; i++, row = I[next + row]!) {
    values.push(reader.read(U, payload + row * stride));
  }
  if (n === 0) return null;
  switch (fn) {
    case "collect": return values;
    case "merge_agg": {
      const merged = new Map<string, Dyn>();
      for (const value of values) {
        if (!(value instanceof Map)) return null;
        for (const [key, item] of value as ReadonlyMap<string, Dyn>) merged.set(key, item);
      }
      return merged;
    }
    case "deduplicate": return firsts(values as Dyn[][]);
    case "newest_distinct": {
      const pairs = values as Dyn[][];
      const [key, row] = pairs.at(-1)!;
      return pairs.slice(0, -1).some(([before]) => equal(before!, key!)) ? null : row!;
    }
  }
}
