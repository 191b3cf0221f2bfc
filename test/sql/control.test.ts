import { describe, expect, test } from "bun:test";
import { FLAG } from "../../src/ring.ts";
import { Bench, type Given } from "./bench.ts";

/** A controller of `a` to 50, on rows 1 s apart; `track` and `auto` are the columns m and b. */
const loop = (settings: string, more = ""): Bench =>
  new Bench(`pid(a, 50, ${settings}, 0, 100, 3s${more})`);

const run = (bench: Bench, ...rows: readonly Given[]): string[] =>
  rows.map((a) => bench.row({ a, b: true, m: 40 }));

describe("pid", () => {
  test("P, PI and PID by hand", () => {
    expect(run(loop("2, 0, 0"), 40, 45, 60)).toEqual(["20 good 0", "10 good 1", "0 good 1"]);
    // 2 × 10 × 1 s / 5 s a row on top.
    expect(run(loop("2, 5s, 0"), 40, 40, 40)).toEqual(["20 good 0", "24 good 1", "28 good 1"]);
    // The measurement jumps by 5: −kp td N / (td + N dt) × 5 = −2 × 10 × 10 / 20 × 5.
    expect(run(loop("2, 0, 10s"), 20, 25, 25)).toEqual(["60 good 0", "0 good 1", "25 good 1"]);
  });

  test("with a gain below 0 more output makes the measurement fall", () => {
    expect(run(loop("-2, 5s, 0"), 60, 60)).toEqual(["20 good 0", "24 good 1"]);
  });

  test("no wind-up: at a limit the integral waits, and leaves it at once", () => {
    const bench = loop("1, 1s, 0");
    run(bench, ...Array.from({ length: 200 }, () => -40 as Given));
    expect(run(bench, 10, 51, 51)).toEqual(["90 good 1", "48 good 1", "47 good 1"]);
  });

  test("W8: no value while an input is not good, and the integral stands still", () => {
    const bench = loop("2, 5s, 0");
    expect(run(bench, 40, 40, "bad", [40, 1], 40, 40)).toEqual(["20 good 0", "24 good 1",
      "bad:timeout 0", "null 0", "24 uncertain:skipped 3", "28 good 1"]);
  });

  test("W8: it goes on without a bump, whatever the measurement is by then", () => {
    const bench = loop("2, 5s, 0");
    expect(run(bench, 40, "bad", 45, 45)).toEqual(["20 good 0", "bad:timeout 0",
      "20 uncertain:skipped 2", "22 good 1"]);
  });

  test("W8: a gap longer than declared makes it begin anew, and nothing is left of before", () => {
    const bench = loop("2, 5s, 0");
    run(bench, 40, 40, 40);
    expect(bench.row({ a: 40 }, 0, 3)).toBe("40 good 3");
    expect(bench.row({ a: 40 }, 0, 3.001)).toBe("20 good 0");
    run(bench, "bad", "bad", "bad");
    expect(run(bench, 40)).toEqual(["20 good 0"]);
  });

  test("W18: rows that were replayed or read later do not move it", () => {
    const bench = loop("2, 5s, 0");
    run(bench, 40);
    expect(bench.row({ a: 0 }, FLAG.replayed)).toBe(`null 0 flags ${FLAG.replayed}`);
    expect(bench.row({ a: 0 }, FLAG.backfill)).toBe(`null 0 flags ${FLAG.backfill}`);
    expect(bench.row({ a: 40 }, FLAG.timeUncertain)).toStartWith("20 uncertain:skipped 3");
  });

  test("it begins at what the actuator has, and follows it while it is not on automatic", () => {
    expect(run(loop("2, 5s, 0", ", m"), 45, 45)).toEqual(["40 good 0", "42 good 1"]);
    const bench = loop("2, 5s, 0", ", m, b");
    expect([[true, 40], [false, 70], [false, 170], [true, 70], [true, 70]].map(([b, m]) =>
      bench.row({ a: 45, b: b as boolean, m: m as number }))).toEqual(["40 good 0", "70 good 1",
      "100 good 1", "100 good 1", "100 good 1"]);
    expect(bench.row({ a: 52, b: true, m: 0 })).toBe("85.2 good 1");
  });

  test("and comes back from there with its D term, too", () => {
    const bench = loop("2, 5s, 10s", ", m, b");
    const row = (a: number, b: boolean): string => bench.row({ a, b, m: 70 }).split(" ")[0]!;
    expect([row(45, false), row(46, false)]).toEqual(["70", "70"]);
    // The D term of −10 halves, and 2 × 4 × 1 s / 5 s are integrated.
    expect(Number(row(46, true))).toBeCloseTo(70 + 5 + 1.6, 9);
  });

  test("what it follows must be good, too", () => {
    const bench = loop("2, 5s, 0", ", m");
    expect(bench.row({ a: 40, m: "bad" })).toBe("bad:timeout 0");
  });

  test("settings that cannot be", () => {
    for (const settings of ["2, -1, 0", "2, 0, -1"]) {
      expect(run(loop(settings), 40)).toEqual(["error:argument 0"]);
    }
    expect(run(new Bench("pid(a, 50, 1, 0, 0, 5, 5, 3s)"), 40)).toEqual(["error:argument 0"]);
    expect(run(new Bench("pid(a, 50, 1, 0, 0, 0, 5, 0)"), 40)).toEqual(["error:argument 0"]);
  });

  test("each key has a loop of its own", () => {
    const bench = new Bench("pid(a, 50, 2, 5s, 0, 0, 100, 9s) OVER (PARTITION BY t)");
    expect(["p", "q", "p"].map((t) => bench.row({ a: 40, t }))).toEqual(["20 good 0", "20 good 0",
      "28 good 2"]);
  });
});
