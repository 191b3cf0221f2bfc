import { expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import { bind } from "../../src/sql/bind.ts";
import type { BoundQuery } from "../../src/sql/bound.ts";
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
 */
const count = Number(process.env["SOAK_COUNT"] ?? 3000);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000_000);
/** Good values that are put in the place of a bad one. */
const tries = 12;
const start = 1_700_000_000_000;

function queryFor(sql: string): BoundQuery | null {
  try {
    const query = bind(sql, catalog);
    const { window, aggregated, stateful, joins, inputs, newest, expand } = query;
    const alone = window === null && !aggregated && stateful.length === 0 && joins.length === 0 &&
      inputs.length === 1 && inputs[0]!.query === null && newest.length === 0 && expand === null;
    return alone && !nodesOf(query).some(({ kind }) => ["clock", "infer", "window"].includes(kind))
      && unsafeIn(query).length === 0 ? query : null;
  } catch (thrown) {
    if (thrown instanceof SqlFault) return null;
    throw thrown;
  }
}

const shown = ({ state, value }: Cell): string => `${exactly(value)}:${state}`;

/** What is wrong with one set of rows that differ in one column alone; null = nothing. */
function differs(r: Random, query: BoundQuery): string | null {
  const read = query.inputs[0]!.columns.filter(({ name }) => columns.some((c) => c.name === name));
  if (read.length === 0) return null;
  const { name: changed } = r.pick(read);
  const cells = new Map<string, Cell>(query.inputs[0]!.columns.map((column) => [column.name, {
    value: valueOf(r, column), state: r.chance(0.9) ? 0 : r.pick(states) }]));
  const spec = read.find(({ name }) => name === changed)!;
  const rows = Array.from({ length: 1 + tries }, (_, i): Row => ({
    time: start + i, source: undefined, flags: 0,
    cells: new Map(cells).set(changed, { value: valueOf(r, spec), state: i === 0 ? r.pick(states)
      : 0 }),
  }));
  const given = evaluateQuery(query, rows, { end: start + 2000, lineage: true, strict: true }).rows;
  const [bad] = given;
  if (bad?.time !== start) return null;
  for (let i = 1; i <= tries; i++) {
    const good = given.find(({ time }) => time === start + i);
    for (const [name, cell] of bad.cells) {
      if (name === "$oldest" || (cell.state !== 0 && good !== undefined)) continue;
      const other = good?.cells.get(name);
      if (other !== undefined && shown(other) === shown(cell)) continue;
      const [is, was] = [rows[0]!, rows[i]!].map((row) => shown(row.cells.get(changed)!));
      return `${name} is ${shown(cell)} while ${changed} is ${is}, and ` +
        `${other === undefined ? "no row" : shown(other)} while it is ${was}`;
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

test(`no good value of a bad input in what may be written: ${count} queries from seed ${seed}`,
  () => {
    let looked = 0;
    for (let i = 0; i < count; i++) {
      const query = queryFor(queryOf(seed + i));
      if (query === null) continue;
      looked += 1;
      expect([seed + i, query.sql, examine(createRandom(seed + i), query)])
        .toEqual([seed + i, query.sql, null]);
    }
    console.log(`${looked} queries that may be written`);
    expect(looked).toBeGreaterThan(count / 100);
  }, 7_200_000);

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
