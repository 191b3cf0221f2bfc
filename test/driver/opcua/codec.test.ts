import { describe, expect, test } from "bun:test";
import { createRandom } from "../../../src/base.ts";
import type { DriverTag, Rows } from "../../../src/driver.ts";
import { parseAddress } from "../../../src/driver/opcua/address.ts";
import {
  BUILT_IN, decode, decodeCell, encode, Field, isRefusal, rawBytes, rawOf, stateOfStatus,
  tagProblem, valueOfRaw,
} from "../../../src/driver/opcua/codec.ts";
import { Publisher, type Told } from "../../../src/driver/opcua/publish.ts";
import { Arena, readCell, Ring, stateName, tagColumn } from "../../../src/ring.ts";

function tag(type: string, more: Partial<DriverTag> = {}): DriverTag {
  return { id: "d.t", station: 1, at: "ns=1;s=T", type: type as DriverTag["type"], scale: 1,
    offset: 0, wordOrder: "ABCD", writable: false, column: 0, decimals: null, signal: null,
    ...more } as DriverTag;
}

function ringOf(tags: readonly DriverTag[], rows = 64): Ring {
  return Ring.create(Arena.create(1 << 20), Ring.layout("d.g", tags.map((one, i) =>
    tagColumn(`t${i}`, one.type, one.scale !== 1 || one.offset !== 0)), rows)).ring;
}

