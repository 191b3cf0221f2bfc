import type { Socket, TCPSocketListener } from "bun";
import { reason } from "../../base.ts";
import type { Wire, WireEvents } from "../../driver.ts";
import { Stream, turnAway } from "./stream.ts";
import { peerText } from "./target.ts";

export interface ListenSettings {
  readonly port: number;
  /** Address of this machine. */
  readonly address: string;
  /** The only address that may dial, if one is given. */
  readonly from?: string | undefined;
}

/**
 * A TCP connection that the device makes. One at a time: while it lasts, whoever else dials is
 * turned away, so that two devices that dial one port cannot take each other's place unseen. But
 * the first may be gone without a word (power cut): so another one's dialling makes us ask it
 * whether it is still there, and if it is not, the next that dials is taken. The peer is its
 * address alone: its port is another at each dialling, and a proof outlasts that (W2). But the next
 * to dial from there may be another machine behind one address: armings end (W3).
 */
class ListenWire implements Wire {
  readonly #settings: ListenSettings;
  readonly #events: WireEvents;
  #listener: TCPSocketListener<undefined> | null = null;
  #socket: Socket<undefined> | null = null;
  #stream: Stream | null = null;
  /** Who dialled last and may not. */
  #stranger = "";

  constructor(settings: ListenSettings, events: WireEvents) {
    this.#settings = settings;
    this.#events = events;
  }

  get opening(): string {
    const { address, port, from } = this.#settings;
    return `waiting for ${from ?? "the device"} to dial ${peerText(address, port)}` +
      (this.#stranger === "" ? "" : `; ${this.#stranger} did, and was turned away`);
  }

  open(): void {
    const ours = (socket: Socket<undefined>): boolean => socket === this.#socket;
    try {
      this.#listener = Bun.listen<undefined>({
        hostname: this.#settings.address,
        port: this.#settings.port,
        socket: {
          binaryType: "uint8array",
          open: (socket) => this.#dialled(socket),
          data: (socket, bytes) => {
            if (ours(socket)) this.#events.received(bytes, bytes.length);
          },
          end: (socket) => void (ours(socket) && this.#end("closed by the device")),
          close: (socket) => void (ours(socket) && this.#end("connection lost")),
          error: (socket, thrown) => void (ours(socket) && this.#end(reason(thrown))),
        },
      });
    } catch (thrown) {
      this.#events.closed(this.#problem(thrown));
    }
  }

  send(bytes: Uint8Array, n: number, within_ms: number): boolean {
    if (this.#stream === null) return false;
    // Not all taken counts as sent: how much of it arrived nobody knows.
    if (!this.#stream.send(bytes, n, within_ms)) this.reset();
    return true;
  }

  drain(): void {}

  reset(why?: string): void {
    if (this.#listener === null) return;
    this.#end(why ?? (this.#stream === null ? this.#late : "reset"));
  }

  get #late(): string {
    const { address, port, from } = this.#settings;
    return `${from ?? "the device"} has not dialled ${peerText(address, port)}: is this ` +
      "gateway's address entered there, and does a firewall let it through?";
  }

  #problem(thrown: unknown): string {
    const { address, port } = this.#settings;
    switch ((thrown as { readonly code?: string }).code) {
      case "EADDRINUSE": return `port ${port} is in use by another program: end that one ` +
        "(ss -ltnp shows it), or choose another port";
      case "EADDRNOTAVAIL": return `this gateway has no address ${address}: 0.0.0.0 is all it has`;
      case "EACCES": return `not permitted to listen on port ${port}: choose one above 1023`;
      default: return `nobody can dial ${peerText(address, port)}: ${reason(thrown)}`;
    }
  }

  #dialled(socket: Socket<undefined>): void {
    const { from } = this.#settings;
    const stranger = from !== undefined && plain(socket.remoteAddress) !== plain(from);
    if (stranger) this.#stranger = plain(socket.remoteAddress);
    if (!stranger) this.#stream?.doubt();
    if (stranger || this.#stream !== null) return turnAway(socket);
    this.#socket = socket;
    this.#stream = new Stream(socket);
    this.#events.opened(plain(socket.remoteAddress));
  }

  #end(text: string): void {
    const [listener, stream] = [this.#listener, this.#stream];
    this.#listener = null;
    this.#stream = null;
    this.#socket = null;
    listener?.stop();
    stream?.end();
    this.#events.closed(text, stream !== null);
  }
}

/** An IPv4 address is written in two ways where IPv6 is spoken too. */
const plain = (address: string): string => address.replace(/^::ffff:/, "");

export function createListenWire(settings: ListenSettings, events: WireEvents): Wire {
  return new ListenWire(settings, events);
}
