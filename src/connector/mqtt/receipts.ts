import type { Receipt } from "./source.ts";

/** PUBACK (MQTT 3.1.1, 3.4): | 0x40 | 2 | packet id, 2 | */
const puback_bytes = 4;

/** The part of a connection that bytes go out by. */
interface Outgoing {
  readonly destroyed?: boolean;
  write(bytes: Uint8Array): unknown;
}

/**
 * Acknowledgements of messages in the order in which they become durable, many in one write. The
 * client's own would come one by one, and before the next message is looked at: at one commit a
 * message.
 */
export class Receipts {
  readonly #stream: () => Outgoing;
  #to: Outgoing | null = null;
  #ids: number[] = [];

  constructor(stream: () => Outgoing) {
    this.#stream = stream;
  }

  /** Of a message that came by the connection of now. */
  of(id: number): Receipt {
    const stream = this.#stream();
    return { id, acknowledge: () => this.#acknowledge(stream, id) };
  }

  /** What came by a connection that is no more is sent again, and acknowledged then. */
  #acknowledge(stream: Outgoing, id: number): void {
    if (stream !== this.#stream() || stream.destroyed === true) return;
    if (this.#to !== stream) this.#ids = [];
    this.#to = stream;
    if (this.#ids.push(id) === 1) queueMicrotask(() => this.#send(stream));
  }

  #send(stream: Outgoing): void {
    if (this.#to !== stream) return;
    const bytes = new Uint8Array(this.#ids.length * puback_bytes);
    this.#ids.forEach((id, i) => bytes.set([0x40, 2, id >> 8, id & 255], i * puback_bytes));
    this.#ids = [];
    stream.write(bytes);
  }
}
