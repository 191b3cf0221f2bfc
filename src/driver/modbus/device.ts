import { Fault } from "../../base.ts";
import type { DriverTag, ServeHost } from "../../driver.ts";
import { isTextType, slotOf } from "../../ring.ts";
import { isBits, type Area } from "./address.ts";
import type { Memory } from "./answer.ts";
import { decodeText, decodeValue, encodeInto, Field, putText } from "./codec.ts";
import { DEVICE_FAILURE, get16, ILLEGAL_ADDRESS, ILLEGAL_VALUE } from "./pdu.ts";

/** One table of one station: the configured tags and the range they span. */
interface Table {
  readonly fields: Field[];
  from: number;
  to: number;
}

/** The simulated device of a link: between its configured tags registers read 0. */
export class Device implements Memory {
  readonly #host: ServeHost;
  readonly #stations = new Map<number, Map<Area, Table>>();

  constructor(tags: readonly DriverTag[], host: ServeHost) {
    this.#host = host;
    for (const tag of tags) for (const field of new Field(tag).items) this.#add(field);
    // Single bits come after the registers that they are part of.
    for (const tables of this.#stations.values()) {
      for (const table of tables.values()) {
        table.fields.sort((a, b) => a.address.bit - b.address.bit);
      }
    }
  }

  has(station: number): boolean {
    return this.#stations.has(station);
  }

  /** A register becomes (it and `and`) or (`or` and not `and`); tags of other bits stay. */
  mask(station: number, register: number, masks: Uint8Array, at: number): number {
    const table = this.#table(station, "holding", register, 1);
    if (table === null) return ILLEGAL_ADDRESS;
    const one = new Uint8Array(256);
    for (const field of table.fields) {
      const { from, count, bit } = field.address;
      const place = (register - from) * 2;
      if (place < 0 || place >= count * 2) continue;
      if (bit >= 0 && (get16(masks, at) >> bit & 1) === 1) continue;
      if (slotOf(field.tag.type) > 0) return ILLEGAL_ADDRESS;
      if (!this.#put(field, one)) return DEVICE_FAILURE;
      for (const i of [0, 1].filter((byte) => place + byte < field.bytes)) {
        const [and, or] = [masks[at + i]!, masks[at + 2 + i]!];
        one[place + i] = (one[place + i]! & and) | (or & ~and);
      }
      if (!this.#host.written(field.tag, decodeValue(field, one))) return ILLEGAL_VALUE;
    }
    return 0;
  }

  read(
    station: number, area: Area, from: number, count: number, out: Uint8Array, to: number,
  ): number {
    const bits = isBits(area);
    const table = this.#table(station, area, from, count);
    if (table === null) return ILLEGAL_ADDRESS;
    const one = new Uint8Array(256);
    for (const field of table.fields) {
      const place = field.address.from - from;
      if (place >= count || place + field.address.count <= 0) continue;
      // The field's registers as they are so far, because a bit changes only itself.
      const spot = to + place * 2;
      if (!bits && field.address.bit >= 0) one.set(out.subarray(spot, spot + 2));
      if (!this.#put(field, one)) return DEVICE_FAILURE;
      if (bits) {
        out[to + (place >> 3)]! |= one[0]! << (place & 7);
        continue;
      }
      for (let i = 0; i < field.bytes; i++) {
        const byte = place * 2 + i;
        if (byte >= 0 && byte < count * 2) out[to + byte] = one[i]!;
      }
    }
    return 0;
  }

  write(
    station: number, area: Area, from: number, count: number, data: Uint8Array, at: number,
  ): number {
    const table = this.#table(station, area, from, count);
    if (table === null) return ILLEGAL_ADDRESS;
    const width = isBits(area) ? 1 : 2;
    const one = new Uint8Array(256);
    for (const field of table.fields) {
      const place = (field.address.from - from) * width;
      if (place >= count * width || place + field.bytes <= 0) continue;
      const isText = isTextType(field.tag.type);
      if (!isText && slotOf(field.tag.type) > 0) return ILLEGAL_ADDRESS;
      // Registers of the tag that are not written keep what they have.
      if (!this.#put(field, one)) return DEVICE_FAILURE;
      for (let i = 0; i < field.bytes; i++) {
        const byte = place + i;
        if (byte >= 0 && byte < count * width) one[i] = data[at + byte]!;
      }
      const value = isText ? decodeText(field, one) : decodeValue(field, one);
      if (!this.#host.written(field.tag, value)) return ILLEGAL_VALUE;
    }
    return 0;
  }

  #add(field: Field): void {
    const { tag: { station }, address: { area, from, count } } = field;
    let tables = this.#stations.get(station);
    if (tables === undefined) this.#stations.set(station, (tables = new Map()));
    let table = tables.get(area);
    if (table === undefined) tables.set(area, (table = { fields: [], from, to: from }));
    table.fields.push(field);
    table.from = Math.min(table.from, from);
    table.to = Math.max(table.to, from + count);
  }

  /** The wire bytes of a tag's value now. False = the device has none. */
  #put(field: Field, into: Uint8Array): boolean {
    const value = this.#host.value(field.tag);
    if (value === null) return false;
    if (slotOf(field.tag.type) > 0) {
      putText(field, new TextEncoder().encode(String(value)), into);
      return true;
    }
    try {
      encodeInto(field, Number(value), into, 0);
      return true;
    } catch (thrown) {
      // A value that the registers cannot hold is trouble of the simulated device.
      if (thrown instanceof Fault) return false;
      throw thrown;
    }
  }

  #table(station: number, area: Area, from: number, count: number): Table | null {
    const table = this.#stations.get(station)?.get(area);
    if (table === undefined || from < table.from || from + count > table.to) return null;
    return table;
  }
}
