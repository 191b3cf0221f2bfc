import { join } from "node:path";
import { peer } from "./peer.ts";

const gcc = peer("gcc");
/** Without it what the system says to a program cannot be changed: for `test.skipIf`. */
export const canPreload = gcc !== null;

/** The environment of a program into which `NAME.c` of `sources` is put, compiled in `folder`. */
export function preload(
  name: string, folder: string, sources = import.meta.dir,
): { readonly LD_PRELOAD: string } {
  const library = join(folder, `${name}.so`);
  const source = join(sources, `${name}.c`);
  const { exitCode, stderr } =
    Bun.spawnSync([gcc!, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]);
  if (exitCode !== 0) throw new Error(stderr.toString());
  return { LD_PRELOAD: library };
}
