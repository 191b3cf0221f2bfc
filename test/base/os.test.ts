import { expect, test } from "bun:test";
import { systemClock } from "../../src/base.ts";
import { monotonic } from "../../src/base/os.ts";

test("monotonic runs on after the engine has compiled its caller", () => {
  const began = monotonic();
  const reference = performance.now();
  for (let i = 0; i < 300_000; i++) monotonic();
  const elapsed = performance.now() - reference;
  expect(Math.abs(monotonic() - began - elapsed)).toBeLessThan(20);
});

test("monotonic is the machine's: the same in a worker", async () => {
  const worker = new Worker(new URL("./ticker.ts", import.meta.url).href);
  const before = monotonic();
  const there = await new Promise<number>((resolve, reject) => {
    worker.onmessage = (event) => resolve(event.data);
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage("now");
  });
  worker.terminate();
  expect(there).toBeGreaterThanOrEqual(before);
  expect(there).toBeLessThanOrEqual(monotonic());
});

test("the system's clock: monotonic now, wall time", () => {
  const clock = systemClock();
  expect(Math.abs(clock.now() - monotonic())).toBeLessThan(50);
  expect(Math.abs(clock.time() - Date.now())).toBeLessThan(50);
});
