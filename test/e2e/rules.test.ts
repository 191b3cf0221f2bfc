import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** Rules one by one: start, stop, restart, reset, schedules. */
const now = Date.now();
const iso = (time: number): string => new Date(time).toISOString();
const config = {
  gateway: { id: "rules" },
  links: { oven: { type: "modbus-tcp", host: "192.0.2.1", timeout: "2s" } },
  devices: { oven: { link: "oven", groups: { fast: "50ms" }, tags: {
    temperature: { at: "input 0", type: "int16" },
    setpoint: { at: "holding 0", type: "int16", access: "read-write" } } } },
  rules: {
    count: { sql: "SELECT acc_count(temperature) AS n FROM oven.fast" },
    base: { sql: "SELECT temperature + 1 AS t FROM oven.fast" },
    hold: { sql: "SELECT t FROM base", to: [{ write: "oven.setpoint", from: "t" }] },
    over: { sql: "SELECT temperature FROM oven.fast",
      schedule: { between: [{ from: "2020-01-01", to: "2020-01-02" }] } },
    open: { sql: "SELECT temperature FROM oven.fast",
      schedule: { between: [{ from: iso(now - 60_000), to: iso(now + 3_600_000) }] } },
    nightly: { sql: "SELECT temperature FROM oven.fast",
      schedule: { cron: "0 0 29 2 *", duration: "1h" } },
  },
  policy: { "oven.setpoint": { allow: ["rule:hold"], maxMode: "armed", min: -500, max: 500,
    minInterval: "20ms", onLoss: { after: "1s", value: "hold" } } },
  api: { listen: "127.0.0.1:0" },
};

let site: Site;
let gateway: RunningGateway;
beforeAll(async () => {
  site = await Site.start(config);
  gateway = await site.run();
  await good(gateway, "oven.temperature");
}, 120_000);
afterAll(() => site?.stop());

const rule = async (name: string): Promise<any> => (await gateway.get(`/rules/${name}`)).body;
const order = (what: string, name: string) =>
  gateway.cli("rules", what, name, "--by", "anna");
const counted = async (): Promise<number> =>
  (await gateway.get("/streams/count/latest")).body?.values.n ?? 0;

test("stop, start, restart keep what a rule knows; reset forgets it", async () => {
  await until("counts", async () => await counted() > 20);
  const stopped = await order("stop", "count");
  expect([stopped.code, stopped.output]).toEqual([0, expect.stringContaining("stopped by anna")]);
  const { rows_in } = await rule("count");
  const before = await counted();
  await until("other rules go on", async () => (await rule("open")).rows_in > rows_in + 10);
  expect((await rule("count")).rows_in).toBe(rows_in);
  await gateway.stop();
  gateway = await site.run();
  await good(gateway, "oven.temperature");
  expect(await rule("count")).toMatchObject({ state: "stopped", reason: "stopped by anna" });
  expect((await order("start", "count")).output).toContain("running");
  await until("counts again", async () => await counted() > 20);
  expect((await order("stop", "count")).code).toBe(0);
  const kept = await counted();
  expect((await order("start", "count")).code).toBe(0);
  await until("goes on", async () => await counted() > kept);
  expect(await counted()).toBeGreaterThan(kept);
  expect((await order("restart", "count")).code).toBe(0);
  expect(await counted()).toBeGreaterThan(20);
  expect((await order("reset", "count")).code).toBe(0);
  await until("begins anew", async () => await counted() < kept);
  expect(before).toBeGreaterThan(20);
  const rows = (await gateway.get("/audit?limit=50")).body;
  for (const code of ["rule-stop", "rule-start", "rule-restart", "rule-reset"]) {
    expect(rows).toContainEqual(expect.objectContaining({ code, who: "anna",
      origin: "rule:count" }));
  }
}, 120_000);

test("a change that rewrites a stopped rule leaves it stopped", async () => {
  expect((await order("stop", "open")).code).toBe(0);
  const file = site.live({}, { rules: { ...config.rules,
    open: { sql: "SELECT temperature + 5 AS t FROM oven.fast" } } });
  expect((await gateway.cli("apply", file, "--by", "anna")).code).toBe(0);
  expect(await rule("open")).toMatchObject({ state: "stopped", reason: "stopped by anna" });
  expect((await order("start", "open")).code).toBe(0);
  await until("runs", async () => (await rule("open")).rows_out > 0);
}, 120_000);

test("a schedule keeps a rule waiting, and says until when", async () => {
  expect(await rule("over")).toMatchObject({ state: "waiting", rows_out: 0,
    reason: "its schedule is over" });
  expect((await rule("nightly")).reason).toContain("its schedule: until 2028-02-2");
});

test("W3: reset of what a tag is written from disarms it; stop is a loss", async () => {
  const armed = async (): Promise<string[]> => (await gateway.get("/health")).body.writing.armed;
  await gateway.arm("oven.setpoint");
  expect((await order("reset", "count")).code).toBe(0);
  expect(await armed()).toEqual(["oven.setpoint"]);
  expect((await order("reset", "base")).code).toBe(0);
  expect(await armed()).toEqual([]);
  await gateway.arm("oven.setpoint");
  await until("writes", async () => (await gateway.get("/audit?limit=5")).body.some((row: any) =>
    row.origin === "rule:hold" && row.verdict === "admitted"));
  expect((await order("stop", "hold")).code).toBe(0);
  await until("onLoss ends the arming", async () => (await armed()).length === 0);
}, 120_000);

test("wrong orders are told what would be right", async () => {
  const cases: [string[], number, string][] = [
    [["rules", "stpo", "count", "--by", "anna"], 2, "did you mean stop?"],
    [["rules", "stop"], 2, "the RULE is missing"],
    [["rules", "stop", "count"], 2, "--by NAME is missing"],
    [["rules", "stop", "cuont", "--by", "anna"], 1, "There is no rule cuont; did you mean count?"],
  ];
  for (const [words, code, text] of cases) {
    const answer = await gateway.cli(...words);
    expect([answer.code, answer.output]).toEqual([code, expect.stringContaining(text)]);
  }
  const wrong = site.live({}, { rules: { count: { sql: "SELECT temperature FROM oven.fast",
    schedule: { cron: "0 25 * * *", duration: "1h" }, restart: { delay: "soon" } } }, policy: {} });
  const { code, output } = await gateway.cli("plan", wrong);
  expect(code).toBe(1);
  expect(output).toContain('"25" is no hour: 0 to 23');
  expect(output).toContain("rules.count.restart.delay");
}, 120_000);
