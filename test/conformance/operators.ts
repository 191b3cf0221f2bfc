import {
  children, type Expr, type Field, type Select, type Source, type Window,
} from "../../src/sql/ast.ts";
import { bindSelect } from "../../src/sql/bind.ts";
import type { BoundQuery } from "../../src/sql/bound.ts";
import { SqlFault } from "../../src/sql/fault.ts";
import { parseQuery } from "../../src/sql/parser.ts";
import { ERROR } from "../../src/ring.ts";
import { evaluateQuery, evaluator, type Row } from "../evaluate/evaluate.ts";
import { runJoin } from "./joins.ts";
import {
  type Case, catalogOf, cellOf, column, metaColumn, type Columns, columnsOf, compare, isError,
  type Json, jsonOf, type Outcome, passed, refused, rowOf, same, unsupported,
} from "./vectors.ts";

interface InputRow { readonly stream: string; readonly values: Record<string,
  Json>; readonly meta?: Json }
/** A row, or rows of several streams that have been joined. */
type Item = InputRow | readonly InputRow[];
interface Group {
  readonly rows: readonly Item[];
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
  const items = flat(input);
  const options = (c.options ?? {}) as Options;
  try {
    const select = withMeta(parseQuery(c.sql as string), options, input);
    const sources = [select.from, ...select.joins.map((join) => join.source)];
    const columns = sources.map((source) => columnsOf(items
      .flatMap((item) => rowOfSource(item, source, sources.length > 1) ?? [])
      .map((row) => row.values)));
    const bind = (part: Partial<Select>): Bound =>
      bound(c.sql as string, select, part, sources, columns);
    // An error that arrives is a row of which nothing is known.
    const failing: Data = { row: { stream: select.from.name, values: {} } };
    const runner = isError(c.input as Json)
      ? new Runner(select, failing, flat(failing), expected, options, bind, true)
      : new Runner(select, input, items, expected, options, bind, false);
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

/** All input rows in order. */
const flat = (data: Data): readonly Item[] => data.sequence?.flatMap(flat) ??
  data.groups?.flatMap((group) => group.rows) ?? data.rows
  ?? (data.row === undefined ? [] : [data.row]);

const partsOf = (item: Item): readonly InputRow[] =>
  ("stream" in item ? [item] : item);

/** What an item has of a stream; of a query that reads one stream all rows are its own. */
function rowOfSource(item: Item, { name, alias }: Source, several: boolean): InputRow | undefined {
  const parts = partsOf(item);
  return several ? parts.find(({ stream }) => stream === name || stream === alias) : parts[0];
}

/** What the original's sinks are told by an option stands in the select list. */
function withMeta(select: Select, { sendMeta }: Options, { row }: Data): Select {
  if (sendMeta !== true || row?.meta === undefined) return select;
  const star: Expr = { kind: "star", qualifier: [], except: [], replace: [], span: spot };
  const meta: Expr = { kind: "call", name: "meta", args: [star], distinct: false, over: null,
    span: spot };
  return { ...select, fields: [...select.fields, field(meta, "__meta")] };
}

/** A query over rows that are joined already. */
interface Bound {
  readonly query: BoundQuery;
  /** Of each of its inputs. */
  readonly columns: readonly Columns[];
  readonly sources: readonly Source[];
}

/** Columns without a value have no type either: the first with which the query makes sense. */
function bound(
  sql: string, whole: Select, part: Partial<Select>, sources: readonly Source[],
  columns: readonly Columns[],
): Bound {
  const select: Select = {
    ...whole, fields: [], where: null, groupBy: [], groups: null, window: content, having: null,
    orderBy: [], limit: null, ...part,
    joins: whole.joins.map((join) => ({ ...join, kind: "cross", on: null })),
  };
  const aliases = select.fields.map((f) => f.alias);
  const missing = names(select).filter(({ name, of }) => !aliases.includes(name) &&
    !columns.some((own, i) => own.has(name) && (of === "" || isNamed(sources[i]!, of))))
    .slice(0, 4);
  const kinds = ["float64", "int53", "text", "bool", "time", "dyn"] as const;
  let first: unknown;
  for (let i = 0; i < kinds.length ** missing.length; i++) {
    const all = columns.map((own) => new Map(own));
    missing.forEach(({ name, of }, k) => {
      const place = Math.max(0, sources.findIndex((source) => isNamed(source, of)));
      all[place]!.set(name, column(name, kinds[Math.floor(i / kinds.length ** k) % kinds.length]!));
    });
    const catalog = { ...catalogOf(new Map()), stream: (name: string) => {
      const at = sources.findIndex((source) => source.name === name);
      return { name, interval_ms: null, columns: [...all[at]!.values()], meta: metaColumn };
    } };
    try {
      const query = bindSelect(sql, select, catalog);
      return { query: { ...query, joins: [] }, columns: all, sources };
    } catch (thrown) {
      if (!(thrown instanceof SqlFault) || thrown.code !== "type") throw thrown;
      first ??= thrown;
    }
  }
  throw first;
}

const isNamed = ({ name, alias }: Source, wanted: string): boolean =>
  wanted !== "" && (wanted === name || wanted === alias);

interface Named { readonly name: string; readonly of: string }

/** Names of columns, and the streams that they are said to be of. */
function names({ fields, where, groupBy, having, orderBy, from, joins }: Select): Named[] {
  const found = new Map<string, Named>();
  const sources = [from, ...joins.map((join) => join.source)];
  const put = (name: string, of: string): void => void found.set(`${of} ${name}`, { name, of });
  const look = (expr: Expr): void => {
    if (expr.kind === "call" && /^(?:meta|mqtt)$/i.test(expr.name)) return;
    if (expr.kind === "name") {
      const [first, ...rest] = expr.parts as [string, ...string[]];
      if (rest.length === 0) put(first, "");
      else if (sources.some((source) => isNamed(source, first))) put(rest.at(-1)!, first);
    }
    if (expr.kind === "star") for (const column of expr.except) put(column, "");
    children(expr).forEach(look);
  };
  [...fields.map((f) => f.expr), where, ...groupBy, having, ...orderBy.map((o) => o.expr)]
    .forEach((expr) => expr !== null && look(expr));
  return [...found.values()];
}

class Runner {
  readonly #select: Select;
  readonly #input: Data;
  readonly #rows: readonly Item[];
  readonly #failing: boolean;
  readonly #expected: Json;
  readonly #options: Options;
  readonly #bind: (part: Partial<Select>) => Bound;

  constructor(select: Select, input: Data, rows: readonly Item[], expected: Json,
    options: Options, bind: (part: Partial<Select>) => Bound, failing: boolean) {
    this.#failing = failing;
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
      case "order": return this.#order();
      default: return this.#project();
    }
  }

  #evaluate(bound: Bound, rows: readonly Item[], window?: Group["window"]) {
    return evaluateQuery(bound.query, this.#plain(bound, rows),
      { window: window ?? { start: 0, end: 0 } });
  }

