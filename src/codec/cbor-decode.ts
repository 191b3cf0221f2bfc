import { isUtf8 } from "node:buffer";
// The entry without a native addon: an addon cannot be embedded in the executable.
import { Decoder, Tag } from "cbor-x/index-no-eval";
import { Fault, reason, textOfBytes } from "../base.ts";
import type { RowDecoder } from "../codec.ts";
import {
  type Column, type ColumnKind, type Dyn, ERROR, type Fallback, jsonOfDyn, meta_name, type Ring,
  type Shape,
  UNCERTAIN, writeCell,
} from "../ring.ts";
import type { RowForm } from "./row-form.ts";
import type { TimeText } from "./time-text.ts";

const decoder = new Decoder({ useRecords: false, mapsAsObjects: false });
const encoder = new TextEncoder();
/** Structures inside each other at most. */
const depth_max = 64;

type Fields = ReadonlyMap<string, Dyn>;
const isFields = (value: Dyn | undefined): value is Fields => value instanceof Map;

/**
 * Reads CBOR (RFC 8949). Unlike JSON it tells bytes, times and whole numbers apart. Of a text no
 * base64 is read: what is bytes comes as bytes, and a text in their place is its UTF-8.
 */
export class CborDecoder implements RowDecoder {
  readonly #ring: Ring;
  readonly #form: RowForm;
  readonly #fit: Fitting;
  readonly #rows_max: number;

  constructor(ring: Ring, form: RowForm, times: TimeText, strict: boolean, rows_max: number) {
    this.#ring = ring;
    this.#form = form;
    this.#fit = new Fitting(times, strict);
    this.#rows_max = rows_max;
  }

  get refused(): number {
    return this.#form.refused;
  }

  get refusal(): string {
    return this.#form.refusal;
  }

  decode(
    bytes: Uint8Array, time: number, state: number, meta: Dyn = null, flags = 0,
  ): number {
    this.#form.about = meta;
    const message = messageOf(bytes);
    const list = Array.isArray(message) ? message as readonly Dyn[] : [message];
    if (!list.every(isFields)) {
      throw new Fault("cbor-malformed", "The message is no map and no array of maps");
    }
    if (list.length > this.#rows_max) {
      const { length: rows } = list;
      throw new Fault("cbor-rows", `A message of more than ${this.#rows_max} rows`, { rows });
    }
    const ring = this.#ring;
    let rows = 0;
    for (const fields of list) {
      const ahead = rows % ring.rows;
      ring.claim(ahead + 1);
      const seq = ring.head + ahead;
      this.#cells(seq, fields, state);
      if (!this.#form.end(seq, time, state, flags)) continue;
      rows++;
      // More rows than the ring holds: readers get what they can, and count what they lose.
      if (rows % ring.rows === 0) ring.publish(ring.rows);
    }
    ring.publish(rows % ring.rows);
    return rows;
  }

  #cells(seq: number, fields: Fields, state: number): void {
    const ring = this.#ring;
    this.#form.begin(seq & ring.mask);
    for (const column of ring.columns) {
      if (column.name === meta_name) continue;
      const at = column.state + (seq & ring.mask);
      const value = within(fields, column.path);
      if (value === undefined) continue;
      if (value instanceof Misfit) {
        ring.arena.U[at] = value.state;
        continue;
      }
      this.#fit.substituted = false;
      const cell = this.#fit.cell(value, column);
      const understood = this.#fit.substituted ? UNCERTAIN.substituted : state;
      if (cell instanceof Misfit) ring.arena.U[at] = cell.state;
      else writeCell(ring, column, seq, cell, understood);
    }
  }
}

function messageOf(bytes: Uint8Array): Dyn {
  try {
    return dynOf(decoder.decode(bytes), 0);
  } catch (thrown) {
    if (thrown instanceof Fault) throw thrown;
    throw new Fault("cbor-malformed", `No CBOR: ${reason(thrown)}`);
  }
}

/** A value as the library gives it. */
function dynOf(value: unknown, depth: number): Dyn {
  if (depth > depth_max) {
    throw new Fault("cbor-malformed", `More than ${depth_max} containers in each other`);
  }
  if (value === undefined || value === null) return null;
  if (typeof value === "bigint") {
    return BigInt.asIntN(64, value) === value ? value : Number(value);
  }
  if (typeof value !== "object") return value as Dyn;
  if (value instanceof Date || value instanceof Uint8Array) return value;
  // A tag says what a value is for; what it is stands in it.
  if (value instanceof Tag) return dynOf(value.value, depth + 1);
  if (value instanceof Map) {
    return new Map([...value].map(([key, item]) => [String(key), dynOf(item, depth + 1)]));
  }
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array);
  if (Array.isArray(value)) return value.map((item) => dynOf(item, depth + 1));
  throw new Fault("cbor-malformed", "The message has a value that is no data");
}

