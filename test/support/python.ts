import { existsSync } from "node:fs";
import { resolve } from "node:path";

/**
 * Where Python packages are that tests use as independent peers: `.ci/run` puts some of them into a
 * folder of its own, and Debian's are the system's, whichever `python3` comes first.
 */
const places = [resolve(import.meta.dir, "../../.ci/python/bin/python3"), Bun.which("python3"),
  "/usr/bin/python3"];

/**
 * A Python that has `module`, for `test.skipIf(!python("snap7"))`; null, said aloud, where there is
 * none. In CI that is a failure.
 */
export function python(module: string): string | null {
  const found = places.find((path) => path !== null && existsSync(path) &&
    Bun.spawnSync([path, "-c", `import ${module}`]).exitCode === 0) ?? null;
  if (found === null) {
    if (process.env["CI"] === "true") throw new Error(`CI needs the Python module ${module}`);
    console.log(`skipped: there is no Python with ${module}`);
  }
  return found;
}
