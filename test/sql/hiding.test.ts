import { expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import { bind } from "../../src/sql/bind.ts";
import { type BoundQuery, queriesIn } from "../../src/sql/bound.ts";
import { SqlFault } from "../../src/sql.ts";
import { unsafeIn } from "../../src/sql/unsafe.ts";
import { type Cell, evaluateQuery, type Row } from "../evaluate/evaluate.ts";
import { exactly } from "../evaluate/open.ts";
import { catalog, columns, queryOf, states, valueOf } from "./differential.ts";
import { nodesOf } from "./features.ts";

/**
 * W8, as a property of every query that may stand on the way to a write: if a row comes out, or a
 * value in it is good, while an input is not, then that input made no difference: the same comes
 * out whatever good value it has. A query that hides a bad input (`coalesce`) does not have it.
 * What comes of a window is looked at by its good values alone.
 */
const count = Number(process.env["SOAK_COUNT"] ?? 3000);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000_000);
/** Good values that are put in the place of a bad one. */
const tries = 12;
const start = 1_700_000_000_000;

function queryFor(sql: string): BoundQuery | null {
  try {
    const query = bind(sql, catalog);
    const alone = queriesIn(query).every(({ window, aggregated, stateful, joins, inputs, newest,
      expand }) => (window !== null || !aggregated) && stateful.length === 0 &&
        joins.length === 0 && inputs.length === 1 && newest.length === 0 && expand === null);
    const knows = nodesOf(query).some(({ kind }) => ["clock", "infer", "window"].includes(kind));
    return alone && !knows && queriesIn(query).flatMap(unsafeIn).length === 0 ? query
      : null;
  } catch (thrown) {
    if (thrown instanceof SqlFault) return null;
    throw thrown;
  }
}

/** What chooses rows by making NULL of the others, and folds it. */
function folding(seed: number): string {
  const r = createRandom(seed);
  const chosen = (yes: string): string => r.pick([
    `CASE WHEN ${r.pick(["yes", "a > 40", "n = m", "t = 'a'"])} THEN ${yes} END`,
    `CASE ${r.pick(["n", "m"])} WHEN 0 THEN ${yes} WHEN 1 THEN NULL END`,
    `CASE WHEN ${r.pick(["no", "b < 3"])} THEN NULL ELSE ${yes} END`, yes]);
  const fold = (x: string): string => r.pick([`count(${x})`, `sum(${x})`, `avg(${x})`, `max(${x})`,
    `min(${x})`, `stddev(${x})`, `median(${x})`, `count(DISTINCT ${x})`, `last_value(${x}, TRUE)`,
    `first(${x})`]);
  const window = (): string => r.pick(["TUMBLINGWINDOW(ms, 50)", "HOPPINGWINDOW(ms, 60, 20)",
    "SLIDINGWINDOW(ms, 30)", "SLIDINGWINDOW(ms, 30, 10)", "COUNTWINDOW(3)", "COUNTWINDOW(3, 1)",
    "SESSIONWINDOW(ms, 100, 30)", "STATEWINDOW(yes, no)"]);
  const value = (): string => chosen(r.pick(["a", "n", "1", "big"]));
  const keys = r.chance(0.3) ? `${r.pick(["t", "n"])}${r.pick(["", " KEYS 1"])}, ` : "";
  const single = `SELECT ${fold(value())} AS v FROM s GROUP BY ${keys}${window()}`;
  const inner = r.pick([`SELECT ${value()} AS x FROM s`,
    `SELECT ${fold(value())} AS x FROM s GROUP BY TUMBLINGWINDOW(ms, 20)`]);
  return r.chance(0.6) ? single
    : `SELECT ${fold("x")} AS v FROM (${inner}) AS s GROUP BY ${window().replace("yes, no",
      "x > 1, x < 0")}`;
}

const shown = ({ state, value }: Cell): string => `${exactly(value)}:${state}`;

