import type { TCPSocketListener } from "bun";
import { join } from "node:path";
import { Program, until } from "../../support/binary.ts";

/** The plant (plant.ts) in a process of its own. */
export class PlantProcess {
  readonly #program: Program;
  #asked = 0;

  private constructor(program: Program) {
    this.#program = program;
  }

  static async start(port: number, ...args: string[]): Promise<PlantProcess> {
    const script = join(import.meta.dir, "plant.ts");
    const program = new Program([process.execPath, script, String(port), ...args]);
    const plant = new PlantProcess(program);
    await until("the server is up", () => /^ready$/m.test(program.output), 90_000)
      .catch((thrown: unknown) => {
        throw new Error(`${thrown}\n${program.output}`);
      });
    return plant;
  }

  /** One line, and what it answers. */
  async ask(line: string): Promise<string> {
    const n = ++this.#asked;
    this.#program.child.stdin.write(`${line}\n`);
    await this.#program.child.stdin.flush();
    const answer = new RegExp(`^${n}: (.*)$`, "m");
    return (await until(`answer to ${line}`, () => answer.exec(this.#program.output)))[1]!;
  }

  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await this.#program.stop(signal);
  }
}

/**
 * Passes bytes between clients and a port; while it is cut, what arrives is lost, and while it
 * stalls, what the server sends waits.
 */
export class Cable {
  readonly port: number;
  cut = false;
  /** Pieces that pass of each connection from now on; then the server hangs, until `mend`. */
  passes = Infinity;
  /** Connections that were made. */
  opened = 0;
  readonly #lines = new Set<Line>();
  /** What waits; null = it does not stall. */
  #stalled: (() => void)[] | null = null;
  /** Pieces of the newest connection that still pass; then the cable is cut. */
  #left = Infinity;
  #newest: Line | null = null;
  readonly #listener: TCPSocketListener<Line>;

  constructor(to: number, hostname = "127.0.0.1", port = 0) {
    const cable = this;
    this.#listener = Bun.listen<Line>({
      hostname, port,
      socket: {
        open(client) {
          cable.#newest = client.data =
            { early: [], held: [], left: cable.passes, client, server: null };
          cable.#lines.add(client.data);
          cable.opened += 1;
          void Bun.connect({ hostname: "127.0.0.1", port: to, socket: {
            open(server) {
              client.data.server = server;
              for (const bytes of client.data.early.splice(0)) server.write(bytes);
            },
            data: (_, bytes) => {
              const kept = Buffer.from(bytes);
              if (cable.#stalled !== null) cable.#stalled.push(() => void client.write(kept));
              else if (!cable.cut) client.write(bytes);
            },
            close: () => void client.end(),
          } }).catch(() => void client.end());
        },
        data(client, bytes) {
          if (client.data === cable.#newest && cable.#left-- <= 0) cable.cut = true;
          if (cable.cut) return;
          if (client.data.left-- <= 0) return void client.data.held.push(Buffer.from(bytes));
          if (client.data.server === null) client.data.early.push(Buffer.from(bytes));
          else client.data.server.write(bytes);
        },
        close: ({ data: line }) => {
          cable.#lines.delete(line);
          line.server?.end();
        },
      },
    });
    this.port = this.#listener.port;
  }

  /** It dies with the request after the next `requests` of the newest connection on it. */
  cutAfter(requests: number): void {
    this.#left = requests;
  }

  /** Of the connections that there are now the server reads nothing more, until `mend`. */
  hang(): void {
    for (const line of this.#lines) line.left = 0;
  }

  stall(): void {
    this.#stalled = [];
  }

  /** What waited arrives in one go. */
  flow(): void {
    for (const pass of this.#stalled?.splice(0) ?? []) pass();
    this.#stalled = null;
  }

  /** It is whole again, and a server that hung gets what came meanwhile. */
  mend(): void {
    this.#left = this.passes = Infinity;
    this.cut = false;
    for (const line of this.#lines) {
      line.left = Infinity;
      for (const bytes of line.held.splice(0)) line.server?.write(bytes);
    }
  }

  /** The newest connection ends; the others stay. */
  drop(): void {
    this.#newest?.client.end();
  }

  stop(): void {
    this.#listener.stop(true);
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}

interface Line {
  early: Buffer[];
  held: Buffer[];
  left: number;
  client: { end(): void };
  server: { write(bytes: Uint8Array): number; end(): void } | null;
}
