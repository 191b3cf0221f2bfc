import { assert } from "../../base.ts";
import type { DriverTag, Raw } from "../../driver.ts";
import {
  arrayOf, ERROR, GOOD, readsAsNull, spoilCell, type Ring, type Written,
} from "../../ring.ts";
import { rawNumberOf, Scaling, scaleProblem } from "../scaling.ts";
import { ArrayCell } from "./array.ts";
import { decodeText, encodeText, textRoom } from "./text.ts";

/** How bytes become a number. Numbers, because the hot path switches on them. */
const BOOL = 0, INT8 = 1, UINT8 = 2, INT16 = 3, UINT16 = 4, INT32 = 5, UINT32 = 6, INT64 = 7,
  UINT64 = 8, FLOAT32 = 9, FLOAT64 = 10;

/** Kind and bytes of each type of number. */
const kinds: Readonly<Record<string, readonly [kind: number, bytes: number]>> = {
  bool: [BOOL, 1], int8: [INT8, 1], uint8: [UINT8, 1], int16: [INT16, 2], uint16: [UINT16, 2],
  int32: [INT32, 4], uint32: [UINT32, 4], int64: [INT64, 8], uint64: [UINT64, 8],
  float32: [FLOAT32, 4], float64: [FLOAT64, 8],
};

/** Bytes of a number of this type; 0 = it is no number. */
export const bytesOf = (type: string): number => kinds[type]?.[1] ?? 0;

/** One number's bytes, the lowest first, seen as what they may be. No object a value. */
const scratch = new Uint8Array(8);
const asInt8 = new Int8Array(scratch.buffer);
const asInt16 = new Int16Array(scratch.buffer);
const asUint16 = new Uint16Array(scratch.buffer);
const asInt32 = new Int32Array(scratch.buffer);
const asUint32 = new Uint32Array(scratch.buffer);
const asFloat32 = new Float32Array(scratch.buffer);
const asFloat64 = new Float64Array(scratch.buffer);

const arrayCell = new ArrayCell();

export type ByteOrder = "high first" | "low first";

/**
 * A tag's number as it stands in an answer or a write: whole bytes, the highest or the lowest
 * first. A bool is one byte that is 0 or not, or the bit `bit` of one.
 */
export class NumberField {
  readonly tag: DriverTag;
  readonly bytes: number;
  readonly bit: number;
  readonly #kind: number;
  readonly #lowFirst: boolean;
  readonly #scaling: Scaling;

  constructor(tag: DriverTag, order: ByteOrder, bit = -1) {
    const [kind, bytes] = kinds[tag.type] ?? [-1, 0];
    assert(bytes > 0, `${tag.id}: ${tag.type} is no number`);
    this.tag = tag;
    this.bytes = bytes;
    this.bit = bit;
    this.#kind = kind;
    this.#lowFirst = order === "low first";
    this.#scaling = new Scaling(tag);
  }

  /** Bytes straight into the cell of row `seq`. */
  decodeCell(bytes: Uint8Array, at: number, ring: Ring, seq: number): void {
    const { F, I, U } = ring.arena;
    const column = ring.columns[this.tag.column]!;
    const row = seq & ring.mask;
    if (!this.#scaling.active && (this.#kind === INT64 || this.#kind === UINT64)) {
      this.#load(bytes, at);
      // A uint64 from 2^63 on does not fit the signed cell.
      if (this.#kind === UINT64 && asInt32[1]! < 0) {
        spoilCell(ring, this.tag.column, seq, ERROR.overflow);
        return;
      }
      I[(column.payload + row) * 2] = asInt32[0]!;
      I[(column.payload + row) * 2 + 1] = asInt32[1]!;
      U[column.state + row] = GOOD;
      return;
    }
    const raw = this.#raw(bytes, at);
    const state = this.#scaling.stateOf(raw);
    // No measurement: the last known value stands, with the reason.
    if (readsAsNull(state)) return spoilCell(ring, this.tag.column, seq, state);
    F[column.payload + row] = this.#scaling.value(raw);
    U[column.state + row] = state;
  }

