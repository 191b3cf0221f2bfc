import { assert, limits, nextPowerOfTwo } from "../base.ts";
import {
  type Column, type ColumnSpec, copyCell, copyStamp, hashCell, Ring, UNCERTAIN_MAX,
} from "../ring.ts";
import { fieldByte, fieldIndex, Layout } from "./emit/params.ts";
import { left_column, type StageInput } from "./emit/stages.ts";
import type { ArrangePlan, Site, SortKey, Stage, StageCounters } from "./program.ts";
import { compareRows, haveOrder, type Key, sortRows } from "./sort.ts";

/** The plan of what is done with all rows of a closed window, `rows` at most. */
export function arrangeStage(
  input: StageInput,
  { passes, rows, ...parts }: {
    readonly passes: readonly ColumnSpec[]; readonly rows: number;
  } & Pick<ArrangePlan, "having" | "numbers" | "distinct" | "order" | "limit">,
): ArrangePlan {
  const numbers = parts.numbers.map(({ name }): ColumnSpec => ({ name, kind: "int53", slot: 0 }));
  const kept = input.columns.filter(({ name }) => name !== left_column.name);
  const ring = Ring.layout("arranged", [...kept, ...numbers],
    nextPowerOfTwo(Math.max(limits.ring_rows_min, rows)));
  const state = new Layout();
  state.add("words", "F", 6);
  state.add("order", "I", ring.rows);
  state.add("scratch", "I", ring.rows);
  if (parts.distinct !== null) state.add("table", "I", 2 * ring.rows);
  state.add("rows", "U", ring.bytes);
  const output = [...passes, ...numbers, ...(input.oldest === null ? [] : [input.oldest])];
  return {
    kind: "arrange", ...parts, passes: passes.map(({ name }) => name), ring, state,
    strict: input.strict, input: input.columns, output, outputRows: 0, stateBytes: state.bytes,
    text: "",
  };
}

/** Words of the state field `words`, float64. */
const word = {
  /** Rows of the window that have come. */
  rows: 0,
  /** Of these, those that pass HAVING: their numbers begin the field `order`. */
  passed: 1,
  /** 1 = the window is complete, its rows are being written. */
  closing: 2,
  /** Rows to be written, and rows written. */
  last: 3, written: 4,
  /** Rows that the newest one says are still to come. */
  left: 5,
} as const;

interface Numbering {
  readonly column: Column;
  readonly partition: readonly Key[];
  readonly keys: readonly Key[];
}

/**
 * Looks at all rows of a closed window together: numbers, DISTINCT, ORDER BY, LIMIT. Each row says
 * how many of its window are still to come (`$left`); they are kept in a ring of its own, which has
 * room for all that a window gives. Its state block:
 *
 *     words     F × 6       see above
 *     order     I × rows    numbers of the rows that pass HAVING, in the order in which they go out
 *     scratch   I × rows    room to put them in order
 *     table     I × 2 rows  DISTINCT: open addressing, row + 1
 *     rows      U × n       the ring: columns that go out, numbers, keys
 */
export class ArrangeStage implements Stage {
  readonly counters: StageCounters = { in: 0, out: 0, errors: 0, dropped: 0 };
  readonly #plan: ArrangePlan;
  readonly #input: Ring;
  readonly #output: Ring;
  readonly #kept: Ring;
  readonly #left: Column;
  readonly #having: Column | null;
  readonly #keep: readonly { readonly from: Column; readonly to: Column }[];
  readonly #give: readonly { readonly from: Column; readonly to: Column }[];
  readonly #numbers: readonly Numbering[];
  readonly #distinct: readonly Key[];
  readonly #order: readonly Key[];
  /** Indices: of the words in F, of the others in I. */
  readonly #at: number;
  readonly #orderAt: number;
  readonly #scratchAt: number;
  readonly #tableAt: number;
  readonly #rows_max: number;

