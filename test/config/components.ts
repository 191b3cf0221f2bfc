import { readFileSync } from "node:fs";
import { z } from "zod";
import { durationText, load, secretText, type Components, type Loaded } from "../../src/config.ts";

/** Components as small as a test needs them; the real ones are handed in by the registry. */
const timeout = durationText("10ms", "1m").prefault("1s").describe("how long an answer may take");

export const components: Components = {
  links: {
    "modbus-tcp": z.object({
      host: z.string().describe("name or address of the device"),
      port: z.int().min(1).max(65535).default(502).describe("TCP port"),
      timeout,
    }),
    "modbus-rtu": z.object({
      port: z.string().describe("the board's name of the port, or its path"),
      rs485: z.enum(["kernel", "adapter"]).optional().describe("who switches the direction"),
      baud: z.int().min(1200).max(921_600).default(9600).describe("bits per second"),
      parity: z.enum(["none", "even", "odd"]).default("even").describe("parity bit"),
      timeout,
    }),
    mqtt: z.object({
      host: z.string().describe("name or address of the broker"),
      port: z.int().min(1).max(65535).default(1883).describe("TCP port"),
      user: z.string().optional().describe("user name"),
      password: secretText().optional().describe("password"),
    }),
  },
  tables: { list: z.object({ url: z.string().optional().describe("where") }) },
  sources: { mqtt: z.object({ topic: z.string().describe("topic filter") }) },
  sinks: {
    mqtt: z.object({
      topic: z.string().describe("topic; {gateway} and {rule} are filled in"),
      format: z.enum(["json", "cbor"]).default("json").describe("how a row is written"),
    }),
    log: z.object({}),
  },
  drivers: ["modbus-tcp", "modbus-rtu"],
  checkTag(_link, tag) {
    return /^(holding|input|coil|discrete) \d+$/.test(tag.at) ? null
      : 'expected an address such as "holding 9", "input 0", "coil 3" or "discrete 4"';
  },
  extents(_link, tag) {
    const [area, first] = tag.at.split(" ") as [string, string];
    const words = /64/.test(tag.type) ? 4 : /32/.test(tag.type) ? 2 : 1;
    return [{ area, from: Number(first), to: Number(first) + words - 1 }];
  },
};

export function loadFile(path: string): Loaded {
  const readFile = (file: string): string => readFileSync(file, "utf8");
  return load(readFile(path), { path, components, readFile, env: {} });
}
