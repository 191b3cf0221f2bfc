import { z } from "zod";
import type { TableType } from "../connector.ts";
import { CsvTable } from "./file/table.ts";

const tableSettings = z.strictObject({
  file: z.string().min(1).describe("CSV file with a header, relative to the configuration; it is " +
    "read again when it has changed"),
});

export const csvTable: TableType = {
  type: "csv",
  settings: tableSettings,
  open: (settings, shape) => new CsvTable(tableSettings.parse(settings).file, shape),
};
