import { connect as connectTcp, type Socket } from "node:net";
import { MqttClient, type IPublishPacket } from "mqtt";
import { limits, reason } from "../../base.ts";
import type {
  CommandMessage, Connection, ConnectionStatus, ConnectorIo, Intake, Sink,
} from "../../connector.ts";
import type { Ring } from "../../ring.ts";
import { InboundLengths } from "./inbound.ts";
import { Receipts } from "./receipts.ts";
import { createSink } from "./sink.ts";
import { type Inbound, MqttSource, type Receipt } from "./source.ts";
import type { LinkSettings, SinkSettings, SourceSettings } from "./settings.ts";
import { fill, matches } from "./topic.ts";

/** One part of the client's subscriptions. */
interface Receiver {
  readonly filter: string;
  readonly qos: 0 | 1;
  receive(message: Inbound): void;
  /** Of a durable connection: `taken` is called when there was room for the message. */
  receiveDurably?(message: Inbound, receipt: Receipt | null, taken: () => void): void;
}

/** One client for all sources, sinks and commands of a link; it reconnects by itself. */
export class MqttConnection implements Connection {
  readonly status: ConnectionStatus;
  readonly #name: string;
  readonly #io: ConnectorIo;
  readonly #client: MqttClient;
  readonly #receivers: Receiver[] = [];
  /** Receivers by topic, found once a topic; bounded, because wildcards bring any number. */
  readonly #routes = new Map<string, readonly Receiver[]>();
  /** Why the connection cannot be made, as the client said last. */
  #trouble = "";
  /** Until then the connection is tried slowly: somebody sends, or keeps, a message too long. */
  #slowUntil = -Infinity;

