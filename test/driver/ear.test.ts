import { expect, test } from "bun:test";
import { modbusRtu, DONE, type DriverTag, type Wire } from "../../src/driver.ts";
import { putCrc } from "../../src/driver/modbus/rtu.ts";
import { Arena, Ring, tagColumn } from "../../src/ring.ts";

test("an answer whose CRC ends with 0 is no request of another master", () => {
  const tag: DriverTag = {
    id: "d.t", station: 1, at: "holding 0", type: "uint32", scale: 1, offset: 0,
    decimals: null, signal: null, wordOrder: "ABCD", column: 0, writable: false,
  };
  const answer = new Uint8Array([1, 3, 4, 0, 0, 0, 0, 0, 0]);
  // Bytes 4 and 5 read as a number of registers; the rest is sought until the CRC ends with 0.
  for (let value = 0x0100; answer[8] !== 0 || value === 0x0100; value++) {
    answer.set([0, 0, value >> 8, value & 0xff], 3);
    putCrc(answer, 7);
  }
  const settings = modbusRtu.settings.parse({ port: "/dev/x", rs485: "adapter" });
  const link = { name: "bus", type: "modbus-rtu", settings };
  let resets = 0;
  const wire: Wire = { open() {}, drain() {}, send: () => true, reset: () => { resets += 1; } };
  const layout = Ring.layout("d.g", [tagColumn("t", "uint32")], 16);
  const { ring } = Ring.create(Arena.create(layout.bytes), layout);
  const session = modbusRtu.open(link, wire);
  let now = 10_000;
  for (let poll = 0; poll < 3; poll++) {
    session.read(modbusRtu.plan([tag], link)[0]!, ring, 0, now);
    for (let i = 0; i < 50 && !session.sent; i++) session.step(now += 5);
    expect(session.sent).toBe(true);
    for (const byte of answer) session.receive(Uint8Array.of(byte), 1, now);
    session.step(now += 5);
    expect(session.result).toBe(DONE);
  }
  expect(resets).toBe(0);
});
