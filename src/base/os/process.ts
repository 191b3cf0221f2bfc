import { ptr } from "bun:ffi";
import { cString, libc } from "./libc.ts";

/** The engine moves small typed arrays, never one of this many bytes. */
const stays_bytes = 1 << 16;

/**
 * This process becomes another run of `file` (execve(2)), with the same number and the same open
 * standard files, with these arguments and with `env` beside its environment. Returns only if the
 * system refuses, with the errno: then everything is as before.
 */
export function becomeAnew(
  file: string, args: readonly string[], env: Readonly<Record<string, string>>,
): number {
  const { execve, errno } = libc();
  const variables = Object.entries({ ...process.env, ...env })
    .map(([name, value]) => `${name}=${value}`);
  execve(cString(file), vector([file, ...args]), vector(variables));
  return errno[0]!;
}

/** A `char *[]` ended by a null pointer, and behind it the texts that it points to. */
function vector(texts: readonly string[]): Uint8Array {
  const strings = texts.map(cString);
  let at = 8 * (texts.length + 1);
  const bytes = strings.reduce((sum, { length }) => sum + length, at);
  const block = new Uint8Array(Math.max(stays_bytes, bytes));
  const base = BigInt(ptr(block));
  const pointers = new DataView(block.buffer);
  strings.forEach((string, i) => {
    pointers.setBigUint64(8 * i, base + BigInt(at), true);
    block.set(string, at);
    at += string.length;
  });
  return block;
}

const MADV_DONTNEED = 4;

/**
 * Code of this program that only its start ran leaves the memory; what is run again comes back from
 * the file, as it did the first time (madvise(2) on mappings that nothing can have written).
 * `maps` is what /proc/self/maps reads.
 */
export function dropStartCode(maps: string): void {
  for (const line of maps.split("\n")) {
    const [, from, to, rights, file] = /^(\w+)-(\w+) (\S+) \S+ \S+ \S+ +(.*)$/.exec(line) ?? [];
    if (file !== process.execPath || rights !== "r-xp") continue;
    const start = BigInt(`0x${from}`);
    libc().madvise(start, BigInt(`0x${to}`) - start, MADV_DONTNEED);
  }
}
