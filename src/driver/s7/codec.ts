import { Fault, orFault } from "../../base.ts";
import type { DriverTag } from "../../driver.ts";
import {
  arrayOf, BAD, ERROR, GOOD, isTextType, slotOf, spoilCell, type Ring,
} from "../../ring.ts";
import { itemOf } from "../wire/array.ts";
import { stationProblem } from "../wire/target.ts";
import { putCharacters, textProblem, textRawBytes, textRoom } from "../wire/text.ts";
import { arrayProblem, bytesOf, NumberField, numberProblem, putSlot } from "../wire/value.ts";
import { itemPlace, parseAddress, parseOne, type Address } from "./address.ts";
import { item_bytes_max } from "./pdu.ts";
import { readTime } from "./time.ts";

/** One tag as the codec sees it: where it lies, and how its bytes become a cell. */
export class Field {
  readonly tag: DriverTag;
  readonly address: Address;
  /** Of an array that of its first item; null = no number. */
  readonly number: NumberField | null;
  /** Of an array; 0 = it is one value. */
  readonly count: number;
  /** Bytes of a text, or of bytes. */
  readonly #slot: number;
  /** Return code of the newest answer about it alone or with its neighbours; 0 = it was read. */
  code = 0;

  constructor(tag: DriverTag, address = parseAddress(tag.at, tag.type)) {
    this.tag = tag;
    this.address = address;
    const array = arrayOf(tag.type);
    this.count = array?.count ?? 0;
    this.#slot = slotOf(tag.type);
    const one = array === null ? tag : itemOf(tag, 0);
    this.number = bytesOf(one.type) === 0 ? null : new NumberField(one, "high first", address.bit);
  }

  /** The fields that an array is made of; of any other tag it alone. */
  get items(): readonly Field[] {
    const array = arrayOf(this.tag.type);
    if (array === null) return [this];
    const first = parseOne(this.tag.at, array.item);
    return Array.from({ length: array.count }, (_, i) =>
      new Field(itemOf(this.tag, i), itemPlace(first, i)));
  }

  get rawBytes(): number {
    return this.address.isString ? textRawBytes(this.tag.type) : this.address.bytes;
  }

  /**
   * A STRING that was read alone, as raw words; false = its room in the PLC is smaller than the
   * tag's, so that a text may be written over what stands behind it, or it is longer than the tag.
   */
  takeString(bytes: Uint8Array, at: number, raw: Uint8Array): boolean {
    const [room, n] = [bytes[at]!, bytes[at + 1]!];
    return textRoom(this.tag.type) <= room && n <= room &&
      putCharacters(raw, bytes, at + 2, at + 2 + n);
  }

  decodeCell(bytes: Uint8Array, at: number, ring: Ring, seq: number): void {
    if (this.count > 0) this.number!.decodeArray(bytes, at, this.count, ring, seq);
    else if (this.number !== null) this.number.decodeCell(bytes, at, ring, seq);
    else if (this.address.time === null) this.#putText(bytes, at, ring, seq);
    else this.#putTime(readTime(this.address.time, bytes, at), ring, seq);
  }

  #putTime(ms: number, ring: Ring, seq: number): void {
    const { column } = this.tag;
    if (Number.isNaN(ms)) return spoilCell(ring, column, seq, BAD.range);
    const { payload, state } = ring.columns[column]!;
    const row = seq & ring.mask;
    ring.arena.F[payload + row] = ms;
    ring.arena.U[state + row] = GOOD;
  }

  /** A STRING says its own room and length in two bytes; other texts end at a character 0. */
  #putText(bytes: Uint8Array, at: number, ring: Ring, seq: number): void {
    const { column } = this.tag;
    const slot = this.#slot;
    if (this.address.isString) {
      const [room, n] = [bytes[at]!, bytes[at + 1]!];
      if (n > room || n > slot) spoilCell(ring, column, seq, ERROR.length);
      else putSlot(ring, column, seq, bytes, at + 2, n);
      return;
    }
    let n = slot;
    if (isTextType(this.tag.type)) {
      for (n = 0; n < slot && bytes[at + n] !== 0; n++);
    }
    putSlot(ring, column, seq, bytes, at, n);
  }
}

/** One sentence of what would be right for this tag, or null. */
export function tagProblem(tag: DriverTag): string | null {
  if (tag.type.startsWith("json")) return "S7 has no `json`; read a text as text(n)";
  const address = orFault(() => parseAddress(tag.at, tag.type));
  if (address instanceof Fault) return address.message;
  const long = arrayProblem(tag, address.bytes, item_bytes_max, "bytes");
  if (long !== null) return long;
  if (address.bytes > item_bytes_max) {
    return `${tag.type} is longer than one read: at most ${item_bytes_max} bytes`;
  }
  return stationProblem(tag, "S7") ?? numberProblem(tag, "S7") ??
    (tag.writable ? writeProblem(tag, address) : null);
}

function writeProblem(tag: DriverTag, { area, isString }: Address): string | null {
  if (area === "I") {
    return `\`${tag.at}\` is an input, which the PLC reads itself: "access" must be "read"`;
  }
  if (bytesOf(tag.type) > 0) return null;
  return textProblem(tag) ?? (isString ? null : `\`${tag.at}\` is characters alone, of which ` +
    'nobody can tell how many are the text; a STRING can be written, else "access": "read"');
}