  /** So many side by side; bits follow each other from the first one on. */
  decodeArray(bytes: Uint8Array, at: number, count: number, ring: Ring, seq: number): void {
    const column = ring.columns[this.tag.column]!;
    arrayCell.begin(ring, column, seq, count);
    for (let i = 0; i < count; i++) {
      if (this.bit >= 0) {
        const place = this.bit + i;
        arrayCell.put((bytes[at + (place >> 3)]! >> (place & 7)) & 1, GOOD);
      } else if (!this.#scaling.active && (this.#kind === INT64 || this.#kind === UINT64)) {
        this.#load(bytes, at + i * this.bytes);
        arrayCell.putWords(asInt32[0]!, asInt32[1]!, this.#kind === UINT64);
      } else {
        const raw = this.#raw(bytes, at + i * this.bytes);
        arrayCell.put(this.#scaling.value(raw), this.#scaling.stateOf(raw));
      }
    }
    arrayCell.end(ring, column, seq);
  }

  /** What the bytes mean in engineering units. 64 bits: rounded. */
  decode(bytes: Uint8Array, at: number): number {
    return this.#scaling.exact(this.#raw(bytes, at));
  }

  #raw(bytes: Uint8Array, at: number): number {
    if (this.#kind === BOOL) {
      return this.bit < 0 ? Number(bytes[at] !== 0) : (bytes[at]! >> this.bit) & 1;
    }
    this.#load(bytes, at);
    return this.#number();
  }

  /** The bytes of a value and what they mean; a Fault if the tag cannot hold it. */
  encode(value: number): Raw {
    const raw = rawNumberOf(this.tag, this.#scaling, value);
    const bytes = new Uint8Array(this.bytes);
    this.#set(raw);
    for (let i = 0; i < this.bytes; i++) {
      bytes[this.#lowFirst ? i : this.bytes - 1 - i] = scratch[i]!;
    }
    if (this.#kind === BOOL) return { bytes, means: raw };
    return { bytes, means: this.decode(bytes, 0) };
  }

  #load(bytes: Uint8Array, at: number): void {
    const n = this.bytes;
    if (this.#lowFirst) for (let i = 0; i < n; i++) scratch[i] = bytes[at + i]!;
    else for (let i = 0; i < n; i++) scratch[i] = bytes[at + n - 1 - i]!;
  }

  #number(): number {
    switch (this.#kind) {
      case INT8: return asInt8[0]!;
      case UINT8: return scratch[0]!;
      case INT16: return asInt16[0]!;
      case UINT16: return asUint16[0]!;
      case INT32: return asInt32[0]!;
      case UINT32: return asUint32[0]!;
      case INT64: return asInt32[1]! * 2 ** 32 + asUint32[0]!;
      case UINT64: return asUint32[1]! * 2 ** 32 + asUint32[0]!;
      case FLOAT32: return asFloat32[0]!;
      default: return asFloat64[0]!;
    }
  }

  #set(raw: number): void {
    if (this.#kind === FLOAT32) asFloat32[0] = raw;
    else if (this.#kind === FLOAT64) asFloat64[0] = raw;
    else {
      asInt32[0] = raw % 2 ** 32;
      asInt32[1] = Math.floor(raw / 2 ** 32);
    }
  }
}

/** A value as the gate has it: a number as it stands on the wire (a bool as 0 or 1), or a text. */
export function encode(tag: DriverTag, value: Written, order: ByteOrder): Raw {
  return typeof value === "string" || textRoom(tag.type) > 0 ? encodeText(tag, value, "ascii")
    : new NumberField(tag, order).encode(value);
}

/** What raw words mean, as `encode` gives them. */
export function decode(tag: DriverTag, raw: Uint8Array, order: ByteOrder): Written {
  return textRoom(tag.type) > 0 ? decodeText(raw) : new NumberField(tag, order).decode(raw, 0);
}

/** `bytes[at…at+n)` into a text or bytes cell; what is longer than the slot is an error cell. */
export function putSlot(
  ring: Ring, index: number, seq: number, bytes: Uint8Array, at: number, n: number,
): void {
  const { I, U } = ring.arena;
  const column = ring.columns[index]!;
  const row = seq & ring.mask;
  if (n > column.slot) {
    I[column.length + row] = 0;
    U[column.state + row] = ERROR.length;
    return;
  }
  const to = column.payload + row * column.stride;
  for (let i = 0; i < n; i++) U[to + i] = bytes[at + i]!;
  I[column.length + row] = n;
  U[column.state + row] = GOOD;
}

/** What is wrong with a tag's scaling or byte order where the protocol fixes both; or null. */
export function numberProblem(tag: DriverTag, protocol: string): string | null {
  const problem = scaleProblem(tag);
  if (problem !== null || tag.wordOrder === "ABCD") return problem;
  return `the order of bytes is fixed by ${protocol}: leave out "wordOrder"`;
}

/** What is wrong with an array that fills so much of what one read carries; or null. */
export function arrayProblem(
  { type, at }: DriverTag, fills: number, most: number, what: string,
): string | null {
  const array = arrayOf(type);
  if (array === null || fills <= most) return null;
  return `${type} at \`${at}\` fills ${fills} ${what} and one read carries ${most}: an array is ` +
    `read as a whole, so at most ${Math.floor(most * array.count / fills)} items here, or two tags`;
}
