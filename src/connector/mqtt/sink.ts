import type { MqttClient } from "mqtt";
import { createEncoder, type RowEncoder } from "../../codec.ts";
import type { ConnectionStatus, ConnectorIo, Sink } from "../../connector.ts";
import type { Ring } from "../../ring.ts";
import { PacketWriter } from "./packet.ts";
import type { SinkSettings } from "./settings.ts";
import { fill } from "./topic.ts";

/** Messages without acknowledgement at qos 1; the client resends them after a reconnect. */
const in_flight_max = 256;
/** Bytes handed to the socket and not yet taken by it; more would grow without bound. */
const unsent_bytes_max = 256 * 1024;

/** Rows of one stream become messages of one topic, one a row. */
export function createSink(
  client: MqttClient, settings: SinkSettings, from: Ring, rule: string,
  status: ConnectionStatus, io: ConnectorIo,
): Sink {
  const topic = fill(settings.topic, { gateway: io.gateway, rule });
  const encoder = createEncoder(from, settings);
  const gate = new Outlet(client, io);
  return settings.qos === 0
    ? new PlainSink(gate, new PacketWriter(encoder, topic, settings.retain), status)
    : new AcknowledgedSink(gate, encoder, topic, settings.retain, status, io);
}

/** The way to the broker: open, or a wake when it opens again. */
class Outlet {
  readonly client: MqttClient;
  readonly #io: ConnectorIo;
  /** The stream whose `drain` is waited for. */
  #full: MqttClient["stream"] | null = null;

  constructor(client: MqttClient, io: ConnectorIo) {
    this.client = client;
    this.#io = io;
  }

  /**
   * While the broker is away (or too slow) nothing is handed out: rows wait in their ring, which
   * keeps the newest and counts the others. `connect` wakes everybody.
   */
  get open(): boolean {
    const { client } = this;
    if (!client.connected) return false;
    if (client.stream.writableLength < unsent_bytes_max) return true;
    if (this.#full !== client.stream) {
      // A stream that closed instead is followed by another one, and by `connect`.
      this.#full = client.stream;
      this.#full.once("drain", this.#drained);
    }
    return false;
  }

  readonly #drained = (): void => {
    this.#full = null;
    this.#io.wake();
  };
}

/**
 * At qos 0 nothing comes back, so that a batch can be one write of whole packets into the client's
 * own stream: five times fewer writes than packet by packet.
 */
class PlainSink implements Sink {
  readonly #outlet: Outlet;
  readonly #packets: PacketWriter;
  readonly #status: ConnectionStatus;

  constructor(outlet: Outlet, packets: PacketWriter, status: ConnectionStatus) {
    this.#outlet = outlet;
    this.#packets = packets;
    this.#status = status;
  }

  drain(from: number, to: number): number {
    let seq = from;
    while (seq !== to && this.#outlet.open) {
      const first = seq;
      for (; seq !== to && this.#packets.hasRoom; seq = (seq + 1) | 0) this.#packets.add(seq);
      this.#outlet.client.stream.write(this.#packets.take());
      this.#status.sent += (seq - first) | 0;
    }
    return seq;
  }
}

/** At qos 1 the client keeps each message until the broker has it. */
class AcknowledgedSink implements Sink {
  readonly #outlet: Outlet;
  readonly #encoder: RowEncoder;
  readonly #topic: string;
  readonly #options: { readonly qos: 1; readonly retain: boolean };
  readonly #status: ConnectionStatus;
  readonly #io: ConnectorIo;
  /** Rows on their way, oldest first, and whether they have arrived. */
  readonly #sent: { readonly seq: number; arrived: boolean }[] = [];
  #inFlight = 0;

  constructor(
    outlet: Outlet, encoder: RowEncoder, topic: string, retain: boolean,
    status: ConnectionStatus, io: ConnectorIo,
  ) {
    this.#outlet = outlet;
    this.#encoder = encoder;
    this.#topic = topic;
    this.#options = { qos: 1, retain };
    this.#status = status;
    this.#io = io;
  }

  drain(from: number, to: number): number {
    let seq = from;
    while (seq !== to && this.#inFlight < in_flight_max && this.#outlet.open) {
      this.#publish(seq);
      seq = (seq + 1) | 0;
    }
    return seq;
  }

  settled(taken: number): number {
    return this.#sent[0]?.seq ?? taken;
  }

  #publish(seq: number): void {
    // Kept for resending, so each message owns its bytes.
    const bytes = Buffer.allocUnsafe(this.#encoder.bytes_max);
    const message = bytes.subarray(0, this.#encoder.encode(seq, bytes, 0));
    this.#inFlight++;
    const row = { seq, arrived: false };
    this.#sent.push(row);
    this.#outlet.client.publish(this.#topic, message, this.#options, (error) => {
      this.#acknowledged(row, error);
    });
  }

  #acknowledged(row: { arrived: boolean }, error?: Error | null): void {
    this.#inFlight--;
    if (error === undefined || error === null) {
      this.#status.sent++;
    } else {
      this.#status.dropped++;
      this.#status.errors++;
      this.#status.lastError = `${this.#topic}: ${error.message}`;
    }
    // What an orderly end finds on its way is sent again by the next start.
    row.arrived = !this.#outlet.client.disconnecting || error === undefined || error === null;
    while (this.#sent[0]?.arrived === true) this.#sent.shift();
    // It may go on, and so may the rule that waits for it.
    this.#io.wake();
  }
}
