import { limits, reason, scheduleAt } from "../base.ts";
import type { Model } from "../infer.ts";
import type { Block, Ring } from "../ring.ts";
import { byEventTime, inTurn, ReorderStage, type Stage, type StageAlarms } from "../sql.ts";
import type { Gather } from "./gather.ts";
import type { RulePlan } from "./graph.ts";

/** A stage writes at most half of its ring in one pass. */
const passes_max = 2 * limits.rows_per_step_max / limits.stage_rows;

/** How far one stream has been read. */
export interface Place {
  readonly ring: Ring;
  cursor: number;
  /** Where it was when the rule began. */
  begun: number;
}

/** One stage, and the ring that it reads. */
interface Link extends Place {
  readonly stage: Stage;
  /** Rows before the next one were not read: what is made of them must not be whole (W8). */
  gap: boolean;
  /** Of the gaps of its ring. */
  seen: number;
}

/** What a rule stands on, and how its stages are made from nothing. */
export interface RuleParts {
  /** Runs the stages before these, for other rules too; null: these are all. */
  readonly window: RuleRunner | null;
  /** What the first stage reads, and what each of them writes. */
  readonly rings: readonly Ring[];
  readonly models: readonly Model[];
  /** Of the arena: rings between the stages, and states. */
  readonly blocks: readonly Block[];
  /** Of these, the state of each stage. */
  readonly states: readonly Block[];
  readonly alarms: readonly StageAlarms[];
  gather(): Gather | null;
  stages(): readonly Stage[];
}

/** `waiting`: for its schedule. `failed`: it begins again later, or never. */
export type RuleState = "running" | "failed" | "stopped" | "waiting";

/** A rule that ran well for so long begins to count its failures anew. */
const well_ms = limits.health_minutes * 60_000;

/**
 * Runs the chain of stages of one rule, in turns of at most `rows_per_step_max` rows a stage. A
 * rule that throws is stopped with its reason and tried again later; nothing else stops with it.
 */
export class RuleRunner {
  /** Targets, schedule and restarts may change while it runs. */
  plan: RulePlan;
  readonly name: string;
  readonly output: Ring;
  /** Runs the stages before its own, for other rules too. */
  readonly window: RuleRunner | null;
  readonly models: readonly Model[];
  readonly blocks: readonly Block[];
  readonly alarms: readonly StageAlarms[];
  state: RuleState = "running";
  reason = "";
  failures = 0;
  /** It is not run while its state is copied: what it reads waits in its rings. */
  paused = false;
  /**
   * Rows that came before this turn are still to be worked off, here or in what it reads: no
   * window may close by the clock yet.
   */
  behind = false;
  /** Engine time from which on there is something for it to do; −Infinity: as soon as it may. */
  due = -Infinity;
  /** How far it has read each stream of each of its inputs. */
  #places: readonly Place[] = [];
  /** Of a window that rules share: these. */
  #sharers: readonly RuleRunner[] = [];
  /** Of these, the one after which it rested: what it has is this one's. */
  #last: RuleRunner | null = null;
  /** Its shared window had taken rows up to this time before the rule began; −Infinity: none. */
  since = -Infinity;
  /** Of a shared window: when it began, and up to when a checkpoint brought it. */
  began = 0;
  #restoredTo = -Infinity;
  /** Cursors of readers that this rule waits for instead of overtaking them. */
  readonly #waitsFor: (() => number)[] = [];
  /** Of these, since it ran well. */
  #inRow = 0;
  #failedAt = -Infinity;
  /** Monotonic ms at which it begins again after a failure. */
  #retryAt = 0;
  /** Engine time at which its schedule may begin or end it. */
  #turnsAt = Infinity;
  readonly #parts: RuleParts;
  #gather: Gather | null = null;
  /** Its rows, or what is made of them, come to a window, for which their order matters. */
  readInOrder = false;
  #openSince = Infinity;
  #lost = 0;
  /** Its output lacks rows, and its readers have not been told up to when. */
  #gapped = false;
  /** Its stages have not been told that it runs again. */
  #resumes = false;
  links: readonly Link[] = [];

  constructor(plan: RulePlan, parts: RuleParts) {
    this.plan = plan;
    this.#parts = parts;
    this.name = plan.rule.name;
    this.window = parts.window;
    this.models = parts.models;
    this.blocks = parts.blocks;
    this.alarms = parts.alarms;
    this.output = parts.rings[parts.rings.length - 1]!;
    this.#make();
  }

  /** Rows that the rule was too slow to read. */
  get lost(): number {
    return this.#lost + (this.#gather?.lost ?? 0) + (this.window?.lost ?? 0);
  }

  /** Those of its window come first. */
  get stages(): readonly Stage[] {
    return [...this.window?.stages ?? [], ...this.links.map((link) => link.stage)];
  }

