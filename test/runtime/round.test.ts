import { expect, test } from "bun:test";
import { limits, type Clock } from "../../src/base.ts";
import { Arena, Ring } from "../../src/ring.ts";
import type { RulePlan } from "../../src/runtime/graph.ts";
import { Round, type Inflow, type Reading } from "../../src/runtime/round.ts";
import { RuleRunner } from "../../src/runtime/rule.ts";
import type { Stage } from "../../src/sql.ts";

/** What the stage of a rule was asked, and when (engine time). */
interface Seen {
  readonly rows: number[];
  readonly ticks: number[];
  readonly name: string;
}

/** Rules over one stream, each of one stage; a look at the clock takes `look_ms`. */
function plant(look_ms = 0) {
  const arena = Arena.create(1 << 20);
  const layout = Ring.layout("s", [], 16);
  const stream = Ring.create(arena, layout).ring;
  const readings: Reading[] = [];
  const ran: string[] = [];
  let now = 0;
  const put = (ring: Ring, time: number): void => {
    ring.claim(1);
    arena.F[ring.timeAt + (ring.head & ring.mask)] = time;
    ring.publish(1);
  };
  const rule = (
    name: string, before: Reading | null = null, closes = { at: Infinity },
    inflow: readonly Inflow[] = [],
  ): { readonly reading: Reading; readonly seen: Seen } => {
    const input = before?.runner.output ?? stream;
    const output = Ring.create(arena, layout).ring;
    const seen: Seen = { name, rows: [], ticks: [] };
    const stage: Stage = {
      get deadline() { return closes.at; },
      counters: { in: 0, out: 0, errors: 0, dropped: 0 },
      tick(time) {
        seen.ticks.push(time);
        closes.at = Infinity;
      },
      run(from, to) {
        ran.push(name);
        for (let seq = from; seq !== to; seq = (seq + 1) | 0) {
          const time = arena.F[input.timeAt + (seq & input.mask)]!;
          seen.rows.push(time);
          put(output, time);
        }
        return to;
      },
    };
    const plan = { rule: { name, schedule: null } };
    const runner = new RuleRunner(plan as unknown as RulePlan, {
      window: null, rings: [input, output], blocks: [], states: [], models: [], alarms: [],
      gather: () => null, stages: () => [stage],
    });
    runner.begin();
    const reading = { runner, rules: before === null ? [] : [before.runner], journals: [],
      inflows: new Set(inflow) };
    readings.push(reading);
    return { reading, seen };
  };
  const clock = { now: () => (now += look_ms) } as Clock;
  return { rule, stream, ran, put: (time: number) => put(stream, time),
    round: () => new Round(clock, readings),
    step: (round: Round, time: number): number => {
      now = Math.max(now, time);
      return round.step(now, time, null);
    } };
}

test("a rule that has nothing to do is passed over", () => {
  const { rule, put, round, step, ran } = plant();
  const closes = { at: Infinity };
  const window = rule("window", null, closes);
  const over = rule("over", window.reading);
  const all = round();
  step(all, 0);
  const runs = { window: 0, over: 0 };
  for (const { reading: { runner } } of [window, over]) {
    const run = runner.run.bind(runner);
    runner.run = (...args) => {
      runs[runner.name as keyof typeof runs] += 1;
      return run(...args);
    };
  }
  expect(step(all, 10)).toBe(Infinity);
  expect(runs).toEqual({ window: 0, over: 0 });
  put(20);
  closes.at = 50;
  expect(step(all, 20)).toBe(50);
  expect([ran, runs]).toEqual([["window", "over"], { window: 1, over: 1 }]);
  expect(step(all, 40)).toBe(50);
  expect(runs).toEqual({ window: 1, over: 1 });
  step(all, 50);
  expect([window.seen.ticks, runs]).toEqual([[50], { window: 2, over: 1 }]);
  window.reading.runner.reset();
  step(all, 60);
  expect(runs).toEqual({ window: 3, over: 1 });
});

test("a round of many rules takes several turns; each rule has each row once", () => {
  const { rule, put, round, step } = plant(limits.round_turn_ms);
  const rules = Array.from({ length: 200 }, (_, i) => rule(`r${i}`));
  const all = round();
  put(1);
  let turns = 0;
  do step(all, 1 + turns++);
  while (!all.done);
  expect(turns).toBeGreaterThan(200 / limits.round_rules / 2);
  // It came while they were at it, and is what the next round begins with.
  expect(step(all, turns)).toBe(Infinity);
  put(turns);
  for (step(all, turns); !all.done;) step(all, ++turns);
  for (const { seen } of rules) expect(seen.rows).toHaveLength(2);
});

test("no window closes before a row that a rule has still to give it", () => {
  const { rule, put, round, step } = plant(limits.round_turn_ms);
  const closes = { at: 55 };
  const first = rule("first");
  Array.from({ length: 100 }, (_, i) => rule(`r${i}`));
  const over = rule("over", first.reading, closes);
  const all = round();
  put(1);
  step(all, 40);
  expect([first.seen.rows, all.done]).toEqual([[1], false]);
  // After `first` had its turn, and before the window closes.
  put(50);
  let time = 60;
  while (!all.done) step(all, time++);
  expect([over.seen.rows, over.seen.ticks]).toEqual([[1], []]);
  do step(all, time++);
  while (!all.done || over.seen.ticks.length === 0);
  expect(over.seen.rows).toEqual([1, 50]);
  expect(over.seen.ticks).toHaveLength(1);
});

test("a poll under way holds the windows that end after its begin, and no others", () => {
  const { rule, put, round, step } = plant();
  const poll = { openSince: Infinity };
  const [early, late, over] = [{ at: 40 }, { at: 55 }, { at: 55 }];
  const before = rule("early", null, early, [poll]);
  const held = rule("late", null, late, [poll]);
  const behind = rule("over", held.reading, over, [poll]);
  const other = rule("other", null, { at: 55 });
  const all = round();
  put(1);
  step(all, 30);
  poll.openSince = 50;
  // Woken when the row comes, not by the clock: it is long past the end of the window.
  expect(step(all, 60)).toBe(Infinity);
  expect([before, held, behind, other].map(({ seen }) => seen.ticks)).toEqual([[50], [], [], [60]]);
  poll.openSince = Infinity;
  put(50);
  step(all, 61);
  expect(held.seen.rows).toEqual([1, 50]);
  expect([held, behind].map(({ seen }) => seen.ticks)).toEqual([[61], [61]]);
});
