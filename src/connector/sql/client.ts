import { SQL } from "bun";
import { orAborted } from "../../base.ts";
import type { Answer, Lookup, TableShape } from "../../connector.ts";
import type { CellValue } from "../../ring.ts";
import {
  allOf, ansi, answersOf, type Dialect, mysql, statementFor, statementForAll, takesKey,
} from "./statement.ts";

/** Connections to one server: two questions may be under way. */
const connections = 2;
/** The runtime gives up sooner; this is for what is left behind. */
const connect_s = 10;

/** A query on PostgreSQL or MySQL and MariaDB by key. After any trouble it connects anew. */
export class SqlTable implements Lookup {
  readonly #url: string;
  readonly #query: string;
  readonly #shape: TableShape;
  readonly #dialect: Dialect;
  #client: SQL | null = null;

  constructor(url: string, query: string, shape: TableShape) {
    this.#url = url;
    this.#query = query;
    this.#shape = shape;
    this.#dialect = url.startsWith("mysql") || url.startsWith("mariadb") ? mysql : ansi;
  }

  async ask(keys: readonly CellValue[], abort: AbortSignal): ReturnType<Lookup["ask"]> {
    const groups = takesKey(this.#query) ? keys.map((key) => [key]) : [[...keys]];
    const rows = await this.#run(abort, groups.map((group) =>
      [this.#statement(group.length), group]));
    return answersOf(keys, rows, this.#shape);
  }

  async list(most: number, abort: AbortSignal): Promise<readonly Answer[]> {
    const statement = statementForAll(this.#query, this.#shape, most, this.#dialect);
    return allOf(await this.#run(abort, [[statement, []]]), this.#shape, most);
  }

  async #run(
    abort: AbortSignal, statements: readonly (readonly [string, CellValue[]])[],
  ): Promise<Record<string, unknown>[]> {
    this.#client ??= new SQL({ url: this.#url.replace(/^mariadb:/, "mysql:"), max: connections,
      connectionTimeout: connect_s, bigint: true });
    const client = this.#client;
    try {
      const rows = await orAborted(abort, Promise.all(statements.map(([text, parameters]) =>
        client.unsafe<Record<string, unknown>[]>(text, parameters))));
      return rows.flat();
    } catch (thrown) {
      if (this.#client === client) this.#client = null;
      // Nobody waits for it: what it still answers is for nobody.
      void client.close({ timeout: 0 });
      throw thrown;
    }
  }

  async close(): Promise<void> {
    await this.#client?.close({ timeout: 0 });
    this.#client = null;
  }

  #statement(n: number): string {
    return statementFor(this.#query, this.#shape, n, this.#dialect);
  }
}
