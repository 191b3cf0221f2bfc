import { assert, Fault, orFault } from "../../base.ts";
import type { DriverTag, Raw } from "../../driver.ts";
import {
  arrayOf, BAD, ERROR, GOOD, readsAsNull, UNCERTAIN, writeCell, type Ring, type TagType,
  type Written,
} from "../../ring.ts";
import { rangeOf, rawNumberOf, Scaling, scaleProblem } from "../scaling.ts";
import { ArrayCell, itemOf } from "../wire/array.ts";
import { stationProblem } from "../wire/target.ts";
import {
  decodeText, encodeText, putCharacters, textProblem, textRawBytes, textRoom,
} from "../wire/text.ts";
import { parseAddress, type Address } from "./address.ts";

/** Built-in types by their numbers on the wire (OPC UA part 6, 5.1.2). */
export const BUILT_IN = {
  Boolean: 1, SByte: 2, Byte: 3, Int16: 4, UInt16: 5, Int32: 6, UInt32: 7, Int64: 8, UInt64: 9,
  Float: 10, Double: 11, String: 12, DateTime: 13, Guid: 14, ByteString: 15, XmlElement: 16,
  NodeId: 17, StatusCode: 19, QualifiedName: 20, LocalizedText: 21,
} as const;

/** A value as the library gives it; 64 bits are two words, the high one first. */
export interface Value {
  readonly dataType: number;
  /** 0 = a single value. */
  readonly arrayType: number;
  readonly value: unknown;
}

/** What can be written of a type, and how: bytes of its raw value. */
const numbers = {
  bool: { of: BUILT_IN.Boolean, bytes: 1 }, int8: { of: BUILT_IN.SByte, bytes: 1 },
  uint8: { of: BUILT_IN.Byte, bytes: 1 }, int16: { of: BUILT_IN.Int16, bytes: 2 },
  uint16: { of: BUILT_IN.UInt16, bytes: 2 }, int32: { of: BUILT_IN.Int32, bytes: 4 },
  uint32: { of: BUILT_IN.UInt32, bytes: 4 }, int64: { of: BUILT_IN.Int64, bytes: 8 },
  uint64: { of: BUILT_IN.UInt64, bytes: 8 }, float32: { of: BUILT_IN.Float, bytes: 4 },
  float64: { of: BUILT_IN.Double, bytes: 8 },
} as const;
type NumberType = keyof typeof numbers;

const isNumber = (type: TagType): type is NumberType => Object.hasOwn(numbers, type);

/** A tag and what decoding needs of it; made once. */
export class Field {
  readonly tag: DriverTag;
  readonly address: Address;
  readonly scaling: Scaling;
  readonly least: number;
  readonly most: number;
  /** Of an array: what each item is. */
  readonly item: Field | null;
  /** Items of an array. */
  readonly count: number;

  constructor(tag: DriverTag) {
    const array = arrayOf(tag.type);
    this.tag = tag;
    this.item = array === null ? null : new Field(itemOf(tag, 0));
    this.count = array?.count ?? 0;
    this.address = parseAddress(tag.at);
    this.scaling = new Scaling(tag);
    [this.least, this.most] = rangeOf(tag.type);
  }
}

/** The value of an answer; a range of one item is that item. */
export function valueOf({ address, tag, item }: Field, answer: Value): Value {
  const { dataType, arrayType, value } = answer;
  const items = value as ArrayLike<unknown> | null;
  const single = address.range !== "" && arrayType !== 0 && !tag.type.startsWith("json") &&
    item === null && items?.length === 1;
  return single ? { dataType, arrayType: 0, value: items[0] } : answer;
}

const two32 = 2 ** 32;
/** As `arrayType` has it. */
const one_dimension = 1;

/** The number of a value, NaN if it is none. */
function numberOf({ dataType, arrayType, value }: Value): number {
  if (arrayType !== 0) return NaN;
  if (dataType === BUILT_IN.Boolean) return value === true ? 1 : value === false ? 0 : NaN;
  if (dataType === BUILT_IN.Int64 || dataType === BUILT_IN.UInt64) {
    if (!Array.isArray(value)) return NaN;
    const [high, low] = value as [number, number];
    return (dataType === BUILT_IN.Int64 ? high | 0 : high >>> 0) * two32 + (low >>> 0);
  }
  return typeof value === "number" ? value : NaN;
}

