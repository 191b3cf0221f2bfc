import { assert } from "../../base.ts";
import { DONE, newCounters, PENDING } from "../../driver.ts";
import type { DriverTag, Request, Session, Wire } from "../../driver.ts";
import { BAD, type Ring } from "../../ring.ts";
import { anyTime, unanswered_write } from "./exchange.ts";

/** What an answer is to the exchange under way. A positive number is the device's refusal. */
export const ANSWERED = 0;
/** It belongs to no exchange of ours, or to one that was given up. */
export const STRAY = -1;
/** It belongs to this exchange and is not what was asked for. */
export const DAMAGED = -2;

/**
 * What a protocol over a stream says of its frames. Read, write and greeting all are one frame out
 * and one frame in; a read may need several of them, one after the other.
 */
export interface Protocol {
  /** Bytes of the largest frame, in and out. */
  readonly frame_bytes_max: number;
  /** What the device said when it last refused something, in words; empty = it did not. */
  readonly trouble: string;
  /** What it says of each tag of its polls that it refuses. Left out: `trouble` has all. */
  readonly refusals?: ReadonlyMap<DriverTag, string>;
  /** Frames of the greeting that every connection begins with. */
  readonly greetings: number;
  /** What to try where a greeting is not answered; left out: there is none. */
  readonly silence?: string;
  /** Bytes of the frame in front: 0 = not all are there, −1 = no frame begins here. */
  frameBytes(input: Uint8Array, filled: number): number;
  putGreeting(step: number, out: Uint8Array): number;
  /** null = go on; else a sentence that says why there is no connection, and what to try. */
  greeted(step: number, input: Uint8Array, n: number): string | null;
  /** Frames that it takes to read `request` now. */
  partsOf(request: Request): number;
  putRead(request: Request, part: number, out: Uint8Array): number;
  /** Looks at an answer to `putRead` whole, then writes the cells of row `seq`. */
  takeRead(
    request: Request, part: number, input: Uint8Array, n: number, into: Ring, seq: number,
  ): number;
  /** All parts of a read are in. */
  endRead(request: Request): void;
  putReadRaw(tag: DriverTag, out: Uint8Array): number;
  takeRaw(tag: DriverTag, input: Uint8Array, n: number, raw: Uint8Array): number;
  putWrite(tag: DriverTag, raw: Uint8Array, out: Uint8Array): number;
  /**
   * Of a write that others carry on behind the peer: puts into the frame of `putWrite` how long
   * they may, at most `within_ms`; false = that cannot be said, and nothing is sent (W14).
   */
  limitWrite?(out: Uint8Array, within_ms: number): boolean;
  takeWrite(tag: DriverTag, input: Uint8Array, n: number): number;
  /** True if this refusal says that there is nothing at the address. */
  isAddress(exception: number): boolean;
}

const IDLE = 0, GREETING = 1, SENT = 2;
const READ = 0, RAW = 1, WRITE = 2;

/**
 * One exchange at a time over one stream. A fresh connection is greeted first, as part of the
 * exchange that found it fresh. Nothing is ever sent twice (W14).
 */
export class StreamSession implements Session {
  result = DONE;
  exception = 0;
  sent = false;
  readonly counters = newCounters();
  readonly #wire: Wire;
  readonly #protocol: Protocol;
  readonly #timeout_ms: number;
  readonly #out: Uint8Array;
  readonly #input: Uint8Array;
  #filled = 0;
  /** Counts connections: bytes of one that was given up are none of the next. */
  #connection = 0;
  #state = IDLE;
  /** Frames of the greeting that were answered. */
  #greeted = 0;
  #frame = 0;
  #sentAt = 0;
  #deadline = 0;
  // The exchange: what was asked, and where the answer goes.
  #kind = READ;
  #request: Request | null = null;
  #part = 0;
  #ring: Ring | null = null;
  #seq = 0;
  #tag: DriverTag | null = null;
  #raw: Uint8Array = new Uint8Array(0);
  #last: () => number | null = anyTime;

  constructor(wire: Wire, protocol: Protocol, timeout_ms: number) {
    this.#wire = wire;
    this.#protocol = protocol;
    this.#timeout_ms = timeout_ms;
    this.#out = new Uint8Array(protocol.frame_bytes_max);
    this.#input = new Uint8Array(2 * protocol.frame_bytes_max);
  }

  get frame(): Uint8Array {
    return this.#out.subarray(0, this.#frame);
  }

  get trouble(): string {
    return this.#protocol.trouble;
  }

  get refusals(): ReadonlyMap<DriverTag, string> | undefined {
    return this.#protocol.refusals;
  }

  get isGreeted(): boolean {
    return this.#greeted === this.#protocol.greetings;
  }

  read(request: Request, into: Ring, seq: number, now: number): void {
    this.#request = request;
    this.#ring = into;
    this.#seq = seq;
    this.#begin(READ, anyTime, now);
  }

  readRaw(tag: DriverTag, raw: Uint8Array, now: number): void {
    this.#tag = tag;
    this.#raw = raw;
    this.#begin(RAW, anyTime, now);
  }

  write(tag: DriverTag, raw: Uint8Array, last: () => number | null, now: number): void {
    this.#tag = tag;
    this.#raw = raw;
    this.#begin(WRITE, last, now);
  }

