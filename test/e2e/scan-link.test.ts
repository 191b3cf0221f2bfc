import { afterAll, beforeAll, expect, test } from "bun:test";
import { binary, Program, until } from "../support/binary.ts";
import { good, Site } from "../support/plant.ts";

/** `tagwerk scan` against a simulated bus and a simulated controller. */
const tags = {
  power: { at: "input 3", type: "float32" }, limit: { at: "holding 7", type: "int16" },
  running: { at: "coil 2", type: "bool" },
};
const config = {
  gateway: { id: "scan" },
  links: {
    bus: { type: "modbus-rtu", port: "/dev/bus", rs485: "adapter", baud: 115200, timeout: "50ms" },
    plc: { type: "modbus-tcp", host: "192.0.2.1", timeout: "100ms" },
    text: { type: "modbus-ascii", port: "/dev/text", rs485: "adapter", baud: 115200,
      timeout: "100ms" },
    converter: { type: "modbus-tcp", host: "192.0.2.4", framing: "rtu", timeout: "100ms" },
    datagrams: { type: "modbus-udp", host: "192.0.2.3", timeout: "100ms" },
  },
  devices: {
    "m-{2..3}": { link: "bus", station: "{n}", groups: { slow: "1s" }, tags },
    press: { link: "plc", groups: { slow: "1s" }, tags },
    old: { link: "text", groups: { slow: "1s" }, tags },
    behind: { link: "converter", station: 2, groups: { slow: "1s" }, tags },
    meter: { link: "datagrams", groups: { slow: "1s" }, tags },
  },
  api: { listen: "127.0.0.1:0" },
};
const plant = Object.fromEntries(["m-2", "m-3", "press", "old", "behind",
  "meter"].map((device) =>
  [`${device}.limit`, { kind: "constant", value: 1234 }]));

let site: Site;
let live: string;
beforeAll(async () => {
  site = await Site.start(config, { "plant.json": plant });
  live = site.live({}, { store: { directory: site.store } });
}, 120_000);
afterAll(() => site?.stop());

async function scan(...args: string[]): Promise<{ code: number; output: string }> {
  const program = new Program([await binary(), "scan", ...args, "-c", live]);
  const code = await program.child.exited;
  await program.stop();
  return { code, output: program.output };
}

test("stations of a bus and their registers are found, by reads alone", async () => {
  const { code, output } = await scan("bus", "--stations", "1-4", "--registers", "0-9");
  expect(output).not.toContain("station 1 answers");
  for (const station of [2, 3]) expect(output).toContain(`station ${station} answers`);
  expect(output).toContain("holding 7: 1234");
  expect(output).toMatch(/input 3\.\.4: \d+ \d+/);
  expect(output).toMatch(/coil 2: [01]/);
  expect(output).toContain("bus: 2 of 4 stations answer");
  expect(code).toBe(0);
  const { length } = await until("the log", () => {
    const frames = site.plant.frames().filter(({ link, dir }) => link === "bus" && dir === "in");
    return frames.length > 80 ? frames : null;
  });
  expect(length).toBeGreaterThan(80);
  expect(site.plant.writes("bus")).toEqual([]);
}, 120_000);

test("a search tells the settings that were answered to; nobody is exit code 1", async () => {
  const { output } = await scan("bus", "--search", "--stations", "3", "--registers", "none");
  expect(output).toContain("115200 baud, 8 data bits, parity none");
  expect(output).toContain("station 3 answers with these settings");
  const nobody = await scan("plc", "--stations", "9", "--registers", "none");
  expect([nobody.code, nobody.output]).toEqual([1, expect.stringContaining("0 of 1")]);
}, 120_000);

test("a link over TCP", async () => {
  const { output } = await scan("plc", "--stations", "1", "--registers", "5-9");
  expect(output).toContain("holding 7: 1234");
}, 120_000);

test("behind a converter: a silent station ends the connection, and not the scan", async () => {
  const { output } = await scan("converter", "--stations", "1-3", "--registers", "7");
  expect(output).toContain("station 2 answers");
  expect(output).toContain("holding 7: 1234");
  expect(output).toContain("converter: 1 of 3 stations answer");
}, 120_000);

test.each([["text", "1-2"], ["datagrams", "1-1"]] as const)(
  "ASCII on a bus, and datagrams: %s, stations %s", async (link, stations) => {
    const { code, output } = await scan(link, "--stations", stations, "--registers", "5-9");
    expect(output).toContain("station 1 answers");
    expect(output).toContain("holding 7: 1234");
    expect(output).toMatch(/: 1 of [12] stations answer/);
    expect(code).toBe(0);
    expect(site.plant.writes(link)).toEqual([]);
  }, 120_000);

test("the settings of an ASCII bus are searched for, with seven bits first", async () => {
  const { output } = await scan("text", "--search", "--stations", "1", "--registers", "none");
  expect(output).toContain("115200 baud, 7 data bits, parity none");
  expect(output).toContain("station 1 answers with these settings");
}, 120_000);

test("a scan that takes long says how far it is", async () => {
  const { output } = await scan("bus", "--stations", "10-14", "--registers", "none", "--timeout",
    "1300ms");
  expect(output).toMatch(/^bus: [45] of 5 stations were asked$/m);
  expect(output).toContain("bus: 0 of 5 stations answer");
}, 120_000);

test("a bus with another master hears nothing of us", async () => {
  await site.plant.command("fault bus other-master 50ms");
  const from = site.plant.frames().at(-1)!.t;
  const { code, output } = await scan("bus", "--stations", "2");
  expect([code, output]).toEqual([1, expect.stringContaining("another master speaks here")]);
  await site.plant.command("clear bus");
  expect(site.plant.frames().filter(({ link, dir, valid, t }) =>
    link === "bus" && dir === "in" && valid && t > from)).toEqual([]);
}, 120_000);

test("what runs has its links to itself", async () => {
  const gateway = await site.run(live);
  await good(gateway, "m-2.power");
  const known = await scan("bus");
  expect([known.code, known.output]).toEqual([1, expect.stringContaining("link-in-use")]);
  // Without a word of its store the port itself says so.
  live = site.live({}, { store: { directory: `${site.store}-other` } });
  const locked = await scan("bus");
  expect([locked.code, locked.output]).toEqual([1, expect.stringMatching(/in use|taken|locked/)]);
}, 120_000);