/** A value into the cell of row `seq`; its state is good, or says why it has no such value. */
export function decodeCell(field: Field, value: Value, ring: Ring, seq: number): void {
  const { tag } = field;
  const column = ring.columns[tag.column]!;
  const row = seq & ring.mask;
  const { F, I, U } = ring.arena;
  if (field.item !== null) {
    putArray(field.item, field.count, value, ring, seq);
    return;
  }
  if (column.slot > 0) {
    const content = contentOf(tag.type, value);
    if (content === null) U[column.state + row] = ERROR.type;
    else writeCell(ring, column, seq, content);
    return;
  }
  if (tag.type === "time") {
    const ms = value.value instanceof Date ? value.value.getTime() : NaN;
    if (Number.isFinite(ms)) F[column.payload + row] = ms;
    U[column.state + row] = Number.isFinite(ms) ? GOOD : ERROR.type;
    return;
  }
  if (value.arrayType !== 0 || !isNumberFor(tag.type, value.dataType)) {
    U[column.state + row] = ERROR.type;
    return;
  }
  if (column.kind === "int64" && Array.isArray(value.value)) {
    const [high, low] = value.value as [number, number];
    // Past 2^63 it does not fit the signed cell; below 0 it is no uint64. The last value stands.
    const negative = (high | 0) < 0;
    const unfit = negative && (value.dataType === BUILT_IN.UInt64 || tag.type === "uint64");
    U[column.state + row] = unfit ? ERROR.overflow : GOOD;
    if (unfit) return;
    I[(column.payload + row) * 2] = low;
    I[(column.payload + row) * 2 + 1] = high;
    return;
  }
  putNumber(field, numberOf(value), ring, seq);
}

/** A boolean for a bool, and a number for a number. */
function isNumberFor(type: TagType, dataType: number): boolean {
  const isBoolean = dataType === BUILT_IN.Boolean;
  const isKnown = isBoolean || (dataType >= BUILT_IN.SByte && dataType <= BUILT_IN.Double);
  return isKnown && isBoolean === (type === "bool");
}

/** What the type cannot hold is no measurement. */
function stateOfRaw({ least, most, scaling }: Field, raw: number): number {
  const whole = most === Infinity || Number.isInteger(raw);
  return raw - raw !== 0 || raw < least || raw > most || !whole ? BAD.range : scaling.stateOf(raw);
}

const arrayCell = new ArrayCell();

/** An array of the declared length; another length is an error, as no item has its place then. */
function putArray(
  item: Field, count: number, { dataType, arrayType, value }: Value, ring: Ring, seq: number,
): void {
  const column = ring.columns[item.tag.column]!;
  const items = value as ArrayLike<unknown> | null;
  const isArray = arrayType === one_dimension && items !== null;
  if (!isArray || !isNumberFor(item.tag.type, dataType)) {
    ring.arena.U[column.state + (seq & ring.mask)] = ERROR.type;
    return;
  }
  if (items.length !== count) {
    ring.arena.U[column.state + (seq & ring.mask)] = ERROR.length;
    return;
  }
  const isWide = !item.scaling.active && /^u?int64$/.test(item.tag.type);
  arrayCell.begin(ring, column, seq, count);
  for (let i = 0; i < count; i++) {
    const words = items[i];
    if (isWide && Array.isArray(words)) {
      const [high, low] = words as [number, number];
      const isUnsigned = dataType === BUILT_IN.UInt64 || item.tag.type === "uint64";
      arrayCell.putWords(low, high | 0, isUnsigned);
      continue;
    }
    const raw = numberOf({ dataType, arrayType: 0, value: words });
    const state = stateOfRaw(item, raw);
    if (isWide && state === GOOD) arrayCell.putWords(raw % two32, Math.floor(raw / two32), false);
    else arrayCell.put(item.scaling.value(raw), state);
  }
  arrayCell.end(ring, column, seq);
}

function putNumber(field: Field, raw: number, ring: Ring, seq: number): void {
  const column = ring.columns[field.tag.column]!;
  const row = seq & ring.mask;
  const { F, I, U } = ring.arena;
  // Where there is no measurement the last known value stands, with the reason.
  const state = stateOfRaw(field, raw);
  U[column.state + row] = state;
  if (readsAsNull(state)) return;
  if (column.kind === "int64") {
    I[(column.payload + row) * 2] = raw % two32;
    I[(column.payload + row) * 2 + 1] = Math.floor(raw / two32);
    return;
  }
  F[column.payload + row] = field.scaling.value(raw);
}

