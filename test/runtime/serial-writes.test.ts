import { expect, test } from "bun:test";
import { createLog, eventLoop } from "../../src/base.ts";
import { createClock } from "../../src/base/clock.ts";
import type { WireEvents } from "../../src/driver.ts";
import { drivers } from "../../src/registry.ts";
import { Arena, BAD, OpenRow, Ring } from "../../src/ring.ts";
import { Overrides } from "../../src/runtime/overrides.ts";
import { SerialPort, type SerialInit } from "../../src/runtime/serial.ts";
import { SerialWorker } from "../../src/runtime/serial-worker.ts";
import type { Thread, World } from "../../src/runtime/world.ts";
import { graphOf } from "../world/site.ts";

const graph = graphOf(1);
const plan = graph.links.find(({ link }) => link.name === "bus")!;
const setpoint = plan.groups.flatMap(({ tags }) => tags)
  .find(({ id }) => id === "drive-1.target")!;
const WRITE_REGISTER = 6;

/** A bus from the gate's port to the wire, where nobody answers; time is simulated. */
class Bus {
  now = 1000;
  /** Frames of writes that left. */
  readonly written: Uint8Array[] = [];
  /** What was told of each write. */
  readonly outcomes: [result: number, sent: boolean][] = [];
  readonly port: SerialPort;
  events: WireEvents | null = null;
  #worker: SerialWorker | null = null;
  #init: SerialInit | null = null;
  readonly thread: Thread = {
    onmessage: null, onerror: null, addEventListener() {}, terminate() {}, unref() {},
    postMessage: (message) => { this.#init = message as SerialInit; },
  };
  readonly #clock = createClock(() => this.now, () => this.now, () => true);
  readonly #log = createLog("error", () => this.now, () => {});

  constructor() {
    const arena = Arena.create(1 << 20);
    const rings = new Map(plan.groups.map(({ stream }) => {
      const { layout } = graph.streams.find(({ name }) => name === stream)!;
      const { ring } = Ring.create(arena, layout);
      ring.open = OpenRow.create(arena, stream);
      return [stream, ring];
    }));
    const world = {
      clock: this.#clock, timers: eventLoop, log: this.#log, thread: () => this.thread,
      sleep: () => new Promise<void>(() => {}),
      wakePipe: () => ({ end: -1, wake() {}, close() {} }),
    } satisfies Partial<World> as unknown as World;
    this.port = new SerialPort(plan, rings, { wake() {}, ended() {}, complete() {} }, world,
      "synced", new Overrides({}, { now: () => this.now, log: this.#log }));
    this.port.step(this.now);
  }

  start(): void {
    this.#worker = new SerialWorker(this.#init!, {
      clock: this.#clock, log: this.#log, drivers,
      post: (message) => this.thread.onmessage?.({ data: message } as MessageEvent),
      wire: (_init, _driver, events) => {
        this.events = events;
        return {
          open: () => events.opened("/dev/bus"), drain() {}, wait() {},
          reset: (why = "reset") => events.closed(why),
          send: (bytes, n) => {
            if (bytes[1] === WRITE_REGISTER) this.written.push(bytes.slice(0, n));
            return true;
          },
        };
      },
    });
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now += 1) {
      this.#worker!.round();
      this.port.step(this.now);
    }
  }

  write(arming: number, within_ms: number): void {
    const guard = { arming, notAfter: this.now + within_ms, streams: new Set<string>(),
      last: () => Infinity };
    this.port.write(setpoint, Uint8Array.of(1, 2), guard, (result, _exception, sent) =>
      this.outcomes.push([result, sent]));
  }
}

/** A bus whose setpoint is armed under number 7. */
function armed(): Bus {
  const bus = new Bus();
  bus.start();
  bus.run(2000);
  bus.port.setArming(setpoint.id, 7);
  return bus;
}

test("W14: an armed write leaves once, and is told as sent however it ends", () => {
  const bus = armed();
  bus.write(7, 5000);
  bus.run(5000);
  expect(bus.written.map((frame) => [...frame.subarray(0, 6)])).toEqual([[1, 6, 0, 4, 1, 2]]);
  expect(bus.outcomes).toEqual([[BAD.timeout, true]]);
});

test.each([
  ["the latch", (bus: Bus) => { bus.port.setLatch(true); }, 7, 5000],
  ["the end of its arming", (bus: Bus) => { bus.port.setArming(setpoint.id, 0); }, 7, 5000],
  ["a newer arming", (bus: Bus) => { bus.port.setArming(setpoint.id, 8); }, 7, 5000],
  ["its deadline", (bus: Bus) => { bus.now += 20; }, 7, 10],
  ["a port that was gone (W3)", (bus: Bus) => bus.events!.closed("pulled out", true), 7, 5000],
] as const)("W11: a write that waits is kept back by %s", (_, happens, arming, within_ms) => {
  const bus = armed();
  bus.write(arming, within_ms);
  happens(bus);
  bus.run(4000);
  expect([bus.written, bus.outcomes]).toEqual([[], [[BAD.disconnected, false]]]);
  expect(bus.port.open).toBe(true);
});

test("W11: a read that nobody waits for any more is not begun by the worker", () => {
  const bus = armed();
  const results: unknown[] = [];
  for (const within_ms of [10, 1000]) {
    bus.port.read(setpoint, new Uint8Array(2), bus.now + within_ms, (result, _exception, sent) =>
      results.push([result, sent]));
  }
  bus.now += 20;
  bus.run(3000);
  expect(results).toEqual([[BAD.timeout, false], [BAD.timeout, true]]);
});

test("W3: after a port that was gone nothing leaves until it is armed anew", () => {
  const bus = armed();
  bus.events!.closed("pulled out", true);
  bus.run(4000);
  bus.write(7, 5000);
  bus.run(4000);
  expect(bus.written).toEqual([]);
  bus.port.setArming(setpoint.id, 9);
  bus.write(9, 5000);
  bus.run(4000);
  expect(bus.written.length).toBe(1);
});

test("W14, W15: what a worker had not told when it died is unknown, and never sent", () => {
  const bus = armed();
  bus.write(7, 60_000);
  bus.thread.onerror!({ message: "planted" } as ErrorEvent);
  expect(bus.outcomes).toEqual([[BAD.disconnected, true]]);
  bus.start();
  bus.run(4000);
  expect([bus.written, bus.outcomes.length]).toEqual([[], 1]);
});
