import { limits } from "../../base.ts";
import type { ColumnSpec, Ring } from "../../ring.ts";
import type { BoundStateful } from "../bound.ts";
import { Code } from "../emit/code.ts";
import { type Kernel, kernelOf } from "../emit/kernel.ts";
import { Layout } from "../emit/params.ts";
import { bindParams } from "../emit/stage.ts";
import type { StageInput } from "../emit/stages.ts";
import type { Site, Stage, StageCounters, StatefulPlan } from "../program.ts";
import { StatefulKernel } from "./kernel.ts";

/** The plan of some calls that see every row, beside the columns that later stages read. */
export function statefulStage(
  input: StageInput,
  calls: readonly { readonly spec: ColumnSpec; readonly node: BoundStateful }[],
  passed: readonly ColumnSpec[],
): StatefulPlan {
  const layout = new Layout();
  layout.add("dropped", "F", 1);
  const code = new Code(layout);
  const kernel = new StatefulKernel(code, input);
  calls.forEach(({ node }, i) => kernel.call(node, `${node.fn}${i}`));
  const passes = passed.filter((c) => c.name !== input.oldest?.name);
  const text = kernel.finish(calls, passes);
  layout.add("params", "F", code.params.length);
  return {
    kind: "stateful", input: input.columns, outputRows: 0,
    output: [...passes, ...calls.map(({ spec }) => spec),
      ...(input.oldest === null ? [] : [input.oldest])],
    stateBytes: layout.bytes, state: layout, params: code.params, text,
    functions: calls.map(({ node }) => node.fn),
    keys: Math.max(0, ...calls.map(({ node }) => (node.partitionBy.length > 0 ? node.keys : 0))),
  };
}

/** Every row of the input is a row of the output. */
export class StatefulStage implements Stage {
  readonly deadline = Infinity;
  readonly counters: StageCounters = { in: 0, out: 0, errors: 0, dropped: 0 };
  readonly #kernel: Kernel;
  readonly #params: number;
  readonly #droppedAt: number;
  readonly #output: Ring;
  readonly #F: Float64Array;
  readonly #rows_max: number;

  constructor(plan: StatefulPlan, site: Site) {
    this.#kernel = kernelOf(site.arena, plan.text);
    this.#params = bindParams(plan.state, plan.params, site);
    this.#droppedAt = plan.state.indexOf("dropped", site.state.at);
    this.#output = site.output;
    this.#F = site.arena.F;
    this.#rows_max = Math.min(limits.rows_per_step_max, site.output.rows >> 1);
  }

  run(from: number, to: number, _now: number, time: number): number {
    const waiting = (to - from) | 0;
    const n = waiting < this.#rows_max ? waiting : this.#rows_max;
    const end = (from + n) | 0;
    this.#output.claim(n);
    this.#output.publish(this.#kernel(this.#params, from, end, this.#output.head, time));
    this.counters.in += n;
    this.counters.out += n;
    this.counters.dropped = this.#F[this.#droppedAt]!;
    return end;
  }

  tick(_time: number): void {}
}
