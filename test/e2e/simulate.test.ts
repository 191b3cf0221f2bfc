import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { binary, Program, until, workFolder } from "../support/binary.ts";

/**
 * Must-show H: `run --simulate` of a configuration that nobody prepared for it: 32 meters on a bus,
 * seven controllers of three kinds, a scale, and what nothing can stand for.
 */
const plc = (n: number) => ({ type: "modbus-tcp", host: `192.0.2.${n}`, timeout: "100ms" });
const numbers = [1, 2, 3, 4, 5];
const config = {
  gateway: { id: "hall" },
  types: {
    meter: { groups: { slow: "1s" }, tags: {
      voltage: { at: "input 0", type: "float32" }, power: { at: "input 12", type: "float32" } } },
    plc: { groups: { fast: "100ms" }, tags: {
      temperature: { at: "input 0", type: "int16", scale: 0.1 },
      setpoint: { at: "holding 9", type: "float32", access: "read-write" } } },
  },
  links: {
    "bus-1": { type: "modbus-rtu", port: "/dev/ttyS1", rs485: "kernel", baud: 115200,
      timeout: "50ms" },
    ...Object.fromEntries(numbers.map((n) => [`plc-${n}`, plc(n)])),
    siemens: { type: "s7", host: "192.0.2.6", slot: 1, timeout: "200ms" },
    logix: { type: "ethernet-ip", host: "192.0.2.7", slot: 0, timeout: "200ms" },
    scale: { type: "telegram-serial", port: "/dev/ttyUSB0", rs485: "adapter", baud: 9600,
      timeout: "200ms", telegrams: { weight: { send: "SI", match: "^S [SDI+-]",
        example: "S S     100.00 g" } } },
    scada: { type: "opcua", host: "192.0.2.9", security: "None" },
    broker: { type: "mqtt", host: "192.0.2.10" },
  },
  devices: {
    "m-{01..32}": { use: "meter", link: "bus-1", station: "{n}" },
    ...Object.fromEntries(numbers.map((n) => [`p-${n}`, { use: "plc", link: `plc-${n}` }])),
    mill: { link: "siemens", groups: { fast: "200ms" }, tags: {
      speed: { at: "DB1.DBD4", type: "float32" } } },
    oven: { link: "logix", groups: { fast: "200ms" }, tags: {
      zone: { at: "Oven.Temperature", type: "float32" } } },
    "w-1": { link: "scale", groups: { fast: "300ms" }, tags: {
      weight: { at: "weight field 3", type: "float64", eu: "g" } } },
    line: { link: "scada", groups: { fast: "200ms" }, tags: {
      speed: { at: "ns=2;s=Speed", type: "float64" } } },
  },
  rules: { sum: { sql: "SELECT temperature, line.speed AS speed FROM p-1.fast", to: ["out"] } },
  sinks: { out: { type: "mqtt", link: "broker", topic: "plant" } },
  policy: { "p-1.setpoint": { allow: ["prove"], maxMode: "armed", min: -1e4, max: 1e4 } },
  api: { listen: "127.0.0.1:0" },
  store: { directory: "store" },
};

const folder = workFolder({ "gateway.json": config });
let file: string;
let run: Program;

async function cli(...args: string[]): Promise<string> {
  const program = new Program([file, ...args], { cwd: folder.path });
  await program.child.exited;
  await program.stop();
  return program.output;
}
const why = (tag: string): Promise<string> => cli("why", tag);

beforeAll(async () => {
  file = await binary();
  run = new Program([file, "run", "gateway.json", "--simulate"], { cwd: folder.path });
  await until("every simulated tag is good", async () => {
    const lines = (await cli("read")).split("\n")
      .filter((line) => /^(m-|p-|w-|mill|oven)/.test(line));
    return lines.length === 77 && lines.every((line) => line.includes("good"));
  }, 60_000);
}, 120_000);
afterAll(async () => {
  await run?.stop("SIGKILL");
  folder.remove();
});

test("W25: a scan would ask the machine, and is refused", async () => {
  for (const link of ["bus-1", "scada"]) {
    expect(await cli("scan", link)).toMatch(new RegExp("A simulation of this configuration runs " +
      `\\(pid \\d+\\), and a scan would ask the real ${link}: stop the simulation first`));
  }
});

test("W25: on a store of its own; what nothing stands for is closed, and says so", async () => {
  expect(existsSync(join(folder.path, "store-simulation"))).toBe(true);
  expect(existsSync(join(folder.path, "store"))).toBe(false);
  const told = await why("line.speed");
  expect(told).toContain("bad:not-simulated");
  expect(told).toContain("nothing stands for it in this simulation");

});

/** Each fault, where it is injected, and what `why` says then. */
const faults: readonly (readonly [string, string, RegExp])[] = [
  ["bus-1/7 silence", "m-07.power", /bad:timeout/],
  ["plc-1 mute", "p-1.temperature", /bad:timeout/],
  ["plc-2 delay 300ms", "p-2.temperature", /bad:timeout/],
  ["bus-1/8 exception 4", "m-08.power", /bad:exception/],
  ["bus-1/9 exception 2", "m-09.power", /bad:address/],
  ["bus-1/10 wrong-crc", "m-10.power", /bad:garbled/],
  ["plc-3 wrong-station", "p-3.temperature", /bad:garbled/],
  ["plc-4 garbage", "p-4.temperature", /bad:garbled/],
  ["bus-1/11 noise", "m-11.power", /\d stray bytes/],
  ["bus-1/12 half", "m-12.power", /bad:(garbled|timeout)/],
  ["plc-5 disconnect for 5s", "p-5.temperature", /bad:disconnected[^]*link is closed/],
  ["siemens silence", "mill.speed", /bad:timeout/],
  ["logix disconnect for 5s", "oven.zone", /bad:disconnected[^]*link is closed/],
  ["scale silence", "w-1.weight", /bad:timeout/],
  ["scale garbage", "w-1.weight", /bad:(garbled|timeout)/],
  ["plc-1 stall 500ms", "p-1.temperature", /bad:timeout/],
  ["bus-1 other-master 10ms", "m-01.power", /stray bytes|another master/],
];
for (const [fault, tag, says] of faults) {
  test(`fault ${fault} appears in why ${tag}`, async () => {
    expect(await cli("sim", "--send", `fault ${fault}`)).toContain('"ok":true');
    await until(`${says}`, async () => says.test(await why(tag)), 60_000);
    await cli("sim", "--send", "clear");
  }, 120_000);
}

test("the report has what was read and proved, and that it is a simulation", async () => {
  await until("p-1 good", async () => (await why("p-1.setpoint")).includes("  good,"));
  expect(await cli("fat-report", "gateway.json")).toContain("<td>not proved</td>");
  expect(await cli("prove", "p-1.setpoint", "--by", "<anna>", "--yes")).toContain("verified");
  const page = await cli("fat-report", "gateway.json");
  expect(page).toMatch(/<tr><td>p-1.setpoint<\/td>.*good.*verified by &lt;anna&gt;, 20\d\d/);
  expect(page).toMatch(/<tr class="open"><td>line.speed<\/td>.*bad:not-simulated/);
  expect(page).toContain("1 of 5 tags with write access");
  expect(page).toContain("Simulated plant");
});

test("Ctrl-C ends the whole of it", async () => {
  expect(await run.stop("SIGINT")).toBe(0);
  expect(existsSync(join(folder.path, "sim.sock"))).toBe(false);
});
