import { expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import { modbusRegisters, type DriverTag } from "../../src/driver.ts";
import { tag } from "../driver/support.ts";

/**
 * Whatever clients send to our registers, by a reading of the standard of its own: each request has
 * the one answer that it gives, a write is taken whole or not at all, and what is no request ends
 * the connection without any effect.
 */
const count = Number(process.env["SOAK_COUNT"] ?? 20_000);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1e9);

/** Holding registers 10..17, of which the values 10..11, 14 and bits of 15 may be written. */
const writable = new Map<number, number>([[10, 2], [14, 1], [15, 1]]);
const tags: readonly DriverTag[] = [
  { ...tag("holding 10", "float32"), writable: true }, tag("holding 12", "uint32"),
  { ...tag("holding 14", "int16"), writable: true }, tag("holding 17", "uint16"),
  ...[0, 3, 9].map((bit) => ({ ...tag(`holding 15.${bit}`, "bool"), writable: true })),
  tag("holding 15.12", "bool"),
  { ...tag("coil 2", "bool"), writable: true }, { ...tag("coil 3", "bool"), writable: true },
  tag("coil 5", "bool"), tag("input 0", "int16"), tag("discrete 0", "bool"),
];
const shown = new Map<DriverTag, number>([[tags[1]!, 0x01020304], [tags[3]!, 0x0506],
  [tags[7]!, 1], [tags[10]!, 1], [tags[11]!, -2], [tags[12]!, 1]]);
/** Of register 15 three bits may be written, and another one is shown. */
const [writable_bits, shown_bit] = [1 | 1 << 3 | 1 << 9, 1 << 12];

/** The memory as the standard has it: words and bits by number. */
class Model {
  readonly holding = new Map<number, number>([[10, 0], [11, 0], [12, 0x0102], [13, 0x0304],
    [14, 0], [15, shown_bit], [16, 0], [17, 0x0506]]);
  readonly input = new Map<number, number>([[0, 0xfffe]]);
  readonly coil = new Map<number, number>([[2, 0], [3, 0], [4, 0], [5, 1]]);
  readonly discrete = new Map<number, number>([[0, 1]]);
  writes = 0;

  answer(pdu: readonly number[]): number[] {
    const code = pdu[0]!;
    const refuse = (exception: number): number[] => [code | 0x80, exception];
    const word = (at: number): number => pdu[at]! * 256 + pdu[at + 1]!;
    const known = [1, 2, 3, 4, 5, 6, 15, 16, 22, 23].includes(code);
    if (!known) return refuse(1);
    if (code === 22) return refuse(pdu.length < 5 ? 3 : 1);
    const [from, many] = [word(1), word(3)];
    switch (code) {
      case 1: case 2: case 3: case 4: {
        if (pdu.length !== 5 || many < 1 || many > (code < 3 ? 2000 : 125)) return refuse(3);
        return this.#read(code, from, many) ?? refuse(2);
      }
      case 5:
        if (pdu.length !== 5 || (many !== 0 && many !== 0xff00)) return refuse(3);
        return this.#coils(from, [many === 0 ? 0 : 1]) ? [...pdu] : refuse(2);
      case 6:
        if (pdu.length !== 5) return refuse(3);
        return this.#words(from, [many]) ? [...pdu] : refuse(2);
      case 15: {
        const bytes = Math.ceil(many / 8);
        const sound = many >= 1 && many <= 1968 && pdu[5] === bytes && pdu.length === 6 + bytes;
        if (!sound) return refuse(3);
        const bits = Array.from({ length: many }, (_, i) => pdu[6 + (i >> 3)]! >> (i & 7) & 1);
        return this.#coils(from, bits) ? pdu.slice(0, 5) : refuse(2);
      }
      case 16: {
        const sound = many >= 1 && many <= 123 && pdu[5] === many * 2 &&
          pdu.length === 6 + many * 2;
        if (!sound) return refuse(3);
        const words = Array.from({ length: many }, (_, i) => word(6 + i * 2));
        return this.#words(from, words) ? pdu.slice(0, 5) : refuse(2);
      }
      default: {
        const [first, n] = [word(5), word(7)];
        const sound = pdu.length >= 10 && n >= 1 && n <= 121 && pdu[9] === n * 2 &&
          pdu.length === 10 + n * 2;
        if (!sound) return refuse(3);
        const words = Array.from({ length: n }, (_, i) => word(10 + i * 2));
        if (many < 1 || many > 125) return refuse(3);
        if (this.#read(23, from, many) === null || !this.#words(first, words)) return refuse(2);
        return this.#read(23, from, many)!;
      }
    }
  }

  #read(code: number, from: number, many: number): number[] | null {
    const area = code === 1 ? this.coil : code === 2 ? this.discrete
      : code === 4 ? this.input : this.holding;
    const values = Array.from({ length: many }, (_, i) => area.get(from + i));
    if (values.includes(undefined)) return null;
    const data = code > 2 ? values.flatMap((value) => [value! >> 8, value! & 255])
      : Array.from({ length: Math.ceil(many / 8) }, (_, i) =>
        values.slice(i * 8, i * 8 + 8).reduce((byte, bit, k) => byte! | bit! << k, 0)!);
    return [code, data.length, ...data];
  }

