import type { DriverTag } from "../driver.ts";
import { BAD, type Ring } from "../ring.ts";
import { Frames } from "./frames.ts";
import { fillConstants, type LinkGroup } from "./poll.ts";
import type { Guard, JobDone, LinkPort } from "./port.ts";
import type { LinkView } from "./view.ts";

export interface ClosedPortOptions {
  readonly name: string;
  readonly type: string;
  readonly groups: readonly LinkGroup[];
  readonly now: number;
  /** Of a row that begins now. */
  readonly flags: () => number;
  /** The rows from … from + n are about to be published. */
  complete(ring: Ring, from: number, n: number): void;
}

/**
 * A link that nothing stands for in a simulation (W25): no wire and no session. Its groups' rows
 * come at their rate, as those of a link that is down, and each cell says why there is no value.
 */
export class ClosedPort implements LinkPort {
  readonly name: string;
  readonly peer = "";
  readonly open = false;
  readonly frames = new Frames();
  readonly #options: ClosedPortOptions;
  readonly #due: number[];

  constructor(options: ClosedPortOptions) {
    this.#options = options;
    this.name = options.name;
    this.#due = options.groups.map(() => options.now);
    for (const group of options.groups) fillConstants(group);
  }

  read(_tag: DriverTag, _raw: Uint8Array, _notAfter: number, done: JobDone): boolean {
    done(BAD["not-simulated"], 0, false, NaN, null);
    return true;
  }

  write(_tag: DriverTag, _raw: Uint8Array, _guard: Guard, done: JobDone): boolean {
    done(BAD.disconnected, 0, false, NaN, null);
    return true;
  }

  step(now: number, time: number): number {
    let next = Infinity;
    for (let i = 0; i < this.#due.length; i++) {
      const group = this.#options.groups[i]!;
      if (this.#due[i]! <= now) {
        this.#publish(group, time);
        const late = Math.floor((now - this.#due[i]!) / group.interval);
        this.#due[i]! += (late + 1) * group.interval;
      }
      next = Math.min(next, this.#due[i]!);
    }
    return next;
  }

  #publish({ ring, requests }: LinkGroup, time: number): void {
    ring.claim(1);
    const row = ring.head & ring.mask;
    ring.arena.F[ring.timeAt + row] = time;
    ring.arena.F[ring.sourceAt + row] = NaN;
    ring.arena.U[ring.flagsAt + row] = this.#options.flags();
    for (const request of requests) {
      for (const tag of request.tags) {
        ring.arena.U[ring.columns[tag.column]!.state + row] = BAD["not-simulated"];
      }
    }
    this.#options.complete(ring, ring.head, 1);
    ring.publish(1);
  }

  view(now: number): LinkView {
    return {
      name: this.name, type: this.#options.type, state: "closed",
      reason: "nothing stands for it in this simulation", since_ms: now - this.#options.now,
      peer: "", opens: 0, counters: {}, polls: [], stations: [],
    };
  }

  close(): void {}
}
