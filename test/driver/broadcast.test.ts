import { describe, expect, test } from "bun:test";
import {
  DONE, modbusAscii, modbusListen, modbusRtu, modbusTcp, PENDING, type Session,
} from "../../src/driver.ts";
import { BAD } from "../../src/ring.ts";
import { linkOf, ringFor, ScriptedWire, tag, withCrc } from "./support.ts";

/** Station 0 of a bus: every station obeys, none answers (docs/modbus.md). */
const port = { port: "p", rs485: "adapter", baud: 9600, timeout: "100ms" };
const link = linkOf(modbusRtu, { ...port, broadcast: true, turnaround: "150ms" });
const ascii = linkOf(modbusAscii, { ...port, broadcast: true });
const all = { station: 0, writable: true };
const speed = tag("holding 9", "int16", all);
const character = 11 / 9.6;
const own = withCrc(0, 6, 0, 9, 0, 40);
/** The frame is on the line, then the stations have their time. */
const over = own.length * character + 150;

const { ring, tags } = ringFor([tag("holding 0", "int16", { station: 3 })]);
const [request] = modbusRtu.plan(tags, link);

function sent(
  last: () => number | null = () => Infinity,
): { wire: ScriptedWire; session: Session } {
  const wire = new ScriptedWire();
  const session = modbusRtu.open(link, wire);
  wire.closed = () => session.abort();
  session.write(speed, modbusRtu.encode(speed, 40, link).bytes, last, 0);
  return { wire, session };
}

describe("W14: a broadcast leaves once, and the bus is silent after it", () => {
  test("until the turnaround delay is over nothing else goes, then it has ended", () => {
    const { wire, session } = sent();
    expect(wire.sent).toEqual([own]);
    expect(session.step(0)).toBeCloseTo(over, 6);
    session.step(over - 0.1);
    expect(session.result).toBe(PENDING);
    session.step(over);
    expect([session.result, session.sent]).toEqual([BAD.broadcast, true]);
    expect(wire.resets).toBe(0);
    session.read(request!, ring, 0, over);
    session.step(over);
    expect(wire.sent.length).toBe(2);
  });

  test("W15: it is no answer, no timeout and no damage", () => {
    const { session } = sent();
    session.step(over);
    expect(session.counters).toMatchObject(
      { requests: 1, answers: 0, timeouts: 0, garbled: 0, exceptions: 0 });
  });

  test("its own echo, noise, and an answer that nobody may give, are stray", () => {
    for (const bytes of [own, Uint8Array.of(1, 2, 3), withCrc(0, 0x86, 2), withCrc(3, 6, 0, 9)]) {
      const { wire, session } = sent();
      session.receive(bytes, bytes.length, 20);
      session.step(over);
      expect([session.result, session.exception]).toEqual([BAD.broadcast, 0]);
      expect(session.counters.stray).toBe(bytes.length);
      expect(wire.sent.length).toBe(1);
    }
  });

  test("another master that asks meanwhile ends the link", () => {
    const { wire, session } = sent();
    const foreign = withCrc(5, 3, 0, 0, 0, 1);
    session.receive(foreign, foreign.length, 20);
    session.step(over);
    expect([session.result, session.sent, wire.resets]).toEqual([BAD.broadcast, true, 1]);
  });

  test("a wire that ends takes it as sent; a last look that says no sends nothing", () => {
    const cut = sent();
    cut.wire.reset();
    expect([cut.session.result, cut.session.sent]).toEqual([BAD.disconnected, true]);
    const refused = sent(() => null);
    expect([refused.wire.sent.length, refused.session.sent]).toEqual([0, false]);
  });

  test("it waits for each station that still owes an answer", () => {
    const wire = new ScriptedWire();
    const session = modbusRtu.open(link, wire);
    session.read(request!, ring, 0, 0);
    const silent = (8 + 7) * character + 100;
    session.step(silent);
    expect(session.result).toBe(BAD.timeout);
    session.write(speed, modbusRtu.encode(speed, 40, link).bytes, () => Infinity, silent);
    expect(session.step(silent)).toBeCloseTo(silent + 100, 6);
    expect(wire.sent.length).toBe(1);
    session.step(silent + 100);
    expect(wire.sent.length).toBe(2);
  });
});