  #plain({ columns, sources }: Bound, rows: readonly Item[]): Row[] {
    return rows.map((item, i) => {
      const parts = sources.map((source, at) => {
        const row = rowOfSource(item, source, sources.length > 1);
        return row === undefined ? undefined : this.#cells(row, columns[at]!, i);
      });
      return parts.length === 1 ? parts[0]!
        : { time: i, flags: 0, cells: new Map(), parts: parts.map((part) => part?.cells) };
    });
  }

  #cells({ values, meta }: InputRow, columns: Columns, time: number): Row {
    const row = rowOf(values, columns, time);
    const cells = new Map(row.cells).set(metaColumn.name, cellOf(meta, "dyn"));
    if (!this.#failing) return { ...row, cells };
    const failed = { value: null, state: ERROR.parse };
    return { ...row, cells: new Map([...cells.keys()].map((name) => [name, failed])) };
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
    const kept: Item[] = [];
    for (const row of this.#rows) {
      const { rows, errors } = this.#evaluate(bound, [row]);
      if (errors > 0) return compare({ $error: true }, this.#expected);
      if (rows.length > 0) kept.push(row);
    }
    return this.#survivors(kept);
  }

  #survivors(kept: readonly Item[]): Outcome {
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
      const { rows, errors } = this.#evaluate(bound, group.rows);
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
    const groups = new Map<string, Item[]>();
    for (const row of this.#rows) {
      const [keys] = this.#evaluate(bound, [row]).rows;
      if ([...keys!.cells.values()].some(({ state }) => state >= 194)) {
        return compare({ $error: true }, this.#expected);
      }
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

  /** Groups are put in order by their first rows. */
  #order(): Outcome {
    const { groups, row } = this.#input;
    const sorted = groups?.map((group) => group.rows[0]!) ?? this.#rows;
    const numbered = sorted.map((item, i) => {
      const [first, ...rest] = partsOf(item);
      return [{ ...first!, values: { ...first!.values, $n: i } }, ...rest];
    });
    const bound = this.#bind({ orderBy: this.#select.orderBy,
      fields: [field(name("$n"), "$place")] });
    const { rows, errors } = this.#evaluate(bound, numbered);
    if (errors > 0) return compare({ $error: true }, this.#expected);
    const order = rows.map((one) => Number(one.cells.get("$place")!.value));
    const actual = row !== undefined ? { row } : groups !== undefined
      ? { groups: order.map((i) => groups[i]!) } : { rows: order.map((i) => this.#rows[i]!) };
    return compare({ ...this.#input, ...actual } as unknown as Json, this.#expected);
  }

  #project(): Outcome {
    const { fields } = this.#select;
    if (this.#input.sequence !== undefined) {
      const bound = this.#bind({ fields, window: null });
      const evaluate = evaluator(bound.query, { window: { start: 0, end: 0 } });
      const each = this.#input.sequence.map((data) =>
        this.#shown(bound, evaluate(this.#plain(bound, flat(data))).rows));
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
      this.#results(bound, group.rows, group.window));
    if (results.some((rows) => !isError(rows) && (rows as Json[]).length !== 1)) {
      return unsupported("rows that are no group");
    }
    return this.#compared(results.some(isError) ? { $error: true } : results.flat() as Json[]);
  }

  #compared(actual: Json): Outcome {
    return compare(actual, this.#expected);
  }

  #results(bound: Bound, rows: readonly Item[], window?: Group["window"]): Json {
    return this.#shown(bound, this.#evaluate(bound, rows, window).rows);
  }

  #shown(bound: Bound, rows: readonly Row[]): Json {
    const found = rows.map((row) => this.#result(bound.query, row));
    return found.some((row) => Object.values(row).some(isError)) ? { $error: true } : found;
  }

  #result(query: BoundQuery, row: Row): Record<string, Json> {
    const known = new Set(this.#rows.flatMap((item) =>
      partsOf(item).flatMap(({ values }) => Object.keys(values))));
    const result: Record<string, Json> = {};
    for (const { name, expr, invisible } of query.select) {
      if (invisible) continue;
      const value = jsonOf(row.cells.get(name)!, expr.type.kind);
      const invented = expr.kind === "column" && !known.has(expr.name)
        && this.#select.fields.some((f) => f.expr.kind === "star");
      if (value !== null || (this.#options.sendNil === true && !invented)) result[name] = value;
    }
    return result;
  }
}
