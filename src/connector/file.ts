import type { TableType } from "../connector.ts";
import type { CsvSettings } from "./file/settings.ts";
import { CsvTable } from "./file/table.ts";

const settings = () => require("./file/settings.ts") as typeof import("./file/settings.ts");

export const csvTable: TableType = {
  type: "csv",
  get settings() {
    return settings().csvSettings;
  },
  open: (given, shape) => new CsvTable((given as CsvSettings).file, shape),
};
