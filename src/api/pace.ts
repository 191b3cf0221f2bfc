import { Fault, limits } from "../base.ts";
import { monotonic } from "../base/os.ts";

/**
 * The API shares threads with polls and with the commits of intents. So questions are answered one
 * after the other, and after each the API rests for as long as it took: no flood gets more than
 * half of a thread. More requests in flight than the limit are refused.
 */
export class Pace {
  /** Requests that were refused since the start. */
  refused = 0;
  #inFlight = 0;
  /** Somebody has the turn, or the rest after it is not over. */
  #taken = false;
  readonly #waiting: (() => void)[] = [];

  /**
   * Reads the request, takes its turn, and works. `waits`: what is left after the first step of the
   * work is waiting for equipment, so that the next need not wait for it.
   */
  async answer<B, T>(
    waits: boolean, read: () => Promise<B>, work: (body: B) => Promise<T>,
  ): Promise<T> {
    const most = limits.api_requests_max;
    if (this.#inFlight >= most) {
      this.refused += 1;
      throw new Fault("api-busy",
        `${most} requests are being answered already; ask again in a moment`, { most });
    }
    this.#inFlight += 1;
    try {
      const body = await read();
      await this.#turn();
      const began = monotonic();
      const answer = work(body);
      if (waits) this.#rest(began);
      else await answer.finally(() => this.#rest(began));
      return await answer;
    } finally {
      this.#inFlight -= 1;
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#taken) return;
      this.#taken = true;
      setImmediate(this.#next);
    });
  }

  #rest(began: number): void {
    const took = monotonic() - began;
    // Also after a short one the event loop goes round once before the next.
    if (took < 1) setImmediate(this.#next);
    else setTimeout(this.#next, Math.ceil(took));
  }

  readonly #next = (): void => {
    const first = this.#waiting.shift();
    if (first === undefined) this.#taken = false;
    else first();
  };
}
