import { limits, reason } from "../../base.ts";
import { createDecoder, type RowDecoder } from "../../codec.ts";
import type { ConnectionStatus, ConnectorIo, Intake } from "../../connector.ts";
import { type Dyn, FLAG, GOOD, meta_name, type Ring, UNCERTAIN } from "../../ring.ts";
import type { SourceSettings } from "./settings.ts";
import { fill } from "./topic.ts";

/** One message as it came. */
export interface Inbound {
  readonly topic: string;
  readonly qos: number;
  /** 0 at qos 0. */
  readonly id: number;
  readonly payload: Uint8Array;
  readonly retained: boolean;
  /** The broker says that it has sent it before. */
  readonly duplicate: boolean;
}

/** A message at qos 1: how it is known again, and how it is acknowledged. */
export interface Receipt {
  readonly id: number;
  acknowledge(): void;
}

/** Messages of one filter become rows of one stream. */
export class MqttSource {
  readonly filter: string;
  readonly qos: 0 | 1;
  readonly #name: string;
  readonly #retained: SourceSettings["retained"];
  readonly #decoder: RowDecoder;
  /** A rule reads what messages say of themselves. */
  readonly #tells: boolean;
  readonly #intake: Intake | null;
  readonly #known: KnownMessages;
  readonly #status: ConnectionStatus;
  readonly #io: ConnectorIo;
  #ended = false;

  constructor(
    name: string, settings: SourceSettings, into: Ring, intake: Intake | null,
    status: ConnectionStatus, io: ConnectorIo,
  ) {
    this.filter = fill(settings.topic, { gateway: io.gateway });
    this.qos = settings.qos;
    this.#name = name;
    this.#retained = settings.retained;
    this.#decoder = createDecoder(into, { ...settings, rows_max: intake?.rows_max });
    this.#tells = into.column(meta_name) !== undefined;
    this.#intake = intake;
    this.#known = new KnownMessages(intake?.marks ?? []);
    this.#status = status;
    this.#io = io;
  }

  receive(message: Inbound): void {
    const { payload, retained } = message;
    const status = this.#status;
    if (retained && this.#retained === "skip") return;
    const isOld = retained && this.#retained === "uncertain";
    const state = isOld ? UNCERTAIN.source : GOOD;
    const flags = this.#io.flags() | (isOld ? FLAG.doubtful : 0);
    const decoder = this.#decoder;
    const before = decoder.refused;
    try {
      const meta = this.#tells ? metaOf(message) : null;
      status.received += decoder.decode(payload, this.#io.time(), state, meta, flags);
      if (decoder.refused !== before) this.#refused(decoder.refused - before);
      this.#io.wake();
    } catch (thrown) {
      // One bad message is the sender's trouble; the stream goes on, and it is counted.
      status.dropped++;
      status.errors++;
      status.lastError = `${this.#name}: ${reason(thrown)}`;
    }
  }

  #refused(rows: number): void {
    this.#status.dropped += rows;
    this.#status.errors++;
    this.#status.lastError = `${this.#name}: ${this.#decoder.refusal}`;
  }

  /** What waits for room waits no longer, and is not acknowledged. */
  end(): void {
    this.#ended = true;
  }

  /** Calls `taken` once there is room for the message; it is acknowledged when it is durable. */
  receiveDurably(message: Inbound, receipt: Receipt | null, taken: () => void): void {
    const intake = this.#intake!;
    if (this.#ended) return taken();
    if (!intake.open) {
      intake.whenOpen(() => this.receiveDurably(message, receipt, taken));
      return;
    }
    if (receipt === null) {
      this.receive(message);
      intake.commit("", () => undefined);
    } else if (!message.duplicate || !this.#known.again(message.payload, receipt)) {
      this.receive(message);
      const { mark, durable } = this.#known.add(message.payload, receipt);
      intake.commit(mark, durable);
    }
    taken();
  }
}

const metaOf = ({ topic, qos, id }: Inbound): Dyn => new Map<string, Dyn>([
  ["topic", topic], ["qos", BigInt(qos)], ["messageId", BigInt(id)],
]);

interface Known {
  readonly hash: string;
  receipt: Receipt;
  durable: boolean;
}

/**
 * A broker sends again, with the same packet id, what it has no acknowledgement of (MQTT 3.1.1,
 * 4.4): the newest messages, by packet id and content, also of before a restart. An id is used
 * anew only after its acknowledgement, so that with the same content it is the same message.
 */
class KnownMessages {
  readonly #byId = new Map<number, Known>();

  constructor(marks: readonly string[]) {
    for (const mark of marks) {
      const [id, hash] = mark.split(" ") as [string, string | undefined];
      if (hash === undefined) continue;
      const receipt = { id: Number(id), acknowledge: () => undefined };
      this.#remember({ hash, durable: true, receipt });
    }
  }

  /** True = the message was taken before: it is acknowledged, now or when it is durable. */
  again(payload: Uint8Array, receipt: Receipt): boolean {
    const known = this.#byId.get(receipt.id);
    if (known === undefined || known.hash !== hashOf(payload)) return false;
    known.receipt = receipt;
    if (known.durable) receipt.acknowledge();
    return true;
  }

  add(payload: Uint8Array, receipt: Receipt): { mark: string; durable(): void } {
    const known: Known = { hash: hashOf(payload), durable: false, receipt };
    this.#remember(known);
    return {
      mark: `${receipt.id} ${known.hash}`,
      durable: () => {
        known.durable = true;
        known.receipt.acknowledge();
      },
    };
  }

  #remember(known: Known): void {
    const { id } = known.receipt;
    this.#byId.delete(id);
    this.#byId.set(id, known);
    if (this.#byId.size <= limits.journal_marks_min) return;
    this.#byId.delete(this.#byId.keys().next().value!);
  }
}

const hashOf = (payload: Uint8Array): string => Bun.hash(payload).toString(36);
