import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ColumnSpec, Dyn } from "../../src/ring.ts";
import { parse } from "../../src/sql/create.ts";
import type { BoundQuery, Catalog } from "../../src/sql/bound.ts";
import type { CreateColumn } from "../../src/sql/ast.ts";
import { SqlFault } from "../../src/sql/fault.ts";
import { absent, type Cell, type Row, type Value } from "../evaluate/value.ts";

/** How a case came out. */
export type Outcome =
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "unsupported"; readonly why: string };

export const passed: Outcome = { kind: "passed" };
export const unsupported = (why: string): Outcome => ({ kind: "unsupported", why });

/** A value of the vectors, as its JSON stands. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Case {
  readonly id: string;
  readonly [key: string]: unknown;
}

/** Where the vectors are; they are read in place and never part of the project. */
export function directory(): string | null {
  const found = process.env.CONFORMANCE_DIR ?? join(import.meta.dir, "../../../shared/conformance");
  return existsSync(join(found, "parser.jsonl")) ? found : null;
}

export function cases(directory: string, set: string): Case[] {
  const lines = readFileSync(join(directory, `${set}.jsonl`), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Case);
}

const isObject = (value: Json): value is { [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const isError = (value: Json | undefined): boolean =>
  value !== undefined && isObject(value) && value.$error === true;

/** A value of the vectors as the engine has it where nothing has a fixed type. */
export function dynOf(value: Json): Dyn {
  if (Array.isArray(value)) return value.map(dynOf);
  if (!isObject(value)) return value;
  if (typeof value.$int === "string") return BigInt(value.$int);
  if (typeof value.$ts === "number") return new Date(value.$ts);
  if ("$float" in value) return Number(String(value.$float).replace("Inf", "Infinity"));
  if (typeof value.$bytes === "string") return new Uint8Array(Buffer.from(value.$bytes, "base64"));
  return new Map(Object.entries(value).map(([key, item]) => [key, dynOf(item)]));
}

export function jsonOfDyn(value: Dyn): Json {
  switch (typeof value) {
    case "bigint": return { $int: String(value) };
    case "number": return floatOf(value);
    case "string": case "boolean": return value;
  }
  if (value === null) return null;
  if (value instanceof Date) return { $ts: value.getTime() };
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString("base64") };
  if (value instanceof Map) {
    return Object.fromEntries([...value as ReadonlyMap<string, Dyn>]
      .map(([key, item]) => [key, jsonOfDyn(item)]));
  }
  return (value as readonly Dyn[]).map(jsonOfDyn);
}

const floatOf = (value: number): Json => (Number.isFinite(value) ? value
  : { $float: String(value).replace(/^I/, "+I").replace("Infinity", "Inf") });

/** The kind of column that would hold a value; null for NULL. */
export function kindOf(value: Json): ColumnSpec["kind"] | null {
  if (value === null) return null;
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return "float64";
  if (typeof value === "string") return "text";
  if (!isObject(value)) return "dyn";
  if (typeof value.$int === "string") {
    return Number.isSafeInteger(Number(value.$int)) ? "int53" : "int64";
  }
  if ("$ts" in value) return "time";
  if ("$float" in value) return "float64";
  return "$bytes" in value ? "bytes" : "dyn";
}

export function cellOf(value: Json | undefined, kind: ColumnSpec["kind"]): Cell {
  if (value === undefined || value === null) return absent;
  return { state: 0, value: valueOf(value, kind) };
}

function valueOf(value: Json, kind: ColumnSpec["kind"]): Value {
  if (kind === "dyn" || kind === "bytes") return dynOf(value);
  if (!isObject(value)) return value as Value;
  if (typeof value.$int === "string") {
    return kind === "int64" ? BigInt(value.$int) : Number(value.$int);
  }
  if (typeof value.$ts === "number") return value.$ts;
  return Number(String(value.$float).replace("Inf", "Infinity"));
}

export function jsonOf({ value, state }: Cell, kind: ColumnSpec["kind"]): Json {
  if (state >= 194) return { $error: true };
  if (state >= 64 || value === null) return null;
  switch (kind) {
    case "int53": case "int64": return { $int: String(value) };
    case "time": return { $ts: value as number };
    case "dyn": case "bytes": return jsonOfDyn(value);
    case "float64": return floatOf(value as number);
    default: return value as Json;
  }
}

/** The columns of a row that a query gives, as the vectors write them. */
export function shownOf({ select, expand }: BoundQuery, row: Row): [string, Json][] {
  if (expand !== null) {
    return Object.entries(jsonOf(row.cells.get("*")!, "dyn") as { [key: string]: Json });
  }
  return select.filter((field) => !field.invisible)
    .map(({ name, expr }) => [name, jsonOf(row.cells.get(name)!, expr.type.kind)]);
}

/** Types strictly, floats with a relative tolerance of 1e-9, columns exactly. */
export function same(a: Json | undefined, b: Json | undefined): boolean {
  if (typeof a === "number" && typeof b === "number") {
    return a === b || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((x, i) => same(x, b[i]));
  }
  if (a !== undefined && b !== undefined && isObject(a) && isObject(b)) {
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every((key) => same(a[key], b[key]));
  }
  return a === b;
}

/** Any text that a pattern of time can have written. */
const written = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replaceAll(".", "\\.").replace(/[a-zA-Z]/g, "\\d")}$`);

export function compare(actual: Json, expected: Json): Outcome {
  if (isError(actual) && isError(expected)) return passed;
  if (expected !== null && isObject(expected) && typeof expected.$format === "string") {
    const fits = typeof actual === "string" && written(expected.$format).test(actual);
    return fits ? passed : { kind: "failed", why: `${JSON.stringify(actual)} has another form` };
  }
  return same(actual, expected) ? passed
    : { kind: "failed",
      why: `gives ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}` };
}

/** What a refusal means: not built yet, or an error as good as one at the call. */
export function refused(thrown: unknown, expected: Json): Outcome {
  if (!(thrown instanceof SqlFault)) throw thrown;
  if (thrown.code === "not-in-this-version") return unsupported(thrown.message);
  return isError(expected) ? passed
    : { kind: "failed", why: `refused: ${thrown.message}; expected ${JSON.stringify(expected)}` };
}

/** What a message says of itself. */
export const metaColumn: ColumnSpec = { name: "$meta", kind: "dyn", slot: 4096 };

export type Columns = ReadonlyMap<string, ColumnSpec>;

export const column = (name: string, kind: ColumnSpec["kind"]): ColumnSpec =>
  ({ name, kind, slot: kind === "text" || kind === "dyn" || kind === "bytes" ? 4096 : 0 });

/** Columns of rows without a schema; one that holds values of different types has none itself. */
export function columnsOf(rows: readonly Record<string, Json>[]): Map<string, ColumnSpec> {
  const columns = new Map<string, ColumnSpec>();
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      const kind = kindOf(value);
      if (kind === null) continue;
      const known = columns.get(name)?.kind;
      columns.set(name, column(name, known === undefined || known === kind ? kind : "dyn"));
    }
  }
  return columns;
}

export function catalogOf(columns: Columns): Catalog {
  return {
    stream: (name) =>
      ({ name, columns: [...columns.values()], interval_ms: null, meta: metaColumn }),
    match: () => [], device: () => false, tag: () => undefined, model: () => undefined,
      names: () => [],
  };
}

export function rowOf(values: Record<string, Json>, columns: Columns, time = 0): Row {
  const cells = [...columns].map(([name, { kind }]) => [name, cellOf(values[name], kind)] as const);
  return { time, flags: 0, cells: new Map(cells) };
}

/** Columns of a schema, or null for one without. */
export function schemaOf(ddl: string): Map<string, ColumnSpec> | null {
  const [statement] = parse(ddl);
  if (statement?.kind !== "create" || statement.columns.length === 0) return null;
  return new Map(statement.columns.map((c) => [c.name, column(c.name, schemaKind(c))]));
}

function schemaKind({ type }: CreateColumn): ColumnSpec["kind"] {
  switch (type.of) {
    case "bigint": return "int53";
    case "float": return "float64";
    case "string": return "text";
    case "boolean": return "bool";
    case "datetime": return "time";
    case "bytea": return "bytes";
    default: return "dyn";
  }
}
