import { expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import type { Link } from "../../src/config.ts";
import { telegramTcp, type DriverTag } from "../../src/driver.ts";
import { GOOD, readCell, type Ring } from "../../src/ring.ts";
import { linkOf, ringFor, ScriptedWire, tag } from "../driver/support.ts";

/** Streams of telegrams, sound and damaged, in any pieces, against what the frame says they are. */
const count = Number(process.env.SOAK_COUNT ?? 1000);
const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1_000_000_000);

interface Shape {
  readonly frame: object;
  /** The telegram on the wire, written down here once more. */
  build(payload: number[]): number[];
  /** Bytes of every payload; else from 1 to 20. */
  readonly bytes?: number;
  /** Bytes of the length in front of the payload. */
  readonly lengthBytes?: number;
  /** The end of a frame that may happen to stand inside its checksum. */
  readonly end?: number;
  /** Sixteen bits prove it: what is told and was never sent must be rarer than the cases are. */
  readonly isProved?: true;
  /** A frame ends by silence: nothing but time parts one from the next. */
  readonly isSilent?: true;
}

const xor = (bytes: readonly number[]): number => bytes.reduce((sum, byte) => sum ^ byte, 0);
const hex = (byte: number): number[] =>
  [...byte.toString(16).padStart(2, "0")].map((digit) => digit.charCodeAt(0));
const sum = (bytes: readonly number[]): number => bytes.reduce((all, byte) => all + byte, 0) & 255;
function crc(bytes: readonly number[]): number[] {
  let rest = 0xffff;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >> 1) ^ 0xa001 : rest >> 1;
  }
  return [rest & 0xff, rest >> 8];
}
function ccitt(bytes: readonly number[]): number[] {
  let rest = 0xffff;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const out = (rest >> 15) ^ ((byte >> bit) & 1);
      rest = ((rest << 1) & 0xffff) ^ (out ? 0x1021 : 0);
    }
  }
  return [rest >> 8, rest & 0xff];
}

const shapes: readonly Shape[] = [
  { frame: { end: "<CR><LF>" }, build: (p) => [...p, 13, 10] },
  { frame: { start: "<STX>", end: "<ETX>", checksum: { kind: "xor", afterEnd: true } },
    build: (p) => [2, ...p, 3, xor([...p, 3])] },
  { frame: { start: ":", end: "<CR>", checksum: { kind: "sum", as: "hex", withStart: true } },
    build: (p) => [58, ...p, ...hex(sum([58, ...p])), 13] },
  { frame: { end: "<LF>", checksum: { kind: "lrc" } }, end: 10,
    build: (p) => [...p, (256 - sum(p)) & 255, 10] },
  { frame: { end: "<CR>", checksum: { kind: "crc16-ccitt", as: "hex", order: "low-first" } },
    isProved: true,
    build: (p) => [...p, ...ccitt(p).reverse().flatMap(hex), 13] },
  { frame: { end: "<LF>", checksum: { kind: "crc16", order: "low-first" } }, end: 10,
    isProved: true, build: (p) => [...p, ...crc(p), 10] },
  { frame: { start: "<STX>", length: { at: 1, plus: 3 }, checksum: { kind: "crc16",
    order: "low-first" } }, isProved: true, lengthBytes: 1,
    build: (p) => {
      const body = [p.length, ...p];
      return [2, ...body, ...crc(body)];
    } },
  { frame: { start: "<SOH><STX>", length: { at: 1, bytes: 2, order: "low-first" }, checksum:
    { kind: "crc16-ccitt" } }, isProved: true, lengthBytes: 2,
    build: (p) => {
      const body = [p.length + 4, 0, ...p];
      return [1, 2, ...body, ...ccitt(body)];
    } },
  { frame: { start: "<STX>", bytes: 12, checksum: { kind: "crc16-ccitt" } }, bytes: 10,
    isProved: true, build: (p) => [2, ...p, ...ccitt(p)] },
  { frame: { silence: "20ms", checksum: { kind: "crc16", order: "low-first" } }, isSilent: true,
    isProved: true, build: (p) => [...p, ...crc(p)] },
];

