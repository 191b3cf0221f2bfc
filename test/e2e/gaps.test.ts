import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** W8: what a rule makes of rows that it did not all read reaches no machine. */
const setpoint = (at: number): object =>
  ({ at: `holding ${at}`, type: "int32", access: "read-write" });
const allow = (rule: string): object => ({ allow: [`rule:${rule}`], maxMode: "armed",
  min: 0, max: 100_000, maxStep: 100_000, minInterval: "20ms", inputMaxAge: "10s",
  onLoss: { after: "60s", value: "hold" } });
const rules = {
  own: { sql: "SELECT sum(power) AS n FROM press.fast GROUP BY TUMBLINGWINDOW(ss, 2)",
    to: [{ write: "press.own", from: "n" }] },
  pass: { sql: "SELECT power AS w FROM press.fast" },
  behind: { sql: "SELECT sum(w) AS n FROM pass GROUP BY TUMBLINGWINDOW(ss, 4)",
    to: [{ write: "press.behind", from: "n" }] },
  closed: { sql: "SELECT CASE WHEN debounce(door, 1s) THEN 1 ELSE 2 END AS n FROM press.fast",
    to: [{ write: "press.closed", from: "n" }] },
};
const config = {
  gateway: { id: "gaps" },
  links: { plc: { type: "modbus-tcp", host: "192.0.2.1", timeout: "2s" } },
  devices: { press: { link: "plc", groups: { fast: "100ms" }, tags: {
    power: { at: "input 0", type: "int16" }, door: { at: "discrete 4", type: "bool" },
    own: setpoint(0), behind: setpoint(2), closed: setpoint(4) } } },
  rules,
  policy: { "press.own": allow("own"), "press.behind": allow("behind"),
    "press.closed": allow("closed") },
  api: { listen: "127.0.0.1:0" },
};

let site: Site;
let gateway: RunningGateway;
beforeAll(async () => {
  site = await Site.start(config);
  await site.plant.command("set press.power 1");
  await site.plant.command("set press.door 1");
  gateway = await site.run();
  await good(gateway, "press.power");
  for (const tag of ["own", "behind", "closed"]) await gateway.arm(`press.${tag}`);
}, 120_000);
afterAll(() => site?.stop());

const order = async (what: string, rule: string): Promise<void> => {
  const { status } = await gateway.post(`/rules/${rule}/${what}`, { by: "anna" });
  expect(status).toBe(200);
};
/** Values that reached the machine from a time on, the oldest first. */
const written = async (rule: string, since = 0): Promise<{ value: number; at: number }[]> =>
  (await gateway.get<any[]>(`/audit?limit=500&tag=press.${rule}`)).body
    .filter((row) => row.time >= since && row.origin === `rule:${rule}` &&
      row.verdict === "admitted")
    .map((row) => ({ value: row.means, at: row.time })).toReversed();
/** Until so much of a window of that length is over. */
const phase = async (length: number, ms: number): Promise<void> => {
  const now = Date.now();
  await Bun.sleep((ms - now % length + length) % length);
};

test("a window that ends while its rule is stopped is not written", async () => {
  await until("writes", async () => (await written("own")).length > 0);
  await phase(2000, 900);
  const since = Date.now();
  await order("stop", "own");
  await phase(2000, 300);
  await order("start", "own");
  await until("writes again", async () => (await written("own", since)).length > 0);
  for (const { value } of await written("own")) expect(value).toBeGreaterThan(15);
}, 120_000);

test("nor is a window over a rule that was stopped, or over two texts of it", async () => {
  await until("writes", async () => (await written("behind")).length > 0,
    60_000);
  await phase(4000, 1500);
  const stopped = Date.now();
  await order("stop", "pass");
  await phase(4000, 300);
  await order("start", "pass");
  await until("writes again", async () => (await written("behind", stopped)).length > 0,
    60_000);
  for (const { value } of await written("behind")) expect(value).toBeGreaterThan(32);
  const file = site.live({}, { rules: { ...rules,
    pass: { sql: "SELECT power * 1000 AS w FROM press.fast" } } });
  await phase(4000, 500);
  const changed = Date.now();
  const { code, output } = await gateway.cli("apply", file, "--by", "anna");
  expect([code, output]).toEqual([0, expect.any(String)]);
  await gateway.arm("press.behind");
  await until("writes the new", async () => (await written("behind", changed)).length > 0,
    60_000);
  for (const { value } of await written("behind", changed)) expect(value).toBeGreaterThan(32_000);
}, 120_000);

test("a timer begins anew after its rule was stopped", async () => {
  await until("writes", async () => (await written("closed")).some(({ value }) => value === 1));
  await order("stop", "closed");
  await site.plant.command("set press.door 0");
  await Bun.sleep(500);
  await site.plant.command("set press.door 1");
  await until("is shut", async () =>
    (await gateway.get("/tags/press.door")).body.value === true);
  const since = Date.now();
  await order("start", "closed");
  await until("writes again", async () => (await written("closed", since)).length > 0);
  const [first] = await written("closed", since);
  expect(first!.at - since).toBeGreaterThan(900);
}, 120_000);
