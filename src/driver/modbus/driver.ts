import type { Link } from "../../config.ts";
import type { Driver, DriverTag, Raw, Request, WireEvents } from "../../driver.ts";
import { createTty, type TtyWire } from "../wire/tty.ts";
import { Field, decodeValue, encode, tagProblem } from "./codec.ts";
import { MbapFraming } from "./mbap.ts";
import { planReads, type ModbusRequest } from "./plan.ts";
import { readableRtu, readableTcp } from "./readable.ts";
import { exchange_ms, MasterEar, RtuFraming } from "./rtu.ts";
import { busSearch, ipSearch } from "./search.ts";
import { rtuServer, tcpServer } from "./serve.ts";
import { ModbusSession } from "./session.ts";
import type { RtuLink, TcpLink } from "./settings.ts";

const settings = () => require("./settings.ts") as typeof import("./settings.ts");

/**
 * Exceptions that say that nothing was done (application protocol 1.1b3, 7): illegal function,
 * address and value, busy, no path. The others (4 failure, 5 accepted but not finished, 8 memory,
 * 11 target silent) leave it open.
 */
const rejecting: ReadonlySet<number> = new Set([1, 2, 3, 6, 10]);

/** What both framings share: addresses, plan, values. */
const common = {
  checkTag: tagProblem,

  extent(tag: DriverTag): { area: string; from: number; to: number } {
    const { area, from, count } = new Field(tag).address;
    return { area, from, to: from + count - 1 };
  },

  plan(tags: readonly DriverTag[], link: Link): Request[] {
    const { maxRegisters, maxGap } = link.settings as TcpLink;
    return planReads(tags, {
      registers_max: maxRegisters, bits_max: maxRegisters * 16, gap_max: maxGap,
    });
  },

  encode(tag: DriverTag, value: number): Raw {
    return encode(new Field(tag), value);
  },

  decode(tag: DriverTag, raw: Uint8Array): number {
    return decodeValue(new Field(tag), raw);
  },

  rawBytes: (tag: DriverTag): number => new Field(tag).bytes,
  rejects: (exception: number): boolean => rejecting.has(exception),
};

export const modbusTcp: Driver = {
  ...common,
  type: "modbus-tcp",
  medium: "tcp",
  get settings() {
    return settings().tcpSettings;
  },

  occupies: () => null,

  open(link, wire) {
    const { timeout, pauseAfterConnect } = link.settings as TcpLink;
    return new ModbusSession(wire, new MbapFraming(), {
      timeout_ms: timeout, pause_ms: pauseAfterConnect, resetAfterWrite: true,
    });
  },

  search: ipSearch,
  readable: readableTcp,
  serve: (tags, _link, host) => tcpServer(tags, host),
};

export const modbusRtu: Driver = {
  ...common,
  type: "modbus-rtu",
  medium: "serial",
  get settings() {
    return settings().rtuSettings;
  },

  occupies: (request, link) =>
    exchange_ms(link.settings as RtuLink, (request as ModbusRequest).bytes),

  checkTag(tag) {
    const station = tag.station >= 1 && tag.station <= 247;
    return station ? tagProblem(tag) : `Station ${tag.station}: on a bus stations are 1 to 247`;
  },

  open(link, wire) {
    const rtu = link.settings as RtuLink;
    return new ModbusSession(wire, new RtuFraming(rtu), {
      timeout_ms: rtu.timeout, pause_ms: 0, resetAfterWrite: false,
    });
  },

  search: busSearch,
  readable: readableRtu,
  serve: (tags, link, host) => rtuServer(tags, host, link.settings as RtuLink),
};

/**
 * The serial port of a Modbus RTU link, for the thread that does nothing else; `wake` is the read
 * end of the pipe that interrupts its wait. While it listens, it knows another master by requests.
 */
export function createTtyWire(
  link: Link, wake: number, events: WireEvents, listen_ms?: number,
): TtyWire {
  const ear = new MasterEar();
  const masterHeard = (bytes: Uint8Array, n: number): boolean => ear.hearAll(bytes, n);
  return createTty(link.settings as RtuLink, { wake, masterHeard, listen_ms }, events);
}
