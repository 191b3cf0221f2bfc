/**
 * Starts this program once more, with other arguments: the executable that runs, whatever stands
 * under its name by now. Its errors are this one's.
 */
export function spawnSelf<Input extends "pipe" | Uint8Array>(
  argv: readonly string[], stdin: Input,
): Bun.Subprocess<Input, "pipe", "inherit"> {
  const main = process.env.TAGWERK_TARGET === undefined ? [Bun.main] : [];
  return Bun.spawn(["/proc/self/exe", ...main, ...argv],
    { argv0: "tagwerk", stdin, stdout: "pipe", stderr: "inherit" });
}
