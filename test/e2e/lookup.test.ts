import { afterAll, beforeAll, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { monotonic } from "../../src/base/os.ts";
import { binary, until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/**
 * The compiled binary looks recipes up for the rows of a machine and writes what they say; when the
 * file is gone, a stale recipe is uncertain, and no uncertain value reaches the machine (W8).
 */
const config = {
  gateway: { id: "lookup" },
  links: { oven: { type: "modbus-tcp", host: "192.0.2.1", timeout: "2s" } },
  devices: { oven: { link: "oven", groups: { fast: "100ms" }, tags: {
    program: { at: "input 0", type: "int16" },
    setpoint: { at: "holding 0", type: "int16", access: "read-write" } } } },
  tables: {
    recipes: { type: "sqlite", file: "recipes.sqlite", query: "SELECT program, target FROM recipes",
      key: "program", columns: { program: "int32", target: "float64" },
      ttl: "200ms", onError: { stale: "10m" } },
    names: { type: "csv", file: "names.csv", key: "program",
      columns: { program: "int32", name: "text(16)" }, ttl: "200ms" },
  },
  rules: {
    hold: {
      sql: "SELECT recipes.target AS target FROM oven.fast LEFT JOIN recipes " +
        "ON recipes.program = oven.program",
      to: [{ write: "oven.setpoint", from: "target" }] },
    inner: { sql: "SELECT recipes.target AS target FROM oven.fast " +
      "JOIN recipes ON recipes.program = oven.program" },
    named: { sql: "SELECT oven.program AS program, n.name FROM oven.fast " +
      "JOIN names AS n ON oven.program = n.program WHERE oven.program > 0" },
  },
  policy: { "oven.setpoint": { allow: ["rule:hold"], maxMode: "armed", min: 0, max: 100,
    minInterval: "1ms", inputMaxAge: "1s", onLoss: { after: "1m", value: "hold" } } },
  api: { listen: "127.0.0.1:0" },
};
const plant = {
  "oven.program": { kind: "constant", value: 7 },
  "oven.setpoint": { kind: "follow", value: 10 },
};

let site: Site;
let gateway: RunningGateway;
let file: string;
beforeAll(async () => {
  site = await Site.start(config, { "plant.json": plant });
  file = join(site.folder.path, "recipes.sqlite");
  const db = new Database(file, { create: true });
  db.run("CREATE TABLE recipes (program INTEGER PRIMARY KEY, target REAL)");
  db.run("INSERT INTO recipes VALUES (7, 42), (8, 43)");
  db.close();
  site.folder.write("names.csv", "program;name\n7;bread\n8;rolls\n");
  gateway = await site.run(site.live());
  await good(gateway, "oven.program");
}, 120_000);
afterAll(() => site?.stop());

const latest = async (stream: string): Promise<any> =>
  (await gateway.get(`/streams/${stream}/latest`)).body;

test("a rule looks up by key, in SQLite and in a CSV file that changes", async () => {
  const row = await until("a row", async () => (await latest("inner")) || null);
  expect(row.values).toEqual({ target: 42 });
  const named = await until("a name", async () => (await latest("named")) || null);
  expect(named.values).toEqual({ program: 7, name: "bread" });
  site.folder.write("names.csv", "program;name\n7;white bread\n");
  await until("the new name", async () =>
    (await latest("named")).values.name === "white bread");
});

const table = async (name: string): Promise<any> =>
  (await gateway.get("/tables")).body.find((t: any) => t.name === name);

test("W8: what the table said last is uncertain, and nothing uncertain is written", async () => {
  await gateway.arm("oven.setpoint");
  await until("the recipe is written", () => site.plant.writes("oven").length > 3);
  // Another program keeps the file for itself, as a backup does.
  const other = new Database(file);
  other.run("BEGIN EXCLUSIVE");
  const uncertain = await until("a stale recipe", async () => {
    const row = await latest("hold");
    return row.quality.target === "uncertain:stale" ? row : null;
  });
  expect(uncertain.values).toEqual({ target: 42 });
  const since = monotonic();
  await Bun.sleep(1000);
  expect(site.plant.writes("oven", since)).toEqual([]);
  const { body } = await gateway.get("/audit?limit=20");
  expect(body).toContainEqual(expect.objectContaining({ origin: "rule:hold",
    code: "input-bad",
    sentence: "An input is uncertain:stale, not good." }));
  expect(await table("recipes")).toMatchObject({ state: "down", reason: "database is locked" });
  expect((await gateway.get("/metrics")).body).toContain('tagwerk_table_up{table="recipes"} 0');
  other.run("COMMIT");
  other.close();
  const back = monotonic();
  await until("it is written again", () => site.plant.writes("oven", back).length > 3);
  expect((await table("recipes")).counters.stale).toBeGreaterThan(5);
}, 120_000);

test("check names what is wrong with a table", async () => {
  const wrong = site.live({}, { tables: { ...config.tables,
    recipes: { ...config.tables.recipes, key: "progam" } } });
  const checked = Bun.spawnSync([await binary(), "check", wrong]);
  const output = checked.stdout.toString() + checked.stderr.toString();
  expect(checked.exitCode).toBe(1);
  expect(output).toContain("no such column; there are program, target");
  expect(output).toContain("did you mean \"program\"?");
});
