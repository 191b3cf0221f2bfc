import { Ring } from "../../ring.ts";
import { type Kernel, kernelOf } from "../emit/kernel.ts";
import { fieldIndex } from "../emit/params.ts";
import { bindParams } from "../emit/stage.ts";
import type { JoinedPlan, JoinPlan, Site } from "../program.ts";

interface Step {
  readonly kernel: Kernel;
  readonly params: number;
  /** Index of its field `range` in I, of `counts` in F. */
  readonly range: number;
  readonly counts: number;
  readonly ring: Ring;
}

/**
 * Joins the rows of a closed window, one input after the other, each time into a ring of its own;
 * then WHERE, and what the window needs of the joined rows. Rows past a ring's capacity are left
 * out and counted.
 */
export class Joiner {
  readonly output: Ring;
  /** The last rows that were made: [from, to) of `output`. */
  from = 0;
  readonly #steps: readonly Step[];
  /** What comes after the joins, null = nothing does. */
  readonly #after: After | null;

  /** `part` gives the place of a field of the window's state. */
  constructor(plan: JoinedPlan, site: Site, window: Ring, part: (field: string) => Site["state"]) {
    let left = window;
    this.#steps = plan.steps.map((step, i) => {
      const made = joinStep(step, site, [left, window], part(`join ${i}`), part(`joined ${i}`).at);
      left = made.ring;
      return made;
    });
    this.#after = plan.after === null ? null : afterJoins(plan.after, { ...site, input: left,
      state: part("after") }, part("after rows").at);
    this.output = this.#after?.ring ?? left;
  }

  /** Rows on which ON or WHERE failed. */
  get errors(): number {
    const failed = this.#after === null ? 0 : this.output.arena.F[this.#after.errors]!;
    return this.#counted(1) + failed;
  }

  /** Rows that found no room. */
  get dropped(): number {
    return this.#counted(0);
  }

  #counted(which: 0 | 1): number {
    const { F } = this.output.arena;
    let sum = 0;
    for (const { counts } of this.#steps) sum += F[counts + which]!;
    return sum;
  }

  get to(): number {
    return this.output.head;
  }

  /** Joins rows [from, to) of the window, which ends at `end`. */
  run(from: number, to: number, end: number): void {
    const { F, I } = this.output.arena;
    let a = from, b = to;
    for (const { kernel, params, range, counts, ring } of this.#steps) {
      I[range] = from;
      I[range + 1] = to;
      ring.claim(ring.rows);
      const head = ring.head;
      ring.publish(kernel(params, a, b, head, ring.rows));
      [a, b] = [head, ring.head];
      F[counts] = F[counts]! + I[range + 2]!;
      F[counts + 1] = F[counts + 1]! + I[range + 3]!;
    }
    this.from = a;
    if (this.#after === null) return;
    const { kernel, params, ring } = this.#after;
    this.from = ring.head;
    ring.claim((b - a) | 0);
    ring.publish(kernel(params, a, b, ring.head, end));
  }
}

interface After {
  readonly kernel: Kernel;
  readonly params: number;
  /** Index of its field `errors` in F. */
  readonly errors: number;
  readonly ring: Ring;
}

function afterJoins(plan: NonNullable<JoinedPlan["after"]>, site: Site, at: number): After {
  const { rows } = plan;
  const ring = Ring.attach(site.arena, at, plan.ring);
  const params = bindParams(rows.state, rows.params, { ...site, output: ring });
  return { kernel: kernelOf(site.arena, rows.text), params, ring,
    errors: fieldIndex(rows.state, "errors", site.state.at) };
}

function joinStep(
  step: JoinPlan, site: Site, [input, right]: readonly [Ring, Ring], state: Site["state"],
  at: number,
): Step {
  const ring = Ring.attach(site.arena, at, step.ring);
  const params = bindParams(step.state, step.params,
    { ...site, input, output: ring, newest: [...site.newest, right], state });
  return { kernel: kernelOf(site.arena, step.text), params, ring,
    range: fieldIndex(step.state, "range", state.at),
    counts: fieldIndex(step.state, "counts", state.at) };
}
