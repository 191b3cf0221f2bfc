import { nearest, reason } from "../base.ts";
import { JsonText } from "./jsonc.ts";
import { isNumeric } from "./scaling.ts";
import { tellIssues } from "./issues.ts";
import type { Policy, Tag, TagPolicy } from "./model.ts";
import { policyJsonSchema, policySchema } from "./schema.ts";
import { below, type Findings, type Origin } from "./problem.ts";

export interface PlacedPolicy {
  readonly policy: Policy;
  /** What the policy's hash is of. */
  readonly text: string;
  readonly origin: Origin;
}

/** The policy, from its own file or inline; none = nobody writes; null = it is wrong. */
export function readPolicy(
  config: JsonText, value: unknown, readFile: (path: string) => string, findings: Findings,
): PlacedPolicy | null {
  const origin: Origin = { place: config, path: ["policy"] };
  if (value === undefined) return { policy: {}, text: "", origin };
  if (typeof value !== "string") {
    const part = config.part(["policy"]);
    return parsePolicy(part, part.source(), findings);
  }
  const file = value.replace(/^file:/, "");
  let text: string;
  try {
    text = readFile(file);
  } catch (thrown) {
    findings.at(origin, `the file ${file} cannot be read: ${reason(thrown)}`);
    return null;
  }
  const json = new JsonText(text, file);
  for (const problem of json.problems) findings.add(problem);
  return json.problems.length > 0 ? null : parsePolicy(json, text, findings);
}

function parsePolicy(json: JsonText, text: string, findings: Findings): PlacedPolicy | null {
  const origin: Origin = { place: json, path: [] };
  const parsed = policySchema.safeParse(json.value);
  if (!parsed.success) {
    tellIssues(parsed.error.issues, json.value, policyJsonSchema(), origin, findings);
    return null;
  }
  const policy: Record<string, TagPolicy> = {};
  for (const [tag, { heartbeat, onLoss, ...rest }] of Object.entries(parsed.data)) {
    if (heartbeat !== undefined) {
      findings.at(below(origin, tag, "heartbeat"),
        "a standing arming is not in this version: leave heartbeat out and arm by the hour");
    }
    policy[tag] = { ...rest, onLoss: onLoss ?? null };
  }
  return { policy, text, origin };
}

/**
 * What a policy says of itself, and of the tags and rules there are. What is wrong with tags that
 * rules write is told there.
 */
export function checkPolicy(
  placed: PlacedPolicy, tags: ReadonlyMap<string, Tag>, incomplete: ReadonlySet<string>,
  rules: readonly string[], written: ReadonlySet<string>, findings: Findings,
): void {
  for (const [tag, policy] of Object.entries(placed.policy)) {
    const origin = below(placed.origin, tag);
    const known = tags.get(tag);
    if (known === undefined) {
      if (!incomplete.has(tag.split(".", 1)[0]!)) tellNoTag(tag, origin, tags, findings);
    } else if (!isNumeric(known.type) && known.type !== "bool") {
      findings.at(origin, `writing a tag of type ${known.type} is not in this version: numbers ` +
        "and bools only", { of: "key" });
    } else if (!known.writable && !written.has(tag)) {
      findings.at(origin, `${tag} is read only, so nobody can write it; a tag that is written ` +
        'has "access": "read-write"', { of: "key" });
    }
    checkTagPolicy(policy, origin, findings);
    const lost = policy.onLoss?.value;
    if (known?.type === "bool" && typeof lost === "number" && lost !== 0 && lost !== 1) {
      findings.at(below(origin, "onLoss", "value"), `${tag} is a bool: 1, 0 or "hold"`);
    }
    policy.allow.forEach((who, index) => {
      const rule = who.startsWith("rule:") ? who.slice("rule:".length) : null;
      if (rule === null || rules.includes(rule)) return;
      const meant = nearest(rule, rules);
      findings.at(below(origin, "allow", index), "no such rule",
        { nearest: meant === null ? null : `rule:${meant}` });
    });
  }
}

function checkTagPolicy(policy: TagPolicy, origin: Origin, findings: Findings): void {
  const { min, max, onLoss, deadband, maxStep } = policy;
  if (maxStep !== null && deadband > maxStep) {
    findings.at(below(origin, "deadband"), `deadband ${deadband} is above maxStep ${maxStep}: ` +
      "every change would be too small or too large");
  }
  if (min >= max) {
    findings.at(below(origin, "min"), `min ${min} must be below max ${max}`);
  } else if (onLoss && onLoss.value !== "hold" && (onLoss.value < min || onLoss.value > max)) {
    findings.at(below(origin, "onLoss", "value"),
      `onLoss would write ${onLoss.value}, outside of the limits ${min} to ${max}`);
  }
}

function tellNoTag(
  tag: string, origin: Origin, known: ReadonlyMap<string, Tag>, findings: Findings,
): void {
  findings.at(origin, "no such tag; a policy names it device.tag",
    { nearest: nearest(tag, known.keys()), of: "key" });
}
