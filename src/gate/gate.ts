import { allowsText, type TagPolicy } from "../config.ts";
import { GOOD, isTextType, stateName, type Written } from "../ring.ts";
import { refuse, type Refusal } from "./codes.ts";
import {
  isBackfill, isDoubtful, isExternal, isOnLoss, isProve, isReplayed, isRule, keyOf, type Command,
} from "./command.ts";
import {
  isKnown, lsbOf, sameRaw, withinOneLsb, type Encoded, type TagFacts,
} from "./path.ts";
import type { GateState, PermitCell, TagView } from "./state.ts";

export interface Admitted {
  readonly admit: true;
  /** What the raw words mean: what the limits were tested on (W9). */
  readonly means: Written;
  /** Raw words for the wire. */
  readonly bytes: Uint8Array;
  /** True if the policy moved the value to its limit; to be logged. */
  readonly clamped: boolean;
  /** Arming that it was admitted under; the last look compares it (W11). */
  readonly arming: number;
  /** Monotonic ms after which it must not leave: deadline, age of inputs and arming together. */
  readonly notAfter: number;
}

export type Verdict = Admitted | Refusal;
type Test = Refusal | null;

/**
 * W7: the one gate. Pure and total: the same four arguments give the same verdict, and there is one
 * for every value of theirs. Called twice: before the read that is made for this command
 * (`tag.read` null: all that can be said without it), and after it.
 */
export function decide(
  command: Command, policy: TagPolicy | null, state: GateState, now: number,
): Verdict {
  const { box, tag } = state;
  const early = testCaller(command) ?? testMessage(command, state, now)
    ?? testList(command, policy, tag);
  if (early !== null) return early;
  return decideTag(command, policy!, { box, tag: tag! }, now);
}

type Known = GateState & { readonly tag: TagView };

/** The order of W8 from "one command a tag" on. */
function decideTag(command: Command, policy: TagPolicy, state: Known, now: number): Verdict {
  const { box, tag } = state;
  const before = testTurn(command, tag) ?? testInputs(command, policy, now);
  if (before !== null) return before;
  const value = testValue(command, policy, tag.facts);
  if ("code" in value) return value;
  const { means } = value.encoded;
  const after = testRead(command, policy, tag, means)
    ?? testPace(command, policy, state, now)
    ?? testPermits(command, policy, tag.permits, now)
    ?? testMode(command, policy, state, now)
    ?? testAudit(command, box.auditTrouble);
  if (after !== null) return after;
  return {
    admit: true, means, bytes: value.encoded.bytes, clamped: value.clamped,
    arming: tag.arming!.number, notAfter: lastMoment(command, policy, tag),
  };
}

/**
 * W11: after the durable intent, right before the bytes. Everything that can have changed since
 * `decide` without this command's doing is looked at again; null = send. `answer_ms`: how long an
 * answer takes on a link that is reset when none came by the deadline (W14).
 */
export function lastLook(
  command: Command, admitted: Admitted, policy: TagPolicy, state: GateState, now: number,
  answer_ms = 0,
): Refusal | null {
  const { tag } = state;
  if (tag === null) return refuse("unknown-tag", { tag: command.tag });
  const known = { box: state.box, tag };
  if (!(now <= command.notAfter)) return expired(command.notAfter, now, sending);
  return testInputs(command, policy, now)
    ?? testOvertaken(tag)
    ?? testPermits(command, policy, tag.permits, now)
    ?? testMode(command, policy, known, now)
    ?? testArmingNumber(command, admitted, tag)
    ?? testTime(command, admitted, now, answer_ms);
}

/** What can only end as unknown is not begun; a loss is tried all the same (W20). */
function testTime(command: Command, admitted: Admitted, now: number, answer_ms: number): Test {
  const left_ms = admitted.notAfter - now;
  if (!(left_ms >= 0)) return expired(admitted.notAfter, now, sending);
  if (left_ms >= answer_ms || isOnLoss(command.origin)) return null;
  return refuse("no-time", { left_ms, answer_ms });
}

/**
 * The part of the last look that needs no state but three numbers: for whoever puts the bytes on
 * a bus, which runs by itself (W11).
 */
