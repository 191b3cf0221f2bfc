import type { Connection, Connector, TableType } from "../connector.ts";
import type { CsvSettings, SourceSettings } from "./file/settings.ts";
import { file_bytes } from "./file/records.ts";
import { FileSource } from "./file/source.ts";
import { CsvTable } from "./file/table.ts";
import { freshStatus } from "./status.ts";

const settings = () => require("./file/settings.ts") as typeof import("./file/settings.ts");

/** A file keeps its rows: a source of it can wait, and goes on where it was. */
export const fileConnector: Connector = {
  type: "file",
  link: null,
  get source() {
    return settings().sourceSettings;
  },
  waits: () => true,
  isPast: true,
  source_bytes: file_bytes,
  sink: null,
  connect(name, _settings, io): Connection {
    const status = freshStatus(io.now());
    let reading: FileSource | null = null;
    return {
      status,
      source(source, given, into, intake) {
        const own = new FileSource(source, given as SourceSettings, into, intake!, status, io);
        reading = own;
        return () => own.end();
      },
      sink: () => {
        throw new Error(`bug: ${name} has no sinks`);
      },
      close: async () => void reading?.end(),
    };
  },
};

export const csvTable: TableType = {
  type: "csv",
  get settings() {
    return settings().csvSettings;
  },
  open: (given, shape) => new CsvTable((given as CsvSettings).file, shape),
};
