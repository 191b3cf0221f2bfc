import { describe, expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import {
  DONE, PENDING, telegramListen, telegramSerial, telegramTcp, telegramUdp,
  type Driver, type DriverTag, type Request, type Session,
} from "../../src/driver.ts";
import { readNumber } from "../../src/driver/telegram/number.ts";
import { bytesOf, textOf } from "../../src/driver/telegram/notation.ts";
import { BAD, ERROR, GOOD, readCell, UNCERTAIN, type Ring } from "../../src/ring.ts";
import { linkOf, ringFor, ScriptedWire, tag } from "./support.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Machine {
  readonly session: Session;
  readonly wire: ScriptedWire;
  readonly ring: Ring;
  readonly tags: readonly DriverTag[];
  /** Asks for the first telegram of the plan, at 0 ms; `answer` in pieces of these lengths. */
  ask(answer: Uint8Array, pieces?: readonly number[]): number;
  cell(column?: number): { state: number; value: unknown };
}

function machine(
  settings: object, tags: readonly DriverTag[], driver: Driver = telegramTcp,
): Machine {
  const address = driver === telegramSerial ? { port: "/dev/null", rs485: "adapter" }
    : driver === telegramListen ? { port: 1 } : { host: "a", port: 1 };
  const link = linkOf(driver, { ...address, ...settings });
  const wire = new ScriptedWire();
  const session = driver.open(link, wire);
  wire.closed = () => session.abort();
  const placed = ringFor(tags);
  const requests = telegramTcp.plan(placed.tags, link);
  session.listen?.({ requests: requests.filter(({ unasked }) => unasked), interval: () => 1000,
    begins: () => {}, came: () => {} }, 0);
  const { ring } = placed;
  const cell = (column = 0): { state: number; value: unknown } => ({
    state: ring.arena.U[ring.columns[column]!.state]!,
    value: readCell(ring, ring.columns[column]!, 0),
  });
  const ask = (answer: Uint8Array, pieces: readonly number[] = [answer.length]): number => {
    session.read(requests[0]!, ring, 0, 0);
    expect(session.result).toBe(PENDING);
    let at = 0;
    for (const n of pieces) {
      session.receive(answer.subarray(at, at + n), n, 1);
      at += n;
    }
    return session.result;
  };
  return { session, wire, ring, tags: placed.tags, ask, cell };
}

test("bytes as the configuration spells them", () => {
  expect(bytesOf("<STX>A<1B><3c>")).toEqual(Uint8Array.of(2, 65, 27, 60));
  expect(textOf(Uint8Array.of(2, 65, 27, 60, 13, 200))).toBe("<STX>A<ESC><3C><CR><C8>");
  expect(() => bytesOf("<SXT>")).toThrow("was <STX> meant?");
  expect(() => bytesOf("5 µm")).toThrow("write its bytes");
  expect(() => bytesOf("a<b")).toThrow("itself it is <3C>");
});

describe("numbers as machines write them", () => {
  const read = (text: string): number => readNumber(ascii(text), 0, text.length);
  test.each([["  -  12.30 ", -12.3], ["+1.5E-03", 0.0015], ["1e3", 1000], [".5", 0.5], ["7.", 7],
    ["123456789012345678", 123456789012345680], ["0.1e-30", 1e-31]])("%s", (text, value) => {
    expect(read(text)).toBe(value);
  });
  test.each(["", " ", "-", ".", "1,5", "1 2", "1e", "e5", "0x10", "12g", "--1", "1e9999", "NaN"])(
    "%s is none", (text) => expect(read(text)).toBeNaN());
  test("as Number() reads them", () => {
    const rng = createRandom(7);
    for (let i = 0; i < 5000; i++) {
      const text = (rng.next() * 10 ** (rng.below(30) - 15))[rng.chance(0.5)
        ? "toExponential" : "toFixed"](rng.below(12));
      expect([text, read(text)]).toEqual([text, Number(text)]);
    }
  });
});

