import { describe, expect, test } from "bun:test";
import {
  DONE, modbusListen, modbusRtu, modbusTcp, modbusUdp, PENDING, telegramListen, telegramSerial,
  telegramTcp, telegramUdp, type Driver, type Session,
} from "../../src/driver.ts";
import { BAD, GOOD } from "../../src/ring.ts";
import { putText } from "../../src/driver/modbus/ascii.ts";
import { linkOf, ringFor, ScriptedWire, tag, withCrc } from "./support.ts";

/**
 * Where nothing but their order tells answers apart, what breaks the order ends the connection:
 * else the answer that still comes would stand as that to the next question, good.
 */
const timeout = "1s";
const host = { host: "a", port: 1, timeout };

function open(driver: Driver, settings: object): { session: Session; wire: ScriptedWire } {
  const wire = new ScriptedWire();
  const session = driver.open(linkOf(driver, { ...settings }), wire);
  wire.closed = () => session.abort();
  return { session, wire };
}

const together = (...parts: Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

describe("Modbus", () => {
  const asText = (...bytes: number[]): Uint8Array => {
    const out = new Uint8Array(2 * bytes.length + 8);
    return out.slice(0, putText(Uint8Array.from([...bytes, 0]), bytes.length, out));
  };
  const links: readonly (readonly [string, Driver, object, typeof withCrc])[] = [
    ["modbus-tcp rtu", modbusTcp, { ...host, framing: "rtu" }, withCrc],
    ["modbus-tcp ascii", modbusTcp, { ...host, framing: "ascii" }, asText],
    ["modbus-udp rtu", modbusUdp, { ...host, framing: "rtu" }, withCrc],
    ["modbus-listen rtu", modbusListen, { port: 5, timeout, framing: "rtu" }, withCrc],
  ];
  const first = tag("holding 100", "uint16"), second = tag("holding 500", "uint16");

  describe.each(links)("%s", (_name, driver, settings, frame) => {
    const right = frame(1, 3, 2, 0, 100);
    const damaged = right.slice();
    damaged[damaged.length - 3]! ^= 1;

    test("behind a damaged answer the right one is not that to the next question", () => {
      const { session, wire } = open(driver, settings);
      const raw = new Uint8Array(2);
      session.readRaw(first, raw, 0);
      session.receive(damaged, damaged.length, 20);
      expect([session.result, wire.renewed, [...raw]]).toEqual([BAD.garbled, 1, [0, 0]]);
      wire.open();
      session.readRaw(second, raw, 30);
      // A converter may bring it by the new connection.
      session.receive(right, right.length, 40);
      session.step(1040);
      expect([session.result, wire.renewed, wire.sent.length]).toEqual([PENDING, 1, 2]);
      const answer = frame(1, 3, 2, 1, 244);
      session.receive(answer, answer.length, 1050);
      expect([session.result, [...raw]]).toEqual([DONE, [1, 244]]);
    });

    test("a frame too many, behind the answer or later, ends the connection", () => {
      for (const later of [0, 100]) {
        const { session, wire } = open(driver, settings);
        const raw = new Uint8Array(2);
        session.readRaw(first, raw, 0);
        const came = later === 0 ? together(right, right) : right;
        session.receive(came, came.length, 20);
        expect([session.result, [...raw]]).toEqual([DONE, [0, 100]]);
        if (later > 0) session.receive(right, right.length, later);
        expect(wire.renewed).toBe(1);
        wire.open();
        // It is settled by that.
        session.readRaw(second, raw, 120);
        session.step(160);
        const answer = frame(1, 3, 2, 1, 244);
        session.receive(answer, answer.length, 170);
        expect([session.result, wire.renewed, [...raw]]).toEqual([DONE, 1, [1, 244]]);
      }
    });

    test("where answers come twice, the second one is waited for before the next question", () => {
      const { session, wire } = open(driver, settings);
      const raw = new Uint8Array(2);
      session.readRaw(first, raw, 0);
      session.receive(right, right.length, 20);
      // It stands as the answer to the next one: nobody could know, and the one after tells.
      session.readRaw(second, raw, 22);
      session.receive(right, right.length, 25);
      const answer = frame(1, 3, 2, 1, 244);
      session.receive(answer, answer.length, 42);
      expect([wire.renewed, session.remark]).toEqual([1, expect.stringContaining("unasked")]);
      wire.open();
      for (const [at, place, bytes] of [[200, first, right], [400, second, answer],
        [600, first, right]] as const) {
        session.readRaw(place, raw, at);
        session.step(at);
        session.receive(bytes, bytes.length, at + 20);
        expect([session.result, [...raw]]).toEqual([DONE, bytes === right ? [0, 100] : [1, 244]]);
        // The next question is not sent before this has had its time.
        const sent = wire.sent.length;
        session.readRaw(tag("holding 900", "uint16"), raw, at + 22);
        session.receive(bytes, bytes.length, at + 25);
        expect([session.step(at + 59), wire.sent.length, wire.renewed]).toEqual([at + 60, sent, 1]);
        session.step(at + 60);
        const last = frame(1, 3, 2, 0, 9);
        session.receive(last, last.length, at + 70);
        expect([session.result, [...raw], wire.renewed]).toEqual([DONE, [0, 9], 1]);
      }
      // Not for ever.
      session.readRaw(first, raw, 700_000);
      session.step(700_000);
      session.receive(right, right.length, 700_020);
      session.readRaw(second, raw, 700_021);
      expect([session.step(700_021), session.remark]).toEqual([701_021, ""]);
    });

    test("a frame of another station instead of the answer does", () => {
      const { session, wire } = open(driver, settings);
      session.readRaw(first, new Uint8Array(2), 0);
      const other = frame(2, 3, 2, 0, 7);
      session.receive(other, other.length, 20);
      expect([session.result, wire.renewed]).toEqual([BAD.garbled, 1]);
    });

    test("some bytes of a line that changes its direction do not", () => {
      const { session, wire } = open(driver, settings);
      const raw = new Uint8Array(2);
      for (let i = 0; i < 3; i++) {
        session.readRaw(first, raw, i * 100);
        const came = together(Uint8Array.of(0, 0xff, 0), right);
        session.receive(came, came.length, i * 100 + 20);
        expect([session.result, wire.resets, [...raw]]).toEqual([DONE, 0, [0, 100]]);
      }
    });
  });

  test("with numbers nothing need be given up", () => {
    const { session, wire } = open(modbusTcp, host);
    const raw = new Uint8Array(2);
    session.readRaw(first, raw, 0);
    const right = Uint8Array.of(...wire.last.slice(0, 4), 0, 5, 1, 3, 2, 0, 100);
    const other = right.slice();
    other[1]! ^= 1;
    const came = together(other, right, other);
    session.receive(came, came.length, 20);
    expect([session.result, wire.resets, [...raw]]).toEqual([DONE, 0, [0, 100]]);
  });

  test("on a bus the station of a damaged answer has twice its slowest answer, others no pause",
    () => {
      const { session, wire } = open(modbusRtu, { port: "/dev/null", rs485: "adapter", timeout });
      const right = withCrc(1, 3, 2, 0, 100), answer = withCrc(1, 3, 2, 1, 244);
      const damaged = right.slice();
      damaged[4]! ^= 1;
      const raw = new Uint8Array(2);
      session.readRaw(first, raw, 0);
      session.receive(right, right.length, 50);
      session.readRaw(first, raw, 100);
      session.receive(damaged, damaged.length, 140);
      expect([session.result, wire.resets]).toEqual([BAD.garbled, 0]);
      session.readRaw(tag("holding 0", "uint16", { station: 2 }), raw, 150);
      session.step(150);
      const others = withCrc(2, 3, 2, 0, 1);
      session.receive(others, others.length, 160);
      expect(session.result).toBe(DONE);
      session.readRaw(second, raw, 170);
      session.step(200);
      session.receive(right, right.length, 210);
      expect(session.result).toBe(PENDING);
      session.step(2000);
      session.receive(answer, answer.length, 2040);
      expect([session.result, [...raw]]).toEqual([DONE, [1, 244]]);
    });
});

describe("telegrams", () => {
  const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
  const plain = { frame: { end: "<CR>" }, pauseBetween: "0ms",
    telegrams: { level: { send: "L?" }, speed: { send: "S?" } } };
  const named = { ...plain, telegrams: { level: { send: "L?", match: "^L (.*)" },
    speed: { send: "S?", match: "^S (.*)" } } };
  const links: readonly (readonly [Driver, object])[] = [[telegramTcp, host], [telegramUdp, host],
    [telegramListen, { port: 5, timeout }]];

  function machine(driver: Driver, own: object, settings: object, ...at: string[]) {
    const { ring, tags } = ringFor(at.map((one) => tag(one, "float64")));
    const link = linkOf(driver, { ...own, ...settings });
    const plan = driver.plan(tags, link);
    const { session, wire } = open(driver, { ...own, ...settings });
    const told = (text: string, now: number): void =>
      session.receive(ascii(text), text.length, now);
    const ask = (i: number, now: number): void => {
      session.read(plan[i]!, ring, 0, now);
      session.step(now);
    };
    const cell = (i: number): [number, number] =>
      [ring.arena.U[ring.columns[i]!.state]!, ring.arena.F[ring.columns[i]!.payload]!];
    return { session, wire, told, ask, cell };
  }

  describe.each(links)("$type", (driver, own) => {
    test.each([["a heartbeat", "PING\r"], ["a word that says nothing", "----\r"], ["nothing", "\r"],
    ])("%s instead of the answer ends the connection", (_, text) => {
      const { session, wire, told, ask, cell } = machine(driver, own, plain, "level", "speed");
      ask(0, 0);
      told(`${text}12.5\r`, 20);
      expect([session.result, wire.renewed]).toEqual([BAD.garbled, 1]);
      wire.open();
      ask(1, 30);
      // By the new connection, too, it is nobody's.
      told("12.5\r", 40);
      expect([session.result, wire.renewed, wire.sent.length]).toEqual([PENDING, 1, 1]);
      session.step(1020);
      told("700\r", 1030);
      expect([session.result, cell(1)]).toEqual([DONE, [GOOD, 700]]);
    });

    test("so does a damaged one", () => {
      const sum = { ...plain, frame: { end: "<CR>", checksum: { kind: "xor", as: "hex" } } };
      const { session, wire, told, ask } = machine(driver, own, sum, "level", "speed");
      ask(0, 0);
      told("12.500\r", 20);
      expect([session.result, wire.renewed]).toEqual([BAD.garbled, 1]);
    });

    test("so does one too many, behind the answer or later", () => {
      for (const later of [0, 100]) {
        const { session, wire, told, ask, cell } = machine(driver, own, plain, "level", "speed");
        ask(0, 0);
        told(later === 0 ? "12.5\r12.5\r" : "12.5\r", 20);
        expect([session.result, cell(0)]).toEqual([DONE, [GOOD, 12.5]]);
        if (later > 0) told("12.5\r", later);
        expect(wire.renewed).toBe(1);
        wire.open();
        ask(1, 200);
        told("700\r", 210);
        expect([session.result, wire.renewed, cell(1)]).toEqual([DONE, 1, [GOOD, 700]]);
      }
    });

    test("where answers come twice, the second one is waited for before the next question", () => {
      const { session, wire, told, ask, cell } = machine(driver, own, plain, "level", "speed");
      ask(0, 0);
      told("12.5\r", 20);
      ask(1, 22);
      told("12.5\r", 25);
      told("700\r", 42);
      expect([wire.renewed, session.remark]).toEqual([1, expect.stringContaining("unasked")]);
      wire.open();
      for (const at of [200, 400]) {
        for (const [i, value] of [[0, 12.5], [1, 700]] as const) {
          const from = at + i * 60;
          ask(i, from);
          told(`${value}\r`, from + 20);
          told(`${value}\r`, from + 25);
          expect([session.result, cell(i), wire.renewed]).toEqual([DONE, [GOOD, value], 1]);
        }
      }
      ask(0, 900_000);
      told("12.5\r", 900_020);
      ask(1, 900_021);
      expect([wire.sent.length, session.remark]).toEqual([8, ""]);
    });

    test("each known by its match: nothing is given up", () => {
      const { session, wire, told, ask, cell } =
        machine(driver, own, named, "level match 1", "speed match 1");
      ask(0, 0);
      told("PING\r", 10);
      expect([session.result, wire.resets]).toEqual([BAD.garbled, 0]);
      ask(1, 30);
      told("L 12.5\rS 700\rS 700\r", 40);
      expect([session.result, wire.resets, cell(1)]).toEqual([DONE, 0, [GOOD, 700]]);
      ask(0, 50);
      told("L ----\r", 60);
      expect([session.result, wire.resets, cell(0)[0]]).toEqual([DONE, 0, BAD.garbled]);
    });

    test("a word that is named, and an answer of which a part is known, are answers", () => {
      const settings = { ...plain, telegrams: { level: { send: "L?",
        quality: { at: "field 1", states: { "----": "overrange", S: "good" } } },
      speed: { send: "S?", separator: ";" } } };
      const { session, wire, told, ask, cell } = machine(driver, own, settings, "level field 2",
        "speed field 1", "speed field 2");
      ask(0, 0);
      told("----\r", 20);
      expect([session.result, wire.resets, cell(0)[0]]).toEqual([DONE, 0, BAD.overrange]);
      ask(1, 30);
      told("7;----\r", 40);
      expect([session.result, wire.resets, cell(1), cell(2)[0]])
        .toEqual([DONE, 0, [GOOD, 7], BAD.garbled]);
      ask(0, 50);
      told("X 5\r", 60);
      expect([session.result, wire.renewed]).toEqual([BAD.garbled, 1]);
    });
  });

  test("on a serial line the next question waits for twice the slowest answer", () => {
    const { session, wire, told, ask, cell } = machine(telegramSerial,
      { port: "/dev/null", rs485: "adapter", timeout }, plain, "level", "speed");
    ask(0, 0);
    told("12.5\r", 40);
    ask(0, 50);
    told("PING\r", 60);
    expect([session.result, wire.resets]).toEqual([BAD.garbled, 0]);
    ask(1, 65);
    told("12.5\r", 80);
    expect([session.step(139), session.result, wire.sent.length]).toEqual([140, PENDING, 2]);
    session.step(140);
    told("700\r", 150);
    expect([session.result, cell(1)]).toEqual([DONE, [GOOD, 700]]);
    // One came too many, at 80: the next one would be waited for.
    told("700\r", 160);
    ask(0, 170);
    expect([session.step(170), wire.resets]).toEqual([230, 0]);
  });

  test("the gate's own read knows the machine's words, too", () => {
    const settings = { ...plain, telegrams: { level: { send: "L?",
      quality: { at: "field 1", states: { "----": "overrange", S: "good" } } } } };
    const { session, wire } = open(telegramTcp, { ...host, ...settings });
    const raw = new Uint8Array(8);
    const results = ["S 5\r", "----\r", "X 5\r"].map((text, i) => {
      session.readRaw(tag("level field 2", "float64"), raw, i * 100);
      session.step(i * 100);
      session.receive(ascii(text), text.length, i * 100 + 10);
      return [session.result, wire.renewed];
    });
    expect(results).toEqual([[DONE, 0], [BAD.overrange, 0], [BAD.garbled, 1]]);
  });

  test("W14: a heartbeat behind a write is no answer, and acknowledges nothing", () => {
    const settings = { ...plain, telegrams: { level: { send: "L?", write: "L {value}" } } };
    const { session, wire } = open(telegramTcp, { ...host, ...settings });
    const level = tag("level", "float64", { writable: true });
    session.write(level, telegramTcp.encode(level, 5, linkOf(telegramTcp, { ...host, ...settings }))
      .bytes, () => 900, 0);
    session.receive(ascii("PING\r"), 5, 20);
    expect([session.result, session.sent, wire.resets, wire.renewed])
      .toEqual([BAD.garbled, true, 1, 0]);
  });

  test("who is never asked may say what he likes", () => {
    const { wire, told } = machine(telegramTcp, host,
      { ...plain, telegrams: { code: { match: "^C (.*)" } } }, "code match 1");
    told("PING\rC 12\r", 20);
    expect(wire.resets).toBe(0);
  });
});
