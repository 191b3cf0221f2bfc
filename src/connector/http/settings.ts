import { z } from "zod";
import { messageSettings } from "../../codec.ts";
import { durationText } from "../../config.ts";

/** What every request of a table or a source has. */
const request = {
  url: z.string().regex(/^https?:\/\//, "expected http:// or https://"),
  token: z.string().optional()
    .describe("sent as Authorization: Bearer; a reference: env:NAME or file:PATH"),
};

export const tableSettings = z.strictObject({
  ...request,
  url: request.url
    .describe("address of a row, such as http://mes.local/recipes/{key}: a JSON object with the " +
      "columns as fields, or 404 for none. Without `key` that of all rows: an array of objects"),
});
export type TableSettings = z.output<typeof tableSettings>;

export const sourceSettings = z.strictObject({
  ...request,
  url: request.url.describe("address that is asked: an object is a row, an array of objects as " +
    "many. {time} is the time of the question, {since} that of the last one that was answered, " +
    "in ms since 1970; 0 after a start"),
  headers: z.record(z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/)
    .meta({ title: "the name of a header" }), z.string()).optional()
    .describe("further headers; a value may be a reference: env:NAME or file:PATH"),
  method: z.enum(["GET", "POST"]).default("GET").describe("how it is asked"),
  body: z.string().optional().describe("what is sent along with POST; {time} and {since} too"),
  interval: durationText("100ms", "1d").prefault("10s")
    .describe("how often it is asked, start to start; one that is not answered yet is waited for"),
  timeout: durationText("10ms", "10m").prefault("5s").describe("a later answer is none"),
  changedOnly: z.boolean().default(false)
    .describe("an answer that is the same as the one before makes no rows"),
  rowsPerSecond: z.number().min(0.001).max(500_000).default(100)
    .describe("rows a second that are expected; decides how many rows the stream holds, and an " +
      "answer has at most half as many"),
  ...messageSettings,
}).superRefine(({ method, body }, context) => {
  if (method === "POST" || body === undefined) return;
  context.addIssue({ code: "custom", path: ["body"], message: 'only "method": "POST" has one' });
});
export type SourceSettings = z.output<typeof sourceSettings>;
