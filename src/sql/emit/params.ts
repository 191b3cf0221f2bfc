import { assert } from "../../base.ts";
import type { Column, Ring } from "../../ring.ts";

/** One word of a rule's parameter block: everything that is not shape. */
export type Param =
  | { readonly of: "input" | "output"; readonly part: RingPart }
  | { readonly of: "input" | "output"; readonly column: string; readonly part: ColumnPart }
  | { readonly of: "newest"; readonly index: number; readonly part: RingPart }
  | {
      readonly of: "newest"; readonly index: number; readonly column: string;
      readonly part: ColumnPart;
    }
  | { readonly of: "number"; readonly value: number }
  | { readonly of: "begun"; readonly part: "time" }
  /** A seed for this call site alone. */
  | { readonly of: "begun"; readonly part: "seed"; readonly site: string }
  | { readonly of: "text"; readonly id: number; readonly bytes: string; readonly part: "at"
    | "length" }
  | { readonly of: "state"; readonly field: string };

/** A number of the query, or of the rule's beginning; the others are offsets. */
export const isNumber = ({ of }: Param): boolean => of === "number" || of === "begun";

export type RingPart = "mask" | "head" | "time" | "source" | "flags";
export type ColumnPart = "payload" | "state" | "length" | "slot";

/** One piece of a stage's state block; `count` elements of a view's width, 8-byte aligned. */
export interface Field {
  readonly name: string;
  readonly view: "F" | "I" | "U";
  readonly count: number;
}

/**
 * A stage's state block, in the order of `fields`, each aligned to 8 bytes. The last is always the
 * parameter block, so that a checkpoint can leave it out: it is made anew from the plan. Its words
 * of 8 bytes are an Int32 in the first half, or a number of the query as float64.
 *
 *     byte 0                                                            bytes
 *     | field | field | …              | params (8 × params)            |
 *
 * Plain data: plans travel to the threads that run them.
 */
export interface StateLayout {
  readonly fields: readonly Field[];
  readonly bytes: number;
}

/** A layout in the making. */
export class Layout implements StateLayout {
  readonly fields: Field[] = [];
  bytes = 0;
  readonly #names = new Set<string>();

  add(name: string, view: Field["view"], count: number): void {
    assert(!this.has(name), `state field ${name} twice`);
    const field = { name, view, count };
    this.fields.push(field);
    this.#names.add(name);
    this.bytes += alignedBytes(field);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }
}

const widths = { F: 8, I: 4, U: 1 } as const;

const bytesIn = ({ view, count }: Field): number => count * widths[view];

const alignedBytes = (field: Field): number => Math.ceil(bytesIn(field) / 8) * 8;

export const hasField = ({ fields }: StateLayout, name: string): boolean =>
  fields.some((field) => field.name === name);

function fieldOf({ fields }: StateLayout, name: string): Field {
  const field = fields.find((one) => one.name === name);
  assert(field !== undefined, `no state field ${name}`);
  return field;
}

/** First byte of a field, from the block's own. */
export function fieldByte(layout: StateLayout, name: string): number {
  const { fields } = layout;
  const i = fields.indexOf(fieldOf(layout, name));
  return fields.slice(0, i).reduce((sum, field) => sum + alignedBytes(field), 0);
}

export const fieldBytes = (layout: StateLayout, name: string): number =>
  bytesIn(fieldOf(layout, name));

/** Index of a field into its view, for a block at byte `block`. */
export const fieldIndex = (layout: StateLayout, name: string, block: number): number =>
  (block + fieldByte(layout, name)) / widths[fieldOf(layout, name).view];

/** The beginning of a rule, when its stages are made from nothing. */
export interface Beginning {
  /** Engine time. */
  readonly time: number;
  /** A whole number, 1 to 2^52, another one each time. */
  seed(): number;
}

/** Rings that a stage is bound to. */
export interface Bound {
  readonly input: Ring | null;
  readonly output: Ring;
  readonly newest: readonly Ring[];
  /** May be left out where nothing asks for it. */
  readonly begun?: Beginning;
}

function ringPart(ring: Ring, part: RingPart): number {
  switch (part) {
    case "mask": return ring.mask;
    case "head": return ring.headAt;
    case "time": return ring.timeAt;
    case "source": return ring.sourceAt;
    case "flags": return ring.flagsAt;
  }
}

function columnPart(column: Column, part: ColumnPart): number {
  switch (part) {
    // int64 cells are two words of I.
    case "payload": return column.kind === "int64" ? column.payload * 2 : column.payload;
    case "state": return column.state;
    case "length": return column.length;
    case "slot": return column.slot;
  }
}

function columnOf(ring: Ring, name: string): Column {
  const column = ring.column(name);
  assert(column !== undefined, `ring ${ring.name} has no column ${name}`);
  return column;
}

/** The word that a parameter is for these rings and this state block (at byte `block`). */
export function resolve(param: Param, rings: Bound, layout: StateLayout, block: number): number {
  switch (param.of) {
    case "number": return param.value;
    case "begun": {
      const { begun } = rings;
      assert(begun !== undefined, "a rule knows when it began");
      return param.part === "time" ? begun.time : begun.seed();
    }
    case "state": return fieldIndex(layout, param.field, block);
    case "text":
      return param.part === "length"
        ? new TextEncoder().encode(param.bytes).length
        : fieldIndex(layout, textField(param.id), block);
    case "newest": {
      const ring = rings.newest[param.index]!;
      return "column" in param
        ? columnPart(columnOf(ring, param.column), param.part)
        : ringPart(ring, param.part);
    }
    case "input": case "output": {
      const ring = param.of === "input" ? rings.input : rings.output;
      assert(ring !== null, "stage without input reads one");
      return "column" in param
        ? columnPart(columnOf(ring, param.column), param.part)
        : ringPart(ring, param.part);
    }
  }
}

/** State field that holds the bytes of a text literal. */
export const textField = (id: number): string => `text ${id}`;
