import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** Changes of the configuration while it runs: plan, apply, confirm, going back. */
const tag = (at: string, access = "read"): object => ({ at, type: "int16", access });
const config = {
  gateway: { id: "change" },
  links: {
    oven: { type: "modbus-tcp", host: "192.0.2.1", timeout: "2s" },
    press: { type: "modbus-tcp", host: "192.0.2.2", timeout: "2s" },
  },
  devices: {
    oven: { link: "oven", groups: { fast: "50ms" }, tags: {
      temperature: tag("input 0"), setpoint: tag("holding 0", "read-write") } },
    press: { link: "press", groups: { fast: "50ms" }, tags: {
      pressure: tag("input 0"), ceiling: tag("holding 0", "read-write") } },
  },
  rules: {
    hold: { sql: "SELECT temperature + 1 AS t FROM oven.fast",
      to: [{ write: "oven.setpoint", from: "t" }] },
    total: { sql: "SELECT acc_count(pressure) AS n FROM press.fast" },
    both: { sql: "SELECT count(*) AS n FROM *.fast" },
    shown: { sql: "SELECT pressure FROM press.fast", to: ["log"] },
  },
  sinks: { log: { type: "log", rowsPerSecond: 0.1 } },
  policy: {
    "oven.setpoint": { allow: ["rule:hold", "cli"], maxMode: "armed", min: -500, max: 500,
      minInterval: "20ms", onLoss: { after: "5s", value: "hold" } },
    "press.ceiling": { allow: ["cli"], maxMode: "armed", min: 0, max: 100, minInterval: "20ms",
      permit: ["press.pressure > -1000"] },
  },
  api: { listen: "127.0.0.1:0" },
};
type Config = typeof config;

let site: Site;
let gateway: RunningGateway;
let live: string;
beforeAll(async () => { site = await Site.start(config); }, 120_000);
afterAll(() => site?.stop());
beforeEach(async () => {
  if (gateway !== undefined) await gateway.stop();
  live = site.live();
  gateway = await site.run(live, ["--normal"]);
  await good(gateway, "oven.temperature");
  await good(gateway, "press.pressure");
}, 120_000);

/** What runs, with something changed; written beside it as `new.json`. */
function changed(change: (config: Config) => void): string {
  const next = JSON.parse(readFileSync(live, "utf8")) as Config;
  change(next);
  return site.folder.write("new.json", next);
}

/** How often a link was opened, and how many of its polls failed; a change leaves both alone. */
async function untouched(link: string): Promise<object> {
  const { opens, polls } = (await gateway.get("/links")).body.find((l: any) => l.name === link);
  return { opens, failed: polls[0].failed };
}
const latest = async (stream: string): Promise<any> =>
  (await gateway.get(`/streams/${stream}/latest`)).body;
const health = async (): Promise<any> => (await gateway.get("/health")).body;
const audited = async (code: string): Promise<any> =>
  (await gateway.get("/audit?limit=50")).body.find((row: any) => row.code === code);

test("a rule is added, another changed: no link and no other state is touched", async () => {
  const counted = await until("counted", async () => {
    const row = await latest("total");
    return row?.values.n > 10 ? row : null;
  });
  const before = await untouched("press");
  const hash = (await health()).configHash;
  const file = changed((next) => {
    Object.assign(next.rules, { twice: { sql: "SELECT pressure * 2 AS p FROM press.fast",
      to: ["log"] } });
    next.rules.shown.sql = "SELECT pressure, ceiling FROM press.fast";
  });
  const plan = await gateway.cli("plan", file);
  expect(plan.output).toContain("added    rules.twice");
  expect(plan.output).toContain("restarts shown: its SQL changed");
  expect(plan.output).toContain("It can be applied while it runs");
  expect(plan.output).not.toMatch(/hold|total|Disarmed|Links/);
  expect(plan.code).toBe(0);
  const applied = await gateway.cli("apply", file, "--by", "anna");
  expect([applied.code, applied.output]).toEqual([0, expect.stringContaining("applied")]);
  await until("the new rule runs", async () => (await latest("twice"))?.values.p !== undefined);
  expect((await latest("shown")).values).toHaveProperty("ceiling");
  const { values, sequence } = await latest("total");
  expect(values.n).toBeGreaterThan(counted.values.n);
  // Every row was counted once, over the change.
  expect(values.n - counted.values.n).toBe(sequence - counted.sequence);
  expect(await untouched("press")).toEqual(before);
  expect(readFileSync(live, "utf8")).toBe(readFileSync(file, "utf8"));
  const row = await audited("changed");
  expect(row).toMatchObject({ who: "anna", origin: "config", sentence:
    expect.stringContaining(`${hash} was replaced by ${(await health()).configHash}, policy `) });
}, 120_000);

