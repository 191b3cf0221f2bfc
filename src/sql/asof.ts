import {
  type Column, copyCell, copyStamp, hashCell, NULL, Ring, sameCell, UNCERTAIN, UNCERTAIN_MAX,
} from "../ring.ts";
import { fieldByte, fieldIndex } from "./emit/params.ts";
import type { AsofPlan, Site, Stage, StageCounters } from "./program.ts";

interface Pair { readonly from: Column; readonly to: Column }

/**
 * The newest row of one input beside each row of the others. Its state block:
 *
 *     used    F × 1     keys that have come; the row of key n stands in row n of the ring
 *     heads   I × 2n    row + 1 of the first key with a hash, 0 = none
 *     next    I × n     row + 1 of the next one
 *     rows    U × n     a ring: newest row of each key, with its keys, time and flags
 *
 * When there are more keys than rows the key that came first gives way, counted.
 */
export class AsofStage implements Stage {
  readonly deadline = Infinity;
  readonly counters: StageCounters = { in: 0, out: 0, errors: 0, dropped: 0 };
  readonly #plan: AsofPlan;
  readonly #input: Ring;
  readonly #output: Ring;
  readonly #kept: Ring;
  readonly #from: Column;
  readonly #left: readonly Column[];
  readonly #right: readonly Column[];
  readonly #keys: readonly Column[];
  readonly #keep: readonly Pair[];
  readonly #give: readonly Pair[];
  readonly #passes: readonly Pair[];
  readonly #oldest: { readonly input: Column; readonly kept: Column; readonly output: Column }
    | null;
  readonly #used: number;
  readonly #heads: number;
  readonly #next: number;
  readonly #rows_max: number;
  /** A kept row from before this time may no more be the newest (W8). */
  #lacking = 0;

