import { closeSync, openSync, readFileSync } from "node:fs";

/** How long a child may take to stop by itself before it is killed (ms). */
const stop_ms_max = 5000;
const tail_lines = 12;

/** One process that the demo started; its output goes to a file. */
export class Child {
  readonly name: string;
  readonly pid: number;
  readonly #process: Bun.Subprocess;
  readonly #output: string;

  constructor(name: string, command: string[], output: string, cwd: string) {
    const file = openSync(output, "w");
    this.name = name;
    this.#output = output;
    this.#process = Bun.spawn(command, { cwd, stdin: "ignore", stdout: file, stderr: file });
    this.pid = this.#process.pid;
    closeSync(file);
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** The last lines of its output, for when it ended before its time. */
  tail(): string {
    return readFileSync(this.#output, "utf8").trimEnd().split("\n").slice(-tail_lines).join("\n");
  }

  async stop(): Promise<void> {
    if (!this.running) return;
    this.#process.kill("SIGTERM");
    const killer = setTimeout(() => this.#process.kill("SIGKILL"), stop_ms_max);
    await this.#process.exited;
    clearTimeout(killer);
  }
}

/** Memory of a process in MB: what is resident, and of that what is its own. */
export function memoryOf(pid: number): { resident: number; anonymous: number } {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kB = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(rollup)?.[1]);
  return { resident: kB("Rss") / 1024, anonymous: kB("Anonymous") / 1024 };
}