  #coils(from: number, bits: readonly number[]): boolean {
    if (bits.some((_, i) => from + i !== 2 && from + i !== 3)) return false;
    bits.forEach((bit, i) => this.coil.set(from + i, bit));
    this.writes += 1;
    return true;
  }

  #words(from: number, words: readonly number[]): boolean {
    for (let at = from; at < from + words.length;) {
      const size = writable.get(at);
      if (size === undefined || at + size > from + words.length) return false;
      at += size;
    }
    words.forEach((word, i) => this.holding.set(from + i,
      from + i === 15 ? (word & writable_bits) | shown_bit : word));
    this.writes += 1;
    return true;
  }
}

/** A request of some function near the map, sometimes with a part of it changed. */
function randomPdu(random: Random): number[] {
  const code = random.pick([1, 2, 3, 4, 5, 6, 15, 16, 22, 23, 7, 43]);
  const from = random.chance(0.1) ? random.below(65536) : random.below(20);
  const many = random.chance(0.1) ? random.below(65536) : 1 + random.below(6);
  const pair = (word: number): number[] => [word >> 8 & 255, word & 255];
  const words = Array.from({ length: Math.min(many, 120) }, () => random.below(65536));
  const bits = Array.from({ length: Math.min(246, Math.ceil(many / 8)) }, () => random.below(256));
  let pdu = [code, ...pair(from)];
  if (code === 5) pdu.push(random.pick([0, 0xff, 1]), 0);
  else if (code === 6) pdu.push(...pair(random.below(65536)));
  else if (code === 15) pdu.push(...pair(many), bits.length, ...bits);
  else if (code === 16) pdu.push(...pair(many), words.length * 2 & 255, ...words.flatMap(pair));
  else if (code === 23) {
    pdu.push(...pair(1 + random.below(8)), ...pair(random.below(20)), ...pair(words.length),
      words.length * 2 & 255, ...words.flatMap(pair));
  } else pdu.push(...pair(many));
  if (random.chance(0.1)) pdu[random.below(pdu.length)] = random.below(256);
  if (random.chance(0.05)) pdu = pdu.slice(0, 1 + random.below(pdu.length));
  if (random.chance(0.05)) pdu.push(random.below(256));
  return pdu.slice(0, 253);
}

test(`requests of any form have the answer that the standard gives (seed ${seed})`, () => {
  const random = createRandom(seed);
  const model = new Model();
  let written = 0;
  const registers = modbusRegisters.open(tags, null, {
    reading: () => {}, written: () => { written += 1; },
  });
  for (const [one, value] of shown) expect(registers.put(one, value)).toBe(true);
  const server = registers.accept();
  for (let i = 0; i < count; i++) {
    const pdu = randomPdu(random);
    const [transaction, unit] = [random.below(65536), random.below(256)];
    const frame = [transaction >> 8, transaction & 255, 0, 0, 0, pdu.length + 1, unit, ...pdu];
    const answers: number[][] = [];
    // In pieces, as TCP may bring it.
    for (let at = 0; at < frame.length;) {
      const n = random.chance(0.8) ? frame.length - at : 1 + random.below(frame.length - at);
      server.receive(Uint8Array.from(frame.slice(at, at + n)), n, 0, {
        frame: (_bytes, _n, valid) => expect(valid).toBe(true),
        reply: (bytes, length) => void answers.push([...bytes.subarray(0, length)]),
      });
      at += n;
    }
    const body = model.answer(pdu);
    const expected = [frame[0]!, frame[1]!, 0, 0, 0, body.length + 1, unit, ...body];
    if (String(answers) !== String([expected])) {
      throw new Error(`request ${i} [${pdu}]: [${answers}] instead of [${expected}]`);
    }
  }
  expect(written).toBe(model.writes);
  expect(written).toBeGreaterThan(count / 1000);
});

test(`what is no request has no effect, and is told (seed ${seed})`, () => {
  const random = createRandom(seed + 1);
  const registers = modbusRegisters.open(tags, null, {
    reading: () => {}, written: () => { throw new Error("written"); },
  });
  for (let i = 0; i < count; i++) {
    const server = registers.accept();
    const bytes = Uint8Array.from({ length: 4 + random.below(300) }, () => random.below(256));
    // No protocol, or no length of a frame.
    if (random.chance(0.5)) bytes[2] = 1 + random.below(255);
    else bytes.set([0, 0, 2 + random.below(200), 0].slice(0, bytes.length - 2), 2);
    let isTold = false;
    server.receive(bytes, bytes.length, 0, {
      frame: (_bytes, _n, valid) => { isTold ||= !valid; },
      reply: () => { throw new Error("answered"); },
    });
    expect(isTold || bytes.length < 6).toBe(true);
  }
});
