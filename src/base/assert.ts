/**
 * A broken assertion is a bug in Tagwerk, never the world's trouble (that is a `Fault`): it throws
 * through the worker, which is restarted and counted. Assertions stay on in production.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`bug: ${message}`);
}

/** The end of a switch over a closed union: a missing case does not compile. */
export function never(value: never, what: string): never {
  throw new Error(`bug: unexpected ${what}: ${JSON.stringify(value)}`);
}
