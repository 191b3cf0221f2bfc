import type { DriverTag, ServeEvents, Server } from "../../driver.ts";
import type { Memory } from "./answer.ts";
import { answer } from "./answer.ts";
import { putRead } from "./pdu.ts";
import { planLimits, planReads, type ModbusRequest } from "./plan.ts";
import { frame_bytes_max, putCrc } from "./rtu.ts";

/** How often the simulated master reads all of it (ms). */
const cycle_ms = 250;
/** From a request to its answer, and from there to the next request. */
const pause_ms = 5;

/** A bus on which others speak: a master that reads the tags, and the stations that answer it. */
export class TalkingBus implements Server {
  readonly #memory: Memory;
  readonly #requests: readonly ModbusRequest[];
  readonly #asked = new Uint8Array(8);
  readonly #out = new Uint8Array(frame_bytes_max);
  #next = 0;
  #isAnswer = false;
  #due = 0;

  constructor(memory: Memory, tags: readonly DriverTag[]) {
    this.#memory = memory;
    this.#requests = planReads(tags, { ...planLimits, gap_max: 0 });
  }

  /** Nobody else is expected to speak. */
  receive(bytes: Uint8Array, n: number, _now: number, on: ServeEvents): void {
    on.frame(bytes, n, false);
  }

  step(now: number, on: ServeEvents): number {
    if (this.#requests.length === 0) return Infinity;
    if (now < this.#due) return this.#due;
    const { station, function: code, from, count } = this.#requests[this.#next]!;
    if (!this.#isAnswer) {
      this.#asked[0] = station;
      const n = putCrc(this.#asked, 1 + putRead(this.#asked, 1, code, from, count));
      on.frame(this.#asked, n, true);
      on.reply(this.#asked, n);
      this.#due = now + pause_ms;
    } else {
      this.#out[0] = station;
      const n = answer(this.#memory, station, this.#asked, 1, 5, this.#out, 1);
      on.reply(this.#out, putCrc(this.#out, 1 + n));
      this.#next = (this.#next + 1) % this.#requests.length;
      this.#due = now + (this.#next === 0 ? cycle_ms : pause_ms);
    }
    this.#isAnswer = !this.#isAnswer;
    return this.#due;
  }
}
