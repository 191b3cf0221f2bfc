import { limits } from "../../base.ts";
import { type Ring, UNCERTAIN } from "../../ring.ts";
import { type Code, indent } from "../emit/code.ts";
import { type Kernel, kernelOf } from "../emit/kernel.ts";
import { NewestLeaves, RowLeaves } from "../emit/leaves.ts";
import type { Leaves } from "../emit/rows.ts";
import { bindParams } from "../emit/stage.ts";
import type { RunningPlan, Site, Stage, StageCounters } from "../program.ts";
import {
  enterGroup, field, groupFields, storeGroup, takenRows, takeRow, type WindowSpec,
} from "./kernel.ts";

/**
 * `running(p, from, to, head, time)`: takes rows [from, to) into their groups and writes for each
 * what its group has come to; returns how many it wrote. The tables are those of a window that
 * never closes (`kernel.ts`).
 */
export function runningKernel(code: Code, spec: WindowSpec): string {
  const leaves: Leaves = {
    code, row: new RowLeaves(code, spec.input, "r"), newest: new NewestLeaves(code),
  };
  const input = (part: "mask" | "time" | "source"): string => code.param({ of: "input", part },
    part);
  const output = (part: "mask" | "time" | "source"): string => code.param({ of: "output", part },
    `out_${part}`);
  const window = field(code, "window", "window");
  const errors = field(code, "errors", "errors");
  const mask = input("mask"), outMask = output("mask");
  const test = takenRows(spec, leaves);
  if (test.error !== "false") code.line(`failed = failed + (${test.error}) | 0;`);
  if (test.pass !== "true") code.line(`if (!(${test.pass})) continue;`);
  const fields = groupFields(code, spec, false);
  enterGroup(code, spec, leaves, fields, window);
  const worst = fields.filter((f) => f.name.endsWith(".worst"))
    .map(({ place }) => ({ place, before: code.define("before", place) }));
  takeRow(code, spec, leaves, fields);
  storeGroup(code, spec);
  forgetErrors(code, worst);
  code.line(`F[${output("time")} + w | 0] = F[${input("time")} + r | 0];`);
  code.line(`F[${output("source")} + w | 0] = F[${input("source")} + r | 0];`);
  const body = indent(code.take(), "    ");
  return `function running(p, from, to, head, time) {
${indent(code.takePrologue(), "  ")}
  let w = head & ${outMask}, written = 0, failed = 0, groups = F[${window} + 2 | 0] | 0;
${spec.keys.length > 0 ? "" : "  const g = 0;\n"}\
  for (let seq = from; seq !== to; seq = seq + 1 | 0) {
    const r = seq & ${mask};
${body}
    w = w + 1 & ${outMask};
    written = written + 1 | 0;
  }
  F[${window} + 2 | 0] = groups;
  F[${errors}] += failed;
  return written;
}`;
}

/** A group never closes: an error is that of its row only, later it counts as left out. */
function forgetErrors(
  code: Code, worst: readonly { readonly place: string; readonly before: string }[],
): void {
  const { skipped } = UNCERTAIN;
  for (const { place, before } of worst) {
    code.line(`if (${place} > 193) ${place} = ${before} > ${skipped} ? ${before} : ${skipped};`);
  }
}

/** Aggregates without a window: one row out for each row in, of its group so far. */
export class RunningStage implements Stage {
  readonly deadline = Infinity;
  readonly counters: StageCounters = { in: 0, out: 0, errors: 0, dropped: 0 };
  readonly #kernel: Kernel;
  readonly #params: number;
  readonly #errorsAt: number;
  readonly #droppedAt: number;
  readonly #output: Ring;
  readonly #F: Float64Array;
  readonly #rows_max: number;

  constructor(plan: RunningPlan, site: Site) {
    this.#kernel = kernelOf(site.arena, plan.text);
    this.#params = bindParams(plan.state, plan.params, site);
    this.#errorsAt = plan.state.indexOf("errors", site.state.at);
    this.#droppedAt = plan.state.indexOf("window", site.state.at) + 6;
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
    this.counters.errors = this.#F[this.#errorsAt]!;
    this.counters.dropped = this.#F[this.#droppedAt]!;
    return end;
  }

  tick(_time: number): void {}
}