  receive(bytes: Uint8Array, n: number, now: number): void {
    const input = this.#input;
    const connection = this.#connection;
    for (let at = 0; at < n && connection === this.#connection;) {
      const stop = Math.min(n, at + input.length - this.#filled);
      while (at < stop) input[this.#filled++] = bytes[at++]!;
      this.#look(now);
    }
  }

  step(now: number): number {
    if (this.#state === IDLE) return Infinity;
    if (now < this.#deadline) return this.#deadline;
    this.counters.timeouts += 1;
    const [state, kind] = [this.#state, this.#kind];
    // Of the stations behind it nobody can say anything yet.
    this.#end(state === GREETING ? BAD.disconnected : BAD.timeout);
    if (state === GREETING) this.#wire.reset(this.#unanswered);
    else if (kind === WRITE) this.#wire.reset(unanswered_write);
    return Infinity;
  }

  get #unanswered(): string {
    const { silence } = this.#protocol;
    return "connected, but the greeting is not answered" +
      (silence === undefined ? "" : `: ${silence}`);
  }

  abort(): void {
    this.#filled = 0;
    this.#connection += 1;
    this.#greeted = 0;
    if (this.#state !== IDLE) this.#end(BAD.disconnected);
  }

  #begin(kind: number, last: () => number | null, now: number): void {
    assert(this.#state === IDLE, "an exchange is running");
    this.#kind = kind;
    this.#last = last;
    this.#part = 0;
    this.result = PENDING;
    this.exception = 0;
    this.sent = false;
    this.#next(now);
  }

  /** Sends what comes next: the greeting's next frame, or the exchange's own. */
  #next(now: number): void {
    const protocol = this.#protocol;
    let within_ms = Infinity;
    this.#deadline = now + this.#timeout_ms;
    if (this.#greeted < protocol.greetings) {
      this.#state = GREETING;
      this.#frame = protocol.putGreeting(this.#greeted, this.#out);
    } else {
      this.#state = SENT;
      this.#frame = this.#put();
      const notAfter = this.#last();
      this.#deadline = Math.min(this.#deadline, notAfter ?? now);
      if (this.#kind === WRITE) within_ms = this.#deadline - now;
      if (notAfter === null || !this.#limited(within_ms)) {
        this.#end(BAD.disconnected);
        return;
      }
      this.sent = true;
    }
    this.#sentAt = now;
    this.counters.requests += 1;
    if (this.#wire.send(this.#out, this.#frame, within_ms)) return;
    this.sent = false;
    if (this.#state !== IDLE) this.#end(BAD.disconnected);
  }

  #put(): number {
    switch (this.#kind) {
      case READ: return this.#protocol.putRead(this.#request!, this.#part, this.#out);
      case RAW: return this.#protocol.putReadRaw(this.#tag!, this.#out);
      default: return this.#protocol.putWrite(this.#tag!, this.#raw, this.#out);
    }
  }

  #limited(within_ms: number): boolean {
    return this.#kind !== WRITE || (this.#protocol.limitWrite?.(this.#out, within_ms) ?? true);
  }

  /** Works off whole frames. */
  #look(now: number): void {
    for (const connection = this.#connection; connection === this.#connection;) {
      const n = this.#protocol.frameBytes(this.#input, this.#filled);
      if (n < 0 || n > this.#protocol.frame_bytes_max) {
        this.counters.garbled += 1;
        if (this.#state !== IDLE) this.#end(BAD.garbled);
        this.#filled = 0;
        this.#wire.reset("what came is not this protocol: is it the right port?");
        return;
      }
      if (n === 0 || n > this.#filled) return;
      this.#frameCame(n, now);
      if (connection !== this.#connection) return;
      this.#input.copyWithin(0, n, this.#filled);
      this.#filled -= n;
    }
  }

  #frameCame(n: number, now: number): void {
    if (this.#state === GREETING) this.#wasGreeted(n, now);
    else if (this.#state === IDLE) this.counters.stray += n;
    else this.#wasAnswered(n, now);
  }

  #wasAnswered(n: number, now: number): void {
    const found = this.#take(n);
    if (found === STRAY) {
      this.counters.stray += n;
      return;
    }
    if (found === DAMAGED) {
      this.counters.garbled += 1;
      const wasWrite = this.#kind === WRITE;
      this.#end(BAD.garbled);
      // Whether it was done is not known: nothing more may come of it (W14).
      if (wasWrite) this.#wire.reset("the answer to a write was damaged");
      return;
    }
    this.counters.answers += 1;
    this.counters.roundTrip = now - this.#sentAt;
    if (found !== ANSWERED) this.#refused(found);
    else if (this.#kind === READ && ++this.#part < this.#protocol.partsOf(this.#request!)) {
      this.#next(now);
    } else {
      if (this.#kind === READ) this.#protocol.endRead(this.#request!);
      this.#end(DONE);
    }
  }

  #wasGreeted(n: number, now: number): void {
    this.counters.answers += 1;
    const refusal = this.#protocol.greeted(this.#greeted, this.#input, n);
    if (refusal === null) {
      this.#greeted += 1;
      this.#next(now);
      return;
    }
    this.counters.exceptions += 1;
    this.#end(BAD.disconnected);
    this.#wire.reset(refusal);
  }

  #take(n: number): number {
    const protocol = this.#protocol;
    const input = this.#input;
    switch (this.#kind) {
      case READ:
        return protocol.takeRead(this.#request!, this.#part, input, n, this.#ring!, this.#seq);
      case RAW: return protocol.takeRaw(this.#tag!, input, n, this.#raw);
      default: return protocol.takeWrite(this.#tag!, input, n);
    }
  }

  #refused(exception: number): void {
    this.exception = exception;
    this.counters.exceptions += 1;
    this.#end(this.#protocol.isAddress(exception) ? BAD.address : BAD.exception);
  }

  #end(result: number): void {
    this.#state = IDLE;
    this.result = result;
    this.#last = anyTime;
  }
}
