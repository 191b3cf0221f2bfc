import { assert, Fault, limits, orFault, remember, textOfBytes } from "../../base.ts";
import type { DriverTag, Raw } from "../../driver.ts";
import {
  arrayOf, type Column, ERROR, GOOD, readsAsNull, type Ring, slotOf, spoilCell, type Written,
} from "../../ring.ts";
import { rawNumberOf, Scaling, scaleProblem } from "../scaling.ts";
import { ArrayCell, itemOf } from "../wire/array.ts";
import { charactersOf, encodeText, textProblem, textRoom } from "../wire/text.ts";
import { arrayProblem } from "../wire/value.ts";
import {
  isBits, itemPlace, parseAddress, parseOne, registersOf, type Address,
} from "./address.ts";
import { BROADCAST } from "./pdu.ts";

/** How a field's bytes become a value. Numbers, because the hot path switches on them. */
const BIT = 0, REGISTER_BIT = 1, SIGNED = 2, UNSIGNED = 3, WIDE_SIGNED = 4, WIDE_UNSIGNED = 5,
  FLOAT32 = 6, FLOAT64 = 7, TEXT = 8, BYTES = 9;

/** A moment is whole seconds since 1970 on the wire, and milliseconds in a cell. */
const of_seconds = new Scaling({ scale: 1000, offset: 0, decimals: null, signal: null });

/**
 * How the bytes of a tag become its value. `order[i]` says at which byte of the field, as it came
 * over the wire, the i-th byte of the value stands, the most significant first.
 */
export class Form {
  readonly kind: number;
  /** Of a register bit. */
  readonly bit: number;
  readonly order: Uint8Array;
  readonly scaling: Scaling;
  /** Of an array, whose items all have this form; 0 = it is one value. */
  readonly items: number;

  constructor(tag: DriverTag, address: Address, items: number) {
    this.kind = kindOf(tag, address);
    this.bit = address.bit;
    this.order = orderOf(tag, address);
    this.scaling = tag.type === "time" ? of_seconds : new Scaling(tag);
    this.items = items;
  }

  /** It makes the same value of the same bytes. */
  isLike({ kind, bit, order, scaling, items }: Form): boolean {
    return this.kind === kind && this.bit === bit && this.items === items &&
      this.scaling.isLike(scaling) &&
      this.order.length === order.length && this.order.every((at, i) => order[i] === at);
  }
}

/** Of all devices of a type: what they agree in is a thousand tags, seldom more. */
const meanings_max = 4096;

/**
 * What tags of equal devices have in common is worked out once: what is thrown away beside what
 * stays is gaps between it, in pages that nobody gets back.
 */
const meaningOf = remember((_text: string, tag: DriverTag) => {
  const { at, type, station } = tag;
  const array = arrayOf(type);
  const address = parseAddress(at, type, station);
  const form = array === null ? new Form(tag, address, 0)
    : new Form(itemOf(tag, 0), parseOne(at, array.item, station), array.count);
  return { address, form };
}, meanings_max);

/** All that the meaning follows from; an address may name a station, which then must be its own. */
const meaningText = (
  { at, station, type, wordOrder, scale, offset, decimals, signal }: DriverTag,
): string => `${at} ${at.includes("!") ? station : ""} ${type} ${wordOrder} ${scale} ${offset} ` +
  `${decimals} ${signal}`;

/** One tag as the codec sees it. */
export class Field {
  readonly tag: DriverTag;
  readonly address: Address;
  readonly form: Form;
  /** Bytes on the wire; a coil or discrete input has one, 0 or 1. */
  readonly bytes: number;

  constructor(tag: DriverTag, meaning = meaningOf(meaningText(tag), tag)) {
    this.tag = tag;
    this.address = meaning.address;
    this.form = meaning.form;
    this.bytes = this.address.count * (isBits(this.address.area) ? 1 : 2);
  }

  /** The fields that an array is made of; of any other tag it alone. */
  get items(): readonly Field[] {
    const array = arrayOf(this.tag.type);
    if (array === null) return [this];
    const first = parseOne(this.tag.at, array.item, this.tag.station);
    return Array.from({ length: array.count }, (_, i) => {
      const [item, address] = [itemOf(this.tag, i), itemPlace(first, i)];
      return new Field(item, { address, form: new Form(item, address, 0) });
    });
  }
}