test("a rule's first sink needs room for its lag: without, it begins anew", async () => {
  const counts = async (): Promise<number[]> =>
    [(await latest("total"))?.values.n ?? 0, (await latest("both"))?.values.n ?? 0];
  await until("counted", async () => (await counts()).every((n) => n > 40));
  const file = changed((next) => {
    Object.assign(next.rules.total, { to: ["log"] });
    Object.assign(next.rules.both, { to: ["log"] });
  });
  // The one's ring of 64 rows is two seconds of its polls, the other's is not.
  const { output } = await gateway.cli("plan", file);
  expect(output).toContain("restarts both: ");
  expect(output).not.toContain("restarts total");
  const [total, both] = await counts();
  expect((await gateway.cli("apply", file, "--by", "anna")).code).toBe(0);
  const row = await until("it runs", async () => {
    const now = await latest("both");
    return now?.values.n > 3 && now;
  });
  expect(row.values.n).toBeLessThan(both!);
  expect((await counts())[0]).toBeGreaterThan(total!);
  for (const rule of ["both", "total"]) {
    await until(`a row of ${rule} is logged`, async () => gateway.program.output
      .includes(`log ${rule}: `));
  }
}, 120_000);

test("what is wrong is refused as check prints it, and the old one runs on", async () => {
  const { configHash } = await health();
  const file = changed((next) => { next.rules.shown.sql = "SELECT presure FROM press.fast"; });
  for (const verb of [["plan", file], ["apply", file, "--by", "anna"]]) {
    const { code, output } = await gateway.cli(...verb);
    expect(code).toBe(1);
    expect(output).toMatch(/new\.json:\d+:\d+ rules\.shown\.sql/);
    expect(output).toContain("pressure");
  }
  const broken = site.folder.write("new.json", "{ not json");
  expect((await gateway.cli("apply", broken, "--by", "anna")).code).toBe(1);
  expect((await gateway.cli("apply", "nowhere.json", "--by", "anna")).output)
    .toContain("There is no file");
  expect((await gateway.cli("apply", file)).output).toContain("--by NAME");
  expect((await gateway.cli("apply", file, "--by", "a", "--confirm", "soon")).output)
    .toContain("1s to 1d");
  expect((await gateway.cli("confirm", "--by", "anna")).output).toContain("No change waits");
  expect((await health()).configHash).toBe(configHash);
  expect(readFileSync(live, "utf8")).toContain("SELECT pressure FROM press.fast");
}, 120_000);

test("only a restart: profile, API, and a policy that lets more through", async () => {
  const cases: [(next: any) => void, string][] = [
    [(next) => { next.gateway.id = "other"; }, "gateway.id differs"],
    [(next) => { next.api.listen = "127.0.0.1:8601"; }, "api differs"],
    [(next) => { next.policy["press.ceiling"].max = 101; },
      "press.ceiling would let more through (max)"],
    [(next) => { next.policy["press.ceiling"].allow.push("rest"); }, "(allow)"],
    [(next) => { next.policy["oven.setpoint"].onLoss.after = "6s"; }, "(onLoss)"],
    [(next) => { next.rules = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`r${i}`,
      { sql: "SELECT avg(pressure) FROM press.fast " +
        `GROUP BY SLIDINGWINDOW(ss, ${300 + i}), ceiling` }]));
    delete next.policy["oven.setpoint"]; }, "does not fit the reserve"],
  ];
  for (const [change, why] of cases) {
    const file = changed(change);
    const plan = await gateway.cli("plan", file);
    expect(plan.output).toContain("Restart needed");
    expect([plan.code, plan.output]).toEqual([1, expect.stringContaining(why)]);
    const apply = await gateway.cli("apply", file, "--by", "anna");
    expect([apply.code, apply.output]).toEqual([1, expect.stringContaining(why)]);
  }
}, 120_000);

test("a force ends with a change that makes its group's rows anew, in the permit too", async () => {
  const permitted = async (): Promise<string> =>
    (await gateway.cli("write", "press.ceiling", "7")).output;
  await gateway.arm("press.ceiling");
  const force = ["force", "press.pressure", "5", "--for", "10m", "--by", "anna"];
  expect((await gateway.cli(...force)).code).toBe(0);
  await until("forced", async () => (await permitted()).includes("forced or disabled"));
  const file = changed((next) => {
    Object.assign(next.devices.press, { groups: { quick: "50ms" } });
    for (const it of Object.values(next.devices.press.tags)) Object.assign(it, { group: "quick" });
    for (const name of ["total", "both", "shown"] as const) {
      next.rules[name].sql = next.rules[name].sql.replace("press.fast", "press.quick");
    }
  });
  expect((await gateway.cli("apply", file, "--by", "anna")).output).toContain("applied");
  await good(gateway, "press.pressure");
  await gateway.arm("press.ceiling");
  expect(await permitted()).toContain("verified");
}, 120_000);

