import type { Intake } from "../connector.ts";
import { limits } from "../base.ts";
import { gather, packRows, type Ring, sourcesOf, type Sources } from "../ring.ts";
import { seal, type Segment } from "../store.ts";

/** One message of a source: its rows end before inlet row `end`. */
interface Message {
  readonly end: number;
  readonly mark: string;
  durable(): void;
}

/**
 * The step between a source that can wait and its stream: rows come into an inlet, go into a
 * segment, and only when that is durable into the stream; then their messages are acknowledged. So
 * nothing is ever worked out from a row that a restart would not know of.
 *
 *     source ─▶ inlet ─▶ segment on disk ─▶ stream ─▶ rules
 *                              └──────▶ acknowledged
 */
export class Journal implements Intake {
  readonly inlet: Ring;
  readonly stream: Ring;
  /** Marks of the newest messages that were durable at the start, oldest first. */
  marks: readonly string[] = [];
  newest: string | null = null;
  /** Marks of its newest messages that are kept. */
  readonly marks_min: number;
  /** Hash of what the rows mean. */
  readonly shape: string;
  readonly #sources: Sources;
  readonly #wake: () => void;
  readonly #messages: Message[] = [];
  /** Mark of the newest message that became durable in this life. */
  #settled: string | null = null;
  /** Inlet rows before it are in the stream. */
  #cursor = 0;
  #waiting: (() => void)[] = [];

  constructor(inlet: Ring, stream: Ring, marks_min: number, wake: () => void) {
    this.inlet = inlet;
    this.stream = stream;
    this.marks_min = marks_min;
    this.#sources = sourcesOf(inlet, stream);
    this.#wake = wake;
    const columns = stream.layout.columns.map(({ name, kind, slot, eu }) => [name, kind, slot, eu]);
    this.shape = Bun.hash(JSON.stringify(columns)).toString(36);
  }

  get rows_max(): number {
    return this.inlet.rows >> 1;
  }

  get open(): boolean {
    return ((this.inlet.head - this.#cursor) | 0) <= this.rows_max &&
      this.#messages.length < limits.journal_messages_max;
  }

  whenOpen(go: () => void): void {
    this.#waiting.push(go);
  }

  commit(mark: string, durable: () => void): void {
    this.newest = mark;
    this.#messages.push({ end: this.inlet.head, mark, durable });
    this.#wake();
  }

  /** Goes on where a stream of the same name and other columns leaves off. */
  follow(before: Journal): void {
    this.marks = before.marks;
    this.newest = before.#settled ?? before.marks.at(-1) ?? null;
  }

  /** Nobody reads the stream any more: what waits for room need not. */
  close(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Rows or messages that are not durable yet. */
  get pending(): boolean {
    return this.#messages.length > 0;
  }

  /** Whole messages of at most `room` rows as one segment; how many, and null if they have none. */
  take(room: number): { messages: number; segment: Segment | null } {
    let messages = 0;
    const marks: [number, string][] = [];
    let end = this.#cursor;
    for (const message of this.#messages) {
      if (((message.end - this.#cursor) | 0) > room) break;
      end = message.end;
      messages += 1;
      marks.push([(end - this.#cursor) | 0, message.mark]);
    }
    const rows = (end - this.#cursor) | 0;
    if (rows === 0) return { messages, segment: null };
    const { inlet, stream } = this;
    const timeOf = (seq: number): number => inlet.arena.F[inlet.timeAt + (seq & inlet.mask)]!;
    return { messages, segment: seal({
      kind: "journal", owner: stream.name, epoch: stream.numbering.epoch,
      first: stream.numbering.of(stream.head), rows, from: timeOf(this.#cursor),
      to: timeOf((end - 1) | 0), shape: this.shape, marks: JSON.stringify(marks),
    }, packRows(inlet, this.#cursor, rows)) };
  }

  /** The first `messages` are durable: their rows may be worked with. */
  settle(messages: number): void {
    const done = this.#messages.splice(0, messages);
    const { inlet, stream } = this;
    const end = done.at(-1)?.end ?? this.#cursor;
    const rows = (end - this.#cursor) | 0;
    if (rows > 0) {
      stream.claim(rows);
      gather(inlet, this.#cursor, stream, stream.head, rows, this.#sources);
      stream.publish(rows);
    }
    this.#cursor = end;
    this.#settled = done.at(-1)?.mark ?? this.#settled;
    for (const { durable } of done) durable();
    if (!this.open) return;
    for (const go of this.#waiting.splice(0)) go();
  }
}
