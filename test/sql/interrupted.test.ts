import { expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { Arena, type ColumnSpec, readCell, Ring, stateName, writeCell } from "../../src/ring.ts";
import { type Catalog, compile, instantiate } from "../../src/sql.ts";
import { bind } from "../../src/sql/bind.ts";
import { statefulFunctions } from "../../src/sql/functions.ts";
import { evaluateQuery, type Row } from "../evaluate/evaluate.ts";

/** W8: what functions with state remember from before a gap in the rows is not trusted after it. */
const columns: readonly ColumnSpec[] = [{ name: "a", kind: "float64", slot: 0 },
  { name: "b", kind: "bool", slot: 0 }, { name: "k", kind: "int53", slot: 0 }];
const catalog: Catalog = {
  stream: (name) => ({ name, columns, interval_ms: 100, timed: true }), match: () => [],
  device: () => false, tag: () => undefined, model: () => undefined, names: () => [],
};

/** A call of each function that may lead to a write. */
const calls: Readonly<Record<string, string>> = {
  lag: "lag(a, 3)", changed_col: "changed_col(TRUE, b)", had_changed: "had_changed(TRUE, b)",
  rising: "rising(b)", falling: "falling(b)", deadband: "deadband(a, 2)",
  hysteresis: "hysteresis(a, 2, 6)", debounce: "debounce(b, 300)",
  rate_limit: "rate_limit(a, 5)", derivative: "derivative(a)",
  time_in_state: "time_in_state(b)", cusum: "cusum(a, 5, 2)",
  pid: "pid(a, 5, 2, 10s, 0, 0, 100, 5s)", moving_median: "moving_median(a, 3)",
  moving_rms: "moving_rms(a, 3)", moving_slope: "moving_slope(a, 3)", zscore: "zscore(a, 3)",
};

/** The states and values of a call over rows. */
function run(sql: string, rows: readonly Row[]): string[] {
  const { stages: [plan] } = compile(sql, catalog, { lineage: true, strict: true });
  const arena = Arena.create(1 << 20);
  const [input, output] = [columns, plan!.output].map((specs) =>
    Ring.create(arena, Ring.layout("r", specs, 256)).ring) as [Ring, Ring];
  const stage = instantiate(plan!, { arena, input, output, newest: [],
    state: arena.take(plan!.stateBytes, "state") });
  const column = output.column("y")!;
  return rows.map((row) => {
    const at = input.head & input.mask;
    input.claim(1);
    arena.F[input.timeAt + at] = row.time;
    for (const to of input.columns) writeCell(input, to, input.head, row.cells.get(to.name)!.value);
    input.publish(1);
    if (row.isAfterGap) stage.interrupt!(row.time);
    stage.run(output.head, input.head, 0, row.time);
    const state = arena.U[column.state + ((output.head - 1) & output.mask)]!;
    return state < 64 ? `${readCell(output, column, output.head - 1)} ${stateName(state)}`
      : stateName(state);
  });
}

/** In steps of 100 ms. */
const rowOf = (i: number, a: number, b: boolean, isAfterGap = false): Row =>
  ({ time: 10_000 + 100 * i, flags: 0, isAfterGap, cells: new Map([["a", { value: a, state: 0 }],
    ["b", { value: b, state: 0 }], ["k", { value: i % 2, state: 0 }]]) });

test("each function that may lead to a write knows gaps", () => {
  const safe = [...new Set(statefulFunctions.values())].filter((f) => f.unsafe === undefined);
  expect(safe.map(({ name }) => name).toSorted()).toEqual(Object.keys(calls).toSorted());
});

test.each(Object.entries(calls))("%s: seeded rows with gaps, as the reference", (_, call) => {
  let doubted = 0;
  for (let seed = 0; seed < 60; seed++) {
    const r = createRandom(seed);
    const rows = Array.from({ length: 60 }, (_, i) =>
      rowOf(i, r.below(90) / 10, r.chance(0.6), i > 0 && r.chance(0.15)));
    const sql = `SELECT ${call}${r.chance(0.5) ? " OVER (PARTITION BY k)" : ""} AS y FROM s`;
    const found = run(sql, rows);
    const wanted = evaluateQuery(bind(sql, catalog), rows, { lineage: true, strict: true }).rows
      .map(({ cells }) => cells.get("y")!)
      .map(({ value, state }) => (state < 64 ? `${value} ${stateName(state)}` : stateName(state)));
    expect([sql, seed, ...found]).toEqual([sql, seed, ...wanted]);
    doubted += found.filter((line) => line.includes("skipped")).length;
  }
  expect(doubted).toBeGreaterThan(20);
});

test("a timer begins anew after a gap, and says so until it has run down", () => {
  const rows = Array.from({ length: 8 }, (_, i) => rowOf(i < 4 ? i : i + 60, 1, true, i === 4));
  expect(run("SELECT debounce(b, 200) AS y FROM s", rows)).toEqual([
    "true uncertain:substituted", "true uncertain:substituted", "true uncertain:substituted",
    "true good", "true uncertain:skipped", "true uncertain:skipped", "true uncertain:skipped",
    "true good",
  ]);
});

test("without a way to a write nothing changes", () => {
  const { stages: [plan] } = compile("SELECT debounce(b, 200) AS y FROM s", catalog);
  expect(plan!.kind === "stateful" && plan!.interrupts).toEqual([]);
});
