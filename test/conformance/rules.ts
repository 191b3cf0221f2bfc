import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bind } from "../../src/sql/bind.ts";
import type { BoundQuery, Catalog } from "../../src/sql/bound.ts";
import {
  type Cell, evaluateQuery, evaluator, type Row, type World,
} from "../evaluate/evaluate.ts";
import { ordered } from "../evaluate/order.ts";
import {
  type Case, catalogOf, cellOf, type Columns, columnsOf, compare, isError, type Json, kindOf,
  metaColumn, type Outcome, passed, refused, rowOf, schemaOf, shownOf, unsupported,
} from "./vectors.ts";

interface Stream {
  readonly ddl: string;
  readonly preload?: boolean;
  readonly rows: readonly {
    readonly at?: number; readonly values: Record<string, Json>; readonly meta?: Json;
  }[];
}

interface Run {
  readonly sendError?: boolean;
  readonly eventTime?: boolean;
  readonly lateToleranceMs?: number;
}

/** A whole rule over one stream, and all that it emits. */
export function rulesOf(directory: string): (c: Case) => Outcome {
  const streams = JSON.parse(readFileSync(join(directory, "streams.json"),
    "utf8")) as Record<string, Stream>;
  return (c) => runRule(c, streams);
}

/** A stream of a rule, or a table: one that a file has filled before, or one that fills. */
interface Input {
  readonly name: string;
  readonly stream: Stream;
  readonly columns: Columns;
}

function runRule(c: Case, streams: Record<string, Stream>): Outcome {
  const runs = c.runs as Run[];
  const inputs = (c.streams as string[]).map((name): Input => {
    const stream = streams[name]!;
    const columns = schemaOf(stream.ddl) ?? columnsOf(stream.rows.map((row) => row.values));
    return { name, stream, columns };
  });
  if (inputs.some(({ stream }) => stream.rows.some(({ values }) => isError(values as Json)))) {
    return unsupported("an error instead of a row");
  }
  if (!inputs.every(({ stream, columns }) => fits(stream, columns))) {
    return unsupported("values that do not fit the schema");
  }
  try {
    const query = bind(c.sql as string, catalogFor(inputs, c.sql as string));
    const rows = arriving(query, inputs);
    const tables = tablesOf(query, inputs);
    for (const run of runs) {
      const feed = feedOf(run, rows, inputs);
      const emitted = emissions(query, feed, run.sendError ?? false, tables);
      const outcome = compare(trimmed(emitted, c.expect as Json[]), c.expect as Json);
      if (outcome.kind !== "passed") return outcome;
    }
    return passed;
  } catch (thrown) {
    return refused(thrown, c.expect as Json);
  }
}

/** More than any table of the vectors has. */
const stream_rows_max = 10_000;

/** Its rows come by and by, from a stream of its own. */
const isFilling = ({ stream: { ddl, preload } }: Input): boolean =>
  /^CREATE TABLE/.test(ddl) && !preload;

/** What tables say: those from a file by key, those that fill as they are at a row's time. */
function tablesOf(query: BoundQuery, inputs: readonly Input[]): Tables {
  const of = (table: string): Input => inputs.find(({ name }) => name === table)!;
  const cellsOf = ({ stream, columns }: Input, until: number): ReadonlyMap<string, Cell>[] =>
    stream.rows.filter(({ at = 0 }) => at <= until)
      .map(({ values }) => rowOf(values, columns).cells);
  return {
    lookup: (table, key: Cell) => {
      const column = query.inputs.find(({ name }) => name === table)!.table!.key!;
      const found = cellsOf(of(table), Infinity)
        .find((cells) => cells.get(column)!.value === key.value);
      return { row: found ?? null, state: 0 };
    },
    scan: (table, until) => {
      const retained = /RETAIN_SIZE="(\d+)"/.exec(of(table).stream.ddl)?.[1];
      return cellsOf(of(table), until).slice(retained === undefined ? 0 : -Number(retained));
    },
  };
}

interface Tables {
  readonly lookup: NonNullable<World["lookup"]>;
  scan(table: string, until: number): readonly ReadonlyMap<string, Cell>[];
}

/** A table from a file is asked by the column that ON compares, one that fills is read whole. */
function catalogFor(inputs: readonly Input[], sql: string): Catalog {
  const of = (name: string): Input | undefined => inputs.find((input) => input.name === name);
  return {
    ...catalogOf(new Map()),
    stream: (name) => {
      const input = of(name);
      return input === undefined || input.stream.preload || isFilling(input) ? undefined
        : { name, columns: [...input.columns.values()], interval_ms: null, meta: metaColumn,
          timed: true };
    },
    table: (name) => {
      const input = of(name);
      if (input === undefined) return undefined;
      const columns = [...input.columns.values()];
      if (isFilling(input)) return { name, key: null, columns, rows: stream_rows_max };
      const column = new RegExp(`${name}\\.(\\w+)`);
      const key = (column.exec(/ ON (.*)/i.exec(sql)?.[1] ?? "") ?? column.exec(sql))?.[1];
      return !input.stream.preload || key === undefined ? undefined
        : { name, key, columns, rows: stream_rows_max };
    },
  };
}

