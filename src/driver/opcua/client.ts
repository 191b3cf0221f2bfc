import type { ClientSession, OPCUAClient, PublishResponse } from "node-opcua-client";
import { Fault, limits } from "../../base.ts";
import type { Link } from "../../config.ts";
import {
  newCounters, type Client, type ClientDone, type ClientHost, type DriverTag,
} from "../../driver.ts";
import { BAD } from "../../ring.ts";
import {
  abandon, connect, peerOf, quieten, type Connection, type Way,
} from "./session.ts";
import { Group } from "./group.ts";
import { fetchKept } from "./kept.ts";
import { msOf, ServerClock } from "./server-clock.ts";
import { watchingOf, type OpcuaLink } from "./settings.ts";
import { troubleText } from "./trouble.ts";
import { certificatePath } from "./trust.ts";
import { Writer } from "./writer.ts";

/** The library is given so long to get the session back before all is made anew. */
const recover_ms_max = 30_000;
/** Between two looks at the server's clock. */
const clock_ms = 2000;
/** A session outlives this many intervals of its slowest group. */
const session_intervals = 20;

/** What the library calls before it takes a new session for one that the server has lost. */
type Recreating = OPCUAClient & { beforeSubscriptionRecreate?: () => Promise<Error> };

/**
 * One link: a session with a subscription for each group. When the connection is lost, the library
 * gets the session back, with what the server kept for us meanwhile; if it cannot, or the server
 * keeps silent, all is made anew. Reads and writes of the gate go by another connection.
 */
class OpcuaClient implements Client {
  state: "closed" | "opening" | "open" = "closed";
  reason = "connecting";
  peer = "";
  opens = 0;
  readonly counters = newCounters();
  readonly #way: Way;
  readonly #host: ClientHost;
  readonly #groups: readonly Group[];
  readonly #writer: Writer;
  #connection: Connection | null = null;
  #clock: ServerClock;
  /** Monotonic ms of the next look at it. */
  #clockAt = 0;
  #openAt: number;
  #backoff: number = limits.reconnect_ms_min;
  /** Monotonic ms by which a lost connection must be back; Infinity = none is lost. */
  #backBy = Infinity;
  #ended = false;
  #logged = "";

