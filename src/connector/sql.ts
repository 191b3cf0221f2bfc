import { z } from "zod";
import type { TableType } from "../connector.ts";
import { SqlTable } from "./sql/client.ts";
import { SqliteTable } from "./sql/sqlite.ts";

const query = z.string().min(1).describe("the table's rows: SELECT … FROM …; keys are asked for " +
  "by a condition around it, many at once. With $1 in it, it is asked for one key after the other");

const sqlSettings = z.strictObject({
  url: z.string().regex(/^(postgres|postgresql|mysql|mariadb):\/\//,
    "expected postgres://, mysql:// or mariadb:// with user, host and database")
    .describe("PostgreSQL, MySQL or MariaDB; with a password in it a reference: env:NAME"),
  query,
});

/** PostgreSQL, MySQL and MariaDB. */
export const sqlTable: TableType = {
  type: "sql",
  settings: sqlSettings,
  open(settings, shape) {
    const { url, query } = sqlSettings.parse(settings);
    return new SqlTable(url, query, shape);
  },
};

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