/** A value that cannot stand where it is wanted: the state of the cell. */
class Misfit {
  readonly state: number;
  constructor(state: number) {
    this.state = state;
  }
}

/** What stands there; undefined: nothing does. */
function within(fields: Fields, path: readonly string[]): Dyn | undefined | Misfit {
  let value: Dyn | undefined = fields;
  for (const name of path) {
    if (value === null) return null;
    if (!isFields(value)) return new Misfit(ERROR.argument);
    value = value.get(name);
    if (value === undefined) return undefined;
  }
  return value;
}

/** Values as their columns and forms want them. */
class Fitting {
  /** A field that was not there was replaced by its default. */
  substituted = false;
  readonly #times: TimeText;
  readonly #strict: boolean;

  constructor(times: TimeText, strict: boolean) {
    this.#times = times;
    this.#strict = strict;
  }

  cell(value: Dyn, { kind, shape }: Column): Dyn | Misfit {
    if (value === null) return null;
    return shape === null ? this.#kind(value, kind) : this.#shape(value, shape);
  }

  #kind(value: Dyn, kind: ColumnKind): Dyn | Misfit {
    const number = typeof value === "number" || typeof value === "bigint";
    switch (kind) {
      case "float64": return number ? Number(value) : new Misfit(ERROR.type);
      // The ring looks at their range and fraction.
      case "int53": case "int64": return number ? value : new Misfit(ERROR.type);
      case "bool": return typeof value === "boolean" ? value : new Misfit(ERROR.type);
      case "time": return number ? Number(value) : this.#time(value);
      case "text":
        if (value instanceof Uint8Array && isUtf8(value)) return textOfBytes(value);
        return typeof value === "string" ? value : new Misfit(ERROR.type);
      case "bytes":
        if (typeof value === "string") return encoder.encode(value);
        return value instanceof Uint8Array ? value : new Misfit(ERROR.type);
      case "json": return jsonOfDyn(value);
      case "dyn": return value;
    }
  }

  #time(value: Dyn): number | Misfit {
    const ms = value instanceof Date ? value.getTime()
      : typeof value === "string" ? this.#times.readText(value) : null;
    if (ms === null) return new Misfit(ERROR.type);
    return Number.isNaN(ms) ? new Misfit(ERROR.parse) : ms;
  }

  #shape(value: Dyn, shape: Shape): Dyn | Misfit {
    if (value === null) return this.#strict && shape.of === "value" ? new Misfit(ERROR.type) : null;
    switch (shape.of) {
      case "value": return this.#value(value, shape);
      case "array": {
        if (!Array.isArray(value)) return new Misfit(ERROR.type);
        const items = (value as readonly Dyn[]).map((item) => this.#shape(item, shape.item));
        return items.find((item) => item instanceof Misfit) ?? items as Dyn[];
      }
      case "struct": return isFields(value) ? this.#struct(value, shape.fields)
        : new Misfit(ERROR.type);
    }
  }

  #struct(value: Fields, fields: (Shape & { of: "struct" })["fields"]): Dyn | Misfit {
    const made = new Map<string, Dyn>();
    for (const { name, shape, fallback } of fields) {
      const found = value.get(name);
      const field = found === undefined ? this.#missing(fallback, shape)
        : this.#shape(found, shape);
      if (field instanceof Misfit) return field;
      made.set(name, field);
    }
    return made;
  }

  #missing(fallback: Fallback | undefined, shape: Shape): Dyn | Misfit {
    if (fallback === undefined) return this.#strict ? new Misfit(ERROR.type) : null;
    this.substituted = true;
    return shape.of === "value" && isWhole(shape.kind) ? BigInt(fallback) : fallback;
  }

  /** As it stands in a structure: whole numbers and times are told from floats. */
  #value(value: Dyn, { kind, slot }: Shape & { of: "value" }): Dyn | Misfit {
    if (kind === "json") return value;
    const fitted = this.#kind(value, kind);
    if (fitted instanceof Misfit) return fitted;
    if (kind === "time") return new Date(fitted as number);
    if (isWhole(kind)) return whole(fitted as number | bigint, kind);
    const bytes = typeof fitted === "string" ? encoder.encode(fitted).length
      : fitted instanceof Uint8Array ? fitted.length : 0;
    return bytes > slot ? new Misfit(ERROR.length) : fitted;
  }
}

const isWhole = (kind: ColumnKind): boolean => kind === "int53" || kind === "int64";

function whole(value: number | bigint, kind: ColumnKind): bigint | Misfit {
  if (typeof value === "number" && !Number.isInteger(value)) return new Misfit(ERROR.type);
  const found = BigInt(value);
  const fits = kind === "int53" ? Number.isSafeInteger(Number(found))
    : BigInt.asIntN(64, found) === found;
  return fits ? found : new Misfit(ERROR.overflow);
}
