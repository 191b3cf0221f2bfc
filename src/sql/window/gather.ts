import { type Dyn, DynReader } from "../../ring.ts";
import type { Gathering } from "../bound.ts";
import { equal } from "../functions/values.ts";

const reader = new DynReader();

/** Of pairs [key, row] those whose key stands in none before; what is no key is one of its own. */
const firsts = (pairs: readonly (readonly Dyn[])[]): Dyn[] => pairs
  .filter(([key], i) => !pairs.slice(0, i).some(([before]) => equal(before!, key!)))
  .map(([, row]) => row!);

/** A text that two values share only if they are the same, in kind too. */
function keyOf(value: Dyn): string {
  if (typeof value !== "object") return `${typeof value} ${JSON.stringify(String(value))}`;
  if (value === null || value instanceof Date) return `at ${value?.getTime()}`;
  if (value instanceof Uint8Array) return `bytes ${String(value)}`;
  if (Array.isArray(value)) return `[${(value as readonly Dyn[]).map(keyOf).join()}]`;
  return `{${[...value as ReadonlyMap<string, Dyn>]
    .map(([key, item]) => `${JSON.stringify(key)}:${keyOf(item)}`).join()}}`;
}

function different(values: readonly Dyn[]): Dyn[] {
  const seen = new Set<string>();
  return values.filter((value) => {
    const key = keyOf(value);
    return !seen.has(key) && seen.add(key);
  });
}

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
  if (fn === "count_distinct") return BigInt(different(values).length);
  if (n === 0) return null;
  switch (fn) {
    case "distinct": return different(values);
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
