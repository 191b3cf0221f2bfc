import { StatusCodes, type DataValue, type StatusCode } from "node-opcua-client";
import { limits, reason, type Log } from "../../base.ts";
import { giveUpAfter, lingerReset } from "../../base/os.ts";
import { DONE, type ClientDone, type DriverTag } from "../../driver.ts";
import { BAD, GOOD, isUncertain } from "../../ring.ts";
import { Field, rawOf, stateOfStatus, valueOf, valueOfRaw } from "./codec.ts";
import {
  abandon, connect, descriptorOf, nodeOf, peerOf, within, type Connection, type Way,
} from "./session.ts";

const VALUE = 13;
const session_ms = 60_000;

interface Job {
  readonly what: "read" | "write";
  /** Monotonic ms after which nobody waits for it any more. */
  readonly notAfter: number;
  /** By a connection that leads where the link does. */
  run(connection: Connection): Promise<void>;
  readonly done: ClientDone;
}

/**
 * Reads and writes of the gate, by a connection of their own: the library keeps requests of a
 * connection that it lost and sends them by the next one, which a write must never be. This one is
 * never made anew by the library; it is opened before a job, and thrown away, with all that it had
 * not sent, when an answer does not come in time or the connection ends (W14). Who asked for a job
 * waits for the connection and for the answer until his own deadline; after it none is begun (W11).
 */
export class Writer {
  readonly #way: Way;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #peer: () => string;
  readonly #fields = new Map<DriverTag, Field>();
  #connection: Connection | null = null;
  #opening: Promise<Connection> | null = null;
  #jobs: Job[] = [];
  #running = false;
  #closed = false;
  /** Ends the write that waits for its answer; null = none does. */
  #giveUp: ((why: Error) => void) | null = null;

  /** `peer`: where the link leads, which is what was proved and armed. */
  constructor(way: Way, log: Log, now: () => number, peer: () => string) {
    this.#way = way;
    this.#log = log;
    this.#now = now;
    this.#peer = peer;
  }

  read(tag: DriverTag, raw: Uint8Array, notAfter: number, done: ClientDone): void {
    this.#begin({ what: "read", notAfter, done,
      run: (connection) => this.#read(connection, this.#field(tag), raw, notAfter, done) });
  }

  write(
    tag: DriverTag, raw: Uint8Array, notAfter: number, last: () => number | null, done: ClientDone,
  ): void {
    this.#begin({ what: "write", notAfter, done,
      run: (connection) => this.#write(connection, this.#field(tag), raw, last, done) });
  }

  /** The link's other connection is lost: so is this one, whatever it believes. */
  lose(): void {
    const lost = this.#connection;
    this.#connection = null;
    if (lost !== null) void abandon(lost.client);
  }

  giveUpWrite(): void {
    this.#giveUp?.(new Error("writing was stopped"));
  }

  close(): void {
    this.#closed = true;
    for (const job of this.#jobs.splice(0)) drop(job, BAD.disconnected);
    this.lose();
  }

  #begin(job: Job): void {
    if (this.#closed || this.#jobs.length >= limits.commands_max) {
      drop(job, BAD.disconnected);
      return;
    }
    this.#jobs.push(job);
    if (!this.#running) void this.#work();
  }

  /** One job at a time. */
  async #work(): Promise<void> {
    this.#running = true;
    for (let job = this.#jobs.shift(); job !== undefined; job = this.#jobs.shift()) {
      const connection = await this.#ready(job);
      if (connection !== null) await job.run(connection);
    }
    this.#running = false;
  }

  /** Null = there was none by the job's deadline, and the job is over. */
  async #ready(job: Job): Promise<Connection | null> {
    const left_ms = job.notAfter - this.#now();
    if (left_ms <= 0) {
      drop(job, BAD.timeout);
      return null;
    }
    try {
      // A short deadline must not keep a slow server from ever being connected: what one job began
      // to open the next one waits for.
      const connection = this.#connection ??
        await within(left_ms, this.#opening ??= this.#open());
      this.#checkPeer(connection);
      return connection;
    } catch (thrown) {
      this.#fail(job.what, thrown);
      drop(job, BAD.disconnected);
      return null;
    }
  }

