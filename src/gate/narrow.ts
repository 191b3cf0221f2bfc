import type { TagPolicy } from "../config.ts";

const modes = ["off", "shadow", "armed"];

type Texts = TagPolicy["texts"];

/** Whether one pattern lets less through than another nobody can tell: it must stay as it is. */
function isNarrower(before: Texts, after: Texts): boolean {
  if (before !== null && after !== null && "values" in before && "values" in after) {
    return after.values.every((text) => before.values.includes(text));
  }
  return Bun.deepEquals(before, after, true);
}

/**
 * Where `after` lets more through than `before`: a policy that runs may only be narrowed, since who
 * may change the configuration need not be its owner. Anything that cannot be called narrower
 * counts as wider. Pure; empty = it is the same or narrower.
 */
export function widenings(before: TagPolicy | undefined, after: TagPolicy): string[] {
  if (before === undefined) return ["it is not in the policy that runs"];
  const isSubset = (a: readonly string[], b: readonly string[]): boolean =>
    a.every((one) => b.includes(one));
  const narrower: Readonly<Record<keyof TagPolicy, boolean>> = {
    allow: isSubset(after.allow, before.allow),
    maxMode: modes.indexOf(after.maxMode) <= modes.indexOf(before.maxMode),
    min: after.min >= before.min,
    max: after.max <= before.max,
    texts: isNarrower(before.texts, after.texts),
    outside: after.outside === before.outside || after.outside === "reject",
    maxStep: before.maxStep === null ||
      (after.maxStep !== null && after.maxStep <= before.maxStep),
    deadband: after.deadband >= before.deadband,
    minInterval: after.minInterval >= before.minInterval,
    writesPerDay: after.writesPerDay <= before.writesPerDay,
    inputMaxAge: after.inputMaxAge <= before.inputMaxAge,
    permit: isSubset(before.permit, after.permit),
    maxAge: after.maxAge <= before.maxAge,
    // What is written at a loss is an act of its own: there is no less of it.
    onLoss: Bun.deepEquals(before.onLoss, after.onLoss, true),
    readBack: after.readBack === null || before.readBack === "none",
  };
  return Object.entries(narrower).filter(([, ok]) => !ok).map(([key]) => key);
}
