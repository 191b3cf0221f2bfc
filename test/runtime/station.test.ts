import { expect, test } from "bun:test";
import { DONE, newCounters, type Session } from "../../src/driver.ts";
import { BAD } from "../../src/ring.ts";
import { Station } from "../../src/runtime/station.ts";

const ended = (result: number, exception = 0): Session =>
  ({ result, exception, counters: newCounters() }) as Session;

/** ms of the pauses after so many exchanges that were not answered. */
function pauses(station: Station, silent: number, probe_ms = 0): number[] {
  return Array.from({ length: silent }, () => {
    expect(station.judge(ended(BAD.timeout), 1000)).toBe(true);
    station.pause(probe_ms, 1000);
    return Math.max(0, station.pausedUntil - 1000);
  });
}

test("the third silence pauses a station, each further one for twice as long, up to 10 s", () => {
  expect(pauses(new Station(), 9)).toEqual([0, 0, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
});

test("where probes are slow the pause grows up to a minute", () => {
  expect(pauses(new Station(), 8, 25_000).slice(-3)).toEqual([8000, 16_000, 25_000]);
  expect(pauses(new Station(), 12, 1e6).slice(-2)).toEqual([60_000, 60_000]);
});

test.each([[DONE, 0], [BAD.exception, 4], [BAD.address, 2]])(
  "an answer (state %p) ends the pause, and silence is counted anew", (result, exception) => {
    const station = new Station();
    pauses(station, 4);
    expect(station.judge(ended(result, exception), 2000)).toBe(false);
    expect([station.pausedUntil, station.failures, station.exception]).toEqual([0, 0, exception]);
    expect(station.lastGood).toBe(result === DONE ? 2000 : -1);
    expect(pauses(station, 3)).toEqual([0, 0, 1000]);
  });

test("a lost connection says nothing of a station", () => {
  const station = new Station();
  pauses(station, 2);
  expect([station.judge(ended(BAD.disconnected), 2000), station.failures]).toEqual([false, 2]);
});
