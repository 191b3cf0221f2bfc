import { describe, expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { modbusTcp, type DriverTag } from "../../src/driver.ts";
import { BAD, ERROR, GOOD, readCell } from "../../src/ring.ts";
import { decodeCell, Field } from "../../src/driver/modbus/codec.ts";
import { ringFor, tag, tcpLink } from "./support.ts";

const orders = ["ABCD", "CDAB", "BADC", "DCBA"] as const;
const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1e9);

/** Big-endian bytes of a value, by DataView. */
function bigEndian(type: string, value: number | bigint): number[] {
  const view = new DataView(new ArrayBuffer(8));
  switch (type) {
    case "int16": view.setInt16(0, Number(value)); return bytesOf(view, 2);
    case "uint16": view.setUint16(0, Number(value)); return bytesOf(view, 2);
    case "int32": view.setInt32(0, Number(value)); return bytesOf(view, 4);
    case "uint32": view.setUint32(0, Number(value)); return bytesOf(view, 4);
    case "float32": view.setFloat32(0, Number(value)); return bytesOf(view, 4);
    case "float64": view.setFloat64(0, Number(value)); return bytesOf(view, 8);
    case "uint64": view.setBigUint64(0, BigInt(value)); return bytesOf(view, 8);
    default: view.setBigInt64(0, BigInt(value)); return bytesOf(view, 8);
  }
}
const bytesOf = (view: DataView, n: number): number[] => [...new Uint8Array(view.buffer, 0, n)];

/** Registers as on the wire: reversed for CDAB and DCBA, bytes swapped for BADC and DCBA. */
function onWire(bytes: number[], order: string): Uint8Array {
  const registers: number[][] = [];
  for (let i = 0; i < bytes.length; i += 2) registers.push([bytes[i]!, bytes[i + 1]!]);
  if (bytes.length > 2 && (order === "CDAB" || order === "DCBA")) registers.reverse();
  const swap = bytes.length > 2 && (order === "BADC" || order === "DCBA");
  return Uint8Array.from(registers.flatMap(([a, b]) => (swap ? [b!, a!] : [a!, b!])));
}

function cell(one: DriverTag, bytes: Uint8Array) {
  const { ring, tags } = ringFor([one]);
  const column = ring.columns[0]!;
  decodeCell(new Field(tags[0]!).form, column, bytes, 0, ring, 3);
  return { value: readCell(ring, column, 3), state: ring.arena.U[column.state + 3]! };
}