describe("places", () => {
  const telegrams = { t: { send: "?", separator: "," } };
  const one = (at: string, type: string, answer: string, more: object = {}) => {
    const m = machine({ telegrams: { t: { ...telegrams.t, ...more } } },
      [tag(`t ${at}`, type as "int16")]);
    const result = m.ask(ascii(`${answer}\r\n`));
    expect(result).toBe(m.cell().state === BAD.garbled ? BAD.garbled : DONE);
    return m.cell();
  };
  test.each<[string, string, string, number, unknown]>([
    ["", "text(8)", " MOTOR ", GOOD, "MOTOR"],
    ["field 2", "float64", "a, 12.5,x", GOOD, 12.5],
    ["field 3", "int16", "1,,7", GOOD, 7],
    ["chars 3..5", "int16", "ab042cd", GOOD, 42],
    ["char 2", "bool", "x1", GOOD, true],
    ["field 1", "bool", "ON", GOOD, true],
    ["field 1", "bool", "off", GOOD, false],
    ["field 1", "int8", "128", BAD.range, null],
    ["field 1", "int16", "1.5", BAD.range, null],
    ["field 1", "int16", "x", BAD.garbled, null],
    ["field 4", "int16", "1,2", BAD.garbled, null],
    ["field 1", "text(2)", "abc", ERROR.length, null],
    ["byte 2", "int16", "a\u0001\u0002", GOOD, 258],
    ["byte 2.1", "bool", "a\u0002", GOOD, true],
    ["byte 2", "float32", "ab", BAD.garbled, null],
  ])("%s as %s of %s", (at, type, answer, state, value) => {
    const cell = one(at, type, answer);
    expect(cell.state).toBe(state);
    if (value !== null) expect(cell.value).toBe(value as number);
  });
  test("blanks next to each other are one separator; groups of a match", () => {
    expect(one("field 2", "int16", "  a    7 b", { separator: " " }).value).toBe(7);
    expect(one("match 1", "int16", "v=7;", { match: "v=(\\d+)" }).value).toBe(7);
  });
  test.each(["ABCD", "DCBA", "CDAB", "BADC"] as const)("wordOrder %s", (wordOrder) => {
    const bytes = [...wordOrder].map((letter) => "ABCD".indexOf(letter) + 1);
    const m = machine({ frame: { bytes: 4 }, telegrams },
      [tag("t byte 1", "uint32", { wordOrder })]);
    expect(m.ask(Uint8Array.from(bytes))).toBe(DONE);
    expect(m.cell().value).toBe(0x01020304);
  });
});

describe("quality", () => {
  const settings = { telegrams: { w: { send: "SI", match: "^S ",
    quality: { at: "field 2", states: { S: "good", D: "uncertain", "+": "overrange" } } } } };
  test.each([
    ["S S 5 g", GOOD, GOOD], ["S D 5 g", UNCERTAIN.source, GOOD], ["S +", BAD.overrange, GOOD],
    ["S I", BAD.source, GOOD],
  ])("%s", (answer, weight, word) => {
    const m = machine(settings, [tag("w field 3", "float64"), tag("w field 2", "text(1)")]);
    expect(m.ask(ascii(`${answer}\r\n`))).toBe(DONE);
    expect([m.cell(0).state, m.cell(1).state]).toEqual([weight, word]);
  });
  test("the gate reads no value that the machine itself does not trust", () => {
    const m = machine(settings, [tag("w field 3", "float64")]);
    for (const [answer, result] of [["S S 5 g", DONE], ["S D 5 g", BAD.source],
      ["S +", BAD.overrange], ["S S x", BAD.garbled]] as const) {
      m.session.readRaw(m.tags[0]!, new Uint8Array(8), 0);
      m.session.receive(ascii(`${answer}\r\n`), answer.length + 2, 1);
      expect([answer, m.session.result]).toEqual([answer, result]);
    }
  });
});

