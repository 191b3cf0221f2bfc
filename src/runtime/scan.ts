import { Fault, limits, reason } from "../base.ts";
import { cellOf, isMisfit } from "../codec.ts";
import type { TableConfig } from "../config.ts";
import type { Answer, Lookup } from "../connector.ts";
import {
  type Arena, type Block, type CellValue, gather, GOOD, sourcesOf, Ring, stateName, UNCERTAIN,
  writeCell,
} from "../ring.ts";
import type { ScannedTable } from "../sql.ts";
import type { TableCounters, TablePlan } from "./lookup.ts";

/** A question under way. */
interface Question {
  readonly since: number;
  readonly abort: AbortController;
}

/**
 * A table that is read as a whole, every half `ttl`, so that a row that counts as good was said by
 * the table at most `ttl` ago. Past it rows are as `onError` has them. Its ring has room for twice
 * its rows: new ones come behind those that are read, and then all change at once.
 */
export class ScanTable implements ScannedTable {
  readonly name: string;
  readonly type: string;
  readonly rows: Ring;
  /** Of the arena. */
  readonly blocks: readonly Block[];
  readonly counters: TableCounters = {
    hits: 0, asked: 0, questions: 0, failed: 0, stale: 0, unanswered: 0, evicted: 0,
  };
  from = 0;
  to = 0;
  /** Where its rows go each time that it was read, if a rule reads it by itself. */
  stream: Ring | null;
  waiting = true;
  lastError = "";
  readonly #source: Lookup;
  readonly #table: TableConfig;
  readonly #wake: () => void;
  #question: Question | null = null;
  #failures = 0;
  #is: "good" | "stale" | "gone" = "good";
  /** It was read, and its stream does not have these rows yet. */
  #isNew = false;
  /** Monotonic ms: the table was read last, is read next. */
  #readAt = -Infinity;
  #dueAt = -Infinity;
  #now = 0;

  constructor(
    { table, layout }: TablePlan, arena: Arena, source: Lookup, stream: Ring | null,
    wake: () => void,
  ) {
    this.name = table.name;
    this.type = table.type;
    this.#source = source;
    this.stream = stream;
    this.#table = table;
    this.#wake = wake;
    const { ring, block } = Ring.create(arena, layout);
    this.rows = ring;
    this.blocks = [block];
  }

  get capacity(): number {
    return this.#table.capacity;
  }

  get failing(): boolean {
    return this.#failures > 0;
  }

  get known(): number {
    return (this.to - this.from) | 0;
  }

  /** Reads it when it is time, gives up what is late; when to come again (monotonic ms). */
  step(now: number, time: number): number {
    const { deadline } = this.#table;
    this.#now = now;
    const question = this.#question;
    if (question !== null && now - question.since >= deadline) {
      this.#question = null;
      question.abort.abort();
      this.#fail(`no answer within ${deadline} ms`);
    }
    if (this.#isNew) this.#give(time);
    if (this.#question === null && now >= this.#dueAt) this.#ask();
    const next = this.#question === null ? this.#dueAt : this.#question.since + deadline;
    return Math.min(next, this.#age());
  }

  async close(): Promise<void> {
    this.#question?.abort.abort();
    await this.#source.close();
  }

  #ask(): void {
    const question: Question = { since: this.#now, abort: new AbortController() };
    this.#question = question;
    this.counters.questions++;
    this.#source.list!(this.#table.capacity, question.abort.signal).then(
      (rows) => {
        // A late answer is none.
        if (this.#question === question) this.#take(rows, question.since);
      },
      (thrown) => {
        if (this.#question === question) this.#fail(reason(thrown));
      },
    ).finally(() => {
      if (this.#question === question) this.#question = null;
      this.#wake();
    });
  }

  #take(answers: readonly Answer[], since: number): void {
    try {
      this.#write(answers);
    } catch (thrown) {
      return this.#fail(reason(thrown));
    }
    this.#failures = 0;
    this.#readAt = since;
    this.#dueAt = since + this.#table.ttl / 2;
    this.#is = "good";
    this.#isNew = true;
    this.waiting = false;
  }

  /** Its rows are those of this moment. */
  #give(time: number): void {
    this.#isNew = false;
    const { stream, rows } = this;
    if (stream === null) return;
    const n = this.known;
    stream.claim(n);
    gather(rows, this.from, stream, stream.head, n, sourcesOf(rows, stream));
    const { F } = stream.arena;
    for (let i = 0; i < n; i++) F[stream.timeAt + ((stream.head + i) & stream.mask)] = time;
    stream.publish(n);
    this.#wake();
  }

  /** All rows, or a Fault and none of them. */
  #write(answers: readonly Answer[]): void {
    const { columns } = this.rows.layout;
    const cells = answers.map((answer, row) => columns.map((spec, i): CellValue => {
      const cell = cellOf(answer[i], spec);
      if (!isMisfit(cell)) return cell;
      throw new Fault("table-value", `row ${row + 1}: ${spec.name} is no ${spec.kind} ` +
        `(${stateName(cell.error)}): ${cell.text}`);
    }));
    const ring = this.rows;
    const { F, U } = ring.arena;
    const head = ring.head;
    ring.claim(cells.length);
    cells.forEach((row, i) => {
      const at = (head + i) & ring.mask;
      // Older than any row that it stands beside.
      F[ring.timeAt + at] = 0;
      F[ring.sourceAt + at] = NaN;
      U[ring.flagsAt + at] = 0;
      ring.columns.forEach((column, n) => writeCell(ring, column, (head + i) | 0, row[n]!));
    });
    ring.publish(cells.length);
    this.from = head;
    this.to = ring.head;
    this.counters.asked += cells.length;
  }

  /** What becomes of rows that the table has not said for `ttl`; until when it is so. */
  #age(): number {
    const { ttl, onError } = this.#table;
    if (this.#readAt === -Infinity && this.#failures === 0) return Infinity;
    const staleAt = this.#readAt + ttl;
    const goneAt = staleAt + (onError.kind === "stale" ? onError.ms : 0);
    if (this.#now <= staleAt) return staleAt + 1;
    const is = this.#now > goneAt ? "gone" : "stale";
    if (is !== this.#is) this.#become(is);
    return is === "stale" ? goneAt + 1 : Infinity;
  }

  #become(is: "stale" | "gone"): void {
    this.#is = is;
    if (is === "stale") {
      this.#doubt();
      return;
    }
    this.waiting = this.#table.onError.kind === "hold";
    if (!this.waiting) this.from = this.to;
  }

  /** No cell is good any more. */
  #doubt(): void {
    const { U } = this.rows.arena;
    for (let seq = this.from; seq !== this.to; seq = (seq + 1) | 0) {
      for (const column of this.rows.columns) {
        const at = column.state + (seq & this.rows.mask);
        if (U[at] === GOOD) U[at] = UNCERTAIN.stale;
      }
    }
    this.counters.stale += this.known;
  }

  #fail(why: string): void {
    this.#failures++;
    this.counters.failed++;
    this.lastError = why;
    this.#dueAt = this.#now +
      Math.min(limits.reconnect_ms_max, limits.reconnect_ms_min * 2 ** this.#failures);
  }
}
