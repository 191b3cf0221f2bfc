import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../../src/base.ts";
import { binary, Program, until } from "../support/binary.ts";
import { good, Site } from "../support/plant.ts";

/** Starting, and starting again: W5, W23, W25, safe mode, and what a wrong configuration does. */
const config = {
  gateway: { id: "starting" },
  links: { oven: { type: "modbus-tcp", host: "192.0.2.1" } },
  devices: { oven: { link: "oven", groups: { fast: "100ms" }, tags: {
    temperature: { at: "input 0", type: "int16" },
    setpoint: { at: "holding 0", type: "int16", access: "read-write" } } } },
  rules: { warm: { sql: "SELECT temperature FROM oven.fast", to: ["log"] } },
  sinks: { log: { type: "log" } },
  policy: { "oven.setpoint": { allow: ["cli"], maxMode: "armed", min: 0, max: 100 } },
  api: { listen: "127.0.0.1:0" },
  store: { directory: "./real-store" },
};

let site: Site;
beforeAll(async () => { site = await Site.start(config); });
afterAll(() => site?.stop());

async function once(...args: string[]): Promise<{ code: number; output: string }> {
  const program = new Program([await binary(), ...args], { cwd: site.folder.path });
  const code = await program.child.exited;
  await program.stop();
  return { code, output: program.output };
}

test("a configuration that is wrong ends with exit code 1 and says where", async () => {
  site.folder.write("wrong.json", { ...config, links: { oven: { type: "modbus-tcp",
    hots: "192.0.2.1" } } });
  const run = await once("run", "wrong.json", "--store", "never-good");
  expect(run.code).toBe(1);
  expect(run.output).toContain("host");
  const { code, output } = await once("check", "wrong.json");
  expect(code).toBe(1);
  expect(output).toMatch(/wrong\.json:\d+:\d+ links\.oven.*host/s);
});

test("run: the process that was started, its words kept, its collector paced", async () => {
  const gateway = await site.run();
  const of = (what: string): string[] =>
    readFileSync(`/proc/${gateway.program.pid}/${what}`, "utf8").split("\0");
  expect(of("environ")).toContain(`BUN_JSC_forceRAMSize=${limits.collector_memory_bytes}`);
  expect(of("environ")).toContain(`PATH=${process.env["PATH"]}`);
  expect(of("cmdline").slice(1, 2)).toEqual(["run"]);
  expect(of("cmdline")).toContain(site.store);
  expect(await gateway.stop()).toBe(0);
});

test("W23: a second instance on one store is refused, with the pid of the first", async () => {
  const gateway = await site.run();
  const { code, output } = await once("run", "live.json", "--store", site.store);
  expect(code).toBe(1);
  expect(output).toContain(`process ${gateway.program.pid} runs on`);
  // The first does not mind.
  await good(gateway, "oven.temperature");
  expect(await gateway.stop()).toBe(0);
});

test("W25: a simulation has a store of its own, and its arming stays there", async () => {
  const program = new Program([await binary(), "run", "gateway.json", "--links",
    "sim-links.json"], { cwd: site.folder.path });
  const own = join(site.folder.path, "real-store-simulation");
  await until("simulation up", () => existsSync(join(own, "tagwerk.sock")));
  const armed = await until("armed", async () => {
    const answer = await once("arm", "oven.setpoint", "--for", "1m", "--by", "test", "--yes");
    return answer.code === 0 ? answer : null;
  });
  expect(armed.output).toContain("is armed until");
  await program.stop();
  expect(existsSync(join(site.folder.path, "real-store"))).toBe(false);
});

test("W5: a rejected configuration: the last good pair runs, with writing off", async () => {
  const live = site.live();
  const before = await site.run(live);
  await good(before, "oven.setpoint");
  await before.stop();
  site.live({}, { rules: { warm: { sql: "SELECT temperatur FROM oven.fast", to: ["log"] } } });
  const gateway = await site.run(live);
  expect(gateway.program.output).toContain("temperatur");
  const { status, body } = await gateway.get("/health");
  expect([status, body.status]).toEqual([503, "config-rejected"]);
  await good(gateway, "oven.setpoint");
  const arm = await gateway.cli("arm", "oven.setpoint", "--for", "1m", "--by", "t", "--yes");
  expect(arm.code).toBe(1);
  expect(arm.output).toContain("config-rejected");
  const write = await gateway.cli("write", "oven.setpoint", "20");
  expect(write.output).toContain("rejected");
  await until("the rule of the last good pair runs", async () =>
    (await gateway.get("/rules/warm")).body.rows_out > 0);
  await gateway.stop();
  const again = await site.run(site.live());
  expect((await again.get("/health")).body.status).not.toBe("config-rejected");
  await again.stop();
}, 120_000);

test("the third start without an orderly stop is safe mode; --normal leaves it", async () => {
  for (const expected of ["ok", "ok", "safe-mode"]) {
    const gateway = await site.run();
    await good(gateway, "oven.temperature");
    const { body } = await gateway.get("/health");
    expect(body.status).toBe(expected);
    if (expected === "safe-mode") {
      const why = "rules, models and writes are off; run --normal leaves it";
      expect(body.troubles[0]).toContain(why);
      const { rows_out, state, reason } = (await gateway.get("/rules/warm")).body;
      expect([rows_out, state, reason]).toEqual([0, "off", expect.stringContaining(why)]);
      expect((await gateway.cli("rules")).output).toContain(why);
      expect((await gateway.cli("why", "oven.temperature")).output).toContain(`  off      `);
      const start = await gateway.cli("rules", "start", "warm", "--by", "t");
      expect([start.code, start.output]).toEqual([1, expect.stringContaining(why)]);
      const arm = await gateway.cli("arm", "oven.setpoint", "--for", "1m", "--by", "t", "--yes");
      expect(arm.output).toContain("safe mode");
    }
    await gateway.stop("SIGKILL");
  }
  const normal = await site.run(site.live(), ["--normal"]);
  expect((await normal.get("/health")).body.status).not.toBe("safe-mode");
  await until("rules run", async () => (await normal.get("/rules/warm")).body.rows_out > 0);
  await normal.stop();
  expect(site.plant.writes("oven")).toEqual([]);
}, 120_000);
