import { stray_max } from "./echo.ts";
import { get16, isRead, READ_DISCRETES, REFUSED } from "./pdu.ts";
import { frame_bytes_max, soundCrc } from "./rtu.ts";

/** What is heard of others on a bus: reads, and what became of each. */
export interface Overheard {
  asked(): void;
  /** The data of the answer, `data[at…]`. */
  answered(data: Uint8Array, at: number): void;
  refused(exception: number): void;
  /** Something stood where the answer should have been, or nothing did. */
  unanswered(isGarbled: boolean): void;
}

const request_bytes = 8;

/**
 * A master's reads and their answers among the bytes of a bus (RTU). An answer does not say which
 * registers it has; so it counts only right behind its request, with nothing between that could
 * have been another frame, from the station and of the function and length that were asked for,
 * with its CRC.
 */
export class Conversation {
  /** The read that was heard last. */
  station = 0;
  code = 0;
  from = 0;
  count = 0;
  /** Monotonic ms. */
  askedAt = 0;
  /** Bytes of other frames, and of none. */
  stray = 0;
  #isAsked = false;
  readonly #on: Overheard;
  readonly #timeout_ms: number;
  readonly #character_ms: number;
  readonly #input = new Uint8Array(2 * frame_bytes_max);
  #filled = 0;

  constructor(timeout_ms: number, character_ms: number, on: Overheard) {
    this.#on = on;
    this.#timeout_ms = timeout_ms;
    this.#character_ms = character_ms;
  }

  receive(bytes: Uint8Array, n: number, now: number): void {
    for (let at = 0; at < n;) {
      const stop = Math.min(n, at + this.#input.length - this.#filled);
      while (at < stop) this.#input[this.#filled++] = bytes[at++]!;
      while (this.#isAsked ? this.#findAnswer() : this.#findRequest(now));
    }
  }

  /** Gives up an answer that does not come; when (monotonic ms) that is. */
  step(now: number): number {
    if (!this.#isAsked) return Infinity;
    const bytes = 5 + this.#dataBytes;
    const late = this.askedAt + this.#timeout_ms + bytes * this.#character_ms;
    if (now < late) return late;
    this.#end();
    this.#on.unanswered(this.#filled > 0);
    while (this.#findRequest(now));
    return this.#isAsked ? this.step(now) : Infinity;
  }

  clear(): void {
    this.#end();
    this.#filled = 0;
  }

  get #dataBytes(): number {
    return this.code > READ_DISCRETES ? this.count * 2 : Math.ceil(this.count / 8);
  }

  /** True if something was found, or it is known that nothing will be. */
  #findAnswer(): boolean {
    const input = this.#input;
    let mayCome = false;
    for (let i = 0; i <= stray_max && i < this.#filled; i++) {
      const n = this.#answerAt(i);
      if (n === 0) continue;
      if (i + n > this.#filled) {
        mayCome = true;
        continue;
      }
      if (!soundCrc(input, i, i + n)) continue;
      this.#end();
      if ((input[i + 1]! & REFUSED) !== 0) this.#on.refused(input[i + 2]!);
      else this.#on.answered(input, i + 3);
      this.stray += i;
      this.#remove(i + n);
      return true;
    }
    if (mayCome || this.#filled < request_bytes) return false;
    this.#end();
    this.#on.unanswered(!this.#isRequest(0));
    return true;
  }

  /** Bytes of the answer that may begin at `i`, by those that are there; 0 = none can. */
  #answerAt(i: number): number {
    const input = this.#input;
    const there = this.#filled - i;
    if (input[i] !== this.station) return 0;
    if (there < 2) return frame_bytes_max;
    if (input[i + 1] === (this.code | REFUSED)) return 5;
    if (input[i + 1] !== this.code) return 0;
    return there >= 3 && input[i + 2] !== this.#dataBytes ? 0 : 5 + this.#dataBytes;
  }

  #findRequest(now: number): boolean {
    const input = this.#input;
    for (let i = 0; i + request_bytes <= this.#filled; i++) {
      if (!this.#isRequest(i)) continue;
      this.station = input[i]!;
      this.code = input[i + 1]!;
      this.from = get16(input, i + 2);
      this.count = get16(input, i + 4);
      this.askedAt = now;
      this.#isAsked = true;
      this.stray += i;
      this.#remove(i + request_bytes);
      this.#on.asked();
      return true;
    }
    const over = this.#filled - (request_bytes - 1);
    if (over > 0) {
      this.stray += over;
      this.#remove(over);
    }
    return false;
  }

  #isRequest(at: number): boolean {
    const input = this.#input;
    return at + request_bytes <= this.#filled && input[at]! >= 1 && input[at]! <= 247 &&
      isRead(input, at + 1) && soundCrc(input, at, at + request_bytes);
  }

  #end(): void {
    this.#isAsked = false;
  }

  #remove(n: number): void {
    this.#input.copyWithin(0, n, this.#filled);
    this.#filled -= n;
  }
}