/** What a slot holds of a value: a text, bytes, or the text of its JSON; null = it is no such. */
function contentOf(type: TagType, value: Value): string | Uint8Array | null {
  if (type.startsWith("json")) return jsonOf(value);
  if (value.arrayType !== 0) return bytesOf(type, value);
  const { dataType, value: content } = value;
  if (content === null || content === undefined) return null;
  if (type.startsWith("bytes")) return content instanceof Uint8Array ? content : null;
  switch (dataType) {
    case BUILT_IN.String: case BUILT_IN.Guid: case BUILT_IN.XmlElement:
      return typeof content === "string" ? content : null;
    case BUILT_IN.LocalizedText:
      return (content as { readonly text?: string | null }).text ?? "";
    case BUILT_IN.QualifiedName: case BUILT_IN.NodeId: case BUILT_IN.StatusCode:
      return String(content);
    default: return null;
  }
}

/** An array of Byte is bytes, too. */
const bytesOf = (type: TagType, { dataType, value }: Value): Uint8Array | null =>
  (type.startsWith("bytes") && dataType === BUILT_IN.Byte && value instanceof Uint8Array
    ? value : null);

function jsonOf({ dataType, arrayType, value }: Value): string {
  const plain = (item: unknown): unknown => {
    if (dataType === BUILT_IN.Int64 || dataType === BUILT_IN.UInt64) {
      const number = numberOf({ dataType, arrayType: 0, value: item });
      if (Number.isSafeInteger(number) || !Array.isArray(item)) return number;
      const [high, low] = item as [number, number];
      const exact = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
      return String(dataType === BUILT_IN.Int64 ? BigInt.asIntN(64, exact) : exact);
    }
    if (typeof item === "number" && !Number.isFinite(item)) return null;
    return item instanceof Uint8Array ? Buffer.from(item).toString("base64") : item;
  };
  if (arrayType === 0) return JSON.stringify(plain(value)) ?? "null";
  // An array may be null, which is not the same as empty.
  return value === null || value === undefined ? "null"
    : JSON.stringify(Array.from(value as ArrayLike<unknown>, plain));
}

/** Statuses that say of a value what a state of our own says (OPC UA part 6, annex A.2). */
const states: ReadonlyMap<number, number> = new Map([
  [0x800a, BAD.timeout], [0x8031, BAD.disconnected], [0x808a, BAD.disconnected],
  [0x8032, BAD.initial], [0x8033, BAD.address], [0x8034, BAD.address], [0x8035, BAD.address],
  [0x8036, BAD.address], [0x8037, BAD.address], [0x803c, BAD.range], [0x803a, BAD.exception],
  [0x801f, BAD.exception],
]);

/** Good, uncertain, or bad with its reason: the two highest bits of a status are its class. */
export function stateOfStatus(status: number): number {
  const severity = status >>> 30;
  if (severity === 0) return GOOD;
  if (severity === 1) return UNCERTAIN.source;
  return states.get(status >>> 16) ?? BAD.source;
}

/**
 * Statuses of a write by which the server says that it did nothing: not writable, no such node,
 * attribute or range, another type, out of range, no right, wrong arguments. All others leave it
 * open (W15).
 */
const refusing: ReadonlySet<number> = new Set([
  0x803b, 0x8034, 0x8033, 0x8035, 0x8036, 0x8037, 0x8074, 0x803c, 0x801f, 0x8073, 0x8038, 0x8039,
  0x800f, 0x8010, 0x8025, 0x8027, 0x8075, 0x8076, 0x80ab, 0x80e5, 0x8111,
]);

export const isRefusal = (status: number): boolean => refusing.has(status >>> 16);

/** Bytes of a raw value; numbers are big-endian. */
export function rawBytes({ id, type }: DriverTag): number {
  if (textRoom(type) > 0) return textRawBytes(type);
  assert(isNumber(type), `${id}: a ${type} is neither number nor text`);
  return numbers[type].bytes;
}

/** The raw value of a server's answer; false = it has another type than the tag. */
export function rawOf(field: Field, value: Value, raw: Uint8Array): boolean {
  if (textRoom(field.tag.type) > 0) return rawOfText(value, raw);
  const type = field.tag.type as NumberType;
  if (value.arrayType !== 0 || value.dataType !== numbers[type].of) return false;
  const expected = type === "bool" ? typeof value.value === "boolean"
    : type.endsWith("64") && type !== "float64" ? Array.isArray(value.value)
      : typeof value.value === "number";
  if (!expected) return false;
  putRaw(type, value.value, raw);
  return true;
}

