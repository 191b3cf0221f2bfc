import { limits } from "../../base.ts";
import type { Ring } from "../../ring.ts";
import { type Kernel, kernelOf } from "../emit/kernel.ts";
import { fieldIndex } from "../emit/params.ts";
import { bindParams } from "../emit/stage.ts";
import type { Site, Stage, StageCounters, WindowPlan } from "../program.ts";
import { GroupTable } from "./groups.ts";
import { Latecomers } from "./late.ts";
import { word } from "./words.ts";

const {
  open, end, groups, seen, closing, written, dropped, evicted, closed, start, doubted, missed,
} = word;

/**
 * Tumbling windows align to natural time and open with their first row; count windows close with
 * their last one. A window with no row gives none. While a closed window is still being written out
 * (its output ring is small), no row is taken in.
 */
export class WindowStage implements Stage {
  readonly counters: StageCounters = { in: 0, out: 0, errors: 0, dropped: 0 };
  readonly #plan: WindowPlan;
  readonly #accumulate: Kernel;
  readonly #emit: Kernel;
  readonly #params: number;
  readonly #input: Ring;
  readonly #output: Ring;
  readonly #F: Float64Array;
  /** Index of the field `window` in F, of `errors` in F. */
  readonly #at: number;
  readonly #errorsAt: number;
  readonly #table: GroupTable;
  readonly #rows_max: number;
  readonly #late: Latecomers;

  constructor(plan: WindowPlan, site: Site) {
    this.#plan = plan;
    this.#accumulate = kernelOf(site.arena, plan.text);
    this.#emit = kernelOf(site.arena, plan.emitText);
    this.#params = bindParams(plan.state, plan.params, site);
    this.#input = site.input!;
    this.#output = site.output;
    this.#F = site.arena.F;
    this.#at = fieldIndex(plan.state, "window", site.state.at);
    this.#errorsAt = fieldIndex(plan.state, "errors", site.state.at);
    this.#table = new GroupTable(plan, site);
    this.#late = new Latecomers(this.#input, this.#at);
    // A turn may both run and tick: together they fill half of the ring.
    this.#rows_max = Math.min(limits.rows_per_step_max, site.output.rows >> 2);
  }

  get deadline(): number {
    if (this.#F[this.#at + closing] === 1) return 0;
    return this.#plan.window.kind === "tumbling" && this.#F[this.#at + open] === 1
      ? this.#F[this.#at + end]! : Infinity;
  }

  run(from: number, to: number, _now: number, time: number): number {
    let room = this.#rows_max;
    let seq = from;
    this.#late.look(from, time);
    while (true) {
      room -= this.#write(room);
      if (seq === to || this.#F[this.#at + closing] === 1) break;
      seq = this.#plan.window.kind === "tumbling"
        ? this.#takeInTime(seq, to, time, this.#plan.window.length_ms)
        : this.#takeCounted(seq, to, time, this.#plan.window.rows);
    }
    this.counters.in += (seq - from) | 0;
    this.counters.errors = this.#F[this.#errorsAt]!;
    this.counters.dropped = this.#F[this.#at + dropped]!;
    this.counters.evicted = this.#F[this.#at + evicted]!;
    this.counters.late = this.#late.count;
    return seq;
  }

  tick(time: number): void {
    const F = this.#F, at = this.#at;
    if (this.#plan.window.kind === "tumbling" && F[at + open] === 1 && F[at + closing] === 0 &&
      time >= F[at + end]!) {
      this.#closeTimed();
    }
    this.#write(this.#rows_max);
  }

  miss(time: number): void {
    const F = this.#F, at = this.#at;
    if (time > F[at + missed]!) F[at + missed] = time;
  }

  /** A row whose window is gone makes the next one doubtful (W8). */
  #takeInTime(from: number, to: number, time: number, length_ms: number): number {
    if (!this.#late.is(from)) {
      return this.#takeTimed(from, this.#late.end(from, to), time, length_ms);
    }
    this.#F[this.#at + doubted]! += 1;
    return (from + 1) | 0;
  }

  #takeTimed(from: number, to: number, time: number, length_ms: number): number {
    const F = this.#F, at = this.#at;
    if (F[at + open] === 0) {
      const first = F[this.#input.timeAt + (from & this.#input.mask)]!;
      F[at + open] = 1;
      F[at + start] = Math.floor(first / length_ms) * length_ms;
      F[at + end] = F[at + start]! + length_ms;
      this.#late.pass(F[at + start]!);
    }
    const seq = this.#accumulate(this.#params, from, to, F[at + end]!, time);
    // Stopped before `to`: this row is the first of a later window.
    if (seq !== to) this.#closeTimed();
    return seq;
  }

  #takeCounted(from: number, to: number, time: number, rows: number): number {
    const F = this.#F, at = this.#at;
    if (F[at + seen] === 0) F[at + start] = F[this.#input.timeAt + (from & this.#input.mask)]!;
    const missing = rows - F[at + seen]!;
    const waiting = (to - from) | 0;
    const until = (from + (waiting < missing ? waiting : missing)) | 0;
    const seq = this.#accumulate(this.#params, from, until, Infinity, time);
    F[at + open] = 1;
    F[at + seen] = F[at + seen]! + ((seq - from) | 0);
    if (F[at + seen] === rows) {
      this.#close(F[this.#input.timeAt + ((seq - 1) & this.#input.mask)]!);
    }
    return seq;
  }

  #closeTimed(): void {
    const ended = this.#F[this.#at + end]!;
    this.#late.pass(ended);
    this.#close(ended);
  }

  #close(time: number): void {
    const F = this.#F, at = this.#at;
    F[at + open] = 0;
    F[at + seen] = 0;
    if (F[at + missed]! !== 0 && F[at + missed]! >= F[at + start]!) F[at + doubted]! += 1;
    F[at + closing] = 1;
    F[at + written] = 0;
    F[at + closed] = time;
  }

  /** Writes groups of the closed window, at most `room`; how many. */
  #write(room: number): number {
    const F = this.#F, at = this.#at;
    if (F[at + closing] === 0) return 0;
    const left = F[at + groups]! - F[at + written]!;
    const n = left < room ? left : room;
    if (n > 0) {
      const from = F[at + written]!;
      this.#output.claim(n);
      this.#emit(this.#params, from, from + n, this.#output.head, F[at + closed]!);
      this.#output.publish(n);
      this.counters.out += n;
      F[at + written] = from + n;
    }
    if (n === left) this.#clear();
    return n;
  }

  #clear(): void {
    const F = this.#F, at = this.#at;
    this.#table.clear();
    F[at + groups] = 0;
    F[at + doubted] = 0;
    F[at + closing] = 0;
  }
}
