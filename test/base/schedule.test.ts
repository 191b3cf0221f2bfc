import { describe, expect, test } from "bun:test";
import { cronProblem, scheduleAt } from "../../src/base.ts";

const at = (text: string): number => new Date(`${text}:00`).getTime();
const hour_ms = 3_600_000;
const cron = (text: string, duration = hour_ms, between: { from: number; to: number }[] = []) =>
  ({ cron: text, duration, between });

describe("a schedule says whether the rule runs, and until when that holds", () => {
  const cases: [string, string, boolean, string][] = [
    // 2026-11-26 is a Thursday.
    ["0 6 * * *", "2026-11-26T05:59", false, "2026-11-26T06:00"],
    ["0 6 * * *", "2026-11-26T06:00", true, "2026-11-26T07:00"],
    ["0 6 * * *", "2026-11-26T06:59", true, "2026-11-26T07:00"],
    ["0 6 * * *", "2026-11-26T07:00", false, "2026-11-27T06:00"],
    ["0 6 * * MON-FRI", "2026-11-27T08:00", false, "2026-11-30T06:00"],
    ["0 6 * * 1-5", "2026-11-27T08:00", false, "2026-11-30T06:00"],
    ["0 6 * * 7", "2026-11-26T08:00", false, "2026-11-29T06:00"],
    ["*/30 * * * *", "2026-11-26T08:10", true, "2026-11-26T09:00"],
    ["15,45 8-9 * * *", "2026-11-26T08:00", false, "2026-11-26T08:15"],
    ["0 0 1 JAN *", "2026-11-26T08:00", false, "2027-01-01T00:00"],
    ["0 0 29 2 *", "2026-11-26T08:00", false, "2028-02-29T00:00"],
    // Both days given: either is enough.
    ["0 0 13 * FRI", "2026-11-26T08:00", false, "2026-11-27T00:00"],
  ];
  test.each(cases)("%s at %s: %p until %s", (text, time, open, until) => {
    expect(scheduleAt(cron(text), at(time))).toEqual({ open, until: at(until) });
  });

  test("the next start prolongs what runs: it has no gap", () => {
    const every = cron("*/10 * * * *", 15 * 60_000);
    for (let n = 0; n < 60; n++) {
      expect(scheduleAt(every, at("2026-11-26T08:00") + n * 60_000).open).toBe(true);
    }
  });

  test("a day that no month has never comes", () => {
    expect(scheduleAt(cron("0 0 30 2 *"), at("2026-11-26T08:00")))
      .toEqual({ open: false, until: Infinity });
  });

  test("dates bound it, alone or with cron", () => {
    const between = [{ from: at("2026-11-26T06:30"), to: at("2026-11-26T06:45") }];
    const alone = { cron: null, duration: null, between };
    expect(scheduleAt(alone, at("2026-11-26T06:00")))
      .toEqual({ open: false, until: at("2026-11-26T06:30") });
    expect(scheduleAt(alone, at("2026-11-26T06:45"))).toEqual({ open: false, until: Infinity });
    expect(scheduleAt(cron("0 6 * * *", hour_ms, between), at("2026-11-26T06:31")))
      .toEqual({ open: true, until: at("2026-11-26T06:45") });
  });

  test("whoever asks again at `until` finds the change: it is never missed, never early", () => {
    const schedule = cron("17 */5 * * MON,WED", 40 * 60_000);
    let time = at("2026-11-22T00:00");
    let open = scheduleAt(schedule, time).open;
    for (let n = 0; n < 40; n++) {
      const { until } = scheduleAt(schedule, time);
      expect(scheduleAt(schedule, until - 1).open).toBe(open);
      open = scheduleAt(schedule, until).open;
      time = until;
    }
    expect(time).toBeGreaterThan(at("2026-12-02T00:00"));
  });
});

test.each(["", "0 6 * *", "60 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 * 13 *", "0 0 * * 8",
  "0 0 * * MOON", "5-1 * * * *", "*/0 * * * *", "1.5 * * * *", "a * * * *", "0 0 * * * *"])(
  "cron %p is told what is wrong", (text) => {
    expect(cronProblem(text)).toBeString();
  });
