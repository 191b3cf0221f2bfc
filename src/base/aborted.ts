import { Fault } from "./fault.ts";

/** What the promise gives, or a fault as soon as nobody waits for it any more. */
export async function orAborted<T>(abort: AbortSignal, work: Promise<T>): Promise<T> {
  const given = Promise.withResolvers<never>();
  const end = (): void => given.reject(new Fault("aborted", "The question was given up"));
  abort.addEventListener("abort", end);
  try {
    if (abort.aborted) end();
    return await Promise.race([work, given.promise]);
  } finally {
    abort.removeEventListener("abort", end);
    // The loser of the race may still fail, for nobody.
    work.catch(() => undefined);
    given.promise.catch(() => undefined);
  }
}