  async #open(): Promise<Connection> {
    try {
      return await this.#connect();
    } finally {
      this.#opening = null;
    }
  }

  async #connect(): Promise<Connection> {
    const opened = await connect(this.#way, session_ms);
    const fd = descriptorOf(opened.client);
    if (this.#closed || fd === null) {
      await abandon(opened.client);
      throw new Error("the connection ended");
    }
    lingerReset(fd);
    for (const event of ["connection_lost", "close", "abort"] as const) {
      opened.client.on(event, () => {
        if (this.#connection === opened) this.lose();
      });
    }
    this.#connection = opened;
    return opened;
  }

  /** A name may lead elsewhere by now: nothing there was proved or armed (W2, W3). */
  #checkPeer({ client }: Connection): void {
    const at = peerOf(client);
    const peer = this.#peer();
    if (at !== peer) {
      throw new Error(`${this.#way.settings.host} leads to ${at} now, the link to ${peer}: ` +
        "nothing is read or written there until the link itself is connected anew");
    }
  }

  async #read(
    connection: Connection, field: Field, raw: Uint8Array, notAfter: number, done: ClientDone,
  ): Promise<void> {
    const asked = this.#ask(connection, field);
    const answer = await within(this.#patience_ms(notAfter), asked).catch(() => null);
    if (answer !== null) return done(resultOf(field, answer, raw), 0, true, NaN, null);
    done(BAD.disconnected, 0, false, NaN, null);
    // Nobody waits for it any more, but the next job does: were the connection thrown away for each
    // short deadline, a slow server would run out of sessions.
    await asked.catch((thrown: unknown) => this.#fail("read", thrown));
  }

  async #ask({ session, namespaces }: Connection, { address }: Field): Promise<DataValue> {
    return within(this.#way.settings.timeout, session.read({
      nodeId: nodeOf(address, namespaces), attributeId: VALUE,
      ...(address.range === "" ? {} : { indexRange: address.range }),
    } as never, 0));
  }

  async #write(
    connection: Connection, field: Field, raw: Uint8Array, last: () => number | null,
    done: ClientDone,
  ): Promise<void> {
    let prepared: () => Promise<StatusCode>;
    try {
      prepared = prepare(field, raw, connection);
    } catch (thrown) {
      this.#fail("write", thrown);
      done(BAD.disconnected, 0, false, NaN, null);
      return;
    }
    // From the last look to the bytes nothing waits (W11).
    const notAfter = last();
    if (notAfter === null) {
      done(BAD.disconnected, 0, false, NaN, null);
      return;
    }
    const leftAt = this.#now();
    const { answer, frame } = this.#send(connection, prepared, notAfter - leftAt);
    if (frame === null) {
      // It did not take it at once, and must not do so later.
      this.lose();
      done(BAD.disconnected, 0, false, NaN, null);
      void answer.catch((thrown: unknown) => this.#fail("write", thrown));
      return;
    }
    const given = Promise.withResolvers<never>();
    this.#giveUp = given.reject;
    try {
      const status = await within(this.#patience_ms(notAfter),
        Promise.race([answer, given.promise]));
      const good = status.value === StatusCodes.Good.value;
      if (!good) {
        this.#log.warn("link", `${this.#way.name}: the server answers ${status.name} to a write`,
          { tag: field.tag.id });
      }
      done(good ? DONE : BAD.exception, good ? 0 : status.value >>> 0, true, leftAt, frame);
    } catch (thrown) {
      this.#fail("write", thrown);
      done(BAD.timeout, 0, true, leftAt, frame);
    } finally {
      this.#giveUp = null;
    }
  }

  /** Hands the request to the socket in this very call; `frame` null = it did not leave. */
  #send(
    { client }: Connection, request: () => Promise<StatusCode>, within_ms: number,
  ): { answer: Promise<StatusCode>; frame: Uint8Array | null } {
    const chunks: Buffer[] = [];
    const keep = (chunk: Buffer): void => void chunks.push(Buffer.from(chunk));
    const fd = descriptorOf(client);
    if (fd === null) return { answer: Promise.reject(new Error("closed")), frame: null };
    giveUpAfter(fd, Math.max(1, Math.ceil(Math.min(within_ms, this.#way.settings.timeout))));
    client.on("send_chunk", keep);
    const answer = request();
    client.off("send_chunk", keep);
    return { answer, frame: chunks.length === 0 ? null : new Uint8Array(Buffer.concat(chunks)) };
  }

  /** ms that an answer is waited for. */
  #patience_ms(notAfter: number): number {
    return Math.max(1, Math.min(this.#way.settings.timeout, notAfter - this.#now()));
  }

  #fail(what: string, thrown: unknown): void {
    this.#log.warn("link", `${this.#way.name}: ${what} of the gate: ${reason(thrown)}`);
    this.lose();
  }

  #field(tag: DriverTag): Field {
    let field = this.#fields.get(tag);
    if (field === undefined) this.#fields.set(tag, (field = new Field(tag)));
    return field;
  }
}

function drop({ done }: Job, state: number): void {
  done(state, 0, false, NaN, null);
}

/** All that a write needs before its last look. */
function prepare(
  { address, tag }: Field, raw: Uint8Array, { session, namespaces }: Connection,
): () => Promise<StatusCode> {
  const value = valueOfRaw(tag, raw);
  const nodeId = nodeOf(address, namespaces);
  if (address.call === null) {
    const request = {
      nodeId, attributeId: VALUE, value: { value },
      ...(address.range === "" ? {} : { indexRange: address.range }),
    };
    return () => session.write(request as never) as Promise<StatusCode>;
  }
  const objectId = nodeOf(address.call.object, namespaces);
  const methodId = nodeOf(address.call.method, namespaces);
  const request = { objectId, methodId, inputArguments: [value] };
  return async () => (await session.call(request as never)).statusCode;
}

/** DONE and the raw words, or why there are none. */
function resultOf(field: Field, answer: DataValue, raw: Uint8Array): number {
  const state = stateOfStatus(answer.statusCode.value);
  // The gate takes good values only.
  if (state !== GOOD) return isUncertain(state) ? BAD.source : state;
  return rawOf(field, valueOf(field, answer.value), raw) ? DONE : BAD.range;
}
