import { limits, type Clock } from "../base.ts";
import type { Ring } from "../ring.ts";
import type { Journal } from "./journal.ts";
import type { RuleRunner } from "./rule.ts";

/** What brings rows into a stream from outside of the rules. */
export interface Inflow {
  /** Engine time of the oldest row that is still under way, Infinity if none is. */
  readonly openSince: number;
}

/** A rule, or a window that rules share, and what it reads: rules, and sources with a journal. */
export interface Reading {
  readonly runner: RuleRunner;
  readonly rules: readonly RuleRunner[];
  readonly journals: readonly Journal[];
  /** Of all that it reads, also through rules. */
  readonly inflows: ReadonlySet<Inflow>;
}

/** What comes again after a restart, and has not come yet. */
export interface Replay {
  readonly replaying: boolean;
  /** Rows of this engine time and later may yet come again. */
  readonly replayedUntil: number;
}

/** A ring that rules read: whatever comes into it is theirs to work off. */
class Feed {
  readonly #ring: Ring;
  readonly #readers: readonly RuleRunner[];
  #seen: number;

  constructor(ring: Ring, readers: readonly RuleRunner[]) {
    this.#ring = ring;
    this.#readers = readers;
    this.#seen = ring.head;
  }

  look(): void {
    const { head } = this.#ring;
    if (head === this.#seen) return;
    this.#seen = head;
    for (const reader of this.#readers) reader.mark();
  }
}

/**
 * Goes over the rules of a role, each after those that it reads, and passes over those that have
 * nothing to do. Thousands of them would hold the thread for long, so a round takes as many turns
 * as it needs, each of some `round_turn_ms`. It has one time, that of its beginning, as if it were
 * one turn: so no window closes by the clock before a row that another rule has still to give it.
 */
export class Round {
  readonly #clock: Clock;
  readonly #order: readonly Reading[];
  /** Of each rule in the order; null: no rule reads it. */
  readonly #outputs: readonly (Feed | null)[];
  readonly #feeds: readonly Feed[];
  readonly #inflows: readonly Inflow[];
  /** By inflow: engine time, looked at when the round began. */
  readonly #openSince: Float64Array;
  /** Of each rule in the order: where its inflows stand. */
  readonly #opens: readonly (readonly number[])[];
  /** Where it goes on; 0: a new one begins. */
  #at = 0;
  #now = 0;
  #time = 0;
  #deadline = Infinity;
  /** Its last turn gave rows. */
  published = false;

  constructor(clock: Clock, order: readonly Reading[]) {
    this.#clock = clock;
    this.#order = order;
    const readers = new Map<Ring, RuleRunner[]>();
    for (const { runner } of order) {
      runner.mark();
      for (const ring of runner.reads) {
        const others = readers.get(ring);
        if (others === undefined) readers.set(ring, [runner]);
        else others.push(runner);
      }
    }
    const feeds = new Map([...readers].map(([ring, all]) => [ring, new Feed(ring, all)]));
    this.#feeds = [...feeds.values()];
    this.#inflows = [...new Set(order.flatMap(({ inflows }) => [...inflows]))];
    this.#openSince = new Float64Array(this.#inflows.length).fill(Infinity);
    const places = new Map(this.#inflows.map((inflow, i) => [inflow, i]));
    this.#opens = order.map(({ inflows }) => [...inflows].map((inflow) => places.get(inflow)!));
    this.#outputs = this.#order.map(({ runner }) => feeds.get(runner.output) ?? null);
  }

  /** It has gone over all of them. */
  get done(): boolean {
    return this.#at === 0;
  }

  /** As far as one turn goes; monotonic ms at which it is to go on. */
  step(now: number, time: number, replay: Replay | null): number {
    const goesOn = !this.done;
    if (!goesOn) this.#begin(now, time);
    this.published = false;
    const replaying = replay?.replaying === true;
    const until = replay?.replayedUntil ?? Infinity;
    const order = this.#order;
    let ran = 0;
    for (let i = this.#at; i < order.length; i++) {
      const { due } = order[i]!.runner;
      if (due > this.#time) {
        this.#wait(due);
        continue;
      }
      if (++ran % limits.round_rules === 0 && this.#clock.now() - now > limits.round_turn_ms) {
        this.#at = i;
        return now;
      }
      this.#run(i, replaying, until);
    }
    this.#at = 0;
    // What came in the meantime has not been looked at yet.
    return goesOn ? now : this.#deadline;
  }

  #run(i: number, replaying: boolean, until: number): void {
    const reading = this.#order[i]!, { runner } = reading, { output } = runner;
    const { head } = output;
    const more = runner.run(this.#now, this.#time, isHeld(reading, replaying), until,
      this.#openSinceOf(i));
    this.#wait(more || runner.due !== -Infinity ? runner.due : runner.deadline);
    if (output.head === head) return;
    this.published = true;
    this.#outputs[i]?.look();
  }

  /** Nothing that the rule reads can come with an earlier time any more. */
  #openSinceOf(i: number): number {
    let since = Infinity;
    for (const place of this.#opens[i]!) since = Math.min(since, this.#openSince[place]!);
    return since;
  }

  #begin(now: number, time: number): void {
    this.#now = now;
    this.#time = time;
    this.#deadline = Infinity;
    for (let i = 0; i < this.#inflows.length; i++) {
      this.#openSince[i] = this.#inflows[i]!.openSince;
    }
    for (const feed of this.#feeds) feed.look();
  }

  /** Engine time at which a rule wants to go on. */
  #wait(due: number): void {
    this.#deadline = Math.min(this.#deadline, this.#now + (due - this.#time));
  }
}

/** Windows after it must not close by the clock: earlier rows are still to come. */
function isHeld({ rules, journals }: Reading, replaying: boolean): boolean {
  for (const journal of journals) if (journal.pending || replaying) return true;
  for (const before of rules) if (before.behind) return true;
  return false;
}
