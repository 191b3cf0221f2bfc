import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Recorder } from "./weak-memory.ts";

export type RingModule = typeof import("../../src/ring.ts");

const source = join(import.meta.dir, "../../src");
const barrier = /Atomics\.(load|store)\(([^()]*)\)/g;

/** The calls of `Atomics` in `bridge.ts`, as they stand there. */
export function barriers(): string[] {
  const text = readFileSync(join(source, "ring/bridge.ts"), "utf8");
  return text.match(/Atomics\.\w+\([^()]*\)/g) ?? [];
}

/** Makes call number `weak` of `Atomics` a plain access. */
export function weaken(weak: number): (text: string) => string {
  let number = 0;
  return (text) => text.replace(barrier, (call, kind, inside) => {
    if (number++ !== weak) return call;
    const [view, index, value] = (inside as string).split(", ");
    return kind === "load" ? `${view}[${index}]!` : `(${view}[${index}] = ${value})`;
  });
}

/** The ring's own modules, except that `bridge.ts` is edited and finds the recorder's `Atomics`. */
export async function loadRing(
  recorder: Recorder, edit: (text: string) => string = (text) => text,
): Promise<RingModule> {
  const directory = mkdtempSync(join(tmpdir(), "ring-"));
  try {
    for (const name of ["base.ts", "base", "ring.ts", "ring"]) {
      cpSync(join(source, name), join(directory, name), { recursive: true });
    }
    const file = join(directory, "ring/bridge.ts");
    const slot = `recorder ${directory}`;
    (globalThis as Record<string, unknown>)[slot] = recorder.atomics;
    const text = edit(readFileSync(file, "utf8"));
    writeFileSync(file, `const Atomics = (globalThis as any)[${JSON.stringify(slot)}];\n${text}`);
    return await import(join(directory, "ring.ts"));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
