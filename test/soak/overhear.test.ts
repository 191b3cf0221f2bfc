import { expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import { modbusRtu, type DriverTag, type Wire } from "../../src/driver.ts";
import { BAD, GOOD, stateName, type Ring } from "../../src/ring.ts";
import { LinkRunner } from "../../src/runtime/link.ts";
import { linkOf, ringFor, tag, withCrc } from "../driver/support.ts";

/**
 * A bus on which another master reads its stations while bytes change on their way, others come in
 * between, answers come late or not at all (`bun run soak overhear --count 1000000`). What each
 * register holds is another number in each exchange. Nothing is ever sent, and nothing is published
 * but what a sound answer right behind its request had, not older than its row.
 */
const count = Number(process.env["SOAK_COUNT"] ?? 20_000);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1e9);
const interval = 400;
const baud = 19200;
const character_ms = 11_000 / baud;

const truth = (exchange: number, station: number, register: number): number =>
  (exchange * 40_503 + station * 7919 + register * 31) & 0xffff;

interface Read { readonly station: number; readonly from: number; readonly size: number }
/** What the master reads in one cycle, some 300 ms; of station 3 nobody answers. */
const cycle: readonly Read[] = [
  { station: 1, from: 100, size: 1 }, { station: 1, from: 110, size: 10 },
  { station: 2, from: 100, size: 60 }, { station: 3, from: 100, size: 2 },
];

/** A group of each station; register 500 is read by nobody. */
const groups = [1, 2, 3].map((station) => {
  const registers = cycle.filter((read) => read.station === station)
    .flatMap(({ from, size }) => Array.from({ length: size }, (_, i) => from + i));
  const { ring, tags } = ringFor([...registers, 500].map((register) =>
    tag(`holding ${register}`, "uint16", { station })));
  return { station, ring, tags, registers: [...registers, 500] };
});

class Bus {
  readonly #random: Random;
  readonly rates: { flip: number; stray: number; late: number; silent: number };
  readonly runner: LinkRunner;
  now = 0;
  exchange = 0;
  sent = 0;
  rows = 0;
  good = 0;
  wrong = 0;
  /** Frames that were changed and have a right CRC all the same. */
  chances = 0;
  readonly states = new Map<string, number>();
  /** Rows of one group that began at one moment. */
  bunched = 0;
  readonly #begun = new Map<Ring, number>();
  /** Nobody reads the port: what it holds meanwhile. */
  #held: number[] | null = null;
  /** When each exchange began; an answer that comes late is of none of them any more. */
  readonly began: number[] = [];
  #late: number[] | null = null;

  constructor(random: Random, rates: Bus["rates"]) {
    this.#random = random;
    this.rates = rates;
    const link = linkOf(modbusRtu, { port: "/dev/null", rs485: "adapter", baud, listenOnly: true,
      timeout: "100ms" });
    this.runner = new LinkRunner({
      name: "bus", connectTimeout: 1000, reopenWhenSilent: false, now: () => this.now,
      time: () => this.now, flags: () => 0, splitter: {}, tap() {}, isDisabled: () => false,
      log: { debug() {}, info() {}, warn() {}, error() {} },
      groups: groups.map(({ station, ring, tags }) => ({ stream: `m-${station}.fast`,
        device: `m-${station}`, station, interval, ring, constants: [], broadcasts: [],
        requests: modbusRtu.plan(tags, link) })),
      advise: () => null, complete: (ring, seq) => this.#look(ring, seq),
      published() {}, pathEnded() {}, wake() {},
    });
    const wire: Wire = { open() {}, drain() {}, reset() {}, send: () => {
      this.sent += 1;
      return true;
    } };
    this.runner.attach(wire, (own) => modbusRtu.open(link, own));
    this.runner.step(0);
    this.runner.opened("bus");
  }

  /** One read and what becomes of it. */
  run(read: Read): void {
    const { rates } = this;
    const random = this.#random;
    this.exchange += 1;
    this.began[this.exchange] = this.now;
    const words = Array.from({ length: read.size }, (_, i) =>
      truth(this.exchange, read.station, read.from + i));
    const request = withCrc(read.station, 3, read.from >> 8, read.from & 255, 0, read.size);
    const answer = [...withCrc(read.station, 3, read.size * 2,
      ...words.flatMap((word) => [word >> 8, word & 255]))];
    this.#put([...request]);
    const late = this.#late;
    this.#late = null;
    if (late !== null) this.#put(late);
    this.#wait(5);
    if (read.station === 3 || random.chance(rates.silent)) return this.#wait(100);
    // Behind a read of another station: nothing tells it from the right one behind one of its own.
    if (random.chance(rates.late) && read.station === 2) {
      this.#late = answer;
      return this.#wait(100);
    }
    if (random.chance(rates.stray)) {
      this.#put(Array.from({ length: 1 + random.below(12) }, () => random.below(256)));
    }
    this.#put(answer);
    this.#wait(4);
  }

