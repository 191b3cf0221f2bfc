import type { Socket } from "bun";
import { reason } from "../../base.ts";
import { giveUpAfter, lingerReset } from "../../base/os.ts";
import type { Wire, WireEvents } from "../../driver.ts";

/** Bun's sockets have it; its types do not say so yet. */
type WithDescriptor = Socket & { readonly fd: number };

export interface TcpSettings {
  readonly host: string;
  readonly port: number;
}

/**
 * A TCP client connection. SO_LINGER {1,0} is set before the first byte can leave: every end of the
 * socket, ours or the process's, is a RST and takes what was not delivered with it (W14).
 */
class TcpWire implements Wire {
  readonly #settings: TcpSettings;
  readonly #events: WireEvents;
  #socket: Socket | null = null;
  /** Counts openings: a connection that comes up after `reset` is none of ours any more. */
  #turn = 0;
  #opening = false;
  /** What the kernel was told of how long unacknowledged bytes may live, 0 = nothing. */
  #within_ms = 0;

  constructor(settings: TcpSettings, events: WireEvents) {
    this.#settings = settings;
    this.#events = events;
  }

  open(): void {
    const turn = ++this.#turn;
    this.#opening = true;
    const ended = (text: string): void => {
      if (turn === this.#turn) this.#end(text);
    };
    Bun.connect({
      hostname: this.#settings.host,
      port: this.#settings.port,
      socket: {
        binaryType: "uint8array",
        open: (socket) => this.#opened(socket, turn),
        data: (_, bytes) => {
          if (turn === this.#turn) this.#events.received(bytes, bytes.length);
        },
        end: () => ended("closed by the device"),
        close: () => ended("connection lost"),
        error: (_, thrown) => ended(reason(thrown)),
        connectError: (_, thrown) => ended(reason(thrown)),
      },
    }).catch((thrown: unknown) => ended(reason(thrown)));
  }

  send(bytes: Uint8Array, n: number, within_ms: number): boolean {
    if (this.#socket === null) return false;
    this.#bound(within_ms);
    // A frame is far smaller than an idle socket's buffer. If not all of it was taken, the peer is
    // not reading: what was taken is thrown away with the connection, and nobody knows how much of
    // it arrived, so it counts as sent.
    if (this.#socket.write(bytes, 0, n) !== n) this.reset();
    return true;
  }

  #bound(within_ms: number): void {
    const bound = within_ms < Infinity ? Math.max(1, Math.ceil(within_ms)) : 0;
    if (bound === this.#within_ms) return;
    giveUpAfter((this.#socket as WithDescriptor).fd, bound);
    this.#within_ms = bound;
  }

  /** The stream knows its frames: nothing to forget. */
  drain(): void {}

  reset(why = "reset"): void {
    if (this.#opening || this.#socket !== null) this.#end(why);
  }

  #opened(socket: Socket, turn: number): void {
    lingerReset((socket as WithDescriptor).fd);
    if (turn !== this.#turn) {
      socket.terminate();
      return;
    }
    socket.setNoDelay(true);
    this.#opening = false;
    this.#socket = socket;
    this.#within_ms = 0;
    this.#events.opened(peerOf(socket));
  }

  #end(text: string): void {
    const socket = this.#socket;
    this.#turn += 1;
    this.#opening = false;
    this.#socket = null;
    socket?.terminate();
    this.#events.closed(text);
  }
}

function peerOf(socket: Socket): string {
  const { remoteAddress: address, remotePort: port } = socket;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

export function createTcpWire(settings: TcpSettings, events: WireEvents): Wire {
  return new TcpWire(settings, events);
}
