import type { Link } from "../../config.ts";
import type {
  Driver, DriverTag, Extent, MasterEar as Ear, Raw, Request, ServeHost, Server, Session, Wire,
} from "../../driver.ts";
import type { Written } from "../../ring.ts";
import { character_ms, type LineSettings } from "../wire/line.ts";
import { isBits } from "./address.ts";
import { adviseOnBus, adviseOverheard, adviseOverIp } from "./advice.ts";
import { AsciiFraming, ascii_ms, TextEar } from "./ascii.ts";
import { decode, encode, Field, tagProblem } from "./codec.ts";
import { Device } from "./device.ts";
import type { Framing } from "./framing.ts";
import { MbapFraming } from "./mbap.ts";
import { HeardRequest, OverhearSession } from "./overhear.ts";
import { Pipeline } from "./pipeline.ts";
import {
  apart, cheapGap, converter_gap, ip_gap, join, ModbusRequest, planLimits, planReads, split,
} from "./plan.ts";
import { readableAs, readableTalk } from "./readable.ts";
import { exchange_ms, MasterEar, RtuFraming } from "./rtu.ts";
import { Registers, type RegisterHost } from "./registers.ts";
import { asciiSearch, ipSearch, rtuSearch } from "./search.ts";
import { createServer } from "./serve.ts";
import { BROADCAST } from "./pdu.ts";
import { ModbusSession } from "./session.ts";
import { TalkingBus } from "./talk.ts";
import type { AsciiLink, ListenLink, RtuLink, TcpLink, UdpLink } from "./settings.ts";
import { putTag } from "./write.ts";

const settings = () => require("./settings.ts") as typeof import("./settings.ts");

/** How frames are packed, whatever carries them. */
export type FramingName = "tcp" | "rtu" | "ascii";

/**
 * Exceptions that say that nothing was done (application protocol 1.1b3, 7): illegal function,
 * address and value, busy, no path. The others (4 failure, 5 accepted but not finished, 8 memory,
 * 11 target silent) leave it open.
 */
const rejecting: ReadonlySet<number> = new Set([1, 2, 3, 6, 10]);

type AnyLink = (TcpLink | ListenLink | UdpLink) &
  { readonly pauseAfterConnect?: number; readonly inFlight?: number };
const over = (link: Link): AnyLink => link.settings as AnyLink;
/** RTU has eight data bits by the standard; so it is no setting. */
const rtuLine = (link: Link): RtuLink & LineSettings =>
  ({ dataBits: 8, ...link.settings as RtuLink });

function framing(name: FramingName, line: LineSettings | null): Framing {
  switch (name) {
    case "tcp": return new MbapFraming();
    case "rtu": return new RtuFraming(line);
    case "ascii": return new AsciiFraming(line);
  }
}

/** Registers between two tags that are sooner read along than asked for apart. */
function gapOf(link: Link): number {
  if (link.type === modbusRtu.type) {
    const line = rtuLine(link);
    return cheapGap(exchange_ms(line, 0), 2 * character_ms(line));
  }
  if (link.type === modbusAscii.type) {
    const line = link.settings as AsciiLink;
    return cheapGap(ascii_ms(line, 0), 4 * character_ms(line));
  }
  return over(link).framing === "tcp" ? ip_gap : converter_gap;
}

/** In bits, so that two bits of one register are two places, and it and one of them are not. */
function extent(tag: DriverTag): Extent {
  const { area, from, count, bit } = new Field(tag).address;
  const width = isBits(area) ? 1 : 16;
  const first = from * width + Math.max(0, bit);
  return { area, from: first, to: bit >= 0 ? first : first + count * width - 1 };
}

