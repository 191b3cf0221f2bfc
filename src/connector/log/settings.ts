import { z } from "zod";

export const sinkSettings = z.strictObject({
  rowsPerSecond: z.number().min(0.1).max(1000).default(10)
    .describe("rows printed a second at most; the others are counted"),
});
export type SinkSettings = z.output<typeof sinkSettings>;
