import { z } from "zod";
import type { TableType } from "../connector.ts";
import { SqliteTable } from "./sql/sqlite.ts";

const query = z.string().min(1).describe("the table's rows: SELECT … FROM …; keys are asked for " +
  "by a condition around it, many at once. With $1 in it, it is asked for one key after the other");

const sqliteSettings = z.strictObject({
  file: z.string().min(1).describe("SQLite file, relative to the configuration; only read"),
  query,
});

export const sqliteTable: TableType = {
  type: "sqlite",
  settings: sqliteSettings,
  open(settings, shape) {
    const { file, query } = sqliteSettings.parse(settings);
    return new SqliteTable(file, query, shape);
  },
};
