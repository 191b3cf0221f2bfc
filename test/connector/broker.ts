import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Aedes } from "aedes";
import { freePort } from "../support/port.ts";

/** A broker that can go away and come back on the same port. */
export interface Broker {
  readonly port: number;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export const mosquittoPath = Bun.which("mosquitto") ??
  (await Bun.file("/usr/sbin/mosquitto").exists() ? "/usr/sbin/mosquitto" : null);

/** The broker inside this process; `password`, if given, is asked of everybody. */
export async function aedesBroker(
  password?: string,
): Promise<Broker & { readonly subscriptions: number; mute(): void }> {
  const port = await freePort();
  let aedes: Aedes;
  let server: Server;
  const sockets = new Set<Socket>();
  let subscriptions = 0;
  return {
    port,
    get subscriptions() {
      return subscriptions;
    },
    async start() {
      aedes = await Aedes.createBroker();
      aedes.on("subscribe", () => { subscriptions += 1; });
      if (password !== undefined) {
        aedes.authenticate = (_client, _name, given, done) =>
          done(null, given?.toString() === password);
      }
      server = createServer((socket) => {
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket));
        aedes.handle(socket);
      });
      await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
    },
    /** From now on no publish is acknowledged. */
    mute() {
      aedes.authorizePublish = () => undefined;
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((done) => aedes.close(done));
      await new Promise((done) => server.close(done));
    },
  };
}

/** The real Mosquitto, with nothing kept between starts. */
export async function mosquittoBroker(): Promise<Broker> {
  const port = await freePort();
  const settings = [
    `listener ${port} 127.0.0.1`, "allow_anonymous true", "persistence false",
    "max_queued_messages 100000", "log_type none", "",
  ].join("\n");
  let folder = "";
  let child: Bun.Subprocess | null = null;
  return {
    port,
    async start() {
      folder = mkdtempSync(join(tmpdir(), "mosquitto-"));
      const config = join(folder, "mosquitto.conf");
      writeFileSync(config, settings);
      child = Bun.spawn([mosquittoPath!, "-c", config], { stdout: "ignore", stderr: "ignore" });
      while (!await answers(port)) await Bun.sleep(5);
    },
    async stop() {
      child?.kill("SIGTERM");
      await child?.exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connectTcp(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      done(true);
    });
    socket.once("error", () => done(false));
  });
}
