import type { ColumnSpec } from "../../src/ring.ts";
import { children, type Expr, type Field, type Select, type Window } from "../../src/sql/ast.ts";
import { bindSelect } from "../../src/sql/bind.ts";
import type { BoundQuery } from "../../src/sql/bound.ts";
import { SqlFault } from "../../src/sql/fault.ts";
import { parseQuery } from "../../src/sql/parser.ts";
import { evaluateQuery, evaluator, type Row } from "../evaluate/evaluate.ts";
import { runJoin } from "./joins.ts";
import {
  type Case, catalogOf, column, type Columns, columnsOf, compare, isError, type Json, jsonOf,
    type Outcome, passed,
  refused, rowOf, same, unsupported,
} from "./vectors.ts";

interface InputRow { readonly stream: string; readonly values: Record<string,
  Json>; readonly meta?: Json }
interface Group {
  readonly rows: readonly (InputRow | InputRow[])[];
  readonly window?: { start: number; end: number };
}
interface Data extends Partial<Group> {
  readonly row?: InputRow;
  readonly groups?: readonly Group[];
  readonly sequence?: readonly Data[];
}
interface Options { readonly sendNil?: boolean; readonly sendMeta?: boolean }

const spot = { from: 0, to: 0 };
const name = (part: string): Expr => ({ kind: "name", parts: [part], span: spot });
const field = (expr: Expr, alias: string | null = null): Field =>
  ({ expr, alias, invisible: false, span: spot });

/** One clause of a query over given rows. */
export function runOperator(c: Case): Outcome {
  const op = c.op as string;
  if (op === "join") return runJoin(c);
  const input = c.input as unknown as Data;
  const expected = c.expect as Json;
  const rows = flat(input);
  if (rows === null) return unsupported("joined rows");
  if (isError(c.input as Json)) return unsupported("an error instead of rows");
  if (op === "order") return unsupported(op);
  if (new Set(rows.map((row) => row.stream)).size > 1) return unsupported("several streams");
  const options = (c.options ?? {}) as Options;
  if (options.sendMeta && input.row?.meta !== undefined) return unsupported("metadata");
  const columns = columnsOf(rows.map((row) => row.values));
  try {
    const select = parseQuery(c.sql as string);
    const bind = (part: Partial<Select>): Bound => bound(c.sql as string, select, part, columns);
    const runner = new Runner(select, input, rows, expected, options, bind);
    return runner.run(op, c.clause as string | undefined);
  } catch (thrown) {
    return refused(thrown, expected);
  }
}

/** The rows of a case are the content of a window, whichever that was. */
const content: Window = {
  kind: "count", unit_ms: null, args: [{ kind: "literal", value: 1n, span: spot }], filter: null,
  when: null, partitionBy: [], span: spot,
};

/** All input rows in order, or null if some are joined. */
function flat(data: Data): InputRow[] | null {
  const all: readonly (InputRow | InputRow[])[] =
    data.sequence?.flatMap((d): (InputRow | InputRow[])[] => flat(d) ?? [[]]) ??
    data.groups?.flatMap((group) => group.rows) ?? data.rows
      ?? (data.row === undefined ? [] : [data.row]);
  return all.some(Array.isArray) ? null : all as InputRow[];
}

interface Bound {
  readonly query: BoundQuery;
  readonly columns: Columns;
}

/** Columns without a value have no type either: the first with which the query makes sense. */
function bound(sql: string, whole: Select, part: Partial<Select>, columns: Map<string,
  ColumnSpec>): Bound {
  const select: Select = {
    ...whole, fields: [], where: null, groupBy: [], groups: null, window: content, having: null,
    orderBy: [],
      limit: null, joins: [], ...part,
  };
  const aliases = select.fields.map((f) => f.alias);
  const missing = names(select).filter((n) => !columns.has(n) && !aliases.includes(n));
  const kinds = ["float64", "int53", "text", "bool", "time", "dyn"] as const;
  let first: unknown;
  for (let i = 0; i < kinds.length ** missing.length; i++) {
    const extra = missing.map((n, k) =>
      column(n, kinds[Math.floor(i / kinds.length ** k) % kinds.length]!));
    const all = new Map([...columns, ...extra.map((spec) => [spec.name, spec] as const)]);
    try {
      return { query: bindSelect(sql, select, catalogOf(all)), columns: all };
    } catch (thrown) {
      if (!(thrown instanceof SqlFault) || thrown.code !== "type") throw thrown;
      first ??= thrown;
    }
  }
  throw first;
}

