import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { load, problemText, type Loaded, type Problem } from "../../src/config.ts";
import { components } from "./components.ts";

/** The line of test/config/line with one place changed, and what is then wrong. */
interface Case {
  readonly name: string;
  readonly file?: string;
  readonly find: string;
  readonly put: string;
  /** Each problem as text; `…` stands for anything. */
  readonly expect: readonly string[];
}

const folder = join(import.meta.dir, "line");
const main = "gateway.json";
const policy = "write-policy.json";
const csv = "types/sdm630.csv";

function loadWith(file: string, edit: (text: string) => string): Loaded {
  const read = (path: string): string => {
    const text = readFileSync(path, "utf8");
    return path === join(folder, file) ? edit(text) : text;
  };
  const path = join(folder, main);
  return load(read(path), { path, components, readFile: read, env: { SET: "s3cret", EMPTY: "" } });
}

function matches(text: string, pattern: string): boolean {
  const parts = pattern.split("…").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^]*")}$`).test(text);
}

/** The line and column of a problem lead to the value that it shows. */
function expectPlace(problem: Problem, file: string, find: string, put: string): void {
  const { value, line, column } = problem;
  expect(line).not.toBeNull();
  if (value === null || value === "***" || value.endsWith("…")) return;
  const at = problem.file ?? main;
  const original = readFileSync(join(folder, at), "utf8");
  const text = at === file ? original.replace(find, () => put) : original;
  const there = text.split("\n")[line! - 1]!.slice(column! - 1).replace(/\s+/g, " ");
  const shown = at === csv ? JSON.parse(value) as string : value;
  expect(there.startsWith(shown) || shown.startsWith(there)).toBe(true);
}

