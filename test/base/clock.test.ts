import { expect, test } from "bun:test";
import { clock_slew_ratio, createClock } from "../../src/base/clock.ts";

/** A machine whose two clocks a test moves. */
function machine() {
  const at = { monotonic: 5000, wall: 1_700_000_000_000, synced: true };
  const clock = createClock(() => at.monotonic, () => at.wall, () => at.synced);
  const pass = (ms: number): void => {
    at.monotonic += ms;
    at.wall += ms;
  };
  return { at, clock, pass };
}

test("now is monotonic, time is the wall's", () => {
  const { at, clock, pass } = machine();
  pass(1234.5);
  expect(clock.now()).toBe(at.monotonic);
  expect(clock.time()).toBe(at.wall);
  expect(clock.steps).toBe(0);
});

test("drift is slewed by at most 500 ppm, both ways", () => {
  for (const sign of [1, -1]) {
    const { at, clock, pass } = machine();
    clock.time();
    at.wall += sign * 400;
    const before = clock.time();
    for (let s = 0; s < 100; s++) {
      pass(1000);
      clock.time();
    }
    const gained = clock.time() - before - 100_000;
    expect(Math.abs(gained - sign * 100_000 * clock_slew_ratio)).toBeLessThan(1e-3);
    expect(clock.steps).toBe(0);
  }
});

test("slewing ends when the clocks agree", () => {
  const { at, clock, pass } = machine();
  at.wall += 3;
  for (let s = 0; s < 60; s++) {
    pass(1000);
    clock.time();
  }
  expect(clock.time()).toBeCloseTo(at.wall, 6);
});

test("a forward step is taken at once and counted", () => {
  const { at, clock, pass } = machine();
  at.wall += 3_600_000;
  pass(20);
  expect(clock.time()).toBe(at.wall);
  expect(clock.steps).toBe(1);
});

test("after a backward step time goes on and is slewed: old values must not look fresh", () => {
  const { at, clock, pass } = machine();
  pass(20);
  const before = clock.time();
  at.wall -= 3_600_000;
  pass(1000);
  const gone = clock.time() - before;
  expect(clock.steps).toBe(1);
  expect(gone).toBeGreaterThan(1000 * (1 - 2 * clock_slew_ratio));
  expect(gone).toBeLessThanOrEqual(1000);
  pass(1000);
  clock.time();
  expect(clock.steps).toBe(1);
});

test("time never runs backwards under random steps", () => {
  const { at, clock, pass } = machine();
  let last = clock.time();
  for (let i = 0; i < 10_000; i++) {
    pass((i * 7919) % 50);
    if (i % 100 === 0) at.wall += ((i * 104_729) % 20_000) - 10_000;
    const time = clock.time();
    expect(time).toBeGreaterThanOrEqual(last);
    last = time;
  }
});

test("time is certain from the first sync until a step, and again once it is right", () => {
  const { at, clock, pass } = machine();
  at.synced = false;
  const after = (ms: number): boolean => {
    for (let gone = 0; gone < ms; gone += 100) {
      pass(100);
      clock.time();
    }
    return clock.certain;
  };
  expect(after(5000)).toBe(false);
  at.synced = true;
  expect(after(1000)).toBe(true);
  // Forward: taken at once, and trusted again when the time server still stands by it.
  at.wall += 5000;
  expect(after(100)).toBe(false);
  expect(after(1000)).toBe(true);
  // Backward: engine time is ahead for as long as it takes to slew it.
  at.wall -= 1100;
  expect(after(100)).toBe(false);
  expect(after(100_000)).toBe(false);
  expect(after(105_000)).toBe(true);
  at.synced = false;
  expect(after(1000)).toBe(false);
});

test("clocks of several threads are one, whichever of them sees a step", () => {
  const at = { monotonic: 5000, wall: 1_700_000_000_000 };
  const clockOf = (shared: SharedArrayBuffer | null) =>
    createClock(() => at.monotonic, () => at.wall, () => true, shared);
  const first = clockOf(null);
  const second = clockOf(first.shared);
  const pass = (ms: number): void => {
    at.monotonic += ms;
    at.wall += ms;
  };
  pass(20);
  first.time();
  second.time();
  // Between a step forward and one back only the first looks.
  at.wall += 3_600_000;
  pass(20);
  first.time();
  at.wall -= 5000;
  for (let i = 0; i < 100; i++) {
    pass(20);
    const times = i % 2 === 0 ? [first.time(), second.time()] : [second.time(), first.time()];
    expect(times[0]).toBe(times[1]!);
  }
  expect([first.steps, second.steps]).toEqual([2, 2]);
  expect([first.certain, second.certain]).toEqual([false, false]);
});

test("no processor between the two clocks is no step", () => {
  const at = { monotonic: 5000, wall: 1_700_000_000_000, held: 0 };
  const clock = createClock(() => at.monotonic, () => {
    at.monotonic += at.held;
    at.wall += at.held;
    return at.wall;
  }, () => true);
  at.monotonic += 20;
  at.wall += 20;
  at.held = 5000;
  const before = clock.time();
  at.held = 0;
  at.monotonic += 20;
  at.wall += 20;
  expect(clock.time() - before).toBeCloseTo(5020, 6);
  expect(clock.steps).toBe(0);
});
