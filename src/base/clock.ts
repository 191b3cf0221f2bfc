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
  /** Handed to a new thread, so that its clock is this one. */
  readonly shared: SharedArrayBuffer;
}

/** A step is a difference larger than this (ms); less is drift and is slewed. */
const clock_step_ms = 1000;
/** How often it is asked whether the wall clock is kept in step. */
const sync_check_ms = 1000;
/** How often engine time is held against the wall clock, by whichever thread comes first. */
const check_ms = 10;
/** Largest slew: milliseconds of correction per millisecond of monotonic time (500 ppm). */
export const clock_slew_ratio = 500e-6;

/**
 * What all threads share, F × 6. Eight bytes that lie at a multiple of eight are read and written
 * whole on the machines that we build for; two threads that look at once write the same.
 */
const word = {
  /** `time` − `now`. */
  offset: 0,
  /** When it was last held against the wall clock. */
  checked: 1,
  /** When it is asked next whether the wall clock is in step. */
  askAt: 2,
  steps: 3,
  certain: 4,
  /** Not 0: the wall clock stepped back, and engine time is still ahead of it. */
  ahead: 5,
} as const;

class EngineClock implements Clock {
  readonly shared: SharedArrayBuffer;
  readonly #F: Float64Array;
  #last = 0;
  readonly #monotonic: () => number;
  readonly #wall: () => number;
  readonly #synced: () => boolean;

  constructor(
    monotonic: () => number, wall: () => number, synced: () => boolean,
    shared: SharedArrayBuffer | null,
  ) {
    this.#monotonic = monotonic;
    this.#wall = wall;
    this.#synced = synced;
    this.shared = shared ?? new SharedArrayBuffer(8 * 6);
    this.#F = new Float64Array(this.shared);
    if (shared !== null) return;
    const now = monotonic();
    this.#F[word.checked] = now;
    this.#F[word.askAt] = -Infinity;
    this.#F[word.offset] = wall() - now;
  }

  get steps(): number {
    return this.#F[word.steps]!;
  }

  get certain(): boolean {
    return this.#F[word.certain] !== 0;
  }

  now(): number {
    return this.#monotonic();
  }

  time(): number {
    const now = this.#monotonic();
    if (now - this.#F[word.checked]! >= check_ms) this.#check(now);
    this.#last = Math.max(this.#last, now + this.#F[word.offset]!);
    return this.#last;
  }

  #check(now: number): void {
    const F = this.#F;
    const wall = this.#wall();
    // Whoever got no processor between the two clocks has seen no step.
    if (this.#monotonic() - now > clock_step_ms / 2) return;
    const offset = F[word.offset]!;
    const slew = Math.max(0, now - F[word.checked]!) * clock_slew_ratio;
    F[word.checked] = now;
    const error = wall - now - offset;
    const isAhead = error < -clock_step_ms;
    if (error > clock_step_ms || (isAhead && F[word.ahead] === 0)) {
      F[word.steps]! += 1;
      F[word.certain] = 0;
      F[word.askAt] = now + sync_check_ms;
    }
    F[word.ahead] = Number(isAhead);
    F[word.offset] = offset + (error > clock_step_ms ? error
      : Math.max(-slew, Math.min(slew, error)));
    if (now < F[word.askAt]!) return;
    F[word.askAt] = now + sync_check_ms;
    F[word.certain] = Number(this.#synced() && !isAhead);
  }
}

/**
 * Built over any pair of sources, so that tests can hand in their own; `shared` is that of the
 * clock which this one is to be in another thread.
 */
export function createClock(
  monotonic: () => number, wall: () => number, synced: () => boolean,
  shared: SharedArrayBuffer | null = null,
): Clock {
  return new EngineClock(monotonic, wall, synced, shared);
}

/** The one place that reads the machine's clocks; with `shared`, that of another thread. */
export function systemClock(shared: SharedArrayBuffer | null = null): Clock {
  return createClock(monotonic, () => Date.now(), clockSynced, shared);
}
