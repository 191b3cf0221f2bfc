import type { TableType } from "../connector.ts";
import { SqlTable } from "./sql/client.ts";
import type { SqliteSettings, SqlSettings } from "./sql/settings.ts";
import { SqliteTable } from "./sql/sqlite.ts";
import { takesKey } from "./sql/statement.ts";

const settings = () => require("./sql/settings.ts") as typeof import("./sql/settings.ts");

const unknownKey: TableType["wrong"] = (given, key) =>
  (key === null && takesKey((given as SqlSettings | SqliteSettings).query)
    ? ["query", "without `key` nobody says what $1 is"] : null);

/** PostgreSQL, MySQL and MariaDB. */
export const sqlTable: TableType = {
  type: "sql",
  get settings() {
    return settings().sqlSettings;
  },
  wrong: unknownKey,
  open(given, shape) {
    const { url, query } = given as SqlSettings;
    return new SqlTable(url, query, shape);
  },
};

export const sqliteTable: TableType = {
  type: "sqlite",
  get settings() {
    return settings().sqliteSettings;
  },
  wrong: unknownKey,
  open(given, shape) {
    const { file, query } = given as SqliteSettings;
    return new SqliteTable(file, query, shape);
  },
};
