import type { Client, DriverTag, Rows } from "../driver.ts";
import { Arena, BAD, copyCell, Ring, writeCell } from "../ring.ts";
import type { Frames } from "./frames.ts";
import type { GroupPlan } from "./graph.ts";
import { deviceOf } from "./link.ts";
import type { Guard, JobDone, LinkPort } from "./port.ts";
import type { LinkView } from "./view.ts";

export interface ClientRowsOptions {
  readonly history: ClientRows | null;
  readonly flags: () => number;
  readonly now: () => number;
  /** A person had the device left alone. */
  isDisabled(device: string): boolean;
  /** The rows from … from + n are about to be published. */
  complete(ring: Ring, from: number, n: number): void;
}

/** The rows of one group that a client library brings; one writer of its ring. */
export class ClientRows implements Rows {
  readonly stream: string;
  readonly interval: number;
  readonly tags: readonly DriverTag[];
  readonly ring: Ring;
  readonly history: ClientRows | null;
  published = 0;
  spoiled = 0;
  /** Monotonic ms of the newest row. */
  at = 0;
  readonly #o: ClientRowsOptions;
  readonly #device: string;
  /** Engine time of the newest row of which nothing counts. */
  #spoiledAt = -Infinity;
  /** The row that is being written was made before it. */
  #isFromBefore = false;
  /** What the server told last, which neither a lost connection nor a person changes. */
  readonly #told: Ring;

  constructor(plan: GroupPlan, ring: Ring, options: ClientRowsOptions) {
    this.stream = plan.stream;
    this.interval = plan.interval;
    this.tags = plan.tags;
    this.ring = ring;
    this.history = options.history;
    this.#o = options;
    this.#device = plan.device;
    const layout = Ring.layout(`${plan.stream} told`, ring.layout.columns, told_rows);
    this.#told = Ring.create(Arena.create(2 * layout.bytes), layout).ring;
    for (const { column, value } of plan.constants) {
      writeCell(this.#told, this.#told.columns[column]!, 0, value);
    }
    this.forget();
  }

  get isDisabled(): boolean {
    return this.#o.isDisabled(this.#device);
  }

  begin(time: number, source: number): number {
    const seq = this.#claim(time, source);
    this.#repeat(seq);
    this.#isFromBefore = time < this.#spoiledAt;
    return seq;
  }

  publish(): void {
    const { ring } = this;
    const seq = ring.head;
    const told = this.#told.columns;
    for (const column of ring.columns) {
      copyCell(ring, column, seq, this.#told, told[column.index]!, 0);
    }
    if (this.isDisabled) this.#mark(seq, BAD.disabled);
    // It was on its way for long: in the time of now it would look young.
    else if (this.#isFromBefore) this.#mark(seq, BAD.disconnected);
    this.#publish(seq);
    this.published += 1;
  }

  spoil(time: number, state: number): void {
    const seq = this.#claim(time, NaN);
    this.#spoiledAt = time;
    this.#repeat(seq);
    this.#mark(seq, this.isDisabled ? BAD.disabled : state);
    this.#publish(seq);
    this.spoiled += 1;
  }

  forget(): void {
    const { arena, columns } = this.#told;
    for (const { column } of this.tags) arena.U[columns[column]!.state] = BAD.initial;
  }

  #claim(time: number, source: number): number {
    const { ring } = this;
    ring.claim(1);
    const seq = ring.head;
    const row = seq & ring.mask;
    // The time of rows never goes back, however long a message was on its way.
    ring.arena.F[ring.timeAt + row] = Math.max(time,
      ring.arena.F[ring.timeAt + ((seq - 1) & ring.mask)]!);
    ring.arena.F[ring.sourceAt + row] = source;
    ring.arena.U[ring.flagsAt + row] = this.#o.flags();
    return seq;
  }

  #repeat(seq: number): void {
    const told = this.#told.columns;
    for (const column of this.ring.columns) {
      copyCell(this.#told, told[column.index]!, 0, this.ring, column, seq);
    }
  }

  /** Of tags: what is constant is so whatever happens. */
  #mark(seq: number, state: number): void {
    const { arena, columns, mask } = this.ring;
    for (const { column } of this.tags) arena.U[columns[column]!.state + (seq & mask)] = state;
  }

  #publish(seq: number): void {
    this.#o.complete(this.ring, seq, 1);
    this.ring.publish(1);
    // What polled before it, on another thread, may have begun a row when it was ended.
    this.ring.open?.reset(this.ring.head);
    this.at = this.#o.now();
  }
}

/** The least that a ring has; one is used. */
const told_rows = 2;

export interface ClientPortOptions {
  readonly name: string;
  readonly type: string;
  readonly client: Client;
  readonly rows: readonly ClientRows[];
  readonly frames: Frames;
  readonly now: () => number;
  /** A person had the device left alone. */
  isDisabled(device: string): boolean;
}

/** A link of a client library, on the thread that has the gate. */
export class ClientPort implements LinkPort {
  readonly #o: ClientPortOptions;
  #state = "";
  #since = 0;

  constructor(options: ClientPortOptions) {
    this.#o = options;
  }

  get name(): string {
    return this.#o.name;
  }

  get frames(): Frames {
    return this.#o.frames;
  }

  get peer(): string {
    return this.#o.client.peer;
  }

  get open(): boolean {
    return this.#o.client.state === "open";
  }

  lag_ms(stream: string): number {
    return this.#o.client.lag_ms(stream);
  }

  read(tag: DriverTag, raw: Uint8Array, notAfter: number, done: JobDone): boolean {
    if (this.#o.isDisabled(deviceOf(tag))) done(BAD.disabled, 0, false, NaN, null);
    else this.#o.client.read(tag, raw, notAfter, done);
    return true;
  }

  write(tag: DriverTag, raw: Uint8Array, guard: Guard, done: JobDone): boolean {
    // Looked at and sent in one go, as over any connection that is reset without an answer.
    const last = (): number | null => this.#o.isDisabled(deviceOf(tag)) ||
      guard.last(this.#o.now()) === null ? null : guard.notAfter;
    this.#o.client.write(tag, raw, guard.notAfter, last, done);
    return true;
  }

  giveUpWrite(): void {
    this.#o.client.giveUpWrite();
  }

  step(now: number): number {
    const next = this.#o.client.step(now);
    if (this.#o.client.state !== this.#state) {
      this.#state = this.#o.client.state;
      this.#since = now;
    }
    return next;
  }

  view(now: number): LinkView {
    const { state, reason, peer, opens, counters } = this.#o.client;
    return {
      name: this.name, type: this.#o.type, state, reason, since_ms: now - this.#since, peer, opens,
      counters: { ...counters },
      polls: this.#o.rows.map(({ stream, interval, published, spoiled, at }) => ({
        stream, interval_ms: interval, polls: published + spoiled, failed: spoiled, missed: 0,
        started_ms: at, refused: [],
      })),
      stations: [],
    };
  }

  close(): void {
    this.#o.client.close();
  }
}