function kindOf(tag: DriverTag, address: Address): number {
  switch (tag.type) {
    case "bool": return isBits(address.area) ? BIT : REGISTER_BIT;
    case "int8": case "int16": case "int32": return SIGNED;
    case "uint8": case "uint16": case "uint32": case "time": return UNSIGNED;
    case "int64": return WIDE_SIGNED;
    case "uint64": return WIDE_UNSIGNED;
    case "float32": return FLOAT32;
    case "float64": return FLOAT64;
    default: return tag.type.startsWith("bytes") ? BYTES : TEXT;
  }
}

/** Places of a value's registers, most significant first, and whether their bytes are swapped. */
const wordOrders: Readonly<Record<string, { words: readonly number[]; swap: boolean }>> = {
  ABCD: { words: [0, 1, 2, 3], swap: false }, CDAB: { words: [3, 2, 1, 0], swap: false },
  BADC: { words: [0, 1, 2, 3], swap: true }, DCBA: { words: [3, 2, 1, 0], swap: true },
  "1-0-3-2": { words: [1, 0, 3, 2], swap: false }, "2-3-0-1": { words: [2, 3, 0, 1], swap: false },
};
/** The order that an address's `#` suffix names; the last two exist for 64 bits only. */
const suffixes: Readonly<Record<string, string>> = {
  L: "ABCD", LL: "ABCD", LB: "BADC", BL: "CDAB", BB: "DCBA", WS: "1-0-3-2", WR: "2-3-0-1",
};

/**
 * A register is high byte first by the standard; it leaves open only how values of several
 * registers lie, so `wordOrder` speaks of those alone. `#B` swaps the bytes of a single register.
 */
function orderOf(tag: DriverTag, { count, order: suffix }: Address): Uint8Array {
  if (slotOf(tag.type) > 0) {
    return Uint8Array.from({ length: slotOf(tag.type) }, (_, i) => (suffix === "B" ? i ^ 1 : i));
  }
  if (count === 1) {
    const low = suffix === "B" ? 0 : 1;
    return tag.type === "int8" || tag.type === "uint8"
      ? Uint8Array.of(low) : Uint8Array.of(1 - low, low);
  }
  const name = suffix === "B" ? "DCBA" : suffix === "" ? tag.wordOrder : suffixes[suffix]!;
  const { words, swap } = wordOrders[name]!;
  // Two registers use the end of the list of four: 3 2 1 0 → 1 0.
  const shift = words[0] === 3 ? 4 - count : 0;
  return Uint8Array.from({ length: count * 2 }, (_, i) => {
    const word = words[(i >> 1) + shift]!;
    return word * 2 + ((i & 1) ^ (swap ? 1 : 0));
  });
}

/** One value's bytes turned into float bits and back, without an object a value. */
const word = new Int32Array(2);
const asFloat32 = new Float32Array(word.buffer);
const asFloat64 = new Float64Array(word.buffer);

function word32(bytes: Uint8Array, at: number, order: Uint8Array, from: number): number {
  return (bytes[at + order[from]!]! << 24) | (bytes[at + order[from + 1]!]! << 16) |
    (bytes[at + order[from + 2]!]! << 8) | bytes[at + order[from + 3]!]!;
}

/** The raw number of a numeric or bool field whose first byte is at `at`. 64 bits: rounded. */
function rawNumber({ kind, order, bit }: Form, bytes: Uint8Array, at: number): number {
  switch (kind) {
    case BIT: return bytes[at]! & 1;
    case REGISTER_BIT: {
      const register = (bytes[at]! << 8) | bytes[at + 1]!;
      return (register >> bit) & 1;
    }
    case SIGNED:
      if (order.length === 1) return (bytes[at + order[0]!]! << 24) >> 24;
      if (order.length === 4) return word32(bytes, at, order, 0);
      return ((bytes[at + order[0]!]! << 24) >> 16) | bytes[at + order[1]!]!;
    case UNSIGNED:
      if (order.length === 1) return bytes[at + order[0]!]!;
      if (order.length === 4) return word32(bytes, at, order, 0) >>> 0;
      return (bytes[at + order[0]!]! << 8) | bytes[at + order[1]!]!;
    case WIDE_SIGNED:
      return word32(bytes, at, order, 0) * 2 ** 32 + (word32(bytes, at, order, 4) >>> 0);
    case WIDE_UNSIGNED:
      return (word32(bytes, at, order, 0) >>> 0) * 2 ** 32 + (word32(bytes, at, order, 4) >>> 0);
    case FLOAT32:
      word[0] = word32(bytes, at, order, 0);
      return asFloat32[0]!;
    default:
      word[1] = word32(bytes, at, order, 0);
      word[0] = word32(bytes, at, order, 4);
      return asFloat64[0]!;
  }
}

const arrayCell = new ArrayCell();

