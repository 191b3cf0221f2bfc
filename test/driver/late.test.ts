import { expect, test } from "bun:test";
import {
  DONE, modbusListen, modbusRtu, modbusTcp, modbusUdp, PENDING, type Driver,
} from "../../src/driver.ts";
import { BAD } from "../../src/ring.ts";
import { linkOf, ScriptedWire, tag, withCrc } from "./support.ts";

/** Where answers have no numbers, one that comes late must not be taken for another register's. */
const host = { host: "a", timeout: "300ms" };
const links: readonly (readonly [name: string, Driver, object, renewed: number])[] = [
  ["modbus-tcp", modbusTcp, host, 0],
  ["modbus-tcp rtu", modbusTcp, { ...host, framing: "rtu" }, 1],
  ["modbus-tcp ascii", modbusTcp, { ...host, framing: "ascii" }, 1],
  ["modbus-udp rtu", modbusUdp, { ...host, framing: "rtu" }, 1],
  ["modbus-listen", modbusListen, { port: 5, timeout: "300ms" }, 0],
  ["modbus-listen rtu", modbusListen, { port: 5, timeout: "300ms", framing: "rtu" }, 1],
  ["modbus-rtu", modbusRtu, { port: "/dev/null", rs485: "adapter", timeout: "300ms" }, 0],
];

test.each(links)("%s: after a timeout another connection, where nothing else tells", (
  _name, driver, settings, renewed,
) => {
  const wire = new ScriptedWire();
  const session = driver.open(linkOf(driver, { ...settings }), wire);
  session.readRaw(tag("holding 100", "uint16"), new Uint8Array(2), 0);
  session.step(0);
  session.step(1000);
  expect([session.result, wire.renewed, wire.resets]).toEqual([BAD.timeout, renewed, renewed]);
});

test("rtu over TCP: the late answer of one register is not another's, however late", () => {
  const wire = new ScriptedWire();
  const session = modbusTcp.open(linkOf(modbusTcp, { ...host, framing: "rtu" }), wire);
  const raw = new Uint8Array(2);
  session.readRaw(tag("holding 100", "uint16"), raw, 0);
  session.step(300);
  expect([session.result, wire.isOpen]).toEqual([BAD.timeout, false]);
  session.abort();
  wire.open();
  session.readRaw(tag("holding 500", "uint16"), raw, 310);
  // For one more timeout nothing is asked, as a converter may bring it by the new connection.
  const late = withCrc(1, 3, 2, 0, 100);
  session.receive(late, late.length, 590);
  expect([session.step(590), wire.sent.length, session.result]).toEqual([890, 1, PENDING]);
  session.step(890);
  const answer = withCrc(1, 3, 2, 1, 244);
  session.receive(answer, answer.length, 900);
  expect([session.result, [...raw]]).toEqual([DONE, [1, 244]]);
});

test("rtu over TCP: that the converter does not echo is known on the next connection, too", () => {
  const wire = new ScriptedWire();
  const session = modbusTcp.open(linkOf(modbusTcp, { ...host, framing: "rtu" }), wire);
  wire.closed = () => session.abort();
  const one = tag("holding 100", "uint16", { writable: true });
  session.readRaw(one, new Uint8Array(2), 0);
  const answer = withCrc(1, 3, 2, 0, 100);
  session.receive(answer, answer.length, 10);
  session.readRaw(tag("holding 0", "uint16", { station: 2 }), new Uint8Array(2), 20);
  session.step(320);
  expect([session.result, wire.renewed]).toEqual([BAD.timeout, 1]);
  wire.open();
  session.write(one, Uint8Array.of(0, 7), () => Infinity, 330);
  // Byte for byte as it was sent: the answer, and no echo.
  session.receive(wire.last, wire.last.length, 340);
  expect(session.result).toBe(DONE);
});
