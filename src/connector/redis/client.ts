import { RedisClient } from "bun";
import { Fault, orAborted, parseJson, reason } from "../../base.ts";
import type { Answer, Lookup, TableShape } from "../../connector.ts";
import type { CellValue } from "../../ring.ts";

interface Settings {
  readonly url: string;
  readonly at: string;
  readonly value: "hash" | "json";
}

/** Hashes or JSON texts of a Redis server by key. After any trouble it connects anew. */
export class RedisTable implements Lookup {
  readonly #settings: Settings;
  readonly #shape: TableShape;
  /** Columns but the key, which is in the name. */
  readonly #fields: readonly string[];
  #client: RedisClient | null = null;

  constructor(settings: Settings, shape: TableShape) {
    this.#settings = settings;
    this.#shape = shape;
    this.#fields = shape.columns.map((c) => c.name).filter((name) => name !== shape.key);
  }

  async ask(keys: readonly CellValue[], abort: AbortSignal): ReturnType<Lookup["ask"]> {
    this.#client ??= new RedisClient(this.#settings.url, { autoReconnect: false });
    const client = this.#client;
    try {
      // The client sends what is asked together in one go.
      return await orAborted(abort, Promise.all(keys.map((key) => this.#one(client, key))));
    } catch (thrown) {
      if (this.#client === client) this.#client = null;
      client.close();
      throw thrown;
    }
  }

  close(): Promise<void> {
    this.#client?.close();
    this.#client = null;
    return Promise.resolve();
  }

  async #one(client: RedisClient, key: CellValue): Promise<Answer | null | Fault> {
    const name = this.#settings.at.replaceAll("{key}", String(key));
    try {
      const row = await (this.#settings.value === "hash" ? this.#hash(client, name)
        : this.#json(client, name));
      return row === null ? null
        : this.#shape.columns.map((c) => (c.name === this.#shape.key ? key : row[c.name]));
    } catch (thrown) {
      if (/CONNECTION|CLOSED|AUTH/.test(String((thrown as { code?: unknown }).code))) throw thrown;
      return new Fault("table-value", `${name}: ${reason(thrown)}`);
    }
  }

  async #hash(client: RedisClient, name: string): Promise<Record<string, unknown> | null> {
    const values = await client.send("HMGET", [name, ...this.#fields]) as (string | null)[];
    if (values.every((value) => value === null)) return null;
    return Object.fromEntries(this.#fields.map((field, i) => [field, values[i]]));
  }

  async #json(client: RedisClient, name: string): Promise<Record<string, unknown> | null> {
    const text = await client.get(name);
    if (text === null) return null;
    const value = parseJson(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
    throw new Error("no JSON object");
  }
}
