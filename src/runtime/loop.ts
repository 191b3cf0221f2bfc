import type { Clock } from "../base.ts";

/** What a thread turns: works off what is due and says when (monotonic ms) it wants to go on. */
export interface Turning {
  turn(now: number, time: number): number;
}

/**
 * Drives turns on a thread with an event loop. Callbacks only fill buffers and call `wake`; the
 * turn comes right after them. Timers of the engine drop the fraction of a millisecond, so a wait
 * is rounded up and a turn may start up to 1 ms late, never early.
 */
export class Loop {
  turns = 0;
  /** Longest turn, ms. */
  longest = 0;
  readonly #clock: Clock;
  readonly #work: Turning;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #woken = false;
  #stopped = false;

  constructor(clock: Clock, work: Turning) {
    this.#clock = clock;
    this.#work = work;
  }

  readonly wake = (): void => {
    if (this.#woken || this.#stopped) return;
    this.#woken = true;
    setImmediate(this.#turn);
  };

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  readonly #turn = (): void => {
    if (this.#stopped) return;
    this.#woken = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const now = this.#clock.now();
    const deadline = this.#work.turn(now, this.#clock.time());
    const after = this.#clock.now();
    this.turns += 1;
    this.longest = Math.max(this.longest, after - now);
    if (this.#woken) return;
    const wait = deadline - after;
    if (wait <= 0) this.wake();
    else if (wait < Infinity) {
      this.#timer = setTimeout(this.wake, Math.ceil(Math.min(wait, 60_000)));
    }
  };
}
