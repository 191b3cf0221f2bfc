import { z } from "zod";

const query = z.string().min(1).describe("the table's rows: SELECT … FROM …; keys are asked for " +
  "by a condition around it, many at once. With $1 in it, it is asked for one key after the other");

export const sqlSettings = z.strictObject({
  url: z.string().regex(/^(postgres|postgresql|mysql|mariadb):\/\//,
    "expected postgres://, mysql:// or mariadb:// with user, host and database")
    .describe("PostgreSQL, MySQL or MariaDB; with a password in it a reference: env:NAME"),
  query,
});
export type SqlSettings = z.output<typeof sqlSettings>;

export const sqliteSettings = z.strictObject({
  file: z.string().min(1).describe("SQLite file, relative to the configuration; only read"),
  query,
});
export type SqliteSettings = z.output<typeof sqliteSettings>;
