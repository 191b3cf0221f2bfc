import { limits, type Log } from "../base.ts";
import { PENDING, DONE } from "../driver.ts";
import type { DriverTag, Request, Session, Trouble, Wire, WireEvents } from "../driver.ts";
import { BAD, readsAsNull, stateName, type Ring } from "../ring.ts";
import { tapped, type Tap } from "./frames.ts";
import { phases, Poll, spoil, type LinkGroup, type Splitter } from "./poll.ts";
import { failures_max, probes_share, Station } from "./station.ts";
import type { StationView } from "./view.ts";

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
   * arrive; null = it must not leave. Read: null = nobody waits for it any more.
   */
  last(now: number): number | null;
  /** `frame`: the bytes of a write as they went to the wire; null = none did, or it was a read. */
  done(
    result: number, exception: number, sent: boolean, now: number, frame: Uint8Array | null,
  ): void;
}

/** One of the exchanges that may be under way at the same time, and what it reads. */
interface Slot {
  readonly session: Session;
  request: Request | null;
  /** Monotonic ms at which its exchange began. */
  since: number;
}

export interface LinkRunnerOptions {
  readonly name: string;
  readonly groups: readonly LinkGroup[];
  readonly splitter: Splitter;
  /** 0 to 1: where it stands among the links of its thread (`phases`). Left out: first. */
  readonly place?: number;
  /** What stands behind the address that is connected to (`Driver.route`). */
  readonly route?: string;
  /** `Driver.advise`, of this link. */
  advise(trouble: Trouble): string | null;
  readonly connectTimeout: number;
  /** A silent TCP connection is opened anew; a bus is not, its other stations may be well. */
  readonly reopenWhenSilent: boolean;
  /** Monotonic ms: when bytes came, not when the last turn was. */
  readonly now: () => number;
  /** Engine time, and flags, of a row that begins now. */
  readonly time: () => number;
  readonly flags: () => number;
  readonly log: Log;
  readonly tap: Tap;
  /** A person had the device left alone. */
  isDisabled(device: string): boolean;
  /** The rows from … from + n are about to be published. */
  complete(ring: Ring, from: number, n: number): void;
  /** Its readers have it, or whoever carries it further has to end what is under way. */
  published(ring: Ring): void;
  /** Another peer, or perhaps another: it ends the armings of the link's tags (W3). */
  pathEnded(why: string): void;
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
  peer = "";
  /** Monotonic ms of the last change of `state`. */
  since: number;
  opens = 0;
  readonly #options: LinkRunnerOptions;
  /** The wire is open; the device may have to greet back before the link is. */
  #isConnected = false;
  /** Why it is as it is; while it opens, why it was closed. */
  #reason = "";
  /** The newest reason of those that were logged since the last answer. */
  #logged = "";
  /** What the device said when it refused something last. */
  #said = "";
  /** What was found out about the medium. */
  #remark = "";
  /** Something was answered since it opened. */
  #answered = false;
  /** The session gives the connection up, and says why. */
  #given = false;
  /** It wants another one at once. */
  #anew = false;
  /** Monotonic ms until which polls and jobs wait for that one. */
  #waitsUntil = -Infinity;
  #wire: Wire | null = null;
  /** The first one carries jobs, too, while nothing else is under way. */
  #slots: readonly Slot[] = [];
  #jobs: LinkJob[] = [];
  #job: LinkJob | null = null;
  /** Monotonic ms of the newest last look. */
  #lookedAt = NaN;
  #poll: Poll | null = null;
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
    const begins = phases(options.groups, options.place ?? 0);
    this.polls = options.groups.map((group, i) =>
      new Poll(group, options.splitter, now, begins[i]));
    for (const { station, broadcasts } of options.groups) {
      if (broadcasts.length === 0) this.#station(station);
    }
  }

  /** The wire needs its events, the session its wire: so they come after construction. */
  attach(wire: Wire, open: (wire: Wire) => Session): void {
    this.#wire = wire;
    const own = tapped(wire, this.#options.tap);
    const session = open({ ...own, reset: (why, anew = false) => {
      this.#given = true;
      this.#anew = anew;
      own.reset(why, anew);
      this.#given = this.#anew = false;
    } });
    this.#slots = [session, ...session.beside ?? []].map((one) =>
      ({ session: one, request: null, since: 0 }));
    const unasked = new Map(this.polls.flatMap((poll) => poll.group.requests
      .filter((request) => request.unasked === true).map((request) => [request, poll])));
    session.listen?.({
      requests: [...unasked.keys()],
      interval: (request) => unasked.get(request)!.group.interval,
      begins: (request) => this.#hears(unasked.get(request)!),
      came: (request) => this.#heard(unasked.get(request)!, request),
    }, this.#options.now());
  }

  get reason(): string {
    const remark = this.#remark === "" ? "" : `; ${this.#remark}`;
    if (this.state === "open") return this.#reason + remark;
    if (this.state === "closed") return this.#reason || "not opened yet";
    const doing = this.#isConnected ? `connected to ${this.peer}, not greeted back yet`
      : this.#wire!.opening;
    if (doing === undefined) return this.#reason || "connecting";
    return this.#reason === "" ? doing : `${doing}; before: ${this.#reason}`;
  }

  get session(): Session {
    return this.#slots[0]!.session;
  }

  /** False = too many wait already (`busy`). */
  submit(job: LinkJob): boolean {
    if (this.#jobs.length >= limits.commands_max) return false;
    this.#jobs.push(job);
    this.#options.wake();
    return true;
  }

  opened(address: string): void {
    const now = this.#options.now();
    const peer = address + (this.#options.route ?? "");
    const goesOn = this.#waits(now) && peer === this.peer;
    this.#isConnected = true;
    this.#answered = false;
    this.#openDeadline = Infinity;
    if (!goesOn) {
      this.#silent = 0;
      // A slow group must not wait an interval for what the device can tell now.
      for (const poll of this.polls) if (poll !== this.#poll) poll.begin(now);
    }
    if (this.peer !== "" && this.peer !== peer) {
      this.#options.pathEnded(`the peer changed to ${peer}`);
    }
    this.peer = peer;
    this.#greeted(!goesOn);
    this.#options.wake();
  }

  /** A connection that the device does not greet back on is none. */
  #greeted(isNews = true): void {
    if (!this.#isConnected || this.state === "open" || this.session.isGreeted === false) return;
    this.#become("open", `connected to ${this.peer}`, isNews);
    this.opens += 1;
  }

  received(bytes: Uint8Array, n: number): void {
    const now = this.#options.now();
    this.#options.tap("rx", bytes, n);
    this.session.receive(bytes, n, now);
    this.#greeted();
    this.#options.wake();
  }

  closed(reason: string, isGone = false): void {
    if (isGone && this.peer !== "" && !this.#ended) {
      this.#options.pathEnded(`${this.peer} was gone: another device may stand there now`);
    }
    const [station] = this.stations.keys();
    const wordless = station !== undefined && this.#isConnected && !this.#answered &&
      !this.#given;
    const advice = wordless ? this.#advise(station, BAD.disconnected, 0, null) : null;
    this.session.abort();
    if (this.#isConnected) this.#silence();
    this.#isConnected = false;
    this.#become("closed", reason + (advice === null ? "" : `; ${advice}`), !this.#anew);
    const now = this.#options.now();
    this.#waitsUntil = this.#anew ? now + limits.renew_ms_max : -Infinity;
    this.#openAt = this.#ended ? Infinity : now + (this.#anew ? 0 : this.#backoff);
    if (!this.#anew) this.#backoff = Math.min(limits.reconnect_ms_max, this.#backoff * 2);
    this.#openDeadline = Infinity;
    this.#options.wake();
  }

  /** W4: as an unanswered write at its deadline. */
  giveUpWrite(): void {
    if (this.#job?.kind !== "write" || !this.session.sent) return;
    this.#wire!.reset("writing was stopped while a write was not answered");
  }

  /** Ends the link for good. */
  close(): void {
    this.#ended = true;
    this.#openAt = Infinity;
    if (this.state !== "closed") this.#wire!.reset("the link is ended");
  }

  /** Works off what is due; gives the monotonic ms at which it wants to be called again. */
  step(now: number): number {
    this.#keepOpen(now);
    let wanted = Infinity;
    // Bounded: each round ends an exchange, begins one, or finds nothing to do.
    for (let round = 0; round < limits.commands_max; round++) {
      wanted = Infinity;
      for (const slot of this.#slots) wanted = Math.min(wanted, this.#stepSlot(slot, now));
      if (!this.#begin(now)) break;
    }
    return Math.min(wanted, this.#nextDue(now), this.#openAt, this.#openDeadline);
  }

  #stepSlot(slot: Slot, now: number): number {
    const wanted = slot.session.step(now);
    if (!this.#isBusy(slot) || slot.session.result === PENDING) return wanted;
    if (slot.request === null) this.#finishJob(this.#job!, now);
    else this.#finish(slot, slot.request, now);
    return Infinity;
  }

  #isBusy(slot: Slot): boolean {
    return slot.request !== null || (this.#job !== null && slot === this.#slots[0]);
  }

  #free(): Slot | null {
    for (const slot of this.#slots) if (!this.#isBusy(slot)) return slot;
    return null;
  }

  /** Nothing is under way. */
  get #isIdle(): boolean {
    for (const slot of this.#slots) if (this.#isBusy(slot)) return false;
    return true;
  }

  #keepOpen(now: number): void {
    if (this.state === "closed" && now >= this.#openAt) {
      this.#openAt = Infinity;
      this.#openDeadline = now + this.#options.connectTimeout;
      this.#become("opening", this.#reason);
      this.#wire!.open();
    } else if (this.state === "opening" && now >= this.#openDeadline) {
      this.#wire!.reset();
      if (this.state === "opening") this.closed("no connection in time");
    }
  }

  /** A connection that was given up for a late answer will be there in a moment. */
  #waits(now: number): boolean {
    return !this.#isConnected && now < this.#waitsUntil;
  }

  #nextDue(now: number): number {
    if (!this.#isIdle) return Infinity;
    if (this.#waits(now)) return this.#waitsUntil;
    let due = Infinity;
    for (const poll of this.polls) if (poll.due < due) due = poll.due;
    return due;
  }

  /** True if something was begun or a row was finished without the wire. */
  #begin(now: number): boolean {
    if (this.#job !== null || this.#waits(now)) return false;
    // Jobs go first, but never two in a row past a poll: a flood of commands must not make old
    // what the commands are judged by. Nothing else is under way beside a job.
    if (this.#jobs.length > 0 && !this.#isHeld(this.#jobs[0]!, now)) {
      if (!this.#isIdle) return false;
      this.#jobLast = true;
      this.#beginJob(this.#jobs.shift()!, now);
      return true;
    }
    this.#jobLast = false;
    if (this.#poll === null && !this.#beginPoll(now)) return false;
    return this.#nextRequest(this.#poll!, now);
  }

  /** What the unfinished row has been told already must not be overtaken by who depends on it. */
  #isHeld(job: LinkJob, now: number): boolean {
    if (this.#poll !== null && job.streams?.has(this.#poll.group.stream)) return true;
    return this.#jobLast && (this.#poll !== null || this.polls.some((poll) => poll.due <= now));
  }

  #beginJob(job: LinkJob, now: number): void {
    const isDisabled = this.#options.isDisabled(deviceOf(job.tag));
    if (isDisabled || !this.#isConnected) {
      job.done(isDisabled ? BAD.disabled : BAD.disconnected, 0, false, NaN, null);
      return;
    }
    if (job.kind === "read" && job.last(now) === null) {
      job.done(BAD.timeout, 0, false, NaN, null);
      return;
    }
    this.#job = job;
    this.#slots[0]!.since = now;
    if (job.kind === "read") this.session.readRaw(job.tag, job.raw, now);
    else {
      // What is left until its deadline is counted from now, not from when this turn began.
      const last = (): number | null => this.#lastLook(job);
      this.session.write(job.tag, job.raw, last, this.#options.now());
    }
  }

  /** The bytes go to the wire in this call's caller. */
  #lastLook(job: LinkJob): number | null {
    this.#lookedAt = this.#options.now();
    return job.last(this.#lookedAt);
  }

  #beginPoll(now: number): boolean {
    let first: Poll | null = null;
    for (const poll of this.polls) {
      if (poll.due <= now && (first === null || poll.due < first.due)) first = poll;
    }
    if (first === null) return false;
    first.start(now);
    this.#beginRow(first.group.ring);
    this.#poll = first;
    return true;
  }

  #beginRow(ring: Ring): void {
    const { time, flags } = this.#options;
    ring.claim(1);
    const row = ring.head & ring.mask;
    ring.arena.F[ring.timeAt + row] = ring.open?.begin(ring.head, time) ?? time();
    ring.arena.F[ring.sourceAt + row] = NaN;
    ring.arena.U[ring.flagsAt + row] = flags();
  }

  #endRow(ring: Ring): void {
    this.#options.complete(ring, ring.head, 1);
    ring.publish(1);
    this.#options.published(ring);
  }

  /** What nobody asked for begins to come: a row of its own, of now. */
  #hears(poll: Poll): void {
    if (!poll.isHeard) this.#beginRow(poll.group.ring);
    poll.isHeard = true;
  }

  #heard(poll: Poll, request: Request): void {
    const { ring, device } = poll.group;
    this.#hears(poll);
    if (this.#options.isDisabled(device)) spoil(ring, request, BAD.disabled);
    else this.session.fill!(request, ring, ring.head);
    const isWell = hasValue(ring, request);
    this.#endRow(ring);
    poll.end();
    if (!isWell) return;
    this.#station(request.station).lastGood = this.#options.now();
    this.#isWell();
  }

  /** What comes unasked says nothing any more: one row tells so. */
  #silence(): void {
    for (const poll of this.polls) {
      const [request] = poll.group.requests;
      if (request?.unasked !== true) continue;
      const { ring } = poll.group;
      this.#hears(poll);
      spoil(ring, request, BAD.disconnected);
      this.#endRow(ring);
      poll.end();
    }
  }

  /** True if there may be more to begin. */
  #nextRequest(poll: Poll, now: number): boolean {
    if (poll.isTaken) return this.#endPoll(poll);
    const slot = this.#free();
    if (slot === null) return false;
    const request = poll.take()!;
    const { ring } = poll.group;
    const station = this.#station(request.station);
    if (this.#options.isDisabled(poll.group.device)) {
      spoil(ring, request, BAD.disabled);
    } else if (!this.#isConnected || station.pausedUntil > now) {
      poll.failed += 1;
      const why = !this.#isConnected ? BAD.disconnected : station.failure || BAD.paused;
      spoil(ring, request, why);
    } else if (poll.refusal(request, now) !== 0) {
      spoil(ring, request, poll.refusal(request, now));
    } else {
      slot.request = request;
      slot.since = now;
      slot.session.read(request, ring, ring.head, now);
      return true;
    }
    this.#endPoll(poll);
    return true;
  }

  /** A row is published as soon as its last request has ended: no job goes before it. */
  #endPoll(poll: Poll): boolean {
    if (!poll.isTaken || !this.#isIdle) return false;
    this.#endRow(poll.group.ring);
    const found = poll.end();
    if (found !== "") this.#options.log.warn("link", `${this.name}: ${found}`);
    this.#poll = null;
    return true;
  }

  #finishJob(job: LinkJob, now: number): void {
    const { result, exception, sent, frame: bytes } = this.session;
    this.#job = null;
    this.#judge(job.tag.station, this.#slots[0]!, now);
    const left = sent && job.kind === "write";
    const frame = left ? bytes.slice() : null;
    job.done(result, exception, sent, left ? this.#lookedAt : NaN, frame);
  }

  #finish(slot: Slot, request: Request, now: number): void {
    const { result } = slot.session;
    const poll = this.#poll!;
    slot.request = null;
    this.#judge(request.station, slot, now);
    this.#tellRefusals(poll, request, slot.session);
    if (result === DONE) poll.answered(request);
    else if (!isRefusal(result) || !poll.refuse(request, result, now)) {
      if (isRefusal(result) && poll.isNews(request)) this.#tellRefused(request, slot.session);
      poll.failed += 1;
      spoil(poll.group.ring, request, result);
    }
    this.#endPoll(poll);
  }

  /** A station that keeps silent must not slow its neighbours; a silent link is opened anew. */
  #judge(number: number, { session, since }: Slot, now: number): void {
    const { result } = session;
    // Of a broadcast nobody can be said to be well, or not.
    if (result === BAD.disconnected || result === BAD.broadcast) return;
    // Who takes a connection and ends it, without an answer or with a refusal, is not asked ten
    // times a second.
    if (result !== BAD.exception) this.#backoff = limits.reconnect_ms_min;
    const station = this.#station(number);
    const before = station.told;
    const isSilent = station.judge(session, now);
    if (isSilent) station.pause(this.#probePause(number, now - since), now);
    if (station.told !== before) this.#tellStation(number, station);
    const { trouble = "" } = session;
    if (trouble !== this.#said && trouble !== "") {
      this.#options.log.warn("link", `${this.name}: ${trouble}`);
    }
    this.#said = trouble;
    this.#tellRemark(session);
    if (!isSilent) this.#answered = true;
    if (!isSilent && result !== BAD.exception) this.#isWell();
    this.#silent = isSilent ? this.#silent + 1 : 0;
    if (this.#options.reopenWhenSilent && this.#silent === failures_max * this.stations.size) {
      this.#wire!.reset("nobody answers, opening anew");
    }
  }

  /** Each tag that is refused for a reason of its own. */
  #tellRefusals(poll: Poll, { tags }: Request, { refusals }: Session): void {
    if (refusals === undefined || (refusals.size === 0 && !poll.hasRefusals)) return;
    for (const tag of tags) {
      const said = refusals.get(tag);
      if (!poll.hear(tag, said)) continue;
      this.#options.log.warn("link", `${this.name}: ${tag.id}: ${said}`);
    }
  }

  #tellRemark({ remark = "" }: Session): void {
    if (remark === this.#remark) return;
    this.#remark = remark;
    if (remark !== "") this.#options.log.info("link", `${this.name}: ${remark}`);
  }

  /** ms between probes of a station: those who answer wait while each of them, and all, take. */
  #probePause(number: number, took_ms: number): number {
    if (!this.#othersAnswer(number)) return 0;
    let dead = 1;
    for (const [other, { failures }] of this.stations) {
      if (other !== number && failures >= failures_max) dead += 1;
    }
    return dead * took_ms / probes_share;
  }

  #othersAnswer(number: number): boolean {
    for (const [other, { failures, lastGood }] of this.stations) {
      if (other !== number && lastGood >= 0 && failures === 0) return true;
    }
    return false;
  }

  /** One tag of all is not there. */
  #tellRefused({ station, tags, text }: Request, { result, exception }: Session): void {
    const [tag] = tags;
    const advice = this.#advise(station, result, exception, tag!);
    this.#options.log.warn("link", `${this.name}: ${tag!.id}: ${advice ?? `${text} is refused`}`);
  }

  #tellStation(number: number, { told, exception }: Station): void {
    const { log } = this.#options;
    const name = `${this.name} station ${number}`;
    if (told === 0) return log.info("link", `${name} answers`);
    const advice = this.#advise(number, told, exception, null);
    log.warn("link", `${name}: ${stateName(told)}${advice === null ? "" : `: ${advice}`}`);
  }

  #station(number: number): Station {
    let station = this.stations.get(number);
    if (station === undefined) this.stations.set(number, (station = new Station()));
    return station;
  }

  /** What stays wrong is told once: a link that is tried for hours must not fill the log. */
  #become(state: "closed" | "opening" | "open", reason: string, isNews = true): void {
    if (state === "closed" && isNews && reason !== this.#logged) {
      const { log } = this.#options;
      log[this.#ended ? "info" : "warn"]("link", `${this.name} closed: ${reason}`);
      this.#logged = reason;
    } else if (state === "open" && isNews && this.#logged === "") this.#tellOpen(reason);
    this.state = state;
    this.#reason = reason;
    this.since = this.#options.now();
  }

  #tellOpen(reason: string): void {
    this.#options.log.info("link", `${this.name} open: ${reason}`);
  }

  /** It works, whatever was wrong before. */
  #isWell(): void {
    if (this.#logged === "") return;
    this.#logged = "";
    this.#tellOpen(this.#reason);
  }

  #advise(
    number: number, state: number, exception: number, tag: DriverTag | null,
  ): string | null {
    const othersAnswer = this.#othersAnswer(number);
    const answered = this.#station(number).lastGood >= 0;
    return this.#options.advise({ station: number, tag, state, exception, answered, othersAnswer });
  }

  /** What is known of each station, and what to try where one has failed. */
  stationViews(now: number): StationView[] {
    return [...this.stations].map(([number, station]) => {
      const { failure, exception } = station;
      const advice = failure === 0 ? null : this.#advise(number, failure, exception, null);
      return station.view(number, advice ?? "", now);
    });
  }
}

/** The row under way says something of the device. */
function hasValue({ arena: { U }, columns, head, mask }: Ring, { tags }: Request): boolean {
  for (const { column } of tags) {
    if (!readsAsNull(U[columns[column]!.state + (head & mask)]!)) return true;
  }
  return false;
}

/** The device answered that it does not do it. */
const isRefusal = (result: number): boolean => result === BAD.address || result === BAD.exception;

/** A device's name has no dot. */
export const deviceOf = ({ id }: DriverTag): string => id.slice(0, id.indexOf("."));
