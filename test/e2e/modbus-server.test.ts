import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "jsonc-parser";
import { ServerTCP } from "modbus-serial";
import { Program, until, workFolder } from "../support/binary.ts";
import { freePort } from "../support/port.ts";
import { RunningGateway } from "../support/gateway.ts";
import { python } from "../support/python.ts";

/** The compiled binary as a Modbus server, asked by a panel that others wrote: pymodbus. */
const pymodbus = python("pymodbus.client");

const port = await freePort();
const plc = await freePort();
const onLoss = { after: "30s", value: "hold" };
const config = {
  gateway: { id: "north" },
  policy: "file:write-policy.json",
  links: {
    plc: { type: "modbus-tcp", host: "127.0.0.1", port: plc, framing: "rtu", timeout: "1s" },
    panel: { type: "modbus-server", address: "127.0.0.1", port, clients: 3 },
  },
  devices: { press: { link: "plc", groups: { fast: "50ms" }, tags: {
    level: { at: "holding 40", type: "int16" },
    number: { at: "input 300", type: "uint32" },
    door_closed: { at: "coil 3", type: "bool" },
    setpoint: { at: "holding 100", type: "int16", access: "read-write" },
  } } },
  sources: { wishes: { type: "modbus-server", link: "panel",
    columns: { setpoint: "float32", start: "bool", mode: "int16" }, registers: {
      "holding 100": "setpoint", "coil 0": "start",
      "holding 102": { column: "mode", type: "int16" },
    } } },
  rules: {
    hold: { sql: "SELECT level * 2.5 AS target, 'ok' AS word FROM press.fast" },
    asked: { sql: "SELECT setpoint, start, mode FROM wishes" },
    follow: { sql: "SELECT setpoint AS target FROM wishes WHERE setpoint >= 0",
      to: [{ write: "press.setpoint", from: "target" }] },
  },
  sinks: { shown: { type: "modbus-server", link: "panel", maxAge: "1s", registers: {
    "holding 0": "press.level",
    "holding 2": { quality: "press.level" },
    "holding 3": { counter: "press.level" },
    "holding 4": { value: "press.number", type: "uint32", wordOrder: "CDAB" },
    "holding 6": { value: "press.level", type: "int16", scale: 0.5 },
    "holding 7": { value: "press.number", type: "int16" },
    "holding 8": { quality: "press.number" },
    "holding 10": { value: "hold.target", type: "float32" },
    "holding 12": { value: "hold.word", type: "text(4)" },
    "input 0": "hold.target",
    "input 2": { value: "press.level", type: "int16", onBad: "hold" },
    "discrete 5": "press.door_closed",
    "holding 14.3": "press.door_closed",
  } } },
  api: { listen: "127.0.0.1:0" },
};
const policy = { "press.setpoint": { allow: ["rule:follow"], maxMode: "armed", min: 0, max: 500,
  minInterval: "1ms", inputMaxAge: "2s", onLoss } };

