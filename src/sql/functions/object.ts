import type { Dyn } from "../../ring.ts";
import type { FunctionValue, ScalarFunction } from "./record.ts";
import { type Fields, isFields, isList } from "./values.ts";

const over = (body: (fields: Fields, ...rest: never[]) => FunctionValue) =>
  (fields: Dyn, ...rest: never[]): FunctionValue =>
    (isFields(fields) ? body(fields, ...rest) : undefined);

/** Names as they are given: texts, or arrays of texts; what is no text names nothing. */
const namesOf = (names: readonly Dyn[]): string[] =>
  names.flat().filter((name) => typeof name === "string");

function constructed(...parts: Dyn[]): Dyn {
  const fields = new Map<string, Dyn>();
  for (let i = 0; i < parts.length; i += 2) {
    const key = parts[i]!;
    if (typeof key === "string") fields.set(key, parts[i + 1]!);
  }
  return fields;
}

function paired(pairs: readonly Dyn[]): FunctionValue {
  const fields = new Map<string, Dyn>();
  for (const pair of pairs) {
    if (!isList(pair) || pair.length !== 2 || typeof pair[0] !== "string") return undefined;
    fields.set(pair[0], pair[1]!);
  }
  return fields;
}

/** One path `a.b.c` of an object into a like one that has only what was picked. */
function pick(from: Fields, path: readonly string[], into: Map<string, Dyn>): void {
  const [key, ...rest] = path as [string, ...string[]];
  const value = from.get(key);
  if (value === undefined) return;
  if (rest.length === 0 || !isFields(value)) {
    if (rest.length === 0) into.set(key, value);
    return;
  }
  const known = into.get(key);
  const inner = known !== undefined && isFields(known) ? new Map(known) : new Map<string, Dyn>();
  pick(value, rest, inner);
  if (inner.size > 0) into.set(key, inner);
}

function fromPairs(list: Dyn): FunctionValue {
  if (!isList(list)) return undefined;
  const fields = new Map<string, Dyn>();
  for (const pair of list) {
    if (!isFields(pair)) return undefined;
    const [key, value] = [pair.get("key"), pair.get("value")];
    if (typeof key !== "string" || value === undefined) return undefined;
    fields.set(key, value);
  }
  return fields;
}

export const objects: readonly ScalarFunction[] = [
  {
    name: "object_construct", parameters: "sv/", result: "dyn", nulls: "sees",
    takes: "name, value, …",
    doc: "An object of names and values in pairs; where a name is NULL the pair is left out",
    examples: [["to_json(object_construct('a', 1, 'b', 'x'))", "'{\"a\":1,\"b\":\"x\"}'"]],
    body: constructed,
  },
  {
    name: "object", parameters: "ll", result: "dyn", refuses: true,
    takes: "names, values",
    doc: "An object of an array of names and one of as many values",
    examples: [["to_json(object(array_create('a'), array_create(1)))", "'{\"a\":1}'"]],
    body: (names: Dyn, values: Dyn) => (isList(names) && isList(values)
      && names.length === values.length
      ? paired(names.map((name, i) => [name, values[i]!])) : undefined),
  },
  {
    name: "zip", parameters: "l",
    result: "dyn", refuses: true, doc: "An object of an array of [name, value]",
    takes: "pairs",
    examples: [["to_json(zip(array_create(array_create('a', 1))))", "'{\"a\":1}'"]],
    body: (pairs: Dyn) => (isList(pairs) ? paired(pairs) : undefined),
  },
  {
    name: "keys", parameters: "o",
    result: "dyn", refuses: true, doc: "The names of an object's fields",
    examples: [["to_json(keys(object_construct('a', 1)))", "'[\"a\"]'"]],
    body: over((fields) => [...fields.keys()]),
  },
  {
    name: "values", parameters: "o",
    result: "dyn", refuses: true, doc: "The values of an object's fields",
    examples: [["to_json(values(object_construct('a', 1)))", "'[1]'"]],
    body: over((fields) => [...fields.values()]),
  },
  {
    name: "items", parameters: "o", result: "dyn", refuses: true, slot: ([o]) => 2 * o!.slot,
    doc: "An object's fields as an array of [name, value]",
    examples: [["to_json(items(object_construct('a', 1)))", "'[[\"a\",1]]'"]],
    body: over((fields) => [...fields].map(([key, value]) => [key, value])),
  },
  {
    name: "obj_to_kvpair_array", parameters: "o",
    result: "dyn", refuses: true, slot: ([o]) => 8 * o!.slot,
    doc: "An object's fields as an array of objects with `key` and `value`",
    examples: [["to_json(obj_to_kvpair_array(object_construct('a', 1)))",
      "'[{\"key\":\"a\",\"value\":1}]'"]],
    body: over((fields) => [...fields].map(([key, value]) =>
      new Map<string, Dyn>([["key", key], ["value", value]]))),
  },
  {
    name: "kvpair_array_to_obj", parameters: "l", result: "dyn", refuses: true,
    takes: "pairs",
    doc: "An object of an array of objects with `key` and `value`",
    examples: [["to_json(kvpair_array_to_obj(obj_to_kvpair_array(object_construct('a', 1))))",
      "'{\"a\":1}'"]],
    body: fromPairs,
  },
  {
    name: "object_concat", parameters: "oo+", result: "dyn", refuses: true, nulls: "sees",
    doc: "The fields of all, of equal names the last; NULL is left out",
    examples: [["to_json(object_concat(object_construct('a', 1), object_construct('a', 2)))",
      "'{\"a\":2}'"]],
    body: (...all: Dyn[]) => {
      const known = all.filter((one) => one !== null);
      if (!known.every(isFields)) return undefined;
      return known.length === 0 ? null : new Map(known.flatMap((fields) => [...fields]));
    },
  },
  {
    name: "erase", parameters: "ov+", result: "dyn", refuses: true,
    takes: "object, name, …",
    doc: "Without the fields of these names, each a text or an array of texts",
    examples: [["to_json(erase(object_construct('a', 1, 'b', 2), 'a'))", "'{\"b\":2}'"]],
    body: over((fields, ...names: Dyn[]) => {
      const left = new Map(fields);
      for (const name of namesOf(names)) left.delete(name);
      return left;
    }),
  },
  {
    name: "object_pick", parameters: "ov+", result: "dyn", refuses: true,
    takes: "object, name, …",
    doc: "Only the fields of these names, each a text or an array of texts; `a.b` goes inside",
    examples: [["to_json(object_pick(object_construct('a', 1, 'b', 2), 'a'))", "'{\"a\":1}'"]],
    body: over((fields, ...names: Dyn[]) => {
      const picked = new Map<string, Dyn>();
      for (const name of namesOf(names)) pick(fields, name.split("."), picked);
      return picked;
    }),
  },
  {
    name: "object_size", parameters: "o", result: "int53", refuses: true, nulls: "sees",
    doc: "Number of fields; of NULL 0", examples: [["object_size(object_construct('a', 1))", "1"]],
    body: (fields: Dyn) => (fields === null ? 0 : isFields(fields) ? fields.size : undefined),
  },
];
