import { assert } from "../../base.ts";
import { DONE, newCounters, PENDING } from "../../driver.ts";
import type { DriverTag, Request, Session, SessionCounters, Wire } from "../../driver.ts";
import { BAD, type Ring } from "../../ring.ts";
import {
  anyTime, late_answer, other_master, out_of_step, unanswered_write,
} from "../wire/exchange.ts";
import { InStep } from "../wire/in-step.ts";
import { Field, type WriteWith } from "./codec.ts";
import { stray_max } from "./echo.ts";
import { ANSWER, DAMAGED, LOST, no_frame, NOTHING, type Framing } from "./framing.ts";
import { BROADCAST, ILLEGAL_ADDRESS, ILLEGAL_VALUE, putRead, REFUSED } from "./pdu.ts";
import { ModbusRequest, single } from "./plan.ts";
import { putTag } from "./write.ts";

export interface SessionOptions {
  readonly timeout_ms: number;
  /** Silence after a connection came up, before the first request. */
  readonly pause_ms: number;
  /** Silence between the end of an exchange and the next request. */
  readonly between_ms: number;
  /** An unanswered write ends the connection, so that it cannot arrive late or later (W14). */
  readonly resetAfterWrite: boolean;
  /**
   * So does what breaks the order in which questions and answers follow each other, where no number
   * tells them apart: an unanswered read, a damaged answer, a frame too many.
   */
  readonly resetAfterRead: boolean;
  readonly writeWith: WriteWith;
  /** Silence after a broadcast, in which every station does what it says; null = none is sent. */
  readonly turnaround_ms: number | null;
}

const IDLE = 0, WAITING = 1, SENT = 2;

/**
 * One exchange at a time over one wire: WAITING until the medium may be used, SENT until the
 * answer, the damaged answer or the deadline. A broadcast has no answer: it is SENT until its
 * turnaround delay is over. Nothing is ever sent twice (W14).
 */
export class ModbusSession implements Session {
  result = DONE;
  exception = 0;
  sent = false;
  readonly counters: SessionCounters;
  readonly #wire: Wire;
  readonly #framing: Framing;
  readonly #options: SessionOptions;
  readonly #singles = new Map<DriverTag, ModbusRequest>();
  #state = IDLE;
  /** The connection is given up for what may still come by it; the line behind it is the same. */
  #goesOn = false;
  /** Counts connections: bytes of one that was given up are none of the next. */
  #connection = 0;
  /** Of the framing's stray bytes those that were counted. */
  #stray = 0;
  readonly #inStep: InStep;
  #fresh = true;
  #notBefore = 0;
  #waitUntil = 0;
  #sentAt = 0;
  #deadline = 0;
  // The exchange: what was asked, and where the answer goes.
  #station = 0;
  #function = 0;
  #frame = 0;
  #answer = 0;
  /** How long request and answer are on the medium. */
  #travel_ms = 0;
  #request: ModbusRequest | null = null;
  #ring: Ring | null = null;
  #seq = 0;
  #raw: Uint8Array | null = null;
  #last: () => number | null = anyTime;

  /** `counters`: of the connection, where several sessions share it. */
  constructor(
    wire: Wire, framing: Framing, options: SessionOptions,
    counters = newCounters(),
  ) {
    this.counters = counters;
    this.#wire = wire;
    this.#framing = framing;
    this.#options = options;
    this.#inStep = new InStep(options.timeout_ms);
  }

  get frame(): Uint8Array {
    return this.#framing.out.subarray(0, this.#frame);
  }