  constructor(plan: ArrangePlan, { arena, input, output, state }: Site) {
    this.#plan = plan;
    this.#input = input!;
    this.#output = output;
    const kept = this.#kept =
      Ring.attach(arena, state.at + fieldByte(plan.state, "rows"), plan.ring);
    this.#left = columnOf(input!, left_column.name);
    this.#having = plan.having ? columnOf(kept, "$having") : null;
    const names = plan.numbers.map(({ name }) => name);
    this.#keep = kept.columns.filter(({ name }) => !names.includes(name))
      .map((to) => ({ from: columnOf(input!, to.name), to }));
    this.#give = output.columns.map((to) => ({ from: columnOf(kept, to.name), to }));
    const keyOf = (name: string): Key =>
      ({ column: columnOf(kept, name), descending: false, apart: true });
    const sorted = (keys: readonly SortKey[]): Key[] => keys.map(({ column, descending }) =>
      ({ column: columnOf(kept, column), descending, apart: false }));
    this.#numbers = plan.numbers.map(({ name, partition, order }) => {
      const parts = partition.map(keyOf);
      return { column: columnOf(kept, name), partition: parts, keys: [...parts, ...sorted(order)] };
    });
    this.#distinct = plan.distinct?.map(keyOf) ?? [];
    this.#order = sorted(plan.order);
    this.#at = fieldIndex(plan.state, "words", state.at);
    this.#orderAt = fieldIndex(plan.state, "order", state.at);
    this.#scratchAt = fieldIndex(plan.state, "scratch", state.at);
    this.#tableAt = plan.distinct === null ? 0 : fieldIndex(plan.state, "table", state.at);
    this.#rows_max = Math.min(limits.rows_per_step_max, output.rows >> 1);
  }

  get deadline(): number {
    return this.#closing ? 0 : Infinity;
  }

  run(from: number, to: number, _now: number, _time: number): number {
    let seq = from;
    let room = this.#rows_max - this.#write(this.#rows_max);
    while (!this.#closing && seq !== to) {
      const last = this.#take(seq);
      seq = (seq + 1) | 0;
      if (!last) continue;
      this.#arrange();
      room -= this.#write(room);
    }
    this.counters.in += (seq - from) | 0;
    return seq;
  }

  tick(_time: number): void {
    this.#write(this.#rows_max);
  }

  get #closing(): boolean {
    return this.#kept.arena.F[this.#at + word.closing] === 1;
  }

  /** True if it is the last of its window. */
  #take(seq: number): boolean {
    const { F } = this.#kept.arena, at = this.#at;
    const left = F[this.#left.payload + (seq & this.#input.mask)]!;
    // After a failure of the rule the rest of a window may never have come.
    if (F[at + word.rows]! > 0 && left !== F[at + word.left]! - 1) this.#forget();
    F[at + word.left] = left;
    const row = F[at + word.rows]!;
    assert(row < this.#kept.rows, "a window gives no more rows than it has groups");
    F[at + word.rows] = row + 1;
    copyStamp(this.#input, seq, this.#kept, row);
    for (let i = 0; i < this.#keep.length; i++) {
      const pair = this.#keep[i]!;
      copyCell(this.#input, pair.from, seq, this.#kept, pair.to, row);
    }
    if (this.#passes(row)) {
      this.#kept.arena.I[this.#orderAt + F[at + word.passed]!] = row;
      F[at + word.passed]! += 1;
    }
    return left === 0;
  }

  #forget(): void {
    const { F } = this.#kept.arena, at = this.#at;
    this.counters.dropped += F[at + word.rows]!;
    F[at + word.rows] = 0;
    F[at + word.passed] = 0;
  }

  /** HAVING; one that failed is counted. */
  #passes(row: number): boolean {
    if (this.#having === null) return true;
    const { F, U } = this.#kept.arena;
    const state = U[this.#having.state + row]!;
    if (state > (this.#plan.strict ? 0 : 193)) this.counters.errors += 1;
    return state <= (this.#plan.strict ? 0 : UNCERTAIN_MAX) &&
      F[this.#having.payload + row] !== 0;
  }

  #arrange(): void {
    const { F } = this.#kept.arena, at = this.#at;
    const n = F[at + word.passed]!;
    F[at + word.closing] = 1;
    F[at + word.written] = 0;
    F[at + word.last] = 0;
    const ordered = haveOrder(this.#kept, this.#order, this.#orderAt, n) &&
      this.#numbers.every(({ keys }) => haveOrder(this.#kept, keys, this.#orderAt, n));
    if (!ordered) {
      this.counters.errors += n;
      return;
    }
    for (let i = 0; i < this.#numbers.length; i++) this.#number(this.#numbers[i]!, n);
    const left = this.#plan.distinct === null ? n : this.#different(n);
    if (this.#order.length > 0) {
      sortRows(this.#kept, this.#order, this.#orderAt, left, this.#scratchAt);
    }
    F[at + word.last] = Math.min(left, this.#plan.limit ?? left);
  }

  #number({ column, partition, keys }: Numbering, n: number): void {
    const { F, I, U } = this.#kept.arena, at = this.#orderAt;
    // By partitions and in their order; then back as they came, for what comes after.
    if (keys.length > 0) sortRows(this.#kept, keys, at, n, this.#scratchAt);
    let number = 0;
    for (let i = 0; i < n; i++) {
      const row = I[at + i]!;
      const same = i > 0 && compareRows(this.#kept, partition, I[at + i - 1]!, row) === 0;
      number = same ? number + 1 : 1;
      F[column.payload + row] = number;
      U[column.state + row] = 0;
    }
    if (keys.length > 0) I.subarray(at, at + n).sort();
  }

  /** Leaves the first of equal rows, in their order; how many. */
  #different(n: number): number {
    const { I } = this.#kept.arena, at = this.#orderAt, table = this.#tableAt;
    const mask = 2 * this.#kept.rows - 1;
    I.fill(0, table, table + mask + 1);
    let left = 0;
    for (let i = 0; i < n; i++) {
      const row = I[at + i]!;
      let slot = this.#hash(row) & mask;
      while (I[table + slot] !== 0 && !this.#same(I[table + slot]! - 1, row)) {
        slot = slot + 1 & mask;
      }
      if (I[table + slot] !== 0) continue;
      I[table + slot] = row + 1;
      I[at + left++] = row;
    }
    return left;
  }

  #hash(row: number): number {
    const { F, U } = this.#kept.arena;
    let hash = 0;
    for (let i = 0; i < this.#distinct.length; i++) {
      const { column } = this.#distinct[i]!;
      const none = U[column.state + row]! > UNCERTAIN_MAX;
      // NaN is one value, whatever its bits.
      const odd = column.kind === "float64" && F[column.payload + row] !== F[column.payload + row];
      hash = Math.imul(hash, 31) ^ (none || odd ? 1 : hashCell(this.#kept, column, row));
    }
    return hash ^ hash >>> 15;
  }

  #same(a: number, b: number): boolean {
    const { U } = this.#kept.arena;
    for (let i = 0; i < this.#distinct.length; i++) {
      const { state } = this.#distinct[i]!.column;
      const x = U[state + a]!, y = U[state + b]!;
      // An error is another result than a missing value.
      if (x !== y && (x > 193 || y > 193)) return false;
    }
    return compareRows(this.#kept, this.#distinct, a, b) === 0;
  }

  /** Writes rows of the window, at most `room`; how many. */
  #write(room: number): number {
    const { F, I } = this.#kept.arena, at = this.#at;
    if (!this.#closing) return 0;
    const written = F[at + word.written]!;
    const left = F[at + word.last]! - written;
    const n = left < room ? left : room;
    this.#output.claim(n);
    for (let i = 0; i < n; i++) this.#put(I[this.#orderAt + written + i]!, i);
    this.#output.publish(n);
    this.counters.out += n;
    F[at + word.written] = written + n;
    if (n === left) {
      F[at + word.closing] = 0;
      F[at + word.rows] = 0;
      F[at + word.passed] = 0;
    }
    return n;
  }

  #put(row: number, ahead: number): void {
    const to = (this.#output.head + ahead) | 0;
    copyStamp(this.#kept, row, this.#output, to);
    for (let i = 0; i < this.#give.length; i++) {
      const pair = this.#give[i]!;
      copyCell(this.#kept, pair.from, row, this.#output, pair.to, to);
    }
  }
}

function columnOf(ring: Ring, name: string): Column {
  const column = ring.column(name);
  assert(column !== undefined, `ring ${ring.name} has no column ${name}`);
  return column;
}
