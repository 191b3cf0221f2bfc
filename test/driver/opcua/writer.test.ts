import {
  afterAll, afterEach, beforeAll, beforeEach, describe, expect, spyOn, test,
} from "bun:test";
import { OPCUAClient } from "node-opcua-client";
import { createLog } from "../../../src/base.ts";
import { DONE, opcua } from "../../../src/driver.ts";
import type { OpcuaLink } from "../../../src/driver/opcua/settings.ts";
import { Writer } from "../../../src/driver/opcua/writer.ts";
import { BAD } from "../../../src/ring.ts";
import { until, workFolder } from "../../support/binary.ts";
import { freePort } from "../../support/port.ts";
import {
  IPPROTO_TCP, leadingTo, option, SO_LINGER, SOL_SOCKET, TCP_USER_TIMEOUT,
} from "../../support/socket.ts";
import { tag } from "../support.ts";
import { Cable, PlantProcess } from "./process.ts";

/** The gate's own connection by itself, to a server in another process, over a cable. */
const folder = workFolder();
const port = await freePort();
const setpoint = tag("ns=1;s=Setpoint", "float64", { id: "plant.setpoint", writable: true });
const now = (): number => performance.now();
let plant: PlantProcess;
let cable: Cable;
let writer: Writer;
let settings: { host: string; timeout: number } & Omit<OpcuaLink, "host" | "timeout">;
let peer: string;
let said: string[];

beforeAll(async () => {
  plant = await PlantProcess.start(port);
  await opcua.load(folder.path);
}, 60_000);

afterAll(async () => {
  await plant?.stop();
  folder.remove();
});

beforeEach(async () => {
  cable = new Cable(port);
  settings = opcua.settings.parse(
    { host: "127.0.0.1", port: cable.port, security: "None", timeout: "5s" }) as OpcuaLink;
  peer = `127.0.0.1:${cable.port}`;
  said = [];
  writer = new Writer({ name: "ua", settings, directory: folder.path },
    createLog("info", now, (line) => void said.push(line)), now, () => peer);
  // Sessions that were thrown away, of which a server has only so many.
  await plant.ask("forget");
  await plant.ask("set Setpoint 20");
});

afterEach(() => {
  writer.close();
  cable.stop();
});

interface Told {
  readonly result: number;
  readonly sent: boolean;
  /** What was read, as the tag's number. */
  readonly value: number;
  readonly took_ms: number;
}

function read(within_ms = 5000): Promise<Told> {
  const raw = new Uint8Array(opcua.rawBytes(setpoint));
  const began = now();
  return new Promise((resolve) => writer.read(setpoint, raw, began + within_ms,
    (result, _exception, sent) => resolve({ result, sent, took_ms: now() - began,
      value: result === DONE ? opcua.decode(setpoint, raw) as number : NaN })));
}

/** `looks` counts its last looks, and says whether they let it pass. */
function write(value: number, within_ms: number, looks = { n: 0, pass: true }): Promise<Told> {
  const encoded = opcua.encode(setpoint, value, { name: "ua", type: "opcua", settings });
  const began = now();
  const notAfter = began + within_ms;
  const last = (): number | null => {
    looks.n += 1;
    return looks.pass ? notAfter : null;
  };
  return new Promise((resolve) => writer.write(setpoint, encoded.bytes, notAfter, last,
    (result, _exception, sent) => resolve({ result, sent, took_ms: now() - began, value: NaN })));
}

const written = async (): Promise<number[]> => JSON.parse(await plant.ask("writes")) as number[];
/** What was to come has come by then. */
const settle = (): Promise<void> => Bun.sleep(200);

test("a value is read and written; one that is uncertain is not good for the gate", async () => {
  expect(await read()).toMatchObject({ result: DONE, value: 20 });
  expect(await write(21, 5000)).toMatchObject({ result: DONE, sent: true });
  expect(await read()).toMatchObject({ result: DONE, value: 21 });
  await plant.ask("uncertain Setpoint");
  expect((await read()).result).toBe(BAD.source);
});

test("W11: what its last look keeps back does not leave", async () => {
  const looks = { n: 0, pass: false };
  expect(await write(65, 5000, looks)).toMatchObject({ result: BAD.disconnected, sent: false });
  expect([looks.n, (await read()).value, (await written()).includes(65)]).toEqual([1, 20, false]);
});

test("W14: a request that the library did not hand on at once never leaves", async () => {
  const create = OPCUAClient.create;
  const late = spyOn(OPCUAClient, "create").mockImplementation((options) => {
    const client = create(options);
    const createSession = client.createSession.bind(client) as any;
    client.createSession = (async (user: unknown) => {
      const session = await createSession(user);
      const request = session.write.bind(session);
      session.write = (asked: unknown) => Bun.sleep(50).then(() => request(asked));
      return session;
    }) as any;
    return client;
  });
  expect(await write(64, 5000)).toMatchObject({ result: BAD.disconnected, sent: false });
  late.mockRestore();
  await settle();
  expect(await written()).not.toContain(64);
  expect(await write(24, 5000)).toMatchObject({ result: DONE, sent: true });
});

test("a connection that the server ended is not used again", async () => {
  expect((await read()).result).toBe(DONE);
  cable.drop();
  await until("its end is seen", () => leadingTo(cable.port).length === 0, 5000);
  expect((await read()).result).toBe(DONE);
});

