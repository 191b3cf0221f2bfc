import { expect, test } from "bun:test";
import { Arena, type ColumnSpec, Ring, stateName, writeCell } from "../../src/ring.ts";
import type { RulePlan } from "../../src/runtime/graph.ts";
import { RuleRunner } from "../../src/runtime/rule.ts";
import { type Catalog, compile, type EventTime, instantiate, type Stage } from "../../src/sql.ts";

/** W8: a window that lacks rows because the rule did not read them is not taken for whole. */
const day = Date.parse("2026-11-26T00:00:00Z");

test("windows hear of the start, of a restart, of a failure, and of rows that were lost", () => {
  const arena = Arena.create(8192);
  const layout = Ring.layout("r", [], 16);
  const [input, output] = [Ring.create(arena, layout).ring, Ring.create(arena, layout).ring];
  const rule = { name: "r", sql: "", to: [], schedule: null,
    restart: { attempts: 0, delay: 1000, most: 8000 } };
  const missed: number[] = [];
  let broken = false;
  const stage: Stage = {
    counters: { in: 0, out: 0, errors: 0, dropped: 0 }, deadline: Infinity, tick() {},
    miss: (time) => void missed.push(time - day),
    run: (_from, to) => {
      if (broken) throw new Error("planted");
      return to;
    },
  };
  const runner = new RuleRunner({ rule } as unknown as RulePlan, {
    window: null, rings: [input, output], blocks: [], states: [], models: [], alarms: [],
    gather: () => null, stages: () => [stage],
  });
  const put = (time: number): void => {
    input.claim(1);
    arena.F[input.timeAt + (input.head & input.mask)] = day + time;
    input.publish(1);
  };
  const turn = (time: number): void => {
    put(time);
    runner.run(time, day + time);
  };
  put(1);
  runner.begin();
  turn(2);
  turn(3);
  expect(missed).toEqual([2]);
  runner.stop("stopped by anna");
  turn(4);
  runner.begin();
  turn(5);
  turn(6);
  expect(missed).toEqual([2, 5]);
  for (let time = 10; time < 30; time++) put(time);
  turn(30);
  turn(31);
  // Sixteen rows are left, from 15 on.
  expect(missed).toEqual([2, 5, 15]);
  const { gaps } = output;
  expect(gaps.upTo).toBe(day + 30);
  broken = true;
  turn(40);
  // Who reads it lacks rows for as long as it does not run.
  expect(gaps.upTo).toBe(Infinity);
  broken = false;
  turn(2000);
  expect(gaps.upTo).toBe(day + 2000);
  turn(2001);
  expect(missed).toEqual([2, 5, 15, 2000]);
});

const columns: readonly ColumnSpec[] = ["a", "m"].map((name) =>
  ({ name, kind: "float64", slot: 0 }));
const catalog: Catalog = {
  stream: (name) => ({ name, columns, interval_ms: 1000, timed: true }), match: () => [],
  device: () => false, tag: () => undefined, model: () => undefined, names: () => [],
};

/** A rule on the way to a write, over a row each second. */
class Writing {
  readonly runner: RuleRunner;
  readonly #input: Ring;
  #read = 0;

