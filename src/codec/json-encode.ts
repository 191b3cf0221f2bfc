import { isUtf8 } from "node:buffer";
import { textOfBytes } from "../base.ts";
import type { RowEncoder } from "../codec.ts";
import {
  type Column, type Dyn, DynReader, FLAG, GOOD, isUncertain, jsonOfDyn, parseDyn, readCell,
  type Ring, spread_name, stateName,
} from "../ring.ts";

const QUOTE = 0x22, BACKSLASH = 0x5c, MINUS = 0x2d, ZERO = 0x30;
const COMMA = 0x2c, CLOSE = 0x7d;
const encoder = new TextEncoder();
const dyns = new DynReader();
const bytesOf = (text: string): Uint8Array => encoder.encode(text);

const null_text = bytesOf("null");
const empty_text = bytesOf("[]");
const true_text = bytesOf("true");
const false_text = bytesOf("false");
const hex_digits = bytesOf("0123456789abcdef");
const number_open = bytesOf(',"number":');
const quality_open = bytesOf(',"quality":{');
/** The longest float64 is -2.2250738585072014e-308, the longest int64 -9223372036854775808. */
const number_bytes_max = 24;
/** The longest state, `uncertain:substituted`, with quotes, comma and room. */
const state_bytes_max = 40;

/**
 * Writes rows as JSON objects, byte by byte into the caller's buffer. A cell without a usable value
 * (NULL, absent, bad, error) is `null`: every message of a stream has the same fields.
 */
export class JsonEncoder implements RowEncoder {
  readonly bytes_max: number;
  readonly #ring: Ring;
  /** `{"name":` for the first column, `,"name":` for the others. */
  readonly #openings: readonly Uint8Array[];
  /** Those that have a name. */
  readonly #columns: readonly Column[];
  /** `"name":"state",` parts are built only for cells that are not good. */
  readonly #quality: boolean;
  /** A row with it begins with its fields, apart from those that are columns. */
  readonly #spread: Column | null;
  readonly #names: ReadonlySet<string>;
  /** `,"identity":{"stream":"NAME","epoch":`, or null. */
  readonly #identity: Uint8Array | null;

