import type { Clock, Timers } from "../base.ts";

/** What a thread turns: works off what is due and says when (monotonic ms) it wants to go on. */
export interface Turning {
  turn(now: number, time: number): number;
}

/** Turns are counted by their length: the last count is of those that were longer. */
export const turn_bounds_ms = [1, 2, 5, 10, 20, 50, 100, 200, 500] as const;

/** Far beyond any deadline that matters, and within what a timer of the engine can count. */
const wait_ms_max = 60_000;

/**
 * Drives turns on a thread with an event loop. Callbacks only fill buffers and call `wake`; the
 * turn comes right after them, or at its deadline, up to 1 ms late. One may come for nothing.
 */
export class Loop {
  turns = 0;
  /** Longest turn, ms. */
  longest = 0;
  /** Turns by `turn_bounds_ms`. */
  readonly lengths: number[] = Array(turn_bounds_ms.length + 1).fill(0);
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #work: Turning;
  #timer: unknown = null;
  /** When it goes off, monotonic ms. */
  #timerAt = Infinity;
  #woken = false;
  #stopped = false;

  constructor(clock: Clock, timers: Timers, work: Turning) {
    this.#clock = clock;
    this.#timers = timers;
    this.#work = work;
  }

  readonly wake = (): void => {
    if (this.#woken || this.#stopped) return;
    this.#woken = true;
    this.#timers.soon(this.#turn);
  };

  stop(): void {
    this.#stopped = true;
    this.#disarm();
  }

  #disarm(): void {
    if (this.#timer !== null) this.#timers.clear(this.#timer);
    this.#timer = null;
    this.#timerAt = Infinity;
  }

  readonly #rung = (): void => {
    this.#timer = null;
    this.#timerAt = Infinity;
    this.wake();
  };

  #count(ms: number): void {
    this.longest = Math.max(this.longest, ms);
    let i = 0;
    while (i < turn_bounds_ms.length && ms > turn_bounds_ms[i]!) i++;
    this.lengths[i]! += 1;
  }

  readonly #turn = (): void => {
    if (this.#stopped) return;
    this.#woken = false;
    const now = this.#clock.now();
    const deadline = this.#work.turn(now, this.#clock.time());
    const after = this.#clock.now();
    this.turns += 1;
    this.#count(after - now);
    if (this.#woken) return;
    if (deadline <= after) this.wake();
    else this.#waitUntil(deadline, after);
  };

  /**
   * A timer that goes off too early costs one turn with nothing to do, a new one for each turn as
   * much as an exchange: an answer pushes the deadline on, thousands of times a second.
   */
  #waitUntil(deadline: number, now: number): void {
    const at = Math.min(deadline, now + wait_ms_max);
    if (this.#timerAt <= at) return;
    this.#disarm();
    if (deadline === Infinity) return;
    this.#timerAt = at;
    this.#timer = this.#timers.after(at - now, this.#rung);
  }
}
