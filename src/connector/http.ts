import type { TableType } from "../connector.ts";
import { HttpTable } from "./http/client.ts";
import type { TableSettings } from "./http/settings.ts";

const settings = () => require("./http/settings.ts") as typeof import("./http/settings.ts");

export const httpTable: TableType = {
  type: "http",
  get settings() {
    return settings().tableSettings;
  },
  open: (given, shape) => new HttpTable(given as TableSettings, shape),
};