  /** Over its own rows, or over those of another rule. */
  constructor(
    sql: string, eventTime: EventTime | null = null, input: Ring | null = null,
    emptyWindows = false,
  ) {
    const arena = input?.arena ?? Arena.create(1 << 20);
    const strict = !emptyWindows;
    const program = compile(sql, catalog, { lineage: true, strict, eventTime, emptyWindows });
    const ring = (specs: readonly ColumnSpec[]): Ring =>
      Ring.create(arena, Ring.layout("r", specs, 64)).ring;
    this.#input = input ?? ring(columns);
    const rings = [this.#input, ...program.stages.map(({ output }) => ring(output))];
    const states = program.stages.map(({ stateBytes }) => arena.take(stateBytes, "state"));
    const rule = { name: "r", sql, to: [], schedule: null };
    this.runner = new RuleRunner({ rule, isRead: true } as unknown as RulePlan, {
      window: null, rings, blocks: [], states, models: [], alarms: [], gather: () => null,
      stages: () => program.stages.map((plan, i) => instantiate(plan,
        { arena, input: rings[i]!, output: rings[i + 1]!, newest: [], state: states[i]! })),
    });
    this.runner.begin();
  }

  /** Seconds [from, to), half a second late; what comes out: its time and quality. */
  run(from: number, to: number): string[] {
    const seconds = Array.from({ length: to - from }, (_, i) => from + i);
    return seconds.flatMap((second) => this.row(second));
  }

  /** The row of one second; the clock is further by `later` ms. */
  row(second: number, later = 0): string[] {
    const ring = this.#input;
    const time = day + second * 1000 + 500;
    ring.claim(1);
    ring.arena.F[ring.timeAt + (ring.head & ring.mask)] = time;
    ring.arena.F[ring.sourceAt + (ring.head & ring.mask)] = time;
    writeCell(ring, ring.column("a")!, ring.head, 1);
    ring.publish(1);
    return this.clock(second, later);
  }

  /** What comes out once it is half past a second. */
  clock(second: number, later = 0): string[] {
    const { output } = this.runner, found: string[] = [];
    const time = day + second * 1000 + 500 + later;
    this.runner.run(time, time);
    for (; this.#read !== output.head; this.#read++) {
      const row = this.#read & output.mask;
      found.push(`${second} ${stateName(output.arena.U[output.column("m")!.state + row]!)}`);
    }
    return found;
  }
}

const doubtful = (...seconds: number[]): string[] =>
  seconds.map((second) => `${second} uncertain:skipped`);
const good = (...seconds: number[]): string[] => seconds.map((second) => `${second} good`);

// Rows come from second 3 on, and again from second 20 on.
test.each([
  ["TUMBLINGWINDOW(ss, 4)", doubtful(4), good(8, 12), doubtful(20, 24), good(28)],
  ["HOPPINGWINDOW(ss, 4, 2)", doubtful(4, 6), good(8, 10, 12),
    doubtful(20, 20, 22, 24), good(26, 28)],
  ["SLIDINGWINDOW(ss, 2)", doubtful(3, 4, 5),
    good(6, 7, 8, 9, 10, 11, 12), doubtful(20, 21, 22), good(23, 24, 25, 26, 27, 28)],
  ["COUNTWINDOW(3)", doubtful(5), good(8, 11), doubtful(21), good(24, 27)],
])("%s begins anew after a start and a gap, and says so", (window, first, whole, gap, after) => {
  const rule = new Writing(`SELECT sum(a) AS m FROM s GROUP BY ${window}`);
  expect(rule.run(3, 13)).toEqual([...first, ...whole]);
  rule.runner.stop("stopped by anna");
  rule.runner.begin();
  expect(rule.run(20, 29)).toEqual([...gap, ...after]);
  rule.runner.reset();
  expect(rule.run(40, 45)[0]).toContain("skipped");
});

// Stopped in the middle of a window, and begun again after its end before a row has come.
test.each([
  ["TUMBLINGWINDOW(ss, 4)", null], ["HOPPINGWINDOW(ss, 4, 2)", null],
  ["SLIDINGWINDOW(ss, 2, 3)", null], ["SESSIONWINDOW(ss, 20, 2)", null],
  ["TUMBLINGWINDOW(ss, 4)", { late_ms: 0, idle_ms: 100, ahead_ms: 1e15, rows: 16 }],
])("%s that ends while its rule does not run is not whole", (window, eventTime) => {
  const rule = new Writing(`SELECT sum(a) AS m FROM s GROUP BY ${window}`, eventTime);
  rule.run(3, 15);
  rule.runner.stop("stopped by anna");
  rule.runner.begin();
  const found = rule.clock(19);
  expect(found.length).toBeGreaterThan(0);
  expect(found.filter((line) => line.includes("good"))).toEqual([]);
});

test("a rule that reads another is told what that did not give", () => {
  const before = new Writing("SELECT a AS m FROM s");
  const rule = new Writing("SELECT sum(m) AS m FROM s GROUP BY TUMBLINGWINDOW(ss, 4)", null,
    before.runner.output);
  const run = (from: number, to: number): string[] => {
    const found: string[] = [];
    for (let second = from; second < to; second++) {
      before.row(second);
      found.push(...rule.clock(second));
    }
    return found;
  };
  expect(run(3, 18)).toEqual([...doubtful(4), ...good(8, 12, 16)]);
  before.runner.stop("stopped by anna");
  // The first is over while the other rule does not run.
  expect(run(18, 22)).toEqual(doubtful(20));
  before.runner.begin();
  expect(run(22, 33)).toEqual([...doubtful(24), ...good(28, 32)]);
});

test.each([["engine", null],
  ["event", { late_ms: 0, idle_ms: 100, ahead_ms: 1e15, rows: 16 }]] as const)(
  "by %s time no empty windows are told of while the rule does not run", (_, eventTime) => {
    const rule = new Writing("SELECT sum(a) AS m FROM s GROUP BY TUMBLINGWINDOW(ss, 2)", eventTime,
      null, true);
    const through = (from: number, to: number): string[] =>
      Array.from({ length: to - from }, (_, i) => rule.clock(from + i)).flat();
    rule.run(3, 6);
    expect(through(6, 11).filter((line) => line.includes("null")).length).toBe(2);
    rule.runner.stop("stopped by anna");
    rule.runner.begin();
    // Twenty seconds later.
    expect(rule.clock(30).filter((line) => line.includes("null"))).toEqual([]);
    expect(through(31, 35).filter((line) => line.includes("null")).length).toBe(2);
  });

test("by event time a gap reaches as far as rows that were lost may have", () => {
  const late = { late_ms: 1000, idle_ms: null, ahead_ms: 1e15, rows: 16 };
  const rule = new Writing("SELECT sum(a) AS m FROM s GROUP BY TUMBLINGWINDOW(ss, 4)", late);
  expect(rule.run(3, 18)).toEqual([...doubtful(5, 9), ...good(13, 17)]);
});

test("by event time functions with state are in doubt as far as rows that were lost may be", () => {
  const late = { late_ms: 1000, idle_ms: null, ahead_ms: 1e15, rows: 16 };
  const rule = new Writing("SELECT lag(a) AS m FROM s", late);
  expect(rule.run(3, 10)).toEqual(["4 null", ...doubtful(5), ...good(6, 7, 8, 9)]);
  rule.runner.stop("stopped by anna");
  rule.runner.begin();
  // Each second the row of the one before, first that of second 9.
  expect(rule.run(20, 26)).toEqual([...doubtful(20, 21, 22), ...good(23, 24, 25)]);
});

// Windows up to second 8 are gone when the row of second 6 comes.
test.each([
  ["TUMBLINGWINDOW(ss, 4)", doubtful(12), good(16, 20, 24)],
  ["HOPPINGWINDOW(ss, 4, 2)", doubtful(10, 12), good(14, 16, 18, 20, 22, 24)],
  ["SESSIONWINDOW(ss, 4, 2)", doubtful(16), good(24)],
])("%s leaves out a row whose window has closed, and doubts the next", (window, next, after) => {
  const rule = new Writing(`SELECT sum(a) AS m FROM s GROUP BY ${window}`);
  rule.run(0, 9);
  expect(rule.row(6, 2500)).toEqual([]);
  expect(rule.runner.stages.map(({ counters }) => counters.late ?? 0)).toContain(1);
  const found = rule.run(9, 25);
  expect(found.filter((line) => line.includes("skipped"))).toEqual(next);
  expect(found.filter((line) => line.includes("good"))).toEqual(after);
});
