import { expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import {
  DONE, modbusAscii, modbusRtu, modbusTcp, PENDING, type Driver, type Session, type Wire,
} from "../../src/driver.ts";
import type { Link } from "../../src/config.ts";
import { BAD, readCell } from "../../src/ring.ts";
import { linkOf, ringFor, tag, withCrc } from "../driver/support.ts";

/**
 * Whatever bytes come in answer to a read: no trouble, and nothing is published that is not in a
 * frame which is right in every part, by a reading of the standard of its own.
 */
const count = Number(process.env["SOAK_COUNT"] ?? 20_000);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1e9);
const { ring, tags } = ringFor([0, 1, 2].map((i) => tag(`holding ${i}`, "uint16")));
const words = [0x1234, 0x0300, 0xffff];
const body = [1, 3, 6, ...words.flatMap((word) => [word >> 8, word & 255])];

/** Frames of one framing, made and read without the driver. */
interface Reading {
  readonly driver: Driver;
  readonly link: Link;
  frame(request: Uint8Array, body: readonly number[]): number[];
  /** The registers of every right frame in these bytes. */
  found(request: Uint8Array, bytes: readonly number[]): number[][];
}

const asWords = (data: readonly number[]): number[] =>
  [0, 2, 4].map((i) => data[i]! * 256 + data[i + 1]!);
const isAnswer = (frame: readonly number[]): boolean =>
  frame.length === 9 && frame[0] === 1 && frame[1] === 3 && frame[2] === 6;
const each = (bytes: readonly number[]): number[] => bytes.map((_, i) => i);
const hex = (byte: number): string => byte.toString(16).toUpperCase().padStart(2, "0");
const textOf = (frame: readonly number[]): number[] => {
  const lrc = (512 - frame.reduce((sum, byte) => sum + byte, 0) % 256) % 256;
  return [...`:${[...frame, lrc].map(hex).join("")}\r\n`].map((c) => c.charCodeAt(0));
};
const bus = { port: "/dev/null", rs485: "adapter", timeout: "50ms" };

const readings: readonly Reading[] = [
  {
    driver: modbusTcp, link: linkOf(modbusTcp, { host: "a", timeout: "50ms" }),
    frame: (request, frame) => [request[0]!, request[1]!, 0, 0, 0, frame.length, ...frame],
    found: (request, bytes) => each(bytes).filter((i) => bytes[i] === request[0] &&
      bytes[i + 1] === request[1] && bytes[i + 2] === 0 && bytes[i + 3] === 0 &&
      bytes[i + 4] === 0 && bytes[i + 5] === 9 && isAnswer(bytes.slice(i + 6, i + 15)))
      .map((i) => asWords(bytes.slice(i + 9, i + 15))),
  },
  {
    driver: modbusRtu, link: linkOf(modbusRtu, bus),
    frame: (_, frame) => [...withCrc(...frame)],
    found: (_, bytes) => each(bytes).filter((i) => isAnswer(bytes.slice(i, i + 9)) &&
      String([...withCrc(...bytes.slice(i, i + 9))]) === String(bytes.slice(i, i + 11)))
      .map((i) => asWords(bytes.slice(i + 3, i + 9))),
  },
  {
    driver: modbusAscii, link: linkOf(modbusAscii, bus),
    frame: (_, frame) => textOf(frame),
    found: (_, bytes) => {
      const text = String.fromCharCode(...bytes);
      return [...text.matchAll(/:([0-9A-Fa-f\r]*)\n/g)].map(([, digits]) =>
        [...Buffer.from(digits!.replaceAll("\r", ""), "hex")])
        .filter((frame) => isAnswer(frame.slice(0, -1)) && frame.length === 10 &&
          frame.reduce((sum, byte) => sum + byte, 0) % 256 === 0)
        .map((frame) => asWords(frame.slice(3)));
    },
  },
];

/** One change that lines, converters and devices make. */
function changed(bytes: number[], random: Random): number[] {
  const at = random.below(bytes.length + 1);
  switch (random.below(6)) {
    case 0: return bytes.with(random.below(bytes.length), random.below(256));
    case 1: return bytes.slice(0, at);
    case 2: return [...bytes.slice(0, at), random.below(256), ...bytes.slice(at)];
    case 3: return [...bytes, ...bytes];
    case 4: return bytes.toSpliced(at, 1 + random.below(3));
    default: return Array.from({ length: random.below(40) }, () => random.below(256));
  }
}

test.each(readings)(`$driver.type: any bytes, seed ${seed}`, ({ driver, link, frame, found }) => {
  const random = createRandom(seed);
  let request = new Uint8Array(0);
  let session: Session | null = null;
  const wire: Wire = {
    open() {}, drain() {}, reset: () => session!.abort(),
    send(bytes, n) {
      request = bytes.slice(0, n);
      return true;
    },
  };
  session = driver.open(link, wire);
  const [plan] = driver.plan(tags, link);
  let now = 0, good = 0;
  /** A TCP stream has no pauses: a frame may begin in what came for the request before. */
  let stream: number[] = [];
  for (let seq = 0; seq < count; seq++) {
    session.read(plan!, ring, seq, now);
    while (request.length === 0) now = session.step(now);
    let bytes = frame(request, random.chance(0.1) ? [1, 0x83, 2] : body);
    for (let n = random.below(3); n > 0 && bytes.length > 0; n--) bytes = changed(bytes, random);
    for (let at = 0; at < bytes.length;) {
      const piece = Uint8Array.from(bytes.slice(at, at + 1 + random.below(20)));
      session.receive(piece, piece.length, now);
      at += piece.length;
    }
    while (session.result === PENDING) now = Math.max(now, session.step(now));
    if (session.result === DONE) {
      good += 1;
      const row = ring.columns.map((column) => readCell(ring, column, seq) as number);
      expect(found(request, [...stream, ...bytes])).toContainEqual(row);
    }
    if (driver === modbusTcp) stream = [...stream, ...bytes].slice(-30);
    request = new Uint8Array(0);
    now += 200;
    session.step(now);
  }
  expect(good).toBeGreaterThan(count / 5);
});

const buses = [modbusRtu, modbusAscii];
test.each(buses)(`$type: whatever comes after a broadcast, seed ${seed}`, (driver) => {
  const random = createRandom(seed);
  const link = linkOf(driver, { ...bus, broadcast: true });
  const all = tag("holding 4", "uint16", { station: 0, writable: true });
  const frame = (body: readonly number[]): number[] =>
    (driver === modbusRtu ? [...withCrc(...body)] : textOf(body));
  let sent = 0;
  let session: Session | null = null;
  session = driver.open(link, { open() {}, drain() {}, reset: () => session!.abort(),
    send: () => (sent += 1) > 0 });
  let now = 0;
  for (let n = 1; n <= count; n++) {
    now += 1000;
    session.write(all, Uint8Array.of(n >> 8, n), () => Infinity, now);
    for (let until = now + 190; now < until; now += 1 + random.below(60)) {
      session.step(now);
      const bytes = Uint8Array.from(changed(frame([random.below(4), random.pick([3, 6, 0x86]), 0, 4,
        n >> 8 & 255, n & 255]), random));
      session.receive(bytes, bytes.length, now);
    }
    while (session.result === PENDING) now = Math.max(now, session.step(now));
    expect(sent).toBe(n);
    expect([session.result, session.sent]).toEqual([BAD.broadcast, true]);
  }
  expect(session.counters).toMatchObject({ answers: 0, timeouts: 0, garbled: 0, exceptions: 0 });
});
