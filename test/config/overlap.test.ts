import { describe, expect, test } from "bun:test";
import { loadReal } from "./real.ts";

/** W13: what `check` says of writable tags, with the drivers of the binary. */
function problems(links: object, devices: Record<string, object>): string {
  const loaded = loadReal({ gateway: { id: "g" }, links,
    devices: Object.fromEntries(Object.entries(devices).map(([name, { link, ...tags }]:
      [string, { link?: string }]) => [name, { link, groups: { g: "1s" },
      tags: Object.fromEntries(Object.entries(tags).map(([tag, settings]) =>
        [tag, { access: "read-write", ...settings as object }])) }])) });
  return loaded.problems.map(({ message }) => message).join("\n");
}
const opcua = (one: string, other: string): string => problems(
  { l: { type: "opcua", host: "ua", security: "None" } },
  { d: { link: "l", one: { at: one, type: "float64" }, two: { at: other, type: "float64" } } });

describe("OPC UA: a node, however it is spelled", () => {
  test.each([
    ["ns=2;i=5", "ns=02;i=05"],
    ["i=2258", "ns=0;i=2258"], ["i=77", "nsu=http://opcfoundation.org/UA/;i=77"],
    ["ns=1;g=09087E75-8E5E-499B-954F-F2A9603DB28A", "ns=1;g=09087e75-8e5e-499b-954f-f2a9603db28a"],
    ["ns=1;b=YWI=", "ns=1;b=YWI"],
    ["ns=2;s=A call ns=2;s=Tank ns=2;s=Set", "ns=2;s=B call ns=02;s=Tank ns=02;s=Set"],
    ["ns=2;s=A call ns=2;s=Tank ns=2;s=Set", "ns=2;s=A"],
    ["ns=2;s=A", "ns=2;s=A range 3"], ["ns=2;s=A range 3", "ns=2;s=A range 03"],
  ])("%s is %s", (one, other) => {
    expect(opcua(one, other)).toContain("two writable tags overlap: d.two and d.one share");
  });

  test.each([
    ["ns=2;i=5", "ns=3;i=5"], ["ns=2;i=5", "ns=2;s=5"], ["ns=2;s=05", "ns=2;s=5"],
    ["ns=2;s=A", "ns=2;s=a"], ["nsu=urn:a;i=5", "ns=2;i=5"],
    ["ns=2;s=A range 3", "ns=2;s=A range 4"],
    ["ns=2;s=A call ns=2;s=Tank ns=2;s=Set", "ns=2;s=B call ns=2;s=Other ns=2;s=Set"],
  ])("%s is not %s", (one, other) => {
    expect(opcua(one, other)).toBe("");
  });
});

describe("telegrams that say the same, whatever their names", () => {
  const telegrams = (one: string, two: string): string => problems({ l: { type: "telegram-tcp",
    host: "scale", port: 4001, frame: { end: "<CR>" }, telegrams: {
      sp: { send: "SP?", write: one, match: "^([0-9]+)$" },
      sq: { send: "SQ?", write: two, match: "^([0-9]+)$" } } } },
  { d: { link: "l", a: { at: "sp match 1", type: "uint16" },
    b: { at: "sq match 1", type: "uint16" } } });

  test.each([["SP {value}", "SP {value}"], ["SP {value}", "SP {value:1}"],
    ["SP <20>{value}", "SP  {value}"]])("%s is %s", (one, two) => {
    expect(telegrams(one, two)).toContain("overlap: d.b and d.a share `SP ");
  });

  test("others are others", () => {
    expect(telegrams("SP {value}", "SQ {value}")).toBe("");
  });
});

