import { assert, limits } from "../../base.ts";
import type { Ring } from "../../ring.ts";
import type {
  ConditionsPlan, RowsPlan, RunningPlan, Site, Stage, StageCounters, StatefulPlan,
} from "../program.ts";
import { word } from "../window/words.ts";
import { type Kernel, kernelOf } from "./kernel.ts";
import {
  fieldIndex, hasField, isNumber, type Param, resolve, type StateLayout, textField,
} from "./params.ts";

/** Fills a stage's parameter block and its text literals; returns the block's place in I. */
export function bindParams(layout: StateLayout, params: readonly Param[], site: Site): number {
  const { F, I, U } = site.arena;
  const at = fieldIndex(layout, "params", site.state.at);
  assert(site.state.bytes >= layout.bytes, "state block too small");
  params.forEach((param, i) => {
    const word = resolve(param, site, layout, site.state.at);
    if (isNumber(param)) F[at + i] = word;
    else I[2 * (at + i)] = word;
    if (param.of === "text" && param.part === "at") {
      U.set(new TextEncoder().encode(param.bytes),
        fieldIndex(layout, textField(param.id), site.state.at));
    }
  });
  return 2 * at;
}

/** Row by row by one kernel, whatever state it keeps. */
export class RowsStage implements Stage {
  readonly deadline = Infinity;
  readonly counters: StageCounters = { in: 0, out: 0, errors: 0, dropped: 0 };
  readonly #kernel: Kernel;
  readonly #params: number;
  /** Where the kernel counts rows in error and dropped ones; null: there are none such. */
  readonly #errorsAt: number | null;
  readonly #droppedAt: number | null;
  /** Where it counts groups that gave way. */
  readonly #evictedAt: number | null;
  readonly #output: Ring;
  readonly #F: Float64Array;
  readonly #rows_max: number;

  constructor(plan: RowsPlan | ConditionsPlan | StatefulPlan | RunningPlan, site: Site) {
    this.#kernel = kernelOf(site.arena, plan.text);
    this.#params = bindParams(plan.state, plan.params, site);
    const { state } = plan;
    this.#errorsAt = hasField(state, "errors") ? fieldIndex(state, "errors", site.state.at) : null;
    const window = plan.kind === "running" ? fieldIndex(state, "window", site.state.at) : null;
    this.#evictedAt = window === null ? null : window + word.evicted;
    this.#droppedAt = window !== null ? window + word.dropped
      : plan.kind === "stateful" ? fieldIndex(state, "dropped", site.state.at) : null;
    this.#output = site.output;
    this.#F = site.arena.F;
    this.#rows_max = Math.min(limits.rows_per_step_max, site.output.rows >> 1);
  }

  run(from: number, to: number, _now: number, time: number): number {
    const waiting = (to - from) | 0;
    const n = waiting < this.#rows_max ? waiting : this.#rows_max;
    const end = (from + n) | 0;
    this.#output.claim(n);
    const written = this.#kernel(this.#params, from, end, this.#output.head, time);
    this.#output.publish(written);
    this.counters.in += n;
    this.counters.out += written;
    if (this.#errorsAt !== null) this.counters.errors = this.#F[this.#errorsAt]!;
    if (this.#droppedAt !== null) this.counters.dropped = this.#F[this.#droppedAt]!;
    if (this.#evictedAt !== null) this.counters.evicted = this.#F[this.#evictedAt]!;
    return end;
  }

  tick(_time: number): void {}
}
