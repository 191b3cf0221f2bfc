import { limits } from "../base.ts";
import type { Driver, DriverTag, Request } from "../driver.ts";
import { BAD, spoilCell, writeCell, type Ring } from "../ring.ts";
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
  readonly broadcasts: readonly number[];
  readonly requests: readonly Request[];
}

/**
 * Groups of one interval begin one after the other over the whole interval: all at once each would
 * wait for those before it, as long as these happen to take. `place`, 0 to 1: of their link among
 * those of its thread, so that they do not meet either. In ms, by group.
 */
export function phases(groups: readonly Pick<LinkGroup, "interval">[], place: number): number[] {
  const counts = new Map<number, number>();
  const places = groups.map(({ interval }) => {
    const place = counts.get(interval) ?? 0;
    counts.set(interval, place + 1);
    return place;
  });
  return groups.map(({ interval }, i) => (places[i]! + place) * interval / counts.get(interval)!);
}

/** How a driver halves a request that a device refused, and puts halves together again. */
export type Splitter = Pick<Driver, "split" | "join" | "apart">;

/** Refused tags of a group that the log names; `refused` of `/links` has all. */
const refused_told_max = 10;

/** A request of one tag that the device does not answer, and its `BAD.*` state. */
interface Refused {
  readonly state: number;
  /** Monotonic ms until which it is not asked again. */
  until: number;
  wait_ms: number;
}

/**
 * How a group's polling goes, and which requests it is made of. A device refuses a whole read for
 * one address that it does not have: such a request is halved until the one tag is found, in the
 * same poll, so that all others have their values. The tag is tried again later. A device that
 * refuses a read for its length answers all of the halves: they stay apart.
 */
export class Poll {
  readonly group: LinkGroup;
  /** Monotonic ms of the next start. */
  due: number;
  /** Starts that could not be kept. */
  missed = 0;
  polls = 0;
  failed = 0;
  /** A row of what comes unasked has begun. */
  isHeard = false;
  /** Scheduled start of the newest row, monotonic ms. */
  started = 0;
  readonly #splitter: Splitter;
  /** ms from where the first row begins to where its grid does. */
  readonly #phase: number;
  /** ms by which the next start comes earlier or later, from the first row onto the grid. */
  #shift: number;
  #requests: readonly Request[];
  #next = 0;
  /** Halves that this poll has still to read. */
  readonly #halves: Request[] = [];
  #halved = 0;
  /** What became of the requests that this poll halved. */
  readonly #split = new Map<Request, readonly Request[]>();
  readonly #refused = new Map<Request, Refused>();
  /** What the device said of tags that it refuses. */
  readonly #said = new Map<DriverTag, string>();
  /** Halves that were answered, and requests that are not to be put together again. */
  readonly #read = new Set<Request>();
  readonly #apart = new Set<Request>();
  /** What was found out of the device's bounds, and that it was told. */
  #found = "";
  #told = false;

  constructor(group: LinkGroup, splitter: Splitter, due: number, phase: number) {
    this.group = group;
    this.#splitter = splitter;
    // No more than half an interval, whichever way.
    this.#phase = phase < group.interval / 2 ? phase : phase - group.interval;
    this.#shift = this.#phase;
    this.#requests = group.requests;
    // Nobody asks for what comes unasked.
    this.due = group.requests.some(({ unasked }) => unasked === true) ? Infinity : due;
    fillConstants(group);
    fillBroadcasts(group);
  }

  /** A device that was connected anew may be another one. */
  begin(now: number): void {
    if (this.due < Infinity) this.due = Math.min(this.due, now);
    this.#shift = this.#phase;
    this.#requests = this.group.requests;
    this.#next = 0;
    this.#halves.length = 0;
    this.#split.clear();
    this.#read.clear();
    this.#refused.clear();
  }

