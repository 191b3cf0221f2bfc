import { describe, expect, test } from "bun:test";
import { drawSeed } from "../../src/base.ts";
import { scalarFunctions } from "../../src/sql/functions.ts";
import { drawn } from "../../src/sql/functions/random.ts";
import { bind } from "../../src/sql/bind.ts";
import { evaluateQuery } from "../evaluate/evaluate.ts";
import { catalog } from "./catalog.ts";

const call = (name: string, ...args: unknown[]): unknown =>
  (scalarFunctions.get(name)!.body as (...args: unknown[]) => unknown)(...args);

const count = 20_000;
const seeds = [1, 2, 2 ** 32, 2 ** 51 + 12345];

describe("what is drawn", () => {
  test.each(seeds)("of seed %d: no number twice, each of 52 bits set in half of them", (seed) => {
    const numbers = Array.from({ length: count }, (_, n) => drawn(seed, n));
    expect(new Set(numbers).size).toBe(count);
    for (let bit = 0; bit < 52; bit++) {
      const set = numbers.filter((x) => Math.floor(x / 2 ** bit) % 2 === 1).length;
      // Six standard deviations.
      expect(Math.abs(set - count / 2)).toBeLessThan(3 * Math.sqrt(count));
    }
  });

  test("seeds next to each other have nothing in common", () => {
    const same = Array.from({ length: count }, (_, n) => [drawn(77, n), drawn(78, n)] as const)
      .filter(([a, b]) => (a < 2 ** 51) === (b < 2 ** 51)).length;
    expect(Math.abs(same - count / 2)).toBeLessThan(3 * Math.sqrt(count));
  });

  test("a seed is a whole number that a float holds beside a small one", () => {
    for (let i = 0; i < 100; i++) {
      const seed = drawSeed();
      expect(Number.isSafeInteger(seed + 100) && seed >= 1).toBe(true);
    }
  });
});

test("UUIDs are of version 4, and each is another one", () => {
  const ids = Array.from({ length: count }, (_, i) => call("newuuid", 1000, i, i + 1, i + 2));
  expect(new Set(ids).size).toBe(count);
  for (const id of ids) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});

test("each order of three items comes as often as the others", () => {
  const times = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    const order = String(call("array_shuffle", 1000, drawn(5, i), [1, 2, 3]));
    times.set(order, (times.get(order) ?? 0) + 1);
  }
  expect(times.size).toBe(6);
  for (const n of times.values()) expect(Math.abs(n - 1000)).toBeLessThan(180);
  expect(call("array_shuffle", 1000, 1, "abc")).toBeUndefined();
});

test("two calls are two, an alias is one; a row in two windows is two draws", () => {
  const rows = [0, 1, 2].map((i) => ({ time: 10 * i, flags: 0, cells: new Map() }));
  const shown = (sql: string): unknown[][] => evaluateQuery(bind(sql, catalog), rows).rows
    .map(({ cells }) => [...cells.values()].map(({ value }) => value));
  for (const [a, b, c] of shown("SELECT rand() AS a, rand() AS b, a AS c FROM press.fast")) {
    expect(a).not.toBe(b as number);
    expect(c).toBe(a as number);
  }
  const ids = shown("SELECT newuuid() AS id FROM press.fast GROUP BY SLIDINGWINDOW(ss, 1)").flat();
  expect([ids.length, new Set(ids).size]).toEqual([6, 6]);
});
