import type { TagPolicy } from "./model.ts";
import { below, type Findings, type Origin } from "./problem.ts";

/**
 * What a policy says of a tag that every device obeys and none answers for: nothing is read of it,
 * so whatever counts from a read has no meaning, and nothing writes it by itself (W9).
 */
export function checkBroadcast(
  tag: string, policy: TagPolicy, origin: Origin, findings: Findings,
): void {
  const { allow, onLoss, maxStep, deadband, readBack } = policy;
  if (readBack === null) {
    findings.at(below(origin, "readBack"), `is missing: ${tag} is a broadcast, which nobody ` +
      'answers, so nothing is read before or after a write; "readBack": "none" says that ' +
      "somebody decided so");
  }
  for (const [key, isGiven] of Object.entries({ maxStep: maxStep !== null,
    deadband: deadband !== 0 })) {
    if (isGiven) {
      findings.at(below(origin, key), `${key} counts from a read, and ${tag} is a broadcast, ` +
        "which is never read: leave it out");
    }
  }
  allow.forEach((who, index) => {
    if (!who.startsWith("rule:") && who !== "prove") return;
    findings.at(below(origin, "allow", index), `${onlyByPeople(tag)}: "rest", "mqtt" or "cli"`);
  });
  if (onLoss !== null) {
    findings.at(below(origin, "onLoss"), `${onlyByPeople(tag)}, and so nothing stands in ` +
      "when that falls silent: leave it out");
  }
}

/** Why no rule may write it. */
export const onlyByPeople = (tag: string): string => `${tag} is a broadcast, which nobody ` +
  "answers: what cannot be read is written by people and their programs only, by no rule or " +
  "proof (W9)";
