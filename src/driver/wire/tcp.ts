import type { Socket } from "bun";
import { reason } from "../../base.ts";
import type { Wire, WireEvents } from "../../driver.ts";
import { Stream, turnAway } from "./stream.ts";
import { connectProblem, Target } from "./target.ts";

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

  constructor(settings: TcpSettings, events: WireEvents) {
    this.#settings = settings;
    this.#events = events;
    const { host, backupHost } = settings;
    this.#target = new Target(backupHost === undefined ? [host] : [host, backupHost]);
  }

  open(): void {
    const turn = ++this.#turn;
    this.#opening = true;
    this.#connect(turn).catch((thrown: unknown) => this.#ended(turn, connectProblem(thrown)));
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
          if (turn === this.#turn) this.#events.received(bytes, bytes.length);
        },
        end: () => this.#ended(turn, "closed by the device"),
        close: () => this.#ended(turn, "connection lost"),
        error: (_, thrown) => this.#ended(turn, reason(thrown)),
        connectError: (_, thrown) => this.#ended(turn, connectProblem(thrown)),
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

  reset(why = "reset"): void {
    if (this.#opening || this.#stream !== null) this.#end(why);
  }

  #opened(socket: Socket, turn: number): void {
    if (turn !== this.#turn) return turnAway(socket);
    this.#opening = false;
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
