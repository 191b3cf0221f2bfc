import { limits, reason } from "../../base.ts";
import type { ConnectionStatus, ConnectorIo } from "../../connector.ts";
import { become } from "../status.ts";
import type { Answering, Registers } from "./modbus.ts";
import type { LinkSettings } from "./settings.ts";

interface Client {
  readonly answering: Answering;
  /** Monotonic ms of its newest request. */
  asked: number;
  /** Why it is to be sent away, or null. */
  wrong: string | null;
}

/** Of one request: 7 of header, 253 of what is asked. */
const request_bytes_max = 260;

/** One connection, as a machine's sockets are. */
export interface ClientSocket {
  data: Client | null;
  readonly remoteAddress: string;
  setNoDelay(on: boolean): unknown;
  /** Bytes that were taken of these `n`. */
  write(bytes: Uint8Array, from: number, n: number): number;
  /** Ends now. */
  terminate(): void;
}

export interface PortEvents {
  open(socket: ClientSocket): void;
  data(socket: ClientSocket, bytes: Uint8Array): void;
  close(socket: ClientSocket): void;
}

/** Opens a port, or throws; what it gives closes it. The simulated world has one of its own. */
export type OpenPort = (hostname: string, port: number, events: PortEvents) => () => void;

const tcpPort: OpenPort = (hostname, port, { open, data, close }) => {
  const listener = Bun.listen<Client | null>({
    hostname, port, data: null,
    socket: {
      binaryType: "uint8array", open, data, close, error: (socket) => void socket.terminate(),
    },
  });
  return () => listener.stop(true);
};

/**
 * The port that clients connect to. Nothing of theirs is kept waiting: who sends what is no
 * request, asks more at a time than is answered at once, or does not read its answers, is sent
 * away, so that what all of them can hold is bounded.
 */
export class Listener {
  readonly #name: string;
  readonly #settings: LinkSettings;
  readonly #status: ConnectionStatus;
  readonly #io: ConnectorIo;
  readonly #openPort: OpenPort;
  readonly #clients = new Set<ClientSocket>();
  #registers: Registers | null = null;
  #closePort: (() => void) | null = null;
  #again: unknown = null;
  #ended = false;

  constructor(
    name: string, settings: LinkSettings, status: ConnectionStatus, io: ConnectorIo,
    openPort: OpenPort = tcpPort,
  ) {
    this.#name = name;
    this.#settings = settings;
    this.#status = status;
    this.#io = io;
    this.#openPort = openPort;
  }

  /** From now on these are read; who is connected comes again, and sees the new ones. */
  serve(registers: Registers): void {
    if (this.#ended) return;
    this.#registers = registers;
    for (const client of this.#clients) client.terminate();
    if (this.#closePort === null) this.#listen();
  }

  close(): void {
    this.#ended = true;
    this.#io.timers.clear(this.#again);
    this.#closePort?.();
    this.#closePort = null;
    this.#clients.clear();
  }

  #listen(): void {
    const { address: hostname, port } = this.#settings;
    try {
      this.#closePort = this.#openPort(hostname, port, {
        open: (socket) => this.#came(socket),
        data: (socket, bytes) => this.#received(socket, bytes),
        close: (socket) => void this.#clients.delete(socket),
      });
      this.#become("up", `${hostname}:${port} answers clients`);
    } catch (thrown) {
      this.#become("down", `${hostname}:${port} cannot be listened on: ${reason(thrown)}`);
      if (this.#ended) return;
      this.#again = this.#io.timers.after(limits.reconnect_ms_max, () => this.#listen());
    }
  }

  #came(socket: ClientSocket): void {
    const { clients, from } = this.#settings;
    const address = socket.remoteAddress.replace(/^::ffff:/, "");
    if (from !== undefined && !from.includes(address)) {
      return this.#turnAway(socket, `${address} is not among the addresses that may connect`);
    }
    if (this.#clients.size >= clients && !this.#makeRoom()) {
      return this.#turnAway(socket, `${address}: all ${clients} connections are taken`);
    }
    socket.setNoDelay(true);
    socket.data = { answering: this.#registers!.accept(), asked: this.#io.now(), wrong: null };
    this.#clients.add(socket);
  }

  /** The one that has asked nothing for longest gives way, if that is long enough. */
  #makeRoom(): boolean {
    const [oldest] = [...this.#clients].sort((a, b) => a.data!.asked - b.data!.asked);
    if (this.#io.now() - oldest!.data!.asked < this.#settings.idleTimeout) return false;
    this.#clients.delete(oldest!);
    oldest!.terminate();
    return true;
  }

  #received(socket: ClientSocket, bytes: Uint8Array): void {
    const client = socket.data;
    if (client === null || !this.#clients.has(socket)) return;
    const now = this.#io.now();
    const more = `asks more than ${limits.register_requests_max} at a time`;
    let asked = 0;
    if (bytes.length > limits.register_requests_max * request_bytes_max) client.wrong = more;
    else {
      client.answering.receive(bytes, bytes.length, now, {
        frame: (_bytes, _n, valid) => {
          if (!valid) client.wrong = "sends what is no request";
          else if (++asked > limits.register_requests_max) client.wrong = more;
          client.asked = now;
        },
        reply: (answer, n) => {
          if (client.wrong === null && socket.write(answer, 0, n) !== n) {
            client.wrong = "does not read its answers";
          }
        },
      });
    }
    if (client.wrong === null) return;
    this.#clients.delete(socket);
    this.#turnAway(socket, `${socket.remoteAddress} ${client.wrong}`);
  }

  #turnAway(socket: ClientSocket, why: string): void {
    this.#status.dropped += 1;
    this.#status.lastError = why;
    socket.terminate();
  }

  #become(state: "up" | "down", said: string): void {
    become(this.#status, this.#io, this.#name, state, said);
  }
}
