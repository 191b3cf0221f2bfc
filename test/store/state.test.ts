import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Arena, FLAG, packRows, readCell, Ring, unpackRows, writeCell } from "../../src/ring.ts";
import { seal, unseal, type Segment } from "../../src/store.ts";
import { World } from "./fixture.ts";

const layout = Ring.layout("orders", [
  { name: "n", kind: "int64", slot: 0 }, { name: "x", kind: "float64", slot: 0 },
  { name: "t", kind: "text", slot: 16 }, { name: "on", kind: "bool", slot: 0 },
], 16);
const ringOf = (): Ring => Ring.create(Arena.create(1 << 16), layout).ring;

function put(ring: Ring, i: number): void {
  ring.claim(1);
  const at = ring.head & ring.mask;
  ring.arena.F[ring.timeAt + at] = 1000 + i;
  ring.arena.F[ring.sourceAt + at] = NaN;
  ring.arena.U[ring.flagsAt + at] = FLAG.timeUncertain;
  const values = [2n ** 62n + BigInt(i), i / 3, "ü".repeat(i % 9), i % 2 === 0];
  ring.columns.forEach((column, c) => {
    if (i % 5 === c) writeCell(ring, column, ring.head, null, 67);
    else writeCell(ring, column, ring.head, values[c]!, 0);
  });
  ring.publish(1);
}

const rowsOf = (ring: Ring, from: number): unknown[] =>
  Array.from({ length: ring.head - from }, (_, i) => [
    ring.arena.F[ring.timeAt + ((from + i) & ring.mask)],
    ...ring.columns.map((column) => [ring.arena.U[column.state + ((from + i) & ring.mask)],
      ring.arena.U[column.state + ((from + i) & ring.mask)] === 0
        ? readCell(ring, column, from + i) : null]),
  ]);

describe("rows as bytes", () => {
  test("come back as they were, across the end of a ring, with flags added", () => {
    const from = ringOf();
    for (let i = 0; i < 27; i++) put(from, i);
    const to = ringOf();
    for (let i = 0; i < 9; i++) put(to, i);
    expect(unpackRows(packRows(from, 13, 14), 14, to, FLAG.replayed)).toBe(14);
    expect(rowsOf(to, 9)).toEqual(rowsOf(from, 13));
    expect(to.arena.U[to.flagsAt + 10]).toBe(FLAG.replayed | FLAG.timeUncertain);
  });
  test("the first of them can be left out", () => {
    const [from, to] = [ringOf(), ringOf()];
    for (let i = 0; i < 10; i++) put(from, i);
    expect(unpackRows(packRows(from, 0, 10), 10, to, 0, 7)).toBe(3);
    expect(rowsOf(to, 0)).toEqual(rowsOf(from, 7));
  });
  test("bytes that are no such rows are refused and publish nothing", () => {
    const [from, to] = [ringOf(), ringOf()];
    for (let i = 0; i < 10; i++) put(from, i);
    const bytes = packRows(from, 0, 10);
    for (const wrong of [bytes.slice(0, -1), bytes.slice(0, 40), new Uint8Array(500).fill(255)]) {
      expect(() => unpackRows(wrong, 10, to, 0)).toThrow("no rows of orders");
    }
    expect(to.head).toBe(0);
  });
});

let world: World;
beforeEach(() => void (world = new World()));
afterEach(() => world.close());

const segment = (over: Partial<Segment> = {}): Segment => seal({
  kind: "journal", owner: "orders", epoch: 3, first: 0, rows: 2, from: 1, to: 2, shape: "s",
  marks: '[[1,"7 a"],[2,"8 b"]]', ...over,
}, new TextEncoder().encode("content"));

const cut = (states: readonly string[]): Segment =>
  segment({ kind: "cut", owner: "", rows: 0, marks: JSON.stringify(states) });

/** Another program writes into the file: what a dying disk does. */
function damage(sql: string): void {
  const db = new Database(join(world.directory, "state.sqlite"));
  db.run(sql);
  db.close();
}

describe("segments", () => {
  test("are there after a crash, in the order of commits", () => {
    const { state } = world.store;
    expect(state.journal([segment(), segment({ owner: "rows", first: 5 })])).toBe(true);
    expect(state.journal([segment({ first: 2 })])).toBe(true);
    const { journal } = world.crash().state.saved()!;
    expect(journal.map(({ owner, first }) => [owner, first]))
      .toEqual([["orders", 0], ["rows", 5], ["orders", 2]]);
    const found = world.store.state.segment(journal[2]!.id)!;
    expect(new TextDecoder().decode(unseal(found)!)).toBe("content");
  });

  test("a torn or altered one is known by its checksum, whatever of it is wrong", () => {
    world.store.state.journal([segment()]);
    for (const wrong of ["content = zeroblob(20)", "first = 1", "marks = '[]'", "epoch = 4",
      "content = substr(content, 1, 5)"]) {
      damage(`UPDATE segments SET ${wrong}`);
      const { id } = world.store.state.saved()!.journal[0]!;
      expect(unseal(world.store.state.segment(id)!), wrong).toBeNull();
    }
  });

  test("an unfinished checkpoint is forgotten at the next start, a finished one replaces", () => {
    const page = (first: number, text: string): Segment =>
      seal({ ...segment({ kind: "state", owner: "avg", first, marks: "" }) },
        new TextEncoder().encode(text));
    const pages = (): string[] => {
      const { state } = world.crash();
      return state.saved()!.state.map(({ id, first }) =>
        `${first} ${new TextDecoder().decode(unseal(state.segment(id)!)!)}`);
    };
    const { state } = world.store;
    state.put(1, [page(0, "a"), page(1, "b")]);
    expect(state.finish(1, cut(["avg s"]), [])).toBe(true);
    state.put(2, [page(1, "later")]);
    expect(pages()).toEqual(["0 a", "1 b"]);
    world.store.state.put(2, [page(1, "c")]);
    world.store.state.finish(2, cut(["avg s"]), []);
    expect(pages()).toEqual(["0 a", "1 c"]);
    expect(world.store.state.saved()!.checkpoint).toBe(2);
    // A rule that is no more, or means something else now.
    world.store.state.finish(3, cut(["avg other"]), []);
    expect(pages()).toEqual([]);
  });

  test("a checkpoint takes what it covers out of the journal, but for the newest messages", () => {
    const { state } = world.store;
    for (let i = 0; i < 6; i++) state.journal([segment({ first: 2 * i })]);
    const firsts = (): number[] => state.saved()!.journal.map(({ first }) => first);
    state.finish(1, cut([]), [{ owner: "orders", epoch: 3, first: 8, keep: 5 }]);
    // Rows 8 to 11 are not covered, and 4 messages; 2 more are kept to know them again.
    expect(firsts()).toEqual([6, 8, 10]);
    state.finish(2, cut([]), [{ owner: "orders", epoch: 3, first: 12, keep: 0 }]);
    expect(firsts()).toEqual([]);
  });

  test("a file that may not grow says so and takes nothing", () => {
    const { state } = world.store;
    const large = seal({ ...segment() }, crypto.getRandomValues(new Uint8Array(65_536)));
    let n = 0;
    while (state.journal([large])) n += 1;
    expect(n).toBeGreaterThan(50);
    expect(state.trouble).toContain("store.stateMB");
    expect(world.store.audit.unavailable).toBeNull();
  });
});
