import { limits, type Log } from "../base.ts";
import { PENDING, DONE } from "../driver.ts";
import type { DriverTag, Request, Session, Wire, WireEvents } from "../driver.ts";
import { BAD, copyCell, writeCell, type Ring } from "../ring.ts";
import { tapped, type Tap } from "./frames.ts";
import type { Constant } from "./graph.ts";

/** Tags of one device polled together; one poll is one row of `ring`. */
export interface LinkGroup {
  readonly stream: string;
  readonly device: string;
  readonly station: number;
  /** ms, start to start */
  readonly interval: number;
  readonly ring: Ring;
  readonly constants: readonly Constant[];
  readonly requests: readonly Request[];
}

/** A read or write of one tag on behalf of the gate; it goes before the next poll request. */
export interface LinkJob {
  readonly kind: "read" | "write";
  readonly tag: DriverTag;
  /** Write: the raw words to send. Read: where the raw words that came are put. */
  readonly raw: Uint8Array;
  /** Write: a poll of these streams that is under way ends first, and is looked at (W11). */
  readonly streams?: ReadonlySet<string>;
  /**
   * Write: the last look, right before the bytes (W11). Monotonic ms until which the frame may
   * arrive; null = it must not leave.
   */
  last(now: number): number | null;
  /** `frame`: the bytes of a write as they went to the wire; null = none did, or it was a read. */
  done(
    result: number, exception: number, sent: boolean, now: number, frame: Uint8Array | null,
  ): void;
}

/** How a group's polling goes; read by the API. */
class Poll {
  readonly group: LinkGroup;
  /** Monotonic ms of the next start. */
  due: number;
  /** Starts that could not be kept. */
  missed = 0;
  polls = 0;
  failed = 0;
  /** Scheduled start of the newest row, monotonic ms. */
  started = 0;
  next = 0;

  constructor(group: LinkGroup, due: number) {
    this.group = group;
    this.due = due;
  }
}

/** What is known of one station: after repeated silence it is left alone and probed. */
export class Station {
  failures = 0;
  /** Why the last exchange failed (a `BAD.*` state), 0 = it did not. */
  failure = 0;
  /** Monotonic ms until which nothing is asked of it. */
  pausedUntil = 0;
  /** Monotonic ms of the last good answer, −1 = never. */
  lastGood = -1;
}

/** Failures in a row before a station is paused, or (TCP) a silent link is opened anew. */
const failures_max = 3;
const pause_ms_min = 1000;
const pause_ms_max = 10_000;

export interface LinkRunnerOptions {
  readonly name: string;
  readonly groups: readonly LinkGroup[];
  /** What stands behind the address that is connected to (`Driver.route`). */
  readonly route?: string;
  readonly connectTimeout: number;
  /** A silent TCP connection is opened anew; a bus is not, its other stations may be well. */
  readonly reopenWhenSilent: boolean;
  /** Monotonic ms: when bytes came, not when the last turn was. */
  readonly now: () => number;
  /** Of a row that begins now. */
  readonly flags: () => number;
  readonly log: Log;
  readonly tap: Tap;
  /** A person had the device left alone. */
  isDisabled(device: string): boolean;
  /** The row `seq` is about to be published. */
  complete(ring: Ring, seq: number): void;
  /** A peer address that changed ends the armings of the link's tags (W3). */
  peerChanged(peer: string): void;
  /** Something happened that a turn should look at soon. */
  wake(): void;
}

/**
 * Runs one link: which request goes next, when. Polls start at a fixed rate by the monotonic clock,
 * start to start; a start that cannot be kept is counted as missed and never made up for. Jobs of
 * the gate go between two requests. It owns opening and back-off; the session owns the protocol.
 */
export class LinkRunner implements WireEvents {
  readonly name: string;
  readonly polls: readonly Poll[];
  readonly stations = new Map<number, Station>();
  state: "closed" | "opening" | "open" = "closed";
  reason = "not opened yet";
  peer = "";
  /** Monotonic ms of the last change of `state`. */
  since: number;
  opens = 0;
  readonly #options: LinkRunnerOptions;
  #wire: Wire | null = null;
  #session: Session | null = null;
  #jobs: LinkJob[] = [];
  #job: LinkJob | null = null;
  /** Monotonic ms of the newest last look. */
  #lookedAt = NaN;
  #poll: Poll | null = null;
  #request: Request | null = null;
  #openAt: number;
  #openDeadline = Infinity;
  #backoff: number = limits.reconnect_ms_min;
  #silent = 0;
  #jobLast = false;
  /** For good: it is not opened again. */
  #ended = false;

  constructor(options: LinkRunnerOptions) {
    this.#options = options;
    this.name = options.name;
    const now = options.now();
    this.since = now;
    this.#openAt = now;
    this.polls = options.groups.map((group) => new Poll(group, now));
    for (const group of options.groups) {
      this.#station(group.station);
      fillConstants(group);
    }
  }

