import { join } from "node:path";
import { peer } from "./peer.ts";

const gcc = peer("gcc");
/** Without it what the system says to a program cannot be changed: for `test.skipIf`. */
export const canPreload = gcc !== null;

/** The environment of a program into which `NAME.c` of this folder is put, compiled there. */
export function preload(name: string, folder: string): Record<string, string> {
  const library = join(folder, `${name}.so`);
  const source = join(import.meta.dir, `${name}.c`);
  const { exitCode, stderr } = Bun.spawnSync([gcc!, "-shared", "-fPIC", "-o", library, source]);
  if (exitCode !== 0) throw new Error(stderr.toString());
  return { LD_PRELOAD: library };
}
