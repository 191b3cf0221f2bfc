import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** Alarms of two ovens, acknowledged and shelved by the compiled binary's command line. */
const oven = (station: number) => ({ link: "plc", station, groups: { fast: "100ms" }, tags: {
  temperature: { at: "input 0", type: "float32" } } });
const config = {
  gateway: { id: "alarms" },
  links: { plc: { type: "modbus-tcp", host: "192.0.2.1", timeout: "2s" } },
  devices: { "oven-1": oven(1), "oven-2": oven(2) },
  rules: { watch: { sql: "SELECT device, alarm(temperature > 90, 200ms, 200ms, 'overheat') " +
    "OVER (PARTITION BY device KEYS 16) AS state FROM oven-*.fast" } },
  api: { listen: "127.0.0.1:0", token: "file:token" },
};
const plant = Object.fromEntries(["oven-1", "oven-2"].map((name) =>
  [`${name}.temperature`, { kind: "constant", value: 50 }]));

let site: Site;
let gateway: RunningGateway;
const state = async (alarm: string): Promise<string | undefined> =>
  (await gateway.get("/alarms")).body.find((a: { alarm: string }) => a.alarm === alarm)?.state;
const becomes = (alarm: string, wanted: string): Promise<unknown> =>
  until(`${alarm} ${wanted}`, async () => await state(alarm) === wanted, 60_000);

beforeAll(async () => {
  site = await Site.start(config, { "plant.json": plant, token: "secret" });
  gateway = await site.run();
  await good(gateway, "oven-1.temperature");
  await becomes("overheat.oven-2", "normal");
}, 120_000);
afterAll(() => site?.stop());

test("an alarm comes, is acknowledged by name and key, and goes", async () => {
  await site.plant.command("set oven-1.temperature 95");
  await becomes("overheat.oven-1", "unacknowledged");
  expect(await state("overheat.oven-2")).toBe("normal");
  const { code, output } = await gateway.cli("ack", "overheat.oven-1", "--by", "Ada");
  expect([code, output]).toEqual([0, expect.stringContaining("acknowledged")]);
  await becomes("overheat.oven-1", "acknowledged");
  await site.plant.command("release oven-1.temperature");
  await becomes("overheat.oven-1", "normal");
}, 120_000);

test("what cannot be is refused with what was meant", async () => {
  const refused = async (...args: string[]): Promise<string> => {
    const { code, output } = await gateway.cli(...args);
    expect(code).not.toBe(0);
    return output;
  };
  expect(await refused("ack", "overheat.oven-1", "--by", "Ada"))
    .toContain("nothing to acknowledge");
  expect(await refused("ack", "overheat", "--by", "Ada")).toContain("did you mean overheat.oven-1");
  expect(await refused("ack", "overheet.oven-1", "--by", "Ada")).toContain("unknown-alarm");
  expect(await refused("ack", "overheat.oven-1")).toContain("--by");
  expect(await refused("shelve", "overheat.oven-1", "--by", "Ada", "--for", "9d"))
    .toContain("body");
});

test("what is on the shelf stays there over a kill, and each act is on record", async () => {
  const { output } = await gateway.cli("shelve", "overheat.oven-2", "--by", "Bea", "--for", "30m");
  expect(output).toContain("shelved");
  await site.plant.command("set oven-2.temperature 95");
  await Bun.sleep(500);
  expect(await state("overheat.oven-2")).toBe("shelved");
  await gateway.stop("SIGKILL");
  gateway = await site.run();
  await becomes("overheat.oven-2", "shelved");
  await gateway.cli("shelve", "overheat.oven-2", "--by", "Bea", "--for", "0s");
  await becomes("overheat.oven-2", "unacknowledged");
  const { body } = await gateway.get("/audit?tag=overheat.oven-2");
  expect(body.map((row: Record<string, unknown>) => [row["verdict"], row["outcome"], row["who"],
    row["origin"]])).toEqual([["act", "unshelve", "Bea", "cli"], ["act", "shelve", "Bea", "cli"]]);
  const listed = await gateway.cli("audit", "overheat.oven-1");
  expect(listed.output).toContain("ack");
}, 120_000);

test("over the network only with the token", async () => {
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(gateway.program.output)![0];
  const ack = (headers: Record<string, string>): Promise<Response> =>
    fetch(`${url}/alarms/overheat.oven-2/ack`, { method: "POST", body: '{"by":"Cyd"}',
      headers: { "content-type": "application/json", ...headers } });
  expect((await ack({})).status).toBe(401);
  const done = await ack({ authorization: "Bearer secret" });
  const { state: now } = (await done.json()) as { state: string };
  expect([done.status, now]).toEqual([200, "acknowledged"]);
});