  constructor(name: string, settings: LinkSettings, io: ConnectorIo) {
    this.#name = name;
    this.#io = io;
    this.status = {
      state: "connecting", reason: "", since: io.now(),
      received: 0, sent: 0, dropped: 0, errors: 0, lastError: "",
    };
    const { host, port, username, password, clientId } = settings;
    this.#client = new MqttClient(() => this.#open(host, port), {
      protocol: "mqtt", host, port,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      clientId: (clientId ?? `tagwerk-${io.gateway}-${name}`) + (io.durable ? "-journal" : ""),
      // The broker keeps for a durable one what comes while this process is away.
      clean: !io.durable,
      keepalive: Math.round(settings.keepalive / 1000),
      connectTimeout: limits.reconnect_ms_max,
      reconnectPeriod: limits.reconnect_ms_min,
      // A broker that refuses us today may take us tomorrow, when somebody has mended its list.
      reconnectOnConnackError: true,
      // Rows wait in their ring, where they are counted, not in the client's queue.
      queueQoSZero: false,
      // The library's cache of all numbers of two bytes is 65,536 objects, 8 MiB a thread.
      writeCache: false,
    });
    this.#listen(this.#client);
    if (io.durable) this.#takeDurably(this.#client);
  }

  source(name: string, settings: unknown, into: Ring, intake: Intake | null): () => void {
    const source = new MqttSource(
      name, settings as SourceSettings, into, intake, this.status, this.#io);
    this.#subscribe(source);
    return () => {
      source.end();
      this.#unsubscribe(source);
    };
  }

  sink(_name: string, settings: unknown, from: Ring, rule: string): Sink {
    return createSink(
      this.#client, settings as SinkSettings, from, rule, this.status, this.#io);
  }

  commands(
    topic: string, on: (message: CommandMessage) => void,
  ): (topic: string, text: string) => void {
    const decoder = new TextDecoder();
    this.#subscribe({
      filter: fill(topic, { gateway: this.#io.gateway }),
      qos: 1,
      receive: ({ payload, retained, duplicate }) =>
        on({ text: decoder.decode(payload), retained, duplicate }),
    });
    // An answer is an answer: it goes out now or, without a broker, not at all.
    return (to, text) => {
      if (this.#client.connected) {
        this.#client.publish(fill(to, { gateway: this.#io.gateway }), text, { qos: 1 });
        this.status.sent++;
      } else {
        this.status.dropped++;
      }
    };
  }

  async close(): Promise<void> {
    const client = this.#client;
    if (!client.connected) return client.endAsync(true);
    // The client would wait for ever: first for acknowledgements, which then count as dropped, then
    // for the broker's end of the connection.
    const late = setInterval(() => {
      const open = Object.keys(client.outgoing);
      for (const id of open) client.removeOutgoingMessage(Number(id));
      if (open.length > 0) client.emit("outgoingEmpty");
      else client.stream.destroy();
    }, close_ms_max);
    await client.endAsync().finally(() => clearInterval(late));
  }

  #subscribe(receiver: Receiver): void {
    this.#receivers.push(receiver);
    this.#routes.clear();
    // The client keeps the list itself and subscribes again after each reconnect.
    this.#client.subscribe(receiver.filter, { qos: receiver.qos }, (error, granted) => {
      const refused = granted?.some((grant) => grant.qos === 128) === true;
      if (refused) this.#failed(`the broker refuses the subscription to ${receiver.filter}`);
      else if (error !== null) this.#failed(reason(error));
      else this.#io.log.info(`mqtt ${this.#name}`, `subscribed to ${receiver.filter}`);
    });
  }

  #unsubscribe(receiver: Receiver): void {
    this.#receivers.splice(this.#receivers.indexOf(receiver), 1);
    this.#routes.clear();
    // Others may listen to the same.
    if (this.#receivers.some(({ filter }) => filter === receiver.filter)) return;
    this.#client.unsubscribe(receiver.filter, (error) => {
      if (error) this.#failed(reason(error));
    });
  }

  #listen(client: MqttClient): void {
    client.on("connect", () => {
      const slow = this.#io.now() < this.#slowUntil;
      if (!slow) client.options.reconnectPeriod = limits.reconnect_ms_min;
      this.#trouble = "";
      this.#become("up", "");
      // Sinks may go on.
      this.#io.wake();
    });
    if (!this.#io.durable) {
      client.on("message", (topic, _payload, packet) => this.#receive(topic, packet));
    }
    client.on("error", (error) => {
      this.#trouble = reason(error);
      this.#failed(this.#trouble);
    });
    client.on("close", () => {
      // Heard after the client has set its timer: holds from the next attempt on.
      const next = (client.options.reconnectPeriod ?? 0) * 2;
      client.options.reconnectPeriod = Math.min(limits.reconnect_ms_max, next);
      this.#become("down", this.#trouble || "the connection closed");
    });
  }

  /** A message that is too long is seen by its header, and is never kept. */
  #open(host: string, port: number): Socket {
    const socket = connectTcp({ host, port });
    const lengths = new InboundLengths(this.#io.message_bytes_max);
    socket.on("data", (bytes: Uint8Array) => {
      const length = lengths.take(bytes);
      if (length > 0 && !socket.destroyed) this.#tooLong(socket, length);
    });
    return socket;
  }

  #tooLong(socket: Socket, length: number): void {
    this.#trouble = `a message of ${length} bytes; at most ${this.#io.message_bytes_max} are taken`;
    this.status.dropped++;
    this.#failed(this.#trouble);
    // It may be a retained one that comes again with each subscription.
    this.#slowUntil = this.#io.now() + 2 * limits.reconnect_ms_max;
    socket.destroy();
  }

  #receive(topic: string, packet: IPublishPacket): void {
    for (const receiver of this.#routes.get(topic) ?? this.#route(topic)) {
      receiver.receive(inbound(packet));
    }
  }

  /**
   * The client looks at the next packet when it is called back, and acknowledges this one unless
   * that is with an error: then we do, when the message is durable.
   */
  #takeDurably(client: MqttClient): void {
    const receipts = new Receipts(() => client.stream);
    client.handleMessage = (packet, next) => {
      const { topic } = packet;
      const receivers = this.#routes.get(topic) ?? this.#route(topic);
      if (receivers.length === 0) {
        this.status.dropped++;
        this.#failed(`${topic}: no source has this topic any more`);
        return next();
      }
      const receipt = packet.qos === 0 ? null : receipts.of(packet.messageId!);
      const own = receipt === null ? null : shared(receipt, receivers.length);
      let waiting = receivers.length;
      const taken = (): void => {
        if (--waiting === 0) next(packet.qos === 0 ? undefined : new Error("acknowledged later"));
      };
      for (const receiver of receivers) receiver.receiveDurably!(inbound(packet), own, taken);
    };
  }

  #route(topic: string): readonly Receiver[] {
    if (this.#routes.size >= routes_max) this.#routes.clear();
    const found = this.#receivers.filter((receiver) => matches(receiver.filter, topic));
    this.#routes.set(topic, found);
    return found;
  }

  #become(state: ConnectionStatus["state"], why: string): void {
    const { status } = this;
    if (status.state === state || this.#client.disconnecting) return;
    status.state = state;
    status.reason = why;
    status.since = this.#io.now();
    const text = state === "up" ? "connected to the broker" : `broker is away: ${why}`;
    this.#io.log[state === "up" ? "info" : "warn"](`mqtt ${this.#name}`, text);
  }

  #failed(why: string): void {
    this.status.errors++;
    this.status.lastError = why;
  }
}

const inbound = ({ topic, qos, messageId, payload, retain, dup }: IPublishPacket): Inbound => ({
  topic, qos, id: messageId ?? 0, payload: payload as Buffer, retained: retain, duplicate: dup,
});

/** Acknowledges when all of several have. */
function shared(receipt: Receipt, of: number): Receipt {
  let left = of;
  return { id: receipt.id, acknowledge: () => {
    if (--left === 0) receipt.acknowledge();
  } };
}

/** Topics whose receivers are remembered. */
const routes_max = 1024;
/** Patience at each of the two steps of an orderly end. */
const close_ms_max = 300;
