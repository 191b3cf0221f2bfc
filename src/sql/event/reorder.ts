import { assert, limits } from "../../base.ts";
import { type Column, FLAG, Ring } from "../../ring.ts";
import { type Kernel, kernelOf } from "../emit/kernel.ts";
import { fieldByte } from "../emit/params.ts";
import { bindParams } from "../emit/stage.ts";
import type { ReorderPlan, Site, Stage, StageCounters } from "../program.ts";

/**
 * Words of the state field `order` (float64, so that a checkpoint is a copy):
 *
 *     0 begun      1 = a row has come
 *     1 watermark  event time before which no row is taken any more
 *     2 newest     largest event time of all rows that came
 *     3 waiting    rows held: the heap is slots[0 … waiting)
 *     4 turn       rows taken so far, modulo 2^32: who came first among rows of one time
 *     5 late       rows left out because the watermark had passed them
 *     6 early      rows given out before their time because there was no more room
 *     7 missed     largest event time of a row that was left out, 0 = none was
 *     8 first      event time of the first row
 */
const word = {
  begun: 0, watermark: 1, newest: 2, waiting: 3, turn: 4, late: 5, early: 6, missed: 7, first: 8,
} as const;
export const order_words = 9;

/** How far event time has come; windows after a reorder step close by it. */
export interface EventClock {
  /** All rows before this event time have been given out; −Infinity before the first. */
  readonly watermark: number;
  /** Engine time at which the watermark reaches an event time if no row comes; 0 = it has. */
  reaches(time: number): number;
  /** Looks at the clock: a source that is idle lets event time go on. `now` is monotonic. */
  follow(now: number): void;
  /** Largest event time of a row that was left out or may not have been read, 0 = none was. */
  readonly missed: number;
  /** The same of rows that were not read alone. */
  readonly lacking: number;
  /** Event time of the first row; Infinity before it. */
  readonly first: number;
}

/**
 * Puts rows in the order of their event time, which is their source time; rows of one time in that
 * of their coming, those that others get beside them (ASOF) first. A row waits until the watermark
 * has reached it: the largest event time seen less the tolerance, of the stream that is furthest
 * behind. A stream of which no row has come for the idle timeout is not waited for; if none has a
 * row for so long, event time goes on from the largest of all by what the clock has added since.
 * Its state block:
 *
 *     order   F × 9     see above
 *     reached F × n     largest event time of each stream, −Infinity before its first row
 *     keep    U × n     state of the kernel that writes a row into a slot
 *     give    U × n     state of the kernel that writes a slot's row on
 *     slots   I × rows  a binary heap of the slots in use, behind it the free ones
 *     turns   I × rows  by slot: when its row came
 *     held    U × n     a ring whose rows are the slots
 *
 * Rows out carry event time as their time; engine time goes on in `$oldest`.
 */
export class ReorderStage implements Stage, EventClock {
  readonly counters = { in: 0, out: 0, errors: 0, dropped: 0, late: 0, early: 0 };
  readonly #plan: ReorderPlan;
  readonly #keep: Kernel;
  readonly #give: Kernel;
  readonly #keepParams: number;
  readonly #giveParams: number;
  readonly #held: Ring;
  readonly #output: Ring;
  readonly #F: Float64Array;
  readonly #I: Int32Array;
  readonly #U: Uint8Array;
  /** Places of the fields: in F, and in I. */
  readonly #at: number;
  readonly #reached: number;
  readonly #slots: number;
  readonly #turns: number;
  /** Which stream a row is from; undefined = there is one. */
  readonly #member: Column | undefined;
  /** Which input a row that waits is of. */
  readonly #from: Column | undefined;
  readonly #input: Ring;
  readonly #capacity: number;
  readonly #rows_max: number;
  /**
   * Monotonic time of the newest row of each stream, or of when it was first waited for; engine
   * time less monotonic time. No part of the state.
   */
  readonly #arrived: Float64Array;
  #offset = 0;
  /** Rows of the input before the next one are missing. No part of the state either. */
  #gap = false;
  /** Event time of up to which such rows may have been. */
  #lacking = 0;