/** What is wrong with sets of rows that differ in one cell alone; null = nothing. */
function differs(r: Random, query: BoundQuery): string | null {
  const windowed = queriesIn(query).some(({ window }) => window !== null);
  const { columns: read } = queriesIn(query).at(-1)!.inputs[0]!;
  const candidates = read.filter(({ name }) => columns.some((c) => c.name === name));
  if (candidates.length === 0) return null;
  const spec = r.pick(candidates);
  const cells = (): Map<string, Cell> => new Map(read.map((column) => [column.name, {
    value: valueOf(r, column), state: r.chance(windowed ? 0.97 : 0.9) ? 0 : r.pick(states) }]));
  const rows = Array.from({ length: windowed ? 1 + r.below(6) : 1 }, (_, i): Row =>
    ({ time: start + 10 * i, source: undefined, flags: 0, cells: cells() }));
  const at = r.below(rows.length);
  const given = (cell: Cell): readonly Row[] => evaluateQuery(query, rows.map((row, i) =>
    (i === at ? { ...row, cells: new Map(row.cells).set(spec.name, cell) } : row)),
  { end: start + 2000, lineage: true, strict: true }).rows;
  const bad = { value: valueOf(r, spec), state: r.pick(states) };
  const found = given(bad);
  if (found.length === 0) return null;
  for (let i = 0; i < tries; i++) {
    const good = { value: valueOf(r, spec), state: 0 };
    const wrong = unlike(found, given(good), windowed);
    if (wrong !== null) {
      return `${wrong} while it is ${shown(good)}; ${spec.name} of row ${at} is ${shown(bad)}`;
    }
  }
  return null;
}

/** A value that some rows must share with others, and do not. */
function unlike(found: readonly Row[], given: readonly Row[], windowed: boolean): string | null {
  for (const { time, cells } of found) {
    const others = given.filter((row) => row.time === time);
    for (const [name, cell] of cells) {
      if (name === "$oldest" || (cell.state !== 0 && (windowed || others.length > 0))) continue;
      if (others.some((row) => shown(row.cells.get(name)!) === shown(cell))) continue;
      return `${name} is ${shown(cell)} at ${time - start} ms, and ` +
        (others.length === 0 ? "no row" : others.map((row) => shown(row.cells.get(name)!)).join());
    }
  }
  return null;
}

function examine(r: Random, query: BoundQuery): string | null {
  for (let i = 0; i < 8; i++) {
    const found = differs(r, query);
    if (found !== null) return found;
  }
  return null;
}

function hold(sqlOf: (seed: number) => string, queries: number, least: number): void {
  let looked = 0;
  for (let i = 0; i < queries; i++) {
    const query = queryFor(sqlOf(seed + i));
    if (query === null) continue;
    looked += 1;
    expect([seed + i, query.sql, examine(createRandom(seed + i), query)])
      .toEqual([seed + i, query.sql, null]);
  }
  console.log(`${looked} queries that may be written`);
  expect(looked).toBeGreaterThan(least);
}

test(`no good value of a bad input in what may be written: ${count} queries from seed ${seed}`,
  () => hold((n) => queryOf(n), count, count / 100), 7_200_000);

test(`nor of NULL that is made of one and folded: ${count / 5} queries from seed ${seed}`,
  () => hold(folding, count / 5, count / 10), 7_200_000);

test.each([
  "SELECT coalesce(a, 40.0) AS v FROM s",
  "SELECT CASE WHEN a IS NOT NULL THEN a ELSE 4.0 END AS v FROM s",
  "SELECT b AS v FROM s WHERE (a IS NOT NULL) = FALSE",
  "SELECT good(a) AS v FROM s", "SELECT b AS v FROM s WHERE isnull(a)",
])("the property finds what is refused: %s", (sql) => {
  const query = bind(sql, catalog);
  expect(unsafeIn(query)).not.toEqual([]);
  const r = createRandom(7);
  expect(Array.from({ length: 40 }, () => examine(r, query)).some((found) => found !== null))
    .toBe(true);
});
