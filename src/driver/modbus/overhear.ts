import type { DriverTag, Listening, Request, Session } from "../../driver.ts";
import { DONE, newCounters } from "../../driver.ts";
import { BAD, GOOD, spoilCell, type Ring } from "../../ring.ts";
import { isBits } from "./address.ts";
import { decodeCell, Field } from "./codec.ts";
import { Conversation, type Overheard } from "./conversation.ts";
import { ILLEGAL_ADDRESS, readFunction } from "./pdu.ts";
import { bitAt } from "./plan.ts";

/** All tags of a group, as another master asks for them: in how many reads is its business. */
export class HeardRequest implements Request {
  readonly station: number;
  readonly tags: readonly DriverTag[];
  readonly text: string;
  readonly unasked = true;
  readonly fields: readonly Field[];
  /** Its place among those that are listened for. */
  index = 0;

  constructor(tags: readonly DriverTag[]) {
    this.station = tags[0]!.station;
    this.tags = tags;
    this.fields = tags.map((tag) => new Field(tag));
    this.text = `what another master reads of station ${this.station}`;
  }
}

/** A value as it was heard last. */
class Heard {
  readonly field: Field;
  readonly function: number;
  readonly raw: Uint8Array;
  /** Monotonic ms of the read that brought it, and of the newest that did not. */
  at = -Infinity;
  failedAt = -Infinity;
  failure: number = BAD.initial;

  constructor(field: Field) {
    this.field = field;
    this.function = readFunction(field.address.area);
    this.raw = new Uint8Array(field.bytes);
  }

  /** The answer's data begins at `data[at]`, and the value's place is `place`. */
  keep(data: Uint8Array, at: number, place: number, askedAt: number): void {
    const { raw, field } = this;
    this.at = askedAt;
    const bits = isBits(field.address.area);
    for (let i = 0; i < raw.length; i++) {
      raw[i] = bits ? bitAt(data, at, place + i) : data[at + place * 2 + i]!;
    }
  }

  fail(state: number, askedAt: number): void {
    this.failure = state;
    this.failedAt = askedAt;
  }
}

/** Of an interval: a read that comes a little before its time begins a row, too. */
const early = 0.1;
/** As many intervals as a newest value counts. */
const patience = 3;

/** A group: its row begins with the first read of it, and ends when all that is read was heard. */
class HeardGroup {
  readonly request: HeardRequest;
  readonly values: readonly Heard[];
  readonly interval: number;
  /** Monotonic ms; NaN = no row has begun. */
  begun = NaN;
  /** When a row is due: it begins with the next read. */
  due = -Infinity;
  silentAt: number;

  constructor(request: HeardRequest, interval: number, now: number) {
    this.request = request;
    this.values = request.fields.map((field) => new Heard(field));
    this.interval = interval;
    this.silentAt = now + patience * interval;
  }

  /** What was read in the last while has been heard again, or is known not to be there. */
  get isComplete(): boolean {
    const stale = this.begun - patience * this.interval;
    for (const { at, failedAt } of this.values) {
      const newest = Math.max(at, failedAt);
      if (newest < this.begun && newest >= stale) return false;
    }
    return true;
  }
}

/**
 * A link that only listens: rows are made of what a master and its stations say to each other. It
 * has no wire to send by.
 */
export class OverhearSession implements Session, Overheard {
  readonly result = DONE;
  readonly exception = 0;
  readonly sent = false;
  readonly frame = new Uint8Array(0);
  readonly counters = newCounters();
  readonly #conversation: Conversation;
  #listening: Listening | null = null;
  #groups: readonly HeardGroup[] = [];
  #now = 0;

  constructor(timeout_ms: number, character_ms: number) {
    this.#conversation = new Conversation(timeout_ms, character_ms, this);
  }

