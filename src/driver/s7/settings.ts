import { z } from "zod";
import { connectTimeout, tcpPort, timeout } from "../wire/settings.ts";
import { gap_bytes_max } from "./plan.ts";

const tsap = z.string()
  .regex(/^[0-9a-fA-F]{2}\.[0-9a-fA-F]{2}$/, "two bytes in hexadecimal, such as 03.01")
  .transform((text) => parseInt(text.replace(".", ""), 16))
  .optional();

export const s7Settings = z.strictObject({
  host: z.string().min(1).describe("Name or address of the PLC or its communication module"),
  port: tcpPort.default(102).describe("TCP port"),
  rack: z.int().min(0).max(7).default(0).describe("Rack of the CPU"),
  slot: z.int().min(0).max(31).default(1).describe("Slot of the CPU: 1 of an S7-1200 and " +
    "S7-1500, 2 of an S7-300, by the hardware configuration of an S7-400"),
  connection: z.enum(["pg", "op", "basic"]).default("basic").describe("As what the connection is " +
    "counted by the PLC, which has a number of each: programming device, operator panel, or other"),
  localTsap: tsap.describe("Transport selector of this side, for a LOGO! or S7-200; default 01.00"),
  remoteTsap: tsap.describe("Transport selector of the PLC, in place of rack, slot and connection"),
  maxGap: z.int().min(0).max(gap_bytes_max).default(16)
    .describe("Bytes between two tags that are read along to spare a place of the request"),
  timeout,
  connectTimeout,
});

export type S7Link = z.output<typeof s7Settings>;
