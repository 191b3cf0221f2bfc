import { assert, Fault } from "../../base.ts";
import type { DriverTag, Raw } from "../../driver.ts";
import { arrayOf, copyCell, ERROR, GOOD, readsAsNull, type Ring } from "../../ring.ts";
import { Scaling } from "../scaling.ts";
import { ArrayCell } from "./array.ts";

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

  constructor(tag: DriverTag, order: "high first" | "low first", bit = -1) {
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
      I[(column.payload + row) * 2] = asInt32[0]!;
      I[(column.payload + row) * 2 + 1] = asInt32[1]!;
      // A uint64 from 2^63 on does not fit the signed cell.
      U[column.state + row] = this.#kind === UINT64 && asInt32[1]! < 0 ? ERROR.overflow : GOOD;
      return;
    }
    const raw = this.#raw(bytes, at);
    const state = this.#scaling.stateOf(raw);
    // No measurement: the last known value stands, with the reason.
    if (readsAsNull(state)) spoilCell(ring, this.tag.column, seq, state);
    else F[column.payload + row] = this.#scaling.value(raw);
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
    const raw = this.#rawOf(value);
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

  /** raw = round((value − offset) / scale), checked against the type. */
  #rawOf(value: number): number {
    const { id, type } = this.tag;
    const unscaled = this.#scaling.raw(value);
    if (!Number.isFinite(value) || !Number.isFinite(unscaled)) {
      throw new Fault("value-range", `${value} is no number that ${id} can be set to`, { tag: id });
    }
    if (this.#kind === FLOAT64) return unscaled;
    if (this.#kind === FLOAT32) {
      const raw = Math.fround(unscaled);
      if (Number.isFinite(raw)) return raw;
      throw new Fault("value-range", `${value} is past the largest float32 of ${id}`, { tag: id });
    }
    const raw = Math.round(unscaled);
    const [least, most] = this.#range();
    if (raw >= least && raw <= most) return raw;
    throw new Fault("value-range", `${value} would be raw ${raw} of ${id}; ${type} ends at ` +
      `${raw < least ? least : most}`, { tag: id, value, raw, least, most });
  }

  /** Smallest and largest raw number of the whole types; 64 bits: what a float64 holds exactly. */
  #range(): readonly [number, number] {
    const values = 2 ** (this.bytes * 8);
    switch (this.#kind) {
      case BOOL: return [0, 1];
      case INT8: case INT16: case INT32: return [-values / 2, values / 2 - 1];
      case UINT8: case UINT16: case UINT32: return [0, values - 1];
      case UINT64: return [0, Number.MAX_SAFE_INTEGER];
      default: return [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
    }
  }
}

/** The cell keeps the last known value, with the reason why it is not new. */
export function spoilCell(ring: Ring, index: number, seq: number, state: number): void {
  const column = ring.columns[index]!;
  copyCell(ring, column, seq - 1, ring, column, seq);
  ring.arena.U[column.state + (seq & ring.mask)] = state;
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
  if (!Number.isFinite(tag.scale) || tag.scale === 0 || !Number.isFinite(tag.offset)) {
    return `scale ${tag.scale}, offset ${tag.offset}: scale is a number other than 0`;
  }
  const isScaled = tag.scale !== 1 || tag.offset !== 0;
  const type = arrayOf(tag.type)?.item ?? tag.type;
  if (isScaled && (type === "bool" || bytesOf(type) === 0)) {
    return `scale and offset have no meaning for ${tag.type}`;
  }
  if (tag.wordOrder === "ABCD") return null;
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