/** The items of an array, side by side from `bytes[at]` on. For bits each is a byte, 0 or 1. */
function decodeArray(
  form: Form, column: Column, bytes: Uint8Array, at: number, ring: Ring, seq: number,
): void {
  const { kind, order, scaling, items, bit } = form;
  arrayCell.begin(ring, column, seq, items);
  for (let i = 0; i < items; i++) {
    if (kind === REGISTER_BIT) {
      const place = bit + i;
      // Bits are counted from the lowest one, which stands in the second byte of a register.
      const byte = bytes[at + (place >> 4) * 2 + ((place & 8) === 0 ? 1 : 0)]!;
      arrayCell.put((byte >> (place & 7)) & 1, GOOD);
      continue;
    }
    // A number of one byte has a register of its own.
    const from = at + i * (kind === BIT ? 1 : Math.max(2, order.length));
    if ((kind === WIDE_SIGNED || kind === WIDE_UNSIGNED) && !scaling.active) {
      arrayCell.putWords(word32(bytes, from, order, 4), word32(bytes, from, order, 0),
        kind === WIDE_UNSIGNED);
      continue;
    }
    const raw = rawNumber(form, bytes, from);
    arrayCell.put(scaling.value(raw), scaling.stateOf(raw));
  }
  arrayCell.end(ring, column, seq);
}

/** Wire bytes straight into the cell of row `seq`. Of bits each is a byte, 0 or 1. */
export function decodeCell(
  form: Form, column: Column, bytes: Uint8Array, at: number, ring: Ring, seq: number,
): void {
  const { F, I, U } = ring.arena;
  const row = seq & ring.mask;
  const { kind, order, scaling } = form;
  if (form.items > 0) {
    decodeArray(form, column, bytes, at, ring, seq);
    return;
  }
  if (kind >= TEXT) {
    const to = column.payload + row * column.stride;
    let n = 0;
    for (; n < order.length; n++) {
      const byte = bytes[at + order[n]!]!;
      if (byte === 0 && kind === TEXT) break;
      U[to + n] = byte;
    }
    I[column.length + row] = n;
    U[column.state + row] = GOOD;
    return;
  }
  if ((kind === WIDE_SIGNED || kind === WIDE_UNSIGNED) && !scaling.active) {
    const high = word32(bytes, at, order, 0);
    // A uint64 from 2^63 on does not fit the signed cell.
    if (kind === WIDE_UNSIGNED && high < 0) {
      spoilCell(ring, column.index, seq, ERROR.overflow);
      return;
    }
    I[(column.payload + row) * 2 + 1] = high;
    I[(column.payload + row) * 2] = word32(bytes, at, order, 4);
    U[column.state + row] = GOOD;
    return;
  }
  const raw = rawNumber(form, bytes, at);
  const state = scaling.stateOf(raw);
  // No measurement: the last known value stands, with the reason.
  if (readsAsNull(state)) return spoilCell(ring, column.index, seq, state);
  F[column.payload + row] = scaling.value(raw);
  U[column.state + row] = state;
}

/** What a field's bytes mean in engineering units. */
export function decodeValue(field: Field, bytes: Uint8Array, at = 0): number {
  const { form, tag } = field;
  assert(form.kind < TEXT, `${tag.id}: a ${tag.type} is no number`);
  return form.scaling.exact(rawNumber(form, bytes, at));
}

/** The field's bytes of a value, put at `bytes[at…]`; a Fault if the value does not fit. */
export function encodeInto(field: Field, value: number, bytes: Uint8Array, at: number): void {
  const { kind, order, bit, scaling } = field.form;
  const raw = rawNumberOf(field.tag, scaling, value);
  if (kind === BIT) {
    bytes[at] = raw;
    return;
  }
  if (kind === REGISTER_BIT) {
    const byte = at + (bit < 8 ? 1 : 0);
    const mask = 1 << (bit & 7);
    bytes[byte] = raw === 1 ? bytes[byte]! | mask : bytes[byte]! & ~mask;
    return;
  }
  if (kind === FLOAT32) asFloat32[0] = raw;
  else if (kind === FLOAT64) asFloat64[0] = raw;
  else {
    word[0] = raw % 2 ** 32;
    word[1] = Math.floor(raw / 2 ** 32);
  }
  for (let i = 0; i < order.length; i++) {
    const significance = order.length - 1 - i;
    const half = significance < 4 ? word[0]! : word[1]!;
    bytes[at + order[i]!] = half >>> ((significance & 3) * 8);
  }
}

/** A text fills all of its registers: behind its last character they are 0. */
export function putText(
  { form: { order }, bytes }: Field, text: Uint8Array, into: Uint8Array,
): void {
  into.fill(0, 0, bytes);
  for (let i = 0; i < order.length; i++) into[order[i]!] = text[i] ?? 0;
}

