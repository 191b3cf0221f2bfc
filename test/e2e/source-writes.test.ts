import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import mqtt, { type MqttClient } from "mqtt";
import { aedesBroker } from "../connector/broker.ts";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** Rules that write a machine by what comes of a source: it runs on another thread than they. */
let broker: Awaited<ReturnType<typeof aedesBroker>>;
let client: MqttClient;
let site: Site;
let gateway: RunningGateway;
const served = 21;
const server = Bun.serve({ hostname: "127.0.0.1", port: 0,
  fetch: () => Response.json([{ target: served }]) });

const written = ["mqtt", "http", "later", "either", "night"];
const hold = (name: string, sql = `SELECT target FROM of_${name}`): object =>
  ({ sql, to: [{ write: `press.${name}`, from: "target" }] });
const tagOf = (name: string, i: number): [string, object] =>
  [name, { at: `holding ${2 * i}`, type: "float32", access: "read-write" }];
const policyOf = (name: string): [string, object] => [`press.${name}`, {
  allow: [`rule:${name}`, "cli"], maxMode: "armed", min: 0, max: 100, minInterval: "20ms",
  onLoss: { after: "30s", value: "hold" } }];
const columns = { target: "float64" };

beforeAll(async () => {
  broker = await aedesBroker();
  await broker.start();
  client = await mqtt.connectAsync({ host: "127.0.0.1", port: broker.port });
  site = await Site.start({
    gateway: { id: "by-source", profile: "generic-1gb" },
    links: { plc: { type: "modbus-tcp", host: "192.0.2.1", timeout: "300ms" },
      oven: { type: "modbus-tcp", host: "192.0.2.2", timeout: "300ms" },
      broker: { type: "mqtt", host: "127.0.0.1", port: broker.port } },
    devices: { oven: { link: "oven", groups: { fast: "100ms" }, tags: {
      level: { at: "input 0", type: "float32" }, on: { static: true }, line: { static: 18 } } },
    press: { link: "plc", groups: { slow: "100ms" },
      tags: Object.fromEntries(written.map(tagOf)) } },
    sources: {
      of_mqtt: { type: "mqtt", link: "broker", topic: "targets", columns },
      of_http: { type: "http", url: `http://127.0.0.1:${server.port}/`, interval: "100ms",
        columns },
    },
    rules: { mqtt: hold("mqtt"), http: hold("http"),
      later: hold("later", "SELECT http AS target FROM press.slow"),
      either: hold("either", "SELECT 5.0 AS target FROM oven.fast WHERE on OR level > 3"),
      night: hold("night", "SELECT CASE WHEN on THEN line ELSE level END AS target " +
        "FROM oven.fast") },
    policy: Object.fromEntries(written.map(policyOf)),
    api: { listen: "127.0.0.1:0" },
  });
  gateway = await site.run(site.live(), ["--normal"]);
  await good(gateway, "press.http");
}, 120_000);
afterAll(async () => {
  await site?.stop();
  await client?.endAsync();
  await broker?.stop();
  await server.stop(true);
});

/** How often it began to be refused because nobody vouches for the row. */
const doubted = async (tag: string): Promise<number> =>
  (await gateway.get("/audit?limit=200")).body.filter((row: any) =>
    row.tag === `press.${tag}` && row.code === "input-doubtful").length;
const writes = (tag: string): number => site.plant.writes("plc").filter(({ bytes }) =>
  Number.parseInt(bytes.slice(16, 20), 16) === 2 * written.indexOf(tag)).length;
const stands = (tag: string, value: number) => until(`${tag} is ${value}`, async () =>
  (await gateway.get(`/tags/press.${tag}`)).body.value === value);

test("a rule writes what each kind of source brings", async () => {
  for (const tag of ["mqtt", "http"]) await gateway.arm(`press.${tag}`);
  await stands("http", served);
  await client.publishAsync("targets", JSON.stringify({ target: 20 }), { qos: 1 });
  await stands("mqtt", 20);
}, 120_000);

test("a rule that reads a source, added or changed while it runs, writes too", async () => {
  const next = JSON.parse(readFileSync(join(site.folder.path, "live.json"), "utf8"));
  next.rules.later = hold("later", "SELECT target + 2.0 AS target FROM of_mqtt");
  next.rules.shown = { sql: "SELECT target FROM of_mqtt", to: [] };
  const file = site.folder.write("new.json", next);
  const applied = await gateway.cli("apply", file, "--by", "anna");
  expect([applied.code, applied.output]).toEqual([0, expect.stringContaining("applied")]);
  for (const tag of ["mqtt", "later"]) await gateway.arm(`press.${tag}`);
  await client.publishAsync("targets", JSON.stringify({ target: 30 }), { qos: 1 });
  await stands("mqtt", 30);
  await stands("later", 32);
  next.rules.later.sql = "SELECT target + 3.0 AS target FROM of_mqtt";
  site.folder.write("new.json", next);
  expect((await gateway.cli("apply", file, "--by", "anna")).output).toContain("applied");
  await gateway.arm("press.later");
  await client.publishAsync("targets", JSON.stringify({ target: 40 }), { qos: 1 });
  await stands("later", 43);
}, 120_000);

test("a constant that decides is written while its device answers, and not while it is silent",
  async () => {
    const tags = ["either", "night"];
    for (const tag of tags) await gateway.arm(`press.${tag}`);
    await stands("either", 5);
    await stands("night", 18);
    const first = await Promise.all(tags.map(doubted));
    await site.plant.command("fault oven silence for 3s");
    await until("refused", async () => (await Promise.all(tags.map(doubted)))
      .every((times, i) => times > first[i]!));
    const before = tags.map(writes);
    expect(Math.min(...before)).toBeGreaterThan(0);
    await Bun.sleep(500);
    expect(tags.map(writes)).toEqual(before);
    await until("written again", () => tags.every((tag, i) => writes(tag) > before[i]!));
  }, 120_000);

test("a retained message writes nothing, whatever the rule makes of it", async () => {
  await client.publishAsync("kept", JSON.stringify({ target: 1 }), { qos: 1, retain: true });
  const next = JSON.parse(readFileSync(join(site.folder.path, "live.json"), "utf8"));
  next.sources.of_kept = { type: "mqtt", link: "broker", topic: "kept", columns };
  next.rules.later = hold("later", "SELECT 7.0 AS target FROM of_kept");
  const file = site.folder.write("new.json", next);
  expect((await gateway.cli("apply", file, "--by", "anna")).output).toContain("applied");
  await until("refused", async () => await doubted("later") > 0);
  await gateway.arm("press.later");
  await client.publishAsync("kept", JSON.stringify({ target: 1 }), { qos: 1 });
  await stands("later", 7);
}, 120_000);
