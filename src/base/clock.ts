import { clockSynced, monotonic } from "./os/time.ts";

/**
 * Time is an argument: only a composition root holds a `Clock`, everything else is given `now`.
 *
 * `now` is monotonic milliseconds with fraction (ages, deadlines, intervals, arming). `time` is
 * engine time: milliseconds since the Unix epoch = monotonic + an offset that follows the wall
 * clock by at most 500 ppm and never makes `time` run backwards. A wall clock that moved by more
 * than `clock_step_ms` is a step, counted in `steps`: forward it is taken over at once; backward,
 * engine time goes on and is slewed, since time that stood still would make old values look fresh
 * to the gate.
 */
export interface Clock {
  now(): number;
  time(): number;
  /** How often the wall clock was found stepped since start. */
  readonly steps: number;
  /**
   * `time` is that of the world: something keeps the wall clock in step, and engine time has not
   * parted from it by a step. What is false here is found to be true within `sync_check_ms`.
   */
  readonly certain: boolean;
  /** `time` − `now`: a new thread goes on from its starter's, or their times would differ. */
  readonly offset: number;
}

/** A step is a difference larger than this (ms); less is drift and is slewed. */
const clock_step_ms = 1000;
/** How often it is asked whether the wall clock is kept in step. */
const sync_check_ms = 1000;
/** Largest slew: milliseconds of correction per millisecond of monotonic time (500 ppm). */
export const clock_slew_ratio = 500e-6;

class EngineClock implements Clock {
  steps = 0;
  certain = false;
  offset: number;
  #checked: number;
  #last = 0;
  /** The wall clock stepped back, and engine time is still ahead of it. */
  #ahead = false;
  /** When it is asked next whether the wall clock is in step. */
  #askAt = -Infinity;
  readonly #monotonic: () => number;
  readonly #wall: () => number;
  readonly #synced: () => boolean;

  constructor(
    monotonic: () => number, wall: () => number, synced: () => boolean, offset: number | null,
  ) {
    this.#monotonic = monotonic;
    this.#wall = wall;
    this.#synced = synced;
    this.#checked = monotonic();
    this.offset = offset ?? wall() - this.#checked;
  }

  now(): number {
    return this.#monotonic();
  }

  time(): number {
    const now = this.#monotonic();
    const elapsed = now - this.#checked;
    if (elapsed >= 10) {
      this.#checked = now;
      const error = this.#wall() - now - this.offset;
      const ahead = error < -clock_step_ms;
      if (error > clock_step_ms || (ahead && !this.#ahead)) {
        this.steps += 1;
        this.certain = false;
        this.#askAt = now + sync_check_ms;
      }
      this.#ahead = ahead;
      const slew = elapsed * clock_slew_ratio;
      this.offset += error > clock_step_ms ? error : Math.max(-slew, Math.min(slew, error));
    }
    if (now >= this.#askAt) {
      this.#askAt = now + sync_check_ms;
      this.certain = this.#synced() && !this.#ahead;
    }
    this.#last = Math.max(this.#last, now + this.offset);
    return this.#last;
  }
}

/** Built over any pair of sources, so that tests can hand in their own. */
export function createClock(
  monotonic: () => number, wall: () => number, synced: () => boolean, offset: number | null = null,
): Clock {
  return new EngineClock(monotonic, wall, synced, offset);
}

/**
 * The one place that reads the machine's clocks; `now` is the same in every thread, and with the
 * `offset` of the clock of the thread that started this one, so is `time`.
 */
export function systemClock(offset: number | null = null): Clock {
  return createClock(monotonic, () => Date.now(), clockSynced, offset);
}