test("W3: what a change touches of the way to a machine is disarmed, the rest is not", async () => {
  await gateway.arm("oven.setpoint");
  await gateway.arm("press.ceiling");
  const armed = async (): Promise<string[]> => (await health()).writing.armed.sort();
  expect(await armed()).toEqual(["oven.setpoint", "press.ceiling"]);
  const others = changed((next) => {
    next.rules.shown.sql = "SELECT pressure + 1 AS p FROM press.fast";
  });
  expect((await gateway.cli("apply", others, "--by", "anna")).code).toBe(0);
  expect(await armed()).toEqual(["oven.setpoint", "press.ceiling"]);
  expect((await gateway.cli("write", "press.ceiling", "7")).output).toContain("verified");

  const own = changed((next) => {
    next.rules.hold.sql = "SELECT temperature + 2 AS t FROM oven.fast";
  });
  const plan = await gateway.cli("plan", own);
  expect(plan.output)
    .toMatch(/Disarmed, until somebody arms again\n  oven\.setpoint \(armed now\)/);
  expect((await gateway.cli("apply", own, "--by", "anna")).code).toBe(0);
  expect(await armed()).toEqual(["press.ceiling"]);
  const refused = await until("refused", async () => {
    const { gate } = (await gateway.get("/tags/oven.setpoint/why")).body;
    return gate?.code === "not-armed" ? gate : null;
  });
  expect(refused.sentence).toContain("the configuration was changed by anna");
  // And it comes back: W18, numbers of rows go on, so that none counts as a repetition.
  await gateway.arm("oven.setpoint");
  await until("written by the changed rule", async () =>
    (await gateway.get("/audit?limit=20&tag=oven.setpoint")).body.some((row: any) =>
      row.origin === "rule:hold" && row.outcome === "verified" && row.arming >= 3));

  const narrower = changed((next) => { next.policy["press.ceiling"].max = 50; });
  expect((await gateway.cli("apply", narrower, "--by", "anna")).code).toBe(0);
  expect(await armed()).toEqual(["oven.setpoint"]);
  await gateway.arm("press.ceiling");
  expect((await gateway.cli("write", "press.ceiling", "60")).output).toContain("outside 0 to 50");
}, 120_000);

test("--confirm: a restart has the old one until then; it goes back or stays", async () => {
  const old = readFileSync(live, "utf8");
  const { configHash } = await health();
  const file = changed((next) => { next.rules.shown.sql = "SELECT ceiling FROM press.fast"; });
  const apply = async (time: string): Promise<void> => {
    const { code, output } = await gateway.cli("apply", file, "--by", "anna", "--confirm", time);
    expect([code, output]).toEqual([0, expect.stringContaining("taken back at")]);
    expect((await health()).unconfirmed).toMatchObject({ by: "anna", before: configHash });
    expect(readFileSync(live, "utf8")).toBe(old);
    await until("it runs", async () => (await latest("shown"))?.values.ceiling !== undefined);
  };
  // So soon over that nobody can be sure to look in between.
  expect((await gateway.cli("apply", file, "--by", "anna", "--confirm", "1s")).output)
    .toContain("taken back at");
  await until("taken back", () => audited("taken-back"));
  expect(await audited("taken-back")).toMatchObject({ who: "nobody confirmed it in time" });
  expect((await health()).configHash).toBe(configHash);
  await until("the old rule", async () => (await latest("shown"))?.values.pressure !== undefined);
  await apply("10m");
  expect((await gateway.cli("apply", file, "--by", "bert")).output).toContain("not confirmed yet");
  expect((await gateway.cli("confirm", "--back", "--by", "anna")).output).toContain("taken back");
  expect((await health()).configHash).toBe(configHash);
  await apply("10m");
  await gateway.stop("SIGKILL");
  gateway = await site.run(live, ["--normal"]);
  expect((await health()).configHash).toBe(configHash);
  await good(gateway, "press.pressure");
  await apply("10m");
  expect((await gateway.cli("confirm", "--by", "bert")).output).toContain("confirmed");
  expect(readFileSync(live, "utf8")).toBe(readFileSync(file, "utf8"));
  expect(await health()).toMatchObject({ unconfirmed: null });
}, 120_000);

test("a device changes: its link begins anew, the other polls on", async () => {
  const before = await untouched("oven");
  const file = changed((next) => {
    Object.assign(next.devices.press.tags, { more: tag("input 0") });
  });
  const plan = await gateway.cli("plan", file);
  expect(plan.output).toContain("restarts press: no polls until it is connected");
  expect(plan.output).toContain("restarts total: what it reads changed: press.fast; lost: what " +
    "acc_count remember");
  expect((await gateway.cli("apply", file, "--by", "anna")).code).toBe(0);
  await good(gateway, "press.more");
  await until("the rule counts anew", async () => (await latest("total"))?.values.n > 3);
  expect(await untouched("oven")).toEqual(before);
  const gone = changed((next) => {
    delete (next.devices as any).press;
    delete (next.links as any).press;
    next.rules = { hold: next.rules.hold } as never;
    delete (next.policy as any)["press.ceiling"];
  });
  expect((await gateway.cli("apply", gone, "--by", "anna")).output).toContain("ends     total");
  expect((await gateway.get("/streams")).body.map((s: any) => s.name).sort())
    .toEqual(["hold", "oven.fast"]);
  expect((await gateway.get("/tags/press.more")).status).toBe(404);
  expect(await gateway.get("/devices/press"))
    .toMatchObject({ status: 404, body: { error: { code: "unknown-device" } } });
}, 120_000);