describe("EtherNet/IP: a text is its length and its characters, too", () => {
  const cip = (text: string, other: string, type: string): string => problems(
    { l: { type: "ethernet-ip", host: "plc" } },
    { d: { link: "l", a: { at: text, type: "text(20)" }, b: { at: other, type } } });

  test.each([
    ["Name", "Name.LEN", "int32"], ["Name", "name.data[0]", "int8"],
    ["Name", "Name.DATA[81]", "int8"], ["Names[3]", "Names[3].LEN", "int32"],
    ["Line[2].Name", "line[2].name.Data[7]", "int8"],
    ["Names[3]", "Names[3]", "text(30)"],
    ["Name", "Name.Other", "int32"], ["Names[03]", "NAMES[3].LEN", "int32"],
    ["Name[0]", "Name.LEN", "int32"], ["Grid[1,2]", "grid[01,2]", "text(20)"],
    ["Grid[1,2]", "Grid[5]", "text(20)"],
  ])("%s and %s", (text, other, type) => {
    expect(cip(text, other, type)).toContain("two writable tags overlap: d.");
  });

  test.each([
    ["Name", "Name2.LEN", "int32"], ["Grid[1,2]", "Grid[0,0]", "text(20)"],
    ["Names[3]", "Names[4].LEN", "int32"], ["Names[3]", "Names[4]", "text(20)"],
    ["Name", "Names[0].DATA[0]", "int8"],
  ])("%s and %s are two", (text, other, type) => {
    expect(cip(text, other, type)).toBe("");
  });

  test("members of one structure are two", () => {
    expect(problems({ l: { type: "ethernet-ip", host: "plc" } }, { d: { link: "l",
      a: { at: "Name.LEN", type: "int32" }, b: { at: "Name.DATA[0]", type: "int8" } } })).toBe("");
  });
});

describe("links that may lead to one device", () => {
  const modbus = (one: object, other: object): string => problems(
    { a: { type: "modbus-tcp", ...one }, b: { type: "modbus-tcp", ...other } },
    { d: { link: "a", x: { at: "holding 9", type: "int16" } },
      e: { link: "b", y: { at: "400010", type: "int16" } } });

  test("names of this gateway are one place, which one link leads to", () => {
    const said = modbus({ host: "localhost" }, { host: "127.0.0.1" });
    expect(said).toContain("links.a leads to 127.0.0.1:502 already");
    expect(said).toContain("overlap: e.y and d.x share");
  });

  test("the stand-in of one is the other", () => {
    expect(modbus({ host: "10.0.0.1", backupHost: "10.0.0.2" }, { host: "10.0.0.2" }))
      .toBe("two writable tags overlap: e.y and d.x share holding of station 1 at 10.0.0.1:502");
    expect(modbus({ host: "10.0.0.1", backupHost: "10.0.0.3" }, { host: "10.0.0.2" })).toBe("");
  });

  test("a stand-in that is none, and hosts that are none", () => {
    expect(modbus({ host: "10.0.0.1", backupHost: "10.0.0.1" }, { host: "10.0.0.2" }))
      .toContain("is host itself");
    expect(modbus({ host: "tcp://10.0.0.1" }, { host: "10.0.0.2", backupHost: "10.0.0.300" }))
      .toBe('the name or address stands here alone, without tcp://: "host": "10.0.0.1"\n' +
        "10.0.0.300 is no address: 300 is more than 255");
  });
});

test("where one address is one device, no station makes two of it", () => {
  for (const [type, at, said] of [["s7", "DB1.DBW0", "S7"], ["ethernet-ip", "Level",
    "EtherNet/IP"], ["opcua", "ns=2;i=5", "OPC UA"]] as const) {
    const link = { type, host: "plc", ...type === "opcua" ? { security: "None" } : {} };
    const loaded = loadReal({ gateway: { id: "g" }, links: { l: link }, devices: {
      "d-{1..2}": { link: "l", station: "{n}", groups: { g: "1s" },
        tags: { a: { at, type: "int16", access: "read-write" } } } } });
    expect(loaded.problems.map(({ message }) => message).join()).toBe(`Station 2: ${said} has no ` +
      'stations behind one address; leave "station" out, and give each device a link of its own');
  }
});
