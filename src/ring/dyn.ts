import { parseJson, textOfBytes } from "../base.ts";

/**
 * A value of no fixed type, as JavaScript has it: number is a float, bigint a whole number of 64
 * bits, Date a time. Objects are maps: no key means anything to the engine, and order is kept.
 */
export type Dyn =
  | null | boolean | number | bigint | string | Uint8Array | Date | readonly Dyn[]
  | ReadonlyMap<string, Dyn>;

/** Structures inside each other at most. */
const depth_max = 64;

const encoder = new TextEncoder();
const two32 = 2 ** 32;
/** Upper words below this one are those of numbers that a float64 holds exactly. */
const safe_high = 2 ** 21;
const words = new DataView(new ArrayBuffer(8));

/** Major types and simple values of CBOR (RFC 8949, 3): the upper three bits of a first byte. */
const UNSIGNED = 0x00, NEGATIVE = 0x20, BYTES = 0x40, TEXT = 0x60, LIST = 0x80, MAP = 0xa0;
const FALSE = 0xf4, TRUE = 0xf5, NULL = 0xf6, FLOAT32 = 0xfa, FLOAT64 = 0xfb;
/** Tag 1: seconds since the epoch (3.4.2). */
const TIME = 0xc1;

/**
 * The content of a `dyn` cell is one CBOR item. Its first byte is the kind:
 *
 *     00…1b  whole number ≥ 0     20…3b  whole number < 0
 *     f4 f5  FALSE, TRUE          fa fb  float of 4 or 8 bytes, the shorter where it is exact
 *     60…7b  text, UTF-8          40…5b  bytes
 *     c1     time, a float of seconds follows
 *     80…9b  array, its items follow     a0…bb  object, a text and an item for each field
 *
 * Equal values have equal bytes (fields in the same order, one zero), so that groups need not look
 * inside.
 */
export class DynWriter {
  #U: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;

  /** Writes into `slot` bytes of U from `at` on; the length, or −1 if it does not fit. */
  write(U: Uint8Array, at: number, slot: number, value: Dyn): number {
    this.begin(U, at, slot);
    return this.item(value) ? this.#at - at : -1;
  }

  /** Then piece by piece: each is false if it does not fit; `place` is where the next one goes. */
  begin(U: Uint8Array, at: number, slot: number): void {
    this.#U = U;
    this.#at = at;
    this.#end = at + slot;
  }

  get place(): number {
    return this.#at;
  }