  /** The state of each stage. */
  get states(): readonly Block[] {
    return [...this.window?.states ?? [], ...this.#parts.states];
  }

  get places(): readonly Place[] {
    return this.window?.places ?? this.#places;
  }

  /** One that closes by time, in any of its own stages. */
  get hasWindow(): boolean {
    return this.links.some(({ stage }) => stage.miss !== undefined);
  }

  /** It reads several streams as one. */
  get gathers(): boolean {
    return this.#gather !== null;
  }

  /** Rows came, or something else of it changed: it is run in its next turn. */
  mark(): void {
    this.due = -Infinity;
  }

  /** Rings that others fill for it. */
  get reads(): readonly Ring[] {
    return this.#places.map(({ ring }) => ring);
  }

  /** From now on it stops where it would overwrite what these readers have still to read. */
  waitFor(cursors: readonly (() => number)[]): void {
    this.#waitsFor.splice(0, Infinity, ...cursors);
  }

  /** Sequence of `stream` up to which the rule has read it. */
  cursorIn(stream: Ring): number {
    let cursor = stream.head;
    // What is not worked off because the rule rests or fails is given up anyway.
    if (this.state !== "running") return cursor;
    for (const place of this.places) {
      if (place.ring === stream && ((place.cursor - cursor) | 0) < 0) ({ cursor } = place);
    }
    return cursor;
  }

  /** From here on it reads what comes: rows from before it began are not its own. */
  begin(): void {
    this.mark();
    this.since = this.window?.joined(this) ?? -Infinity;
    this.#lost += this.#gather?.lost ?? 0;
    this.#gather = this.#parts.gather();
    for (const link of this.links) {
      link.cursor = link.begun = link.ring.head;
      link.seen = link.ring.gaps.count;
    }
    this.links[0]!.gap = true;
    this.#resumes = true;
    this.#rest();
    this.#places = this.#gather?.members ?? [this.links[0]!];
    this.state = "running";
    this.reason = "";
    this.#retryAt = 0;
    this.#inRow = 0;
    this.#turnsAt = this.plan.rule.schedule === null ? Infinity : -Infinity;
  }

  /** A checkpoint has brought its state, and all rows since come again: there was no pause. */
  goOn(): void {
    this.#resumes = false;
  }

  /** Another configuration runs, in which it is the same rule with other settings. */
  adopt(plan: RulePlan): void {
    this.plan = plan;
    this.mark();
    if (this.state === "waiting" || this.#turnsAt !== Infinity || plan.rule.schedule !== null) {
      this.#turnsAt = -Infinity;
    }
  }

  /** These rules share its window. It must not overtake them. */
  serve(sharers: readonly RuleRunner[]): void {
    this.#sharers = sharers;
    this.waitFor(sharers.map((rule) => () => rule.#reached));
  }

  /** How far it has read the rows of its window. */
  get #reached(): number {
    const { ring, cursor } = this.links[0]!;
    return this.state === "running" ? cursor : ring.head;
  }

  /** Of a window: no rule has read it yet. */
  open(time: number): void {
    this.began = time;
    this.begin();
  }

  /** A rule reads its window from now on; the time up to which that has rows from before. */
  joined(rule: RuleRunner): number {
    const rested = this.state === "stopped";
    if (rested) this.begin();
    if (rested ? this.#last === rule
      : this.#sharers.every((other) => other === rule || !other.#reads)) return -Infinity;
    return this.#places.reduce((newest, { ring, begun }) => ring.head === begun && !rested ? newest
      : Math.max(newest, ring.arena.F[ring.timeAt + ((ring.head - 1) & ring.mask)]!),
    this.#restoredTo);
  }

  /** A checkpoint has brought the state of a shared window, with rows up to a time. */
  restored(began: number, upTo: number): void {
    this.began = began;
    this.#restoredTo = upTo;
  }

  /** Its state is being copied; that of a shared window with each of its rules. */
  #isPaused(): boolean {
    for (const rule of this.#sharers) if (rule.paused) return true;
    return this.paused;
  }

  /** It runs, or will again by itself. */
  get #reads(): boolean {
    return this.state === "running" || this.state === "failed";
  }

  /** From now on its readers lack rows. */
  #rest(): void {
    this.#gapped = true;
    this.output.gaps.open();
  }

  /** It gives rows again, unless what it reads does not. */
  #resume(time: number): void {
    const { ring, stage } = this.links[0]!;
    if (ring.gaps.upTo === Infinity || (stage instanceof ReorderStage && stage.lacks)) {
      this.output.gaps.open();
      return;
    }
    this.output.gaps.close(time);
    this.#gapped = false;
  }

  /** A window that no rule reads rests. */
  #leave(): void {
    this.since = -Infinity;
    const { window } = this;
    if (window === null || window.state === "stopped") return;
    if (window.#sharers.some((rule) => rule.#reads)) return;
    window.#last = this;
    window.stop("unread");
  }

