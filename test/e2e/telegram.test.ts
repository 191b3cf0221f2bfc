import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "jsonc-parser";
import { binary, Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** The compiled binary against machines that another program plays: TCP, UDP, a serial line. */
const python = Bun.which("python3");
if (python === null && process.env["CI"] === "true") throw new Error("CI needs python3");

/** The examples of the manual: they are what runs here. */
const page = readFileSync(join(import.meta.dir, "../../docs/telegram.md"), "utf8");
const [supply, scale, reader, line] = [...page.matchAll(/^```jsonc\n([^]*?)^```$/gm)]
  .map(([, block]) => parse(`{${block}}`));

/** The link of an example over another medium, and quick. */
const over = ({ links }: any, type: string, where: object): object => {
  const { host: _h, port: _p, rs485: _r, baud: _b, ...rest } = Object.values<any>(links)[0];
  return { ...rest, ...where, type, timeout: "1s" };
};
/** Its device on that link, polled often, and without the tags named. */
const device = ({ devices }: any, link: string, groups: object, without: string[] = []): object => {
  const [{ tags }] = Object.values<any>(devices) as [any];
  return { link, groups, tags: Object.fromEntries(Object.entries(tags)
    .filter(([name]) => !without.includes(name))) };
};

/** The supply's display may be written, too. */
const withText = (of: any): object => ("telegrams" in of
  ? { ...of, telegrams: { ...of.telegrams,
    shown: { send: "DISP:TEXT?", write: 'DISP:TEXT "{value}"' } } }
  : { ...of, tags: { ...of.tags,
    shown: { at: "shown", type: "text(16)", group: "fast", access: "read-write" } } });

describe.skipIf(python === null)("machines without a standard", () => {
  const folder = workFolder();
  let machines: Program;
  let gateway: RunningGateway;
  const order = (line: string): void => {
    void machines.child.stdin.write(`${line}\n`);
    void machines.child.stdin.flush();
  };
  const tag = async (id: string): Promise<any> => (await gateway.get(`/tags/${id}`)).body;
  const rows = (): any[] => [...gateway.program.output.matchAll(/\{"code":.*\}/g)]
    .map(([row]) => JSON.parse(row));

  beforeAll(async () => {
    machines = new Program([python!, join(import.meta.dir, "machines.py")]);
    const at = JSON.parse(await until("machines", () => /^\{.*\}$/m.exec(machines.output)?.[0]));
    const tcp = (port: number): object => ({ host: "127.0.0.1", port });
    const fast = { fast: "50ms" }, both = { fast: "50ms", slow: "1s" };
    const config = folder.write("gateway.json", {
      gateway: { id: "machines" },
      links: {
        volt: withText(over(supply, "telegram-tcp", tcp(at.scpi))),
        volt_udp: over(supply, "telegram-udp", tcp(at.scpi_udp)),
        scale: over(scale, "telegram-tcp", tcp(at.sics)),
        scale_serial: over(scale, "telegram-serial", { port: at.sics_serial, rs485: "adapter" }),
        line: over(line, "telegram-serial", { port: at.line, rs485: "adapter" }),
        reader: over(reader, "telegram-tcp", tcp(at.reader)),
        reader_serial: over(reader, "telegram-serial",
          { port: at.reader_serial, rs485: "adapter" }),
      },
      devices: {
        volt: withText(device(supply, "volt", both)),
        volt_udp: device(supply, "volt_udp", both, ["setpoint"]),
        scale: device(scale, "scale", fast), scale_serial: device(scale, "scale_serial", fast),
        ...line.devices, absent: { ...device(line, "line", { fast: "500ms" }), station: 9 },
        reader: device(reader, "reader", { scans: "10s" }),
        reader_serial: device(reader, "reader_serial", { scans: "10s" }),
      },
      rules: {
        codes: { sql: "SELECT code, quality(code) AS q FROM reader.scans", to: ["codes"] },
        serial: { sql: "SELECT code AS line FROM reader_serial.scans", to: ["codes"] },
      },
      sinks: { codes: { type: "log" } },
      policy: {
        "scale-4.limit": { allow: ["cli"], maxMode: "armed", min: 0, max: 50, minInterval: "1ms" },
        "volt.shown": { allow: ["cli", "rest"], maxMode: "armed", pattern: "[A-Z]+[0-9]{1,3}",
          minInterval: "1ms" },
        "volt.setpoint": { allow: ["cli", "rest"], maxMode: "armed", min: 0, max: 24,
          minInterval: "1ms" },
      },
      api: { listen: "127.0.0.1:0" },
    });
    gateway = await RunningGateway.start(config, join(folder.path, "store"));
  }, 120_000);
  afterAll(async () => {
    await gateway?.stop();
    await machines?.stop();
    folder.remove();
  });

  test.each(["volt", "volt_udp"])("%s: a number with exponent, a field of a text", async (id) => {
    await good(gateway, `${id}.voltage`);
    await good(gateway, `${id}.model`);
    expect((await tag(`${id}.voltage`)).value).toBe(5);
    expect((await tag(`${id}.model`)).value).toBe("DM-1");
  });

  test.each(["scale", "scale_serial"])("%s: stable, moving, overload", async (id) => {
    order("weight S 100");
    await until("stable", async () => (await tag(`${id}.weight`)).quality === "good");
    expect(await tag(`${id}.weight`)).toMatchObject({ value: 100 });
    expect(await tag(`${id}.unit`)).toMatchObject({ value: "g", quality: "good" });
    order("weight D 99.5");
    await until("moving", async () => (await tag(`${id}.weight`)).quality === "uncertain:source");
    expect(await tag(`${id}.weight`)).toMatchObject({ value: 99.5 });
    order("weight + 0");
    await until("overload", async () => (await tag(`${id}.weight`)).quality === "bad:overrange");
    expect(await tag(`${id}.state`)).toMatchObject({ value: "+", quality: "good" });
  });

  test("a barcode reader speaks when it likes: each code is a row, and a lost line", async () => {
    await until("connected", async () =>
      (await gateway.get("/links")).body.find((link: any) => link.name === "reader").state ===
        "open");
    for (const code of ["4006381333931", "4006381333931", "ABC-1"]) order(`scan ${code}`);
    await until("three rows", () => rows().length >= 3);
    expect(rows().map(({ code }) => code)).toEqual(["4006381333931", "4006381333931", "ABC-1"]);
    const lines = [...gateway.program.output.matchAll(/\{"line":"(.*)"\}/g)];
    expect(lines.map(([, line]) => line)).toEqual(["4006381333931", "4006381333931", "ABC-1"]);
    order("hang reader");
    await until("a row of the loss", () => rows().length >= 4);
    expect(rows()[3]).toMatchObject({ code: null, q: "bad:disconnected" });
    await until("connected anew", async () =>
      (await gateway.get("/links")).body.find((link: any) => link.name === "reader").opens === 2);
    order("scan XYZ");
    await until("a row after it", () => rows().length >= 5);
    expect(rows()[4]).toMatchObject({ code: "XYZ", q: "good" });
  });

  test("a write passes the gate, leaves once, and is read back", async () => {
    const write = async (value: number): Promise<any> => (await gateway.post("/write",
      { id: `t-${crypto.randomUUID()}`, tag: "volt.setpoint", value, within: "5s" })).body;
    const sent = (): string[] => machines.output.match(/^scpi SOUR:VOLT \S+$/gm) ?? [];
    await good(gateway, "volt.setpoint");
    expect(await write(12)).toMatchObject({ outcome: "refused", code: "not-armed" });
    await gateway.arm("volt.setpoint");
    expect(await write(12.3456)).toMatchObject({ outcome: "verified", readBack: 12.346 });
    expect(await write(25)).toMatchObject({ outcome: "refused" });
    expect(sent()).toEqual(["scpi SOUR:VOLT 12.346"]);
    await until("the poll has it", async () => (await tag("volt.voltage")).value === 12.346);
  });

  test("a text is written if it is of the policy's pattern", async () => {
    const write = async (value: unknown): Promise<any> => (await gateway.post("/write",
      { id: `t-${crypto.randomUUID()}`, tag: "volt.shown", value, within: "5s" })).body;
    await good(gateway, "volt.shown");
    await gateway.arm("volt.shown");
    for (const other of ["A1000", 'A1";*RST', "A1\nA2", " A1", ""]) {
      expect(await write(other)).toMatchObject({ outcome: "refused" });
    }
    expect(await write("LOT7")).toMatchObject({ outcome: "verified", value: "LOT7",
      readBack: "LOT7" });
    expect(machines.output.match(/^scpi DISP:TEXT .*$/gm)).toEqual(['scpi DISP:TEXT "LOT7"']);
    await until("the poll has it", async () => (await tag("volt.shown")).value === "LOT7");
  });

  test("scales on one line are told apart by their addresses, and one is not there", async () => {
    for (const [id, weight, limit] of [["scale-3", 4.5, 20], ["scale-4", 6, 30]] as const) {
      await good(gateway, `${id}.weight`);
      expect((await tag(`${id}.weight`)).value).toBe(weight);
      await until("its limit", async () => (await tag(`${id}.limit`)).value === limit);
    }
    await until("nobody is at 9", async () =>
      (await tag("absent.weight")).quality === "bad:timeout");
    await gateway.arm("scale-4.limit");
    expect((await gateway.cli("write", "scale-4.limit", "31.5")).output).toContain("verified");
    expect(machines.output.match(/^line \d\dLIM \S+$/gm)).toEqual(["line 04LIM 31.5"]);
    await until("only its own", async () => (await tag("scale-4.limit")).value === 31.5);
    expect((await tag("scale-3.limit")).value).toBe(20);
  }, 120_000);

  test("check shows what is sent unarmed", async () => {
    const { stdout } = Bun.spawnSync([await binary(), "check",
      join(folder.path, "gateway.json")]);
    expect(stdout.toString())
      .toContain("note: links.volt: sent unarmed, every 50ms for volt.fast: MEAS:VOLT?");
  });
});

test("sim answers what is asked, with the examples of the manual, and does what is written",
  async () => {
    const site = await Site.start({
      gateway: { id: "sim" },
      links: { ...supply.links, ...scale.links, ...reader.links, ...line.links },
      devices: { ...supply.devices, ...scale.devices, ...reader.devices, ...line.devices },
      policy: { "supply-1.setpoint": { allow: ["cli"], maxMode: "armed", min: 0, max: 24,
        minInterval: "1ms" } },
      api: { listen: "127.0.0.1:0" },
    }, { "plant.json": {
      "supply-1.voltage": { kind: "constant", value: 12.5 },
      "supply-1.setpoint": { kind: "follow", value: 0 },
      "scale-1.weight": { kind: "constant", value: 250.25 },
      "scale-3.weight": { kind: "constant", value: 3.5 },
      "scale-4.weight": { kind: "constant", value: 4.5 },
    } });
    try {
      const gateway = await site.run();
      await good(gateway, "supply-1.voltage");
      await good(gateway, "scale-1.weight");
      const value = async (id: string): Promise<unknown> =>
        (await gateway.get(`/tags/${id}`)).body.value;
      expect([await value("supply-1.voltage"), await value("scale-1.weight"),
        await value("scale-1.unit")]).toEqual([12.5, 250.25, "g"]);
      await good(gateway, "scale-3.weight");
      await good(gateway, "scale-4.weight");
      expect([await value("scale-3.weight"), await value("scale-4.weight")]).toEqual([3.5, 4.5]);
      await gateway.arm("supply-1.setpoint");
      expect((await gateway.cli("write", "supply-1.setpoint", "7.25")).output)
        .toContain("verified");
      expect((await site.plant.command("get supply-1.setpoint"))["value"]).toBe(7.25);
    } finally {
      await site.stop();
    }
  }, 120_000);