describe("frames", () => {
  const telegrams = { t: { send: "R" } };
  const sums: [object, string][] = [
    [{ end: "<CR>" }, "R<CR>"],
    [{ start: "<STX>", end: "<ETX>", checksum: { kind: "xor", afterEnd: true } }, "<STX>R<ETX>Q"],
    [{ start: ":", end: "<CR>", checksum: { kind: "sum", as: "hex" } }, ":R52<CR>"],
    [{ end: "<CR>", checksum: { kind: "lrc", as: "hex" } }, "RAE<CR>"],
    [{ end: "<CR>", checksum: { kind: "crc16", order: "low-first", as: "hex" } }, "R3EBD<CR>"],
    [{ end: "<CR>", checksum: { kind: "crc16-ccitt", as: "hex" } }, "R9B47<CR>"],
  ];
  test.each(sums)("%j asks", (frame, sent) => {
    const m = machine({ frame, telegrams }, [tag("t", "text(8)")]);
    m.session.read(telegramTcp.plan(m.tags, linkOf(telegramTcp, { host: "a", port: 1, frame,
      telegrams }))[0]!, m.ring, 0, 0);
    expect(textOf(m.wire.last)).toBe(sent);
  });
  test.each(sums)("%j answers in pieces; a flipped bit is no telegram", (frame) => {
    const make = () => machine({ frame, telegrams }, [tag("t", "text(8)")]);
    const wire = new ScriptedWire();
    // What asks `R` is a sound frame that says `R`.
    const link = linkOf(telegramTcp, { host: "a", port: 1, frame, telegrams });
    const { ring, tags } = ringFor([tag("t", "text(8)")]);
    telegramTcp.open(link, wire).read(telegramTcp.plan(tags, link)[0]!, ring, 0, 0);
    const answer = wire.last;
    const m = make();
    expect(m.ask(answer, Array.from(answer, () => 1))).toBe(DONE);
    expect(m.cell()).toEqual({ state: GOOD, value: "R" });
    if (!("checksum" in frame)) return;
    const damaged = answer.slice();
    damaged[answer.indexOf(0x52)]! ^= 4;
    const other = make();
    expect(other.ask(damaged)).toBe(BAD.garbled);
    expect(other.session.counters.garbled).toBe(1);
  });
  test("a length of its own, both orders", () => {
    const m = machine({ frame: { length: { at: 2, bytes: 2, order: "low-first", plus: 3 } },
      telegrams: { t: { send: "R<00><00>" } } }, [tag("t byte 4", "uint8")]);
    expect(m.ask(Uint8Array.of(1, 2, 0, 77, 88), [2, 1, 2])).toBe(DONE);
    expect(textOf(m.wire.last)).toBe("R<NUL><NUL>");
    expect(m.cell().value).toBe(77);
  });
  test("silence ends a telegram", () => {
    const m = machine({ frame: { silence: "20ms" }, telegrams }, [tag("t", "text(8)")]);
    expect(m.ask(ascii("AB"), [1, 1])).toBe(PENDING);
    expect(m.session.step(15)).toBe(21);
    m.session.step(21);
    expect([m.session.result, m.cell().value]).toEqual([DONE, "AB"]);
  });
  test("a torn piece is scrap, and so is its rest if it comes after all", () => {
    const m = machine({ frame: { end: "<CR>" }, timeout: "1s", telegrams: { t: {} } },
      [tag("t", "text(20)")]);
    const came: unknown[] = [];
    m.session.listen!({ requests: telegramTcp.plan(m.tags, linkOf(telegramTcp, { host: "a", port: 1,
      telegrams: { t: {} } })), interval: () => 1000, begins: () => {},
      came: (request) => {
        m.session.fill!(request, m.ring, 0);
        came.push(m.cell().value);
      } }, 0);
    const hear = (text: string, now: number): void => {
      m.session.step(now);
      m.session.receive(ascii(text), text.length, now);
    };
    hear("4006", 0);
    expect(m.session.step(10)).toBe(1000);
    // The reader's plug was pulled; an hour later it reads the next.
    hear("381333931733\r", 3_600_000);
    expect(came.splice(0)).toEqual(["381333931733"]);
    // The connection stood still in the middle: half of a code must not look like one.
    hear("4006", 4_000_000);
    hear("38133", 4_002_000);
    hear("3931733\r96385074\r", 4_004_500);
    expect(came.splice(0)).toEqual(["96385074"]);
    // A line end of two characters is no piece of anything.
    for (const at of [5_000_000, 5_010_000]) hear("96385074\r\n", at);
    expect(came).toEqual(["96385074", "96385074"]);
  });
  test("a torn piece of fixed length goes with the next silence", () => {
    const m = machine({ frame: { bytes: 4 }, timeout: "100ms", telegrams: { t: {} } },
      [tag("t", "text(8)")]);
    m.session.receive(ascii("AB"), 2, 0);
    expect(m.session.step(50)).toBe(100);
    m.session.step(100);
    expect(m.session.counters.stray).toBe(2);
    m.session.receive(ascii("WXYZ"), 4, 200);
    expect(m.session.counters.stray).toBe(2);
  });
});

