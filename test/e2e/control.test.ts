import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** A loop that pid() closes around a simulated vessel, in the compiled binary. */
const config = {
  gateway: { id: "control" },
  links: { plc: { type: "modbus-tcp", host: "192.0.2.1", timeout: "300ms" } },
  devices: { vessel: { link: "plc", groups: { fast: "100ms" }, tags: {
    temperature: { at: "input 0", type: "float32", eu: "°C" },
    valve: { at: "holding 0", type: "float32", eu: "%", access: "read-write" },
    auto: { at: "discrete 0", type: "bool" },
  } } },
  rules: { hold: {
    sql: "SELECT pid(temperature, 60, 8, 3s, 0, 0, 100, 1s, valve, auto) AS valve_out FROM " +
      "vessel.fast",
    to: [{ write: "vessel.valve", from: "valve_out" }],
  } },
  policy: { "vessel.valve": { allow: ["rule:hold"], maxMode: "armed", min: 0, max: 100,
    minInterval: "1ms", inputMaxAge: "500ms", deadband: 0.01,
    onLoss: { after: "5s", value: "hold" } } },
  api: { listen: "127.0.0.1:0" },
};
const plant = {
  "vessel.valve": { kind: "follow", value: 25 },
  "vessel.auto": { kind: "constant", value: false },
  // 20 °C to 100 °C over the whole valve.
  "vessel.temperature": { kind: "vessel", valve: "vessel.valve", ambient: 20, gain: 0.8,
    tau: "2s", start: 40 },
};

let site: Site;
let gateway: RunningGateway;
const value = async (tag: string): Promise<number> =>
  (await gateway.get(`/tags/vessel.${tag}`)).body.value as number;

beforeAll(async () => {
  site = await Site.start(config, { "plant.json": plant });
  gateway = await site.run();
  await good(gateway, "vessel.temperature");
}, 120_000);
afterAll(() => site.stop());

test("in shadow nothing leaves; armed on manual it leaves the valve alone", async () => {
  await Bun.sleep(1000);
  expect(site.plant.writes("plc")).toEqual([]);
  await gateway.arm("vessel.valve");
  await Bun.sleep(1000);
  expect(site.plant.writes("plc")).toEqual([]);
}, 120_000);

test("switched to automatic it begins at what the valve has, and holds 60 °C", async () => {
  await site.plant.command("set vessel.auto 1");
  // 60 = 20 + 0.8 × valve.
  await until("60 °C", async () => Math.abs(await value("temperature") - 60) < 0.2 &&
    Math.abs(await value("valve") - 50) < 1, 60_000);
  const written = site.plant.writes("plc").map(({ bytes }) =>
    Buffer.from(bytes, "hex").readFloatBE(bytes.length / 2 - 4));
  expect(written.length).toBeGreaterThan(10);
  // 25, and 8 × 20 °C × 100 ms / 3 s = 5.3 for each poll.
  expect(written[0]!).toBeGreaterThan(25);
  expect(written[0]!).toBeLessThan(25 + 3 * 5.4);
  expect(written.every((v) => v >= 0 && v <= 100)).toBe(true);
}, 120_000);

test("a load that comes is worked off by the integral", async () => {
  await site.plant.command("set vessel.temperature 75");
  const { length } = site.plant.writes("plc");
  await until("the valve goes down", async () => await value("valve") < 5, 60_000);
  await site.plant.command("release vessel.temperature");
  await until("60 °C again", async () => Math.abs(await value("temperature") - 60) < 0.2 &&
    Math.abs(await value("valve") - 50) < 1, 60_000);
  expect(site.plant.writes("plc").length).toBeGreaterThan(length);
}, 120_000);

test("on manual it leaves the valve alone, and comes back from where that stands", async () => {
  await site.plant.command("set vessel.auto 0");
  await until("manual", async () => (await value("auto")) as unknown === false);
  const before = site.plant.writes("plc").length;
  const steady = await value("valve");
  await Bun.sleep(1500);
  expect(Math.abs(await value("valve") - steady)).toBeLessThan(0.02);
  expect(site.plant.writes("plc").length - before).toBeLessThan(3);
  await site.plant.command("set vessel.auto 1");
  await until("automatic", async () => (await value("auto")) as unknown === true);
  expect(Math.abs(await value("valve") - steady)).toBeLessThan(5);
}, 120_000);

test("W8: nothing is written while nothing is measured, and then it goes on", async () => {
  await until("60 °C", async () => Math.abs(await value("temperature") - 60) < 0.3, 60_000);
  await site.plant.command("fault plc silence for 1500ms");
  await until("not good", async () =>
    (await gateway.get("/tags/vessel.temperature")).body.quality !== "good", 60_000);
  await good(gateway, "vessel.temperature");
  const before = site.plant.writes("plc").length;
  await site.plant.command("set vessel.temperature 59");
  await until("writes again", () => site.plant.writes("plc").length > before, 60_000);
}, 120_000);
