import { describe, expect, test } from "bun:test";
import { fromNeuron, load, tagCsv, tagLines, type Device } from "../../src/config.ts";
import { componentSchemas } from "../../src/cli/examine.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";

const components = componentSchemas({ drivers, connectors, tables });

function deviceOf(tags: unknown, files: Record<string, string> = {}): Device {
  const config = {
    gateway: { id: "gw" }, links: { plc: { type: "modbus-tcp", host: "10.0.0.1" } },
    devices: { d: { link: "plc", groups: { fast: "1s", slow: "1m" }, tags } },
  };
  const { gateway, problems } = load(JSON.stringify(config), {
    path: "/etc/gateway.json", components, readFile: (path) => files[path]!, env: {},
  });
  expect(problems).toEqual([]);
  return gateway!.devices[0]!;
}

test("what export prints is read as the same tags", () => {
  const device = deviceOf({
    power: { at: "input 0", type: "float32", group: "fast", eu: "kW", scale: 0.001 },
    level: { at: "input 2", type: "int16", group: "slow", rawRange: [5530, 27648],
      euRange: [0.5, 8.5], signal: "4-20mA", decimals: 2 },
    zones: { at: "input 20", type: "float32[8]", group: "fast", scale: 0.1, wordOrder: "DCBA" },
    ratio: { at: "input 4", type: "uint32", group: "slow", rawRange: [0, 4096], euRange: [0, 1] },
    set: { at: "holding 9", type: "float64", group: "fast", access: "read-write",
      wordOrder: "CDAB" },
    place: { static: 'Hall "2"; north', group: "slow" }, count: { static: 3, group: "slow" },
    ready: { static: true, group: "slow" },
  });
  const csv = tagCsv(tagLines(device));
  expect(csv.split("\n")[0]).toBe(
    "name;at;type;group;scale;rawRange;euRange;signal;decimals;wordOrder;eu;access;static");
  const again = deviceOf("file:t.csv", { "/etc/t.csv": csv });
  expect(again).toEqual(device);
});

describe("a table of Neuron", () => {
  const header = "group,name,address,attribute,type,description,decimal,precision";

  test("is taken over with its factors, decimals, bits and texts", () => {
    const { lines, notes } = fromNeuron(`${header}
fast,temp,1!400001#BB,Read,FLOAT,,0.1,2
fast,door,1!400010.3,Read,BIT,,,
slow,recipe 1,1!400020.10H,Read Subscribe,STRING,,0,0
slow,set,1!400030,3,INT16,,,
`);
    expect(notes).toEqual(['line 4: "recipe 1" is called recipe_1',
      'line 5: set: may be written once "access" and the policy say so; it is read here',
      'the device has "station": 1']);
    const device = deviceOf("file:t.csv", { "/etc/t.csv": tagCsv(lines) });
    expect(device.groups.flatMap(({ tags }) => tags)).toMatchObject([
      { name: "temp", at: "400001#BB", type: "float32", scale: 0.1, decimals: 2 },
      { name: "door", at: "400010.3", type: "bool", scale: 1, decimals: null },
      { name: "recipe_1", at: "400020.10H", type: "text(10)" },
      { name: "set", at: "400030", type: "int16", writable: false },
    ]);
  });

  test("says what it cannot take over, by line", () => {
    const { lines, notes } = fromNeuron(`${header}
a,x,1!400001,Read,FLAOT,,,
a,y,2!400001,Read,STRING,,,
a,z,1!400003,Read,INT16,,,
a,w,2!400003,Read,INT16,,,`);
    expect(lines.map(({ name }) => name)).toEqual(["z", "w"]);
    expect(notes).toEqual(["line 2: x: no type FLAOT here; did it mean FLOAT?",
      "line 3: y: 2!400001 has no length, as in 2!400001.16",
      "the tags are of stations 1, 2: make a table for each, for a device has one station"]);
  });

  test("is refused if it is another table", () => {
    expect(fromNeuron("tag;register\nx;1\n").notes[0])
      .toStartWith('line 1: there is no column "name"');
  });
});