/** What all framings and media share: addresses, plan, values. */
const common = {
  checkTag(tag: DriverTag, link: Link): string | null {
    return tagProblem(tag, over(link));
  },

  extents: (tag: DriverTag): readonly Extent[] => [extent(tag)],

  rawBytes: (tag: DriverTag): number => new Field(tag).bytes,

  plan(tags: readonly DriverTag[], link: Link): Request[] {
    const { maxRegisters, maxGap } = over(link);
    return planReads(tags, {
      registers_max: maxRegisters, bits_max: maxRegisters * 16, gap_max: maxGap ?? gapOf(link),
    });
  },

  split: (request: Request) => split(request as ModbusRequest),

  join: (first: Request, second: Request) => join(first as ModbusRequest, second as ModbusRequest),

  apart: (request: Request, pieces: readonly Request[]): string =>
    apart(request as ModbusRequest, pieces as readonly ModbusRequest[]),

  readable: (bytes: Uint8Array, isRequest: boolean, link: Link): string | null =>
    readableAs(framingOf(link), bytes, isRequest),

  encode(tag: DriverTag, value: Written): Raw {
    return encode(new Field(tag), value);
  },

  decode(tag: DriverTag, raw: Uint8Array): Written {
    return decode(new Field(tag), raw);
  },

  rejects: (exception: number): boolean => rejecting.has(exception),
};

/** What all that goes over IP has in common: any framing, and no line whose time counts. */
const overIp = {
  ...common,
  advise: adviseOverIp,
  occupies: () => null,

  open(link: Link, wire: Wire): Session {
    const { framing: name, timeout, pauseAfterConnect, pauseBetween, writeWith, inFlight = 1 } =
      over(link);
    const options = { timeout_ms: timeout, pause_ms: pauseAfterConnect ?? 0,
      between_ms: pauseBetween, writeWith, resetAfterWrite: true, resetAfterRead: name !== "tcp",
      turnaround_ms: null };
    return inFlight > 1 ? new Pipeline(wire, inFlight, options)
      : new ModbusSession(wire, framing(name, null), options);
  },

  serve: (tags: readonly DriverTag[], link: Link, host: ServeHost): Server =>
    createServer(over(link).framing, null, new Device(tags, host)),
};

export const modbusTcp: Driver = {
  ...overIp,
  type: "modbus-tcp",
  medium: "tcp",
  get settings() {
    return settings().tcpSettings;
  },

  search: ipSearch,
};

/** The device dials; everything else is as if we had. */
export const modbusListen: Driver = {
  ...overIp,
  type: "modbus-listen",
  medium: "listen",
  get settings() {
    return settings().listenSettings;
  },
};

export const modbusUdp: Driver = {
  ...overIp,
  type: "modbus-udp",
  medium: "udp",
  get settings() {
    return settings().udpSettings;
  },

  search: ipSearch,

  checkTag(tag, link) {
    if (!tag.writable) return common.checkTag(tag, link);
    return "UDP can neither take a frame back nor see to it that it arrives once (W14), so " +
      'nothing is written over it: "access" must be "read"; modbus-tcp writes';
  },
};

const isBroadcast = ({ station }: DriverTag): boolean => station === BROADCAST;

/** What both framings of a bus share. */
const onBus = {
  ...common,
  advise: adviseOnBus,

  broadcast: {
    is: isBroadcast,
    frame(tag: DriverTag, raw: Uint8Array, link: Link): Uint8Array {
      const whole = framing(framingOf(link), null);
      const n = putTag(whole, new Field(tag), raw, over(link).writeWith);
      return whole.out.slice(0, whole.seal(tag.station, n));
    },
  },

  checkTag(tag: DriverTag, link: Link): string | null {
    const { station, writable } = tag;
    if (station < 0 || station > 247) return `Station ${station}: on a bus stations are 1 to 247`;
    const { broadcast, writeWith, maxRegisters } = link.settings as RtuLink | AsciiLink;
    if (!isBroadcast(tag)) return common.checkTag(tag, link);
    if (!broadcast) {
      return "Station 0: on a bus stations are 1 to 247; 0 is all of them at once, by a " +
        'broadcast that nobody answers, and the link has to allow it ("broadcast": true)';
    }
    return writable ? tagProblem(tag, { writeWith, maxRegisters, broadcasts: true })
      : 'Nobody answers for station 0, so nothing can be read of it: "access" must be "read-write"';
  },

  /** Of station 0 nothing is read. */
  plan(tags: readonly DriverTag[], link: Link): Request[] {
    return common.plan(tags.filter((tag) => !isBroadcast(tag)), link);
  },

  ear(link: Link): Ear {
    const ear = framingOf(link) === "ascii" ? new TextEar() : new MasterEar();
    return (bytes, n) => ear.hearAll(bytes, n);
  },
};

