import { z } from "zod";
import { connectTimeout, tcpPort, timeout } from "../wire/settings.ts";

export const ethernetIpSettings = z.strictObject({
  host: z.string().min(1).describe("Name or address of the controller or its Ethernet module"),
  port: tcpPort.default(44818).describe("TCP port"),
  slot: z.union([z.int().min(0).max(255), z.literal("none")]).default(0)
    .describe("Slot of the controller in its chassis; none = the device itself, without a " +
      "chassis (Micro800)"),
  maxGap: z.int().min(0).max(64).default(4)
    .describe("Elements between two of an array that are read along to spare a request"),
  timeout,
  connectTimeout,
});

export type EthernetIpLink = z.output<typeof ethernetIpSettings>;
