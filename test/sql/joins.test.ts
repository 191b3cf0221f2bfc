import { expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { UNCERTAIN } from "../../src/ring.ts";
import { compile } from "../../src/sql.ts";
import { bind } from "../../src/sql/bind.ts";
import { type Cell, evaluateQuery, type Row } from "../evaluate/evaluate.ts";
import { compare, shown } from "./compare.ts";
import { catalog, columns, joinOf, Machine } from "./joined.ts";

/** Joins of code and reference give the same, to the bit. */
const count = Number(process.env["SOAK_COUNT"] ?? 400);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000_000);

test(`${count} random joins, seed ${seed}: code and reference agree`, async () => {
  const seeds = Array.from({ length: count }, (_, i) => seed + i);
  const { rows, counts } = await compare(seeds, joinOf, (one, actual, expected) =>
    expect([one.title, actual]).toEqual([one.title, expected]));
  console.log(`joins:\n${shown(counts)}`);
  const joined = (of: string): number => Object.entries(counts["joins"]!)
    .reduce((sum, [name, n]) => sum + (name.startsWith(of) ? n : 0), 0);
  for (const of of ["window", "lookup", "ASOF", "table"]) {
    expect(joined(of)).toBeGreaterThan(count / 6);
  }
  expect(counts["with"]!["event time"]!).toBeGreaterThan(count / 25);
  expect(counts["with"]!["restart"]!).toBeGreaterThan(count / 25);
  expect(rows).toBeGreaterThan(count);
}, 7_200_000);

test.each([
  ["SELECT a.k FROM a JOIN b ON a.k = b.k", "1:19: Streams are joined in a window"],
  ["SELECT a.k FROM a JOIN r ON r.v = a.v", "1:29: r is asked by its key: ON r.k = …"],
  ["SELECT a.k FROM a JOIN r ON r.k = a.v", "1:29: r is asked by its key: ON r.k = …"],
  ["SELECT a.k FROM a RIGHT JOIN r ON r.k = a.k", "joined by INNER or LEFT JOIN"],
  ["SELECT k FROM r", "r is asked by its key: it stands after JOIN"],
  ["SELECT a.k FROM a RIGHT JOIN w ON w.k = a.k", "A table is joined by INNER, LEFT or CROSS"],
  ["SELECT a.k FROM a JOIN w ON w.k = z.k JOIN z ON z.k = a.k", "ON reads z, which is joined only"],
  ["SELECT a.k FROM a JOIN w ON w.k = a.k JOIN r ON r.k = a.k", "beside another kind of join"],
  ["SELECT a.k FROM a ASOF JOIN w ON w.k = a.k TOLERANCE 1s", "w is a table: JOIN asks it"],
  ["SELECT a.k FROM a ASOF JOIN b ON b.k > a.k TOLERANCE 1s", "which keys are equal"],
  ["SELECT a.k FROM a ASOF JOIN b ON b.k = 1 TOLERANCE 0s", "A tolerance is a time above 0"],
  ["SELECT a.k FROM a ASOF JOIN r ON r.k = a.k TOLERANCE 1s", "r is a table: JOIN asks it"],
  ["SELECT a.k FROM a JOIN b ON a.k = c.k JOIN c ON c.k = b.k GROUP BY COUNTWINDOW(9)",
    "ON reads c, which is joined only after it"],
  ["SELECT a.k FROM a JOIN b ON a.k = lag(b.k) GROUP BY COUNTWINDOW(9)", "in ON"],
])("refused, with its place: %s", (sql, sentence) => {
  expect(() => compile(sql, catalog)).toThrow(sentence);
});

test("a table in FROM is asked for each row of the stream that is joined", () => {
  const plan = (sql: string): string[] => compile(sql, catalog).stages.map(({ text }) => text);
  expect(plan("SELECT a.v, r.v AS w FROM r JOIN a ON a.k = r.k"))
    .toEqual(plan("SELECT a.v, r.v AS w FROM a JOIN r ON a.k = r.k"));
  expect(plan("SELECT a.v, r.v AS w FROM r RIGHT JOIN a ON a.k = r.k"))
    .toEqual(plan("SELECT a.v, r.v AS w FROM a LEFT JOIN r ON a.k = r.k"));
});

