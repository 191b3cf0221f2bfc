import { describe, expect, test } from "bun:test";
import { isUtf8 } from "node:buffer";
import { Decoder, Encoder } from "cbor-x/index-no-eval";
import { createRandom, Fault, readTime, formatTime, isoTime, type Random } from "../../src/base.ts";
import { createDecoder, createEncoder, type DecoderSettings } from "../../src/codec.ts";
import {
  Arena, type ColumnSpec, type Dyn, DynReader, GOOD, jsonOfDyn, Ring, readCell, type Shape,
  stateName, tagColumn, writeCell,
} from "../../src/ring.ts";

/** Columns of a declared form, times by pattern, strict sources: the same of JSON and of CBOR. */
const seed = Number(process.env["SOAK_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`form seed ${seed}`);

const value = (kind: "float64" | "int64" | "text" | "bytes" | "time" | "bool", slot = 0): Shape =>
  ({ of: "value", kind, slot });
const struct = (fields: Record<string, Shape>): Shape =>
  ({ of: "struct", fields: Object.entries(fields).map(([name, shape]) => ({ name, shape })) });
const formed = (name: string, shape: Shape, slot = 256): ColumnSpec =>
  ({ name, kind: "dyn", slot, shape });

const cbor = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: false });
const reader = new DynReader();

function ringOf(...specs: ColumnSpec[]): Ring {
  const layout = Ring.layout("s", specs, 16);
  return Ring.create(Arena.create(layout.bytes), layout).ring;
}

const shown = (ring: Ring, seq: number): Record<string, unknown> =>
  Object.fromEntries(ring.columns.map((column) => {
    const row = seq & ring.mask;
    const state = ring.arena.U[column.state + row]!;
    const text = state > 63 ? stateName(state) : column.kind === "dyn"
      ? jsonOfDyn(reader.read(ring.arena.U, column.payload + row * column.stride))
      : readCell(ring, column, seq);
    return [column.name, state === GOOD || state > 63 ? text : [text, stateName(state)]];
  }));

/** Both formats: what the row holds, or null where it is refused. */
function both(specs: ColumnSpec[], message: unknown, settings: DecoderSettings = {}): unknown {
  const found = (["json", "cbor"] as const).map((format) => {
    const ring = ringOf(...specs);
    const bytes = format === "cbor" ? cbor.encode(message)
      : new TextEncoder().encode(JSON.stringify(message));
    const decoder = createDecoder(ring, { ...settings, format });
    const rows = decoder.decode(bytes, 5, GOOD);
    return rows === 0 ? decoder.refusal : shown(ring, ring.head - 1);
  });
  expect(found[1]).toEqual(found[0]);
  return found[0];
}

describe("declared forms", () => {
  const motor = formed("motor", struct({
    name: value("text", 8), speed: value("float64"), starts: value("int64"),
    phases: { of: "array", item: struct({ a: value("float64") }) },
  }));

  test("parts are of their kinds and in the order of the declaration, others are left out", () => {
    expect(both([motor], { other: 1, motor: { starts: 7, x: [1, { y: 2 }], speed: 3, name: "é",
      phases: [{ b: 1, a: 1.5 }, { a: 2 }] } })).toEqual({ motor:
      '{"name":"é","speed":3,"starts":7,"phases":[{"a":1.5},{"a":2}]}' });
  });

  test("what is missing is NULL inside; an array or object is NULL as a whole", () => {
    expect(both([motor], { motor: { speed: 1, phases: [null] } }))
      .toEqual({ motor: '{"name":null,"speed":1,"starts":null,"phases":[null]}' });
    expect(both([motor], { motor: null })).toEqual({ motor: "null" });
    expect(both([motor], {})).toEqual({ motor: "absent" });
  });

  test.each([
    [{ motor: { speed: "3" } }, "type"], [{ motor: { starts: 1.5 } }, "type"],
    [{ motor: { name: "too long a name" } }, "length"], [{ motor: { phases: {} } }, "type"],
    [{ motor: [1] }, "type"], [{ motor: "{}" }, "type"],
    [{ motor: { phases: [{ a: true }] } }, "type"],
    [{ motor: { phases: Array(200).fill({ a: 1 }) } }, "length"],
  ])("%j is an error of this column alone", (message, error) => {
    expect(both([motor, tagColumn("t", "float64")], { ...message, t: 1 }))
      .toEqual({ motor: `error:${error}`, t: 1 });
  });

  test("names with escapes are found", () => {
    const ring = ringOf(formed("a", struct({ "b\n": value("bool") })));
    const message = '{"\\u0061":{"\\u0062\\n":true}}';
    createDecoder(ring).decode(new TextEncoder().encode(message), 0, GOOD);
    expect(shown(ring, 0)).toEqual({ a: '{"b\\n":true}' });
  });
});