test("a connection that comes when the link is ended is ended too", async () => {
  cable.passes = 0;
  expect((await read(200)).result).toBe(BAD.disconnected);
  writer.close();
  cable.mend();
  await until("it is ended", () => leadingTo(cable.port).length === 0, 5000);
  expect(await read()).toMatchObject({ result: BAD.disconnected, sent: false });
});

describe("W2, W3: where the server is another than the link's", () => {
  let other: Cable;
  beforeEach(() => {
    other = new Cable(port, "127.0.0.2", cable.port);
  });
  afterEach(() => other.stop());

  test("nothing is read or written by a new connection, and the next one is led anew", async () => {
    settings.host = "127.0.0.2";
    const looks = { n: 0, pass: true };
    expect(await read()).toMatchObject({ result: BAD.disconnected, sent: false });
    expect(await write(66, 5000, looks)).toMatchObject({ result: BAD.disconnected, sent: false });
    expect([looks.n, (await written()).includes(66)]).toEqual([0, false]);
    expect(said.join()).toContain(
      `127.0.0.2 leads to 127.0.0.2:${cable.port} now, the link to 127.0.0.1:${cable.port}`);
    settings.host = "127.0.0.1";
    expect((await read()).result).toBe(DONE);
  });
  test("nor by one that there was before the link was led elsewhere", async () => {
    expect((await read()).result).toBe(DONE);
    peer = `127.0.0.2:${cable.port}`;
    expect(await write(67, 5000)).toMatchObject({ result: BAD.disconnected, sent: false });
    settings.host = "127.0.0.2";
    expect(await write(68, 5000)).toMatchObject({ result: DONE, sent: true });
    expect([other.opened, (await written()).includes(67)]).toEqual([1, false]);
  });
});

describe("W14: what was not taken while the server hung never arrives", () => {
  test.each([
    ["its deadline", 300, () => {}],
    ["the loss of the link's other connection", 4000, () => writer.lose()],
  ])("after %s", async (_, within_ms, happens) => {
    expect((await read()).result).toBe(DONE);
    cable.hang();
    const telling = write(within_ms, within_ms);
    await Bun.sleep(100);
    happens();
    const { result, sent, took_ms } = await telling;
    expect([result, sent]).toEqual([BAD.timeout, true]);
    expect(took_ms).toBeLessThan(2000);
    // The reset is seen at the other end before the server goes on.
    await settle();
    cable.mend();
    await settle();
    expect(await written()).not.toContain(within_ms);
    // And what comes next is not that.
    expect(await write(22, 5000)).toMatchObject({ result: DONE });
    expect((await read()).value).toBe(22);
  });
  test("the kernel knows it, should this process stand still or end", async () => {
    expect((await read()).result).toBe(DONE);
    const [fd] = leadingTo(cable.port);
    expect(option(fd!, SOL_SOCKET, SO_LINGER, 2)).toEqual([1, 0]);
    const within = async (ms: number): Promise<number> => {
      expect((await write(23, ms)).result).toBe(DONE);
      return option(fd!, IPPROTO_TCP, TCP_USER_TIMEOUT)[0]!;
    };
    expect(await within(3000)).toBeWithin(2000, 3001);
    // The link's `timeout` at most.
    expect(await within(60_000)).toBe(5000);
  });
});

describe("W11: nothing is waited for beyond a deadline", () => {
  test("not for the connection, and no last look comes after it", async () => {
    cable.passes = 0;
    const looks = { n: 0, pass: true };
    const told = await write(70, 300, looks);
    expect(told).toMatchObject({ result: BAD.disconnected, sent: false });
    expect(told.took_ms).toBeWithin(290, 1500);
    cable.mend();
    await until("it is connected", async () => (await read()).result === DONE, 5000);
    expect([looks.n, (await written()).includes(70)]).toEqual([0, false]);
  });
  test("not for an answer; after the link's timeout the next one goes by another connection",
    async () => {
      settings.timeout = 1000;
      expect((await read()).result).toBe(DONE);
      cable.hang();
      const telling = read(300);
      const [waited, next] = [read(500), read()];
      expect(await telling).toMatchObject({ result: BAD.disconnected });
      expect((await telling).took_ms).toBeWithin(290, 900);
      expect(await waited).toMatchObject({ result: BAD.timeout, sent: false });
      expect((await next).result).toBe(DONE);
      expect(cable.opened).toBe(2);
      expect(said.join()).toContain("read of the gate: timeout");
    });
  test("a server that answers later than that keeps its session", async () => {
    expect((await read()).result).toBe(DONE);
    cable.hang();
    expect((await read(200)).result).toBe(BAD.disconnected);
    const next = read();
    cable.mend();
    expect((await next).result).toBe(DONE);
    expect([cable.opened, said]).toEqual([1, []]);
  });
  test("a server that takes longer than that is connected all the same, once", async () => {
    cable.passes = 0;
    expect((await read(200)).result).toBe(BAD.disconnected);
    expect((await read(200)).result).toBe(BAD.disconnected);
    const telling = read();
    cable.mend();
    expect((await telling).result).toBe(DONE);
    expect(cable.opened).toBe(1);
  });
});
