import { limits } from "../base.ts";
import {
  type Column, type ColumnSpec, copyCell, copyStamp, FLAG, NULL, type Ring,
} from "../ring.ts";
import { fieldIndex, Layout } from "./emit/params.ts";
import { type EventClock, ReorderStage } from "./event/reorder.ts";
import { FailuresStage } from "./failures.ts";
import type { SilencePlan, Site, Stage, StageCounters } from "./program.ts";

/**
 * Words of the state field `silence` (float64, so that a checkpoint is a copy):
 *
 *     0 next  end of the window that closes next, 0 = nothing has come yet
 *     1 told  end of the newest window that gave a row
 */
const next = 0, told = 1;

/** Ends that one step of the time may pass by; of more only the newest is told. */
const ends_max = 1000;

/** The last stage of a rule that tells of empty windows, which end at multiples of `every_ms`. */
export function silenceStage(
  columns: readonly ColumnSpec[], plan: Pick<SilencePlan, "every_ms" | "byEvents" | "asList">,
): SilencePlan {
  const state = new Layout();
  state.add("silence", "F", 2);
  return { kind: "silence", ...plan, input: columns, output: columns, outputRows: 0, state,
    stateBytes: state.bytes, text: "" };
}

/**
 * Lets rows pass, and gives a row of NULLs for each window of which none came: a window that found
 * nothing is told from a rule that does not run. A window has closed when the time has come to its
 * end and all that stands before has been worked off, which the runtime sees to. By event time the
 * first window that is told of is that of the first row.
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
  /** Of a row that stands for none. */
  readonly #flags: number;
  /** Where event time or the end of a window stands in a row. */
  readonly #timeAt: number;
  #before: readonly Stage[] = [];
  #clock: EventClock | null = null;
  /** How far event time had come when the rule rested, null: it has come further since. */
  #rested: number | null = null;

  constructor(plan: SilencePlan, { input, output, state, arena }: Site) {
    this.#every = plan.every_ms;
    this.#flags = plan.asList ? FLAG.empty : 0;
    this.#timeAt = plan.byEvents ? input!.sourceAt : input!.timeAt;
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
    const end = this.#dueAt(this.#F[this.#at + next]!);
    for (let i = 0; i < this.#before.length; i++) {
      if (this.#before[i]!.deadline <= end) return Infinity;
    }
    return end;
  }

  /** Engine time at which a window that ends then has closed. */
  #dueAt(end: number): number {
    if (this.#clock === null) return end;
    return this.#clock.reaches(end === 0 ? this.#clock.first : end);
  }

  follow(stages: readonly Stage[], clock: EventClock | null): void {
    this.#before = stages;
    this.#clock = clock;
  }

  /** Of windows that ended while the rule did not run nobody knows whether they were empty. */
  resume(time: number): void {
    const F = this.#F, at = this.#at;
    if (F[at + next] === 0) return;
    if (this.#clock === null) F[at + next] = this.#after(time);
    else this.#rested = this.#clock.watermark;
  }

  run(from: number, to: number, _now: number, time: number): number {
    const input = this.#input;
    let room = this.#rows_max, seq = from;
    for (; seq !== to && room > 0; seq = (seq + 1) | 0) {
      const end = input.arena.F[this.#timeAt + (seq & input.mask)]!;
      // Of a window that ends before this one nothing will come any more.
      if (this.#begins()) room -= this.#tellBefore(end, room, time);
      if (room === 0) break;
      this.#pass(seq, end);
      room -= 1;
    }
    this.counters.in += (seq - from) | 0;
    return seq;
  }

  tick(time: number, now: number): void {
    const F = this.#F, at = this.#at, clock = this.#clock;
    clock?.follow(now);
    if (clock === null && F[at + next] === 0) F[at + next] = this.#after(time);
    const reached = clock === null ? time : clock.watermark;
    if (!this.#begins()) return;
    this.#tellBefore(this.#after(reached), this.#rows_max, time);
  }

  /** True if it is known which window is the first: by event time that of the first row. */
  #begins(): boolean {
    const F = this.#F, at = this.#at, clock = this.#clock;
    if (F[at + next] === 0 && clock !== null && clock.first !== Infinity) {
      F[at + next] = this.#after(clock.first);
    }
    if (this.#rested !== null && clock!.watermark > this.#rested) {
      F[at + next] = Math.max(F[at + next]!, this.#after(clock!.watermark));
      this.#rested = null;
    }
    return F[at + next] !== 0;
  }

  /** Tells of windows that end before `end`, at most `room` rows; how many. */
  #tellBefore(end: number, room: number, time: number): number {
    const F = this.#F, at = this.#at, every = this.#every;
    if (end - F[at + next]! > ends_max * every) F[at + next] = end - every;
    let n = 0;
    for (; F[at + next]! < end && n < room; F[at + next] = F[at + next]! + every) {
      if (F[at + told]! >= F[at + next]!) continue;
      this.#tell(F[at + next]!, time);
      n += 1;
    }
    return n;
  }

  #pass(seq: number, end: number): void {
    const input = this.#input, output = this.#output;
    output.claim(1);
    copyStamp(input, seq, output, output.head);
    for (let c = 0; c < this.#pairs.length; c++) {
      const pair = this.#pairs[c]!;
      copyCell(input, pair.from, seq, output, pair.to, output.head);
    }
    output.publish(1);
    this.counters.out += 1;
    this.#F[this.#at + told] = end;
  }

  /** The next end after a time. */
  #after(time: number): number {
    return (Math.floor(time / this.#every) + 1) * this.#every;
  }

  /** A row of engine time, as all that go out. */
  #tell(end: number, time: number): void {
    const output = this.#output;
    const { F, U } = output.arena;
    output.claim(1);
    const row = output.head & output.mask;
    F[output.timeAt + row] = this.#clock === null ? end : time;
    F[output.sourceAt + row] = this.#clock === null ? NaN : end;
    U[output.flagsAt + row] = this.#flags;
    for (let c = 0; c < this.#pairs.length; c++) U[this.#pairs[c]!.to.state + row] = NULL;
    if (this.#oldest !== null) {
      F[this.#oldest.payload + row] = F[output.timeAt + row]!;
      U[this.#oldest.state + row] = 0;
    }
    output.publish(1);
    this.counters.out += 1;
  }
}

/**
 * Tells of failures, and of empty windows only when the stages before have given out what they
 * have.
 */
export function inTurn(stages: readonly Stage[]): readonly Stage[] {
  stages.forEach((stage, i) => {
    if (stage instanceof FailuresStage) stage.follow(stages.slice(0, i));
  });
  const [first] = stages, last = stages.at(-1);
  if (last instanceof SilenceStage) {
    last.follow(stages.slice(0, -1), first instanceof ReorderStage ? first : null);
  }
  return stages;
}
