import { beforeEach, describe, expect, test } from "bun:test";
import { Fault } from "../../src/base.ts";
import type { TableConfig } from "../../src/config.ts";
import type { Answer, Lookup } from "../../src/connector.ts";
import { Arena, BAD, GOOD, readCell, Ring, tagColumn, UNCERTAIN, writeCell, type CellValue }
  from "../../src/ring.ts";
import { LookupCache, planTable } from "../../src/runtime/lookup.ts";
import { answer } from "../../src/sql.ts";

/** A table whose answers the test gives, at the times that the test says. */
class Questions implements Lookup {
  readonly all: { keys: readonly CellValue[]; abort: AbortSignal;
    resolve(rows: (Answer | null | Fault)[]): void; reject(thrown: unknown): void }[] = [];

  ask(keys: readonly CellValue[], abort: AbortSignal): Promise<(Answer | null | Fault)[]> {
    return new Promise((resolve, reject) => this.all.push({ keys, abort, resolve, reject }));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

const base: TableConfig = {
  name: "recipes", type: "sql", key: "name", ttl: 1000, capacity: 16, deadline: 100,
  columns: [{ name: "name", type: "text(8)" }, { name: "target", type: "float64" }],
  onError: { kind: "null" }, settings: {},
};

let questions: Questions;
let cache: LookupCache;
let woken: number;
const arena = Arena.create(1 << 22);
const keys = Ring.create(arena, Ring.layout("keys", [tagColumn("k", "text(16)")], 64)).ring;
const column = keys.column("k")!;

function open(change: Partial<TableConfig> = {}): void {
  questions = new Questions();
  woken = 0;
  const plan = planTable({ ...base, ...change });
  cache = new LookupCache(plan, arena, questions, () => { woken++; });
}

/** What is known of a key: its target and how good it is, or the code. */
function find(key: string, now: number): unknown {
  writeCell(keys, column, 0, key);
  const at = cache.find(keys, column, 0, now);
  const code = Object.entries(answer).find(([, n]) => n === at)?.[0];
  if (code !== undefined) return code === "waiting" ? code : [code, cache.state];
  return [readCell(cache.rows, cache.rows.column("target")!, at), cache.state];
}

const settled = (): Promise<void> => new Promise((done) => setImmediate(done));

beforeEach(() => open());

/** Asks for keys at `now` and answers all of them. */
async function know(rows: Record<string, number | null>, now: number): Promise<void> {
  for (const key of Object.keys(rows)) find(key, now);
  cache.step(now);
  const question = questions.all.at(-1)!;
  question.resolve(question.keys.map((key) => {
    const target = rows[key as string]!;
    return target === null ? null : [key, target];
  }));
  await settled();
}

async function fail(key: string, now: number): Promise<void> {
  find(key, now);
  cache.step(now);
  questions.all.at(-1)!.reject(new Error("no route"));
  await settled();
}

test("keys that are asked together go in one question; answers are good for ttl", async () => {
  expect([find("a", 0), find("b", 0), find("a", 1)]).toEqual(["waiting", "waiting", "waiting"]);
  cache.step(1);
  expect(questions.all.map((q) => q.keys)).toEqual([["a", "b"]]);
  questions.all[0]!.resolve([["a", 1], null]);
  await settled();
  expect(woken).toBe(1);
  expect([find("a", 900), find("b", 900)]).toEqual([[1, GOOD], ["missing", GOOD]]);
  expect(find("a", 1002)).toBe("waiting");
  expect(cache.counters).toMatchObject({ asked: 2, questions: 1, hits: 2 });
});

test("what comes while two questions are under way goes together into the third", () => {
  for (const key of ["a", "b", "c", "d"]) {
    find(key, 0);
    cache.step(0);
  }
  expect(questions.all.map((q) => q.keys)).toEqual([["a"], ["b"]]);
});

test("a key longer than the column is asked of nobody", () => {
  expect(find("0123456789", 0)).toEqual(["missing", GOOD]);
  expect(cache.step(0)).toBe(Infinity);
  expect(questions.all).toEqual([]);
});

test("a full cache lets the oldest go, but no key whose answer is waited for", async () => {
  await know(Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${i}`, i])), 0);
  expect(find("new", 1)).toBe("waiting");
  expect(cache.counters.evicted).toBe(1);
  expect([find("k1", 1), find("k15", 1)]).toEqual([[1, GOOD], [15, GOOD]]);
  for (let i = 0; i < 40; i++) expect(find(`x${i}`, 1)).toBe("waiting");
  // 16 keys are waited for; the others find no room until there are answers.
  cache.step(1);
  expect(questions.all.at(-1)!.keys.length).toBe(16);
  questions.all.at(-1)!.resolve(questions.all.at(-1)!.keys.map((key) => [key, 5]));
  await settled();
  expect(find("new", 2)).toEqual([5, GOOD]);
});

describe("onError", () => {
  test("null: why there is nothing; it is tried again, and nobody waits for that", async () => {
    await fail("a", 0);
    expect(find("a", 1)).toEqual(["failed", BAD.disconnected]);
    expect([cache.failing, cache.lastError]).toEqual([true, "no route"]);
    expect(find("a", 500)).toEqual(["failed", BAD.disconnected]);
    cache.step(500);
    expect(questions.all.length).toBe(2);
    questions.all[1]!.resolve([["a", 3]]);
    await settled();
    expect([find("a", 501), cache.failing]).toEqual([[3, GOOD], false]);
  });

  test("stale: the last row as uncertain, up to its time; then nothing", async () => {
    open({ onError: { kind: "stale", ms: 5000 } });
    await know({ a: 1, gone: null }, 0);
    await fail("a", 1500);
    expect(find("a", 1501)).toEqual([1, UNCERTAIN.stale]);
    expect(find("a", 5999)).toEqual([1, UNCERTAIN.stale]);
    expect(find("a", 6001)).toEqual(["failed", BAD.disconnected]);
    expect(cache.counters).toMatchObject({ stale: 2, unanswered: 1, failed: 1 });
  });

  test("stale: that there is no row is no more certain than a row", async () => {
    open({ onError: { kind: "stale", ms: 5000 } });
    await know({ a: null }, 0);
    await fail("a", 1500);
    expect(find("a", 1501)).toEqual(["missing", UNCERTAIN.stale]);
  });

  test("hold: it waits, and the loop comes again to ask", async () => {
    open({ onError: { kind: "hold" } });
    await fail("a", 0);
    expect(find("a", 1)).toBe("waiting");
    const again = cache.step(1);
    expect(again).toBeGreaterThan(1);
    expect(again).toBeLessThan(1000);
    expect(find("a", again)).toBe("waiting");
    cache.step(again);
    expect(questions.all.length).toBe(2);
    questions.all[1]!.resolve([["a", 4]]);
    await settled();
    expect(find("a", again)).toEqual([4, GOOD]);
  });

  test("slow: after the deadline it is given up; what it still says is not heard", async () => {
    find("a", 0);
    expect(cache.step(0)).toBe(100);
    cache.step(100);
    expect(questions.all[0]!.abort.aborted).toBe(true);
    expect(find("a", 101)).toEqual(["failed", BAD.timeout]);
    questions.all[0]!.resolve([["a", 9]]);
    await settled();
    expect(find("a", 102)).toEqual(["failed", BAD.timeout]);
  });

  test.each([
    ["text", "target is no float64 (error:type): x"], [{}, "no float64"], [Infinity, "no float64"],
  ])("a value of another type, %p: the row before stays", async (v, why) => {
    open({ onError: { kind: "stale", ms: 5000 } });
    await know({ a: 1 }, 0);
    find("a", 1500);
    cache.step(1500);
    questions.all.at(-1)!.resolve([["a", v === "text" ? "x" : v]]);
    await settled();
    expect(find("a", 1501)).toEqual([1, UNCERTAIN.stale]);
    expect(cache.lastError).toContain(why);
  });

  test("one key's trouble is no other's", async () => {
    find("a", 0);
    find("b", 0);
    cache.step(0);
    questions.all[0]!.resolve([new Fault("table-key", "more than one row"), ["b", 2]]);
    await settled();
    expect([find("a", 1), find("b", 1)]).toEqual([["failed", BAD.source], [2, GOOD]]);
  });
});
