import type { Random, Timers } from "../../src/base.ts";
import type { Bell } from "../../src/ring.ts";
import type { Happening, Timeline } from "./timeline.ts";

interface Sleeper {
  readonly bell: Bell;
  readonly seen: number;
  readonly timeout: Happening;
  woken: boolean;
  done(): void;
}

/**
 * One thread of a simulated process: what it does happens a little late, not at all while it is
 * held up, and never again once it is dead.
 */
export class SimThread {
  readonly name: string;
  readonly timers: Timers;
  dead = false;
  /** Simulated ms until which it gets no processor. */
  heldUntil = 0;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #sleepers: Sleeper[] = [];

  constructor(name: string, timeline: Timeline, random: Random) {
    this.name = name;
    this.#timeline = timeline;
    this.#random = random;
    this.timers = {
      soon: (then) => void this.post(this.#between(0.005, 0.05), then),
      // An event loop knows whole milliseconds, and is late rather than early.
      after: (ms, then) => this.post(Math.ceil(ms) + this.#between(0, 0.4), then),
      clear: (timer) => {
        if (timer !== null) (timer as Happening).off = true;
      },
    };
  }

  /** `then` on this thread, in `ms` or when it is given the processor again. */
  post(ms: number, then: () => void): Happening {
    const handle: { at: number; off: boolean } = { at: this.#timeline.now + ms, off: false };
    const attempt = (): void => {
      if (this.dead || handle.off) return;
      if (this.#timeline.now < this.heldUntil) this.#timeline.at(this.heldUntil, attempt);
      else then();
    };
    this.#timeline.at(handle.at, attempt);
    return handle;
  }

  /** The bell's `sleep`; who rings it wakes this thread after the time that a wake-up takes. */
  sleep(bell: Bell, seen: number, timeout_ms: number): Promise<void> {
    return new Promise((resolve) => {
      const sleeper: Sleeper = {
        bell, seen, woken: false, done: resolve,
        timeout: this.post(timeout_ms, () => this.#end(sleeper)),
      };
      this.#sleepers.push(sleeper);
      this.notice();
    });
  }

  /** Looks whether a bell was rung. */
  notice(): void {
    for (const sleeper of this.#sleepers) {
      if (sleeper.woken || sleeper.bell.get() === sleeper.seen) continue;
      sleeper.woken = true;
      this.post(this.#between(0.02, 0.15), () => this.#end(sleeper));
    }
  }

  #end(sleeper: Sleeper): void {
    const i = this.#sleepers.indexOf(sleeper);
    if (i < 0) return;
    this.#sleepers.splice(i, 1);
    sleeper.timeout.off = true;
    sleeper.done();
  }

  #between(least: number, most: number): number {
    return least + this.#random.next() * (most - least);
  }
}