/** On a bus there is no station 0: it is a name of all others. */
const stationsOf = (tags: readonly DriverTag[], host: ServeHost): Device =>
  new Device(tags.filter((tag) => !isBroadcast(tag)), host);

function onBusSession(name: FramingName, line: LineSettings, link: Link, wire: Wire): Session {
  const { timeout, pauseBetween, writeWith, turnaround } = link.settings as RtuLink;
  return new ModbusSession(wire, framing(name, line), {
    timeout_ms: timeout, pause_ms: 0, between_ms: pauseBetween, writeWith, resetAfterWrite: false,
    resetAfterRead: false, turnaround_ms: turnaround,
  });
}

export const modbusRtu: Driver = {
  ...onBus,
  type: "modbus-rtu",
  medium: "serial",
  get settings() {
    return settings().rtuSettings;
  },

  checkTag(tag, link) {
    return tag.writable && rtuLine(link).listenOnly ? "Nothing is sent on a link that only " +
      'listens ("listenOnly"), so nothing can be written: "access" must be "read"'
      : onBus.checkTag(tag, link);
  },

  ear: (link) => (rtuLine(link).listenOnly ? null : onBus.ear(link)),

  advise: (trouble, link) =>
    (rtuLine(link).listenOnly ? adviseOverheard : adviseOnBus)(trouble, link),

  plan: (tags, link) =>
    (rtuLine(link).listenOnly ? [new HeardRequest(tags)] : onBus.plan(tags, link)),

  occupies: (request, link) => (request instanceof ModbusRequest
    ? exchange_ms(rtuLine(link), request.bytes) : null),

  readable: (bytes, isRequest, link) => (rtuLine(link).listenOnly ? readableTalk(bytes)
    : onBus.readable(bytes, isRequest, link)),

  /** What only listens is not given the wire. */
  open(link, wire) {
    const line = rtuLine(link);
    return line.listenOnly ? new OverhearSession(line.timeout, character_ms(line))
      : onBusSession("rtu", line, link, wire);
  },

  search: rtuSearch,

  serve(tags, link, host) {
    const device = stationsOf(tags, host);
    return rtuLine(link).listenOnly ? new TalkingBus(device, tags)
      : createServer("rtu", rtuLine(link), device);
  },
};

export const modbusAscii: Driver = {
  ...onBus,
  type: "modbus-ascii",
  medium: "serial",
  get settings() {
    return settings().asciiSettings;
  },

  occupies: (request, link) =>
    ascii_ms(link.settings as AsciiLink, (request as ModbusRequest).bytes),

  open: (link, wire) => onBusSession("ascii", link.settings as AsciiLink, link, wire),

  search: asciiSearch,

  serve: (tags, link, host) =>
    createServer("ascii", link.settings as AsciiLink, stationsOf(tags, host)),
};

/** The other side: registers of ours, which others read and write over TCP. */
export const modbusRegisters = {
  checkTag: (tag: DriverTag): string | null =>
    tagProblem(tag, { writeWith: "auto", maxRegisters: planLimits.registers_max }),
  extent,
  open: (tags: readonly DriverTag[], station: number | null, host: RegisterHost) =>
    new Registers(tags, station, host),
};

/** How the frames of a link are packed. */
export function framingOf({ type, settings: own }: Pick<Link, "type" | "settings">): FramingName {
  if (type === modbusAscii.type) return "ascii";
  return type === modbusRtu.type ? "rtu" : (own as TcpLink).framing;
}
