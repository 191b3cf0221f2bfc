import { Fault, limits } from "../base.ts";
import { BAD, type Column, copyCell, copyStamp, ERROR, type Ring, UNCERTAIN_MAX } from "../ring.ts";
import type { InferPlan, Stage, StageCounters } from "./program.ts";

/** What of a model a stage needs (infer.ts has the whole contract). */
export interface StageModel {
  readonly arguments: Float64Array;
  readonly results: Float64Array;
  /** False = it failed; `results` is then not to be used. */
  run(): boolean;
}

export interface InferSite {
  readonly input: Ring;
  readonly output: Ring;
  readonly model: StageModel;
  /** ms a run may take; a later result is NULL with state `late`. */
  readonly deadline: number;
  /** Monotonic ms. */
  now(): number;
}

/** Why a rule cannot use a model: it takes or gives other numbers than the rule has. */
export function misfitOf(
  plan: InferPlan, { arguments: takes, results }: Pick<StageModel, "arguments" | "results">,
): Fault | null {
  const { model, args } = plan;
  if (takes.length !== args.length) {
    return new Fault("model-arguments", `The model ${model} takes ${takes.length} numbers, ` +
      `infer() gives it ${args.length}`, { model });
  }
  if (results.length >= plan.results.length) return null;
  return new Fault("model-results", `The model ${model} gives ${results.length} numbers, ` +
    `${plan.results.length} are used`, { model });
}

/**
 * Runs a model row by row from a request ring into a result ring. A row whose arguments have no
 * value
 * does not reach the model: its results are as bad as the worst argument.
 */
export class InferStage implements Stage {
  readonly deadline = Infinity;
  readonly counters: StageCounters = { in: 0, out: 0, errors: 0, dropped: 0 };
  readonly #site: InferSite;
  readonly #args: readonly Column[];
  readonly #results: readonly Column[];
  readonly #passes: readonly { readonly from: Column; readonly to: Column }[];
  readonly #rows_max: number;

  constructor(plan: InferPlan, site: InferSite) {
    const { input, output, model } = site;
    const misfit = misfitOf(plan, model);
    if (misfit !== null) throw misfit;
    this.#site = site;
    this.#args = plan.args.map((name) => columnOf(input, name));
    this.#results = plan.results.map((name) => columnOf(output, name));
    this.#passes = plan.passes.map((name) =>
      ({ from: columnOf(input, name), to: columnOf(output, name) }));
    this.#rows_max = Math.min(limits.rows_per_step_max, output.rows >> 1);
  }

  run(from: number, to: number, _now: number, _time: number): number {
    const { output } = this.#site;
    const waiting = (to - from) | 0;
    const n = waiting < this.#rows_max ? waiting : this.#rows_max;
    output.claim(n);
    for (let i = 0; i < n; i++) this.#row((from + i) | 0, (output.head + i) | 0);
    output.publish(n);
    this.counters.in += n;
    this.counters.out += n;
    return (from + n) | 0;
  }

  tick(_time: number): void {}

  #row(from: number, to: number): void {
    const { input, output } = this.#site;
    const r = from & input.mask, w = to & output.mask;
    copyStamp(input, from, output, to);
    for (let i = 0; i < this.#passes.length; i++) {
      const pass = this.#passes[i]!;
      copyCell(input, pass.from, from, output, pass.to, to);
    }
    const state = this.#gather(r);
    if (state > UNCERTAIN_MAX) this.#scatter(w, state, false);
    else this.#infer(w, state);
  }

  /** Arguments into the model's own memory; the worst of their states. */
  #gather(r: number): number {
    const { input, model } = this.#site;
    const { F, U } = input.arena;
    let worst = 0;
    for (let i = 0; i < this.#args.length; i++) {
      const column = this.#args[i]!;
      model.arguments[i] = F[column.payload + r]!;
      const state = U[column.state + r]!;
      if (state > worst) worst = state;
    }
    return worst;
  }

  #infer(w: number, state: number): void {
    const { model, deadline } = this.#site;
    const started = this.#site.now();
    const done = model.run();
    const late = this.#site.now() - started > deadline;
    if (!done) this.counters.errors += 1;
    if (!done) this.#scatter(w, ERROR.model, false);
    else this.#scatter(w, late ? BAD.late : state, !late);
  }

  #scatter(w: number, state: number, valid: boolean): void {
    const { output, model } = this.#site;
    const { F, U } = output.arena;
    for (let i = 0; i < this.#results.length; i++) {
      const column = this.#results[i]!;
      const value = valid ? model.results[i]! : 0;
      F[column.payload + w] = value;
      U[column.state + w] = valid && !Number.isFinite(value) ? ERROR.number : state;
    }
  }
}

function columnOf(ring: Ring, name: string): Column {
  const column = ring.column(name);
  if (column === undefined) throw new Error(`bug: ring ${ring.name} has no column ${name}`);
  return column;
}
