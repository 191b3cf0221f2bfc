import { createServer, type AddressInfo } from "node:net";
import { Aedes } from "aedes";

/** The demo's MQTT broker, in this process; it also listens to what is published. */
export interface Broker {
  readonly port: number;
  /** Messages published under `plant/`. */
  readonly received: number;
  /** Newest message of each topic. */
  readonly newest: ReadonlyMap<string, string>;
  close(): Promise<void>;
}

export async function startBroker(): Promise<Broker> {
  const aedes = await Aedes.createBroker();
  const server = createServer(aedes.handle);
  const newest = new Map<string, string>();
  let received = 0;
  aedes.on("publish", (packet) => {
    if (!packet.topic.startsWith("plant/")) return;
    received += 1;
    newest.set(packet.topic, packet.payload.toString());
  });
  await new Promise<void>((resolve) => { server.listen(0, "127.0.0.1", resolve); });
  return {
    port: (server.address() as AddressInfo).port,
    get received() { return received; },
    newest,
    async close() {
      await new Promise<void>((resolve) => { aedes.close(resolve); });
      server.close();
    },
  };
}
