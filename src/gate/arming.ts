import type { TagPolicy } from "../config.ts";
import { GOOD, stateName } from "../ring.ts";
import { refuse, type Refusal } from "./codes.ts";
import { testAlone } from "./gate.ts";
import type { Arming, Box, ReadResult, TagView } from "./state.ts";

/**
 * `onLoss` writes inside the arming that it ends (W19): rules stop this long before the end, so
 * that read, commit and send of that last command fit.
 */
const on_loss_lead_ms = 2000;

export interface ArmAsk {
  readonly for_ms: number;
  readonly by: string;
  /** Hash of the proof that the person was shown and agreed to (W2). */
  readonly proof: string;
  /** Hash that the store holds for this tag, or null. */
  readonly stored: string | null;
  /** Durable number, one higher than any before. */
  readonly number: number;
  /** `arm_minutes_max`, as the profile has it. */
  readonly minutes_max: number;
  /** The tag as read for this arming. */
  readonly read: ReadResult;
  /** `keyOf` the one command that it is for, or null. */
  readonly only: string | null;
}

/** W1..W3, W5: an arming, or why not. Pure. */
export function tryArm(
  ask: ArmAsk, policy: TagPolicy | null, box: Readonly<Box>, tag: TagView, now: number,
): Arming | Refusal {
  const id = tag.facts.id;
  const { for_ms, by, read } = ask;
  if (!(for_ms > 0) || by === "") return refuse("arm-invalid");
  if (!(for_ms <= ask.minutes_max * 60_000)) {
    return refuse("arm-too-long", { most_minutes: ask.minutes_max });
  }
  if (policy === null) return refuse("no-policy", { tag: id });
  if (!tag.facts.writable) return refuse("not-writable", { tag: id });
  const why = tag.facts.unsupported;
  if (why !== null) return refuse("not-supported", { tag: id, why });
  if (box.safeMode) return refuse("safe-mode");
  if (box.configRejected) return refuse("config-rejected");
  if (box.latched !== null) return refuse("latched", { by: box.latched });
  if (policy.maxMode === "off") return refuse("mode-off", { tag: id });
  if (policy.maxMode !== "armed") return refuse("shadow", { tag: id });
  const alone = testAlone(tag);
  if (alone !== null) return alone;
  if (box.auditTrouble !== null) return refuse("audit-unavailable", { why: box.auditTrouble });
  if (tag.busy !== null) return refuse("busy", { tag: id });
  if (ask.only !== null && tag.arming !== null) {
    return refuse("armed-otherwise", { tag: id, by: tag.arming.by });
  }
  if (!tag.linkUp || tag.hash === null) return refuse("link-down", { tag: id });
  if (tag.facts.broadcast && ask.only !== null) {
    return refuse("broadcast", { tag: id, why: "what cannot be read cannot be proved by writing" });
  }
  if (read.state !== GOOD && !tag.facts.broadcast) {
    return refuse("unread", { tag: id, state: stateName(read.state) });
  }
  if (ask.proof !== tag.hash || ask.stored !== tag.hash) return refuse("no-proof", { tag: id });
  const lead = losesValue(policy) && ask.only === null
    ? Math.min(on_loss_lead_ms, for_ms / 10) : 0;
  const until = now + for_ms;
  const { number, only } = ask;
  return { number, from: now, until, rulesUntil: until - lead, by, hash: tag.hash, only };
}

/** `onLoss` writes a value (and does not merely hold what stands). */
export function losesValue(policy: TagPolicy): boolean {
  return policy.onLoss !== null && policy.onLoss.value !== "hold";
}

/**
 * W3: why an arming must end now, or null. Restarts end it by themselves: armings live in memory.
 */
export function armingEnds(tag: TagView, box: Readonly<Box>, now: number): string | null {
  const { arming } = tag;
  if (arming === null) return null;
  if (box.latched !== null) return `disarmed by ${box.latched}`;
  if (now >= arming.until) return "its time is over";
  if (tag.hash !== null && tag.hash !== arming.hash) return "the device's address changed";
  return null;
}