const cases: readonly Case[] = [
  // Text
  { name: "a missing comma", find: '"id": "press-line-7",', put: '"id": "press-line-7"', expect: [
    'gateway.json:3:37 expected a comma before this\n  found: "profile"…'] },
  { name: "a missing brace", find: '"maxMB": 512 }\n}', put: '"maxMB": 512 }\n', expect: [
    "gateway.json:…expected a closing brace }"] },
  { name: "a key twice", find: '"sinks":   {', put: '"models":   {', expect: [
    'gateway.json:… "models" stands twice in this object…'] },
  { name: "single quotes", find: '"press-line-7"', put: "'press-line-7'", expect: [
    "gateway.json:… this is no JSON value: text stands in double quotes…"] },
  // Keys and values
  { name: "an unknown section", find: '"sinks":   {', put: '"sink":   {', expect: [
    'gateway.json:… sink: unknown setting\n  did you mean "sinks"?',
    'gateway.json:… rules.hold.to[1]: no such sink\n  found: "plant"'] },
  { name: "an unknown key of a component", find: '"baud"', put: '"boud"', expect: [
    'gateway.json:… links.bus-1.boud: unknown setting\n  did you mean "baud"?'] },
  { name: "an unknown key without a likeness", find: '"baud"', put: '"xyzzy"', expect: [
    "gateway.json:… links.bus-1.xyzzy: unknown setting; known here are port, rs485, baud, " +
    "parity, timeout, type"] },
  { name: "a value outside of its bounds", find: "19200", put: "300", expect: [
    "gateway.json:… links.bus-1.baud: expected a whole number from 1200 to 921600 " +
    "(bits per second)\n  found: 300"] },
  { name: "an unknown word", find: '"even"', put: '"evn"', expect: [
    'gateway.json:… links.bus-1.parity: expected "none", "even" or "odd" (parity bit)\n' +
    '  found: "evn"\n  did you mean "even"?'] },
  { name: "a duration without unit", find: '"300ms"', put: "300", expect: [
    "gateway.json:… links.bus-1.timeout: expected a duration from 10ms to 1m, such as \"1s\" " +
    "(how long an answer may take)\n  found: 300"] },
  { name: "a duration out of bounds", find: '"300ms"', put: '"300d"', expect: [
    "gateway.json:… links.bus-1.timeout: expected a duration from 10ms to 1m, such as \"1s\"\n" +
    '  found: "300d"'] },
  { name: "a missing setting", find: ', "host": "192.168.1.20"', put: "", expect: [
    "gateway.json:6:26 links.plc-1.host: is missing: text in double quotes " +
    "(name or address of the device)"] },
  { name: "a wrong name", find: '"press": {', put: '"press line": {', expect: [
    "gateway.json:… devices.press line: expected a name of letters, digits, _ and -, beginning " +
    "with a letter, or a pattern such as m-{01..32}",
    "…no such tag…", "…no such tag…"] },
  { name: "a wrong target of a rule", find: '"from": "target"', put: '"form": "target"', expect: [
    "gateway.json:… rules.hold.to[0].from: is missing: text in double quotes " +
    "(column of the rule's result)",
    'gateway.json:… rules.hold.to[0].form: unknown setting\n  did you mean "from"?'] },
  { name: "a memory without unit", find: '"memory": "32MB"', put: '"memory": 32', expect: [
    'gateway.json:… models.target.memory: expected a size from 1MB to 4GB, such as "32MB" ' +
    "(hard cap of the model's memory)\n  found: 32"] },
  // Types of components
  { name: "a link's type that comes later", find: '"modbus-tcp"', put: '"iec104"', expect: [
    "gateway.json:… links.plc-1.type: a link of type iec104 is not in this version; this " +
    'version has modbus-rtu, modbus-tcp, mqtt\n  found: "iec104"'] },
  { name: "a link's unknown type", find: '"modbus-tcp"', put: '"modbus-tpc"', expect: [
    "gateway.json:… links.plc-1.type: unknown type of link; known are modbus-rtu, modbus-tcp, " +
    'mqtt\n  found: "modbus-tpc"\n  did you mean "modbus-tcp"?'] },
  { name: "a link without type", find: '"type": "modbus-tcp", ', put: "", expect: [
    "gateway.json:… links.plc-1.type: a link needs a type: modbus-rtu, modbus-tcp, mqtt"] },
  { name: "a source's type that comes later", find: '"orders": { "type": "mqtt"',
    put: '"orders": { "type": "sql"', expect: ["…a source of type sql is not in this version…"] },
  { name: "a table's key that is no column", find: '"models":  {',
    put: '"tables": { "recipes": { "type": "list", "key": "nam", ' +
      '"columns": { "name": "text(8)" } } }, "models": {',
    expect: ['…tables.recipes.key: no such column; there are name\n  found: "nam"\n  ' +
      'did you mean "name"?'] },
  { name: "a password in an address", find: '"models":  {',
    put: '"tables": { "recipes": { "type": "list", "url": "postgres://u:secret@db/x", ' +
      '"key": "name", "columns": { "name": "text(8)" } } }, "models": {',
    expect: ["…a password does not stand in the configuration: write the whole address as…"] },
  { name: "a function without its expression", find: '"models":  {',
    put: '"functions": { "f": { "parameters": ["a"] } }, "models": {',
    expect: ["…functions.f.sql: …"] },
  { name: "a function as a text alone", find: '"models":  {',
    put: '"functions": { "f": "a * 2" }, "models": {',
    expect: ['…functions.f: expected an object in braces (an expression, and the names in it: …'] },
  { name: "a slip in what a table does when it cannot say", find: '"models":  {',
    put: '"tables": { "t": { "type": "list", "key": "name", "onError": { "stael": "1m" }, ' +
      '"columns": { "name": "text(8)" } } }, "models": {',
    expect: ['…tables.t.onError.stale: is missing…', '…tables.t.onError.stael: unknown setting…' +
      'did you mean "stale"?'] },
  // Names
  { name: "an unknown link", find: '"link": "plc-1"', put: '"link": "plc1"', expect: [
    'gateway.json:… devices.press.link: no such link\n  found: "plc1"\n' +
    '  did you mean "plc-1"?'] },
  { name: "devices on a broker", find: '"link": "plc-1"', put: '"link": "broker"', expect: [
    "…devices.press.link: devices are not reached by a link of type mqtt; a driver's link is one " +
    "of modbus-tcp, modbus-rtu…"] },
  { name: "a source on a driver's link", find: '"link": "broker", "topic": "mes/orders"',
    put: '"link": "plc-1", "topic": "mes/orders"', expect: [
      "…sources.orders.link: a link of type modbus-tcp cannot carry mqtt…"] },
  { name: "commands on a driver's link", find: '"commands": { "link": "broker"',
    put: '"commands": { "link": "plc-1"', expect: [
      "…commands.link: write commands come by a link of type mqtt, not modbus-tcp…"] },
  { name: "commands by a wildcard", find: '"topic": "tagwerk/{gateway}/write"',
    put: '"topic": "tagwerk/+/write"', expect: [
      "…commands.topic: commands come by one topic, without the wildcards + and #…"] },
  { name: "an unknown sink", find: '"plant" ] }', put: '"plan" ] }', expect: [
    'gateway.json:… rules.hold.to[1]: no such sink\n  found: "plan"\n' +
    '  did you mean "plant"?'] },
  { name: "a tag where a sink is meant", find: '"plant" ] }', put: '"press.setpoint" ] }', expect: [
    '…rules.hold.to[1]: this is a tag: { "write": "press.setpoint", "from": "COLUMN" } writes…'] },
  { name: "an unknown profile", find: '"generic-512mb"', put: '"raspberrypi-4"', expect: [
    '…gateway.profile: no such profile; there are generic-1gb,…did you mean "raspberry-pi-4"?'] },
  { name: "one name for two streams", find: '"orders": {', put: '"press": {', expect: [
    "…sources.press: the name press is taken by devices.press; devices, sources, tables and " +
    "rules share names"] },
  { name: "a device twice", find: '"press": {', put: '"m-07": {', expect: [
    "…devices.m-07: the name m-07 is taken by devices.m-{01..32}; devices, sources, tables and " +
    "rules share names", "…rules.hold.to[0].write: no such tag…",
    "write-policy.json:… press.setpoint: no such tag; a policy names it device.tag"] },
  // Devices and tags
  { name: "an unknown type of device", find: '"use": "sdm630"', put: '"use": "sdm360"', expect: [
    'gateway.json:… devices.m-{01..32}.use: no such type\n  found: "sdm360"\n' +
    '  did you mean "sdm630"?'] },
  { name: "a type of device that every object has", find: '"use": "sdm630"',
    put: '"use": "toString"', expect: ['…devices.m-{01..32}.use: no such type…'] },
  { name: "a host with its port", find: '"192.168.1.20"', put: '"192.168.1.20:502"', expect: [
    '…links.plc-1.host: the port is a setting of its own: "host": "192.168.1.20", "port": 502…'] },
  { name: "a broker with its port", find: '"broker.local"', put: '"broker.local:1883"', expect: [
    '…links.broker.host: the port is a setting of its own: "host": "broker.local", "port": 18…'] },
  { name: "a tag written twice", find: '"from": "target" }, "plant"',
    put: '"from": "target" }, { "write": "press.setpoint", "from": "target" }', expect: [
      "…rules.hold.to[1].write: the rule hold writes press.setpoint twice (W13)…"] },
  { name: "a deadband above the step", file: policy, find: '"deadband": 0.5', put: '"deadband": 6',
    expect: ["write-policy.json:…press.setpoint.deadband: deadband 6 is above maxStep 5: every " +
      "change would be too small or too large\n  found: 6"] },
  { name: "a policy for a tag that is read only", file: policy, find: '{ "press.setpoint"',
    put: '{ "press.pressure": { "allow": ["rest"], "min": 0, "max": 1 }, "press.setpoint"',
    expect: [
      'write-policy.json:…press.pressure: press.pressure is read only, so nobody can write it; a ' +
      'tag that is written has "access": "read-write"'] },
  { name: "a range downwards", find: "m-{01..32}", put: "m-{32..01}", expect: [
    "gateway.json:… devices.m-{32..01}: expected a range upwards of at most 10000 numbers"] },
  { name: "{n} without a range", find: "m-{01..32}", put: "meter", expect: [
    "…devices.meter.station: {n} needs a device name with a range, such as m-{01..32}…"] },
  { name: "a station past 255", find: "m-{01..32}", put: "m-{250..256}", expect: [
    "…devices.m-{250..256}.station: station 256 of m-256: at most 255…"] },
  { name: "an unknown tag type", find: '"type": "int16"', put: '"type": "int61"', expect: [
    "…devices.press.tags.pressure.type: expected a type: bool, int8,…\n  found: \"int61\"\n" +
    '  did you mean "int16"?'] },
  { name: "text too long", find: '"text(16)"', put: '"text(70000)"', expect: [
    "…sources.orders.columns.recipe: expected a type:…"] },
  { name: "no address", find: '"at": "holding 2",', put: "", expect: [
    "gateway.json:… devices.press.tags.pressure.at: is missing: the tag's address"] },
  { name: "a wrong address", find: '"holding 2"', put: '"hodling 2"', expect: [
    'gateway.json:… devices.press.tags.pressure.at: expected an address such as "holding 9",…'] },
  { name: "an unknown group", find: '"int16", "scale": 0.1, "group": "fast"',
    put: '"int16", "scale": 0.1, "group": "fats"', expect: [
      "…devices.press.tags.pressure.group: no such group; there are fast, slow…" +
      'did you mean "fast"?'] },
  { name: "no group where there are two", find: '"scale": 0.1, "group": "fast"',
    put: '"scale": 0.1', expect: ["…pressure.group: is missing: one of fast, slow"] },
  { name: "a tag of its group's name", find: '"pressure":  ', put: '"fast":', expect: [
    "…devices.press.tags.fast: a tag may not have its group's name: fast"] },
  { name: "a scale of 0", find: '"scale": 0.1', put: '"scale": 0', expect: [
    "…pressure.scale: a scale of 0 loses the value…"] },
  { name: "a scale of a bool", find: '"discrete 4", "type": "bool"',
    put: '"discrete 4", "type": "bool", "scale": 2', expect: [
      "…door_closed: scale, offset, ranges and decimals are for numbers, not for bool…"] },
  { name: "a raw range without the values it stands for", find: '"scale": 0.1',
    put: '"rawRange": [0, 27648]', expect: ["…press.tags.pressure.euRange: is missing: the " +
      "values that the two of `rawRange` stand for"] },
  { name: "a range and a scale", find: '"scale": 0.1',
    put: '"scale": 0.1, "rawRange": [0, 27648], "euRange": [0, 10]', expect: [
      "…press.tags.pressure.rawRange: two ranges, or `scale` and `offset`: not both…"] },
  { name: "a range without length", find: '"scale": 0.1',
    put: '"rawRange": [4, 4], "euRange": [0, 10]', expect: ["…press.tags.pressure.rawRange: the " +
      "two ends are the same; a range needs two different ones…"] },
  { name: "a signal of a tag that is written", find: '"access": "read-write"',
    put: '"access": "read-write", "signal": "4-20mA", "rawRange": [0, 1], "euRange": [0, 10]',
    expect: ["…press.tags.setpoint.signal: is for tags that are read: a value that is written is " +
      "compared with what is read back…"] },
  { name: "a constant with an address", find: '"at": "holding 2", "type": "int16", "scale": 0.1',
    put: '"at": "holding 2", "static": 4', expect: ["…press.tags.pressure.at: a `static` tag " +
      "is a constant: this has no meaning for it…"] },
  { name: "a constant that its type cannot have",
    find: '"at": "holding 2", "type": "int16", "scale": 0.1', put: '"type": "int16", "static": 4.5',
    expect: ["…press.tags.pressure.static: no int16\n  found: 4.5"] },
  { name: "an array of too many items", find: '"at": "holding 2", "type": "int16"',
    put: '"at": "holding 2", "type": "int16[3000]"', expect: [
      "…press.tags.pressure.type: expected a type: … or an array of numbers or bool, such as " +
      'float32[8], of 1 to 2000 items\n  found: "int16[3000]"…'] },
  { name: "an array of texts", find: '"at": "holding 2", "type": "int16", "scale": 0.1',
    put: '"at": "holding 2", "type": "text(4)[3]"', expect: [
      '…press.tags.pressure.type: expected a type: …found: "text(4)[3]"…'] },
  { name: "an array that is written", find: '"at": "holding 2", "type": "int16"',
    put: '"at": "holding 2", "access": "read-write", "type": "int16[3]"', expect: [
      "…press.tags.pressure.access: an array is only read in this version: give the element " +
      'that is written a tag of its own, at its own address, and leave this one "read"…'] },
  { name: "an array that a policy names", find: '"at": "holding 9", "type": "float32"',
    put: '"at": "holding 9", "type": "float32[2]"', expect: [
      "…press.tags.setpoint.access: an array is only read in this version…",
      "…writing a tag of type float32[2] is not in this version: numbers, bools and texts only; " +
      "the item that is written needs a tag of its own, at its own address…"] },
  { name: "a constant that is an array", find: '"at": "holding 2", "type": "int16", "scale": 0.1',
    put: '"type": "int16[2]", "static": 4', expect: [
      "…press.tags.pressure.static: no int16[2]\n  found: 4"] },
  { name: "two writable tags overlap (W13)", find: '"at": "holding 2", "type": "int16"',
    put: '"at": "holding 10", "access": "read-write", "type": "int16"', expect: [
      "…devices.press.tags.pressure.at: two writable tags overlap: press.pressure and " +
      "press.setpoint share holding of station 1 at 192.168.1.20:502…"] },
  // CSV
  { name: "no such CSV file", find: "sdm630.csv", put: "sdm631.csv", expect: [
    "…types.sdm630.tags: the file types/sdm631.csv cannot be read: ENOENT…"] },
  { name: "a column of the CSV", file: csv, find: "name;at;type;eu", put: "name;at;type;unit",
    expect: ["types/sdm630.csv:… types.sdm630.tags: unknown column; known are name, at,…"] },
  { name: "a value of the CSV", file: csv, find: "power;input 12;float32",
    put: "power;input 12;f32", expect: [
      "types/sdm630.csv:… types.sdm630.tags.power.type: expected a type:…\n" +
      '  found: "f32"…'] },
  { name: "a cell too many", file: csv, find: "float32;kWh", put: "float32;kWh;7", expect: [
    "types/sdm630.csv:… types.sdm630.tags.energy: this line has 5 cells, the header 4…"] },
  { name: "a tag twice in the CSV", file: csv, find: "power;", put: "energy;", expect: [
    "types/sdm630.csv:… types.sdm630.tags.energy: this tag stands twice in the file…"] },
  { name: "a wrong address in the CSV", file: csv, find: "input 12", put: "inptu 12", expect: [
    'types/sdm630.csv:3:7 types.sdm630.tags.power.at: expected an address such as "holding 9",…'] },
  // Serial ports
  { name: "two masters on one port", find: '"broker": {', put: '"bus-2": { "type": "modbus-rtu", ' +
    '"port": "/dev/ttyUSB0", "rs485": "adapter" }, "broker": {', expect: [
      "…links.bus-2.port: two masters on one port: links.bus-1 has /dev/ttyUSB0 already; put the " +
      "devices of one bus on one link…"] },
  { name: "the same port, spelt otherwise", find: '"broker": {', put: '"bus-2": { "type": ' +
    '"modbus-rtu", "port": "/dev//ttyUSB0", "rs485": "adapter" }, "broker": {', expect: [
      "…links.bus-2.port: two masters on one port: links.bus-1 has /dev/ttyUSB0 already; put the " +
      "devices of one bus on one link…"] },
  { name: "the same host, spelt otherwise", find: '"broker": {', put: '"plc-2": { "type": ' +
    '"modbus-tcp", "host": "PLC.local." }, "plc-3": { "type": "modbus-tcp", "host": "plc.local" ' +
    '}, "broker": {', expect: [
      "…links.plc-3.host: links.plc-2 leads to plc.local:502 already; one connection serves…"] },
  { name: "two connections to one device", find: '"broker": {', put: '"plc-2": { "type": ' +
    '"modbus-tcp", "host": "192.168.1.20" }, "broker": {', expect: [
      "…links.plc-2.host: links.plc-1 leads to 192.168.1.20:502 already; one connection serves…"] },
  { name: "an unknown port", find: '"/dev/ttyUSB0"', put: '"rs485-1"', expect: [
    "…links.bus-1.port: no such serial port; the profile generic-512mb names no ports; a path " +
    "such as /dev/ttyUSB0 can stand " +
    "here too…"] },
  { name: "rs485 is not stated", find: '"rs485": "adapter", ', put: "", expect: [
    '…links.bus-1.rs485: is missing: "kernel" if the driver of the port switches the direction, ' +
    '"adapter" if the hardware does'] },
  // Secrets and API
  { name: "a password in plain text", find: '"broker.local"',
    put: '"broker.local", "password": "hunter2"', expect: [
      "…links.broker.password: a secret does not stand in the configuration:…\n  found: ***"] },
  { name: "an unset variable", find: '"broker.local"',
    put: '"broker.local", "password": "env:UNSET"', expect: [
      "…links.broker.password: the environment variable UNSET is not set\n" +
      '  found: "env:UNSET"'] },
  { name: "an empty variable", find: '"broker.local"', put: '"env:EMPTY"', expect: [
    "…links.broker.host: the environment variable EMPTY is empty…"] },
  { name: "a secret's missing file", find: '"broker.local"', put: '"file:no-such-file"', expect: [
    "…links.broker.host: the file no-such-file cannot be read: ENOENT…"] },
  { name: "API for all without a token", find: "127.0.0.1:8600", put: "0.0.0.0:8600", expect: [
    "…api.listen: to listen on 0.0.0.0, others can reach the API: set \"token\": \"env:NAME\"…"] },
  { name: "API without port", find: "127.0.0.1:8600", put: "127.0.0.1", expect: [
    '…api.listen: expected host:port, such as "127.0.0.1:8600" or "[::1]:8600"…'] },
  // Policy and writes
  { name: "no policy file", find: '"file:write-policy.json"', put: '"file:policy.json"', expect: [
    "gateway.json:… policy: the file policy.json cannot be read: ENOENT…"] },
  { name: "no policy for a written tag", find: '"policy":  "file:write-policy.json",', put: "",
    expect: ["gateway.json:… rules.hold.to[0].write: the policy does not name press.setpoint, " +
      "so nobody may write it;…"] },
  { name: "a written tag is read only", find: ', "access": "read-write"', put: "", expect: [
    "…rules.hold.to[0].write: press.setpoint is read only; a tag that is written has " +
    '"access": "read-write"…'] },
  { name: "a rule writes an unknown tag", find: '"write": "press.setpoint"',
    put: '"write": "press.setpiont"', expect: [
      "…rules.hold.to[0].write: no such tag…did you mean \"press.setpoint\"?"] },
  { name: "two rules write one tag (W13)", find: '"rules":   {',
    put: '"rules": { "first": { "sql": "SELECT 1", "to": [ { "write": "press.setpoint", ' +
      '"from": "a" } ] },', expect: [
      "…press.setpoint.allow: rule first writes press.setpoint, but is not allowed to;…",
      "…rules.hold.to[0].write: two rules write press.setpoint: first and hold; one tag has one " +
      "rule (W13)…"] },
  { name: "a comma is missing in the policy", file: policy, find: '"min": 20,', put: '"min": 20',
    expect: ["write-policy.json:… expected a comma before this…"] },
  { name: "an unknown setting of the policy", file: policy, find: '"deadband"', put: '"deadbnd"',
    expect: ['write-policy.json:… press.setpoint.deadbnd: unknown setting\n' +
      '  did you mean "deadband"?'] },
  { name: "the policy names an unknown tag", file: policy, find: '{ "press.setpoint"',
    put: '{ "press.setpiont"', expect: [
      "…the policy does not name press.setpoint, so nobody may write it;…",
      'write-policy.json:… press.setpiont: no such tag; a policy names it device.tag\n' +
      '  did you mean "press.setpoint"?'] },
  { name: "the policy allows an unknown rule", file: policy, find: '"rule:hold"',
    put: '"rule:hodl"', expect: [
      "write-policy.json:… press.setpoint.allow: rule hold writes press.setpoint, but is not " +
      'allowed to; add "rule:hold"…',
      "write-policy.json:… press.setpoint.allow[0]: no such rule\n" +
      '  found: "rule:hodl"\n  did you mean "rule:hold"?'] },
  { name: "min is not below max", file: policy, find: '"min": 20', put: '"min": 80', expect: [
    "write-policy.json:1:…press.setpoint.min: min 80 must be below max 80…"] },
  { name: "no limits", file: policy, find: '"min": 20, "max": 80,', put: "", expect: [
    "…press.setpoint.min: is missing: a number is written between two limits, `min` and `max`…",
    "…press.setpoint.max: is missing: a number is written between two limits…"] },
  { name: "a policy of texts for a number", file: policy, find: '"min": 20, "max": 80,',
    put: '"values": ["a"],', expect: [
      "…press.setpoint: press.setpoint is a float32: `min` and `max` say what it may be, and no…",
      "…press.setpoint.maxStep: maxStep has no meaning for texts…",
      "…press.setpoint.deadband: deadband has no meaning for texts…"] },
  { name: "limits beside a pattern that is none", file: policy, find: '"min": 20, "max": 80,',
    put: '"min": 20, "pattern": "a(",', expect: [
      "…press.setpoint.min: a text has no limits: `values` or `pattern` say what it may be…",
      "…press.setpoint.pattern: this is no regular expression of RE2: …",
      "…press.setpoint: press.setpoint is a float32…", "…maxStep…", "…deadband…"] },
  { name: "onLoss is missing (W19)", file: policy,
    find: ',\n    "onLoss": { "after": "30s", "value": "hold" }', put: "", expect: [
      "write-policy.json:… press.setpoint.onLoss: is missing: rule hold writes press.setpoint, " +
      "so say what happens when its commands stop,…"] },
  { name: "onLoss writes outside of the limits", file: policy, find: '"hold" }', put: "5 }",
    expect: [
    "…press.setpoint.onLoss.value: onLoss would write 5, outside of the limits 20 to 80…"] },
  { name: "a standing arming comes later (W1)", file: policy, find: '"deadband"',
    put: '"heartbeat": { "tag": "press.beat", "period": "1s" }, "deadband"', expect: [
      "…press.setpoint.heartbeat: a standing arming is not in this version:…"] },
  { name: "a policy for a bool that is read only", file: policy, find: '{ "press.setpoint"',
    put: '{ "press.door_closed": { "min": 0, "max": 1 }, "press.setpoint"', expect: [
      "…press.door_closed: press.door_closed is read only,…"] },
];

describe("a wrong configuration says so, and only so", () => {
  for (const { name, file = main, find, put, expect: expected } of cases) {
    test(name, () => {
      let found = false;
      const loaded = loadWith(file, (text) => {
        found = text.includes(find);
        return text.replace(find, () => put);
      });
      expect(found, `${file} has no ${find}`).toBe(true);
      const texts = loaded.problems.map((problem) => problemText(problem, main));
      for (const [index, pattern] of expected.entries()) {
        if (!matches(texts[index] ?? "", pattern)) expect(texts[index]).toBe(pattern);
      }
      expect(texts).toHaveLength(expected.length);
      expect(loaded.gateway === null).toBe(expected.length > 0);
      for (const problem of loaded.problems) expectPlace(problem, file, find, put);
    });
  }
});

test("every file of the line is used by a case", () => {
  expect(new Set(cases.map(({ file = main }) => file))).toEqual(new Set([main, policy, csv]));
  expect(dirname(join(folder, csv))).toBe(join(folder, "types"));
});