/** A null string is an empty one: what is written into either is read back as itself. */
function rawOfText({ dataType, arrayType, value }: Value, raw: Uint8Array): boolean {
  if (arrayType !== 0 || dataType !== BUILT_IN.String) return false;
  if (value !== null && typeof value !== "string") return false;
  const text = new TextEncoder().encode(value ?? "");
  return putCharacters(raw, text, 0, text.length);
}

function putRaw(type: NumberType, value: unknown, raw: Uint8Array): void {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  switch (type) {
    case "bool": view.setUint8(0, value === true || value === 1 ? 1 : 0); break;
    case "int8": case "uint8": view.setUint8(0, value as number); break;
    case "int16": case "uint16": view.setUint16(0, value as number); break;
    case "int32": case "uint32": view.setUint32(0, value as number); break;
    case "float32": view.setFloat32(0, value as number); break;
    case "float64": view.setFloat64(0, value as number); break;
    case "int64": case "uint64": {
      const [high, low] = value as readonly [number, number];
      view.setUint32(0, high);
      view.setUint32(4, low);
    }
  }
}

/** What the library writes for a raw value. */
export function valueOfRaw(tag: DriverTag, raw: Uint8Array): Value {
  if (textRoom(tag.type) > 0) {
    return { dataType: BUILT_IN.String, arrayType: 0, value: decodeText(raw) };
  }
  const type = tag.type as NumberType;
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const value = type === "int64" || type === "uint64" ? [view.getUint32(0), view.getUint32(4)]
    : type === "bool" ? raw[0] === 1 : plainNumber(type, view);
  return { dataType: numbers[type].of, arrayType: 0, value };
}

function plainNumber(type: NumberType, view: DataView): number {
  switch (type) {
    case "int8": return view.getInt8(0);
    case "bool": case "uint8": return view.getUint8(0);
    case "int16": return view.getInt16(0);
    case "uint16": return view.getUint16(0);
    case "int32": return view.getInt32(0);
    case "uint32": return view.getUint32(0);
    case "float32": return view.getFloat32(0);
    case "float64": return view.getFloat64(0);
    case "int64": return view.getInt32(0) * two32 + view.getUint32(4);
    case "uint64": return view.getUint32(0) * two32 + view.getUint32(4);
  }
}

/** The engineering value of a raw value, or its text. */
export function decode(tag: DriverTag, raw: Uint8Array): Written {
  return textRoom(tag.type) > 0 ? decodeText(raw) : decodeNumber(tag, raw);
}

function decodeNumber(tag: DriverTag, raw: Uint8Array): number {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return new Scaling(tag).exact(plainNumber(tag.type as NumberType, view));
}

/** The raw value of an engineering value; a Fault if the type cannot hold it. */
export function encode(tag: DriverTag, value: Written): Raw {
  if (typeof value === "string" || textRoom(tag.type) > 0) return encodeText(tag, value, "unicode");
  const type = tag.type as NumberType;
  const raw = rawNumberOf(tag, new Scaling(tag), value);
  const bytes = new Uint8Array(rawBytes(tag));
  const wide = type === "int64" || type === "uint64";
  putRaw(type, wide ? [Math.floor(raw / two32), raw % two32] : raw, bytes);
  return { bytes, means: decodeNumber(tag, bytes) };
}

/** One sentence of what would be right for this tag, or null. */
export function tagProblem(tag: DriverTag): string | null {
  const address = orFault(() => parseAddress(tag.at));
  if (address instanceof Fault) return address.message;
  const problem = scaleProblem(tag) ?? stationProblem(tag, "OPC UA") ??
    rangeProblem(tag, address);
  if (problem !== null) return problem;
  if (address.call !== null && !tag.writable) {
    return `\`${tag.at}\`: a method is called by a write: "access" must be "read-write"`;
  }
  return !tag.writable || isNumber(tag.type) ? null : textProblem(tag);
}

/** Several items are an array, of as many as the type says. */
function rangeProblem({ at, type }: DriverTag, { range }: Address): string | null {
  const array = arrayOf(type);
  if (type.startsWith("json") || range === "") return null;
  if (array === null) {
    return /[,:]/.test(range) ? `\`${at}\`: several items are an array: the type must be one, ` +
      `such as float64[8], or json(n), not ${type}` : null;
  }
  const [first, last = first] = range.split(":").map(Number);
  if (range.includes(",")) {
    return `\`${at}\`: a range of several dimensions is json(n), not ${type}`;
  }
  const count = last! - first! + 1;
  return count === array.count ? null
    : `\`${at}\`: the range has ${count} items and ${type} ${array.count}: they must agree`;
}
