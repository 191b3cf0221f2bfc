import { existsSync } from "node:fs";

/** Debian puts what only services need into sbin, which is not on everybody's PATH. */
const places = ["/usr/sbin", "/usr/local/sbin"];

/**
 * The path of an independent program that a test compares with, for `test.skipIf(!peer("socat"))`;
 * null, said aloud, where it is not installed. In CI a missing peer is a failure: nothing there may
 * pass because it was not looked at.
 */
export function peer(program: string): string | null {
  const found = Bun.which(program) ??
    places.map((place) => `${place}/${program}`).find((path) => existsSync(path)) ?? null;
  if (found === null) {
    if (process.env["CI"] === "true") {
      throw new Error(`CI needs ${program}, which is not installed`);
    }
    console.log(`skipped: ${program} is not installed`);
  }
  return found;
}
