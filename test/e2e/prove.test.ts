import { afterAll, beforeAll, expect, test } from "bun:test";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** W2 (docs/writing-rules.md): a proof by writing; the judge is the simulator's frame log. */
const policy = {
  allow: ["cli", "prove"], maxMode: "armed", min: 0, max: 100, deadband: 5, minInterval: "1ms",
};
const setpoint = (at: number) => ({ at: `holding ${at}`, type: "int16", access: "read-write" });
const config = {
  gateway: { id: "prove" },
  links: {
    oven: { type: "modbus-tcp", host: "192.0.2.1", timeout: "2s" },
    bus: { type: "modbus-rtu", port: "/dev/bus", rs485: "adapter", baud: 115200,
      timeout: "2s" },
  },
  devices: {
    oven: { link: "oven", groups: { fast: "100ms" }, tags: {
      setpoint: setpoint(0), shadow: setpoint(1), closed: setpoint(2), high: setpoint(3),
      ready: { at: "discrete 0", type: "bool" },
      coil: { at: "coil 7", type: "bool", access: "read-write" },
      bit: { at: "holding 20.3", type: "bool", access: "read-write" },
      beside: { at: "holding 20.9", type: "bool", access: "read-write" } } },
    drive: { link: "bus", station: 1, groups: { fast: "100ms" }, tags: { speed: setpoint(0) } },
  },
  policy: {
    "oven.setpoint": { ...policy, onLoss: { after: "10ms", value: 99, step: "any" } },
    "oven.shadow": { ...policy, maxMode: "shadow" },
    "oven.closed": { ...policy, allow: ["cli"] },
    "oven.high": { ...policy, max: 5, outside: "clamp" },
    "drive.speed": policy,
    "oven.coil": policy, "oven.bit": policy,
  },
  api: { listen: "127.0.0.1:0" },
};
const tags = ["oven.setpoint", "oven.shadow", "oven.closed", "oven.high", "drive.speed"];
const bits = ["oven.coil", "oven.bit", "oven.beside"];
const plant = Object.fromEntries(tags.map((tag) => [tag, { kind: "follow", value: 10 }])
  .concat(bits.map((tag) => [tag, { kind: "follow", value: 1 }])));

let site: Site;
let gateway: RunningGateway;
const prove = (tag: string) => gateway.cli("prove", tag, "--by", "anna", "--yes");
const writes = (): number => ["oven", "bus"].flatMap((link) => site.plant.writes(link)).length;

beforeAll(async () => {
  site = await Site.start(config, { "plant.json": plant });
  gateway = await site.run();
  for (const tag of tags) await good(gateway, tag);
}, 120_000);
afterAll(() => site?.stop());

test("W2: what stands there is written once, read again, and nothing stays armed", async () => {
  for (const [tag, link] of [["oven.setpoint", "oven"], ["drive.speed", "bus"]] as const) {
    const { code, output } = await prove(tag);
    expect(output).toContain("raw words 000a");
    expect(output).toContain(`verified: ${tag} reads 10 after writing 10`);
    expect(code).toBe(0);
    const [frame, ...more] = await until("frame on record", () => {
      const frames = site.plant.writes(link);
      return frames.length > 0 ? frames : null;
    });
    expect(more).toEqual([]);
    expect((await gateway.get("/health")).body.writing.armed).toEqual([]);
    const audit: any[] = (await gateway.get(`/audit?tag=${tag}`)).body;
    expect(audit.find((row) => row.outcome === "verified")).toMatchObject({
      origin: "prove", who: "anna", means: 10, read: 10, readBack: 10, frame: frame!.bytes });
    expect(audit.find((row) => row.code === "arming-ended")?.sentence)
      .toBe("its one command is over");
  }
});

test("W2: refused where policy, value or another arming says no; nothing leaves", async () => {
  const before = writes();
  await gateway.arm("drive.speed");
  const armings = async (tag: string): Promise<any[]> =>
    (await gateway.get(`/audit?tag=${tag}`)).body.filter((row: any) => row.code === "armed");
  for (const [tag, code] of [["oven.shadow", "shadow"], ["oven.closed", "not-allowed"],
    ["oven.high", "out-of-range"], ["drive.speed", "armed-otherwise"]] as const) {
    const { code: exit, output } = await prove(tag);
    expect(output).toContain(code);
    expect(exit).toBe(1);
    // W21: who was refused what is on record; nobody was armed in vain.
    const audit: any[] = (await gateway.get(`/audit?tag=${tag}`)).body;
    expect(audit.find((row) => row.code === code)).toMatchObject({ origin: "prove", who: "anna" });
    if (tag !== "drive.speed") expect(await armings(tag)).toEqual([]);
  }
  expect((await gateway.get("/health")).body.writing.armed).toEqual(["drive.speed"]);
  const none = await prove("oven.ready");
  expect([none.code, none.output.includes("no-policy")]).toEqual([1, true]);
  expect(writes()).toBe(before);
});

test("a coil and a bit of a register, whose neighbours stay", async () => {
  for (const tag of ["oven.coil", "oven.bit"]) {
    expect((await prove(tag)).output).toContain("verified");
  }
  const beside = await until("polled", async () => (await gateway.get("/tags/oven.beside")).body);
  expect(beside).toMatchObject({ value: true, quality: "good" });
});

test("W17: an id proves once", async () => {
  const { hash } = (await gateway.post("/proof", { tag: "oven.setpoint" })).body;
  const body = { id: "p-1", tag: "oven.setpoint", by: "anna", proof: hash };
  expect((await gateway.post("/prove", body)).body.outcome).toBe("verified");
  expect((await gateway.post("/prove", body)).body).toMatchObject({ code: "duplicate" });
  expect((await gateway.post("/prove", { ...body, id: "p-2", proof: "other" })).body)
    .toMatchObject({ code: "no-proof" });
});

test("W4, W5: refused under disarm and with a rejected configuration", async () => {
  await site.plant.settled();
  const before = writes();
  await gateway.post("/disarm", { by: "anna" });
  expect((await prove("oven.setpoint")).output).toContain("latched");
  await gateway.post("/disarm", { by: "anna", clear: true });
  await gateway.stop();
  gateway = await site.run(site.live({}, { rules: { broken: { sql: "SELECT", to: [] } } }));
  await good(gateway, "oven.setpoint");
  expect((await gateway.get("/health")).body.status).toBe("config-rejected");
  const { code, output } = await prove("oven.setpoint");
  expect([code, output.includes("config-rejected")]).toEqual([1, true]);
  expect(writes()).toBe(before);
}, 120_000);