function names({ fields, where, groupBy, having, from }: Select): string[] {
  const found = new Set<string>();
  const look = (expr: Expr): void => {
    if (expr.kind === "name" && (expr.parts.length === 1 || expr.parts[0] === from.name
      || expr.parts[0] === from.alias)) {
      found.add(expr.parts.at(-1)!);
    }
    if (expr.kind === "star") for (const column of expr.except) found.add(column);
    children(expr).forEach(look);
  };
  [...fields.map((f) => f.expr), where, ...groupBy, having].forEach((expr) => expr !== null
    && look(expr));
  return [...found].slice(0, 4);
}

class Runner {
  readonly #select: Select;
  readonly #input: Data;
  readonly #rows: readonly InputRow[];
  readonly #expected: Json;
  readonly #options: Options;
  readonly #bind: (part: Partial<Select>) => Bound;

  constructor(select: Select, input: Data, rows: readonly InputRow[], expected: Json,
    options: Options,
    bind: (part: Partial<Select>) => Bound) {
    this.#select = select;
    this.#input = input;
    this.#rows = rows;
    this.#expected = expected;
    this.#options = options;
    this.#bind = bind;
  }

  run(op: string, clause: string | undefined): Outcome {
    switch (op) {
      case "expression": return this.#expression(clause === "where" ? this.#select.where!
        : this.#select.fields[0]!.expr);
      case "filter": return this.#filter();
      case "having": return this.#having();
      case "aggregate": return this.#aggregate();
      default: return this.#project();
    }
  }

