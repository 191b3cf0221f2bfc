import { base64Into } from "../base.ts";
import { DynWriter, ERROR, type Fallback, type Shape, type ShapeField } from "../ring.ts";
import {
  CLOSE, CLOSE_LIST, F, type JsonScanner, N, OPEN, OPEN_LIST, QUOTE, same, T,
} from "./json-scan.ts";
import type { TimeText } from "./time-text.ts";

/** A declared form, prepared: what of it is looked for in a text as bytes, and where it was. */
export type Form =
  | Extract<Shape, { of: "value" }>
  | { readonly of: "array"; readonly item: Form }
  | {
    readonly of: "struct"; readonly fields: readonly FormField[];
    /** Where the value of each field begins in the object at hand; −1: it has none. */
    readonly places: Int32Array;
  };

interface FormField {
  readonly name: string;
  readonly key: Uint8Array;
  readonly form: Form;
  readonly fallback: bigint | number | boolean | string | null;
}

const encoder = new TextEncoder();

/** As it stands in a structure. */
const fallbackOf = (value: Fallback, shape: Shape): bigint | number | boolean | string =>
  (shape.of === "value" && (shape.kind === "int64" || shape.kind === "int53")
    ? BigInt(value) : value);

export function formOf(shape: Shape): Form {
  switch (shape.of) {
    case "value": return shape;
    case "array": return { of: "array", item: formOf(shape.item) };
    case "struct": {
      const field = ({ name, shape: inner, fallback }: ShapeField): FormField => ({
        name, key: encoder.encode(name), form: formOf(inner),
        fallback: fallback === undefined ? null : fallbackOf(fallback, inner),
      });
      return { of: "struct", fields: shape.fields.map(field),
        places: new Int32Array(shape.fields.length) };
    }
  }
}

/**
 * Writes the value at hand of a JSON text as the content of a `dyn` cell, in its declared form or,
 * without one, as it comes. The text itself is walked, so that nothing is allocated for structures
 * of numbers, texts and ISO times.
 */
export class JsonValues {
  /** A field that the value written last did not have was replaced by its default. */
  substituted = false;
  readonly #scan: JsonScanner;
  readonly #times: TimeText;
  readonly #strict: boolean;
  readonly #writer = new DynWriter();
  #U: Uint8Array = new Uint8Array(0);

  /** `strict`: a value that is missing, or NULL where none may be, is an error. */
  constructor(scan: JsonScanner, times: TimeText, strict: boolean) {
    this.#scan = scan;
    this.#times = times;
    this.#strict = strict;
  }

  /** Into `slot` bytes of U from `at` on: the length, or the state of the error, negative. */
  write(form: Form | null, U: Uint8Array, at: number, slot: number): number {
    const scan = this.#scan;
    const from = scan.at;
    this.substituted = false;
    this.#U = U;
    this.#writer.begin(U, at, slot);
    const error = form === null ? this.#open(0) : this.#value(form);
    if (error === 0) return this.#writer.place - at;
    scan.at = from;
    scan.skip(0);
    return -error;
  }

