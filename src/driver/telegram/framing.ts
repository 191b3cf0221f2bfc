import { checksum, checksumBytes, putChecksum, type ChecksumSettings } from "./checksum.ts";
import { bytesOf } from "./notation.ts";
import type { FrameSettings } from "./settings.ts";

/** What a look at the received bytes found. */
export const NOTHING = 0;
export const TELEGRAM = 1;
/** A frame whose checksum is wrong, or bytes that never became one. */
export const DAMAGED = 2;

/**
 * So long (ms) after a torn piece its rest may still come: what was under way on a connection that
 * stood still. Later the connection would have been found dead.
 */
const rest_ms = 30_000;

/**
 * Frames on the wire, and how their end is known:
 *
 *     | start | payload | checksum | end |
 *     | start | payload | end | checksum |     with afterEnd
 *
 * by `end`; by a fixed number of `bytes` after the start; by a `length` inside the payload; or by
 * `silence`. It knows bytes and time, no wire. A payload is at `input[from…to)` until the next
 * call.
 */
export class Framing {
  readonly input: Uint8Array;
  from = 0;
  to = 0;
  /** Bytes of the whole frame, which begins at `input[0]`. */
  whole = 0;
  /** Bytes that belonged to no frame. */
  stray = 0;
  readonly #settings: FrameSettings;
  readonly #start: Uint8Array;
  readonly #end: Uint8Array;
  readonly #sumBytes: number;
  readonly #check = new Uint8Array(4);
  /** ms without a byte after which what stands here is a frame, or the torn piece of one. */
  readonly #gap_ms: number;
  #filled = 0;
  /** Bytes of the frame in front that was given out and goes at the next look. */
  #given = 0;
  #lastAt = 0;
  /** Up to here no end was found. */
  #searched = 0;
  /** Monotonic ms until which what comes up to the next end is the rest of a torn piece. */
  #restUntil = -Infinity;
  #isRest = false;

  constructor(settings: FrameSettings, torn_ms: number) {
    this.#settings = settings;
    this.#start = bytesOf(settings.start ?? "");
    this.#end = bytesOf(settings.end ?? "");
    this.#sumBytes = settings.checksum === undefined ? 0 : checksumBytes(settings.checksum);
    this.#gap_ms = settings.silence ?? torn_ms;
    this.input = new Uint8Array(settings.maxBytes);
  }

