import { z } from "zod";
import { messageSettings } from "../../codec.ts";
import { durationText } from "../../config.ts";

export const sourceSettings = z.strictObject({
  file: z.string().min(1).describe("file, relative to the configuration"),
  ...messageSettings,
  format: z.enum(["json", "csv"]).default("json")
    .describe("json: a JSON object a line; csv: a record a row, with a header line"),
  header: z.array(z.string().min(1)).min(1).optional()
    .describe("csv: names of the fields of a file that has no header line"),
  delimiter: z.enum([",", ";", "\t", "|"]).optional()
    .describe("csv: what parts the fields; by the header line if left out"),
  interval: durationText("1ms", "1d").optional()
    .describe("one row so often; if left out as fast as its readers take them"),
  from: z.enum(["beginning", "end"]).default("beginning")
    .describe("where a file is begun that was never read before; a restart goes on where it was"),
  follow: z.boolean().default(true)
    .describe("waits at the end for what is appended, and for another file of the same name; " +
      "false: it is read to its end"),
  poll: durationText("10ms", "1h").prefault("1s")
    .describe("how often it looks for more at the end, and for a file that is not there"),
  rowsPerSecond: z.number().min(0.001).max(500_000).default(1000)
    .describe("rows a second that are expected; decides how many rows the stream holds, and a " +
      "file is read at most some ten times as fast"),
}).superRefine((settings, context) => {
  const tell = (setting: string, message: string): void =>
    context.addIssue({ code: "custom", path: [setting], message });
  const { format, header, delimiter } = settings;
  if (format !== "csv" && header !== undefined) tell("header", "only csv has one");
  if (format !== "csv" && delimiter !== undefined) tell("delimiter", "only csv has one");
  // Those of every source stand beside its own.
  const { columns = {} } = settings as { columns?: Record<string, unknown> };
  const missing = Object.keys(columns).find((name) => header?.includes(name) === false);
  if (missing === undefined) return;
  tell("header", `there is no field for the column ${missing}; known are ${header!.join(", ")}`);
});
export type SourceSettings = z.output<typeof sourceSettings>;

export const csvSettings = z.strictObject({
  file: z.string().min(1).describe("CSV file with a header, relative to the configuration; it is " +
    "read again when it has changed"),
});
export type CsvSettings = z.output<typeof csvSettings>;
