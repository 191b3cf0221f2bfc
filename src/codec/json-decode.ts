import { isUtf8 } from "node:buffer";
import { Fault } from "../base.ts";
import type { RowDecoder } from "../codec.ts";
import {
  ABSENT, type Column, type Dyn, DynWriter, ERROR, meta_name, NULL, parseDyn, type Ring,
} from "../ring.ts";

/** A field that is wanted, with its key as it stands in a message. */
interface Field {
  /** Null: only fields inside it are wanted. */
  readonly column: Column | null;
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
    const deeper = group.filter((column) => column.path.length > depth + 1);
    return {
      key: encoder.encode(name), next: (i + 1) % groups.size,
      column: group.find((column) => column.path.length === depth + 1) ?? null,
      inside: deeper.length === 0 ? null : fieldsOf(deeper, depth + 1),
    };
  });
  return { list, columns, byName: new Map([...groups.keys()].map((name, i) => [name, list[i]!])) };
}

/** Wanted fields up to which each is compared with a name, instead of looking the name up. */
const compared_max = 16;
/** Containers inside each other that are followed. */
const depth_max = 64;
/** Doubles hold every whole number of 15 digits, and powers of ten exactly up to 10^22. */
const digits_exact = 15;
const powers = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
const two32 = 2 ** 32;