  /** The wire needs its events, the session its wire: so they come after construction. */
  attach(wire: Wire, open: (wire: Wire) => Session): void {
    this.#wire = wire;
    this.#session = open(tapped(wire, this.#options.tap));
  }

  get session(): Session {
    return this.#session!;
  }

  /** False = too many wait already (`busy`). */
  submit(job: LinkJob): boolean {
    if (this.#jobs.length >= limits.commands_max) return false;
    this.#jobs.push(job);
    this.#options.wake();
    return true;
  }

  opened(address: string): void {
    const peer = address + (this.#options.route ?? "");
    this.#become("open", `connected to ${peer}`);
    this.opens += 1;
    this.#silent = 0;
    this.#openDeadline = Infinity;
    // A slow group must not wait an interval for what the device can tell now.
    const now = this.#options.now();
    for (const poll of this.polls) poll.due = Math.min(poll.due, now);
    if (this.peer !== "" && this.peer !== peer) this.#options.peerChanged(peer);
    this.peer = peer;
    this.#options.wake();
  }

  received(bytes: Uint8Array, n: number): void {
    this.#options.tap("rx", bytes, n);
    this.#session!.receive(bytes, n, this.#options.now());
    this.#options.wake();
  }

  closed(reason: string): void {
    this.#session!.abort();
    this.#become("closed", reason);
    this.#openAt = this.#ended ? Infinity : this.#options.now() + this.#backoff;
    this.#backoff = Math.min(limits.reconnect_ms_max, this.#backoff * 2);
    this.#openDeadline = Infinity;
    this.#options.wake();
  }

  /** Ends the link for good. */
  close(): void {
    this.#ended = true;
    this.#openAt = Infinity;
    if (this.state !== "closed") this.#wire!.reset();
  }

  /** Works off what is due; gives the monotonic ms at which it wants to be called again. */
  step(now: number, time: number): number {
    this.#keepOpen(now);
    let wanted = Infinity;
    // Bounded: each round ends an exchange, begins one, or finds nothing to do.
    for (let round = 0; round < limits.commands_max; round++) {
      wanted = this.#session!.step(now);
      if (this.#job !== null || this.#request !== null) {
        if (this.#session!.result === PENDING) break;
        this.#finish(now);
      }
      if (!this.#begin(now, time)) break;
    }
    return Math.min(wanted, this.#nextDue(), this.#openAt, this.#openDeadline);
  }

  #keepOpen(now: number): void {
    if (this.state === "closed" && now >= this.#openAt) {
      this.#openAt = Infinity;
      this.#openDeadline = now + this.#options.connectTimeout;
      this.#become("opening", "opening");
      this.#wire!.open();
    } else if (this.state === "opening" && now >= this.#openDeadline) {
      this.#wire!.reset();
      if (this.state === "opening") this.closed("no connection in time");
    }
  }

  #nextDue(): number {
    if (this.#job !== null || this.#request !== null) return Infinity;
    let due = Infinity;
    for (const poll of this.polls) if (poll.due < due) due = poll.due;
    return due;
  }

  /** True if something was begun or a row was finished without the wire. */
  #begin(now: number, time: number): boolean {
    if (this.#job !== null || this.#request !== null) return false;
    // Jobs go first, but never two in a row past a poll: a flood of commands must not make old
    // what the commands are judged by.
    if (this.#jobs.length > 0 && !this.#isHeld(this.#jobs[0]!, now)) {
      this.#jobLast = true;
      this.#beginJob(this.#jobs.shift()!, now);
      return true;
    }
    this.#jobLast = false;
    if (this.#poll === null && !this.#beginPoll(now, time)) return false;
    this.#nextRequest(now);
    return true;
  }

  /** What the unfinished row has been told already must not be overtaken by who depends on it. */
  #isHeld(job: LinkJob, now: number): boolean {
    if (this.#poll !== null && job.streams?.has(this.#poll.group.stream)) return true;
    return this.#jobLast && (this.#poll !== null || this.polls.some((poll) => poll.due <= now));
  }

  #beginJob(job: LinkJob, now: number): void {
    const isDisabled = this.#options.isDisabled(deviceOf(job.tag));
    if (isDisabled || this.state !== "open") {
      job.done(isDisabled ? BAD.disabled : BAD.disconnected, 0, false, NaN, null);
      return;
    }
    this.#job = job;
    if (job.kind === "read") this.#session!.readRaw(job.tag, job.raw, now);
    else this.#session!.write(job.tag, job.raw, () => this.#lastLook(job), now);
  }

  /** The bytes go to the wire in this call's caller. */
  #lastLook(job: LinkJob): number | null {
    this.#lookedAt = this.#options.now();
    return job.last(this.#lookedAt);
  }

  #beginPoll(now: number, time: number): boolean {
    let first: Poll | null = null;
    for (const poll of this.polls) {
      if (poll.due <= now && (first === null || poll.due < first.due)) first = poll;
    }
    if (first === null) return false;
    const { ring, interval } = first.group;
    // On the grid of the first start: what lies between is missed, not made up for.
    const late = Math.floor((now - first.due) / interval);
    first.missed += late;
    first.started = first.due + late * interval;
    first.due = first.started + interval;
    first.next = 0;
    ring.claim(1);
    const row = ring.head & ring.mask;
    ring.arena.F[ring.timeAt + row] = time;
    ring.arena.F[ring.sourceAt + row] = NaN;
    ring.arena.U[ring.flagsAt + row] = this.#options.flags();
    this.#poll = first;
    return true;
  }

  #nextRequest(now: number): void {
    const poll = this.#poll!;
    if (this.#endPoll(poll)) return;
    const request = poll.group.requests[poll.next++]!;
    const station = this.#station(request.station);
    if (this.#options.isDisabled(poll.group.device)) {
      spoil(poll.group.ring, request, BAD.disabled);
      return;
    }
    if (this.state !== "open" || station.pausedUntil > now) {
      poll.failed += 1;
      const why = this.state !== "open" ? BAD.disconnected : station.failure || BAD.paused;
      spoil(poll.group.ring, request, why);
      return;
    }
    this.#request = request;
    this.#session!.read(request, poll.group.ring, poll.group.ring.head, now);
  }

  /** A row is published as soon as its last request has ended: no job goes before it. */
  #endPoll(poll: Poll): boolean {
    if (poll.next < poll.group.requests.length) return false;
    const { ring } = poll.group;
    this.#options.complete(ring, ring.head);
    ring.publish(1);
    poll.polls += 1;
    this.#poll = null;
    return true;
  }

  #finish(now: number): void {
    const session = this.#session!;
    const { result, exception, sent } = session;
    if (this.#job !== null) {
      const job = this.#job;
      this.#job = null;
      this.#judge(job.tag.station, result, now);
      const left = sent && job.kind === "write";
      const frame = left ? session.frame.slice() : null;
      job.done(result, exception, sent, left ? this.#lookedAt : NaN, frame);
      return;
    }
    const request = this.#request!;
    const poll = this.#poll!;
    this.#request = null;
    this.#judge(request.station, result, now);
    if (result !== DONE) {
      poll.failed += 1;
      spoil(poll.group.ring, request, result);
    }
    this.#endPoll(poll);
  }

  /** A station that keeps silent must not slow its neighbours; a silent link is opened anew. */
  #judge(number: number, result: number, now: number): void {
    const station = this.#station(number);
    if (result === BAD.disconnected) return;
    // Who takes a connection and ends it without an answer is not asked ten times a second.
    this.#backoff = limits.reconnect_ms_min;
    if (result !== BAD.timeout && result !== BAD.garbled) {
      station.failures = 0;
      station.failure = result === DONE ? 0 : result;
      station.pausedUntil = 0;
      this.#silent = 0;
      if (result === DONE) station.lastGood = now;
      return;
    }
    station.failures += 1;
    station.failure = result;
    this.#silent += 1;
    if (station.failures >= failures_max) {
      const doubled = pause_ms_min * 2 ** Math.min(4, station.failures - failures_max);
      station.pausedUntil = now + Math.min(pause_ms_max, doubled);
    }
    if (this.#options.reopenWhenSilent && this.#silent === failures_max * this.stations.size) {
      this.#options.log.warn("link", `${this.name}: no station answers, opening anew`);
      this.#wire!.reset();
    }
  }

  #station(number: number): Station {
    let station = this.stations.get(number);
    if (station === undefined) this.stations.set(number, (station = new Station()));
    return station;
  }

  #become(state: "closed" | "opening" | "open", reason: string): void {
    if (state !== this.state && (state === "open" || this.state === "open")) {
      this.#options.log.info("link", `${this.name} ${state}`, { reason });
    }
    this.state = state;
    this.reason = reason;
    this.since = this.#options.now();
  }
}

/** A device's name has no dot. */
export const deviceOf = ({ id }: DriverTag): string => id.slice(0, id.indexOf("."));

/** No poll writes their cells, so what stands in each row of the ring once stays there. */
export function fillConstants({ ring, constants }: LinkGroup): void {
  for (const { column, value } of constants) {
    for (let row = 0; row < ring.rows; row++) writeCell(ring, ring.columns[column]!, row, value);
  }
}

/** The cells of a failed request: the last known value with the reason why it is not new. */
function spoil(ring: Ring, request: Request, state: number): void {
  const { head } = ring;
  for (const tag of request.tags) {
    const column = ring.columns[tag.column]!;
    copyCell(ring, column, head - 1, ring, column, head);
    ring.arena.U[column.state + (head & ring.mask)] = state;
  }
}
