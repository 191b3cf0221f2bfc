import { describe, expect, test } from "bun:test";
import { Decoder as CborDecoder } from "cbor-x/index-no-eval";
import { createRandom, Fault, type Random } from "../../src/base.ts";
import { createDecoder, createEncoder } from "../../src/codec.ts";
import {
  ABSENT, Arena, BAD, ERROR, GOOD, NULL, Ring, UNCERTAIN, readCell, stateName, tagColumn, writeCell,
  type CellValue, type ColumnSpec,
} from "../../src/ring.ts";

const seed = Number(process.env["SOAK_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const count = Number(process.env["SOAK_COUNT"] ?? 3000);
console.log(`codec seed ${seed}, ${count} messages`);

const columns: readonly ColumnSpec[] = [
  tagColumn("f", "float64"), tagColumn("i", "int32"), tagColumn("long", "int64"),
  tagColumn("b", "bool"), tagColumn("t", "time"), tagColumn("text", "text(16)"),
  tagColumn("raw", "bytes(8)"), tagColumn("any", "json(64)"), tagColumn("größe \"1\"", "float64"),
];

function ringOf(specs: readonly ColumnSpec[], rows = 16): Ring {
  const layout = Ring.layout("s", specs, rows);
  return Ring.create(Arena.create(layout.bytes), layout).ring;
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Decodes one message and gives `column → [value, state]` of its last row. */
function decoded(message: string | Uint8Array, ring = ringOf(columns)): Record<string, unknown> {
  createDecoder(ring).decode(typeof message === "string" ? utf8(message) : message, 1000, GOOD);
  return cells(ring, ring.head - 1);
}

function cells(ring: Ring, seq: number): Record<string, unknown> {
  return Object.fromEntries(ring.columns.map((column) => {
    const state = ring.arena.U[column.state + (seq & ring.mask)]!;
    return [column.name, state <= 63 ? readCell(ring, column, seq) : stateName(state)];
  }));
}

describe("a message of any fields", () => {
  const open = (name: string, slot: number, ...path: string[]): ColumnSpec =>
    ({ name, kind: "dyn", slot, path });
  const ring = (...specs: ColumnSpec[]): Ring => ringOf(specs);

  test("a value keeps its kind, a number is a float; what is not there is absent", () => {
    const values = ["n", "t", "b", "l", "o", "none"].map((name) => open(name, 64, name));
    expect(decoded('{"x":{"n":9},"n":5,"t":"hé\\n","b":false,"l":[1,"a"],"o":{"k":null}}',
      ring(...values))).toEqual({ n: 5, t: "hé\n", b: false, l: '[1,"a"]', o: '{"k":null}',
      none: "absent" });
  });

  test("what a message says of itself is no field of it", () => {
    const rows = ring({ name: "$meta", kind: "dyn", slot: 64 }, open("n", 16, "n"));
    const about = new Map([["topic", "a/b"]]);
    createDecoder(rows).decode(utf8('{"$meta":"forged","n":1}'), 0, UNCERTAIN.source, about);
    expect(cells(rows, 0)).toEqual({ $meta: '{"topic":"a/b"}', n: 1 });
    expect(rows.arena.U[rows.column("$meta")!.state]).toBe(UNCERTAIN.source);
    expect(decoded('{"$meta":"forged","n":1}', rows)).toEqual({ $meta: "absent", n: 1 });
    createDecoder(rows).decode(utf8("{}"), 0, GOOD, new Map([["topic", "x".repeat(80)]]));
    expect(cells(rows, 2)).toEqual({ $meta: "error:length", n: "absent" });
  });

  test("fields inside are found on the way, beside the one that holds them", () => {
    const specs = [open("a->b", 16, "a", "b"), open("a->c->d", 16, "a", "c", "d"),
      open("a", 64, "a"), open("z", 16, "z")];
    expect(decoded('{"a":{"q":[{"b":1}],"b":1,"c":{"d":"x"}},"z":2}', ring(...specs)))
      .toEqual({ "a->b": 1, "a->c->d": "x", a: '{"q":[{"b":1}],"b":1,"c":{"d":"x"}}', z: 2 });
    expect(decoded('{"a":null,"z":1}', ring(...specs)))
      .toEqual({ "a->b": "null", "a->c->d": "null", a: "null", z: 1 });
    expect(decoded('{"a":7}', ring(...specs))).toEqual({ "a->b": "error:argument",
      "a->c->d": "error:argument", a: 7, z: "absent" });
  });

  test("the whole message, and what is longer than its place", () => {
    const whole: ColumnSpec = { name: "*", kind: "json", slot: 32, path: [] };
    expect(decoded(' {"a": 1} ', ring(whole, open("a", 16, "a"))))
      .toEqual({ "*": '{"a": 1}', a: 1 });
    expect(decoded(`{"a":"${"x".repeat(32)}"}`, ring(whole, open("a", 16, "a"))))
      .toEqual({ "*": "error:length", a: "error:length" });
  });

  test("what goes out again are its fields, and columns in the place of theirs", () => {
    const whole: ColumnSpec = { name: "*", kind: "json", slot: 64, path: [] };
    const out = (made: Ring): string => {
      const bytes = new Uint8Array(512);
      const encoder = createEncoder(made, { format: "json", quality: false });
      return new TextDecoder().decode(bytes.subarray(0, encoder.encode(made.head - 1, bytes, 0)));
    };
    const [plain, beside] = [ring(whole), ring(whole, open("a", 16, "a"))];
    for (const message of ['{"a":1.50,"b":[]}', "{}"]) {
      decoded(message, plain);
      expect(out(plain)).toBe(message);
    }
    decoded('{"b":[],"a":1}', beside);
    expect(out(beside)).toBe('{"b":[],"a":1}');
    decoded("{}", beside);
    expect(out(beside)).toBe('{"a":null}');
  });
});

describe("JSON in", () => {
  test("each kind takes what it holds; what a message has not is absent", () => {
    const row = decoded('{"f":1.5,"i":-7,"long":9223372036854775807,"b":true,"t":5,' +
      '"text":"hé\\n","raw":"AQID","any":{"a":[1,2]},"other":[{"x":null}]}');
    expect(row).toEqual({
      f: 1.5, i: -7, long: 9223372036854775807n, b: true, t: 5, text: "hé\n",
      raw: Uint8Array.of(1, 2, 3), any: '{"a":[1,2]}', "größe \"1\"": "absent",
    });
  });

  test("a byte order mark in front of a text or a name is a character of it", () => {
    const ring = ringOf([tagColumn("text", "text(16)"), tagColumn("x", "text(16)"),
      { name: "open", kind: "dyn", slot: 32 }]);
    const given = { text: "\ufeffa", x: "\ufeffb", open: "\ufeffc" };
    expect(decoded(JSON.stringify({ ...given, "\ufefftext": "d" }), ring)).toEqual(given);
    expect(Buffer.from(encoded(ring, "json", false)).toString()).toBe(JSON.stringify(given));
    expect(new CborDecoder({ mapsAsObjects: true }).decode(encoded(ring, "cbor", false)))
      .toEqual(given);
  });

  test("null is NULL, another type is an error cell, and the rest of the row stands", () => {
    const row = decoded('{"f":"1","i":1.5,"long":1e30,"b":1,"t":"yesterday","text":5,"raw":"*",' +
      '"any":null,"größe \\"1\\"":2}');
    expect(row).toEqual({
      f: "error:type", i: "error:type", long: "error:overflow", b: "error:type", t: "error:parse",
      text: "error:type", raw: "error:parse", any: "null", "größe \"1\"": 2,
    });
  });

  test("what does not fit is an error cell, never cut", () => {
    const row = decoded(`{"text":"${"x".repeat(17)}","i":9007199254740993,"f":1e999,` +
      `"any":[${"1,".repeat(40)}1],"raw":"AAAAAAAAAAAA"}`);
    expect([row["text"], row["i"], row["f"], row["any"], row["raw"]]).toEqual([
      "error:length", "error:overflow", "error:number", "error:length", "error:length",
    ]);
    expect(decoded('{"text":"1234567890123456"}')["text"]).toBe("1234567890123456");
  });

  test("int64 is exact to its ends and an error past them", () => {
    for (const text of ["9223372036854775807", "-9223372036854775808", "0", "-1", "4294967296"]) {
      expect(decoded(`{"long":${text}}`)["long"]).toBe(BigInt(text));
    }
    expect(decoded('{"long":9223372036854775808}')["long"]).toBe("error:overflow");
    expect(decoded('{"long":0.5}')["long"]).toBe("error:type");
    expect(decoded('{"long":1e3}')["long"]).toBe(1000n);
  });

  test("a time is a number or ISO 8601", () => {
    expect(decoded('{"t":"2026-01-01T00:00:00Z"}')["t"]).toBe(Date.UTC(2026, 0, 1));
  });

  test("an array is a row each; the last of a repeated field counts", () => {
    const ring = ringOf(columns);
    expect(createDecoder(ring).decode(utf8('[{"f":1},{},{"f":2,"f":3}]'), 7, GOOD)).toBe(3);
    expect([0, 1, 2].map((seq) => cells(ring, seq)["f"])).toEqual([1, "absent", 3]);
    expect(ring.arena.F[ring.timeAt + 2]).toBe(7);
    expect(createDecoder(ring).decode(utf8(" [ ] "), 7, GOOD)).toBe(0);
    expect(ring.head).toBe(3);
  });

  test("an array longer than the ring keeps the newest rows", () => {
    const ring = ringOf([tagColumn("f", "float64")], 16);
    const message = JSON.stringify(Array.from({ length: 40 }, (_, f) => ({ f })));
    expect(createDecoder(ring).decode(utf8(message), 0, GOOD)).toBe(40);
    expect(ring.head).toBe(40);
    for (let seq = 24; seq < 40; seq++) expect(cells(ring, seq)["f"]).toBe(seq);
  });

  test("the time column is the row's source time", () => {
    const ring = ringOf(columns);
    const decoder = createDecoder(ring, { time: "t" });
    decoder.decode(utf8('[{"t":12},{"t":"?"},{}]'), 1, GOOD);
    expect([0, 1, 2].map((row) => ring.arena.F[ring.sourceAt + row])).toEqual([12, NaN, NaN]);
  });

  test("the given state is that of good cells only", () => {
    const ring = ringOf(columns);
    createDecoder(ring).decode(utf8('{"f":1,"i":null,"b":2}'), 1, UNCERTAIN.source);
    const states = ring.columns.slice(0, 4).map((column) => ring.arena.U[column.state]);
    expect(states).toEqual([UNCERTAIN.source, NULL, ABSENT, ERROR.type]);
  });

  const malformed = [
    "", " ", "1", '"x"', "null", "{", "}", "[", "[1]", "[{}", "[{},]", "{}{}", "{} x", "{,}",
    '{"f"}', '{"f":}', '{"f":1,}', '{"f":01}', '{"f":1.}', '{"f":.5}', '{"f":1e}',
    '{"f":+1}', '{"f":-}',
    '{"f":tru}', '{"f":nul}', '{"f":NaN}', "{f:1}", "{'f':1}", '{"f":1 "i":2}', '{"text":"a\nb"}',
    '{"text":"\\x"}', '{"text":"\\u12g4"}', '{"text":"abc', '{"x":[1,]}', '{"x":{"y"}}', '{"f":1]',
    `{"x":${"[".repeat(100)}${"]".repeat(100)}}`, '{"text":"abc\\',
  ];
  test.each(malformed)("%j is refused and leaves no row", (message) => {
    const ring = ringOf(columns);
    let fault: unknown;
    try {
      createDecoder(ring).decode(utf8(message), 0, GOOD);
    } catch (thrown) {
      fault = thrown;
    }
    expect(fault).toBeInstanceOf(Fault);
    expect((fault as Fault).code).toBe("json-malformed");
    expect(ring.head).toBe(0);
  });

  test("bytes that are not UTF-8 are refused", () => {
    expect(() => decoded(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d))).toThrow("UTF-8");
  });
});

/** Any JSON value; objects often use the columns' names. */
function anyValue(random: Random, depth: number): unknown {
  switch (random.below(depth > 3 ? 6 : 8)) {
    case 0: return null;
    case 1: return random.chance(0.5);
    case 2: return random.below(100) - 50;
    case 3: return (random.next() - 0.5) * 10 ** (random.below(40) - 20);
    case 4: return Math.round((random.next() - 0.5) * 2 ** 60);
    case 5: return Array.from({ length: random.below(9) }, () =>
      random.pick(["a", "\"", "\\", "ü", "\u0001", "😀", "\ud800", " ", "/"])).join("");
    case 6: return Array.from({ length: random.below(4) }, () => anyValue(random, depth + 1));
    default: return anyObject(random, depth + 1);
  }
}

function anyObject(random: Random, depth: number): Record<string, unknown> {
  return Object.fromEntries(Array.from({ length: random.below(7) }, () => [
    random.chance(0.7) ? random.pick(columns).name : `x${random.below(5)}`, anyValue(random, depth),
  ]));
}

test("seeded: values agree with JSON.parse, damaged messages are refused by both", () => {
  const random = createRandom(seed);
  const ring = ringOf(columns);
  const decoder = createDecoder(ring);
  for (let i = 0; i < count; i++) {
    const spaces = random.chance(0.2) ? 1 : 0;
    let text = JSON.stringify(anyObject(random, 0), null, spaces);
    if (random.chance(0.3)) {
      const at = random.below(text.length);
      const damage = random.pick(["", "{", "]", '"', ",", "1", "e", "."]);
      // Half a surrogate pair cannot stand in UTF-8.
      text = (text.slice(0, at) + damage + text.slice(at + 1)).toWellFormed();
    }
    let expected: Record<string, unknown> | null = null;
    try {
      const parsed: unknown = JSON.parse(text);
      if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) {
        expected = parsed as Record<string, unknown>;
      }
    } catch (thrown) {
      expect(thrown).toBeInstanceOf(SyntaxError);
    }
    const before = ring.head;
    if (expected === null) {
      expect(() => decoder.decode(utf8(text), 0, GOOD), text).toThrow(Fault);
      expect(ring.head).toBe(before);
    } else {
      decoder.decode(utf8(text), 0, GOOD);
      agree(cells(ring, before), expected, text);
    }
  }
});

function agree(row: Record<string, unknown>, parsed: Record<string, unknown>, text: string): void {
  const f = parsed["f"];
  if (typeof f === "number") expect(row["f"], text).toBe(Number.isFinite(f) ? f : "error:number");
  else expect(row["f"], text).toBe(f === undefined ? "absent" : f === null ? "null" : "error:type");
  const i = parsed["i"];
  if (typeof i === "number" && Number.isSafeInteger(i)) expect(row["i"], text).toBe(i);
  const b = parsed["b"];
  if (typeof b === "boolean") expect(row["b"], text).toBe(b);
  const value = parsed["text"];
  if (typeof value === "string") {
    const fits = utf8(value).length <= 16;
    expect(row["text"], text).toBe(fits ? value.toWellFormed() : "error:length");
  }
  const any = parsed["any"];
  if (any !== undefined && any !== null && row["any"] !== "error:length") {
    expect(JSON.parse(row["any"] as string), text).toEqual(any);
  }
}

/** One row written through an encoder. */
function encoded(ring: Ring, format: "json" | "cbor", quality: boolean): Uint8Array {
  const encoder = createEncoder(ring, { format, quality });
  const out = new Uint8Array(encoder.bytes_max + 7);
  const end = encoder.encode(ring.head - 1, out, 7);
  expect(end - 7).toBeLessThanOrEqual(encoder.bytes_max);
  return out.slice(7, end);
}

function write(
  ring: Ring, values: Record<string, CellValue>, states: Record<string, number> = {},
): void {
  ring.claim(1);
  for (const column of ring.columns) {
    writeCell(ring, column, ring.head, values[column.name] ?? null, states[column.name] ?? GOOD);
  }
  ring.publish(1);
}

describe("rows out", () => {
  const values = {
    f: -0.1, i: -2147483648, long: 9007199254740993n, b: false, t: 1.7e12, text: "\"ü\\\u0001\n😀",
    raw: Uint8Array.of(255, 0), any: "[1, {}]", "größe \"1\"": 1e21,
  };

  test("JSON: what JSON.parse reads is what the cells hold", () => {
    const ring = ringOf(columns);
    write(ring, values);
    const text = new TextDecoder().decode(encoded(ring, "json", true));
    expect(text).toContain('"long":9007199254740993,');
    expect(JSON.parse(text)).toEqual({
      ...values, long: Number(values.long), raw: "/wA=", any: [1, {}],
    });
  });

  test("no usable value is null; `quality` names why, uncertain values stay", () => {
    const ring = ringOf(columns);
    write(ring, { ...values, t: null }, {
      f: BAD.timeout, i: ERROR.zero, long: ABSENT, b: UNCERTAIN.skipped,
    });
    const json: unknown = JSON.parse(new TextDecoder().decode(encoded(ring, "json", true)));
    const expected = {
      f: null, i: null, long: null, b: false, t: null,
      quality: {
        f: "bad:timeout", i: "error:zero", long: "absent", b: "uncertain:skipped", t: "null",
      },
    };
    expect(json).toMatchObject(expected);
    const cbor: unknown = new CborDecoder({ mapsAsObjects: true })
      .decode(encoded(ring, "cbor", true));
    expect(cbor).toMatchObject(expected);
    const plain: unknown = JSON.parse(new TextDecoder().decode(encoded(ring, "json", false)));
    expect(plain).not.toHaveProperty("quality");
  });

  test("CBOR: maps with text keys, int64 exact, bytes as bytes", () => {
    const ring = ringOf(columns);
    write(ring, values);
    const bytes = encoded(ring, "cbor", false);
    const back = new CborDecoder({ mapsAsObjects: true }).decode(bytes) as Record<string, unknown>;
    expect(back["long"]).toBe(9007199254740993n);
    expect(Buffer.from(back["raw"] as Uint8Array)).toEqual(Buffer.from([255, 0]));
    expect(back["f"]).toBe(-0.1);
    expect(back["text"]).toBe(values.text);
    // Major type 5, 9 pairs (RFC 8949, 3.1): no record extension.
    expect(bytes[0]).toBe(0xa0 + 9);
  });

  test("text that is no UTF-8 is repaired, so that the message stays JSON", () => {
    const ring = ringOf([tagColumn("text", "text(8)")]);
    write(ring, { text: Uint8Array.of(0x61, 0xff, 0x22) });
    const text = new TextDecoder("utf-8", { fatal: true }).decode(encoded(ring, "json", false));
    expect(JSON.parse(text)).toEqual({ text: "a\ufffd\"" });
  });

  test("the worst row fits the stated size", () => {
    const ring = ringOf([tagColumn("text", "text(64)"), tagColumn("f", "float64")]);
    write(ring, { text: "\u0001".repeat(64), f: -2.2250738585072014e-308 }, { text: 63, f: 63 });
    encoded(ring, "json", true);
    encoded(ring, "cbor", true);
    write(ring, { text: new Uint8Array(64).fill(0xff), f: -1.7976931348623157e308 });
    encoded(ring, "json", true);
    encoded(ring, "cbor", true);
  });

  test("seeded: numbers survive the way out and in", () => {
    const random = createRandom(seed);
    const ring = ringOf([tagColumn("f", "float64"), tagColumn("long", "int64")]);
    const back = ringOf([tagColumn("f", "float64"), tagColumn("long", "int64")]);
    const bits = new DataView(new ArrayBuffer(16));
    for (let i = 0; i < count; i++) {
      for (let at = 0; at < 16; at += 4) bits.setUint32(at, random.below(2 ** 32));
      const wild = bits.getFloat64(0);
      const plain = Math.round((random.next() - 0.5) * 2e6) / 10 ** random.below(5);
      const f = random.chance(0.5) && Number.isFinite(wild) ? wild : plain;
      const long = bits.getBigInt64(8) >> BigInt(random.below(64));
      write(ring, { f, long });
      createDecoder(back).decode(encoded(ring, "json", false), 0, GOOD);
      expect(cells(back, back.head - 1)).toEqual({ f: f === 0 ? 0 : f, long });
    }
  });
});
