import { assert, limits } from "../../base.ts";
import { type Column, Ring } from "../../ring.ts";
import { type Kernel, kernelOf } from "../emit/kernel.ts";
import { fieldByte, fieldBytes, fieldIndex } from "../emit/params.ts";
import { bindParams } from "../emit/stage.ts";
import type { KeptPlan, Site, Stage, StageCounters } from "../program.ts";
import { type Boundary, boundaryOf } from "./boundary.ts";
import { GroupTable } from "./groups.ts";
import { Joiner } from "./joiner.ts";
import { Latecomers } from "./late.ts";
import { Parted } from "./parted.ts";
import { PaneKeeper, RowKeeper, type Keeper } from "./keeper.ts";
import { Span } from "./span.ts";
import { word } from "./words.ts";

/**
 * A window that is made anew from what it keeps each time that it closes. Its state block:
 *
 *     span    F × 13    which kept rows the window is about (span.ts)
 *     keep    U × n     state of the kernel that fills the ring
 *     fold    U × n     groups and parameters of the kernels that read it (kernel.ts)
 *     rows    U × n     a ring of its own: rows, or panes, with only the columns it needs
 *     join…   U × n     of several inputs: kernels and rings of joined rows (joiner.ts)
 *     parted…           of a state window by keys: the windows that are open (parted.ts)
 *
 * The rows of a closed window are folded at once, its groups are written as the output ring has
 * room; meanwhile no row is taken in. A full ring loses its oldest rows, counted.
 */
export class KeptStage implements Stage {
  readonly counters: StageCounters = { in: 0, out: 0, errors: 0, dropped: 0 };
  readonly #plan: KeptPlan;
  readonly #span: Span;
  readonly #boundary: Boundary;
  readonly #parted: Parted | null;
  readonly #keeper: Keeper;
  readonly #where: Column | null;
  /** What must be good in each row, beside WHERE: keys, and conditions of the window itself. */
  readonly #keys: readonly Column[];
  readonly #conditions: readonly Column[];
  /** Nothing of a row is looked at but its time. */
  readonly #plain: boolean;
  readonly #accumulate: Kernel;
  readonly #emit: Kernel;
  readonly #params: number;
  /** Index of the fold's field `window` in F. */
  readonly #windowAt: number;
  readonly #table: GroupTable;
  /** Of its field `standing` in F (−1: each window is folded anew). */
  readonly #standingAt: number;
  readonly #kept: Ring;
  readonly #join: Joiner | null;
  readonly #output: Ring;
  readonly #rows_max: number;
  /** Where windows close by time alone; null: no row is too late. */
  readonly #late: Latecomers | null;

