import { expect, test } from "bun:test";
import { compile } from "../../src/sql.ts";
import { Bench, catalog, type Given } from "./bench.ts";

const of = (expr: string, ...rows: readonly Given[]): string[] => {
  const bench = new Bench(expr);
  return rows.map((a) => bench.row({ a, t: "k" }));
};

test("W8: a result is as old as the oldest of its rows, and forgets the others", () => {
  expect(of("moving_median(a, 3)", 9, 1, 5, 6, 7)).toEqual(["9 good 0", "5 good 1", "5 good 2",
    "5 good 2", "6 good 2"]);
});

test("W8: a row left out makes it uncertain as long as it lies between its rows", () => {
  expect(of("moving_rms(a, 2)", 3, "bad", 3, 3)).toEqual(["3 good 0", "bad:timeout 0",
    "3 uncertain:skipped 2", "3 good 1"]);
  expect(of("moving_median(a, 3)", [4, 1], 4, 4, 4)).toEqual(["4 uncertain:source 0",
    "4 uncertain:source 1", "4 uncertain:source 2", "4 good 2"]);
});

test("what there is none of is NULL", () => {
  expect(of("zscore(a, 4)", 2, 2, 5)).toEqual(["null 0", "null 1", "1.414213562373095 good 2"]);
  expect(of("moving_slope(a, 3)", 1, 3)).toEqual(["null 0", "2 good 1"]);
});

test("each key has its own rows, and the plan has their bytes", () => {
  const bench = new Bench("moving_median(a, 3) OVER (PARTITION BY t KEYS 4)");
  const row = (t: string, a: number): string => bench.row({ t, a }).split(" ")[0]!;
  expect([row("p", 1), row("q", 8), row("p", 3), row("p", 2), row("q", 9)])
    .toEqual(["1", "8", "2", "2", "8.5"]);
  const bytes = (rows: number): number => compile(
    `SELECT moving_rms(a, ${rows}) OVER (PARTITION BY t KEYS 10) AS y FROM s`, catalog)
    .memory[0]!.bytes;
  expect(bytes(1000) - bytes(100)).toBeGreaterThanOrEqual(10 * 900 * 8);
});

test.each(["0", "1025", "a", "NULL"])("over %s rows there is none", (rows) => {
  expect(() => compile(`SELECT moving_rms(a, ${rows}) AS y FROM s`, catalog)).toThrow();
});

test("cusum sums what is off by more than the slack, and forgets where it is back at 0", () => {
  expect(of("cusum(a, 10, 1)", 10, [13, 1], 13, 8, 5, 12, 30)).toEqual(["0 good 0",
    "2 uncertain:source 1", "4 uncertain:source 2", "1 uncertain:source 3", "-5 uncertain:source 4",
    "-2 uncertain:source 5", "20 uncertain:source 6"]);
  expect(of("cusum(a, 10, 1)", 12, 9, 9, 13)).toEqual(["1 good 0", "0 good 1", "0 good 1",
    "2 good 1"]);
});
