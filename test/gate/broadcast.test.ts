import { describe, expect, test } from "bun:test";
import {
  broadcastOutcome, decide, lastLook, tryArm, TagState, type ArmAsk, type Command,
} from "../../src/gate.ts";
import type { TagPolicy } from "../../src/config.ts";
import { BAD } from "../../src/ring.ts";
import { arming, armedTag, facts, hash, now, policy, restAsk, ruleAsk, state } from "./fixture.ts";

/** What every station obeys and none answers: nothing is read of it (docs/writing-rules.md). */
const told: TagPolicy = { ...policy, allow: ["rest", "cli", "mqtt"], maxStep: null, deadband: 0,
  onLoss: null, readBack: "none" };
const broadcast = facts({ broadcast: true });

function broadcastTag(over: Partial<TagState> = {}): TagState {
  const tag = new TagState(broadcast, 100);
  const { permits } = armedTag();
  return Object.assign(tag, { hash, linkUp: true, arming: arming(), permits }, over);
}

function code(
  command: Command, over: Partial<TagPolicy> = {}, tag: Partial<TagState> = {}, box = {},
): string | null {
  const verdict = decide(command, { ...told, ...over }, state(broadcastTag(tag), box), now);
  return verdict.admit ? null : verdict.code;
}

describe("W9: what cannot be read is written by people and their programs only", () => {
  test.each(["rest", "cli", "mqtt"])("%s may, without a read", (origin) => {
    expect(code(restAsk({ origin }))).toBeNull();
  });
  test("no rule, no loss, no proof, whatever the policy names", () => {
    expect(code(ruleAsk(), { allow: ["rule:hold"] })).toBe("broadcast");
    expect(code(restAsk({ origin: "prove" }), { allow: ["prove"] })).toBe("broadcast");
    const loss = ruleAsk({ origin: "onLoss:press.setpoint", inputs: null, row: null, value: 40 });
    expect(code(loss, { onLoss: { after: 1, value: 40, step: "any" } })).toBe("broadcast");
  });
  test("the policy says that nothing is read back, and counts nothing from a read", () => {
    expect(code(restAsk(), { readBack: null })).toBe("broadcast");
    expect(code(restAsk(), { maxStep: 5 })).toBe("broadcast");
    expect(code(restAsk(), { deadband: 0.5 })).toBe("broadcast");
    const refused = decide(restAsk(), { ...told, readBack: null }, state(broadcastTag()), now);
    expect(refused).toMatchObject({ sentence:
      'press.setpoint is a broadcast, which nobody answers: the write policy does not say ' +
      '"readBack": "none".' });
  });
  test("W7: who may not at all is told so first", () => {
    expect(code(ruleAsk(), { allow: [] })).toBe("not-allowed");
  });
});

test("W8: every other test holds as for any tag", () => {
  expect(code(restAsk({ authenticated: false }))).toBe("not-authenticated");
  expect(code(restAsk({ notAfter: now - 1 }))).toBe("expired");
  expect(code(restAsk({ seen: true }))).toBe("duplicate");
  expect(code(restAsk(), {}, { busy: "rest press.setpoint a-9" })).toBe("busy");
  expect(code(restAsk({ value: 81 }))).toBe("out-of-range");
  expect(code(restAsk({ unit: "bar" }))).toBe("wrong-unit");
  expect(code(restAsk(), {}, { linkUp: false })).toBe("link-down");
  expect(code(restAsk(), {}, { lastWriteAt: now - 999 })).toBe("too-soon");
  expect(code(restAsk(), {}, { day: 20_000, writesToday: 100 })).toBe("quota");
  expect(code(restAsk(), {}, { permits: [] })).toBe("permit-unknown");
  expect(code(restAsk(), { maxMode: "shadow" })).toBe("shadow");
  expect(code(restAsk(), {}, { leftAlone: "fan-2" })).toBe("broadcast");
  expect(code(restAsk(), {}, { arming: null })).toBe("not-armed");
  expect(code(restAsk(), {}, { hash: "another" })).toBe("not-armed");
  expect(code(restAsk(), {}, {}, { latched: "anna" })).toBe("latched");
  expect(code(restAsk(), {}, {}, { auditTrouble: "full" })).toBe("audit-unavailable");
});

test("W11: the last look holds without a read", () => {
  const tag = broadcastTag();
  const admitted = decide(restAsk(), told, state(tag), now);
  if (!admitted.admit) throw new Error(admitted.code);
  const look = (box = {}): unknown => lastLook(restAsk(), admitted, told, state(tag, box), now);
  expect(look()).toBeNull();
  expect(look({ latched: "anna" })).toMatchObject({ code: "latched" });
  tag.arming = arming({ number: 8 });
  expect(look()).toMatchObject({ code: "arming-changed" });
});

test("W15: what left is unknown for good; a person may send again, and a restart knows", () => {
  expect(broadcastOutcome(false)).toMatchObject({ outcome: "refused", code: "not-sent" });
  const outcome = broadcastOutcome(true);
  expect(outcome).toEqual(
    { outcome: "unknown", code: "broadcast", exception: 0, readBack: null });
  const tag = broadcastTag();
  const command = restAsk();
  const admitted = decide(command, told, state(tag), now);
  if (!admitted.admit) throw new Error(admitted.code);
  tag.begin(command);
  tag.intend(admitted, 20_000);
  tag.leave(now);
  tag.finish(outcome, now + 200);
  expect(tag.pending).toMatchObject({ means: 62, before: null });
  expect(tag.writesToday).toBe(1);
  // No row of a tag without a value settles it.
  expect(tag.observe({ value: 0, state: BAD.broadcast, at: now + 9000 })).toBe("nothing");
  expect(tag.pending).not.toBeNull();
  const again = restAsk({ id: "a-2", notAfter: now + 9000, receivedAt: now + 5000 });
  const open = { ...told, permit: [] };
  expect(decide(again, open, state(tag), now + 5000)).toMatchObject({ admit: true });
});

describe("W2: arming goes by what was shown, not by a read", () => {
  const unread = { value: NaN, state: BAD.broadcast, at: now };
  const ask: ArmAsk = { for_ms: 60_000, by: "anna", proof: hash, stored: hash, number: 8,
    minutes_max: 60, read: unread, only: null };
  const arm = (over: Partial<ArmAsk>, tag = broadcastTag({ arming: null })): string | number => {
    const got = tryArm({ ...ask, ...over }, told, state().box, tag, now);
    return "admit" in got ? got.code : got.number;
  };
  test("the proof of this very place is wanted all the same", () => {
    expect(arm({})).toBe(8);
    expect(arm({ stored: null })).toBe("no-proof");
    expect(arm({ proof: "another" })).toBe("no-proof");
    expect(arm({}, broadcastTag({ arming: null, hash: null }))).toBe("link-down");
  });
  test("a tag that could be read and was not is still refused", () => {
    expect(arm({ read: { ...unread, state: BAD.timeout } }, armedTag({ arming: null })))
      .toBe("unread");
  });
  test("nor while a person has one of those alone whom it would reach", () => {
    expect(arm({}, broadcastTag({ arming: null, leftAlone: "fan-2" }))).toBe("broadcast");
  });
  test("it is not proved by writing", () => {
    expect(arm({ only: "prove press.setpoint p-1" })).toBe("broadcast");
  });
  test("an arming leaves no value behind that was never read", () => {
    const tag = broadcastTag({ arming: null });
    tag.arm(arming(), unread);
    expect([tag.lastReadBack, tag.lastCommand]).toEqual([null, null]);
  });
});
