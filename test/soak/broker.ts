import { createServer, type AddressInfo, type Server } from "node:net";
import { Aedes } from "aedes";
import { until } from "../support/binary.ts";

export interface Reply {
  readonly outcome: string;
  readonly code: string | null;
}

interface Waiting {
  done(reply: Reply): void;
  failed(why: Error): void;
}

const reply_ms_max = 20_000;

/** A broker whose one client is the gateway; commands are published by the broker itself. */
export class Broker {
  readonly #topic: string;
  readonly #aedes: Aedes;
  readonly #server: Server;
  /** Questions of the open connection, and those that wait for the next one. */
  readonly #asked = new Map<string, Waiting>();
  readonly #kept = new Map<string, Waiting>();
  #clients: { close(): void }[] = [];

  private constructor(topic: string, aedes: Aedes) {
    this.#topic = topic;
    this.#aedes = aedes;
    this.#server = createServer(aedes.handle);
    aedes.on("client", (client) => { this.#clients.push(client); });
    aedes.on("clientDisconnect", (client) => this.#gone(client));
    aedes.on("publish", (packet) => {
      if (packet.topic === `${topic}/reply`) this.#answered(packet.payload.toString());
    });
  }

  static async start(topic: string): Promise<Broker> {
    const broker = new Broker(topic, await Aedes.createBroker());
    await new Promise<void>((done) => { broker.#server.listen(0, "127.0.0.1", done); });
    return broker;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** A live command; fails if the gateway is not there, or goes before it has answered. */
  ask(id: string, body: object): Promise<Reply> {
    if (this.#clients.length === 0) return Promise.reject(new Error("nobody has subscribed"));
    return this.#publish(id, body, this.#asked, false);
  }

  /**
   * A command that the broker keeps: published while the gateway is away, and handed over with the
   * retain bit when it has come back and subscribed.
   */
  async keep(id: string, body: object): Promise<Reply> {
    await this.drop();
    return this.#publish(id, body, this.#kept, true);
  }

  /** A message whose answer nobody waits for. */
  tell(body: object): void {
    this.#send(body, false, () => {});
  }

  /** Ends the gateway's connection. */
  async drop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await until("no client", () => this.#clients.length === 0);
  }

  async close(): Promise<void> {
    await new Promise<void>((done) => this.#aedes.close(done));
    this.#server.close();
  }

  #publish(
    id: string, body: object, waiting: Map<string, Waiting>, retain: boolean,
  ): Promise<Reply> {
    return new Promise<Reply>((done, failed) => {
      const timer = setTimeout(() => failed(new Error(`no reply to ${id}`)), reply_ms_max);
      const end = (): void => {
        clearTimeout(timer);
        waiting.delete(id);
      };
      waiting.set(id, {
        done: (reply) => (end(), done(reply)), failed: (why) => (end(), failed(why)),
      });
      this.#send(body, retain, (error) => waiting.get(id)?.failed(error));
    });
  }

  #send(body: object, retain: boolean, failed: (error: Error) => void): void {
    this.#aedes.publish({ cmd: "publish", qos: 0, dup: false, retain, topic: this.#topic,
      payload: JSON.stringify(body) }, (error) => {
      if (error) failed(error);
    });
  }

  #answered(text: string): void {
    const reply = JSON.parse(text) as Reply & { id: string };
    (this.#asked.get(reply.id) ?? this.#kept.get(reply.id))?.done(reply);
  }

  #gone(client: { close(): void }): void {
    this.#clients = this.#clients.filter((other) => other !== client);
    for (const { failed } of [...this.#asked.values()]) failed(new Error("the gateway has gone"));
  }
}
