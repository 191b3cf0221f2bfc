import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { binary, Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { python } from "../support/python.ts";

/** The compiled binary on a bus whose master and station are pymodbus: it hears, and is silent. */
const pymodbus = python("pymodbus.server");

describe.skipIf(pymodbus === null)("a link that only listens", () => {
  const folder = workFolder();
  const port = join(folder.path, "bus");
  const link = { type: "modbus-rtu", port, rs485: "adapter", parity: "none", baud: 115200,
    timeout: "200ms", listenOnly: true };
  const tags = {
    count: { at: "holding 0", type: "uint16" }, nine: { at: "holding 9", type: "uint16" },
    wide: { at: "input 100", type: "uint32" }, three: { at: "coil 3", type: "bool" },
    four: { at: "coil 4", type: "bool" }, unread: { at: "holding 60", type: "uint16" },
    half: { at: "input 101", type: "uint32" },
  };
  const config = { gateway: { id: "ear" }, links: { bus: link },
    devices: { meter: { link: "bus", station: 1, groups: { fast: "100ms" }, tags } },
    rules: { rate: { sql: "SELECT count(*) AS n, max(count) - min(count) AS steps " +
      "FROM meter.fast GROUP BY TUMBLINGWINDOW(ss, 1)" } },
    api: { listen: "127.0.0.1:0" } };
  let bus: Program;
  let gateway: RunningGateway;
  const tag = async (name: string): Promise<{ value: unknown; quality: string }> =>
    (await gateway.get(`/tags/meter.${name}`)).body;
  const sent = async (word = ""): Promise<number> => {
    const before = bus.output.length;
    bus.child.stdin.write(`${word}\n`);
    return Number((await until("the count", () =>
      /came (\d+)/.exec(bus.output.slice(before))))[1]);
  };

  beforeAll(async () => {
    bus = new Program([pymodbus!, join(import.meta.dir, "overheard_bus.py"), port]);
    await until("the bus", () => bus.output.includes("ready"));
    gateway = await RunningGateway.start(folder.write("gateway.json", config),
      join(folder.path, "store"));
  }, 120_000);
  afterAll(async () => {
    await gateway?.stop();
    await bus?.stop("SIGKILL");
    folder.remove();
  });

  test("tags have what the master was told", async () => {
    // The first row ends with the first read.
    await until("good", async () => (await tag("four")).quality === "good");
    expect(await tag("nine")).toMatchObject({ value: 9, quality: "good" });
    expect(await tag("wide")).toMatchObject({ value: 100 * 65536 + 101, quality: "good" });
    expect(await tag("three")).toMatchObject({ value: true, quality: "good" });
    expect(await tag("four")).toMatchObject({ value: false, quality: "good" });
    const { value } = await tag("count");
    await until("it goes on", async () => (await tag("count")).value !== value);
  });

  test("what is not read, or only in part, has no value, and says why", async () => {
    expect(await tag("unread")).toMatchObject({ quality: "bad:initial" });
    expect(await tag("half")).toMatchObject({ quality: "bad:initial" });
  });

  test("a row an interval, in windows that are whole", async () => {
    const seen = new Set<number>();
    await until("three windows", async () => {
      const { body } = await gateway.get("/streams/rate/latest");
      if (body !== null) seen.add(body.values.n);
      return seen.size > 0 && [...seen].some((n) => n >= 8 && n <= 11);
    });
  });

  test("nobody can scan there, nor write", async () => {
    await gateway.stop();
    const file = join(folder.path, "gateway.json");
    const scan = new Program([await binary(), "scan", "bus", "-c", file]);
    const code = await scan.child.exited;
    await scan.stop();
    expect([code, scan.output]).toEqual([1, expect.stringContaining("bus only listens")]);
    const wrong = { ...config, devices: { meter: { ...config.devices.meter,
      tags: { set: { at: "holding 1", type: "uint16", access: "read-write" } } } } };
    const check = new Program([await binary(), "check", folder.write("wrong.json", wrong)]);
    await check.child.exited;
    await check.stop();
    expect(check.output).toContain("Nothing is sent on a link that only listens");
    gateway = await RunningGateway.start(join(folder.path, "gateway.json"),
      join(folder.path, "store"));
    await until("good", async () => (await tag("wide")).quality === "good");
  }, 120_000);

  test("a master that falls silent: old values are bad, and in all that time no byte was sent",
    async () => {
      expect(await sent("quiet")).toBe(0);
      await until("old", async () => (await tag("nine")).quality === "bad:old");
      expect(await sent()).toBe(0);
    }, 120_000);
});

test("rehearsed without the bus, the simulated master reads all of it", async () => {
  const link = { type: "modbus-rtu", port: "/dev/ttyS9", rs485: "adapter", listenOnly: true };
  const folder = workFolder({ "gateway.json": { gateway: { id: "ear" }, links: { bus: link },
    devices: { "m-{1..3}": { link: "bus", station: "{n}", groups: { fast: "500ms" }, tags: {
      power: { at: "input 0", type: "float32" }, on: { at: "coil 7", type: "bool" } } } },
    api: { listen: "127.0.0.1:0" }, store: { directory: "store" } } });
  const tagwerk = async (...args: string[]): Promise<Program> =>
    new Program([await binary(), ...args], { cwd: folder.path });
  const run = await tagwerk("run", "gateway.json", "--simulate");
  try {
    await until("every tag is good", async () => {
      const read = await tagwerk("read");
      const code = await read.child.exited;
      await read.stop();
      return code === 0 && read.output.match(/good/g)?.length === 6;
    });
  } finally {
    await run.stop();
    folder.remove();
  }
}, 120_000);
