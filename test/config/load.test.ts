import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { jsonSchema, load, Tag, type Gateway, type Loaded } from "../../src/config.ts";
import { components, loadFile } from "./components.ts";

const line = join(import.meta.dir, "line", "gateway.json");
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function loadText(
  config: unknown, files: Record<string, string> = {}, env: Record<string, string> = {},
): Loaded {
  const readFile = (path: string): string => {
    const text = files[path];
    if (text === undefined) throw new Error(`no file ${path}`);
    return text;
  };
  const text = typeof config === "string" ? config : JSON.stringify(config);
  return load(text, { path: "/etc/tagwerk/gateway.json", components, readFile, env });
}

function gatewayOf(loaded: Loaded): Gateway {
  expect(loaded.problems).toEqual([]);
  return loaded.gateway!;
}

const plc = { "plc": { type: "modbus-tcp", host: "10.0.0.1" } };
const device = {
  link: "plc", groups: { fast: "100ms" }, tags: { level: { at: "input 0", type: "int16" } },
};
const base = { gateway: { id: "g" }, links: plc };

test("the line loads whole", () => {
  const gateway = gatewayOf(loadFile(line));
  expect(gateway.devices).toHaveLength(33);
  expect(gateway.devices[6]).toEqual({
    name: "m-07", link: "bus-1", station: 7, labels: { hall: "2" },
    groups: [{
      name: "slow", interval: 10_000, statics: [],
      tags: [["voltage_l1", 0, "V"], ["power", 12, "W"], ["energy", 72, "kWh"]]
        .map(([name, register, eu], column) => new Tag({ name: "m-07", station: 7 }, {
          name: `${name}`, column, at: `input ${register}`, type: "float32",
          scale: 1, offset: 0, decimals: null, signal: null, wordOrder: "ABCD",
          eu: `${eu}`, writable: false,
        })),
    }],
  });
  const press = gateway.devices.at(-1)!;
  expect(press.groups.map(({ name, interval, tags }) => [name, interval, tags.length]))
    .toEqual([["fast", 100, 3], ["slow", 10_000, 1]]);
  expect(press.groups[1]!.tags[0]).toMatchObject({ writable: true, wordOrder: "CDAB" });
  expect(gateway.links[1]!.settings).toEqual({
    port: "/dev/ttyUSB0", rs485: "adapter", baud: 19200, parity: "even", timeout: 300,
  });
  expect(gateway.sources).toEqual([{
    name: "orders", type: "mqtt", link: "broker", open: null, settings: { topic: "mes/orders" },
    columns: [{ name: "id", kind: "int64", slot: 0 }, { name: "recipe", kind: "text", slot: 16 }],
  }]);
  expect(gateway.rules[0]!.to).toEqual([
    { kind: "write", tag: "press.setpoint", from: "target" }, { kind: "sink", sink: "plant" },
  ]);
  expect(gateway.models).toEqual([{
    name: "target", file: join(import.meta.dir, "line", "models", "target.onnx"),
    memory: 32 * 2 ** 20, deadline: 20,
  }]);
  expect(gateway.policy["press.setpoint"]).toEqual({
    allow: ["rule:hold", "rest"], maxMode: "armed", min: 20, max: 80, texts: null,
    outside: "reject", maxStep: 5, deadband: 0.5, minInterval: 1000, writesPerDay: 5000,
    inputMaxAge: 500, permit: ["press.door_closed"], maxAge: 1000,
    onLoss: { after: 30_000, value: "hold", step: "limited" }, readBack: null,
  });
  expect(gateway.api).toEqual({ listen: "127.0.0.1", port: 8600, token: null });
  expect(gateway.commands).toEqual({ link: "broker", topic: "tagwerk/{gateway}/write" });
});

test("hashes are of the texts as they stand", () => {
  const gateway = gatewayOf(loadFile(line));
  expect(gateway.configHash).toBe(sha256(readFileSync(line, "utf8")));
  expect(gateway.policyHash)
    .toBe(sha256(readFileSync(join(import.meta.dir, "line", "write-policy.json"), "utf8")));
});

test("the least configuration has its defaults", () => {
  const gateway = gatewayOf(loadText({ gateway: { id: "g" } }));
  expect(gateway.profile.name).toBe("generic-512mb");
  expect(gateway.store).toEqual({
    directory: "/var/lib/tagwerk", maxMB: 512, stateMB: 128, checkpoint: 60_000,
  });
  expect(gateway.policy).toEqual({});
  expect(gateway.policyHash).toBe(sha256(""));
  expect(gateway.commands).toBeNull();
});

