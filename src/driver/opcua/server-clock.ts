import {
  ReadRequest, resolveNodeId, type ClientSession, type ReadResponse,
} from "node-opcua-client";

/** Clocks of servers go by steps: those of old Windows by 16 ms. */
const tick_ms = 50;
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
    request: ReadRequest,
    done: (thrown: (Error & { response?: ReadResponse }) | null, answer?: ReadResponse) => void,
  ): void;
}

/**
 * How old a message of the server is when it comes, though its clock is not ours: an answer was
 * stamped after its question had left (Cristian, 1989), so that our clock is ahead of the server's
 * by no less than the difference of both. What waited on the way looks as old as it is, whatever
 * the delay; what the last question needed to get to the server is taken for age, too. One of a
 * connection.
 */
export class ServerClock {
  /**
   * Our monotonic ms less the server's ms since 1970, at least; null = it has not answered yet,
   * NaN = it stamps nothing.
   */
  #ahead: number | null = null;
  /** Monotonic ms at which the connection began. */
  readonly #since: number;
  readonly #now: () => number;

  /** `now`: monotonic ms. */
  constructor(now: () => number) {
    this.#now = now;
    this.#since = now();
  }

  /** Asks the server for an answer, whatever it says. */
  async ask(session: ClientSession): Promise<void> {
    const asked = this.#now();
    const { promise, resolve } = Promise.withResolvers<ReadResponse | undefined>();
    (session as unknown as Transacting).performMessageTransaction(new ReadRequest({
      nodesToRead: [{ nodeId: resolveNodeId(current_time), attributeId: VALUE }],
    }), (thrown, answer) => resolve(answer ?? thrown?.response));
    const answer = await promise;
    if (answer !== undefined) this.answered(asked, msOf(answer.responseHeader.timestamp));
  }

  /** The server answered what left at `asked`, and stamped it `stamp` (ms since 1970). */
  answered(asked: number, stamp: number): void {
    this.#ahead = asked - stamp;
  }

  /**
   * ms that a message made at `made` (the server's ms since 1970) is old, at most, and no older
   * than the connection, which is what is known before the server has answered, and when its clock
   * was set. NaN where the server gives no times.
   */
  age(made: number): number {
    const now = this.#now();
    const most = now - this.#since;
    if (this.#ahead === null) return most;
    const age = now - made - this.#ahead;
    // From after now: its clock was set forward since it answered.
    return age < -tick_ms ? most : Math.max(0, Math.min(most, age));
  }
}