export function mayLeave(
  admitted: { readonly arming: number; readonly notAfter: number },
  latched: boolean, arming: number, now: number,
): boolean {
  // Number 0 stands for none.
  return !latched && arming !== 0 && arming === admitted.arming && now <= admitted.notAfter;
}

/** Also for whoever is refused before there is a command: its body is not read then. */
export function testCaller(
  { authenticated, authorised, by }: Pick<Command, "authenticated" | "authorised" | "by">,
): Test {
  if (!authenticated) return refuse("not-authenticated");
  return authorised ? null : refuse("not-authorised", { by });
}

/** W17. A rule's message is its row: W18. */
function testMessage(command: Command, state: GateState, now: number): Test {
  const { id, row, origin } = command;
  const { box, tag } = state;
  if (isExternal(origin)) {
    if (command.retained) return refuse("retained");
    if (id === "") return refuse("id-missing");
    // Only a number that is finite or −Infinity is a deadline; NaN is none.
    if (!(command.notAfter < Infinity)) return refuse("deadline-missing");
    const ahead = command.notAfter - command.receivedAt;
    const most = box.deadline_ms_max;
    if (ahead > most) return refuse("deadline-too-far", { ahead_ms: ahead, most_ms: most });
    if (command.byWallClock && !box.clockTrusted) return refuse("clock-unsynced");
  }
  if (!(now <= command.notAfter)) {
    const isUnread = tag?.busy === keyOf(command) && tag.read?.state !== GOOD;
    return expired(command.notAfter, now, isUnread ? ", before its tag was read" : "");
  }
  if (command.seen) return refuse("duplicate", { id });
  if (command.idUnknown === true) {
    return refuse("audit-unavailable",
      { why: box.auditTrouble ?? "it could not be looked up whether the id came before" });
  }
  if (!isRule(origin)) return null;
  if (row === null) return refuse("id-missing");
  const last = tag?.rows.get(origin);
  const repeated = last !== undefined && (row.epoch < last.epoch ||
    (row.epoch === last.epoch && ((row.sequence - last.sequence) | 0) <= 0));
  return repeated && tag?.busy !== keyOf(command) ? refuse("duplicate", { id }) : null;
}

const sending = ", before it was sent";

function expired(notAfter: number, now: number, where: string): Refusal {
  return refuse("expired", { late_ms: now - notAfter, where });
}

function testList(command: Command, policy: TagPolicy | null, tag: TagView | null): Test {
  const { origin } = command;
  const values = { tag: command.tag, origin };
  if (tag === null || tag.facts.id !== command.tag) return refuse("unknown-tag", values);
  if (policy === null) return refuse("no-policy", values);
  if (!tag.facts.writable) return refuse("not-writable", values);
  const why = tag.facts.unsupported;
  if (why !== null) return refuse("not-supported", { ...values, why });
  // W19: onLoss is an origin of its own, allowed by the policy's own entry and to its value only.
  const allowed = isOnLoss(origin)
    ? origin === `onLoss:${command.tag}` && policy.onLoss?.value === command.value
    : policy.allow.includes(origin);
  if (!allowed) return refuse("not-allowed", values);
  return tag.facts.broadcast ? testBroadcast(command, policy) : null;
}

/**
 * W9: nothing is read of a broadcast, so nothing that goes by a read may write it, and whoever
 * wrote the policy has to have said so.
 */
function testBroadcast({ tag, origin }: Command, policy: TagPolicy): Test {
  if (!isExternal(origin) || isProve(origin)) {
    return refuse("broadcast", { tag, why: `what cannot be read is not written by ${origin}` });
  }
  if (policy.readBack !== "none") {
    return refuse("broadcast", { tag, why: 'the write policy does not say "readBack": "none"' });
  }
  return policy.maxStep === null && policy.deadband === 0 ? null
    : refuse("broadcast", { tag, why: "a step and a deadband count from a read" });
}