  item(value: Dyn, depth = 0): boolean {
    if (depth > depth_max) return false;
    switch (typeof value) {
      case "number": return this.float(value);
      case "boolean": return this.bool(value);
      case "bigint": return this.whole(value);
      case "string": return this.#content(TEXT, encoder.encode(value));
    }
    if (value === null) return this.null();
    if (value instanceof Uint8Array) return this.#content(BYTES, value);
    if (value instanceof Date) return this.time(value.getTime());
    if (value instanceof Map) {
      if (!this.map(value.size)) return false;
      for (const [key, item] of value as ReadonlyMap<string, Dyn>) {
        if (!this.#content(TEXT, encoder.encode(key)) || !this.item(item, depth + 1)) return false;
      }
      return true;
    }
    const list = value as readonly Dyn[];
    return this.list(list.length) && list.every((item) => this.item(item, depth + 1));
  }

  null(): boolean {
    return this.#byte(NULL);
  }

  bool(value: boolean): boolean {
    return this.#byte(value ? TRUE : FALSE);
  }

  /** Of 64 bits; as a number a safe one. */
  whole(value: bigint | number): boolean {
    if (typeof value === "number") {
      return value >= 0 ? this.#head(UNSIGNED, value) : this.#head(NEGATIVE, -1 - value);
    }
    return value >= 0n ? this.#head(UNSIGNED, value) : this.#head(NEGATIVE, ~value);
  }

  /** Of 64 bits, as two Int32 words. */
  words(low: number, high: number): boolean {
    const major = high < 0 ? NEGATIVE : UNSIGNED;
    const [l, h] = [(high < 0 ? ~low : low) >>> 0, high < 0 ? ~high : high];
    if (h < safe_high) return this.#head(major, h * two32 + l);
    if (!this.#byte(major | 27)) return false;
    words.setUint32(0, h);
    words.setUint32(4, l);
    return this.#word(8);
  }

  float(signed: number): boolean {
    const value = signed + 0;
    const short = Object.is(Math.fround(value), value);
    const size = short ? 4 : 8;
    // An engine may give each NaN other bits; equal values must be equal bytes.
    if (value !== value) words.setUint32(0, 0x7fc00000);
    else if (short) words.setFloat32(0, value);
    else words.setFloat64(0, value);
    return this.#byte(short ? FLOAT32 : FLOAT64) && this.#word(size);
  }

  /** ms since 1970 */
  time(ms: number): boolean {
    return this.#byte(TIME) && this.float(ms / 1000);
  }

  /** So many items follow. */
  list(items: number): boolean {
    return this.#head(LIST, items);
  }

  /** So many fields follow, each a text and an item. */
  map(fields: number): boolean {
    return this.#head(MAP, fields);
  }

  /** UTF-8. */
  text(bytes: Uint8Array, from: number, to: number): boolean {
    if (!this.#head(TEXT, to - from) || this.#at + to - from > this.#end) return false;
    // By hand: a view of the piece would be garbage for every text of every message.
    for (let i = from; i < to; i++) this.#U[this.#at++] = bytes[i]!;
    return true;
  }

  /** So many bytes, which the caller then puts at `place`, and passes. */
  bytes(count: number): boolean {
    return this.#head(BYTES, count) && this.#at + count <= this.#end;
  }

  pass(count: number): void {
    this.#at += count;
  }

  #byte(byte: number): boolean {
    if (this.#at >= this.#end) return false;
    this.#U[this.#at++] = byte;
    return true;
  }

  /** The first bytes of `words`. */
  #word(size: number): boolean {
    if (this.#at + size > this.#end) return false;
    for (let i = 0; i < size; i++) this.#U[this.#at++] = words.getUint8(i);
    return true;
  }

  /** A major type and its count in the shortest form. */
  #head(major: number, count: number | bigint): boolean {
    if (count < 24) return this.#byte(major | Number(count));
    const size = count < 256 ? 1 : count < 65536 ? 2 : count < two32 ? 4 : 8;
    if (typeof count === "bigint") words.setBigUint64(0, count << BigInt(64 - 8 * size));
    else if (size === 8) {
      words.setUint32(0, Math.floor(count / two32));
      words.setUint32(4, count % two32);
    } else if (size === 4) words.setUint32(0, count);
    else if (size === 2) words.setUint16(0, count);
    else words.setUint8(0, count);
    return this.#byte(major | (size === 1 ? 24 : size === 2 ? 25 : size === 4 ? 26 : 27)) &&
      this.#word(size);
  }

  #content(major: number, bytes: Uint8Array): boolean {
    if (!this.#head(major, bytes.length) || this.#at + bytes.length > this.#end) return false;
    this.#U.set(bytes, this.#at);
    this.#at += bytes.length;
    return true;
  }
}

/** Reads what `DynWriter` wrote. Of a float nothing is allocated. */
export class DynReader {
  #U: Uint8Array = new Uint8Array(0);
  #at = 0;

  read(U: Uint8Array, at: number): Dyn {
    this.#U = U;
    this.#at = at;
    return this.#item();
  }

  /**
   * The numbers of an array, 64 bits as near as a float has them; nothing is allocated. Gives how
   * many there are, or −1 if it is something else or has no room.
   */
  numbers(U: Uint8Array, at: number, into: Float64Array): number {
    this.#U = U;
    this.#at = at;
    const first = this.#U[this.#at++]!;
    if ((first & 0xe0) !== LIST) return -1;
    const count = this.#near(first & 0x1f);
    if (count > into.length) return -1;
    for (let i = 0; i < count; i++) {
      const value = this.#number();
      if (value !== value) return -1;
      into[i] = value;
    }
    return count;
  }

  /** NaN: it is none. */
  #number(): number {
    const first = this.#U[this.#at++]!;
    switch (first & 0xe0) {
      case UNSIGNED: return this.#near(first & 0x1f);
      case NEGATIVE: return -1 - this.#near(first & 0x1f);
    }
    if (first !== FLOAT32 && first !== FLOAT64) return NaN;
    this.#word(first === FLOAT32 ? 4 : 8);
    return first === FLOAT32 ? words.getFloat32(0) : words.getFloat64(0);
  }

  #near(form: number): number {
    if (form < 24) return form;
    let value = 0;
    for (let i = 1 << (form - 24); i > 0; i--) value = value * 256 + this.#U[this.#at++]!;
    return value;
  }

