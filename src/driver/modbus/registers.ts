import { Fault } from "../../base.ts";
import type { DriverTag, Server } from "../../driver.ts";
import { slotOf, type Ring } from "../../ring.ts";
import { isBits, type Area } from "./address.ts";
import type { Memory } from "./answer.ts";
import { decodeCell, decodeValue, encodeInto, Field } from "./codec.ts";
import { ILLEGAL_ADDRESS } from "./pdu.ts";
import { createServer } from "./serve.ts";

/** Who owns the registers that clients read and write. */
export interface RegisterHost {
  /** A client is about to be told what stands there: now is the time to put it. */
  reading(): void;
  /** One request of a client set all of these; `fill` puts a value into a row. */
  written(
    tags: readonly DriverTag[], fill: (tag: DriverTag, into: Ring, seq: number) => void,
  ): void;
}

/** Where a value stands: its bytes begin at `image[at]`. */
interface Spot {
  readonly field: Field;
  readonly image: Uint8Array;
  readonly at: number;
}

/** One area as it is read: two bytes a register, or one a bit. */
interface Table {
  readonly from: number;
  readonly to: number;
  readonly image: Uint8Array;
  /** What clients may write. */
  readonly writable: readonly Field[];
}

/**
 * Registers of ours for clients to read, and to write where a tag is writable: whole values only,
 * as half of one is none. Two tags may share a place, one that is read and one that is written.
 * Registers between them read 0.
 */
export class Registers implements Memory {
  readonly #station: number | null;
  readonly #host: RegisterHost;
  readonly #tables = new Map<Area, Table>();
  readonly #spots: ReadonlyMap<DriverTag, Spot>;
  /** Writable tags whose place shows what another tag has. */
  readonly #shadowed: ReadonlySet<Field>;

