import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { utimesSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../../src/base.ts";
import { csvTable, httpTable, redisTable, sqliteTable, sqlTable, type Lookup, type TableType }
  from "../../src/connector.ts";
import { tagColumn } from "../../src/ring.ts";
import { workFolder } from "../support/binary.ts";
import { realServer, type RealServer } from "../support/servers.ts";
import { configuredTable } from "../support/configured.ts";

/**
 * What every kind of lookup table must do, over the real system (must-show F). How an answer
 * becomes cells, and what `onError` makes of none, is test/runtime/lookup.test.ts.
 */
interface Row { readonly id: number; readonly name: string; readonly target: number | null }

interface System {
  readonly name: string;
  /** The table, and a way to change what it holds; null = the server is not installed. */
  open(): Promise<Opened | null>;
}

interface Opened {
  readonly type: TableType;
  readonly settings: unknown;
  /** Adds rows. */
  put(rows: readonly Row[]): Promise<void> | void;
  /** It can have two rows of one key. */
  readonly duplicates: boolean;
  /** Settings of the same table without a key, which is read as a whole; absent: it cannot be. */
  readonly whole?: unknown;
  gone(on: boolean): Promise<void> | void;
  /** It hangs; absent: it cannot. */
  hang?(on: boolean): void;
  close(): Promise<void> | void;
}

const columns = [tagColumn("id", "int64"), tagColumn("name", "text(16)"),
  tagColumn("target", "float64")];
const shape = { columns, key: "id" };
const never = new AbortController().signal;

function sqlOver(kind: "postgres" | "mariadb"): System {
  return { name: kind, async open() {
    const server = await realServer(kind);
    if (server === null) return null;
    const client = (): Bun.SQL => new Bun.SQL({ url: server.url.replace("mariadb:", "mysql:"),
      max: 1 });
    const run = async (text: string): Promise<void> => {
      const sql = client();
      await sql.unsafe(text);
      await sql.close({ timeout: 0 });
    };
    await run("CREATE TABLE recipes (id BIGINT, name VARCHAR(40), target DECIMAL(10,3))");
    await run("CREATE INDEX by_id ON recipes (id)");
    return { ...serverOf(server), type: sqlTable, duplicates: true,
      settings: { url: server.url, query: "SELECT id, name, target FROM recipes" },
      whole: { url: server.url, query: "SELECT id, name, target FROM recipes" },
      put: (rows) => run(insertOf(rows)) };
  } };
}

const insertOf = (rows: readonly Row[]): string => `INSERT INTO recipes VALUES ${rows.map((r) =>
  `(${r.id}, '${r.name.replaceAll("'", "''")}', ${r.target ?? "NULL"})`).join(", ")}`;

const serverOf = (server: RealServer) => ({
  gone: (on: boolean) => (on ? server.stop() : server.start()),
  hang: (on: boolean) => server.hang(on),
  close: () => server.remove(),
});

const redis: System = { name: "redis", async open() {
  const server = await realServer("redis");
  if (server === null) return null;
  return { ...serverOf(server), type: redisTable, duplicates: false,
    settings: { url: server.url, at: "recipe:{key}" },
    async put(rows) {
      const client = new Bun.RedisClient(server.url);
      for (const { id, name, target } of rows) {
        await client.send("HSET", [`recipe:${id}`, "name", name,
          ...(target === null ? [] : ["target", String(target)])]);
      }
      client.close();
    } };
} };

const sqlite: System = { name: "sqlite", async open() {
  const folder = workFolder();
  const file = join(folder.path, "recipes.sqlite");
  const database = new Database(file, { create: true });
  database.run("CREATE TABLE recipes (id INTEGER, name TEXT, target REAL)");
  database.run("CREATE INDEX by_id ON recipes (id)");
  return { type: sqliteTable, settings: { file, query: "SELECT id, name, target FROM recipes" },
    whole: { file, query: "SELECT id, name, target FROM recipes" },
    duplicates: true,
    put: (rows) => void database.run(insertOf(rows)),
    // Another process that holds the file.
    gone: (on) => void database.run(on ? "BEGIN EXCLUSIVE" : "COMMIT"),
    close: () => {
      database.close();
      folder.remove();
    } };
} };

const csv: System = { name: "csv", async open() {
  const folder = workFolder();
  let lines: string[] = ["target;id;name"];
  let saved = 0;
  const save = (): void => {
    const file = folder.write("recipes.csv", `${lines.join("\n")}\n`);
    // As a person saves: seconds apart.
    utimesSync(file, ++saved, saved);
  };
  save();
  return { type: csvTable, settings: { file: join(folder.path, "recipes.csv") },
    whole: { file: join(folder.path, "recipes.csv") }, duplicates: true,
    put(rows) {
      lines = lines.concat(rows.map((r) => `${r.target ?? ""};${r.id};"${r.name}"`));
      save();
    },
    gone(on) {
      if (on) Bun.spawnSync(["mv", "recipes.csv", "away.csv"], { cwd: folder.path });
      else Bun.spawnSync(["mv", "away.csv", "recipes.csv"], { cwd: folder.path });
    },
    close: () => folder.remove() };
} };

const http: System = { name: "http", async open() {
  const rows = new Map<string, Row>();
  let [gone, hanging] = [false, false];
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", async fetch(request) {
    if (hanging) await new Promise(() => undefined);
    if (gone) return new Response("down", { status: 503 });
    if (request.headers.get("authorization") !== "Bearer open") {
      return new Response("", { status: 401 });
    }
    const key = decodeURIComponent(new URL(request.url).pathname.slice(1));
    if (key === "") return Response.json([...rows.values()]);
    const row = rows.get(key);
    return row === undefined ? new Response("", { status: 404 }) : Response.json(row);
  } });
  return { type: httpTable, settings: { url: `${server.url}{key}`, token: "open" },
    duplicates: false, whole: { url: server.url.href, token: "open" },
    put: (more) => more.forEach((row) => rows.set(String(row.id), row)),
    gone: (on) => { gone = on; },
    hang: (on) => { hanging = on; },
    close: () => server.stop(true) };
} };

