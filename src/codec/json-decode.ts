import { isUtf8 } from "node:buffer";
import { assert, Fault } from "../base.ts";
import type { RowDecoder } from "../codec.ts";
import { ABSENT, ERROR, NULL, type Column, type Ring } from "../ring.ts";

/** A declared column with its key as it stands in a message. */
interface Field {
  readonly column: Column;
  readonly key: Uint8Array;
  /** Messages mostly keep their order: index of the field to try first after this one. */
  readonly next: number;
}

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
 * Reads JSON (RFC 8259) once from front to back and puts the declared fields straight into cells:
 * no object, no string a message. Undeclared fields are checked and skipped.
 */
export class JsonDecoder implements RowDecoder {
  readonly #ring: Ring;
  readonly #fields: readonly Field[];
  readonly #byName = new Map<string, Field>();
  readonly #time: Column | null;
  readonly #rows_max: number;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #state = 0;
  /** The number read last had no fraction and no exponent. */
  #whole = false;

  constructor(ring: Ring, timeColumn: string | null, rows_max: number) {
    assert(ring.columns.length > 0, `json: ${ring.name} has no columns`);
    this.#ring = ring;
    this.#rows_max = rows_max;
    this.#fields = ring.columns.map((column, i) =>
      ({ column, key: encoder.encode(column.name), next: (i + 1) % ring.columns.length }));
    for (const field of this.#fields) this.#byName.set(field.column.name, field);
    this.#time = timeColumn === null ? null : ring.column(timeColumn) ?? null;
  }

  decode(bytes: Uint8Array, time: number, state: number): number {
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
    this.#object(row);
    floats[ring.timeAt + row] = time;
    bytes[ring.flagsAt + row] = 0;
    const source = this.#time;
    const known = source !== null && bytes[source.state + row] === this.#state;
    floats[ring.sourceAt + row] = known ? floats[source.payload + row]! : NaN;
  }

  #object(row: number): void {
    let expected = this.#fields[0]!;
    this.#at++;
    if (this.#space() === CLOSE) {
      this.#at++;
      return;
    }
    do {
      if (this.#space() !== QUOTE) throw this.#wrong("a field name in quotes");
      const field = this.#field(expected);
      if (this.#space() !== COLON) throw this.#wrong('":"');
      this.#at++;
      this.#space();
      if (field === null) {
        this.#skip(0);
        continue;
      }
      const { column } = field;
      this.#ring.arena.U[column.state + row] = this.#cell(column, row);
      expected = this.#fields[field.next]!;
    } while (this.#more(CLOSE));
  }

  /** Reads a field name; the column it stands for, or null. */
  #field(expected: Field): Field | null {
    const bytes = this.#bytes;
    const { key } = expected;
    const from = this.#at + 1;
    let i = 0;
    while (i < key.length && bytes[from + i] === key[i]) i++;
    if (i === key.length && bytes[from + i] === QUOTE) {
      this.#at = from + i + 1;
      return expected;
    }
    const plain = this.#string();
    const name = plain ? decoder.decode(bytes.subarray(from, this.#at - 1)) : this.#unescape(from);
    return this.#byName.get(name) ?? null;
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
    const exact = this.#whole ? BigInt(this.#latin(from, this.#at)) : BigInt(value);
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
    this.#whole = true;
    if (bytes[at] === DOT) {
      const point = ++at;
      while (digit(bytes[at])) mantissa = mantissa * 10 + (bytes[at++]! - ZERO);
      exponent = point - at;
      digits -= exponent;
      this.#whole = false;
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
      this.#whole = false;
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

const digit = (byte: number | undefined): boolean => byte! >= ZERO && byte! <= NINE;
