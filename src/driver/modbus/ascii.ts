import { character_ms, type LineSettings } from "../wire/line.ts";
import { ANSWER, DAMAGED, NOTHING, type Framing } from "./framing.ts";
import { LineFraming } from "./line.ts";
import { isRead, pdu_bytes_max, REFUSED } from "./pdu.ts";

/**
 * Frames as text (Modbus over Serial Line 1.02, 2.5.2): each byte is two characters 0-9 A-F.
 *
 *     | : | station | PDU | LRC | CR LF |
 *
 * A colon begins a frame whatever came before it, so that noise costs one frame at most.
 */
export const text_bytes_max = 1 + 2 * (1 + pdu_bytes_max + 1) + 2;
export const COLON = 0x3a;
const CR = 0x0d, LF = 0x0a;
const digits = new TextEncoder().encode("0123456789ABCDEF");

/** The sum of all bytes of a sound frame, LRC included, is 0 modulo 256 (6.2.1). */
export function soundLrc(bytes: Uint8Array, n: number): boolean {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += bytes[i]!;
  return (sum & 0xff) === 0;
}

/** Puts the frame of `bytes[0…n)`, which are station and PDU, at `out`; its length. */
export function putText(bytes: Uint8Array, n: number, out: Uint8Array): number {
  let at = 0;
  let sum = 0;
  out[at++] = COLON;
  for (let i = 0; i <= n; i++) {
    const byte = i < n ? bytes[i]! : -sum & 0xff;
    sum += byte;
    out[at++] = digits[byte >> 4]!;
    out[at++] = digits[byte & 15]!;
  }
  out[at++] = CR;
  out[at++] = LF;
  return at;
}

/** The value of a digit, −1 = it is none. Small letters are taken, too. */
function digit(character: number): number {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  const letter = character & 0xdf;
  return letter >= 0x41 && letter <= 0x46 ? letter - 0x37 : -1;
}

/** Turns characters into the bytes of a frame, one at a time. */
export class TextReader {
  readonly bytes = new Uint8Array(1 + pdu_bytes_max + 1);
  filled = 0;
  #high = -1;
  #inside = false;

  /** True if this character ends a frame, whose bytes are `bytes[0…filled)`. */
  read(character: number): boolean {
    if (character === COLON) {
      this.reset();
      this.#inside = true;
      return false;
    }
    if (!this.#inside || character === CR) return false;
    if (character === LF) {
      this.#inside = false;
      return this.#high < 0 && this.filled >= 3;
    }
    const value = digit(character);
    if (value < 0 || this.filled === this.bytes.length) this.#inside = false;
    else if (this.#high < 0) this.#high = value;
    else {
      this.bytes[this.filled++] = (this.#high << 4) | value;
      this.#high = -1;
    }
    return false;
  }

  reset(): void {
    this.filled = 0;
    this.#high = -1;
    this.#inside = false;
  }

  /** The frame is a sound request to read: only a master sends one. */
  get isRequest(): boolean {
    return this.filled === 7 && isRead(this.bytes, 1) && soundLrc(this.bytes, 7);
  }
}

/** ms of a read whose answer has so many bytes of data, and of the silence after it. */
export function ascii_ms(line: LineSettings, bytes: number): number {
  return (1 + 2 * 7 + 2 + 1 + 2 * (4 + bytes) + 2 + 1) * character_ms(line);
}

/** Hears whether somebody else asks on this bus. */
export class TextEar {
  readonly #reader = new TextReader();

  hearAll(bytes: Uint8Array, n: number): boolean {
    for (let i = 0; i < n; i++) {
      if (this.#reader.read(bytes[i]!) && this.#reader.isRequest) return true;
    }
    return false;
  }
}

export class AsciiFraming extends LineFraming implements Framing {
  readonly pdu = new Uint8Array(1 + pdu_bytes_max);
  readonly pduAt = 1;
  readonly out = new Uint8Array(text_bytes_max);
  readonly #reader = new TextReader();
  readonly input = this.#reader.bytes;
  readonly answerAt = 1;
  /** Characters since the last look that was worth one. */
  #characters = 0;
  #complete = false;
  /** Bytes of station and PDU that left last. */
  #sealed = 0;

  /** Frames begin and end by themselves: one character of silence parts them. */
  constructor(line: LineSettings | null) {
    super(line, line === null ? 0 : character_ms(line));
  }

  seal(station: number, n: number): number {
    this.pdu[0] = station;
    this.#sealed = 1 + n;
    return putText(this.pdu, 1 + n, this.out);
  }

  size(n: number): number {
    return 1 + 2 * (1 + n + 1) + 2;
  }

  /** Takes no more than to the end of a frame, so that it is looked at before the next. */
  push(bytes: Uint8Array, at: number, n: number, now: number): number {
    if (this.#complete) this.discard();
    const from = at;
    for (; at < n && !this.#complete; at++) {
      this.#characters += 1;
      this.#complete = this.#reader.read(bytes[at]!);
    }
    this.came(at - from, now);
    if (this.#complete && this.#reader.isRequest && !this.#isOwn()) this.foreign = true;
    return at;
  }

  take(station: number, code: number, length: number): number {
    if (!this.#complete) return NOTHING;
    const { input } = this;
    const n = this.#reader.filled;
    const isSound = soundLrc(input, n);
    const isOurs = input[0] === station && (input[1]! & ~REFUSED) === code;
    const fits = isOurs && n === 2 + ((input[1]! & REFUSED) !== 0 ? 2 : length);
    if (this.#isOwn() && (this.echo.isOwed || !fits)) {
      this.#skipEcho(fits);
      return NOTHING;
    }
    if (isSound && fits) {
      this.#characters = 0;
      this.echo.answered();
      this.foreign = false;
      return ANSWER;
    }
    // Damaged, and by its head and length the answer, or the echo before it. Anything else may be
    // another's, and the answer still to come: it would be taken for that to the next request.
    if (fits && !this.echo.isOwed) return DAMAGED;
    this.discard();
    return NOTHING;
  }

  #skipEcho(inDoubt: boolean): void {
    this.strayed(Math.max(0, this.#characters - this.sent_bytes));
    this.#characters = 0;
    this.echoed(inDoubt);
  }

  discard(): void {
    this.strayed(this.#characters);
    this.#characters = 0;
    this.#complete = false;
    this.#reader.reset();
  }

  override clear(goesOn: boolean): void {
    this.#characters = 0;
    this.discard();
    super.clear(goesOn);
  }

  /** An adapter may give back what we sent. */
  #isOwn(): boolean {
    if (this.#reader.filled !== this.#sealed + 1) return false;
    if (!soundLrc(this.input, this.#sealed + 1)) return false;
    for (let i = 0; i < this.#sealed; i++) if (this.input[i] !== this.pdu[i]) return false;
    return true;
  }
}
