import { beforeEach, describe, expect, test } from "bun:test";
import { DONE, PENDING, type DriverTag, type Request, type Session } from "../../src/driver.ts";
import { BAD, type Ring } from "../../src/ring.ts";
import { Frames } from "../../src/runtime/frames.ts";
import { LinkRunner, type LinkJob } from "../../src/runtime/link.ts";
import { LocalPort } from "../../src/runtime/port.ts";
import { ringFor, ScriptedWire, tag } from "../driver/support.ts";

/** A session whose exchanges end when the test says so, and that tells what was begun. */
class Exchanges implements Session {
  result = DONE;
  exception = 0;
  sent = false;
  readonly frame = Uint8Array.of(0);
  readonly begun: string[] = [];
  until: number | null = null;
  readonly counters = { requests: 0, answers: 0, timeouts: 0, garbled: 0, exceptions: 0, stray: 0,
    roundTrip: 0 };

  read(request: Request, into: Ring, seq: number): void {
    this.#begin(`poll ${request.text}`);
    for (const { column } of request.tags) {
      const { payload, state } = into.columns[column]!;
      into.arena.F[payload + (seq & into.mask)] = 0;
      into.arena.U[state + (seq & into.mask)] = 0;
    }
  }

  readRaw(): void {
    this.#begin("read");
  }

  write(_tag: DriverTag, _raw: Uint8Array, last: () => number | null): void {
    this.#begin("write");
    this.until = last();
    this.sent = this.until !== null;
  }

  receive(): void {}

  step(): number {
    return Infinity;
  }

  abort(): void {}

  #begin(what: string): void {
    this.result = PENDING;
    this.begun.push(what);
  }
}

const log = { debug() {}, info() {}, warn() {}, error() {} };

describe("W11: what a permit was told is looked at before the bytes", () => {
  const { ring, tags } = ringFor([tag("holding 9", "uint16"), tag("discrete 4", "bool")]);
  const [setpoint, door] = tags as [DriverTag, DriverTag];
  let session: Exchanges;
  let runner: LinkRunner;
  let disabled = false;
  let clock = 0;
  beforeEach(() => {
    clock = 0;
    disabled = false;
    session = new Exchanges();
    runner = new LinkRunner({
      name: "plc", connectTimeout: 1000, reopenWhenSilent: false, now: () => clock,
      time: () => 0, flags: () => 0, log, splitter: {}, advise: () => null,
      groups: [{ stream: "press.fast", device: "press", station: 1, interval: 100,
        ring, constants: [], broadcasts: [], requests: [
        { station: 1, tags: [door], text: "discrete" },
        { station: 1, tags: [setpoint], text: "holding" }] }],
      pathEnded() {}, wake() {}, tap() {}, isDisabled: () => disabled, complete() {},
      published() {},
    });
    const wire = new ScriptedWire();
    wire.closed = () => runner.closed("reset");
    runner.attach(wire, () => session);
    runner.step(0);
    runner.opened("10.0.0.5:502");
    runner.step(0);
  });
  const answer = (): void => {
    session.result = DONE;
    runner.step(0);
  };
  const write = (more: Partial<LinkJob> = {}): boolean => runner.submit({
    kind: "write", tag: setpoint, raw: new Uint8Array(2), last: () => Infinity, done() {}, ...more,
  });

  test("a write waits for the rest of a poll that its permit is read by", () => {
    write({ streams: new Set(["press.fast"]) });
    answer();
    answer();
    expect(session.begun).toEqual(["poll discrete", "poll holding", "write"]);
  });
  test("W14: the answer may come until the deadline, however old the permit is then", () => {
    const guard = { arming: 1, notAfter: 5000, streams: new Set<string>(), last: () => 200 };
    const port = new LocalPort(runner, "modbus-tcp", new Frames());
    port.write(setpoint, new Uint8Array(2), guard, () => {});
    answer();
    expect(session.until).toBe(5000);
  });
  test("a device that is left alone is sent nothing, and its row says why", () => {
    answer();
    answer();
    disabled = true;
    session.begun.length = 0;
    const results: [number, boolean][] = [];
    for (const kind of ["read", "write"] as const) {
      runner.submit({ kind, tag: setpoint, raw: new Uint8Array(2), last: () => 1e9,
        done: (result, _exception, sent) => results.push([result, sent]) });
    }
    runner.step(100);
    expect([session.begun, results]).toEqual([[], [[BAD.disabled, false], [BAD.disabled, false]]]);
    const { state } = ring.columns[0]!;
    expect(ring.arena.U[state + ((ring.head - 1) & ring.mask)]).toBe(BAD.disabled);
  });
  test("a read that nobody waits for any more is not begun", () => {
    const port = new LocalPort(runner, "modbus-tcp", new Frames());
    const results: number[] = [];
    for (const notAfter of [40, 60]) {
      port.read(setpoint, new Uint8Array(2), notAfter, (result) => results.push(result));
    }
    for (let i = 0; i < 3; i++) {
      session.result = DONE;
      runner.step(50);
    }
    expect(session.begun).toEqual(["poll discrete", "poll holding", "read"]);
    expect(results).toEqual([BAD.timeout, DONE]);
  });
  test("other writes go between two requests", () => {
    write();
    write({ streams: new Set(["other.fast"]) });
    answer();
    expect(session.begun).toEqual(["poll discrete", "write"]);
  });
  test("a write left when it was looked at last, whenever it was answered", () => {
    const left: number[] = [];
    answer();
    answer();
    clock = 40;
    write({ done: (_result, _exception, _sent, at) => left.push(at) });
    runner.step(30);
    clock = 90;
    session.result = DONE;
    runner.step(90);
    expect(left).toEqual([40]);
  });
  test("two jobs never go in a row past a poll that is due", () => {
    answer();
    answer();
    session.begun.length = 0;
    write();
    write();
    for (let i = 0; i < 4; i++) {
      runner.step(100);
      session.result = DONE;
    }
    expect(session.begun).toEqual(["write", "poll discrete", "write", "poll holding"]);
  });
  test("a row is there as soon as its last answer is, before any job", () => {
    const head = ring.head;
    let seen = head;
    answer();
    write({ last: () => (seen = ring.head, Infinity) });
    answer();
    expect(session.begun).toEqual(["poll discrete", "poll holding", "write"]);
    expect(seen).toBe(head + 1);
  });
  test("a link that was ended is not opened again", () => {
    runner.close();
    runner.step(1e9);
    expect(runner.state).toBe("closed");
  });
});
