import { afterAll, beforeAll, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { binary, Program, until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/**
 * Tables that are read as a whole, in the compiled binary: a machine's rows meet those of a file
 * and of a database that changes, is damaged, and comes back.
 */
const config = {
  gateway: { id: "scan" },
  links: { oven: { type: "modbus-tcp", host: "192.0.2.1", timeout: "2s" } },
  devices: { oven: { link: "oven", groups: { fast: "50ms" }, tags: {
    level: { at: "input 0", type: "int16" },
    setpoint: { at: "holding 0", type: "int16", access: "read-write" } } } },
  tables: {
    classes: { type: "csv", file: "classes.csv", ttl: "400ms", onError: { stale: "1m" },
      columns: { class: "text(8)", low: "float64", high: "float64" } },
    names: `CREATE TABLE names (level BIGINT, name STRING) WITH (TYPE='sqlite', ` +
      `DATASOURCE='names.sqlite', KIND='scan', RETAIN_SIZE='16', ` +
      `EXTRA='{"query": "SELECT level, name FROM names", "ttl": "400ms"}')`,
  },
  rules: {
    classed: { sql: "SELECT oven.level AS level, c.class FROM oven.fast " +
      "JOIN classes AS c ON oven.level >= c.low AND oven.level < c.high" },
    every: { sql: "SELECT oven.level AS level, c.class FROM oven.fast CROSS JOIN classes AS c" },
    listed: { sql: "SELECT count(*) AS n, max(high) AS top FROM classes " +
      "GROUP BY TUMBLINGWINDOW(ms, 1000)" },
    named: { sql: "SELECT oven.level AS level, n.name FROM oven.fast " +
      "LEFT JOIN names AS n ON n.level = oven.level" },
  },
  api: { listen: "127.0.0.1:0" },
};

let site: Site;
let gateway: RunningGateway;
let file: string;
const classes = (...lines: string[]): string =>
  site.folder.write("classes.csv", `class;low;high\n${lines.join("\n")}\n`);
const names = (sql: string): void => {
  const database = new Database(file, { create: true });
  database.run(sql);
  database.close();
};
beforeAll(async () => {
  site = await Site.start(config,
    { "plant.json": { "oven.level": { kind: "constant", value: 7 } } });
  file = join(site.folder.path, "names.sqlite");
  classes("low;0;5", "mid;5;10", "high;10;99");
  names("CREATE TABLE names (level INTEGER, name TEXT)");
  names("INSERT INTO names VALUES (7, 'seven'), (7, 'sept')");
  gateway = await site.run(site.live());
  await good(gateway, "oven.level");
}, 120_000);
afterAll(() => site?.stop());

const latest = async (stream: string): Promise<any> =>
  (await gateway.get(`/streams/${stream}/latest`)).body;
const table = async (name: string): Promise<any> =>
  (await gateway.get("/tables")).body.find((t: { name: string }) => t.name === name);
/** Rows of some streams, at one moment. */
const rows = async (...streams: string[]): Promise<number[]> => {
  const { body } = await gateway.get<{ name: string; rows: number }[]>("/streams");
  return streams.map((stream) => body.find(({ name }) => name === stream)!.rows);
};

test("each row meets the rows that a condition says, as many as there are", async () => {
  await until("a class", async () => (await latest("classed"))?.values.class === "mid");
  const [polled, crossed] = await rows("oven.fast", "every");
  const since = await until("some polls", async () => {
    const [polls, all] = await rows("oven.fast", "every");
    return polls! > polled! + 10 && { polls: polls! - polled!, all: all! - crossed! };
  });
  // A poll whose rows are not made yet may be among them.
  expect(Math.abs(since.all / 3 - since.polls)).toBeLessThan(3);
  await until("a name", async () => (await latest("named"))?.values.name === "sept");
  expect(await table("classes")).toMatchObject({ state: "open", known: 3, capacity: 1024 });
});

test("a rule may read a table by itself: all of its rows, each time that it is read", async () => {
  const row = await until("a window", async () => {
    const found = await latest("listed");
    return found?.values.n >= 12 ? found : null;
  });
  // Five readings a second, of three rows each.
  expect(row.values.n % 3).toBe(0);
  expect(row.values.top).toBe(99);
});

test("a change of the table is seen, without a restart", async () => {
  classes("one;0;99");
  await until("the new class", async () => (await latest("classed")).values.class === "one");
  names("DELETE FROM names");
  await until("no name", async () => (await latest("named")).values.name === null);
});

test("while it cannot be read: stale values, then good ones again; too many rows are none",
  async () => {
    classes("one;0;far");
    await until("a stale class", async () =>
      (await latest("classed")).quality.class === "uncertain:stale");
    expect(await table("classes")).toMatchObject({ state: "down",
      reason: "row 1: high is no float64 (error:type): far" });
    classes("two;0;99");
    await until("a good class", async () => {
      const row = await latest("classed");
      return row.values.class === "two" && row.quality.class === undefined;
    });
    names(`INSERT INTO names VALUES ${Array.from({ length: 17 }, (_, i) => `(${i}, 'n')`)}`);
    await until("told of", async () => (await table("names")).reason
      .includes("more than 16 rows, which the table has room for"));
  }, 120_000);

test("check: what is not to be had of such a table", async () => {
  const policy = { "oven.setpoint": { allow: ["rule:hold"], min: 0, max: 100,
    onLoss: { after: "1m", value: "hold" } } };
  const check = async (tables: object, sql?: string, to: unknown[] = []): Promise<string> => {
    const wrong = site.live({}, { tables: { ...config.tables, ...tables },
      policy: to.length === 0 ? {} : policy, rules: {
        ...config.rules, ...(sql === undefined ? {} : { hold: { sql, to } }) } });
    const program = new Program([await binary(), "check", wrong]);
    await program.child.exited;
    await program.stop();
    return program.output;
  };
  const columns = { name: "text(8)" };
  expect(await check({ r: { type: "redis", url: "redis://h:1", at: "{key}", columns } }))
    .toContain("tables.r.key: is missing: a table of type redis is asked by its key");
  expect(await check({ r: { type: "http", url: "http://h/{key}", columns } }))
    .toContain("without `key` nobody says what {key} is");
  expect(await check({ r: { type: "csv", file: "a", columns, capacity: 9999 } }))
    .toContain("capacity: a table without key, whose rows all meet each row, has at most 4096");
  expect(await check({}, "SELECT low AS level FROM classes",
    [{ write: "oven.setpoint", from: "level" }]))
    .toContain("Nobody knows how old the rows of classes are");
  expect(await check({ t: "CREATE TABLE t (a BIGINT) WITH (TYPE='csv', DATASOURCE='a', KEY='a')" }))
    .toContain('A table has a KEY, by which rows are looked up, if its KIND is "lookup"');
  const write = [{ write: "oven.setpoint", from: "level" }];
  expect(await check({}, "SELECT oven.level AS level FROM oven.fast JOIN classes AS c " +
    "ON oven.level > c.low", write)).toContain("Whether a row of c is there, nobody can tell");
});
