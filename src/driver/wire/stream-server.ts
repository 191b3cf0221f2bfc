import type { ServeEvents, Server } from "../../driver.ts";

/**
 * A built-in server over one stream whose frames say how long they are. A frame is reported before
 * it is answered: what the host does to it (a fault of the simulator) decides what it may do.
 */
export abstract class StreamServer implements Server {
  protected readonly input: Uint8Array;
  protected readonly out: Uint8Array;
  #filled = 0;

  constructor(input_bytes: number, out_bytes: number) {
    this.input = new Uint8Array(input_bytes);
    this.out = new Uint8Array(out_bytes);
  }

  /** Bytes of the frame that `input[0…n)` begins; 0 = not to be told yet, −1 = none begins here. */
  protected abstract frameBytes(n: number): number;
  /** The frame in `input[0…n)` is a request. */
  protected abstract isRequest(n: number): boolean;
  /** Puts the answer to it into `out`; its bytes, 0 = there is none. */
  protected abstract answer(n: number): number;

  receive(bytes: Uint8Array, n: number, _now: number, on: ServeEvents): void {
    for (let at = 0; at < n;) {
      const stop = Math.min(n, at + this.input.length - this.#filled);
      while (at < stop) this.input[this.#filled++] = bytes[at++]!;
      while (this.#next(on));
    }
  }

  step(): number {
    return Infinity;
  }

  /** True if a frame was taken and another may follow. */
  #next(on: ServeEvents): boolean {
    const { input } = this;
    const n = this.frameBytes(this.#filled);
    if (n < 0) {
      on.frame(input, this.#filled, false);
      this.#filled = 0;
      return false;
    }
    if (n === 0 || n > this.#filled) return false;
    const isRequest = this.isRequest(n);
    on.frame(input, n, isRequest);
    const answer = isRequest ? this.answer(n) : 0;
    if (answer > 0) on.reply(this.out, answer);
    input.copyWithin(0, n, this.#filled);
    this.#filled -= n;
    return this.#filled > 0;
  }
}
