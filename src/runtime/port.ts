import { limits } from "../base.ts";
import type { DriverTag, SessionCounters } from "../driver.ts";
import type { Frames } from "./frames.ts";
import type { LinkRunner } from "./link.ts";
import type { LinkView } from "./view.ts";

/**
 * A number has at most four registers; a text its length in one byte, and itself. In whole words of
 * eight, as slots are.
 */
export const raw_bytes_max = 8 * Math.ceil((1 + limits.text_write_bytes_max) / 8);

/**
 * How a job of the gate ended: the exchange's result, exception code, whether bytes left, and of a
 * write when (monotonic ms, NaN = not known) and which (null = none, or not known).
 */
export type JobDone = (
  result: number, exception: number, sent: boolean, leftAt: number, frame: Uint8Array | null,
) => void;

/** The last word on a write, compared by whoever puts the bytes on the wire (W11). */
export interface Guard {
  /** Number of the arming under which the command was admitted. */
  readonly arming: number;
  /** The command's own: monotonic ms after which the frame may not leave, nor arrive over TCP. */
  readonly notAfter: number;
  /** What `last` looks at besides the command: a poll of these under way ends first. */
  readonly streams: ReadonlySet<string>;
  /**
   * Everything the gate looks at; called on its own thread. Monotonic ms until which what it saw
   * stays young, for a sender that comes later than the look; null = the frame must not leave.
   * `answer_ms`: how long the last answer took, where a write is taken back that has none by
   * `notAfter`.
   */
  last(now: number, answer_ms?: number): number | null;
}

/** One link as the gate and the API see it, whichever thread it runs on. */
export interface LinkPort {
  readonly name: string;
  /** The peer address that answers, empty if none did yet. */
  readonly peer: string;
  readonly open: boolean;
  /**
   * Reads the raw words of one tag in one request. `notAfter`: monotonic ms after which nobody
   * waits for them, and none is begun. False = busy.
   */
  read(tag: DriverTag, raw: Uint8Array, notAfter: number, done: JobDone): boolean;
  /** Writes the raw words of one tag in one frame, at most once. False = busy. */
  write(tag: DriverTag, raw: Uint8Array, guard: Guard, done: JobDone): boolean;
  /**
   * W4: a write that left and waits for its answer ends now as at its deadline, and nothing of it
   * may leave later. Left out: it ends soon by itself.
   */
  giveUpWrite?(): void;
  /** ms that values of a stream may be older than their rows; left out: they are not. */
  lag_ms?(stream: string): number;
  /** Rows of the link's thread that were lapped before they were taken. */
  readonly lost?: number;
  /** A serial worker compares these itself (W11); a link of this thread needs none. */
  setArming?(tag: string, number: number): void;
  setLatch?(latched: boolean): void;
  /** Moves what is due; gives the monotonic ms of the next call. */
  step(now: number, time: number): number;
  view(now: number): LinkView;
  /** What passed on the medium since number `after`, as long as somebody goes on asking. */
  readonly frames: Frames;
  close(): void;
}

/** A link that runs on this thread. */
export class LocalPort implements LinkPort {
  readonly #runner: LinkRunner;
  readonly #type: string;
  readonly frames: Frames;

  constructor(runner: LinkRunner, type: string, frames: Frames) {
    this.#runner = runner;
    this.#type = type;
    this.frames = frames;
  }

  get name(): string {
    return this.#runner.name;
  }

  get peer(): string {
    return this.#runner.peer;
  }

  get open(): boolean {
    return this.#runner.state === "open";
  }

  read(tag: DriverTag, raw: Uint8Array, notAfter: number, done: JobDone): boolean {
    return this.#runner.submit({ kind: "read", tag, raw, last: until(notAfter), done });
  }

  write(tag: DriverTag, raw: Uint8Array, guard: Guard, done: JobDone): boolean {
    const { counters } = this.#runner.session;
    return this.#runner.submit({
      kind: "write", tag, raw, done, streams: guard.streams,
      // Looked at and sent in one go: what was young is young enough, whenever the answer comes.
      last: (now) => guard.last(now, counters.roundTrip) === null ? null : guard.notAfter,
    });
  }

  giveUpWrite(): void {
    this.#runner.giveUpWrite();
  }

  step(now: number): number {
    return this.#runner.step(now);
  }

  view(now: number): LinkView {
    return viewOf(this.#runner, this.#type, now);
  }

  close(): void {
    this.#runner.close();
  }
}

/** What a read has in the place of a last look. */
export const until = (notAfter: number) => (now: number): number | null =>
  now <= notAfter ? notAfter : null;

/** A runner's state as the API shows it; a serial worker sends the same. */
export function viewOf(runner: LinkRunner, type: string, now: number): LinkView {
  const counters: SessionCounters = runner.session.counters;
  return {
    name: runner.name,
    type,
    state: runner.state,
    reason: runner.reason,
    since_ms: now - runner.since,
    peer: runner.peer,
    opens: runner.opens,
    counters: { ...counters },
    lastError: runner.session.trouble ?? "",
    refusals: Object.fromEntries([...runner.session.refusals ?? []]
      .map(([tag, said]) => [tag.id, said])),
    polls: runner.polls.map((poll) => ({
      stream: poll.group.stream, interval_ms: poll.group.interval,
      polls: poll.polls, failed: poll.failed, missed: poll.missed, started_ms: poll.started,
      refused: poll.refused,
    })),
    stations: runner.stationViews(now),
  };
}
