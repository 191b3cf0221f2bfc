import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { limits } from "../../src/base.ts";
import { Program, until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** A flood of questions must not slow what the machine depends on; `threads: 1`, the worst case. */
const config = {
  gateway: { id: "flood", profile: "generic-512mb" },
  links: { oven: { type: "modbus-tcp", host: "192.0.2.1", timeout: "2s" } },
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
/** Requests of one poll: two for the 200 inputs, one for the setpoint. */
const requests = 3;

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

/** On machines of few cores it takes none from those whom it floods. */
function startFlood(paths: string, connections: number, ...body: string[]): Program {
  return new Program(["nice", "-n", "10", process.execPath,
    join(import.meta.dir, "flood.ts"), url, paths, String(connections), String(span_ms), ...body]);
}

/** Answers by status, at its end. */
async function statusesOf(flood: Program): Promise<Record<string, number>> {
  await flood.child.exited;
  await flood.stop();
  return JSON.parse(flood.output.trim().split("\n").at(-1)!);
}

async function expectPollsGoOn(strike: () => Promise<unknown>): Promise<void> {
  const share = await site.plant.shareDuring("oven", requests, span_ms, 0.95, strike);
  expect(share).toBeGreaterThanOrEqual(0.95);
}

const floods = ["/devices,/audit", "/audit?limit=10000"];
test.each(floods)("polls keep their rate under %s", async (paths) => {
  await expectPollsGoOn(async () => {
    expect(Object.keys(await statusesOf(startFlood(paths, 8)))).toEqual(["200"]);
  });
}, 120_000);

test("W4: a flood of disarms is one: one latch file, one line, one row; polls go on", async () => {
  const lines = (): number => gateway.program.output.match(/disarmed/g)?.length ?? 0;
  const latch = join(gateway.store, "latch");
  let file = 0;
  await expectPollsGoOn(async () => {
    const flood = startFlood("/disarm", 16, JSON.stringify({ by: "eve" }));
    await until("the latch", () => existsSync(latch));
    if (file === 0) file = statSync(latch).ino;
    const statuses = await statusesOf(flood);
    expect(Object.keys(statuses)).toEqual(["200"]);
    expect(statuses["200"]).toBeGreaterThan(100);
  });
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
  await expectPollsGoOn(async () => {
    const flood = startFlood("/devices,/audit?limit=1000", 2 * limits.api_requests_max);
    const refused = await until("it is refused", () => /^.*\n/.exec(flood.output)?.[0]);
    expect(JSON.parse(refused).error).toMatchObject({ code: "api-busy",
      message: expect.stringContaining(`${limits.api_requests_max} requests`) });
    expect((await fetch(`${url}/health`)).status).toBe(200);
    // Its own bound is `disarm_ms_max`: past that it kills the runtime, and says so.
    const { code, output } = await gateway.cli("disarm", "--by", "test");
    expect([code, output]).toEqual([0, expect.stringContaining("nothing can leave")]);
    const statuses = await statusesOf(flood);
    expect(statuses["503"]).toBeGreaterThan(0);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(Number(/^tagwerk_api_refused_total (\d+)$/m.exec(metrics)![1]))
      .toBeGreaterThanOrEqual(statuses["503"]!);
  });
}, 120_000);
