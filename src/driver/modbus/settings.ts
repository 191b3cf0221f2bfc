import { z } from "zod";
import { durationText } from "../../config.ts";
import { connectTimeout, dataBits, dialled, serial, tcpPort, timeout } from "../wire/settings.ts";
import { planLimits } from "./plan.ts";

const { registers_least, registers_max } = planLimits;
const common = {
  pauseBetween: durationText("0ms", "10s").prefault("0ms").describe("Silence between an answer " +
    "and the next request, for devices that need to catch their breath"),
  maxRegisters: z.int().min(registers_least).max(registers_max).default(registers_max)
    .describe("Most registers of one read, for devices that allow fewer than the standard's 125"),
  maxGap: z.int().min(0).max(registers_max).optional()
    .describe("Registers between two tags that are read along to spare a request; 0 = none; " +
      "absent = as many as take less time than a request, by the line's own speed"),
  writeWith: z.union([z.literal("auto"), z.literal(6), z.literal(16)]).default("auto")
    .describe("Function codes of writes, for devices that have not all: 6 (5 for coils) writes " +
      "one, 16 (15) several; auto takes 6 for one register and 16 for more"),
};

/** Of serial ports alone: behind a gateway nobody says what became of a broadcast. */
const broadcast = {
  broadcast: z.boolean().default(false).describe("true: a device of station 0 stands for all " +
    "stations of the bus at once: they obey what is written to it, and none answers"),
  turnaround: durationText("100ms", "10s").prefault("200ms").describe("Silence after a " +
    "broadcast, in which each station does what it says"),
};

const framing = z.enum(["tcp", "rtu", "ascii"]).default("tcp")
  .describe("How frames are packed: tcp by the standard (MBAP); rtu or ascii, as a converter " +
    "passes them on to a serial line");
const inFlight = z.int().min(1).max(16).default(1).describe("Requests that may be under way at " +
  "the same time; more than 1 is for devices that say they can (framing tcp)");
const pipelined: [(link: { framing: string; inFlight: number }) => boolean, object] = [
  ({ framing, inFlight }) => framing === "tcp" || inFlight === 1,
  { path: ["inFlight"], message: "only frames of framing tcp say whose answer they are: 1 here" }];
const pauseAfterConnect = durationText("0ms", "1m").prefault("0ms")
  .describe("Silence after connecting, for slow gateways");
const host = z.string().min(1).describe("Name or address of the device or gateway");

export const tcpSettings = z.strictObject({
  host,
  port: tcpPort.default(502).describe("TCP port"),
  backupHost: z.string().min(1).optional()
    .describe("Tried in turn with host while neither answers; same port"),
  framing,
  timeout,
  connectTimeout,
  pauseAfterConnect,
  inFlight,
  ...common,
}).refine(...pipelined);

export const listenSettings = z.strictObject({
  ...dialled,
  framing,
  timeout,
  pauseAfterConnect,
  inFlight,
  ...common,
}).refine(...pipelined);

export const udpSettings = z.strictObject({
  host,
  port: tcpPort.default(502).describe("UDP port"),
  framing,
  timeout,
  ...common,
});

/** The standard's own speed and parity. */
const onBus = {
  ...serial,
  baud: serial.baud.default(19200),
  parity: serial.parity.default("even"),
  timeout: durationText("1ms", "10m").prefault("300ms")
    .describe("Longest wait for the first byte of an answer"),
  ...common,
  ...broadcast,
};

export const rtuSettings = z.strictObject({
  ...onBus,
  listenOnly: z.boolean().default(false).describe("true: another master has this bus, and its " +
    "reads and their answers are listened to; nothing is ever sent"),
});

export const asciiSettings = z.strictObject({
  ...onBus,
  dataBits: dataBits.default(7).describe("Data bits of a character; the standard has 7"),
  timeout,
});

export type TcpLink = z.output<typeof tcpSettings>;
export type ListenLink = z.output<typeof listenSettings>;
export type UdpLink = z.output<typeof udpSettings>;
export type RtuLink = z.output<typeof rtuSettings>;
export type AsciiLink = z.output<typeof asciiSettings>;
