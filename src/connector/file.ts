import { z } from "zod";
import { durationText } from "../config.ts";
import type { Connection, Connector, TableType } from "../connector.ts";
import { FileSource } from "./file/source.ts";
import { CsvTable } from "./file/table.ts";

const sourceSettings = z.strictObject({
  file: z.string().min(1).describe("file, relative to the configuration"),
  format: z.enum(["csv", "jsonl"])
    .describe("csv: a record a row; jsonl: a JSON object a line"),
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
      "file is read at most five times as fast"),
  time: z.string().optional()
    .describe("the column that holds the source time: ms since 1970, or ISO 8601"),
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
export type FileSettings = z.output<typeof sourceSettings>;

/** A file keeps its rows: a source of it can wait, and goes on where it was. */
export const fileConnector: Connector = {
  type: "file",
  link: null,
  source: sourceSettings,
  waits: () => true,
  isPast: true,
  sink: null,
  connect(name, _settings, io): Connection {
    const status: Connection["status"] = {
      state: "connecting", reason: "", since: io.now(),
      received: 0, sent: 0, dropped: 0, errors: 0, lastError: "",
    };
    let reading: FileSource | null = null;
    return {
      status,
      source(source, settings, into, intake) {
        const own = new FileSource(source, settings as FileSettings, into, intake!, status, io);
        reading = own;
        return () => void own.end();
      },
      sink: () => {
        throw new Error(`bug: ${name} has no sinks`);
      },
      close: async () => reading?.end(),
    };
  },
};

const tableSettings = z.strictObject({
  file: z.string().min(1).describe("CSV file with a header, relative to the configuration; it is " +
    "read again when it has changed"),
});

export const csvTable: TableType = {
  type: "csv",
  settings: tableSettings,
  open: (settings, shape) => new CsvTable(tableSettings.parse(settings).file, shape),
};
