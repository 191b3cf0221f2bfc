import { afterAll, beforeAll, expect, test } from "bun:test";
import { monotonic, openPty, writePipe } from "../../src/base/os.ts";
import { modbusRtu } from "../../src/driver.ts";
import { BAD, readCell, type CellValue } from "../../src/ring.ts";
import { ringFor, tag, withCrc } from "../driver/support.ts";
import { DONE, openTtySession } from "./support.ts";

const timeout_ms = 100;
let peer: Bun.Subprocess<"ignore", "pipe", "inherit">;
let path = "";

/** The peer's next line. */
let lines: AsyncGenerator<string>;
async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

beforeAll(async () => {
  const script = new URL("rtu_peer.py", import.meta.url).pathname;
  peer = Bun.spawn(["python3", script, String(timeout_ms * 1.4 / 1000)], {
    stdin: "ignore", stdout: "pipe", stderr: "inherit",
  });
  lines = linesOf(peer.stdout);
  path = (await lines.next()).value as string;
});
afterAll(() => peer.kill());

type Bus = ReturnType<typeof openTtySession>;
function withBus(run: (bus: Bus) => void): void {
  const bus = openTtySession(path, { timeout: `${timeout_ms}ms`, baud: 115200 });
  bus.open();
  expect(bus.state).toEqual({ open: true, closed: "" });
  try {
    run(bus);
  } finally {
    bus.end();
  }
}

function read(bus: Bus, at: number): { result: number; value: CellValue; exception: number } {
  const { ring, tags } = ringFor([tag(`holding ${at}`, "uint16")]);
  bus.session.read(modbusRtu.plan(tags, bus.link)[0]!, ring, 0, monotonic());
  const result = bus.finish();
  return { result, value: readCell(ring, ring.columns[0]!, 0), exception: bus.session.exception };
}

test("reads and writes with an independent slave", () => withBus((bus) => {
  for (let at = 0; at < 50; at++) expect(read(bus, at)).toMatchObject({ result: DONE, value: at });
  const setpoint = tag("holding 200", "float32", { writable: true });
  const { bytes } = modbusRtu.encode(setpoint, 55.25, bus.link);
  bus.session.write(setpoint, bytes, () => Infinity, monotonic());
  expect(bus.finish()).toBe(DONE);
  const raw = new Uint8Array(4);
  bus.session.readRaw(setpoint, raw, monotonic());
  expect([bus.finish(), modbusRtu.decode(setpoint, raw)]).toEqual([DONE, 55.25]);
  const one = tag("holding 210", "int16", { writable: true });
  bus.session.write(one, modbusRtu.encode(one, -7, bus.link).bytes, () => Infinity, monotonic());
  expect(bus.finish()).toBe(DONE);
  expect(read(bus, 210)).toMatchObject({ result: DONE, value: 65529 });
}));

test.each([
  ["wrong CRC", 1000, BAD.garbled], ["half a frame", 1100, BAD.garbled],
  ["garbage", 1200, BAD.garbled], ["wrong station", 1300, BAD.garbled],
  ["an exception", 1500, BAD.address], ["silence", 1700, BAD.timeout],
])("%s: the read says so and the next one is right", (_, at, state) => withBus((bus) => {
  expect(read(bus, at).result).toBe(state);
  expect(read(bus, 7)).toMatchObject({ result: DONE, value: 7 });
}));

test("noise and pieces: the answer is found", () => withBus((bus) => {
  expect(read(bus, 1600)).toMatchObject({ result: DONE, value: 1600 });
  expect(bus.session.counters.stray).toBe(2);
}));

test("W14: a late answer is discarded and never taken for the next one", () => withBus((bus) => {
  expect(read(bus, 1400).result).toBe(BAD.timeout);
  const began = monotonic();
  expect(read(bus, 8)).toMatchObject({ result: DONE, value: 8 });
  expect(monotonic() - began).toBeGreaterThan(timeout_ms - 1);
  expect(bus.session.counters.stray).toBe(7);
}));

test("W23: a port is opened once", () => withBus(() => {
  const second = openTtySession(path);
  second.open();
  expect(second.state.closed).toContain("in use by another program");
}));

test("another master heard before the first transmit: the port stays silent", () => {
  const pty = openPty();
  const bus = openTtySession(pty.path, {}, 200);
  bus.wire.open();
  const request = withCrc(9, 3, 0, 0, 0, 10);
  pty.write(request.slice(0, 5), 5);
  bus.wire.wait(monotonic() + 20);
  pty.write(request.slice(5), 3);
  while (bus.state.closed === "") bus.wire.wait(monotonic() + 20);
  expect(bus.state)
    .toEqual({ open: false, closed: expect.stringMatching(/^another master speaks here: a bus/) });
  expect(pty.read(new Uint8Array(64))).toBe(0);
  pty.close();
});

test("it listens before it opens, and one byte in the pipe ends a wait", () => {
  const pty = openPty();
  const bus = openTtySession(pty.path, {}, 60);
  const began = monotonic();
  bus.open();
  expect(monotonic() - began).toBeGreaterThan(59);
  writePipe(bus.wakeWrite);
  const woken = monotonic();
  bus.wire.wait(woken + 5000);
  expect(monotonic() - woken).toBeLessThan(1000);
  bus.end();
  pty.close();
});

test("rs485: kernel on a port that cannot is an error before the first frame", () => {
  const pty = openPty();
  const bus = openTtySession(pty.path, { rs485: "kernel" });
  bus.open();
  expect(bus.state.closed).toContain("TIOCSRS485");
  pty.close();
});

test("a port that is not there, or no port", () => {
  const missing = openTtySession("/dev/ttyNONE0");
  missing.open();
  expect(missing.state.closed)
    .toMatch(/^\/dev\/ttyNONE0 cannot be opened: there is no such file; is its adapter/);
  const none = openTtySession("/dev/null");
  none.open();
  expect(none.state.closed).toMatch(/^\/dev\/null is no serial port: write/);
});
