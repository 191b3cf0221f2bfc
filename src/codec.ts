import type { Dyn, Ring } from "./ring.ts";
import { JsonDecoder } from "./codec/json-decode.ts";
import { JsonEncoder } from "./codec/json-encode.ts";
import { RowForm } from "./codec/row-form.ts";
import { TimeText, type TimeSettings } from "./codec/time-text.ts";

/** Bytes <-> rows. No sockets here: a codec reads and writes cells, somebody else moves bytes. */
export const formats = ["json", "cbor"] as const;
export type Format = (typeof formats)[number];

export { messageSettings } from "./codec/settings.ts";
export { cellOf, isMisfit } from "./codec/value.ts";

/**
 * Turns one row of its ring into one message: an object whose keys are the column names, or an
 * empty list if the row stands for a window without rows.
 */
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
   * `state` is that of every cell which was understood, `flags` are those of the rows. A message
   * of another format throws a Fault and leaves no row, except the ring-fulls that went before the
   * damage in an array. `meta` is what the message says of itself, for the column `$meta` of a ring
   * that has one.
   */
  decode(bytes: Uint8Array, time: number, state: number, meta?: Dyn, flags?: number): number;
  /** Rows that were refused, because the source is strict and a value was missing or wrong. */
  readonly refused: number;
  /** Why the newest of them. */
  readonly refusal: string;
}

/** What is known of the messages of a source; `messageSettings` are those of a configuration. */
export interface DecoderSettings extends TimeSettings {
  readonly format?: Format;
  /** The column whose value is the row's source time. */
  readonly time?: string | undefined;
  readonly strict?: boolean;
  /** A message of more rows throws a Fault, and none of them is published. */
  readonly rows_max?: number | undefined;
}

export interface EncoderSettings {
  readonly format: Format;
  /** Adds an object `quality` that names the state of every cell which is not good. */
  readonly quality: boolean;
  /** Adds an object `identity`: stream, epoch and number of the row. */
  readonly identity?: boolean;
}

// Loaded by the first stream or sink that speaks it: others pay no memory for the library.
const cborEncode = () =>
  require("./codec/cbor-encode.ts") as typeof import("./codec/cbor-encode.ts");
const cborDecode = () =>
  require("./codec/cbor-decode.ts") as typeof import("./codec/cbor-decode.ts");

export function createEncoder(from: Ring, settings: EncoderSettings): RowEncoder {
  const { format, quality, identity = false } = settings;
  return format === "json" ? new JsonEncoder(from, quality, identity)
    : new (cborEncode().CborEncoder)(from, quality, identity);
}

export function createDecoder(into: Ring, settings: DecoderSettings = {}): RowDecoder {
  const { format = "json", time = null, strict = false, rows_max = Infinity } = settings;
  const times = new TimeText(settings);
  const form = new RowForm(into, time, times, strict);
  return format === "json" ? new JsonDecoder(into, form, times, strict, rows_max)
    : new (cborDecode().CborDecoder)(into, form, times, strict, rows_max);
}
