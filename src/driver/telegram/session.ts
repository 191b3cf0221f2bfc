import { assert, limits } from "../../base.ts";
import { DONE, newCounters, PENDING } from "../../driver.ts";
import type { DriverTag, Listening, Request, Session, Wire } from "../../driver.ts";
import { BAD, GOOD, readsAsNull, type Ring } from "../../ring.ts";
import { anyTime, late_answer, out_of_step, unanswered_write } from "../wire/exchange.ts";
import { InStep } from "../wire/in-step.ts";
import { Field } from "./codec.ts";
import { DAMAGED, Framing, NOTHING } from "./framing.ts";
import { telegramOf, type TelegramRequest } from "./plan.ts";
import type { SharedLink } from "./settings.ts";
import { beginsWith, type Telegram } from "./telegram.ts";

const READ = 0, RAW = 1, WRITE = 2;
/** What an exchange does next: put its write or its question on the wire, or wait for an answer. */
const IDLE = 0, TO_WRITE = 1, TO_ASK = 2, ANSWER = 3;
/** Whatever its station: an answer without a name of its own says nothing of that either. */
const any_station = 0;
/** No answer says more than that it is not the acknowledgement. */
const not_acknowledged = 4;

/**
 * One exchange at a time: a question and its answer; or a write and its acknowledgement. A machine
 * that acknowledges nothing is asked for the value after the write: its answer says that the write
 * before it came. Nothing is ever sent twice (W14). What comes unasked is told when it comes.
 */
export class TelegramSession implements Session {
  result = DONE;
  exception = 0;
  sent = false;
  readonly counters = newCounters();
  readonly #wire: Wire;
  readonly #link: SharedLink;
  readonly #resetAfterRead: boolean;
  readonly #character_ms: number;
  readonly #framing: Framing;
  readonly #out: Uint8Array;
  readonly #written: Uint8Array;
  readonly #singles = new Map<DriverTag, Single>();
  /** Telegrams that say themselves which they are, and of which station, as they were asked for. */
  readonly #known: Telegram[];
  #unasked: readonly TelegramRequest[] = [];
  #report: (request: TelegramRequest) => void = () => {};
  /** Counts connections: bytes of one that was given up are none of the next. */
  #connection = 0;
  #state = IDLE;
  #kind = READ;
  #frame = 0;
  /** Nothing is sent before: a late answer on a serial line would be taken for the next one. */
  #quietUntil = 0;
  /** Something is asked whose answer is known by nothing but that it comes next. */
  #isByOrder = false;
  readonly #inStep: InStep;
  #sendAt = 0;
  #sentAt = 0;
  #deadline = Infinity;
  // The exchange: what was asked, and where the answer goes.
  #telegram: Telegram | null = null;
  #request: TelegramRequest | null = null;
  #ring: Ring | null = null;
  #seq = 0;
  #field: Field | null = null;
  #raw: Uint8Array = new Uint8Array(0);
  #last: () => number | null = anyTime;

  /**
   * `resetAfterRead`: what comes late is left behind by giving the wire up. `character_ms`: what
   * the medium needs for a byte.
   */
  constructor(wire: Wire, link: SharedLink, resetAfterRead: boolean, character_ms = 0) {
    this.#character_ms = character_ms;
    this.#wire = wire;
    this.#link = link;
    this.#resetAfterRead = resetAfterRead;
    this.#framing = new Framing(link.frame, link.timeout);
    this.#inStep = new InStep(link.timeout);
    this.#known = Object.keys(link.telegrams).map((name) => telegramOf(name, link, 1))
      .filter(({ match }) => match !== null);
    this.#out = new Uint8Array(2 * limits.telegram_bytes_max);
    this.#written = new Uint8Array(2 * limits.telegram_bytes_max);
  }

  get remark(): string {
    return this.#isByOrder && this.#resetAfterRead ? this.#inStep.remark : "";
  }

