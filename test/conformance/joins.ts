import type { Expr, Select } from "../../src/sql/ast.ts";
import { children } from "../../src/sql/ast.ts";
import { bindSelect } from "../../src/sql/bind.ts";
import type { Catalog } from "../../src/sql/bound.ts";
import { parseQuery } from "../../src/sql/parser.ts";
import { joinRows } from "../evaluate/join.ts";
import { absent, type Cell, type Leaves, passes, type Row } from "../evaluate/value.ts";
import {
  type Case, catalogOf, column, type Columns, columnsOf, compare, isError, type Json, type Outcome,
  refused, rowOf, unsupported,
} from "./vectors.ts";

interface InputRow { readonly stream: string; readonly values: Record<string, Json> }

/** FROM and JOIN over a window that mixes the streams. */
export function runJoin(c: Case): Outcome {
  const { rows, ...window } = c.input as unknown as { rows?: readonly InputRow[] };
  const expected = c.expect as Json;
  // An error that arrives is no row, and stays what it is.
  if (isError(c.input as Json)) return compare(c.input as Json, expected);
  if (rows === undefined) return unsupported("no rows to join");
  try {
    const select = parseQuery(c.sql as string);
    const sources = [select.from, ...select.joins.map((join) => join.source)];
    const names = sources.map((source) => source.name);
    const columns = new Map<string, Columns>();
    for (const { name, alias } of sources) {
      const own = columnsOf(rows.filter((row) => row.stream === name || row.stream === alias)
        .map((row) => row.values));
      if (own === null) return unsupported("a column of several types");
      columns.set(name, own);
    }
    // A row may come under its stream's alias, or be of a stream that the query does not read.
    const named = rows.flatMap((row) => {
      const source = sources.find((s) => s.name === row.stream || s.alias === row.stream);
      return source === undefined ? [] : [{ row, stream: source.name }];
    });
    const found = joined(c.sql as string, select, names, columns, named);
    return compare(found === null || isError(found) ? found : { rows: found, ...window }, expected);
  } catch (thrown) {
    return refused(thrown, expected);
  }
}

function joined(
  sql: string, select: Select, names: readonly string[], columns: Map<string, Columns>,
  rows: readonly { readonly row: InputRow; readonly stream: string }[],
): Json {
  const wanted = wantedOf(select, columns);
  const catalog: Catalog = { ...catalogOf(new Map()),
    stream: (name) => ({ name, interval_ms: null, columns: [...wanted.get(name)!.values()] }) };
  const one: Expr = { kind: "literal", value: 1n, span: select.span };
  const query = bindSelect(sql, { ...select, where: null, groupBy: [], having: null, orderBy: [],
    limit: null, fields: [{ expr: one, alias: "one", invisible: false, span: select.span }] },
  catalog);
  const origins = new Map<ReadonlyMap<string, Cell>, InputRow>();
  const given = rows.map(({ row, stream }, i): Row => {
    const made = rowOf(row.values, wanted.get(stream)!, i);
    origins.set(made.cells, row);
    return { ...made, parts: names.map((name) => (name === stream ? made.cells : undefined)) };
  });
  let failed = false;
  const found = joinRows(query, given, (condition, row) => {
    const passed = condition === null ? true : passes(condition, leavesOf(row));
    failed ||= passed === null;
    return passed === true;
  }, new Map());
  if (failed) return { $error: true };
  // The side that leads stands first.
  const order = select.joins.reduce<number[]>((all, { kind }, i) =>
    (kind === "right" ? [i + 1, ...all] : [...all, i + 1]), [0]);
  const shown = found.map((row) => order.flatMap((i) => {
    const origin = row.parts![i] === undefined ? undefined : origins.get(row.parts![i]!);
    return origin === undefined ? [] : [origin as unknown as Json];
  }));
  return shown.length === 0 ? null : shown;
}

const leavesOf = (row: Row): Leaves => ({
  column: (input, name) => row.parts?.[input]?.get(name) ?? absent,
  newest: () => absent, aggregate: () => absent, infer: () => absent, window: () => row.time,
  hits: () => 0,
  time: row.time, began: 0, seed: new Map(),
});

/** Columns that no row has are taken for whole numbers, as keys are. */
function wantedOf(select: Select, columns: Map<string, Columns>): Map<string, Columns> {
  const all = new Map([...columns].map(([name, own]) => [name, new Map(own)] as const));
  const sources = [select.from, ...select.joins.map((join) => join.source)];
  const look = (expr: Expr): void => {
    if (expr.kind === "name") {
      const name = expr.parts.at(-1)!, qualifier = expr.parts.slice(0, -1).join(".");
      const source = sources.find((s) => s.name === qualifier || s.alias === qualifier);
      const known = [...all.values()].some((own) => own.has(name));
      const own = all.get(source?.name ?? sources[0]!.name)!;
      if (source === undefined ? !known : !own.has(name)) own.set(name, column(name, "int53"));
    }
    children(expr).forEach(look);
  };
  for (const { on } of select.joins) if (on !== null) look(on);
  return all;
}
