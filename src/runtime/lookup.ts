import { Fault, limits, nextPowerOfTwo, reason } from "../base.ts";
import type { TableConfig } from "../config.ts";
import { cellOf, isMisfit } from "../codec.ts";
import type { Answer, Lookup } from "../connector.ts";
import {
  type Arena, BAD, type Block, type CellValue, type Column, copyCell, GOOD, hashCell, readCell,
  Ring, type RingLayout, sameCell, stateName, tagColumn, UNCERTAIN, UNCERTAIN_MAX,
  writeCell,
} from "../ring.ts";
import { answer, type StageTable } from "../sql.ts";

/** What a table is made of; `bytes` is what it needs of the arena. */
export interface TablePlan {
  readonly table: TableConfig;
  readonly layout: RingLayout;
  /** Of the index beside the ring; 0 where rows are not asked for by key. */
  readonly indexBytes: number;
}

export function planTable(table: TableConfig): TablePlan {
  // What is read as a whole stands there twice while it changes.
  const rows = nextPowerOfTwo(table.capacity * (table.key === null ? 2 : 1));
  const columns = table.columns.map(({ name, type }) => tagColumn(name, type));
  return { table, layout: Ring.layout(`table ${table.name}`, columns, rows),
    indexBytes: table.key === null ? 0 : rows * index_bytes };
}

/** What is known of a key. */
const known = { free: 0, asked: 1, row: 2, missing: 3 } as const;

/**
 * The index beside the ring of known rows, for each of its rows; `heads` is hashed, chains go by
 * `next`:
 *
 *     fetched  F × 1   when the table said so (monotonic ms)
 *     asked    F × 1   since when an answer is waited for, Infinity = it is not
 *     retry    F × 1   not asked again before, after a failure
 *     heads    I × 2   row + 1, 0 = none
 *     next     I × 1   row + 1, 0 = none
 *     known    U × 1
 *     failure  U × 1   state of the last failure, 0 = none since the last answer
 */
const index_bytes = 8 + 8 + 8 + 8 + 4 + 1 + 1;

/** Counted since the start; for the API and the metrics. */
export interface TableCounters {
  /** Rows that were answered from what is known. */
  hits: number;
  /** Keys that the table was asked for, and in how many questions. */
  asked: number;
  questions: number;
  /** Questions without an answer: an error, too late, or a row that does not fit its columns. */
  failed: number;
  /** Rows answered with a stale row; and with nothing, because the table cannot say. */
  stale: number;
  unanswered: number;
  /** Known rows that made room for others. */
  evicted: number;
}

/** A question under way. */
interface Question {
  readonly rows: readonly number[];
  readonly since: number;
  readonly abort: AbortController;
  late: boolean;
}

/** Questions to one table at a time: what comes meanwhile goes together into the next one. */
const questions_max = 2;

/**
 * A table that rows are looked up in: a cache of its rows by key, of declared capacity (the oldest
 * makes room), and the questions to the table itself. A row is good for `ttl`; what the table
 * cannot say is as `onError` has it. Nothing here waits: an answer wakes the loop.
 */
export class LookupCache implements StageTable {
  readonly name: string;
  readonly type: string;
  readonly rows: Ring;
  /** Of the arena. */
  readonly blocks: readonly Block[];
  state: number = GOOD;
  readonly counters: TableCounters = {
    hits: 0, asked: 0, questions: 0, failed: 0, stale: 0, unanswered: 0, evicted: 0,
  };
  readonly source: Lookup;
  lastError = "";
  readonly #table: TableConfig;
  readonly #key: Column;
  readonly #wake: () => void;
  readonly #heads: number;
  readonly #slots: number;
  readonly #next: number;
  readonly #fetched: number;
  readonly #asked: number;
  readonly #retry: number;
  readonly #known: number;
  readonly #failure: number;
  /** Rows whose keys are to be asked for. */
  #waiting: number[] = [];
  readonly #open = new Set<Question>();
  /** Rows that wait for the table to answer again ("hold"). */
  readonly #held = new Set<number>();
  /** Where the next new key goes; failures one after the other; the time of the last call. */
  #end = 0;
  #failures = 0;
  #now = 0;

