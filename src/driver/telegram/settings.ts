import { z } from "zod";
import { Fault, limits } from "../../base.ts";
import { durationText } from "../../config.ts";
import { connectTimeout, dataBits, dialled, serial, tcpPort, timeout } from "../wire/settings.ts";
import { parsePlace } from "./address.ts";
import { bytesOf } from "./notation.ts";
import { Pattern } from "./pattern.ts";
import { withStation } from "./station.ts";
import { parseTemplate } from "./template.ts";
import { qualities } from "./words.ts";

/** Text that `parse` takes; the Fault it throws otherwise is what is wrong with it. */
const parsed = (parse: (text: string) => unknown, help: string) =>
  z.string().min(1).max(limits.telegram_bytes_max).superRefine((text, context) => {
    try {
      parse(text);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      context.addIssue({ code: "custom", message: thrown.message });
    }
  }).describe(help);

const bytes = (help: string) => parsed(bytesOf, help);
/** The same with `{station}` in it; what is right for one of them is right for all. */
const addressed = (help: string, parse: (text: string) => unknown = bytesOf) =>
  parsed((text) => parse(withStation(text, 1)), help);
/** A few bytes that a telegram begins or ends with. */
const mark = (help: string) => bytes(help).max(64);

const checksum = z.strictObject({
  kind: z.enum(["xor", "sum", "lrc", "crc16", "crc16-ccitt"]).describe("How it is worked out: " +
    "xor (BCC), sum modulo 256, lrc (the sum negated), crc16 as Modbus has it, or " +
    "crc16-ccitt (0x1021, start 0xFFFF)"),
  as: z.enum(["bytes", "hex"]).default("bytes")
    .describe("On the wire: as it is, or as hexadecimal digits"),
  order: z.enum(["high-first", "low-first"]).default("high-first")
    .describe("Which byte of a crc16 comes first; Modbus has low-first"),
  withStart: z.boolean().default(false).describe("The bytes of `start` are summed, too"),
  afterEnd: z.boolean().default(false)
    .describe("It follows `end`, which is summed, too (STX … ETX BCC)"),
});

const length = z.strictObject({
  at: z.int().min(1).max(64).describe("Place of the length in the payload; the first byte is 1"),
  bytes: z.union([z.literal(1), z.literal(2)]).default(1).describe("Bytes that it has"),
  order: z.enum(["high-first", "low-first"]).default("high-first")
    .describe("Which of two bytes comes first"),
  plus: z.int().min(-64).max(64).default(0).describe("Bytes after `start` that it does not count"),
});

const frame = z.strictObject({
  start: mark("Bytes that a telegram begins with, such as `<STX>`").optional(),
  end: mark("Bytes that it ends with, such as `<CR><LF>`").optional(),
  bytes: z.int().min(1).max(limits.telegram_bytes_max).optional()
    .describe("It has always so many bytes after `start`, its checksum included"),
  length: length.optional().describe("It says itself how long it is; in what is sent, these " +
    "bytes are filled in (write `<00>` there)"),
  silence: durationText("2ms", "10s").optional()
    .describe("It ends when nothing came for so long, such as 20ms"),
  checksum: checksum.optional().describe("What its sum is and where"),
  maxBytes: z.int().min(4).max(limits.telegram_bytes_max).default(256)
    .describe("A telegram longer than this is none"),
}).superRefine(({ end, bytes: n, length: own, silence, checksum: sum, maxBytes }, context) => {
  const tell = (path: string, message: string): void =>
    context.addIssue({ code: "custom", path: [path], message });
  const ways = [end, n, own, silence].filter((way) => way !== undefined).length;
  if (ways !== 1) {
    tell("end", "one of `end`, `bytes`, `length`, `silence` says where a telegram ends; " +
      (ways === 0 ? "here none does" : `here ${ways} do`));
  }
  if (sum?.afterEnd === true && end === undefined) tell("checksum", "afterEnd needs an `end`");
  if (n !== undefined && n > maxBytes) tell("bytes", `more than maxBytes, ${maxBytes}`);
});

const quality = z.strictObject({
  at: parsed(parsePlace, "Where the machine says how good the value is, such as `field 2`"),
  states: z.record(z.string().min(1), z.enum(qualities))
    .describe("What stands there, and what it means; what is not named is bad"),
});

const telegram = z.strictObject({
  send: addressed("What asks for it, without start, end and checksum of the frame. Left out: the " +
    "machine sends it unasked").max(64).optional(),
  write: addressed("What sets its value, which stands in it as {value}, or {value:2} " +
    "with two decimals. It leaves through the gate only", parseTemplate).optional(),
  acknowledge: addressed("What the answer to `write` begins with; left out: there is none, and " +
    "the machine is asked for the value instead").optional(),
  acts: z.boolean().default(false)
    .describe("What `send` asks does something to the machine: it is never sent by a poll"),
  match: addressed("Regular expression that the telegram must match; " +
    "its groups are `match 1`, `match 2` …", (text) => new Pattern(text)).optional(),
  separator: bytes("What stands between fields; blanks next to each other are one")
    .prefault(" "),
  quality: quality.optional().describe("How the machine says that a value is not to be trusted"),
  example: addressed("An answer as the machine's manual shows it: `check` reads every tag from " +
    "it, and `sim` answers with it").optional(),
});

const shared = {
  frame: frame.prefault({ end: "<CR><LF>" }).describe("How telegrams are told apart, both ways"),
  telegrams: z.record(z.string().regex(/^\w+$/, "a name has letters, digits and _"), telegram)
    .describe("What the machine can be asked, or sends by itself, by a name of your choice"),
  timeout,
  pauseBetween: durationText("0ms", "10s").prefault("0ms")
    .describe("Silence before each request, for slow machines"),
};

const host = z.string().min(1).describe("Name or address of the machine or serial converter");

export const tcpSettings = z.strictObject({
  host,
  port: tcpPort.describe("TCP port"),
  connectTimeout,
  ...shared,
});

export const listenSettings = z.strictObject({ ...dialled, ...shared });

export const udpSettings = z.strictObject({
  host,
  port: tcpPort.describe("UDP port"),
  ...shared,
});

export const serialSettings = z.strictObject({
  ...serial,
  baud: serial.baud.default(9600),
  dataBits: dataBits.default(8).describe("Bits of a character"),
  parity: serial.parity.default("none"),
  ...shared,
});

export type FrameSettings = z.output<typeof frame>;
export type TelegramSettings = z.output<typeof telegram>;
export type SharedLink = Pick<z.output<typeof tcpSettings>, keyof typeof shared>;
export type SerialLink = z.output<typeof serialSettings>;
