import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ColumnKind, ColumnSpec } from "../../src/ring.ts";
import { children, type Expr, type Select } from "../../src/sql/ast.ts";
import type { Catalog } from "../../src/sql/bound.ts";
import { parse } from "../../src/sql/create.ts";
import { SqlFault } from "../../src/sql/fault.ts";
import { cases, directory } from "../conformance/vectors.ts";

const root = join(import.meta.dir, "../..");

/** Statements that the pages do not show, and names that a careless table of names would know. */
const more = [
  "CREATE STREAM demo (a BIGINT, b ARRAY(STRUCT(c STRING, d FLOAT)), e BYTEA) " +
    "WITH (DATASOURCE=\"t\", FORMAT=\"JSON\", STRICT_VALIDATION=\"true\")",
  "CREATE TABLE t () WITH (DATASOURCE=\"lookup.json\", TYPE=\"file\", KIND=\"lookup\", KEY=\"id\")",
  "SHOW STREAMS; DESCRIBE TABLE t; DROP STREAM demo",
  "SELECT * EXCEPT(a, b) REPLACE(n * 2 AS m), s.* FROM s AS s",
  "SELECT a->b[0]->c, x[1:3], y[-1], z[:] FROM s WHERE a IN (1, 2.5, 0x1F)",
  "SELECT a FROM s WHERE NOT b LIKE '\\\\_%' AND `t` NOT LIKE name OR c NOT IN (1)",
  "SELECT s.a, r.b FROM s LEFT JOIN r ON s.id = r.id INNER JOIN q ON r.n = q.n " +
    "GROUP BY s.a, HOPPINGWINDOW(ss, 10, 5) FILTER (WHERE s.a > 1) HAVING count(*) > 2 " +
    "ORDER BY s.a DESC, r.b LIMIT 10",
  "SELECT CASE n WHEN 1 THEN 'a' WHEN 2 THEN NULL ELSE 'c' END AS c, -1.5e-3 + .5 AS d FROM s",
  "SELECT __proto__ AS constructor, toString(a) AS valueOf FROM hasOwnProperty GROUP BY __proto__",
  "SELECT a AS __proto__, `a b` INVISIBLE, INTERVAL '100' MS, 1h30m FROM a/+/b -- the end",
  "SELECT /* no */ avg(a) AS m, percentile_cont(a, 0.5), last(t), first(flag) FROM s " +
    "WHERE a BETWEEN 1 AND n OR t IS NOT NULL " +
    "GROUP BY t, SLIDINGWINDOW(ss, 5, 1) OVER (WHEN a > 3)",
  "SELECT sum(a) OVER (PARTITION BY t WHEN flag) FROM s",
  "SELECT lag(a, 2, 0.0, TRUE) OVER (PARTITION BY t, n KEYS 5 WHEN a > 1), ewma(a, 1s) FROM s",
  "SELECT infer('m', a, n)[1] AS y, dev.x + `dev-1`.y FROM s WHERE infer('m', a, 2) > 1",
  "SELECT unnest(arr) FROM s; SELECT row_number() OVER (PARTITION BY t ORDER BY a) FROM s",
  "SELECT count(*), a FROM s GROUP BY a, STATEWINDOW(flag, NOT flag)",
  "SELECT regexp_replace(t, '(a|b)+', '$1'), format_time(at, 'yyyy-MM-dd') FROM s",
  "SELECT cast(t, 'bigint') AS whole, CAST(n, \"string\") FROM s",
  "SELECT big % 7 & 3 | 1 ^ n, length(t) + numbytes(t), convert_unit(a, 'bar', 'kPa') FROM s",
];

function ofPages(): string[] {
  const page = readFileSync(join(root, "docs/sql.md"), "utf8");
  return [...page.matchAll(/^```sql\n([\s\S]*?)^```$/gm)]
    .flatMap(([, text]) => text!.split("\n").filter((line) => line.trim() !== ""));
}

function ofVectors(): string[] {
  const found = directory();
  if (found === null) return [];
  return ["parser", "rules", "operators"].flatMap((set) => cases(found, set))
    .map((one) => one.sql).filter((sql) => typeof sql === "string");
}

/** Real queries: of the pages, of the vectors where they are, and of all corners of the grammar. */
export const queries: readonly string[] = [...new Set([...more, ...ofPages(), ...ofVectors()])];

const kinds: readonly ColumnKind[] = ["float64", "int53", "int64", "bool", "text", "time", "json"];
const byName: Readonly<Record<string, ColumnKind>> = {
  n: "int53", id: "int53", m: "int53", big: "int64", flag: "bool", door_closed: "bool", t: "text",
  name: "text", at: "time", ts: "time", arr: "json", x: "json", device: "text",
};
const columnNames = ["a", "b", "c", "n", "m", "id", "id1", "big", "flag", "t", "name", "at", "ts",
  "arr", "x", "temperature", "pressure", "humidity", "door_closed", "power", "energy", "color",
  "size", "abc", "temp", "hum", "foo", "f1", "f2", "col1", "col2", "device", "__proto__"];
const columns: readonly ColumnSpec[] = columnNames.map((name, i) => {
  const kind = (Object.hasOwn(byName, name) ? byName[name] : undefined) ?? kinds[i % 2]!;
  return { name, kind, slot: kind === "text" || kind === "json" ? 32 : 0 };
});

/** Every stream is there but `missing`, so that a query fails by what is wrong with itself. */
export const catalog: Catalog = {
  stream: (name) => (name === "missing" ? undefined : { name, columns, interval_ms: 100 }),
  match: (pattern) => [pattern.replaceAll("*", "01"), pattern.replaceAll("*", "02")],
  device: (name) => name.startsWith("dev"),
  tag: (device, tag) => (device.startsWith("dev") && columnNames.includes(tag)
    ? { stream: `${device}.g`, column: tag, interval_ms: 100 } : undefined),
  model: () => ({ inputs: null, outputs: 2 }),
  names: () => ["s", "r", "q", "dev.x"],
};

/** An expression of a query, by the places where it begins and ends. */
export interface Piece {
  readonly from: number;
  readonly to: number;
}

/** Every expression of a text, or none if it is not right. */
export function piecesOf(sql: string): Piece[] {
  try {
    const selects = parse(sql).filter((s): s is Select => s.kind === "select");
    return selects.flatMap(expressionsOf).flatMap(allOf).map((expr) => expr.span);
  } catch (thrown) {
    if (thrown instanceof SqlFault) return [];
    throw thrown;
  }
}

const expressionsOf = (select: Select): Expr[] => [
  ...select.fields.map((f) => f.expr), ...select.groupBy, ...select.orderBy.map((o) => o.expr),
  ...[select.where, select.having, select.window?.filter, ...select.joins.map((j) => j.on)]
    .filter((expr) => expr !== null && expr !== undefined),
];

const allOf = (expr: Expr): Expr[] => [expr, ...children(expr).flatMap(allOf)];
