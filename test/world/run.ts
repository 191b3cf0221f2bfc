/**
 * `bun test/world/run.ts --count N --seed S [--every K] [--plant NAME] [--print]`: so many worlds,
 * from seed S on, one JSON line each; exit code 1 if something was wrong in one.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { plugin } from "bun";
import { plants } from "./plants.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "1" }, seed: { type: "string", default: "1" },
    every: { type: "string", default: "1" }, plant: { type: "string" }, print: { type: "boolean" },
  },
});

/** The source with a bug in it, before anything of it is loaded. */
function put(name: string): void {
  const { file, edits } = plants[name as keyof typeof plants];
  const path = join(import.meta.dir, "../../src", file);
  let contents = readFileSync(path, "utf8");
  for (const [from, to] of edits) {
    if (!contents.includes(from)) throw new Error(`${file} has no "${from}"`);
    contents = contents.replace(from, to);
  }
  plugin({
    name: "plant",
    setup: (build) => void build.onLoad({ filter: new RegExp(`${file}$`) },
      () => ({ contents, loader: "ts" })),
  });
}

if (values.plant !== undefined) put(values.plant);
const { World } = await import("./world.ts");
let wrong = 0;
for (let i = 0; i < Number(values.count); i++) {
  const verdict = new World(Number(values.seed) + i * Number(values.every), values.print).run();
  console.log(JSON.stringify(verdict));
  if (verdict.wrong.length === 0) continue;
  wrong += 1;
  // Of a planted bug one finding is enough.
  if (values.plant !== undefined) break;
}
process.exit(wrong > 0 ? 1 : 0);
