import { join } from "node:path";

/** Compiles a C program that lies beside the benches; its path. */
export function compile(name: string, folder: string, ...libraries: string[]): string {
  const program = join(folder, name);
  const source = join(import.meta.dir, `${name}.c`);
  const { exitCode, stderr } = Bun.spawnSync(["gcc", "-O2", "-o", program, source, ...libraries]);
  if (exitCode !== 0) throw new Error(`this bench needs gcc ${libraries.join(" ")}: ${stderr}`);
  return program;
}
