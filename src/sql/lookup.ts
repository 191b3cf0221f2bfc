import { limits } from "../base.ts";
import {
  type Column, copyCell, copyCells, copyStamp, copyStamps, NULL, type Ring, UNCERTAIN,
  UNCERTAIN_MAX,
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
  /**
   * Of keys that stand in n rows of a ring, how many have a row that is known and good, from the
   * first one on; `found` then says where. Nothing is asked.
   */
  findKnown(
    ring: Ring, key: Column, from: number, n: number, now: number, found: Int32Array,
  ): number;
}

/** Of rows that are answered together: where they stand in the three rings. */
const asking = new Int32Array(limits.rows_per_step_max);
const known = new Int32Array(limits.rows_per_step_max);
const answered = new Int32Array(limits.rows_per_step_max);

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
    this.#rows_max = Math.min(limits.rows_per_step_max, output.rows >> 1);
  }

  run(from: number, to: number, now: number, _time: number): number {
    const { output } = this.#site;
    this.waits = false;
    const waiting = (to - from) | 0;
    const n = waiting < this.#rows_max ? waiting : this.#rows_max;
    output.claim(n);
    let done = 0;
    while (done < n) {
      done += this.#answer((from + done) | 0, (output.head + done) | 0, n - done, now);
      if (done === n || !this.#row((from + done) | 0, (output.head + done) | 0, now)) break;
      done++;
    }
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

  /** Rows whose keys are known and good, column by column: of `n` so many from the first one on. */
  #answer(from: number, to: number, n: number, now: number): number {
    const { input, output, table } = this.#site;
    const rows = table.findKnown(input, this.#key, from, n, now, known);
    for (let i = 0; i < rows; i++) {
      asking[i] = (from + i) & input.mask;
      answered[i] = (to + i) & output.mask;
    }
    copyStamps(input, asking, output, answered, 0, rows);
    for (const pass of this.#passes) {
      copyCells(input, pass.from, asking, output, pass.to, answered, 0, rows);
    }
    for (const column of this.#columns) {
      copyCells(table.rows, column.from, known, output, column.to, answered, 0, rows);
      this.#degrade(column.to, rows);
    }
    const { F, U } = output.arena, { payload, state } = this.#found;
    for (let i = 0; i < rows; i++) {
      F[payload + answered[i]!] = 1;
      U[state + answered[i]!] = input.arena.U[this.#key.state + asking[i]!]!;
    }
    return rows;
  }

  /** What is found is no better than its key. */
  #degrade({ state }: Column, rows: number): void {
    const { U } = this.#site.output.arena, keys = this.#site.input.arena.U;
    const at = this.#key.state;
    for (let i = 0; i < rows; i++) {
      const key = keys[at + asking[i]!]!, w = state + answered[i]!;
      if (U[w]! < key) U[w] = key;
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
