import { Database, type SQLQueryBindings } from "bun:sqlite";
import { Fault } from "../../base.ts";
import type { Answer, Lookup, TableShape } from "../../connector.ts";
import type { CellValue } from "../../ring.ts";
import {
  allOf, ansi, answersOf, statementFor, statementForAll, takesKey,
} from "./statement.ts";

/**
 * A query over a SQLite file by key. SQLite works on the thread that asks, so it must answer at
 * once: a table that it would have to read from end to end for a key is refused, and a file that
 * another process has locked is an error, never waited for.
 */
export class SqliteTable implements Lookup {
  readonly #file: string;
  readonly #query: string;
  readonly #shape: TableShape;
  #database: Database | null = null;

  constructor(file: string, query: string, shape: TableShape) {
    this.#file = file;
    this.#query = query;
    this.#shape = shape;
  }

  async ask(keys: readonly CellValue[]): ReturnType<Lookup["ask"]> {
    const database = this.#database ?? this.#open();
    const groups = takesKey(this.#query) ? keys.map((key) => [key]) : [keys];
    const rows = groups.flatMap((group) => database
      .query<Record<string, unknown>, SQLQueryBindings[]>(this.#statement(group.length))
      .all(...group as SQLQueryBindings[]));
    return answersOf(keys, rows, this.#shape);
  }

  async list(most: number): Promise<readonly Answer[]> {
    const database = this.#database ??= new Database(this.#file,
      { readonly: true, safeIntegers: true });
    const rows = database.query<Record<string, unknown>, []>(
      statementForAll(this.#query, this.#shape, most, ansi)).all();
    return allOf(rows, this.#shape, most);
  }

  async close(): Promise<void> {
    this.#database?.close();
    this.#database = null;
  }

  #statement(n: number): string {
    return statementFor(this.#query, this.#shape, n, ansi);
  }

  #open(): Database {
    const database = new Database(this.#file, { readonly: true, safeIntegers: true });
    try {
      const explain = database.prepare<{ detail: string }, []>(
        `EXPLAIN QUERY PLAN ${this.#statement(1)}`);
      const plan = explain.all();
      // Measured: kept, it makes later statements hold the file, so that nobody can write to it.
      explain.finalize();
      const scan = plan.find(({ detail }) => /^SCAN (?!CONSTANT)/.test(detail));
      if (scan !== undefined) {
        throw new Fault("table-index", "SQLite would read all rows for each key " +
          `(${scan.detail}): give the table an index on ${this.#shape.key}`);
      }
      this.#database = database;
      return database;
    } catch (thrown) {
      database.close();
      throw thrown;
    }
  }
}