describe("addresses", () => {
  test("are read as they are spelled", () => {
    expect(parseAddress("ns=2;s=Tank.Level")).toMatchObject({ node: "ns=2;s=Tank.Level" });
    expect(parseAddress('ns=3;s="DB"."list"[3] range 0:9'))
      .toMatchObject({ node: 'ns=3;s="DB"."list"[3]', range: "0:9" });
    expect(parseAddress("nsu=urn:plant:x;i=7"))
      .toMatchObject({ node: "i=7", namespace: "urn:plant:x" });
    expect(parseAddress("i=2258")).toMatchObject({ node: "i=2258", namespace: "", call: null });
    expect(parseAddress("ns=1;s=a b call ns=1;s=Tank 1 ns=1;s=Tank 1.Set").call)
      .toEqual({ object: { node: "ns=1;s=Tank 1", namespace: "" },
        method: { node: "ns=1;s=Tank 1.Set", namespace: "" } });
  });

  const wrong: readonly (readonly [at: string, sentence: RegExp])[] = [
    ["holding 9", /no OPC UA node.*ns=2;s=/], ["ns=2;Tank", /no OPC UA node/],
    ["ns=x;s=T", /no namespace/], ["ns=70000;s=T", /at most 65535/], ["ns=1;s=", /nothing stands/],
    ["ns=1;i=x", /text is s=x/], ["ns=1;i=4294967296", /number to 4294967295/],
    ["ns=1;g=12", /32 digits/], ["ns=1;b=%%", /no base64/], ["nsu=;s=T", /namespace's URI/],
    ["ns=1;s=T range x", /range 0:9/], ["ns=1;s=T range 5:2", /ends before/],
    ["ns=1;s=T call ns=1;s=Tank", /two nodes/],
  ];
  for (const [at, sentence] of wrong) {
    test(`${at}: one sentence of what would be right`, () => {
      expect(tagProblem(tag("float64", { at }))).toMatch(sentence);
    });
  }

  test("what does not fit the type is told", () => {
    expect(tagProblem(tag("text(8)", { scale: 2 }))).toMatch(/scale and offset/);
    expect(tagProblem(tag("float32", { scale: 0 }))).toContain("scale is a number other than 0");
    expect(tagProblem(tag("float64", { at: "ns=1;s=T range 0:3" }))).toMatch(/json\(n\)/);
    expect(tagProblem(tag("float64[4]", { at: "ns=1;s=T range 0:3", scale: 2 }))).toBeNull();
    expect(tagProblem(tag("float64[3]", { at: "ns=1;s=T range 0:3" }))).toMatch(/has 4 items/);
    expect(tagProblem(tag("int8[4]", { at: "ns=1;s=T range 0:1,0:1" }))).toMatch(/dimensions/);
    expect(tagProblem(tag("bool[4]", { scale: 2 }))).toMatch(/scale and offset/);
    expect(tagProblem(tag("text(8)", { writable: true }))).toBeNull();
    expect(tagProblem(tag("text(65)", { writable: true }))).toMatch(/at most 64 bytes/);
    expect(tagProblem(tag("json(8)", { writable: true }))).toMatch(/Writing a json/);
    expect(tagProblem(tag("bool", { writable: true }))).toBeNull();
    expect(tagProblem(tag("int16", { at: "ns=1;s=T call i=1 i=2" }))).toMatch(/read-write/);
  });
});

describe("values", () => {
  const cases: readonly (readonly [string, number, unknown, unknown, string])[] = [
    ["bool", BUILT_IN.Boolean, true, true, "good"],
    ["uint8", BUILT_IN.Byte, 255, 255, "good"],
    ["int8", BUILT_IN.Int16, 200, 0, "bad:range"],
    ["int16", BUILT_IN.Double, 1.5, 0, "bad:range"],
    ["int64", BUILT_IN.Int64, [-1 >>> 0, -2 >>> 0], -2n, "good"],
    ["uint64", BUILT_IN.UInt64, [0x80000000, 0], null, "error:overflow"],
    ["uint64", BUILT_IN.UInt32, 4294967295, 4294967295n, "good"],
    ["float64", BUILT_IN.Float, NaN, 0, "bad:range"],
    ["float64", BUILT_IN.Boolean, true, 0, "error:type"],
    ["float64", BUILT_IN.String, "7", 0, "error:type"],
    ["text(8)", BUILT_IN.String, "Mühlenbach", "", "error:length"],
    ["text(8)", BUILT_IN.LocalizedText, { text: "Mühle" }, "Mühle", "good"],
    ["time", BUILT_IN.DateTime, new Date(1000), 1000, "good"],
    ["json(16)", BUILT_IN.Double, 1.5, "1.5", "good"],
  ];
  for (const [type, dataType, value, cell, state] of cases) {
    test(`${type} of ${JSON.stringify(value)} is ${state}`, () => {
      const one = tag(type);
      const ring = ringOf([one]);
      ring.claim(1);
      decodeCell(new Field(one), { dataType, arrayType: 0, value }, ring, 0);
      const column = ring.columns[0]!;
      expect(stateName(ring.arena.U[column.state]!)).toBe(state);
      if (cell !== null) expect(readCell(ring, column, 0)).toEqual(cell as never);
    });
  }

  test("an array is the text of its JSON, 64 bits exactly", () => {
    const one = tag("json(64)");
    const ring = ringOf([one]);
    ring.claim(1);
    const value = [[0, 5], [0x7fffffff, 0xffffffff]];
    decodeCell(new Field(one), { dataType: BUILT_IN.UInt64, arrayType: 1, value }, ring, 0);
    expect(readCell(ring, ring.columns[0]!, 0)).toBe('[5,"9223372036854775807"]');
  });

  const arrays: readonly (readonly [string, number, unknown, string | null, string])[] = [
    ["float32[3]", BUILT_IN.Float, Float32Array.of(1, 2.5, -3), "[1,2.5,-3]", "good"],
    ["float64[2]", BUILT_IN.Int16, Int16Array.of(-1, 2), "[-1,2]", "good"],
    ["bool[2]", BUILT_IN.Boolean, [true, false], "[true,false]", "good"],
    ["uint8[3]", BUILT_IN.Byte, Uint8Array.of(1, 2, 255), "[1,2,255]", "good"],
    ["int64[2]", BUILT_IN.Int64, [[-1 >>> 0, -2 >>> 0], [0x7fffffff, -1 >>> 0]],
      "[-2,9223372036854775807]", "good"],
    ["int64[2]", BUILT_IN.Int32, Int32Array.of(-5, 7), "[-5,7]", "good"],
    ["uint64[1]", BUILT_IN.UInt64, [[0x80000000, 0]], null, "error:overflow"],
    ["int8[2]", BUILT_IN.Int16, Int16Array.of(1, 200), null, "bad:range"],
    ["float64[2]", BUILT_IN.Double, Float64Array.of(NaN, 1), null, "bad:range"],
    ["float64[2]", BUILT_IN.Double, Float64Array.of(1, 2, 3), null, "error:length"],
    ["float64[2]", BUILT_IN.Double, null, null, "error:type"],
    ["float64[2]", BUILT_IN.Boolean, [true, true], null, "error:type"],
    ["bool[1]", BUILT_IN.Byte, Uint8Array.of(1), null, "error:type"],
    ["float64[2]", BUILT_IN.String, ["1", "2"], null, "error:type"],
  ];
  test.each(arrays)("%s of type %p, %p", (type, dataType, value, cell, state) => {
    const one = tag(type);
    const ring = ringOf([one]);
    ring.claim(2);
    const column = ring.columns[0]!;
    decodeCell(new Field(one), { dataType, arrayType: 1, value }, ring, 0);
    expect(stateName(ring.arena.U[column.state]!)).toBe(state);
    expect(readCell(ring, column, 0)).toBe(cell);
    // One value, and an array of two dimensions, are none.
    for (const arrayType of [0, 2]) {
      decodeCell(new Field(one), { dataType, arrayType, value }, ring, 1);
      expect(stateName(ring.arena.U[column.state + 1]!)).toBe("error:type");
    }
  });

  test("random setpoints come back as what they mean", () => {
    const random = createRandom(7);
    for (const type of ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
      "float32", "float64"]) {
      for (let i = 0; i < 200; i++) {
        const one = tag(type, { scale: 0.5, offset: -3, writable: true });
        const value = Math.round(random.next() * 200) / 2 - 3;
        if (type === "int8" && value > 60) continue;
        const { bytes, means } = encode(one, value);
        expect(means).toBe(value);
        const raw = new Uint8Array(bytes.length);
        expect(rawOf(new Field(one), valueOfRaw(one, bytes), raw)).toBe(true);
        expect([...raw]).toEqual([...bytes]);
        expect(decode(one, raw)).toBe(value);
      }
    }
  });

  test("a text comes back as it is; only a String is one, and null is empty", () => {
    const one = tag("text(8)", { writable: true });
    const raw = new Uint8Array(rawBytes(one));
    const of = (dataType: number, value: unknown): boolean =>
      rawOf(new Field(one), { dataType, arrayType: 0, value }, raw);
    for (const text of ["", "Mühle", "12345678"]) {
      const { bytes, means } = encode(one, text);
      expect(means).toBe(text);
      expect(valueOfRaw(one, bytes)).toEqual(
        { dataType: BUILT_IN.String, arrayType: 0, value: text });
      expect(of(BUILT_IN.String, text)).toBe(true);
      expect([...raw]).toEqual([...bytes]);
    }
    expect([of(BUILT_IN.String, null), decode(one, raw)]).toEqual([true, ""]);
    expect(of(BUILT_IN.String, "a text too long")).toBe(false);
    expect(of(BUILT_IN.LocalizedText, { text: "a" })).toBe(false);
    expect(() => encode(one, "Mühlenbach")).toThrow("11 bytes");
    expect(() => encode(one, "a\nb")).toThrow("U+000a");
  });

  test("what a type cannot hold is refused", () => {
    expect(() => encode(tag("uint8"), 256)).toThrow(/uint8 ends at 255/);
    expect(() => encode(tag("float32"), 1e39)).toThrow(/past the largest float32/);
    expect(() => encode(tag("float64"), NaN)).toThrow();
  });

  test("an answer of another type is no raw value: it would be written as that type", () => {
    const raw = new Uint8Array(8);
    const double = { dataType: BUILT_IN.Double, arrayType: 0, value: 3 };
    expect(rawOf(new Field(tag("int16")), double, raw)).toBe(false);
  });

  test("statuses are classes with reasons", () => {
    const named = (status: number): string => stateName(stateOfStatus(status));
    expect([0, 0x40920000, 0x80000000, 0x80340000, 0x800a0000, 0x80310000].map(named)).toEqual(
      ["good", "uncertain:source", "bad:source", "bad:address", "bad:timeout",
        "bad:disconnected"]);
    // BadNotWritable says that nothing was done; BadUnexpectedError does not.
    expect([0x803b0000, 0x80010000].map(isRefusal)).toEqual([true, false]);
  });
});

