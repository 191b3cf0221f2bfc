import { describe, expect, test } from "bun:test";
import { FLAG } from "../../src/ring.ts";
import { compile, compileConditions, explain, SqlFault } from "../../src/sql.ts";
import { Bench, catalog, type Given } from "./bench.ts";

const over = (expr: string, ...rows: readonly Given[]): string[] => {
  const bench = new Bench(expr);
  return rows.map((a) => bench.row(typeof a === "boolean" ? { b: a } : { a, b: a === "bad" ? a
    : true, t: "k" }));
};

describe("what a window makes of a function with state", () => {
  const of = (expr: string, rest: string, ...rows: readonly number[]): string[] => {
    const bench = new Bench(expr, rest);
    return rows.map((a) => bench.row({ a, b: a > 2, t: "k" }));
  };
  test("a group shows the result of its first row, one without a window that of the row", () => {
    expect(of("lag(a)", "GROUP BY t, SLIDINGWINDOW(ss, 1)", 1, 2, 3, 4).slice(2))
      .toEqual(["1 good 2", "2 good 2"]);
    expect(of("CASE WHEN count(*) > 0 THEN lag(a) END", "GROUP BY t", 1, 2, 3).slice(1))
      .toEqual(["1 good 1", "2 good 2"]);
  });
  test("a window is as old as the oldest row through state, also if it gives its rows", () => {
    expect(of("max(lag(a, 2))", "GROUP BY COUNTWINDOW(2, 1)", 1, 2, 3, 4).at(-1))
      .toBe("2 good 3");
    expect(of("lag(a, 2)", "GROUP BY SLIDINGWINDOW(ss, 1)", 1, 2, 3, 4).at(-1))
      .toBe("2 good 2");
  });
  test("it may be the window's own condition", () => {
    expect(of("count(*)", "GROUP BY SLIDINGWINDOW(ss, 9) OVER (WHEN rising(b))", 1, 2, 3, 4)
      .at(-1)).toStartWith("3 good");
  });
});

describe("W8: quality and age through state", () => {
  test("lag is as old as the row that it shows; a row left out makes it uncertain", () => {
    expect(over("lag(a)", 1, 2, "bad", 3, 4)).toEqual(["null 0", "1 good 1", "2 good 1",
      "2 uncertain:skipped 2", "3 good 1"]);
    expect(over("lag(a, 2)", 1, 2, 3, 4)).toEqual(["null 0", "null 0", "1 good 2", "2 good 2"]);
    expect(over("lag(a, 1, 9.5, FALSE)", 1, "bad", 3)).toEqual(["9.5 uncertain:substituted 0",
      "1 good 1", "bad:timeout 1"]);
  });

  test("latest stands in, and says so", () => {
    expect(over("latest(a)", "bad", 1, "bad", "bad", 2)).toEqual(["bad:timeout 0", "1 good 0",
      "1 uncertain:substituted 1", "1 uncertain:substituted 2", "2 good 0"]);
  });

  test("an edge over a bad row is uncertain", () => {
    expect(over("rising(b)", false, true)).toEqual(["false good 0", "true good 1"]);
    const bench = new Bench("rising(b)");
    expect([false, "bad", true, true].map((b) => bench.row({ b: b as Given }))).toEqual([
      "false good 0", "bad:timeout 0", "true uncertain:skipped 2", "false good 1"]);
  });

  test("what holds a value is as old and as good as that value", () => {
    expect(over("deadband(a, 1)", [5, 3], 5.5, 7, 7.5)).toEqual(["5 uncertain:stale 0",
      "5 uncertain:stale 1", "7 uncertain:stale 2", "7 good 1"]);
    expect(over("hysteresis(a, 2, 4)", 3, 5, 3, 3, 1)).toEqual(["false uncertain:substituted 0",
      "true uncertain:substituted 1", "true good 1", "true good 2", "false good 3"]);
  });

  test("rate_limit forgets once it has reached its input", () => {
    expect(over("rate_limit(a, 1)", [0, 3], 3, 3, 3, 3)).toEqual(["0 uncertain:stale 0",
      "1 uncertain:stale 1", "2 uncertain:stale 2", "3 uncertain:stale 3", "3 good 1"]);
  });

  test("debounce: a bad row breaks the run, and the start is assumed", () => {
    const bench = new Bench("debounce(b, 2s)");
    const rows: Given[] = [false, false, false, true, true, "bad", true, true, true, true];
    expect(rows.map((b) => bench.row({ b }))).toEqual([
      "false uncertain:substituted 0", "false uncertain:substituted 1",
      "false uncertain:substituted 2", "false good 1", "false good 2", "bad:timeout 0",
      "false uncertain:skipped 4", "false uncertain:skipped 5", "true uncertain:skipped 6",
      "true uncertain:skipped 7",
    ]);
  });

  test("what remembers without end stays uncertain, and its age grows", () => {
    expect(over("totalize(a)", 1, 1, "bad", 1, 1)).toEqual(["0 good 0", "1 good 1",
      "bad:timeout 0", "1 uncertain:skipped 3", "2 uncertain:skipped 4"]);
    expect(over("ewma(a, 1s)", 1, [1, 1], 1)).toEqual(["1 good 0", "1 uncertain:source 1",
      "1 uncertain:source 2"]);
    expect(over("acc_count(a)", 1, "bad", 1)).toEqual(["1 good 0", "1 uncertain:skipped 1",
      "2 uncertain:skipped 2"]);
  });

  test("a condition or key that is not known is none that is good", () => {
    const when = new Bench("lag(a) OVER (WHEN b)");
    expect([when.row({ a: 1, b: true }), when.row({ a: 2, b: "bad" }), when.row({ a: 3, b: true })])
      .toEqual(["null 0", "1 uncertain:skipped 1", "1 good 2"]);
    const keyed = new Bench("lag(a) OVER (PARTITION BY t)");
    expect([keyed.row({ a: 1, t: "bad" }), keyed.row({ a: 2, t: "bad" })])
      .toEqual(["null 0", "1 uncertain:skipped 1"]);
  });

  test("rows that were replayed or read later mark what their state makes", () => {
    const bench = new Bench("lag(a)");
    expect([bench.row({ a: 1 }, FLAG.replayed | FLAG.timeUncertain), bench.row({ a: 2 }),
      bench.row({ a: 3 })]).toEqual(["null 0 flags 6", "1 good 1 flags 4", "2 good 1"]);
  });
});

