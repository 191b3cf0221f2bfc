import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import ModbusRTU, { ServerTCP } from "modbus-serial";
import { monotonic } from "../../src/base/os.ts";
import { modbusTcp, type ServeHost } from "../../src/driver.ts";
import { BAD, readCell } from "../../src/ring.ts";
import { ringFor, tag, tcpLink } from "../driver/support.ts";
import { connectTcp, DONE } from "./support.ts";

describe("our master and modbus-serial's server", () => {
  const registers = new Map<number, number>();
  let server: ServerTCP;
  let port = 0;

  beforeAll(async () => {
    server = new ServerTCP({
      getHoldingRegister: (at: number) => registers.get(at) ?? at,
      getInputRegister: (at: number) => at + 1000,
      getCoil: (at: number) => at % 3 === 0,
      getDiscreteInput: (at: number) => at % 2 === 0,
      setRegister: (at: number, value: number) => { registers.set(at, value); },
    }, { host: "127.0.0.1", port: 0, unitID: 1 });
    await new Promise((resolve) => server.on("initialized", resolve));
    type Inside = { _server: { address(): { port: number } } };
    port = (server as unknown as Inside)._server.address().port;
  });
  afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));

  test("all four areas, then a write that is read back", async () => {
    const { session, link, finish, wire } = await connectTcp(port);
    const { ring, tags } = ringFor([
      tag("holding 5", "uint16"), tag("input 7", "uint16"), tag("coil 9", "bool"),
      tag("coil 10", "bool"), tag("discrete 4", "bool"), tag("holding 100", "text(4)"),
      tag("input 50", "int32"),
    ]);
    for (const request of modbusTcp.plan(tags, link)) {
      session.read(request, ring, 0, monotonic());
      expect(await finish()).toBe(DONE);
    }
    expect(ring.columns.map((c) => readCell(ring, c, 0))).toEqual(
      [5, 1007, true, false, true, "", 1050 * 65536 + 1051]);
    for (const [type, value] of [["float32", 1.5], ["int16", -3], ["int64", -5e12]] as const) {
      const target = tag("holding 200", type, { writable: true, wordOrder: "CDAB" });
      const raw = modbusTcp.encode(target, value, link);
      session.write(target, raw.bytes, () => Infinity, monotonic());
      expect(await finish()).toBe(DONE);
      const back = new Uint8Array(raw.bytes.length);
      session.readRaw(target, back, monotonic());
      expect([await finish(), modbusTcp.decode(target, back)]).toEqual([DONE, value]);
    }
    wire.reset();
  });
});

describe("our server and modbus-serial's client", () => {
  const values = new Map<string, number>();
  const tags = [
    tag("holding 10", "int16", { id: "a.level", scale: 0.1, writable: true }),
    tag("holding 12", "float32", { id: "a.setpoint", writable: true }),
    tag("holding 20.3", "bool", { id: "a.bit" }), tag("input 0", "uint16", { id: "a.count" }),
    tag("coil 2", "bool", { id: "a.valve" }), tag("discrete 4", "bool", { id: "a.door" }),
    tag("holding 1", "int16", { id: "b.level", station: 2 }),
  ];
  const host: ServeHost = {
    value: (t) => values.get(t.id) ?? 0,
    written: (t, value) => Number(value) < 900 && values.set(t.id, Number(value)) !== undefined,
  };
  let listener: Bun.TCPSocketListener<ReturnType<typeof modbusTcp.serve>>;
  let client: ModbusRTU;

  beforeAll(async () => {
    listener = Bun.listen<ReturnType<typeof modbusTcp.serve>>({
      hostname: "127.0.0.1", port: 0,
      socket: {
        open: (socket) => { socket.data = modbusTcp.serve(tags, tcpLink, host); },
        data: (socket, bytes) => socket.data.receive(bytes, bytes.length, 0, {
          frame: (_, n, valid) => expect([valid, n > 7]).toEqual([true, true]),
          reply: (out, n) => { socket.write(out, 0, n); },
        }),
      },
    });
    client = new ModbusRTU();
    client.setTimeout(1000);
    await client.connectTCP("127.0.0.1", { port: listener.port });
    client.setID(1);
  });
  afterAll(() => { client.close(() => {}); listener.stop(true); });

  test("reads all areas; between tags registers read 0", async () => {
    values.set("a.level", -3.2).set("a.setpoint", 21.5).set("a.bit", 1).set("a.count", 7);
    values.set("a.valve", 1).set("a.door", 1);
    const { data } = await client.readHoldingRegisters(10, 11);
    expect(data).toEqual([65504, 0, 0x41ac, 0, 0, 0, 0, 0, 0, 0, 8]);
    expect((await client.readInputRegisters(0, 1)).data).toEqual([7]);
    expect((await client.readCoils(2, 1)).data[0]).toBe(true);
    expect((await client.readDiscreteInputs(4, 1)).data[0]).toBe(true);
  });

  test("FC5, 6, 15, 16; half a float32 keeps the other half", async () => {
    await client.writeRegister(10, 250);
    expect(values.get("a.level")).toBe(25);
    await client.writeRegisters(12, [0x4248, 0]);
    expect(values.get("a.setpoint")).toBe(50);
    await client.writeRegister(12, 0x4148);
    expect(values.get("a.setpoint")).toBe(12.5);
    await client.writeCoil(2, false);
    expect(values.get("a.valve")).toBe(0);
    await client.writeCoils(2, [true]);
    expect(values.get("a.valve")).toBe(1);
  });

  test("exceptions 1, 2, 3, and 11 for a station that is not there", async () => {
    const code = (promise: Promise<unknown>): Promise<number> => promise.then(() => 0,
      (error: { modbusCode?: number }) => error.modbusCode ?? -1);
    expect(await code(client.readHoldingRegisters(9, 1))).toBe(2);
    expect(await code(client.readHoldingRegisters(10, 12))).toBe(2);
    expect(await code(client.writeRegister(10, 9500))).toBe(3);
    const { readDeviceIdentification } = client as unknown as {
      readDeviceIdentification: (device: number, object: number) => Promise<unknown>;
    };
    expect(await code(readDeviceIdentification.call(client, 1, 0))).toBe(1);
    client.setID(9);
    expect(await code(client.readHoldingRegisters(10, 1))).toBe(11);
    client.setID(1);
  });
});

describe("the TCP wire", () => {
  test("W14: reset is a RST, and SO_LINGER holds from the start", async () => {
    let ended = "";
    const closed = Promise.withResolvers<void>();
    const listener = Bun.listen({
      hostname: "127.0.0.1", port: 0,
      socket: {
        data: () => {},
        end: () => { ended += "FIN "; },
        close: (_, error) => {
          ended += (error as { code?: string } | undefined)?.code ?? "no error";
          closed.resolve();
        },
      },
    });
    const { wire, session, finish, state } = await connectTcp(listener.port, { timeout: "30ms" });
    const target = tag("holding 0", "int16", { writable: true });
    session.write(target, Uint8Array.of(0, 1), () => Infinity, monotonic());
    expect(await finish()).toBe(BAD.timeout);
    expect(state).toEqual({ open: false, closed: "a write was not answered" });
    await closed.promise;
    expect(ended).toBe("ECONNRESET");
    expect(wire.send(Uint8Array.of(1), 1, Infinity)).toBe(false);
    listener.stop(true);
  });

  test("nobody listens: closed, with a reason", async () => {
    const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    const { port } = listener;
    listener.stop(true);
    const { state } = await connectTcp(port);
    expect([state.open, state.closed === ""]).toEqual([false, false]);
  });
});
