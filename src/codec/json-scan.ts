import { Fault, textOfBytes } from "../base.ts";

/** Containers inside each other that are followed. */
const depth_max = 64;
/** Doubles hold every whole number of 15 digits, and powers of ten exactly up to 10^22. */
const digits_exact = 15;
/** No whole number of 64 bits has more. */
const digits_64 = 19;
const two32 = 2 ** 32;
const powers = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));

/** Bytes that mean something in JSON. */
export const QUOTE = 0x22, COMMA = 0x2c, MINUS = 0x2d, DOT = 0x2e, ZERO = 0x30, NINE = 0x39;
export const COLON = 0x3a, OPEN = 0x7b, CLOSE = 0x7d, OPEN_LIST = 0x5b, CLOSE_LIST = 0x5d;
export const F = 0x66, N = 0x6e, T = 0x74;
const BACKSLASH = 0x5c, E = 0x65, U = 0x75;

/** What a backslash and a letter stand for (RFC 8259, 7). */
const escapes: Readonly<Record<number, string>> = {
  0x22: '"', 0x5c: "\\", 0x2f: "/", 0x62: "\b", 0x66: "\f", 0x6e: "\n", 0x72: "\r", 0x74: "\t",
};

/** Goes through the text of a JSON document (RFC 8259) from front to back, without making any. */
export class JsonScanner {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;
  /** The number read last had no fraction and no exponent. */
  integral = false;

  begin(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.at = 0;
    this.end = bytes.length;
  }

  /** True: the byte at hand begins a number. */
  get atNumber(): boolean {
    const byte = this.bytes[this.at]!;
    return byte === MINUS || (byte >= ZERO && byte <= NINE);
  }

  /** Past the colon behind a field's name, to its value. */
  colon(): void {
    if (this.space() !== COLON) throw this.wrong('":"');
    this.at++;
    this.space();
  }

  /** After a member: true at a comma, false past `close`. */
  more(close: number): boolean {
    const byte = this.space();
    if (byte !== COMMA && byte !== close) {
      throw this.wrong(close === CLOSE ? '"," or "}"' : '"," or "]"');
    }
    this.at++;
    return byte === COMMA;
  }

