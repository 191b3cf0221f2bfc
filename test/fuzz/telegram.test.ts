import { expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import type { Link } from "../../src/config.ts";
import { telegramTcp, type Session } from "../../src/driver.ts";
import { GOOD, readCell, type Ring } from "../../src/ring.ts";
import { linkOf, ringFor, ScriptedWire, tag } from "../driver/support.ts";

/** Streams of telegrams, sound and damaged, in any pieces, against what the frame says they are. */
const count = Number(process.env.SOAK_COUNT ?? 1000);
const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1_000_000_000);

interface Shape {
  readonly frame: object;
  /** The telegram on the wire, written down here once more. */
  build(payload: number[]): number[];
}

const xor = (bytes: readonly number[]): number => bytes.reduce((sum, byte) => sum ^ byte, 0);
const hex = (byte: number): number[] =>
  [...byte.toString(16).padStart(2, "0")].map((digit) => digit.charCodeAt(0));
function crc(bytes: readonly number[]): number[] {
  let sum = 0xffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >> 1) ^ 0xa001 : sum >> 1;
  }
  return [sum & 0xff, sum >> 8];
}

const shapes: readonly Shape[] = [
  { frame: { end: "<CR><LF>" }, build: (p) => [...p, 13, 10] },
  { frame: { start: "<STX>", end: "<ETX>", checksum: { kind: "xor", afterEnd: true } },
    build: (p) => [2, ...p, 3, xor([...p, 3])] },
  { frame: { start: ":", end: "<CR>", checksum: { kind: "sum", as: "hex", withStart: true } },
    build: (p) => [58, ...p, ...hex([58, ...p].reduce((sum, byte) => sum + byte) & 0xff), 13] },
  { frame: { end: "<LF>", checksum: { kind: "crc16", order: "low-first" } },
    build: (p) => [...p, ...crc(p), 10] },
  { frame: { start: "<STX>", length: { at: 1, plus: 3 }, checksum: { kind: "crc16",
    order: "low-first" } },
    build: (p) => {
      const body = [p.length, ...p];
      return [2, ...body, ...crc(body)];
    } },
];

/** Letters that are no frame's own; a length stands before them where the frame has one. */
const payloadOf = (r: Random): number[] =>
  Array.from({ length: 1 + r.below(20) }, () => 97 + r.below(26));

/** Every telegram that a session reports for these bytes, cut into random pieces. */
function heard(r: Random, shape: Shape, stream: Uint8Array): { texts: string[]; session: Session } {
  const link = linkOf(telegramTcp, { host: "a", port: 1,
    frame: { ...shape.frame, maxBytes: 64 }, telegrams: { t: {} } });
  const { ring, tags } = ringFor([tag("t", "text(64)")]);
  const [request] = telegramTcp.plan(tags, link);
  const session = telegramTcp.open(link, new ScriptedWire());
  const texts: string[] = [];
  session.listen!({ requests: [request!], interval: () => 1000, begins: () => {}, came(one) {
    session.fill!(one, ring, 0);
    texts.push(textIn(ring));
  } }, 0);
  for (let at = 0; at < stream.length;) {
    const piece = stream.subarray(at, at + 1 + r.below(r.pick([1, 5, 200])));
    session.receive(piece, piece.length, 0);
    at += piece.length;
  }
  return { texts, session };
}

function textIn(ring: Ring): string {
  const column = ring.columns[0]!;
  return ring.arena.U[column.state] === GOOD ? String(readCell(ring, column, 0)) : "";
}

/** What the frame has in front of the payload's letters is no letter. */
const letters = (text: string): string => text.replace(/^[^a-z]+/, "");

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
    const payloads = Array.from({ length: 1 + r.below(6) }, () => payloadOf(r));
    // Bytes of a checksum may happen to be the end: such a telegram is not one to begin with.
    const frames = payloads.map((p) => shape.build(p));
    if (isAmbiguous(shape, frames, payloads)) continue;
    const { texts } = heard(r, shape, Uint8Array.from(frames.flat()));
    expect({ seed: seed + i, texts: texts.map(letters) }).toEqual({ seed: seed + i,
      texts: payloads.map((p) => String.fromCharCode(...p)) });
  }
}, 7_200_000);

/** The end stands inside the checksum that precedes it. */
function isAmbiguous(shape: Shape, frames: number[][], payloads: number[][]): boolean {
  return shape === shapes[3] && frames.some((frame, i) =>
    frame.slice(payloads[i]!.length, -1).includes(10));
}

test("of damaged streams only what is proved is told, and pieces make no difference", () => {
  let told = 0, damaged = 0;
  for (let i = 0; i < count; i++) {
    const r = createRandom(seed + i);
    const shape = r.pick(shapes);
    const sound = new Set<string>();
    const stream = Array.from({ length: 1 + r.below(6) }, () => {
      const payload = payloadOf(r);
      sound.add(String.fromCharCode(...payload));
      const frame = shape.build(payload);
      if (r.chance(0.5)) return frame;
      damaged += 1;
      return damage(r, frame);
    }).flat();
    const bytes = Uint8Array.from(stream);
    const first = heard(r, shape, bytes);
    expect({ seed: seed + i, texts: heard(r, shape, bytes).texts })
      .toEqual({ seed: seed + i, texts: first.texts });
    told += first.texts.length;
    // Sixteen bits of proof: what is told and was never sent must be rarer than these cases are.
    if (shape !== shapes[3] && shape !== shapes[4]) continue;
    for (const text of first.texts.filter((one) => !sound.has(letters(one)))) {
      expect({ seed: seed + i, text, proof: proves(shape, bytes, text) })
        .toEqual({ seed: seed + i, text, proof: true });
    }
  }
  expect(told).toBeGreaterThan(count / 4);
  expect(damaged).toBeGreaterThan(count / 2);
}, 7_200_000);

/** By chance the checksum of something else fits: then it stands in the stream just so. */
function proves(shape: Shape, stream: Uint8Array, text: string): boolean {
  // The length's own byte is told as 0.
  const payload = [...Buffer.from(text.replace(/^\0/, ""), "latin1")];
  const frame = shape.build(payload);
  return Buffer.from(stream).includes(Buffer.from(frame)) || /[^ -~]/.test(text);
}

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
