import { reason } from "../../base.ts";
import { createDecoder, type RowDecoder } from "../../codec.ts";
import type { ConnectionStatus, ConnectorIo } from "../../connector.ts";
import { GOOD, UNCERTAIN, type Ring } from "../../ring.ts";
import type { SourceSettings } from "./settings.ts";
import { fill } from "./topic.ts";

/** Messages of one filter become rows of one stream. */
export class MqttSource {
  readonly filter: string;
  readonly qos: 0 | 1;
  readonly #name: string;
  readonly #retained: SourceSettings["retained"];
  readonly #decoder: RowDecoder;
  readonly #status: ConnectionStatus;
  readonly #io: ConnectorIo;

  constructor(
    name: string, settings: SourceSettings, into: Ring, status: ConnectionStatus, io: ConnectorIo,
  ) {
    this.filter = fill(settings.topic, { gateway: io.gateway });
    this.qos = settings.qos;
    this.#name = name;
    this.#retained = settings.retained;
    this.#decoder = createDecoder(into, settings.time ?? null);
    this.#status = status;
    this.#io = io;
  }

  receive(payload: Uint8Array, retained: boolean): void {
    const status = this.#status;
    if (retained && this.#retained === "skip") return;
    const state = retained && this.#retained === "uncertain" ? UNCERTAIN.source : GOOD;
    try {
      status.received += this.#decoder.decode(payload, this.#io.time(), state);
      this.#io.wake();
    } catch (thrown) {
      // One bad message is the sender's trouble; the stream goes on, and it is counted.
      status.dropped++;
      status.errors++;
      status.lastError = `${this.#name}: ${reason(thrown)}`;
    }
  }
}
