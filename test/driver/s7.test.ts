import { describe, expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { DONE, s7, type DriverTag } from "../../src/driver.ts";
import { BAD, ERROR, GOOD } from "../../src/ring.ts";
import { Bench, kits, linkFor, newest, states, type Kit } from "../contract/drivers.ts";
import { linkOf, ringFor, ScriptedWire, tag } from "./support.ts";

const kit = kits.find(({ driver }) => driver === s7)!;
const link = linkFor(kit);
const benchOf = (tags: readonly DriverTag[], settings = {}): Bench =>
  new Bench({ ...kit, settings: { ...kit.settings, ...settings } } satisfies Kit, tags);

describe("addresses", () => {
  test.each([
    ["DB1.DBD4", "float32", "DB1", 32, 63], ["db7.dbx0.3", "bool", "DB7", 3, 3],
    ["DB1.DBW4", "float64", "DB1", 32, 95], ["MW10", "int16", "M", 80, 95],
    ["I0.1", "bool", "I", 1, 1], ["QB4", "uint8", "Q", 32, 39], ["F4", "int16", "M", 32, 47],
    ["E2", "uint16", "I", 16, 31], ["AW2", "int16", "Q", 16, 31], ["O3", "uint16", "Q", 24, 39],
    ["DB10.DBB10", "text(20)", "DB10", 80, 255], ["DB10.DBW10.20", "text(20)", "DB10", 80, 255],
    ["DB10.DBC10", "text(20)", "DB10", 80, 239], ["DB1.DBB0", "bytes(8)", "DB1", 0, 63],
    ["MX1.2", "bool", "M", 10, 10], ["VW4", "int16", "DB1", 32, 47], ["V0.7", "bool", "DB1", 7, 7],
  ] as const)("%s as %s", (at, type, area, from, to) => {
    const one = tag(at, type as "int16");
    expect(s7.checkTag(one, link)).toBeNull();
    expect(s7.extents(one, link)).toEqual([{ area, from, to }]);
  });

  test("what is not written is refused before", () => {
    const refused = (at: string, type: string) =>
      s7.checkTag(tag(at, type as "int16", { writable: true }), link) ?? "";
    expect(refused("I0.1", "bool")).toContain("the PLC reads itself");
    expect(refused("DB1.DBB0", "text(4)")).toBe("");
    expect(refused("DB1.DBC0", "text(4)")).toContain("characters alone");
    expect(refused("DB1.DBB0", "text(80)")).toContain("at most 64 bytes");
    expect(refused("DB1.DBB0", "bytes(4)")).toContain("Writing a bytes(4)");
    expect(refused("DB1.DBX0.1", "bool")).toBe("");
    expect(s7.checkTag(tag("DB1.DBW0", "int16", { wordOrder: "CDAB" }), link))
      .toContain("wordOrder");
  });
});

describe("reading", () => {
  test("neighbours are one range, ranges one telegram of at most 20 places", () => {
    const tags = Array.from({ length: 50 }, (_, i) => tag(`DB1.DBW${i * 2}`, "int16"));
    expect(s7.plan(tags, benchOf([]).link).map(({ text }) => text)).toEqual(["DB1.DBB0..99"]);
    const apart = Array.from({ length: 21 }, (_, i) => tag(`DB${i + 1}.DBW0`, "int16"));
    const plan = s7.plan(apart, benchOf([]).link);
    expect(plan.map((request) => request.tags.length)).toEqual([20, 1]);
    const gap = [tag("MB0", "uint8"), tag("MB18", "uint8"), tag("MB35", "uint8")];
    expect(s7.plan(gap, benchOf([]).link)[0]!.text).toBe("MB0, MB18..35");
    expect(s7.plan(gap, benchOf([], { maxGap: 0 }).link)[0]!.text).toBe("MB0, MB18, MB35");
  });

  test("what the PLC's own telegrams have no room for is asked for in several", () => {
    const { ring, tags } = ringFor(Array.from({ length: 400 }, (_, i) =>
      tag(`DB1.DBW${i * 2}`, "int16", { id: `d.t${i}` })));
    const bench = benchOf(tags);
    tags.forEach((one, i) => bench.values.set(one.id, i - 200));
    // 960 bytes are asked for, and 480 granted.
    expect(bench.poll(ring, tags, 0)).toEqual([DONE]);
    expect(newest(ring, tags)).toEqual(tags.map((_, i) => i - 200));
    expect(bench.frames.length).toBe(2 + 2);
    expect(Math.max(...bench.frames.map(({ length }) => length))).toBeLessThan(480);
  });

  test("a tag past the end of its block is bad alone within three polls", () => {
    const { ring, tags } = ringFor(Array.from({ length: 30 }, (_, i) =>
      tag(`DB1.DBW${i * 2}`, "int16", { id: `d.t${i}` })));
    const bench = benchOf(tags.slice(0, 20));
    const plan = s7.plan(tags, bench.link);
    const poll = (): number[] => {
      ring.claim(1);
      for (const request of plan) {
        bench.session.read(request, ring, ring.head, 0);
        expect(bench.run(0)).toBe(DONE);
      }
      ring.publish(1);
      return states(ring, tags);
    };
    expect(new Set(poll())).toEqual(new Set([BAD.address]));
    const alone = tags.map((_, i) => (i < 20 ? GOOD : BAD.address));
    expect(poll()).toEqual(alone);
    expect(poll()).toEqual(alone);
    const before = bench.frames.length;
    for (let i = 0; i < 50; i++) expect(poll()).toEqual(alone);
    // One telegram a poll again: what can be read, and what cannot, in a range each.
    expect(bench.frames.length - before).toBe(50);
    // Each tag that is not there has words of its own, and no other has any.
    const past = tags.filter((_, i) => i >= 20);
    expect([...bench.session.refusals!.keys()]).toEqual(past);
    for (const one of past) {
      expect(bench.session.refusals!.get(one)).toMatch(
        new RegExp(`^${one.at}: .*past the end.*0x05`));
    }
  });

  test.each([
    ["DB1.DT0", "24 02 29 23 59 58 12 36", "2024-02-29T23:59:58.123Z"],
    ["DB1.DT0", "89 12 31 00 00 00 00 01", "2089-12-31T00:00:00.000Z"],
    ["DB1.DT0", "90 01 01 00 00 00 00 02", "1990-01-01T00:00:00.000Z"],
    ["DB1.DTL0", "07e8 02 1d 05 17 3b 3a 0754d4c0", "2024-02-29T23:59:58.123Z"],
    ["DB1.LDT0", "17b87ae8a00840c0", "2024-02-29T23:59:58.123Z"],
    ["DB1.DT0", "23 02 29 00 00 00 00 01", null],
    ["DB1.DT0", "24 0a 01 00 00 00 00 01", null],
    ["DB1.DT0", "00 00 00 00 00 00 00 00", null],
    ["DB1.DTL0", "07e8 0d 1d 05 17 3b 3a 0754d4c0", null],
    ["DB1.DTL0", "07e8 02 1d 05 18 3b 3a 0754d4c0", null],
  ])("%s of %s is %s", (at, bytes, iso) => {
    const { ring, tags } = ringFor([tag(at, "time")]);
    const wire = new ScriptedWire();
    const link = linkOf(s7, kit.settings);
    const session = s7.open(link, wire);
    ring.claim(1);
    session.read(s7.plan(tags, link)[0]!, ring, ring.head, 0);
    greet(session, wire, [...hex(bytes)]);
    ring.publish(1);
    expect(states(ring, tags)).toEqual([iso === null ? BAD.range : GOOD]);
    if (iso !== null) expect(newest(ring, tags)).toEqual([Date.parse(iso)]);
  });

  test("the simulated PLC's moments are read as they are", () => {
    const places = ["DB1.DT0", "DB1.DTL8", "DB1.LDT20"];
    const { ring, tags } = ringFor(places.map((at) => tag(at, "time", { id: `d.${at}` })));
    const bench = new Bench(kit, tags);
    const random = createRandom(11);
    for (let n = 0; n < 200; n++) {
      const moment = 631_152_000_000 + Math.floor(random.next() * 3.1e12);
      for (const { id } of tags) bench.values.set(id, moment);
      bench.poll(ring, tags, n);
      expect(newest(ring, tags)).toEqual([moment, moment, moment]);
    }
  });

  test("data of another length than was asked for is garbled", () => {
    const { ring, tags } = ringFor([tag("DB1.DBD4", "float32")]);
    const wire = new ScriptedWire();
    const session = s7.open(link, wire);
    ring.claim(1);
    for (const [bits, result] of [[32, DONE], [16, BAD.garbled], [64, BAD.garbled]] as const) {
      session.read(s7.plan(tags, link)[0]!, ring, ring.head, 0);
      greet(session, wire, [0, 0, 0, 0], bits);
      expect(session.result).toBe(result);
    }
  });

  test("a STRING has its own length; one that claims more than its room is an error", () => {
    const { ring, tags } = ringFor([tag("DB1.DBB0", "text(6)"), tag("DB1.DBC8", "text(4)")]);
    const wire = new ScriptedWire();
    const session = s7.open(linkOf(s7, kit.settings), wire);
    const answer = (...data: number[]): void => greet(session, wire, data);
    ring.claim(1);
    session.read(s7.plan(tags, linkOf(s7, kit.settings))[0]!, ring, ring.head, 0);
    answer(6, 3, 0x61, 0x62, 0x63, 0, 0, 0, 0x78, 0x79, 0, 0);
    ring.publish(1);
    expect(newest(ring, tags)).toEqual(["abc", "xy"]);
    ring.claim(1);
    session.read(s7.plan(tags, linkOf(s7, kit.settings))[0]!, ring, ring.head, 0);
    answer(2, 5, 0x61, 0x62, 0x63, 0, 0, 0, 0x78, 0x79, 0, 0);
    ring.publish(1);
    expect(states(ring, tags)).toEqual([ERROR.length, GOOD]);
  });
});

test("a STRING is written behind its room, and only into room that is there", () => {
  const [one] = ringFor([tag("DB1.DBB0", "text(6)", { writable: true })]).tags;
  const link = linkOf(s7, kit.settings);
  const wire = new ScriptedWire();
  const session = s7.open(link, wire);
  const raw = new Uint8Array(s7.rawBytes(one!));
  const read = (...data: number[]): unknown => {
    session.readRaw(one!, raw, 0);
    greet(session, wire, data);
    return session.result === DONE ? s7.decode(one!, raw) : session.result;
  };
  expect(read(6, 3, 0x61, 0x62, 0x63, 0, 0, 0)).toBe("abc");
  expect(read(8, 0, 0x61, 0x62, 0x63, 0, 0, 0)).toBe("");
  // A shorter STRING: six characters would run over what stands behind it.
  expect(read(4, 3, 0x61, 0x62, 0x63, 0, 0, 0)).toBe(BAD.address);
  expect(session.trouble).toContain("has room for 4 and 3 characters in it, which is no text(6)");
  expect(read(8, 7, 0x61, 0x62, 0x63, 0, 0, 0)).toBe(BAD.address);
  const { bytes, means } = s7.encode(one!, "R-1", link);
  expect(means).toBe("R-1");
  session.write(one!, bytes, () => 1e9, 0);
  // Bit address 8: byte 1; four bytes, the length and three characters.
  expect(Buffer.from(session.frame).toString("hex")).toEndWith("0004000184000008000400200352" +
    "2d31");
  expect(() => s7.encode(one!, "seven..", link)).toThrow("text(6) at most 6");
  expect(() => s7.encode(one!, "Größe", link)).toThrow("U+00f6");
  expect(() => s7.encode(one!, 7, link)).toThrow("takes a text");
});

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""),
  "hex"));

