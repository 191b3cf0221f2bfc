import { limits } from "../../base.ts";
import type { Dyn } from "../../ring.ts";
import type { ArgumentType, FunctionValue, ScalarFunction } from "./record.ts";
import { equal, isList, type List, sortOrder, Values, writtenOf } from "./values.ts";

/** Items that a function may make of numbers alone. */
const items_max = 65536;

const has = (list: List, value: Dyn): boolean => list.some((item) => equal(item, value));

function distinct(list: List): Dyn[] {
  const seen = new Values();
  return list.filter((item) => seen.add(item));
}

/** Distinct items of `a` that are, or are not, in `b`. */
function shared(a: List, b: List, are: boolean): Dyn[] {
  const others = new Values(b);
  return distinct(a).filter((item) => others.has(item) === are);
}

/** NaN where there is none, so that the caller's NULL is told from a number. */
function best(list: List, sign: number): Dyn | undefined {
  let found: number | bigint | null = null;
  for (const item of list) {
    if (item === null) continue;
    if (typeof item !== "number" && typeof item !== "bigint") return undefined;
    if (found === null || (sign < 0 ? item < found : item > found)) found = item;
  }
  return found;
}

function join(list: List, delimiter: string | null, replacement: string | null): string
  | null | undefined {
  if (!isList(list) || delimiter === null) return undefined;
  const texts: string[] = [];
  let length = 0;
  for (const item of list) {
    const text = item === null ? replacement : writtenOf(item);
    if (text === undefined) return undefined;
    if (text === null) continue;
    length += text.length + (texts.length === 0 ? 0 : delimiter.length);
    texts.push(text);
    // No cell has room for more.
    if (length > limits.slot_bytes_max) break;
  }
  return texts.join(delimiter);
}

function sequence(from: number, to: number, step = from <= to ? 1 : -1): Dyn | undefined {
  if (step === 0 || (to - from) / step > items_max) return undefined;
  const items: bigint[] = [];
  for (let value = from; step > 0 ? value <= to : value >= to; value += step) {
    items.push(BigInt(value));
  }
  return items;
}

/** One argument of a function as its body takes it; undefined: of another kind, or not exact. */
function taken(letter: string, item: Dyn): unknown {
  switch (letter) {
    case "n": case "d": return typeof item === "bigint" ? exact(item)
      : typeof item === "number" ? item : undefined;
    case "i": case "u": return typeof item === "bigint" ? exact(item) : undefined;
    case "s": return typeof item === "string" ? item : undefined;
    case "v": return item;
    default: return undefined;
  }
}