describe("numbers that are none, parameters out of range", () => {
  test("an error for that row, and the state goes on", () => {
    expect(over("deadband(a, 1)", 1, [NaN, 0], 1.5)).toEqual(["1 good 0", "error:number 0",
      "1 uncertain:skipped 2"]);
    expect(over("ewma(a, a)", -1, 1)[0]).toBe("error:argument 0");
    expect(over("hysteresis(a, 4, 2)", 1)).toEqual(["error:argument 0"]);
  });

  test("no time between two rows: no rate", () => {
    const bench = new Bench("derivative(a)");
    expect([bench.row({ a: 1 }), bench.row({ a: 2 }), bench.row({ a: 3 }, 0, 0),
      bench.row({ a: 5 }, 0, 2)]).toEqual(["null 0", "1 good 1", "null 0", "1 good 2"]);
  });
});

describe("keys", () => {
  test("each has a state; one past the capacity has none, and is counted", () => {
    const bench = new Bench("acc_count(a) OVER (PARTITION BY t KEYS 2)");
    const rows = ["p", "q", "p", "r", "r", "q"].map((t) => bench.row({ a: 1, t }).split(" ")[0]);
    expect(rows).toEqual(["1", "1", "2", "null", "null", "2"]);
    expect(bench.stages[0]!.counters).toEqual({ in: 6, out: 6, errors: 0, dropped: 2 });
  });

  test("the plan has the bytes, and names the functions and the capacity", () => {
    const bytes = (keys: number): number => compile(
      `SELECT lag(a, 4) OVER (PARTITION BY t KEYS ${keys}) AS y FROM s`, catalog).memory[0]!.bytes;
    expect(bytes(1000) - bytes(100)).toBeGreaterThan(900 * (4 * 8 + 8));
    const program = compile("SELECT lag(a) OVER (PARTITION BY t) AS y FROM s", catalog);
    expect(explain(program)).toContain("functions with state (lag), at most 1024 keys, ");
    expect(program.memory[0]!.what).toBe("state of stage 1 (stateful)");
  });
});

test("every row counts, also those that WHERE leaves out", () => {
  const bench = new Bench("acc_count(a)", "WHERE a > 2");
  bench.row({ a: 1 });
  bench.row({ a: 2 });
  expect(bench.row({ a: 3 })).toBe("3 good 2");
});

test.each([
  ["lag(a, 0)", "1 to 1024"], ["lag(a, 5000)", "1 to 1024"],
  ["lag(a) OVER (PARTITION BY t KEYS 0)", "1 to 1048576 (partition_keys_max)"],
  ["lag(a) OVER (PARTITION BY t ORDER BY a)", "no ORDER BY"],
  ["rising(a)", "Here a boolean is expected"],
  ["lag(a, 1, 'text')", "of different types"], ["abs(a) OVER (WHEN b)", "takes no OVER"],
])("%s is refused: %s", (expr, sentence) => {
  expect(() => compile(`SELECT ${expr} AS y FROM s`, catalog)).toThrow(sentence);
});

test("a permit has no rows to remember", () => {
  expect(() => compileConditions(["lag(dev.a) > 1"], catalog)).toThrow(SqlFault);
  expect(() => compileConditions(["lag(dev.a) > 1"], catalog)).toThrow("rows of a stream");
});