  get remark(): string {
    const { remark } = this.#framing;
    return [remark, this.#options.resetAfterRead ? this.#inStep.remark : ""]
      .filter((one) => one !== "").join("; ");
  }

  read(request: Request, into: Ring, seq: number, now: number): void {
    assert(request instanceof ModbusRequest, "a request that Modbus did not plan");
    this.#ring = into;
    this.#seq = seq;
    this.#raw = null;
    this.#beginRead(request, now);
  }

  readRaw(tag: DriverTag, raw: Uint8Array, now: number): void {
    let request = this.#singles.get(tag);
    if (request === undefined) this.#singles.set(tag, (request = single(new Field(tag))));
    this.#ring = null;
    this.#raw = raw;
    this.#beginRead(request, now);
  }

  write(tag: DriverTag, raw: Uint8Array, last: () => number | null, now: number): void {
    const field = new Field(tag);
    this.#request = null;
    this.#last = last;
    const n = putTag(this.#framing, field, raw, this.#options.writeWith);
    const echo = field.address.bit >= 0 ? n : 5;
    this.#begin(tag.station, n, echo, now);
  }

  receive(bytes: Uint8Array, n: number, now: number): void {
    const connection = this.#connection;
    for (let at = 0; at < n && connection === this.#connection;) {
      at = this.#framing.push(bytes, at, n, now);
      this.#look(now);
    }
    if (connection !== this.#connection) return;
    this.#countStray();
    if (this.#framing.foreign && this.#state !== SENT) this.#wire.reset(other_master);
    else if (this.#framing.odd > stray_max && this.#options.resetAfterRead) this.#oneTooMany(now);
  }

  step(now: number): number {
    if (this.#state === WAITING && now >= this.#sendAt(now)) this.#send(now);
    if (this.#state === WAITING) {
      if (now < this.#waitUntil) return Math.min(this.#sendAt(now), this.#waitUntil);
      // The bus never became silent: somebody talks without end.
      this.#end(BAD.garbled);
    }
    if (this.#state !== SENT) return Infinity;
    if (now < this.#deadline) return this.#deadline;
    this.#expire(now);
    return Infinity;
  }

  abort(): void {
    this.#framing.clear(this.#goesOn);
    this.#connection += 1;
    this.#fresh = true;
    if (this.#state !== IDLE) this.#end(BAD.disconnected);
  }

  #beginRead(request: ModbusRequest, now: number): void {
    this.#request = request;
    this.#last = anyTime;
    assert(!this.#isBroadcast(request.station), "a broadcast is never read");
    const { pdu: out, pduAt } = this.#framing;
    const n = putRead(out, pduAt, request.function, request.from, request.count);
    this.#begin(request.station, n, 2 + request.bytes, now);
  }

  #begin(station: number, n: number, answer: number, now: number): void {
    assert(this.#state === IDLE, "an exchange is running");
    const framing = this.#framing;
    this.#state = WAITING;
    this.result = PENDING;
    this.exception = 0;
    this.sent = false;
    this.#station = station;
    this.#function = framing.pdu[framing.pduAt]!;
    this.#frame = framing.seal(station, n);
    this.#answer = answer;
    this.#travel_ms = framing.travel(this.#frame) + framing.travel(framing.size(answer));
    if (this.#fresh) this.#notBefore = Math.max(this.#notBefore, now + this.#options.pause_ms);
    this.#fresh = false;
    const sendAt = this.#sendAt(now);
    this.#waitUntil = Math.max(now, sendAt) + 2 * this.#options.timeout_ms;
    if (now >= sendAt) this.#send(now);
  }

  /** Over IP station 0 is a device, or its gateway's bus, and what is asked there is answered. */
  #isBroadcast(station: number): boolean {
    return station === BROADCAST && this.#options.turnaround_ms !== null;
  }

  #sendAt(now: number): number {
    return Math.max(this.#notBefore, this.#framing.sendAt(this.#station, now));
  }

  #send(now: number): void {
    const framing = this.#framing;
    this.#drain();
    framing.discard();
    // What `drain` found: the wire was reset, or the bus is not silent after all.
    if (this.#state !== WAITING || now < this.#sendAt(now)) return;
    const notAfter = this.#last();
    if (notAfter === null) {
      this.#end(BAD.disconnected);
      return;
    }
    this.#state = SENT;
    this.sent = true;
    this.#sentAt = now;
    this.#deadline = this.#endOf(now, notAfter);
    this.counters.requests += 1;
    framing.sent(this.#frame, now);
    const within_ms = this.#request === null ? this.#deadline - now : Infinity;
    if (!this.#wire.send(framing.out, this.#frame, within_ms)) {
      this.sent = false;
      if (this.#state === SENT) this.#end(BAD.disconnected);
    }
  }

  /** Nobody waits for what stands there. */
  #drain(): void {
    if (!this.#framing.isNumbered) this.#wire.drain();
  }

  /** Until when an exchange that is sent now waits. */
  #endOf(now: number, notAfter: number): number {
    const { timeout_ms, turnaround_ms, resetAfterWrite } = this.#options;
    if (this.#isBroadcast(this.#station)) {
      return now + this.#framing.travel(this.#frame) + turnaround_ms!;
    }
    return Math.min(now + this.#travel_ms + timeout_ms, resetAfterWrite ? notAfter : Infinity);
  }

  #look(now: number): void {
    const framing = this.#framing;
    if (this.#state !== SENT || this.#isBroadcast(this.#station)) {
      framing.discard();
      return;
    }
    const found = framing.take(this.#station, this.#function, this.#answer);
    if (found === NOTHING) return;
    this.#notBefore = now + Math.max(this.#options.between_ms, this.#listen_ms(now));
    if (found === ANSWER) this.#answered(now);
    else this.#garbled(found, now);
    framing.discard();
  }

  /** A shorter read may be answered: not all of it is there, or it is too long for the device. */
  get #isForAPart(): boolean {
    const isOfMore = this.#request !== null && this.#request.tags.length > 1;
    return this.exception === ILLEGAL_ADDRESS || (this.exception === ILLEGAL_VALUE && isOfMore);
  }

  #answered(now: number): void {
    const { input, answerAt: at } = this.#framing;
    if ((input[at]! & REFUSED) !== 0) {
      this.#arrived(now);
      this.exception = input[at + 1]!;
      this.counters.exceptions += 1;
      this.#end(this.#isForAPart ? BAD.address : BAD.exception);
      return;
    }
    const sound = this.#request === null ? this.#echoes() : input[at + 1] === this.#request.bytes;
    if (!sound) {
      this.#garbled(DAMAGED, now);
      return;
    }
    this.#arrived(now);
    const request = this.#request;
    if (request !== null) {
      if (this.#ring === null) request.copyRaw(input, at + 2, this.#raw!);
      else request.decode(input, at + 2, this.#ring, this.#seq);
    }
    this.#end(DONE);
  }

  #arrived(now: number): void {
    this.counters.answers += 1;
    this.counters.roundTrip = now - this.#sentAt;
    this.#inStep.answered(this.#station, now - this.#sentAt);
  }

  /** The answer to a write repeats address and value, address and count, or address and masks. */
  #echoes(): boolean {
    const { input, answerAt, pdu: out, pduAt } = this.#framing;
    for (let i = 1; i < this.#answer; i++) {
      if (input[answerAt + i] !== out[pduAt + i]) return false;
    }
    return true;
  }

  #garbled(found: number, now: number): void {
    this.counters.garbled += 1;
    this.#end(BAD.garbled);
    if (this.#framing.foreign) this.#wire.reset(other_master);
    else if (found === LOST) this.#wire.reset(no_frame);
    else this.#loseStep(now);
  }

  /** ms in which one too many may come behind an answer, before what is asked next. */
  #listen_ms(now: number): number {
    return this.#options.resetAfterRead ? this.#inStep.pause_ms(this.#station, now) : 0;
  }

  /** A frame came, or so many bytes, that nobody asked for. */
  #oneTooMany(now: number): void {
    const isExpected = this.#state !== SENT && now < this.#notBefore && this.#listen_ms(now) > 0;
    this.#inStep.tooMany(now);
    if (isExpected) return;
    if (this.#state === SENT) {
      this.counters.garbled += 1;
      this.#end(BAD.garbled);
    }
    this.#loseStep(now);
  }

  /** What was asked may be answered yet, and must not answer what is asked next. */
  #loseStep(now: number): void {
    if (this.#framing.isNumbered) return;
    this.#inStep.lost(now);
    this.#framing.unanswered(this.#station, this.#inStep.patience_ms(this.#station), now);
    if (this.#options.resetAfterRead) this.#renew(out_of_step);
  }

  #expire(now: number): void {
    const framing = this.#framing;
    if (this.#isBroadcast(this.#station)) {
      this.#endBroadcast(now);
      return;
    }
    const isWrite = this.#request === null;
    // What arrived and was no answer was damaged.
    const { isHeard } = framing;
    if (isHeard) this.counters.garbled += 1;
    else this.counters.timeouts += 1;
    framing.unanswered(this.#station, this.#options.timeout_ms, now);
    this.#drain();
    this.#notBefore = now + this.#options.between_ms;
    this.#end(isHeard ? BAD.garbled : BAD.timeout);
    if (this.#framing.foreign) this.#wire.reset(other_master);
    else if (isWrite && this.#options.resetAfterWrite) {
      this.#wire.reset(unanswered_write);
    } else if (this.#options.resetAfterRead) this.#renew(late_answer);
  }

  #renew(why: string): void {
    this.#goesOn = true;
    this.#wire.reset(why, true);
    this.#goesOn = false;
  }

  /** Every station has had its time. What came meanwhile was nobody's answer. */
  #endBroadcast(now: number): void {
    this.#drain();
    this.#framing.discard();
    this.#notBefore = now + this.#options.between_ms;
    this.#end(BAD.broadcast);
    if (this.#framing.foreign) this.#wire.reset(other_master);
  }

  #end(result: number): void {
    this.#state = IDLE;
    this.result = result;
    this.#countStray();
    this.#last = anyTime;
  }

  #countStray(): void {
    this.counters.stray += this.#framing.stray - this.#stray;
    this.#stray = this.#framing.stray;
  }
}
