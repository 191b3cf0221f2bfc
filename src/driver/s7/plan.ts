import type { DriverTag } from "../../driver.ts";
import type { Ring } from "../../ring.ts";
import { planRanges, Range, type Packing, type RangesRequest } from "../wire/ranges.ts";
import { runsOf } from "../wire/runs.ts";
import type { Area } from "./address.ts";
import { Field } from "./codec.ts";
import { fits, itemBytes, item_bytes_max, pdu_bytes_max, type Place } from "./pdu.ts";
import { PAST_THE_END } from "./words.ts";

/** A place of a request costs 12 bytes, its item 4: past some such gaps a place more is cheaper. */
export const gap_bytes_max = 64;

/** Bytes that are read together: the tags in them, in the order of their addresses. */
export class ByteRange extends Range<Field> implements Place {
  readonly area: Area;
  readonly db: number;
  readonly from: number;
  readonly count: number;
  readonly bit = -1;

  constructor(fields: readonly Field[], end: number) {
    super(fields);
    const { area, db, from } = fields[0]!.address;
    this.area = area;
    this.db = db;
    this.from = from;
    this.count = end - from;
  }

  get text(): string {
    const { area, db, from, count } = this;
    const name = area === "DB" ? `DB${db}.DBB` : `${area}B`;
    return count === 1 ? `${name}${from}` : `${name}${from}..${from + count - 1}`;
  }

  /** A block that is not there has no part that could be read. */
  isDivisible(code: number): boolean {
    return code === PAST_THE_END;
  }

  /** The item's data, straight into the cells of row `seq`. */
  decode(data: Uint8Array, at: number, ring: Ring, seq: number): void {
    for (let i = 0; i < this.fields.length; i++) {
      const field = this.fields[i]!;
      field.decodeCell(data, at + field.address.from - this.from, ring, seq);
    }
  }
}

export type S7Request = RangesRequest<Field, ByteRange>;

const endOf = ({ address }: Field): number => address.from + address.bytes;

/** Joins neighbours while the gap is small and the range fits every PDU. */
function rangesOf(fields: readonly Field[], gap: number): ByteRange[] {
  return runsOf(fields, endOf, ({ address: { area, db, from }, code }, end, next) =>
    area === next.address.area && db === next.address.db && code === next.code &&
    next.address.from - end <= gap && Math.max(end, endOf(next)) - from <= item_bytes_max)
    .map((run) => new ByteRange(run.fields, run.end));
}

function startsOf(ranges: readonly ByteRange[], pdu: number): number[] {
  const starts = [0];
  let answer = 0;
  for (let i = 0; i < ranges.length; i++) {
    const bytes = itemBytes(ranges[i]!.count);
    const first = starts.at(-1)!;
    if (i > first && !fits(pdu, i - first + 1, answer + bytes)) {
      starts.push(i);
      answer = 0;
    }
    answer += bytes;
  }
  return [...starts, ranges.length];
}

const area_order: Readonly<Record<Area, number>> = { DB: 0, M: 1, I: 2, Q: 3 };

/** Reads of up to the largest PDU's items; a PLC that grants less is asked in several telegrams. */
export function planReads(tags: readonly DriverTag[], gap: number): S7Request[] {
  const packing: Packing<Field, ByteRange> = {
    join: (fields) => rangesOf(fields, gap),
    single: (field) => new ByteRange([field], endOf(field)),
    starts: startsOf,
  };
  const fields = tags.map((tag) => new Field(tag)).sort((a, b) =>
    area_order[a.address.area] - area_order[b.address.area] ||
    a.address.db - b.address.db || a.address.from - b.address.from);
  return planRanges(fields, packing, pdu_bytes_max);
}
