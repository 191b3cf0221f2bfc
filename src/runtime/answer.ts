import type { Outcome, Refusal } from "../gate.ts";
import type { Written } from "../ring.ts";
import type { WriteAnswer } from "./view.ts";

/** The answer a caller gets: the outcome, its code and a sentence. */
export function answerOf(
  id: string | null, tag: string | null, outcome: Outcome, refusal: Refusal | null,
  means: Written | null,
): WriteAnswer {
  const code = outcome.code === "exception" ? `exception ${outcome.exception}` : outcome.code;
  return {
    id, tag, outcome: outcome.outcome, code, value: means, readBack: outcome.readBack,
    text: `${outcome.outcome}${code === null ? "" : ` (${code})`}: ` +
      (refusal?.sentence ?? outcomeText(outcome, tag, means)),
  };
}

function outcomeText(outcome: Outcome, tag: string | null, means: Written | null): string {
  switch (outcome.outcome) {
    case "verified": return `${tag} reads ${outcome.readBack} after writing ${means}.`;
    case "acknowledged": return `the device took ${means} for ${tag}.`;
    case "rejected":
      return `the device answered with exception ${outcome.exception}; nothing changed.`;
    case "refused": return "the command did not leave.";
    case "unknown":
      if (outcome.code === "broadcast") {
        return `${means} left for ${tag} as a broadcast, which is not answered: look at the ` +
          "machines for who took it.";
      }
      return outcome.readBack === null
        ? `it is not known whether ${tag} was written; look at the machine.`
        : `${tag} reads ${outcome.readBack} after writing ${means}; look at the machine.`;
  }
}