const systems = [csv, http, sqlOver("mariadb"), sqlOver("postgres"), redis, sqlite];
const opened = new Map(await Promise.all(systems.map(async (system) =>
  [system.name, await system.open()] as const)));
afterAll(async () => { for (const system of opened.values()) await system?.close(); });

const recipes: Row[] = [{ id: 7, name: "bread", target: 42.5 },
  { id: 8, name: "rolls", target: null }, { id: -3, name: "d'été; x", target: 0 }];
/** An answer whose values are what their columns mean, whatever the client gives. */
const plain = (answer: unknown): unknown => (answer instanceof Fault || answer === null ? answer
  : (answer as unknown[]).map((v, i) => (v === null || v === undefined ? null
    : i === 1 ? v : Number(v))));
const rowOf = ({ id, name, target }: Row): unknown[] => [id, name, target];

for (const { name } of systems) {
  describe.skipIf(opened.get(name) === null)(`lookup: ${name}`, () => {
    const system = opened.get(name)!;
    let table: Lookup;
    const ask = async (keys: bigint[], abort = never): Promise<unknown[]> =>
      (await table.ask(keys, abort)).map(plain);

    beforeAll(async () => {
      await system.put(recipes);
      table = configuredTable(system.type).open(system.settings, shape);
    });
    afterAll(() => table.close());

    const whole = "without a key: all rows, and more than there is room for are a fault";
    if (system?.whole !== undefined) test(whole, async () => {
      const all = configuredTable(system.type).open(system.whole, { columns, key: null });
      const byId = (await all.list!(3, never)).map(plain)
        .sort((a, b) => (a as number[])[0]! - (b as number[])[0]!);
      expect(byId).toEqual([recipes[2]!, recipes[0]!, recipes[1]!].map(rowOf));
      expect(all.list!(2, never)).rejects.toThrow(/has room for/);
      // It answers again, also what was refused before.
      expect(await all.list!(3, never)).toHaveLength(3);
      await all.close();
    });

    test("answers keys in their order; NULL is NULL, and what is not there is null", async () => {
      expect(await ask([8n, 5n, 7n, -3n])).toEqual(
        [rowOf(recipes[1]!), null, rowOf(recipes[0]!), rowOf(recipes[2]!)]);
    });

    test("256 keys in one question, and two questions at a time", async () => {
      const many = Array.from({ length: 200 },
        (_, i): Row => ({ id: 1000 + i, name: `r${i}`, target: i }));
      await system.put(many);
      const keys = Array.from({ length: 256 }, (_, i) => BigInt(1000 + i));
      const [all, one] = await Promise.all([ask(keys), ask([7n])]);
      expect(all).toEqual([...many.map(rowOf), ...Array.from({ length: 56 }, () => null)]);
      expect(one).toEqual([rowOf(recipes[0]!)]);
    });

    const twice = "two rows of a key are a fault of that key alone";
    if (system?.duplicates === true) test(twice, async () => {
      await system.put([{ id: 50, name: "a", target: 1 }, { id: 50, name: "b", target: 2 }]);
      const [twice, well] = await ask([50n, 7n]);
      expect(twice).toBeInstanceOf(Fault);
      expect((twice as Fault).message).toContain("more than on");
      expect(well).toEqual(rowOf(recipes[0]!));
    });

    test("gone: it rejects; back: the next question is answered", async () => {
      await system.gone(true);
      const started = performance.now();
      expect(table.ask([7n], AbortSignal.timeout(3000))).rejects.toThrow();
      await table.ask([7n], AbortSignal.timeout(3000)).catch(() => undefined);
      expect(performance.now() - started).toBeLessThan(10_000);
      await system.gone(false);
      expect(await ask([7n])).toEqual([rowOf(recipes[0]!)]);
    }, 30_000);

    const slow = "slow: it settles when it is given up; then it answers";
    if (system?.hang !== undefined) test(slow, async () => {
      system.hang!(true);
      const started = performance.now();
      const given = await table.ask([8n], AbortSignal.timeout(300)).catch((e: Error) => e);
      expect(given).toBeInstanceOf(Error);
      expect(performance.now() - started).toBeLessThan(10_000);
      system.hang!(false);
      expect(await ask([8n])).toEqual([rowOf(recipes[1]!)]);
    }, 30_000);
  });
}
