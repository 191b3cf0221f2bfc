import { Fault } from "../../base.ts";
import type { Answer, TableShape } from "../../connector.ts";
import type { CellValue } from "../../ring.ts";

/** How systems write names and parameters. */
export interface Dialect {
  quote(name: string): string;
  /** The n-th parameter, from 1. */
  parameter(n: number): string;
}

/** `"name"`, and `$1`: PostgreSQL and SQLite. */
export const ansi: Dialect = {
  quote: (name) => `"${name.replaceAll('"', '""')}"`,
  parameter: (n) => `$${n}`,
};

/** `name` in back-quotes, and `?`: MySQL and MariaDB. */
export const mysql: Dialect = {
  quote: (name) => `\`${name.replaceAll("`", "``")}\``,
  parameter: () => "?",
};

/** Whether a table's query takes its key itself, as `$1`. */
export const takesKey = (query: string): boolean => /\$1\b/.test(query);

/**
 * The rows of `n` keys. A query that takes its key itself is asked for one; else a condition stands
 * around it, which databases push down into it.
 */
export function statementFor(
  query: string, { columns, key }: TableShape, n: number, dialect: Dialect,
): string {
  const text = trimmed(query);
  const list = listOf(columns, dialect);
  if (takesKey(query)) {
    return `SELECT ${list} FROM (${text.replaceAll("$1", dialect.parameter(1))}) AS t`;
  }
  const keys = Array.from({ length: n }, (_, i) => dialect.parameter(i + 1)).join(", ");
  return `SELECT ${list} FROM (${text}) AS t WHERE ${dialect.quote(key!)} IN (${keys})`;
}

/** All rows, and one more than `most`, by which it is known that there are more. */
export const statementForAll = (
  query: string, { columns }: TableShape, most: number, dialect: Dialect,
): string => `SELECT ${listOf(columns, dialect)} FROM (${trimmed(query)}) AS t LIMIT ${most + 1}`;

const trimmed = (query: string): string => query.trim().replace(/;$/, "");

const listOf = (columns: TableShape["columns"], dialect: Dialect): string =>
  columns.map((c) => dialect.quote(c.name)).join(", ");

/** All rows of a table as they are wanted. */
export function allOf(
  rows: readonly Readonly<Record<string, unknown>>[], { columns }: TableShape, most: number,
): Answer[] {
  if (rows.length <= most) return rows.map((row) => columns.map(({ name }) => row[name]));
  throw new Fault("table-rows", `more than ${most} rows, which the table has room for`);
}

/** The rows of some keys as the answers to them. */
export function answersOf(
  keys: readonly CellValue[], rows: readonly Readonly<Record<string, unknown>>[],
  { columns, key }: TableShape,
): (Answer | null | Fault)[] {
  const found = new Map<string, Answer | Fault>();
  for (const row of rows) {
    // A database may compare more kindly than we do: what it gives back decides.
    const id = String(row[key!]);
    found.set(id, found.has(id) ? new Fault("table-key", `${key} ${id}: more than one row`)
      : columns.map((column) => row[column.name]));
  }
  return keys.map((k) => found.get(String(k)) ?? null);
}
