import { expect, test } from "bun:test";
import { Arena, Bell, Counters, Word } from "../../src/ring.ts";

test("a word is the same for everybody who attaches", () => {
  const arena = Arena.create(1024);
  const word = Word.create(arena, "latch");
  const other = Word.attach(Arena.attach(arena.buffer), word.at);
  word.set(7);
  expect(other.get()).toBe(7);
  expect(other.add(2)).toBe(9);
  word.set(0x7fffffff);
  expect(word.add(1)).toBe(-0x80000000);
});

test("a bell rung while its role worked is not lost: sleep ends at once", async () => {
  const bell = Bell.create(Arena.create(1024), "control");
  const seen = bell.get();
  bell.ring();
  await bell.sleep(seen, 60_000);
  bell.stand(seen, 60_000);
  expect(bell.get()).not.toBe(seen);
});

test("a sleeping role is woken by another thread", async () => {
  const arena = Arena.create(1024);
  const bell = Bell.create(arena, "control");
  const worker = new Worker(new URL("./ringer.ts", import.meta.url).href);
  const own = Bell.create(arena, "worker");
  await new Promise<void>((resolve) => {
    worker.onmessage = () => resolve();
    worker.postMessage({ buffer: arena.buffer, at: bell.at, own: own.at });
  });
  const seen = bell.get();
  const asleep = bell.sleep(seen, 60_000);
  own.ring();
  await asleep;
  expect(bell.get()).toBe(seen + 1);
  worker.terminate();
});

test("a bell that nobody rings lets its role sleep no longer than asked", async () => {
  const bell = Bell.create(Arena.create(1024), "control");
  await bell.sleep(bell.get(), 1);
  bell.stand(bell.get(), 1);
});

test("counters", () => {
  const arena = Arena.create(1024);
  const names = ["rows", "lost"];
  const counters = Counters.create(arena, names, "data");
  counters.add(0, 3);
  counters.add(0, 2 ** 40);
  counters.set(1, 9);
  const other = Counters.attach(Arena.attach(arena.buffer), counters.at, names);
  expect([other.get(0), other.get(1)]).toEqual([3 + 2 ** 40, 9]);
  expect(() => Counters.create(arena, ["a", "a"], "x")).toThrow("a name twice");
});
