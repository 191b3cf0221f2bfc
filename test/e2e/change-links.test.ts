import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import mqtt from "mqtt";
import { aedesBroker } from "../connector/broker.ts";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** Changes of what is open only once: buses, brokers, and what goes over them. */
const bus = (name: string): object =>
  ({ type: "modbus-rtu", port: `/dev/${name}`, rs485: "adapter", baud: 115200, timeout: "100ms" });
const meter = (link: string): object => ({ link, groups: { fast: "100ms" }, tags: {
  power: { at: "input 0", type: "int16" },
  target: { at: "holding 0", type: "int16", access: "read-write" } } });
const config = {
  gateway: { id: "change-links" },
  links: { "bus-a": bus("bus-a"), "bus-b": bus("bus-b"),
    broker: { type: "mqtt", host: "192.0.2.2" } },
  devices: { a: meter("bus-a"), b: meter("bus-b") },
  sources: { asked: { type: "mqtt", link: "broker", topic: "asked", columns: { n: "int32" } } },
  rules: {
    both: { sql: "SELECT power FROM b.fast", to: ["out"] },
    count: { sql: "SELECT acc_count(n) AS n FROM asked" },
  },
  sinks: { out: { type: "mqtt", link: "broker", topic: "out" } },
  policy: Object.fromEntries(["a", "b"].map((device) => [`${device}.target`,
    { allow: ["cli"], maxMode: "armed", min: 0, max: 100, minInterval: "20ms" }])),
  api: { listen: "127.0.0.1:0" },
};

let site: Site;
let broker: Awaited<ReturnType<typeof aedesBroker>>;
let gateway: RunningGateway;
let client: mqtt.MqttClient;
let live: string;
const heard: string[] = [];
beforeAll(async () => {
  broker = await aedesBroker();
  await broker.start();
  site = await Site.start(config);
  live = site.live({ broker: { host: "127.0.0.1", port: broker.port } });
  gateway = await site.run(live);
  client = await mqtt.connectAsync({ host: "127.0.0.1", port: broker.port });
  client.on("message", (topic) => heard.push(topic));
  await client.subscribeAsync("#");
  await good(gateway, "a.power");
  await good(gateway, "b.power");
}, 120_000);
afterAll(async () => {
  await client?.endAsync();
  await site?.stop();
  await broker?.stop();
});

async function apply(change: (config: any) => void): Promise<string> {
  const next = JSON.parse(readFileSync(live, "utf8"));
  change(next);
  const { code, output } = await gateway.cli("apply",
    site.folder.write("new.json", next), "--by", "anna");
  expect([code, output]).toEqual([0, expect.stringContaining("applied")]);
  return output;
}
const link = async (name: string): Promise<any> =>
  (await gateway.get("/links")).body.find((one: any) => one.name === name);
const counted = async (): Promise<number> =>
  (await gateway.get("/streams/count/latest")).body?.values.n ?? 0;
const newest = async (): Promise<number> =>
  (await gateway.get("/streams/asked/latest")).body?.values.n;
let asked = 0;
/** Asks, each time by another number, until the newest was heard: nothing is under way then. */
async function asks(topic: string): Promise<void> {
  await until(`${topic} is heard`, async () => {
    await client.publishAsync(topic, JSON.stringify({ n: ++asked }));
    return until("it", async () => await newest() === asked, 1000).catch(() => false);
  });
}

test("a bus with another device begins anew with its port, the other stays armed", async () => {
  await gateway.arm("a.target");
  await gateway.arm("b.target");
  const other = (await link("bus-a")).opens;
  const output = await apply((next) => {
    next.devices.b.tags.more = { at: "input 0", type: "uint16" };
  });
  expect(output).toContain("restarts bus-b: no polls for some 2 s: it listens before it speaks");
  expect(output).toContain("b.target (armed now)");
  // The line's own arithmetic: 8 + 5 + 2 characters and a silence, three reads in 100 ms.
  expect(output).toMatch(/bus-b +1 +[23]0\.0 +\d\.\d % +\d\.\d %/);
  expect((await gateway.get("/health")).body.writing.armed).toEqual(["a.target"]);
  expect((await gateway.cli("write", "a.target", "7")).output).toContain("verified");
  await good(gateway, "b.more");
  expect((await link("bus-a")).opens).toBe(other);
  expect((await gateway.cli("write", "b.target", "7")).output).toContain("not armed");
  await gateway.arm("b.target");
  expect((await gateway.cli("write", "b.target", "8")).output).toContain("verified");
}, 120_000);

test("a latch is heeded by a bus that a change opened", async () => {
  const latch = await gateway.cli("write", "b.target", "9");
  expect(latch.output).toContain("verified");
  expect((await gateway.post("/disarm", { by: "bert" })).status).toBe(200);
  await apply((next) => { delete next.devices.b.tags.more; });
  await good(gateway, "b.power");
  expect((await gateway.cli("write", "b.target", "10")).output).toMatch(/latched|disarmed/);
  const arm = await gateway.cli("arm", "b.target", "--for", "1m", "--by", "t", "--yes");
  expect([arm.code, arm.output]).toEqual([1, expect.stringContaining("disarmed by bert")]);
  expect((await gateway.post("/disarm", { by: "bert", clear: true })).status).toBe(200);
  await gateway.arm("b.target");
  expect((await gateway.cli("write", "b.target", "11")).output).toContain("verified");
}, 120_000);

test("a source listens to another topic, and its readers keep what they know", async () => {
  await asks("asked");
  const before = await counted();
  await apply((next) => { next.sources.asked.topic = "asked/else"; });
  await asks("asked/else");
  expect(await counted()).toBeGreaterThan(before);
  // Nothing of the old topic.
  const { received } = (await link("broker")).counters;
  await client.publishAsync("asked", JSON.stringify({ n: 77 }));
  const first = asked;
  await asks("asked/else");
  expect((await link("broker")).counters.received).toBe(received + asked - first);
}, 120_000);

test("a sink goes elsewhere; a broker's settings: one client, opened anew", async () => {
  await until("out", () => heard.includes("out"));
  await apply((next) => { next.sinks.out.topic = "out/{rule}"; });
  await until("out/both", () => heard.includes("out/both"));
  const from = heard.length;
  await until("goes on", () => heard.length > from + 5);
  expect(heard.slice(from)).not.toContain("out");
  const output = await apply((next) => { next.links.broker.keepalive = "30s"; });
  expect(output).toContain("restarts broker: rows wait in their streams until it is connected");
  const since = heard.length;
  await until("goes on", () => heard.length > since + 5);
  await asks("asked/else");
  await apply((next) => {
    delete next.sources.asked;
    delete next.rules.count;
    next.rules.both.to = [];
    delete next.sinks.out;
    delete next.links.broker;
  });
  await until("the broker's link is gone", async () => (await link("broker")) === undefined);
  // What it had sent before comes before this.
  await client.publishAsync("end", "");
  await until("the end", () => heard.includes("end"));
  const silent = heard.length;
  await until("polls go on", async () => (await link("bus-a")).polls[0].polls > 0);
  await Bun.sleep(500);
  expect(heard.length).toBeLessThanOrEqual(silent + 1);
}, 120_000);
