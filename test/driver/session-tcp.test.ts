import { describe, expect, test } from "bun:test";
import { DONE, modbusTcp, modbusUdp, PENDING, type Session } from "../../src/driver.ts";
import { BAD, readCell } from "../../src/ring.ts";
import { linkOf, ringFor, ScriptedWire, tag } from "./support.ts";

const { ring, tags } = ringFor([
  tag("holding 0", "int16"), tag("holding 1", "float32", { writable: true }),
  tag("holding 3", "int16", { writable: true }),
]);
const link = linkOf(modbusTcp, { host: "a", timeout: "100ms" });
const [request] = modbusTcp.plan(tags, link);
const data = [0, 7, 0x42, 0x48, 0, 0, 0xff, 0xff];

function begin(settings = link): { wire: ScriptedWire; session: Session } {
  const wire = new ScriptedWire();
  const session = modbusTcp.open(settings, wire);
  wire.closed = () => session.abort();
  return { wire, session };
}

/** An answer to the request on the wire. */
const answer = (wire: ScriptedWire, pdu: number[], more: { id?: number; unit?: number } = {}) =>
  Uint8Array.of(wire.last[0]!, more.id ?? wire.last[1]!, 0, 0, 0, pdu.length + 1, more.unit ?? 1,
    ...pdu);
const give = (session: Session, bytes: Uint8Array, now: number): void =>
  session.receive(bytes, bytes.length, now);

