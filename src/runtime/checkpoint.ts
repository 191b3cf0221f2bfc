import { limits } from "../base.ts";
import type { Covered, Segment } from "../store.ts";
import type { RuleCut, RuleState } from "./rule-state.ts";

/** Where all rules stood at one moment; as JSON it is the last segment of a checkpoint. */
export interface Cut {
  readonly time: number;
  readonly rules: Readonly<Record<string, RuleCut>>;
  /** Epoch and next number of the sources with a journal. */
  readonly sources: Readonly<Record<string, { readonly epoch: number; readonly next: number;
    readonly shape: string }>>;
  /** First number that a sink has still to send, by `SINK of RULE`. */
  readonly sinks: Readonly<Record<string, number>>;
}

/**
 * One checkpoint being taken. Its rules stand still while their state is copied, some pages a turn;
 * polling and writing go on. Packed pages leave in commits of bounded size.
 */
export class Checkpoint {
  readonly number: number;
  readonly cut: Cut;
  readonly covered: readonly Covered[];
  /** Of the journal, that it covers. */
  readonly journalBytes: number;
  /** Bytes that it wrote, packed. */
  bytes = 0;
  readonly #states: readonly RuleState[];
  readonly #waiting: Segment[];
  #waitingBytes = 0;
  #rule = 0;
  #page = 0;

  constructor(
    number: number, cut: Cut, covered: readonly Covered[], states: readonly RuleState[],
    tails: readonly Segment[], journalBytes: number,
  ) {
    this.number = number;
    this.cut = cut;
    this.covered = covered;
    this.journalBytes = journalBytes;
    this.#states = states;
    this.#waiting = [...tails];
    this.#waitingBytes = tails.reduce((sum, { content }) => sum + content.length, 0);
    for (const { runner } of states) runner.paused = true;
  }

  get copied(): boolean {
    return this.#rule === this.#states.length;
  }

  /** No more is copied before something is written. */
  get full(): boolean {
    return this.#waitingBytes >= limits.checkpoint_waiting_bytes;
  }

  /** Copies at most `budget` bytes of state. */
  copy(budget: number): void {
    let left = budget;
    while (!this.copied && left > 0 && !this.full) {
      const state = this.#states[this.#rule]!;
      if (this.#page === state.pages.length) {
        state.runner.paused = false;
        this.#rule += 1;
        this.#page = 0;
        continue;
      }
      left -= state.pages[this.#page]!.bytes;
      const segment = state.page(this.#page++);
      if (segment === null) continue;
      this.#waiting.push(segment);
      this.#waitingBytes += segment.content.length;
    }
  }

  /** What the next commit takes; empty: everything is written. */
  take(): Segment[] {
    let bytes = 0;
    let n = 0;
    while (n < this.#waiting.length && bytes < limits.checkpoint_commit_bytes) {
      bytes += this.#waiting[n++]!.content.length;
    }
    this.#waitingBytes -= bytes;
    this.bytes += bytes;
    return this.#waiting.splice(0, n);
  }

  /** It is given up: nobody knows what of it is on disk. */
  drop(): void {
    for (const state of this.#states) {
      state.runner.paused = false;
      state.forget();
    }
  }
}
