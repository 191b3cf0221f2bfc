import { expect, test } from "bun:test";
import { createLog, eventLoop } from "../../src/base.ts";
import { logConnector } from "../../src/connector.ts";
import { Arena, Ring, tagColumn, writeCell } from "../../src/ring.ts";
import { configured } from "../support/configured.ts";

test("rows are lines, at most so many a second; the others are counted", () => {
  const layout = Ring.layout("s", [tagColumn("value", "float64")], 64);
  const { ring } = Ring.create(Arena.create(layout.bytes), layout);
  for (let i = 0; i < 30; i++) {
    ring.claim(1);
    writeCell(ring, ring.columns[0]!, i, i + 0.5);
    ring.publish(1);
  }
  const lines: string[] = [];
  let now = 5000;
  const connection = configured(logConnector).connect("log", {}, {
    log: createLog("info", () => now, (line) => lines.push(line)),
    gateway: "g", message_bytes_max: 1, timers: eventLoop, durable: false,
    time: () => now, now: () => now, flags: () => 0, wake: () => undefined,
  });
  const sink = connection.sink("console", { rowsPerSecond: 4 }, ring, "hold");
  expect(sink.drain(0, 10)).toBe(10);
  expect(lines.length).toBe(4);
  expect(lines[0]).toContain('console hold: {"value":0.5} time=');
  expect(connection.status).toMatchObject({ sent: 4, dropped: 6 });
  now += 500;
  expect(sink.drain(10, 30)).toBe(30);
  expect(lines.length).toBe(6);
  expect(lines[4]).toContain("leftOut=6");
});