describe("Modbus TCP session", () => {
  test("a read fills the row's cells", () => {
    const { wire, session } = begin();
    session.read(request!, ring, 5, 1000);
    expect([...wire.last]).toEqual([0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 4]);
    expect(session.result).toBe(PENDING);
    expect(session.step(1000)).toBe(1100);
    give(session, answer(wire, [3, 8, ...data]), 1010);
    expect(session.result).toBe(DONE);
    expect(ring.columns.map((c) => readCell(ring, c, 5))).toEqual([7, 50, -1]);
    expect(session.counters).toMatchObject({ requests: 1, answers: 1, roundTrip: 10, stray: 0 });
  });

  test("an answer in single bytes, and two frames in one piece", () => {
    const { wire, session } = begin();
    session.read(request!, ring, 6, 0);
    const bytes = answer(wire, [3, 8, ...data]);
    for (const byte of bytes) give(session, Uint8Array.of(byte), 1);
    expect(session.result).toBe(DONE);
    session.read(request!, ring, 7, 2);
    const late = answer(wire, [3, 8, ...data], { id: 1 });
    give(session, Uint8Array.of(...late, ...answer(wire, [3, 8, ...data])), 3);
    expect(session.result).toBe(DONE);
    expect(session.counters.stray).toBe(late.length);
  });

  test("a late answer is stray, also while nothing runs", () => {
    const { wire, session } = begin();
    session.read(request!, ring, 5, 0);
    const late = answer(wire, [3, 8, ...data]);
    session.step(100);
    expect(session.result).toBe(BAD.timeout);
    expect(wire.resets).toBe(0);
    give(session, late, 150);
    session.read(request!, ring, 5, 200);
    expect(session.result).toBe(PENDING);
    give(session, late, 210);
    expect(session.result).toBe(PENDING);
    expect(session.counters).toMatchObject({ timeouts: 1, stray: 2 * late.length });
  });

  test.each([
    ["unit", { unit: 2 }, [3, 8, ...data]], ["function", {}, [4, 8, ...data]],
    ["length", {}, [3, 6, ...data.slice(2)]], ["count", {}, [3, 7, ...data]],
  ])("a wrong %s is garbled and the connection stays", (_, more, pdu) => {
    const { wire, session } = begin();
    session.read(request!, ring, 5, 0);
    give(session, answer(wire, pdu, more), 1);
    expect(session.result).toBe(BAD.garbled);
    expect(session.counters.garbled).toBe(1);
    expect(wire.resets).toBe(0);
  });

  test("garbage where a header should be resets the wire", () => {
    const { wire, session } = begin();
    session.read(request!, ring, 5, 0);
    give(session, Uint8Array.from({ length: 40 }, () => 0xee), 1);
    expect(session.result).toBe(BAD.garbled);
    expect(wire.resets).toBe(1);
  });

  test("exceptions carry their code; 2 is an address", () => {
    const { wire, session } = begin();
    session.read(request!, ring, 5, 0);
    give(session, answer(wire, [0x83, 4]), 1);
    expect([session.result, session.exception]).toEqual([BAD.exception, 4]);
    session.read(request!, ring, 5, 2);
    expect(session.exception).toBe(0);
    give(session, answer(wire, [0x83, 2]), 3);
    expect([session.result, session.exception]).toEqual([BAD.address, 2]);
  });

  test("3 to a read of several is one that is too long, and to a read of one what it says", () => {
    const { wire, session } = begin();
    session.read(request!, ring, 5, 0);
    give(session, answer(wire, [0x83, 3]), 1);
    expect([session.result, session.exception]).toEqual([BAD.address, 3]);
    session.readRaw(tags[0]!, new Uint8Array(2), 2);
    give(session, answer(wire, [0x83, 3]), 3);
    expect([session.result, session.exception]).toEqual([BAD.exception, 3]);
  });

  test("W15: which exceptions say that nothing was done, and which leave it open", () => {
    const all = [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 0x80];
    expect(all.filter((code) => modbusTcp.rejects(code))).toEqual([1, 2, 3, 6, 10]);
  });

  test("W14: nothing is written over UDP", () => {
    const udp = linkOf(modbusUdp, { host: "a" });
    expect(tags.map((one) => modbusUdp.checkTag(one, udp))).toEqual([null,
      ...[1, 2].map(() => expect.stringContaining("nothing is written over it"))]);
  });

  test("pauseBetween: silence before the next request, answered or not", () => {
    const { wire, session } = begin(
      linkOf(modbusTcp, { host: "a", timeout: "100ms", pauseBetween: "30ms" }));
    session.read(request!, ring, 5, 0);
    give(session, answer(wire, [3, 8, ...data]), 10);
    session.read(request!, ring, 5, 12);
    expect([wire.sent.length, session.step(39)]).toEqual([1, 40]);
    expect([session.step(40), wire.sent.length]).toEqual([140, 2]);
    session.step(140);
    expect(session.result).toBe(BAD.timeout);
    session.read(request!, ring, 5, 150);
    expect([wire.sent.length, session.step(169)]).toEqual([2, 170]);
    session.step(170);
    expect(wire.sent.length).toBe(3);
  });

  test("W14: one register by FC6, more by one FC16, and each leaves once", () => {
    const { wire, session } = begin();
    session.write(tags[2]!, Uint8Array.of(1, 2), () => Infinity, 0);
    expect([...wire.last.slice(6)]).toEqual([1, 6, 0, 3, 1, 2]);
    expect(session.frame).toEqual(wire.last);
    give(session, answer(wire, [6, 0, 3, 1, 2]), 1);
    expect(session.result).toBe(DONE);
    session.write(tags[1]!, Uint8Array.of(0x42, 0x48, 0, 0), () => Infinity, 2);
    expect([...wire.last.slice(6)]).toEqual([1, 16, 0, 1, 0, 2, 4, 0x42, 0x48, 0, 0]);
    for (let now = 2; now < 102; now++) session.step(now);
    expect(wire.sent.length).toBe(2);
  });

  test("W14: an unanswered write resets the connection", () => {
    const { wire, session } = begin();
    session.write(tags[2]!, Uint8Array.of(1, 2), () => Infinity, 0);
    session.step(100);
    expect([session.result, session.sent, wire.resets]).toEqual([BAD.timeout, true, 1]);
  });

  test("W14: a write is taken back at its deadline, an answer before it counts", () => {
    const { wire, session } = begin();
    session.write(tags[2]!, Uint8Array.of(1, 2), () => 40, 0);
    expect(session.step(0)).toBe(40);
    give(session, answer(wire, [6, 0, 3, 1, 2]), 39);
    expect([session.result, wire.resets]).toEqual([DONE, 0]);
    session.write(tags[2]!, Uint8Array.of(1, 3), () => 80, 40);
    session.step(80);
    expect([session.result, session.sent, wire.resets]).toEqual([BAD.timeout, true, 1]);
    expect(wire.within).toEqual([40, 40]);
    wire.isOpen = true;
    session.read(request!, ring, 5, 90);
    expect([session.step(90), wire.within.at(-1)]).toEqual([190, Infinity]);
  });

  test("an echo of another value is no acknowledgement", () => {
    const { wire, session } = begin();
    session.write(tags[2]!, Uint8Array.of(1, 2), () => Infinity, 0);
    give(session, answer(wire, [6, 0, 3, 1, 3]), 1);
    expect([session.result, session.sent]).toEqual([BAD.garbled, true]);
  });

  test("W11: the last look comes right before the bytes; false sends nothing", () => {
    const { wire, session } = begin(linkOf(modbusTcp, { host: "a", framing: "rtu" }));
    let drained = -1;
    const last = (): null => { drained = wire.drains; return null; };
    session.write(tags[2]!, Uint8Array.of(1, 2), last, 0);
    expect(drained).toBe(1);
    expect([session.result, session.sent, wire.sent.length]).toEqual([BAD.disconnected, false, 0]);
    expect(session.counters.requests).toBe(0);
  });

  test("a wire that is not open: nothing was sent; one that closes: sent stays true", () => {
    const { wire, session } = begin();
    wire.isOpen = false;
    session.read(request!, ring, 5, 0);
    expect([session.result, session.sent]).toEqual([BAD.disconnected, false]);
    wire.isOpen = true;
    session.write(tags[2]!, Uint8Array.of(1, 2), () => Infinity, 0);
    session.abort();
    expect([session.result, session.sent]).toEqual([BAD.disconnected, true]);
  });

  test("pauseAfterConnect: silence before the first request of a connection", () => {
    const { wire, session } = begin(linkOf(modbusTcp, { host: "a", pauseAfterConnect: "500ms" }));
    session.read(request!, ring, 5, 0);
    expect([wire.sent.length, session.step(499)]).toEqual([0, 500]);
    session.step(500);
    expect(wire.sent.length).toBe(1);
  });

  test("readRaw gives the words as they stand on the wire", () => {
    const { wire, session } = begin();
    const raw = new Uint8Array(4);
    session.readRaw(tags[1]!, raw, 0);
    expect([...wire.last.slice(7)]).toEqual([3, 0, 1, 0, 2]);
    give(session, answer(wire, [3, 4, 0x42, 0x48, 0, 0]), 1);
    expect([session.result, ...raw]).toEqual([DONE, 0x42, 0x48, 0, 0]);
    expect(modbusTcp.decode(tags[1]!, raw)).toBe(50);
  });
});