/** Rows of all streams as they come. */
function arriving(query: BoundQuery, inputs: readonly Input[]): Row[] {
  return inputs.filter((input) => !input.stream.preload && !isFilling(input))
    .flatMap(({ name, stream, columns }) => stream.rows.map(({ at, values, meta }): Row => {
      const row = rowOf(values, columns, at);
      const about = cellOf({ topic: "mock", ...meta as object }, "dyn");
      const cells = new Map(row.cells).set(metaColumn.name, about);
      return inputs.length === 1 ? { ...row, cells }
        : { ...row, parts: query.inputs.map((input) => (input.name === name ? cells : undefined)) };
    })).toSorted((a, b) => a.time - b.time);
}

function fits(stream: Stream, columns: Columns): boolean {
  return stream.rows.every(({ values }) => Object.entries(values).every(([name, value]) => {
    const wanted = columns.get(name)?.kind;
    const kind = kindOf(value);
    return wanted === undefined || kind === null || wanted === kind || wanted === "dyn"
      || (wanted === "int53" && kind === "int64");
  }));
}

/** What a rule is given, and the time up to which its windows close. */
interface Feed {
  readonly rows: readonly Row[];
  /** Of the first window, before it is aligned. */
  readonly start: number;
  readonly end: number;
  /** WHERE acts after every window; so a window whose rows it leaves out emits nothing. */
  readonly byEvents: boolean;
}

function feedOf(
  { eventTime, lateToleranceMs = 0 }: Run, rows: readonly Row[], inputs: readonly Input[],
): Feed {
  if (eventTime !== true) {
    const start = Math.floor(rows[0]!.time / 1000) * 1000;
    return { rows, start, end: rows.at(-1)!.time, byEvents: false };
  }
  const column = /TIMESTAMP="(\w+)"/.exec(inputs[0]!.stream.ddl)![1]!;
  const order = ordered(rows, (row) => Number(row.cells.get(column)!.value), lateToleranceMs,
    inputs.length, ({ parts }) => parts?.findIndex((part) => part !== undefined) ?? 0);
  const start = order.rows[0]?.time ?? order.watermark;
  return { rows: order.rows, start, end: order.watermark, byEvents: true };
}

function emissions(
  query: BoundQuery, feed: Feed, sendError: boolean, tables: Tables,
): Json[] {
  const { rows, end } = feed;
  const { window } = query;
  const error: Json = [{ error: { $error: true } }];
  const shown = (row: Row): Json[] => {
    const result = show(query, row);
    return !Object.values(result).some(isError) ? [[result]] : sendError ? [error] : [];
  };
  if (window === null) {
    let time = 0;
    const evaluate = evaluator(query,
      { lookup: tables.lookup, scan: (table) => tables.scan(table, time) });
    return rows.flatMap((row) => {
      ({ time } = row);
      const found = evaluate([row]);
      return found.errors > 0 ? (sendError ? [error] : []) : found.rows.flatMap(shown);
    });
  }
  const unordered = new Set<number>();
  const closed: Json[] = [];
  const found = evaluateQuery(query, rows, {
    end, lookup: tables.lookup, eventTime: feed.byEvents, unordered: (time) => unordered.add(time),
    closed: (_, given) => closed.push(given.map((row) => show(query, row))),
  }).rows;
  const at = (time: number): Json[] => (unordered.has(time) && sendError ? error as Json[]
    : found.filter((row) => row.time === time).map((row) => show(query, row)));
  if (window.kind !== "tumbling" && window.kind !== "hopping") {
    return closed;
  }
  const { length_ms } = window;
  const hop_ms = window.kind === "hopping" ? window.hop_ms : length_ms;
  const start = Math.floor(feed.start / hop_ms) * hop_ms;
  const emitted: Json[] = [];
  for (let time = start + hop_ms; time <= end; time += hop_ms) {
    const content = rows.some((row) => row.time >= time - length_ms && row.time < time);
    // Groups that HAVING has left out are no emission; a window without rows is an empty one.
    const silent = content && (query.having !== null || feed.byEvents);
    if (at(time).length > 0 || !silent) emitted.push(at(time));
  }
  return emitted;
}

function show(query: BoundQuery, row: Row): Record<string, Json> {
  return Object.fromEntries(shownOf(query, row).filter(([, value]) => value !== null));
}

/** Empty emissions at the end that the expectation does not have count for nothing. */
function trimmed(actual: readonly Json[], expected: readonly Json[]): Json[] {
  let length = actual.length;
  while (length > expected.length && (actual[length - 1] as Json[]).length === 0) length--;
  return actual.slice(0, length);
}
