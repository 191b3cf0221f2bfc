import { describe, expect, test } from "bun:test";
import { Arena, Ring, writeCell } from "../../src/ring.ts";
import type { RulePlan } from "../../src/runtime/graph.ts";
import { rowOf } from "../../src/runtime/inspect.ts";
import { RuleRunner } from "../../src/runtime/rule.ts";
import { type Catalog, compile, explain, instantiate } from "../../src/sql.ts";

/** `sendError` of a rule: what failed stands in a column `error`, what was left out is a row. */
const columns = [{ name: "a", kind: "float64", slot: 0 }, { name: "n", kind: "int53", slot: 0 },
  { name: "t", kind: "text", slot: 16 }] as const;
const catalog: Catalog = {
  stream: (name) => (name === "s" ? { name, columns, interval_ms: 100 } : undefined),
  match: () => [], device: () => false, tag: () => undefined, model: () => undefined,
  names: () => [],
};

/** A rule as the runtime runs it; `put` gives it a row of `a` and `n`. */
function start(sql: string, more: object = {}) {
  const program = compile(sql, catalog, { sendError: true, ...more });
  const arena = Arena.create(1 << 22);
  const ring = (specs: readonly (typeof columns)[number][]): Ring =>
    Ring.create(arena, Ring.layout("r", specs, 64)).ring;
  const rings = [ring(program.inputs[0]!.columns as never),
    ...program.stages.map(({ output }) => ring(output as never))];
  const states = program.stages.map(({ stateBytes }) => arena.take(Math.max(8, stateBytes), "s"));
  const rule = { name: "r", sql, to: [], schedule: null,
    restart: { attempts: 1, delay: 1, most: 1 } };
  const runner = new RuleRunner({ rule, program } as unknown as RulePlan, {
    rings, states, window: null, blocks: [], models: [], alarms: [], gather: () => null,
    stages: () => program.stages.map((plan, i) => instantiate(plan,
      { arena, input: rings[i]!, output: rings[i + 1]!, newest: [], state: states[i]! })),
  });
  runner.begin();
  let shown = runner.output.head;
  const put = (time: number, values: Record<string, unknown>): void => {
    const [input] = rings;
    input!.claim(1);
    const row = input!.head & input!.mask;
    arena.F[input!.timeAt + row] = time;
    arena.F[input!.sourceAt + row] = NaN;
    for (const column of input!.columns) {
      writeCell(input!, column, input!.head, (values[column.name] ?? 0) as never);
    }
    input!.publish(1);
  };
  const turn = (time: number): Record<string, unknown>[] => {
    while (runner.run(time, time)) continue;
    const rows: Record<string, unknown>[] = [];
    for (; shown !== runner.output.head; shown++) rows.push(rowOf(runner.output, shown).values);
    return rows;
  };
  return { runner, put, turn, program };
}

const leftOut = (n: number): string =>
  `${n} row${n === 1 ? "" : "s"} left out: a condition or a key failed`;

describe("sendError", () => {
  test("a column in error names itself, and a row that WHERE could not decide is a row", () => {
    const { put, turn, runner } =
      start("SELECT n / 2 AS half, 10 % n AS rest FROM s WHERE 8 / n > 1");
    put(10, { n: 4 });
    expect(turn(10)).toEqual([{ half: 2, rest: 2, error: null }]);
    put(20, { n: 0 });
    put(21, { n: 0 });
    put(22, { n: 3 });
    expect(turn(22)).toEqual([{ half: 1, rest: 1, error: null },
      { half: null, rest: null, error: leftOut(2) }]);
    expect([turn(30), runner.deadline, runner.state]).toEqual([[], Infinity, "running"]);
  });

  test("the first column that failed, by the name of its error", () => {
    const { put, turn } = start("SELECT n, 1 / n AS a, 2 / n AS b FROM s");
    put(10, { n: 0 });
    expect(turn(10)).toEqual([{ n: 0, a: null, b: null, error: "a: error:zero" }]);
  });

  test("before a window, and of a group that HAVING could not decide", () => {
    const { put, turn } = start("SELECT n, count(*) AS c FROM s WHERE a / n > 0 GROUP BY n, " +
      "TUMBLINGWINDOW(ss, 1) HAVING 6 / (n - 1) > 0");
    put(100, { a: 1, n: 0 });
    expect(turn(100)).toEqual([{ n: null, c: null, error: leftOut(1) }]);
    put(200, { a: 1, n: 2 });
    put(300, { a: 1, n: 1 });
    expect(turn(1000)).toEqual([{ n: 2, c: 1, error: null },
      { n: null, c: null, error: leftOut(1) }]);
  });

  test("a reset forgets what was told; state that came back tells nothing twice", () => {
    const { put, turn, runner } = start("SELECT n FROM s WHERE 1 / n > 0");
    put(10, { n: 0 });
    expect(turn(10)).toHaveLength(1);
    // As after a restart: stages are new, what they remember is there.
    const again = (): unknown[] => {
      put(20, { n: 0 });
      return turn(20);
    };
    expect(again()).toEqual([{ n: null, error: leftOut(1) }]);
    runner.reset();
    expect(again()).toEqual([{ n: null, error: leftOut(1) }]);
  });

  test("also beside empty windows, with lineage, and in a query that reads another", () => {
    const { put, turn, program } = start("SELECT 1 / x AS y FROM (SELECT n AS x FROM s WHERE " +
      "1 / n > 0) AS i", { lineage: true });
    expect(program.output.map(({ name }) => name)).toEqual(["y", "error", "$oldest"]);
    put(10, { n: 0 });
    expect(turn(10)).toEqual([{ y: null, error: leftOut(1) }]);
    const empty = start("SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 1)",
      { emptyWindows: true });
    empty.put(100, {});
    empty.turn(100);
    expect(empty.turn(2000)).toEqual([{ c: 1, error: null }, { c: null, error: null }]);
    expect(explain(empty.program)).toContain("says what failed, in the column error");
  });

  test("a window is the rule's own, else what fails in it would be another's", () => {
    const sql = "SELECT n + 1 AS m FROM s GROUP BY n, TUMBLINGWINDOW(ss, 1) HAVING count(*) > 1";
    expect(compile(sql, catalog).shared).not.toBeNull();
    expect(start(sql).program.shared).toBeNull();
    expect(compile(sql.replace("FROM s", "FROM s WHERE rule_start() > 0"), catalog).shared)
      .toBeNull();
  });

  test("a column of that name is refused", () => {
    expect(() => start("SELECT n AS error FROM s")).toThrow("a column error of its own");
  });
});
