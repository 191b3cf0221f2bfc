import { limits } from "../base.ts";
import type { SinkConfig } from "../config.ts";
import type { Sink } from "../connector.ts";
import { FLAG, type Ring } from "../ring.ts";
import { Changes } from "./sink-changes.ts";

/**
 * Drains one stream into one sink; rows that the sink was too slow for are counted, never silent.
 */
export class SinkRunner {
  readonly name: string;
  readonly stream: string;
  lost = 0;
  sent = 0;
  reason = "";
  readonly ring: Ring;
  readonly #sink: Sink;
  /** Rows that stand for an empty window are left out. */
  readonly #omitsEmpty: boolean;
  readonly #changes: Changes | null;
  #cursor: number;
  /** Rows before it are to be sent: they were asked for a change. */
  #judged: number;

  constructor(sink: Sink, ring: Ring, from: number, { name, omitIfEmpty, onChange }: SinkConfig) {
    this.name = name;
    this.#omitsEmpty = omitIfEmpty;
    this.#changes = onChange === null ? null : new Changes(ring, onChange);
    this.stream = ring.name;
    this.#sink = sink;
    this.ring = ring;
    this.#cursor = from;
    this.#judged = from;
  }

  /** How far it has read. */
  get cursor(): number {
    return this.#cursor;
  }

  /** The first row that is still to be sent, of those that a checkpoint brought back. */
  goOn(from: number): void {
    this.#cursor = from;
    this.#judged = from;
  }

  /** Rows before it have arrived, or are given up. */
  get settled(): number {
    return this.#sink.settled?.(this.#cursor) ?? this.#cursor;
  }

  /** It must not be overtaken: its sink waits for acknowledgements. */
  get waits(): boolean {
    return this.#sink.settled !== undefined;
  }

  end(): void {
    this.#sink.end?.();
  }

  /** True if rows are left that the sink can take at once. */
  step(): boolean {
    const { ring } = this;
    let lag = (ring.head - this.#cursor) | 0;
    if (lag === 0) return false;
    if (lag > ring.rows) {
      this.lost += lag - ring.rows;
      this.#cursor = (ring.head - ring.rows) | 0;
      lag = ring.rows;
      if (((this.#judged - this.#cursor) | 0) < 0) this.#judged = this.#cursor;
    }
    const to = (this.#cursor + Math.min(lag, limits.rows_per_step_max)) | 0;
    const end = this.#upToOmitted(to);
    const reached = this.#sink.drain(this.#cursor, end);
    this.sent += (reached - this.#cursor) | 0;
    this.#cursor = reached;
    if (reached !== end) return false;
    while (this.#cursor !== to && this.#omits(this.#cursor)) this.#cursor = (this.#cursor + 1) | 0;
    // Less than asked for: the sink wakes us when it can go on.
    return this.#cursor !== ring.head;
  }

  /** The first row before `to` that is not told. */
  #upToOmitted(to: number): number {
    if (!this.#omitsEmpty && this.#changes === null) return to;
    let seq = this.#cursor;
    while (seq !== to && !this.#omits(seq)) seq = (seq + 1) | 0;
    return seq;
  }

  /** Rows that are to be sent are judged once: they change what the next is compared with. */
  #omits(seq: number): boolean {
    if (((this.#judged - seq) | 0) > 0) return false;
    if (this.#omitsEmpty && this.#isEmpty(seq)) return true;
    if (this.#changes?.isTold(seq) === false) return true;
    this.#judged = (seq + 1) | 0;
    return false;
  }

  #isEmpty(seq: number): boolean {
    const { arena: { U }, flagsAt, mask } = this.ring;
    return (U[flagsAt + (seq & mask)]! & FLAG.empty) !== 0;
  }
}
