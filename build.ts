/**
 * The only build step: one executable per target, everything inside.
 *
 *     bun build.ts                              this machine's target
 *     bun build.ts --target linux-arm64         one target
 *     bun build.ts --target all
 */
import { mkdirSync, renameSync } from "node:fs";
import { parseArgs } from "node:util";

const targets = {
  "linux-x64": "bun-linux-x64",
  "linux-arm64": "bun-linux-arm64",
  "linux-arm64-musl": "bun-linux-arm64-musl",
} as const;
type Target = keyof typeof targets;

/** The target that runs on this machine. */
export function hostTarget(): Target {
  return process.arch === "arm64" ? "linux-arm64" : "linux-x64";
}

/**
 * In a process of its own: a bundler that has listed the folder before the file is there does not
 * see it (measured: every second build of a fresh checkout was without the engine).
 */
function prepareEngine(): void {
  const { exitCode, stderr } = Bun.spawnSync([process.execPath, "src/infer/prepare.ts"]);
  if (exitCode !== 0) throw new Error(`the inference engine: ${stderr}`);
}

/** Builds one target into `dist/` and gives the file's path. */
export async function build(target: Target): Promise<string> {
  prepareEngine();
  mkdirSync("dist", { recursive: true });
  const outfile = `dist/tagwerk-${target}`;
  // Two builds at a time do not meet.
  const unfinished = `${outfile}.${process.pid}`;
  const commit = Bun.spawnSync(["git", "rev-parse", "--short", "HEAD"]).stdout.toString().trim();
  const result = await Bun.build({
    entrypoints: ["src/main.ts", "src/worker.ts"],
    compile: { target: targets[target], outfile: unfinished },
    splitting: true,
    format: "esm",
    bytecode: true,
    // Never identifiers: node-opcua compares constructor names.
    minify: { whitespace: true, syntax: true, identifiers: false },
    external: ["proper-lockfile", "serialport"],
    define: {
      "process.env.TAGWERK_COMMIT": JSON.stringify(commit || "unknown"),
      "process.env.TAGWERK_TARGET": JSON.stringify(target),
    },
  });
  // A warning too: what cannot be found would be missing in the binary, and nobody would hear.
  if (!result.success || result.logs.length > 0) {
    throw new AggregateError(result.logs, `build of ${target} failed: ${result.logs.join("; ")}`);
  }
  // A running binary keeps its file; a half-written one is never left behind.
  renameSync(unfinished, outfile);
  return outfile;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { target: { type: "string" } } });
  const wanted = values.target ?? hostTarget();
  const chosen = Object.keys(targets).filter((t) => wanted === "all" || t === wanted) as Target[];
  if (chosen.length === 0) {
    console.error(`unknown target ${wanted}; known are ${Object.keys(targets).join(", ")}, all`);
    process.exit(2);
  }
  for (const target of chosen) {
    const started = performance.now();
    const file = await build(target);
    const size = (Bun.file(file).size / 2 ** 20).toFixed(1);
    console.log(`${file}  ${size} MiB  ${Math.round(performance.now() - started)} ms`);
  }
}
