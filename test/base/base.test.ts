import { expect, test } from "bun:test";
import {
  assert, createLog, createRandom, duration, Fault, formatDuration, hex, limits, nearest,
  nextPowerOfTwo, reason,
} from "../../src/base.ts";

test("assert is silent or throws a bug", () => {
  assert(true, "fine");
  expect(() => assert(0, "x is set")).toThrow("bug: x is set");
});

test("a fault carries code, sentence, values and whether to try again", () => {
  const fault = new Fault("no-link", "No link is called a", { link: "a" }, "later");
  expect(fault).toBeInstanceOf(Error);
  expect([fault.code, fault.message, fault.values, fault.retry])
    .toEqual(["no-link", "No link is called a", { link: "a" }, "later"]);
  expect(reason(fault)).toBe("No link is called a");
  expect(reason("broken")).toBe("broken");
});

test("durations are read with their units, and refused without", () => {
  const known: [string, number][] = [
    ["100ms", 100], ["2s", 2000], ["1h30m", 5_400_000], ["5min", 300_000], ["0.5s", 500],
    ["250us", 0.25], ["1d", 86_400_000], ["0s", 0],
  ];
  for (const [text, ms] of known) expect([text, duration(text)]).toEqual([text, ms]);
  for (const text of ["", "5", "s", "1 s", "-1s", "1x", "1.s", "0.1.2s", "1s,"]) {
    expect([text, duration(text)]).toEqual([text, null]);
  }
});

test("a formatted duration reads back as the same", () => {
  for (const ms of [0, 0.25, 1, 999, 1000, 1500, 60_000, 90_000, 86_400_000, 90_061_001]) {
    expect([ms, duration(formatDuration(ms))]).toEqual([ms, ms]);
  }
  expect(formatDuration(90_000)).toBe("1m30s");
});

test("nearest finds what was meant, or nothing", () => {
  const known = ["temperature", "pressure", "door_closed", "eu"];
  expect(nearest("temprature", known)).toBe("temperature");
  expect(nearest("Pressure", known)).toBe("pressure");
  expect(nearest("rpessure", known)).toBe("pressure");
  expect(nearest("ue", known)).toBe("eu");
  expect(nearest("speed", known)).toBe(null);
  expect(nearest("temp", known)).toBe("temperature");
  expect(nearest("tem", known)).toBe(null);
});

test("random is repeatable, in range and about even", () => {
  const seed = Number(process.env.SOAK_SEED ?? 1);
  const [one, same, other] = [createRandom(seed), createRandom(seed), createRandom(seed + 1)];
  const drawn = Array.from({ length: 1000 }, () => one.next());
  expect(drawn).toEqual(Array.from({ length: 1000 }, () => same.next()));
  expect(drawn).not.toEqual(Array.from({ length: 1000 }, () => other.next()));
  const counts = Array<number>(8).fill(0);
  for (let i = 0; i < 80_000; i++) counts[one.below(8)]!++;
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  expect(["a", "b"]).toContain(one.pick(["a", "b"]));
  expect(one.chance(0)).toBe(false);
  expect(one.chance(1)).toBe(true);
});

test("a log line has time, level, area, sentence and values", () => {
  const lines: string[] = [];
  const log = createLog("info", () => 0, (line) => lines.push(line));
  log.debug("ring", "not shown");
  log.warn("link", "plc-1 is down", { reason: "no route", tries: 3, id: 5n, at: undefined });
  expect(lines).toEqual([
    "1970-01-01T00:00:00.000Z warn  link: plc-1 is down " +
      `reason="no route" tries=3 id=5 at=undefined`,
  ]);
});

test("bytes", () => {
  expect(hex(Uint8Array.of(1, 0xab, 0))).toBe("01 ab 00");
  expect(hex(Uint8Array.of(1, 0xab, 0), 1, 2)).toBe("ab");
  expect([1, 2, 3, 1000, 1024].map(nextPowerOfTwo)).toEqual([1, 2, 4, 1024, 1024]);
});

test("each limit is a positive number, or 0 where that means off", () => {
  for (const [name, value] of Object.entries(limits)) {
    expect([name, Number.isInteger(value) && value >= 0]).toEqual([name, true]);
  }
});
