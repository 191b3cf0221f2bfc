import type { Link } from "../../config.ts";
import type { Driver, DriverTag, Raw, Request, WireEvents } from "../../driver.ts";
import { createTty, type TtyWire } from "../wire/tty.ts";
import { isBits } from "./address.ts";
import { Field, decodeValue, encode, tagProblem } from "./codec.ts";
import { MbapFraming } from "./mbap.ts";
import { planReads, type ModbusRequest } from "./plan.ts";
import { exchange_ms, MasterEar, RtuFraming } from "./rtu.ts";
import { rtuServer, tcpServer } from "./serve.ts";
import { ModbusSession } from "./session.ts";
import type { RtuLink, TcpLink } from "./settings.ts";

const settings = () => require("./settings.ts") as typeof import("./settings.ts");

/** What both framings share: addresses, plan, values. */
const common = {
  checkTag(tag: DriverTag, link: Link): string | null {
    return tagProblem(tag, (link.settings as TcpLink).writeWith);
  },

  /** In bits, so that two bits of one register are two places, and it and one of them are not. */
  extent(tag: DriverTag): { area: string; from: number; to: number } {
    const { area, from, count, bit } = new Field(tag).address;
    const width = isBits(area) ? 1 : 16;
    const first = from * width + Math.max(0, bit);
    return { area, from: first, to: bit >= 0 ? first : first + count * width - 1 };
  },

  rawBytes: (tag: DriverTag): number => new Field(tag).bytes,

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
    const { timeout, pauseAfterConnect, writeWith } = link.settings as TcpLink;
    return new ModbusSession(wire, new MbapFraming(), {
      timeout_ms: timeout, pause_ms: pauseAfterConnect, resetAfterWrite: true, writeWith,
    });
  },

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

  checkTag(tag, link) {
    const station = tag.station >= 1 && tag.station <= 247;
    return station ? common.checkTag(tag, link)
      : `Station ${tag.station}: on a bus stations are 1 to 247`;
  },

  open(link, wire) {
    const rtu = link.settings as RtuLink;
    return new ModbusSession(wire, new RtuFraming(rtu), {
      timeout_ms: rtu.timeout, pause_ms: 0, resetAfterWrite: false, writeWith: rtu.writeWith,
    });
  },

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