  /** Keeps its state and reads no more, until it begins again. */
  stop(why: string): void {
    this.state = "stopped";
    this.reason = why;
    this.#rest();
    this.#leave();
  }

  /** Forgets its state: windows, keys, last values; of a window that others share their part. */
  reset(): void {
    const { window } = this;
    if (window !== null && !window.#sharers.some((rule) => rule !== this && rule.#reads)) {
      window.reset();
    }
    for (const { at, bytes } of this.#parts.states) this.output.arena.U.fill(0, at, at + bytes);
    this.#make();
    if (this.state !== "stopped" && this.state !== "waiting") this.begin();
  }

  /**
   * True if rows are left that this turn had no room for. `held`: what it reads is `behind`; rows
   * of up to the time `until` may yet come again. From `openSince` on a row has begun that is not
   * there yet: no window that ends later closes by the clock.
   */
  run(
    now: number, time: number, held = false, until = Infinity, openSince = Infinity,
  ): boolean {
    this.#openSince = openSince;
    const more = this.#run(now, time, held, until);
    // What is left waits for more than rows: for a reader, an answer, the end of a replay; what is
    // gathered, for a row that comes to somebody else.
    const left = more || this.behind || this.state === "failed" || until !== Infinity ||
      this.#gather?.waits === true;
    this.due = left ? -Infinity : this.deadline;
    return more;
  }

  #run(now: number, time: number, held: boolean, until: number): boolean {
    const pausing = this.#isPaused();
    this.behind = held || pausing;
    if (this.state === "stopped" || pausing) return false;
    if (time >= this.#turnsAt) this.#follow(time);
    if (this.state === "waiting" || (this.state === "failed" && now < this.#retryAt)) return false;
    if (this.window?.state === "failed") {
      this.state = "failed";
      this.reason = this.window.reason;
      return false;
    }
    try {
      if (this.#resumes) for (const { stage } of this.links) stage.resume?.(time);
      this.#resumes = false;
      const filling = this.#fill(until);
      this.behind ||= filling;
      const more = this.#turn(now, time);
      if (this.#gapped) this.#resume(time);
      this.state = "running";
      return filling || more;
    } catch (thrown) {
      this.#fail(thrown, now);
      return false;
    }
  }

  /**
   * Rings between stages hold few rows, so that a turn goes over them several times: until nothing
   * is left, the input's share of a turn is read, or half of the output is new to those who read
   * it.
   */
  #turn(now: number, time: number): boolean {
    const { output, links } = this;
    const first = links[0]!;
    const read = first.cursor;
    const written = output.head;
    const { behind } = this;
    for (let pass = 0; pass < passes_max; pass++) {
      const open = this.#isOpen();
      // What a pass before this one has left, this one may work off.
      this.behind = behind;
      let more = false;
      for (let i = 0; i < links.length; i++) more = this.#step(i, open, now, time) || more;
      if (!more || !open) return more;
      if (((first.cursor - read) | 0) >= limits.rows_per_step_max) return true;
      if (this.plan.isRead && ((output.head - written) | 0) >= output.rows >> 1) return true;
    }
    return true;
  }

  /** Engine time at which a window closes, Infinity if none. */
  get deadline(): number {
    let deadline = this.state === "stopped" ? Infinity : this.#turnsAt;
    if (this.state !== "running" || this.behind) return deadline;
    const { links } = this;
    for (let i = 0; i < links.length; i++) {
      deadline = Math.min(deadline, links[i]!.stage.deadline);
    }
    return deadline;
  }

  /** What its schedule says now. It keeps its state over the pause, as over a stop. */
  #follow(time: number): void {
    const { schedule } = this.plan.rule;
    const { open, until } = schedule === null ? { open: true, until: Infinity }
      : scheduleAt(schedule, time);
    if (open && this.state === "waiting") this.begin();
    if (!open) {
      this.state = "waiting";
      this.#rest();
      this.reason = until === Infinity ? "its schedule is over"
        : `its schedule: until ${new Date(until).toISOString()}`;
      this.#leave();
    }
    this.#turnsAt = until;
  }

  #make(): void {
    const { rings } = this.#parts;
    this.links = inTurn(byEventTime(this.#parts.stages())).map((stage, i) =>
      ({ stage, ring: rings[i]!, cursor: rings[i]!.head, begun: rings[i]!.head, gap: false,
        seen: rings[i]!.gaps.count }));
  }

  /** A stage writes at most half of its output ring in a turn. */
  #isOpen(): boolean {
    if (this.#waitsFor.length === 0) return true;
    const { head, rows } = this.output;
    for (const cursor of this.#waitsFor) if (((head - cursor()) | 0) > rows >> 1) return false;
    return true;
  }

  #fill(until: number): boolean {
    if (this.#gather === null) return false;
    const { ring, cursor } = this.links[0]!;
    if (((ring.head - cursor) | 0) > ring.rows >> 1) return true;
    const inOrder = this.readInOrder || this.hasWindow;
    return this.#gather.step(inOrder ? Math.min(until, this.#openSince) : until);
  }

  /** Rows up to a time are missing from what stages from `i` on read. */
  #tellGap(i: number, time: number): void {
    const { links } = this;
    this.#gapped = true;
    // A reorder step tells those behind it, in event time.
    const end = links[i]!.stage instanceof ReorderStage ? i + 1 : links.length;
    for (let k = i; k < end; k++) {
      const { stage } = links[k]!;
      stage.miss?.(time);
      stage.interrupt?.(time);
    }
  }

  /** What the writer of the ring, or what that reads, did not give. */
  #hearGaps(i: number, time: number): void {
    const link = this.links[i]!, { gaps } = link.ring;
    link.seen = gaps.count;
    this.#tellGap(i, Math.min(gaps.upTo, time));
  }

  #step(i: number, open: boolean, now: number, time: number): boolean {
    const link = this.links[i]!;
    const { stage, ring } = link;
    const { gaps } = ring;
    if (gaps.count !== link.seen || gaps.upTo === Infinity) this.#hearGaps(i, time);
    let lag = (ring.head - link.cursor) | 0;
    if (lag > ring.rows) {
      this.#lost += lag - ring.rows;
      link.cursor = (ring.head - ring.rows) | 0;
      link.gap = true;
      lag = ring.rows;
    }
    if (i === 0 && this.since !== -Infinity) lag = this.#skipEarlier();
    const next = this.links[i + 1];
    const free = next === undefined ? open
      : ((next.ring.head - next.cursor) | 0) <= next.ring.rows >> 1;
    if (free && lag > 0) {
      const to = (link.cursor + Math.min(lag, limits.rows_per_step_max)) | 0;
      if (link.gap) {
        this.#tellGap(i, ring.arena.F[ring.timeAt + (link.cursor & ring.mask)]!);
        link.gap = false;
      }
      link.cursor = stage.run(link.cursor, to, now, time);
    }
    // Less than 0: a replay has not come up to where this rule was.
    const left = ((ring.head - link.cursor) | 0) > 0;
    this.behind ||= left;
    const reached = Math.min(time, this.#openSince);
    if (stage.deadline > reached || this.behind) {
      this.behind ||= stage.deadline <= time;
      return left && (free || open) && stage.waits !== true;
    }
    this.behind = !free || this.#tick(i, now, reached);
    return free && this.behind;
  }

  /** True if more is due: a window behind this one closes only after all that this one closes. */
  #tick(i: number, now: number, time: number): boolean {
    const { stage } = this.links[i]!;
    const output = this.links[i + 1]?.ring ?? this.output;
    const { deadline } = stage, { head } = output;
    // No row has told yet of those that were not read.
    for (let k = 0; k <= i; k++) if (this.links[k]!.gap) this.#tellGap(k, time);
    stage.tick(time, now);
    return stage.deadline <= time && (stage.deadline !== deadline || output.head !== head);
  }

  /** Windows that began before the rule did are not its own; how many rows are left. */
  #skipEarlier(): number {
    const link = this.links[0]!, { ring } = link, { F } = ring.arena;
    const start = ring.column("$start")!.payload;
    while (link.cursor !== ring.head && F[start + (link.cursor & ring.mask)]! <= this.since) {
      link.cursor = (link.cursor + 1) | 0;
    }
    // Those that come after it began later.
    if (link.cursor !== ring.head) this.since = -Infinity;
    return (ring.head - link.cursor) | 0;
  }

  #fail(thrown: unknown, now: number): void {
    const { attempts, delay, most } = this.plan.rule.restart;
    this.failures += 1;
    // They fail with their window.
    for (const rule of this.#sharers) rule.mark();
    this.#inRow = now - this.#failedAt > well_ms + most ? 1 : this.#inRow + 1;
    this.#failedAt = now;
    this.state = "failed";
    this.reason = reason(thrown);
    this.#rest();
    this.#retryAt = now + Math.min(most, delay * 2 ** Math.min(30, this.#inRow - 1));
    if (attempts > 0 && this.#inRow > attempts) {
      this.#retryAt = Infinity;
      this.reason += `; given up after ${attempts} restarts`;
    }
    // What could not be worked off is skipped, else the same rows would fail for ever.
    for (const link of this.links) {
      const left = (link.ring.head - link.cursor) | 0;
      if (left <= 0) continue;
      this.#lost += left;
      link.cursor = link.ring.head;
      link.gap = true;
    }
  }
}
