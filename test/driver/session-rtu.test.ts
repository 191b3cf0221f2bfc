import { describe, expect, test } from "bun:test";
import { DONE, modbusRtu, PENDING, type Session } from "../../src/driver.ts";
import { BAD, readCell } from "../../src/ring.ts";
import { linkOf, ringFor, ScriptedWire, tag, withCrc } from "./support.ts";

const { ring, tags } = ringFor([
  tag("holding 0", "int16"), tag("holding 1", "float32", { writable: true }),
]);
const other = ringFor([tag("holding 0", "int16", { station: 2 })]);
const link = linkOf(modbusRtu, {
  port: "p", rs485: "adapter", baud: 9600, parity: "even", timeout: "100ms",
});
const [request] = modbusRtu.plan(tags, link);
const [otherRequest] = modbusRtu.plan(other.tags, link);
/** 11 bits a character at 9600 baud. */
const character = 11 / 9.6;
const good = withCrc(1, 3, 6, 0, 7, 0x42, 0x48, 0, 0);
/** Request of 8 bytes, answer of 11, and the timeout. */
const deadline = (8 + 11) * character + 100;

function begin(): { wire: ScriptedWire; session: Session } {
  const wire = new ScriptedWire();
  const session = modbusRtu.open(link, wire);
  wire.closed = () => session.abort();
  return { wire, session };
}
const give = (session: Session, bytes: Uint8Array, now: number): void =>
  session.receive(bytes, bytes.length, now);

