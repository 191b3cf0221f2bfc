import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** A rule is tried before it is saved: with given rows, or with those that come. */
const config = {
  gateway: { id: "try" },
  sources: { any: { type: "mqtt", link: "broker", topic: "any" } },
  links: { broker: { type: "mqtt", host: "127.0.0.1", port: 1 },
    oven: { type: "modbus-tcp", host: "192.0.2.1", timeout: "2s" } },
  devices: { oven: { link: "oven", groups: { fast: "50ms", slow: "1h" }, tags: {
    temperature: { at: "input 0", type: "int16", group: "fast" },
    quota: { at: "input 1", type: "int16", group: "slow" },
    setpoint: { at: "holding 0", type: "int16", group: "fast", access: "read-write" } } } },
  rules: { base: { sql: "SELECT temperature + 1 AS t FROM oven.fast" } },
  tables: { classes: { type: "csv", file: "classes.csv",
    columns: { class: "text(8)", low: "float64" } } },
  policy: { "oven.setpoint": { allow: ["cli"], maxMode: "armed", min: 0, max: 100 } },
  api: { listen: "127.0.0.1:0" },
};

let site: Site;
let gateway: RunningGateway;
beforeAll(async () => {
  site = await Site.start(config);
  gateway = await site.run();
  await good(gateway, "oven.temperature");
  await good(gateway, "oven.quota");
}, 120_000);
afterAll(() => site?.stop());

const tried = async (sql: string, more: object = {}): Promise<any> =>
  (await gateway.post("/try", { sql, ...more })).body;
const start = Date.parse("2026-11-26T08:00:00Z");

