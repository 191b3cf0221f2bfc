import type { RulePlan } from "./graph.ts";

/**
 * Rules of one role with equal windows share one, from the stream to the rows that it gives: it
 * runs before the first of them. What the rules of one generation have of it, by `RulePlan.window`.
 */

/** Stages that are not the rule's own. */
export const sharedStages = ({ window, program }: RulePlan): number =>
  (window === null ? 0 : program.shared!.stages);

/** Rules that bring a window along: each that shares none, or the first of those that do. */
export function bringers(
  rules: readonly RulePlan[], there: ReadonlySet<string | null> = new Set(),
): Set<RulePlan> {
  const seen = new Set(there);
  return new Set(rules.filter((plan) => {
    if (plan.window === null) return true;
    const isFirst = !seen.has(plan.window);
    seen.add(plan.window);
    return isFirst;
  }));
}

/** Names of the rules that share a rule's window, without its own. */
export function sharers(rules: readonly RulePlan[], { rule, window }: RulePlan): string[] {
  if (window === null) return [];
  return rules.filter((other) => other.window === window && other.rule.name !== rule.name)
    .map((other) => other.rule.name);
}
