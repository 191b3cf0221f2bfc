import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { plants } from "./plants.ts";
import type { Verdict } from "./world.ts";

/** The whole runtime, all its threads on one, in simulated time (ARCHITECTURE.md). */
const count = Number(process.env["SOAK_COUNT"] ?? 4);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000_000);
/** Processes that share the seeds: what one can take of a small machine. */
const processes = 2;
/** A planted bug is found within so many worlds. */
const plant_worlds_max = 1000;

async function run(...args: string[]): Promise<Verdict[]> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "run.ts"), ...args],
    { stdout: "pipe", stderr: "inherit" });
  const text = await child.stdout.text();
  await child.exited;
  return text.trimEnd().split("\n").map((line) => JSON.parse(line) as Verdict);
}

function worlds(n: number, from: number): Promise<Verdict[]> {
  const shares = Array.from({ length: Math.min(n, processes) }, (_, i) => run(
    "--count", String(Math.ceil((n - i) / processes)), "--seed", String(from + i),
    "--every", String(processes)));
  return Promise.all(shares).then((all) => all.flat());
}

/** Least and most of a figure over all worlds. */
function span(all: readonly Verdict[], figure: (verdict: Verdict) => number): string {
  const values = all.map(figure);
  return `${Math.min(...values)}–${Math.max(...values)}`;
}

describe("simulated world", () => {
  test(`${count} worlds of 10 minutes`, async () => {
    console.log(`seed ${seed}`);
    const all = await worlds(count, seed);
    console.log(`${all.length} worlds, write frames ${span(all, (v) => v.writes)}, verified ` +
      `${span(all, (v) => v.verified)}, rows ${span(all, (v) => v.rows)}, counted losses ` +
      `${span(all, (v) => v.lost)}; of each kind of trouble at least:`);
    for (const kind of Object.keys(all[0]!.troubles)) {
      console.log(`  ${kind} ${Math.min(...all.map((v) => v.troubles[kind]!))}`);
    }
    expect(all.length).toBe(count);
    for (const { seed, wrong, writes, troubles } of all) {
      expect({ seed, wrong }).toEqual({ seed, wrong: [] });
      expect(writes).toBeGreaterThanOrEqual(100);
      expect(Math.min(...Object.values(troubles))).toBeGreaterThanOrEqual(10);
    }
  }, 7_200_000);

  test("same seed, same course of events", async () => {
    const [one, other] = await Promise.all([run("--seed", String(seed)), run("--seed",
      String(seed))]);
    expect(one[0]!.hash).toBe(other[0]!.hash);
    const [next] = await run("--seed", String(seed + processes));
    expect(next!.hash).not.toBe(one[0]!.hash);
  }, 600_000);

  for (const plant of Object.keys(plants)) {
    test(`finds a planted bug: ${plant}`, async () => {
      const all = await run("--plant", plant, "--seed", String(seed),
        "--count", String(plant_worlds_max));
      console.log(`${plant}: found in world ${all.length}: ${all.at(-1)!.wrong[0]}`);
      expect(all.at(-1)!.wrong).not.toEqual([]);
    }, 3_600_000);
  }
});