  constructor(plan: ReorderPlan, site: Site) {
    const { arena, state, output } = site;
    const place = (field: string): number => state.at + fieldByte(plan.state, field);
    const part = (field: string, bytes: number): Site["state"] =>
      ({ at: place(field), bytes, owner: state.owner });
    this.#plan = plan;
    this.#input = site.input!;
    this.#member = this.#input.column("$member");
    this.#arrived = new Float64Array(plan.streams).fill(NaN);
    this.#held = Ring.attach(arena, place("held"), plan.ring);
    this.#from = this.#held.column("$from");
    this.#output = output;
    this.#keep = kernelOf(arena, plan.keep.text);
    this.#give = kernelOf(arena, plan.give.text);
    this.#keepParams = bindParams(plan.keep.state, plan.keep.params,
      { ...site, output: this.#held, state: part("keep", plan.keep.stateBytes) });
    this.#giveParams = bindParams(plan.give.state, plan.give.params,
      { ...site, input: this.#held, state: part("give", plan.give.stateBytes) });
    [this.#F, this.#I, this.#U] = [arena.F, arena.I, arena.U];
    this.#at = place("order") / 8;
    this.#reached = place("reached") / 8;
    this.#slots = place("slots") / 4;
    this.#turns = place("turns") / 4;
    // One slot is always free: a row is written before it is known whether it comes too late.
    this.#capacity = this.#held.rows - 1;
    this.#rows_max = Math.min(limits.rows_per_step_max, output.rows >> 1);
    for (let slot = 0; slot < this.#held.rows; slot++) this.#I[this.#slots + slot] = slot;
    this.#F.fill(-Infinity, this.#reached, this.#reached + plan.streams);
  }

  get missed(): number {
    const missed = this.#F[this.#at + word.missed]!;
    // Of rows that were not read no event time is known before the next one comes.
    return this.#gap ? Math.max(missed, this.watermark) : missed;
  }

  get first(): number {
    return this.#F[this.#at + word.begun] === 0 ? Infinity : this.#F[this.#at + word.first]!;
  }

  get watermark(): number {
    if (this.#F[this.#at + word.begun] === 0) return -Infinity;
    const watermark = this.#F[this.#at + word.watermark]!;
    return this.#waiting > 0 ? Math.min(watermark, this.#timeOf(0)) : watermark;
  }

  reaches(time: number): number {
    if (time <= this.watermark) return 0;
    const { idle_ms, late_ms } = this.#plan;
    if (idle_ms === null || this.#F[this.#at + word.begun] === 0) return Infinity;
    // Those that have not reached it are no longer waited for, the last of them from then on.
    let last = -Infinity, behind = -Infinity;
    for (let i = 0; i < this.#plan.streams; i++) {
      const arrived = this.#arrived[i]!;
      last = Math.max(last, arrived);
      if (this.#F[this.#reached + i]! - late_ms < time) behind = Math.max(behind, arrived);
    }
    const left = time - this.#F[this.#at + word.newest]! + late_ms;
    return (left > 0 ? last + Math.max(idle_ms, left) : behind + idle_ms) + this.#offset;
  }

  get deadline(): number {
    if (this.#isDue() || this.#forgotten) return 0;
    return this.#waiting > 0 ? this.reaches(this.#timeOf(0)) : Infinity;
  }

  run(from: number, to: number, now: number, time: number): number {
    this.#offset = time - now;
    if (from !== to) this.#await(now);
    let seq = from;
    let room = this.#rows_max;
    while (true) {
      if (seq !== to && this.#waiting === this.#capacity) this.#hasten();
      room -= this.#release(room, time);
      if (seq === to || this.#isDue()) break;
      this.#take(seq, now, time);
      seq = (seq + 1) | 0;
    }
    this.counters.in += (seq - from) | 0;
    return seq;
  }

  tick(time: number, now: number): void {
    this.#offset = time - now;
    this.follow(now);
    this.#release(this.#rows_max, time);
  }

  follow(now: number): void {
    const F = this.#F, at = this.#at;
    if (F[at + word.begun] === 0) return;
    this.#await(now);
    if (this.#plan.idle_ms !== null) this.#raise(this.#least(now) - this.#plan.late_ms);
  }

  get lacking(): number {
    return this.#gap ? Math.max(this.#lacking, this.watermark) : this.#lacking;
  }

  /** Rows may be missing from what it has still to give. */
  get lacks(): boolean {
    return this.#gap || this.#lacking > this.watermark;
  }

  /** Of which event time they were is known with the next row. */
  miss(_time: number): void {
    this.#gap = true;
  }

  /** State that was restored: nobody knows when the newest rows came. */
  get #forgotten(): boolean {
    return this.#F[this.#at + word.begun] === 1 && Number.isNaN(this.#arrived[0]);
  }

  /** From now on, if not before, rows of each stream are waited for. */
  #await(now: number): void {
    if (!Number.isNaN(this.#arrived[0])) return;
    this.#arrived.fill(now);
  }

  /** What all streams that are waited for have reached; if none is, what the clock makes of it. */
  #least(now: number): number {
    const { idle_ms, streams } = this.#plan;
    let least = Infinity, passed = Infinity;
    for (let i = 0; i < streams; i++) {
      // Rounded up, so that a deadline that has come has come.
      const silent = Math.ceil(now - this.#arrived[i]! - 1e-6);
      passed = Math.min(passed, silent);
      if (idle_ms !== null && silent >= idle_ms) continue;
      least = Math.min(least, this.#F[this.#reached + i]!);
    }
    return least === Infinity ? this.#F[this.#at + word.newest]! + passed : least;
  }

  get #waiting(): number {
    return this.#F[this.#at + word.waiting]!;
  }

  /** Event time of the row at a place of the heap. */
  #timeOf(place: number): number {
    return this.#F[this.#held.sourceAt + this.#I[this.#slots + place]!]!;
  }

  #turnOf(place: number): number {
    return this.#I[this.#turns + this.#I[this.#slots + place]!]!;
  }

  #isFirst(place: number): boolean {
    if (this.#plan.first.length === 0) return false;
    return this.#plan.first.includes(
      this.#F[this.#from!.payload + this.#I[this.#slots + place]!]!);
  }

  #isDue(): boolean {
    return this.#waiting > 0 && this.#timeOf(0) <= this.#F[this.#at + word.watermark]!;
  }

  #raise(time: number): void {
    if (time > this.#F[this.#at + word.watermark]!) this.#F[this.#at + word.watermark] = time;
  }

  /** No more room: the oldest row waits no longer. */
  #hasten(): void {
    if (this.#isDue()) return;
    this.#raise(this.#timeOf(0));
    this.counters.early = this.#F[this.#at + word.early]! += 1;
  }

  /** Into a free slot, which is then in use unless the row is left out. */
  #take(seq: number, now: number, time: number): void {
    const F = this.#F, at = this.#at;
    const member = this.#member === undefined ? 0
      : F[this.#member.payload + (seq & this.#input.mask)]!;
    this.#arrived[member] = now;
    const slot = this.#I[this.#slots + this.#waiting]!;
    this.#keep(this.#keepParams, seq, (seq + 1) | 0, slot, time);
    const event = F[this.#held.sourceAt + slot]!;
    if (!this.#isUsable(slot, event, time)) {
      this.counters.errors += 1;
      if (F[at + word.begun] === 1) this.#miss(F[at + word.newest]! + this.#plan.late_ms);
      return;
    }
    if (F[at + word.begun] === 0) {
      F[at + word.begun] = 1;
      F[at + word.newest] = F[at + word.first] = event;
      F[at + word.watermark] = -Infinity;
    }
    const isLate = this.#isLate(event);
    this.#reach(member, event, now);
    if (this.#gap) {
      this.#lacking = F[at + word.newest]! + this.#plan.late_ms;
      this.#miss(this.#lacking);
    }
    this.#gap = false;
    if (isLate) {
      this.counters.late = F[at + word.late]! += 1;
      this.#miss(event);
      return;
    }
    this.#I[this.#turns + slot] = F[at + word.turn]!;
    F[at + word.turn] = (F[at + word.turn]! + 1) | 0;
    F[at + word.waiting] = this.#waiting + 1;
    this.#rise(this.#waiting - 1);
  }

  /** By the tolerance; what comes with the newest row is not late, if there is none. */
  #isLate(event: number): boolean {
    const watermark = this.#F[this.#at + word.watermark]!;
    return event < watermark || (event === watermark && this.#plan.late_ms > 0);
  }

  /** The stream has come to `event`, and with it perhaps event time. */
  #reach(member: number, event: number, now: number): void {
    const F = this.#F, at = this.#at, place = this.#reached + member;
    if (event > F[at + word.newest]!) F[at + word.newest] = event;
    if (event <= F[place]!) return;
    F[place] = event;
    this.#raise(this.#least(now) - this.#plan.late_ms);
  }

  /** A time far ahead would make every row after it late; a clock that is not right cannot tell. */
  #isUsable(slot: number, event: number, time: number): boolean {
    if (!Number.isFinite(event)) return false;
    const uncertain = this.#U[this.#held.flagsAt + slot]! & FLAG.timeUncertain;
    return uncertain !== 0 || event - time <= this.#plan.ahead_ms;
  }

  #miss(event: number): void {
    const at = this.#at + word.missed;
    if (event > this.#F[at]!) this.#F[at] = event;
  }

  /** Gives out rows that the watermark has reached, at most `room`; how many. */
  #release(room: number, time: number): number {
    const F = this.#F, output = this.#output;
    let n = 0;
    for (; n < room && this.#isDue(); n++) {
      const slot = this.#I[this.#slots]!;
      output.claim(1);
      this.#give(this.#giveParams, slot, (slot + 1) | 0, output.head, time);
      F[output.timeAt + (output.head & output.mask)] = F[this.#held.sourceAt + slot]!;
      output.publish(1);
      this.#drop();
    }
    this.counters.out += n;
    return n;
  }

  /** Takes the first slot off the heap; it is free then. */
  #drop(): void {
    const I = this.#I, last = this.#waiting - 1;
    const slot = I[this.#slots]!;
    I[this.#slots] = I[this.#slots + last]!;
    I[this.#slots + last] = slot;
    this.#F[this.#at + word.waiting] = last;
    this.#sink();
  }

  #rise(from: number): void {
    for (let place = from; place > 0;) {
      const parent = (place - 1) >> 1;
      if (!this.#isBefore(place, parent)) return;
      this.#swap(place, parent);
      place = parent;
    }
  }

  #sink(): void {
    const n = this.#waiting;
    for (let place = 0; ;) {
      let least = 2 * place + 1;
      if (least >= n) return;
      if (least + 1 < n && this.#isBefore(least + 1, least)) least += 1;
      if (!this.#isBefore(least, place)) return;
      this.#swap(least, place);
      place = least;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const s = this.#timeOf(a), t = this.#timeOf(b);
    if (s !== t) return s < t;
    const isFirst = this.#isFirst(a);
    return isFirst !== this.#isFirst(b) ? isFirst
      : ((this.#turnOf(a) - this.#turnOf(b)) | 0) < 0;
  }

  #swap(a: number, b: number): void {
    const I = this.#I, slot = I[this.#slots + a]!;
    I[this.#slots + a] = I[this.#slots + b]!;
    I[this.#slots + b] = slot;
  }
}

/** What is behind a reorder step goes by its watermark, and is told of rows that it left out. */
export function byEventTime(stages: readonly Stage[]): Stage[] {
  const clock = stages.find((stage) => stage instanceof ReorderStage);
  if (clock === undefined) return [...stages];
  assert(stages[0] === clock, "rows are put in order before anything looks at them");
  return stages.map((stage) => (stage === clock ||
    (stage.miss ?? stage.interrupt) === undefined ? stage : new ByWatermark(stage, clock)));
}

class ByWatermark implements Stage {
  readonly counters: StageCounters;
  readonly #stage: Stage;
  readonly #clock: EventClock;

  constructor(stage: Stage, clock: EventClock) {
    this.counters = stage.counters;
    this.#stage = stage;
    this.#clock = clock;
  }

  get deadline(): number {
    return this.#clock.reaches(this.#stage.deadline);
  }

  miss(time: number): void {
    this.#stage.miss?.(time);
  }

  run(from: number, to: number, now: number, time: number): number {
    this.miss(this.#clock.missed);
    this.#stage.interrupt?.(this.#clock.lacking);
    return this.#stage.run(from, to, now, time);
  }

  tick(_time: number, now: number): void {
    this.#clock.follow(now);
    const { watermark } = this.#clock;
    if (this.#stage.deadline > watermark) return;
    this.miss(this.#clock.missed);
    this.#stage.tick(watermark, now);
  }
}
