import { crc16 } from "../wire/crc16.ts";
import { character_ms, type LineSettings } from "../wire/line.ts";
import { ANSWER, DAMAGED, NOTHING, type Framing } from "./framing.ts";
import { LineFraming } from "./line.ts";
import { isRead, pdu_bytes_max, READ_INPUTS, REFUSED } from "./pdu.ts";

/**
 * Frames on RS-485 (Modbus over Serial Line 1.02, 2.5.1):
 *
 *     | station | PDU | CRC low | CRC high |      3.5 characters of silence before and after
 *       0         1
 *
 * A received frame ends by the length that its function gives and by its CRC, never by silence: USB
 * adapters deliver in pieces, so 1.5 characters inside a frame cannot be enforced.
 */
export const frame_bytes_max = 1 + pdu_bytes_max + 2;

/** Puts the CRC of `bytes[0…n)` behind them; the frame's length. */
export function putCrc(bytes: Uint8Array, n: number): number {
  const crc = crc16(bytes, 0, n);
  bytes[n] = crc;
  bytes[n + 1] = crc >>> 8;
  return n + 2;
}

/** True if `bytes[from…to)` ends with its CRC. A CRC run over itself leaves 0. */
export function soundCrc(bytes: Uint8Array, from: number, to: number): boolean {
  return crc16(bytes, from, to) === 0;
}

/** ms of silence between frames: 3.5 characters, fixed above 19200 baud (2.5.1.1). */
export function silence_ms(line: LineSettings): number {
  return line.baud > 19200 ? 1.75 : 3.5 * character_ms(line);
}

/** ms of a read whose answer has so many bytes of data: eight of request, five around the data. */
export function exchange_ms(line: LineSettings, bytes: number): number {
  return (8 + 5 + bytes) * character_ms(line) + silence_ms(line);
}

/**
 * Hears whether somebody else asks on this bus: eight bytes that are a sound read request. No whole
 * answer can look like one: FC3 and FC4 answer with an even number of data bytes, never 3, and the
 * same form of FC1 and FC2 is left out. The beginning of one can: the CRC of an answer whose last
 * byte is 0 is 0 one byte before its end. So what was heard counts once no answer came of it.
 */
export class MasterEar {
  readonly #last = new Uint8Array(8);
  #heard = 0;

  /** True if this byte completes a request other than `own` (an adapter may echo ours). */
  hear(byte: number, own: Uint8Array): boolean {
    const last = this.#last;
    last.copyWithin(0, 1);
    last[7] = byte;
    this.#heard += 1;
    return this.#heard >= 8 && isRead(last, 1) && soundCrc(last, 0, 8) && !this.#same(own);
  }

  /** What was heard is known to be an answer. */
  forget(): void {
    this.#heard = 0;
  }

  /** Bytes of a whole listening. */
  hearAll(bytes: Uint8Array, n: number): boolean {
    for (let i = 0; i < n; i++) if (this.hear(bytes[i]!, nothing)) return true;
    return false;
  }

  #same(own: Uint8Array): boolean {
    if (own.length < 8) return false;
    for (let i = 0; i < 8; i++) if (own[i] !== this.#last[i]) return false;
    return true;
  }
}
const nothing = new Uint8Array(0);

export class RtuFraming extends LineFraming implements Framing {
  readonly out = new Uint8Array(frame_bytes_max);
  readonly pdu = this.out;
  readonly pduAt = 1;
  readonly input = new Uint8Array(2 * frame_bytes_max);
  readonly answerAt = 1;
  readonly #ear = new MasterEar();
  #filled = 0;
  #given = 0;

  constructor(line: LineSettings | null) {
    super(line, line === null ? 0 : silence_ms(line));
  }

  seal(station: number, n: number): number {
    this.out[0] = station;
    return putCrc(this.out, 1 + n);
  }

  size(n: number): number {
    return 1 + n + 2;
  }

