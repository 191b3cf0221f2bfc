// The entry without a native addon: an addon cannot be embedded in the executable.
import { Encoder } from "cbor-x/index-no-eval";
import { parseJson } from "../base.ts";
import type { RowEncoder } from "../codec.ts";
import {
  type Column, type Dyn, DynReader, FLAG, GOOD, isUncertain, readCell, type Ring, spread_name,
  stateName,
} from "../ring.ts";

/**
 * Plain maps with text keys (RFC 8949), which every CBOR reader takes; the library's types do not
 * know the last of these.
 */
const settings = {
  useRecords: false, variableMapSize: true, tagUint8Array: false, useTag259ForMaps: false,
};
const encoder = new Encoder(settings);

/** An array of no items (RFC 8949, 3.1). */
const empty_array = 0x80;

const dyns = new DynReader();

/** Of an object; as the text of its JSON, or as it is. */
function fieldsOf(value: Dyn): Iterable<[string, Dyn]> {
  if (value instanceof Map) return shorter(value) as ReadonlyMap<string, Dyn>;
  return typeof value === "string"
    ? Object.entries(parseJson(value) as Record<string, Dyn>) : [];
}

/** The library writes each bigint as 64 bits; small whole numbers are shorter as numbers. */
function shorter(value: Dyn): Dyn {
  if (typeof value === "bigint") {
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }
  if (Array.isArray(value)) return (value as readonly Dyn[]).map(shorter);
  if (!(value instanceof Map)) return value;
  const fields = value as ReadonlyMap<string, Dyn>;
  return new Map([...fields].map(([name, item]) => [name, shorter(item)]));
}

/**
 * Writes rows as CBOR maps. A cell without a usable value is null, as in JSON. `json` cells stay
 * text: a reader that wants their inside parses them; arrays and objects are arrays and maps.
 */
export class CborEncoder implements RowEncoder {
  readonly bytes_max: number;
  readonly #ring: Ring;
  readonly #quality: boolean;
  readonly #identity: boolean;

  constructor(ring: Ring, quality: boolean, identity: boolean) {
    this.#ring = ring;
    this.#quality = quality;
    this.#identity = identity;
    // Heads are at most 9 bytes; a text that is not UTF-8 grows to three bytes a byte.
    this.bytes_max = ring.shown.reduce((sum, column) =>
      sum + 18 + Buffer.byteLength(column.name) * 2 + 40 + column.slot * 3,
    32 + (identity ? 80 + Buffer.byteLength(ring.name) : 0));
  }

  encode(seq: number, out: Uint8Array, at: number): number {
    const { shown, mask, flagsAt, arena: { U } } = this.#ring;
    if ((U[flagsAt + (seq & mask)]! & FLAG.empty) !== 0) {
      out[at] = empty_array;
      return at + 1;
    }
    const row: Record<string, Dyn | Record<string, string | number>> = {};
    const quality: Record<string, string> = {};
    let worst = GOOD;
    for (const column of shown) {
      const state = U[column.state + (seq & mask)]!;
      const value = state === GOOD || isUncertain(state) ? this.#value(column, seq) : null;
      if (column.name === spread_name) {
        // Its fields stand beside the columns, which come after them and win.
        for (const [name, item] of fieldsOf(value)) row[name] ??= item;
        continue;
      }
      row[column.name] = value;
      if (state !== GOOD) quality[column.name] = stateName(state);
      worst |= state;
    }
    if (this.#quality && worst !== GOOD) row["quality"] = quality;
    if (this.#identity) {
      const { name: stream, numbering } = this.#ring;
      row["identity"] = { stream, epoch: numbering.epoch, number: numbering.of(seq) };
    }
    const bytes = encoder.encode(row);
    out.set(bytes, at);
    return at + bytes.length;
  }

  /** As it is in CBOR too, where it has no fixed type. */
  #value(column: Column, seq: number): Dyn {
    if (column.kind !== "dyn") return shorter(readCell(this.#ring, column, seq));
    const { arena, mask } = this.#ring;
    return shorter(dyns.read(arena.U, column.payload + (seq & mask) * column.stride));
  }
}