describe("defaults and strict sources", () => {
  const specs = [{ ...tagColumn("n", "int64"), fallback: 22 }, tagColumn("f", "float64"),
    { ...tagColumn("t", "text(8)"), fallback: "é" },
    { name: "o", kind: "dyn", slot: 64, shape: { of: "struct", fields: [
      { name: "big", shape: value("int64"), fallback: "9007199254740993" }] } },
  ] satisfies ColumnSpec[];

  test("a default is not measured: its quality says so", () => {
    const why = "uncertain:substituted";
    expect(both(specs, { f: 1, o: {} }))
      .toEqual({ n: [22n, why], f: 1, t: ["é", why], o: ['{"big":9007199254740993}', why] });
    expect(both(specs, { n: 1, f: null, t: "", o: { big: 2 } }))
      .toEqual({ n: 1n, f: "null", t: "", o: '{"big":2}' });
  });

  test.each([
    [{ o: {} }, "f is absent"], [{ f: null, o: {} }, "f is null"],
    [{ f: "1", o: {} }, "f is error:type"], [{ f: 1, o: { big: "x" } }, "o is error:type"],
    [{ f: 1, o: { big: null } }, "o is error:type"], [{ f: 1 }, "o is absent"],
  ])("strict: %j is refused, and why is said", (message, why) => {
    expect(both(specs, message, { strict: true })).toBe(`row refused: ${why}`);
  });

  test("strict: of several rows the good ones are taken, the others counted", () => {
    const ring = ringOf(tagColumn("f", "float64"));
    const decoder = createDecoder(ring, { strict: true });
    const rows = Array.from({ length: 40 }, (_, i) => (i % 3 === 0 ? {} : { f: i }));
    expect(decoder.decode(new TextEncoder().encode(JSON.stringify(rows)), 0, GOOD)).toBe(26);
    expect([decoder.refused, ring.head]).toEqual([14, 26]);
    expect(shown(ring, 25)).toEqual({ f: 38 });
  });

  test.each([["time", 1769846709250], ["int64", 1769846709250], ["float64", 1769846709250],
    ["text(24)", "2026-01-31T08:05:09.250Z"]])("a column of %s is the source time", (type, at) => {
    const ring = ringOf(tagColumn("at", type));
    const decoder = createDecoder(ring, { time: "at" });
    decoder.decode(new TextEncoder().encode(JSON.stringify([{ at }, { at: null }])), 5, GOOD);
    const { F } = ring.arena;
    expect([F[ring.sourceAt], F[ring.sourceAt + 1]]).toEqual([1769846709250, NaN]);
  });

  test("strict: a row needs its source time", () => {
    const at = [tagColumn("at", "text(24)")];
    expect(both(at, { at: "2026-01-31T08:05:09Z" }, { strict: true, time: "at" }))
      .toEqual({ at: "2026-01-31T08:05:09Z" });
    expect(both(at, { at: "soon" }, { strict: true, time: "at" }))
      .toBe("row refused: at is no time");
  });
});

describe("CBOR tells kinds apart", () => {
  const any = (name: string): ColumnSpec => ({ name, kind: "dyn", slot: 128, path: [name] });

  test("whole numbers past 2^53, bytes and times stay what they are, in and out", () => {
    const specs = [tagColumn("id", "int64"), tagColumn("raw", "bytes(8)"), tagColumn("t", "time"),
      any("o")];
    const message = { id: 9007199254740993n, raw: Uint8Array.of(1, 2), t: new Date(1500),
      o: { id: -9007199254740993n, raw: Uint8Array.of(3), t: new Date(2500), list: [1.5, null] } };
    const ring = ringOf(...specs);
    createDecoder(ring, { format: "cbor" }).decode(cbor.encode(message), 0, GOOD);
    expect(shown(ring, 0)).toEqual({ id: 9007199254740993n, raw: Uint8Array.of(1, 2), t: 1500,
      o: '{"id":-9007199254740993,"raw":"Aw==","t":"1970-01-01T00:00:02.500Z",' +
        '"list":[1.5,null]}' });
    const out = new Uint8Array(1024);
    const length = createEncoder(ring, { format: "cbor", quality: false }).encode(0, out, 0);
    const back = new Decoder({ useRecords: false }).decode(out.slice(0, length));
    expect(back).toEqual({ ...message, t: 1500 });
  });

  test.each([[Uint8Array.of(0x83, 1)], [Uint8Array.of(0xff)], [cbor.encode(5)], [cbor.encode([5])],
    [new Uint8Array(9000).fill(0x81)]])("%# is refused and leaves no row", (bytes) => {
    const ring = ringOf(tagColumn("f", "float64"));
    const decoder = createDecoder(ring, { format: "cbor" });
    expect(() => decoder.decode(bytes, 0, GOOD)).toThrow();
    expect(ring.head).toBe(0);
  });
});