  push(bytes: Uint8Array, at: number, n: number, now: number): number {
    this.#release();
    // No room: what stands in front was no beginning of an answer, or it would be complete.
    if (this.#filled === this.input.length) this.#drop(frame_bytes_max);
    const stop = Math.min(n, at + this.input.length - this.#filled);
    this.came(stop - at, now);
    for (; at < stop; at++) {
      this.input[this.#filled++] = bytes[at]!;
      if (this.#ear.hear(bytes[at]!, this.out)) this.foreign = true;
    }
    return at;
  }

  take(station: number, code: number, length: number): number {
    this.#release();
    let damaged = false;
    for (let i = 0; i < this.#filled; i++) {
      const n = this.#frameAt(i, station, code, length);
      const isThere = n > 0 && i + n <= this.#filled;
      const isSound = isThere && soundCrc(this.input, i, i + n);
      if (isSound && !(this.echo.isOwed && this.#ownAt(i) > 0)) return this.#give(i, n);
      const own = this.#ownAt(i);
      const mayGoOn = n > 0 && !isThere && !this.echo.isOwed;
      if (own === this.sent_bytes && !mayGoOn) {
        this.#skipEcho(i, isSound);
        damaged = false;
        i = -1;
      } else if (own > 0 || n > 0 && !isThere) {
        if (!damaged) this.#drop(i);
        return damaged && !this.echo.isOwed ? DAMAGED : NOTHING;
      } else if (n > 0 && this.#isSurely(i, code)) damaged = true;
    }
    // Where the echo was damaged, too, the answer is still to come.
    if (damaged) return this.echo.isOwed ? NOTHING : DAMAGED;
    this.#drop(this.#filled);
    return NOTHING;
  }

  #give(at: number, n: number): number {
    this.#drop(at);
    this.#given = n;
    this.echo.answered();
    // The first eight bytes of a longer answer may be a sound request by themselves.
    this.foreign = false;
    this.#ear.forget();
    return ANSWER;
  }

  /** Bytes of the frame that left which stand at `i`, up to the last that came; 0 = others do. */
  #ownAt(i: number): number {
    const { input, out } = this;
    let n = 0;
    while (n < this.sent_bytes && i + n < this.#filled && input[i + n] === out[n]) n++;
    return n === this.sent_bytes || i + n === this.#filled ? n : 0;
  }

  #skipEcho(at: number, inDoubt: boolean): void {
    this.#drop(at);
    this.#remove(this.sent_bytes);
    this.echoed(inDoubt);
  }

  discard(): void {
    this.#release();
    this.#drop(this.#filled);
  }

  override clear(goesOn: boolean): void {
    this.#filled = 0;
    this.#given = 0;
    super.clear(goesOn);
  }

  /** Length of the frame that may begin at `i`, by the bytes that are there; 0 = none can. */
  #frameAt(i: number, station: number, code: number, length: number): number {
    const { input } = this;
    const there = this.#filled - i;
    if (input[i] !== station) return 0;
    if (there < 2) return frame_bytes_max;
    if (input[i + 1] === (code | REFUSED)) return 5;
    if (input[i + 1] !== code) return 0;
    const counted = code <= READ_INPUTS && there >= 3;
    return counted && input[i + 2] !== length - 2 ? 0 : 1 + length + 2;
  }

  /**
   * A damaged frame ends the exchange only if it is the answer without doubt, by the count of a
   * read or the address of a write. Else the answer may still come, and would be taken for the next
   * one: two bytes of noise look like the beginning of a refusal too often.
   */
  #isSurely(i: number, code: number): boolean {
    const { input, out } = this;
    if (input[i + 1] !== code) return false;
    return code <= READ_INPUTS || (input[i + 2] === out[2] && input[i + 3] === out[3]);
  }

  #drop(n: number): void {
    this.strayed(n);
    this.#remove(n);
  }

  #release(): void {
    if (this.#given > 0) this.#remove(this.#given);
    this.#given = 0;
  }

  #remove(n: number): void {
    if (n === 0) return;
    this.input.copyWithin(0, n, this.#filled);
    this.#filled -= n;
  }
}
