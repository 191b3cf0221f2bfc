import type { Client, DriverTag, Rows } from "../driver.ts";
import { BAD, copyCell, type Ring } from "../ring.ts";
import type { GroupPlan } from "./graph.ts";
import type { Guard, JobDone, LinkPort } from "./port.ts";
import type { LinkView } from "./view.ts";

/** The rows of one group that a client library brings; one writer of its ring. */
export class ClientRows implements Rows {
  readonly stream: string;
  readonly interval: number;
  readonly tags: readonly DriverTag[];
  readonly ring: Ring;
  published = 0;
  spoiled = 0;
  /** Monotonic ms of the newest row. */
  at = 0;
  readonly #flags: () => number;
  readonly #now: () => number;
  /** By column: the state that was told last, which a lost connection does not change. */
  readonly #told: Uint8Array;

  constructor(plan: GroupPlan, ring: Ring, flags: () => number, now: () => number) {
    this.stream = plan.stream;
    this.interval = plan.interval;
    this.tags = plan.tags;
    this.ring = ring;
    this.#flags = flags;
    this.#now = now;
    this.#told = new Uint8Array(ring.columns.length).fill(BAD.initial);
  }

  begin(time: number, source: number): number {
    const { ring } = this;
    const seq = this.#claim(time, source);
    const row = seq & ring.mask;
    for (const column of ring.columns) {
      copyCell(ring, column, seq - 1, ring, column, seq);
      ring.arena.U[column.state + row] = this.#told[column.index]!;
    }
    return seq;
  }

  publish(): void {
    const { ring } = this;
    const row = ring.head & ring.mask;
    for (const column of ring.columns) {
      this.#told[column.index] = ring.arena.U[column.state + row]!;
    }
    this.#publish();
    this.published += 1;
  }

  spoil(time: number, state: number): void {
    const { ring } = this;
    const seq = this.#claim(time, NaN);
    for (const column of ring.columns) {
      copyCell(ring, column, seq - 1, ring, column, seq);
      ring.arena.U[column.state + (seq & ring.mask)] = state;
    }
    this.#publish();
    this.spoiled += 1;
  }

  forget(): void {
    this.#told.fill(BAD.initial);
  }

  #claim(time: number, source: number): number {
    const { ring } = this;
    ring.claim(1);
    const seq = ring.head;
    const row = seq & ring.mask;
    ring.arena.F[ring.timeAt + row] = time;
    ring.arena.F[ring.sourceAt + row] = source;
    ring.arena.U[ring.flagsAt + row] = this.#flags();
    return seq;
  }

  #publish(): void {
    this.ring.publish(1);
    this.at = this.#now();
  }
}

/** A link of a client library, on the thread that has the gate. */
export class ClientPort implements LinkPort {
  readonly name: string;
  readonly #type: string;
  readonly #client: Client;
  readonly #rows: readonly ClientRows[];
  readonly #now: () => number;
  #state = "";
  #since = 0;

  constructor(
    name: string, type: string, client: Client, rows: readonly ClientRows[], now: () => number,
  ) {
    this.name = name;
    this.#type = type;
    this.#client = client;
    this.#rows = rows;
    this.#now = now;
  }

  get peer(): string {
    return this.#client.peer;
  }

  get open(): boolean {
    return this.#client.state === "open";
  }

  read(tag: DriverTag, raw: Uint8Array, done: JobDone): boolean {
    this.#client.read(tag, raw, done);
    return true;
  }

  write(tag: DriverTag, raw: Uint8Array, guard: Guard, done: JobDone): boolean {
    // Looked at and sent in one go, as over any connection that is reset without an answer.
    const last = (): number | null => guard.last(this.#now()) === null ? null : guard.notAfter;
    this.#client.write(tag, raw, last, done);
    return true;
  }

  step(now: number): number {
    const next = this.#client.step(now);
    if (this.#client.state !== this.#state) {
      this.#state = this.#client.state;
      this.#since = now;
    }
    return next;
  }

  view(now: number): LinkView {
    const { state, reason, peer, opens, counters } = this.#client;
    return {
      name: this.name, type: this.#type, state, reason, since_ms: now - this.#since, peer, opens,
      counters: { ...counters },
      polls: this.#rows.map(({ stream, interval, published, spoiled, at }) => ({
        stream, interval_ms: interval, polls: published + spoiled, failed: spoiled, missed: 0,
        started_ms: at,
      })),
      stations: [],
    };
  }

  close(): void {
    this.#client.close();
  }
}