/** The characters up to the first 0. */
export function decodeText({ form: { order } }: Field, bytes: Uint8Array): string {
  const text = Uint8Array.from(order, (at) => bytes[at]!);
  const end = text.indexOf(0);
  return textOfBytes(end < 0 ? text : text.subarray(0, end));
}

/** What a field's own bytes mean: in engineering units, or as a text. */
export const decode = (field: Field, bytes: Uint8Array): Written =>
  (field.form.kind === TEXT ? decodeText(field, bytes) : decodeValue(field, bytes));

export function encode(field: Field, value: Written): Raw {
  const bytes = new Uint8Array(field.bytes);
  if (typeof value === "string" || field.form.kind >= TEXT) {
    const { bytes: text, means } = encodeText(field.tag, value, "ascii");
    putText(field, charactersOf(text), bytes);
    return { bytes, means };
  }
  encodeInto(field, value, bytes, 0);
  return { bytes, means: decodeValue(field, bytes) };
}

/**
 * By which function codes writes go: 6 (5) for one register (coil), 16 (15) for any number of them;
 * `auto` takes the first where it can.
 */
export type WriteWith = "auto" | 6 | 16;

/** What of a link says which tags it can have. */
interface LinkTakes {
  readonly writeWith: WriteWith;
  readonly maxRegisters: number;
  /** What is written to station 0 goes to all stations. */
  readonly broadcasts?: boolean;
}

/** One sentence of what would be right for this tag, or null. */
export function tagProblem(
  tag: DriverTag, { writeWith, maxRegisters, broadcasts = false }: LinkTakes,
): string | null {
  if (!Number.isInteger(tag.station) || tag.station < 0 || tag.station > 255) {
    return `Station ${tag.station}: Modbus stations are 1 to 247 (0 and 255 only on TCP)`;
  }
  if (registersOf(tag.type) > limits.modbus_registers_max) {
    return `${tag.type} is longer than one read: at most ${limits.modbus_registers_max * 2} bytes`;
  }
  const address = orFault(() => parseAddress(tag.at, tag.type, tag.station));
  if (address instanceof Fault) return address.message;
  const { area, count } = address;
  const long = isBits(area)
    ? arrayProblem(tag, count, Math.min(limits.modbus_bits_max, maxRegisters * 16), "bits")
    : arrayProblem(tag, count, maxRegisters, "registers");
  if (long !== null) return long;
  const unscalable = scaleProblem(tag);
  if (unscalable !== null || !tag.writable) return unscalable;
  const wrong = tag.station !== BROADCAST ? null
    : broadcasts ? broadcastProblem(tag, address) : no_broadcast;
  return wrong ?? writeProblem(tag, address, writeWith);
}

const no_broadcast = "Over IP station 0 is a device, or its gateway's bus: then it is a " +
  "broadcast, and nobody says what became of it. Only on a serial port of this gateway is one " +
  'sent (modbus-rtu, modbus-ascii, "broadcast": true)';

/** All stations obey FC5, 6, 15 and 16; FC22 is not among what a broadcast may be. */
function broadcastProblem(tag: DriverTag, { area, bit }: Address): string | null {
  if (slotOf(tag.type) > 0) return "A text is written to one station and not to all of them";
  return area === "holding" && bit >= 0 ? "A single bit of a register leaves as FC22, which is " +
    "no broadcast: write the whole register, or a coil" : null;
}

/** Writes go to coils, to whole holding registers, and to single bits of these. */
function writeProblem(
  tag: DriverTag, { area, count }: Address, writeWith: WriteWith,
): string | null {
  if (area === "input" || area === "discrete") {
    return `\`${tag.at}\` is ${area === "input" ? "an input register" : "a discrete input"}: it ` +
      'can only be read; "access" must be "read"';
  }
  if (slotOf(tag.type) > 0 || tag.type === "time") {
    const problem = textProblem(tag);
    if (problem !== null) return problem;
    if (textRoom(tag.type) % 2 !== 0) {
      return `A ${tag.type} ends in the middle of a register, whose other half a write would ` +
        'change too: take an even length, or "access": "read"';
    }
  }
  if (count > 1 && writeWith === 6) {
    return `A ${tag.type} fills ${count} registers, which leave in one FC16 or not at all; with ` +
      '"writeWith": 6 only one register can be written';
  }
  if (tag.type === "int8" || tag.type === "uint8") {
    return `A ${tag.type} is half a register and cannot be written alone; use int16 or uint16`;
  }
  return null;
}