describe(`codec, seed ${seed}`, () => {
  const random = createRandom(seed);
  const wide = (high: number): bigint => (BigInt(high) << 32n) | BigInt(random.below(2 ** 32));
  const samples: Record<string, () => number | bigint> = {
    int16: () => random.below(65536) - 32768, uint16: () => random.below(65536),
    int32: () => random.below(2 ** 32) - 2 ** 31, uint32: () => random.below(2 ** 32),
    float32: () => Math.fround((random.next() - 0.5) * 10 ** (random.below(70) - 35)),
    float64: () => (random.next() - 0.5) * 10 ** (random.below(600) - 300),
    int64: () => BigInt.asIntN(64, wide(random.below(2 ** 32))),
    uint64: () => wide(random.below(2 ** 31)),
  };
  for (const [type, sample] of Object.entries(samples)) {
    for (const wordOrder of orders) {
      test(`${type} ${wordOrder}: cell, decode and encode agree with DataView`, () => {
        const one = tag("holding 0", type as "int16", { wordOrder });
        for (let i = 0; i < 100; i++) {
          const value = sample();
          const bytes = onWire(bigEndian(type, value), wordOrder);
          expect(cell(one, bytes)).toEqual({ value, state: GOOD });
          expect(modbusTcp.decode(one, bytes)).toBe(Number(value));
          if (typeof value === "number" || Number.isSafeInteger(Number(value))) {
            const raw = modbusTcp.encode(one, Number(value), tcpLink);
            expect(raw).toEqual({ bytes, means: Number(value) });
          }
        }
      });
    }
  }

  test("the suffix overrides the device's order; WS and WR are for 64 bits", () => {
    const of = (at: string, type: "int32" | "int64" | "int16", ...bytes: number[]): number =>
      Number(modbusTcp.decode(tag(at, type, { wordOrder: "CDAB" }), Uint8Array.from(bytes)));
    expect(of("1!400001#LL", "int32", 1, 2, 3, 4)).toBe(0x01020304);
    expect(of("1!400001#LB", "int32", 1, 2, 3, 4)).toBe(0x02010403);
    expect(of("1!400001#BL", "int32", 1, 2, 3, 4)).toBe(0x03040102);
    expect(of("1!400001#BB", "int32", 1, 2, 3, 4)).toBe(0x04030201);
    expect(of("1!400001#B", "int16", 1, 2)).toBe(0x0201);
    const word = (n: bigint): number => Number(n);
    expect(of("1!400001#WS", "int64", 0, 3, 0, 4, 0, 1, 0, 2)).toBe(word(0x0004000300020001n));
    expect(of("1!400001#WR", "int64", 0, 1, 0, 2, 0, 3, 0, 4)).toBe(word(0x0003000400010002n));
  });

  test("scale and offset both ways; the write is rounded to the next raw value", () => {
    const one = tag("holding 2", "int16", { scale: 0.1, offset: 5, writable: true });
    expect(cell(one, Uint8Array.of(0xff, 0x9c)).value).toBeCloseTo(-5, 10);
    const raw = modbusTcp.encode(one, 7.26, tcpLink);
    expect([...raw.bytes]).toEqual([0, 23]);
    expect(raw.means).toBeCloseTo(7.3, 10);
    expect(cell(tag("holding 2", "int64", { scale: 0.5 }),
      onWire(bigEndian("int64", -3), "ABCD")).value).toBe(-1.5);
  });

  test("float32 means the rounded float32", () => {
    const raw = modbusTcp.encode(tag("holding 9", "float32"), 55.1, tcpLink);
    expect(raw.means).toBe(Math.fround(55.1));
  });

  test.each([
    ["int16", 32768], ["int16", -32769], ["uint16", -1], ["uint16", 65535.5], ["int32", 2 ** 31],
    ["uint32", 2 ** 32], ["int64", 2 ** 53], ["uint64", -1], ["float32", 1e39], ["int16", NaN],
    ["float32", Infinity],
  ])("%s cannot mean %d", (type, value) => {
    expect(() => modbusTcp.encode(tag("holding 0", type as "int16"), value, tcpLink)).toThrow();
  });

  test("what is no measurement is no good cell", () => {
    const { ring, tags } = ringFor([tag("input 0", "float32")]);
    const { form } = new Field(tags[0]!);
    const column = ring.columns[0]!;
    decodeCell(form, column, Uint8Array.from(bigEndian("float32", 21.5)), 0, ring, 7);
    decodeCell(form, column, Uint8Array.of(0x7f, 0xc0, 0, 0), 0, ring, 8);
    expect(ring.arena.U[column.state + 8]).toBe(BAD.range);
    expect(readCell(ring, column, 8)).toBe(21.5);
    const wide = ringFor([tag("input 0", "uint64")]);
    const its = new Field(wide.tags[0]!).form, cells = wide.ring.columns[0]!;
    decodeCell(its, cells, Uint8Array.from(bigEndian("uint64", 5)), 0, wide.ring, 7);
    decodeCell(its, cells, new Uint8Array(8).fill(255), 0, wide.ring, 8);
    expect(wide.ring.arena.U[cells.state + 8]).toBe(ERROR.overflow);
    expect(Number(readCell(wide.ring, cells, 8))).toBe(5);
  });

  test("a moment is seconds since 1970, to the year 2106, in the device's order", () => {
    for (const iso of ["1970-01-01T00:00:00Z", "2024-02-29T23:59:58Z", "2106-02-07T06:28:15Z"]) {
      const seconds = Date.parse(iso) / 1000;
      for (const wordOrder of orders) {
        const bytes = onWire(bigEndian("uint32", seconds), wordOrder);
        expect(cell(tag("holding 0", "time", { wordOrder }), bytes))
          .toEqual({ value: seconds * 1000, state: GOOD });
      }
    }
  });

  test("bits, bytes and texts", () => {
    expect(cell(tag("holding 0.9", "bool"), Uint8Array.of(2, 0)).value).toBe(true);
    expect(cell(tag("holding 0.1", "bool"), Uint8Array.of(2, 0)).value).toBe(false);
    expect(cell(tag("holding 0", "int8"), Uint8Array.of(0, 0xfe)).value).toBe(-2);
    expect(cell(tag("holding 0", "uint8"), Uint8Array.of(9, 0xfe)).value).toBe(254);
    const text = new TextEncoder().encode("MOTOR\0");
    expect(cell(tag("holding 0", "text(6)"), text).value).toBe("MOTOR");
    expect(cell(tag("1!400001.6L", "text(6)"), new TextEncoder().encode("OMOT\0R")).value)
      .toBe("MOTOR");
    expect(cell(tag("holding 0", "text(5)"), new TextEncoder().encode("MOTOR!")).value)
      .toBe("MOTOR");
    expect(cell(tag("holding 0", "bytes(3)"), Uint8Array.of(1, 0, 3, 4)).value)
      .toEqual(Uint8Array.of(1, 0, 3));
  });
});