test("given rows, in their own time: windows close without waiting", async () => {
  const rows = { "oven.fast": Array.from({ length: 25 }, (_, i) =>
    ({ $time: start + i * 1000, temperature: i })) };
  const sql = "SELECT avg(temperature) AS mean, count(*) AS n FROM oven.fast " +
    "GROUP BY TUMBLINGWINDOW(ss, 10)";
  const answer = await tried(sql, { rows });
  expect(answer.rows.map(({ values }: any) => values))
    .toEqual([{ mean: 4, n: 10 }, { mean: 14, n: 10 }, { mean: 22, n: 5 }]);
  expect(answer).toMatchObject({ rows_in: 25, errors: 0, ended: "all rows were given" });
  const file = site.folder.write("rows.json", { "oven.fast": [{ temperature: 7 }, {}] });
  const { code, output } = await gateway.cli(
    "try", "SELECT temperature * 2 AS t FROM oven.fast", "--rows", file);
  expect(code).toBe(0);
  expect(output).toMatch(/TIME +t\n.*Z +14\n.*Z +- \(/);
  expect(output).toContain("2 rows of 2: all rows were given");
});

test("whole numbers past 2^53 keep their digits, from the file to the answer", async () => {
  const file = site.folder.write("ids.json", "// as the configuration: with comments\n" +
    '{ "any": [{ "id": 9007199254740993, "of": { "id": -9007199254740995 } }, ] }');
  const { output } = await gateway.cli("try",
    "SELECT id, of->id AS whole, id + 2 AS more FROM any", "--rows", file);
  expect(output).toMatch(/Z +9007199254740993 +-9007199254740995 +9007199254740995\n/);
  site.folder.write("ids.json", '{ "any": [\n{ "id": 9, }, oops] }');
  const wrong = await gateway.cli("try", "SELECT id FROM any", "--rows", file);
  expect(wrong).toMatchObject({ code: 2, output: expect.stringContaining("ids.json:2:15: ") });
});

test("of a table without key, which no running rule reads, rows may be given", async () => {
  const sql = "SELECT class, low FROM classes";
  const { rows } = await tried(sql, { rows: { classes: [{ class: "small", low: 1.5 }] } });
  expect(rows.map(({ values }: any) => values)).toEqual([{ class: "small", low: 1.5 }]);
  expect((await tried(sql)).error).toMatchObject({ code: "try-alone",
    message: expect.stringContaining("No running rule reads classes") });
});

test("a number past a float's range is shown as what it is", async () => {
  const { rows } = await tried("SELECT temperature * 1e308 AS x, temperature * -1e308 AS y " +
    "FROM oven.fast", { rows: { "oven.fast": [{ temperature: 20 }] } });
  expect(rows[0]).toMatchObject({ values: { x: "Infinity", y: "-Infinity" }, quality: {} });
});

test("rows of a window that lie above its mean: the way round an aggregate in WHERE", async () => {
  const rows = { "oven.fast": [1, 2, 6, 5, 5, 5, 9, 1, 2].map((temperature, i) =>
    ({ $time: start + i * 1000, temperature })) };
  const { rows: given } = await tried("SELECT temperature, mean FROM (SELECT unnest(readings), " +
    "mean FROM (SELECT collect(*) AS readings, avg(temperature) AS mean FROM oven.fast " +
    "GROUP BY COUNTWINDOW(3)) AS windows) AS rows WHERE temperature > mean", { rows });
  expect(given.map(({ values }: any) => values))
    .toEqual([{ temperature: 6, mean: 3 }, { temperature: 9, mean: 4 }]);
  const { error } = await tried("SELECT temperature FROM oven.fast " +
    "WHERE temperature > avg(temperature) GROUP BY COUNTWINDOW(3)", { rows });
  expect(error.message).toContain("by unnest(collect(*))");
});

test("over a query in FROM that joins streams there is what may not stand beside it", async () => {
  const given = (name: string, values: number[]): object[] =>
    values.map((value, i) => ({ $time: start + i * 1000, [name]: value }));
  const { rows } = await tried("SELECT temperature, lag(temperature) AS before FROM (SELECT " +
    "o.temperature, b.t FROM oven.fast AS o JOIN base AS b ON b.t = o.temperature + 1 " +
    "GROUP BY TUMBLINGWINDOW(ss, 2)) AS pairs",
    { rows: { "oven.fast": given("temperature", [1, 2, 3, 4]), base: given("t", [2, 9, 5, 4]) } });
  expect(rows.map(({ values }: any) => values)).toEqual([{ temperature: 1, before: null },
    { temperature: 3, before: 1 }, { temperature: 4, before: 3 }]);
});

test("a message of any fields is given as it is, also with fields that no rule reads", async () => {
  const rows = { any: [{ $time: start, motor: { speed: 3 }, name: "a" }] };
  const answer = await tried("SELECT motor->speed AS speed, any.* FROM any", { rows });
  expect(answer.rows[0].values).toMatchObject({ speed: 3 });
  const live = await gateway.cli("try", "SELECT motor->speed AS s FROM any", "--for", "1s");
  expect(live.output).toContain("No running rule reads motor->speed of any yet");
});

test("a query in FROM: the outer window waits for all that the inner one closes", async () => {
  const rows = { "oven.fast": [0, 1, 2, 3, 14].map((s) =>
    ({ $time: start + s * 1000, temperature: s })) };
  const { rows: given } = await tried("SELECT sum(m) AS sum, count(*) AS n FROM (SELECT " +
    "max(temperature) AS m FROM oven.fast GROUP BY HOPPINGWINDOW(ss, 2, 1)) AS i " +
    "GROUP BY TUMBLINGWINDOW(ss, 8)", { rows });
  expect(given.map(({ time, values }: any) => [time - start, values]))
    .toEqual([[8000, { sum: 0 + 1 + 2 + 3 + 3, n: 5 }], [16_000, { sum: 14, n: 1 }],
      [24_000, { sum: 14, n: 1 }]]);
});

test("live rows, and newest values of slow groups; the rest does not notice", async () => {
  const before = (await gateway.get("/streams")).body;
  const answer = await tried("SELECT t, oven.quota + t AS q FROM base", { limit: 5, for: "5s" });
  expect(answer.ended).toBe("there are enough rows");
  expect(answer.rows).toHaveLength(5);
  for (const { values, quality } of answer.rows) {
    expect(quality).toEqual({});
    expect(values.q).toBeNumber();
  }
  const { output } = await gateway.cli("try", "SELECT t FROM base WHERE t > 1e9", "--for", "1s");
  expect(output).toMatch(/^0 rows of [1-9]\d*: the time was over/);
  expect((await gateway.get("/streams")).body.map((s: any) => s.name))
    .toEqual(before.map((s: any) => s.name));
});

test("one at a time, bounded in bytes; a change ends it", async () => {
  const long = tried("SELECT t FROM base WHERE t > 1e9", { for: "20s" });
  await until("it runs", async () => (await tried("SELECT t FROM base", { limit: 1 }))
    .error?.code === "try-busy");
  const file = site.live({}, { rules: { ...config.rules,
    more: { sql: "SELECT t FROM base" } } });
  expect((await gateway.cli("apply", file, "--by", "anna")).code).toBe(0);
  expect((await long).ended).toBe("the configuration was changed");
  const big = await tried("SELECT median(t) AS m FROM base GROUP BY SLIDINGWINDOW(hh, 24)");
  expect(big.error.code).toBe("try-too-large");
}, 120_000);

test("what is wrong is told with the nearest name", async () => {
  const cases: [object, string, string][] = [
    [{ sql: "SELECT temperatur FROM oven.fast" }, "sql-wrong", "temperature"],
    [{ sql: "SELECT FROM" }, "sql-wrong", "1:8"],
    [{ sql: "SELECT t FROM base", rows: { bsae: [] } }, "try-row", "Did you mean base?"],
    [{ sql: "SELECT t FROM base", rows: { base: [{ tt: 1 }] } }, "try-row", "did you mean t?"],
    [{ sql: "SELECT t FROM base", rows: { base: [{ $time: "noon" }] } }, "try-row", "ISO 8601"],
    [{ sql: "SELECT t FROM base", for: "1h" }, "body", "at most 50000 ms"],
    [{ sql: "SELECT t FROM base", limit: 0 }, "body", "limit"],
  ];
  for (const [body, code, text] of cases) {
    const { error } = (await gateway.post("/try", body)).body;
    expect([error?.code, error?.message]).toEqual([code, expect.stringContaining(text)]);
  }
  expect((await gateway.cli("try", "SELECT temperatur FROM oven.fast")).output).toContain(
    "did you mean temperature? [sql-wrong]\nSELECT temperatur FROM oven.fast\n       ^^^^^^^^^^");
  const file = site.folder.write("rows.json", "[1]");
  const { code, output } = await gateway.cli("try", "SELECT t FROM base", "--rows", file);
  expect([code, output]).toEqual([2, expect.stringContaining("is to be")]);
  expect((await gateway.cli("try")).output).toContain('"SELECT …" is missing');
  expect(site.plant.writes("oven")).toEqual([]);
}, 120_000);
