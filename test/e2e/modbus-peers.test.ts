import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ServerTCP } from "modbus-serial";
import { Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { peer } from "../support/peer.ts";
import { good } from "../support/plant.ts";
import { freePort } from "../support/port.ts";
import { python } from "../support/python.ts";

/** The compiled binary against stacks that others wrote: pymodbus and modbus-serial. */
const pymodbus = python("pymodbus.server, serial_asyncio");
const hasPeers = pymodbus !== null && peer("socat") !== null;
const [rtu, ascii, udp] = [await freePort(), await freePort(), await freePort()];

describe.skipIf(!hasPeers)("pymodbus", () => {
  const folder = workFolder();
  const [ours, theirs] = [join(folder.path, "ours"), join(folder.path, "theirs")];
  const programs: Program[] = [];
  let gateway: RunningGateway;
  const links = {
    rtu: { type: "modbus-tcp", host: "localhost", port: rtu, framing: "rtu" },
    ascii: { type: "modbus-tcp", host: "127.0.0.1", port: ascii, framing: "ascii" },
    udp: { type: "modbus-udp", host: "127.0.0.1", port: udp },
    serial: { type: "modbus-ascii", port: ours, rs485: "adapter", parity: "none" },
  };
  const tags = (link: string): object => {
    const access = link === "udp" ? {} : { access: "read-write" };
    return {
      number: { at: "holding 300", type: "uint32" },
      words: { at: "holding 600", type: "uint16[100]" },
      pairs: { at: "input 40", type: "uint32[3]", wordOrder: "CDAB" },
      thirds: { at: "coil 21", type: "bool[9]" }, three: { at: "coil 3", type: "bool" },
      word: { at: "holding 40", type: "int16", ...access },
      pump: { at: "coil 100", type: "bool", ...access },
      // Of a register that nobody else writes: 512 is bit 9.
      lamp: { at: "holding 512.4", type: "bool", ...access },
    };
  };
  const allowed = { allow: ["cli"], maxMode: "armed", min: -100, max: 100, minInterval: "1ms" };
  const written = Object.keys(links).filter((link) => link !== "udp");

  beforeAll(async () => {
    programs.push(new Program(["socat", `pty,raw,echo=0,link=${ours}`,
      `pty,raw,echo=0,link=${theirs}`]));
    await until("ptys", () => Bun.spawnSync(["test", "-e", theirs]).exitCode === 0);
    const server = new Program([pymodbus!, join(import.meta.dir, "pymodbus_peer.py"), `${rtu}`,
      `${ascii}`, `${udp}`, theirs]);
    programs.push(server);
    await until("pymodbus", () => server.output.includes("ready"));
    const config = folder.write("gateway.json", {
      gateway: { id: "peers" }, links,
      devices: Object.fromEntries(Object.keys(links).map((link) =>
        [`at_${link}`, { link, groups: { fast: "100ms" }, tags: tags(link) }])),
      policy: Object.fromEntries(written.flatMap((link) => ["word", "pump", "lamp"].map((tag) =>
        [`at_${link}.${tag}`, allowed]))),
      api: { listen: "127.0.0.1:0" },
    });
    gateway = await RunningGateway.start(config, join(folder.path, "store"));
  }, 120_000);
  afterAll(async () => {
    await gateway?.stop("SIGKILL");
    for (const program of programs) await program.stop("SIGKILL");
    folder.remove();
  });

  const valueOf = async (tag: string): Promise<unknown> =>
    (await gateway.get(`/tags/${tag}`)).body.value;

  test.each(Object.keys(links))("%s: registers and coils are read", async (link) => {
    await good(gateway, `at_${link}.number`);
    expect(await valueOf(`at_${link}.number`)).toBe(300 * 65536 + 301);
    expect(await valueOf(`at_${link}.three`)).toBe(true);
    // Register n holds n, and every third coil is on.
    expect(await valueOf(`at_${link}.words`)).toEqual(
      Array.from({ length: 100 }, (_, i) => 600 + i));
    expect(await valueOf(`at_${link}.pairs`)).toEqual(
      [40, 42, 44].map((n) => (n + 1) * 65536 + n));
    expect(await valueOf(`at_${link}.thirds`)).toEqual(
      Array.from({ length: 9 }, (_, i) => i % 3 === 0));
  });

  test.each(written)("%s: a register, a coil and a bit are written and read back", async (link) => {
    for (const [tag, value] of [["word", "-7"], ["pump", "true"], ["lamp", "true"]] as const) {
      await gateway.arm(`at_${link}.${tag}`);
      const { output } = await gateway.cli("write", `at_${link}.${tag}`, value);
      expect(output).toContain("verified");
    }
  });
});

test("one illegal register among 10,000 of modbus-serial: only that tag is bad", async () => {
  const illegal = 4321;
  const server = new ServerTCP({
    getHoldingRegister: (at: number) => {
      // Its exception for an address that is not there.
      if (at === illegal) throw Object.assign(new Error("no such"), { modbusErrorCode: 2 });
      return at;
    },
  }, { host: "127.0.0.1", port: 0, unitID: 1 });
  await new Promise((resolve) => server.on("initialized", resolve));
  const { port } = (server as unknown as { _server: { address(): { port: number } } })._server
    .address();
  const folder = workFolder({ "gateway.json": {
    gateway: { id: "wide", profile: "generic-1gb" },
    links: { plc: { type: "modbus-tcp", host: "127.0.0.1", port } },
    devices: { d: { link: "plc", groups: { fast: "2s" }, tags: Object.fromEntries(
      Array.from({ length: 10_000 }, (_, i) => [`t${i}`, { at: `holding ${i}`, type: "uint16" }]),
    ) } },
    api: { listen: "127.0.0.1:0" },
  } });
  const gateway = await RunningGateway.start(join(folder.path, "gateway.json"),
    join(folder.path, "store"));
  try {
    // The first row of all was due before there was a connection.
    await good(gateway, "d.t0");
    expect((await gateway.get("/links")).body[0].polls[0].polls).toBeLessThanOrEqual(3);
    const [device] = (await gateway.get("/devices")).body;
    const bad = device.tags.filter(({ quality }: { quality: string }) => quality !== "good");
    expect(bad).toMatchObject([{ id: `d.t${illegal}`, quality: "bad:address" }]);
    expect(device.tags[9999].value).toBe(9999);
    const [link] = (await gateway.get("/links")).body;
    expect(link.polls[0].refused).toEqual([`holding ${illegal}`]);
    expect((await gateway.cli("status")).output).toMatch(/plc +1 +good +\d+/);
  } finally {
    await gateway.stop("SIGKILL");
    await new Promise<void>((resolve) => server.close(() => resolve()));
    folder.remove();
  }
}, 120_000);
