import { afterEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { createLog, eventLoop } from "../../src/base.ts";
import { examineTexts, type Examined } from "../../src/cli/examine.ts";
import { modbusServer, type Connection, type Sink } from "../../src/connector.ts";
import { modbusRegisters } from "../../src/driver.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import { Arena, BAD, FLAG, Ring, tagColumn, UNCERTAIN, writeCell } from "../../src/ring.ts";
import { configured } from "../support/configured.ts";
import { freePort } from "../support/port.ts";

/** What the registers show of a stream, as it grows old too, and which clients are sent away. */
let open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.reverse()) await close();
  open = [];
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1);
}

const registers = {
  "holding 0": { value: "hold.n", type: "int16" }, "holding 1": { quality: "hold.n" },
  "holding 2": { counter: "hold.n" }, "holding 3": { value: "hold.n", type: "int16", onBad: -1 },
};

/** Rows of one column `n`, and the registers that show it; time is the test's own. */
async function server(link: object = {}, shown: object = registers) {
  const port = await freePort();
  const clock = { now: 1e6 };
  const { ring } = Ring.create(Arena.create(1 << 16),
    Ring.layout("hold", [tagColumn("n", "float64")], 16));
  const connection: Connection = configured(modbusServer(modbusRegisters)).connect("panel",
    { port, address: "127.0.0.1", ...link }, {
      log: createLog("error", () => 0, () => undefined), gateway: "g", durable: false,
      message_bytes_max: 1000, timers: eventLoop, wake: () => {},
      time: () => clock.now, now: () => clock.now, flags: () => 0,
    });
  const sink: Sink = connection.sink("shown", { registers: shown, maxAge: "5s" }, ring, "hold");
  open.push(() => connection.close());
  const row = (value: number, state = 0, flags = 0): void => {
    ring.claim(1);
    writeCell(ring, ring.columns[0]!, ring.head, value, state);
    ring.arena.F[ring.timeAt + (ring.head & ring.mask)] = clock.now;
    ring.arena.U[ring.flagsAt + (ring.head & ring.mask)] = flags;
    ring.publish(1);
    sink.drain(ring.head - 1, ring.head);
  };
  await until(() => connection.status.state === "up");
  return { connection, clock, row, port };
}

class Client {
  readonly socket: Socket;
  got = Buffer.alloc(0);
  closed = false;

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1" });
    this.socket.on("data", (bytes: Buffer) => { this.got = Buffer.concat([this.got, bytes]); });
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => { this.closed = true; });
    open.push(() => this.socket.destroy());
  }

  async words(from = 0, count = 4): Promise<number[]> {
    this.got = Buffer.alloc(0);
    this.socket.write(Uint8Array.from([0, 1, 0, 0, 0, 6, 1, 3, from >> 8, from & 255, 0, count]));
    await until(() => this.closed || this.got.length >= 9 + count * 2);
    return Array.from({ length: count }, (_, i) => this.got.readUInt16BE(9 + i * 2));
  }
}

describe("what registers show", () => {
  test("before the first row, a value, and what becomes of it", async () => {
    const { row, port } = await server();
    const client = new Client(port);
    expect(await client.words()).toEqual([0x8000, 0, 0, 0xffff]);
    row(7);
    expect(await client.words()).toEqual([7, 192, 1, 7]);
    row(8, UNCERTAIN.saturated);
    expect(await client.words()).toEqual([8, 64, 1, 8]);
    row(8, BAD.timeout);
    expect(await client.words()).toEqual([0x8000, 0, 1, 0xffff]);
    row(9);
    expect(await client.words()).toEqual([9, 192, 2, 9]);
    // 40,000 is no int16.
    row(40_000);
    expect((await client.words()).slice(0, 2)).toEqual([0x8000, 0]);
  });

  test("what is older than maxAge is bad, though no row said so", async () => {
    const { row, port, clock } = await server();
    const client = new Client(port);
    row(7);
    clock.now += 5000;
    expect(await client.words()).toEqual([7, 192, 1, 7]);
    clock.now += 1;
    expect(await client.words()).toEqual([0x8000, 0, 1, 0xffff]);
    row(7);
    expect(await client.words()).toEqual([7, 192, 2, 7]);
  });

  test("rows of the past are never good, and not counted", async () => {
    const { row, port } = await server();
    row(7, 0, FLAG.replayed);
    expect(await new Client(port).words()).toEqual([7, 64, 0, 7]);
    row(7, 0, FLAG.backfill);
    expect(await new Client(port).words()).toEqual([7, 64, 0, 7]);
    row(7, 0, FLAG.timeUncertain);
    expect(await new Client(port).words()).toEqual([7, 192, 1, 7]);
  });

  test("a sink that ended is no longer there", async () => {
    const { connection, port } = await server();
    const other = connection.sink("other", { maxAge: "1s", registers: {
      "holding 9": { counter: "hold.n" } } }, Ring.create(Arena.create(1 << 16),
      Ring.layout("hold", [tagColumn("n", "float64")], 16)).ring, "hold");
    await Bun.sleep(1);
    expect(await new Client(port).words(9, 1)).toEqual([0]);
    other.end!();
    await Bun.sleep(1);
    const client = new Client(port);
    client.socket.write(Uint8Array.from([0, 1, 0, 0, 0, 6, 1, 3, 0, 9, 0, 1]));
    await until(() => client.got.length > 0);
    expect([...client.got.subarray(7)]).toEqual([0x83, 2]);
  });
});

