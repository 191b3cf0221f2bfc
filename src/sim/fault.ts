import type { Random } from "../base.ts";

/**
 * What can go wrong with a simulated link. Each says what happens to one request:
 *
 * - silence        the device does not hear it: nothing is done, nothing is answered
 * - mute           the device does it, and its answer is lost
 * - delay          the answer comes `value` ms later
 * - exception      it is not done; the answer is exception `value`
 * - wrong-crc      the answer is damaged (on TCP: another transaction number)
 * - wrong-station  the answer names the next station
 * - garbage        random bytes come in place of the answer
 * - noise          random bytes come before the answer
 * - half           the first half of the answer comes, and no more
 * - disconnect     it is done, and the connection breaks in place of the answer; with `for` the
 *                  link is cut at once and cannot be opened until the time is over
 * - stall          the cable holds bytes back for `value` ms; a client that resets its connection
 *                  meanwhile takes them back, one that merely closes does not
 * - other-master   another master talks on the bus every `value` ms
 */
export const faultKinds = [
  "silence", "mute", "delay", "exception", "wrong-crc", "wrong-station", "garbage", "noise", "half",
  "disconnect", "stall", "other-master",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Kinds that need a number, and what it is when none is given. */
export const faultValues: Partial<Record<FaultKind, { unit: "ms" | "code"; usual: number }>> = {
  delay: { unit: "ms", usual: 1000 },
  exception: { unit: "code", usual: 4 },
  stall: { unit: "ms", usual: 1000 },
  "other-master": { unit: "ms", usual: 200 },
};

export interface FaultOrder {
  readonly kind: FaultKind;
  readonly link: string;
  /** null = every station of the link. */
  readonly station: number | null;
  readonly value: number;
  /** How many requests it still hits; Infinity = no bound. */
  readonly count: number;
  /** ms from now; Infinity = until `clear`. */
  readonly lasts: number;
  readonly chance: number;
  readonly only: "any" | "reads" | "writes";
}

/** What an order can choose by. */
export interface Hit {
  readonly link: string;
  readonly station: number | null;
  readonly write: boolean;
}

interface Active {
  readonly order: FaultOrder;
  readonly until: number;
  left: number;
}

/** The orders in force, oldest first. Time and chance are arguments. */
export class Faults {
  #active: Active[] = [];
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  add(order: FaultOrder, now: number): void {
    this.#active.push({ order, until: now + order.lasts, left: order.count });
  }

  /** Ends the orders of one link, or all; gives how many there were. */
  clear(link: string | null): number {
    const before = this.#active.length;
    this.#active = this.#active.filter((a) => link !== null && a.order.link !== link);
    return before - this.#active.length;
  }

  /**
   * The order that hits this request, counted; null = it goes well. A stall is asked for apart,
   * before the server sees the bytes.
   */
  hit(request: Hit, stall: boolean, now: number): FaultOrder | null {
    const { link, station, write } = request;
    for (const active of this.#inForce(now)) {
      const { order } = active;
      if (order.link !== link || actsAlone(order) || (order.kind === "stall") !== stall) continue;
      if (order.station !== null && order.station !== station) continue;
      if (order.only !== "any" && (order.only === "writes") !== write) continue;
      if (!this.#random.chance(order.chance)) continue;
      active.left -= 1;
      return order;
    }
    return null;
  }

  /** The order of a kind that acts on the whole link, not on a request, if one is in force. */
  standing(link: string, kind: "disconnect" | "other-master", now: number): FaultOrder | null {
    return this.#inForce(now)
      .find(({ order }) => order.link === link && order.kind === kind && actsAlone(order))
      ?.order ?? null;
  }

  list(now: number): { order: FaultOrder; left: number; remaining: number }[] {
    return this.#inForce(now)
      .map(({ order, left, until }) => ({ order, left, remaining: until - now }));
  }

  #inForce(now: number): Active[] {
    if (this.#active.some((a) => a.left <= 0 || now >= a.until)) {
      this.#active = this.#active.filter((a) => a.left > 0 && now < a.until);
    }
    return this.#active;
  }
}

/** Another master needs no request of ours, and a cut cable has a time rather than a count. */
function actsAlone(order: FaultOrder): boolean {
  return order.kind === "other-master"
    || order.kind === "disconnect" && order.lasts !== Infinity && order.count === Infinity;
}