  constructor(plan: AsofPlan, site: Site) {
    const input = site.input!, { output, state } = site;
    this.#plan = plan;
    this.#input = input;
    this.#output = output;
    this.#kept = Ring.attach(site.arena, state.at + fieldByte(plan.state, "rows"), plan.ring);
    this.#from = columnOf(input, "$from");
    this.#left = plan.keys.map(({ left }) => columnOf(input, left));
    this.#right = plan.keys.map(({ right }) => columnOf(input, right));
    this.#keys = plan.keys.map(({ right }) => columnOf(this.#kept, right));
    this.#keep = plan.columns.map((name) =>
      ({ from: columnOf(input, name), to: columnOf(this.#kept, name) }));
    this.#give = plan.columns.map((name) =>
      ({ from: columnOf(this.#kept, name), to: columnOf(output, name) }));
    this.#passes = plan.passes.map((name) =>
      ({ from: columnOf(input, name), to: columnOf(output, name) }));
    this.#oldest = !plan.lineage ? null : { input: columnOf(input, "$oldest"),
      kept: columnOf(this.#kept, "$oldest"), output: columnOf(output, "$oldest") };
    this.#used = fieldIndex(plan.state, "used", state.at);
    this.#heads = fieldIndex(plan.state, "heads", state.at);
    this.#next = fieldIndex(plan.state, "next", state.at);
    this.#rows_max = output.rows >> 1;
  }

  run(from: number, to: number, _now: number, _time: number): number {
    const { F } = this.#input.arena;
    const waiting = (to - from) | 0;
    const n = waiting < this.#rows_max ? waiting : this.#rows_max;
    this.#output.claim(n);
    let written = 0;
    for (let i = 0; i < n; i++) {
      const seq = (from + i) | 0;
      if (F[this.#from.payload + (seq & this.#input.mask)] === this.#plan.from) this.#store(seq);
      else if (this.#write(seq, (this.#output.head + written) | 0)) written++;
    }
    this.#output.publish(written);
    this.counters.in += n;
    this.counters.out += written;
    return (from + n) | 0;
  }

  tick(_time: number): void {}

  interrupt(time: number): void {
    if (this.#plan.strict && time > this.#lacking) this.#lacking = time;
  }

  /** The worst state of a row's keys. */
  #stateOf(ring: Ring, keys: readonly Column[], seq: number): number {
    let worst = 0;
    for (let i = 0; i < keys.length; i++) {
      const state = ring.arena.U[keys[i]!.state + (seq & ring.mask)]!;
      if (state > worst) worst = state;
    }
    return worst;
  }

  #store(seq: number): void {
    if (this.#stateOf(this.#input, this.#right, seq) > UNCERTAIN_MAX) return;
    let row = this.#find(this.#right, seq);
    if (row < 0) row = this.#add(seq);
    copyStamp(this.#input, seq, this.#kept, row);
    for (let i = 0; i < this.#keys.length; i++) {
      copyCell(this.#input, this.#right[i]!, seq, this.#kept, this.#keys[i]!, row);
    }
    for (let i = 0; i < this.#keep.length; i++) {
      copyCell(this.#input, this.#keep[i]!.from, seq, this.#kept, this.#keep[i]!.to, row);
    }
    const oldest = this.#oldest;
    if (oldest !== null) copyCell(this.#input, oldest.input, seq, this.#kept, oldest.kept, row);
  }

  #hash(ring: Ring, keys: readonly Column[], seq: number): number {
    let hash = 0;
    for (let i = 0; i < keys.length; i++) {
      hash = Math.imul(hash, 31) ^ hashCell(ring, keys[i]!, seq);
    }
    return this.#heads + (hash & (2 * this.#kept.rows - 1));
  }

  #find(keys: readonly Column[], seq: number): number {
    const { I } = this.#kept.arena;
    for (let e = I[this.#hash(this.#input, keys, seq)]!; e !== 0; e = I[this.#next + e - 1]!) {
      let same = true;
      for (let i = 0; same && i < keys.length; i++) {
        same = sameCell(this.#input, keys[i]!, seq, this.#kept, this.#keys[i]!, e - 1);
      }
      if (same) return e - 1;
    }
    return -1;
  }

  #add(seq: number): number {
    const { F, I } = this.#kept.arena;
    const used = F[this.#used]!;
    const row = used & this.#kept.mask;
    if (used >= this.#kept.rows) {
      this.counters.dropped++;
      let place = this.#hash(this.#kept, this.#keys, row);
      while (I[place] !== row + 1) place = this.#next + I[place]! - 1;
      I[place] = I[this.#next + row]!;
    }
    F[this.#used] = used + 1;
    const head = this.#hash(this.#input, this.#right, seq);
    I[this.#next + row] = I[head]!;
    I[head] = row + 1;
    return row;
  }

  /** False = the row has no partner, and goes no further. */
  #write(seq: number, to: number): boolean {
    const plan = this.#plan, state = this.#stateOf(this.#input, this.#left, seq);
    const row = state > UNCERTAIN_MAX ? -1 : this.#find(this.#left, seq);
    const other = row < 0 ? 0 : this.#stateOf(this.#kept, this.#keys, row);
    const worst = state > other ? state : other;
    const doubted = plan.strict && worst > 0;
    if (doubted || worst > 193) this.counters.errors++;
    const met = row >= 0 && !doubted && this.#isFresh(seq, row);
    if (!met && !plan.left) return false;
    copyStamp(this.#input, seq, this.#output, to);
    for (let i = 0; i < this.#passes.length; i++) {
      const pass = this.#passes[i]!;
      copyCell(this.#input, pass.from, seq, this.#output, pass.to, to);
    }
    if (met) this.#meet(row, to, this.#isNewest(row) ? worst : Math.max(worst, UNCERTAIN.skipped));
    else this.#lone(to);
    this.#age(seq, met ? row : -1, to);
    return true;
  }

  #isNewest(row: number): boolean {
    return this.#kept.arena.F[this.#kept.timeAt + row]! >= this.#lacking;
  }

  #isFresh(seq: number, row: number): boolean {
    const { F } = this.#input.arena;
    const age = F[this.#input.timeAt + (seq & this.#input.mask)]! - F[this.#kept.timeAt + row]!;
    return age >= 0 && age <= this.#plan.tolerance_ms;
  }

  #meet(row: number, to: number, state: number): void {
    const { U } = this.#output.arena, w = to & this.#output.mask;
    for (let i = 0; i < this.#give.length; i++) {
      const { from, to: column } = this.#give[i]!;
      copyCell(this.#kept, from, row, this.#output, column, to);
      if (U[column.state + w]! < state) U[column.state + w] = state;
    }
    U[this.#output.flagsAt + w]! |= U[this.#kept.flagsAt + row]!;
  }

  #lone(to: number): void {
    const { F, I, U } = this.#output.arena, w = to & this.#output.mask;
    for (let i = 0; i < this.#give.length; i++) {
      const { to: column } = this.#give[i]!;
      if (column.slot > 0) I[column.length + w] = 0;
      else F[column.payload + w] = 0;
      U[column.state + w] = NULL;
    }
  }

  /** A row is as old as the older of the two. */
  #age(seq: number, row: number, to: number): void {
    const oldest = this.#oldest;
    if (oldest === null) return;
    copyCell(this.#input, oldest.input, seq, this.#output, oldest.output, to);
    const { F } = this.#output.arena, at = oldest.output.payload + (to & this.#output.mask);
    if (row >= 0 && F[oldest.kept.payload + row]! < F[at]!) F[at] = F[oldest.kept.payload + row]!;
  }
}

function columnOf(ring: Ring, name: string): Column {
  const column = ring.column(name);
  if (column === undefined) throw new Error(`bug: ring ${ring.name} has no column ${name}`);
  return column;
}