describe("exchanges", () => {
  const settings = { frame: { end: "<LF>" }, timeout: "100ms", telegrams: {
    v: { send: "V?", write: "V {value:2}" },
    a: { send: "A?", write: "A={value}", acknowledge: "OK" },
  } };
  const writable = { writable: true };
  const encode = (one: DriverTag, value: number): Uint8Array =>
    telegramTcp.encode(one, value, linkOf(telegramTcp, { host: "a", port: 1, ...settings })).bytes;
  const sent = ({ wire }: Machine): string[] => wire.sent.map(textOf);

  test.each([telegramTcp, telegramListen, telegramUdp])(
    "$type: a late answer is left behind on the connection that it belongs to", (driver) => {
      const m = machine(settings, [tag("v", "float64"), tag("a", "float64")], driver);
      const [v, a] = m.tags as [DriverTag, DriverTag];
      const raw = new Uint8Array(8);
      m.session.readRaw(v, raw, 0);
      m.session.step(100);
      expect([m.session.result, m.wire.renewed, m.wire.resets]).toEqual([BAD.timeout, 1, 1]);
      m.wire.open();
      // A serial converter may still bring it by the new one: for one more timeout all are silent.
      m.session.readRaw(a, raw, 110);
      m.session.receive(ascii("5\n"), 2, 150);
      expect([m.session.result, m.session.step(150), sent(m)]).toEqual([PENDING, 200, ["V?<LF>"]]);
      m.session.step(200);
      m.session.receive(ascii("12\n"), 3, 210);
      expect([m.session.result, telegramTcp.decode(a, raw)]).toEqual([DONE, 12]);
    });

  test("on a serial line a late answer is not taken for the next one", () => {
    const m = machine(settings, [tag("v", "float64")], telegramSerial);
    const request = telegramTcp.plan(m.tags, linkOf(telegramTcp, { host: "a", port: 1,
      ...settings }))[0] as Request;
    m.session.read(request, m.ring, 0, 0);
    expect(m.session.step(0)).toBe(100);
    m.session.step(100);
    expect(m.session.result).toBe(BAD.timeout);
    m.session.read(request, m.ring, 0, 110);
    m.session.receive(ascii("1\n"), 2, 150);
    expect([m.session.result, m.session.step(150), m.wire.sent.length]).toEqual([PENDING, 200, 1]);
    m.session.step(200);
    m.session.receive(ascii("2\n"), 2, 210);
    expect([m.session.result, m.cell().value]).toEqual([DONE, 2]);
  });

  test("a write that nobody acknowledges is followed by the question, and done when it is answered",
    () => {
      const m = machine(settings, [tag("v", "float64", writable)]);
      m.session.write(m.tags[0]!, encode(m.tags[0]!, 1.234), () => 50, 0);
      expect(sent(m)).toEqual(["V 1.23<LF>", "V?<LF>"]);
      expect(textOf(m.session.frame)).toBe("V 1.23<LF>");
      expect(m.wire.within).toEqual([50, 50]);
      m.session.receive(ascii("1.23\n"), 5, 10);
      expect([m.session.result, m.session.sent, m.wire.resets]).toEqual([DONE, true, 0]);
    });

  test("without an answer the connection is reset at the deadline, nothing is sent again", () => {
    const m = machine(settings, [tag("v", "float64", writable)]);
    m.session.write(m.tags[0]!, encode(m.tags[0]!, 1), () => 50, 0);
    m.session.step(50);
    expect([m.session.result, m.session.sent, m.wire.resets]).toEqual([BAD.timeout, true, 1]);
    expect(sent(m)).toEqual(["V 1.00<LF>", "V?<LF>"]);
  });

  test("an acknowledgement, another answer, and a last look that forbids", () => {
    const m = machine(settings, [tag("a", "int16", writable)]);
    const write = (answer: string): void => {
      m.session.write(m.tags[0]!, encode(m.tags[0]!, 7), () => Infinity, 0);
      m.session.receive(ascii(answer), answer.length, 1);
    };
    write("OK\n");
    expect([m.session.result, sent(m)]).toEqual([DONE, ["A=7<LF>"]]);
    write("ERR 5\n");
    expect([m.session.result, m.session.exception]).toEqual([BAD.exception, 4]);
    m.session.write(m.tags[0]!, encode(m.tags[0]!, 7), () => null, 2);
    expect([m.session.result, m.session.sent, m.wire.sent.length])
      .toEqual([BAD.disconnected, false, 2]);
  });
});