  #evaluate({ query, columns }: Bound, rows: readonly InputRow[], window?: Group["window"]) {
    const plain = this.#plain({ query, columns }, rows);
    return evaluateQuery(query, plain, { window: window ?? { start: 0, end: 0 } });
  }

  #plain({ columns }: Bound, rows: readonly InputRow[]): Row[] {
    return rows.map((row, i) => rowOf(row.values, columns, i));
  }

  #expression(expr: Expr): Outcome {
    const bound = this.#bind({ fields: [field(expr, "$value")] });
    const { rows } = this.#evaluate(bound, this.#rows);
    return compare(jsonOf(rows[0]!.cells.get("$value")!, bound.query.select[0]!.expr.type.kind),
      this.#expected);
  }

  #filter(): Outcome {
    if (this.#input.groups !== undefined || this.#input.sequence !== undefined) {
      return unsupported("groups to filter");
    }
    const bound =
      this.#bind({ where: this.#select.where,
      fields: [field({ kind: "literal", value: 1n, span: spot }, "$one")] });
    const kept: InputRow[] = [];
    for (const row of this.#rows) {
      const { rows, errors } = this.#evaluate(bound, [row]);
      if (errors > 0) return compare({ $error: true }, this.#expected);
      if (rows.length > 0) kept.push(row);
    }
    return this.#survivors(kept);
  }

  #survivors(kept: readonly InputRow[]): Outcome {
    if (kept.length === 0) return compare(null, this.#expected);
    const actual = this.#input.row === undefined ? { ...this.#input, rows: kept }
      : { row: kept[0] };
    return compare(actual as unknown as Json, this.#expected);
  }

  #having(): Outcome {
    const count: Expr = { kind: "call", name: "count",
      args: [{ kind: "star", qualifier: [], except: [], replace: [], span: spot }],
      distinct: false, over: null, span: spot };
    const bound = this.#bind({ having: this.#select.having, groupBy: [],
      fields: [field(count, "$count")] });
    const groups = this.#input.groups ?? [{ ...this.#input, rows: this.#rows }];
    const kept: Group[] = [];
    for (const group of groups) {
      const { rows, errors } = this.#evaluate(bound, group.rows as InputRow[]);
      if (errors > 0) return compare({ $error: true }, this.#expected);
      if (rows.length > 0) kept.push(group);
    }
    if (this.#input.groups === undefined) {
      return this.#survivors(kept.length === 0 ? [] : this.#rows);
    }
    return compare(kept.length === 0 ? null : { groups: kept } as unknown as Json, this.#expected);
  }

  #aggregate(): Outcome {
    const bound =
      this.#bind({ fields: this.#select.groupBy.map((expr, i) => field(expr, `$${i}`)) });
    const groups = new Map<string, InputRow[]>();
    for (const row of this.#rows) {
      const [keys] = this.#evaluate(bound, [row]).rows;
      const key = [...keys!.cells.values()].map(({ value, state }) =>
        `${state > 63} ${String(value)}`).join("\u0000");
      groups.set(key, [...(groups.get(key) ?? []), row]);
    }
    const expected = (this.#expected as { groups?: { rows: Json }[] } | null)?.groups;
    if (expected === undefined) return unsupported("groups of another shape");
    const actual = [...groups.values()] as unknown as Json[];
    const equal = actual.length === expected.length
      && actual.every((rows) => expected.some((g) => same(rows, g.rows)));
    return equal ? passed : { kind: "failed", why: `groups ${JSON.stringify(actual)}` };
  }

  #project(): Outcome {
    const { fields } = this.#select;
    if (this.#input.sequence !== undefined) {
      const bound = this.#bind({ fields, window: null });
      const evaluate = evaluator(bound.query, { window: { start: 0, end: 0 } });
      const each = this.#input.sequence.map((data) =>
        this.#shown(bound, evaluate(this.#plain(bound, flat(data)!)).rows));
      return compare(each, this.#expected);
    }
    const groups = this.#input.groups;
    if (groups === undefined) {
      const bound = this.#bind({ fields });
      if (this.#rows.length === 0) return unsupported("no rows");
      return this.#compared(this.#results(bound, this.#rows, this.#input.window));
    }
    const bound = this.#bind({ fields, groupBy: this.#select.groupBy.length > 0
      ? [field(name("$none")).expr] : [] });
    const results = groups.map((group) =>
      this.#results(bound, group.rows as InputRow[], group.window));
    if (results.some((rows) => !isError(rows) && (rows as Json[]).length !== 1)) {
      return unsupported("rows that are no group");
    }
    return this.#compared(results.some(isError) ? { $error: true } : results.flat() as Json[]);
  }

  #compared(actual: Json): Outcome {
    return compare(actual, this.#expected);
  }

  #results(bound: Bound, rows: readonly InputRow[], window?: Group["window"]): Json {
    return this.#shown(bound, this.#evaluate(bound, rows, window).rows);
  }

  #shown(bound: Bound, rows: readonly Row[]): Json {
    const found = rows.map((row) => this.#result(bound.query, row));
    return found.some((row) => Object.values(row).some(isError)) ? { $error: true } : found;
  }

  #result(query: BoundQuery, row: Row): Record<string, Json> {
    const known = (this.#rows[0]?.values ?? {});
    const result: Record<string, Json> = {};
    for (const { name, expr, invisible } of query.select) {
      if (invisible) continue;
      const value = jsonOf(row.cells.get(name)!, expr.type.kind);
      const invented = expr.kind === "column" && !(expr.name in known)
        && this.#select.fields.some((f) => f.expr.kind === "star");
      if (value !== null || (this.#options.sendNil === true && !invented)) result[name] = value;
    }
    return result;
  }
}
