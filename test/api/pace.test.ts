import { expect, test } from "bun:test";
import { Pace } from "../../src/api/pace.ts";
import { limits } from "../../src/base.ts";
import { monotonic } from "../../src/base/os.ts";

const nothing = async (): Promise<null> => null;

/** Keeps the thread. */
function busy(ms: number): void {
  const until = monotonic() + ms;
  while (monotonic() < until);
}

test("questions are answered one after the other, with a rest as long as each took", async () => {
  const pace = new Pace();
  const spans: [number, number][] = [];
  await Promise.all(Array.from({ length: 3 }, () => pace.answer(false, nothing, async () => {
    const from = monotonic();
    await Bun.sleep(10);
    busy(10);
    spans.push([from, monotonic()]);
  })));
  expect(spans.length).toBe(3);
  for (const [i, [from]] of spans.slice(1).entries()) {
    expect(from - spans[i]![1]).toBeGreaterThanOrEqual(19);
  }
});

test("what waits for equipment keeps nobody waiting, but its own work counts", async () => {
  const pace = new Pace();
  const begins: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const slow = pace.answer(true, nothing, () => {
    busy(10);
    begins.push(monotonic());
    return promise;
  });
  await pace.answer(false, nothing, async () => void begins.push(monotonic()));
  expect(begins[1]! - begins[0]!).toBeGreaterThanOrEqual(9);
  resolve();
  await slow;
});

test("more in flight than the limit are refused; who fails gives its place back", async () => {
  const pace = new Pace();
  const { promise, resolve } = Promise.withResolvers<void>();
  const waiting = Array.from({ length: limits.api_requests_max - 1 }, () =>
    pace.answer(true, nothing, () => promise));
  const broken = pace.answer(true, async () => { throw new Error("no body"); }, nothing);
  const one = pace.answer(true, nothing, nothing);
  expect(one).rejects.toThrow(`${limits.api_requests_max} requests are being answered already`);
  expect(broken).rejects.toThrow("no body");
  await Bun.sleep(5);
  expect(pace.refused).toBe(1);
  expect(await pace.answer(false, nothing, async () => 7)).toBe(7);
  resolve();
  await Promise.all(waiting);
});
