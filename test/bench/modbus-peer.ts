import { Program, until } from "../support/binary.ts";
import { compile } from "./compile.ts";

/** Milliseconds after which the clock in the peer's registers begins anew. */
export const peer_clock_ms = 2 ** 20;

/** The Modbus TCP device in C (`modbus_peer.c`), in a process of its own. */
export class ModbusPeer {
  readonly ports: readonly number[];
  readonly program: Program;

  private constructor(program: Program, ports: readonly number[]) {
    this.program = program;
    this.ports = ports;
  }

  /** `wrap`: a command that starts it. */
  static async start(
    folder: string, ports: number, wrap: readonly string[] = [],
  ): Promise<ModbusPeer> {
    const program = new Program([...wrap, compile("modbus_peer", folder), `${ports}`]);
    const told = await until("the peer's ports", () => {
      const lines = program.output.split("\n").slice(0, -1);
      return lines.length === ports ? lines.map(Number) : null;
    });
    return new ModbusPeer(program, told);
  }

  /** Requests answered so far, and when (ms) it was asked. */
  async count(): Promise<{ answered: number; at: number }> {
    const { length } = this.program.output;
    const at = performance.now();
    this.#tell("count");
    const answered = Number(await until("the peer's count", () => {
      const line = this.program.output.slice(length);
      return line.endsWith("\n") ? line : null;
    }));
    return { answered, at };
  }

  /** Port number `index` takes requests and answers none. */
  mute(index: number): void {
    this.#tell(`mute ${index}`);
  }

  async stop(): Promise<void> {
    await this.program.stop("SIGKILL");
  }

  #tell(line: string): void {
    this.program.child.stdin.write(`${line}\n`);
    this.program.child.stdin.flush();
  }
}
