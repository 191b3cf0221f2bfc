import { z } from "zod";
import { duration } from "../../base.ts";
import { planLimits } from "./plan.ts";

/** A duration as text with its unit; the parsed setting is milliseconds. */
function time(preset: string, least_ms: number, most_ms: number, help: string) {
  return z.string()
    .refine((text) => duration(text) !== null, "a duration is a number with its unit: 300ms, 2s")
    .transform((text) => duration(text)!)
    .refine((ms) => ms >= least_ms && ms <= most_ms, `between ${least_ms}ms and ${most_ms}ms`)
    .prefault(preset)
    .describe(help);
}

const { registers_least, registers_max } = planLimits;
const common = {
  pauseBetween: time("0ms", 0, 10_000, "Silence between an answer and the next request, for " +
    "devices that need to catch their breath"),
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
  turnaround: time("200ms", 100, 10_000, "Silence after a broadcast, in which each station does " +
    "what it says"),
};

const framing = z.enum(["tcp", "rtu", "ascii"]).default("tcp")
  .describe("How frames are packed: tcp by the standard (MBAP); rtu or ascii, as a converter " +
    "passes them on to a serial line");
const answer = time("1s", 1, 600_000, "Longest wait for an answer");
const inFlight = z.int().min(1).max(16).default(1).describe("Requests that may be under way at " +
  "the same time; more than 1 is for devices that say they can (framing tcp)");
const pipelined: [(link: { framing: string; inFlight: number }) => boolean, object] = [
  ({ framing, inFlight }) => framing === "tcp" || inFlight === 1,
  { path: ["inFlight"], message: "only frames of framing tcp say whose answer they are: 1 here" }];
const pauseAfterConnect = time("0ms", 0, 60_000, "Silence after connecting, for slow gateways");
const host = z.string().min(1).describe("Name or address of the device or gateway");

export const tcpSettings = z.strictObject({
  host,
  port: z.int().min(1).max(65535).default(502).describe("TCP port"),
  backupHost: z.string().min(1).optional()
    .describe("Tried in turn with host while neither answers; same port"),
  framing,
  timeout: answer,
  connectTimeout: time("3s", 1, 600_000, "Longest wait for the connection"),
  pauseAfterConnect,
  inFlight,
  ...common,
}).refine(...pipelined);

export const listenSettings = z.strictObject({
  port: z.int().min(1).max(65535).describe("TCP port of this gateway that the device dials"),
  address: z.string().min(1).default("0.0.0.0").describe("Address of this gateway to listen on"),
  from: z.string().min(1).optional()
    .describe("Address of the device: who dials from another one is turned away"),
  framing,
  timeout: answer,
  connectTimeout: time("10m", 1, 86_400_000, "The port is opened anew if nobody dialled in so " +
    "long"),
  pauseAfterConnect,
  inFlight,
  ...common,
}).refine(...pipelined);

export const udpSettings = z.strictObject({
  host,
  port: z.int().min(1).max(65535).default(502).describe("UDP port"),
  framing,
  timeout: answer,
  ...common,
});

const serial = {
  port: z.string().min(1).describe("Serial port: a name of the profile, or a path as /dev/ttyUSB0"),
  rs485: z.enum(["kernel", "adapter"]).describe("Who turns the transmitter on: the kernel " +
    "(TIOCSRS485), or the adapter by itself. There is no default: a wrong guess blocks the bus"),
  baud: z.union([1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400]
    .map((baud) => z.literal(baud))).default(19200).describe("Bits a second"),
  parity: z.enum(["none", "even", "odd"]).default("even").describe("Parity bit"),
  stopBits: z.union([z.literal(1), z.literal(2)]).default(1).describe("Stop bits"),
  timeout: time("300ms", 1, 600_000, "Longest wait for the first byte of an answer"),
  rtsOn: z.enum(["send", "receive"]).default("send").describe("With rs485: kernel, when RTS is " +
    "on: while sending, or, for an inverted transceiver, while receiving"),
  rtsDelayBefore: time("0ms", 0, 1000, "With rs485: kernel, from RTS on to the first bit"),
  rtsDelayAfter: time("0ms", 0, 1000, "With rs485: kernel, from the last bit to RTS off"),
  ...common,
  ...broadcast,
};

export const rtuSettings = z.strictObject({
  ...serial,
  listenOnly: z.boolean().default(false).describe("true: another master has this bus, and its " +
    "reads and their answers are listened to; nothing is ever sent"),
});

export const asciiSettings = z.strictObject({
  ...serial,
  dataBits: z.union([z.literal(7), z.literal(8)]).default(7)
    .describe("Data bits of a character; the standard has 7"),
  timeout: answer,
});

export type TcpLink = z.output<typeof tcpSettings>;
export type ListenLink = z.output<typeof listenSettings>;
export type UdpLink = z.output<typeof udpSettings>;
export type RtuLink = z.output<typeof rtuSettings>;
export type AsciiLink = z.output<typeof asciiSettings>;