  /** As it comes: a number is a float, but a whole one past 2^53 keeps its digits. */
  #open(depth: number): number {
    const scan = this.#scan, writer = this.#writer;
    switch (scan.bytes[scan.at]) {
      case QUOTE: return this.#text();
      case T: case F: case N: return this.#word();
      case OPEN: return this.#openObject(depth);
      case OPEN_LIST: return this.#openList(depth);
    }
    const from = scan.at;
    const value = scan.number();
    if (value - value !== 0) return ERROR.number;
    if (!scan.integral || Number.isSafeInteger(value)) return fits(writer.float(value));
    const exact = BigInt(scan.latin(from, scan.at));
    return fits(BigInt.asIntN(64, exact) === exact ? writer.whole(exact) : writer.float(value));
  }

  #word(): number {
    const scan = this.#scan, writer = this.#writer;
    const first = scan.bytes[scan.at];
    scan.word(first === T ? "true" : first === F ? "false" : "null");
    return fits(first === N ? writer.null() : writer.bool(first === T));
  }

  #text(most = Infinity): number {
    const scan = this.#scan, writer = this.#writer;
    const from = scan.at + 1;
    if (scan.string()) {
      const to = scan.at - 1;
      return fits(to - from <= most && writer.text(scan.bytes, from, to));
    }
    const bytes = encoder.encode(scan.unescape(from));
    return fits(bytes.length <= most && writer.text(bytes, 0, bytes.length));
  }

  #openObject(depth: number): number {
    const scan = this.#scan;
    if (!this.#writer.map(this.#members(CLOSE, depth))) return ERROR.length;
    scan.at++;
    while (scan.space() !== CLOSE) {
      const error = this.#text();
      if (error !== 0) return error;
      scan.colon();
      const inside = this.#open(depth + 1);
      if (inside !== 0) return inside;
      if (!scan.more(CLOSE)) return 0;
    }
    scan.at++;
    return 0;
  }

  #openList(depth: number): number {
    const scan = this.#scan;
    if (!this.#writer.list(this.#members(CLOSE_LIST, depth))) return ERROR.length;
    scan.at++;
    while (scan.space() !== CLOSE_LIST) {
      const error = this.#open(depth + 1);
      if (error !== 0) return error;
      if (!scan.more(CLOSE_LIST)) return 0;
    }
    scan.at++;
    return 0;
  }

  /** How many the container at hand has: that stands before them. */
  #members(close: number, depth: number): number {
    const scan = this.#scan;
    const from = scan.at++;
    let count = 0;
    if (scan.space() !== close) {
      do {
        if (close === CLOSE) {
          this.#name();
          scan.colon();
        } else scan.space();
        scan.skip(depth + 1);
        count++;
      } while (scan.more(close));
    }
    scan.at = from;
    return count;
  }

  /** Past a field's name; true if it has no escapes. */
  #name(): boolean {
    if (this.#scan.space() !== QUOTE) throw this.#scan.wrong("a field name in quotes");
    return this.#scan.string();
  }

  #value(form: Form): number {
    const scan = this.#scan;
    const first = scan.bytes[scan.at];
    if (first === N) {
      if (this.#strict && form.of === "value") return ERROR.type;
      return this.#word();
    }
    if (form.of === "array") return first === OPEN_LIST ? this.#list(form.item) : ERROR.type;
    if (form.of === "struct") return first === OPEN ? this.#struct(form) : ERROR.type;
    switch (form.kind) {
      case "json": return this.#open(0);
      case "bool": return first === T || first === F ? this.#word() : ERROR.type;
      case "text": return first === QUOTE ? this.#text(form.slot) : ERROR.type;
      case "bytes": return first === QUOTE ? this.#base64(form.slot) : ERROR.type;
      case "time": return first === QUOTE ? this.#timeText() : this.#number(form.kind);
      default: return this.#number(form.kind);
    }
  }

  #list(item: Form): number {
    const scan = this.#scan;
    if (!this.#writer.list(this.#members(CLOSE_LIST, 0))) return ERROR.length;
    scan.at++;
    while (scan.space() !== CLOSE_LIST) {
      const error = this.#value(item);
      if (error !== 0) return error;
      if (!scan.more(CLOSE_LIST)) return 0;
    }
    scan.at++;
    return 0;
  }

  /** In the order of the declaration, so that equal structures are equal bytes. */
  #struct(form: Form & { of: "struct" }): number {
    const scan = this.#scan, writer = this.#writer;
    this.#find(form);
    const end = scan.at;
    if (!writer.map(form.fields.length)) return ERROR.length;
    for (let i = 0; i < form.fields.length; i++) {
      const field = form.fields[i]!;
      if (!writer.text(field.key, 0, field.key.length)) return ERROR.length;
      const error = form.places[i]! < 0 ? this.#missing(field) : this.#at(form.places[i]!, field);
      if (error !== 0) return error;
    }
    scan.at = end;
    return 0;
  }

  #at(place: number, { form }: FormField): number {
    this.#scan.at = place;
    return this.#value(form);
  }

  #missing({ fallback }: FormField): number {
    if (fallback === null) return this.#strict ? ERROR.type : fits(this.#writer.null());
    this.substituted = true;
    return fits(this.#writer.item(fallback));
  }

  /** Past the object at hand, with the places of its fields. */
  #find({ fields, places }: Form & { of: "struct" }): void {
    const scan = this.#scan;
    places.fill(-1);
    scan.at++;
    if (scan.space() === CLOSE) {
      scan.at++;
      return;
    }
    do {
      scan.space();
      const from = scan.at + 1;
      const plain = this.#name();
      const index = this.#indexOf(fields, from, scan.at - 1, plain);
      scan.colon();
      if (index >= 0) places[index] = scan.at;
      scan.skip(1);
    } while (scan.more(CLOSE));
  }

  #indexOf(fields: readonly FormField[], from: number, to: number, plain: boolean): number {
    const scan = this.#scan;
    const name = plain ? null : scan.unescape(from);
    for (let i = 0; i < fields.length; i++) {
      const { key } = fields[i]!;
      if (name === null ? key.length === to - from && same(scan.bytes, from, key)
        : name === fields[i]!.name) return i;
    }
    return -1;
  }

  #base64(slot: number): number {
    const scan = this.#scan, writer = this.#writer;
    const from = scan.at + 1;
    const plain = scan.string();
    const text = plain ? scan.bytes : encoder.encode(scan.unescape(from));
    const first = plain ? from : 0, last = plain ? scan.at - 1 : text.length;
    let to = last;
    while (to > first && text[to - 1] === 0x3d) to--;
    const count = Math.floor((to - first) * 3 / 4);
    if (count > slot || !writer.bytes(count)) return ERROR.length;
    const { place } = writer;
    if (base64Into(text, first, last, this.#U, place, place + count) !== count) return ERROR.parse;
    writer.pass(count);
    return 0;
  }

  #timeText(): number {
    const scan = this.#scan;
    const from = scan.at + 1;
    const ms = scan.string() ? this.#times.read(scan.bytes, from, scan.at - 1)
      : this.#times.readText(scan.unescape(from));
    return ms !== ms ? ERROR.parse : fits(this.#writer.time(ms));
  }

  #number(kind: "float64" | "int53" | "int64" | "time"): number {
    const scan = this.#scan, writer = this.#writer;
    if (!scan.atNumber) return ERROR.type;
    const from = scan.at;
    const value = scan.number();
    if (value - value !== 0) return ERROR.number;
    if (kind === "float64") return fits(writer.float(value));
    if (kind === "time") return fits(writer.time(value));
    if (Math.floor(value) !== value) return ERROR.type;
    if (Number.isSafeInteger(value)) return fits(writer.whole(value));
    if (kind === "int53") return ERROR.overflow;
    const exact = scan.integral ? BigInt(scan.latin(from, scan.at)) : BigInt(value);
    return BigInt.asIntN(64, exact) === exact ? fits(writer.whole(exact)) : ERROR.overflow;
  }
}

const fits = (done: boolean): number => (done ? 0 : ERROR.length);
