import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { monotonic } from "../../src/base/os.ts";
import { binary, Program, until, workFolder } from "./binary.ts";
import { RunningGateway } from "./gateway.ts";

/** One line of the frame log: what the machine saw. */
export interface Frame {
  /** ms of CLOCK_MONOTONIC, the same for all programs. */
  readonly t: number;
  readonly link: string;
  readonly dir: "in" | "out" | "open" | "close";
  readonly bytes: string;
  readonly valid: boolean;
  readonly fault: string | null;
}

type Config =
  { gateway: object; links: Record<string, object> } & Record<string, unknown>;

/** `THREADS=3 bun test test/e2e` runs every site on three threads instead of one. */
const threads: { profile?: string } =
  process.env["THREADS"] === "3" ? { profile: "generic-1gb" } : {};

const writing: readonly number[] = [5, 6, 15, 16, 22, 23];

/** Station and function stand behind seven bytes of MBAP less one, or at the front (RTU). */
function byteAt(frame: Frame, at: number): number {
  const from = (frame.link.startsWith("bus") ? 0 : 6) + at;
  return Number.parseInt(frame.bytes.slice(2 * from, 2 * from + 2), 16);
}

/** `tagwerk sim` of the compiled binary; links called `bus…` are buses, the others TCP. */
export class SimulatedPlant {
  readonly program: Program;
  readonly #folder: string;

  private constructor(program: Program, folder: string) {
    this.program = program;
    this.#folder = folder;
  }

  /** Simulates `gateway.json` of the folder, with its `plant.json` if there is one. */
  static async start(folder: string): Promise<SimulatedPlant> {
    const plant = existsSync(join(folder, "plant.json")) ? ["--plant", "plant.json"] : [];
    const program = new Program([await binary(), "sim", "gateway.json", ...plant,
      "--log", "frames.jsonl"], { cwd: folder });
    try {
      await until("simulator up", () => {
        if (program.child.exitCode !== null) throw new Error("it ended");
        return program.output.includes("commands:");
      });
    } catch (thrown) {
      await program.stop("SIGKILL");
      throw new Error(`${thrown}\n${program.output}`);
    }
    return new SimulatedPlant(program, folder);
  }

  /** What stands for each link. */
  get links(): Record<string, { type: string; port: number | string }> {
    return JSON.parse(readFileSync(join(this.#folder, "sim-links.json"), "utf8")).links;
  }

  /** One command, such as `fault plc-1 silence for 3s`; fails if the simulator refuses it. */
  command(line: string): Promise<Record<string, any>> {
    return new Promise((resolve, reject) => {
      let text = "";
      Bun.connect({
        unix: join(this.#folder, "sim.sock"),
        socket: {
          open: (socket) => { socket.write(`${line}\n`); },
          data: (socket, bytes) => {
            text += bytes.toString();
            if (!text.includes("\n")) return;
            socket.end();
            const answer = JSON.parse(text) as { ok: boolean; error?: string };
            if (answer.ok) resolve(answer);
            else reject(new Error(`${line}: ${answer.error}`));
          },
        },
      }).catch(reject);
    });
  }

  /** Until the frame log has all that the machine saw before. */
  async settled(): Promise<void> {
    await this.command("status");
  }

  frames(): Frame[] {
    const lines = readFileSync(join(this.#folder, "frames.jsonl"), "utf8").split("\n");
    // The last piece is empty, or a line that is still being written.
    return lines.slice(0, -1).map((line) => JSON.parse(line) as Frame);
  }

  /** Write frames that reached the machine. */
  writes(link: string, since = 0): Frame[] {
    return this.frames().filter((frame) => frame.link === link && frame.dir === "in" &&
      frame.t >= since && writing.includes(byteAt(frame, 1)));
  }

  /** Sound answers of a station in a span of time, by the machine's own record. */
  answers(link: string, station: number, from: number, to: number): number {
    return this.frames().filter((frame) => frame.link === link && frame.dir === "out" &&
      frame.valid && frame.bytes !== "" && frame.fault !== "other-master" &&
      byteAt(frame, 0) === station && byteAt(frame, 1) < 0x80 &&
      frame.t >= from && frame.t < to).length;
  }

  /**
   * Polls of a link while something strikes it, as a share of those of `span_ms` right before. What
   * else runs on this machine may take some of them, but not each time that it strikes: the best of
   * three, if it is not `enough` earlier. Where a span begins between two polls makes one more or
   * less, which is so many `requests`.
   */
  async shareDuring(
    link: string, requests: number, span_ms: number, enough: number, strike: () => Promise<unknown>,
  ): Promise<number> {
    let best = 0;
    for (let round = 0; round < 3 && best < enough; round++) {
      const before = monotonic();
      await Bun.sleep(span_ms);
      const struck = monotonic();
      await strike();
      const ended = monotonic();
      await until("the log", () => this.frames().at(-1)!.t >= ended);
      const usual = this.answers(link, 1, before, struck) / (struck - before);
      const answers = this.answers(link, 1, struck, ended) + requests;
      best = Math.max(best, answers / (ended - struck) / usual);
    }
    return best;
  }

  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    return this.program.stop(signal);
  }
}

/** A plant, and what a gateway needs to run against it. */
export class Site {
  readonly folder: ReturnType<typeof workFolder>;
  readonly plant: SimulatedPlant;
  readonly store: string;
  readonly #config: Config;
  readonly #gateways: RunningGateway[] = [];

  private constructor(folder: Site["folder"], plant: SimulatedPlant, config: Config) {
    this.folder = folder;
    this.plant = plant;
    this.#config = config;
    this.store = join(folder.path, "store");
  }

  static async start(config: Config, files: Record<string, string | object> = {}): Promise<Site> {
    const threaded = { ...config, gateway: { ...config.gateway, ...threads } };
    const folder = workFolder({ "gateway.json": threaded, ...files });
    return new Site(folder, await SimulatedPlant.start(folder.path), threaded);
  }

  /**
   * Writes `live.json`: the configuration with its links led to the simulator as if it were the
   * plant, so that brokers and commands from outside are open too. `links` go over both.
   */
  live(links: Record<string, object> = {}, change: Record<string, unknown> = {}): string {
    const { plant } = this;
    const led = Object.fromEntries(Object.entries(this.#config.links).map(([name, link]) =>
      [name, { ...link, ...plant.links[name], ...links[name] }]));
    const file = join(this.folder.path, "live.json");
    writeFileSync(file, JSON.stringify({ ...this.#config, links: led, ...change }, null, 2));
    return file;
  }

  async run(
    config = this.live(), args: string[] = [], env: Record<string, string> = {},
    wrap: string[] = [],
  ): Promise<RunningGateway> {
    const gateway = await RunningGateway.start(config, this.store, args, env, wrap);
    this.#gateways.push(gateway);
    const { profile } = (await gateway.get("/health")).body;
    if (profile !== (threads.profile ?? profile)) throw new Error(`it runs with ${profile}`);
    return gateway;
  }

  /** `keep`: its files are left for somebody to look at. */
  async stop(keep = false): Promise<void> {
    for (const gateway of this.#gateways) {
      if (gateway.program.child.exitCode === null && gateway.program.child.signalCode === null) {
        await gateway.stop("SIGKILL");
      }
    }
    await this.plant.stop("SIGKILL");
    if (!keep) this.folder.remove();
  }
}

/** Until a tag reads good again. */
export function good(gateway: RunningGateway, tag: string, within_ms = 60_000): Promise<unknown> {
  return until(`${tag} good`, async () =>
    (await gateway.get(`/tags/${tag}`)).body.quality === "good", within_ms);
}
