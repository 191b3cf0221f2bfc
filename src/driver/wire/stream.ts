import type { Socket } from "bun";
import { giveUpAfter, keepAlive, lingerReset } from "../../base/os.ts";
import { peerText } from "./target.ts";

/** Bun's sockets have it; its types do not say so yet. */
type WithDescriptor = Socket & { readonly fd: number };

/** ms of silence after which the peer is asked whether it is still there; if that is doubted. */
const idle_ms = 10_000;
const doubted_ms = 1000;

/**
 * One TCP connection, whoever made it. SO_LINGER {1,0} is set before the first byte can leave:
 * every end of the socket, ours or the process's, is a RST and takes what was not delivered with it
 * (W14).
 */
export class Stream {
  readonly #socket: Socket;
  /** What the kernel was told of how long unacknowledged bytes may live, 0 = nothing. */
  #within_ms = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    lingerReset((socket as WithDescriptor).fd);
    keepAlive((socket as WithDescriptor).fd, idle_ms);
    socket.setNoDelay(true);
  }

  get peer(): string {
    return peerText(this.#socket.remoteAddress, this.#socket.remotePort);
  }

  /**
   * False = not all was taken. A frame is far smaller than an idle socket's buffer: the peer is not
   * reading, and how much of it arrives nobody knows, so the connection must end.
   */
  send(bytes: Uint8Array, n: number, within_ms: number): boolean {
    const bound = within_ms < Infinity ? Math.max(1, Math.ceil(within_ms)) : 0;
    if (bound !== this.#within_ms) giveUpAfter((this.#socket as WithDescriptor).fd, bound);
    this.#within_ms = bound;
    return this.#socket.write(bytes, 0, n) === n;
  }

  /** The peer may be gone: it is asked at once, and from now on whenever it is silent. */
  doubt(): void {
    keepAlive((this.#socket as WithDescriptor).fd, doubted_ms);
  }

  end(): void {
    this.#socket.terminate();
  }
}

/** What a connection that is not ours any more gets: an end that leaves nothing behind. */
export function turnAway(socket: Socket): void {
  lingerReset((socket as WithDescriptor).fd);
  socket.terminate();
}

