import type { Timers } from "./timers.ts";

/** The waits of a source's loop, one at a time; whoever ends the source ends them early. */
export class Wait {
  readonly #timers: Timers;
  #goOn: () => void = () => undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  for(ms: number): Promise<void> {
    return new Promise((done) => {
      const timer = this.#timers.after(ms, done);
      this.#goOn = () => {
        this.#timers.clear(timer);
        done();
      };
    });
  }

  /** Until what is given to `begin` is called. */
  until(begin: (go: () => void) => void): Promise<void> {
    return new Promise((go) => {
      this.#goOn = go;
      begin(go);
    });
  }

  end(): void {
    this.#goOn();
  }
}
