import { limits } from "../base.ts";
import type { ColumnSpec, Ring } from "../ring.ts";
import { Code } from "./emit/code.ts";
import { addJoinFields, joinKernel, type JoinSpec } from "./emit/joined.ts";
import { type Kernel, kernelOf } from "./emit/kernel.ts";
import { fieldIndex, Layout } from "./emit/params.ts";
import { bindParams } from "./emit/stage.ts";
import type { ScanPlan, Site, Stage, StageCounters } from "./program.ts";

/** A table as it was read last (runtime/scan.ts has the whole). */
export interface ScannedTable {
  readonly rows: Ring;
  /** Its rows: [from, to). */
  readonly from: number;
  readonly to: number;
  /** Nobody knows its rows yet: those that ask for them wait. */
  readonly waiting: boolean;
}

/** `capacity`: rows of the table at most. */
export function scanStage(
  table: string, capacity: number, input: readonly ColumnSpec[], spec: JoinSpec,
): ScanPlan {
  const code = new Code(new Layout());
  addJoinFields(code, spec);
  const text = joinKernel(code, spec);
  code.layout.add("params", "F", code.params.length);
  return {
    kind: "scan", table, input, output: spec.output.map((column) => column.spec), text,
    // Half of a ring is filled at a time, and a row may meet all of the table's.
    outputRows: 2 * capacity, params: code.params, state: code.layout,
    stateBytes: code.layout.bytes,
  };
}

/**
 * Joins each row with all rows of a table, by a nested loop. What a row gives is written as a whole
 * or, where there is no room for it, later.
 */
export class ScanStage implements Stage {
  readonly deadline = Infinity;
  readonly counters: StageCounters = { in: 0, out: 0, errors: 0, dropped: 0 };
  waits = false;
  readonly #kernel: Kernel;
  readonly #params: number;
  /** Index of its field `range` in I. */
  readonly #range: number;
  readonly #input: Ring;
  readonly #output: Ring;
  readonly #table: ScannedTable;
  readonly #rows_max: number;

  constructor(plan: ScanPlan, site: Site, table: ScannedTable) {
    this.#kernel = kernelOf(site.arena, plan.text);
    this.#params = bindParams(plan.state, plan.params,
      { ...site, newest: [...site.newest, table.rows] });
    this.#range = fieldIndex(plan.state, "range", site.state.at);
    this.#input = site.input!;
    this.#output = site.output;
    this.#table = table;
    this.#rows_max = site.output.rows >> 1;
  }

  run(from: number, to: number, _now: number, _time: number): number {
    this.waits = this.#table.waiting;
    let seq = from;
    let room = this.#rows_max;
    // Each row meets all of the table's, so that few rows may be work for a turn.
    let pairs: number = limits.scan_pairs_max;
    while (!this.waits && seq !== to && room > 0 && pairs > 0) {
      const rows = this.#row(seq, room);
      pairs -= (this.#table.to - this.#table.from) | 0;
      // The rows that there is no room for now come with those that there is room for then.
      if (rows < 0) break;
      room -= rows;
      seq = (seq + 1) | 0;
    }
    this.counters.in += (seq - from) | 0;
    return seq;
  }

  tick(_time: number): void {}

  /** Rows that one gives; -1: more than there is room for, so that none is written. */
  #row(seq: number, room: number): number {
    const output = this.#output;
    const { I, F } = output.arena;
    I[this.#range] = this.#table.from;
    I[this.#range + 1] = this.#table.to;
    output.claim(room);
    const rows = this.#kernel(this.#params, seq, (seq + 1) | 0, output.head, room);
    const missed = I[this.#range + 2]!;
    if (missed > 0 && room < this.#rows_max) return -1;
    const source = F[this.#input.sourceAt + (seq & this.#input.mask)]!;
    for (let i = 0; i < rows; i++) {
      F[output.sourceAt + ((output.head + i) & output.mask)] = source;
    }
    output.publish(rows);
    this.counters.out += rows;
    this.counters.dropped += missed;
    this.counters.errors += I[this.#range + 3]!;
    return rows;
  }
}
