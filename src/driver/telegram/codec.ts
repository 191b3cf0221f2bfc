import { Fault } from "../../base.ts";
import type { DriverTag, Raw } from "../../driver.ts";
import {
  BAD, ERROR, GOOD, readsAsNull, slotOf, spoilCell, type Ring, type Written,
} from "../../ring.ts";
import { rangeOf, Scaling } from "../scaling.ts";
import {
  charactersOf, decodeText, encodeText, putCharacters, textRawBytes,
} from "../wire/text.ts";
import { bytesOf } from "../wire/value.ts";
import { BYTE, parseAddress, type Address } from "./address.ts";
import { readNumber } from "./number.ts";
import type { Telegram } from "./telegram.ts";

/** What becomes of a field. Numbers, because the hot path switches on them. */
const TEXT = 0, BYTES = 1, BOOL = 2, WHOLE_NUMBER = 3, FRACTION = 4;

/** One binary number, the highest byte first. */
const scratch = new Uint8Array(8);
const view = new DataView(scratch.buffer);

/** Digits that a text can be trusted with. */
const text_most = 1e15;

/** Raw bytes of a number: as a float64, whatever the machine writes. */
const number_bytes = 8;

/** One tag and the place of its value in a telegram. */
export class Field {
  readonly tag: DriverTag;
  readonly address: Address;
  readonly scaling: Scaling;
  readonly #kind: number;
  readonly #isBinary: boolean;
  readonly #bytes: number;
  readonly #least: number;
  readonly #most: number;
  /** Bytes that a text or bytes may have. */
  readonly #room: number;

  constructor(tag: DriverTag) {
    this.tag = tag;
    this.address = parseAddress(tag.at);
    this.scaling = new Scaling(tag);
    this.#kind = kindOf(tag.type);
    this.#isBinary = this.address.place.kind === BYTE;
    this.#bytes = bytesOf(tag.type);
    [this.#least, this.#most] = rangeOf(tag.type);
    this.#room = slotOf(tag.type);
  }

  get isText(): boolean {
    return this.#kind <= BYTES;
  }

  get isBinary(): boolean {
    return this.#isBinary;
  }

  /** The cell of row `seq` from a telegram that was accepted; `said`: how good it says it is. */
  decodeCell(telegram: Telegram, said: number, ring: Ring, seq: number): void {
    const state = telegram.isQuality(this.address.place) ? GOOD : said;
    if (readsAsNull(state)) return spoilCell(ring, this.tag.column, seq, state);
    if (!telegram.locate(this.address.place)) {
      return spoilCell(ring, this.tag.column, seq, BAD.garbled);
    }
    if (this.isText) this.#putText(telegram, state, ring, seq);
    else this.#putNumber(this.raw(telegram), state, ring, seq);
  }

  #putNumber(raw: number, said: number, ring: Ring, seq: number): void {
    const { F, U } = ring.arena;
    const column = ring.columns[this.tag.column]!;
    const row = seq & ring.mask;
    const state = this.stateOf(raw);
    if (readsAsNull(state)) return spoilCell(ring, this.tag.column, seq, state);
    F[column.payload + row] = this.scaling.value(raw);
    U[column.state + row] = said === GOOD ? state : said;
  }

  #putText({ bytes, from, to }: Telegram, said: number, ring: Ring, seq: number): void {
    const { I, U } = ring.arena;
    const column = ring.columns[this.tag.column]!;
    const row = seq & ring.mask;
    if (this.#kind === TEXT) {
      from = afterBlanks(bytes, from, to);
      to = beforeBlanks(bytes, from, to);
    } else if (this.#isBinary) to = Math.min(to, from + this.#room);
    const n = to - from;
    const fits = n <= this.#room;
    const place = column.payload + row * column.stride;
    if (fits) for (let i = 0; i < n; i++) U[place + i] = bytes[from + i]!;
    I[column.length + row] = fits ? n : 0;
    U[column.state + row] = fits ? said : ERROR.length;
  }

