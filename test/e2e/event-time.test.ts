import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import mqtt, { type MqttClient } from "mqtt";
import { aedesBroker } from "../connector/broker.ts";
import { until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";

/** Messages out of order, late ones among them, into windows by their own time. */
const minute = 60_000;
const noon = Date.parse("2026-01-31T12:00:00Z");
const folder = workFolder();
let broker: Awaited<ReturnType<typeof aedesBroker>>;
let gateway: RunningGateway;
let client: MqttClient;
const found: { mean: number; at: number }[] = [];

beforeAll(async () => {
  broker = await aedesBroker();
  await broker.start();
  client = await mqtt.connectAsync({ host: "127.0.0.1", port: broker.port });
  await client.subscribeAsync("out", { qos: 1 });
  client.on("message", (_, payload) => found.push(JSON.parse(payload.toString())));
  folder.write("gateway.json", {
    gateway: { id: "event-time" },
    links: { broker: { type: "mqtt", host: "127.0.0.1", port: broker.port } },
    sources: { meters: { type: "mqtt", link: "broker", topic: "in", qos: 1, time: "at",
      columns: { at: "time", power: "float64" } } },
    rules: {
      by_minute: { eventTime: { lateTolerance: "10s" }, to: ["out"],
        sql: "SELECT avg(power) AS mean, window_end() AS at FROM meters GROUP BY " +
          "TUMBLINGWINDOW(mi, 1)" },
      // Over the result of the first, by event time too.
      by_two: { eventTime: { lateTolerance: "0ms", idleTimeout: "10ms" }, to: [],
        sql: "SELECT count(*) AS n FROM by_minute GROUP BY TUMBLINGWINDOW(mi, 2)" },
    },
    sinks: { out: { type: "mqtt", link: "broker", topic: "out", qos: 1 } },
    api: { listen: "127.0.0.1:0" },
  });
  gateway = await RunningGateway.start(join(folder.path, "gateway.json"),
    join(folder.path, "store"));
  await until("the source listens", () => gateway.program.output.includes("subscribed to in"));
}, 120_000);
afterAll(async () => {
  await gateway?.stop();
  await client?.endAsync();
  await broker?.stop();
  folder.remove();
});

const rule = async (name: string): Promise<any> => (await gateway.get(`/rules/${name}`)).body;

test("windows hold what was measured in them, late messages are counted", async () => {
  const send = (seconds: number, power: number): Promise<unknown> => client.publishAsync("in",
    JSON.stringify({ at: noon + 1000 * seconds, power }), { qos: 1 });
  for (const [at, power] of [[10, 1], [58, 3], [61, 30], [55, 5], [69, 30], [58.5, 100],
    [75, 60]] as const) {
    await send(at, power);
  }
  // 58.5 came after 69: a second and a half after the tolerance.
  await until("the first minute", () => found.length === 1);
  expect(found).toEqual([{ mean: 3, at: noon + minute }]);
  await send(140, 0);
  await until("the second minute", () => found.length === 2);
  expect(found[1]).toEqual({ mean: 40, at: noon + 2 * minute });
  expect(await rule("by_minute")).toMatchObject({ rows_in: 8, late: 1, early: 0, errors: 0 });
  const { body } = await gateway.get<string>("/metrics");
  expect(body).toContain('tagwerk_rule_late_total{rule="by_minute"} 1');
  const { body: plan } = await gateway.get("/rules/by_minute/explain");
  expect(JSON.stringify(plan)).toContain("rows in the order of their source time");
}, 120_000);

test("a rule goes by the event time of another's result", async () => {
  // Its newest row is that of 12:02, and no other comes: the clock goes on.
  await until("the first two minutes", async () => (await rule("by_two")).rows_out >= 1);
  expect((await gateway.get("/streams/by_two/latest")).body.values).toEqual({ n: 1 });
}, 120_000);
