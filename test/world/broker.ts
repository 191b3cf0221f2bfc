import type { Random } from "../../src/base.ts";
import { createDecoder, type RowDecoder } from "../../src/codec.ts";
import type {
  CommandMessage, Connection, ConnectionStatus, Connector, ConnectorIo, Intake, Sink,
} from "../../src/connector.ts";
import { mqttConnector } from "../../src/connector.ts";
import { GOOD, readCell, type Ring } from "../../src/ring.ts";
import type { SimThread } from "./thread.ts";
import type { Timeline } from "./timeline.ts";

/** One row as a sink handed it over. */
export interface Delivered {
  readonly rule: string;
  readonly sequence: number;
  /** The row's name for ever. */
  readonly epoch: number;
  readonly number: number;
  /** Engine time since the row's own (ms). */
  readonly age: number;
  readonly values: Readonly<Record<string, unknown>>;
}

export type CommandOutcome = (text: string) => void;

/** Rows that a slow broker takes at once, and how often (ms). */
const slow = { rows: 2, every: 400 } as const;
const reconnect_ms = 500;

/**
 * A broker and its clients in one: what a connector of type `mqtt` is to the runtime, without the
 * library that owns its sockets.
 */
export class Broker {
  /** Until when it is away, or takes few rows (simulated ms). */
  awayUntil = 0;
  slowUntil = 0;
  /** Rows that were taken, in order. */
  delivered: (row: Delivered) => void = () => {};
  /** Messages that became rows of a source. */
  accepted = 0;
  /** Numbers 1 to this one were published at qos 1. */
  numbers = 0;
  /** Of these, the ones without acknowledgement, and whether they were sent before. */
  readonly kept = new Map<number, { sent: boolean }>();
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #clients = new Set<Client>();
  readonly #replies = new Map<string, CommandOutcome>();

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline;
    this.#random = random;
  }

  get away(): boolean {
    return this.#timeline.now < this.awayUntil;
  }

  get slow(): boolean {
    return this.#timeline.now < this.slowUntil;
  }

  /** Everybody loses the connection. */
  leave(ms: number): void {
    this.awayUntil = this.#timeline.now + ms;
    for (const client of this.#clients) client.lost();
  }

  /** A message of the MES for whoever subscribes. */
  publish(message: object): void {
    const bytes = Buffer.from(JSON.stringify(message));
    for (const client of this.#clients) client.message(bytes);
  }

  /** The next number, at qos 1: kept until somebody acknowledges it. */
  publishNumber(): void {
    this.kept.set(++this.numbers, { sent: false });
    for (const client of this.#clients) client.deliver();
  }

  /** A command; `reply` is called with each answer to its id. */
  command(id: string, message: CommandMessage, reply: CommandOutcome): void {
    this.#replies.set(id, reply);
    for (const client of this.#clients) client.command(message);
  }

  reply(text: string): void {
    const { id } = JSON.parse(text) as { id: string | null };
    if (id !== null) this.#replies.get(id)?.(text);
  }

  /** The clients of a process that ended are gone. */
  threadEnded(thread: SimThread): void {
    for (const client of this.#clients) if (client.thread === thread) this.#clients.delete(client);
  }

  /** The component of one thread. */
  connector(thread: SimThread): Connector {
    return {
      ...mqttConnector,
      load: () => Promise.resolve(),
      connect: (_name, _settings, io) => {
        const client = new Client(this, thread, io, this.#random);
        this.#clients.add(client);
        return client;
      },
    };
  }
}

class Client implements Connection {
  readonly thread: SimThread;
  readonly status: ConnectionStatus;
  readonly #broker: Broker;
  readonly #io: ConnectorIo;
  readonly #random: Random;
  readonly #sources: RowDecoder[] = [];
  /** The source at qos 1, and what it has not seen on this connection. */
  #durable: { readonly decoder: RowDecoder; readonly intake: Intake } | null = null;
  /** Taken before, also by the process before this one; acknowledged once they are durable. */
  #known = new Map<number, { durable: boolean; acknowledge: () => void }>();
  #delivered = 0;
  #delivering = false;
  readonly #commands: ((message: CommandMessage) => void)[] = [];
  /** Rows that may still be taken until the next pause ends. */
  #room = Infinity;

  constructor(broker: Broker, thread: SimThread, io: ConnectorIo, random: Random) {
    this.#broker = broker;
    this.thread = thread;
    this.#io = io;
    this.#random = random;
    this.status = {
      state: "connecting", reason: "", since: io.now(),
      received: 0, sent: 0, dropped: 0, errors: 0, lastError: "",
    };
    this.#connect();
  }

  #connect(): void {
    this.thread.post(5 + this.#random.next() * 20, () => {
      if (this.#broker.away) {
        this.thread.post(reconnect_ms, () => this.#connect());
        return;
      }
      this.#become("up", "");
      this.#delivered = 0;
      this.deliver();
      this.#io.wake();
    });
  }

  /** The next message that this connection has not seen, one after the other. */
  deliver(): void {
    const { kept } = this.#broker;
    if (this.#durable === null || this.#delivering) return;
    const next = [...kept.keys()].find((n) => n > this.#delivered);
    if (next === undefined) return;
    this.#delivering = true;
    this.thread.post(0.2 + this.#random.next() * 2, () => {
      this.#delivering = false;
      if (this.status.state !== "up") return;
      const message = kept.get(next);
      this.#delivered = next;
      if (message !== undefined) this.#receive(next, message);
      else this.deliver();
    });
  }

  #receive(n: number, message: { sent: boolean }): void {
    const { intake, decoder } = this.#durable!;
    if (!intake.open) {
      intake.whenOpen(() => this.#receive(n, message));
      return;
    }
    const acknowledge = (): void => this.#arrives(() => void this.#broker.kept.delete(n));
    const known = message.sent ? this.#known.get(n) : undefined;
    if (known === undefined) {
      message.sent = true;
      const taken = { durable: false, acknowledge };
      this.#known.set(n, taken);
      decoder.decode(Buffer.from(JSON.stringify({ n })), this.#io.time(), GOOD);
      intake.commit(String(n), () => {
        taken.durable = true;
        taken.acknowledge();
      });
    } else if (known.durable) acknowledge();
    // By the connection on which it came again.
    else known.acknowledge = acknowledge;
    this.deliver();
  }

  lost(): void {
    this.thread.post(1, () => {
      if (this.status.state !== "up") return;
      this.#become("down", "the connection closed");
      this.#connect();
    });
  }

  #become(state: ConnectionStatus["state"], reason: string): void {
    Object.assign(this.status, { state, reason, since: this.#io.now() });
  }

  source(_name: string, _settings: unknown, into: Ring, intake: Intake | null): () => void {
    if (intake !== null) {
      this.#durable = { decoder: createDecoder(into, { rows_max: intake.rows_max }), intake };
      this.#known = new Map(intake.marks.map((mark) =>
        [Number(mark), { durable: true, acknowledge: () => undefined }]));
      this.deliver();
      return () => undefined;
    }
    const decoder = createDecoder(into);
    this.#sources.push(decoder);
    return () => void this.#sources.splice(this.#sources.indexOf(decoder), 1);
  }

  sink(_name: string, _settings: unknown, ring: Ring, rule: string): Sink {
    return {
      drain: (from, to) => {
        let seq = from;
        while (seq !== to && this.#takes()) {
          const age = this.#io.time() - ring.arena.F[ring.timeAt + (seq & ring.mask)]!;
          const { epoch } = ring.numbering;
          this.#broker.delivered({ rule, sequence: seq, epoch, number: ring.numbering.of(seq), age,
            values: valuesOf(ring, seq) });
          this.status.sent += 1;
          seq = (seq + 1) | 0;
        }
        return seq;
      },
    };
  }

  #takes(): boolean {
    if (this.status.state !== "up") return false;
    if (this.#broker.slow && this.#room === Infinity) this.#pause();
    if (this.#room <= 0) return false;
    this.#room -= 1;
    return true;
  }

  #pause(): void {
    this.#room = slow.rows;
    this.thread.post(slow.every, () => {
      this.#room = Infinity;
      this.#io.wake();
    });
  }

  commands(
    _topic: string, on: (message: CommandMessage) => void,
  ): (topic: string, text: string) => void {
    this.#commands.push(on);
    return (_to, text) => {
      if (this.status.state === "up") this.#broker.reply(text);
    };
  }

  message(bytes: Uint8Array): void {
    this.#arrives(() => {
      for (const decoder of this.#sources) {
        const rows = decoder.decode(bytes, this.#io.time(), GOOD);
        this.status.received += rows;
        this.#broker.accepted += rows;
      }
      this.#io.wake();
    });
  }

  command(message: CommandMessage): void {
    this.#arrives(() => this.#commands.forEach((on) => on(message)));
  }

  #arrives(then: () => void): void {
    this.thread.post(0.2 + this.#random.next() * 2, () => {
      if (this.status.state === "up") then();
    });
  }

  async close(): Promise<void> {
    this.#become("down", "closed");
  }
}

function valuesOf(ring: Ring, seq: number): Record<string, unknown> {
  return Object.fromEntries(ring.columns.map((column) => {
    const isGood = ring.arena.U[column.state + (seq & ring.mask)] === GOOD;
    const value = isGood ? readCell(ring, column, seq) : null;
    return [column.name, typeof value === "bigint" ? String(value) : value];
  }));
}