describe("what may be a broadcast", () => {
  const check = (more: object, on = link): string | null =>
    (on.type === "modbus-rtu" ? modbusRtu : modbusAscii)
      .checkTag({ ...speed, ...more }, on);

  test("the link has to allow it, and the tag has to be written", () => {
    expect(check({})).toBeNull();
    expect(check({}, ascii)).toBeNull();
    expect(check({}, linkOf(modbusRtu, port))).toContain('"broadcast": true');
    expect(check({ writable: false })).toContain('"access" must be "read-write"');
    expect(check({ station: 248 })).toContain("1 to 247");
    expect(check({}, linkOf(modbusRtu, { ...port, broadcast: true, listenOnly: true })))
      .toContain("Nothing is sent");
  });

  test("coils and whole holding registers; no FC22", () => {
    expect(check({ at: "coil 3", type: "bool" })).toBeNull();
    expect(check({ type: "float32" })).toBeNull();
    expect(check({ at: "holding 9.3", type: "bool" })).toContain("FC22");
    expect(check({ at: "holding 9", type: "text(4)" })).toContain("to one station and not to all");
    expect(check({ at: "input 9" })).toContain("can only be read");
  });

  test("not behind a gateway: nobody there says what became of it", () => {
    for (const driver of [modbusTcp, modbusListen]) {
      const settings = driver === modbusTcp ? { host: "h" } : { port: 5 };
      for (const framing of ["tcp", "rtu", "ascii"]) {
        expect(driver.checkTag(speed, linkOf(driver, { ...settings, framing })))
          .toContain("modbus-rtu, modbus-ascii");
      }
      expect(driver.broadcast).toBeUndefined();
      expect(() => linkOf(driver, { ...settings, broadcast: true })).toThrow("broadcast");
    }
  });

  test("of it nothing is read", () => {
    expect(modbusRtu.plan([speed], link)).toEqual([]);
    expect(modbusAscii.plan([speed], ascii)).toEqual([]);
    expect([modbusRtu.broadcast!.is(speed), modbusRtu.broadcast!.is(tags[0]!)])
      .toEqual([true, false]);
  });
});

describe.each([
  ["a register by FC6", "holding 9", "int16", "auto", 40, [6, 0, 9, 0, 40]],
  ["a register by FC16", "holding 9", "int16", 16, 40, [16, 0, 9, 0, 1, 2, 0, 40]],
  ["a float by FC16", "holding 9", "float32", "auto", 1.5,
    [16, 0, 9, 0, 2, 4, 0x3f, 0xc0, 0, 0]],
  ["a coil by FC5", "coil 9", "bool", "auto", 1, [5, 0, 9, 0xff, 0]],
  ["a coil by FC15", "coil 9", "bool", 16, 1, [15, 0, 9, 0, 1, 1, 1]],
] as const)("%s", (_, at, type, writeWith, value, pdu) => {
  const drivers = [modbusRtu, modbusAscii] as const;
  test.each(drivers)("W2: $type: what is shown leaves, and every station obeys it", (driver) => {
    const on = linkOf(driver, { ...port, broadcast: true, writeWith });
    const one = tag(at, type, all);
    const wire = new ScriptedWire();
    const raw = driver.encode(one, value, on).bytes;
    driver.open(on, wire).write(one, raw, () => Infinity, 0);
    const frame = driver.broadcast!.frame(one, raw, on);
    expect(frame).toEqual(wire.last);
    if (driver === modbusRtu) expect(frame).toEqual(withCrc(0, ...pdu));

    const written: [number, number][] = [];
    const fans = [1, 2, 247].map((station) => tag(at, type, { id: `fan${station}`, station }));
    const elsewhere = tag("holding 100", "int16", { station: 5 });
    const server = driver.serve([...fans, elsewhere, one], on, {
      value: () => 0,
      written: ({ station }, given) => written.push([station, Number(given)]) > 0,
    });
    let answers = 0;
    let frames = 0;
    server.receive(frame, frame.length, 0, {
      frame: (_bytes, _n, valid) => { frames += Number(valid); },
      reply: () => { answers += 1; },
    });
    expect(written).toEqual([[1, value], [2, value], [247, value]]);
    expect([frames, answers]).toEqual([1, 0]);
  });
});

test("the simulator's stations do not obey a read or FC22 to station 0, nor answer it", () => {
  let touched = 0;
  const server = modbusRtu.serve([tag("holding 9", "int16")], link, {
    value: () => 0, written: () => (touched += 1) > 0,
  });
  for (const frame of [withCrc(0, 3, 0, 9, 0, 1), withCrc(0, 22, 0, 9, 0, 0, 0, 1)]) {
    server.receive(frame, frame.length, 0, { frame() {}, reply: () => { touched += 1; } });
  }
  expect(touched).toBe(0);
});

test("over IP a device may have the number 0, and is read as any other", () => {
  const wire = new ScriptedWire();
  const converter = linkOf(modbusTcp, { host: "h", framing: "rtu" });
  const session = modbusTcp.open(converter, wire);
  const zero = tag("holding 9", "int16", { station: 0 });
  expect(modbusTcp.checkTag(zero, converter)).toBeNull();
  const raw = new Uint8Array(2);
  session.readRaw(zero, raw, 0);
  const answer = withCrc(0, 3, 2, 0, 7);
  session.receive(answer, answer.length, 5);
  expect([session.result, raw[1]]).toEqual([DONE, 7]);
});