  /** Requests that a device refused for their address, each of one tag. */
  get refused(): readonly string[] {
    return [...this.#refused.keys()].map(({ text }) => text);
  }

  /** A row begins on the grid of the first start: what lies between is missed, not made up for. */
  start(now: number): void {
    const { interval } = this.group;
    const late = Math.floor((now - this.due) / interval);
    this.missed += late;
    this.started = this.due + late * interval;
    this.due = this.started + interval + this.#shift;
    this.#shift = 0;
    this.#next = 0;
    this.#halved = 0;
  }

  /** The next request to send; null = there is none. */
  take(): Request | null {
    const half = this.#halves.pop();
    if (half !== undefined) return half;
    return this.#next < this.#requests.length ? this.#requests[this.#next++]! : null;
  }

  get isTaken(): boolean {
    return this.#next === this.#requests.length && this.#halves.length === 0;
  }

  /** The state of what is known to be refused, until it is time to ask again; 0 = ask. */
  refusal(request: Request, now: number): number {
    if (this.#refused.size === 0) return 0;
    const refused = this.#refused.get(request);
    return refused !== undefined && now < refused.until ? refused.state : 0;
  }

  /** It was refused for the first time, and not so many were that nobody would read on. */
  isNews(request: Request): boolean {
    return this.#refused.size <= refused_told_max &&
      this.#refused.get(request)?.wait_ms === limits.refused_ms_min;
  }

  /** What the device says of a tag that it refuses; true = news, and not of one of too many. */
  hear(tag: DriverTag, said: string | undefined): boolean {
    if (said === this.#said.get(tag)) return false;
    if (said === undefined) {
      this.#said.delete(tag);
      return false;
    }
    this.#said.set(tag, said);
    return this.#said.size <= refused_told_max;
  }

  /** Some tags were refused. */
  get hasRefusals(): boolean {
    return this.#said.size > 0;
  }

  answered(request: Request): void {
    if (this.#refused.size > 0) this.#refused.delete(request);
    if (this.#split.size > 0) this.#read.add(request);
  }

  /** The device refuses it with `state`. True if halves of it are read in its place. */
  refuse(request: Request, state: number, now: number): boolean {
    const halves = this.#splitter.split?.(request) ?? null;
    if (state === BAD.address && halves !== null) {
      if (this.#halved >= limits.split_requests_max) return false;
      this.#halved += 2;
      this.#split.set(request, halves);
      // The last one is taken first.
      this.#halves.push(halves[1], halves[0]);
      return true;
    }
    if (state !== BAD.address && (halves !== null || !this.#isFound(request))) return false;
    const wait_ms = Math.min(limits.refused_ms_max,
      2 * (this.#refused.get(request)?.wait_ms ?? limits.refused_ms_min / 2));
    this.#refused.set(request, { state, until: now + wait_ms, wait_ms });
    return false;
  }

  /** It came of halving a request that the device refused. */
  #isFound(request: Request): boolean {
    if (this.#refused.has(request)) return true;
    for (const halves of this.#split.values()) if (halves.includes(request)) return true;
    return false;
  }

  /**
   * The row is complete: the next poll knows what this one found out. What a person should know of
   * it, once; empty = nothing.
   */
  end(): string {
    this.polls += 1;
    this.isHeard = false;
    if (this.#split.size === 0) return "";
    this.#found = "";
    this.#requests = this.#requests.flatMap((request) => this.#pieces(request));
    this.#split.clear();
    this.#read.clear();
    this.#apart.clear();
    if (this.#told || this.#found === "") return "";
    this.#told = true;
    return this.#found;
  }

  /** What a request fell into: neighbours that were answered are one again around the culprit. */
  #pieces(request: Request): Request[] {
    const halves = this.#split.get(request);
    if (halves === undefined) return [request];
    const pieces = halves.flatMap((half) => this.#pieces(half));
    if (this.#isTooLong(pieces)) {
      for (const piece of pieces) this.#apart.add(piece);
      this.#found = this.#splitter.apart?.(request, pieces) ?? "";
      return pieces;
    }
    const joined: Request[] = [];
    for (const piece of pieces) {
      const both = joined.length === 0 ? null : this.#join(joined.at(-1)!, piece);
      if (both === null) joined.push(piece);
      else joined[joined.length - 1] = both;
    }
    return joined;
  }

  /**
   * All of it was read, and nothing lies between that might be the culprit: the device takes no
   * read of this length.
   */
  #isTooLong(pieces: readonly Request[]): boolean {
    return pieces.every((piece, i) => this.#read.has(piece) &&
      (i === 0 || (this.#splitter.join?.(pieces[i - 1]!, piece) ?? null) !== null));
  }

  #join(last: Request, piece: Request): Request | null {
    for (const one of [last, piece]) {
      if (this.#refused.has(one) || this.#apart.has(one)) return null;
    }
    return this.#splitter.join?.(last, piece) ?? null;
  }
}

/** No poll writes their cells, so what stands in each row of the ring once stays there. */
export function fillConstants({ ring, constants }: LinkGroup): void {
  for (const { column, value } of constants) {
    for (let row = 0; row < ring.rows; row++) writeCell(ring, ring.columns[column]!, row, value);
  }
}

/** The reason why they have no value is always the same. */
function fillBroadcasts({ ring, broadcasts }: LinkGroup): void {
  for (const column of broadcasts) {
    const { state } = ring.columns[column]!;
    ring.arena.U.fill(BAD.broadcast, state, state + ring.rows);
  }
}

/** The cells of a failed request: the last known value with the reason why it is not new. */
export function spoil(ring: Ring, request: Request, state: number): void {
  for (const { column } of request.tags) spoilCell(ring, column, ring.head, state);
}
