import { limits } from "../base.ts";
import type { Model } from "../infer.ts";
import type { Block, Ring } from "../ring.ts";
import { byEventTime, type Stage } from "../sql.ts";
import type { Gather } from "./gather.ts";
import type { RulePlan } from "./graph.ts";

/** One stage between two rings, and how far it has read. */
export interface RuleLink {
  readonly stage: Stage;
  readonly input: Ring;
  readonly output: Ring;
  /** null: a model's stage keeps nothing. */
  readonly state: Block | null;
  cursor: number;
}

/** How far one stream has been read. */
export interface Place {
  readonly ring: Ring;
  cursor: number;
}

/** Of a rule with one stream, which its first stage reads itself. */
const placeOf = (link: RuleLink): Place => ({
  ring: link.input,
  get cursor() {
    return link.cursor;
  },
  set cursor(seq) {
    link.cursor = seq;
  },
});

/**
 * Runs the chain of stages of one rule, in turns of at most `rows_per_step_max` rows a stage. A
 * rule that throws is stopped with its reason and tried again later; nothing else stops with it.
 */
export class RuleRunner {
  readonly plan: RulePlan;
  readonly name: string;
  readonly output: Ring;
  readonly models: readonly Model[];
  readonly gather: Gather | null;
  /** How far it has read each stream of each of its inputs. */
  readonly places: readonly Place[];
  readonly links: readonly RuleLink[];
  state: "running" | "failed" | "off" = "running";
  reason = "";
  failures = 0;
  /** It is not run while its state is copied: what it reads waits in its rings. */
  paused = false;
  /**
   * Rows that came before this turn are still to be worked off, here or in what it reads: no
   * window may close by the clock yet.
   */
  behind = false;
  #retryAt = 0;
  #lost = 0;
  /** Cursors of readers that this rule waits for instead of overtaking them. */
  readonly #waitsFor: (() => number)[] = [];

  constructor(
    plan: RulePlan, gather: Gather | null, links: readonly RuleLink[], models: readonly Model[],
  ) {
    this.plan = plan;
    this.gather = gather;
    this.name = plan.rule.name;
    this.models = models;
    this.output = links.at(-1)!.output;
    const stages = byEventTime(links.map(({ stage }) => stage));
    this.links = links.map((link, i) => ({ ...link, stage: stages[i]! }));
    this.places = gather?.members ?? [placeOf(this.links[0]!)];
  }

  /** Rows that the rule was too slow to read. */
  get lost(): number {
    return this.#lost + (this.gather?.lost ?? 0);
  }

  get stages(): readonly Stage[] {
    return this.links.map((link) => link.stage);
  }

  /** The rule stops where it would overwrite what this reader has still to read. */
  waitFor(cursor: () => number): void {
    this.#waitsFor.push(cursor);
  }

  /** Sequence of `stream` up to which the rule has read it. */
  cursorIn(stream: Ring): number {
    // What is not worked off because the rule fails is given up anyway.
    if (this.state !== "running") return stream.head;
    let cursor = stream.head;
    for (const place of this.places) {
      if (place.ring === stream && ((place.cursor - cursor) | 0) < 0) ({ cursor } = place);
    }
    return cursor;
  }

  /**
   * True if rows are left that this turn had no room for. `held`: what it reads is `behind`; rows
   * of up to the time `until` may yet come again.
   */
  run(now: number, time: number, held: boolean, until: number): boolean {
    this.behind = held || this.paused;
    if (this.paused) return false;
    if (this.state === "off" || (this.state === "failed" && now < this.#retryAt)) return false;
    try {
      const open = this.#isOpen();
      let more = this.#fill(until);
      for (let i = 0; i < this.links.length; i++) more = this.#step(i, open, now, time) || more;
      this.state = "running";
      return more;
    } catch (thrown) {
      this.#fail(thrown, now);
      return false;
    }
  }

  /** Engine time at which a window closes, Infinity if none. */
  get deadline(): number {
    let deadline = Infinity;
    for (const link of this.links) deadline = Math.min(deadline, link.stage.deadline);
    return this.state === "running" && !this.behind ? deadline : Infinity;
  }

  stop(reason: string): void {
    this.state = "off";
    this.reason = reason;
  }

  /** A stage writes at most half of its output ring in a turn. */
  #isOpen(): boolean {
    const { head, rows } = this.output;
    for (const cursor of this.#waitsFor) if (((head - cursor()) | 0) > rows >> 1) return false;
    return true;
  }

  #fill(until: number): boolean {
    if (this.gather === null) return false;
    const { input, cursor } = this.links[0]!;
    return ((input.head - cursor) | 0) > input.rows >> 1 || this.gather.step(until);
  }

  #step(i: number, open: boolean, now: number, time: number): boolean {
    const link = this.links[i]!;
    const { stage, input } = link;
    let lag = (input.head - link.cursor) | 0;
    if (lag > input.rows) {
      this.#lost += lag - input.rows;
      link.cursor = (input.head - input.rows) | 0;
      lag = input.rows;
    }
    const next = this.links[i + 1];
    const free = next === undefined ? open
      : ((next.input.head - next.cursor) | 0) <= next.input.rows >> 1;
    if (free && lag > 0) {
      const to = (link.cursor + Math.min(lag, limits.rows_per_step_max)) | 0;
      link.cursor = stage.run(link.cursor, to, now, time);
    }
    // Less than 0: a replay has not come up to where this rule was.
    const left = ((input.head - link.cursor) | 0) > 0;
    this.behind ||= left;
    if (stage.deadline <= time && !this.behind) {
      if (free) stage.tick(time, now);
      else this.behind = true;
    }
    return left && (free || open) && stage.waits !== true;
  }

  #fail(thrown: unknown, now: number): void {
    this.failures += 1;
    this.state = "failed";
    this.reason = thrown instanceof Error ? thrown.message : String(thrown);
    this.#retryAt = now + Math.min(60_000, 1000 * 2 ** Math.min(6, this.failures));
    // What could not be worked off is skipped, else the same rows would fail for ever.
    for (const link of this.links) {
      const left = (link.input.head - link.cursor) | 0;
      if (left <= 0) continue;
      this.#lost += left;
      link.cursor = link.input.head;
    }
  }
}
