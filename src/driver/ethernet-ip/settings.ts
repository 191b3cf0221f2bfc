import { z } from "zod";
import { durationText } from "../../config.ts";

export const ethernetIpSettings = z.strictObject({
  host: z.string().min(1).describe("Name or address of the controller or its Ethernet module"),
  port: z.int().min(1).max(65535).default(44818).describe("TCP port"),
  slot: z.union([z.int().min(0).max(255), z.literal("none")]).default(0)
    .describe("Slot of the controller in its chassis; none = the device itself, without a " +
      "chassis (Micro800)"),
  maxGap: z.int().min(0).max(64).default(4)
    .describe("Elements between two of an array that are read along to spare a request"),
  timeout: durationText("1ms", "10m").prefault("1s").describe("Longest wait for an answer"),
  connectTimeout: durationText("1ms", "10m").prefault("3s")
    .describe("Longest wait for the connection"),
});

export type EthernetIpLink = z.output<typeof ethernetIpSettings>;
