import { describe, expect, test } from "bun:test";
import { DONE, modbusAscii, modbusRtu, PENDING, type DriverTag } from "../../src/driver.ts";
import { BAD, readCell, type Ring } from "../../src/ring.ts";
import { linkOf, ringFor, ScriptedWire, tag } from "./support.ts";

/** Registers 512 and on: the request of such a read begins like the answer to it. */
const { ring, tags } = ringFor([
  tag("holding 9", "uint16", { writable: true }),
  tag("holding 20", "float32", { writable: true }),
  tag("coil 3", "bool", { writable: true }),
  tag("holding 512", "uint16"),
]);
const [word, float, coil, alike] = tags as [DriverTag, DriverTag, DriverTag, DriverTag];
const timeout_ms = 100;

/** A line whose adapter gives back what is sent. Time is simulated. */
class EchoingLine {
  readonly wire = new ScriptedWire();
  readonly session;
  readonly #driver: typeof modbusRtu;
  readonly #link;
  readonly #server;
  now = 1000;

  constructor(driver: typeof modbusRtu, served: readonly DriverTag[] = tags) {
    this.#driver = driver;
    this.#link = linkOf(driver, { port: "p", rs485: "adapter", timeout: `${timeout_ms}ms` });
    this.session = driver.open(this.#link, this.wire);
    this.wire.closed = () => this.session.abort();
    this.#server = driver.serve(served, this.#link, {
      value: ({ type }) => (type === "bool" ? 1 : 5), written: () => true });
  }

  read(one: DriverTag): void {
    this.readAll([one], ring);
  }

  /** After the bus was silent for long. */
  readAll(all: readonly DriverTag[], into: Ring): void {
    this.now += 1000;
    const [request] = this.#driver.plan(all, this.#link);
    this.session.read(request!, into, 5, this.now);
  }

  write(one: DriverTag): void {
    this.now += 1000;
    const { bytes } = this.#driver.encode(one, 1, this.#link);
    this.session.write(one, bytes, () => Infinity, this.now);
  }

  echo(from = 0, to = this.wire.last.length): void {
    this.now += 1;
    this.session.receive(this.wire.last.slice(from, to), to - from, this.now);
  }

  answer(): void {
    this.now += 20;
    const { last } = this.wire;
    this.#server.receive(last, last.length, this.now, {
      frame: () => {},
      reply: (bytes, n) => this.session.receive(bytes.slice(0, n), n, this.now),
    });
    this.#server.step(this.now + 5, {
      frame: () => {},
      reply: (bytes, n) => this.session.receive(bytes.slice(0, n), n, this.now),
    });
  }

  /** Nothing more comes. */
  expire(): void {
    this.now += 1000;
    this.session.step(this.now);
  }
}

describe.each([modbusRtu, modbusAscii])("$type: an adapter that echoes", (driver) => {
  const known = (): EchoingLine => {
    const line = new EchoingLine(driver);
    line.read(word);
    line.echo();
    line.answer();
    expect(line.session.result).toBe(DONE);
    return line;
  };

  test("a read shows it, and it is no stray byte", () => {
    const { session } = known();
    expect(session.remark).toContain("the adapter echoes");
    expect(session.counters).toMatchObject({ answers: 1, stray: 0, garbled: 0, timeouts: 0 });
  });

  test("a read of 17 to 24 bits is answered by the device, not by its echo", () => {
    const bits = ringFor(Array.from({ length: 20 }, (_, i) => tag(`coil ${770 + i}`, "bool")));
    const line = new EchoingLine(driver, bits.tags);
    for (let i = 0; i < 3; i++) {
      line.readAll(bits.tags, bits.ring);
      line.echo();
      expect(line.session.result).toBe(PENDING);
      line.answer();
      expect(line.session.result).toBe(DONE);
      const read = bits.ring.columns.map((column) => readCell(bits.ring, column, 5));
      expect(read).toEqual(Array.from({ length: 20 }, () => true));
    }
    expect(line.session.remark).toContain("the adapter echoes");
  });

  test.each([["one register", word], ["several", float], ["a coil", coil]] as const)(
    "a write of %s is acknowledged by its answer, not by its echo", (_, one) => {
      const line = known();
      line.write(one);
      line.echo(0, 5);
      line.echo(5);
      expect(line.session.result).toBe(PENDING);
      line.answer();
      expect(line.session.result).toBe(DONE);
      expect(line.session.counters).toMatchObject({ answers: 2, stray: 0, garbled: 0 });
    });

  test.each([["one register", word], ["several", float], ["a coil", coil]] as const)(
    "the echo of a write of %s alone is a timeout", (_, one) => {
      const line = known();
      line.write(one);
      line.echo();
      line.expire();
      expect(line.session.result).toBe(BAD.timeout);
    });

  test("where the echo is damaged nothing counts as the answer that may be the echo", () => {
    const line = known();
    line.write(word);
    line.session.receive(Uint8Array.of(0x55), 1, line.now);
    line.echo();
    expect(line.session.result).toBe(PENDING);
    line.answer();
    expect(line.session.result).toBe(DONE);
    line.write(word);
    line.answer();
    line.expire();
    expect(line.session.result).toBe(BAD.timeout);
  });

  test("a dead station is a timeout, not noise", () => {
    const line = new EchoingLine(driver);
    line.read(word);
    line.echo();
    line.expire();
    expect(line.session.result).toBe(BAD.timeout);
    expect(line.session.counters).toMatchObject({ timeouts: 1, garbled: 0, stray: 0 });
    expect(line.session.remark).toContain("the adapter echoes");
  });

  test("a request that begins like its answer is an echo all the same", () => {
    const line = new EchoingLine(driver);
    line.read(alike);
    line.echo();
    line.answer();
    expect(line.session.result).toBe(DONE);
    line.write(word);
    line.echo();
    expect(line.session.result).toBe(PENDING);
  });

  test("before any read has shown it one copy of a write is no answer, two are", () => {
    const line = new EchoingLine(driver);
    line.write(word);
    line.echo();
    line.expire();
    expect([line.session.result, line.session.remark]).toEqual([BAD.timeout, ""]);
    line.write(word);
    line.echo();
    line.answer();
    expect(line.session.result).toBe(DONE);
    expect(line.session.remark).toContain("the adapter echoes");
  });

  test("where a read had no echo one copy of a write is its answer", () => {
    const line = new EchoingLine(driver);
    line.read(word);
    // A byte as lines have it that change their direction.
    line.session.receive(Uint8Array.of(0), 1, line.now + 1);
    line.answer();
    line.write(word);
    line.answer();
    expect([line.session.result, line.session.remark]).toEqual([DONE, ""]);
    line.write(coil);
    line.answer();
    expect(line.session.result).toBe(DONE);
  });

  test("a port that is opened anew may have another adapter", () => {
    const line = known();
    line.wire.reset();
    line.wire.open();
    expect(line.session.remark).toBe("");
  });
});
