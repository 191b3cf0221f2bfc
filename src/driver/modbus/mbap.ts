import { ANSWER, DAMAGED, LOST, NOTHING, type Framing } from "./framing.ts";
import { get16, pdu_bytes_max, put16 } from "./pdu.ts";

/**
 * Frames on TCP (Modbus Messaging on TCP/IP 1.0b, 3.1.3):
 *
 *     | transaction:2 | protocol:2 = 0 | length:2 = 1 + PDU | unit | PDU |
 *       0               2                4                    6      7
 */
export const header_bytes = 7;
export const adu_bytes_max = header_bytes + pdu_bytes_max;

/** True if these bytes can begin a frame. */
export function soundHeader(bytes: Uint8Array, n: number): boolean {
  if (n >= 4 && get16(bytes, 2) !== 0) return false;
  if (n < 6) return true;
  const length = get16(bytes, 4);
  return length >= 2 && length <= 1 + pdu_bytes_max;
}

/** Length of the frame whose header this is; −1 = it is none. */
export function frameBytes(header: Uint8Array): number {
  return soundHeader(header, header_bytes) ? 6 + get16(header, 4) : -1;
}

export class MbapFraming implements Framing {
  readonly out = new Uint8Array(adu_bytes_max);
  readonly pdu = this.out;
  readonly pduAt = header_bytes;
  readonly input = new Uint8Array(2 * adu_bytes_max);
  readonly answerAt = header_bytes;
  readonly isNumbered = true;
  readonly foreign = false;
  readonly remark = "";
  isHeard = false;
  stray = 0;
  readonly odd = 0;
  #filled = 0;
  /** Bytes of the frame in front that was given out and goes at the next look. */
  #given = 0;
  #transaction: number;
  readonly #stride: number;

  /** Its transaction numbers are `first` modulo `stride`, a power of two. */
  constructor(first = 0, stride = 1) {
    this.#transaction = first;
    this.#stride = stride;
  }

  seal(station: number, n: number): number {
    this.#transaction = (this.#transaction + this.#stride) & 0xffff;
    put16(this.out, 0, this.#transaction);
    put16(this.out, 2, 0);
    put16(this.out, 4, 1 + n);
    this.out[6] = station;
    return header_bytes + n;
  }

  size(n: number): number {
    return header_bytes + n;
  }

  sendAt(_station: number, now: number): number {
    return now;
  }

  sent(): void {
    this.isHeard = false;
  }

  travel(): number {
    return 0;
  }

  push(bytes: Uint8Array, at: number, n: number): number {
    this.#release();
    this.isHeard = true;
    const stop = Math.min(n, at + this.input.length - this.#filled);
    while (at < stop) this.input[this.#filled++] = bytes[at++]!;
    return at;
  }

  take(station: number, code: number, length: number): number {
    for (;;) {
      const n = this.#front();
      if (n <= 0) return n === 0 ? NOTHING : LOST;
      if (get16(this.input, 0) === this.#transaction) {
        this.#given = n;
        const answered = this.input[7]! & 0x7f;
        const bytes = this.input[7] === answered ? length : 2;
        const fits = this.input[6] === station && answered === code && n === header_bytes + bytes;
        return fits ? ANSWER : DAMAGED;
      }
      this.#drop(n);
    }
  }

  discard(): void {
    for (let n = this.#front(); n !== 0; n = this.#front()) this.#drop(n < 0 ? this.#filled : n);
  }

  unanswered(): void {}

  clear(): void {
    this.#filled = 0;
    this.#given = 0;
  }

  /** Bytes of the frame in front, 0 = not complete, −1 = no frame begins here. */
  #front(): number {
    this.#release();
    if (!soundHeader(this.input, this.#filled)) return -1;
    if (this.#filled < 6) return 0;
    const n = 6 + get16(this.input, 4);
    return n <= this.#filled ? n : 0;
  }

  /** A late answer: its exchange was given up. */
  #drop(n: number): void {
    this.stray += n;
    this.#remove(n);
  }

  #release(): void {
    if (this.#given > 0) this.#remove(this.#given);
    this.#given = 0;
  }

  #remove(n: number): void {
    this.input.copyWithin(0, n, this.#filled);
    this.#filled -= n;
  }
}