/** Letters that are no frame's own; a length stands before them where the frame has one. */
const payloadOf = (r: Random, { bytes }: Shape): number[] =>
  Array.from({ length: bytes ?? 1 + r.below(20) }, () => 97 + r.below(26));

/** Every telegram that a session reports for these frames, cut into random pieces. */
function heard(r: Random, shape: Shape, frames: readonly (readonly number[])[]): string[] {
  const link = linkOf(telegramTcp, { host: "a", port: 1,
    frame: { ...shape.frame, maxBytes: 64 }, telegrams: { t: {} } });
  const { ring, tags } = ringFor([tag("t", "bytes(64)")]);
  const [request] = telegramTcp.plan(tags, link);
  const session = telegramTcp.open(link, new ScriptedWire());
  const texts: string[] = [];
  session.listen!({ requests: [request!], interval: () => 1000, begins: () => {}, came(one) {
    session.fill!(one, ring, 0);
    texts.push(textIn(ring));
  } }, 0);
  let now = 0;
  for (const burst of shape.isSilent ? frames : [frames.flat()]) {
    for (let at = 0; at < burst.length;) {
      const piece = Uint8Array.from(burst.slice(at, at + 1 + r.below(r.pick([1, 5, 200]))));
      session.receive(piece, piece.length, now);
      at += piece.length;
    }
    if (shape.isSilent) session.step(now += 20);
  }
  return texts;
}

function textIn(ring: Ring): string {
  const column = ring.columns[0]!;
  if (ring.arena.U[column.state] !== GOOD) return "";
  return Buffer.from(readCell(ring, column, 0) as Uint8Array).toString("latin1");
}

/** A length stands in front of the payload's letters; it is told as 0. */
const letters = ({ lengthBytes = 0 }: Shape, text: string): string => text.slice(lengthBytes);

function damage(r: Random, bytes: number[]): number[] {
  const at = r.below(bytes.length);
  switch (r.below(5)) {
    case 0: return bytes.map((byte, i) => (i === at ? byte ^ (1 << r.below(8)) : byte));
    case 1: return bytes.filter((_, i) => i !== at);
    case 2: return bytes.slice(0, at);
    case 3: return Array.from({ length: 1 + r.below(100) }, () => r.below(256));
    default: return [...bytes.slice(0, at), r.below(256), ...bytes.slice(at)];
  }
}

test(`sound telegrams all come, once and in order (${count} from seed ${seed})`, () => {
  for (let i = 0; i < count; i++) {
    const r = createRandom(seed + i);
    const shape = r.pick(shapes);
    const payloads = Array.from({ length: 1 + r.below(6) }, () => payloadOf(r, shape));
    const frames = payloads.map((p) => shape.build(p));
    if (frames.some((frame) => isAmbiguous(shape, frame))) continue;
    const texts = heard(r, shape, frames);
    const expected = payloads.map((p) => String.fromCharCode(...p));
    expect({ seed: seed + i, texts: texts.map((one) => letters(shape, one)) })
      .toEqual({ seed: seed + i, texts: expected });
  }
}, 7_200_000);

/** Bytes of the checksum happen to be the end: such a telegram is not one to begin with. */
const isAmbiguous = ({ end }: Shape, frame: readonly number[]): boolean =>
  end !== undefined && frame.indexOf(end) < frame.length - 1;