describe("check", () => {
  const settings = { telegrams: {
    volt: { send: "V?", example: "+5.0 V", match: "^(\\S+) (.)" }, code: {},
    zero: { send: "ZERO", acts: true },
  } };
  const said = (at: string, type: string, more: object = {}, driver: Driver = telegramTcp) =>
    driver.checkTag(tag(at, type as "int16", more), linkOf(driver,
      { host: "a", port: 1, ...settings })) ?? "";
  test.each<[string, string, object, string]>([
    ["vlt", "int16", {}, "was volt meant?"], ["volt feld 2", "int16", {}, "no place in a telegram"],
    ["volt field 0", "int16", {}, "the first one is 1"],
    ["volt match 3", "int16", {}, "has 2 groups"], ["code match 1", "int16", {}, "has no `match`"],
    ["volt match 2", "float64", {}, "this is `V`, which is none of type float64"],
    ["volt match 1", "int64", {}, "use float64"], ["volt", "time", {}, "use text(n)"],
    ["volt byte 1.9", "bool", {}, "bits .0 (lowest) to .7"],
    ["volt byte 1.2", "int8", {}, "must be bool"], ["volt byte 1", "text(4)", {}, "chars 1..8"],
    ["zero", "int16", {}, "no poll may send it (W24)"],
    ["volt match 1", "float64", { writable: true }, "has no `write`"],
    ["volt match 1", "float64", { station: 2 }, "says it to no machine"],
    ["volt match 1", "float64", { scale: 0 }, "scale is a number other than 0"],
  ])("%s as %s %j", (at, type, more, sentence) => {
    expect(said(at, type, more)).toContain(sentence);
  });
  test("what is right, and UDP", () => {
    expect(said("volt match 1", "float64")).toBe("");
    expect(said("code", "text(32)")).toBe("");
    expect(said("volt match 1", "float64", { writable: true }, telegramUdp)).toContain("W14");
  });
  test("a telegram that comes unasked has a group of its own, and is known by its match", () => {
    const link = linkOf(telegramTcp, { host: "a", port: 1, ...settings });
    const group = (...places: string[]) =>
      telegramTcp.checkGroup!(places.map((at) => tag(at, "text(8)")), link);
    expect(group("volt", "code")).toContain("a group of their own");
    expect(group("code")).toContain("needs a `match`");
    expect(group("volt")).toBeNull();
  });
  test.each([
    [{ frame: {} }, "here none does"], [{ frame: { end: "<CR>", bytes: 4 } }, "here 2 do"],
    [{ telegrams: { t: { send: "<CRR>" } } }, "was <CR> meant?"],
    [{ telegrams: { t: { match: "(a" } } }, "without its `)`"],
    [{ telegrams: { t: { write: "V" } } }, "stands in it once"],
    [{ frame: { bytes: 4, checksum: { kind: "xor", afterEnd: true } } }, "needs an `end`"],
  ])("%j", (wrong, sentence) => {
    const parsed = telegramTcp.settings.safeParse({ host: "a", port: 1, telegrams: {}, ...wrong });
    expect(parsed.error?.message).toContain(sentence.replaceAll('"', '\\"'));
  });
});

test("W14: what is asked behind a write waits for it, and throws nothing of it away", () => {
  const { session, wire, tags } = machine({ baud: 9600, parity: "none", pauseBetween: "20ms",
    frame: { end: "<CR>" },
    telegrams: { sp: { send: "SP?", write: "SP {value}", example: "SP 1" } } },
  [tag("sp field 2", "float64", { writable: true })], telegramSerial);
  const { bytes } = telegramSerial.encode(tags[0]!, 9, linkOf(telegramSerial,
    { port: "p", rs485: "adapter", telegrams: { sp: { send: "SP?", write: "SP {value}" } } }));
  session.write(tags[0]!, bytes, () => Infinity, 0);
  const at = session.step(20);
  expect([wire.sent.length, wire.drains]).toEqual([1, 1]);
  expect(at).toBeCloseTo(20 + wire.last.length * 10 / 9.6 + 20, 6);
  session.step(at);
  expect([wire.sent.length, wire.drains]).toEqual([2, 1]);
});

