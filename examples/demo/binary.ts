import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** What the binary is made of; if any of it is newer, the binary is stale. */
const sources = ["build.ts", "bun.lock", "firmware-profiles", "package.json", "src"];

/** The binary for this machine, built if it is missing or stale. */
export async function binary(root: string): Promise<string> {
  const target = process.arch === "arm64" ? "linux-arm64" : "linux-x64";
  const file = join(root, "dist", `tagwerk-${target}`);
  const newest = Math.max(...sources.map((source) => newestIn(join(root, source))));
  if (existsSync(file) && statSync(file).mtimeMs > newest) return file;
  console.log(`building dist/tagwerk-${target} …`);
  const build = Bun.spawn([process.execPath, "build.ts", "--target", target], {
    cwd: root, stdin: "ignore", stdout: "inherit", stderr: "inherit",
  });
  if (await build.exited !== 0) throw new Error("the build failed");
  return file;
}

function newestIn(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => newestIn(join(path, name))));
}
