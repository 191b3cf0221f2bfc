import { z } from "zod";

const query = z.string().min(1).describe("the table's rows: SELECT … FROM …; keys are asked for " +
  "by a condition around it, many at once. With $1 in it, it is asked for one key after the other");

/** What all tables have stands beside a type's own. */
function checkKey(settings: { readonly query: string }, context: z.core.$RefinementCtx): void {
  if ((settings as { key?: string }).key !== undefined || !/\$1\b/.test(settings.query)) return;
  context.addIssue({ code: "custom", path: ["query"], message: 'without "key" nobody says what ' +
    "$1 is" });
}

export const sqlSettings = z.strictObject({
  url: z.string().regex(/^(postgres|postgresql|mysql|mariadb):\/\//,
    "expected postgres://, mysql:// or mariadb:// with user, host and database")
    .describe("PostgreSQL, MySQL or MariaDB; with a password in it a reference: env:NAME"),
  query,
}).superRefine(checkKey);
export type SqlSettings = z.output<typeof sqlSettings>;

export const sqliteSettings = z.strictObject({
  file: z.string().min(1).describe("SQLite file, relative to the configuration; only read"),
  query,
}).superRefine(checkKey);
export type SqliteSettings = z.output<typeof sqliteSettings>;