  /** `station` null: all are answered, as there is only one behind this address. */
  constructor(tags: readonly DriverTag[], station: number | null, host: RegisterHost) {
    this.#station = station;
    this.#host = host;
    const fields = tags.map((tag) => new Field(tag));
    for (const [area, all] of Map.groupBy(fields, ({ address }) => address.area)) {
      this.#tables.set(area, tableOf(area, all));
    }
    this.#spots = new Map(fields.map((field) => [field.tag, this.#spotOf(field)]));
    const shown = new Set(fields.filter(({ tag }) => !tag.writable).map(placeOf));
    this.#shadowed = new Set(fields.filter((field) =>
      field.tag.writable && shown.has(placeOf(field))));
    for (const { tag } of fields) if (!tag.writable) this.clear(tag);
  }

  /** For one connection. */
  accept(): Server {
    return createServer("tcp", null, this);
  }

  /** False: the registers cannot hold the value, and say so. */
  put(tag: DriverTag, value: number): boolean {
    const { field, image, at } = this.#spots.get(tag)!;
    try {
      encodeInto(field, value, image, at);
      return true;
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      this.clear(tag);
      return false;
    }
  }

  /** The text `bytes[from…from+n)`; false: it is longer than its registers. */
  putText(tag: DriverTag, bytes: Uint8Array, from: number, n: number): boolean {
    const { field: { form: { order } }, image, at } = this.#spots.get(tag)!;
    if (n > order.length) {
      this.clear(tag);
      return false;
    }
    for (let i = 0; i < order.length; i++) image[at + order[i]!] = i < n ? bytes[from + i]! : 0;
    return true;
  }

  /**
   * There is no value: NaN, the number that whole types have least use for (0x8000 of an int16,
   * 0xffff of a uint16), 0 of a bit, nothing of a text.
   */
  clear(tag: DriverTag): void {
    const { field: { form: { order }, bytes, address }, image, at } = this.#spots.get(tag)!;
    if (tag.type === "bool") {
      if (address.bit < 0) image[at] = 0;
      else image[at + (address.bit < 8 ? 1 : 0)]! &= ~(1 << (address.bit & 7));
      return;
    }
    image.fill(0, at, at + bytes);
    const [first, rest] = noValue(tag.type);
    for (let i = 0; i < order.length; i++) image[at + order[i]!] = i === 0 ? first : rest;
    if (tag.type.startsWith("float")) image[at + order[1]!] = tag.type === "float32" ? 0xc0 : 0xf8;
  }

  has(station: number): boolean {
    return this.#station === null || this.#station === station;
  }

  read(
    _station: number, area: Area, from: number, count: number, out: Uint8Array, to: number,
  ): number {
    const table = this.#tables.get(area);
    if (table === undefined || from < table.from || from + count > table.to) return ILLEGAL_ADDRESS;
    this.#host.reading();
    const { image } = table;
    const at = from - table.from;
    if (isBits(area)) {
      for (let i = 0; i < count; i++) out[to + (i >> 3)]! |= image[at + i]! << (i & 7);
    } else {
      for (let i = 0; i < count * 2; i++) out[to + i] = image[at * 2 + i]!;
    }
    return 0;
  }

  write(
    _station: number, area: Area, from: number, count: number, data: Uint8Array, at: number,
  ): number {
    const fields = this.#wholly(area, from, count);
    if (fields === null) return ILLEGAL_ADDRESS;
    const placeIn = ({ address }: Field): number =>
      at + (address.from - from) * (isBits(area) ? 1 : 2);
    for (const field of fields) {
      if (!this.#shadowed.has(field)) this.#keep(field, data, placeIn(field));
    }
    this.#host.written(fields.map(({ tag }) => tag), (tag, into, seq) => {
      const { field } = this.#spots.get(tag)!;
      decodeCell(field.form, into.columns[tag.column]!, data, placeIn(field), into, seq);
    });
    return 0;
  }

  /** The writable values of a range; null: they do not fill it, or it cuts one. */
  #wholly(area: Area, from: number, count: number): Field[] | null {
    const writable = this.#tables.get(area)?.writable ?? [];
    const end = from + count;
    const fields = writable.filter(({ address }) =>
      address.from < end && address.from + address.count > from);
    let filled = from;
    for (const { address } of fields) {
      const to = address.from + address.count;
      // Bits of one register follow each other.
      if (address.from > filled || address.from < from || to > end) return null;
      filled = to;
    }
    return filled === end ? fields : null;
  }

  /** What was written is what is read from now on; a bit leaves the others of its register. */
  #keep(field: Field, data: Uint8Array, from: number): void {
    const { image, at } = this.#spots.get(field.tag)!;
    if (field.address.bit >= 0) encodeInto(field, decodeValue(field, data, from), image, at);
    else for (let i = 0; i < field.bytes; i++) image[at + i] = data[from + i]!;
  }

  #spotOf(field: Field): Spot {
    const { area, from } = field.address;
    const { from: first, image } = this.#tables.get(area)!;
    return { field, image, at: (from - first) * (isBits(area) ? 1 : 2) };
  }
}

function tableOf(area: Area, fields: readonly Field[]): Table {
  const from = Math.min(...fields.map(({ address }) => address.from));
  const to = Math.max(...fields.map(({ address }) => address.from + address.count));
  return {
    from, to, image: new Uint8Array((to - from) * (isBits(area) ? 1 : 2)),
    writable: fields.filter(({ tag }) => tag.writable)
      .sort((a, b) => a.address.from - b.address.from),
  };
}

const placeOf = ({ address: { area, from, bit } }: Field): string => `${area} ${from} ${bit}`;

/** First and further bytes of what stands for "none", most significant first. */
function noValue(type: DriverTag["type"]): readonly [first: number, rest: number] {
  if (slotOf(type) > 0) return [0, 0];
  if (type.startsWith("float")) return [0x7f, 0];
  return type.startsWith("u") || type === "time" ? [0xff, 0xff] : [0x80, 0];
}
