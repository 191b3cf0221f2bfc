import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ReadableStreamDefaultReader } from "node:stream/web";
import ModbusRTU from "modbus-serial";
import { createLog } from "../../src/base.ts";
import { closeTty, lingerReset, openTty, writeDescriptor } from "../../src/base/os.ts";
import { modbusRtu, modbusTcp } from "../../src/driver.ts";
import { startSim, type Sim } from "../../src/sim.ts";
import { testGateway } from "./gateway.ts";

/** Over real sockets and ptys, asked by modbus-serial, which shares no code with us. */
const directory = mkdtempSync(join(tmpdir(), "sim-"));
const frameLog = join(directory, "frames.log");
const linksOut = join(directory, "sim-links.json");
const control = join(directory, "sim.sock");
let sim: Sim;
let tcp: ModbusRTU;

beforeAll(async () => {
  sim = await startSim(testGateway(), [modbusTcp, modbusRtu], {
    "press.heater": { kind: "follow", value: 40 },
    "press.temperature": { kind: "constant", value: 61.5, noise: 0 },
    "press.pressure": { kind: "constant", value: -3.2, noise: 0 },
    "press.door_closed": { kind: "constant", value: 1, noise: 0 },
    "m-1.power": { kind: "constant", value: 1234.5, noise: 0 },
    "m-2.power": { kind: "constant", value: 2, noise: 0 },
  }, {
    seed: 1, speed: 1, frameLog, linksOut, control, time: Date.now,
    log: createLog("error", Date.now, () => {}),
  });
  tcp = await connect();
});

afterAll(() => {
  tcp.close(() => {});
  rmSync(directory, { recursive: true });
});

async function connect(): Promise<ModbusRTU> {
  const client = new ModbusRTU();
  await client.connectTCP("127.0.0.1", { port: Number(sim.links["plc-1"]!["port"]) });
  client.setID(1);
  client.setTimeout(300);
  return client;
}

/** A serial port as modbus-serial wants it: whole frames, here by the length they must have. */
class TtyPort extends EventEmitter {
  isOpen = false;
  readonly #fd: number;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  #received = Buffer.alloc(0);

  constructor(path: string) {
    super();
    this.#fd = openTty(path, {
      baud: 19200, dataBits: 8, parity: "none", stopBits: 1,
      rs485: "adapter", rtsOn: "send", rtsDelayBefore: 0, rtsDelayAfter: 0,
    });
    this.#reader = Bun.file(this.#fd).stream().getReader();
  }

  open(callback: () => void): void {
    this.isOpen = true;
    void this.#read();
    callback();
  }

  write(bytes: Buffer): void {
    this.#received = Buffer.alloc(0);
    writeDescriptor(this.#fd, bytes, bytes.length);
  }

  close(callback: () => void): void {
    this.isOpen = false;
    void this.#reader.cancel();
    closeTty(this.#fd);
    callback();
  }

  async #read(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      this.#received = Buffer.concat([this.#received, value]);
      const [, code, count] = this.#received;
      const whole = code === undefined ? Infinity : code >= 0x80 ? 5 : 5 + (count ?? 255);
      if (this.#received.length >= whole) this.emit("data", this.#received);
    }
  }
}

test("sim-links.json says which port stands for which link", () => {
  const { links } = JSON.parse(readFileSync(linksOut, "utf8"));
  expect(Object.keys(links)).toEqual(["plc-1", "bus-1"]);
  expect(links["plc-1"]).toMatchObject({ type: "modbus-tcp", host: "127.0.0.1" });
  expect(links["plc-1"].port).toBeGreaterThan(0);
  expect(links["bus-1"]).toMatchObject({ type: "modbus-rtu", rs485: "adapter" });
  expect(links["bus-1"].port).toStartWith("/dev/pts/");
});

describe("an independent client", () => {
  test("reads each kind of register over TCP", async () => {
    const input = await tcp.readInputRegisters(0, 2);
    // CDAB: the low word comes first.
    expect(input.buffer.swap16().readFloatLE(0)).toBeCloseTo(61.5, 5);
    expect((await tcp.readHoldingRegisters(2, 1)).buffer.readInt16BE(0)).toBe(-32);
    expect((await tcp.readDiscreteInputs(4, 1)).data[0]).toBe(true);
    expect((await tcp.readHoldingRegisters(10, 2)).buffer.readFloatBE(0)).toBe(40);
  });

  test("writes what then is read", async () => {
    const value = Buffer.alloc(4);
    value.writeFloatBE(55.25);
    await tcp.writeRegisters(10, [value.readUInt16BE(0), value.readUInt16BE(2)]);
    expect((await tcp.readHoldingRegisters(10, 2)).buffer.readFloatBE(0)).toBe(55.25);
    expect(JSON.parse(sim.command("get press.heater"))).toMatchObject({ ok: true, truth: 55.25 });
  });

  test("gets exceptions where there is nothing", async () => {
    await expect(tcp.readHoldingRegisters(1000, 1)).rejects.toThrow("Illegal data address");
    await expect(tcp.writeRegister(2, 5)).rejects.toThrow("Illegal data value");
  });

  test("reads two stations of a bus over a pty", async () => {
    const port = new TtyPort(String(sim.links["bus-1"]!["port"]));
    const client = new ModbusRTU(port as never);
    await new Promise<void>((resolve) => { client.open(() => resolve()); });
    client.setTimeout(300);
    client.setID(1);
    expect((await client.readInputRegisters(0, 2)).buffer.readFloatBE(0)).toBe(1234.5);
    client.setID(2);
    expect((await client.readInputRegisters(0, 2)).buffer.readFloatBE(0)).toBe(2);
    sim.command("fault bus-1/2 wrong-crc count 1");
    await expect(client.readInputRegisters(0, 2)).rejects.toThrow("CRC");
    expect((await client.readInputRegisters(0, 2)).buffer.readFloatBE(0)).toBe(2);
    client.setID(9);
    await expect(client.readInputRegisters(0, 2)).rejects.toThrow("Timed out");
    port.close(() => {});
  });
});

