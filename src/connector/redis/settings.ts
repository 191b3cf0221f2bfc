import { z } from "zod";

export const tableSettings = z.strictObject({
  url: z.string().regex(/^rediss?:\/\//, "expected redis:// or rediss:// with host and port")
    .describe("Redis server; with a password in it a reference: env:NAME"),
  at: z.string().refine((at) => at.includes("{key}"), "{key} stands for the key that is asked for")
    .describe("name of the Redis key, such as recipe:{key}"),
  value: z.enum(["hash", "json"]).default("hash")
    .describe("what stands there: a hash with the columns as fields, or a text with a JSON object"),
});
export type TableSettings = z.output<typeof tableSettings>;
