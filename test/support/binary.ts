import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { build, hostTarget } from "../../build.ts";

const root = resolve(import.meta.dir, "../..");

/** Newest change of anything that goes into the binary. */
function newest(path: string): number {
  if (!statSync(path).isDirectory()) return statSync(path).mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))));
}

/** Path of the compiled binary of a target (this machine's); built anew if a source is newer. */
export async function binary(target = hostTarget()): Promise<string> {
  const file = join(root, "dist", `tagwerk-${target}`);
  const sources = ["src", "firmware-profiles", "package.json", "bun.lock", "build.ts"]
    .map((name) => newest(join(root, name)));
  if (!existsSync(file) || statSync(file).mtimeMs < Math.max(...sources)) {
    process.chdir(root);
    await build(target);
  }
  return file;
}

/** A folder of a test's own, gone with `remove`. */
export function workFolder(files: Record<string, string | object> = {}): {
  path: string; write(name: string, content: string | object): string; remove(): void;
} {
  const path = mkdtempSync(join(tmpdir(), "tagwerk-"));
  const write = (name: string, content: string | object): string => {
    const file = join(path, name);
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content, null, 2));
    return file;
  };
  for (const [name, content] of Object.entries(files)) write(name, content);
  return { path, write, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A running program of a test, with what it printed; ended by its own id. */
export class Program {
  readonly child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  output = "";
  readonly #reading: Promise<unknown>;

  constructor(command: string[], options: { cwd?: string; env?: Record<string, string> } = {}) {
    this.child = Bun.spawn(command, {
      stdin: "pipe", stdout: "pipe", stderr: "pipe",
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
    });
    const read = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
      const decoder = new TextDecoder();
      for await (const bytes of stream) this.output += decoder.decode(bytes, { stream: true });
    };
    this.#reading = Promise.all([read(this.child.stdout), read(this.child.stderr)]);
  }

  get pid(): number {
    return this.child.pid;
  }

  /** Ends it, waits, and gives its exit code. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number> {
    this.child.kill(signal);
    const code = await this.child.exited;
    await this.#reading;
    return code;
  }
}

/**
 * Waits until `check` gives something; fails with `what` and the last trouble after `within_ms`.
 */
export async function until<T>(
  what: string, check: () => T | null | false | undefined | Promise<T | null | false | undefined>,
  within_ms = 60_000,
): Promise<T> {
  const end = performance.now() + within_ms;
  let trouble: unknown = null;
  while (performance.now() < end) {
    try {
      const found = await check();
      if (found) return found;
    } catch (thrown) {
      trouble = thrown;
    }
    await Bun.sleep(20);
  }
  throw new Error(`not within ${within_ms} ms: ${what}${trouble === null ? "" : ` (${trouble})`}`);
}
