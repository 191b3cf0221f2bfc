import type { Socket } from "bun";
import { reason } from "../../base.ts";
import type { Wire, WireEvents } from "../../driver.ts";
import { Stream, turnAway } from "./stream.ts";
import { Target } from "./target.ts";

export interface TcpSettings {
  readonly host: string;
  readonly port: number;
  readonly backupHost?: string | undefined;
}

/** A TCP connection that the gateway makes. */
class TcpWire implements Wire {
  readonly #settings: TcpSettings;
  readonly #events: WireEvents;
  readonly #target: Target;
  #stream: Stream | null = null;
  /** Counts openings: a connection that comes up after `reset` is none of ours any more. */
  #turn = 0;
  #opening = false;
  /** Something came by the connection of now. */
  #heard = false;

  constructor(settings: TcpSettings, events: WireEvents) {
    this.#settings = settings;
    this.#events = events;
    const { host, port, backupHost } = settings;
    this.#target = new Target(backupHost === undefined ? [host] : [host, backupHost], port);
  }

  open(): void {
    const turn = ++this.#turn;
    this.#opening = true;
    this.#connect(turn).catch((thrown: unknown) =>
      this.#ended(turn, this.#target.problem(thrown)));
  }

  async #connect(turn: number): Promise<void> {
    const hostname = await this.#target.address();
    if (turn !== this.#turn) return;
    await Bun.connect({
      hostname,
      port: this.#settings.port,
      socket: {
        binaryType: "uint8array",
        open: (socket) => this.#opened(socket, turn),
        data: (_, bytes) => {
          if (turn !== this.#turn) return;
          this.#heard = true;
          this.#events.received(bytes, bytes.length);
        },
        end: () => this.#ended(turn, this.#heard ? "closed by the device" : this.#target.wordless),
        close: () => this.#ended(turn, this.#heard ? "connection lost" : this.#target.wordless),
        error: (_, thrown) => this.#ended(turn, reason(thrown)),
        connectError: (_, thrown) => this.#ended(turn, this.#target.problem(thrown)),
      },
    });
  }

  send(bytes: Uint8Array, n: number, within_ms: number): boolean {
    if (this.#stream === null) return false;
    // Not all taken counts as sent: how much of it arrived nobody knows.
    if (!this.#stream.send(bytes, n, within_ms)) this.reset();
    return true;
  }

  /** The stream knows its frames: nothing to forget. */
  drain(): void {}

  reset(why?: string): void {
    if (this.#opening) this.#end(why ?? this.#target.late);
    else if (this.#stream !== null) this.#end(why ?? "reset");
  }

  #opened(socket: Socket, turn: number): void {
    if (turn !== this.#turn) return turnAway(socket);
    this.#opening = false;
    this.#heard = false;
    this.#stream = new Stream(socket);
    this.#events.opened(this.#stream.peer);
  }

  #ended(turn: number, text: string): void {
    if (turn === this.#turn) this.#end(text);
  }

  #end(text: string): void {
    const stream = this.#stream;
    if (this.#opening) this.#target.failed();
    this.#turn += 1;
    this.#opening = false;
    this.#stream = null;
    stream?.end();
    this.#events.closed(text);
  }
}

export function createTcpWire(settings: TcpSettings, events: WireEvents): Wire {
  return new TcpWire(settings, events);
}