  constructor(link: Link, host: ClientHost) {
    const settings = link.settings as OpcuaLink;
    const { log, now, time, wake, directory } = host;
    this.#way = { name: link.name, settings, directory };
    this.#host = host;
    this.#openAt = now();
    this.#clock = new ServerClock(now);
    this.#writer = new Writer(this.#way, log, now, () => this.peer);
    this.#groups = host.groups.map((rows) => new Group({
      rows, log, now, time, wake, fail: (why) => this.#fail(why),
      watching: watchingOf(settings, rows.stream.slice(rows.stream.lastIndexOf(".") + 1)),
    }));
    quieten(log);
  }

  lag_ms(stream: string): number {
    return this.#groups.find((group) => group.stream === stream)?.lag_ms ?? 0;
  }

  step(now: number): number {
    if (this.state === "closed" && now >= this.#openAt) void this.#open();
    const silent = this.state === "open" && this.#isSilent(now);
    if (now >= this.#backBy || silent) {
      this.#fail(silent ? "the server sends nothing any more" : "the connection did not come back");
    }
    if (this.state === "open" && now >= this.#clockAt) {
      void this.#askClock(this.#connection!.session);
    }
    const failure = this.state === "open" ? null : BAD.disconnected;
    let next = Math.min(this.#openAt, this.#backBy);
    for (const group of this.#groups) next = Math.min(next, group.step(now, failure));
    this.#count();
    // A silent server is seen by looking.
    return this.state === "open" ? Math.min(next, now + 1000) : next;
  }

  read(tag: DriverTag, raw: Uint8Array, notAfter: number, done: ClientDone): void {
    if (this.state !== "open") done(BAD.disconnected, 0, false, NaN, null);
    else this.#writer.read(tag, raw, notAfter, this.#told(done));
  }

  write(
    tag: DriverTag, raw: Uint8Array, notAfter: number, last: () => number | null, done: ClientDone,
  ): void {
    if (this.state !== "open") done(BAD.disconnected, 0, false, NaN, null);
    else this.#writer.write(tag, raw, notAfter, last, this.#told(done));
  }

  giveUpWrite(): void {
    this.#writer.giveUpWrite();
  }

  close(): void {
    this.#ended = true;
    this.#openAt = Infinity;
    this.#writer.close();
    const running = this.#connection;
    this.#drop("closed");
    // In order, so that the server need not wait for the end of the session's time.
    if (running !== null) void running.client.disconnect().catch((thrown: unknown) => thrown);
  }

  #told(done: ClientDone): ClientDone {
    return (...outcome) => {
      done(...outcome);
      this.#host.wake();
    };
  }

  #isSilent(now: number): boolean {
    return this.#groups.some((group) => now - group.heard > group.silence_ms);
  }

  async #open(): Promise<void> {
    this.#openAt = Infinity;
    this.#become("opening", this.reason);
    const slowest = Math.max(0, ...this.#host.groups.map(({ interval }) => interval));
    let opened: Connection | null = null;
    try {
      opened = await connect(this.#way, Math.max(60_000, session_intervals * slowest));
      this.#clock = new ServerClock(this.#host.now);
      await this.#askClock(opened.session);
      if (this.#ended) return void abandon(opened.client);
      this.#connection = opened;
      this.#follow(opened.client);
      fetchKept(opened.session, this.#groups);
      for (const group of this.#groups) {
        await group.begin(opened, this.#clock);
        // It failed meanwhile, and who failed it sees to the next one.
        if (this.#connection !== opened) return;
      }
      this.#opened(opened.client);
    } catch (thrown) {
      if (!this.#ended && this.#connection === opened) this.#fail(this.#trouble(thrown));
    }
  }

  #trouble(thrown: unknown): string {
    const { name: link, settings, directory } = this.#way;
    return thrown instanceof Fault ? thrown.message : troubleText(thrown,
      { link, settings, refused: null, certificate: certificatePath(directory) });
  }

  async #askClock(session: ClientSession): Promise<void> {
    this.#clockAt = this.#host.now() + clock_ms;
    await this.#clock.ask(session);
  }

  #opened(client: OPCUAClient): void {
    this.opens += 1;
    this.#backoff = limits.reconnect_ms_min;
    this.#backBy = Infinity;
    const peer = peerOf(client);
    if (this.peer !== "" && this.peer !== peer) this.#host.peerChanged(peer);
    this.peer = peer;
    this.#become("open", `connected to ${peer}`);
    for (const group of this.#groups) {
      group.heard = this.#host.now();
      group.resume();
    }
    this.#host.wake();
  }

  /** From here on the library itself gets a lost connection back. */
  #follow(client: OPCUAClient): void {
    const strategy = client.connectionStrategy as { maxRetry: number; initialDelay: number;
      maxDelay: number };
    Object.assign(strategy, { maxRetry: -1, initialDelay: 500, maxDelay: 5000 });
    const isOurs = (): boolean => this.#connection?.client === client;
    client.on("send_chunk", (chunk) => this.#host.tap("tx", chunk, chunk.length));
    client.on("receive_chunk", (chunk) => this.#host.tap("rx", chunk, chunk.length));
    client.on("receive_response", (answer) => {
      const { notificationMessage: message, responseHeader } = answer as Partial<PublishResponse>;
      // node-opcua's server does not say when it made the message, but when it answered.
      if (message && Number.isNaN(msOf(message.publishTime))) {
        message.publishTime = responseHeader!.timestamp;
      }
    });
    const lost = (): void => {
      if (!isOurs()) return;
      if (this.state === "open") this.#lost("connection lost");
      // What is only being made has nothing to keep.
      else if (this.#backBy === Infinity) this.#fail("connection lost");
    };
    client.on("connection_lost", lost);
    client.on("start_reconnection", lost);
    client.on("connection_reestablished", () => {
      if (isOurs() && this.state !== "open") this.#opened(client);
    });
    client.on("close", () => {
      if (isOurs()) this.#fail("connection lost");
    });
    // The library would watch the nodes of before in a new session: by numbers of namespaces that
    // a server which was restarted may have given to others.
    (client as Recreating).beforeSubscriptionRecreate = () => {
      if (isOurs()) this.#fail("the server has forgotten the session");
      return Promise.resolve(new Error("all is made anew"));
    };
  }

  #lost(why: string): void {
    this.#backBy = this.#host.now() + recover_ms_max;
    this.#writer.lose();
    for (const group of this.#groups) group.lose();
    this.#become("opening", why);
    this.#host.wake();
  }

  /** Nothing of it is kept: the next connection begins from nothing. */
  #fail(why: string): void {
    const running = this.#connection;
    this.#drop(why);
    if (running !== null) void abandon(running.client);
    this.#openAt = this.#ended ? Infinity : this.#host.now() + this.#backoff;
    this.#backoff = Math.min(limits.reconnect_ms_max, this.#backoff * 2);
    this.#host.wake();
  }

  #drop(why: string): void {
    this.#connection = null;
    this.#backBy = Infinity;
    this.#writer.lose();
    for (const group of this.#groups) group.end();
    this.#become("closed", why);
  }

  #become(state: OpcuaClient["state"], why: string): void {
    // What stays wrong is told once.
    if (state !== "opening" && why !== this.#logged) {
      this.#logged = why;
      this.#host.log[state === "open" || this.#ended ? "info" : "warn"]("link",
        `${this.#way.name} ${state}: ${why}`);
    }
    this.state = state;
    this.reason = why;
  }

  #count(): void {
    const client = this.#connection?.client;
    if (client === undefined) return;
    this.counters.requests = this.counters.answers = client.transactionsPerformed;
  }
}

export const openClient = (link: Link, host: ClientHost): Client => new OpcuaClient(link, host);