  constructor(plan: KeptPlan, site: Site) {
    const { arena, output, state } = site;
    const place = (field: string): number => state.at + fieldByte(plan.state, field);
    const part = (field: string, bytes: number): Site["state"] =>
      ({ at: place(field), bytes, owner: state.owner });
    this.#plan = plan;
    this.#kept = Ring.attach(arena, place("rows"), plan.ring);
    this.#span = new Span(this.#kept, place("span") / 8, plan.strict);
    this.#parted = plan.parted === null ? null
      : new Parted(plan.parted, site, this.#span, place, [this.#kept.column("$begin")!,
        this.#kept.column("$emit") ?? null]);
    this.#boundary = this.#parted ?? boundaryOf(plan.window, this.#span);
    this.#where = this.#kept.column("$where") ?? null;
    const sound = plan.strict ? this.#kept.columns : [];
    this.#keys = sound.filter(({ name }) => name.startsWith("$key"));
    this.#conditions = sound.filter(({ name }) => ["$when", "$begin", "$emit"].includes(name));
    this.#plain = this.#where === null && this.#keys.length + this.#conditions.length === 0;
    const keep = { ...site, output: this.#kept, state: part("keep", plan.keep.stateBytes) };
    this.#keeper = plan.keep.kind === "rows" ? new RowKeeper(plan.keep, keep)
      : new PaneKeeper(plan.keep, keep, plan.pane_ms!);
    this.#join = plan.join === null ? null : new Joiner(plan.join, site, this.#kept, (field) =>
      part(field, fieldBytes(plan.state, field)));
    const input = this.#join?.output ?? this.#parted?.closed ?? this.#kept;
    const fold = { ...site, input, newest: [],
      state: part("fold", plan.fold.stateBytes) };
    this.#accumulate = kernelOf(arena, plan.fold.text);
    this.#emit = kernelOf(arena, plan.fold.emitText);
    this.#params = bindParams(plan.fold.state, plan.fold.params, fold);
    this.#windowAt = fieldIndex(plan.fold.state, "window", fold.state.at);
    this.#table = new GroupTable(plan.fold, fold);
    this.#standingAt = plan.fold.slides
      ? fieldIndex(plan.fold.state, "standing", fold.state.at) : -1;
    this.#output = output;
    this.#late = ["hopping", "session"].includes(plan.window.kind)
      ? new Latecomers(site.input!, this.#windowAt) : null;
    this.#rows_max = Math.min(limits.rows_per_step_max, output.rows >> 2);
  }

  get deadline(): number {
    // Also if rows are kept that the window has not looked at: there was no room for its groups.
    if (this.#span.closing || this.#span.next !== this.#kept.head) return 0;
    return Math.min(this.#span.closes, this.#keeper.closes);
  }

  run(from: number, to: number, _now: number, time: number): number {
    let seq = from;
    let room = this.#advance(this.#rows_max, -Infinity);
    this.#late?.look(from, time);
    while (!this.#span.closing && seq !== to) {
      if (this.#late?.is(seq) === true) {
        this.#doubtNext();
        seq = (seq + 1) | 0;
        continue;
      }
      seq = this.#keeper.take(seq, this.#late?.end(seq, to) ?? to, this.#free(), time);
      room = this.#advance(room, -Infinity);
    }
    this.counters.in += (seq - from) | 0;
    this.#count();
    return seq;
  }

  tick(time: number): void {
    const room = this.#advance(this.#rows_max, -Infinity);
    if (!this.#span.closing) {
      this.#free();
      this.#keeper.tick(time);
      this.#advance(room, time);
    }
    this.#count();
  }

  miss(time: number): void {
    this.#span.miss(time);
  }

  /** Closes and writes windows of kept rows, and those due by `time`; what is left of `room`. */
  #advance(room: number, time: number): number {
    let left = room - this.#write(room);
    while (!this.#span.closing && (this.#look() || this.#due(time, false))) {
      left -= this.#write(left);
    }
    return left;
  }

  #due(time: number, row: boolean): boolean {
    if (!this.#boundary.due(Math.max(time, this.#keeper.reached), row)) return false;
    this.#fold();
    return true;
  }

  #count(): void {
    const { F } = this.#kept.arena, at = this.#windowAt;
    this.counters.errors = this.#keeper.errors + this.#span.errors + (this.#join?.errors ?? 0);
    this.counters.dropped = this.#keeper.dropped + this.#span.lost + (this.#join?.dropped ?? 0) +
      F[at + word.dropped]!;
    this.counters.evicted = F[at + word.evicted]!;
    if (this.#late !== null) this.counters.late = this.#late.count;
  }

  /** A row came too late: what is open, or begins where the last window ended, is not whole. */
  #doubtNext(): void {
    const span = this.#span;
    span.miss(span.empty ? span.end : Math.max(span.end, span.timeOf(span.first)));
  }

  /** Rows that the ring has room for; a full one loses its oldest. */
  #free(): number {
    const span = this.#span, { rows, arena: { F } } = this.#kept;
    let free = rows - ((this.#kept.head - span.first) | 0);
    while (free < this.#keeper.least) {
      span.evict();
      free += 1;
    }
    // What stands in order loses its rows before others are written over them.
    const at = this.#standingAt;
    if (at >= 0) this.#accumulate(this.#params, span.first, F[at + 1]! | 0, Infinity, 0);
    return free;
  }

  /** Takes kept rows into the window, up to one that closes it: true = it did. */
  #look(): boolean {
    const span = this.#span;
    if (this.#plain) this.#boundary.pass?.();
    while (span.next !== this.#kept.head) {
      const row = span.next;
      const time = span.timeOf(row);
      if (this.#due(time, true)) return true;
      if (this.#fails(row)) span.countError();
      if (this.#conditions.length > 0 && !this.#sound(this.#conditions, row)) span.countError();
      if (this.#boundary.row(time)) {
        this.#fold();
        return true;
      }
    }
    return false;
  }

  /** The row is in no group because WHERE, or on the way to a write a key, cannot be trusted. */
  #fails(row: number): boolean {
    if (this.#where === null) return !this.#sound(this.#keys, row);
    const state = this.#kept.arena.U[this.#where.state + (row & this.#kept.mask)]!;
    return state > (this.#plan.strict ? 0 : 193) ||
      (this.#span.holds(this.#where, row) && !this.#sound(this.#keys, row));
  }

  #sound(columns: readonly Column[], row: number): boolean {
    const { U } = this.#kept.arena, at = row & this.#kept.mask;
    for (const { state } of columns) if (U[state + at] !== 0) return false;
    return true;
  }

  #fold(): void {
    const span = this.#span, { F } = this.#kept.arena, at = this.#windowAt;
    this.#table.clear();
    F[at + word.groups] = 0;
    F[at + word.start] = span.start;
    F[at + word.doubted] = this.#doubtful() ? 1 : 0;
    this.#join?.run(span.from, span.to, span.end);
    const { from, to } = this.#join ?? span;
    const done = this.#accumulate(this.#params, from, to, Infinity, span.end);
    assert(done === to, "a window is folded to its end");
    span.closing = true;
    span.written = 0;
    this.#late?.pass(span.end);
  }

  /** Rows are missing from the window, or nobody knows whether it begins and ends as it should. */
  #doubtful(): boolean {
    const span = this.#span, { from, to, start, lostAt } = span;
    const isState = this.#plan.window.kind === "state";
    if (isState && span.mark === 1) {
      span.mark = 0;
      return true;
    }
    if (lostAt >= start || this.#keeper.doubtedSince >= start) return true;
    if (!isState) return false;
    // A rule that writes has no keys here (unsafe.ts).
    if (this.#parted !== null) return this.#plan.strict;
    for (let row = from; row !== to; row = (row + 1) | 0) {
      if (!this.#sound(this.#conditions, row)) return true;
    }
    return false;
  }

  /** Writes groups of the closed window, at most `room`; how many. */
  #write(room: number): number {
    const span = this.#span;
    if (!span.closing) return 0;
    const left = this.#kept.arena.F[this.#windowAt + word.groups]! - span.written;
    const n = left < room ? left : room;
    if (n > 0) {
      const from = span.written;
      this.#output.claim(n);
      this.#emit(this.#params, from, from + n, this.#output.head, span.end);
      this.#output.publish(n);
      this.counters.out += n;
      span.written = from + n;
    }
    if (n === left) span.closing = false;
    return n;
  }
}