test("of damaged streams only what is proved is told, and pieces make no difference", () => {
  let told = 0, damaged = 0;
  for (let i = 0; i < count; i++) {
    const r = createRandom(seed + i);
    const shape = r.pick(shapes);
    const sound = new Set<string>();
    const frames = Array.from({ length: 1 + r.below(6) }, () => {
      const payload = payloadOf(r, shape);
      sound.add(String.fromCharCode(...payload));
      const frame = shape.build(payload);
      if (r.chance(0.5)) return frame;
      damaged += 1;
      return damage(r, frame);
    });
    const texts = heard(r, shape, frames);
    expect({ seed: seed + i, texts: heard(r, shape, frames) })
      .toEqual({ seed: seed + i, texts });
    told += texts.length;
    if (!shape.isProved) continue;
    for (const text of texts.filter((one) => !sound.has(letters(shape, one)))) {
      expect({ seed: seed + i, text, proof: proves(shape, Uint8Array.from(frames.flat()), text) })
        .toEqual({ seed: seed + i, text, proof: true });
    }
  }
  expect(told).toBeGreaterThan(count / 4);
  expect(damaged).toBeGreaterThan(count / 2);
}, 7_200_000);

/** By chance the checksum of something else fits: then it stands in the stream just so. */
function proves(shape: Shape, stream: Uint8Array, text: string): boolean {
  const frame = shape.build([...Buffer.from(letters(shape, text), "latin1")]);
  return Buffer.from(stream).includes(Buffer.from(frame));
}

/** A link whose telegrams come unasked, and their values as the rows have them. */
function reader(frame: object, asked: readonly DriverTag[]) {
  const link = linkOf(telegramTcp, { host: "a", port: 1, frame, telegrams: { t: {} } });
  const { ring, tags } = ringFor(asked);
  for (const one of tags) expect(telegramTcp.checkTag(one, link)).toBeNull();
  const [request] = telegramTcp.plan(tags, link);
  const session = telegramTcp.open(link, new ScriptedWire());
  session.listen!({ requests: [request!], interval: () => 1000, begins: () => {},
    came: (one) => session.fill!(one, ring, 0) }, 0);
  return (bytes: Uint8Array): (number | null)[] => {
    session.receive(bytes, bytes.length, 0);
    return ring.columns.map((column) => (ring.arena.U[column.state] === GOOD
      ? Number(readCell(ring, column, 0)) : null));
  };
}

const orders: Readonly<Record<string, (bytes: number[]) => number[]>> = {
  ABCD: (bytes) => bytes,
  DCBA: (bytes) => bytes.toReversed(),
  BADC: (bytes) => bytes.map((byte, i) => bytes[i ^ 1] ?? byte),
  CDAB: (bytes) => bytes.map((_, i) => bytes.length < 4 ? bytes[i]!
    : bytes[bytes.length - 2 - (i & ~1) + (i & 1)]!),
};
const binary: Readonly<Record<string, readonly [bytes: number, read: (b: Buffer) => number]>> = {
  int8: [1, (b) => b.readInt8()], uint8: [1, (b) => b.readUInt8()],
  int16: [2, (b) => b.readInt16BE()], uint16: [2, (b) => b.readUInt16BE()],
  int32: [4, (b) => b.readInt32BE()], uint32: [4, (b) => b.readUInt32BE()],
  float32: [4, (b) => b.readFloatBE()], float64: [8, (b) => b.readDoubleBE()],
};

test("binary fields are read as they stand, in each order", () => {
  const tags = Object.keys(binary).flatMap((type, t) => Object.keys(orders).map((order, o) =>
    tag(`t byte ${1 + t + 4 * o}`, type as "int8", { wordOrder: order as "ABCD" })));
  const bits = Array.from({ length: 8 }, (_, bit) => tag(`t byte 24.${bit}`, "bool"));
  const read = reader({ bytes: 28 }, [...tags, ...bits]);
  for (let i = 0; i < count; i++) {
    const r = createRandom(seed + i);
    const payload = Array.from({ length: 28 }, () => r.pick([0, 0x7f, 0x80, 0xff, r.below(256)]));
    const expected = tags.map(({ at, type, wordOrder }) => {
      const [width, value] = binary[type]!;
      const from = Number(at.slice("t byte ".length)) - 1;
      const found = value(Buffer.from(orders[wordOrder]!(payload.slice(from, from + width))));
      return Number.isFinite(found) ? found : null;
    });
    const flags = bits.map((_, bit) => (payload[23]! >> bit) & 1);
    expect({ seed: seed + i, values: read(Uint8Array.from(payload)) })
      .toEqual({ seed: seed + i, values: [...expected, ...flags] });
  }
}, 7_200_000);