describe("times", () => {
  const at = (text: string, zone = "UTC"): number => {
    const bytes = new TextEncoder().encode(text);
    return isoTime(bytes, 0, bytes.length, zone);
  };

  test("ISO 8601 agrees with the engine's own reading, for any time and offset", () => {
    const random = createRandom(seed);
    for (let i = 0; i < 2000; i++) {
      const ms = Math.floor((random.next() - 0.2) * 4e12);
      const iso = new Date(ms).toISOString();
      expect(at(iso)).toBe(ms);
      const shifted = `${iso.slice(0, -1)}${["+05:30", "-0800", "+14:00"][i % 3]}`;
      expect(at(shifted)).toBe(Date.parse(shifted));
    }
  });

  test.each(["2026-02-30", "2026-13-01", "2025-02-29T00:00", "2026-01-01T24:00", "2026-1-1",
    "2026-01-01T08", "2026-01-01T08:05:", "2026-01-01T08:05:09.", "2026-01-01T08:05+1", "",
    "2026-01-01T08:05:09Zx", "x2026-01-01"])("%j is none", (text) => {
    expect(at(text)).toBeNaN();
  });

  test("a text without a zone is of the source's, also across a change of the clocks", () => {
    expect(at("2026-07-01 12:00:00", "Europe/Berlin")).toBe(Date.parse("2026-07-01T10:00:00Z"));
    expect(at("2026-03-29 03:00:00", "Europe/Berlin")).toBe(Date.parse("2026-03-29T01:00:00Z"));
    expect(at("2026-03-29 01:59:59", "Europe/Berlin")).toBe(Date.parse("2026-03-29T00:59:59Z"));
    expect(at("2026-10-25 12:00Z", "Europe/Berlin")).toBe(Date.parse("2026-10-25T12:00:00Z"));
  });

  test("a pattern reads what it writes", () => {
    const random = createRandom(seed);
    const patterns = ["yyyy-MM-dd HH:mm:ss.SSS", "EEEE, d MMMM yyyy h:m:s a SSS",
      "dd/MM/yy HHmmssSSS", "yyyy-MM-dd'T'HH:mm:ssSSSXXX", "EEE MMM d HH:mm:ss.SSS yyyy Z",
      "G yyyy M d H m s,SSS"];
    for (let i = 0; i < 600; i++) {
      const pattern = patterns[i % patterns.length]!, zone = zoneOf(random);
      const ms = Date.parse("1990-01-01T00:00:00Z") + Math.floor(random.next() * 2e12);
      const text = formatTime(ms, pattern, zone)!;
      expect([text, zone, readTime(text, pattern, zone)]).toEqual([text, zone, ms]);
    }
    expect(readTime("13:00 PM", "hh:mm a", "UTC")).toBeNaN();
    expect(readTime("2026-02-30", "yyyy-MM-dd", "UTC")).toBeNaN();
    expect(readTime("2026-01-31 x", "yyyy-MM-dd", "UTC")).toBeNaN();
  });
});

/** Without changes of the clocks: an hour that comes twice has two times. */
const zoneOf = (random: Random): string =>
  ["UTC", "Asia/Shanghai", "+05:30"][Math.floor(random.next() * 3)]!;

describe("values of no declared form, read from the text itself", () => {
  test("seeded: they are what JSON.parse reads, past 2^53 with all digits", () => {
    const random = createRandom(seed);
    const ring = ringOf({ name: "v", kind: "dyn", slot: 4096, path: ["v"] });
    const decoder = createDecoder(ring);
    for (let i = 0; i < 2000; i++) {
      const made = anything(random, 0);
      decoder.decode(new TextEncoder().encode(JSON.stringify({ v: made })), 0, GOOD);
      const column = ring.columns[0]!, row = (ring.head - 1) & ring.mask;
      const state = ring.arena.U[column.state + row]!;
      const text = made === null ? "null" : state !== GOOD ? stateName(state)
        : jsonOfDyn(reader.read(ring.arena.U, column.payload + row * column.stride));
      expect(text).toBe(JSON.stringify(made));
    }
    const big = '{"v":[9007199254740993,-9223372036854775808,18446744073709551616]}';
    decoder.decode(new TextEncoder().encode(big), 0, GOOD);
    const row = (ring.head - 1) & ring.mask;
    expect(reader.read(ring.arena.U, ring.columns[0]!.payload + row * 4096))
      .toEqual([9007199254740993n, -9223372036854775808n, 2 ** 64] as Dyn);
  });
});

