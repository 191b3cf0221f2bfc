import type { z } from "zod";
import type { Log } from "./base.ts";
import type { Ring } from "./ring.ts";

/**
 * The IT-side contracts: a `source` fills a ring, a `sink` drains one. The runtime owns when; a
 * connector owns its client and reconnects by itself, reporting through `status`.
 */
export interface Connector {
  /** The `type` of a link, source or sink in the configuration. */
  readonly type: string;
  /** Settings of a link of this type; null if the type needs no link (`log`). */
  readonly link: z.ZodObject | null;
  /** Settings of a `sources` entry, beside `type`, `link` and `columns`; null = no source. */
  readonly source: z.ZodObject | null;
  /** Settings of a `sinks` entry, beside `type` and `link`; null = no sink. */
  readonly sink: z.ZodObject | null;
  /** One client for all sources and sinks of a link. */
  connect(name: string, settings: unknown, io: ConnectorIo): Connection;
}

export interface ConnectorIo {
  readonly log: Log;
  /** `{gateway}` in topics. */
  readonly gateway: string;
  /** Bytes of a message that is taken at most (`mqtt_message_bytes_max`, or the profile's). */
  readonly message_bytes_max: number;
  /** Engine time, ms since the epoch. */
  time(): number;
  now(): number;
  /** Something was published into a ring, or a sink can go on: run a turn soon. */
  wake(): void;
}

export interface Connection {
  readonly status: ConnectionStatus;
  /** Fills the ring from now on; gives what ends it. */
  source(name: string, settings: unknown, into: Ring): () => void;
  /** `rule` is the name that `{rule}` stands for. */
  sink(name: string, settings: unknown, from: Ring, rule: string): Sink;
  /** Raw subscription for commands (`commands` in the configuration); text in, text out. */
  commands?(
    topic: string, on: (message: CommandMessage) => void,
  ): (topic: string, text: string) => void;
  close(): Promise<void>;
}

/** One message on the command topic; what it says is checked by the gate's parser. */
export interface CommandMessage {
  readonly text: string;
  readonly retained: boolean;
  readonly duplicate: boolean;
}

export interface Sink {
  /**
   * Sends rows [from, to) of its ring; gives the sequence up to which it took them (to = all).
   * Less than `to` means: not now, come again after `wake`.
   */
  drain(from: number, to: number): number;
}

export interface ConnectionStatus {
  /** Stable words for `/health`. */
  state: "connecting" | "up" | "down";
  reason: string;
  /** Monotonic ms of the last change. */
  since: number;
  /** Rows made of messages, and rows handed over (at qos 1: acknowledged). */
  received: number;
  sent: number;
  /** Messages that could not be decoded, or rows that could not be sent; counted, never silent. */
  dropped: number;
  errors: number;
  lastError: string;
}

export { logConnector } from "./connector/log.ts";
export { mqttConnector } from "./connector/mqtt.ts";
