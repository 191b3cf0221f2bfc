import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { systemClock } from "../../src/base.ts";
import { Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { peer } from "../support/peer.ts";
import { good, Site } from "../support/plant.ts";
import { python } from "../support/python.ts";

/** Station 0 of a serial bus on the compiled binary: all obey, none answers (docs/modbus.md). */
const allowed = {
  allow: ["cli", "rest"], maxMode: "armed", min: 0, max: 100, minInterval: "1ms", readBack: "none",
};
const bus = { type: "modbus-rtu", port: "/dev/bus", rs485: "adapter", baud: 115200,
  parity: "none", timeout: "200ms", broadcast: true };
const speed = { at: "holding 9", type: "int16", eu: "%" };
const rw = { access: "read-write" };
const stations = [1, 2, 3];

function devices(link: string, name = link): Record<string, object> {
  const of = (tags: object) => ({ link, groups: { fast: "50ms" }, tags });
  return {
    ...Object.fromEntries(stations.map((station) => [`${name}_${station}`,
      { ...of({ speed, lamp: { at: "coil 4", type: "bool" } }), station }])),
    [`${name}_all`]: { ...of({ speed: { ...speed, ...rw },
      lamp: { at: "coil 4", type: "bool", ...rw } }), station: 0 },
  };
}

describe("the simulator's stations", () => {
  const config = {
    gateway: { id: "broadcast" },
    links: {
      bus: { ...bus, turnaround: "400ms" },
      // So long that it is killed in between.
      bus_slow: { ...bus, port: "/dev/slow", turnaround: "8s" },
      text: { ...bus, type: "modbus-ascii", port: "/dev/text", turnaround: "100ms" },
    },
    devices: { ...devices("bus"), ...devices("bus_slow"), ...devices("text") },
    policy: Object.fromEntries(["bus", "bus_slow", "text"].flatMap((link) =>
      [`${link}_all.speed`, `${link}_all.lamp`].map((tag) => [tag, allowed]))),
    api: { listen: "127.0.0.1:0" },
  };
  // What a broadcast reaches keeps what it is set to, also where nobody says so (`text`).
  const plant = Object.fromEntries(["bus", "bus_slow"].flatMap((link) =>
    stations.flatMap((n) => [[`${link}_${n}.speed`, { kind: "follow", value: 10 + n }],
      [`${link}_${n}.lamp`, { kind: "follow", value: 0 }]])));
  let site: Site;
  let gateway: RunningGateway;
  beforeAll(async () => {
    site = await Site.start(config, { "plant.json": plant });
    gateway = await site.run();
    for (const link of Object.keys(config.links)) await good(gateway, `${link}_3.speed`);
  }, 120_000);
  afterAll(() => site?.stop());

  const write = async (tag: string, value: unknown): Promise<any> => (await gateway.post("/write",
    { id: `b-${crypto.randomUUID()}`, tag, value, within: "5s" })).body;
  const arm = (tag: string, ...more: string[]) =>
    gateway.cli("arm", tag, "--for", "5m", "--by", "anna", "--yes", ...more);
  const valuesOf = async (link: string, tag: string): Promise<unknown[]> =>
    Promise.all(stations.map(async (n) =>
      (await gateway.get(`/tags/${link}_${n}.${tag}`)).body.value));

  test("it is never asked, and says why it has no value", async () => {
    const tag = await until("a row", async () => {
      const { body } = await gateway.get("/tags/bus_all.speed");
      return body.quality === "bad:broadcast" ? body : null;
    });
    expect([tag.value, tag.category]).toEqual([null, null]);
    expect((await gateway.cli("why", "bus_all.speed")).output).toContain("none answers");
    expect(site.plant.frames().some(({ link, dir, bytes }) =>
      link.startsWith("bus") && dir === "in" && bytes.startsWith("00"))).toBe(false);
  });

  test("W2: arm shows the frame of a value, and whom it reaches; prove is refused", async () => {
    expect((await write("bus_all.speed", 40)).code).toBe("not-armed");
    expect((await arm("bus_all.speed")).output).toContain("--value");
    const proof = await gateway.cli("prove", "bus_all.speed", "--by", "anna", "--yes");
    expect([proof.code, proof.output.includes("cannot be read")]).toEqual([1, true]);
    expect((await arm("bus_all.speed", "--value", "50000")).output).toContain("int16 ends at");
    expect((await arm("bus_all.speed", "--value", "hot")).output)
      .toContain('--value is a number as 42.5, or true or false, not "hot"\n');
    const { code, output } = await arm("bus_all.speed", "--value", "40");
    expect(code).toBe(0);
    expect(output).toContain("40 % would leave as 000600090028");
    expect(output).toContain("1 (bus_1), 2 (bus_2), 3 (bus_3)");
    for (const n of stations) expect(output).toMatch(new RegExp(`bus_${n}.speed +${n} +1${n} %`));
    expect(output).not.toContain("bus_slow");
    expect(output).toContain("may obey too");
  });

  test("W14, W15: one frame that all obey, silence after it, and an honest outcome", async () => {
    const before = (await gateway.get("/links")).body.find((one: any) => one.name === "bus");
    const answer = await write("bus_all.speed", 40);
    expect(answer).toMatchObject({ outcome: "unknown", code: "broadcast", value: 40 });
    expect(answer.text).toContain("as a broadcast, which is not answered");
    const own = await until("the frame on record", () => site.plant.writes("bus")[0]);
    expect(own.bytes.startsWith("000600090028")).toBe(true);
    await until("the polls see it", async () =>
      (await valuesOf("bus", "speed")).every((value) => value === 40));
    expect(site.plant.writes("bus").length).toBe(1);
    const next = await until("the next request", () => {
      const heard = site.plant.frames().filter(({ link, dir }) => link === "bus" && dir === "in");
      return heard[heard.findIndex(({ bytes }) => bytes === own.bytes) + 1];
    });
    const after = (await gateway.get("/links")).body.find((one: any) => one.name === "bus");
    expect(after.stations.map((one: any) => one.station)).toEqual(stations);
    expect([after.opens, after.counters.timeouts, after.counters.garbled])
      .toEqual([before.opens, before.counters.timeouts, before.counters.garbled]);
    const audit: any[] = (await gateway.get("/audit?tag=bus_all.speed")).body;
    const row = audit.find(({ outcome }) => outcome === "unknown");
    expect(row).toMatchObject(
      { code: "broadcast", frame: own.bytes, means: 40, read: null, readBack: null });
    // The simulator may find a frame late, so when this one left its sender says, by the wall clock
    // (a whole ms); the next it finds late or in time, never early.
    const clock = systemClock();
    expect(next.t - (row.sent - clock.time() + clock.now())).toBeGreaterThan(395);
  });

  test("limits hold; a coil; the command line does not say that it worked", async () => {
    expect(await write("bus_all.speed", 101)).toMatchObject({ code: "out-of-range" });
    expect((await arm("bus_all.lamp", "--value", "true")).output).toContain("00050004ff00");
    const { code, output } = await gateway.cli("write", "bus_all.lamp", "true");
    expect([code, output.includes("unknown (broadcast)")]).toEqual([1, true]);
    await until("all lamps", async () =>
      (await valuesOf("bus", "lamp")).every((value) => value === true));
    expect(site.plant.writes("bus").length).toBe(2);
  });

  test("W3: who has one device left alone ends the arming, and it stays refused", async () => {
    expect((await gateway.cli("disable", "bus_2", "--by", "ben")).code).toBe(0);
    expect((await gateway.get("/health")).body.writing.armed).not.toContain("bus_all.speed");
    expect(await write("bus_all.speed", 41)).toMatchObject({ outcome: "refused",
      code: "broadcast", text: expect.stringContaining("bus_2 would obey too") });
    const { code, output } = await arm("bus_all.speed", "--value", "41");
    expect([code, output.includes("bus_2 would obey too")]).toEqual([1, true]);
    expect((await gateway.cli("enable", "bus_2", "--by", "ben")).code).toBe(0);
    expect((await write("bus_all.speed", 41)).code).toBe("not-armed");
    expect(site.plant.writes("bus").length).toBe(2);
  });

  test("ASCII: the same", async () => {
    expect((await arm("text_all.speed", "--value", "7")).output)
      .toContain(Buffer.from(":000600090007EA\r\n").toString("hex"));
    expect(await write("text_all.speed", 7)).toMatchObject({ code: "broadcast" });
    await until("all", async () => (await valuesOf("text", "speed")).every((v) => v === 7));
  });

  test("W14, W15: killed within the silence: unknown, and never sent again", async () => {
    const tag = "bus_slow_all.speed";
    await arm(tag, "--value", "40");
    void write(tag, 40).catch(() => {});
    await until("the frame on record", () => site.plant.writes("bus_slow")[0]);
    await gateway.stop("SIGKILL");
    gateway = await site.run();
    await good(gateway, "bus_slow_3.speed");
    expect(await valuesOf("bus_slow", "speed")).toEqual([40, 40, 40]);
    const audit: any[] = (await gateway.get(`/audit?tag=${tag}`)).body;
    expect(audit.find(({ verdict }) => verdict === "admitted")).toMatchObject(
      { outcome: "unknown", code: "restart" });
    expect((await write(tag, 41)).code).toBe("not-armed");
    expect(site.plant.writes("bus_slow").length).toBe(1);
  });
});

const pymodbus = python("pymodbus.server, serial_asyncio");

describe.skipIf(pymodbus === null || peer("socat") === null)("pymodbus, a stack of others", () => {
  const folder = workFolder();
  const [ours, theirs] = [join(folder.path, "ours"), join(folder.path, "theirs")];
  const programs: Program[] = [];
  let gateway: RunningGateway;
  beforeAll(async () => {
    programs.push(new Program(["socat", `pty,raw,echo=0,link=${ours}`,
      `pty,raw,echo=0,link=${theirs}`]));
    await until("ptys", () => Bun.spawnSync(["test", "-e", theirs]).exitCode === 0);
    const server = new Program([pymodbus!, join(import.meta.dir, "pymodbus_bus.py"), theirs]);
    programs.push(server);
    await until("pymodbus", () => server.output.includes("ready"));
    const config = folder.write("gateway.json", {
      gateway: { id: "peers" }, links: { bus: { ...bus, port: ours, timeout: "1s" } },
      devices: devices("bus", "fan"),
      policy: { "fan_all.speed": allowed, "fan_all.lamp": allowed },
      api: { listen: "127.0.0.1:0" },
    });
    gateway = await RunningGateway.start(config, join(folder.path, "store"));
    await good(gateway, "fan_3.speed");
  }, 120_000);
  afterAll(async () => {
    await gateway?.stop("SIGKILL");
    for (const program of programs) await program.stop("SIGKILL");
    folder.remove();
  });

  test.each([["speed", "40", 40], ["lamp", "true", true]])(
    "all three obey %s and none answers", async (tag, given, value) => {
      const id = `fan_all.${tag}`;
      const { code } = await gateway.cli("arm", id, "--for", "5m", "--by", "anna", "--yes",
        "--value", given);
      expect(code).toBe(0);
      expect((await gateway.cli("write", id, given)).output).toContain("unknown (broadcast)");
      for (const station of stations) {
        await until(`station ${station}`, async () =>
          (await gateway.get(`/tags/fan_${station}.${tag}`)).body.value === value);
      }
      const [link] = (await gateway.get("/links")).body;
      expect([link.opens, link.counters.stray]).toEqual([1, 0]);
    });
});
