import { expect, test } from "bun:test";
import { phases, Poll } from "../../src/runtime/poll.ts";
import { ringFor } from "../driver/support.ts";

const every = (interval: number, n: number) => Array.from({ length: n }, () => ({ interval }));

test("groups of one interval begin over the whole of it, each kind for itself", () => {
  expect(phases([...every(100, 4), ...every(1000, 2)], 0)).toEqual([0, 25, 50, 75, 0, 500]);
  expect(phases(every(10, 1), 0)).toEqual([0]);
});

test("links of one thread stand between each other", () => {
  const begins = [0, 1, 2, 3].flatMap((link) => phases(every(1000, 5), link / 4));
  expect(begins.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i * 50));
});

test("the first row comes at once, the next on the grid, at most half an interval off", () => {
  const group = { stream: "m.all", device: "m", station: 1, interval: 1000,
    constants: [], broadcasts: [], requests: [], ring: ringFor([]).ring };
  for (const [phase, second] of [[0, 1000], [300, 1300], [500, 500], [700, 700]] as const) {
    const poll = new Poll(group, {}, 10_000, phase);
    const begins = (now: number): number => (poll.start(now), poll.due - 10_000);
    expect([begins(10_000), begins(10_000 + second)]).toEqual([second, second + 1000]);
    // What was connected anew may be another device, and its grid begins there.
    poll.begin(10_100);
    expect([poll.due, begins(10_100)]).toEqual([10_100, second + 100]);
    expect(poll.missed).toBe(0);
  }
});
