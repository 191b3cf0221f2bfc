import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { binary, Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { good } from "../support/plant.ts";

/** The compiled binary against machines that another program plays: TCP, UDP, a serial line. */
const python = Bun.which("python3");
if (python === null && process.env["CI"] === "true") throw new Error("CI needs python3");

const voltmeter = {
  frame: { end: "<LF>" }, timeout: "300ms",
  telegrams: {
    volt: { send: "MEAS:VOLT?", example: "+5.000000E+00" },
    setpoint: { send: "SOUR:VOLT?", write: "SOUR:VOLT {value:3}", example: "5.000" },
    identity: { send: "*IDN?", separator: ",", example: "ACME,DM-1,42,1.0" },
  },
};
const scale = {
  timeout: "300ms",
  telegrams: {
    weight: {
      send: "SI", match: "^S [SDI+-]", example: "S S     100.00 g",
      quality: { at: "field 2",
        states: { S: "good", D: "uncertain", "+": "overrange", "-": "underrange" } },
    },
  },
};
const voltTags = {
  voltage: { at: "volt", type: "float64", group: "fast", eu: "V" },
  model: { at: "identity field 2", type: "text(16)", group: "slow" },
};
const weightTags = {
  weight: { at: "weight field 3", type: "float64", eu: "g" },
  stability: { at: "weight field 2", type: "text(1)" },
  unit: { at: "weight field 4", type: "text(4)" },
};

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
    const tcp = (port: number): object =>
      ({ type: "telegram-tcp", host: "127.0.0.1", port });
    const config = folder.write("gateway.json", {
      gateway: { id: "machines" },
      links: {
        voltmeter: { ...tcp(at.scpi), ...voltmeter },
        voltmeter_udp: { ...tcp(at.scpi_udp), type: "telegram-udp", ...voltmeter },
        scale: { ...tcp(at.sics), ...scale },
        scale_serial: { type: "telegram-serial", port: at.sics_serial, rs485: "adapter", ...scale },
        reader: { ...tcp(at.reader), frame: { end: "<CR>" }, telegrams: { code: {} } },
      },
      devices: {
        volt: { link: "voltmeter", groups: { fast: "50ms", slow: "1s" }, tags: {
          ...voltTags, setpoint: { at: "setpoint", type: "float64", group: "fast",
            access: "read-write" } } },
        volt_udp: { link: "voltmeter_udp", groups: { fast: "50ms", slow: "1s" }, tags: voltTags },
        scale: { link: "scale", groups: { fast: "50ms" }, tags: weightTags },
        scale_serial: { link: "scale_serial", groups: { fast: "50ms" }, tags: weightTags },
        reader: { link: "reader", groups: { scans: "10s" },
          tags: { code: { at: "code", type: "text(32)" } } },
      },
      rules: { codes: { sql: "SELECT code, quality(code) AS q FROM reader.scans",
        to: ["codes"] } },
      sinks: { codes: { type: "log" } },
      policy: { "volt.setpoint": { allow: ["cli", "rest"], maxMode: "armed", min: 0, max: 24,
        minInterval: "1ms" } },
      api: { listen: "127.0.0.1:0" },
    });
    gateway = await RunningGateway.start(config, join(folder.path, "store"));
  }, 30_000);
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
    expect(await tag(`${id}.stability`)).toMatchObject({ value: "+", quality: "good" });
  });

  test("a barcode reader speaks when it likes: each code is a row, and a lost line", async () => {
    await until("connected", async () =>
      (await gateway.get("/links")).body.find((link: any) => link.name === "reader").state ===
        "open");
    for (const code of ["4006381333931", "4006381333931", "ABC-1"]) order(`scan ${code}`);
    await until("three rows", () => rows().length >= 3);
    expect(rows().map(({ code }) => code)).toEqual(["4006381333931", "4006381333931", "ABC-1"]);
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

  test("check shows what is sent unarmed", async () => {
    const { stdout } = Bun.spawnSync([await binary(), "check",
      join(folder.path, "gateway.json")]);
    expect(stdout.toString())
      .toContain("note: links.voltmeter: sent unarmed, every 50ms for volt.fast: MEAS:VOLT?");
  });
});