test("a serial line between two has nobody to listen for", () => {
  expect(telegramSerial.ear).toBeUndefined();
});

describe("several machines on one line", () => {
  const telegrams = { weight: { send: "{station:2}SI", match: "^{station:2} S (.*) kg$",
    write: "{station:2}LIM {value}", acknowledge: "{station:2} OK",
    example: "{station:2} S 7.5 kg" } };
  const at = (station: number): DriverTag =>
    tag("weight match 1", "float64", { station, id: `d.${station}` });

  test("each is asked by its address, and an answer of another is not taken for its own", () => {
    const { session, wire, tags, ring } = machine({ telegrams }, [at(3), at(12)]);
    const link = linkOf(telegramTcp, { host: "a", port: 1, telegrams });
    const [three, twelve] = tags.map((one) => telegramTcp.plan([one], link)[0]!);
    const poll = (request: Request, ...answers: string[]): number => {
      session.read(request, ring, 0, 0);
      for (const text of answers) session.receive(ascii(`${text}\r\n`), text.length + 2, 1);
      return session.result;
    };
    expect(poll(three!, "03 S 1.5 kg")).toBe(DONE);
    expect(poll(twelve!, "12 S 2.5 kg")).toBe(DONE);
    expect(wire.sent.map((bytes) => textOf(bytes))).toEqual(["03SI<CR><LF>", "12SI<CR><LF>"]);
    // The other's late answer is known, and left aside.
    expect(poll(three!, "12 S 9.9 kg", "03 S 1.75 kg")).toBe(DONE);
    expect([0, 1].map((i) => readCell(ring, ring.columns[i]!, 0))).toEqual([1.75, 2.5]);
    expect(poll(twelve!, "04 S 5 kg")).toBe(BAD.garbled);
  });

  test("a write names it too; who it is to is shown, whatever the address", () => {
    const { session, wire, tags } = machine({ telegrams }, [at(12)]);
    const link = linkOf(telegramTcp, { host: "a", port: 1, telegrams });
    session.write(tags[0]!, telegramTcp.encode(tags[0]!, 6.5, link).bytes, () => 1e9, 0);
    expect(textOf(wire.last)).toBe("12LIM 6.5<CR><LF>");
    session.receive(ascii("12 OK\r\n"), 7, 1);
    expect(session.result).toBe(DONE);
    const words = (text: string): string | null =>
      telegramTcp.readable(ascii(`${text}\r\n`), true, link);
    expect(words("77SI")).toBe("reads weight: 77SI<CR><LF>");
    expect(words("05LIM 1")).toBe("writes weight: 05LIM 1<CR><LF>");
  });

  test("as a byte; and where an address is missing, check says where", () => {
    const byte = { telegrams: { w: { send: "<{station:hex}>W", match: "^\\x{station:hex}(.*)" } } };
    const { session, wire, tags, ring } = machine(byte, [tag("w match 1", "float64",
      { station: 160 })]);
    const link = linkOf(telegramTcp, { host: "a", port: 1, ...byte });
    session.read(telegramTcp.plan(tags, link)[0]!, ring, 0, 0);
    expect([...wire.last]).toEqual([160, 87, 13, 10]);
    const says = (one: object): string | null => telegramTcp.checkTag(tag("w", "float64",
      { station: 3, writable: "write" in one }), linkOf(telegramTcp, { host: "a", port: 1,
      telegrams: { w: one } }));
    expect(says({ send: "{station}W" })).toContain("in its `match` too");
    expect(says({ send: "W", match: "{station} .*" })).toContain("in its `send` too");
    expect(says({ send: "{station}W", match: "{station} .*", write: "S {value}" }))
      .toContain("in its `write` too");
    expect(says({ send: "{station}W", match: "{station} .*", write: "{station}S {value}",
      acknowledge: "OK" })).toContain("in its `acknowledge` too");
    expect(says({ send: "{station}W", match: "{station} .*" })).toBeNull();
  });
});