describe("rows of messages", () => {
  const tags = [tag("float64"), tag("float64", { column: 1 })];

  function publisher(): { it: Publisher; rows: () => unknown[]; times: () => number[] } {
    const ring = ringOf(tags);
    const seen: unknown[] = [];
    const times: number[] = [];
    const rows: Rows = {
      stream: "d.g", interval: 100, tags, ring, history: null, isDisabled: false,
      begin(time, source) {
        times.push(time);
        ring.claim(1);
        for (const column of ring.columns) {
          const [at, before] = [ring.head & ring.mask, (ring.head - 1) & ring.mask];
          ring.arena.F[column.payload + at] = ring.arena.F[column.payload + before]!;
          ring.arena.U[column.state + at] = ring.arena.U[column.state + before]!;
        }
        seen.push(source);
        return ring.head;
      },
      publish() {
        seen.push(ring.columns.map((column) => readCell(ring, column, ring.head)));
        ring.publish(1);
      },
      spoil: () => {}, forget: () => {},
    };
    return {
      it: new Publisher(rows), rows: () => seen.splice(0), times: () => times.splice(0),
    };
  }
  const told = (index: number, source: number, value: number): Told => ({
    tag: index, source, server: source, status: 0,
    value: { dataType: BUILT_IN.Double, arrayType: 0, value },
  });

  test("a row for each distinct source time, in order; the rest repeats", () => {
    const { it, rows } = publisher();
    it.take(1000, [told(0, 10, 1), told(0, 20, 2), told(1, 10, 5), told(1, 20, 6)], null);
    expect(it.write()).toBe(false);
    expect(rows()).toEqual([10, [1, 5], 20, [2, 6]]);
    it.take(1001, [told(1, 30, 7)], null);
    it.write();
    expect(rows()).toEqual([30, [2, 7]]);
  });

  test("two values of one tag at one time are two rows", () => {
    const { it, rows } = publisher();
    it.take(1000, [told(0, 10, 1), told(0, 10, 2), told(1, 10, 9)], null);
    it.write();
    expect(rows()).toEqual([10, [1, 0], 10, [2, 9]]);
  });

  test("of one tag the last one told holds, whatever the server's clock says of it", () => {
    const { it, rows } = publisher();
    it.take(1000, [told(0, 10, 1), told(1, 20, 5), told(0, NaN, 2)], null);
    it.write();
    expect(rows()).toEqual([10, [1, 0], NaN, [2, 0], 20, [2, 5]]);
    it.take(1001, [told(0, 40, 3), told(0, 30, 4), told(1, 50, 6)], null);
    it.write();
    expect(rows()).toEqual([40, [3, 5], 30, [4, 5], 50, [4, 6]]);
  });

  test("what another value of its tag overtook is as old as the server says, and rows in order",
    () => {
      const { it, times } = publisher();
      it.take(1000, [told(0, 90, 1)], 100);
      // Of a message of 200; tag 1 has not changed for long, and its value holds all the same.
      it.take(2000, [told(0, 170, 1), told(0, 180, 2), told(0, 190, 3), told(1, 10, 5)], 200);
      it.write();
      expect(times()).toEqual([1000, 1970, 1970, 1980, 2000]);
      // The clock of the source knows better than that of a server which looked late.
      it.take(3000, [{ ...told(0, 50, 1), server: 290 }, { ...told(0, 150, 2), server: 290 }], 300);
      it.write();
      expect(times()).toEqual([2900, 3000]);
      // No time of the server, or of the message: it may be as old as the message before.
      it.take(4000, [{ ...told(0, 350, 1), server: NaN }, told(0, 390, 2)], 400);
      it.take(5000, [told(0, 480, 1), told(0, 490, 2)], NaN);
      it.take(6000, [told(0, NaN, 1), told(0, 590, 2), told(1, 590, 3)], 600);
      it.write();
      expect(times()).toEqual([3000, 4000, 4000, 5000, 5000, 6000]);
      // Values of the past are all of now.
      it.take(7000, [told(0, 680, 1), told(0, 690, 2)], null);
      it.write();
      expect(times()).toEqual([7000, 7000]);
    });

  test("a message without values is a row that says so", () => {
    const { it, rows } = publisher();
    it.take(1000, [told(0, 10, 1), told(1, 10, 1)], null);
    it.take(1001, [], null);
    it.write();
    expect(rows()).toEqual([10, [1, 1], NaN, [1, 1]]);
  });

  test("who sends faster than rows are written is told so, and nothing is left out before", () => {
    const { it, rows } = publisher();
    const took = Array.from({ length: 65 }, (_, i) => it.take(1000 + i, [told(0, i, i)], null));
    expect(took).toEqual([...Array<boolean>(64).fill(true), false]);
    while (it.write());
    expect(rows().filter((row) => typeof row === "number"))
      .toEqual(Array.from({ length: 64 }, (_, i) => i));
  });

  test("no more than half a ring a turn, and nothing is lost", () => {
    const { it, rows } = publisher();
    expect(it.take(1000, Array.from({ length: 100 }, (_, i) => told(0, i, i)), null)).toBe(true);
    expect(it.write()).toBe(true);
    expect(rows()).toHaveLength(2 * 32);
    it.write();
    it.write();
    expect(it.write()).toBe(false);
    expect(it.written).toBe(100);
  });
});
