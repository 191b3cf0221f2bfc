import type { Dyn, Ring } from "./ring.ts";
import { CborEncoder } from "./codec/cbor.ts";
import { JsonDecoder } from "./codec/json-decode.ts";
import { JsonEncoder } from "./codec/json-encode.ts";

/** Bytes <-> rows. No sockets here: a codec reads and writes cells, somebody else moves bytes. */
export const formats = ["json", "cbor"] as const;
export type Format = (typeof formats)[number];

export { cellOf, isMisfit } from "./codec/value.ts";

/** Turns one row of its ring into one message: an object whose keys are the column names. */
export interface RowEncoder {
  /** No row needs more. */
  readonly bytes_max: number;
  /** Appends row `seq` to `out` at `at`, where `bytes_max` bytes are free; gives the new end. */
  encode(seq: number, out: Uint8Array, at: number): number;
}

/** Turns one message into rows of its ring. */
export interface RowDecoder {
  /**
   * Publishes the rows of one message (an object, or an array of objects) and gives their number.
   * `state` is that of every cell which was understood. A message that is no JSON throws a
   * Fault and leaves no row, except the ring-fulls that went before the damage in an array. `meta`
   * is what the message says of itself, for the column `$meta` of a ring that has one.
   */
  decode(bytes: Uint8Array, time: number, state: number, meta?: Dyn): number;
}

export interface EncoderSettings {
  readonly format: Format;
  /** Adds an object `quality` that names the state of every cell which is not good. */
  readonly quality: boolean;
  /** Adds an object `identity`: stream, epoch and number of the row. */
  readonly identity?: boolean;
}

export function createEncoder(from: Ring, settings: EncoderSettings): RowEncoder {
  const { format, quality, identity = false } = settings;
  return format === "json" ? new JsonEncoder(from, quality, identity)
    : new CborEncoder(from, quality, identity);
}

/**
 * `timeColumn`: the column whose value is the row's source time, or null. A message of more than
 * `rows_max` rows throws a Fault, and none of them is published.
 */
export function createDecoder(
  into: Ring, timeColumn: string | null = null, rows_max = Infinity,
): RowDecoder {
  return new JsonDecoder(into, timeColumn, rows_max);
}