describe("clients that are sent away", () => {
  test("who sends what is no request", async () => {
    const { port, connection } = await server();
    const client = new Client(port);
    client.socket.write("GET / HTTP/1.0\r\n\r\n");
    await until(() => client.closed);
    expect(connection.status.lastError).toContain("sends what is no request");
  });

  test("who asks more than sixteen at a time", async () => {
    const { port, connection } = await server();
    const client = new Client(port);
    const one = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 4];
    client.socket.write(Uint8Array.from(Array.from({ length: 16 }, () => one).flat()));
    await until(() => client.got.length === 16 * 17);
    client.socket.write(Uint8Array.from(Array.from({ length: 17 }, () => one).flat()));
    await until(() => client.closed);
    expect(connection.status.lastError).toContain("asks more than 16 at a time");
  });

  test("who does not read its answers", async () => {
    const { port, connection } = await server({}, Object.fromEntries(Array.from({ length: 125 },
      (_, i) => [`holding ${i}`, { counter: "hold.n" }])));
    const client = new Client(port);
    client.socket.pause();
    const one = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 125];
    const asks = Uint8Array.from(Array.from({ length: 16 }, () => one).flat());
    while (connection.status.dropped === 0) {
      client.socket.write(asks);
      await Bun.sleep(1);
    }
    expect(connection.status.lastError).toContain("does not read its answers");
  }, 60_000);

  test("who comes when all places are taken, unless one of them has been silent", async () => {
    const { port, connection, clock } = await server({ clients: 2, idleTimeout: "10s" });
    const [a, b] = [new Client(port), new Client(port)];
    await a.words();
    await b.words();
    const third = new Client(port);
    await until(() => third.closed);
    expect(connection.status.lastError).toContain("all 2 connections are taken");
    clock.now += 9999;
    await b.words();
    clock.now += 1;
    const fourth = new Client(port);
    await fourth.words();
    await until(() => a.closed);
    expect([b.closed, fourth.closed]).toEqual([false, false]);
  });

  test("who is not among those that may connect", async () => {
    const { port } = await server({ from: ["10.0.0.9"] });
    const client = new Client(port);
    await until(() => client.closed);
    expect(client.got.length).toBe(0);
  });

  test("a station that is not the one", async () => {
    const { port } = await server({ station: 5 });
    const client = new Client(port);
    client.socket.write(Uint8Array.from([0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 4]));
    await until(() => client.got.length > 0);
    expect([...client.got.subarray(7)]).toEqual([0x83, 11]);
  });
});

