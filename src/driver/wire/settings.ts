import { z } from "zod";
import { durationText } from "../../config.ts";

/** Settings that links of every protocol have by their medium; only a `settings.ts` loads them. */

export const timeout =
  durationText("1ms", "10m").prefault("1s").describe("Longest wait for an answer");

export const connectTimeout =
  durationText("1ms", "10m").prefault("3s").describe("Longest wait for the connection");

export const tcpPort = z.int().min(1).max(65535);

/** Of a connection that the device makes. */
export const dialled = {
  port: tcpPort.describe("TCP port of this gateway that the device dials"),
  address: z.string().min(1).default("0.0.0.0").describe("Address of this gateway to listen on"),
  from: z.string().min(1).optional()
    .describe("Address of the device: who dials from another one is turned away"),
  connectTimeout: durationText("1ms", "1d").prefault("10m").describe("The port is opened anew if " +
    "nobody dialled in so long"),
};

const baud = z.union([1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400]
  .map((rate) => z.literal(rate)));
export const dataBits = z.union([z.literal(7), z.literal(8)]);
const delay = durationText("0ms", "1s").prefault("0ms");

/** Of a serial port; speed and characters are a protocol's own. */
export const serial = {
  port: z.string().min(1).describe("Serial port: a name of the profile, or a path as /dev/ttyUSB0"),
  rs485: z.enum(["kernel", "adapter"]).describe("Who turns the transmitter on: the kernel " +
    "(TIOCSRS485), or the adapter by itself; RS-232 is `adapter`. There is no default: a wrong " +
    "guess blocks the bus"),
  baud: baud.describe("Bits a second"),
  parity: z.enum(["none", "even", "odd"]).describe("Parity bit"),
  stopBits: z.union([z.literal(1), z.literal(2)]).default(1).describe("Stop bits"),
  rtsOn: z.enum(["send", "receive"]).default("send").describe("With rs485: kernel, when RTS is " +
    "on: while sending, or, for an inverted transceiver, while receiving"),
  rtsDelayBefore: delay.describe("With rs485: kernel, from RTS on to the first bit"),
  rtsDelayAfter: delay.describe("With rs485: kernel, from the last bit to RTS off"),
};