function exact(whole: bigint): number | undefined {
  const number = Number(whole);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** What a body gave, as an item of an array; undefined: the function refuses. */
function given(fn: ScalarFunction, item: Dyn, result: FunctionValue): Dyn | undefined {
  if (typeof result !== "number" || fn.result === "dyn") return result;
  if (fn.result === "time") return new Date(result);
  const whole = fn.result === "int53" || (fn.result === "same" && typeof item === "bigint");
  if (!whole) return Number.isNaN(result - (fn.infinite ? 0 : result)) ? undefined : result;
  return Number.isSafeInteger(result) ? BigInt(result) : undefined;
}

/** `array_map`; `find` knows the functions by their names. */
export function arrayMap(find: (name: string) => ScalarFunction | undefined): ScalarFunction {
  const unary = (name: string): ScalarFunction | undefined => {
    const fn = find(name.toLowerCase());
    return fn?.parameters.split("?")[0]!.length === 1 && fn.clock === undefined ? fn : undefined;
  };
  return {
    name: "array_map", parameters: "sl", result: "dyn", refuses: true,
    takes: "'function', array",
    doc: "What a function of one argument, named by the text, gives for each item",
    examples: [["to_json(array_map('abs', array_create(-1, 2)))", "'[1,2]'"]],
    constants: { 0: (name) => (unary(String(name)) === undefined
      ? `There is no function ${name}() of one value` : null) },
    slot: ([, list]) => 9 * list!.slot,
    body: (name: string, list: Dyn) => {
      const fn = unary(name);
      if (fn === undefined || !isList(list)) return undefined;
      const results: Dyn[] = [];
      for (const item of list) {
        const unseen = item === null && fn.nulls !== "sees";
        const argument = unseen ? null : taken(fn.parameters[0]!, item);
        if (argument === undefined) return undefined;
        const result = unseen ? null : given(fn, item, fn.body(argument as never));
        if (result === undefined) return undefined;
        results.push(result);
      }
      return results;
    },
  };
}

/** The body with its first argument as the array that it must be. */
const over = (body: (list: List, ...rest: never[]) => FunctionValue) =>
  (list: Dyn, ...rest: never[]): FunctionValue =>
    (isList(list) ? body(list, ...rest) : undefined);

const both = (body: (a: List, b: List) => FunctionValue) => (a: Dyn, b: Dyn): FunctionValue =>
  (isList(a) && isList(b) ? body(a, b) : undefined);

const constantSlot = (bytes: number, { constant }: ArgumentType): number =>
  (typeof constant === "number" ? bytes * Math.max(1, constant) + 16 : 1024);

export const lists: readonly ScalarFunction[] = [
  {
    name: "array_create", parameters: "v+", result: "dyn", nulls: "sees",
    doc: "The values as an array; NULL is left out, of nothing else NULL",
    examples: [["to_json(array_create(1, 'a', 2.5))", "'[1,\"a\",2.5]'"]],
    body: (...items: Dyn[]) => {
      const known = items.filter((item) => item !== null);
      return known.length === 0 ? null : known;
    },
  },
  {
    name: "array_cardinality", also: ["cardinality"], parameters: "l",
    result: "int53", refuses: true,
    nulls: "sees", doc: "Number of items; of NULL 0",
    examples: [["cardinality(array_create(1, 2))", "2"]],
    body: (list: Dyn) => (list === null ? 0 : isList(list) ? list.length : undefined),
  },
  {
    name: "array_position", parameters: "lv", result: "int53", refuses: true,
    takes: "array, x",
    doc: "Where the value first stands, from 0; −1 = nowhere",
    examples: [["array_position(array_create('a', 'b'), 'b')", "1"]],
    body: over((list, value: Dyn) => list.findIndex((item) => equal(item, value))),
  },
  {
    name: "array_last_position", parameters: "lv", result: "int53", refuses: true,
    takes: "array, x",
    doc: "Where the value last stands, from 0; −1 = nowhere",
    examples: [["array_last_position(array_create(5, 6, 5), 5)", "2"]],
    body: over((list, value: Dyn) => list.findLastIndex((item) => equal(item, value))),
  },
  {
    name: "array_contains", parameters: "lv", result: "bool", refuses: true, nulls: "sees",
    takes: "array, x",
    doc: "Whether the value is an item; NULL has none",
    examples: [["array_contains(array_create(1, 2), 2)", "TRUE"]],
    body: (list: Dyn, value: Dyn) => (list === null ? false
      : isList(list) ? has(list, value) : undefined),
  },
  {
    name: "array_contains_any", parameters: "ll", result: "bool", refuses: true, nulls: "sees",
    takes: "array, other",
    doc: "Whether the arrays have an item in common",
    examples: [["array_contains_any(array_create(1, 2), array_create(2, 3))", "TRUE"]],
    body: (a: Dyn, b: Dyn) => (a === null || b === null ? false
      : isList(a) && isList(b) ? shared(a, b, true).length > 0 : undefined),
  },
  {
    name: "array_remove", parameters: "lv",
    result: "dyn", refuses: true, doc: "Without the items that are equal",
    takes: "array, x",
    examples: [["to_json(array_remove(array_create(1, 2, 1), 1))", "'[2]'"]],
    body: over((list, value: Dyn) => list.filter((item) => !equal(item, value))),
  },
  {
    name: "array_concat", parameters: "l+", result: "dyn", refuses: true, nulls: "sees",
    doc: "The arrays one after the other; NULL is left out",
    examples: [["to_json(array_concat(array_create(1), array_create(2)))", "'[1,2]'"]],
    body: (...all: Dyn[]) => {
      const known = all.filter((list) => list !== null);
      return known.every(isList) ? (known.length === 0 ? null : known.flat()) : undefined;
    },
  },
  {
    name: "array_union", parameters: "ll", result: "dyn", refuses: true, nulls: "sees",
    takes: "array, other",
    doc: "The items of either, each once",
    examples: [["to_json(array_union(array_create(1, 2), array_create(2, 3)))", "'[1,2,3]'"]],
    body: (a: Dyn, b: Dyn) => {
      const known = [a, b].filter((list) => list !== null);
      if (!known.every(isList)) return undefined;
      return known.length === 0 ? null : distinct(known.flat());
    },
  },
  {
    name: "array_intersect", parameters: "ll", result: "dyn", refuses: true,
    takes: "array, other",
    doc: "The items of both, each once",
    examples: [["to_json(array_intersect(array_create(1, 2), array_create(2, 3)))", "'[2]'"]],
    body: both((a, b) => shared(a, b, true)),
  },
  {
    name: "array_except", parameters: "ll", result: "dyn", refuses: true,
    takes: "array, other",
    doc: "The items of the first that are none of the second, each once",
    examples: [["to_json(array_except(array_create(1, 2), array_create(2)))", "'[1]'"]],
    body: both((a, b) => shared(a, b, false)),
  },
  {
    name: "array_distinct", parameters: "l", result: "dyn", refuses: true,
    doc: "Each item once; structures are all different",
    examples: [["to_json(array_distinct(array_create(1, 1, 2)))", "'[1,2]'"]],
    body: over(distinct),
  },
  {
    name: "array_flatten", parameters: "l", result: "dyn", refuses: true,
    doc: "Arrays inside the array opened, one level",
    examples: [["to_json(array_flatten(array_create(array_create(1), 2)))", "'[1,2]'"]],
    body: over((list) => list.flat() as Dyn[]),
  },
  {
    name: "array_max", parameters: "l", result: "dyn", refuses: true,
    doc: "Largest of the numbers, NULL left out", slot: () => 16,
    examples: [["array_max(array_create(1, 3, 2)) = 3", "TRUE"]],
    body: over((list) => best(list, 1)),
  },
  {
    name: "array_min", parameters: "l", result: "dyn", refuses: true,
    doc: "Smallest of the numbers, NULL left out", slot: () => 16,
    examples: [["array_min(array_create(2, 1, 3)) = 1", "TRUE"]],
    body: over((list) => best(list, -1)),
  },
  {
    name: "array_sort", parameters: "l", result: "dyn", refuses: true,
    doc: "In order: numbers, then texts, then all else as it stood",
    examples: [["to_json(array_sort(array_create('b', 2, 1)))", "'[1,2,\"b\"]'"]],
    body: over((list) => [...list].sort(sortOrder)),
  },
  {
    name: "array_join", parameters: "ls?s", result: "text", refuses: true, nulls: "sees",
    takes: "array, separator, [instead of NULL]",
    doc: "The items as one text, with the second between them; NULL is left out, or the third",
    examples: [["array_join(array_create('a', 'b'), ':')", "'a:b'"]],
    slot: (args) => 8 * args[0]!.slot, body: (list: Dyn, delimiter: string | null,
      replacement: string | null = null) => (list === null ? null
      : join(list as List, delimiter, replacement)),
  },
  {
    name: "repeat", parameters: "vi",
    result: "dyn", refuses: true, doc: "An array of so many times the value",
    takes: "x, times",
    examples: [["to_json(repeat('a', 2))", "'[\"a\",\"a\"]'"]],
    slot: ([value, count]) => constantSlot(value!.slot, count!),
    body: (value: Dyn, count: number) => (count < 0 || count > items_max ? undefined
      : Array.from({ length: count }, () => value)),
  },
  {
    name: "sequence", parameters: "ii?i", result: "dyn", refuses: true,
    takes: "from, to, [step]",
    doc: "The whole numbers from the first to the second, by steps of the third",
    examples: [["to_json(sequence(1, 7, 3))", "'[1,4,7]'"], ["to_json(sequence(2, 1))", "'[2,1]'"]],
    slot: ([from, to]) => (typeof from!.constant === "number" && typeof to!.constant === "number"
      ? 9 * (Math.abs(to!.constant - from!.constant) + 2) : 1024),
    body: sequence,
  },
];