describe("Modbus RTU session", () => {
  test("a read, and 3.5 characters of silence before the next", () => {
    const { wire, session } = begin();
    session.read(request!, ring, 5, 1000);
    expect([...wire.last]).toEqual([...withCrc(1, 3, 0, 0, 0, 3)]);
    expect(session.step(1000)).toBeCloseTo(1000 + deadline, 6);
    give(session, good, 1020);
    expect(session.result).toBe(DONE);
    expect(ring.columns.map((c) => readCell(ring, c, 5))).toEqual([7, 50]);
    session.read(request!, ring, 6, 1020.5);
    expect(wire.sent.length).toBe(1);
    expect(session.step(1021)).toBeCloseTo(1020 + 3.5 * character, 6);
    session.step(1020 + 3.5 * character);
    expect(wire.sent.length).toBe(2);
  });

  test("noise before the answer, and an answer in pieces 30 ms apart", () => {
    const { session } = begin();
    session.read(request!, ring, 5, 0);
    give(session, Uint8Array.of(0xff, 1, 0x55), 5);
    for (let at = 0; at < good.length; at += 3) {
      expect(session.result).toBe(PENDING);
      give(session, good.slice(at, at + 3), 10 + at * 10);
      session.step(10 + at * 10);
    }
    expect(session.result).toBe(DONE);
    expect(session.counters.stray).toBe(3);
  });

  test("a wrong CRC is garbled at once", () => {
    const { session } = begin();
    session.read(request!, ring, 5, 0);
    const bad = good.slice();
    bad[4]! ^= 1;
    give(session, bad, 5);
    expect(session.result).toBe(BAD.garbled);
    expect(session.counters.garbled).toBe(1);
  });

  test("what begins like a refusal, and is none, ends nothing: the answer is still to come", () => {
    const { session } = begin();
    session.read(request!, ring, 5, 0);
    give(session, Uint8Array.of(1, 0x83, 7, 7, 7), 5);
    expect(session.result).toBe(PENDING);
    give(session, good, 40);
    expect([session.result, session.counters.stray]).toEqual([DONE, 5]);
  });

  test("a damaged refusal is garbled at the deadline, and its station left alone", () => {
    const { wire, session } = begin();
    session.read(request!, ring, 5, 0);
    give(session, withCrc(1, 0x83, 2).with(2, 3), 5);
    session.step(deadline);
    expect(session.result).toBe(BAD.garbled);
    session.read(request!, ring, 6, deadline);
    expect(session.step(deadline)).toBeCloseTo(deadline + 100, 6);
    expect(wire.sent.length).toBe(1);
  });

  test("a damaged answer to a write is one if it has the write's address", () => {
    const answer = withCrc(1, 16, 0, 1, 0, 2);
    for (const [damaged, result] of [
      [answer.with(5, 3), BAD.garbled], [answer.with(3, 9), PENDING],
    ] as const) {
      const { session } = begin();
      session.write(tags[1]!, Uint8Array.of(0x42, 0x48, 0, 0), () => Infinity, 0);
      // Its echo, which comes first until it is known that none does.
      give(session, withCrc(1, 16, 0, 1, 0, 2, 4, 0x42, 0x48, 0, 0), 1);
      give(session, damaged, 20);
      expect(session.result).toBe(result);
    }
  });

  test("half a frame and a wrong station end garbled at the deadline; silence is a timeout", () => {
    for (const bytes of [good.slice(0, 6), withCrc(2, 3, 6, 0, 7, 0x42, 0x48, 0, 0)]) {
      const { session } = begin();
      session.read(request!, ring, 5, 0);
      give(session, bytes, 5);
      session.step(deadline - 1);
      expect(session.result).toBe(PENDING);
      session.step(deadline);
      expect(session.result).toBe(BAD.garbled);
      expect(session.counters.stray).toBe(bytes.length);
    }
    const { session } = begin();
    session.read(request!, ring, 5, 0);
    session.step(deadline);
    expect([session.result, session.counters.timeouts]).toEqual([BAD.timeout, 1]);
  });

  test("exceptions", () => {
    const { session } = begin();
    session.read(request!, ring, 5, 0);
    give(session, withCrc(1, 0x83, 2), 5);
    expect([session.result, session.exception]).toEqual([BAD.address, 2]);
  });

  test("W14: after a timeout nothing to that station for one more timeout of silence", () => {
    const { wire, session } = begin();
    session.read(request!, ring, 5, 0);
    session.step(deadline);
    session.read(request!, ring, 5, deadline + 10);
    expect(session.step(deadline + 10)).toBeCloseTo(deadline + 100, 6);
    // The late answer restarts the silence, and is not taken for the new one.
    give(session, good, deadline + 50);
    expect(session.step(deadline + 50)).toBeCloseTo(deadline + 150, 6);
    expect(session.counters.stray).toBe(good.length);
    expect(wire.sent.length).toBe(1);
    session.step(deadline + 150);
    expect(wire.sent.length).toBe(2);
    expect(session.result).toBe(PENDING);
  });

  test("W14: the other stations need not wait, and are not answered by the late one", () => {
    const { wire, session } = begin();
    session.read(request!, ring, 5, 0);
    session.step(deadline);
    session.read(otherRequest!, other.ring, 5, deadline + 10);
    expect(wire.sent.length).toBe(2);
    give(session, good, deadline + 20);
    expect(session.result).toBe(PENDING);
    give(session, withCrc(2, 3, 2, 0, 9), deadline + 30);
    expect(session.result).toBe(DONE);
    expect(readCell(other.ring, other.ring.columns[0]!, 5)).toBe(9);
    expect(session.counters.stray).toBe(good.length);
  });

  test("W14: a write leaves once; its timeout flushes the port", () => {
    const { wire, session } = begin();
    session.write(tags[1]!, Uint8Array.of(0x42, 0x48, 0, 0), () => Infinity, 0);
    expect([...wire.last]).toEqual([...withCrc(1, 16, 0, 1, 0, 2, 4, 0x42, 0x48, 0, 0)]);
    for (let now = 0; now < 300; now++) session.step(now);
    expect([session.result, session.sent]).toEqual([BAD.timeout, true]);
    expect([wire.sent.length, wire.drains, wire.resets]).toEqual([1, 2, 0]);
  });

  test("W11: the last look waits for the silence, too", () => {
    const { wire, session } = begin();
    session.read(request!, ring, 5, 0);
    give(session, good, 20);
    let looks = 0;
    session.write(tags[1]!, Uint8Array.of(0, 0, 0, 0), () => { looks += 1; return null; }, 20);
    expect([looks, session.result]).toEqual([0, PENDING]);
    session.step(20 + 3.5 * character);
    expect([looks, session.result, session.sent]).toEqual([1, BAD.disconnected, false]);
    expect(wire.sent.length).toBe(1);
  });

  test("a bus that is never silent ends the wait", () => {
    const { wire, session } = begin();
    session.read(request!, ring, 5, 0);
    session.step(deadline);
    session.read(request!, ring, 5, deadline);
    let now = deadline;
    for (; session.result === PENDING && now < deadline + 1000; now += 2) {
      give(session, Uint8Array.of(0x55), now);
      session.step(now);
    }
    expect([session.result, session.sent, wire.sent.length]).toEqual([BAD.garbled, false, 1]);
    expect(now).toBeLessThan(deadline + 400);
  });

  test("another master's request resets the wire; an echo of ours does not", () => {
    const { wire, session } = begin();
    session.read(request!, ring, 5, 0);
    give(session, wire.last, 1);
    expect(wire.resets).toBe(0);
    give(session, good, 10);
    expect(session.result).toBe(DONE);
    give(session, withCrc(7, 4, 0, 0, 0, 2), 50);
    expect(wire.resets).toBe(1);
  });
});
