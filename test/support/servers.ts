import {
  chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "./binary.ts";
import { peer } from "./peer.ts";
import { freePort } from "./port.ts";

/** A real server of a test's own, on a port of its own; ended by its own id. */
export interface RealServer {
  readonly url: string;
  /** Starts it, also again after `stop`: what it held is still there. */
  start(): Promise<void>;
  /** As if its machine had lost its power. */
  stop(): Promise<void>;
  /** It hangs: connections stay open, nothing is answered. */
  hang(on: boolean): void;
  remove(): Promise<void>;
}

/** Sends a signal; false = it ended in the moment before, as a database's children do. */
function isThere(id: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(id, signal);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw thrown;
  }
}

interface Recipe {
  /** Run once, before the first start. */
  readonly prepare?: (folder: string) => string[];
  command(folder: string, port: number): string[];
  /** Throws while it does not answer. */
  answers(port: number): Promise<unknown>;
  /** What ends it at once. */
  readonly stop: NodeJS.Signals;
  /** Whom the folder must belong to where the tests run as root. */
  readonly user: string | null;
}

const asRoot = process.getuid?.() === 0;

class Server implements RealServer {
  readonly url: string;
  readonly #port: number;
  readonly #recipe: Recipe;
  readonly #folder: string;
  #child: Bun.Subprocess | null = null;

  constructor(recipe: Recipe, port: number, url: string) {
    this.#recipe = recipe;
    this.url = url;
    this.#port = port;
    this.#folder = mkdtempSync(join(tmpdir(), "server-"));
    chmodSync(this.#folder, 0o755);
    if (asRoot && recipe.user !== null) {
      const id = (what: "-u" | "-g"): number =>
        Number(Bun.spawnSync(["id", what, recipe.user!]).stdout.toString());
      chownSync(this.#folder, id("-u"), id("-g"));
    }
    const prepare = recipe.prepare?.(this.#folder);
    if (prepare === undefined) return;
    const { exitCode, stderr } = Bun.spawnSync(this.#as(prepare));
    if (exitCode !== 0) throw new Error(`${prepare[0]}: ${stderr.toString()}`);
  }

  async start(): Promise<void> {
    this.#child = Bun.spawn(this.#as(this.#recipe.command(this.#folder, this.#port)),
      { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    await until("the server answers", async () => {
      try {
        await this.#recipe.answers(this.#port);
        return true;
      } catch (thrown) {
        if (!(thrown instanceof Error)) throw thrown;
        return null;
      }
    }, 120_000).catch(async (thrown: unknown) => {
      await this.stop();
      throw thrown;
    });
  }

  async stop(): Promise<void> {
    this.#child?.kill(this.#recipe.stop);
    await this.#child?.exited;
    this.#child = null;
  }

  hang(on: boolean): void {
    if (this.#child === null) return;
    const { pid } = this.#child;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    // A database answers by processes of its own.
    for (const id of [pid, ...children.filter((text) => text !== "").map(Number)]) {
      if (!isThere(id, on ? "SIGSTOP" : "SIGCONT")) continue;
      // A process of many threads takes a moment to stand still; one that just ended stays as it
      // is (Z), because its parent is halted and takes no notice.
      while (on && !/\) [TZ] /.test(readFileSync(`/proc/${id}/stat`, "utf8"))) Bun.sleepSync(1);
    }
  }

  async remove(): Promise<void> {
    this.hang(false);
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A database refuses to run as root. setpriv becomes the program, so that its id is ours. */
  #as(command: string[]): string[] {
    const { user } = this.#recipe;
    return asRoot && user !== null
      ? ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups", ...command] : command;
  }
}

/** Debian keeps PostgreSQL's programs where no PATH leads. */
function postgresProgram(name: string): string | null {
  const folder = "/usr/lib/postgresql";
  const found = existsSync(folder)
    ? [...new Bun.Glob(`*/bin/${name}`).scanSync(folder)].sort().at(-1) : undefined;
  return found === undefined ? peer(name) : join(folder, found);
}

async function once(url: string): Promise<void> {
  const client = new Bun.SQL({ url, max: 1, connectionTimeout: 2 });
  try {
    await client.unsafe("SELECT 1");
  } finally {
    void client.close({ timeout: 0 });
  }
}

const urls = {
  postgres: (port: number): string => `postgres://tagwerk@127.0.0.1:${port}/postgres`,
  mariadb: (port: number): string => `mariadb://root@127.0.0.1:${port}/mysql`,
  redis: (port: number): string => `redis://127.0.0.1:${port}`,
};

const recipes: Readonly<Record<keyof typeof urls, () => Recipe | null>> = {
  postgres() {
    const [program, initdb] = [postgresProgram("postgres"), postgresProgram("initdb")];
    if (program === null || initdb === null) return null;
    return {
      user: "postgres", stop: "SIGQUIT",
      prepare: (folder) => [initdb, "-D", join(folder, "data"), "-A", "trust", "-U", "tagwerk",
        "--no-sync"],
      command: (folder, port) => [program, "-D", join(folder, "data"), "-p", String(port), "-k",
        folder, "-c", "fsync=off", "-c", "shared_buffers=16MB"],
      answers: (port) => once(urls.postgres(port)),
    };
  },
  mariadb() {
    const [program, install] = [peer("mariadbd"), peer("mariadb-install-db")];
    if (program === null || install === null) return null;
    return {
      user: "mysql", stop: "SIGKILL",
      prepare: (folder) => [install, "--no-defaults", `--datadir=${folder}/data`,
        "--auth-root-authentication-method=normal", "--skip-test-db"],
      command: (folder, port) => [program, "--no-defaults", `--datadir=${folder}/data`,
        `--port=${port}`, `--socket=${folder}/socket`, "--bind-address=127.0.0.1",
        "--innodb-flush-log-at-trx-commit=2"],
      answers: (port) => once(urls.mariadb(port).replace("mariadb:", "mysql:")),
    };
  },
  redis() {
    const program = peer("redis-server");
    if (program === null) return null;
    return {
      user: null, stop: "SIGKILL",
      command: (folder, port) => [program, "--port", String(port), "--bind", "127.0.0.1", "--dir",
        folder, "--appendonly", "yes", "--appendfsync", "always"],
      async answers(port) {
        const client = new Bun.RedisClient(urls.redis(port), { autoReconnect: false });
        try {
          await client.send("PING", []);
        } finally {
          client.close();
        }
      },
    };
  },
};

/** A server of Debian's package, started; null, said aloud, where it is not installed. */
export async function realServer(kind: keyof typeof urls): Promise<RealServer | null> {
  const recipe = recipes[kind]();
  if (recipe === null) return null;
  const port = await freePort();
  const server = new Server(recipe, port, urls[kind](port));
  await server.start();
  return server;
}
