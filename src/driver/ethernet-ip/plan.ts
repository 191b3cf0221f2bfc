import type { DriverTag } from "../../driver.ts";
import { planRanges, Range, type Packing, type RangesRequest } from "../wire/ranges.ts";
import { runsOf } from "../wire/runs.ts";
import {
  answer_bytes, message_bytes_max, offset_bytes, range_bytes_max, readRequest, several_bytes,
} from "./cip.ts";
import { Field } from "./codec.ts";
import { isAddress } from "./words.ts";

/** A tag, or neighbouring elements of one array, that are read together. */
export class ElementRange extends Range<Field> {
  /** First element, −1 = no array. */
  readonly from: number;
  readonly count: number;
  /** Bytes of one element, of a text the most that are expected. */
  readonly elementBytes: number;
  /** The read as it stands in a message. */
  readonly request: Uint8Array;

  constructor(fields: readonly Field[]) {
    super(fields);
    const { address, elementBytes } = fields[0]!;
    this.from = address.index;
    this.count = Math.max(...fields.map(endOf)) - address.index;
    this.elementBytes = elementBytes;
    this.request = readRequest(address.path, address.index, this.count);
  }

  get text(): string {
    const { base, bit } = this.fields[0]!.address;
    if (this.from >= 0) {
      const to = this.from + this.count - 1;
      return `${base}[${this.from}${to > this.from ? `..${to}` : ""}]`;
    }
    return bit < 0 ? base : `${base}.${bit}`;
  }

  /** What it takes in a message: of the request, and of the answer. */
  get requestBytes(): number {
    return this.request.length + offset_bytes;
  }

  get answerBytes(): number {
    return this.count * this.elementBytes + answer_bytes + offset_bytes;
  }

  isDivisible(code: number): boolean {
    return isAddress(code);
  }
}

export type CipRequest = RangesRequest<Field, ElementRange>;

/** Past the last element that a tag lies in. */
const endOf = ({ address, elements }: Field): number => address.index + elements;

/** Numbers, or bits of words, of one array: what can be read as one run of elements. */
function joins(first: Field, end: number, next: Field, gap: number): boolean {
  const [a, b] = [first.address, next.address];
  const alike = a.base === b.base && a.index >= 0 && b.index >= 0 && first.number !== null &&
    first.itemType === next.itemType && first.code === next.code;
  return alike && b.index - end <= gap &&
    (Math.max(end, endOf(next)) - a.index) * first.elementBytes <= range_bytes_max;
}

function rangesOf(fields: readonly Field[], gap: number): ElementRange[] {
  return runsOf(fields, endOf, (first, end, next) => joins(first, end, next, gap))
    .map((run) => new ElementRange(run.fields));
}

function startsOf(ranges: readonly ElementRange[], room: number): number[] {
  const starts = [0];
  let request = several_bytes, answer = several_bytes;
  for (let i = 0; i < ranges.length; i++) {
    const range = ranges[i]!;
    const full = request + range.requestBytes > room || answer + range.answerBytes > room;
    if (full && i > starts.at(-1)!) {
      starts.push(i);
      [request, answer] = [several_bytes, several_bytes];
    }
    request += range.requestBytes;
    answer += range.answerBytes;
  }
  return [...starts, ranges.length];
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Few messages for many tags, each with as many reads as it and its answer have room for. */
export function planReads(tags: readonly DriverTag[], gap: number): CipRequest[] {
  const packing: Packing<Field, ElementRange> = {
    join: (fields) => rangesOf(fields, gap),
    single: (field) => new ElementRange([field]),
    starts: startsOf,
  };
  const fields = tags.map((tag) => new Field(tag)).sort((a, b) =>
    compare(a.address.base, b.address.base) || a.address.index - b.address.index ||
    compare(a.itemType, b.itemType));
  return planRanges(fields, packing, message_bytes_max);
}
