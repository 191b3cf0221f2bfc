/**
 * `bun test/conformance.ts [DIR] [--why]`: runs the dialect's vectors. One line a set: `SET passed
 * failed deviating unsupported`; failing ids below; exit code 1 if one fails. `--why` counts what
 * is not supported.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runSet, sets } from "./conformance/sets.ts";
import { directory as found } from "./conformance/vectors.ts";

const args = process.argv.slice(2).filter((arg) => !arg.startsWith("--"));
const directory = args[0] ?? found();
if (directory === null || !existsSync(directory)) {
  console.error("No vectors: give their directory, or set CONFORMANCE_DIR");
  process.exit(2);
}
let failures = 0;
for (const set of sets.filter((name) => existsSync(join(directory, `${name}.jsonl`)))) {
  const { passed, failed, deviating, unsupported } = runSet(directory, set);
  const missing = [...unsupported.values()].reduce((sum, n) => sum + n, 0);
  console.log(`${set} ${passed} ${failed.length} ${deviating} ${missing}`);
  for (const { id, why } of failed) console.log(`  ${id}: ${why}`);
  if (process.argv.includes("--why")) {
    for (const [why, n] of [...unsupported].sort((a, b) => b[1] - a[1])) {
      console.log(`  ${n} × ${why}`);
    }
  }
  failures += failed.length;
}
process.exit(failures > 0 ? 1 : 0);