describe("the control channel", () => {
  const ask = (line: string): Promise<string> => new Promise((resolve, reject) => {
    Bun.connect({
      unix: control,
      socket: {
        open: (socket) => { socket.write(`${line}\n`); },
        data: (socket, bytes) => { resolve(bytes.toString()); socket.end(); },
      },
    }).catch(reject);
  });

  test("answers a line with a JSON object", async () => {
    expect(JSON.parse(await ask("get m-1.power")))
      .toEqual({ ok: true, value: 1234.5, truth: 1234.5 });
    expect(JSON.parse(await ask("get m-1.pover")))
      .toEqual({ ok: false, error: "no such tag m-1.pover, m-1.power was meant?" });
  });

  test("says what a tag cannot be set to", async () => {
    expect(JSON.parse(await ask("set press.heater warm")))
      .toEqual({ ok: false, error: expect.stringContaining("warm is no number") });
  });

  test("belongs to its owner", () => {
    expect(statSync(control).mode & 0o777).toBe(0o600);
  });
});

describe("a TCP link", () => {
  // FC16: holding 10..11 = 50.0, then 60.0.
  const write = (high: string): Uint8Array =>
    Buffer.from(`00020000000b0110000a000204${high}0000`, "hex");
  const heater = (): number => JSON.parse(sim.command("get press.heater")).truth;
  const until = async (done: () => boolean): Promise<void> => {
    for (let tries = 0; !done(); tries++) {
      expect(tries).toBeLessThan(1000);
      await Bun.sleep(1);
    }
  };
  const connections = (): number => JSON.parse(sim.command("status")).links[0].connections;

  test.each([
    ["closes delivers what the cable holds back", false, "4248", 50],
    // A reset leaves what the write before it made of the heater.
    ["resets takes it back", true, "4270", 50],
  ])("whose client %s", async (_what, reset, high, expected) => {
    const before = connections();
    sim.command("fault plc-1 stall 1m only writes count 1");
    const socket = await Bun.connect({
      hostname: "127.0.0.1", port: Number(sim.links["plc-1"]!["port"]), socket: { data() {} },
    });
    // SO_LINGER {1, 0}, as Tagwerk's own connections have it.
    if (reset) lingerReset((socket as unknown as { fd: number }).fd);
    await until(() => connections() === before + 1);
    socket.write(write(high));
    await until(() => JSON.parse(sim.command("status")).faults.length === 0);
    if (reset) socket.terminate();
    else socket.end();
    await until(() => connections() === before);
    expect(heater()).toBe(expected);
  });

  test("that is cut refuses connections, and comes back on its port", async () => {
    expect(JSON.parse(sim.command("fault plc-1 disconnect for 200ms"))).toEqual({ ok: true });
    await expect(connect()).rejects.toThrow();
    await expect(tcp.readHoldingRegisters(2, 1)).rejects.toThrow();
    for (let tries = 0; ; tries++) {
      const client = await connect().catch(() => null);
      if (client !== null) {
        tcp = client;
        break;
      }
      expect(tries).toBeLessThan(1000);
    }
    expect((await tcp.readHoldingRegisters(2, 1)).buffer.readInt16BE(0)).toBe(-32);
  });
});

test("the frame log has every frame, closed or not", async () => {
  await tcp.readHoldingRegisters(2, 1);
  // What waits is written when the simulator ends.
  sim.close();
  const lines = readFileSync(frameLog, "utf8").trim().split("\n").map((line) => JSON.parse(line));
  const times = lines.map((line) => line.t);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(lines[0]).toMatchObject({ link: "bus-1", dir: "open", connection: 1 });
  const requests = lines.filter((line) => line.link === "bus-1" && line.dir === "in");
  expect(requests).toHaveLength(5);
  expect(requests.every((line) => line.valid)).toBe(true);
  const faults = lines.filter((line) => line.fault !== null).map((line) => line.fault);
  expect(faults).toContain("wrong-crc");
  const writes = lines.filter((line) => line.dir === "in" && line.bytes.slice(14, 16) === "10");
  expect(writes.map((line) => line.bytes.slice(26))).toEqual(["425d0000", "42480000"]);
  expect(Math.abs(lines.at(-1).time - Date.now())).toBeLessThan(5000);
});
