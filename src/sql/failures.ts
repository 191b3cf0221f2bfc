import { limits } from "../base.ts";
import {
  type Column, type ColumnSpec, copyCell, copyStamp, NULL, type Ring, stateName,
} from "../ring.ts";
import { fieldIndex, Layout } from "./emit/params.ts";
import { InferStage } from "./infer.ts";
import type { FailuresPlan, Site, Stage, StageCounters } from "./program.ts";

const error_column: ColumnSpec = { name: "error", kind: "text", slot: 128 };
/** States from here on are errors. */
const error_min = 194;

/** The stage of a rule that sends errors; `before`: stages whose failures it tells of. */
export function failuresStage(columns: readonly ColumnSpec[], before: number): FailuresPlan {
  const state = new Layout();
  state.add("told", "F", before);
  const [shown, hidden] = [true, false].map((is) =>
    columns.filter(({ name }) => !name.startsWith("$") === is)) as [ColumnSpec[], ColumnSpec[]];
  return { kind: "failures", input: columns, output: [...shown, error_column, ...hidden],
    outputRows: 0, state, stateBytes: state.bytes, text: "" };
}

/**
 * Lets rows pass and says in the column `error` which of their columns is an error, and why; and
 * gives a row of NULLs that says how many rows were left out since the one before, as a condition
 * or a key failed on them. Its state is how many failures of each stage were told.
 */
export class FailuresStage implements Stage {
  readonly counters: StageCounters = { in: 0, out: 0, errors: 0, dropped: 0 };
  readonly #input: Ring;
  readonly #output: Ring;
  readonly #pairs: readonly { readonly from: Column; readonly to: Column }[];
  readonly #error: Column;
  readonly #oldest: Column | null;
  readonly #toldAt: number;
  readonly #rows_max: number;
  #before: readonly Stage[] = [];

  constructor(plan: FailuresPlan, { input, output, state }: Site) {
    this.#input = input!;
    this.#output = output;
    this.#error = output.column(error_column.name)!;
    this.#pairs = input!.columns.map((from) => ({ from, to: output.column(from.name)! }));
    this.#oldest = output.column("$oldest") ?? null;
    this.#toldAt = fieldIndex(plan.state, "told", state.at);
    this.#rows_max = Math.min(limits.rows_per_step_max, output.rows >> 1);
  }

  /** The failures of a model stand in the row itself. */
  follow(stages: readonly Stage[]): void {
    this.#before = stages;
  }

  get deadline(): number {
    for (let i = 0; i < this.#before.length; i++) if (this.#untold(i) > 0) return 0;
    return Infinity;
  }

  run(from: number, to: number, _now: number, _time: number): number {
    this.#settle();
    const waiting = (to - from) | 0;
    const n = waiting < this.#rows_max ? waiting : this.#rows_max;
    for (let i = 0; i < n; i++) this.#pass((from + i) | 0);
    this.counters.in += n;
    return (from + n) | 0;
  }

  tick(time: number): void {
    this.#settle();
    let rows = 0;
    const { F } = this.#output.arena;
    for (let i = 0; i < this.#before.length; i++) {
      const untold = this.#untold(i);
      F[this.#toldAt + i] = F[this.#toldAt + i]! + untold;
      rows += untold;
    }
    if (rows > 0) this.#tell(rows, time);
  }

  /** A counter of the process has begun anew, where the state that came back knows of more. */
  #settle(): void {
    const { F } = this.#output.arena;
    for (let i = 0; i < this.#before.length; i++) {
      const { errors } = this.#before[i]!.counters;
      // 0 may be one that has not been read from its state yet.
      if (errors > 0 && errors < F[this.#toldAt + i]!) F[this.#toldAt + i] = errors;
    }
  }

  #untold(stage: number): number {
    const one = this.#before[stage]!;
    if (one instanceof InferStage) return 0;
    const told = this.#output.arena.F[this.#toldAt + stage]!;
    return one.counters.errors > told ? one.counters.errors - told : 0;
  }

  #pass(seq: number): void {
    const input = this.#input, output = this.#output;
    const { U } = output.arena;
    output.claim(1);
    copyStamp(input, seq, output, output.head);
    let wrong: Column | null = null;
    for (let c = 0; c < this.#pairs.length; c++) {
      const { from, to } = this.#pairs[c]!;
      copyCell(input, from, seq, output, to, output.head);
      if (wrong === null && U[to.state + (output.head & output.mask)]! >= error_min) wrong = to;
    }
    if (wrong === null) U[this.#error.state + (output.head & output.mask)] = NULL;
    else {
      this.#say(`${wrong.name}: ${stateName(U[wrong.state + (output.head & output.mask)]!)}`);
    }
    this.#publish();
  }

  #tell(rows: number, time: number): void {
    const output = this.#output;
    const { F, U } = output.arena;
    output.claim(1);
    const row = output.head & output.mask;
    F[output.timeAt + row] = time;
    F[output.sourceAt + row] = NaN;
    U[output.flagsAt + row] = 0;
    for (let c = 0; c < this.#pairs.length; c++) U[this.#pairs[c]!.to.state + row] = NULL;
    if (this.#oldest !== null) {
      F[this.#oldest.payload + row] = time;
      U[this.#oldest.state + row] = 0;
    }
    this.#say(`${rows} row${rows === 1 ? "" : "s"} left out: a condition or a key failed`);
    this.#publish();
  }

  /** Of the row that comes next; only failures make texts. */
  #say(text: string): void {
    const { head, mask, arena: { U, I } } = this.#output;
    const row = head & mask, at = this.#error.payload + row * this.#error.stride;
    const { written } =
      new TextEncoder().encodeInto(text, U.subarray(at, at + this.#error.slot));
    I[this.#error.length + row] = written;
    U[this.#error.state + row] = 0;
  }

  #publish(): void {
    this.#output.publish(1);
    this.counters.out += 1;
  }
}
