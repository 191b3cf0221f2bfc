import { expect, test } from "bun:test";
import { Arena, Ring } from "../../src/ring.ts";
import type { RulePlan } from "../../src/runtime/graph.ts";
import type { Gather } from "../../src/runtime/gather.ts";
import { RuleRunner } from "../../src/runtime/rule.ts";
import type { Stage } from "../../src/sql.ts";

const day = Date.parse("2026-11-26T00:00:00Z");

/** A rule of one stage that throws while `broken`; `restart` and `schedule` as configured. */
function start(settings: Partial<RulePlan["rule"]> = {}) {
  const arena = Arena.create(4096);
  const layout = Ring.layout("r", [], 16);
  const [input, output] = [Ring.create(arena, layout).ring, Ring.create(arena, layout).ring];
  const seen = { rows: 0, made: 0, broken: false };
  const rule = { name: "r", sql: "", to: [], schedule: null,
    restart: { attempts: 0, delay: 1000, most: 8000 }, ...settings };
  const runner = new RuleRunner({ rule } as unknown as RulePlan, {
    window: null,
    rings: [input, output], blocks: [], states: [], models: [], alarms: [], gather: () => null,
    stages: () => {
      seen.made += 1;
      return [{ deadline: Infinity, counters: { in: 0, out: 0, errors: 0, dropped: 0 },
        tick() {}, run(from: number, to: number) {
          if (seen.broken) throw new Error("planted");
          seen.rows += to - from;
          return to;
        } } satisfies Stage];
    },
  });
  runner.begin();
  const turn = (now: number): void => {
    input.claim(1);
    input.publish(1);
    runner.run(now, day + now);
  };
  return { runner, seen, turn, input };
}

test("a rule that throws begins again later each time, and loses only what it could not do", () => {
  const { runner, seen, turn } = start();
  turn(0);
  seen.broken = true;
  const tries: number[] = [];
  for (let now = 100, failures = 0; now < 40_000; now += 100) {
    turn(now);
    if (runner.failures > failures) tries.push(now);
    failures = runner.failures;
  }
  expect(tries.map((now, i) => now - (tries[i - 1] ?? 0)))
    .toEqual([100, 1000, 2000, 4000, 8000, 8000, 8000, 8000]);
  expect([runner.state, runner.reason]).toEqual(["failed", "planted"]);
  seen.broken = false;
  turn(47_200);
  expect([runner.state, seen.rows]).toEqual(["running", 1 + 9]);
});

test("after so many attempts it is given up, until somebody restarts it", () => {
  const { runner, seen, turn } = start({ restart: { attempts: 2, delay: 1000, most: 1000 } });
  seen.broken = true;
  for (let now = 0; now < 60_000; now += 500) turn(now);
  expect([runner.failures, runner.state]).toEqual([3, "failed"]);
  expect(runner.reason).toBe("planted; given up after 2 restarts");
  seen.broken = false;
  runner.begin();
  turn(60_000);
  expect([runner.state, runner.reason, seen.rows]).toEqual(["running", "", 1]);
});

test("ten good minutes are forgiven: the next failure waits as the first did", () => {
  const { runner, seen, turn } = start();
  const failAt = (now: number): void => {
    seen.broken = true;
    turn(now);
    seen.broken = false;
  };
  failAt(0);
  failAt(1000);
  failAt(3000);
  turn(7000);
  expect(runner.state).toBe("running");
  failAt(700_000);
  turn(700_900);
  expect(runner.state).toBe("failed");
  turn(701_000);
  expect(runner.state).toBe("running");
});

test("stop keeps the state and reads no rows; reset forgets it, also while stopped", () => {
  const { runner, seen, turn } = start();
  turn(0);
  runner.stop("stopped by anna");
  turn(1);
  expect([seen.rows, seen.made, runner.deadline]).toEqual([1, 1, Infinity]);
  runner.reset();
  turn(2);
  expect([seen.rows, seen.made, runner.state]).toEqual([1, 2, "stopped"]);
  runner.begin();
  turn(3);
  expect([seen.rows, seen.made, runner.lost]).toEqual([2, 2, 0]);
});

test("a schedule: it waits, begins with the rows of then, and a changed one counts at once", () => {
  const open = { from: day + 10_000, to: day + 20_000 };
  const schedule = { cron: null, duration: null, between: [open] };
  const { runner, seen, turn } = start({ schedule });
  turn(0);
  expect([runner.state, runner.deadline, seen.rows]).toEqual(["waiting", open.from, 0]);
  expect(runner.reason).toContain("until 2026-11-26T00:00:10.000Z");
  turn(10_000);
  expect([runner.state, seen.rows]).toEqual(["running", 0]);
  turn(10_001);
  expect(seen.rows).toBe(1);
  turn(20_000);
  expect([runner.state, runner.reason]).toEqual(["waiting", "its schedule is over"]);
  runner.adopt({ rule: { ...runner.plan.rule, schedule: null } } as unknown as RulePlan);
  turn(20_001);
  turn(20_002);
  expect([runner.state, runner.deadline, seen.rows]).toEqual(["running", Infinity, 2]);
});

test("no window closes while rows of its streams wait to be gathered", () => {
  const arena = Arena.create(8192);
  const ring = (): Ring => Ring.create(arena, Ring.layout("r", [], 16)).ring;
  const rule = { name: "r", sql: "", to: [], schedule: null };
  const closed: number[] = [];
  let waiting = 2;
  const stage: Stage = {
    counters: { in: 0, out: 0, errors: 0, dropped: 0 }, deadline: day,
    run: (_from, to) => to, tick: (time) => void closed.push(time),
  };
  const gather = { members: [], lost: 0, step: () => --waiting > 0 } as unknown as Gather;
  const runner = new RuleRunner({ rule } as unknown as RulePlan, {
    window: null,
    rings: [ring(), ring()], blocks: [], states: [], models: [], alarms: [],
    gather: () => gather, stages: () => [stage],
  });
  runner.begin();
  expect([runner.run(0, day), closed]).toEqual([true, []]);
  expect([runner.run(0, day), closed]).toEqual([false, [day]]);
});

test("a window behind another one closes only when that has closed all that is due", () => {
  const arena = Arena.create(8192);
  const ring = (): Ring => Ring.create(arena, Ring.layout("r", [], 16)).ring;
  const rings = [ring(), ring(), ring()];
  const seen: string[] = [];
  const counters = { in: 0, out: 0, errors: 0, dropped: 0 };
  /** It closes one window a tick. */
  const inner = { counters, deadline: day, run: (_from: number, to: number) => to, tick() {
    rings[1]!.claim(1);
    rings[1]!.publish(1);
    this.deadline += 10;
  } };
  const outer: Stage = { counters, deadline: day + 20,
    run: (from, to) => (seen.push(`${(to - from) | 0} row`), to),
    tick(time) {
      seen.push(`closed at ${time - day}`);
      Object.assign(this, { deadline: Infinity });
    } };
  const rule = { name: "r", sql: "", to: [], schedule: null };
  const runner = new RuleRunner({ rule } as unknown as RulePlan, {
    window: null,
    rings, blocks: [], states: [], models: [], alarms: [], gather: () => null,
    stages: () => [inner, outer],
  });
  runner.begin();
  expect(runner.run(25, day + 25)).toBe(false);
  expect(seen).toEqual(["1 row", "1 row", "1 row", "closed at 25"]);
  expect(runner.deadline).toBe(day + 30);
});