/** W8 one command a tag; W15 and W16: automatic writing waits while the tag's story is open. */
function testTurn(command: Command, tag: TagView): Test {
  const id = tag.facts.id;
  const { origin } = command;
  if (tag.busy !== null && tag.busy !== keyOf(command)) return refuse("busy", { tag: id });
  // Who does not know what stands there cannot leave it unchanged.
  if (isProve(origin) && tag.pending !== null) return refuse("unknown-pending", { tag: id });
  if (isExternal(origin)) return null;
  if (tag.yielded !== null) return refuse("yielded", { tag: id, why: tag.yielded });
  if (isOnLoss(origin) || tag.pending === null) return null;
  return refuse("unknown-pending", { tag: id });
}

function testInputs(command: Command, policy: TagPolicy, now: number): Test {
  if (!isRule(command.origin)) return null;
  const { inputs } = command;
  if (inputs === null) return refuse("input-missing");
  const age_ms = now - inputs.oldest;
  // A time ahead of now is as wrong as an old one, and so is NaN.
  if (!(age_ms >= 0 && age_ms <= policy.inputMaxAge)) {
    return refuse("input-old", { age_ms, most_ms: policy.inputMaxAge });
  }
  if (inputs.state !== GOOD) return refuse("input-bad", { state: stateName(inputs.state) });
  if (isBackfill(inputs)) return refuse("input-backfill");
  if (isReplayed(inputs)) return refuse("input-replayed");
  return isDoubtful(inputs) ? refuse("input-doubtful") : null;
}

interface Value {
  readonly encoded: Encoded;
  readonly clamped: boolean;
}

function testValue(command: Command, policy: TagPolicy, tag: TagFacts): Value | Refusal {
  return isTextType(tag.type) ? testText(command, policy, tag) : testNumber(command, policy, tag);
}

/** What a text may be the policy says, of what the raw words will mean (W9). */
function testText(command: Command, policy: TagPolicy, tag: TagFacts): Value | Refusal {
  const { unit, value } = command;
  if (typeof value !== "string") {
    return refuse("wrong-type", { tag: tag.id, type: kindOf(value), wants: "a text" });
  }
  if (unit !== null) {
    return refuse("wrong-unit", { tag: tag.id, unit, eu: "no unit" });
  }
  const encoded = tag.encode(value);
  if (typeof encoded === "string") {
    return refuse("does-not-fit", { tag: tag.id, value, why: encoded });
  }
  if (!allowsText(policy, encoded.means)) {
    return refuse("text-not-allowed", { tag: tag.id, means: encoded.means });
  }
  return { encoded, clamped: false };
}

function testNumber(command: Command, policy: TagPolicy, tag: TagFacts): Value | Refusal {
  const { unit } = command;
  const value = tag.type === "bool" ? asNumber(command.value) : command.value;
  if (typeof value !== "number") {
    return refuse("wrong-type", { tag: tag.id, type: kindOf(value), wants: "a number" });
  }
  if (unit !== null && unit !== tag.eu) {
    return refuse("wrong-unit", { tag: tag.id, unit, eu: tag.eu ?? "no unit" });
  }
  if (!Number.isFinite(value)) return refuse("not-a-number");
  if (tag.type === "bool" && value !== 0 && value !== 1) {
    return refuse("does-not-fit", { tag: tag.id, value, why: "a bool is true or false, 1 or 0" });
  }
  const encoded = tag.encode(value);
  if (typeof encoded !== "string" && isInside(encoded.means, policy)) {
    return { encoded, clamped: false };
  }
  // A proof leaves the value as it is, so it is not moved to a limit either.
  const moves = policy.outside === "clamp" && !isProve(command.origin);
  const clamped = moves ? clamp(value, policy, tag) : null;
  if (clamped !== null) return { encoded: clamped, clamped: true };
  if (typeof encoded === "string") {
    return refuse("does-not-fit", { tag: tag.id, value, why: encoded });
  }
  const { min, max } = policy;
  return refuse("out-of-range", { means: encoded.means, min, max });
}

/** A bool may be written as what it is; limits and steps are those of 0 and 1. */
function asNumber(value: unknown): unknown {
  return typeof value === "boolean" ? Number(value) : value;
}

/**
 * 801 × 0.1 is 80.10000000000001 in binary: what decimal settings mean is compared with this much
 * room, relative to the values. Far below one LSB of any register.
 */
