import { expect, test } from "bun:test";
import { msOf, ServerClock } from "../../../src/driver/opcua/server-clock.ts";

/** Our clock, and a server's that is ahead of it by `ahead`. */
class Clocks {
  now = 5000;
  ahead = 1_700_000_000_000;
  readonly it = new ServerClock(() => this.now);

  /** A question that takes `there` ms to the server, and `back` from it. */
  ask(there: number, back: number): void {
    const asked = this.now;
    this.now += there;
    const stamp = this.server;
    this.now += back;
    this.it.answered(asked, stamp);
  }

  get server(): number {
    return this.now + this.ahead;
  }

  /** The age that a message has which takes so long. */
  ageAfter(delay: number): number {
    const made = this.server;
    this.now += delay;
    return this.it.age(made);
  }
}

test("a message is as old as its way was long, and the quickest way to the server more", () => {
  const clocks = new Clocks();
  clocks.ask(3, 400);
  expect(clocks.ageAfter(8000)).toBeCloseTo(8003 + 4, 3);
  expect(clocks.ageAfter(0)).toBeCloseTo(3 + 4, 3);
});

test("a slow answer does not make a message look older, nor a stall that lasts younger", () => {
  const clocks = new Clocks();
  clocks.ask(1, 1);
  for (let n = 0; n < 100; n++) {
    clocks.ask(2000, 5000);
    const age = clocks.ageAfter(5000);
    // What two clocks may have drifted apart meanwhile is given away.
    expect(age).toBeGreaterThanOrEqual(5000);
    expect(age).toBeLessThanOrEqual(5001 + 0.0005 * clocks.now);
  }
});

test("a clock that was set is known by the next answer", () => {
  const clocks = new Clocks();
  clocks.now += 100_000;
  clocks.ask(1, 1);
  for (const step of [3_600_000, -7_200_000]) {
    clocks.ahead += step;
    clocks.ask(1, 1);
    expect(clocks.ageAfter(30)).toBeCloseTo(31, 1);
  }
});

test("no message is older than its connection", () => {
  const clocks = new Clocks();
  clocks.ask(1, 1);
  expect(clocks.it.age(0)).toBe(2);
});

test("a server that gives no times says nothing of ages", () => {
  const clocks = new Clocks();
  expect(clocks.ageAfter(100)).toBeNaN();
  clocks.it.answered(clocks.now, NaN);
  expect(clocks.ageAfter(100)).toBeNaN();
  clocks.ask(1, 1);
  expect(clocks.it.age(msOf(new Date("1601-01-01T00:00:00Z")))).toBeNaN();
  expect(clocks.it.age(msOf(undefined))).toBeNaN();
});
