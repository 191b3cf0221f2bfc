import type { Encoder } from "cbor-x/index-no-eval";
import type { RowEncoder } from "../codec.ts";
import {
  GOOD, isUncertain, readCell, spread_name, stateName, type CellValue, type Ring,
} from "../ring.ts";

let library: Encoder | undefined;

/**
 * Plain maps with text keys (RFC 8949), which every CBOR reader takes. Loaded by the first sink
 * that has them, in the entry without a native addon: one cannot be embedded in the executable.
 */
function loadLibrary(): Encoder {
  const cbor = require("cbor-x/index-no-eval") as typeof import("cbor-x/index-no-eval");
  return new cbor.Encoder({ useRecords: false, variableMapSize: true, tagUint8Array: false });
}

/** Of an object, given as the text of its JSON. */
function fieldsOf(value: CellValue): Record<string, CellValue> {
  return typeof value === "string" ? JSON.parse(value) as Record<string, CellValue> : {};
}

/**
 * Writes rows as CBOR maps. A cell without a usable value is null, as in JSON. `json` cells stay
 * text: a reader that wants their inside parses them.
 */
export class CborEncoder implements RowEncoder {
  readonly bytes_max: number;
  readonly #library: Encoder;
  readonly #ring: Ring;
  readonly #quality: boolean;
  readonly #identity: boolean;

  constructor(ring: Ring, quality: boolean, identity: boolean) {
    this.#library = library ??= loadLibrary();
    this.#ring = ring;
    this.#quality = quality;
    this.#identity = identity;
    // Heads are at most 9 bytes; a text that is not UTF-8 grows to three bytes a byte.
    this.bytes_max = ring.shown.reduce((sum, column) =>
      sum + 18 + Buffer.byteLength(column.name) * 2 + 40 + column.slot * 3,
    32 + (identity ? 80 + Buffer.byteLength(ring.name) : 0));
  }

  encode(seq: number, out: Uint8Array, at: number): number {
    const { shown, mask } = this.#ring;
    const row: Record<string, CellValue | Record<string, string | number>> = {};
    const quality: Record<string, string> = {};
    let worst = GOOD;
    for (const column of shown) {
      const state = this.#ring.arena.U[column.state + (seq & mask)]!;
      const value = state === GOOD || isUncertain(state) ? readCell(this.#ring, column, seq) : null;
      if (column.name === spread_name) {
        // Its fields stand beside the columns, which come after them and win.
        for (const [name, item] of Object.entries(fieldsOf(value))) row[name] ??= item;
        continue;
      }
      // cbor-x writes a bigint as 64-bit integer; small ones are shorter as numbers.
      row[column.name] = typeof value === "bigint" && Number.isSafeInteger(Number(value))
        ? Number(value) : value;
      if (state !== GOOD) quality[column.name] = stateName(state);
      worst |= state;
    }
    if (this.#quality && worst !== GOOD) row["quality"] = quality;
    if (this.#identity) {
      const { name: stream, numbering } = this.#ring;
      row["identity"] = { stream, epoch: numbering.epoch, number: numbering.of(seq) };
    }
    const bytes = this.#library.encode(row);
    out.set(bytes, at);
    return at + bytes.length;
  }
}
