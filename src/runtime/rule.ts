import { limits } from "../base.ts";
import type { Model } from "../infer.ts";
import type { Ring } from "../ring.ts";
import { byEventTime, type Stage } from "../sql.ts";
import type { Gather } from "./gather.ts";
import type { RulePlan } from "./graph.ts";

/** A stage writes at most half of its ring in one pass. */
const passes_max = 2 * limits.rows_per_step_max / limits.stage_rows;

/** One stage between two rings, and how far it has read. */
interface Link {
  readonly stage: Stage;
  readonly input: Ring;
  cursor: number;
}

/**
 * Runs the chain of stages of one rule, in turns of at most `rows_per_step_max` rows a stage. A
 * rule that throws is stopped with its reason and tried again later; nothing else stops with it.
 */
export class RuleRunner {
  readonly plan: RulePlan;
  readonly name: string;
  readonly output: Ring;
  readonly models: readonly Model[];
  state: "running" | "failed" | "off" = "running";
  reason = "";
  failures = 0;
  #retryAt = 0;
  readonly #gather: Gather | null;
  #lost = 0;
  readonly #links: Link[];

  constructor(
    plan: RulePlan, gather: Gather | null, stages: readonly Stage[], rings: readonly Ring[],
    models: readonly Model[],
  ) {
    this.plan = plan;
    this.#gather = gather;
    this.name = plan.rule.name;
    this.models = models;
    this.output = rings[rings.length - 1]!;
    this.#links = byEventTime(stages).map((stage, i) =>
      ({ stage, input: rings[i]!, cursor: rings[i]!.head }));
  }

  /** Rows that the rule was too slow to read. */
  get lost(): number {
    return this.#lost + (this.#gather?.lost ?? 0);
  }

  get stages(): readonly Stage[] {
    return this.#links.map((link) => link.stage);
  }

  /** True if rows are left that this turn had no room for. */
  run(now: number, time: number): boolean {
    if (this.state === "off" || (this.state === "failed" && now < this.#retryAt)) return false;
    try {
      const gathering = this.#gather?.step() ?? false;
      const more = this.#turn(now, time);
      this.state = "running";
      return gathering || more;
    } catch (thrown) {
      this.#fail(thrown, now);
      return false;
    }
  }

  /**
   * Rings between stages hold few rows, so that a turn goes over them several times: until nothing
   * is left, the input's share of a turn is read, or half of the output is new to its readers.
   */
  #turn(now: number, time: number): boolean {
    const { output } = this;
    const [first] = this.#links;
    const [read, written] = [first!.cursor, output.head];
    for (let pass = 0; pass < passes_max; pass++) {
      let more = false;
      for (const link of this.#links) more = this.#step(link, now, time) || more;
      if (!more) return false;
      if (((first!.cursor - read) | 0) >= limits.rows_per_step_max) return true;
      if (((output.head - written) | 0) >= output.rows >> 1) return true;
    }
    return true;
  }

  /** Engine time at which a window closes, Infinity if none. */
  get deadline(): number {
    let deadline = Infinity;
    for (const link of this.#links) deadline = Math.min(deadline, link.stage.deadline);
    return this.state === "running" ? deadline : Infinity;
  }

  stop(reason: string): void {
    this.state = "off";
    this.reason = reason;
  }

  #step(link: Link, now: number, time: number): boolean {
    const { stage, input } = link;
    let lag = (input.head - link.cursor) | 0;
    if (lag > input.rows) {
      this.#lost += lag - input.rows;
      link.cursor = (input.head - input.rows) | 0;
      lag = input.rows;
    }
    if (lag > 0) {
      const to = (link.cursor + Math.min(lag, limits.rows_per_step_max)) | 0;
      link.cursor = stage.run(link.cursor, to, now, time);
    }
    if (stage.deadline <= time) stage.tick(time, now);
    return input.head !== link.cursor && stage.waits !== true;
  }

  #fail(thrown: unknown, now: number): void {
    this.failures += 1;
    this.state = "failed";
    this.reason = thrown instanceof Error ? thrown.message : String(thrown);
    this.#retryAt = now + Math.min(60_000, 1000 * 2 ** Math.min(6, this.failures));
    // What could not be worked off is skipped, else the same rows would fail for ever.
    for (const link of this.#links) {
      this.#lost += (link.input.head - link.cursor) | 0;
      link.cursor = link.input.head;
    }
  }
}
