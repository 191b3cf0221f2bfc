import { z } from "zod";
import { durationText } from "../../../src/config.ts";

export const cellsSettings = z.strictObject({
  host: z.string().min(1).describe("Name or address of the box"),
  port: z.int().min(1).max(65535).default(4711).describe("TCP port"),
  timeout: durationText("1ms", "10m").prefault("1s").describe("Longest wait for an answer"),
  connectTimeout: durationText("1ms", "10m").prefault("3s")
    .describe("Longest wait for the connection"),
});

export type CellsLink = z.output<typeof cellsSettings>;