/** What a number is, said once more: blanks around it and after its sign. */
function numberIn(text: string): number | null {
  const [, sign, digits] =
    /^ *([+-]?) *((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?) *$/.exec(text) ?? [];
  return digits === undefined ? null : Number(`${sign}${digits}`);
}

test("numbers in text are what they look like, and nothing else is one", () => {
  const ranges = [[-Infinity, Infinity], [-32768, 32767], [0, 4294967295]] as const;
  const types = ["float64", "int16", "uint32"] as const;
  const read = reader({ end: "<LF>" }, types.map((type) => tag("t", type)));
  let numbers = 0;
  for (let i = 0; i < count; i++) {
    const r = createRandom(seed + i);
    const digits = String(r.below(r.pick([10, 1e5, 1e9, 2 ** 53])));
    const point = r.below(digits.length + 1);
    let text = r.pick(["", " ", "  "]) + r.pick(["", "+", "-", "- "]) +
      (r.chance(0.4) ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`) +
      r.pick(["", "", "e5", "E+03", "e-12", "E400", "e"]) + r.pick(["", " "]);
    if (r.chance(0.3)) {
      const at = r.below(text.length + 1);
      text = text.slice(0, at) + r.pick([..." 0.-+eE,xg\0"]) + text.slice(at + r.below(2));
    }
    const number = numberIn(text);
    if (number !== null) numbers += 1;
    const expected = ranges.map(([least, most], n) => (number === null ||
      !Number.isFinite(number) || number < least || number > most ||
      (n > 0 && !Number.isInteger(number)) ? null : number));
    const values = read(Buffer.from(`${text}\n`, "latin1"));
    // -0 is 0 to everybody but JavaScript.
    expect({ seed: seed + i, text, values: values.map((one) => one === 0 ? 0 : one) })
      .toEqual({ seed: seed + i, text, values: expected.map((one) => one === 0 ? 0 : one) });
  }
  expect(numbers).toBeGreaterThan(count / 3);
}, 7_200_000);

test("no bytes crash a place, a server, or the words for a person", () => {
  const places = ["", "field 3", "match 1", "match 2", "chars 4..9", "byte 2", "byte 1.3"];
  const types = ["int8", "uint16", "int32", "float32", "float64", "text(8)", "bytes(6)", "bool"];
  const tags = places.flatMap((place) => types.map((type) => tag(`t ${place}`, type as "int8")))
    .filter((one) => telegramTcp.checkTag(one, link()) === null);
  const { ring, tags: placed } = ringFor(tags);
  const [request] = telegramTcp.plan(placed, link());
  expect(tags.length).toBeGreaterThan(30);
  for (let i = 0; i < count; i++) {
    const r = createRandom(seed + i);
    const wire = new ScriptedWire();
    const session = telegramTcp.open(link(), wire);
    session.read(request!, ring, r.below(16), 0);
    const answer = Uint8Array.from({ length: r.below(60) }, () =>
      r.chance(0.3) ? r.below(256) : r.pick([..." 0123456789+-.eEgS,"]).charCodeAt(0));
    const whole = Uint8Array.of(...answer, 13, 10);
    session.receive(whole, whole.length, 1);
    session.step(2);
    const server = telegramTcp.serve(placed, link(), { value: () => 1, written: () => true });
    const question = r.chance(0.5) ? whole : wire.last;
    server.receive(question, question.length, 0, { frame() {}, reply() {} });
    telegramTcp.readable(answer, r.chance(0.5), link());
  }
}, 7_200_000);

const link = (): Link => linkOf(telegramTcp, { host: "a", port: 1, telegrams: { t: {
  send: "?", match: "(\\S*) *(.*)", quality: { at: "char 1", states: { S: "good" } } } } });