/** Gives the PLC's part by hand: what was sent says which part. */
function greet(
  session: ReturnType<typeof s7.open>, wire: ScriptedWire, data: readonly number[],
  bits = data.length * 8,
): void {
  const give = (bytes: Uint8Array): void => session.receive(bytes, bytes.length, 0);
  if (wire.sent.length === 1) {
    give(hex("03 00 00 0b 06 d0 0001 0002 00"));
    give(hex("03 00 00 1b 02f080 32 03 0000 0001 0008 0000 0000 f0 00 0001 0001 00f0"));
  }
  const reference = wire.last.subarray(11, 13);
  const head = [2, 0xf0, 0x80, 0x32, 3, 0, 0, ...reference, 0, 2, 0, 4 + data.length, 0, 0, 4, 1,
    0xff, 4, bits >> 8, bits & 0xff, ...data];
  give(Uint8Array.from([3, 0, 0, 4 + head.length, ...head]));
}

describe("the connection", () => {
  const start = (settings = {}) => {
    const { ring, tags } = ringFor([tag("DB1.DBD4", "float32", { writable: true })]);
    const wire = new ScriptedWire();
    const link = linkOf(s7, { ...kit.settings, ...settings });
    const session = s7.open(link, wire);
    const why: (string | undefined)[] = [];
    wire.reset = (text?: string) => {
      why.push(text);
      session.abort();
    };
    ring.claim(1);
    session.read(s7.plan(tags, link)[0]!, ring, ring.head, 0);
    const give = (text: string): void => {
      const bytes = hex(text);
      session.receive(bytes, bytes.length, 0);
    };
    return { wire, session, give, why, tags, link };
  };

  test("is asked for rack and slot, or for selectors that are given", () => {
    const called = (settings: object) => start(settings).wire.last.subarray(-2).toHex();
    expect(called({})).toBe("0301");
    expect(called({ slot: 2 })).toBe("0302");
    expect(called({ rack: 1, slot: 3, connection: "pg" })).toBe("0123");
    expect(called({ remoteTsap: "10.00", localTsap: "20.01" })).toBe("1000");
    expect(s7.route!(start({ slot: 2 }).link)).toBe(" rack 0 slot 2 as basic");
    expect(s7.route!(start({ remoteTsap: "10.00" }).link)).toBe(" TSAP 1000");
  });

  test("a wrong slot is told in words, and the wire is given up", () => {
    const { session, give, why } = start({ slot: 3 });
    give("03 00 00 0b 06 80 0001 0000 02");
    expect(session.result).toBe(BAD.disconnected);
    expect(why[0]).toMatch(/refuses the connection to rack 0, slot 3: .*S7-300 slot 2.*reason 2/);
  });

  test("a set-up that is refused, and telegrams too small, are told in words", () => {
    const refused = start();
    refused.give("03 00 00 0b 06 d0 0001 0002 00");
    refused.give("03 00 00 13 02f080 32 02 0000 0001 0000 0000 8104");
    expect(refused.why[0]).toMatch(/PUT\/GET.*0x8104/);
    const small = start();
    small.give("03 00 00 0b 06 d0 0001 0002 00");
    small.give("03 00 00 1b 02f080 32 03 0000 0001 0008 0000 0000 f0 00 0001 0001 0070");
    expect(small.why[0]).toContain("112 bytes, 240 are needed");
  });

  test("another protocol on the port is told so", () => {
    const { give, why, session } = start();
    give("48 54 54 50 2f 31 2e 31");
    expect([why[0], session.result]).toEqual([expect.stringContaining("right port"), BAD.garbled]);
  });

  test("access that is not permitted is an exception with the way out", () => {
    const { session, give, wire } = start();
    give("03 00 00 0b 06 d0 0001 0002 00");
    give("03 00 00 1b 02f080 32 03 0000 0001 0008 0000 0000 f0 00 0001 0001 00f0");
    give(`03 00 00 13 02f080 32 02 0000 ${wire.last.subarray(11, 13).toHex()} 0000 0000 8104`);
    expect([session.result, session.exception]).toEqual([BAD.exception, 0x8104]);
    expect(session.trouble).toContain("Permit access with PUT/GET");
    expect(s7.rejects(0x8104)).toBe(true);
  });
});

