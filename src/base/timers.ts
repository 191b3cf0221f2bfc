/** When a thread goes on: its event loop, or a simulated world's. Times are ms from now. */
export interface Timers {
  /** Calls `then` right after what is under way. */
  soon(then: () => void): void;
  /** Calls `then` once, in `ms` or later; gives what `clear` takes back. */
  after(ms: number, then: () => void): unknown;
  clear(timer: unknown): void;
}

/** The event loop's own; they drop the fraction of a millisecond, so a wait is rounded up. */
export const eventLoop: Timers = {
  soon: (then) => void setImmediate(then),
  after: (ms, then) => setTimeout(then, Math.ceil(ms)),
  clear: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
};