  /** Takes bytes of `bytes[at…n)` while there is room; the place of the first not taken. */
  push(bytes: Uint8Array, at: number, n: number, now: number): number {
    this.#release();
    if (this.#filled === 0) this.#isRest = now < this.#restUntil;
    this.#lastAt = now;
    const stop = Math.min(n, at + this.input.length - this.#filled);
    while (at < stop) this.input[this.#filled++] = bytes[at++]!;
    return at;
  }

  /** Looks for the next frame. */
  take(): number {
    this.#release();
    this.#skipToStart();
    let n = this.#length();
    if (this.#isRest && n > 0 && n <= this.#filled) {
      this.#endRest();
      this.#drop(n);
      n = this.#length();
    }
    if (n > 0 && n <= this.#filled) return this.#give(n);
    if (n < 0 || n > this.input.length || this.#filled === this.input.length) {
      // Another may begin further on; where nothing marks a beginning, only after an end.
      const isMarked = this.#start.length > 0 || this.#settings.length !== undefined;
      this.#drop(isMarked ? 1 : this.#filled);
      this.whole = 0;
      return DAMAGED;
    }
    return NOTHING;
  }

  /** When (monotonic ms) silence makes a frame of what stands here, or scrap; Infinity = never. */
  due(): number {
    return this.#filled > this.#given ? this.#lastAt + this.#gap_ms : Infinity;
  }

  /** Silence: the bytes that stand here are a frame, or the torn piece of one. */
  fallSilent(): number {
    this.#release();
    if (this.#settings.silence === undefined) {
      // Where nothing marks a beginning, the rest alone would look like a telegram.
      const { end } = this.#settings;
      if (end !== undefined && this.#start.length === 0 && !this.#isBlank()) {
        this.#restUntil = this.#lastAt + rest_ms;
      }
      this.#drop(this.#filled);
      return NOTHING;
    }
    this.#skipToStart();
    return this.#filled > this.#start.length ? this.#give(this.#filled) : NOTHING;
  }

  /** What stands here belongs to nobody. */
  discard(): void {
    this.#release();
    this.#drop(this.#filled);
    this.#endRest();
  }

  clear(): void {
    this.#filled = this.#given = this.#searched = 0;
    this.#endRest();
  }

  /** Where a payload begins in a frame that is built. */
  get payloadAt(): number {
    return this.#start.length;
  }

  /** Bytes that a frame has besides its payload. */
  get extraBytes(): number {
    return this.#start.length + this.#sumBytes + this.#end.length;
  }

  /** Makes the payload `out[payloadAt…to)` a frame; its length. */
  seal(out: Uint8Array, to: number): number {
    const { length, checksum: sum } = this.#settings;
    out.set(this.#start);
    const tail = this.#sumBytes + this.#end.length;
    if (length !== undefined) {
      const value = to - this.payloadAt + tail - length.plus;
      for (let i = 0; i < length.bytes; i++) {
        const place = length.order === "low-first" ? i : length.bytes - 1 - i;
        out[this.payloadAt + length.at - 1 + place] = value >>> (8 * i);
      }
    }
    if (sum === undefined || sum.afterEnd) to = put(this.#end, out, to);
    if (sum === undefined) return to;
    to = putChecksum(sum, this.#sum(sum, out, 0, to), out, to);
    return sum.afterEnd ? to : put(this.#end, out, to);
  }

  #sum(settings: ChecksumSettings, bytes: Uint8Array, frame: number, to: number): number {
    const from = frame + (settings.withStart ? 0 : this.#start.length);
    return checksum(settings.kind, bytes, from, to);
  }

  /** Bytes of the frame in front: 0 = not known yet, −1 = none begins here. */
  #length(): number {
    const { bytes, length, checksum: sum, silence } = this.#settings;
    if (silence !== undefined) return 0;
    if (bytes !== undefined) return this.#start.length + bytes;
    if (length === undefined) {
      const end = this.#findEnd();
      return end < 0 ? 0 : end + this.#end.length + (sum?.afterEnd === true ? this.#sumBytes : 0);
    }
    const at = this.#start.length + length.at - 1;
    if (this.#filled < at + length.bytes) return 0;
    let value = 0;
    for (let i = 0; i < length.bytes; i++) {
      const place = length.order === "low-first" ? length.bytes - 1 - i : i;
      value = value * 256 + this.input[at + place]!;
    }
    const n = this.#start.length + value + length.plus;
    return n < at + length.bytes + this.#sumBytes ? -1 : n;
  }

  #findEnd(): number {
    for (let at = Math.max(this.#searched, this.#start.length);
      at + this.#end.length <= this.#filled; at++) {
      if (standsAt(this.#end, this.input, at)) return at;
      this.#searched = at + 1;
    }
    return -1;
  }

  /** Tests the checksum of the frame in front and sets the bounds of its payload. */
  #give(n: number): number {
    this.#given = this.whole = n;
    this.from = this.#start.length;
    this.to = n - this.#end.length - this.#sumBytes;
    return this.#isSound(n) ? TELEGRAM : DAMAGED;
  }

  /** Makes a length's own bytes 0 in the payload, as the configuration spells them. */
  hideLength(): void {
    const { length } = this.#settings;
    if (length === undefined) return;
    const at = this.from + length.at - 1;
    this.input.fill(0, at, at + length.bytes);
  }

  #isSound(n: number): boolean {
    const { checksum: sum } = this.#settings;
    if (sum === undefined) return true;
    const at = sum.afterEnd ? n - this.#sumBytes : this.to;
    putChecksum(sum, this.#sum(sum, this.input, 0, at), this.#check, 0);
    for (let i = 0; i < this.#sumBytes; i++) {
      // Either case of a hexadecimal digit is one.
      const was = this.input[at + i]!;
      const isLower = sum.as === "hex" && was >= 0x61 && was <= 0x66;
      if ((isLower ? was - 0x20 : was) !== this.#check[i]) return false;
    }
    return true;
  }

  #skipToStart(): void {
    if (this.#start.length === 0) return;
    let at = 0;
    while (at < this.#filled && !beginsAt(this.#start, this.input, at, this.#filled)) at++;
    if (at > 0) this.#drop(at);
  }

  /** No more than what a machine sends between two telegrams: a line end of two characters, say. */
  #isBlank(): boolean {
    for (let i = 0; i < this.#filled; i++) if (this.input[i]! > 0x20) return false;
    return true;
  }

  #endRest(): void {
    this.#restUntil = -Infinity;
    this.#isRest = false;
  }

  #release(): void {
    if (this.#given > 0) this.#remove(this.#given);
    this.#given = 0;
  }

  #drop(n: number): void {
    this.stray += n;
    this.#remove(n);
  }

  #remove(n: number): void {
    this.input.copyWithin(0, n, this.#filled);
    this.#filled -= n;
    this.#searched = 0;
  }
}

function put(bytes: Uint8Array, out: Uint8Array, at: number): number {
  out.set(bytes, at);
  return at + bytes.length;
}

function standsAt(what: Uint8Array, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < what.length; i++) if (bytes[at + i] !== what[i]) return false;
  return true;
}

/** The same for as many bytes as there are. */
function beginsAt(what: Uint8Array, bytes: Uint8Array, at: number, filled: number): boolean {
  for (let i = 0; i < what.length && at + i < filled; i++) {
    if (bytes[at + i] !== what[i]) return false;
  }
  return true;
}
