export type Retry = "never" | "later";
export type FaultValues = Readonly<Record<string, string | number | boolean | null>>;

/**
 * The world's trouble: a broken link, a wrong configuration, a refused write.
 * `code` is stable and documented (kebab-case), `message` is one sentence for the user, `values`
 * are what the sentence speaks of, `retry` says whether trying again later can help.
 */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: string;
  readonly values: FaultValues;
  readonly retry: Retry;

  constructor(code: string, message: string, values: FaultValues = {}, retry: Retry = "never") {
    super(message);
    this.code = code;
    this.values = values;
    this.retry = retry;
  }
}

/** What the work gives, or the trouble that it met. */
export function orFault<T>(work: () => T): T | Fault {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
}

/** The sentence of anything thrown, for a log line or an answer. */
export function reason(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