  get frame(): Uint8Array {
    return (this.#kind === WRITE ? this.#written : this.#out).subarray(0, this.#frame);
  }

  listen({ requests, came }: Listening): void {
    this.#unasked = requests as readonly TelegramRequest[];
    this.#report = came;
  }

  fill(request: Request, into: Ring, seq: number): void {
    (request as TelegramRequest).decode(into, seq);
  }

  read(request: Request, into: Ring, seq: number, now: number): void {
    this.#request = request as TelegramRequest;
    this.#ring = into;
    this.#seq = seq;
    this.#begin(READ, this.#request.telegram, anyTime, now);
  }

  readRaw(tag: DriverTag, raw: Uint8Array, now: number): void {
    this.#begin(RAW, this.#single(tag, raw), anyTime, now);
  }

  write(tag: DriverTag, raw: Uint8Array, last: () => number | null, now: number): void {
    this.#begin(WRITE, this.#single(tag, raw), last, now);
  }

  receive(bytes: Uint8Array, n: number, now: number): void {
    const connection = this.#connection;
    for (let at = 0; at < n && connection === this.#connection;) {
      at = this.#framing.push(bytes, at, n, now);
      for (let found = this.#framing.take(); found !== NOTHING; found = this.#framing.take()) {
        this.#came(found, now);
        if (connection !== this.#connection) return;
      }
    }
    this.counters.stray = this.#framing.stray;
  }

  step(now: number): number {
    if (now >= this.#framing.due()) {
      const found = this.#framing.fallSilent();
      if (found !== NOTHING) this.#came(found, now);
      this.counters.stray = this.#framing.stray;
    }
    while ((this.#state === TO_WRITE || this.#state === TO_ASK) && now >= this.#sendAt) {
      if (this.#state === TO_WRITE) this.#sendWrite(now);
      else this.#ask(now);
    }
    if (this.#state !== IDLE && now >= this.#deadline) this.#timeOut(now);
    const next = this.#state === TO_WRITE || this.#state === TO_ASK ? this.#sendAt : Infinity;
    return Math.min(next, this.#deadline, this.#framing.due());
  }

  abort(): void {
    this.#framing.clear();
    this.#connection += 1;
    if (this.#state !== IDLE) this.#end(BAD.disconnected);
  }

  #single(tag: DriverTag, raw: Uint8Array): Telegram {
    let single = this.#singles.get(tag);
    if (single === undefined) {
      const field = new Field(tag);
      single = { field, telegram: telegramOf(field.address.telegram, this.#link, tag.station) };
      this.#singles.set(tag, single);
    }
    this.#field = single.field;
    this.#raw = raw;
    return single.telegram;
  }

  #begin(kind: number, telegram: Telegram, last: () => number | null, now: number): void {
    assert(this.#state === IDLE, "an exchange is running");
    this.#kind = kind;
    this.#telegram = telegram;
    this.#learn(telegram);
    if (telegram.match === null) this.#isByOrder = true;
    this.#last = last;
    this.#frame = 0;
    this.#deadline = Infinity;
    this.result = PENDING;
    this.exception = 0;
    this.sent = false;
    this.#state = kind === WRITE ? TO_WRITE : TO_ASK;
    this.#pause(now);
    this.step(now);
  }

  #learn(telegram: Telegram): void {
    if (telegram.match === null) return;
    for (let i = 0; i < this.#known.length; i++) {
      if (isSame(this.#known[i]!, telegram)) return;
    }
    this.#known.push(telegram);
  }

  #pause(now: number): void {
    this.#sendAt = Math.max(this.#quietUntil, now + this.#link.pauseBetween);
  }

  /** Puts the write on the wire, unless the last look forbids it (W11). */
  #sendWrite(now: number): void {
    const { before, after, decimals } = this.#telegram!.write!;
    const out = this.#written;
    let at = this.#framing.payloadAt;
    out.set(before, at);
    at = this.#field!.putRaw(this.#raw, decimals, out, at + before.length);
    out.set(after, at);
    this.#frame = this.#framing.seal(out, at + after.length);
    this.#drain();
    // What stood there may have been the end of the connection.
    if (this.#state !== TO_WRITE) return;
    const notAfter = this.#last();
    if (notAfter === null) return this.#end(BAD.disconnected);
    this.sent = true;
    this.#deadline = Math.min(now + this.#link.timeout, notAfter);
    this.#state = this.#telegram!.acknowledge === null ? TO_ASK : ANSWER;
    this.#sent(out, this.#frame, now);
    this.#pause(now + this.#frame * this.#character_ms);
  }

  /** Nobody waits for what stands here, unless machines speak unasked. */
  #drain(): void {
    if (this.#unasked.length > 0) return;
    this.#framing.discard();
    this.#wire.drain();
  }

  #ask(now: number): void {
    const { send } = this.#telegram!;
    // Behind a write nothing is thrown away: it may not all have left.
    if (this.#kind !== WRITE) this.#drain();
    this.#out.set(send!, this.#framing.payloadAt);
    const n = this.#framing.seal(this.#out, this.#framing.payloadAt + send!.length);
    if (this.#kind !== WRITE) {
      this.sent = true;
      this.#frame = n;
      this.#deadline = now + this.#link.timeout;
    }
    this.#state = ANSWER;
    this.#sent(this.#out, n, now);
  }

  #sent(bytes: Uint8Array, n: number, now: number): void {
    this.counters.requests += 1;
    this.#sentAt = now;
    const within_ms = this.#kind === WRITE ? this.#deadline - now : Infinity;
    if (this.#wire.send(bytes, n, within_ms)) return;
    if (this.#kind !== WRITE || bytes === this.#written) this.sent = false;
    if (this.#state !== IDLE) this.#end(BAD.disconnected);
  }

  #timeOut(now: number): void {
    this.counters.timeouts += 1;
    this.#quietUntil = now + this.#link.timeout;
    this.#fail(BAD.timeout);
    if (this.#kind !== WRITE && this.#resetAfterRead) this.#wire.reset(late_answer, true);
  }

  /** Whether a write was done is not known: nothing more may come of it (W14). */
  #fail(result: number): void {
    const hasWritten = this.#kind === WRITE && this.sent;
    this.#end(result);
    if (hasWritten) this.#wire.reset(unanswered_write);
  }

  /** A frame came, sound or not. */
  #came(found: number, now: number): void {
    const { input, from, to } = this.#framing;
    if (found === DAMAGED) return this.#garbled(now);
    this.#framing.hideLength();
    const isAwaited = this.#state === ANSWER;
    for (const request of this.#unasked) {
      // Of a link that is asked, too, each telegram that comes unasked has a `match`.
      if (isAwaited && request.telegram.match === null) continue;
      if (request.telegram.accepts(input, from, to)) return this.#report(request);
    }
    if (isAwaited) return this.#answered(input, from, to, now);
    this.#framing.stray += this.#framing.whole;
    this.#inStep.tooMany(now);
    this.#loseStep(now);
  }

  /** What came is damaged, or nothing of what was asked for stands in it. */
  #garbled(now: number): void {
    this.counters.garbled += 1;
    const connection = this.#connection;
    if (this.#state === ANSWER) this.#fail(BAD.garbled);
    if (connection === this.#connection) this.#loseStep(now);
  }

  /** An answer may be still to come, and must not be that to what is asked next. */
  #loseStep(now: number): void {
    // What comes while nothing is sent was waited for.
    if (!this.#isByOrder || now < this.#quietUntil) return;
    this.#inStep.lost(now);
    this.#quietUntil = now + this.#inStep.patience_ms(any_station);
    this.#sendAt = Math.max(this.#sendAt, this.#quietUntil);
    if (this.#resetAfterRead) this.#wire.reset(out_of_step, true);
  }

  #answered(input: Uint8Array, from: number, to: number, now: number): void {
    const telegram = this.#telegram!;
    this.counters.roundTrip = now - this.#sentAt;
    if (this.#kind === WRITE && telegram.acknowledge !== null) {
      this.counters.answers += 1;
      if (beginsWith(telegram.acknowledge, input, from, to)) return this.#end(DONE);
      this.exception = not_acknowledged;
      this.counters.exceptions += 1;
      return this.#end(BAD.exception);
    }
    if (!telegram.accepts(input, from, to)) {
      if (!this.#isOfAnother(input, from, to)) this.#garbled(now);
      return;
    }
    const isRead = this.#kind === READ ? this.#request!.decode(this.#ring!, this.#seq)
      : this.#saysOf(telegram);
    // Anything else that a machine says may be no answer: that may be still to come.
    if (!isRead && telegram.match === null) return this.#garbled(now);
    this.counters.answers += 1;
    this.#inStep.answered(any_station, this.counters.roundTrip);
    if (this.#isByOrder) this.#quietUntil = now + this.#inStep.pause_ms(any_station, now);
    this.#end(this.#kind === RAW ? this.#takeRaw(telegram) : DONE);
  }

  /** The value of the tag is there, or the machine's own word for why it is not. */
  #saysOf(telegram: Telegram): boolean {
    const said = telegram.state();
    return said === GOOD ? this.#field!.isIn(telegram) : said !== BAD.garbled;
  }

  /** A late answer, to what was asked before: it is known by its `match`. */
  #isOfAnother(input: Uint8Array, from: number, to: number): boolean {
    for (const other of this.#known) {
      if (isSame(other, this.#telegram!) || !other.accepts(input, from, to)) continue;
      this.#framing.stray += this.#framing.whole;
      return true;
    }
    return false;
  }

  /** DONE, or why the machine's value cannot be judged by. */
  #takeRaw(telegram: Telegram): number {
    const field = this.#field!;
    const said = telegram.state();
    if (said !== GOOD) return readsAsNull(said) ? said : BAD.source;
    if (!telegram.locate(field.address.place)) return BAD.garbled;
    const state = field.takeRaw(telegram, this.#raw);
    if (state === GOOD) return DONE;
    return readsAsNull(state) ? state : BAD.source;
  }

  #end(result: number): void {
    this.#state = IDLE;
    this.#deadline = Infinity;
    this.result = result;
    this.#last = anyTime;
  }
}

const isSame = (a: Telegram, b: Telegram): boolean =>
  a.name === b.name && a.station === b.station;

/** A tag that the gate reads or writes alone. */
interface Single {
  readonly field: Field;
  readonly telegram: Telegram;
}
