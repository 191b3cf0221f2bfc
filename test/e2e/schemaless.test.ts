import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import mqtt, { type MqttClient } from "mqtt";
import { aedesBroker } from "../connector/broker.ts";
import { binary, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";

/** Messages of any form from a broker through the compiled binary, and out again. */
const threads = Number(process.env["THREADS"] ?? 1);
const folder = workFolder();
let broker: Awaited<ReturnType<typeof aedesBroker>>;
let client: MqttClient;
let gateway: RunningGateway;
const found: Record<string, any[]> = {};

beforeAll(async () => {
  await binary();
  broker = await aedesBroker();
  await broker.start();
  client = await mqtt.connectAsync({ host: "127.0.0.1", port: broker.port });
  await client.subscribeAsync("out/#", { qos: 1 });
  client.on("message", (topic, payload) =>
    (found[topic.slice("out/".length)] ??= []).push(JSON.parse(payload.toString())));
  const rules = {
    paths: "SELECT motor->phases[0]->current AS current, motor->name AS name, level + 1 AS next " +
      "FROM any WHERE level >= 0",
    whole: "SELECT * FROM any WHERE keep = true",
    kinds: "SELECT value, cast(value, 'string') AS text, value = 1 AS one FROM any " +
      "WHERE kind = 'v'",
    totals: "SELECT device, count(*) AS n, sum(level) AS total FROM any WHERE device = 'a' " +
      "GROUP BY device",
  };
  const file = folder.write("gateway.json", {
    gateway: { id: "any", profile: threads === 1 ? "generic-512mb" : "generic-1gb" },
    links: { broker: { type: "mqtt", host: "127.0.0.1", port: broker.port } },
    sources: { any: { type: "mqtt", link: "broker", topic: "in/+", valueBytes: 32,
      messageBytes: 256 } },
    rules: Object.fromEntries(Object.entries(rules)
      .map(([name, sql]) => [name, { sql, to: ["out"] }])),
    sinks: { out: { type: "mqtt", link: "broker", topic: "out/{rule}", quality: true } },
    api: { listen: "127.0.0.1:0" },
  });
  gateway = await RunningGateway.start(file, join(folder.path, "store"));
  await until("subscribed", () => gateway.program.output.includes("subscribed to in/+"));
}, 120_000);
afterAll(async () => {
  await gateway?.stop();
  await client?.endAsync();
  await broker?.stop();
  folder.remove();
});

const send = (topic: string, ...messages: unknown[]): Promise<unknown> =>
  Promise.all(messages.map((message) => client.publishAsync(`in/${topic}`,
    typeof message === "string" ? message : JSON.stringify(message), { qos: 1 })));
const rows = (rule: string, n: number) =>
  until(`${n} rows of ${rule}`, () => (found[rule]?.length ?? 0) >= n && found[rule]);

test("paths lead into a message; what one does not have is NULL, and is named", async () => {
  await send("a", { level: 1.5, motor: { name: "M1", phases: [{ current: 7 }, {}] } },
    { level: 2, motor: { phases: [] } }, { level: 3 }, { motor: { name: "no level" } });
  const [one, two, three] = await rows("paths", 3);
  expect(one).toEqual({ current: 7, name: "M1", next: 2.5 });
  expect(two).toMatchObject({ current: null, name: null, next: 3 });
  expect(three).toMatchObject({ current: null, name: null, next: 4 });
  expect(found["paths"]!.length).toBe(3);
});

test("SELECT * gives a message whole, whatever its fields are", async () => {
  const one = { keep: true, a: { b: [1, "x", null] }, "odd name": "é" };
  const two = { z: false, keep: true };
  await send("b", one, { keep: false, a: 1 }, two);
  const got = await rows("whole", 2);
  expect(got.map(({ quality, ...fields }: any) => fields)).toEqual([one, two]);
});

test("a field may be of another kind in each message", async () => {
  await send("c", ...[1, "1", true, [1, 2], { a: 1 }, null, "x".repeat(40)]
    .map((value) => ({ kind: "v", value })));
  const got = await rows("kinds", 7);
  expect(got.slice(0, 6).map(({ value }: any) => value)).toEqual([1, "1", true, [1, 2], { a: 1 },
    null]);
  expect(got.slice(0, 3).map(({ text }: any) => text)).toEqual(["1", "1", "true"]);
  expect(got[0].one).toBe(true);
  // Longer than `valueBytes`.
  expect(got[6]).toMatchObject({ value: null, quality: { value: "error:length" } });
});

test("totals by a field; a damaged message is counted, and costs nothing else", async () => {
  await send("d", { device: "a", level: 1 }, "{no json", { device: "b", level: 9 },
    { device: "a", level: 2.5 });
  expect((await rows("totals", 2))[1]).toMatchObject({ device: "a", n: 2, total: 3.5 });
  const { source } = (await gateway.get("/streams")).body
    .find(({ name }: { name: string }) => name === "any");
  expect(source).toMatchObject({ state: "open", dropped: 1 });
  expect(source.lastError).toStartWith("any: ");
});
