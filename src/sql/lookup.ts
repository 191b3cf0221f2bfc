import {
  type Column, copyCell, copyStamp, NULL, type Ring, UNCERTAIN, UNCERTAIN_MAX,
} from "../ring.ts";
import type { LookupPlan, Stage, StageCounters } from "./program.ts";

/** What a table says for a key, where it is no row. */
export const answer = {
  /** Not known yet: the table has been asked. */
  waiting: -1,
  /** It has no such row. */
  missing: -2,
  /** It cannot say; `state` is why. */
  failed: -3,
} as const;

/** What of a table a stage needs (runtime/lookup.ts has the whole). */
export interface StageTable {
  /** Rows of the table that are known. */
  readonly rows: Ring;
  /** Of the answer given last: good, uncertain, or why there is none. */
  readonly state: number;
  /**
   * The row in `rows` that has this key, or a code of `answer`. The key is the cell in row `row` of
   * a ring, and has a value. The row may be overwritten by the next call.
   */
  find(ring: Ring, key: Column, row: number, now: number): number;
}

export interface LookupSite {
  readonly input: Ring;
  readonly output: Ring;
  readonly table: StageTable;
}

interface Pair { readonly from: Column; readonly to: Column }

/**
 * Looks up each row of a request ring, in order, into a result ring. A row whose key is not known
 * yet waits, and those behind it; their keys are asked for at the same time.
 */
export class LookupStage implements Stage {
  readonly deadline = Infinity;
  readonly counters: StageCounters = { in: 0, out: 0, errors: 0, dropped: 0 };
  waits = false;
  readonly #site: LookupSite;
  readonly #key: Column;
  readonly #found: Column;
  readonly #columns: readonly Pair[];
  readonly #passes: readonly Pair[];
  readonly #rows_max: number;

  constructor(plan: LookupPlan, site: LookupSite) {
    const { input, output, table } = site;
    this.#site = site;
    this.#key = columnOf(input, plan.key);
    this.#found = columnOf(output, plan.found);
    this.#columns = plan.columns.map(({ from, to }) =>
      ({ from: columnOf(table.rows, from), to: columnOf(output, to) }));
    this.#passes = plan.passes.map((name) =>
      ({ from: columnOf(input, name), to: columnOf(output, name) }));
    this.#rows_max = output.rows >> 1;
  }

  run(from: number, to: number, now: number, _time: number): number {
    const { output } = this.#site;
    this.waits = false;
    const waiting = (to - from) | 0;
    const n = waiting < this.#rows_max ? waiting : this.#rows_max;
    output.claim(n);
    let done = 0;
    while (done < n && this.#row((from + done) | 0, (output.head + done) | 0, now)) done++;
    output.publish(done);
    this.counters.in += done;
    this.counters.out += done;
    if (done < n) this.#ask((from + done + 1) | 0, (from + n) | 0, now);
    return (from + done) | 0;
  }

  tick(_time: number): void {}

  /** Keys of rows that wait behind one. */
  #ask(from: number, to: number, now: number): void {
    const { input, table } = this.#site;
    this.waits = true;
    for (let seq = from; seq !== to; seq = (seq + 1) | 0) {
      const row = seq & input.mask;
      if (input.arena.U[this.#key.state + row]! <= UNCERTAIN_MAX) {
        table.find(input, this.#key, row, now);
      }
    }
  }

  /** False = the row has to wait. */
  #row(from: number, to: number, now: number): boolean {
    const { input, output, table } = this.#site;
    const row = from & input.mask;
    const state = input.arena.U[this.#key.state + row]!;
    if (state > UNCERTAIN_MAX) {
      // Like a comparison with what reads as NULL: it is FALSE, and not for certain.
      this.#none(to, state, state < 194 ? UNCERTAIN.skipped : state);
    } else {
      const at = table.find(input, this.#key, row, now);
      if (at === answer.waiting) return false;
      const worst = table.state > state ? table.state : state;
      if (at >= 0) this.#take(at, to, worst);
      else if (at === answer.missing) this.#none(to, NULL, worst);
      else this.#none(to, table.state, table.state);
    }
    copyStamp(input, from, output, to);
    for (let i = 0; i < this.#passes.length; i++) {
      const pass = this.#passes[i]!;
      copyCell(input, pass.from, from, output, pass.to, to);
    }
    return true;
  }

  #take(at: number, to: number, state: number): void {
    const { output, table } = this.#site;
    const { F, U } = output.arena;
    const w = to & output.mask;
    for (let i = 0; i < this.#columns.length; i++) {
      const column = this.#columns[i]!;
      copyCell(table.rows, column.from, at, output, column.to, to);
      if (U[column.to.state + w]! < state) U[column.to.state + w] = state;
    }
    F[this.#found.payload + w] = 1;
    U[this.#found.state + w] = state;
  }

  /** No row: the table's columns have one state, `found` another. */
  #none(to: number, state: number, found: number): void {
    const { F, I, U } = this.#site.output.arena;
    const w = to & this.#site.output.mask;
    for (let i = 0; i < this.#columns.length; i++) {
      const { to: column } = this.#columns[i]!;
      // All bits zero, which is 0 of each kind.
      if (column.slot > 0) I[column.length + w] = 0;
      else F[column.payload + w] = 0;
      U[column.state + w] = state;
    }
    F[this.#found.payload + w] = 0;
    U[this.#found.state + w] = found;
  }
}

function columnOf(ring: Ring, name: string): Column {
  const column = ring.column(name);
  if (column === undefined) throw new Error(`bug: ring ${ring.name} has no column ${name}`);
  return column;
}