const rounding = 1e-12;

/** NaN is outside, and so is a number where the policy is one of texts. */
function isInside(means: Written, policy: TagPolicy): boolean {
  if (typeof means !== "number" || policy.texts !== null) return false;
  const room = rounding * Math.abs(means);
  return means >= policy.min - room && means <= policy.max + room;
}

/** The raw words nearest to the limit whose meaning is inside: rounding may step over it (W9). */
function clamp(value: number, policy: TagPolicy, tag: TagFacts): Encoded | null {
  const [limit, inward] = value > policy.max ? [policy.max, -1] : [policy.min, 1];
  for (const steps of [0, 1]) {
    const encoded = tag.encode(limit + inward * steps * lsbOf(tag, limit));
    if (typeof encoded !== "string" && isInside(encoded.means, policy)) return encoded;
  }
  return null;
}

/** W9: what the tag reads right now, before we touch it. Without a read yet, nothing to say. */
function testRead(command: Command, policy: TagPolicy, tag: TagView, means: Written): Test {
  const { facts, read } = tag;
  const id = facts.id;
  if (!tag.linkUp) return refuse("link-down", { tag: id });
  if (read === null) return null;
  if (read.state !== GOOD || !isKnown(read.value)) {
    // A person may write what cannot be read, if no step was to be kept (W9); a text only into
    // room that was seen to be there.
    const may = isExternal(command.origin) && !isProve(command.origin) &&
      policy.maxStep === null && !isTextType(facts.type);
    return may ? null : refuse("unread", { tag: id, state: stateName(read.state) });
  }
  if (!isOurs(tag, read.value)) {
    const left = tag.lastReadBack ?? tag.lastCommand;
    return refuse("external-change", { tag: id, read: read.value, left });
  }
  const step = testStep(command, policy, means, read.value);
  if (step !== null || !isProve(command.origin)) return step;
  return sameRaw(facts, means, read.value) ? null
    : refuse("not-present", { tag: id, read: read.value, means });
}

/** Max step and deadband (W9, W8); from one text to another is no distance. */
function testStep(command: Command, policy: TagPolicy, means: Written, before: Written): Test {
  if (typeof means !== "number" || typeof before !== "number") return null;
  const step = Math.abs(means - before);
  const anyStep = isOnLoss(command.origin) && policy.onLoss?.step === "any";
  const room = rounding * Math.max(Math.abs(means), Math.abs(before));
  if (policy.maxStep !== null && !anyStep && !(step <= policy.maxStep + room)) {
    return refuse("step-too-large", { read: before, means, maxStep: policy.maxStep });
  }
  const isKept = isOnLoss(command.origin) || isProve(command.origin);
  if (isKept || step >= policy.deadband - room) return null;
  return refuse("deadband", { means, deadband: policy.deadband, read: before });
}

/** W16: who changed the tag after it was read for this command must not be overwritten unseen. */
function testOvertaken(tag: TagView): Test {
  const { facts, overtaken, read } = tag;
  if (overtaken === null) return null;
  return refuse("external-change", { tag: facts.id, read: overtaken, left: read?.value ?? null });
}

/** The value is what we wrote or what we last saw; before either exists, any value is. */
export function isOurs(tag: TagView, value: Written): boolean {
  const { facts, lastCommand, lastReadBack } = tag;
  if (lastCommand === null && lastReadBack === null) return true;
  return (lastReadBack !== null && sameRaw(facts, value, lastReadBack))
    || (lastCommand !== null && withinOneLsb(facts, value, lastCommand));
}

function testPace(command: Command, policy: TagPolicy, state: Known, now: number): Test {
  if (isOnLoss(command.origin)) return null;
  const { box, tag } = state;
  const age_ms = now - tag.lastWriteAt;
  if (!(age_ms >= policy.minInterval)) {
    return refuse("too-soon", { tag: tag.facts.id, age_ms, most_ms: policy.minInterval });
  }
  const writes = tag.day === box.day ? tag.writesToday : 0;
  return writes < policy.writesPerDay ? null : refuse("quota", { tag: tag.facts.id, writes });
}

