import { expect, test } from "bun:test";
import { families } from "../../src/sql/functions.ts";
import { compare, shown } from "./compare.ts";
import { type Case, caseFor, caseOf, type Done, queryOf } from "./differential.ts";

/**
 * Random queries over random rows: generated code and the slow reference give the same, to the bit.
 * SOAK_COUNT cases from SOAK_SEED on; case i of seed s is case 0 of seed s + i. Joins have a
 * generator of their own (joins.test.ts).
 *
 * What no random query has, and where it is tested instead:
 * - streams without declared columns, fan-ins (`m-*`): test/runtime, test/e2e
 * - permits: emit.test.ts; a user's functions: inline.test.ts
 * - `emptyWindows`: silence.test.ts, against the same reference
 * - by event time an idle timeout and rows that are too far ahead: event-time.test.ts
 * - windows that are full, keys of groups and of states past what their table has by default:
 *   moving.test.ts, emit.test.ts (KEYS 1 and 2 are random)
 * - equal windows that rules share: test/runtime/windows.test.ts; changed kernels: test/mutants
 * - units of time other than ms, forms of literals, comments, CREATE STREAM: parser.test.ts
 */
const count = Number(process.env["SOAK_COUNT"] ?? 300);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000_000);

function agree(one: Case, actual: Done, expected: Done): void {
  expect([one.title, actual]).toEqual([one.title, expected]);
}

test(`generated code = slow reference, ${count} random queries from seed ${seed}`, async () => {
  const seeds = Array.from({ length: count }, (_, i) => seed + i);
  const { cases, refused, tooLarge, counts } = await compare(seeds, caseOf, agree);
  console.log(`${cases} cases, ${refused} refused by the binder, ${tooLarge} too large\n` +
    shown(counts));
  expect(refused).toBeLessThan(Math.max(10, count / 5));
  expect(tooLarge).toBeLessThan(Math.max(10, count / 20));
}, 7_200_000);

test("every function that can be called is called by some query", () => {
  const called = new Set(Array.from({ length: 6000 }, (_, i) => queryOf(i))
    .flatMap((sql) => [...sql.matchAll(/\b\w+(?=\()/g)].map(([name]) => name)));
  const names = families.flatMap(({ functions }) => functions.flatMap((fn) =>
    [fn.name, ...("also" in fn ? fn.also ?? [] : [])]));
  expect(names.filter((name) => !called.has(name))).toEqual([]);
});

test.each([
  ["an argument that is too long for its cell is an error, whatever is made of it",
    "SELECT element_at(lag(repeat(e, n)), 0) AS c0, had_changed(FALSE, repeat(e, n)) AS c1 FROM s"],
  ["so is a key",
    "SELECT count(*) AS c0 FROM s GROUP BY repeat(e, n), COUNTWINDOW(7)"],
  ["so is the key of a state",
    "SELECT lag(n) OVER (PARTITION BY repeat(e, n)) AS c0 FROM s"],
  ["and what rows are put in order by",
    "SELECT n AS c0, row_number() OVER (PARTITION BY repeat(e, n)) AS c1 FROM s " +
    "GROUP BY COUNTWINDOW(7) ORDER BY repeat(t, n)[0]"],
  ["NaN of no fixed type stays what it is",
    "SELECT time_in_state(array_create(1e308 * 10 - 1e308 * 10)[0]) AS c0 FROM s"],
  ["a value of the last row, whatever it is, beside values that stand in order",
    "SELECT median(a) AS c0, last_value(b, FALSE) AS c1, first_value(n, FALSE) AS c2, " +
    "count(*) AS c3 FROM s GROUP BY SLIDINGWINDOW(ms, 50)"],
  ["a constant that is a key of groups, where a value of no fixed type stands",
    "SELECT count(*) AS c0, coalesce(first(d), FALSE) AS c1 FROM s " +
    "GROUP BY FALSE, COUNTWINDOW(7)"],
  ["NaN is one key, whatever its bits: those of a remainder and of a cell differ",
    "SELECT count(*) AS c0, count(*) - lag(n) OVER (PARTITION BY a % b) AS c1 FROM s " +
    "GROUP BY a % b, COUNTWINDOW(7)"],
  ["the oldest key gives way, and what stands behind it in the table is still found",
    "SELECT count(*) AS c0, sum(n) AS c1, first_value(t, FALSE) AS c2, max(t) AS c3 FROM s " +
    "GROUP BY n % 7, t KEYS 8 EVICT OLDEST"],
  ["the same in a window that keeps its rows, and begins anew each time",
    "SELECT count(*) AS c0, median(a) AS c1, last(t) AS c2 FROM s " +
    "GROUP BY n % 9, yes KEYS 4 EVICT OLDEST, HOPPINGWINDOW(ms, 200, 50)"],
  ["NULL beside values of fixed and of no fixed type",
    "SELECT NULL IN (a, d) AS c0, NULL NOT IN (t, 1.5, l[0]) AS c1 FROM s"],
])("queries that differed once: %s", async (_, sql) => {
  const sets = Array.from({ length: 60 }, (_, i) => i);
  const { cases } = await compare(sets, (rows) => caseFor(rows, sql), agree);
  expect(cases).toBe(sets.length);
});
