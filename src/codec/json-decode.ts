import { isUtf8 } from "node:buffer";
import { base64Into, Fault, textOfBytes } from "../base.ts";
import type { RowDecoder } from "../codec.ts";
import {
  type Column, type Dyn, ERROR, meta_name, NULL, type Ring, UNCERTAIN,
} from "../ring.ts";
import {
  CLOSE, CLOSE_LIST, F, JsonScanner, N, OPEN, OPEN_LIST, QUOTE, same, T,
} from "./json-scan.ts";
import { type Form, formOf, JsonValues } from "./json-value.ts";
import type { RowForm } from "./row-form.ts";
import type { TimeText } from "./time-text.ts";

/** A field that is wanted, with its key as it stands in a message. */
interface Field {
  /** Null: only fields inside it are wanted. */
  readonly column: Column | null;
  /** Of a column with a declared form. */
  readonly form: Form | null;
  readonly inside: Fields | null;
  readonly key: Uint8Array;
  /** Messages mostly keep their order: index of the field to try first after this one. */
  readonly next: number;
}

/** The fields of one object that are wanted. */
interface Fields {
  readonly list: readonly Field[];
  readonly byName: ReadonlyMap<string, Field>;
  /** Columns of all of them, and inside them. */
  readonly columns: readonly Column[];
}

/** `depth` names of each column's path have led to this object. */
function fieldsOf(columns: readonly Column[], depth: number): Fields {
  const groups = Map.groupBy(columns, (column) => column.path[depth]!);
  const list = [...groups].map(([name, group], i): Field => {
    const column = group.find(({ path }) => path.length === depth + 1) ?? null;
    const deeper = group.filter((column) => column.path.length > depth + 1);
    return {
      key: encoder.encode(name), next: (i + 1) % groups.size,
      column, form: column === null || column.shape === null ? null : formOf(column.shape),
      inside: deeper.length === 0 ? null : fieldsOf(deeper, depth + 1),
    };
  });
  return { list, columns, byName: new Map([...groups.keys()].map((name, i) => [name, list[i]!])) };
}

/** Wanted fields up to which each is compared with a name, instead of looking the name up. */
const compared_max = 16;
const two32 = 2 ** 32;
const encoder = new TextEncoder();

/**
 * Reads JSON (RFC 8259) once from front to back and puts the wanted fields straight into cells: no
 * object, no string a message, but for texts and structures of no fixed type. All other fields are
 * checked and skipped.
 */
export class JsonDecoder implements RowDecoder {
  readonly #ring: Ring;
  readonly #fields: Fields;
  /** Takes the message itself. */
  readonly #whole: Column | null;
  readonly #form: RowForm;
  readonly #times: TimeText;
  readonly #rows_max: number;
  readonly #scan = new JsonScanner();
  readonly #values: JsonValues;
  #state = 0;
  #flags = 0;