test("W8: a join in a window is unsafe on the way to a write; ASOF and lookups are not", () => {
  const unsafe = (sql: string): number => compile(sql, catalog, { strict: true }).unsafe.length;
  expect(unsafe("SELECT a.k FROM a JOIN b ON a.k = b.k GROUP BY COUNTWINDOW(9)")).toBe(1);
  expect(unsafe("SELECT sum(r.v) AS s FROM a JOIN r ON r.k = a.k GROUP BY COUNTWINDOW(9)")).toBe(1);
  expect(unsafe("SELECT b.v FROM a ASOF JOIN b TOLERANCE 1s JOIN r ON r.k = a.k")).toBe(0);
  expect(unsafe("SELECT w.v FROM a JOIN w ON w.k = a.k")).toBe(1);
});

test("W8: after a gap a row that an ASOF JOIN kept before it may be the newest no more", () => {
  const sql = "SELECT a.k AS at, b.k AS v FROM a ASOF JOIN b TOLERANCE 100s";
  const row = (second: number, input: number, isAfterGap = false): Row => {
    const cells: Row["cells"] = new Map(columns.map((c) => [c.name, { state: 0,
      value: c.name === "k" ? second : c.kind === "text" ? "" : c.kind === "bool" ? true
        : c.kind === "int64" ? 1n : 1 }]));
    return { time: 1000 * second, flags: 0, isAfterGap, cells,
      parts: [0, 1].map((n) => (n === input ? cells : undefined)) };
  };
  const rows = [row(1, 1), row(2, 0), row(9, 0, true), row(10, 0), row(11, 1), row(12, 0)];
  const machine = new Machine(compile(sql, catalog, { lineage: true, strict: true }), new Map(),
    createRandom(1));
  for (const one of rows) {
    if (one.isAfterGap) for (const { stage } of machine.links) stage.interrupt?.(one.time);
    machine.feed(one, one.time);
  }
  const given = evaluateQuery(bind(sql, catalog), rows, { lineage: true, strict: true });
  for (const found of [machine.rows, given.rows]) {
    expect(found.map(({ cells }) => [cells.get("at")!.value, cells.get("v")!])).toEqual([
      [2, { value: 1, state: 0 }], [9, { value: 1, state: UNCERTAIN.skipped }],
      [10, { value: 1, state: UNCERTAIN.skipped }], [12, { value: 11, state: 0 }]]);
  }
});

test("more keys than an ASOF JOIN keeps, and more rows than a window joins: counted", () => {
  const feedAll = (sql: string, rows: number, input: number): Machine => {
    const machine = new Machine(compile(sql, catalog), new Map(), createRandom(1));
    const good = (k: number): ReadonlyMap<string, Cell> => new Map(columns.map((c) =>
      [c.name, { value: c.name === "k" ? k : c.kind === "text" ? "" : c.kind === "bool" ? true
        : c.kind === "int64" ? 1n : 1, state: 0 }]));
    for (let i = 0; i < rows; i++) {
      const cells = good(i), at = input < 0 ? i % 2 : input;
      const parts = [0, 1].map((n) => (n === at ? cells : undefined));
      machine.feed({ time: 1000 + i / 1000, flags: 0, cells, parts }, 0);
    }
    machine.run(1e9);
    return machine;
  };
  const asof = feedAll("SELECT b.v FROM a ASOF JOIN b ON b.k = a.k TOLERANCE 10s", 1100, 1);
  const dropped = ({ links }: Machine): number =>
    links.reduce((sum, { stage }) => sum + stage.counters.dropped, 0);
  expect(dropped(asof)).toBe(1100 - 1024);
  const cross = "SELECT count(*) AS n FROM a CROSS JOIN b GROUP BY COUNTWINDOW(200)";
  const pairs = feedAll(cross, 200, -1);
  expect(dropped(pairs)).toBe(100 * 100 - 4096);
  expect([...pairs.rows[0]!.cells.values()]).toEqual([{ value: 4096, state: 0 }]);
});
