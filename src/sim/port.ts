import type { ReadableStreamDefaultReader } from "node:stream/web";
import { openPty } from "../base/os.ts";
import type { Medium } from "../driver.ts";

/** What a port reports; connections are numbered from 1. */
export interface PortEvents {
  opened(connection: number): void;
  received(connection: number, bytes: Uint8Array): void;
  /** `reset`: by RST, so that the client took back what was not delivered. */
  closed(connection: number, reset: boolean): void;
}

/** The place on this machine that stands for one link. */
export interface Port {
  /** The link's settings that lead here. */
  readonly settings: Readonly<Record<string, unknown>>;
  send(connection: number, bytes: Uint8Array): void;
  /** Ends one connection, as a device does that breaks down. */
  end(connection: number): void;
  /** True: nobody can connect, and who is connected no longer is. */
  cut(isCut: boolean): void;
  close(): void;
}

type Socket = Bun.Socket<{ connection: number }>;
const loopback = "127.0.0.1";

/** A listening TCP port on loopback. */
class TcpPort implements Port {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly #events: PortEvents;
  readonly #sockets = new Map<number, Socket>();
  readonly #port: number;
  #listener: Bun.TCPSocketListener<{ connection: number }> | null;
  #connections = 0;

  constructor(events: PortEvents) {
    this.#events = events;
    this.#listener = this.#listen(0);
    this.#port = this.#listener.port;
    this.settings = { host: loopback, port: this.#port };
  }

  send(connection: number, bytes: Uint8Array): void {
    const socket = this.#sockets.get(connection);
    if (socket === undefined) return;
    // A client that leaves so many answers unread that the kernel takes no more is cut off.
    if (socket.write(bytes) < bytes.length) socket.terminate();
  }

  end(connection: number): void {
    this.#sockets.get(connection)?.terminate();
  }

  cut(isCut: boolean): void {
    if (isCut === (this.#listener === null)) return;
    if (isCut) {
      this.#listener!.stop(true);
      this.#listener = null;
    } else {
      this.#listener = this.#listen(this.#port);
    }
  }

  close(): void {
    this.cut(true);
  }

  #listen(port: number): Bun.TCPSocketListener<{ connection: number }> {
    return Bun.listen<{ connection: number }>({
      hostname: loopback, port,
      socket: {
        open: (socket) => {
          socket.data = { connection: ++this.#connections };
          socket.setNoDelay(true);
          this.#sockets.set(socket.data.connection, socket);
          this.#events.opened(socket.data.connection);
        },
        data: (socket, bytes) => this.#events.received(socket.data.connection, bytes),
        close: (socket, error) => {
          this.#sockets.delete(socket.data.connection);
          this.#events.closed(socket.data.connection, error !== undefined);
        },
      },
    });
  }
}

type Datagrams = Bun.udp.Socket<"buffer">;

/** A UDP port on loopback. Each client that sends from a port of its own is a connection. */
class UdpPort implements Port {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly #socket: Datagrams;
  readonly #clients: { readonly port: number; readonly address: string }[] = [];

  private constructor(socket: Datagrams) {
    this.#socket = socket;
    this.settings = { host: loopback, port: socket.port };
  }

  static async open(events: PortEvents): Promise<UdpPort> {
    const socket = await Bun.udpSocket({
      hostname: loopback,
      socket: { data: (_, bytes, from, address) => port.#receive(bytes, from, address, events) },
    });
    const port = new UdpPort(socket);
    return port;
  }

  #receive(bytes: Buffer, port: number, address: string, events: PortEvents): void {
    let at = this.#clients.findIndex((client) => client.port === port);
    if (at < 0) {
      at = this.#clients.push({ port, address }) - 1;
      events.opened(at + 1);
    }
    events.received(at + 1, bytes);
  }

  send(connection: number, bytes: Uint8Array): void {
    const { port, address } = this.#clients[connection - 1]!;
    this.#socket.send(bytes, port, address);
  }

  /** Nobody notices that a cable is cut. */
  end(): void {}
  cut(): void {}

  close(): void {
    this.#socket.close();
  }
}

/** How often a device that nobody answers dials again (ms). */
const dial_ms = 200;

/** A device that dials the gateway: a port of loopback that the gateway is to listen on. */
class DialPort implements Port {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly #events: PortEvents;
  readonly #port: number;
  #socket: Socket | null = null;
  #connections = 0;
  #isCut = false;
  readonly #dialling = setInterval(() => this.#dial(), dial_ms);

  constructor(events: PortEvents) {
    this.#events = events;
    const probe = Bun.listen({ hostname: loopback, port: 0, socket: { data() {} } });
    this.#port = probe.port;
    probe.stop(true);
    this.settings = { address: loopback, port: this.#port };
  }

  send(_connection: number, bytes: Uint8Array): void {
    this.#socket?.write(bytes);
  }

  end(): void {
    this.#socket?.terminate();
  }

  cut(isCut: boolean): void {
    if (isCut) this.end();
    this.#isCut = isCut;
  }

  close(): void {
    clearInterval(this.#dialling);
    this.cut(true);
  }

  #dial(): void {
    if (this.#socket !== null || this.#isCut) return;
    Bun.connect<{ connection: number }>({
      hostname: loopback, port: this.#port, data: { connection: 0 },
      socket: {
        open: (socket) => {
          socket.data = { connection: ++this.#connections };
          socket.setNoDelay(true);
          this.#socket = socket;
          this.#events.opened(socket.data.connection);
        },
        data: (socket, bytes) => this.#events.received(socket.data.connection, bytes),
        close: (socket, error) => {
          if (this.#socket !== socket) return;
          this.#socket = null;
          this.#events.closed(socket.data.connection, error !== undefined);
        },
      },
      // Nobody listens yet: it dials again.
    }).catch(() => { this.#socket = null; });
  }
}

/** The port that stands for a link of this medium. */
export async function openPort(medium: Medium, events: PortEvents): Promise<Port> {
  switch (medium) {
    case "tcp": return new TcpPort(events);
    case "udp": return UdpPort.open(events);
    case "listen": return new DialPort(events);
    case "serial": return new BusPort(events);
  }
}

/** A bus has one line, on which everybody speaks. */
const bus_connection = 1;
/**
 * A program that was killed leaves its exclusive use (TIOCEXCL) on a pty whose other end lives on;
 * a real port forgets it. So it is lifted this often (ms); the flock of its owner stays.
 */
const share_ms = 500;

/** A pseudo terminal in place of a serial port. */
class BusPort implements Port {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly #pty = openPty();
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;
  readonly #sharing = setInterval(() => this.#pty.share(), share_ms);

  constructor(events: PortEvents) {
    // A pty has no transceiver whose direction could be switched, and no parity bit.
    this.settings = { port: this.#pty.path, rs485: "adapter", parity: "none" };
    this.#reader = Bun.file(this.#pty.master).stream().getReader();
    events.opened(bus_connection);
    void this.#receive(events);
  }

  send(_connection: number, bytes: Uint8Array): void {
    // What a pty that nobody reads cannot take is lost, as it is on a bus.
    this.#pty.write(bytes, bytes.length);
  }

  /** A bus has no connection that could end, and nobody notices that its cable is cut. */
  end(): void {}
  cut(): void {}

  close(): void {
    clearInterval(this.#sharing);
    void this.#reader.cancel();
    this.#pty.close();
  }

  async #receive(events: PortEvents): Promise<void> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      events.received(bus_connection, value);
    }
  }
}
