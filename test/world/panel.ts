import type { Random } from "../../src/base.ts";
import type {
  ClientSocket, OpenPort, PortEvents,
} from "../../src/connector/modbus-server/session.ts";
import type { SimThread } from "./thread.ts";
import type { Timeline } from "./timeline.ts";

const travel_ms = { least: 0.1, most: 3 } as const;
const reconnect_ms = 300;
const ask_ms = 500;
/** More than are answered at a time (Modbus on TCP/IP 1.0b, 4.4.1.3: up to 16). */
const flood = { least: 20, most: 60 } as const;
const crowd = 6;
/** Who floods is sent away by then, if the gateway is let run. */
const away_ms = 3000;
const GOOD_QUALITY = 192;
const READ_INPUTS = 4, WRITE_REGISTERS = 16;

/** What the write of this number wishes, in tenths; some of it is more than any policy allows. */
const wishOf = (number: number): number => (number * 37) % 1101;

interface Port {
  readonly thread: SimThread;
  readonly events: PortEvents;
}

/** One connection to the gateway's port, seen from both of its ends. */
class Connection implements ClientSocket {
  data: ClientSocket["data"] = null;
  isOpen = true;
  readonly remoteAddress: string;
  readonly #port: Port;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #heard: (bytes: Uint8Array) => void;
  #thereAt = 0;
  #backAt = 0;

  constructor(
    port: Port, remoteAddress: string, timeline: Timeline, random: Random,
    heard: (bytes: Uint8Array) => void,
  ) {
    this.#port = port;
    this.remoteAddress = remoteAddress;
    this.#timeline = timeline;
    this.#random = random;
    this.#heard = heard;
    this.#there(() => port.events.open(this));
  }

  setNoDelay(): void {}

  /** The gateway answers. */
  write(bytes: Uint8Array, from: number, n: number): number {
    const copy = bytes.slice(from, from + n);
    this.#backAt = Math.max(this.#backAt, this.#timeline.now + this.#travel());
    this.#timeline.at(this.#backAt, () => {
      if (this.isOpen) this.#heard(copy);
    });
    return n;
  }

  /** The gateway ends it. */
  terminate(): void {
    if (this.isOpen) this.#port.thread.post(0.01, () => this.#port.events.close(this));
    this.isOpen = false;
  }

  /** The client sends; a stream has no frames, so it may come in pieces. */
  send(bytes: Uint8Array, isWhole = false): void {
    const cut = !isWhole && this.#random.chance(0.2) ? this.#random.below(bytes.length) : 0;
    for (const piece of [bytes.slice(0, cut), bytes.slice(cut)]) {
      if (piece.length > 0) this.#there(() => this.#port.events.data(this, piece));
    }
  }

  /** The client ends it, with a RST. */
  reset(): void {
    this.#there(() => {
      this.isOpen = false;
      this.#port.events.close(this);
    });
  }

  /** In order, and only while it is open. */
  #there(then: () => void): void {
    this.#thereAt = Math.max(this.#thereAt, this.#timeline.now + this.#travel());
    this.#port.thread.post(this.#thereAt - this.#timeline.now, () => {
      if (this.isOpen) then();
    });
  }

  #travel(): number {
    return travel_ms.least + this.#random.next() * (travel_ms.most - travel_ms.least);
  }
}

/**
 * Those who connect to the gateway's Modbus server: a panel that reads what is and writes what
 * somebody wishes, and others who flood it, stop in the middle, or send what is no request.
 */
export class Panel {
  /** Positive answers to writes of this process, each of which made a row. */
  answered = 0;
  /** Other answers: how many there were, and how many of them had no good value. */
  reads = 0;
  bad = 0;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #wrong: (text: string) => void;
  #port: Port | null = null;
  #connections: Connection[] = [];
  #panel: Connection | null = null;
  #transaction = 0;
  #number = 0;
  /** Numbers that became rows. */
  readonly #seen = new Set<number>();

  constructor(timeline: Timeline, random: Random, wrong: (text: string) => void) {
    this.#timeline = timeline;
    this.#random = random;
    this.#wrong = wrong;
  }

