import { Fault, orFault } from "../../base.ts";
import type { DriverTag } from "../../driver.ts";
import { arrayOf, ERROR, slotOf, spoilCell, type Ring, type TagType } from "../../ring.ts";
import { itemOf } from "../wire/array.ts";
import { stationProblem } from "../wire/target.ts";
import { textProblem, textRawBytes, textRoom } from "../wire/text.ts";
import { arrayProblem, bytesOf, NumberField, numberProblem, putSlot } from "../wire/value.ts";
import { itemAt, parseAddress, wordsOfBits, type Address } from "./address.ts";
import {
  BOOL, bytesOfType, DWORD, isWhole, range_bytes_max, SHORT_STRING, STRING, STRUCT, typesOf,
} from "./cip.ts";
import { leadBytes, lengthAt, logix_bytes } from "./text.ts";

/** One tag as the codec sees it: where it lies, and how its bytes become a cell. */
export class Field {
  readonly tag: DriverTag;
  readonly address: Address;
  /** Of an array that of its items; null = a text. */
  readonly number: NumberField | null;
  /** Of an array; 0 = it is one value. */
  readonly count: number;
  /** Elements in the controller that it lies in. */
  readonly elements: number;
  code = 0;
  /** Bytes of a text. */
  readonly #slot: number;
  /** Type that the controller gave when it was last read, and that a write must name; 0 = none. */
  type = 0;

  constructor(tag: DriverTag) {
    this.tag = tag;
    this.address = parseAddress(tag.at, tag.type);
    const one = itemOf(tag, 0);
    const { bit, index } = this.address;
    this.number = bytesOf(one.type) === 0 ? null
      : new NumberField(one, "low first", bit < 0 ? -1 : bit & 7);
    this.count = arrayOf(tag.type)?.count ?? 0;
    this.#slot = slotOf(tag.type);
    const several = Math.max(1, this.count);
    this.elements = bit < 0 ? several : index < 0 ? 1 : wordsOfBits(bit, several);
  }

  /** Of an array that of its items. */
  get itemType(): TagType {
    return this.number?.tag.type ?? this.tag.type;
  }

  /** The fields that an array is made of; of any other tag it alone. */
  get items(): readonly Field[] {
    const { tag, count } = this;
    return count === 0 ? [this] : Array.from({ length: count }, (_, i) =>
      new Field({ ...itemOf(tag, i), at: itemAt(tag.at, i) }));
  }

  /** Bytes of a value as the gate has it. */
  get rawBytes(): number {
    return this.number?.bytes ?? textRawBytes(this.tag.type);
  }

  /** Bytes of one element in an answer; of a text the most that are expected. */
  get elementBytes(): number {
    const { address, number } = this;
    if (number === null) return Math.max(logix_bytes, this.#slot + 8);
    if (address.bit < 0) return number.bytes;
    return address.index < 0 ? 8 : 4;
  }

  /** True if the controller's type is one that this tag can be read as. */
  fitsType(type: number): boolean {
    const { address, number } = this;
    if (number === null) return type === STRUCT || type === STRING || type === SHORT_STRING;
    if (address.bit < 0) return typesOf(this.itemType).includes(type);
    if (address.index >= 0) return type === DWORD;
    return isWhole(type) && address.bit + Math.max(1, this.count) <= bytesOfType(type) * 8;
  }

  /** Element `bytes[at…at+n)` of the controller's type. */
  decodeCell(
    type: number, bytes: Uint8Array, at: number, n: number, ring: Ring, seq: number,
  ): void {
    if (this.number === null) this.#putText(type, bytes, at, n, ring, seq);
    else if (this.count > 0) {
      this.number.decodeArray(bytes, at + this.byte, this.count, ring, seq);
    } else this.number.decodeCell(bytes, at + this.byte, ring, seq);
  }

  /** Byte of an element that the bit is in. */
  get byte(): number {
    return this.address.bit < 0 ? 0 : this.address.bit >> 3;
  }

  /** A structure is a STRING or one like it: handle, then length and characters. */
  #putText(
    type: number, bytes: Uint8Array, at: number, n: number, ring: Ring, seq: number,
  ): void {
    const text = type === STRUCT ? at + 2 : at;
    const length = lengthAt(type, bytes, text, at + n);
    if (length < 0 || length > this.#slot) {
      spoilCell(ring, this.tag.column, seq, ERROR.length);
    } else putSlot(ring, this.tag.column, seq, bytes, text + leadBytes(type), length);
  }
}

/** One sentence of what would be right for this tag, or null. */
export function tagProblem(tag: DriverTag): string | null {
  if (tag.type === "time" || /^(bytes|json)/.test(tag.type)) {
    return `A controller has no \`${tag.type}\`; read each member by its path`;
  }
  const address = orFault(() => parseAddress(tag.at, tag.type));
  if (address instanceof Fault) return address.message;
  if (slotOf(tag.type) > text_bytes_max) {
    return `${tag.type} is longer than one answer: at most text(${text_bytes_max})`;
  }
  const { elements, elementBytes } = new Field(tag);
  return arrayProblem(tag, elements * elementBytes, range_bytes_max, "bytes") ??
    stationProblem(tag, "EtherNet/IP") ?? numberProblem(tag, "EtherNet/IP") ??
    (tag.writable ? writeProblem(tag, address) : null);
}

/** A text that one answer has room for. */
const text_bytes_max = 400;

function writeProblem(tag: DriverTag, { bit }: Address): string | null {
  if (bytesOf(tag.type) === 0) return textProblem(tag);
  if (bit < 0) return null;
  return `\`${tag.at}\` is a bit of a word, which is not written alone: give it ` +
    'a BOOL tag of its own, or "access" must be "read"';
}

/** The type that a write names where the tag was never read. */
export const usualType = (tag: DriverTag): number =>
  (tag.type === "bool" ? BOOL : textRoom(tag.type) > 0 ? STRUCT : typesOf(tag.type)[0]!);
