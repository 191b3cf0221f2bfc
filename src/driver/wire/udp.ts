import type { Wire, WireEvents } from "../../driver.ts";
import { peerText, Target } from "./target.ts";

export interface UdpSettings {
  readonly host: string;
  readonly port: number;
}

/** Answers in a row that were missed without one datagram: another address may have somebody. */
const unheard_max = 3;

type Datagrams = Bun.udp.ConnectedSocket<"uint8array">;

/**
 * Datagrams to one peer, and only its own back. It is open as soon as there is a socket: whether
 * anybody is there is seen by answers. A datagram that left cannot be taken back, and the network
 * may bring it twice: what acts must not go over it.
 */
class UdpWire implements Wire {
  readonly #settings: UdpSettings;
  readonly #events: WireEvents;
  readonly #target: Target;
  #socket: Datagrams | null = null;
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
    const socket = await Bun.udpSocket({
      connect: { hostname, port },
      binaryType: "uint8array",
      socket: {
        data: (_, bytes) => {
          if (turn !== this.#turn) return;
          this.#unheard = 0;
          this.#events.received(bytes, bytes.length);
        },
        // Nobody listens there, says its machine.
        error: (...told: readonly unknown[]) => {
          // Bun's types have the socket in front; Bun itself has not.
          if (turn === this.#turn) this.#end(this.#target.problem(told.at(-1)));
        },
      },
    });
    if (turn !== this.#turn) return socket.close();
    this.#opening = false;
    this.#socket = socket;
    this.#events.opened(peerText(hostname, port));
  }

  send(bytes: Uint8Array, n: number): boolean {
    return this.#socket?.send(bytes.subarray(0, n)) ?? false;
  }

  drain(): void {}

  reset(why?: string, anew = false): void {
    if (this.#opening) this.#end(why ?? this.#target.late);
    else if (this.#socket !== null) {
      // One lost datagram, or one dead station, must not lead to another address.
      this.#end(why ?? "reset", anew && ++this.#unheard < unheard_max);
    }
  }

  #end(text: string, staysThere = false): void {
    const socket = this.#socket;
    if (!staysThere) {
      this.#target.failed();
      this.#unheard = 0;
    }
    this.#turn += 1;
    this.#opening = false;
    this.#socket = null;
    socket?.close();
    this.#events.closed(text);
  }
}

export function createUdpWire(settings: UdpSettings, events: WireEvents): Wire {
  return new UdpWire(settings, events);
}
