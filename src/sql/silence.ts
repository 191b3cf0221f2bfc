import { limits } from "../base.ts";
import { type Column, type ColumnSpec, copyCell, copyStamp, NULL, type Ring } from "../ring.ts";
import { fieldIndex, Layout } from "./emit/params.ts";
import type { SilencePlan, Site, Stage, StageCounters } from "./program.ts";

/**
 * Words of the state field `silence` (float64, so that a checkpoint is a copy):
 *
 *     0 next  end of the window that closes next, 0 = nothing has come yet
 *     1 told  end of the newest window that gave a row
 */
const next = 0, told = 1;

/** Ends that one step of the clock may pass by; of more only the newest is told. */
const ends_max = 1000;

/** The last stage of a rule that tells of empty windows, which end at multiples of `every_ms`. */
export function silenceStage(columns: readonly ColumnSpec[], every_ms: number): SilencePlan {
  const state = new Layout();
  state.add("silence", "F", 2);
  return { kind: "silence", every_ms, input: columns, output: columns, outputRows: 0, state,
    stateBytes: state.bytes, text: "" };
}

/**
 * Lets rows pass, and gives a row of NULLs for each window of which none came: a window that found
 * nothing is told from a rule that does not run. A window has closed when the clock has come to its
 * end and all that stands before has been worked off, which the runtime sees to.
 */
export class SilenceStage implements Stage {
  readonly counters: StageCounters = { in: 0, out: 0, errors: 0, dropped: 0 };
  readonly #every: number;
  readonly #input: Ring;
  readonly #output: Ring;
  readonly #pairs: readonly { readonly from: Column; readonly to: Column }[];
  readonly #oldest: Column | null;
  readonly #F: Float64Array;
  readonly #at: number;
  readonly #rows_max: number;
  #before: readonly Stage[] = [];

  constructor(plan: SilencePlan, { input, output, state, arena }: Site) {
    this.#every = plan.every_ms;
    this.#input = input!;
    this.#output = output;
    this.#pairs = output.columns.map((to) => ({ from: input!.column(to.name)!, to }));
    this.#oldest = output.column("$oldest") ?? null;
    this.#F = arena.F;
    this.#at = fieldIndex(plan.state, "silence", state.at);
    this.#rows_max = Math.min(limits.rows_per_step_max, output.rows >> 1);
  }

  /** Those before it close their windows first, and give out all of their rows. */
  get deadline(): number {
    const end = this.#F[this.#at + next]!;
    for (let i = 0; i < this.#before.length; i++) {
      if (this.#before[i]!.deadline <= end) return Infinity;
    }
    return end;
  }

  waitFor(stages: readonly Stage[]): void {
    this.#before = stages;
  }

  run(from: number, to: number, _now: number, _time: number): number {
    const input = this.#input, output = this.#output;
    const waiting = (to - from) | 0;
    const n = waiting < this.#rows_max ? waiting : this.#rows_max;
    output.claim(n);
    for (let i = 0; i < n; i++) {
      const seq = (from + i) | 0, at = (output.head + i) | 0;
      copyStamp(input, seq, output, at);
      for (let c = 0; c < this.#pairs.length; c++) {
        const pair = this.#pairs[c]!;
        copyCell(input, pair.from, seq, output, pair.to, at);
      }
      this.#F[this.#at + told] = this.#F[input.timeAt + (seq & input.mask)]!;
    }
    output.publish(n);
    this.counters.in += n;
    this.counters.out += n;
    return (from + n) | 0;
  }

  tick(time: number): void {
    const F = this.#F, at = this.#at, every = this.#every;
    if (F[at + next] === 0) F[at + next] = this.#after(time);
    if (time - F[at + next]! > ends_max * every) F[at + next] = this.#after(time) - every;
    for (let room = this.#rows_max; room > 0 && F[at + next]! <= time; room--) {
      const end = F[at + next]!;
      if (F[at + told]! < end) this.#tell(end);
      F[at + next] = end + every;
    }
  }

  /** The next end after a time. */
  #after(time: number): number {
    return (Math.floor(time / this.#every) + 1) * this.#every;
  }

  #tell(end: number): void {
    const output = this.#output;
    const { F, U } = output.arena;
    output.claim(1);
    const row = output.head & output.mask;
    F[output.timeAt + row] = end;
    F[output.sourceAt + row] = NaN;
    U[output.flagsAt + row] = 0;
    for (let c = 0; c < this.#pairs.length; c++) U[this.#pairs[c]!.to.state + row] = NULL;
    if (this.#oldest !== null) {
      F[this.#oldest.payload + row] = end;
      U[this.#oldest.state + row] = 0;
    }
    output.publish(1);
    this.counters.out += 1;
  }
}

/** Tells of empty windows only when the stages before have given out what they have. */
export function inTurn(stages: readonly Stage[]): readonly Stage[] {
  const last = stages.at(-1);
  if (last instanceof SilenceStage) last.waitFor(stages.slice(0, -1));
  return stages;
}
