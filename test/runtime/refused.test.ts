import { beforeEach, expect, test } from "bun:test";
import { modbusTcp, type DriverTag, type Wire } from "../../src/driver.ts";
import { limits } from "../../src/base.ts";
import { BAD, GOOD, type Ring } from "../../src/ring.ts";
import { LinkRunner } from "../../src/runtime/link.ts";
import { linkOf, ringFor, tag } from "../driver/support.ts";

const told: string[] = [];
const warn = (_: string, text: string): void => void told.push(text);
const log = { debug() {}, info() {}, warn, error() {} };
beforeEach(() => void (told.length = 0));

/** A device that answers at once with each register's address, and refuses some addresses. */
class Device implements Wire {
  readonly illegal = new Set<number>();
  /** Registers that it gives at once, and the exception that more of them get. */
  most = 125;
  exception = 2;
  readonly reads: [from: number, count: number][] = [];
  readonly #answers: Uint8Array[] = [];
  runner: LinkRunner | null = null;
  now = 1000;

  open(): void {
    this.runner!.opened("device:502");
  }

  send(bytes: Uint8Array): boolean {
    const from = (bytes[8]! << 8) | bytes[9]!, count = (bytes[10]! << 8) | bytes[11]!;
    this.reads.push([from, count]);
    const refused = count > this.most ||
      [...this.illegal].some((at) => at >= from && at < from + count);
    const pdu = refused ? [0x83, this.exception] : [3, count * 2,
      ...Array.from({ length: count }, (_, i) => [(from + i) >> 8, (from + i) & 255]).flat()];
    this.#answers.push(Uint8Array.of(bytes[0]!, bytes[1]!, 0, 0, 0, pdu.length + 1, 1, ...pdu));
    return true;
  }

  drain(): void {}
  reset(): void {}

  /** Until nothing is left to do at this time. */
  poll(after_ms: number): void {
    this.now += after_ms;
    this.reads.length = 0;
    for (;;) {
      this.runner!.step(this.now);
      const answer = this.#answers.shift();
      if (answer === undefined) return;
      this.runner!.received(answer, answer.length);
    }
  }
}

function start(places: readonly string[], settings: object = {}) {
  const link = linkOf(modbusTcp, { host: "a", ...settings });
  const { ring, tags } = ringFor(places.map((at, i) => tag(at, "uint16", { id: `d.t${i}` })));
  const device = new Device();
  const runner = new LinkRunner({
    name: "plc", connectTimeout: 3000, reopenWhenSilent: true, now: () => device.now,
    time: () => device.now, flags: () => 0, log, splitter: modbusTcp, pathEnded() {}, wake() {},
    advise: (trouble) => modbusTcp.advise(trouble, link),
    tap() {}, isDisabled: () => false, complete() {}, published() {},
    groups: [{ stream: "d.g", device: "d", station: 1, interval: 1000, ring,
      constants: [], broadcasts: [], requests: modbusTcp.plan(tags, link) }],
  });
  device.runner = runner;
  runner.attach(device, (wire) => modbusTcp.open(link, wire));
  return { device, runner, ring, tags };
}

const states = (ring: Ring, tags: readonly DriverTag[]): number[] => {
  const row = (ring.head - 1) & ring.mask;
  return tags.map(({ column }) => ring.arena.U[ring.columns[column]!.state + row]!);
};
const registers = (n: number): string[] => Array.from({ length: n }, (_, i) => `holding ${i}`);

test("one illegal register among 10,000: only that tag is bad, from the first poll on", () => {
  const { device, runner, ring, tags } = start(registers(10_000));
  device.illegal.add(4321);
  const expected = tags.map((_, i) => (i === 4321 ? BAD.address : GOOD));
  device.poll(0);
  expect(states(ring, tags)).toEqual(expected);
  expect(runner.polls[0]!.refused).toEqual(["holding 4321"]);
  // 80 requests as planned; the one that failed in three: what was before, the tag, what is after.
  device.poll(1000);
  expect(states(ring, tags)).toEqual(expected);
  expect(device.reads.length).toBe(81);
  expect(device.reads.some(([from, count]) => from <= 4321 && from + count > 4321)).toBe(false);
});

test("it is tried again later, at last by itself, and is good when it is there", () => {
  const { device, runner, ring, tags } = start(registers(100));
  device.illegal.add(7);
  device.poll(0);
  device.poll(limits.refused_ms_min);
  expect(device.reads).toContainEqual([7, 1]);
  device.poll(limits.refused_ms_min);
  expect(device.reads).not.toContainEqual([7, 1]);
  device.illegal.clear();
  device.poll(limits.refused_ms_min);
  expect(device.reads).toContainEqual([7, 1]);
  expect(new Set(states(ring, tags))).toEqual(new Set([GOOD]));
  expect(runner.polls[0]!.refused).toEqual([]);
  // A device that was connected anew may be another one.
  runner.closed("lost");
  device.poll(1000);
  expect(device.reads).toEqual([[0, 100]]);
});