  constructor(ring: Ring, quality: boolean, identity: boolean) {
    this.#ring = ring;
    this.#quality = quality;
    this.#identity = identity
      ? bytesOf(`,"identity":{"stream":${JSON.stringify(ring.name)},"epoch":`) : null;
    this.#spread = ring.shown.find(({ name }) => name === spread_name) ?? null;
    const named = ring.shown.filter((column) => column !== this.#spread);
    this.#columns = named;
    this.#names = new Set(named.map(({ name }) => name));
    this.#openings = named.map((column, i) =>
      bytesOf(`${i === 0 ? "{" : ","}${JSON.stringify(column.name)}:`));
    // A byte of text becomes at most six, one of `bytes` at most 4/3.
    const cells = ring.shown.reduce((sum, { slot, kind }, i) =>
      sum + (this.#openings[i]?.length ?? 0) +
      (slot === 0 ? number_bytes_max : kind === "json" ? slot + 8 : slot * 6 + 8), 0);
    const states = quality
      ? this.#openings.reduce((sum, opening) => sum + opening.length + state_bytes_max, 0) : 0;
    const own = this.#identity === null ? 0
      : this.#identity.length + number_open.length + 2 * number_bytes_max + 1;
    this.bytes_max = cells + states + own + quality_open.length + 4;
  }

  encode(seq: number, out: Uint8Array, from: number): number {
    const columns = this.#columns;
    const { mask, flagsAt } = this.#ring;
    const { U } = this.#ring.arena;
    const row = seq & mask;
    if ((U[flagsAt + row]! & FLAG.empty) !== 0) return append(out, from, empty_text);
    let at = this.#spread === null ? from : this.#fields(this.#spread, row, out, from);
    // After fields a column is opened by a comma; the brace is theirs.
    const begun = at > from;
    let worst = GOOD;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!;
      at = append(out, at, this.#openings[i]!);
      if (i === 0 && begun) out[at - this.#openings[i]!.length] = COMMA;
      const state = U[column.state + row]!;
      worst |= state;
      at = state === GOOD || isUncertain(state)
        ? this.#cell(column, seq, out, at) : append(out, at, null_text);
    }
    if (columns.length === 0 && !begun) out[at++] = 0x7b;
    if (this.#quality && worst !== GOOD) at = this.#states(row, out, at);
    if (this.#identity !== null) at = this.#name(this.#identity, seq, out, at);
    out[at++] = CLOSE;
    return at;
  }

  #name(opening: Uint8Array, seq: number, out: Uint8Array, from: number): number {
    const { numbering } = this.#ring;
    let at = appendNumber(out, append(out, from, opening), numbering.epoch);
    at = appendNumber(out, append(out, at, number_open), numbering.of(seq));
    out[at++] = CLOSE;
    return at;
  }

  /** The object's fields behind a brace; nothing if it has none that is no column. */
  #fields(column: Column, row: number, out: Uint8Array, from: number): number {
    const { U, I } = this.#ring.arena;
    const state = U[column.state + row]!;
    if (state !== GOOD && !isUncertain(state)) return from;
    const at = column.payload + row * column.stride;
    const length = I[column.length + row]!;
    if (column.kind === "dyn" || this.#names.size > 0) {
      const value = column.kind === "dyn" ? dyns.read(U, at)
        : parseDyn(textOfBytes(U.slice(at, at + length)));
      if (!(value instanceof Map)) return from;
      const rest = new Map([...value as ReadonlyMap<string, Dyn>]
        .filter(([name]) => !this.#names.has(name)));
      return rest.size === 0 ? from : appendWritten(out, from, jsonOfDyn(rest)) - 1;
    }
    // As it came, without the brace that ends it.
    let end = length - 1;
    while (end > 0 && U[at + end] !== CLOSE) end--;
    for (let i = 0; i < end; i++) out[from + i] = U[at + i]!;
    return from + end;
  }

  #cell(column: Column, seq: number, out: Uint8Array, at: number): number {
    const { F, I, U } = this.#ring.arena;
    const row = seq & this.#ring.mask;
    switch (column.kind) {
      case "float64": case "int53": case "time":
        return appendNumber(out, at, F[column.payload + row]!);
      case "bool":
        return append(out, at, F[column.payload + row] !== 0 ? true_text : false_text);
      case "int64": {
        const word = (column.payload + row) * 2;
        const value = I[word + 1]! * 4294967296 + (I[word]! >>> 0);
        if (Number.isSafeInteger(value)) return appendNumber(out, at, value);
        return appendLatin(out, at, String(readCell(this.#ring, column, seq)));
      }
      case "text": {
        const from = column.payload + row * column.stride;
        return appendText(out, at, U, from, I[column.length + row]!);
      }
      case "json": {
        const from = column.payload + row * column.stride;
        const length = I[column.length + row]!;
        for (let i = 0; i < length; i++) out[at + i] = U[from + i]!;
        return at + length;
      }
      case "dyn": {
        const value = dyns.read(U, column.payload + row * column.stride);
        return typeof value === "number" ? appendNumber(out, at, value)
          : appendWritten(out, at, jsonOfDyn(value));
      }
      case "bytes": {
        const content = readCell(this.#ring, column, seq) as Uint8Array;
        return appendLatin(out, at, `"${Buffer.from(content.buffer).toString("base64")}"`);
      }
    }
  }

  #states(row: number, out: Uint8Array, from: number): number {
    const { U } = this.#ring.arena;
    let at = append(out, from, quality_open);
    let first = true;
    for (let i = 0; i < this.#columns.length; i++) {
      const state = U[this.#columns[i]!.state + row]!;
      if (state === GOOD) continue;
      if (!first) out[at++] = COMMA;
      first = false;
      // Without the comma or brace that opens it among the cells.
      at = append(out, at, this.#openings[i]!, 1);
      at = appendLatin(out, at, `"${stateName(state)}"`);
    }
    out[at++] = CLOSE;
    return at;
  }
}

function append(out: Uint8Array, at: number, bytes: Uint8Array, from = 0): number {
  for (let i = from; i < bytes.length; i++) out[at++] = bytes[i]!;
  return at;
}

function appendLatin(out: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i);
  return at;
}

/** Text that may have any character. */
function appendWritten(out: Uint8Array, at: number, text: string): number {
  const { written } = encoder.encodeInto(text, out.subarray(at));
  return at + written;
}

function appendNumber(out: Uint8Array, at: number, value: number): number {
  if (value - value !== 0) return append(out, at, null_text);
  // Whole numbers without making a string; past 2^31 and fractions take JavaScript's shortest text.
  if ((value | 0) !== value) return appendLatin(out, at, String(value));
  let rest = value;
  if (rest < 0) {
    out[at++] = MINUS;
    rest = -rest;
  }
  let digits = 1;
  for (let power = 10; power <= rest; power *= 10) digits++;
  for (let i = at + digits - 1; i >= at; i--) {
    const tens = Math.floor(rest / 10);
    out[i] = ZERO + rest - tens * 10;
    rest = tens;
  }
  return at + digits;
}

function appendText(out: Uint8Array, at: number, U: Uint8Array, from: number, n: number): number {
  const start = at;
  out[at++] = QUOTE;
  for (let i = from; i < from + n; i++) {
    const byte = U[i]!;
    // A device's text may be in any code; what is not UTF-8 is repaired, the slow way.
    if (byte >= 0x80) return appendWide(out, start, U.slice(from, from + n));
    at = appendByte(out, at, byte);
  }
  out[at++] = QUOTE;
  return at;
}

function appendWide(out: Uint8Array, at: number, content: Uint8Array): number {
  const bytes = isUtf8(content) ? content : bytesOf(textOfBytes(content));
  out[at++] = QUOTE;
  for (let i = 0; i < bytes.length; i++) at = appendByte(out, at, bytes[i]!);
  out[at++] = QUOTE;
  return at;
}

function appendByte(out: Uint8Array, at: number, byte: number): number {
  if (byte === QUOTE || byte === BACKSLASH) {
    out[at++] = BACKSLASH;
  } else if (byte < 0x20) {
    // \u00XX
    for (const part of [BACKSLASH, 0x75, ZERO, ZERO, hex_digits[byte >> 4]!]) out[at++] = part;
    out[at++] = hex_digits[byte & 15]!;
    return at;
  }
  out[at++] = byte;
  return at;
}
