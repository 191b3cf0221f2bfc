import type { Wire, WireEvents } from "../../driver.ts";
import { peerText, Target } from "./target.ts";

export interface UdpSettings {
  readonly host: string;
  readonly port: number;
}

/** Answers in a row that were missed without one datagram: another address may have somebody. */
const unheard_max = 3;
/** Ports of ours that take turns: a doubled answer is taken for another's only so many later. */
const ports = 8;

type Datagrams = Bun.udp.ConnectedSocket<"uint8array">;

/**
 * Datagrams to one peer, and only its own back. It is open as soon as there is a socket: whether
 * anybody is there is seen by answers. A datagram that left cannot be taken back, and the network
 * may bring it twice: what acts must not go over it. What is still to come for what was asked
 * before is forgotten with the port that asked (`drain`).
 */
class UdpWire implements Wire {
  readonly #settings: UdpSettings;
  readonly #events: WireEvents;
  readonly #target: Target;
  /** None = it is not open. */
  #sockets: readonly Datagrams[] = [];
  /** The one whose datagrams count. */
  #at = 0;
  /** Counts openings: a socket that comes up after `reset` is none of ours any more. */
  #turn = 0;
  #opening = false;
  /** Answers that were missed since the last datagram of this address. */
  #unheard = 0;

  constructor(settings: UdpSettings, events: WireEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#target = new Target([settings.host], settings.port);
  }

  open(): void {
    const turn = ++this.#turn;
    this.#opening = true;
    this.#connect(turn).catch((thrown: unknown) => {
      if (turn === this.#turn) this.#end(this.#target.problem(thrown));
    });
  }

  async #connect(turn: number): Promise<void> {
    const hostname = await this.#target.address();
    const { port } = this.#settings;
    const sockets = await Promise.all(Array.from({ length: ports }, (_, i) =>
      this.#socket(turn, i, { hostname, port })));
    if (turn !== this.#turn) return sockets.forEach((socket) => socket.close());
    this.#opening = false;
    this.#sockets = sockets;
    this.#events.opened(peerText(hostname, port));
  }

  #socket(
    turn: number, i: number, connect: { hostname: string; port: number },
  ): Promise<Datagrams> {
    return Bun.udpSocket({
      connect,
      binaryType: "uint8array",
      socket: {
        data: (_, bytes) => {
          if (turn !== this.#turn) return;
          this.#unheard = 0;
          if (i === this.#at) this.#events.received(bytes, bytes.length);
        },
        // Nobody listens there, says its machine.
        error: (...told: readonly unknown[]) => {
          // Bun's types have the socket in front; Bun itself has not.
          if (turn === this.#turn) this.#end(this.#target.problem(told.at(-1)));
        },
      },
    });
  }

  send(bytes: Uint8Array, n: number): boolean {
    return this.#sockets[this.#at]?.send(bytes.subarray(0, n)) ?? false;
  }

  drain(): void {
    this.#at = (this.#at + 1) % ports;
  }

  reset(why?: string, anew = false): void {
    if (this.#opening) this.#end(why ?? this.#target.late);
    else if (this.#sockets.length > 0) {
      // One lost datagram, or one dead station, must not lead to another address.
      this.#end(why ?? "reset", anew && ++this.#unheard < unheard_max);
    }
  }

  #end(text: string, staysThere = false): void {
    const sockets = this.#sockets;
    if (!staysThere) {
      this.#target.failed();
      this.#unheard = 0;
    }
    this.#turn += 1;
    this.#opening = false;
    this.#sockets = [];
    for (const socket of sockets) socket.close();
    this.#events.closed(text);
  }
}

export function createUdpWire(settings: UdpSettings, events: WireEvents): Wire {
  return new UdpWire(settings, events);
}