  /** Past white space; the byte there, −1 at the end. */
  space(): number {
    const bytes = this.bytes;
    let at = this.at;
    while (at < this.end) {
      const byte = bytes[at]!;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) {
        this.at = at;
        return byte;
      }
      at++;
    }
    this.at = at;
    return -1;
  }

  /** Past a string in quotes; true if it has no escapes. */
  string(): boolean {
    const bytes = this.bytes;
    let plain = true;
    let at = this.at + 1;
    for (; at < this.end; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.at = at + 1;
        return plain;
      }
      if (byte < 0x20) break;
      if (byte !== BACKSLASH) continue;
      plain = false;
      at++;
      if (bytes[at] === U) {
        if (!/^[0-9a-fA-F]{4}$/.test(this.latin(at + 1, at + 5))) break;
        at += 4;
      } else if (escapes[bytes[at] ?? 0] === undefined) break;
    }
    this.at = Math.min(at, this.end);
    throw this.wrong("a string that ends, without control characters or unknown escapes");
  }

  /** The text of the string that began at `from` and was just passed. */
  unescape(from: number): string {
    const text = textOfBytes(this.bytes.subarray(from, this.at - 1));
    return text.replaceAll(/\\(?:u(....)|(.))/g, (_, code: string | undefined, letter: string) =>
      code === undefined ? escapes[letter.charCodeAt(0)]!
        : String.fromCharCode(Number.parseInt(code, 16))).toWellFormed();
  }

  number(): number {
    const bytes = this.bytes;
    const from = this.at;
    let at = from;
    const negative = bytes[at] === MINUS;
    if (negative) at++;
    let mantissa = 0, exponent = 0;
    const first = at;
    while (digit(bytes[at])) mantissa = mantissa * 10 + (bytes[at++]! - ZERO);
    if (at === first || (bytes[first] === ZERO && at > first + 1)) {
      this.at = first;
      throw this.wrong("a number without leading zeros");
    }
    let digits = at - first;
    this.integral = true;
    if (bytes[at] === DOT) {
      const point = ++at;
      while (digit(bytes[at])) mantissa = mantissa * 10 + (bytes[at++]! - ZERO);
      exponent = point - at;
      digits -= exponent;
      this.integral = false;
      this.at = at;
      if (exponent === 0) throw this.wrong("a digit after the decimal point");
    }
    if ((bytes[at]! | 0x20) === E) {
      at++;
      const sign = bytes[at] === MINUS ? -1 : 1;
      if (bytes[at] === MINUS || bytes[at] === 0x2b) at++;
      const power = at;
      let value = 0;
      while (digit(bytes[at])) value = Math.min(9999, value * 10 + (bytes[at++]! - ZERO));
      this.integral = false;
      this.at = at;
      if (at === power) throw this.wrong("a digit in the exponent");
      exponent += sign * value;
    }
    this.at = at;
    // A whole number that a double holds was worked out without rounding.
    if (this.integral && mantissa <= Number.MAX_SAFE_INTEGER) {
      return negative ? -mantissa : mantissa;
    }
    // Exact and so rightly rounded (Clinger 1990); everything else goes the long way.
    if (digits > digits_exact || exponent < -22 || exponent > 22) {
      return Number(this.latin(from, at));
    }
    const value = exponent < 0 ? mantissa / powers[-exponent]! : mantissa * powers[exponent]!;
    return negative ? -value : value;
  }

  /**
   * Past a whole number of so many digits that it may be none that a double holds, with its 64
   * bits in two words; false: another value is at hand.
   */
  words(I: Int32Array, word: number): boolean {
    const { bytes } = this;
    const negative = bytes[this.at] === MINUS;
    const first = negative ? this.at + 1 : this.at;
    let end = first;
    while (digit(bytes[end])) end++;
    const next = bytes[end]!;
    if (end - first <= digits_exact || end - first > digits_64 || bytes[first] === ZERO ||
      next === DOT || (next | 0x20) === E) return false;
    // value = head × 10^9 + tail, with head = a × 2^16 + b
    const head = this.#digits(first, end - 9);
    const a = Math.floor(head / 65536) * 1e9;
    const b = (head % 65536) * 1e9 + this.#digits(end - 9, end);
    const sum = b % two32 + a % 65536 * 65536;
    const low = sum % two32;
    const high = Math.floor(b / two32) + Math.floor(a / 65536) + Math.floor(sum / two32);
    if (high >= two32 / 2 && !(negative && high === two32 / 2 && low === 0)) return false;
    I[word] = negative ? -low : low;
    I[word + 1] = negative ? (low === 0 ? -high : -high - 1) : high;
    this.at = end;
    return true;
  }

  #digits(from: number, to: number): number {
    let value = 0;
    for (let i = from; i < to; i++) value = value * 10 + (this.bytes[i]! - ZERO);
    return value;
  }

  /** Past any value. */
  skip(depth: number): void {
    if (depth > depth_max) throw this.wrong(`at most ${depth_max} containers in each other`);
    const first = this.bytes[this.at]!;
    switch (first) {
      case QUOTE: this.string(); return;
      case T: this.word("true"); return;
      case F: this.word("false"); return;
      case N: this.word("null"); return;
      case OPEN: case OPEN_LIST: break;
      default: this.number(); return;
    }
    const close = first === OPEN ? CLOSE : CLOSE_LIST;
    this.at++;
    if (this.space() === close) {
      this.at++;
      return;
    }
    do {
      if (first === OPEN) {
        if (this.space() !== QUOTE) throw this.wrong("a field name in quotes");
        this.string();
        this.colon();
      } else {
        this.space();
      }
      this.skip(depth + 1);
    } while (this.more(close));
  }

  word(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.bytes[this.at + i] !== word.charCodeAt(i)) throw this.wrong("a value");
    }
    this.at += word.length;
  }

  latin(from: number, to: number): string {
    return textOfBytes(this.bytes.subarray(from, to));
  }

  wrong(expected: string): Fault {
    const found = this.at < this.end
      ? JSON.stringify(textOfBytes(this.bytes.subarray(this.at, this.at + 12)))
      : "the end";
    return new Fault("json-malformed", `No JSON: at byte ${this.at} ${expected} was expected, ` +
      `found ${found}`, { at: this.at });
  }
}

const digit = (byte: number | undefined): boolean => byte! >= ZERO && byte! <= NINE;

/** True if `key` stands at `from`. */
export function same(bytes: Uint8Array, from: number, key: Uint8Array): boolean {
  for (let i = 0; i < key.length; i++) if (bytes[from + i] !== key[i]) return false;
  return true;
}