describe("writing", () => {
  test("W14: after a damaged answer nothing more may come of it", () => {
    const [one] = ringFor([tag("DB1.DBD4", "float32", { writable: true })]).tags;
    const wire = new ScriptedWire();
    const session = s7.open(link, wire);
    wire.closed = () => session.abort();
    session.readRaw(one!, new Uint8Array(4), 0);
    greet(session, wire, [0, 0, 0, 0]);
    session.write(one!, new Uint8Array(4), () => Infinity, 0);
    // One place was written, and two are answered for.
    const reference = wire.last.subarray(11, 13).toHex();
    const answer = hex(`03 00 00 16 02f080 32 03 0000 ${reference} 0002 0001 0000 05 02 ff`);
    session.receive(answer, answer.length, 1);
    expect([session.result, session.sent, wire.resets]).toEqual([BAD.garbled, true, 1]);
  });

  test("a bool is written as a bit, and the seven beside it stay", () => {
    const { ring, tags } = ringFor(Array.from({ length: 8 }, (_, bit) =>
      tag(`DB1.DBX0.${bit}`, "bool", { id: `d.b${bit}`, writable: true })));
    const bench = benchOf(tags);
    for (const bit of [1, 4]) bench.values.set(`d.b${bit}`, 1);
    bench.poll(ring, tags, 0);
    const { bytes, means } = s7.encode(tags[2]!, 1, bench.link);
    expect([[...bytes], means, s7.rawBytes(tags[2]!)]).toEqual([[1], 1, 1]);
    bench.session.write(tags[2]!, bytes, () => Infinity, 0);
    expect(bench.run(0)).toBe(DONE);
    expect(bench.written).toEqual([["d.b2", 1]]);
    // The place: size bit, count 1, bit address 2; the data: size bit, length 1.
    expect(bench.session.frame.subarray(-17).toHex()).toBe("120a100100010001840000020003000101");
    const raw = new Uint8Array(1);
    bench.session.readRaw(tags[4]!, raw, 0);
    expect([bench.run(0), s7.decode(tags[4]!, raw)]).toEqual([DONE, 1]);
  });

  test("a refusal says whether anything was done", () => {
    expect([0x03, 0x05, 0x0a, 0x8104].every((code) => s7.rejects(code))).toBe(true);
    expect([0x01, 0x8404, 0x8402, 0].some((code) => s7.rejects(code))).toBe(false);
  });
});
