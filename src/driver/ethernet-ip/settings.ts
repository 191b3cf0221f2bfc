import { z } from "zod";
import { duration } from "../../base.ts";

/** A duration as text with its unit; the parsed setting is milliseconds. */
function time(preset: string, least_ms: number, most_ms: number, help: string) {
  return z.string()
    .refine((text) => duration(text) !== null, "a duration is a number with its unit: 300ms, 2s")
    .transform((text) => duration(text)!)
    .refine((ms) => ms >= least_ms && ms <= most_ms, `between ${least_ms}ms and ${most_ms}ms`)
    .prefault(preset)
    .describe(help);
}

export const ethernetIpSettings = z.strictObject({
  host: z.string().min(1).describe("Name or address of the controller or its Ethernet module"),
  port: z.int().min(1).max(65535).default(44818).describe("TCP port"),
  slot: z.union([z.int().min(0).max(255), z.literal("none")]).default(0)
    .describe("Slot of the controller in its chassis; none = the device itself, without a " +
      "chassis (Micro800)"),
  maxGap: z.int().min(0).max(64).default(4)
    .describe("Elements between two of an array that are read along to spare a request"),
  timeout: time("1s", 1, 600_000, "Longest wait for an answer"),
  connectTimeout: time("3s", 1, 600_000, "Longest wait for the connection"),
});

export type EthernetIpLink = z.output<typeof ethernetIpSettings>;