test("seeded: whatever a message is, forms take it or refuse it as JSON.parse does", () => {
  const random = createRandom(seed);
  const item = struct({ k0: value("float64"), k1: value("text", 8) });
  const specs = [formed("k0\t", struct({ "k0\t": value("int64"), "k1\t": value("time"),
    "k2\t": { of: "array", item: value("float64") }, "k3\t": { of: "array", item } }), 64),
    formed("k1\t", { of: "array", item: { of: "array", item: value("bytes", 8) } }, 32),
    { name: "o", kind: "dyn", slot: 48, path: ["k2\t"] }, tagColumn("guard", "int64")] as const;
  const ring = ringOf(...specs);
  const decoder = createDecoder(ring);
  let refused = 0;
  for (let i = 0; i < 6000; i++) {
    const made = { ...anything(random, 0) as object, guard: 7, "k0\t": anything(random, 0),
      "k1\t": anything(random, 0), "k2\t": anything(random, 0) };
    const bytes = new TextEncoder().encode(JSON.stringify(made));
    for (let n = Math.floor(random.next() * 3); n > 0; n--) {
      bytes[Math.floor(random.next() * bytes.length)] = '{}[]",:0e-\\nt '.charCodeAt(
        Math.floor(random.next() * 14));
    }
    const message = new TextDecoder().decode(bytes);
    let parsed: unknown = null;
    try {
      // What is not UTF-8 is no JSON.
      if (isUtf8(bytes)) parsed = JSON.parse(message);
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(SyntaxError);
    }
    const head = ring.head;
    try {
      decoder.decode(bytes, 0, GOOD);
    } catch (thrown) {
      expect([message, thrown]).toEqual([message, expect.any(Fault)]);
    }
    const taken = ring.head !== head;
    expect([message, taken]).toEqual([message, parsed !== null]);
    if (!taken) refused++;
    else if ((parsed as { guard?: unknown }).guard === 7) {
      expect([message, shown(ring, head)["guard"]]).toEqual([message, 7n]);
    }
  }
  expect(refused).toBeGreaterThan(500);
});

function anything(random: Random, depth: number): unknown {
  const choice = Math.floor(random.next() * (depth > 3 ? 5 : 7));
  switch (choice) {
    case 0: return null;
    case 1: return random.next() < 0.5;
    case 2: return Math.round((random.next() - 0.5) * 1e6) / 8;
    case 3: return Math.floor(random.next() * 1e9);
    case 4: return ["", "a\"b\\c\n", "größe", "x".repeat(30)][Math.floor(random.next() * 4)];
    case 5: return Array.from({ length: Math.floor(random.next() * 5) },
      () => anything(random, depth + 1));
    default: return Object.fromEntries(Array.from({ length: Math.floor(random.next() * 5) },
      (_, i) => [`k${i}\t`, anything(random, depth + 1)]));
  }
}

test("whole numbers of 64 bits: their words are those of a BigInt", () => {
  const random = createRandom(seed);
  const ring = ringOf(tagColumn("n", "int64"));
  const decoder = createDecoder(ring);
  const edges = [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n, 10n ** 15n, 2n ** 32n * 10n ** 9n];
  for (let i = 0; i < 3000; i++) {
    const digits = 14 + Math.floor(random.next() * 7);
    const text = i < edges.length * 3 ? String(edges[i % edges.length]! + BigInt(i % 3 - 1))
      : (random.next() < 0.5 ? "-" : "") + (1 + Math.floor(random.next() * 9)) +
        Array.from({ length: digits }, () => Math.floor(random.next() * 10)).join("");
    decoder.decode(new TextEncoder().encode(`{"n": ${text} }`), 0, GOOD);
    const fits = BigInt.asIntN(64, BigInt(text)) === BigInt(text);
    expect([text, shown(ring, ring.head - 1)["n"]])
      .toEqual([text, fits ? BigInt(text) : "error:overflow"]);
  }
  for (const [text, found] of [["12345678901234567e-1", "error:type"],
    ["1234567890123456.0", 1234567890123456n], ["1234567890123456.5", "error:type"]] as const) {
    decoder.decode(new TextEncoder().encode(`{"n":${text}}`), 0, GOOD);
    expect(shown(ring, ring.head - 1)["n"]).toBe(found);
  }
  expect(() => decoder.decode(new TextEncoder().encode('{"n":01234567890123456}'), 0, GOOD))
    .toThrow("leading zeros");
});

test("a default of 64 bits is exact", () => {
  const ring = ringOf({ ...tagColumn("n", "int64"), fallback: "9007199254740993" });
  createDecoder(ring).decode(new TextEncoder().encode("{}"), 0, GOOD);
  expect(readCell(ring, ring.columns[0]!, 0)).toBe(9007199254740993n);
  writeCell(ring, ring.columns[0]!, 0, -5);
  expect(readCell(ring, ring.columns[0]!, 0)).toBe(-5n);
});
