import type { DriverTag, Request } from "../../driver.ts";
import type { Ring } from "../../ring.ts";
import type { Area } from "./address.ts";
import { Field } from "./codec.ts";
import { fits, itemBytes, item_bytes_max, pdu_bytes_max, type Place } from "./pdu.ts";

/** A place of a request costs 12 bytes, its item 4: past some such gaps a place more is cheaper. */
export const gap_bytes_max = 64;
/** A range that was refused as a whole is tried tag by tag again after so many polls. */
const polls_refused_max = 100;
/** The only refusal that says of a range that a part of it may be readable. */
const PAST_THE_END = 0x05;

/** Bytes that are read together: the tags in them, in the order of their addresses. */
export class Range implements Place {
  readonly area: Area;
  readonly db: number;
  readonly from: number;
  readonly count: number;
  readonly bit = -1;
  readonly fields: readonly Field[];
  /** Return code of the newest answer, 0 = it was read. */
  code = 0;
  /** Polls that it is still refused as a whole, before its tags are tried one by one. */
  #patience: number;

  constructor(fields: readonly Field[], end: number) {
    const { address: { area, db, from }, code } = fields[0]!;
    this.code = code;
    this.#patience = code === 0 ? 0 : polls_refused_max;
    this.area = area;
    this.db = db;
    this.from = from;
    this.count = end - from;
    this.fields = fields;
  }

  /** Some of its tags may be readable, and it is time to find out. */
  get isToDivide(): boolean {
    return this.code === PAST_THE_END && this.fields.length > 1 && this.#patience === 0;
  }

  /** Once a poll: the same, and time goes on. */
  ask(): boolean {
    if (this.isToDivide) return true;
    if (this.#patience > 0) this.#patience -= 1;
    return false;
  }

  get text(): string {
    const { area, db, from, count } = this;
    const name = area === "DB" ? `DB${db}.DBB` : `${area}B`;
    return count === 1 ? `${name}${from}` : `${name}${from}..${from + count - 1}`;
  }

  /** The item's data, straight into the cells of row `seq`. */
  decode(data: Uint8Array, at: number, ring: Ring, seq: number): void {
    for (let i = 0; i < this.fields.length; i++) {
      const field = this.fields[i]!;
      field.decodeCell(data, at + field.address.from - this.from, ring, seq);
    }
  }
}

const endOf = ({ address }: Field): number => address.from + address.bytes;

/** Joins neighbours while the gap is small, the range fits a PDU, and one refusal covers them. */
function rangesOf(fields: readonly Field[], gap: number): Range[] {
  const ranges: Range[] = [];
  let open: Field[] = [];
  let end = 0;
  for (const field of fields) {
    const first = open[0];
    const joins = first !== undefined && first.address.area === field.address.area &&
      first.address.db === field.address.db && first.code === field.code &&
      field.address.from - end <= gap &&
      Math.max(end, endOf(field)) - first.address.from <= item_bytes_max;
    if (!joins && first !== undefined) ranges.push(new Range(open, end));
    open = joins ? [...open, field] : [field];
    end = joins ? Math.max(end, endOf(field)) : endOf(field);
  }
  if (open.length > 0) ranges.push(new Range(open, end));
  return ranges;
}

/**
 * One read of up to the largest PDU's items. The session sends it in as many telegrams as the PLC's
 * own PDU asks for. A range that runs past the end of its block is read tag by tag in the next
 * poll, and in the one after that joined anew around those that are not there.
 */
export class S7Request implements Request {
  readonly station: number;
  readonly tags: readonly DriverTag[];
  readonly text: string;
  readonly #fields: readonly Field[];
  readonly #gap: number;
  #ranges: readonly Range[];
  /** First range of each telegram, and one past the last. */
  #parts: readonly number[] = [];
  #pdu = 0;
  /** Tags were read one by one: they are joined again by what was answered. */
  #apart = false;

  constructor(ranges: readonly Range[], gap: number) {
    this.#ranges = ranges;
    this.#gap = gap;
    this.#fields = ranges.flatMap((range) => range.fields);
    this.tags = this.#fields.map((field) => field.tag);
    this.station = this.tags[0]!.station;
    this.text = ranges.map((range) => range.text).join(", ");
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  /** Where each telegram's ranges begin, where the PLC grants this PDU. */
  parts(pdu: number): readonly number[] {
    if (pdu !== this.#pdu) {
      this.#pdu = pdu;
      this.#parts = partsOf(this.#ranges, pdu);
    }
    return this.#parts;
  }

  /** All telegrams were answered: what could not be read together is read apart next time. */
  end(): void {
    if (this.#apart) {
      this.#apart = false;
      // Without a culprit the PLC takes no range of this length: they stay apart.
      const culprit = this.#fields.some((field) => field.code !== 0);
      if (culprit) this.#replace(rangesOf(this.#fields, this.#gap));
      return;
    }
    let divides = false;
    for (let i = 0; i < this.#ranges.length; i++) divides = this.#ranges[i]!.ask() || divides;
    if (!divides) return;
    this.#replace(this.#ranges.flatMap((range) => (range.isToDivide
      ? range.fields.map((field) => new Range([field], endOf(field))) : [range])));
    this.#apart = true;
  }

  #replace(ranges: readonly Range[]): void {
    this.#ranges = ranges;
    this.#pdu = 0;
  }
}

function partsOf(ranges: readonly Range[], pdu: number): number[] {
  const parts = [0];
  let answer = 0;
  for (let i = 0; i < ranges.length; i++) {
    const bytes = itemBytes(ranges[i]!.count);
    const first = parts.at(-1)!;
    if (i > first && !fits(pdu, i - first + 1, answer + bytes)) {
      parts.push(i);
      answer = 0;
    }
    answer += bytes;
  }
  return [...parts, ranges.length];
}

const area_order: Readonly<Record<Area, number>> = { DB: 0, M: 1, I: 2, Q: 3 };

/** Few reads for many tags; a tag is never divided between two. */
export function planReads(tags: readonly DriverTag[], gap: number): S7Request[] {
  const fields = tags.map((tag) => new Field(tag)).sort((a, b) =>
    a.tag.station - b.tag.station ||
    area_order[a.address.area] - area_order[b.address.area] ||
    a.address.db - b.address.db || a.address.from - b.address.from);
  const requests: S7Request[] = [];
  const ranges = rangesOf(fields, gap);
  const parts = partsOf(ranges, pdu_bytes_max);
  for (let i = 1; i < parts.length; i++) {
    const of = ranges.slice(parts[i - 1], parts[i]);
    if (of.length > 0) requests.push(new S7Request(of, gap));
  }
  return requests;
}