  constructor(ring: Ring, form: RowForm, times: TimeText, strict: boolean, rows_max: number) {
    this.#ring = ring;
    this.#form = form;
    this.#times = times;
    this.#rows_max = rows_max;
    this.#values = new JsonValues(this.#scan, times, strict);
    this.#fields = fieldsOf(ring.columns.filter(({ name, path }) =>
      path.length > 0 && name !== meta_name), 0);
    this.#whole = ring.columns.find(({ path }) => path.length === 0) ?? null;
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
    this.#scan.begin(bytes);
    this.#state = state;
    this.#flags = flags;
    if (!isUtf8(bytes)) throw new Fault("json-malformed", "The message is not UTF-8");
    let rows: number;
    const first = this.#scan.space();
    if (first === OPEN) {
      rows = this.#row(0, time) ? 1 : 0;
    } else if (first === OPEN_LIST) {
      rows = this.#list(time);
    } else {
      throw this.#scan.wrong("an object or an array of objects");
    }
    this.#scan.space();
    if (this.#scan.at !== this.#scan.end) throw this.#scan.wrong("the end of the message");
    this.#ring.publish(rows % this.#ring.rows);
    return rows;
  }

  #list(time: number): number {
    let rows = 0;
    this.#scan.at++;
    if (this.#scan.space() === CLOSE_LIST) {
      this.#scan.at++;
      return 0;
    }
    for (;;) {
      if (this.#scan.space() !== OPEN) throw this.#scan.wrong("an object");
      if (rows === this.#rows_max) {
        throw new Fault("json-rows", `A message of more than ${rows} rows`, { rows });
      }
      if (this.#row(rows % this.#ring.rows, time)) {
        rows++;
        // More rows than the ring holds: readers get what they can, and count what they lose.
        if (rows % this.#ring.rows === 0) this.#ring.publish(this.#ring.rows);
      }
      if (this.#scan.more(CLOSE_LIST)) continue;
      return rows;
    }
  }

  /** One object into the row `ahead` after the newest; false: it is refused. */
  #row(ahead: number, time: number): boolean {
    const ring = this.#ring;
    ring.claim(ahead + 1);
    const seq = ring.head + ahead;
    const row = seq & ring.mask;
    this.#form.begin(row);
    const from = this.#scan.at;
    this.#object(row, this.#fields);
    const all = this.#whole;
    if (all !== null) {
      ring.arena.U[all.state + row] = this.#slot(all, row, this.#scan.bytes, from, this.#scan.at);
    }
    return this.#form.end(seq, time, this.#state, this.#flags);
  }

  #object(row: number, fields: Fields): void {
    let expected = fields.list[0];
    this.#scan.at++;
    if (this.#scan.space() === CLOSE) {
      this.#scan.at++;
      return;
    }
    do {
      if (this.#scan.space() !== QUOTE) throw this.#scan.wrong("a field name in quotes");
      const field = this.#field(expected, fields);
      this.#scan.colon();
      if (field === null) {
        this.#scan.skip(0);
        continue;
      }
      const { column, form, inside } = field;
      const from = this.#scan.at;
      if (inside !== null) this.#inside(row, inside);
      if (column !== null) {
        this.#scan.at = from;
        this.#ring.arena.U[column.state + row] = this.#cell(column, form, row);
      }
      expected = fields.list[field.next]!;
    } while (this.#scan.more(CLOSE));
  }

  /** Fields of what is no object: there are none in `null`, in all else it is an error. */
  #inside(row: number, fields: Fields): void {
    if (this.#scan.bytes[this.#scan.at] === OPEN) {
      this.#object(row, fields);
      return;
    }
    const state = this.#scan.bytes[this.#scan.at] === N ? NULL : ERROR.argument;
    this.#scan.skip(0);
    for (const column of fields.columns) this.#ring.arena.U[column.state + row] = state;
  }

  /** Reads a field name; the field that is wanted, or null. */
  #field(expected: Field | undefined, { list, byName }: Fields): Field | null {
    if (expected !== undefined && this.#isNext(expected.key)) return expected;
    const bytes = this.#scan.bytes;
    const from = this.#scan.at + 1;
    const plain = this.#scan.string();
    const to = this.#scan.at - 1;
    if (!plain) return byName.get(this.#scan.unescape(from)) ?? null;
    // Of few fields each is compared: no name of the thousands in a wide message is made a text.
    if (list.length > compared_max) {
      return byName.get(textOfBytes(bytes.subarray(from, to))) ?? null;
    }
    for (let i = 0; i < list.length; i++) {
      const { key } = list[i]!;
      if (key.length === to - from && same(bytes, from, key)) return list[i]!;
    }
    return null;
  }

  #isNext(key: Uint8Array): boolean {
    const from = this.#scan.at + 1;
    const { bytes } = this.#scan;
    if (bytes[from + key.length] !== QUOTE || !same(bytes, from, key)) return false;
    this.#scan.at = from + key.length + 1;
    return true;
  }

  /** The value at hand into a cell; gives its state. */
  #cell(column: Column, form: Form | null, row: number): number {
    const first = this.#scan.bytes[this.#scan.at]!;
    if (first === N) {
      this.#scan.word("null");
      return NULL;
    }
    if (column.kind === "json") {
      const from = this.#scan.at;
      this.#scan.skip(0);
      return this.#slot(column, row, this.#scan.bytes, from, this.#scan.at);
    }
    if (column.kind === "dyn") return this.#open(column, form, row);
    if (first === QUOTE) return this.#text(column, row);
    if (this.#scan.atNumber) return this.#figure(column, row);
    if (first === T || first === F) {
      this.#scan.word(first === T ? "true" : "false");
      if (column.kind !== "bool") return ERROR.type;
      this.#ring.arena.F[column.payload + row] = first === T ? 1 : 0;
      return this.#state;
    }
    this.#scan.skip(0);
    return ERROR.type;
  }

  /** A value of no fixed type, or of a declared form. */
  #open(column: Column, form: Form | null, row: number): number {
    const { U, I } = this.#ring.arena;
    const values = this.#values;
    const length = values.write(form, U, column.payload + row * column.stride, column.slot);
    if (length < 0) return -length;
    I[column.length + row] = length;
    return values.substituted ? UNCERTAIN.substituted : this.#state;
  }

  #figure(column: Column, row: number): number {
    const scan = this.#scan;
    if (column.kind === "int64" &&
      scan.words(this.#ring.arena.I, (column.payload + row) * 2)) return this.#state;
    const from = scan.at;
    const value = scan.number();
    switch (column.kind) {
      case "float64": case "time":
        if (value - value !== 0) return ERROR.number;
        break;
      case "int53":
        if (Math.floor(value) !== value) return ERROR.type;
        if (!Number.isSafeInteger(value)) return ERROR.overflow;
        break;
      case "int64":
        return this.#long(column, row, value, from);
      default:
        return ERROR.type;
    }
    this.#ring.arena.F[column.payload + row] = value;
    return this.#state;
  }

  #long(column: Column, row: number, value: number, from: number): number {
    const { I } = this.#ring.arena;
    const word = (column.payload + row) * 2;
    if (Number.isSafeInteger(value)) {
      I[word] = value % two32;
      I[word + 1] = Math.floor(value / two32);
      return this.#state;
    }
    if (!Number.isInteger(value)) return ERROR.type;
    // Past 2^53 the digits count, not the double they round to; rare enough for a BigInt.
    const scan = this.#scan;
    const exact = scan.integral ? BigInt(scan.latin(from, scan.at)) : BigInt(value);
    if (BigInt.asIntN(64, exact) !== exact) return ERROR.overflow;
    I[word] = Number(BigInt.asIntN(32, exact));
    I[word + 1] = Number(BigInt.asIntN(32, exact >> 32n));
    return this.#state;
  }

  #text(column: Column, row: number): number {
    const from = this.#scan.at + 1;
    const plain = this.#scan.string();
    const to = this.#scan.at - 1;
    switch (column.kind) {
      case "text": {
        if (plain) return this.#slot(column, row, this.#scan.bytes, from, to);
        const bytes = encoder.encode(this.#scan.unescape(from));
        return this.#slot(column, row, bytes, 0, bytes.length);
      }
      case "bytes": {
        if (plain) return this.#base64(column, row, this.#scan.bytes, from, to);
        const bytes = encoder.encode(this.#scan.unescape(from));
        return this.#base64(column, row, bytes, 0, bytes.length);
      }
      case "time": {
        const time = plain ? this.#times.read(this.#scan.bytes, from, to)
          : this.#times.readText(this.#scan.unescape(from));
        if (Number.isNaN(time)) return ERROR.parse;
        this.#ring.arena.F[column.payload + row] = time;
        return this.#state;
      }
      default:
        return ERROR.type;
    }
  }

  #base64(column: Column, row: number, text: Uint8Array, from: number, to: number): number {
    const { U, I } = this.#ring.arena;
    const at = column.payload + row * column.stride;
    const length = base64Into(text, from, to, U, at, at + column.slot);
    if (length < 0) return length === -1 ? ERROR.parse : ERROR.length;
    I[column.length + row] = length;
    return this.#state;
  }

  #slot(column: Column, row: number, bytes: Uint8Array, from: number, to: number): number {
    if (to - from > column.slot) return ERROR.length;
    const cells = this.#ring.arena.U;
    const at = column.payload + row * column.stride - from;
    // By hand: a view of the piece would be garbage for every text of every message.
    for (let i = from; i < to; i++) cells[at + i] = bytes[i]!;
    this.#ring.arena.I[column.length + row] = to - from;
    return this.#state;
  }
}
