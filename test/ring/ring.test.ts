import { expect, test } from "bun:test";
import {
  ABSENT, Arena, BAD, ERROR, NULL, Ring, readCell, readsAsNull, rowsFor, stateName, stateOf,
  tagColumn, UNCERTAIN, writeCell, type CellValue,
} from "../../src/ring.ts";

const columns = [
  tagColumn("x", "float32"), tagColumn("n", "uint32"), tagColumn("id", "int64"),
  tagColumn("on", "bool"), tagColumn("label", "text(8)"), tagColumn("raw", "bytes(8)"),
  tagColumn("at", "time"),
];

function makeRing(rows = 16): Ring {
  const layout = Ring.layout("s", columns, rows);
  return Ring.create(Arena.create(layout.bytes), layout).ring;
}

test("no two words of a ring share a byte, and all lie inside its layout", () => {
  const ring = makeRing();
  const used = new Map<number, string>();
  const claim = (name: string, from: number, bytes: number): void => {
    for (let i = from; i < from + bytes; i++) {
      expect([name, i, used.get(i)]).toEqual([name, i, undefined]);
      used.set(i, name);
    }
    expect(from).toBeGreaterThanOrEqual(ring.at);
    expect(from + bytes).toBeLessThanOrEqual(ring.at + ring.layout.bytes);
  };
  claim("head", ring.headAt * 4, 4);
  claim("claim", ring.claimAt * 4, 4);
  claim("cursor", ring.cursorAt * 4, 4);
  claim("time", ring.timeAt * 8, 16 * 8);
  claim("source", ring.sourceAt * 8, 16 * 8);
  claim("flags", ring.flagsAt, 16);
  for (const c of ring.columns) {
    claim(c.name, c.slot === 0 ? c.payload * 8 : c.payload, 16 * (c.slot === 0 ? 8 : c.slot));
    claim(`${c.name}.state`, c.state, 16);
    if (c.slot > 0) claim(`${c.name}.length`, c.length * 4, 16 * 4);
  }
  // The reader's word is two cache lines from the writer's.
  expect(ring.cursorAt * 4 - ring.headAt * 4).toBeGreaterThanOrEqual(128);
});

test("an attached ring is the same ring", () => {
  const ring = makeRing();
  const other = Ring.attach(Arena.attach(ring.arena.buffer), ring.at, ring.layout);
  ring.claim(1);
  writeCell(ring, ring.column("x")!, ring.head, 2.5);
  ring.publish(1);
  expect(other.head).toBe(1);
  expect(readCell(other, other.column("x")!, 0)).toBe(2.5);
  expect(other.column("nothing")).toBeUndefined();
});

test("head runs over the int32 wrap; a claim never goes back", () => {
  const ring = makeRing();
  ring.arena.I[ring.headAt] = 0x7fffffff;
  ring.arena.I[ring.claimAt] = 0x7fffffff;
  ring.claim(4);
  ring.publish(2);
  expect(ring.head).toBe(-0x7fffffff);
  ring.claim(1);
  expect(ring.arena.I[ring.claimAt]).toBe(-0x7ffffffd);
});

test("what was not claimed cannot be published, nor more than there is be claimed", () => {
  const ring = makeRing();
  ring.claim(1);
  expect(() => ring.publish(2)).toThrow("not claimed");
  expect(() => ring.claim(17)).toThrow("more than its capacity");
});

test("cells read back what was written, whatever the row", () => {
  const ring = makeRing();
  const values: Record<string, CellValue> = {
    x: -1.25, n: 4294967295, id: -(2n ** 63n), on: true, label: "0 °C", raw: Uint8Array.of(1, 2),
    at: 1_700_000_000_000.5,
  };
  for (const seq of [0, 15, 16, -1, 0x7fffffff]) {
    for (const [name, value] of Object.entries(values)) {
      const column = ring.column(name)!;
      writeCell(ring, column, seq, value, UNCERTAIN.source);
      expect(readCell(ring, column, seq)).toEqual(value);
      expect(ring.arena.U[column.state + (seq & ring.mask)]).toBe(UNCERTAIN.source);
    }
  }
  const id = ring.column("id")!;
  for (const value of [0n, 1n, -1n, 2n ** 63n - 1n, 0xffffffffn, -0x100000000n]) {
    writeCell(ring, id, 0, value);
    expect(readCell(ring, id, 0)).toBe(value);
  }
});

test("what does not fit is an error cell, never something near it", () => {
  const ring = makeRing();
  const wrong: [string, CellValue, number][] = [
    ["x", "1", ERROR.type], ["x", NaN, ERROR.number], ["x", Infinity, ERROR.number],
    ["n", 1.5, ERROR.type], ["n", 2 ** 53, ERROR.overflow], ["id", 2n ** 63n, ERROR.overflow],
    ["id", 0.5, ERROR.type], ["on", 1, ERROR.type], ["label", "123456789", ERROR.length],
    ["label", 5, ERROR.type], ["at", true, ERROR.type], ["x", null, NULL], ["label", null, NULL],
  ];
  for (const [name, value, state] of wrong) {
    const column = ring.column(name)!;
    writeCell(ring, column, 3, value);
    expect([name, value, ring.arena.U[column.state + 3]]).toEqual([name, value, state]);
  }
});

test("tag types choose their column", () => {
  const kinds = (type: string, scaled = false): [string, number] => {
    const { kind, slot } = tagColumn("t", type, scaled);
    return [kind, slot];
  };
  expect(kinds("int16")).toEqual(["int53", 0]);
  expect(kinds("int16", true)).toEqual(["float64", 0]);
  expect(kinds("uint64")).toEqual(["int64", 0]);
  expect(kinds("int64", true)).toEqual(["float64", 0]);
  expect(kinds("json(12)")).toEqual(["json", 16]);
  expect(() => tagColumn("t", "text(0)")).toThrow("1 to 65536 bytes");
  expect(() => tagColumn("t", "text(65537)")).toThrow("1 to 65536 bytes");
  expect(() => tagColumn("t", "float16")).toThrow("float16 is no type");
});

test("default capacity is two seconds of rows, at least 16", () => {
  expect(rowsFor(100)).toBe(32);
  expect(rowsFor(10)).toBe(256);
  expect(rowsFor(60_000)).toBe(16);
  expect(rowsFor(1e-9)).toBe(1 << 20);
});

test("states have names that read back, and read as NULL where SQL says so", () => {
  const states = [0, NULL, ABSENT,
    ...Object.values(UNCERTAIN), ...Object.values(BAD), ...Object.values(ERROR)];
  expect(new Set(states).size).toBe(states.length);
  for (const state of states) expect(stateOf(stateName(state))).toBe(state);
  expect(stateName(BAD.timeout)).toBe("bad:timeout");
  expect([stateName(40), stateName(150), stateName(250)])
    .toEqual(["uncertain:40", "bad:150", "error:250"]);
  expect([0, 63, 64, 191, NULL, ABSENT, 194].map(readsAsNull))
    .toEqual([false, false, true, true, true, true, false]);
});
