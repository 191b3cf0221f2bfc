import { expect, test } from "bun:test";
import { type Case, caseFor, caseOf } from "./differential.ts";

/**
 * Random queries over random rows: generated code and the slow reference give the same, to the bit.
 * SOAK_COUNT cases from SOAK_SEED on; case i of seed s is case 0 of seed s + i.
 */
const count = Number(process.env["SOAK_COUNT"] ?? 300);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000_000);

function agree(one: Case): void {
  const [expected, actual] = [one.expected(one.seed), one.run(one.program, one.seed)];
  expect([one.title, actual]).toEqual([one.title, expected]);
}

test(`generated code = slow reference, ${count} random queries from seed ${seed}`, () => {
  const kinds = new Map<string, number>();
  let refused = 0;
  for (let i = 0; i < count; i++) {
    const one = caseOf(seed + i);
    if (one === null) {
      refused += 1;
      continue;
    }
    agree(one);
    for (const kind of one.kinds) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  console.log(`${count} cases, ${refused} refused by the binder, stages:`,
    Object.fromEntries(kinds));
  expect(refused).toBeLessThan(Math.max(10, count / 5));
}, 7_200_000);

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
  ["NULL beside values of fixed and of no fixed type",
    "SELECT NULL IN (a, d) AS c0, NULL NOT IN (t, 1.5, l[0]) AS c1 FROM s"],
])("queries that differed once: %s", (_, sql) => {
  for (let rows = 0; rows < 60; rows++) agree(caseFor(rows, sql)!);
});