describe.skipIf(pymodbus === null)("Modbus server", () => {
  const folder = workFolder({ "gateway.json": config, "write-policy.json": policy });
  let device: Program;
  let panel: Program;
  let gateway: RunningGateway;
  const startDevice = async (): Promise<void> => {
    const others = [await freePort(), await freePort()].map(String);
    device = new Program(
      [pymodbus!, join(import.meta.dir, "pymodbus_peer.py"), `${plc}`, ...others]);
    await until("the PLC", () => device.output.includes("ready"));
  };
  const ask = async (line: string): Promise<any> => {
    const before = panel.output.length;
    panel.child.stdin.write(`${line}\n`);
    const text = await until(line, () => /(.+)\n/.exec(panel.output.slice(before)));
    return JSON.parse(text[1]!);
  };
  const float = (words: number[]): number =>
    new DataView(Uint16Array.from(words.map((word) => (word >> 8) | ((word & 255) << 8))).buffer)
      .getFloat32(0);
  const isGood = () => until("good", async () => (await ask("holding 2 1"))[0] === 192);

  beforeAll(async () => {
    await startDevice();
    gateway = await RunningGateway.start(join(folder.path, "gateway.json"),
      join(folder.path, "store"));
    panel = new Program([pymodbus!, join(import.meta.dir, "pymodbus_hmi.py"), String(port)]);
    await until("the server", async () => Array.isArray(await ask("holding 0 1")));
    await isGood();
  }, 120_000);
  afterAll(async () => {
    await panel?.stop();
    await gateway?.stop();
    await device?.stop();
    folder.remove();
  });

  test("tags and results of rules stand where the map says, as what it says", async () => {
    const words = await ask("holding 0 15");
    expect(float(words.slice(0, 2))).toBe(40);
    expect(words[2]).toBe(192);
    expect(words.slice(4, 6)).toEqual([301, 300]);
    expect(words[6]).toBe(80);
    expect(float(words.slice(10, 12))).toBe(100);
    expect(words.slice(12, 14)).toEqual([0x6f6b, 0]);
    expect(words[14]).toBe(8);
    expect(float(await ask("input 0 2"))).toBe(100);
    expect(await ask("discrete 5 1")).toEqual([true]);
  });

  test("a value that its registers cannot hold is none, and bad", async () => {
    expect(await ask("holding 7 2")).toEqual([0x8000, 0]);
  });

  test("the counter goes on with each good value", async () => {
    const [before] = await ask("holding 3 1");
    await until("more", async () => ((await ask("holding 3 1"))[0] - before & 0xffff) > 5);
  });

  test("what is not in the map is refused by Modbus's own exception", async () => {
    expect(await ask("holding 0 125")).toContain("IllegalAddress");
    expect(await ask("input 9 1")).toContain("IllegalAddress");
    expect(await ask("one 0 7")).toContain("IllegalAddress");
    // Half of a float is none.
    expect(await ask("one 100 7")).toContain("IllegalAddress");
  });

  test("what a client writes is a row, and no more", async () => {
    expect(await ask("write 100 17096 0 3")).toBe("done");
    expect(await ask("holding 100 3")).toEqual([17096, 0, 3]);
    const asked = async () => (await gateway.get("/streams/asked/latest")).body;
    expect((await until("the row", asked)).values)
      .toMatchObject({ setpoint: 100, mode: 3, start: null });
    expect(await ask("coils 0 1")).toBe("done");
    await until("the coil", async () =>
      (await asked()).values.start === true);
    // The rule that would write it is in shadow.
    expect((await gateway.get("/tags/press.setpoint")).body.value).toBe(100);
  });

  test("armed, the rule writes what the panel wishes, as far as its policy lets it", async () => {
    await gateway.arm("press.setpoint");
    expect(await ask("write 100 17174 0")).toBe("done");
    await until("150", async () => (await gateway.get("/tags/press.setpoint")).body.value === 150);
    expect(await ask("write 100 17530 0")).toBe("done");
    await until("the refusal", async () => (await gateway.get("/audit?limit=20"))
      .body.some(({ code }: { code: string }) => code === "out-of-range"));
    expect((await gateway.get("/tags/press.setpoint")).body.value).toBe(150);
  });

  test("another map is there as soon as it is applied, and the rest goes on", async () => {
    const { registers } = config.sinks.shown;
    const { "holding 6": _gone, ...rest } = registers;
    const text = JSON.stringify({ ...config, sinks: { shown: { ...config.sinks.shown,
      registers: { ...rest, "holding 20": { value: "press.level", type: "int16" } } } } });
    const apply = async (file: string): Promise<void> => {
      const { code, output } = await gateway.cli("apply", file, "--by", "test");
      expect(code, output).toBe(0);
    };
    await apply(folder.write("new.json", text));
    await until("the new register", async () => String(await ask("holding 20 1")) === "40");
    expect(await ask("holding 6 1")).toEqual([0]);
    await isGood();
    expect(await ask("write 100 17096 0 5")).toBe("done");
    await apply(folder.write("old.json", JSON.stringify(config)));
    await until("the old one", async () => String(await ask("holding 6 1")) === "80");
    expect(await ask("holding 20 1")).toEqual([0]);
  }, 120_000);

  test("a device that is away is bad, and its counter stands still", async () => {
    await device.stop("SIGKILL");
    await until("bad", async () => (await ask("holding 2 1"))[0] === 0);
    const words = await ask("holding 0 4");
    expect(words.slice(0, 3)).toEqual([0x7fc0, 0, 0]);
    expect(await ask("input 2 1")).toEqual([40]);
    expect(await ask("discrete 5 1")).toEqual([false]);
    await Bun.sleep(300);
    expect(await ask("holding 3 1")).toEqual([words[3]]);
    await startDevice();
    await isGood();
  }, 120_000);
});

describe.skipIf(pymodbus === null)("docs/modbus-server.md: an offer", () => {
  const page = readFileSync(resolve(import.meta.dir, "../../docs/modbus-server.md"), "utf8");
  const [, block] = /^```jsonc\n([^]*?)^```$/m.exec(page)!;
  const example = parse(`{${block}}`);
  const folder = workFolder();
  let temperature = 40;
  let sensor: ServerTCP | null = null;
  let plcProgram: Program;
  let gateway: RunningGateway;
  const devicePort = plc;
  const startSensor = (): void => {
    const words = Buffer.alloc(4);
    sensor = new ServerTCP({ getInputRegister: (at: number) => {
      words.writeFloatBE(temperature);
      return words.readUInt16BE(at * 2);
    } }, { host: "127.0.0.1", port: devicePort, unitID: 40 });
    sensor.on("socketError", () => undefined);
  };
  const setpoint = (value: number): Promise<unknown> => until(`setpoint ${value}`, () =>
    plcProgram.output.trimEnd().split("\n").at(-1) === value.toFixed(1));

  beforeAll(async () => {
    startSensor();
    example.links.offers = { ...example.links.offers, address: "127.0.0.1", port };
    const file = folder.write("gateway.json", {
      gateway: { id: "offer", profile: "raspberry-pi-4" }, ...example,
      links: { ...example.links, plc: { type: "modbus-tcp", host: "127.0.0.1", port: devicePort } },
      devices: { press: { link: "plc", station: 40, groups: { fast: "100ms" }, tags: {
        temperature: { at: "input 0", type: "float32" } } } },
      api: { listen: "127.0.0.1:0" },
    });
    gateway = await RunningGateway.start(file, join(folder.path, "store"));
    plcProgram = new Program(
      [pymodbus!, join(import.meta.dir, "adopting_plc.py"), `${port}`, "1.5"]);
  }, 120_000);
  afterAll(async () => {
    await plcProgram?.stop();
    await gateway?.stop("SIGKILL");
    sensor?.close(() => undefined);
    folder.remove();
  });

  test("the PLC adopts it, and follows it within its own limits", async () => {
    await setpoint(50);
    temperature = 60;
    await setpoint(60);
    // 140 is past what the machine takes; then the offer is right again.
    temperature = 220;
    await Bun.sleep(500);
    await setpoint(60);
    temperature = 80;
    await setpoint(70);
  }, 120_000);

  test("an offer that is not good, and one that stops, are none", async () => {
    sensor!.close(() => undefined);
    await setpoint(30);
    startSensor();
    await setpoint(70);
    await gateway.stop("SIGKILL");
    await setpoint(30);
  }, 120_000);
});
