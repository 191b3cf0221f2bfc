import { families, type FunctionFamily } from "./functions.ts";

/** A function as the manual shows it. */
export interface ManualEntry {
  readonly name: string;
  readonly also: readonly string[];
  readonly family: string;
  /** How it is called, and the type of what it gives. */
  readonly usage: string;
  readonly gives: string;
  readonly doc: string;
  readonly examples: readonly string[];
  /** Where the formula is from, if that is not plain. */
  readonly source: string | null;
}

type Record = FunctionFamily["functions"][number];

const words: Readonly<{ [letter: string]: string }> = {
  n: "x", d: "x", v: "x", a: "x", i: "whole number", u: "whole number", s: "text",
  y: "text or bytes", k: "whole number or text", b: "boolean", B: "TRUE or FALSE", t: "time",
  l: "array", o: "object", c: "text or array", "*": "x or *",
};

const types: Readonly<{ [result: string]: string }> = {
  float64: "float", int53: "bigint", bool: "boolean", time: "datetime", text: "string",
  bytes: "bytea", same: "as its argument", value: "as x", dyn: "any type",
};

/** `trim(text)`: by the names of its parameters, or by what their letters stand for. */
function usageOf(record: Record): string {
  if ("usage" in record) return record.usage;
  const { name, parameters, takes } = record;
  if (takes !== undefined) return `${name}(${takes})`;
  const [must, may = ""] = parameters.replace(/[+/]$/, "").split("?") as [string, string?];
  const optional = "zoned" in record ? ["zone"] : [...may].map((letter) => words[letter]!);
  const args = [...[...must].map((letter) => words[letter]!), ...optional.map((arg) => `[${arg}]`)];
  const more = /[+/]$/.test(parameters) ? [...args, "…"] : args;
  return `${name}(${more.join(", ")})`;
}

function examplesOf(record: Record): string[] {
  const all = "example" in record ? [record.example] : record.examples;
  return all.map((example) => typeof example === "string" ? example
    : "call" in example ? `${example.call} of ${example.x.join(", ")} = ${example.gives.join(", ")}`
      : example.join(" = "));
}

function entryOf(family: string, record: Record): ManualEntry {
  const { name, doc } = record;
  return {
    name, family, doc, also: "also" in record ? record.also ?? [] : [],
    usage: usageOf(record),
    gives: "gives" in record ? record.gives : types[record.result]!,
    examples: examplesOf(record),
    source: "source" in record && record.source !== "eKuiper" ? record.source : null,
  };
}

/** Every function that can be called, by families. */
export const manual: readonly ManualEntry[] = families.flatMap(({ title, functions }) =>
  functions.map((record) => entryOf(title, record)));

/** How a function is called that can be. */
export function usageFor(name: string): string | null {
  const entry = manual.find((one) => one.name === name || one.also.includes(name));
  return entry?.usage ?? null;
}
