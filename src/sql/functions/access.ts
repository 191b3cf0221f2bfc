import { type Dyn, stateName } from "../../ring.ts";
import type { FunctionValue, ScalarFunction } from "./record.ts";
import { equal, isFields, isList } from "./values.ts";

/** A place counted from 0, from the end where it is negative; −1: outside. */
function placeOf(list: readonly Dyn[], at: Dyn): number {
  const place = Number(at);
  if (!Number.isInteger(place)) return -1;
  const from0 = place < 0 ? list.length + place : place;
  return from0 < list.length ? from0 : -1;
}

/** An end of a slice: as a place, but the end itself is one, and TRUE is the open end. */
function endOf(list: readonly Dyn[], at: Dyn, open: number): number {
  if (at === true) return open;
  const place = Number(at);
  if (!Number.isInteger(place)) return -1;
  const from0 = place < 0 ? list.length + place : place;
  return from0 <= list.length ? from0 : -1;
}

function item(of: Dyn, at: Dyn): FunctionValue {
  if (isFields(of) && typeof at === "string") return of.get(at) ?? null;
  if (!isList(of) || (typeof at !== "bigint" && typeof at !== "number")) return undefined;
  const place = placeOf(of, at);
  return place < 0 ? undefined : of[place]!;
}

function slice(of: Dyn, from: Dyn, to: Dyn): FunctionValue {
  if (!isList(of)) return undefined;
  const [first, end] = [endOf(of, from, 0), endOf(of, to, of.length)];
  return first < 0 || end < first ? undefined : of.slice(first, end);
}

/**
 * What the operators `->`, `[]`, `[:]` and IN with an array are bound to. Outside its range an
 * index is an error, as is a field of what is no object; a field that is not there is NULL.
 */
export const access: readonly ScalarFunction[] = [
  {
    name: "$member", parameters: "vs", result: "dyn", refuses: true, doc: "`a->b`", examples: [],
    part: true, slot: ([of]) => of!.slot,
    body: (of: Dyn, name: string) => (isFields(of) ? of.get(name) ?? null : undefined),
  },
  {
    name: "$item", parameters: "vv", result: "dyn", refuses: true, doc: "`a[i]`", examples: [],
    part: true, slot: ([of]) => of!.slot, body: item,
  },
  {
    name: "$slice", parameters: "vvv", result: "dyn", refuses: true, doc: "`a[i:j]`", examples: [],
    part: true, slot: ([of]) => of!.slot, body: slice,
  },
  {
    name: "$in", parameters: "vv",
    result: "bool", refuses: true, doc: "`x IN a`", examples: [], nulls: "sees",
    body: (x: Dyn, list: Dyn) => (list === null || x === null ? false
      : isList(list) ? list.some((one) => equal(one, x)) : undefined),
  },
  {
    name: "$not_in", parameters: "vv",
    result: "bool", refuses: true, doc: "`x NOT IN a`", examples: [],
    nulls: "sees",
    body: (x: Dyn, list: Dyn) => (list === null || x === null ? false
      : isList(list) ? !list.includes(null) && !list.some((one) => equal(one, x)) : undefined),
  },
  {
    name: "$quality", parameters: "i", result: "text", doc: "`quality(x)`", examples: [],
    slot: () => 32, body: (state: number) => stateName(state),
  },
  {
    name: "$row", parameters: "sv/", result: "dyn", doc: "`*` as one object", examples: [],
    nulls: "sees",
    body: (...parts: Dyn[]) => {
      const fields = new Map<string, Dyn>();
      for (let i = 0; i < parts.length; i += 2) {
        if (parts[i + 1] !== null) fields.set(parts[i] as string, parts[i + 1]!);
      }
      return fields;
    },
  },
  {
    name: "$fields", parameters: "o",
    result: "dyn", refuses: true, doc: "`extract(o)`", examples: [],
    slot: ([of]) => 2 * of!.slot,
    body: (fields: Dyn) => (isFields(fields)
      ? [...fields].map(([key, value]) => new Map([[key, value]])) : undefined),
  },
  {
    name: "$pair", parameters: "vv", result: "dyn", doc: "[key, row]", examples: [], nulls: "sees",
    body: (key: Dyn, row: Dyn) => [key, row],
  },
  {
    name: "element_at", parameters: "vv",
    result: "dyn", refuses: true, part: true, slot: ([of]) => of!.slot,
    takes: "array or object, place or name",
    doc: "An item of an array by its place from 0 (from the end where negative), or a field",
    examples: [["element_at(array_create('a', 'b'), 1) = 'b'", "TRUE"],
      ["element_at(object_construct('a', 'x'), 'a') = 'x'", "TRUE"]],
    body: item,
  },
];
