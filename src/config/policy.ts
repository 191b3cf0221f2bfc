import { nearest, reason } from "../base.ts";
import { arrayOf, isTextType, isWritableType } from "../ring.ts";
import { JsonText } from "./jsonc.ts";
import { tellIssues } from "./issues.ts";
import { patternFault } from "./allowed-texts.ts";
import { checkBroadcast } from "./broadcast.ts";
import type { Policy, TagPolicy } from "./model.ts";
import { policyJsonSchema, policySchema } from "./schema.ts";
import { below, type Findings, type Origin } from "./problem.ts";
import type { Tag } from "./tag.ts";

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
  for (const [tag, entry] of Object.entries(parsed.data)) {
    const { heartbeat, onLoss, min, max, values, pattern, ...rest } = entry;
    if (heartbeat !== undefined) {
      findings.at(below(origin, tag, "heartbeat"),
        "a standing arming is not in this version: leave heartbeat out and arm by the hour");
    }
    policy[tag] = { ...rest, onLoss: onLoss ?? null,
      ...limitsOf({ min, max, values, pattern }, below(origin, tag), findings) };
  }
  return { policy, text, origin };
}

type Limits = Pick<TagPolicy, "min" | "max" | "texts">;

/** As a policy's entry spells them. */
interface Given {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  readonly values?: readonly string[] | undefined;
  readonly pattern?: string | undefined;
}

/** A tag has numbers between two limits, or texts that are named; what is missing lets nothing. */
function limitsOf(
  { min, max, values, pattern }: Given, origin: Origin, findings: Findings,
): Limits {
  if (values === undefined && pattern === undefined) {
    if (min === undefined) findings.at(below(origin, "min"), missing);
    if (max === undefined) findings.at(below(origin, "max"), missing);
    // Nothing lies between limits that are none.
    return { min: min ?? NaN, max: max ?? NaN, texts: null };
  }
  if (values !== undefined && pattern !== undefined) {
    findings.at(below(origin, "pattern"), "`values` and `pattern` exclude another");
  }
  if (min !== undefined || max !== undefined) {
    findings.at(below(origin, min === undefined ? "max" : "min"), "a text has no limits: " +
      "`values` or `pattern` say what it may be");
  }
  const fault = pattern === undefined ? null : patternFault(pattern);
  if (fault !== null) {
    findings.at(below(origin, "pattern"), `this is no regular expression of RE2: ${fault}`);
  }
  const texts = values === undefined ? { pattern: pattern! } : { values };
  return { min: NaN, max: NaN, texts };
}

const missing = "is missing: a number is written between two limits, `min` and `max`; a text as " +
  "`values` or `pattern` say";

/**
 * What a policy says of itself, and of the tags and rules there are. What is wrong with tags that
 * rules write is told there.
 */
export function checkPolicy(
  placed: PlacedPolicy, tags: ReadonlyMap<string, Tag>, incomplete: ReadonlySet<string>,
  rules: readonly string[], written: ReadonlySet<string>, broadcasts: ReadonlySet<string>,
  findings: Findings,
): void {
  for (const [tag, policy] of Object.entries(placed.policy)) {
    const origin = below(placed.origin, tag);
    const known = tags.get(tag);
    if (known === undefined) {
      if (!incomplete.has(tag.split(".", 1)[0]!)) tellNoTag(tag, origin, tags, findings);
    } else if (!isWritableType(known.type)) {
      const instead = arrayOf(known.type) === null ? "" : "; the item that is written needs a " +
        "tag of its own, at its own address";
      findings.at(origin, `writing a tag of type ${known.type} is not in this version: numbers, ` +
        `bools and texts only${instead}`, { of: "key" });
    } else if (isTextType(known.type) !== (policy.texts !== null)) {
      findings.at(origin, policy.texts === null
        ? `${tag} is a ${known.type}: \`values\` or \`pattern\` say what it may be, not limits`
        : `${tag} is a ${known.type}: \`min\` and \`max\` say what it may be, and no texts`,
      { of: "key" });
    } else if (!known.writable && !written.has(tag)) {
      findings.at(origin, `${tag} is read only, so nobody can write it; a tag that is written ` +
        'has "access": "read-write"', { of: "key" });
    }
    checkTagPolicy(policy, origin, findings);
    if (broadcasts.has(tag)) checkBroadcast(tag, policy, origin, findings);
    else if (policy.readBack !== null && known !== undefined) {
      findings.at(below(origin, "readBack"), `${tag} is read back after each write; "none" is ` +
        "for a broadcast, which nobody answers");
    }
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
  if (policy.texts !== null) return checkTextPolicy(policy, origin, findings);
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

/** From one text to another is no distance, and none is nearest. */
function checkTextPolicy(
  { onLoss, deadband, maxStep, outside }: TagPolicy, origin: Origin, findings: Findings,
): void {
  const given = { maxStep: maxStep !== null, deadband: deadband !== 0,
    outside: outside !== "reject" };
  for (const [key, isGiven] of Object.entries(given)) {
    if (isGiven) findings.at(below(origin, key), `${key} has no meaning for texts`);
  }
  if (onLoss !== null && onLoss.value !== "hold") {
    findings.at(below(origin, "onLoss", "value"), 'of a text only "hold" is known');
  }
}

function tellNoTag(
  tag: string, origin: Origin, known: ReadonlyMap<string, Tag>, findings: Findings,
): void {
  findings.at(origin, "no such tag; a policy names it device.tag",
    { nearest: nearest(tag, known.keys()), of: "key" });
}