const QUOTE = 0x22, COMMA = 0x2c, MINUS = 0x2d, DOT = 0x2e, ZERO = 0x30, NINE = 0x39, COLON = 0x3a;
const OPEN = 0x7b, CLOSE = 0x7d, OPEN_LIST = 0x5b, CLOSE_LIST = 0x5d, BACKSLASH = 0x5c;
const E = 0x65, F = 0x66, N = 0x6e, T = 0x74, U = 0x75;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** What a backslash and a letter stand for (RFC 8259, 7). */
const escapes: Readonly<Record<number, string>> = {
  0x22: '"', 0x5c: "\\", 0x2f: "/", 0x62: "\b", 0x66: "\f", 0x6e: "\n", 0x72: "\r", 0x74: "\t",
};

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
  /** Takes what the message says of itself: no field of it has this name. */
  readonly #meta: Column | null;
  readonly #dyn = new DynWriter();
  readonly #time: Column | null;
  readonly #rows_max: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #state = 0;
  #about: Dyn = null;
  /** The number read last had no fraction and no exponent. */
  #integral = false;

  constructor(ring: Ring, timeColumn: string | null, rows_max: number) {
    this.#ring = ring;
    this.#rows_max = rows_max;
    this.#meta = ring.column(meta_name) ?? null;
    this.#fields = fieldsOf(ring.columns.filter((column) =>
      column.path.length > 0 && column !== this.#meta), 0);
    this.#whole = ring.columns.find(({ path }) => path.length === 0) ?? null;
    this.#time = timeColumn === null ? null : ring.column(timeColumn) ?? null;
  }

  decode(bytes: Uint8Array, time: number, state: number, meta: Dyn = null): number {
    this.#about = meta;
    this.#bytes = bytes;
    this.#at = 0;
    this.#end = bytes.length;
    this.#state = state;
    if (!isUtf8(bytes)) throw new Fault("json-malformed", "The message is not UTF-8");
    let rows: number;
    const first = this.#space();
    if (first === OPEN) {
      this.#row(0, time);
      rows = 1;
    } else if (first === OPEN_LIST) {
      rows = this.#list(time);
    } else {
      throw this.#wrong("an object or an array of objects");
    }
    this.#space();
    if (this.#at !== this.#end) throw this.#wrong("the end of the message");
    this.#ring.publish(rows % this.#ring.rows);
    return rows;
  }

  #list(time: number): number {
    let rows = 0;
    this.#at++;
    if (this.#space() === CLOSE_LIST) {
      this.#at++;
      return 0;
    }
    for (;;) {
      if (this.#space() !== OPEN) throw this.#wrong("an object");
      if (rows === this.#rows_max) {
        throw new Fault("json-rows", `A message of more than ${rows} rows`, { rows });
      }
      this.#row(rows % this.#ring.rows, time);
      rows++;
      // More rows than the ring holds: readers get what they can, and count what they lose.
      if (rows % this.#ring.rows === 0) this.#ring.publish(this.#ring.rows);
      if (this.#more(CLOSE_LIST)) continue;
      return rows;
    }
  }

  /** One object into the row `ahead` after the newest. */
  #row(ahead: number, time: number): void {
    const ring = this.#ring;
    ring.claim(ahead + 1);
    const { F: floats, U: bytes } = ring.arena;
    const row = (ring.head + ahead) & ring.mask;
    for (let i = 0; i < ring.columns.length; i++) bytes[ring.columns[i]!.state + row] = ABSENT;
    const from = this.#at;
    this.#object(row, this.#fields);
    const all = this.#whole;
    if (all !== null) bytes[all.state + row] = this.#slot(all, row, this.#bytes, from, this.#at);
    if (this.#meta !== null && this.#about !== null) this.#tell(this.#meta, row, this.#about);
    floats[ring.timeAt + row] = time;
    bytes[ring.flagsAt + row] = 0;
    const source = this.#time;
    const known = source !== null && bytes[source.state + row] === this.#state;
    floats[ring.sourceAt + row] = known ? floats[source.payload + row]! : NaN;
  }

  #tell(column: Column, row: number, about: Dyn): void {
    const { I, U } = this.#ring.arena;
    const length = this.#dyn.write(U, column.payload + row * column.stride, column.slot, about);
    I[column.length + row] = Math.max(0, length);
    U[column.state + row] = length < 0 ? ERROR.length : this.#state;
  }

  #object(row: number, fields: Fields): void {
    let expected = fields.list[0];
    this.#at++;
    if (this.#space() === CLOSE) {
      this.#at++;
      return;
    }
    do {
      if (this.#space() !== QUOTE) throw this.#wrong("a field name in quotes");
      const field = this.#field(expected, fields);
      if (this.#space() !== COLON) throw this.#wrong('":"');
      this.#at++;
      this.#space();
      if (field === null) {
        this.#skip(0);
        continue;
      }
      const { column, inside } = field;
      const from = this.#at;
      if (inside !== null) this.#inside(row, inside);
      if (column !== null) {
        this.#at = from;
        this.#ring.arena.U[column.state + row] = this.#cell(column, row);
      }
      expected = fields.list[field.next]!;
    } while (this.#more(CLOSE));
  }

  /** Fields of what is no object: there are none in `null`, in all else it is an error. */
  #inside(row: number, fields: Fields): void {
    if (this.#bytes[this.#at] === OPEN) {
      this.#object(row, fields);
      return;
    }
    const state = this.#bytes[this.#at] === N ? NULL : ERROR.argument;
    this.#skip(0);
    for (const column of fields.columns) this.#ring.arena.U[column.state + row] = state;
  }

  /** Reads a field name; the field that is wanted, or null. */
  #field(expected: Field | undefined, { list, byName }: Fields): Field | null {
    if (expected !== undefined && this.#isNext(expected.key)) return expected;
    const bytes = this.#bytes;
    const from = this.#at + 1;
    const plain = this.#string();
    const to = this.#at - 1;
    if (!plain) return byName.get(this.#unescape(from)) ?? null;
    // Of few fields each is compared: no name of the thousands in a wide message is made a text.
    if (list.length > compared_max) {
      return byName.get(decoder.decode(bytes.subarray(from, to))) ?? null;
    }
    for (let i = 0; i < list.length; i++) {
      const { key } = list[i]!;
      if (key.length === to - from && same(bytes, from, key)) return list[i]!;
    }
    return null;
  }

  #isNext(key: Uint8Array): boolean {
    const from = this.#at + 1;
    if (this.#bytes[from + key.length] !== QUOTE || !same(this.#bytes, from, key)) return false;
    this.#at = from + key.length + 1;
    return true;
  }

  /** The value at hand into a cell; gives its state. */
  #cell(column: Column, row: number): number {
    const first = this.#bytes[this.#at]!;
    if (first === N) {
      this.#word("null");
      return NULL;
    }
    if (column.kind === "json") {
      const from = this.#at;
      this.#skip(0);
      return this.#slot(column, row, this.#bytes, from, this.#at);
    }
    if (column.kind === "dyn") return this.#open(column, row, first);
    if (first === QUOTE) return this.#text(column, row);
    if (first === MINUS || (first >= ZERO && first <= NINE)) return this.#figure(column, row);
    if (first === T || first === F) {
      this.#word(first === T ? "true" : "false");
      if (column.kind !== "bool") return ERROR.type;
      this.#ring.arena.F[column.payload + row] = first === T ? 1 : 0;
      return this.#state;
    }
    this.#skip(0);
    return ERROR.type;
  }

  /** A value of no fixed type: numbers are floats (eKuiper). */
  #open(column: Column, row: number, first: number): number {
    const { U, I } = this.#ring.arena;
    const at = column.payload + row * column.stride;
    const from = this.#at;
    let length: number;
    if (first === QUOTE && this.#string()) {
      length = this.#dyn.text(U, at, column.slot, this.#bytes, from + 1, this.#at - 1);
    } else if (first === MINUS || (first >= ZERO && first <= NINE)) {
      const value = this.#number();
      if (value - value !== 0) return ERROR.number;
      length = this.#dyn.write(U, at, column.slot, value);
    } else {
      this.#at = from;
      this.#skip(0);
      const value = parseDyn(this.#latin(from, this.#at));
      if (value === undefined) return ERROR.parse;
      length = this.#dyn.write(U, at, column.slot, value);
    }
    if (length < 0) return ERROR.length;
    I[column.length + row] = length;
    return this.#state;
  }

  #figure(column: Column, row: number): number {
    const from = this.#at;
    const value = this.#number();
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
    const exact = this.#integral ? BigInt(this.#latin(from, this.#at)) : BigInt(value);
    if (BigInt.asIntN(64, exact) !== exact) return ERROR.overflow;
    I[word] = Number(BigInt.asIntN(32, exact));
    I[word + 1] = Number(BigInt.asIntN(32, exact >> 32n));
    return this.#state;
  }

  #text(column: Column, row: number): number {
    const from = this.#at + 1;
    const plain = this.#string();
    const to = this.#at - 1;
    switch (column.kind) {
      case "text": {
        if (plain) return this.#slot(column, row, this.#bytes, from, to);
        const bytes = encoder.encode(this.#unescape(from));
        return this.#slot(column, row, bytes, 0, bytes.length);
      }
      case "bytes": {
        const text = plain ? this.#latin(from, to) : this.#unescape(from);
        if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return ERROR.parse;
        const bytes = Buffer.from(text, "base64");
        return this.#slot(column, row, bytes, 0, bytes.length);
      }
      case "time": {
        const time = Date.parse(plain ? this.#latin(from, to) : this.#unescape(from));
        if (Number.isNaN(time)) return ERROR.parse;
        this.#ring.arena.F[column.payload + row] = time;
        return this.#state;
      }
      default:
        return ERROR.type;
    }
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

  /** After a member: true at a comma, false past `close`. */
  #more(close: number): boolean {
    const byte = this.#space();
    if (byte !== COMMA && byte !== close) {
      throw this.#wrong(close === CLOSE ? '"," or "}"' : '"," or "]"');
    }
    this.#at++;
    return byte === COMMA;
  }

  /** Past white space; the byte there, −1 at the end. */
  #space(): number {
    const bytes = this.#bytes;
    let at = this.#at;
    while (at < this.#end) {
      const byte = bytes[at]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) {
        this.#at = at;
        return byte;
      }
      at++;
    }
    this.#at = at;
    return -1;
  }

  /** Past a string in quotes; true if it has no escapes. */
  #string(): boolean {
    const bytes = this.#bytes;
    let plain = true;
    let at = this.#at + 1;
    for (; at < this.#end; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.#at = at + 1;
        return plain;
      }
      if (byte < 0x20) break;
      if (byte !== BACKSLASH) continue;
      plain = false;
      at++;
      if (bytes[at] === U) {
        if (!/^[0-9a-fA-F]{4}$/.test(this.#latin(at + 1, at + 5))) break;
        at += 4;
      } else if (escapes[bytes[at] ?? 0] === undefined) break;
    }
    this.#at = Math.min(at, this.#end);
    throw this.#wrong("a string that ends, without control characters or unknown escapes");
  }

  /** The text of the string that began at `from` and was just passed. */
  #unescape(from: number): string {
    const text = decoder.decode(this.#bytes.subarray(from, this.#at - 1));
    return text.replaceAll(/\\(?:u(....)|(.))/g, (_, code: string | undefined, letter: string) =>
      code === undefined ? escapes[letter.charCodeAt(0)]!
        : String.fromCharCode(Number.parseInt(code, 16))).toWellFormed();
  }

  #number(): number {
    const bytes = this.#bytes;
    const from = this.#at;
    let at = from;
    const negative = bytes[at] === MINUS;
    if (negative) at++;
    let mantissa = 0, exponent = 0;
    const first = at;
    while (digit(bytes[at])) mantissa = mantissa * 10 + (bytes[at++]! - ZERO);
    if (at === first || (bytes[first] === ZERO && at > first + 1)) {
      this.#at = first;
      throw this.#wrong("a number without leading zeros");
    }
    let digits = at - first;
    this.#integral = true;
    if (bytes[at] === DOT) {
      const point = ++at;
      while (digit(bytes[at])) mantissa = mantissa * 10 + (bytes[at++]! - ZERO);
      exponent = point - at;
      digits -= exponent;
      this.#integral = false;
      this.#at = at;
      if (exponent === 0) throw this.#wrong("a digit after the decimal point");
    }
    if ((bytes[at]! | 0x20) === E) {
      at++;
      const sign = bytes[at] === MINUS ? -1 : 1;
      if (bytes[at] === MINUS || bytes[at] === 0x2b) at++;
      const power = at;
      let value = 0;
      while (digit(bytes[at])) value = Math.min(9999, value * 10 + (bytes[at++]! - ZERO));
      this.#integral = false;
      this.#at = at;
      if (at === power) throw this.#wrong("a digit in the exponent");
      exponent += sign * value;
    }
    this.#at = at;
    // Exact and so rightly rounded (Clinger 1990); everything else goes the long way.
    if (digits > digits_exact || exponent < -22 || exponent > 22) {
      return Number(this.#latin(from, at));
    }
    const value = exponent < 0 ? mantissa / powers[-exponent]! : mantissa * powers[exponent]!;
    return negative ? -value : value;
  }

  /** Past any value. */
  #skip(depth: number): void {
    if (depth > depth_max) throw this.#wrong(`at most ${depth_max} containers in each other`);
    const first = this.#bytes[this.#at]!;
    switch (first) {
      case QUOTE: this.#string(); return;
      case T: this.#word("true"); return;
      case F: this.#word("false"); return;
      case N: this.#word("null"); return;
      case OPEN: case OPEN_LIST: break;
      default: this.#number(); return;
    }
    const close = first === OPEN ? CLOSE : CLOSE_LIST;
    this.#at++;
    if (this.#space() === close) {
      this.#at++;
      return;
    }
    do {
      if (first === OPEN) {
        if (this.#space() !== QUOTE) throw this.#wrong("a field name in quotes");
        this.#string();
        if (this.#space() !== COLON) throw this.#wrong('":"');
        this.#at++;
      }
      this.#space();
      this.#skip(depth + 1);
    } while (this.#more(close));
  }

  #word(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.#bytes[this.#at + i] !== word.charCodeAt(i)) throw this.#wrong("a value");
    }
    this.#at += word.length;
  }

  #latin(from: number, to: number): string {
    return decoder.decode(this.#bytes.subarray(from, to));
  }

  #wrong(expected: string): Fault {
    const found = this.#at < this.#end
      ? JSON.stringify(decoder.decode(this.#bytes.subarray(this.#at, this.#at + 12)))
      : "the end";
    return new Fault("json-malformed", `No JSON: at byte ${this.#at} ${expected} was expected, ` +
      `found ${found}`, { at: this.#at });
  }
}

function same(bytes: Uint8Array, from: number, key: Uint8Array): boolean {
  for (let i = 0; i < key.length; i++) if (bytes[from + i] !== key[i]) return false;
  return true;
}

const digit = (byte: number | undefined): boolean => byte! >= ZERO && byte! <= NINE;
