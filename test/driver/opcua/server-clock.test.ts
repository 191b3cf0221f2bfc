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

test("a message is as old as its way was long, and the question's way to the server more", () => {
  const clocks = new Clocks();
  clocks.ask(3, 400);
  expect(clocks.ageAfter(8000)).toBe(8003);
  expect(clocks.ageAfter(0)).toBe(3);
});

test("never younger than it is, whatever lasts: each answer is taken as the server's clock is now",
  () => {
    const clocks = new Clocks();
    for (const [there, back] of [[1, 1], [1, 5000], [2000, 5000], [2000, 1]] as const) {
      clocks.ask(there, back);
      expect(clocks.ageAfter(5000)).toBe(5000 + there);
    }
  });

test("a clock that was set is known by the next answer, also over a slow way back", () => {
  const clocks = new Clocks();
  clocks.now += 100_000;
  for (const back of [1, 3000]) {
    clocks.ask(1, back);
    for (const step of [3_600_000, -7_200_000, 2500]) {
      clocks.ahead += step;
      clocks.ask(1, back);
      expect(clocks.ageAfter(3000)).toBe(3001);
    }
  }
});

test("until then a message from after now is as old as the connection", () => {
  const clocks = new Clocks();
  clocks.now += 100_000;
  clocks.ask(1, 1);
  clocks.ahead += 3_600_000;
  expect(clocks.ageAfter(10)).toBe(100_012);
});

test("a server's clock that goes by steps was not set", () => {
  const clocks = new Clocks();
  clocks.now += 100_000;
  clocks.ask(1, 1);
  clocks.ahead += 16;
  expect(clocks.ageAfter(3)).toBe(0);
});

test("no message is older than its connection, and before an answer each is as old", () => {
  const clocks = new Clocks();
  expect(clocks.ageAfter(100)).toBe(100);
  clocks.ask(1, 1);
  expect(clocks.it.age(0)).toBe(102);
});

test("a server that gives no times says nothing of ages", () => {
  const clocks = new Clocks();
  clocks.it.answered(clocks.now, NaN);
  expect(clocks.ageAfter(100)).toBeNaN();
  clocks.ask(1, 1);
  expect(clocks.it.age(msOf(new Date("1601-01-01T00:00:00Z")))).toBeNaN();
  expect(clocks.it.age(msOf(undefined))).toBeNaN();
});
