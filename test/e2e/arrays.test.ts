import { afterAll, beforeAll, expect, test } from "bun:test";
import mqtt, { type MqttClient } from "mqtt";
import { aedesBroker } from "../connector/broker.ts";
import { binary, until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** Tags that are arrays, through the compiled binary: from registers to SQL, MQTT and a write. */
const signal = { rawRange: [4000, 20000], euRange: [0, 8], signal: "4-20mA", decimals: 2 };
const config = {
  gateway: { id: "arrays" },
  policy: "file:write-policy.json",
  links: { plc: { type: "modbus-tcp", host: "192.0.2.1" },
    bus: { type: "modbus-rtu", port: "/dev/bus", rs485: "adapter", baud: 115200 } },
  devices: {
    dryer: { link: "plc", groups: { fast: "100ms" }, tags: {
      zones: { at: "holding 100", type: "float32[8]", wordOrder: "CDAB", eu: "°C" },
      counts: { at: "input 0", type: "uint64[3]" },
      levels: { at: "holding 20", type: "uint16[4]", ...signal },
      alarms: { at: "coil 5", type: "bool[10]" },
      flags: { at: "holding 9.12", type: "bool[8]" },
      limit: { at: "holding 200", type: "float32", access: "read-write" },
    } },
    meter: { link: "bus", groups: { fast: "100ms" }, tags: {
      phases: { at: "input 0", type: "int16[3]", scale: 0.1 } } },
  },
  rules: {
    sums: { sql: "SELECT zones, zones[2] AS third, array_max(zones) AS hottest, " +
      "cardinality(alarms) AS n, alarms[9] AS last, flags, counts[1] + 1 AS next FROM dryer.fast",
    to: ["out"] },
    rows: { sql: "SELECT unnest(zones) AS zone FROM dryer.fast" },
    levelled: { sql: "SELECT levels FROM dryer.fast", to: ["changes"] },
    follow: { sql: "SELECT cast(levels[3], 'float') AS top FROM dryer.fast",
      to: [{ write: "dryer.limit", from: "top" }] },
  },
  sinks: {
    out: { type: "mqtt", link: "broker", topic: "out/{rule}", qos: 1 },
    changes: { type: "mqtt", link: "broker", topic: "out/{rule}", quality: true,
      onChange: { deadband: 0.5 } },
  },
  api: { listen: "127.0.0.1:0" },
};
const policy = { "dryer.limit": { allow: ["rule:follow"], maxMode: "armed", min: 0, max: 100,
  minInterval: "1ms", inputMaxAge: "2s", onLoss: { after: "30s", value: "hold" } } };
const steady = (value: number): object => ({ kind: "constant", value });
const plant = {
  ...Object.fromEntries(Array.from({ length: 8 }, (_, i) =>
    [`dryer.zones[${i}]`, steady(20.5 + i)])),
  ...Object.fromEntries([1, 2 ** 52, 3].map((value, i) => [`dryer.counts[${i}]`, steady(value)])),
  ...Object.fromEntries([1, 2, 3, 4].map((value, i) => [`dryer.levels[${i}]`, steady(value)])),
  ...Object.fromEntries(Array.from({ length: 10 }, (_, i) =>
    [`dryer.alarms[${i}]`, steady(i % 3 === 0 ? 1 : 0)])),
  ...Object.fromEntries(Array.from({ length: 8 }, (_, i) =>
    [`dryer.flags[${i}]`, steady(i < 3 ? 1 : 0)])),
  ...Object.fromEntries([231, 229.5, -0.1].map((value, i) =>
    [`meter.phases[${i}]`, steady(value)])),
};

let broker: Awaited<ReturnType<typeof aedesBroker>>;
let client: MqttClient;
let site: Site;
let gateway: RunningGateway;
const found: Record<string, string[]> = {};
beforeAll(async () => {
  broker = await aedesBroker();
  await broker.start();
  client = await mqtt.connectAsync({ host: "127.0.0.1", port: broker.port });
  await client.subscribeAsync("out/#", { qos: 1 });
  client.on("message", (topic, payload) => (found[topic] ??= []).push(payload.toString()));
  const links = { ...config.links, broker: { type: "mqtt", host: "127.0.0.1", port: broker.port } };
  site = await Site.start({ ...config, links },
    { "plant.json": plant, "write-policy.json": policy });
  gateway = await site.run();
  await good(gateway, "dryer.zones");
  await good(gateway, "meter.phases");
}, 120_000);
afterAll(async () => {
  await site?.stop();
  await client?.endAsync();
  await broker?.stop();
});

const tag = async (id: string): Promise<any> => (await gateway.get(`/tags/${id}`)).body;
const zones = [20.5, 21.5, 22.5, 23.5, 24.5, 25.5, 26.5, 27.5];

test("registers, coils and bits are arrays over REST and on the command line", async () => {
  expect(await tag("dryer.zones")).toMatchObject({ value: zones, type: "float32[8]",
    quality: "good", access: "read" });
  expect((await tag("dryer.counts")).value).toEqual([1, 2 ** 52, 3]);
  expect((await tag("dryer.levels")).value).toEqual([1, 2, 3, 4]);
  expect((await tag("dryer.alarms")).value).toEqual(
    [true, false, false, true, false, false, true, false, false, true]);
  expect((await tag("dryer.flags")).value).toEqual(
    [true, true, true, false, false, false, false, false]);
  expect((await tag("meter.phases")).value).toEqual([231, 229.5, -0.1]);
  const shown = `[${zones.join(", ")}]`;
  expect((await gateway.cli("read", "dryer.zones")).output).toContain(shown);
  expect((await gateway.cli("read", "dryer.alarms")).output).toContain("false, … 10 in all]");
  expect((await gateway.cli("watch", "dryer", "--count", "1")).output).toContain(shown);
  expect((await gateway.cli("why", "dryer.zones")).output).toContain(shown);
  const report = await gateway.cli("fat-report", site.folder.path + "/live.json");
  expect(report.output).toContain(shown);
});

test("SQL has items, functions of arrays and rows of items; MQTT has arrays", async () => {
  await until("a message", () => (found["out/sums"]?.length ?? 0) > 0);
  expect(JSON.parse(found["out/sums"]!.at(-1)!)).toEqual({ zones, third: 22.5, hottest: 27.5,
    n: 10, last: true, flags: [true, true, true, false, false, false, false, false],
    next: 2 ** 52 + 1 });
  expect((await gateway.get("/streams/rows/latest")).body.values).toEqual({ "*": { zone: 27.5 } });
});

test("one read has all of an array, each poll", async () => {
  const reads = site.plant.frames().filter(({ link, dir }) => link === "plc" && dir === "in")
    .map(({ bytes }) => bytes.slice(14));
  // Function, first, count: levels come with flags.
  expect([...new Set(reads)].toSorted()).toEqual(
    ["010005000a", "030009000f", "0300640010", "0300c80002", "040000000c"]);
});

test("one bad item is a bad array, with the last good one; a band tells of any item", async () => {
  const told = (): string[] => found["out/levelled"] ?? [];
  const before = told().length;
  await site.plant.command("set dryer.levels[1] 2.4");
  await until("the new value", async () => (await tag("dryer.levels")).value[1] === 2.4);
  expect(told().length).toBe(before);
  await site.plant.command("set dryer.levels[3] 4.6");
  await until("the change is told", () => told().length === before + 1);
  expect(JSON.parse(told().at(-1)!).levels).toEqual([1, 2.4, 3, 4.6]);
  await site.plant.command("set dryer.levels[0] -1");
  await until("a broken wire", async () =>
    (await tag("dryer.levels")).quality === "bad:underrange");
  expect((await tag("dryer.levels")).value).toEqual([1, 2.4, 3, 4.6]);
  expect((await tag("dryer.zones")).quality).toBe("good");
  await until("the quality is told", () => told().length === before + 2);
  expect(told().at(-1)).toContain("bad:underrange");
  await site.plant.command("set dryer.levels[0] 8.4");
  await until("further out", async () =>
    (await tag("dryer.levels")).quality === "uncertain:saturated");
  await site.plant.command("release dryer.levels[0]");
  await good(gateway, "dryer.levels");
});

test("what a rule makes of a good array is written, and of a bad one nothing", async () => {
  await gateway.arm("dryer.limit");
  await until("it follows", async () => Math.abs((await tag("dryer.limit")).value - 4.6) < 1e-6);
  await site.plant.command("set dryer.levels[0] 8.4");
  await until("uncertain", async () =>
    (await tag("dryer.levels")).quality === "uncertain:saturated");
  await until("the gate refuses", async () => {
    const { body } = await gateway.get("/tags/dryer.limit/why");
    return body.gate?.code === "input-bad";
  });
  expect((await tag("dryer.limit")).value).toBeCloseTo(4.6, 5);
});

test("an array is not forced, and not written", async () => {
  const forced = await gateway.cli("force", "dryer.zones", "5", "--for", "1m", "--by", "test");
  expect([forced.code, forced.output]).toEqual([1, expect.stringContaining(
    "dryer.zones is an array, which cannot be forced")]);
  const written = await gateway.post("/write",
    { id: "t-1", tag: "dryer.zones", value: 1, within: "5s" });
  expect(written.body).toMatchObject({ outcome: "refused" });
});

test("check says what an array costs, and what of it cannot be", async () => {
  const file = site.folder.write("wrong.json", { ...config, policy: {}, rules: {}, sinks: {},
    devices: { dryer: { ...config.devices.dryer, tags: {
      long: { at: "holding 0", type: "float32[63]" },
      set: { at: "holding 0", type: "int16[4]", access: "read-write" } } } } });
  const { exitCode, stdout, stderr } = Bun.spawnSync([await binary(), "check", file]);
  expect(exitCode).toBe(1);
  expect(`${stdout}${stderr}`).toContain("at most 62 items here, or two tags");
  expect(`${stdout}${stderr}`).toContain("an array is only read in this version");
});
