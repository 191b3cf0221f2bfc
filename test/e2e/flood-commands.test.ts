import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import mqtt from "mqtt";
import { aedesBroker } from "../connector/broker.ts";
import { Program, until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** W17: a flood on the command topic; `threads: 1`, the worst case. */
const topic = "flood/write";
const config = {
  gateway: { id: "flood", profile: "generic-512mb" },
  links: {
    oven: { type: "modbus-tcp", host: "192.0.2.1", timeout: "2s" },
    broker: { type: "mqtt", host: "192.0.2.2" },
  },
  devices: { oven: { link: "oven", groups: { fast: "20ms" }, tags: {
    setpoint: { at: "holding 0", type: "int16", access: "read-write" } } } },
  commands: { link: "broker", topic },
  policy: { "oven.setpoint": { allow: ["mqtt"], maxMode: "armed", min: 0, max: 100 } },
  api: { listen: "127.0.0.1:0" },
};
const span_ms = 6000;
/** Some times what ended the process before there was a bound. */
const messages_s = 3000;

let site: Site;
let gateway: RunningGateway;
let broker: Awaited<ReturnType<typeof aedesBroker>>;
beforeAll(async () => {
  broker = await aedesBroker();
  await broker.start();
  site = await Site.start(config);
  gateway = await site.run(site.live({ broker: { host: "127.0.0.1", port: broker.port } }));
  await good(gateway, "oven.setpoint");
  await until("commands are taken", async () => ((await gateway.get("/links")).body as any[])
    .find((link) => link.name === "broker").state === "open");
}, 120_000);
afterAll(async () => {
  await site?.stop();
  await broker?.stop();
});

/** A flood, in which somebody asks and disarms; how many messages it had. */
async function strike(): Promise<number> {
  const dropped = async (): Promise<number> => (await gateway.get("/health")).body.lost.commands;
  const before = await dropped() ?? 0;
  const flood = new Program(["nice", "-n", "10", process.execPath,
    join(import.meta.dir, "flood-commands.ts"), String(broker.port), topic, String(messages_s),
    String(span_ms)]);
  await until("messages are dropped", async () => await dropped() > before);
  expect((await gateway.get("/links")).status).toBe(200);
  const client = await mqtt.connectAsync({ host: "127.0.0.1", port: broker.port });
  await client.publishAsync(topic, JSON.stringify({ disarm: "test" }), { qos: 1 });
  await until("the latch", async () => (await gateway.get("/health")).body.writing.latched);
  expect(flood.child.exitCode, "the flood goes on").toBeNull();
  await client.endAsync();
  await gateway.cli("disarm", "--clear", "--by", "test");
  expect(await flood.child.exited).toBe(0);
  await flood.stop();
  return (JSON.parse(flood.output) as { sent: number }).sent;
}

test("polls and questions go on, disarm comes through, what is dropped is counted", async () => {
  let sent = 0;
  expect(await site.plant.shareDuring("oven", 1, span_ms / 2, 0.95, async () => {
    sent += await strike();
  })).toBeGreaterThanOrEqual(0.95);
  const { lost, writing } = (await gateway.get("/health")).body;
  expect(writing.audit).toBe("ok");
  expect(lost.commands).toBeGreaterThan(sent / 2);
  const rows = (await gateway.get("/audit?limit=1000")).body as any[];
  const junk = rows.filter((row) => row.code === "malformed");
  expect(junk).toMatchObject([{ verdict: "withheld", origin: "mqtt", who: topic }]);
  expect(junk[0].count).toBeGreaterThan(1);
  // W21: what was taken, and had an id, has a row of its own.
  const own = rows.filter((row) => row.id?.startsWith("flood-"));
  expect(own.length).toBeGreaterThan(1);
  expect(own.every((row) => row.verdict === "refused" && row.count === 1)).toBe(true);
}, 120_000);
