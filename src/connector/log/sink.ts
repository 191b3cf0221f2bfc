import { createEncoder } from "../../codec.ts";
import type { ConnectionStatus, ConnectorIo, Sink } from "../../connector.ts";
import type { Ring } from "../../ring.ts";

const decoder = new TextDecoder();

/** Prints the newest rows at a bounded rate: a token bucket that holds one second. */
export class LogSink implements Sink {
  readonly #area: string;
  readonly #rate: number;
  readonly #ring: Ring;
  readonly #status: ConnectionStatus;
  readonly #io: ConnectorIo;
  readonly #encode: (seq: number) => string;
  #tokens: number;
  #filled: number;
  /** Rows left out since the last line. */
  #left = 0;

  constructor(area: string, rate: number, from: Ring, status: ConnectionStatus, io: ConnectorIo) {
    this.#area = area;
    this.#rate = rate;
    this.#ring = from;
    this.#status = status;
    this.#io = io;
    this.#tokens = Math.max(1, rate);
    this.#filled = io.now();
    const encoder = createEncoder(from, { format: "json", quality: true });
    const bytes = new Uint8Array(encoder.bytes_max);
    this.#encode = (seq) => decoder.decode(bytes.subarray(0, encoder.encode(seq, bytes, 0)));
  }

  drain(from: number, to: number): number {
    const now = this.#io.now();
    const more = (now - this.#filled) * this.#rate / 1000;
    this.#tokens = Math.min(Math.max(1, this.#rate), this.#tokens + more);
    this.#filled = now;
    for (let seq = from; seq !== to; seq = (seq + 1) | 0) this.#row(seq);
    return to;
  }

  #row(seq: number): void {
    if (this.#tokens < 1) {
      this.#left++;
      this.#status.dropped++;
      return;
    }
    this.#tokens -= 1;
    const { arena, timeAt, mask } = this.#ring;
    const time = new Date(arena.F[timeAt + (seq & mask)]!).toISOString();
    const left = this.#left === 0 ? {} : { leftOut: this.#left };
    this.#io.log.info(this.#area, this.#encode(seq), { time, ...left });
    this.#left = 0;
    this.#status.sent++;
  }
}
