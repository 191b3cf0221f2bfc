import { afterAll, beforeAll, expect, test } from "bun:test";
import { binary, until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** What Modbus can be told to do, on the compiled binary against the simulator. */
const policy = { allow: ["cli", "rest", "prove"], maxMode: "armed", min: 0, max: 1,
  minInterval: "1ms" };
const temperature = { at: "input 0", type: "int16" };
const rw = { access: "read-write", type: "bool" };
const tags = {
  temperature,
  pump: { at: "coil 3", ...rw }, lamp: { at: "holding 4.9", ...rw },
  horn: { at: "holding 4.10", ...rw }, fan: { at: "coil 7", ...rw },
};
const bus = { type: "modbus-rtu", port: "/dev/bus", rs485: "adapter", baud: 115200 };
const quick = { timeout: "1s" };
/** Every other way that frames are packed and carried. */
const carried = {
  rtu_over_tcp: { type: "modbus-tcp", host: "192.0.2.1", port: 503, framing: "rtu", ...quick },
  ascii_over_tcp: { type: "modbus-tcp", host: "192.0.2.1", port: 504, framing: "ascii",
    ...quick },
  udp: { type: "modbus-udp", host: "192.0.2.1", port: 505, ...quick },
  listen: { type: "modbus-listen", port: 506, framing: "rtu", ...quick },
  ascii_bus: { type: "modbus-ascii", port: "/dev/ascii", rs485: "adapter", baud: 115200,
    ...quick },
};
const config = {
  gateway: { id: "modbus" },
  links: {
    tcp: { type: "modbus-tcp", host: "192.0.2.1" },
    bus: { ...bus, writeWith: 16 },
    ...carried,
  },
  devices: {
    ...Object.fromEntries(["tcp", "bus"].map((link) =>
      [`at_${link}`, { link, groups: { fast: "100ms" }, tags }])),
    ...Object.fromEntries(Object.keys(carried).map((link) => [`at_${link}`,
      { link, groups: { fast: "100ms" }, tags: link === "udp" ? { temperature } :
        { temperature, pump: tags.pump } }])),
  },
  rules: { cooling: { sql: "SELECT temperature > 50 AS on FROM at_tcp.fast",
    to: [{ write: "at_tcp.fan", from: "on" }] } },
  policy: {
    ...Object.fromEntries(["tcp", "bus"].flatMap((link) => ["pump", "lamp", "horn"].map((tag) =>
      [`at_${link}.${tag}`, policy]))),
    ...Object.fromEntries(Object.keys(carried).filter((link) => link !== "udp").map((link) =>
      [`at_${link}.pump`, policy])),
    "at_tcp.fan": { ...policy, allow: ["rule:cooling"], inputMaxAge: "2s", deadband: 1,
      onLoss: { after: "30s", value: "hold" } },
  },
  api: { listen: "127.0.0.1:0" },
};
const plant = {
  ...Object.fromEntries(["tcp", "bus"].flatMap((link) => ["pump", "lamp", "fan"].map((tag) =>
    [`at_${link}.${tag}`, { kind: "follow", value: 0 }]))),
  "at_tcp.horn": { kind: "follow", value: 1 }, "at_bus.horn": { kind: "follow", value: 1 },
  ...Object.fromEntries(Object.keys(carried).filter((link) => link !== "udp").map((link) =>
    [`at_${link}.pump`, { kind: "follow", value: 0 }])),
  ...Object.fromEntries(["tcp", ...Object.keys(carried)].map((link) =>
    [`at_${link}.temperature`, { kind: "constant", value: 20 }])),
};

let site: Site;
let gateway: RunningGateway;
beforeAll(async () => {
  site = await Site.start(config, { "plant.json": plant });
  gateway = await site.run();
  for (const link of Object.keys(config.links)) await good(gateway, `at_${link}.temperature`);
}, 120_000);
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

test.each(Object.keys(carried))("%s: reads, and comes back after a broken line", async (link) => {
  const tag = `at_${link}.temperature`;
  expect((await gateway.get(`/tags/${tag}`)).body.value).toBe(20);
  await site.plant.command(`fault ${link} garbage count 2`);
  await site.plant.command(`set ${tag} 21`);
  await until("the new value", async () =>
    (await gateway.get(`/tags/${tag}`)).body.value === 21);
});

test.each(Object.keys(carried).filter((link) => link !== "udp"))(
  "%s: a write is verified, and at its deadline given up", async (link) => {
    const tag = `at_${link}.pump`;
    await gateway.arm(tag);
    expect(await write(tag, true)).toMatchObject({ outcome: "verified" });
    expect(await value(tag)).toBe(1);
    await site.plant.command(`fault ${link} silence only writes count 1`);
    expect(await write(tag, false)).toMatchObject({ outcome: "unknown", code: "answer-missing" });
    await good(gateway, tag);
    expect(await value(tag)).toBe(1);
  });

test("W2, W3: a device that dials in anew keeps its proof, and is armed by nobody", async () => {
  const tag = "at_listen.pump";
  const armed = async (): Promise<boolean> =>
    (await gateway.get("/health")).body.writing.armed.includes(tag);
  const proof = async (): Promise<any> => (await gateway.get("/proofs")).body
    .find((one: { tag: string }) => one.tag === tag);
  const opens = async (): Promise<number> => (await gateway.get("/links")).body
    .find(({ name }: { name: string }) => name === "listen").opens;
  const { output } = await gateway.cli("prove", tag, "--by", "anna", "--yes");
  expect(output).toContain("verified");
  await gateway.arm(tag);
  expect(await armed()).toBe(true);
  const before = await opens();
  await site.plant.command("fault listen disconnect for 300ms");
  await until("it dialled anew", async () => (await opens()) > before);
  await good(gateway, "at_listen.temperature");
  expect([await armed(), await proof()])
    .toEqual([false, expect.objectContaining({ outcome: "verified", present: true })]);
  expect((await write(tag, true)).code).toBe("not-armed");
  expect((await gateway.cli("why", tag)).output).toContain("another device may stand there now");
}, 120_000);

test("nothing is written over UDP", async () => {
  const file = site.folder.write("udp.json", { gateway: { id: "u" },
    links: { l: carried.udp },
    devices: { d: { link: "l", groups: { g: "1s" }, tags: { pump: tags.pump } } } });
  const { exitCode, stdout, stderr } = Bun.spawnSync([await binary(), "check", file]);
  expect(exitCode).toBe(1);
  expect(`${stdout}${stderr}`).toContain("modbus-tcp writes");
});
