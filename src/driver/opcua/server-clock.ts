import {
  ReadRequest, resolveNodeId, type ClientSession, type ReadResponse,
} from "node-opcua-client";

/** Largest rate by which two clocks may drift apart: what NTP slews, ms per ms. */
const drift_ratio = 500e-6;
/** Server_ServerStatus_CurrentTime (OPC UA part 5, 12.2): every server has it. */
const current_time = "i=2258";
const VALUE = 13;

/** How a UtcTime says that there is none (OPC UA part 6, 5.2.2.5): the beginning of 1601, UTC. */
const no_time = Date.UTC(1601);

/** ms since 1970 of a server's time; NaN = it gives none. */
export function msOf(time: Date | null | undefined): number {
  const ms = time?.getTime() ?? NaN;
  return ms === no_time ? NaN : ms;
}

/** What the library's session does with any request. */
interface Transacting {
  performMessageTransaction(
    request: ReadRequest, done: (thrown: Error | null, answer?: ReadResponse) => void,
  ): void;
}

/**
 * How old a message of the server is when it comes, though its clock is not ours: an answer was
 * stamped after its question had left (Cristian, 1989), so that our clock is ahead of the server's
 * by no less than the difference of both. What waited on the way looks as old as it is, whatever
 * the delay; of the way itself no more is taken for age than the quickest answer took. One of a
 * connection.
 */
export class ServerClock {
  /** Our monotonic ms less the server's ms since 1970, at least; NaN = it stamps nothing. */
  #ahead = NaN;
  /** Monotonic ms: when that was found, and when the connection began. */
  #at: number;
  readonly #since: number;
  readonly #now: () => number;

  /** `now`: monotonic ms. */
  constructor(now: () => number) {
    this.#now = now;
    this.#at = this.#since = now();
  }

  /** Asks the server for an answer, whatever it says. */
  async ask(session: ClientSession): Promise<void> {
    const asked = this.#now();
    const { promise, resolve, reject } = Promise.withResolvers<ReadResponse>();
    (session as unknown as Transacting).performMessageTransaction(new ReadRequest({
      nodesToRead: [{ nodeId: resolveNodeId(current_time), attributeId: VALUE }],
    }), (thrown, answer) => (answer === undefined ? reject(thrown) : resolve(answer)));
    const { responseHeader: { timestamp } } = await promise;
    this.answered(asked, msOf(timestamp));
  }

  /** The server answered what left at `asked`, and stamped it `stamp` (ms since 1970). */
  answered(asked: number, stamp: number): void {
    const now = this.#now();
    const held = this.#aheadAt(now);
    // What was found before is true still, unless one of the clocks was set.
    if (held >= asked - stamp && held <= now - stamp) return;
    this.#ahead = asked - stamp;
    this.#at = now;
  }

  /**
   * ms that a message made at `made` (the server's ms since 1970) is old, at most; but no older
   * than the connection. NaN where the server gives no times.
   */
  age(made: number): number {
    const now = this.#now();
    return Math.max(0, Math.min(now - this.#since, now - made - this.#aheadAt(now)));
  }

  #aheadAt(now: number): number {
    return this.#ahead - drift_ratio * (now - this.#at);
  }
}
