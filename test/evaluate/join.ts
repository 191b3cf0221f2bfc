import { NULL, UNCERTAIN } from "../../src/ring.ts";
import type { Bound, BoundJoin, BoundQuery } from "../../src/sql/bound.ts";
import { conjunction, conjuncts } from "../../src/sql/rewrite/conjuncts.ts";
import { inputsOf } from "../../src/sql/rewrite/tree.ts";
import { bool } from "../../src/sql/types.ts";
import { joined as originOf, type Origin } from "./stateful.ts";
import { absent, type Cell, failed, good, hasValue, type Row } from "./value.ts";

/** What of its columns a table says for a key: a row, or none; and how good that is. */
export interface Answer {
  readonly row: ReadonlyMap<string, Cell> | null;
  readonly state: number;
}

/** True if the condition passes on a row; counts it if it fails. */
export type Test = (condition: Bound | null, row: Row) => boolean;

/** The rows of several streams side by side, joined one after the other: every pair is tried. */
export function joinRows(
  query: BoundQuery, rows: readonly Row[], test: Test, origins: Map<Row, Origin>,
): Row[] {
  const of = (input: number): Row[] => rows.filter((row) => row.parts![input] !== undefined);
  // The side that has no partner is NULL.
  const nothing = query.inputs.map(({ columns }) =>
    new Map(columns.map((c): [string, Cell] => [c.name, failed(NULL)])));
  const pair = (a: Row | null, b: Row | null, last: number): Row => {
    const both = [a, b].filter((row) => row !== null);
    const parts = query.inputs.map((_, i) => both.map((row) => row.parts![i]).find((p) => p)
      ?? (i <= last ? nothing[i] : undefined));
    const row: Row = {
      time: Math.max(...both.map((r) => r.time)), flags: both.reduce((f, r) => f | r.flags, 0),
      cells: new Map(), parts,
    };
    origins.set(row, originOf(...both.map((r) =>
      origins.get(r) ?? { oldest: r.oldest ?? r.time, flags: r.flags })));
    return row;
  };
  return query.joins.reduce((left, join) => joinTwo(join, left, of(join.input), test,
    (a, b) => pair(a, b, join.input)), of(0));
}

function joinTwo(
  { kind, on }: BoundJoin, left: readonly Row[], right: readonly Row[], test: Test,
  pair: (a: Row | null, b: Row | null) => Row,
): Row[] {
  const meets = (a: Row, b: Row): Row[] => {
    const row = pair(a, b);
    return test(on, row) ? [row] : [];
  };
  if (kind === "right") {
    return right.flatMap((b) => {
      const met = left.flatMap((a) => meets(a, b));
      return met.length > 0 ? met : [pair(null, b)];
    });
  }
  const lonely = new Set(right);
  const rows = left.flatMap((a) => {
    const met = right.flatMap((b) => {
      const rows = meets(a, b);
      if (rows.length > 0) lonely.delete(b);
      return rows;
    });
    return met.length > 0 || kind === "inner" || kind === "cross" ? met : [pair(a, null)];
  });
  return kind === "full" ? [...rows, ...[...lonely].map((b) => pair(null, b))] : rows;
}

/**
 * ASOF: rows of the joined input are kept, those of the others get the newest one of their keys.
 * `strict` asks for good keys; what is not, and errors, are counted by `count`.
 */
export function asofRows(
  query: BoundQuery, join: BoundJoin, rows: readonly Row[], strict: boolean, count: () => void,
  of: (node: Bound, row: Row) => Cell,
): Row[] {
  const { keys, tolerance_ms } = join.asof!;
  const known: { keys: Cell[]; row: Row; isDoubted?: boolean }[] = [];
  const equal = (a: readonly Cell[], b: readonly Cell[]): boolean =>
    a.every((cell, i) => cell.value === b[i]!.value);
  const madeOf = (row: Row): Origin =>
    ({ oldest: row.oldest ?? row.time, flags: row.flags });
  return rows.flatMap((row) => {
    if (strict && row.isAfterGap === true) for (const entry of known) entry.isDoubted = true;
    if (row.parts![join.input] !== undefined) {
      const own = keys.map(({ right }) => of(right, row));
      if (own.every(hasValue)) {
        const place = known.findIndex((entry) => equal(entry.keys, own));
        known.splice(place < 0 ? known.length : place, 1, { keys: own, row });
      }
      return [];
    }
    const wanted = keys.map(({ left }) => of(left, row));
    const entry = wanted.every(hasValue) ? known.find((e) => equal(e.keys, wanted)) : undefined;
    const state = Math.max(0, ...wanted.map((c) => c.state),
      ...(entry?.keys.map((c) => c.state) ?? []));
    const doubted = strict && state > 0;
    if (doubted || state >= 194) count();
    const age = entry === undefined ? NaN : row.time - entry.row.time;
    const met = !doubted && age >= 0 && age <= tolerance_ms ? entry : undefined;
    if (met === undefined && join.kind !== "left") return [];
    const least = Math.max(state, met?.isDoubted === true ? UNCERTAIN.skipped : 0);
    const part = new Map(query.inputs[join.input]!.columns.map((c): [string, Cell] => {
      const cell = met?.row.parts![join.input]!.get(c.name) ?? failed(NULL);
      return [c.name, met === undefined ? cell : { ...cell, state: Math.max(cell.state, least) }];
    }));
    const origin = originOf(madeOf(row), ...(met === undefined ? [] : [madeOf(met.row)]));
    const parts = query.inputs.map((_, i) => (i === join.input ? part : row.parts![i]));
    return [{ ...row, flags: origin.flags, oldest: origin.oldest, parts }];
  });
}

