import type { Random } from "../../src/base.ts";
import type { Wire, WireEvents } from "../../src/driver.ts";
import type { LinkOut } from "../../src/sim/link.ts";
import type { Device } from "./equipment.ts";
import type { SimThread } from "./thread.ts";
import type { Timeline } from "./timeline.ts";

/** How long bytes are on their way (ms). */
const travel_ms = { least: 0.1, most: 3 } as const;

/** One end of a connection at the gateway. */
interface Client {
  readonly thread: SimThread;
  received(bytes: Uint8Array): void;
  ended(why: string): void;
}

/**
 * The network to one simulated device: bytes keep their order, a reset follows what was sent before
 * it, and what the device's cable holds back is the device's matter (`stall`).
 */
export class Network implements LinkOut {
  readonly #device: Device;
  /** Address that answers; a change of it ends armings (W3). */
  peer: string;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #clients = new Map<number, Client>();
  /** By connection and bytes, which bear a number of their own (MBAP). */
  readonly #left = new Map<string, number>();
  #connections = 0;
  /** Both ways: nothing arrives before what was sent earlier. */
  #thereAt = 0;
  #backAt = 0;

  constructor(peer: string, device: Device, timeline: Timeline, random: Random) {
    this.#device = device;
    this.peer = peer;
    this.#timeline = timeline;
    this.#random = random;
  }

  /** Calls back with the number of the connection, or null: refused. */
  connect(client: Client, opened: (connection: number | null) => void): void {
    client.thread.post(this.#travel(), () => {
      if (this.#device.isCut()) return opened(null);
      const connection = ++this.#connections;
      this.#clients.set(connection, client);
      this.#device.open(connection);
      opened(connection);
    });
  }

  /** When these bytes left the gateway: a cable may have held them since; null = unknown. */
  leftAt(connection: number, hex: string): number | null {
    return this.#left.get(`${connection} ${hex}`) ?? null;
  }

  /** Bytes of the gateway. */
  toDevice(connection: number, bytes: Uint8Array): void {
    this.#left.set(`${connection} ${bytes.toHex()}`, this.#timeline.now);
    this.#there(() => {
      if (this.#clients.has(connection)) this.#device.receive(connection, bytes);
    });
  }

  /** The gateway's end sends a RST: what arrived before it stays, what is held back is gone. */
  reset(connection: number): void {
    this.#there(() => {
      if (this.#clients.delete(connection)) this.#device.closed(connection, true);
    });
  }

  /** A process that ended: its sockets are reset (SO_LINGER 0). */
  threadEnded(thread: SimThread): void {
    for (const [connection, client] of this.#clients) {
      if (client.thread === thread) this.reset(connection);
    }
  }

  send(connection: number, bytes: Uint8Array): void {
    const client = this.#clients.get(connection);
    if (client === undefined) return;
    // A stream has no frames: an answer may come in pieces.
    const cut = this.#random.chance(0.1) ? 1 + this.#random.below(bytes.length) : bytes.length;
    for (const piece of [bytes.slice(0, cut), bytes.slice(cut)]) {
      if (piece.length === 0) continue;
      this.#back(client, () => client.received(piece));
    }
  }

  close(connection: number): void {
    const client = this.#clients.get(connection);
    if (client === undefined || !this.#clients.delete(connection)) return;
    this.#timeline.after(0, () => this.#device.closed(connection, false));
    this.#back(client, () => client.ended("connection lost"));
  }

  /** The cable is cut: every connection ends. */
  cut(): void {
    for (const connection of [...this.#clients.keys()]) this.close(connection);
  }

  #there(then: () => void): void {
    this.#thereAt = Math.max(this.#thereAt, this.#timeline.now + this.#travel());
    this.#timeline.at(this.#thereAt, then);
  }

  #back(client: Client, then: () => void): void {
    this.#backAt = Math.max(this.#backAt, this.#timeline.now + this.#travel());
    client.thread.post(this.#backAt - this.#timeline.now, then);
  }

  #travel(): number {
    return travel_ms.least + this.#random.next() * (travel_ms.most - travel_ms.least);
  }
}

/** The wire of one TCP link, as `driver/wire/tcp.ts` is on a machine. */
export class SimTcpWire implements Wire {
  readonly #network: Network;
  readonly #thread: SimThread;
  readonly #events: WireEvents;
  #connection = 0;
  #opening = false;
  #turn = 0;

  constructor(network: Network, thread: SimThread, events: WireEvents) {
    this.#network = network;
    this.#thread = thread;
    this.#events = events;
  }

  open(): void {
    const turn = ++this.#turn;
    this.#opening = true;
    const { peer } = this.#network;
    const mine = (then: () => void) => (): void => {
      if (turn === this.#turn) then();
    };
    this.#network.connect({
      thread: this.#thread,
      received: (bytes) => mine(() => this.#events.received(bytes, bytes.length))(),
      ended: (why) => mine(() => this.#end(why))(),
    }, (connection) => {
      if (turn !== this.#turn) {
        if (connection !== null) this.#network.reset(connection);
        return;
      }
      if (connection === null) return this.#end("connection refused");
      this.#opening = false;
      this.#connection = connection;
      this.#events.opened(peer);
    });
  }

  send(bytes: Uint8Array, n: number): boolean {
    if (this.#connection === 0) return false;
    this.#network.toDevice(this.#connection, bytes.slice(0, n));
    return true;
  }

  drain(): void {}

  reset(): void {
    if (this.#opening || this.#connection !== 0) this.#end("reset");
  }

  #end(why: string): void {
    if (this.#connection !== 0) this.#network.reset(this.#connection);
    this.#turn += 1;
    this.#opening = false;
    this.#connection = 0;
    this.#events.closed(why);
  }
}