test("a device that was connected anew is asked at once for what the one before refused", () => {
  const { device, runner, ring, tags } = start(["holding 7"]);
  device.illegal.add(7);
  device.poll(0);
  device.poll(1000);
  expect([states(ring, tags), device.reads]).toEqual([[BAD.address], []]);
  device.illegal.clear();
  runner.closed("lost");
  device.poll(1000);
  expect([states(ring, tags), runner.polls[0]!.refused]).toEqual([[GOOD], []]);
});

test("an address between two tags that nobody wants: both are read, apart", () => {
  const places = [0, 1, 6, 7].map((at) => `holding ${at}`);
  const { device, runner, ring, tags } = start(places);
  device.illegal.add(4);
  device.poll(0);
  device.poll(1000);
  expect(new Set(states(ring, tags))).toEqual(new Set([GOOD]));
  expect(device.reads).toEqual([[0, 2], [6, 2]]);
  expect(runner.polls[0]!.refused).toEqual([]);
});

test("a device that has none of it is not asked for ever in one poll", () => {
  const { device, ring, tags } = start(registers(125));
  for (let at = 0; at < 125; at++) device.illegal.add(at);
  const polls: number[] = [];
  for (let i = 0; i < 6; i++) {
    device.poll(1000);
    polls.push(device.reads.length);
    expect(new Set(states(ring, tags))).toEqual(new Set([BAD.address]));
  }
  expect(Math.max(...polls)).toBeLessThanOrEqual(2 * limits.split_requests_max);
  expect(polls.at(-1)).toBe(0);
});

test.each([2, 3])("reads that are refused for their length (exception %p) stay apart", (code) => {
  const { device, runner, ring, tags } = start(registers(100));
  [device.most, device.exception] = [10, code];
  device.poll(0);
  expect(device.reads.length).toBe(31);
  for (let i = 0; i < 5; i++) {
    device.poll(1000);
    expect(new Set(states(ring, tags))).toEqual(new Set([GOOD]));
    expect(device.reads.length).toBe(16);
  }
  expect(told).toEqual([expect.stringMatching(
    /^plc: holding 0\.\.99 is refused as one .* in 16, of at most 7.*"maxRegisters": 7 /)]);
  // A device that was connected anew may be another one, and is no news a second time.
  runner.closed("lost");
  device.most = 125;
  device.poll(1000);
  expect(device.reads).toEqual([[0, 100]]);
  device.most = 10;
  device.poll(1000);
  device.poll(1000);
  expect([device.reads.length, told.filter((text) => /maxRegisters/.test(text)).length])
    .toEqual([16, 1]);
});

test("a device with a bound, and without an address: what is there is read, within it", () => {
  const { device, ring, tags } = start(registers(100));
  device.most = 10;
  device.illegal.add(42);
  const expected = tags.map((_, i) => (i === 42 ? BAD.address : GOOD));
  device.poll(0);
  for (let i = 0; i < 3; i++) {
    device.poll(1000);
    expect(states(ring, tags)).toEqual(expected);
    expect(device.reads.length).toBeLessThanOrEqual(17);
    expect(Math.max(...device.reads.map(([, count]) => count))).toBeLessThanOrEqual(10);
  }
});

test("a bound beside gaps that are not there either: it ends, and each is read", () => {
  const places = registers(300).filter((_, i) => i % 30 < 20);
  const { device, ring, tags } = start(places);
  device.most = 12;
  for (let i = 0; i < 300; i++) if (i % 30 === 25) device.illegal.add(i);
  for (let i = 0; i < 12; i++) device.poll(1000);
  const settled = device.reads.length;
  device.poll(1000);
  expect(new Set(states(ring, tags))).toEqual(new Set([GOOD]));
  expect([device.reads.length, device.reads.some(([, count]) => count > 12)])
    .toEqual([settled, false]);
  expect(settled).toBeLessThanOrEqual(40);
});

test("a device that refuses each read by exception 3 is left alone, and asked again later", () => {
  const { device, ring, tags } = start(registers(20));
  [device.most, device.exception] = [0, 3];
  for (let i = 0; i < 3; i++) device.poll(1000);
  expect(new Set(states(ring, tags))).toEqual(new Set([BAD.exception]));
  expect(device.reads).toEqual([]);
  device.most = 125;
  device.poll(limits.refused_ms_min);
  expect(new Set(states(ring, tags))).toEqual(new Set([GOOD]));
});