  /** How a process opens the port, on one of its threads. */
  portOn(thread: SimThread): OpenPort {
    return (_hostname, _port, events) => {
      const port = (this.#port = { thread, events });
      return () => {
        if (this.#port === port) this.end();
      };
    };
  }

  /** The process has ended, or closed its port: so have all connections. */
  end(): void {
    this.#port = null;
    for (const connection of this.#connections) connection.isOpen = false;
    this.#connections = [];
  }

  /** A process begins. */
  begin(): void {
    this.end();
    this.answered = 0;
  }

  start(until: number): void {
    let isRead = false;
    const again = (): void => {
      if (this.#timeline.now > until) return;
      let next: number = reconnect_ms;
      if (this.#panel?.isOpen) {
        this.#panel.send((isRead = !isRead) ? this.#readRequest() : this.#writeRequest());
        next = ask_ms;
      } else this.#panel = this.#connect("10.0.1.1");
      this.#timeline.after(next * (0.5 + this.#random.next()), again);
    };
    again();
  }

  /** A row that came of what a client wrote: it was written so, by one request, which made one. */
  look(number: unknown, wish: unknown): void {
    const told = `${String(number)} ${String(wish)}`;
    const is = Number(number);
    if (!(is >= 1 && is <= this.#number) || wish !== Math.fround(wishOf(is) / 10)) {
      return this.#wrong(`a row that nobody wrote: ${told}`);
    }
    if (this.#seen.has(is)) this.#wrong(`a row twice: ${told}`);
    this.#seen.add(is);
  }

  /** True if these tenths were wished by somebody. */
  wished(tenths: number): boolean {
    for (let i = 1; i <= this.#number; i++) if (wishOf(i) === tenths) return true;
    return false;
  }

  /** False: there is no port to connect to. */
  flood(): boolean {
    const connection = this.#connect("10.0.1.2");
    if (connection === null) return false;
    const n = flood.least + this.#random.below(flood.most - flood.least);
    connection.send(Buffer.concat(Array.from({ length: n }, () => this.#writeRequest())), true);
    const { thread } = this.#port!;
    this.#timeline.after(away_ms, () => {
      if (connection.isOpen && !thread.dead) this.#wrong(`a flood of ${n} requests was borne`);
    });
    return true;
  }

  /** Half a request, and much later the rest or nothing. */
  half(): boolean {
    const connection = this.#connect("10.0.1.3");
    if (connection === null) return false;
    const request = this.#writeRequest();
    const cut = 1 + this.#random.below(request.length - 1);
    connection.send(request.slice(0, cut));
    this.#timeline.after(200 + this.#random.below(2000), () => {
      if (this.#random.chance(0.5)) connection.send(request.slice(cut));
      connection.reset();
    });
    return true;
  }

  noise(): boolean {
    const connection = this.#connect("10.0.1.4");
    connection?.send(Uint8Array.from({ length: 1 + this.#random.below(60) }, () =>
      this.#random.below(256)));
    this.#timeline.after(2000, () => connection?.reset());
    return connection !== null;
  }

  /** More of them than there is room for; they ask nothing. */
  crowd(): boolean {
    if (this.#port === null) return false;
    const all = Array.from({ length: crowd }, (_, i) => this.#connect(`10.0.2.${i}`)!);
    this.#timeline.after(1000 + this.#random.below(5000), () =>
      all.forEach((connection) => connection.reset()));
    return true;
  }

  /** The panel's cable is pulled in the middle of a request. */
  pull(): boolean {
    if (!this.#panel?.isOpen) return false;
    this.#panel.send(this.#writeRequest());
    this.#panel.reset();
    return true;
  }

  #connect(address: string): Connection | null {
    if (this.#port === null) return null;
    const connection = new Connection(this.#port, address, this.#timeline, this.#random,
      (bytes) => this.#heard(bytes));
    this.#connections = this.#connections.filter(({ isOpen }) => isOpen);
    this.#connections.push(connection);
    return connection;
  }

  #heard(bytes: Uint8Array): void {
    const answer = Buffer.from(bytes);
    if (answer[7] === WRITE_REGISTERS) {
      this.answered += 1;
      return;
    }
    // An exception: what is served is not all there yet.
    const isRead = answer[7] === READ_INPUTS;
    this.reads += 1;
    if (!isRead || answer.readUInt16BE(11) !== GOOD_QUALITY) this.bad += 1;
  }

  #request(pdu: Buffer): Uint8Array {
    const head = Buffer.alloc(7);
    head.writeUInt16BE(this.#transaction = (this.#transaction + 1) & 0xffff);
    head.writeUInt16BE(pdu.length + 1, 4);
    head[6] = 1;
    return Buffer.concat([head, pdu]);
  }

  #readRequest(): Uint8Array {
    return this.#request(Buffer.of(READ_INPUTS, 0, 0, 0, 3));
  }

  /** A wish and its number, by one request. */
  #writeRequest(): Uint8Array {
    const number = ++this.#number;
    const pdu = Buffer.alloc(12);
    pdu.set([WRITE_REGISTERS, 0, 100, 0, 3, 6]);
    pdu.writeFloatBE(wishOf(number) / 10, 6);
    pdu.writeUInt16BE(number, 10);
    return this.#request(pdu);
  }
}
