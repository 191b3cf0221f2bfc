import { expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import { type Dyn, DynReader, DynWriter, jsonOfDyn, parseDyn } from "../../src/ring.ts";

const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1e9);
const bytes = new Uint8Array(1 << 16);
const hex = (value: Dyn): string => Buffer.from(
  bytes.subarray(8, 8 + new DynWriter().write(bytes, 8, 1 << 15, value))).toString("hex");
const again = (value: Dyn): Dyn => {
  hex(value);
  return new DynReader().read(bytes, 8);
};

// RFC 8949, appendix A.
test.each<[Dyn, string]>([
  [0n, "00"], [23n, "17"], [24n, "1818"], [1000n, "1903e8"], [1000000n, "1a000f4240"],
  [1000000000000n, "1b000000e8d4a51000"], [-1n, "20"], [-1000n, "3903e7"], [true, "f5"],
  [false, "f4"], [null, "f6"], ["IETF", "6449455446"], ["\u00fc", "62c3bc"],
  [1.1, "fb3ff199999999999a"],
  [100000, "fa47c35000"], [[1n, [2n, 3n]], "8201820203"], [new Uint8Array([1, 2]), "420102"],
  [new Map<string, Dyn>([["a", 1n], ["b", [2n, 3n]]]), "a26161016162820203"],
  [new Date(1363896240500), "c1fb41d452d9ec200000"],
])("%p is the CBOR item %s", (value, text) => {
  expect(hex(value)).toBe(text);
  expect(again(value)).toEqual(value);
});

function random(r: Random, depth: number): Dyn {
  return r.pick<() => Dyn>([
    () => r.next() * 10 ** r.below(20), () => BigInt(Math.floor(r.next() * 2 ** 52)) - (1n << 40n),
    () => "é".repeat(r.below(40)), () => new Date(Math.floor(r.next() * 4e12)), () => NaN,
    () => (depth === 0 ? null : Array.from({ length: r.below(30) }, () => random(r, depth - 1))),
    () => (depth === 0 ? true : new Map(Array.from({ length: r.below(5) },
      (_, i) => [`k${i}`, random(r, depth - 1)]))),
  ])();
}

test(`what is written is read again, what does not fit is not written, seed ${seed}`, () => {
  const r = createRandom(seed);
  for (let i = 0; i < 2000; i++) {
    const value = random(r, 3);
    const length = new DynWriter().write(bytes, 8, 1 << 15, value);
    if (length < 0) continue;
    expect(new DynReader().read(bytes, 8)).toEqual(value);
    bytes[8 + length - 1] = 0xaa;
    expect(new DynWriter().write(bytes, 8, length - 1, value)).toBe(-1);
    expect(bytes[8 + length - 1]).toBe(0xaa);
  }
});

test(`words are a bigint, numbers as near as a float has them, seed ${seed}`, () => {
  const r = createRandom(seed);
  const low = new Int32Array(2);
  const whole = new BigInt64Array(low.buffer);
  const writer = new DynWriter();
  for (const value of [0n, 23n, -1n, -24n, 2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n),
    -(2n ** 53n) - 1n, 2n ** 63n - 1n, -(2n ** 63n), ...Array.from({ length: 500 }, () =>
      BigInt.asIntN(64, (BigInt(r.below(2 ** 32)) << 32n) | BigInt(r.below(2 ** 32))) >>
        BigInt(r.below(64)))]) {
    whole[0] = value;
    writer.begin(bytes, 8, 64);
    writer.list(2);
    writer.words(low[0]!, low[1]!);
    writer.float(Number(value) / 3);
    const end = writer.place;
    expect(hex([value, Number(value) / 3])).toBe(
      Buffer.from(bytes.subarray(8, end)).toString("hex"));
    const found = new Float64Array(2);
    expect(new DynReader().numbers(bytes, 8, found)).toBe(2);
    expect(Math.abs(found[0]! - Number(value))).toBeLessThanOrEqual(
      Math.abs(Number(value)) * Number.EPSILON);
    expect(found[1]).toBe(Number(value) / 3 + 0);
  }
  for (const other of [1n, "a", [1n, "a"], [true], [null], [1, 2, 3], new Map()] as Dyn[]) {
    hex(other);
    expect(new DynReader().numbers(bytes, 8, new Float64Array(2))).toBe(-1);
  }
});

test("too deep is refused, not followed", () => {
  expect(parseDyn("[".repeat(100) + "]".repeat(100))).toBeUndefined();
  expect(parseDyn("[".repeat(50_000))).toBeUndefined();
  let deep: Dyn = 1;
  for (let i = 0; i < 100; i++) deep = [deep];
  expect(new DynWriter().write(bytes, 0, 1 << 15, deep)).toBe(-1);
});

test("as JSON", () => {
  const value = new Map<string, Dyn>([["__proto__", 2n ** 62n], ["t", new Date(0)],
    ["b", new Uint8Array([1])], ["x", [NaN, "\n"]]]);
  expect(jsonOfDyn(value)).toBe('{"__proto__":4611686018427387904,"t":"1970-01-01T00:00:00.000Z",' +
    '"b":"AQ==","x":[null,"\\n"]}');
  expect(parseDyn('{"__proto__":1}')).toEqual(new Map([["__proto__", 1]]));
});