  constructor(plan: TablePlan, arena: Arena, source: Lookup, wake: () => void) {
    const { table, layout } = plan;
    this.name = table.name;
    this.type = table.type;
    this.source = source;
    this.#table = table;
    this.#wake = wake;
    const { ring, block } = Ring.create(arena, layout);
    this.rows = ring;
    this.#key = this.rows.column(table.key!)!;
    const index = arena.take(plan.indexBytes, `table ${table.name} index`);
    this.blocks = [block, index];
    const { at } = index;
    const n = this.rows.rows;
    this.#slots = 2 * n;
    this.#fetched = at / 8;
    this.#asked = this.#fetched + n;
    this.#retry = this.#asked + n;
    this.#heads = 2 * (this.#retry + n);
    this.#next = this.#heads + this.#slots;
    this.#known = 4 * (this.#next + n);
    this.#failure = this.#known + n;
  }

  get capacity(): number {
    return this.rows.rows;
  }

  /** The last question failed. */
  get failing(): boolean {
    return this.#failures > 0;
  }

  get known(): number {
    return Math.min(this.#end, this.rows.rows);
  }

  find(ring: Ring, key: Column, row: number, now: number): number {
    this.#now = now;
    if (!this.#fits(ring, key, row)) {
      this.state = GOOD;
      return answer.missing;
    }
    const { F, U } = this.rows.arena;
    const head = this.#heads + (hashCell(ring, key, row) & (this.#slots - 1));
    let at = this.#lookFor(ring, key, row, head);
    if (at < 0) at = this.#add(ring, key, row, head);
    if (at < 0) return answer.waiting;
    const had = U[this.#known + at]! >= known.row;
    if (had && now - F[this.#fetched + at]! <= this.#table.ttl) {
      this.counters.hits++;
      this.state = GOOD;
      return U[this.#known + at] === known.row ? at : answer.missing;
    }
    if (F[this.#asked + at] === Infinity && now >= F[this.#retry + at]!) {
      F[this.#asked + at] = now;
      this.#waiting.push(at);
    }
    return U[this.#failure + at] === 0 ? answer.waiting : this.#without(at, had, now);
  }

  findKnown(
    ring: Ring, key: Column, from: number, n: number, now: number, found: Int32Array,
  ): number {
    const { F, U } = this.rows.arena, states = ring.arena.U;
    let i = 0;
    for (; i < n; i++) {
      const row = (from + i) & ring.mask;
      if (states[key.state + row]! > UNCERTAIN_MAX || !this.#fits(ring, key, row)) break;
      const head = this.#heads + (hashCell(ring, key, row) & (this.#slots - 1));
      const at = this.#lookFor(ring, key, row, head);
      if (at < 0 || U[this.#known + at] !== known.row) break;
      if (now - F[this.#fetched + at]! > this.#table.ttl) break;
      found[i] = at;
    }
    this.counters.hits += i;
    this.state = GOOD;
    return i;
  }

  /** A longer key than the table has room for is none of its. */
  #fits(ring: Ring, key: Column, row: number): boolean {
    return key.slot === 0 || ring.arena.I[key.length + (row & ring.mask)]! <= this.#key.slot;
  }

  /** Sends what is to be asked, gives up what is late; when to come again (monotonic ms). */
  step(now: number): number {
    this.#now = now;
    let deadline = Infinity;
    for (const question of this.#open) {
      const due = question.since + this.#table.deadline;
      if (!question.late && due <= now) {
        question.late = true;
        question.abort.abort();
        this.#fail(question.rows, BAD.timeout, `no answer within ${this.#table.deadline} ms`);
        deadline = now;
      } else if (!question.late) deadline = Math.min(deadline, due);
    }
    while (this.#waiting.length > 0 && this.#open.size < questions_max) {
      this.#question(this.#waiting.splice(0, limits.lookup_keys_max), now);
      deadline = Math.min(deadline, now + this.#table.deadline);
    }
    // "hold": the rows that wait ask again themselves, when they are woken.
    const { F } = this.rows.arena;
    for (const at of this.#held) deadline = Math.min(deadline, F[this.#retry + at]!);
    this.#held.clear();
    return deadline;
  }

  async close(): Promise<void> {
    for (const { abort } of this.#open) abort.abort();
    await this.source.close();
  }

  /** The table cannot say now. */
  #without(at: number, had: boolean, now: number): number {
    const { F, U } = this.rows.arena;
    const { onError, ttl } = this.#table;
    if (onError.kind === "hold") {
      if (F[this.#asked + at] === Infinity) this.#held.add(at);
      return answer.waiting;
    }
    if (onError.kind === "stale" && had && now - F[this.#fetched + at]! <= ttl + onError.ms) {
      this.counters.stale++;
      this.state = UNCERTAIN.stale;
      return U[this.#known + at] === known.row ? at : answer.missing;
    }
    this.counters.unanswered++;
    this.state = U[this.#failure + at]!;
    return answer.failed;
  }

  #lookFor(ring: Ring, key: Column, row: number, head: number): number {
    const { I } = this.rows.arena;
    for (let e = I[head]!; e !== 0; e = I[this.#next + e - 1]!) {
      if (sameCell(ring, key, row, this.rows, this.#key, e - 1)) return e - 1;
    }
    return -1;
  }

  /** Room for a new key: the oldest one goes, unless its answer is waited for (−1). */
  #add(ring: Ring, key: Column, row: number, head: number): number {
    const { F, I, U } = this.rows.arena;
    const at = this.#end & this.rows.mask;
    if (U[this.#known + at] !== known.free) {
      if (F[this.#asked + at] !== Infinity) return -1;
      this.#unlink(at);
      this.counters.evicted++;
    }
    this.#end++;
    copyCell(ring, key, row, this.rows, this.#key, at);
    U[this.#key.state + at] = GOOD;
    U[this.#known + at] = known.asked;
    U[this.#failure + at] = 0;
    F[this.#asked + at] = Infinity;
    F[this.#retry + at] = 0;
    I[this.#next + at] = I[head]!;
    I[head] = at + 1;
    return at;
  }

  #unlink(at: number): void {
    const { I } = this.rows.arena;
    const hash = hashCell(this.rows, this.#key, at) & (this.#slots - 1);
    let place = this.#heads + hash;
    while (I[place] !== at + 1) place = this.#next + I[place]! - 1;
    I[place] = I[this.#next + at]!;
  }

  #question(rows: readonly number[], now: number): void {
    const abort = new AbortController();
    const question: Question = { rows, since: now, abort, late: false };
    const keys = rows.map((at) => readCell(this.rows, this.#key, at));
    this.#open.add(question);
    this.counters.questions++;
    this.counters.asked += keys.length;
    this.source.ask(keys, abort.signal).then(
      (found) => {
        // A late answer is none: its places may be those of other keys by now.
        if (!question.late) rows.forEach((at, i) => this.#take(at, found[i] ?? null));
      },
      (thrown) => {
        if (!question.late) this.#fail(rows, BAD.disconnected, reason(thrown));
      },
    ).finally(() => {
      this.#open.delete(question);
      this.#wake();
    });
  }

  #take(at: number, row: Answer | null | Fault): void {
    const { F, U } = this.rows.arena;
    if (row instanceof Fault) return this.#fail([at], BAD.source, row.message);
    if (row !== null) {
      const wrong = this.#write(at, row);
      if (wrong !== null) return this.#fail([at], BAD.source, wrong);
    }
    U[this.#known + at] = row === null ? known.missing : known.row;
    F[this.#fetched + at] = this.#now;
    F[this.#asked + at] = Infinity;
    U[this.#failure + at] = 0;
    this.#failures = 0;
  }

  /** All cells of a row, or why not one of them. */
  #write(at: number, row: Answer): string | null {
    const cells: CellValue[] = [];
    for (const [i, spec] of this.rows.layout.columns.entries()) {
      const cell = cellOf(row[i], spec);
      if (isMisfit(cell)) {
        return `${spec.name} is no ${spec.kind} (${stateName(cell.error)}): ${cell.text}`;
      }
      cells.push(cell);
    }
    this.rows.columns.forEach((column, i) => {
      if (column !== this.#key) writeCell(this.rows, column, at, cells[i]!);
    });
    return null;
  }

  #fail(rows: readonly number[], state: number, why: string): void {
    const { F, U } = this.rows.arena;
    this.#failures++;
    this.counters.failed++;
    this.lastError = why;
    const pause = Math.min(limits.reconnect_ms_max, limits.reconnect_ms_min * 2 ** this.#failures);
    for (const at of rows) {
      F[this.#asked + at] = Infinity;
      F[this.#retry + at] = this.#now + pause;
      U[this.#failure + at] = state;
    }
  }
}
