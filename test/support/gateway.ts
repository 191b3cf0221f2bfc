import { join } from "node:path";
import { binary, Program, until } from "./binary.ts";

interface Answer<T> {
  readonly status: number;
  readonly body: T;
}

/** The compiled binary running one configuration, asked over its unix socket. */
export class RunningGateway {
  readonly program: Program;
  readonly store: string;
  /** Wall clock right before the process was made, ms since the epoch. */
  readonly startedAt: number;
  readonly #binary: string;

  private constructor(program: Program, store: string, file: string, startedAt: number) {
    this.startedAt = startedAt;
    this.program = program;
    this.store = store;
    this.#binary = file;
  }

  static async start(
    config: string, store: string, args: string[] = [], env: Record<string, string> = {},
    wrap: string[] = [], within_ms = 60_000,
  ): Promise<RunningGateway> {
    const file = await binary();
    const startedAt = Date.now();
    const program = new Program([...wrap, file, "run", config, "--store", store, ...args], { env });
    const gateway = new RunningGateway(program, store, file, startedAt);
    try {
      await until("gateway up", async () => (await gateway.get("/health")).status > 0,
        within_ms);
    } catch (thrown) {
      await program.stop("SIGKILL");
      throw new Error(`${thrown}\n${program.output}`);
    }
    return gateway;
  }

  get<T = any>(path: string): Promise<Answer<T>> {
    return this.#ask(path, {});
  }

  post<T = any>(path: string, body: unknown): Promise<Answer<T>> {
    return this.#ask(path, {
      method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" },
    });
  }

  /** One verb of the command line against this gateway. */
  async cli(...args: string[]): Promise<{ code: number; output: string }> {
    const program = new Program([this.#binary, ...args, "--store", this.store]);
    const code = await program.child.exited;
    await program.stop();
    return { code, output: program.output };
  }

  async arm(tag: string, forTime = "5m"): Promise<void> {
    const { code, output } = await this.cli("arm", tag, "--for", forTime, "--by", "test", "--yes");
    if (code !== 0) throw new Error(`arm ${tag}: ${output}`);
  }

  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    return this.program.stop(signal);
  }

  async #ask<T>(path: string, init: RequestInit): Promise<Answer<T>> {
    const unix = join(this.store, "tagwerk.sock");
    // An idle connection may be closed by the other end in the moment it is used again.
    const response = await fetch(`http://tagwerk${path}`, { ...init, unix, keepalive: false });
    const text = await response.text();
    const json = (response.headers.get("content-type") ?? "").startsWith("application/json");
    return { status: response.status, body: (json ? JSON.parse(text) : text) as T };
  }
}
