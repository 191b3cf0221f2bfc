import { describe, expect, test } from "bun:test";
import { fromNeuron, tagCsv, tagLines, type Device } from "../../src/config.ts";
import { loadReal } from "./real.ts";

function deviceOf(
  tags: unknown, files: Record<string, string> = {}, groups: object = { fast: "1s", slow: "1m" },
): Device {
  const { gateway, problems } = loadReal({
    gateway: { id: "gw" }, links: { plc: { type: "modbus-tcp", host: "10.0.0.1" } },
    devices: { d: { link: "plc", groups, tags } },
  }, files);
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

  test("names are unique in a group there, in a device here: each is told, and loads", () => {
    const { lines, notes } = fromNeuron(`${header}
g1,temp,1!400001,Read,FLOAT,,,
g2,temp,1!400003,Read,FLOAT,,,
g2,g2_temp,1!400005,Read,FLOAT,,,
g2,temp,1!400007,Read,FLOAT,,,
g 3,g1,1!400009,Read,FLOAT,,,`);
    expect(notes).toEqual([
      'line 3: "temp" is called g2_temp: line 2 has one of this name',
      'line 4: "g2_temp" is called g2_g2_temp: line 3 has one of this name',
      'line 5: "temp" is left out: line 3 has one of this name',
      'line 6: "g1" is called g_3_g1: the group of line 2 is called so',
      'line 6: g_3_g1: its group "g 3" is called g_3',
      'the device has "station": 1',
    ]);
    const device = deviceOf("file:t.csv", { "/etc/t.csv": tagCsv(lines) },
      { g1: "1s", g2: "1s", g_3: "1s" });
    expect(device.groups.map(({ tags }) => tags.map(({ name }) => name)))
      .toEqual([["temp"], ["g2_temp", "g2_g2_temp"], ["g_3_g1"]]);
  });

  test("what our settings cannot be is told with line and value, and left out", () => {
    const { lines, notes } = fromNeuron(`${header},bias,unit
g1,a,1!400001,Read,INT16,,10,20,,
g1,b,1!400002,Read,INT16,,x,1.5,1e,kilograms of apples
g1,c,1!400003.1,Read,BIT,,0.1,1,,
g1,d,,Read,INT16,,,,,
g1,e,1!400005,Read,INT16,,1,9,-5,kg`);
    expect(notes).toEqual([
      'line 2: a: precision "20" is left out: "decimals" is a whole number up to 9',
      'line 3: b: decimal "x" is left out: "scale" is a number',
      'line 3: b: bias "1e" is left out: "offset" is a number',
      'line 3: b: precision "1.5" is left out: "decimals" is a whole number up to 9',
      'line 3: b: unit "kilograms of apples" is left out: "eu" is of at most 16 characters',
      'line 4: c: decimal "0.1" is left out: it is for numbers, not for bool',
      'line 4: c: precision "1" is left out: it is for numbers, not for bool',
      "line 5: d has no address",
      'the device has "station": 1',
    ]);
    const device = deviceOf("file:t.csv", { "/etc/t.csv": tagCsv(lines) }, { g1: "1s" });
    expect(device.groups[0]!.tags).toMatchObject([
      { name: "a", scale: 10, decimals: null }, { name: "b", scale: 1, offset: 0 },
      { name: "c", type: "bool" }, { name: "e", scale: 1, offset: -5, decimals: 9, eu: "kg" },
    ]);
  });

  test("is refused if it is another table", () => {
    expect(fromNeuron("tag;register\nx;1\n").notes[0])
      .toStartWith('line 1: there is no column "name"');
  });
});
