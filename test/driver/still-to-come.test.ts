import { expect, test } from "bun:test";
import { DONE, modbusAscii, PENDING, type Session } from "../../src/driver.ts";
import { BAD, readCell } from "../../src/ring.ts";
import { linkOf, ringFor, ScriptedWire, tag } from "./support.ts";

const { ring, tags } = ringFor([tag("holding 100", "uint16")]);
const link = linkOf(modbusAscii, { port: "p", rs485: "adapter", timeout: "100ms" });
const [request] = modbusAscii.plan(tags, link);

/** A frame of the bytes, and their LRC by the standard's text: two's complement of the sum. */
function textOf(...bytes: number[]): Uint8Array {
  const lrc = (256 - bytes.reduce((sum, byte) => (sum + byte) % 256, 0)) % 256;
  const digits = [...bytes, lrc].map((byte) => byte.toString(16).toUpperCase().padStart(2, "0"));
  return new TextEncoder().encode(`:${digits.join("")}\r\n`);
}
/** One of its digits is another. */
const damaged = (frame: Uint8Array, at = frame.length - 3): Uint8Array =>
  frame.with(at, frame[at] === 0x30 ? 0x31 : 0x30);

function asked(): Session {
  const session = modbusAscii.open(link, new ScriptedWire());
  session.read(request!, ring, 5, 0);
  session.step(0);
  return session;
}
const give = (session: Session, frame: Uint8Array, now: number): void =>
  session.receive(frame, frame.length, now);
const answer = textOf(1, 3, 2, 1, 44);

test("a damaged answer is garbled at once", () => {
  const session = asked();
  give(session, damaged(answer), 20);
  expect([session.result, session.counters.garbled]).toEqual([BAD.garbled, 1]);
});

const others: readonly (readonly [string, Uint8Array])[] = [
  ["another station's answer, damaged", damaged(textOf(2, 3, 2, 9, 9))],
  ["an answer of another length", textOf(1, 3, 4, 9, 9, 9, 9)],
  ["an answer of another length, damaged", damaged(textOf(1, 3, 4, 9, 9, 9, 9))],
  ["an answer to another function, damaged", damaged(textOf(1, 4, 2, 9, 9))],
  ["the answer, cut", answer.slice(0, 9)],
  ["noise that ends like a frame", new TextEncoder().encode(":000000\r\n")],
];

test.each(others)("%s ends nothing: the answer is still to come", (_name, other) => {
  const session = asked();
  give(session, other, 20);
  expect(session.result).toBe(PENDING);
  give(session, answer, 40);
  expect([session.result, readCell(ring, ring.columns[0]!, 5)]).toEqual([DONE, 300]);
});

test.each(others)("%s alone is garbled at the deadline, and the station is left alone", (
  _name, other,
) => {
  const session = asked();
  give(session, other, 20);
  const deadline = session.step(20);
  session.step(deadline);
  expect(session.result).toBe(BAD.garbled);
  session.read(request!, ring, 6, deadline + 1);
  expect(session.step(deadline + 1)).toBeGreaterThanOrEqual(deadline + 100);
});
