import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** What Modbus can be told to do, on the compiled binary against the simulator. */
const policy = { allow: ["cli", "rest"], maxMode: "armed", min: 0, max: 1, minInterval: "1ms" };
const rw = { access: "read-write", type: "bool" };
const tags = {
  temperature: { at: "input 0", type: "int16" },
  pump: { at: "coil 3", ...rw }, lamp: { at: "holding 4.9", ...rw },
  horn: { at: "holding 4.10", ...rw }, fan: { at: "coil 7", ...rw },
};
const bus = { type: "modbus-rtu", port: "/dev/bus", rs485: "adapter", baud: 115200 };
const config = {
  gateway: { id: "modbus" },
  links: {
    tcp: { type: "modbus-tcp", host: "192.0.2.1" },
    bus: { ...bus, writeWith: 16 },
  },
  devices: Object.fromEntries(["tcp", "bus"].map((link) =>
    [`at_${link}`, { link, groups: { fast: "100ms" }, tags }])),
  rules: { cooling: { sql: "SELECT temperature > 50 AS on FROM at_tcp.fast",
    to: [{ write: "at_tcp.fan", from: "on" }] } },
  policy: {
    ...Object.fromEntries(["tcp", "bus"].flatMap((link) => ["pump", "lamp", "horn"].map((tag) =>
      [`at_${link}.${tag}`, policy]))),
    "at_tcp.fan": { ...policy, allow: ["rule:cooling"], inputMaxAge: "2s", deadband: 1,
      onLoss: { after: "30s", value: "hold" } },
  },
  api: { listen: "127.0.0.1:0" },
};
const plant = {
  ...Object.fromEntries(["tcp", "bus"].flatMap((link) => ["pump", "lamp", "fan"].map((tag) =>
    [`at_${link}.${tag}`, { kind: "follow", value: 0 }]))),
  "at_tcp.horn": { kind: "follow", value: 1 }, "at_bus.horn": { kind: "follow", value: 1 },
  "at_tcp.temperature": { kind: "constant", value: 20 },
};

let site: Site;
let gateway: RunningGateway;
beforeAll(async () => {
  site = await Site.start(config, { "plant.json": plant });
  gateway = await site.run();
  for (const link of Object.keys(config.links)) await good(gateway, `at_${link}.pump`);
}, 30_000);
afterAll(() => site?.stop());

const write = async (tag: string, value: unknown): Promise<any> => (await gateway.post("/write",
  { id: `t-${crypto.randomUUID()}`, tag, value, within: "5s" })).body;
const value = async (tag: string): Promise<unknown> =>
  (await site.plant.command(`get ${tag}`))["value"];

test.each([
  ["tcp", ["050003ff00", "160004fdff0200", "0500030000"]],
  ["bus", ["0f000300010101", "160004fdff0200", "0f000300010100"]],
])("a coil and a bit through the gate over %s: verified, neighbours stay", async (link, codes) => {
  const pump = `at_${link}.pump`, lamp = `at_${link}.lamp`;
  expect((await write(pump, true)).code).toBe("not-armed");
  for (const tag of [pump, lamp]) await gateway.arm(tag);
  expect(await write(pump, true)).toMatchObject({ outcome: "verified", readBack: 1 });
  expect(await write(lamp, 1)).toMatchObject({ outcome: "verified", readBack: 1 });
  expect([await value(pump), await value(lamp), await value(`at_${link}.horn`)])
    .toEqual([1, 1, 1]);
  expect(await write(pump, 0.5)).toMatchObject({ outcome: "refused", code: "does-not-fit" });
  expect((await gateway.cli("write", pump, "false")).output).toContain("verified");
  const frames = await until("frames on record", () => {
    const writes = site.plant.writes(link).map(({ bytes }) => bytes);
    return writes.length >= 3 ? writes : null;
  });
  for (const code of codes) expect(frames.some((frame) => frame.includes(code))).toBe(true);
});

test("a rule writes a coil with a bool", async () => {
  await gateway.arm("at_tcp.fan");
  await site.plant.command("set at_tcp.temperature 60");
  await until("the fan runs", async () => (await value("at_tcp.fan")) === 1);
  await site.plant.command("set at_tcp.temperature 20");
  await until("the fan stands", async () => (await value("at_tcp.fan")) === 0);
});
