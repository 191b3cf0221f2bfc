import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../../src/base.ts";
import { monotonic } from "../../src/base/os.ts";
import { Program, until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** A flood of questions must not slow what the machine depends on; `threads: 1`, the worst case. */
const config = {
  gateway: { id: "flood", profile: "generic-512mb" },
  links: { oven: { type: "modbus-tcp", host: "192.0.2.1", timeout: "300ms" } },
  devices: { oven: { link: "oven", groups: { fast: "50ms" }, tags: {
    setpoint: { at: "holding 0", type: "int16", access: "read-write" },
    ...Object.fromEntries(Array.from({ length: 200 }, (_, i) =>
      [`t${i}`, { at: `input ${i}`, type: "int16" }])) } } },
  policy: { "oven.setpoint": { allow: ["cli"], maxMode: "armed", min: 0, max: 100 } },
  api: { listen: "127.0.0.1:0" },
};
/** Refused writes before the flood, so that the audit has something to tell. */
const audit_rows = 2 * limits.audit_rows_max;
const span_ms = 3000;

let site: Site;
let gateway: RunningGateway;
let url: string;
beforeAll(async () => {
  site = await Site.start(config);
  gateway = await site.run();
  url = /http:\/\/127\.0\.0\.1:\d+/.exec(gateway.program.output)![0];
  await good(gateway, "oven.setpoint");
  for (let i = 0; i < audit_rows; i++) {
    await gateway.post("/write", { id: `flood-${i}`, tag: "oven.setpoint", value: 500 });
  }
}, 120_000);
afterAll(() => site?.stop());

/** Answers by status. */
async function flood(
  paths: string, connections: number, ...body: string[]
): Promise<Record<string, number>> {
  const program = new Program([process.execPath, join(import.meta.dir, "flood.ts"), url, paths,
    String(connections), String(span_ms), ...body]);
  await program.child.exited;
  await program.stop();
  return JSON.parse(program.output);
}

/** Polls of the machine from `a` to `b`, a second, once its log is there. */
async function polls(a: number, b: number): Promise<number> {
  await until("the log", () => site.plant.frames().at(-1)!.t >= b);
  return site.plant.answers("oven", 1, a, b) * 1000 / (b - a);
}

const floods = ["/devices,/audit", "/audit?limit=10000"];
test.each(floods)("polls keep their rate under %s", async (paths) => {
  const before = monotonic();
  await Bun.sleep(span_ms);
  const struck = monotonic();
  const statuses = await flood(paths, 8);
  const ended = monotonic();
  expect(Object.keys(statuses)).toEqual(["200"]);
  expect(await polls(struck, ended)).toBeGreaterThanOrEqual(0.95 * await polls(before, struck));
}, 120_000);

test("W4: a flood of disarms is one: one latch file, one line, one row; polls go on", async () => {
  const before = monotonic();
  await Bun.sleep(span_ms);
  const lines = (): number => gateway.program.output.match(/disarmed/g)?.length ?? 0;
  const struck = monotonic();
  const flooding = flood("/disarm", 16, JSON.stringify({ by: "eve" }));
  const latch = join(gateway.store, "latch");
  await until("the latch", () => existsSync(latch));
  const file = statSync(latch).ino;
  const statuses = await flooding;
  const ended = monotonic();
  expect(Object.keys(statuses)).toEqual(["200"]);
  expect(statuses["200"]).toBeGreaterThan(1000);
  expect(await polls(struck, ended)).toBeGreaterThanOrEqual(0.95 * await polls(before, struck));
  expect([statSync(latch).ino, lines()]).toEqual([file, 1]);
  const disarms = async (): Promise<any[]> => ((await gateway.get("/audit")).body as any[])
    .filter((row) => row.code === "disarmed");
  expect(await disarms()).toMatchObject(
    [{ verdict: "act", who: "eve", origin: "rest", source: "127.0.0.1", outcome: "done" }]);
  // Removed by hand it is written again, and lifted it is a disarm like the first.
  unlinkSync(latch);
  expect((await gateway.post("/disarm", { by: "eve" })).body.latched).toBe(true);
  expect([existsSync(latch), lines(), (await disarms()).length]).toEqual([true, 2, 2]);
  await gateway.post("/disarm", { by: "anna", clear: true });
  expect(existsSync(latch)).toBe(false);
  expect((await gateway.post("/disarm", { by: "bob" })).status).toBe(200);
  expect([existsSync(latch), (await gateway.get("/health")).body.writing.latched])
    .toEqual([true, true]);
  const [last, lifted] = (await gateway.get("/audit")).body as any[];
  expect([last, lifted]).toMatchObject([{ code: "disarmed", who: "bob", origin: "cli" },
    { code: "latch-lifted", who: "anna" }]);
}, 120_000);

test("more in flight than the limit: 503, counted; polls, health and disarm go on", async () => {
  const before = monotonic();
  await Bun.sleep(span_ms);
  const struck = monotonic();
  const flooding = flood("/devices,/audit?limit=1000", 2 * limits.api_requests_max);
  await until("it is refused", async () => {
    const response = await fetch(`${url}/devices`);
    const { error } = await response.json() as { error?: { code: string; message: string } };
    return response.status === 503 && error!.code === "api-busy" &&
      error!.message.includes(`${limits.api_requests_max} requests`);
  });
  expect((await fetch(`${url}/health`)).status).toBe(200);
  const asked = monotonic();
  expect((await gateway.cli("disarm", "--by", "test")).code).toBe(0);
  expect(monotonic() - asked).toBeLessThan(limits.disarm_ms_max);
  const statuses = await flooding;
  const ended = monotonic();
  expect(statuses["503"]).toBeGreaterThan(0);
  const metrics = await (await fetch(`${url}/metrics`)).text();
  expect(Number(/^tagwerk_api_refused_total (\d+)$/m.exec(metrics)![1]))
    .toBeGreaterThanOrEqual(statuses["503"]!);
  expect(await polls(struck, ended)).toBeGreaterThanOrEqual(0.95 * await polls(before, struck));
}, 120_000);