/** Of streams in a window: neither a table nor ASOF. */
export const isWindowed = ({ key, scan, asof }: BoundJoin): boolean =>
  key === null && !scan && asof === null;

/** A row with each row of a table that meets it. */
export function scanned(
  query: BoundQuery, join: BoundJoin, row: Row, table: readonly ReadonlyMap<string, Cell>[],
  made: (row: Row) => void, meets: (row: Row) => boolean,
): Row[] {
  const beside = (part: ReadonlyMap<string, Cell>): Row => {
    const parts = [...(row.parts ?? [row.cells])];
    parts[join.input] = part;
    const both = { ...row, parts };
    made(both);
    return both;
  };
  const met = table.map(beside).filter(meets);
  if (met.length > 0 || join.kind !== "left") return met;
  return [beside(new Map(query.inputs[join.input]!.columns
    .map((c): [string, Cell] => [c.name, failed(NULL)])))];
}

/** Conditions of WHERE that can be tested before a table is asked, and the others. */
export function splitWhere(query: BoundQuery): { early: Bound | null; late: Bound | null } {
  const tests = conjuncts(query.where);
  const isEarly = (test: Bound): boolean =>
    inputsOf(test).every((input) => query.inputs[input]!.table === null);
  return { early: conjunction(tests.filter(isEarly)),
    late: conjunction(tests.filter((test) => !isEarly(test))) };
}

const foundIn = ({ input, span }: BoundJoin): Bound =>
  ({ kind: "column", input, name: "$found", type: bool, span });

/** All that makes a row and what a table says for it a pair. */
export const matchOf = (join: BoundJoin): Bound =>
  conjunction([foundIn(join), ...conjuncts(join.on)])!;

/**
 * All that must hold for a row to pass the joins and WHERE, once the tables have answered: for each
 * its match, then what reads it.
 */
export function afterTables(query: BoundQuery, late: Bound | null): Bound | null {
  return conjunction(query.joins.filter((join) => join.key !== null).flatMap((join) => [
    ...(join.kind === "inner" ? [matchOf(join)] : []),
    ...conjuncts(late).filter((test) => Math.max(...inputsOf(test)) === join.input),
  ]));
}

/** The row with what a table says beside it. */
export function lookUp(
  query: BoundQuery, join: BoundJoin, row: Row, key: Cell, ask: (key: Cell) => Answer,
  holds: (condition: Bound, row: Row) => Cell,
): Row {
  const { columns } = query.inputs[join.input]!;
  const none = (state: number): [string, Cell][] => columns.map((c) => [c.name, failed(state)]);
  const part = ((): Map<string, Cell> => {
    if (!hasValue(key)) {
      const found = key.state >= 194 ? failed(key.state) : { value: false, state: 2 };
      return new Map([...none(key.state), ["$found", found]]);
    }
    const { row: known, state: given } = ask(key);
    if (given >= 64) return new Map([...none(given), ["$found", failed(given)]]);
    const state = Math.max(given, key.state);
    if (known === null) return new Map([...none(192), ["$found", { value: false, state }]]);
    const worse = (c: Cell): Cell => ({ ...c, state: Math.max(c.state, state) });
    return new Map([...columns.map((c): [string, Cell] =>
      [c.name, worse(known.get(c.name) ?? absent)]),
      ["$found", { ...good(true), state }]]);
  })();
  const parts = [...(row.parts ?? [row.cells])];
  parts[join.input] = part;
  const looked: Row = { ...row, parts };
  if (join.kind !== "left" || join.on === null) return looked;
  // More than its key in ON: where that is not TRUE the table has no values.
  const matched = holds(matchOf(join), looked);
  const shown = (cell: Cell): Cell => {
    if (matched.state >= 194) return failed(matched.state);
    if (!hasValue(matched) || matched.value !== true) return failed(NULL);
    return { ...cell, state: Math.max(cell.state, matched.state) };
  };
  const residual = new Map([...part].map(([name, cell]): [string, Cell] =>
    [name, name === "$found" ? cell : shown(cell)]));
  return { ...looked, parts: parts.map((p, i) => (i === join.input ? residual : p)) };
}
