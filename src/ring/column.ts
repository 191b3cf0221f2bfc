import { assert, Fault, limits } from "../base.ts";

/**
 * What a cell's payload is:
 * - `float64`: 8 bytes; `time`: float64, milliseconds since the Unix epoch
 * - `int53`: a whole number as float64; a result past ±(2^53 − 1) is an error cell
 * - `int64`: two Int32 words, low word first: exact, never a BigInt per row
 * - `bool`: float64 0 or 1
 * - `text`, `bytes`, `json`: `slot` bytes and a length in bytes; too long is an error cell
 * - `dyn`: a value of any kind in a slot, its kind first (dyn.ts; schemaless columns)
 */
export type ColumnKind =
  | "float64" | "int53" | "int64" | "bool" | "time" | "text" | "bytes" | "json" | "dyn";

export interface ColumnSpec {
  readonly name: string;
  readonly kind: ColumnKind;
  /** Bytes of the slot; 0 for the kinds of 8 bytes. */
  readonly slot: number;
  /** Engineering unit, where known. */
  readonly eu?: string;
  /**
   * Where the value stands in a message of any fields: names from the outside in, none for the
   * whole message. Left out: under the column's own name.
   */
  readonly path?: readonly string[];
  /** Of a `dyn` column: the declared form of what messages have there. */
  readonly shape?: Shape;
  /** What stands in for a value that a message does not have. */
  readonly fallback?: Fallback;
}

/** A value as a configuration writes it; of whole numbers past 2^53 the digits. */
export type Fallback = boolean | number | string;

/** The form of an array or object, down to its values, whose kinds are those of columns. */
export type Shape =
  | { readonly of: "value"; readonly kind: Exclude<ColumnKind, "dyn">; readonly slot: number }
  | { readonly of: "array"; readonly item: Shape }
  | { readonly of: "struct"; readonly fields: readonly ShapeField[] };

export interface ShapeField {
  readonly name: string;
  readonly shape: Shape;
  readonly fallback?: Fallback;
}

/** The column that holds a whole object: its fields are shown as if each were a column. */
export const spread_name = "*";

/** The column of what a message says of itself, an object: `meta()`. */
export const meta_name = "$meta";

/** Bytes of payload of one cell (without length and state). */
export function kindBytes(spec: ColumnSpec): number {
  return spec.slot === 0 ? 8 : spec.slot;
}

/**
 * Where a column of one ring lies. For the kinds of 8 bytes, `payload` indexes the Float64 view
 * (int64: twice that indexes the Int32 view); for slots it indexes the Uint8 view and `stride` is
 * the slot. Cell of row `seq`: `F[payload + (seq & mask)]`, `U[state + (seq & mask)]`,
 * `U[payload + (seq & mask) * stride …]` with `I[length + (seq & mask)]` bytes.
 */
export class Column {
  /** Rings of one layout share it: a column is an object for each tag of a plant. */
  readonly spec: ColumnSpec;
  readonly index: number;
  readonly payload: number;
  readonly stride: number;
  /** Index into the Int32 view; −1 without slot. */
  readonly length: number;
  /** Index into the Uint8 view. */
  readonly state: number;

  constructor(spec: ColumnSpec, index: number, payload: number, length: number, state: number) {
    assert((spec.slot === 0) === (length < 0), `column ${spec.name}: slot and length go together`);
    this.spec = spec;
    this.index = index;
    this.payload = payload;
    this.stride = spec.slot === 0 ? 1 : spec.slot;
    this.length = length;
    this.state = state;
  }

  get name(): string {
    return this.spec.name;
  }

  get kind(): ColumnKind {
    return this.spec.kind;
  }

  get slot(): number {
    return this.spec.slot;
  }

  get eu(): string | null {
    return this.spec.eu ?? null;
  }

  get path(): readonly string[] {
    return this.spec.path ?? [this.spec.name];
  }

  get shape(): Shape | null {
    return this.spec.shape ?? null;
  }

  get fallback(): Fallback | null {
    return this.spec.fallback ?? null;
  }
}