describe("what check says", () => {
  const examined = (sink: object, source: object = {}, more: object = {}): Examined => {
    const config = {
      gateway: { id: "north" },
      links: { plc: { type: "modbus-tcp", host: "a" }, panel: { type: "modbus-server" } },
      devices: { press: { link: "plc", groups: { fast: "100ms", slow: "1m" }, tags: {
        temperature: { at: "holding 0", type: "float32", group: "fast" },
        name: { at: "holding 2", type: "text(8)", group: "fast" },
        zones: { at: "holding 40", type: "float32[4]", group: "fast" },
        energy: { at: "holding 10", type: "int64", group: "slow" },
      } } },
      rules: { hold: { sql: "SELECT temperature > 5 AS hot FROM press.fast" } },
      sinks: { shown: { type: "modbus-server", link: "panel", registers: sink } },
      sources: { wishes: { type: "modbus-server", link: "panel",
        columns: { setpoint: "float32" }, registers: { "holding 100": "setpoint" }, ...source } },
      ...more,
    };
    const texts = { config: JSON.stringify(config), policy: "" };
    return examineTexts("gateway.json", texts, { drivers, connectors, tables }, null);
  };
  const problems = (...given: Parameters<typeof examined>): string =>
    examined(...given).texts.join("\n");

  test("nothing, where all is well", () => {
    expect(problems({ "holding 0": "press.temperature", "coil 0": "hold.hot", "400008": "hold.hot",
      "holding 20": { value: "press.name", type: "text(8)" } })).toBe("");
  });

  test("what it takes of the memory", () => {
    const lines = examined({ "holding 0": "press.temperature" }).graph!.memory
      .filter(({ owner }) => owner === "panel");
    expect(lines).toEqual([expect.objectContaining({ bytes: 393_216 + 8 * 8192 })]);
  });

  test.each<[string, object, string]>([
    ["no address", { "holdin 0": "press.temperature" }, "no Modbus address"],
    ["no such name", { "holding 0": "press.temprature" }, 'did you mean "press.temperature"?'],
    ["no such column", { "holding 0": "hold.hott" }, 'did you mean "hold.hot"?'],
    ["overlap", { "holding 0": "press.temperature", "holding 1": { quality: "press.temperature" } },
      "shares words with holding 0"],
    ["overlap with what is written", { "holding 101": { quality: "press.temperature" } },
      "shares words with"],
    ["a number as a bit", { "coil 0": "press.temperature" }, "press.temperature is no bool"],
    ["a text as a number", { "holding 0": "press.name" }, 'the register needs "type": "text(n)"'],
    ["an array", { "holding 0": "press.zones" }, "press.zones is an array or of no fixed type"],
    ["an array of registers", { "holding 0": { value: "press.temperature", type: "int16[2]" } },
      "expected a type"],
    ["a number as a text", { "holding 0": { value: "press.temperature", type: "text(4)" } },
      "press.temperature is no text"],
    ["an old tag", { "holding 0": "press.energy" }, '"maxAge" has to be longer'],
    ["an unknown setting", { "holding 0": { value: "press.temperature", typ: "int16" } },
      'did you mean "type"?'],
  ])("%s", (_, sink, sentence) => {
    expect(problems(sink)).toContain(sentence);
  });

  test.each<[string, object, string]>([
    ["without columns", { columns: undefined }, "says which columns they fill"],
    ["no such column", { registers: { "holding 100": "setpont" } }, "did you mean setpoint?"],
    ["input register", { registers: { "input 100": "setpoint" } }, "clients can only read this"],
    ["another type", { registers: { "holding 100": { column: "setpoint", type: "int16" } } },
      "but the column setpoint is declared float32"],
    ["a column without register", { columns: { setpoint: "float32", more: "bool" } },
      "no register fills this column"],
    ["half registers", { columns: { setpoint: "int8" },
      registers: { "holding 1": { column: "setpoint", type: "int8" } } }, "half a register"],
    ["overlap", { columns: { setpoint: "float32", other: "float32" },
      registers: { "holding 100": "setpoint", "holding 101": "other" } }, "shares words with"],
  ])("of what is written: %s", (_, source, sentence) => {
    expect(problems({}, source)).toContain(sentence);
  });

  test("a place may be shown and written, if it is the same", () => {
    expect(problems({ "holding 100": "press.temperature" })).toBe("");
    expect(problems({ "holding 100": { value: "press.temperature", type: "uint32" } }))
      .toContain("shares words with holding 100 of sources.wishes, a float32");
  });

  test("a rule does not name such a sink", () => {
    expect(problems({ "coil 0": "hold.hot" }, {},
      { rules: { hold: { sql: "SELECT temperature > 5 AS hot FROM press.fast", to: ["shown"] } } }))
      .toContain("says itself what it takes");
  });
});
