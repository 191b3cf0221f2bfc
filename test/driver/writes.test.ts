import { describe, expect, test } from "bun:test";
import { DONE, modbusRtu, modbusTcp, type Driver, type DriverTag } from "../../src/driver.ts";
import type { ServeEvents, Session } from "../../src/driver.ts";
import { loadReal } from "../config/real.ts";
import { linkOf, ScriptedWire, tag, tcpLink } from "./support.ts";

const rw = { writable: true };
const coil = tag("coil 5", "bool", { id: "d.coil", ...rw });
const bit = tag("holding 9.12", "bool", { id: "d.bit", ...rw });
const beside = tag("holding 9.0", "bool", { id: "d.beside", ...rw });
const word = tag("holding 10", "int16", { id: "d.word", ...rw });
const wide = tag("holding 20", "uint32", { id: "d.wide", ...rw });
const tags = [coil, bit, beside, word, wide];

const pdu = (driver: Driver, frame: Uint8Array): number[] =>
  [...(driver === modbusTcp ? frame.subarray(7) : frame.subarray(1, -2))];

/** A write whose frame the wire keeps; what the driver's own server answers it comes back. */
function writing(driver: Driver, settings: object, values: Record<string, number>) {
  const link = linkOf(driver, { ...(driver === modbusTcp ? { host: "a" }
    : { port: "/dev/null", rs485: "adapter" }), ...settings });
  const wire = new ScriptedWire();
  const session: Session = driver.open(link, wire);
  const server = driver.serve(tags, link, {
    value: (one) => values[one.id] ?? 0,
    written: (one, value) => {
      values[one.id] = Number(value);
      return true;
    },
  });
  let now = 0;
  const exchange = (): Uint8Array => {
    session.step(now);
    const sent = wire.last;
    const events: ServeEvents = {
      frame: (_bytes, _n, valid) => expect(valid).toBe(true),
      reply: (bytes, n) => session.receive(bytes.slice(0, n), n, now + 500),
    };
    server.receive(sent, sent.length, now, events);
    session.step(now + 500);
    expect([session.result, session.exception]).toEqual([DONE, 0]);
    return sent;
  };
  return (one: DriverTag, value: number): number[] => {
    now += 1000;
    // As the gate does: without it nobody could tell an echo from the answer.
    session.readRaw(one, new Uint8Array(driver.rawBytes(one)), now);
    exchange();
    now += 1000;
    session.write(one, driver.encode(one, value, link).bytes, () => Infinity, now);
    return pdu(driver, exchange());
  };
}

describe.each([modbusTcp, modbusRtu])("$type: coils and bits", (driver) => {
  test("a coil by FC5, a bit by FC22; neighbours stay", () => {
    const values: Record<string, number> = { "d.beside": 1, "d.bit": 0, "d.word": 7 };
    const write = writing(driver, {}, values);
    expect(write(coil, 1)).toEqual([5, 0, 5, 0xff, 0]);
    expect(values["d.coil"]).toBe(1);
    expect(write(coil, 0)).toEqual([5, 0, 5, 0, 0]);
    expect(write(bit, 1)).toEqual([22, 0, 9, 0xef, 0xff, 0x10, 0]);
    expect(values).toMatchObject({ "d.bit": 1, "d.beside": 1, "d.coil": 0, "d.word": 7 });
    expect(write(bit, 0)).toEqual([22, 0, 9, 0xef, 0xff, 0, 0]);
    expect(write(beside, 0)).toEqual([22, 0, 9, 0xff, 0xfe, 0, 0]);
    expect(values).toMatchObject({ "d.bit": 0, "d.beside": 0 });
  });

  test("writeWith: 16 takes FC15 and FC16 for one, too", () => {
    const values: Record<string, number> = {};
    const write = writing(driver, { writeWith: 16 }, values);
    expect(write(coil, 1)).toEqual([15, 0, 5, 0, 1, 1, 1]);
    expect(write(word, 300)).toEqual([16, 0, 10, 0, 1, 2, 1, 44]);
    expect(write(wide, 65537)).toEqual([16, 0, 20, 0, 2, 4, 0, 1, 0, 1]);
    expect(values).toEqual({ "d.coil": 1, "d.word": 300, "d.wide": 65537 });
  });

  test("what is written of a bit means the same when it is read", () => {
    expect(() => driver.encode(bit, 2, tcpLink)).toThrow("bool ends at 1");
    expect(driver.decode(bit, driver.encode(bit, 1, tcpLink).bytes)).toBe(1);
    expect(driver.rawBytes(coil)).toBe(1);
  });
});

/** Problems of two writable tags on one device. */
function overlaps(first: object, second: object): string[] {
  const entry = (more: object): object => ({ access: "read-write", ...more });
  const { problems } = loadReal({
    gateway: { id: "g" }, links: { l: { type: "modbus-tcp", host: "a" } },
    devices: { d: { link: "l", groups: { g: "1s" },
      tags: { one: entry(first), two: entry(second) } } },
  });
  return problems.map(({ message }) => message);
}

test("W13: a register and its bit overlap, two bits of one do not", () => {
  const bool = (at: string): object => ({ at, type: "bool" });
  expect(overlaps(bool("holding 9.3"), bool("holding 9.4"))).toEqual([]);
  expect(overlaps(bool("coil 1"), bool("coil 2"))).toEqual([]);
  expect(overlaps(bool("holding 9.3"), bool("400010.3"))[0]).toContain("overlap");
  expect(overlaps({ at: "holding 9", type: "int16" }, bool("holding 9.15"))[0])
    .toContain("overlap");
  expect(overlaps({ at: "holding 8", type: "float32" }, bool("holding 9.0"))[0])
    .toContain("overlap");
});

test("two devices that dial in need two ports", () => {
  const link = { type: "modbus-listen", port: 5020 };
  const { problems } = loadReal({ gateway: { id: "g" }, links: { one: link, two: link } });
  expect(problems.map(({ message }) => message)[0]).toContain("waits on port 5020 of this gateway");
});