  /** So many reads are heard in one go, after them. */
  holdUp(n: number): void {
    const held: number[] = (this.#held = []);
    for (let i = 0; i < n; i++) this.run(cycle[i % cycle.length]!);
    this.#held = null;
    this.runner.received(Uint8Array.from(held), held.length);
  }

  #put(bytes: readonly number[]): void {
    const random = this.#random;
    const sent = bytes.map((byte) =>
      (random.chance(this.rates.flip) ? byte ^ (1 + random.below(255)) : byte));
    const isChanged = sent.some((byte, i) => byte !== bytes[i]);
    if (isChanged && String([...withCrc(...sent.slice(0, -2))]) === String(sent)) this.chances += 1;
    for (let at = 0; at < sent.length;) {
      const piece = Uint8Array.from(sent.slice(at, at + 1 + random.below(40)));
      this.#wait(piece.length * character_ms);
      if (this.#held === null) this.runner.received(piece, piece.length);
      else this.#held.push(...piece);
      at += piece.length;
    }
  }

  #wait(ms: number): void {
    const until = this.now + ms;
    if (this.#held === null) {
      for (let due = this.runner.step(this.now); due <= until; due = this.runner.step(this.now)) {
        this.now = Math.max(due, this.now);
      }
    }
    this.now = until;
  }

  /** A row is about to be published: what is good in it was said in its time. */
  #look(ring: Ring, seq: number): void {
    const { tags, registers } = groups.find((group) => group.ring === ring)!;
    const row = seq & ring.mask;
    const begun = ring.arena.F[ring.timeAt + row]!;
    this.rows += 1;
    if (this.#begun.get(ring) === begun) this.bunched += 1;
    this.#begun.set(ring, begun);
    tags.forEach(({ column, station }: DriverTag, i) => {
      const { payload, state } = ring.columns[column]!;
      const name = `${station}.${registers[i] === 500 ? "none" : "read"} ` +
        stateName(ring.arena.U[state + row]!);
      this.states.set(name, (this.states.get(name) ?? 0) + 1);
      if (ring.arena.U[state + row] !== GOOD) return;
      this.good += 1;
      const value = ring.arena.F[payload + row]!;
      for (let e = this.exchange; e > 0 && this.began[e]! >= begun - 20; e--) {
        if (truth(e, station, registers[i]!) === value) return;
      }
      this.wrong += 1;
    });
  }
}

test(`${count} exchanges of others on a noisy bus, seed ${seed}`, () => {
  const bus = new Bus(createRandom(seed), { flip: 0.01, stray: 0.05, late: 0.05, silent: 0.02 });
  for (let i = 0; i < count; i++) bus.run(cycle[i % cycle.length]!);
  console.log(`${bus.rows} rows, ${bus.good} good values in ${Math.round(bus.now / 1000)} s, ` +
    `${bus.chances} changed frames with a right CRC, ${bus.wrong} wrong values`);
  expect(bus.sent).toBe(0);
  // A CRC lets one of 65,536 changes pass that are longer than itself (Serial Line 1.02, 6.2.2).
  expect(bus.chances).toBeLessThanOrEqual(3 + 3 * count / 65_536);
  expect(bus.wrong).toBeLessThanOrEqual(60 * bus.chances);
  expect(bus.good).toBeGreaterThan(count);
}, 600_000);

test("ten quiet minutes: a row an interval, each value by what became of its read", () => {
  const bus = new Bus(createRandom(7), { flip: 0, stray: 0, late: 0, silent: 0 });
  for (let i = 0; bus.now < 600_000; i++) bus.run(cycle[i % cycle.length]!);
  expect(bus.sent).toBe(0);
  expect(bus.wrong).toBe(0);
  // The master's cycle decides, if it is slower than the interval.
  const cycles = bus.exchange / cycle.length;
  expect(bus.rows).toBeGreaterThan(0.95 * Math.min(cycles, 600_000 / interval) * groups.length);
  // The first row ends with the first read: it is not known yet that there are more.
  expect([...bus.states.keys()].sort()).toEqual([
    `1.none ${stateName(BAD.initial)}`, `1.read ${stateName(BAD.initial)}`, "1.read good",
    `2.none ${stateName(BAD.initial)}`, "2.read good",
    `3.none ${stateName(BAD.initial)}`, `3.read ${stateName(BAD.timeout)}`]);
});

test("what was heard in one go, after a while without processor, is no second row", () => {
  const bus = new Bus(createRandom(7), { flip: 0, stray: 0, late: 0, silent: 0 });
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 40; i++) bus.run(cycle[i % cycle.length]!);
    const { rows } = bus;
    bus.holdUp(8 * cycle.length);
    expect(bus.rows).toBeGreaterThan(rows);
  }
  expect(bus.bunched).toBe(0);
});

test("a master that falls silent is told at the group's rate", () => {
  const bus = new Bus(createRandom(7), { flip: 0, stray: 0, late: 0, silent: 0 });
  for (let i = 0; i < 40; i++) bus.run(cycle[i % cycle.length]!);
  bus.states.clear();
  const { rows } = bus;
  for (let i = 0; i < 100; i++) {
    bus.now += interval / 10;
    bus.runner.step(bus.now);
  }
  expect([...bus.states.keys()]).toContain(`1.read ${stateName(BAD.old)}`);
  expect([...bus.states.keys()].filter((name) => name.endsWith("good"))).toEqual([]);
  expect(bus.rows - rows).toBeGreaterThanOrEqual(3 * 7);
});
