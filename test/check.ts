/**
 * `bun run check [AREA…]`: types, then each area's tests in a process of its own. Failures are
 * shown; the last line is `N passed, N failed, N skipped`, over everything.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { prepareWasm } from "../src/infer/prepare.ts";

interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

const root = resolve(import.meta.dir, "..");
/** An area that takes longer hangs, on a slow machine too. */
const area_ms_max = 25 * 60_000;
/** So does a test, or what goes before it (Bun's own 5 s; it reads no such setting of a file). */
const test_ms_max = 120_000;

/** What is run once more with another environment: the faults, with a thread for each role. */
const threads3 = {
  area: "e2e", name: "e2e (3 threads)", env: { THREADS: "3" },
  files: ["links", "writing", "world", "full", "state"].map((name) => `./test/e2e/${name}.test.ts`),
};

async function run(
  command: string[], env: Record<string, string> = {},
): Promise<{ exitCode: number | null; output: string; seconds: number }> {
  const started = performance.now();
  const child = Bun.spawn(command, {
    cwd: root, stdout: "pipe", stderr: "pipe", timeout: area_ms_max, killSignal: "SIGKILL",
    env: { ...process.env, ...env },
  });
  const [out, error] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  await child.exited;
  const seconds = (performance.now() - started) / 1000;
  return { exitCode: child.exitCode, output: error + out, seconds };
}

function report(name: string, tally: Tally, seconds: number, output: string): void {
  const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : "";
  const failed = tally.failed > 0 ? `, ${tally.failed} FAILED` : "";
  console.log(`${name.padEnd(14)} ${tally.passed} passed${failed}${skipped}  ` +
    `${seconds.toFixed(1)} s`);
  if (tally.failed > 0) console.log(output.replace(/^\(pass\).*\n/gm, ""));
  else for (const line of output.matchAll(/^(?:skipped: |\(skip\) ).*/gm)) console.log(
    `  ${line[0]}`);
}

async function checkTypes(): Promise<Tally> {
  const { exitCode, output, seconds } = await run([
    process.execPath, "node_modules/typescript/bin/tsc", "--noEmit",
  ]);
  const tally = { passed: exitCode === 0 ? 1 : 0, failed: exitCode === 0 ? 0 : 1, skipped: 0 };
  report("types", tally, seconds, output);
  return tally;
}

/** What the test runner counted; null if it did not come to its end. */
function readTally(file: string): Tally | null {
  let text;
  try {
    text = readFileSync(file, "utf8");
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw thrown;
  }
  const count = (name: string): number =>
    Number(new RegExp(`<testsuites[^>]* ${name}="(\\d+)"`).exec(text)?.[1] ?? 0);
  const [tests, failed, skipped] = [count("tests"), count("failures"), count("skipped")];
  return { passed: tests - failed - skipped, failed, skipped };
}

async function checkArea(
  area: string, folder: string, files = [`./test/${area}`], env: Record<string, string> = {},
): Promise<Tally> {
  const file = join(folder, `${area}.xml`);
  const { exitCode, output, seconds } = await run([
    process.execPath, "test", `--timeout=${test_ms_max}`, "--reporter=junit",
    `--reporter-outfile=${file}`, ...files,
  ], env);
  const tally = readTally(file) ?? { passed: 0, failed: 0, skipped: 0 };
  // A suite that could not be loaded, or a runner that died, is a failure too.
  if (exitCode !== 0 && tally.failed === 0) tally.failed = 1;
  report(area, tally, seconds, output);
  return tally;
}

/** Folders and files of `test/` that hold tests. */
function areas(): string[] {
  const hasTests = (path: string): boolean =>
    readdirSync(path, { recursive: true, encoding: "utf8" }).some((n) => n.endsWith(".test.ts"));
  return readdirSync(import.meta.dir, { withFileTypes: true })
    .filter((e) => e.isDirectory()
      ? hasTests(join(import.meta.dir, e.name)) : e.name.endsWith(".test.ts"))
    .map((e) => e.name).sort();
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !areas().includes(name));
if (unknown.length > 0) {
  console.error(`no tests in ${unknown.join(", ")}; there are ${areas().join(", ")}`);
  process.exit(2);
}
await prepareWasm();
const folder = mkdtempSync(join(tmpdir(), "check-"));
const tallies = [await checkTypes()];
for (const area of wanted.length > 0 ? wanted : areas()) {
  tallies.push(await checkArea(area, folder));
  if (area !== threads3.area) continue;
  tallies.push(await checkArea(threads3.name, folder, threads3.files, threads3.env));
}
rmSync(folder, { recursive: true, force: true });

const sum = (what: keyof Tally): number => tallies.reduce((n, tally) => n + tally[what], 0);
console.log(`${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
process.exitCode = sum("failed") === 0 ? 0 : 1;
