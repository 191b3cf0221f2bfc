import { GOOD, type Written } from "../ring.ts";
import type { Code } from "./codes.ts";
import { isKnown, withinOneLsb, type TagFacts } from "./path.ts";
import type { ReadResult } from "./state.ts";

/** W15: how a command ended. `code` is a refusal's code, `exception` the device's answer. */
export interface Outcome {
  readonly outcome: "verified" | "acknowledged" | "refused" | "rejected" | "unknown";
  readonly code: Code | "answer-missing" | "read-back-missing" | "read-back-differs" | "restart"
    | "exception" | null;
  readonly exception: number;
  /** What was read after the acknowledgement, or null. */
  readonly readBack: Written | null;
}

export const refusedOutcome = (code: Code): Outcome =>
  ({ outcome: "refused", code, exception: 0, readBack: null });

/**
 * What the wire said of the write frame itself; `acknowledged` asks for the read-back. `rejected`:
 * the device's exception says that nothing was done.
 */
export function wireOutcome(
  sent: boolean, answered: boolean, exception: number, rejected: boolean,
): Outcome {
  if (!sent) return refusedOutcome("not-sent");
  if (exception !== 0) {
    const outcome = rejected ? "rejected" : "unknown";
    return { outcome, code: "exception", exception, readBack: null };
  }
  if (!answered) return { outcome: "unknown", code: "answer-missing", exception, readBack: null };
  return { outcome: "acknowledged", code: null, exception, readBack: null };
}

/** All stations obey what left, and none answers: nobody can know more (W15). */
export function broadcastOutcome(sent: boolean): Outcome {
  if (!sent) return refusedOutcome("not-sent");
  return { outcome: "unknown", code: "broadcast", exception: 0, readBack: null };
}

/** After the acknowledgement the tag is read once. */
export function readBackOutcome(tag: TagFacts, means: Written, read: ReadResult): Outcome {
  if (read.state !== GOOD || !isKnown(read.value)) {
    return { outcome: "unknown", code: "read-back-missing", exception: 0, readBack: null };
  }
  const readBack = read.value;
  if (withinOneLsb(tag, readBack, means)) {
    return { outcome: "verified", code: null, exception: 0, readBack };
  }
  return { outcome: "unknown", code: "read-back-differs", exception: 0, readBack };
}
