import type { TableType } from "../connector.ts";
import { SqlTable } from "./sql/client.ts";
import type { SqliteSettings, SqlSettings } from "./sql/settings.ts";
import { SqliteTable } from "./sql/sqlite.ts";

const settings = () => require("./sql/settings.ts") as typeof import("./sql/settings.ts");

/** PostgreSQL, MySQL and MariaDB. */
export const sqlTable: TableType = {
  type: "sql",
  isListed: true,
  get settings() {
    return settings().sqlSettings;
  },
  open(given, shape) {
    const { url, query } = given as SqlSettings;
    return new SqlTable(url, query, shape);
  },
};

export const sqliteTable: TableType = {
  type: "sqlite",
  isListed: true,
  get settings() {
    return settings().sqliteSettings;
  },
  open(given, shape) {
    const { file, query } = given as SqliteSettings;
    return new SqliteTable(file, query, shape);
  },
};