  /** The raw number at the place that was located; NaN = there is none. */
  raw(telegram: Telegram): number {
    const { bytes, from, to } = telegram;
    if (this.#isBinary) return from + this.#bytes <= to ? this.binary(bytes, from) : NaN;
    return this.#kind === BOOL ? readBool(bytes, from, to) : readNumber(bytes, from, to);
  }

  /** What is looked for stands in the telegram, whether or not the tag can hold it. */
  isIn(telegram: Telegram): boolean {
    return telegram.locate(this.address.place) &&
      (this.isText || !Number.isNaN(this.raw(telegram)));
  }

  /** GOOD, or why a raw number is no value of this tag. */
  stateOf(raw: number): number {
    // What was to be a number is none.
    if (raw !== raw) return BAD.garbled;
    if (raw < this.#least || raw > this.#most) return BAD.range;
    if (this.#kind === WHOLE_NUMBER && !Number.isInteger(raw)) return BAD.range;
    return this.scaling.stateOf(raw);
  }

  /** The raw number of a binary field. */
  binary(bytes: Uint8Array, at: number): number {
    const { bit } = this.address.place;
    if (bit >= 0) return (bytes[at]! >> bit) & 1;
    for (let i = 0; i < this.#bytes; i++) scratch[this.#placeOf(i)] = bytes[at + i]!;
    switch (this.tag.type) {
      case "bool": return scratch[0] === 0 ? 0 : 1;
      case "int8": return view.getInt8(0);
      case "uint8": return scratch[0]!;
      case "int16": return view.getInt16(0);
      case "uint16": return view.getUint16(0);
      case "int32": return view.getInt32(0);
      case "uint32": return view.getUint32(0);
      case "float32": return view.getFloat32(0);
      default: return view.getFloat64(0);
    }
  }

  /** Which byte of the value, the highest first, comes as the i-th. */
  #placeOf(i: number): number {
    switch (this.tag.wordOrder) {
      case "ABCD": return i;
      case "DCBA": return this.#bytes - 1 - i;
      case "BADC": return this.#bytes === 1 ? i : i ^ 1;
      case "CDAB": return this.#bytes < 4 ? i : this.#bytes - 2 - (i & ~1) + (i & 1);
    }
  }

  get rawBytes(): number {
    return this.#kind === TEXT ? textRawBytes(this.tag.type) : number_bytes;
  }

  /** What raw words mean. */
  decode(raw: Uint8Array): Written {
    return this.#kind === TEXT ? decodeText(raw) : this.scaling.exact(rawNumber(raw));
  }

  /** The value at the place that was located as raw words: GOOD, or why it cannot be judged by. */
  takeRaw(telegram: Telegram, raw: Uint8Array): number {
    if (this.#kind === TEXT) {
      const { bytes } = telegram;
      const from = afterBlanks(bytes, telegram.from, telegram.to);
      const to = beforeBlanks(bytes, from, telegram.to);
      return putCharacters(raw, bytes, from, to) ? GOOD : BAD.range;
    }
    const number = this.raw(telegram);
    putRawNumber(raw, number);
    return this.stateOf(number);
  }

  /**
   * A value as the gate keeps it, and what it will mean when it was written with so many decimals;
   * a Fault if the tag cannot hold it.
   */
  encode(value: Written, decimals: number | null): Raw {
    return typeof value === "string" || this.#kind === TEXT ? this.#encodeText(value)
      : this.#encodeNumber(value, decimals);
  }

  /** Blanks around a text are left out when it is read back. */
  #encodeText(value: Written): Raw {
    if (typeof value === "string" && value.trim() !== value) {
      throw new Fault("value-range", "blanks around it would not be read back", { value });
    }
    return encodeText(this.tag, value, "ascii");
  }

  #encodeNumber(value: number, decimals: number | null): Raw {
    const { id, type } = this.tag;
    const raw = this.#rounded(this.scaling.raw(value), decimals);
    const most = this.#isBinary ? this.#most : Math.min(this.#most, text_most);
    if (!Number.isFinite(raw)) {
      throw new Fault("value-range", `${value} is no number that ${id} can be set to`, { tag: id });
    }
    const least = Math.max(this.#least, -most);
    if (raw < least || raw > most) {
      throw new Fault("value-range", `${value} would be raw ${raw} of ${id}; ${type} ends at ` +
        `${raw < least ? least : most}`, { tag: id, value, raw, least, most });
    }
    const bytes = new Uint8Array(number_bytes);
    new DataView(bytes.buffer).setFloat64(0, raw);
    return { bytes, means: this.scaling.exact(raw) };
  }

  #rounded(raw: number, decimals: number | null): number {
    if (this.#kind !== FRACTION) return Math.round(raw);
    if (this.#isBinary) return this.tag.type === "float32" ? Math.fround(raw) : raw;
    return Number(this.#text(raw, decimals));
  }

  /** A fraction has the decimals that are asked for, or as many digits as its type has. */
  #text(raw: number, decimals: number | null): string {
    if (decimals !== null) return raw.toFixed(decimals);
    if (this.#kind !== FRACTION) return String(raw);
    const text = String(Number(raw.toPrecision(this.tag.type === "float32" ? 7 : 15)));
    return text.includes("e") ? raw.toFixed(9) : text;
  }

  /** Raw words as the machine is told them, at `out[at…]`; where they end. */
  putRaw(raw: Uint8Array, decimals: number | null, out: Uint8Array, at: number): number {
    if (this.#kind !== TEXT) return this.putValue(rawNumber(raw), decimals, out, at);
    const characters = charactersOf(raw);
    out.set(characters, at);
    return at + characters.length;
  }

  /** The raw number as the machine is told it, at `out[at…]`; where it ends. */
  putValue(raw: number, decimals: number | null, out: Uint8Array, at: number): number {
    if (!this.#isBinary) {
      const text = this.#text(raw, decimals);
      for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
      return at + text.length;
    }
    switch (this.tag.type) {
      case "float32": view.setFloat32(0, raw); break;
      case "float64": view.setFloat64(0, raw); break;
      default: view.setInt32(0, raw); scratch.copyWithin(0, 4 - this.#bytes, 4);
    }
    for (let i = 0; i < this.#bytes; i++) out[at + i] = scratch[this.#placeOf(i)]!;
    return at + this.#bytes;
  }
}

const rawNumber = (raw: Uint8Array): number =>
  new DataView(raw.buffer, raw.byteOffset).getFloat64(0);

function putRawNumber(raw: Uint8Array, value: number): void {
  new DataView(raw.buffer, raw.byteOffset).setFloat64(0, value);
}

function afterBlanks(bytes: Uint8Array, from: number, to: number): number {
  while (from < to && bytes[from]! <= 0x20) from++;
  return from;
}

function beforeBlanks(bytes: Uint8Array, from: number, to: number): number {
  while (to > from && bytes[to - 1]! <= 0x20) to--;
  return to;
}

function kindOf(type: string): number {
  if (type.startsWith("text")) return TEXT;
  if (type.startsWith("bytes")) return BYTES;
  if (type === "bool") return BOOL;
  return type.startsWith("float") ? FRACTION : WHOLE_NUMBER;
}

/** True if values of this type can stand in a telegram. */
export const isKnownType = (type: string): boolean =>
  type.startsWith("text") || type.startsWith("bytes") ||
  (bytesOf(type) > 0 && !type.endsWith("int64"));

const bools: Readonly<Record<string, number>> = { "0": 0, "1": 1, off: 0, on: 1 };
const boolWords = Object.entries(bools).map(([word, value]) =>
  ({ bytes: new TextEncoder().encode(word), value }));

/** `0`, `1`, `off`, `on` in any case; NaN = neither. */
function readBool(bytes: Uint8Array, from: number, to: number): number {
  for (const word of boolWords) {
    let i = 0;
    while (i < word.bytes.length && (bytes[from + i]! | 0x20) === (word.bytes[i]! | 0x20)) i++;
    if (i === word.bytes.length && i === to - from) return word.value;
  }
  return NaN;
}