  listen(listening: Listening, now: number): void {
    this.#listening = listening;
    this.#now = now;
    this.#groups = (listening.requests as readonly HeardRequest[]).map((request, i) => {
      request.index = i;
      return new HeardGroup(request, listening.interval(request), now);
    });
  }

  fill(request: Request, into: Ring, seq: number): void {
    const group = this.#groups[(request as HeardRequest).index]!;
    for (const { field, raw, at, failedAt, failure } of group.values) {
      const { column } = field.tag;
      if (at >= group.begun) decodeCell(field.form, into.columns[column]!, raw, 0, into, seq);
      else {
        const isTold = failedAt >= group.begun || at === -Infinity;
        spoilCell(into, column, seq, isTold ? failure : BAD.old);
      }
    }
  }

  receive(bytes: Uint8Array, n: number, now: number): void {
    this.#now = now;
    this.#conversation.receive(bytes, n, now);
    this.counters.stray = this.#conversation.stray;
  }

  step(now: number): number {
    this.#now = now;
    let next = this.#conversation.step(now);
    for (const group of this.#groups) next = Math.min(next, this.#stepGroup(group, now));
    return next;
  }

  abort(): void {
    this.#conversation.clear();
    for (const group of this.#groups) {
      group.begun = NaN;
      for (const value of group.values) {
        value.at = -Infinity;
        value.failure = BAD.disconnected;
      }
    }
  }

  /** What nobody may ask here: it has no exchanges. */
  read(): void {
    throw new Error("bug: a link that only listens is polled");
  }

  readRaw(): void {
    throw new Error("bug: a link that only listens is asked");
  }

  write(): void {
    throw new Error("bug: a link that only listens is written to");
  }

  asked(): void {
    this.counters.requests += 1;
    for (const group of this.#groups) {
      const isDue = this.#now >= group.due - early * group.interval;
      if (Number.isNaN(group.begun) && isDue && this.#isOf(group)) this.#begin(group, this.#now);
    }
  }

  answered(data: Uint8Array, at: number): void {
    this.counters.answers += 1;
    this.counters.roundTrip = this.#now - this.#conversation.askedAt;
    this.#settle(data, at, GOOD);
  }

  refused(exception: number): void {
    this.counters.answers += 1;
    this.counters.exceptions += 1;
    this.#settle(null, 0, exception === ILLEGAL_ADDRESS ? BAD.address : BAD.exception);
  }

  unanswered(isGarbled: boolean): void {
    if (isGarbled) this.counters.garbled += 1;
    else this.counters.timeouts += 1;
    this.#settle(null, 0, isGarbled ? BAD.garbled : BAD.timeout);
  }

  /** What became of the values that the read has whole; then rows that are complete end. */
  #settle(data: Uint8Array | null, at: number, failure: number): void {
    const { askedAt, from } = this.#conversation;
    for (const group of this.#groups) {
      let isTouched = false;
      for (const value of group.values) {
        if (!this.#covers(value)) continue;
        isTouched = true;
        if (data !== null) value.keep(data, at, value.field.address.from - from, askedAt);
        else value.fail(failure, askedAt);
      }
      if (isTouched && group.begun <= askedAt && group.isComplete) this.#endRow(group);
    }
  }

  #isOf(group: HeardGroup): boolean {
    for (const value of group.values) if (this.#covers(value)) return true;
    return false;
  }

  #covers({ field: { tag, address }, function: code }: Heard): boolean {
    const { station, code: asked, from, count } = this.#conversation;
    return tag.station === station && code === asked && address.from >= from &&
      address.from + address.count <= from + count;
  }

  #stepGroup(group: HeardGroup, now: number): number {
    if (Number.isNaN(group.begun)) {
      if (now < group.silentAt) return group.silentAt;
      // Nobody reads it any more: that is told at the group's own rate.
      this.#begin(group, now);
      this.#endRow(group);
      group.silentAt = now + group.interval;
      return group.silentAt;
    }
    const late = group.begun + patience * group.interval;
    if (now < late) return late;
    this.#endRow(group);
    return group.silentAt;
  }

  #begin(group: HeardGroup, now: number): void {
    group.begun = now;
    this.#listening!.begins(group.request);
  }

  #endRow(group: HeardGroup): void {
    this.#listening!.came(group.request);
    const { begun, interval } = group;
    // Start to start; what was late by an interval is not made up for: what was heard in one go,
    // after a while without processor, would be several rows of one moment, with one value.
    group.due = (begun - group.due < interval ? group.due : begun) + interval;
    group.silentAt = begun + patience * interval;
    group.begun = NaN;
  }
}
