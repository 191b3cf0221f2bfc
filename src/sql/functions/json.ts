import { type Dyn, jsonOfDyn, parseDyn } from "../../ring.ts";
import { pathOf } from "./json-path.ts";
import type { ScalarFunction } from "./record.ts";

const pathFault = (text: string | number): string | null => {
  const path = pathOf(String(text));
  return typeof path === "string" ? path : null;
};

/** What a path finds in a value, or in the JSON of a text; undefined: no path, or no JSON. */
function query(of: Dyn, text: string): { found: Dyn[]; many: boolean } | undefined {
  const path = pathOf(text);
  const root = typeof of === "string" ? parseDyn(of) : of;
  if (typeof path === "string" || root === undefined) return undefined;
  return { found: path.find(root), many: path.many };
}

const pathed = { parameters: "vs", takes: "x, path", constants: { 1: pathFault } } as const;

export const json: readonly ScalarFunction[] = [
  {
    name: "to_json", parameters: "v", result: "text", slot: ([value]) => 6 * value!.slot + 16,
    doc: "The value as a text of JSON", examples: [["to_json('a')", "'\"a\"'"]],
    body: (value: Dyn) => jsonOfDyn(value),
  },
  {
    name: "parse_json", parameters: "s",
    result: "dyn", refuses: true, slot: ([text]) => 3 * text!.slot + 8,
    doc: "The value that a text of JSON stands for; its numbers are floats, but whole ones past " +
      "2^53 keep their digits",
    examples: [["parse_json('{\"a\":[1,2.5]}')->a[1] = 2.5", "TRUE"],
      ["to_json(parse_json('[9007199254740993]'))", "'[9007199254740993]'"]],
    body: parseDyn,
  },
  {
    ...pathed, name: "json_path_query",
    result: "dyn", refuses: true, slot: ([of]) => 3 * of!.slot + 16,
    doc: "What a JSON path finds: an array where it has `*`, `..` or `[?…]`, else the value",
    examples: [["to_json(json_path_query(parse_json('{\"a\":[1,2]}'), '$.a[? @ > 1]'))", "'[2]'"]],
    body: (of: Dyn, text: string) => {
      const result = query(of, text);
      return result === undefined ? undefined
        : result.many ? result.found : result.found[0];
    },
  },
  {
    ...pathed, name: "json_path_query_first",
    result: "dyn", refuses: true, slot: ([of]) => 3 * of!.slot + 16,
    doc: "The first value that a JSON path finds, or NULL",
    examples: [["json_path_query_first(parse_json('{\"a\":[1,2]}'), '$.a[*]') = 1", "TRUE"]],
    body: (of: Dyn, text: string) => {
      const result = query(of, text);
      return result === undefined ? undefined : result.found[0] ?? null;
    },
  },
  {
    ...pathed, name: "json_path_exists", result: "bool", refuses: true,
    doc: "Whether a JSON path finds anything",
    examples: [["json_path_exists(parse_json('{\"a\":1}'), '$.b')", "FALSE"]],
    body: (of: Dyn, text: string) => {
      const result = query(of, text);
      return result === undefined ? undefined : result.found.length > 0;
    },
  },
];