test("a device's single keys go over its type's", () => {
  const gateway = gatewayOf(loadText({
    ...base,
    types: {
      meter: {
        wordOrder: "CDAB", groups: { fast: "1s", slow: "1m" },
        tags: {
          power: { at: "input 0", type: "float32", group: "fast", eu: "W" },
          energy: { at: "input 2", type: "float32", group: "slow", scale: 0.1 },
        },
      },
    },
    devices: {
      a: { use: "meter", link: "plc", groups: { slow: "5m" }, tags: {
        energy: { scale: 10, wordOrder: "DCBA" },
        temp: { at: "input 9", type: "int16", group: "fast" },
      } },
      b: { use: "meter", link: "plc", wordOrder: "ABCD" },
    },
  }));
  const [a, b] = gateway.devices;
  expect(a!.groups.map(({ name, interval }) => [name, interval]))
    .toEqual([["fast", 1000], ["slow", 300_000]]);
  expect(a!.groups[0]!.tags.map(({ name, wordOrder }) => [name, wordOrder]))
    .toEqual([["power", "CDAB"], ["temp", "CDAB"]]);
  expect(a!.groups[1]!.tags[0])
    .toMatchObject({ at: "input 2", type: "float32", scale: 10, wordOrder: "DCBA" });
  expect(b!.groups[1])
    .toMatchObject({ interval: 60_000, tags: [{ scale: 0.1, wordOrder: "ABCD" }] });
});

test("ranges are a scale; constants stand in their group, or in each", () => {
  const csv = "name;at;type;group;rawRange;euRange;signal;decimals;static\n" +
    "level;input 0;int16;fast;5530..27648;0..8.5;4-20mA;2;\nline;;;;;;;;Line {n}\n" +
    "factor;;float64;slow;;;;;1.5\nsum;input 2;int32;slow;;;;;\n";
  const gateway = gatewayOf(loadText({ ...base, devices: { "tank-{1..2}":
    { link: "plc", groups: { fast: "1s", slow: "1m" }, tags: "file:tags.csv" } } },
  { "/etc/tagwerk/tags.csv": csv }));
  const [fast, slow] = gateway.devices[1]!.groups;
  expect(fast!.tags).toMatchObject([{ name: "level", decimals: 2, signal: [5530, 27648] }]);
  const { scale, offset } = fast!.tags[0]!;
  expect([5530, 27648].map((raw) => raw * scale + offset)).toEqual([0, 8.5]);
  expect(fast!.statics.map(({ id, type, value }) => [id, type, value]))
    .toEqual([["tank-2.line", "text(6)", "Line 2"]]);
  expect(slow!.statics.map(({ name, value }) => [name, value]))
    .toEqual([["line", "Line 2"], ["factor", 1.5]]);
});

test("{n} fills station, labels and addresses without leading zeros", () => {
  const gateway = gatewayOf(loadText({
    ...base,
    devices: {
      "valve_{008..010}_east": {
        ...device, station: "{n}", labels: { place: "bay {n}" },
        tags: { level: { at: "input {n}", type: "int16" } },
      },
    },
  }));
  expect(gateway.devices.map(({ name, station, labels, groups }) =>
    [name, station, labels.place, groups[0]!.tags[0]!.at])).toEqual([
    ["valve_008_east", 8, "bay 8", "input 8"],
    ["valve_009_east", 9, "bay 9", "input 9"],
    ["valve_010_east", 10, "bay 10", "input 10"],
  ]);
});

test("one group needs no naming, station is 1, labels are none", () => {
  const gateway = gatewayOf(loadText({ ...base, devices: { d: device } }));
  expect(gateway.devices[0]).toMatchObject({ station: 1, labels: {}, groups: [{ name: "fast" }] });
});

test("CSV: comma, quotes, carriage returns, a byte order mark, empty cells", () => {
  const csv = "\uFEFFname,at,type,scale,eu\r\n" +
    'a,input 0,int16,0.1,"m³, ""norm"""\r\n\r\n"b",input 1,uint16,,\r\n';
  const gateway = gatewayOf(loadText({
    ...base, devices: { d: { ...device, tags: "file:tags.csv" } },
  }, { "/etc/tagwerk/tags.csv": csv }));
  expect(gateway.devices[0]!.groups[0]!.tags.map(({ name, scale, eu }) => [name, scale, eu]))
    .toEqual([["a", 0.1, 'm³, "norm"'], ["b", 1, null]]);
});

test("CSV: a decimal comma is no number", () => {
  const { problems } = loadText({ ...base, devices: { d: { ...device, tags: "file:tags.csv" } } },
    { "/etc/tagwerk/tags.csv": "name;at;type;scale\na;input 0;int16;0,1\n" });
  expect(problems).toMatchObject([{
    file: "tags.csv", path: "devices.d.tags.a.scale", line: 2, column: 17, value: '"0,1"',
  }]);
});

test("references are followed for settings of links, sinks and the API, and never shown", () => {
  const config = {
    gateway: { id: "g" },
    links: { broker: { type: "mqtt", host: "env:HOST", password: "file:secrets/mqtt" } },
    api: { listen: "0.0.0.0:8600", token: "env:TOKEN" },
  };
  const gateway = gatewayOf(loadText(config, { "/etc/tagwerk/secrets/mqtt": "s3cret\n" },
    { HOST: "broker.local", TOKEN: "t0ken" }));
  expect(gateway.links[0]!.settings).toMatchObject({ host: "broker.local", password: "s3cret" });
  expect(gateway.api.token).toBe("t0ken");
  const wrong = loadText({ ...config, gateway: {} }, { "/etc/tagwerk/secrets/mqtt": "s3cret\n" },
    { HOST: "broker.local", TOKEN: "t0ken" });
  expect(JSON.stringify(wrong.problems)).not.toMatch(/s3cret|t0ken/);
});

