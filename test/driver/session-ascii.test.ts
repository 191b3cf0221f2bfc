import { expect, test } from "bun:test";
import { DONE, modbusAscii, PENDING } from "../../src/driver.ts";
import { BAD, readCell } from "../../src/ring.ts";
import { linkOf, ringFor, ScriptedWire, tag } from "./support.ts";

const { ring, tags } = ringFor([tag("holding 0", "int16")]);
const link = linkOf(modbusAscii, { port: "p", rs485: "adapter", timeout: "100ms" });
const [request] = modbusAscii.plan(tags, link);

/** How a read of one register ends that is answered so. */
function after(answer: string): { result: number; value: unknown } {
  const wire = new ScriptedWire();
  const session = modbusAscii.open(link, wire);
  session.read(request!, ring, 5, 1000);
  session.step(1000);
  expect(new TextDecoder().decode(wire.last)).toBe(":010300000001FB\r\n");
  const bytes = new TextEncoder().encode(answer);
  session.receive(bytes, bytes.length, 1010);
  const { result } = session;
  return { result, value: result === DONE ? readCell(ring, ring.columns[0]!, 5) : null };
}

// LRCs by hand: 01 + 03 + 02 + 01 + 02 = 09, and F7 makes it 0.
test.each([
  ["is the value", ":0103020102F7\r\n", DONE, 258],
  ["in small letters is one, too", ":0103020102f7\r\n", DONE, 258],
  ["after noise is found", "x:01:0103020102F7\r\n", DONE, 258],
  ["with another LRC is garbled", ":0103020102F8\r\n", BAD.garbled, null],
  ["of one byte less is garbled", ":01030101FA\r\n", BAD.garbled, null],
  ["with half a byte too many is none", ":0103020102F70\r\n", PENDING, null],
  ["with a character that is no digit is none", ":01030201G2F7\r\n", PENDING, null],
  ["of another station is not ours", ":0203020102F6\r\n", PENDING, null],
  ["that refuses is an exception", ":0183047 8\r\n".replace(" ", ""), BAD.exception, null],
])("an answer that %s", (_, answer, result, value) => {
  expect(after(answer)).toEqual({ result, value });
});