/** The one type list of the configuration. */
export const tagTypes = [
  "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
  "float32", "float64", "time",
] as const;
export type TagType = (typeof tagTypes)[number] | `${"text" | "bytes" | "json"}(${number})` |
  `${ItemType}[${number}]`;

/** What a tag may have several of, and what the longest such number takes in a `dyn` cell. */
const item_bytes = {
  bool: 1, int8: 2, uint8: 2, int16: 3, uint16: 3, int32: 5, uint32: 5, int64: 9, uint64: 9,
  float32: 9, float64: 9,
} as const;
export type ItemType = keyof typeof item_bytes;
export const itemTypes = Object.keys(item_bytes) as readonly ItemType[];

/** `float32[8]`: eight values of one instant. */
export interface ArrayType {
  readonly item: ItemType;
  readonly count: number;
}

/** Null: the type is that of one value. */
export function arrayOf(type: string): ArrayType | null {
  const parts = /^(\w+)\[(\d+)\]$/.exec(type);
  return parts === null ? null : { item: parts[1] as ItemType, count: Number(parts[2]) };
}

/** A number of any width: no array, no bool and no moment. */
export const isNumberType = (type: string): boolean => /^(u?int|float)\d+$/.test(type);

export const isTextType = (type: string): boolean => type.startsWith("text(");

/** What a write can bring: bools, numbers and texts, one at a time. */
export const isWritableType = (type: string): boolean =>
  type === "bool" || isNumberType(type) || isTextType(type);

/** Bytes of `text(n)`, `bytes(n)`, `json(n)`; 0 for other types. */
export const slotOf = (type: string): number =>
  Number(/^(?:text|bytes|json)\((\d+)\)$/.exec(type)?.[1] ?? 0);

/** Of the list's length, by which its content begins. */
const list_bytes = 3;

function arrayColumn(
  name: string, { item, count }: ArrayType, scaled: boolean, eu: string | undefined,
): ColumnSpec {
  const { kind } = tagColumn("", item, scaled);
  if (kind === "dyn") throw new TypeError("no array is of arrays");
  const each = scaled ? item_bytes.float64 : item_bytes[item];
  const shape: Shape = { of: "array", item: { of: "value", kind, slot: 0 } };
  const slot = Math.ceil((list_bytes + count * each) / 8) * 8;
  return { name, kind: "dyn", slot, shape, ...(eu === undefined ? {} : { eu }) };
}

/**
 * The column that holds values of a tag's type. A scaled tag is a float64 whatever its wire type.
 * uint64 goes into int64: from 2^63 on it is an error cell (`overflow`).
 */
export function tagColumn(name: string, type: string, scaled = false, eu?: string): ColumnSpec {
  const unit = eu === undefined ? {} : { eu };
  const array = arrayOf(type);
  if (array !== null) return arrayColumn(name, array, scaled, eu);
  const slotted = /^(text|bytes|json)\((\d+)\)$/.exec(type);
  if (slotted) {
    const slot = Number(slotted[2]);
    if (slot < 1 || slot > limits.slot_bytes_max) {
      throw new Fault("slot-size", `${type}: 1 to ${limits.slot_bytes_max} bytes`, { type });
    }
    // A multiple of 8 keeps every column of the ring aligned.
    return { name, kind: slotted[1] as "text", slot: Math.ceil(slot / 8) * 8, ...unit };
  }
  switch (type) {
    case "bool": return { name, kind: "bool", slot: 0, ...unit };
    case "time": return { name, kind: "time", slot: 0, ...unit };
    case "float32": case "float64": return { name, kind: "float64", slot: 0, ...unit };
    case "int64": case "uint64":
      return { name, kind: scaled ? "float64" : "int64", slot: 0, ...unit };
    case "int8": case "uint8": case "int16": case "uint16": case "int32": case "uint32":
      return { name, kind: scaled ? "float64" : "int53", slot: 0, ...unit };
    default:
      throw new Fault("unknown-type", `${type} is no type; known are ${tagTypes.join(", ")}, ` +
        "text(n), bytes(n), json(n)", { type });
  }
}