/** W12, and W20 for onLoss: only what is good, young and FALSE refuses it. */
function testPermits(
  command: Command, policy: TagPolicy, cells: readonly PermitCell[], now: number,
): Test {
  const loss = isOnLoss(command.origin);
  for (let i = 0; i < policy.permit.length; i++) {
    const condition = policy.permit[i]!;
    const cell = cells[i];
    // Not even a loss goes by what a person put in the machine's place.
    if (cell?.overridden === true) {
      return refuse("permit-unknown", { condition, state: "forced or disabled by a person" });
    }
    if (cell === undefined || cell.condition !== condition || cell.state !== GOOD) {
      if (loss) continue;
      return refuse("permit-unknown", { condition, state: stateName(cell?.state ?? 65) });
    }
    const age_ms = now - cell.at;
    if (!(age_ms >= 0 && age_ms <= policy.maxAge)) {
      if (loss) continue;
      return refuse("permit-old", { condition, age_ms, most_ms: policy.maxAge });
    }
    if (cell.value !== true) return refuse("permit-false", { condition });
  }
  return null;
}

/**
 * Monotonic ms until which the permits that were looked at stay young enough: a serial worker sends
 * later than the last look, and has no permits to look at (W11, W12).
 */
export function permitsUntil(
  command: Command, policy: TagPolicy, cells: readonly PermitCell[],
): number {
  if (isOnLoss(command.origin)) return Infinity;
  return Math.min(Infinity, ...cells.map((cell) => cell.at + policy.maxAge));
}

/** A broadcast would reach a device that a person had left alone, too: none leaves. */
export function testAlone({ facts, leftAlone }: TagView): Test {
  return leftAlone === null ? null : refuse("broadcast", { tag: facts.id,
    why: `${leftAlone} would obey too, and a person had it left alone (tagwerk enable)` });
}

function testMode(command: Command, policy: TagPolicy, state: Known, now: number): Test {
  const { box, tag } = state;
  const id = tag.facts.id;
  if (box.safeMode) return refuse("safe-mode");
  if (box.configRejected) return refuse("config-rejected");
  if (box.latched !== null) return refuse("latched", { by: box.latched });
  if (policy.maxMode === "off") return refuse("mode-off", { tag: id });
  if (policy.maxMode !== "armed") return refuse("shadow", { tag: id });
  const alone = testAlone(tag);
  if (alone !== null) return alone;
  const { arming } = tag;
  if (arming === null) return refuse("not-armed", { tag: id, why: tag.unarmedWhy });
  const until = isOnLoss(command.origin) ? arming.until : arming.rulesUntil;
  if (!(now < until)) return refuse("not-armed", { tag: id, why: "its time is over" });
  // A proof has an arming of its own, which is for nothing else.
  if (arming.only !== (isProve(command.origin) ? keyOf(command) : null)) {
    return refuse("not-armed", { tag: id, why: arming.only === null
      ? "it is armed, but not for this proof" : "it is armed for one proof by writing alone" });
  }
  if (arming.hash === tag.hash) return null;
  return refuse("not-armed", { tag: id, why: "the tag's path is another than the one proved" });
}

function testArmingNumber(command: Command, admitted: Admitted, tag: TagView): Test {
  return tag.arming?.number === admitted.arming
    ? null : refuse("arming-changed", { tag: command.tag });
}

/** W19: the intent of onLoss was committed at arming. */
function testAudit(command: Command, trouble: string | null): Test {
  if (trouble === null || isOnLoss(command.origin)) return null;
  return refuse("audit-unavailable", { why: trouble });
}

/** Deadline, age of inputs and end of arming in one number, for whoever sends. */
function lastMoment(command: Command, policy: TagPolicy, tag: TagView): number {
  const arming = tag.arming!;
  const until = isOnLoss(command.origin) ? arming.until : arming.rulesUntil;
  const inputs = command.inputs === null ? Infinity : command.inputs.oldest + policy.inputMaxAge;
  return Math.min(command.notAfter, until, isRule(command.origin) ? inputs : Infinity);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return typeof value === "string" ? "a text" : `a ${typeof value}`;
}