  #item(): Dyn {
    const first = this.#U[this.#at++]!;
    switch (first) {
      case FALSE: return false;
      case TRUE: return true;
      case NULL: return null;
      case FLOAT32: this.#word(4); return words.getFloat32(0);
      case FLOAT64: this.#word(8); return words.getFloat64(0);
      case TIME: return new Date(Math.round(Number(this.#item()) * 1000));
    }
    const major = first & 0xe0;
    if (major === UNSIGNED || major === NEGATIVE) {
      const whole = this.#big(first & 0x1f);
      return major === UNSIGNED ? whole : ~whole;
    }
    const count = this.#near(first & 0x1f);
    switch (major) {
      case BYTES: return this.#slice(count);
      case TEXT: return textOfBytes(this.#slice(count));
      case LIST: return Array.from({ length: count }, () => this.#item());
      default: {
        const map = new Map<string, Dyn>();
        for (let i = 0; i < count; i++) map.set(this.#item() as string, this.#item());
        return map;
      }
    }
  }

  #word(size: number): void {
    for (let i = 0; i < size; i++) words.setUint8(i, this.#U[this.#at++]!);
  }

  #big(form: number): bigint {
    if (form < 24) return BigInt(form);
    words.setBigUint64(0, 0n);
    const size = 1 << (form - 24);
    for (let i = 8 - size; i < 8; i++) words.setUint8(i, this.#U[this.#at++]!);
    return words.getBigUint64(0);
  }

  /** A copy: what is shared cannot be decoded, and would change under its reader. */
  #slice(count: number): Uint8Array {
    this.#at += count;
    return this.#U.slice(this.#at - count, this.#at);
  }
}

/**
 * A parsed JSON document as a value: a number is a float, but a whole one past 2^53 keeps its
 * digits; half of a pair of surrogates is U+FFFD, as in a cell. Undefined: too deep.
 */
function dynOfJson(parsed: unknown, depth = 0): Dyn | undefined {
  if (typeof parsed === "string") return parsed.toWellFormed();
  if (typeof parsed !== "object" || parsed === null) return parsed as Dyn;
  if (depth > depth_max) return undefined;
  if (Array.isArray(parsed)) {
    const items: Dyn[] = [];
    for (const item of parsed) {
      const value = dynOfJson(item, depth + 1);
      if (value === undefined) return undefined;
      items.push(value);
    }
    return items;
  }
  const map = new Map<string, Dyn>();
  for (const [key, item] of Object.entries(parsed)) {
    const value = dynOfJson(item, depth + 1);
    if (value === undefined) return undefined;
    map.set(key.toWellFormed(), value);
  }
  return map;
}

/** A text of JSON as a value; undefined if it is none. */
export function parseDyn(text: string): Dyn | undefined {
  try {
    return dynOfJson(parseJson(text));
  } catch (thrown) {
    if (thrown instanceof SyntaxError || thrown instanceof RangeError) return undefined;
    throw thrown;
  }
}

/** As JSON writes it: whole numbers with all digits, times as ISO 8601, bytes as base64. */
export function jsonOfDyn(value: Dyn): string {
  switch (typeof value) {
    case "number": case "boolean": case "string": return JSON.stringify(value);
    case "bigint": return String(value);
  }
  if (value === null) return "null";
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString("base64")}"`;
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? "null" : `"${value.toISOString()}"`;
  }
  if (value instanceof Map) {
    const fields = [...value as ReadonlyMap<string, Dyn>]
      .map(([key, item]) => `${JSON.stringify(key)}:${jsonOfDyn(item)}`);
    return `{${fields.join(",")}}`;
  }
  return `[${(value as readonly Dyn[]).map(jsonOfDyn).join(",")}]`;
}
