import type { z } from "zod";
import type { Fault, Log, Timers } from "./base.ts";
import type { LinkUse, UseProblem } from "./config.ts";
import type { CellValue, ColumnKind, ColumnSpec, Ring } from "./ring.ts";

/**
 * The IT-side contracts: a `source` fills a ring, a `sink` drains one, a `lookup` answers keys. The
 * runtime owns when; a connector owns its client and reconnects by itself, reporting through
 * `status`. Schemas of settings are getters: zod is loaded by who reads a configuration, not by
 * each thread (2 MiB each); settings that are handed over were read by them.
 */
export interface Connector {
  /** The `type` of a link, source or sink in the configuration. */
  readonly type: string;
  /** Settings of a link of this type; null if the type needs no link (`log`). */
  readonly link: z.ZodObject | null;
  /**
   * Settings of a `sources` entry, beside `type`, `link` and `columns`; null = no source. Where
   * there is no link each source has a connection of its own.
   */
  readonly source: z.ZodObject | null;
  /** Its messages say something of themselves, for the column `$meta` (`meta()` in SQL). */
  readonly tells?: true;
  /** True for the settings of a source whose rows are acknowledged when they are durable. */
  waits?(settings: unknown): boolean;
  /** Bytes that a link of these settings takes by itself; 0 if left out. */
  link_bytes?(settings: unknown): number;
  /** Bytes that each of its sources takes beside the stream's ring; 0 if left out. */
  readonly source_bytes?: number;
  /** Marks of its newest messages that are kept for such a source (`Intake.marks`); else one. */
  readonly marks_min?: number;
  /** Nobody knows how old the rows of its sources are: no machine is written from them. */
  readonly isPast?: boolean;
  /** Settings of a `sinks` entry, beside `type` and `link`; null = no sink. */
  readonly sink: z.ZodObject | null;
  /** Of sinks that say by name what they take, and which rules so do not name: all of it. */
  takes?(settings: unknown): readonly Taken[];
  /** What is wrong among the sources and sinks of one link, beyond each by itself. */
  wrongTogether?(uses: readonly LinkUse[]): readonly UseProblem[];
  /** Fetches the library that `connect` needs, on threads where there is something to connect. */
  load?(): Promise<void>;
  /** One client for all sources and sinks of a link. */
  connect(name: string, settings: unknown, io: ConnectorIo): Connection;
}

/** A value that a sink takes by its name: `device.tag`, or `stream.column`. */
export interface Taken {
  readonly name: string;
  /** Where the sink's settings say so. */
  readonly path: readonly string[];
  /** ms after which it counts as bad. */
  readonly maxAge: number;
  /** What is wrong with a column of this kind, or null. */
  wrong(kind: ColumnKind): string | null;
}

export interface ConnectorIo {
  readonly log: Log;
  readonly timers: Timers;
  /** `{gateway}` in topics. */
  readonly gateway: string;
  /** Bytes of a message that is taken at most (`mqtt_message_bytes_max`, or the profile's). */
  readonly message_bytes_max: number;
  /** Engine time, ms since the epoch. */
  time(): number;
  /** Of a row that is made now: whether its time is certain. */
  flags(): number;
  now(): number;
  /** The connection is of sources that can wait: what they have not acknowledged comes again. */
  readonly durable: boolean;
  /** Something was published into a ring, or a sink can go on: run a turn soon. */
  wake(): void;
}

/**
 * Where a source that can wait puts its rows (MQTT at qos 1, a file): nothing is acknowledged
 * before it is durable, and what is acknowledged is worked with exactly once. A source publishes
 * the rows of one message, at most `rows_max`, into its ring while the intake is `open`, and calls
 * `commit`.
 */
export interface Intake {
  readonly rows_max: number;
  /** Another message fits; else wait for `whenOpen`, and the sender waits too. */
  readonly open: boolean;
  whenOpen(go: () => void): void;
  /**
   * What was published since the last call is one message. `durable` is called once it may be
   * acknowledged, in the order of the calls. `mark` is the source's own word for it, by which it
   * knows the message again after a restart, or where to read on.
   */
  commit(mark: string, durable: () => void): void;
  /** Marks of the newest messages that were durable at the start, oldest first. */
  readonly marks: readonly string[];
  /** Mark of the last `commit`, or the newest that was durable at the start; null: none. */
  readonly newest: string | null;
}

export interface Connection {
  readonly status: ConnectionStatus;
  /**
   * Fills the ring from now on; gives what ends it. `intake` is there for a source that can wait
   * (`waits`): `into` is then its inlet.
   */
  source(name: string, settings: unknown, into: Ring, intake: Intake | null): () => void;
  /**
   * `rule` is the name that `{rule}` stands for: of the stream, one of those that go to the sink.
   */
  sink(name: string, settings: unknown, from: Ring, rule: string): Sink;
  /** Raw subscription for commands (`commands` in the configuration); text in, text out. */
  commands?(
    topic: string, on: (message: CommandMessage) => void,
  ): (topic: string, text: string) => void;
  close(): Promise<void>;
}

/** A kind of table that rows are looked up in. */
export interface TableType {
  /** The `type` of a `tables` entry. */
  readonly type: string;
  /** Its settings beside what all tables have. */
  readonly settings: z.ZodObject;
  /**
   * What is wrong with the settings of a table with this key, or with none (null), which is read as
   * a whole: which setting, and what would be right.
   */
  wrong?(settings: unknown, key: string | null): readonly [setting: string, why: string] | null;
  open(settings: unknown, shape: TableShape): Lookup;
}

/** What is wanted of each row of a table, and the column it is asked by; null: it is read whole. */
export interface TableShape {
  readonly columns: readonly ColumnSpec[];
  readonly key: string | null;
}

/** The values of one row in the order of `columns`, as the client gives them. */
export type Answer = readonly unknown[];

/**
 * Answers keys. Nothing is opened before the first question, and a client that lost its server
 * connects again with a later one; how often that is tried is the runtime's.
 */
export interface Lookup {
  /**
   * The row of each key, in their order; null = there is none. What goes wrong with one key is that
   * key's answer (more than one row: which is meant is not for us to say); what goes wrong with
   * all rejects, with a sentence. After `abort` it settles at once and leaves nothing behind that
   * could hold up the next question.
   */
  ask(keys: readonly CellValue[], abort: AbortSignal): Promise<readonly (Answer | null | Fault)[]>;
  /**
   * All rows of a table without key. More than `most` are a Fault: which of them are meant is not
   * for us to say.
   */
  list?(most: number, abort: AbortSignal): Promise<readonly Answer[]>;
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
  /**
   * Of a sink that waits for acknowledgement: of the rows before `taken`, the sequence up to which
   * they have arrived. Absent: what it took is gone.
   */
  settled?(taken: number): number;
  /** It is drained no more: the sink is another now, or is not there any more. */
  end?(): void;
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

export { csvTable, fileConnector } from "./connector/file.ts";
export { httpConnector, httpTable } from "./connector/http.ts";
export { logConnector } from "./connector/log.ts";
export { modbusServer } from "./connector/modbus-server.ts";
export { mqttConnector } from "./connector/mqtt.ts";
export { redisTable } from "./connector/redis.ts";
export { sqliteTable, sqlTable } from "./connector/sql.ts";
