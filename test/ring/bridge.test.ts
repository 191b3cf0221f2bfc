import { expect, test } from "bun:test";
import {
  Arena, Bridge, FLAG, Ring, readCell, tagColumn, writeCell, type CellValue,
} from "../../src/ring.ts";

const columns = [
  tagColumn("temperature", "float64"), tagColumn("count", "int64"), tagColumn("open", "bool"),
  tagColumn("label", "text(24)"), tagColumn("unused", "float64"),
];
const wanted = ["label", "count", "temperature"];
const all = columns.map(({ name }) => name);

function pair(rows: number, localRows = rows, names = wanted): { remote: Ring; local: Ring } {
  const layout = Ring.layout("press.fast", columns, rows);
  const remote = Ring.create(Arena.create(1 << 16), layout).ring;
  const some = names.map((name) => columns.find((c) => c.name === name)!);
  const local = Ring.create(Arena.create(1 << 16), Ring.layout("bridge", some, localRows)).ring;
  return { remote, local };
}

function start(ring: Ring, seq: number): void {
  ring.arena.I[ring.headAt] = seq;
  ring.arena.I[ring.claimAt] = seq;
}

function valuesOf(seq: number): Record<string, CellValue> {
  return {
    temperature: seq + 0.5, count: (BigInt(seq) << 32n) | 0x7ff1dead00000001n, open: true,
    label: "x".repeat(seq & 7) + seq, unused: -1,
  };
}

function write(ring: Ring, n: number): void {
  ring.claim(n);
  for (let i = 0; i < n; i++) {
    const seq = (ring.head + i) | 0;
    const { F, U } = ring.arena;
    F[ring.timeAt + (seq & ring.mask)] = seq;
    F[ring.sourceAt + (seq & ring.mask)] = -seq;
    U[ring.flagsAt + (seq & ring.mask)] = FLAG.timeUncertain;
    for (const [name, value] of Object.entries(valuesOf(seq))) {
      writeCell(ring, ring.column(name)!, seq, value, seq & 63);
    }
  }
  ring.publish(n);
}

/** Compares local row `at` with what remote row `seq` was. */
function expectRow(local: Ring, at: number, seq: number, names = wanted): void {
  const { F, U } = local.arena;
  const row = at & local.mask;
  expect(F[local.timeAt + row]).toBe(seq);
  expect(F[local.sourceAt + row]).toBe(-seq);
  expect(U[local.flagsAt + row]).toBe(FLAG.timeUncertain);
  for (const name of names) {
    const column = local.column(name)!;
    expect(readCell(local, column, at)).toBe(valuesOf(seq)[name]!);
    expect(U[column.state + row]).toBe(seq & 63);
  }
}

test("carries the named columns, in batches of at most the budget and half the local ring", () => {
  const { remote, local } = pair(16);
  const bridge = new Bridge(remote, local);
  expect(bridge.step(100)).toBe(0);
  write(remote, 13);
  expect(bridge.lag()).toBe(13);
  expect(bridge.step(3)).toBe(3);
  expect(bridge.step(100)).toBe(8);
  expect(bridge.step(100)).toBe(2);
  expect(bridge.lag()).toBe(0);
  for (let seq = 0; seq < 13; seq++) expectRow(local, seq, seq);
  expect(bridge.lost).toBe(0);
});

test("a ring like the remote one lies elsewhere, and has all of it", () => {
  const { remote } = pair(8);
  const arena = Arena.create(1 << 17);
  arena.take(5000, "what stands before it");
  const { ring: local } = Ring.create(arena, Ring.layout("bridge", structuredClone(columns), 8));
  expect(local.at).not.toBe(remote.at);
  const bridge = new Bridge(remote, local);
  for (let seq = 0; seq < 20; seq += 4) {
    write(remote, 4);
    expect(bridge.step(100)).toBe(4);
    for (let i = seq; i < seq + 4; i++) expectRow(local, i, i, all);
  }
});

test("of rings unlike each other in rows alone columns go by their names", () => {
  const { remote, local } = pair(16, 8, all);
  const bridge = new Bridge(remote, local);
  write(remote, 4);
  expect(bridge.step(100)).toBe(4);
  for (let seq = 0; seq < 4; seq++) expectRow(local, seq, seq, all);
});

test("counts what was lapped before it came, exactly, also across the wrap", () => {
  const { remote, local } = pair(16);
  const first = 0x7fffffff - 20;
  start(remote, first);
  const bridge = new Bridge(remote, local);
  for (let i = 0; i < 25; i++) write(remote, 1);
  expect(local.gaps.count).toBe(0);
  expect(bridge.step(4)).toBe(4);
  expect(bridge.lost).toBe(9);
  // Readers are told up to which time rows are missing.
  expect(local.gaps.upTo).toBe(first + 9);
  const { count } = local.gaps;
  for (let i = 0; i < 4; i++) expectRow(local, i, (first + 9 + i) | 0);
  while (bridge.lag() > 0) bridge.step(4);
  expect(bridge.lost).toBe(9);
  expect(local.gaps.count).toBe(count);
  expect(local.head).toBe(16);
  for (let i = 0; i < 16; i++) expectRow(local, i, (first + 9 + i) | 0);
});

test("rows claimed while they were copied are discarded, the rest moves down", () => {
  const { remote, local } = pair(16);
  const bridge = new Bridge(remote, local);
  write(remote, 16);
  // As if the writer came in between: the claim is out, the head is not.
  remote.claim(5);
  expect(bridge.step(8)).toBe(3);
  expect(bridge.lost).toBe(5);
  for (let i = 0; i < 3; i++) expectRow(local, i, 5 + i);
  expect(bridge.step(8)).toBe(8);
  expect(local.head).toBe(11);
  expectRow(local, 10, 15);
});

test("starts at a given sequence, else at the next row", () => {
  const { remote, local } = pair(16);
  write(remote, 4);
  expect(new Bridge(remote, local).lag()).toBe(0);
  const other = pair(16).local;
  const bridge = new Bridge(remote, other, 1);
  expect(bridge.step(9)).toBe(3);
  expectRow(other, 0, 1);
});

test("a torn length reads no further than its slot", () => {
  const { remote, local } = pair(16);
  const bridge = new Bridge(remote, local);
  write(remote, 1);
  remote.arena.I[remote.column("label")!.length] = 0x7fffffff;
  expect(bridge.step(1)).toBe(1);
  const column = local.column("label")!;
  const after = local.arena.U[column.payload + column.slot];
  expect(after).toBe(0);
});

test("a bridge from a bridge's own ring", () => {
  const { remote, local } = pair(16);
  const bridge = new Bridge(remote, local);
  const last = pair(16).local;
  const onward = new Bridge(local, last);
  write(remote, 8);
  bridge.step(8);
  expect(onward.step(8)).toBe(8);
  for (let i = 0; i < 8; i++) expectRow(last, i, i);
  expect(onward.lost).toBe(0);
});

test("a column the remote ring does not have, or has otherwise, is a bug", () => {
  const { remote } = pair(16);
  const make = (type: string) => Ring.create(Arena.create(1 << 14),
    Ring.layout("l", [tagColumn("count", type)], 16)).ring;
  expect(() => new Bridge(remote, make("float64"))).toThrow("no copy");
  expect(() => new Bridge(make("int64"), remote)).toThrow("has no column temperature");
});
