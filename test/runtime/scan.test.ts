import { expect, test } from "bun:test";
import type { TableConfig } from "../../src/config.ts";
import type { Answer, Lookup } from "../../src/connector.ts";
import { Arena, readCell, Ring, stateName } from "../../src/ring.ts";
import { planTable } from "../../src/runtime/lookup.ts";
import { ScanTable } from "../../src/runtime/scan.ts";

/** When a table is read as a whole, and what its rows are while it cannot be. */
const base: TableConfig = {
  name: "limits", type: "csv", key: null, ttl: 1000, capacity: 3, deadline: 100,
  columns: [{ name: "name", type: "text(8)" }, { name: "most", type: "float64" }],
  onError: { kind: "null" }, settings: {},
};

interface Reading { resolve(rows: Answer[]): void; reject(thrown: unknown): void;
  readonly abort: AbortSignal }

class Hands implements Lookup {
  readonly readings: Reading[] = [];
  ask(): never {
    throw new Error("nobody asks by key");
  }

  list(_most: number, abort: AbortSignal): Promise<Answer[]> {
    return new Promise((resolve, reject) => this.readings.push({ resolve, reject, abort }));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function open(change: Partial<TableConfig> = {}) {
  const hands = new Hands();
  const table = new ScanTable(planTable({ ...base, ...change }), Arena.create(1 << 16), hands,
    null, () => undefined);
  const rows = (): string[] => Array.from({ length: table.known }, (_, i) => {
    const seq = table.from + i;
    return table.rows.columns.map((column) => {
      const state = table.rows.arena.U[column.state + (seq & table.rows.mask)]!;
      return `${readCell(table.rows, column, seq)}${state === 0 ? "" : ` ${stateName(state)}`}`;
    }).join(" ");
  });
  const settled = (): Promise<void> => new Promise((done) => setImmediate(done));
  return {
    table, hands, rows,
    async answer(now: number, answers: Answer[]): Promise<void> {
      table.step(now, 0);
      hands.readings.at(-1)!.resolve(answers);
      await settled();
    },
    async fail(now: number): Promise<void> {
      table.step(now, 0);
      hands.readings.at(-1)!.reject(new Error("it is gone"));
      await settled();
    },
  };
}

test("it is read every half ttl; rows that wait are those before it was ever read", async () => {
  const { table, hands, rows, answer } = open();
  expect(table.waiting).toBe(true);
  expect(table.step(0, 0)).toBe(100);
  await answer(10, [["a", 1], ["b", "2.5"]]);
  expect([table.waiting, rows()]).toEqual([false, ["a 1", "b 2.5"]]);
  expect(table.step(20, 0)).toBe(500);
  expect(hands.readings.length).toBe(1);
  await answer(500, [["c", 3]]);
  expect(rows()).toEqual(["c 3"]);
  // Far more often than its ring holds.
  for (let i = 2; i < 20; i++) await answer(i * 500, [["x", i], ["y", null], ["z", 0]]);
  expect(rows()).toEqual(["x 19", "y 0 null", "z 0"]);
  expect(table.counters).toMatchObject({ questions: 20, failed: 0 });
});

test("an answer that does not fit is none of it: rows stay as they were", async () => {
  const { table, rows, answer } = open();
  await answer(0, [["a", 1]]);
  await answer(500, [["a", 2], ["b", "many"]]);
  expect(rows()).toEqual(["a 1"]);
  expect([table.failing, table.lastError])
    .toEqual([true, "row 2: most is no float64 (error:type): many"]);
  await answer(800, [["a", 2]]);
  expect([table.failing, rows()]).toEqual([false, ["a 2"]]);
});

test("too late: it is given up and asked again after a pause; past ttl there are no rows",
  async () => {
    const { table, hands, rows, answer } = open();
    await answer(0, [["a", 1]]);
    table.step(500, 0);
    expect(table.step(550, 0)).toBe(600);
    expect(table.step(600, 0)).toBe(800);
    expect(hands.readings[1]!.abort.aborted).toBe(true);
    expect(table.lastError).toBe("no answer within 100 ms");
    hands.readings[1]!.resolve([["late", 9]]);
    await new Promise((done) => setImmediate(done));
    expect(rows()).toEqual(["a 1"]);
    table.step(800, 0);
    table.step(1000, 0);
    expect(rows()).toEqual(["a 1"]);
    table.step(1001, 0);
    expect([table.waiting, rows()]).toEqual([false, []]);
  });

test("stale: uncertain for so long, then none; one answer, and all is good", async () => {
  const { table, rows, answer, fail } = open({ onError: { kind: "stale", ms: 5000 } });
  await answer(0, [["a", 1], ["b", null]]);
  await fail(500);
  expect(rows()).toEqual(["a 1", "b 0 null"]);
  expect(table.step(999, 0)).toBeLessThanOrEqual(1001);
  await fail(1001);
  expect(rows()).toEqual(["a uncertain:stale 1 uncertain:stale",
    "b uncertain:stale 0 null"]);
  expect(table.counters.stale).toBe(2);
  await fail(6001);
  expect(rows()).toEqual([]);
  await answer(20_000, [["a", 1]]);
  expect(rows()).toEqual(["a 1"]);
});

test("hold: rows of streams wait, before the first answer and past ttl", async () => {
  const { table, rows, answer, fail } = open({ onError: { kind: "hold" } });
  await fail(0);
  expect(table.waiting).toBe(true);
  await answer(1000, [["a", 1]]);
  expect(table.waiting).toBe(false);
  await fail(1500);
  expect(table.waiting).toBe(false);
  await fail(2002);
  expect(table.waiting).toBe(true);
  await answer(9000, [["a", 1]]);
  expect([table.waiting, rows()]).toEqual([false, ["a 1"]]);
});

test("null: a table that was never read has no rows, and nobody waits for it", async () => {
  const { table, rows, fail } = open();
  await fail(0);
  expect(table.step(1, 0)).toBeLessThan(1000);
  expect([table.waiting, rows()]).toEqual([false, []]);
});

test("a rule that reads it by itself gets all rows at each reading, at the time of the turn",
  async () => {
    const hands = new Hands();
    const plan = planTable(base);
    const arena = Arena.create(1 << 16);
    const { ring } = Ring.create(arena, Ring.layout("limits", plan.layout.columns, 8));
    const table = new ScanTable(plan, arena, hands, ring, () => undefined);
    const read = async (now: number, answers: Answer[]): Promise<void> => {
      table.step(now, 1e6 + now);
      hands.readings.at(-1)!.resolve(answers);
      await new Promise((done) => setImmediate(done));
      table.step(now + 1, 1e6 + now + 1);
      table.step(now + 2, 1e6 + now + 2);
    };
    await read(0, [["a", 1], ["b", 2]]);
    await read(500, [["c", 3]]);
    expect([0, 1, 2].map((seq) => [readCell(ring, ring.columns[0]!, seq),
      ring.arena.F[ring.timeAt + seq]! - 1e6])).toEqual([["a", 1], ["b", 1], ["c", 501]]);
    expect(ring.head).toBe(3);
  });