test("no message shows a secret, whatever is wrong around it", () => {
  const broker = '"type": "mqtt", "host": "h" "password": "hunter2"';
  for (const text of [
    `{ "gateway": { "id": "g" }, "links": { "b": { ${broker} } } }`,
    `{ "gateway": { "id": "g" }, "links": [ { ${broker.replace("\"h\"", "\"h\",")} } ] }`,
    `{ "gateway": { "id": "g" }, "api": { "token": "hunter2" } }`,
    `{ "gateway": { "id": "g" }, "api": { "token": ["hunter2"] } }`,
  ]) {
    const { problems } = loadText(text);
    expect(problems.length).toBeGreaterThan(0);
    expect(JSON.stringify(problems)).not.toContain("hunter2");
  }
});

test("a policy may stand in the configuration, with paths from there", () => {
  const policy = { "d.level": { min: 0, max: 10 } };
  const text = JSON.stringify({
    ...base, policy, devices: { d: { ...device,
      tags: { level: { at: "holding 0", type: "int16", access: "read-write" } } } },
  });
  const gateway = gatewayOf(loadText(text));
  expect(gateway.policyHash).toBe(sha256(JSON.stringify(policy)));
  expect(gateway.policy["d.level"]).toMatchObject({ allow: [], maxMode: "shadow", onLoss: null });
  const { problems } = loadText(text.replace('"max":10', '"max":-1'));
  expect(problems).toMatchObject([{ path: "policy.d.level.min" }]);
  expect(problems[0]!.file).toBeUndefined();
});

test("what is wrong in itself does not hide the rest, nor blames others for it", () => {
  const { problems } = loadText({
    ...base,
    links: { ...plc, broker: { type: "mqtt", host: 7 } },
    types: { meter: { tags: 5 } },
    devices: { d: { ...device, link: "plk" }, e: { link: "plc", use: "meter" }, f: { link: 1 } },
    sinks: { out: { type: "mqtt", link: "broker", topic: "t" }, bad: { type: "mqtt" } },
    rules: {
      r: { sql: "SELECT 1", to: ["out", "bad", "nowhere", { write: "f.x", from: "a" }] },
      s: { to: [] },
    },
    policy: { "e.power": { min: 0, max: 1, allow: ["rule:s", "rule:t"] } },
  });
  expect(problems.map(({ path }) => path).sort()).toEqual([
    "devices.d.link", "devices.f.link", "links.broker.host", "policy.e.power.allow[1]",
    "rules.r.to[2]", "rules.s.sql", "sinks.bad.link", "sinks.bad.topic", "types.meter.tags",
  ]);
});

test("two masters are found behind the board's name of a port; the name becomes its path", () => {
  const rtu = (port: string) => ({ type: "modbus-rtu", port, rs485: "kernel" });
  const config = (port: string) => ({
    gateway: { id: "g", profile: "revolution-pi-connect-4" },
    links: { a: rtu("rs485-1"), b: rtu(port) },
  });
  expect(gatewayOf(loadText(config("/dev/ttyUSB0"))).links[0]!.settings.port).toBe("/dev/ttyRS485");
  expect(loadText(config("/dev/ttyRS485")).problems).toMatchObject([{ path: "links.b.port" }]);
  expect(loadText(config("rs485-2")).problems).toMatchObject([{ nearest: "rs485-1" }]);
});

test("a problem found later has its place", () => {
  const loaded = loadFile(line);
  const hint = { nearest: "target" };
  expect(loaded.problem(["rules", "hold", "sql"], "no such column", hint)).toMatchObject({
    path: "rules.hold.sql", line: 22, column: 33, message: "no such column", nearest: "target",
  });
});

test("what is not an object, is empty or is too large is refused", () => {
  for (const text of ["", "  // nothing\n", "[]", "7", "null", '"x"', "{}", '{"gateway":3}']) {
    const loaded = loadText(text);
    expect(loaded.gateway).toBeNull();
    expect(loaded.problems.length).toBeGreaterThan(0);
  }
  expect(loadText(`{"a":"${"x".repeat(1 << 24)}"}`).problems[0]!.message).toContain("larger than");
});

test("the published JSON Schema knows every section and the components' settings", () => {
  const schema = JSON.stringify(jsonSchema(components));
  for (const word of ["gateway", "policy", "types", "links", "devices", "sources", "tables",
    "models", "functions", "rules", "sinks", "commands", "api", "store", "baud", "modbus-tcp"]) {
    expect(schema).toContain(`"${word}"`);
  }
  expect(schema).toContain("bits per second");
});
