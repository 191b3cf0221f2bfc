import type { MqttClient } from "mqtt";
import { createEncoder, type RowEncoder } from "../../codec.ts";
import type { ConnectionStatus, ConnectorIo, Sink } from "../../connector.ts";
import type { Ring } from "../../ring.ts";
import type { SinkSettings } from "./settings.ts";
import { fill } from "./topic.ts";

/** Messages without acknowledgement at qos 1; the client resends them after a reconnect. */
const in_flight_max = 256;
/** Bytes handed to the socket and not yet taken by it; more would grow without bound. */
const unsent_bytes_max = 256 * 1024;
/** Rows are encoded one behind the other into a piece of this size, which the socket then holds. */
const piece_bytes = 64 * 1024;

/** Rows of one stream become messages of one topic, one a row. */
export class MqttSink implements Sink {
  readonly #client: MqttClient;
  readonly #topic: string;
  readonly #options: { readonly qos: 0 | 1; readonly retain: boolean };
  readonly #encoder: RowEncoder;
  readonly #status: ConnectionStatus;
  readonly #io: ConnectorIo;
  #piece = Buffer.allocUnsafeSlow(0);
  #used = 0;
  #inFlight = 0;
  #waits = false;

  constructor(
    client: MqttClient, settings: SinkSettings, from: Ring, rule: string,
    status: ConnectionStatus, io: ConnectorIo,
  ) {
    this.#client = client;
    this.#topic = fill(settings.topic, { gateway: io.gateway, rule });
    this.#options = { qos: settings.qos, retain: settings.retain };
    this.#encoder = createEncoder(from, settings);
    this.#status = status;
    this.#io = io;
  }

  drain(from: number, to: number): number {
    let seq = from;
    while (((to - seq) | 0) > 0 && this.#ready()) {
      this.#publish(seq);
      seq = (seq + 1) | 0;
    }
    return seq;
  }

  /** While the broker is away nothing is handed out: the stream keeps the newest rows. */
  #ready(): boolean {
    if (!this.#client.connected || this.#inFlight >= in_flight_max) return false;
    const { stream } = this.#client;
    if (stream.writableLength < unsent_bytes_max) return true;
    if (!this.#waits) {
      this.#waits = true;
      stream.once("drain", () => this.#go());
      stream.once("close", () => this.#go());
    }
    return false;
  }

  #go(): void {
    this.#waits = false;
    this.#io.wake();
  }

  #publish(seq: number): void {
    const encoder = this.#encoder;
    if (this.#piece.length - this.#used < encoder.bytes_max) {
      // The socket still holds what was written before: a new piece, never the old one again.
      this.#piece = Buffer.allocUnsafeSlow(Math.max(piece_bytes, encoder.bytes_max));
      this.#used = 0;
    }
    const end = encoder.encode(seq, this.#piece, this.#used);
    const message = this.#piece.subarray(this.#used, end);
    this.#used = end;
    if (this.#options.qos === 0) {
      this.#client.publish(this.#topic, message, this.#options);
      this.#status.sent++;
      return;
    }
    this.#inFlight++;
    this.#client.publish(this.#topic, message, this.#options, this.#acknowledged);
  }

  readonly #acknowledged = (error?: Error): void => {
    const full = this.#inFlight-- === in_flight_max;
    if (error === undefined || error === null) {
      this.#status.sent++;
    } else {
      this.#status.dropped++;
      this.#status.errors++;
      this.#status.lastError = `${this.#topic}: ${error.message}`;
    }
    if (full) this.#io.wake();
  };
}
