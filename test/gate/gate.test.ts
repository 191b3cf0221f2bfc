import { describe, expect, test } from "bun:test";
import type { TagPolicy } from "../../src/config.ts";
import {
  decide, isOnLoss, keyOf, lastLook, mayLeave, onLossCommand, proveCommand, ruleCommand,
  sameRaw, sentenceOf, type Admitted, type Box, type Code, type Command, type TagState,
  readBackOutcome, withinOneLsb,
} from "../../src/gate.ts";
import {
  armedTag, arming, facts, good, now, policy, restAsk, ruleAsk, state,
} from "./fixture.ts";

interface Change {
  command?: Partial<Command>;
  policy?: Partial<TagPolicy>;
  tag?: Partial<TagState>;
  box?: Partial<Box>;
}

/** Code of the verdict on an otherwise good command of `hold` (or of REST); null = admitted. */
function code(change: Change, ask: Command = ruleAsk()): Code | null {
  const tag = armedTag({ read: good(60), ...change.tag });
  const verdict = decide(
    { ...ask, ...change.command }, { ...policy, ...change.policy }, state(tag, change.box), now);
  return verdict.admit ? null : verdict.code;
}
const rest = (change: Change): Code | null => code(change, restAsk());

function admitted(command: Command, tag = armedTag({ read: good(60) }), p = policy): Admitted {
  const verdict = decide(command, p, state(tag), now);
  if (!verdict.admit) throw new Error(`refused: ${verdict.code}`);
  return verdict;
}

describe("W1 shadow until armed", () => {
  test("a good command is admitted when armed, refused when not", () => {
    expect(code({})).toBeNull();
    expect(rest({})).toBeNull();
    expect(code({ tag: { arming: null } })).toBe("not-armed");
    expect(rest({ tag: { arming: null } })).toBe("not-armed");
  });
  test("the policy can only cap the mode", () => {
    expect(code({ policy: { maxMode: "shadow" } })).toBe("shadow");
    expect(code({ policy: { maxMode: "off" } })).toBe("mode-off");
    // Anything that is no mode is no armed mode.
    expect(code({ policy: { maxMode: "Armed" as "armed" } })).toBe("shadow");
  });
  test("rules stop before the arming's end, so that onLoss writes inside it", () => {
    const late = { arming: arming({ rulesUntil: now, until: now + 2000 }) };
    expect(code({ tag: late })).toBe("not-armed");
  });
});

test("W2 another path than the one proved is not armed", () => {
  expect(code({ tag: { hash: "other" } })).toBe("not-armed");
  expect(code({ tag: { hash: null } })).toBe("not-armed");
});

describe("W2 a proof by writing", () => {
  const ask = proveCommand({ id: "p-1", tag: "press.setpoint", by: "anna" }, 60, "new", now,
    now + 5000);
  const own = arming({ only: keyOf(ask) });
  const allow = [...policy.allow, "prove"];
  const prove = ({ tag, policy: p, ...change }: Change = {}): Code | null =>
    code({ ...change, tag: { arming: own, ...tag }, policy: { allow, ...p } }, ask);

  test("writes what stands there, inside the deadband, and nothing else", () => {
    expect(prove()).toBeNull();
    expect(prove({ command: { value: 60.1 } })).toBe("not-present");
    expect(prove({ tag: { read: good(61), lastReadBack: 61 } })).toBe("not-present");
    // Somebody changed it since the arming that began with 60.
    expect(prove({ tag: { read: good(60.5) } })).toBe("external-change");
  });
  test("has an arming of its own, which is for nothing else", () => {
    expect(prove({ tag: { arming: null } })).toBe("not-armed");
    expect(prove({ tag: { arming: arming() } })).toBe("not-armed");
    expect(prove({ command: { id: "p-2" } })).toBe("not-armed");
    for (const other of [ruleAsk(), restAsk(), restAsk({ origin: "cli" })]) {
      expect(code({ tag: { arming: own }, policy: { allow: [...allow, "cli"] } }, other))
        .toBe("not-armed");
    }
    const loss = onLossCommand("press.setpoint", 40, own.number, now, now + 100);
    expect(code({ tag: { arming: own }, policy: { maxStep: null } }, loss)).toBe("not-armed");
  });
  test("W11 is looked at once more before the bytes", () => {
    const tag = armedTag({ read: good(60), arming: own });
    const p = { ...policy, allow };
    const verdict = admitted(ask, tag, p);
    expect(lastLook(ask, verdict, p, state(tag), now)).toBeNull();
    for (const over of [{ arming: arming() }, { arming: null }, { overtaken: 61 }]) {
      const changed = state(armedTag({ read: good(60), arming: own, ...over }));
      expect(lastLook(ask, verdict, p, changed, now)?.admit).toBe(false);
    }
  });
  test("every limit holds", () => {
    expect(prove({ policy: { allow: policy.allow } })).toBe("not-allowed");
    expect(prove({ policy: { min: 61 } })).toBe("out-of-range");
    // Moved to the limit it would be another value.
    expect(prove({ policy: { min: 61, outside: "clamp" } })).toBe("out-of-range");
    expect(prove({ policy: { writesPerDay: 0 } })).toBe("quota");
    expect(prove({ tag: { lastWriteAt: now - 1 } })).toBe("too-soon");
    expect(prove({ tag: { permits: [] } })).toBe("permit-unknown");
    expect(prove({ policy: { maxMode: "shadow" } })).toBe("shadow");
    expect(prove({ box: { safeMode: true } })).toBe("safe-mode");
    expect(prove({ box: { configRejected: true } })).toBe("config-rejected");
    expect(prove({ box: { latched: "anna" } })).toBe("latched");
    expect(prove({ box: { auditTrouble: "full" } })).toBe("audit-unavailable");
    expect(prove({ command: { seen: true } })).toBe("duplicate");
    expect(prove({ command: { notAfter: now - 1 } })).toBe("expired");
  });
  test("what is not known is not proved", () => {
    const unread = { ...good(60), state: 67 };
    expect(prove({ tag: { read: unread }, policy: { maxStep: null } })).toBe("unread");
    expect(prove({ tag: { pending: { means: 60, before: 60, since: now } } }))
      .toBe("unknown-pending");
  });
  test("W16 leaves rules that yield yielding", () => {
    const tag = armedTag({ arming: null, yielded: "a change from outside to 60" });
    tag.arm(own, good(60));
    expect(tag.yielded).toBe("a change from outside to 60");
    tag.arm(arming(), good(60));
    expect(tag.yielded).toBeNull();
  });
});

test("W5 safe mode and a rejected configuration write nothing", () => {
  expect(code({ box: { safeMode: true } })).toBe("safe-mode");
  expect(code({ box: { configRejected: true } })).toBe("config-rejected");
});

describe("W7 deny by default", () => {
  test("tag, policy, access and origin must all be named", () => {
    expect(decide(ruleAsk(), policy, state(null), now)).toMatchObject({ code: "unknown-tag" });
    expect(decide(ruleAsk(), null, state(), now)).toMatchObject({ code: "no-policy" });
    expect(code({ tag: { facts: facts({ writable: false }) } })).toBe("not-writable");
    expect(code({ policy: { allow: [] } })).toBe("not-allowed");
    expect(code({ policy: { allow: ["rule:holdx", "rest"] } })).toBe("not-allowed");
    expect(code({ command: { origin: "mqtt" } }, restAsk())).toBe("not-allowed");
    expect(code({ command: { origin: "" } }, restAsk())).toBe("not-allowed");
  });
  test("a state of another tag is no state of this one", () => {
    expect(code({ command: { tag: "press.other" } })).toBe("unknown-tag");
  });
  test("what the driver cannot write is not supported", () => {
    const unsupported = facts({ unsupported: "an input register can only be read" });
    expect(code({ tag: { facts: unsupported } })).toBe("not-supported");
  });
});

describe("W8 the order", () => {
  test("W17 an id that the audit could not look up: the audit is the reason, not the id", () => {
    expect(code({ command: { idUnknown: true } })).toBe("audit-unavailable");
    expect(code({ command: { idUnknown: true, seen: true } })).toBe("duplicate");
  });
  test("authenticate comes before all, mode and audit last", () => {
    const all: Change = {
      command: { authenticated: false, authorised: false, value: NaN, seen: true },
      tag: { arming: null, busy: "rest x", read: good(10) }, box: { auditTrouble: "full" },
    };
    expect(code(all)).toBe("not-authenticated");
    expect(code({ ...all, command: { authorised: false, value: NaN } })).toBe("not-authorised");
    expect(code({ ...all, command: { value: NaN } })).toBe("busy");
    expect(code({ ...all, command: { value: NaN }, tag: { arming: null, read: good(10) } }))
      .toBe("not-a-number");
    expect(code({ ...all, command: {}, tag: { arming: null, read: good(10) } }))
      .toBe("external-change");
    expect(code({ ...all, command: {}, tag: { arming: null } })).toBe("not-armed");
    expect(code({ ...all, command: {}, tag: {} })).toBe("audit-unavailable");
  });
  test("one command a tag: another one is busy, the same one goes on", () => {
    expect(code({ tag: { busy: "rest a-9" } })).toBe("busy");
    expect(code({ tag: { busy: "rest press.setpoint hold/3/17" } })).toBe("busy");
    expect(code({ tag: { busy: "rule:hold press.setpoint hold/3/17" } })).toBeNull();
  });
  test("too-soon and quota", () => {
    expect(code({ tag: { lastWriteAt: now - 999 } })).toBe("too-soon");
    expect(code({ tag: { lastWriteAt: now - 1000 } })).toBeNull();
    expect(code({ tag: { writesToday: 100, day: 20_000 } })).toBe("quota");
    expect(code({ tag: { writesToday: 99, day: 20_000 } })).toBeNull();
    expect(code({ tag: { writesToday: 100, day: 19_999 } })).toBeNull();
  });
  test("every input good, young, live", () => {
    const inputs = (over: object): Change =>
      ({ command: { inputs: { oldest: now - 50, state: 0, flags: 0, ...over } } });
    expect(code({ command: { inputs: null } })).toBe("input-missing");
    expect(code(inputs({ oldest: now - 501 }))).toBe("input-old");
    expect(code(inputs({ oldest: now - 500 }))).toBeNull();
    expect(code(inputs({ oldest: now + 1 }))).toBe("input-old");
    expect(code(inputs({ oldest: NaN }))).toBe("input-old");
    for (const bad of [1, 63, 64, 67, 192, 193, 195]) {
      expect(code(inputs({ state: bad }))).toBe("input-bad");
    }
    expect(code(inputs({ flags: 1 }))).toBe("input-backfill");
    expect(code(inputs({ flags: 2 }))).toBeNull();
  });
  test("type, unit, NaN", () => {
    for (const value of ["62", true, null, undefined, [62], 62n, { value: 62 }]) {
      expect(code({ command: { value } })).toBe("wrong-type");
    }
    for (const value of [NaN, Infinity, -Infinity]) {
      expect(code({ command: { value } })).toBe("not-a-number");
    }
    expect(rest({ command: { unit: "bar" } })).toBe("wrong-unit");
    expect(rest({ command: { unit: "°C" } })).toBeNull();
  });
});

describe("a bool", () => {
  const bool = facts({ type: "bool", scale: 1,
    encode: (value) => ({ bytes: Uint8Array.of(Number(value)), means: value }) });
  const of = (value: unknown, read = 0): string | null => code({ command: { value },
    policy: { min: 0, max: 1, maxStep: null, deadband: 1 },
    tag: { facts: bool, read: good(read), lastReadBack: read } });
  test("is written as what it is, or as 1 and 0; nothing between", () => {
    expect([of(true), of(1), of(false, 1), of(0, 1)]).toEqual([null, null, null, null]);
    expect([of(0.7), of(2), of("true")]).toEqual(["does-not-fit", "does-not-fit", "wrong-type"]);
    expect([of(true, 1), of(0)]).toEqual(["deadband", "deadband"]);
  });
  test("W15, W16: the other value is not the same within one LSB", () => {
    expect(withinOneLsb(bool, 0, 1)).toBe(false);
    expect(withinOneLsb(bool, 1, 1)).toBe(true);
    expect(code({ command: { value: true }, policy: { min: 0, max: 1, maxStep: null },
      tag: { facts: bool, read: good(1), lastReadBack: 0 } })).toBe("external-change");
  });
});

describe("a text", () => {
  const text = facts({ type: "text(8)", eu: null, scale: 1,
    encode: (value) => typeof value !== "string" || value.length > 8 ? "eight characters"
      : { bytes: Buffer.from(value), means: value } });
  const of = (value: unknown, more: Change = {}): string | null => code({ command: { value },
    ...more, policy: { texts: { values: ["R-1", "R-2"] }, maxStep: null, deadband: 0, min: NaN,
      max: NaN, ...more.policy },
    tag: { facts: text, read: { ...good(0), value: "R-9" }, lastReadBack: "R-9", ...more.tag } });
  test("is written if the policy names it, and nothing that only looks like it", () => {
    expect([of("R-1"), of("R-2")]).toEqual([null, null]);
    for (const other of ["r-1", "R-1 ", "", "R-10", "R-1\n"]) {
      expect(of(other)).toBe("text-not-allowed");
    }
    expect([of(1), of(true), of(null)]).toEqual(["wrong-type", "wrong-type", "wrong-type"]);
    expect(of("a text of many letters")).toBe("does-not-fit");
  });
  test("or if its pattern matches it as a whole, in bounded time", () => {
    const policy = { texts: { pattern: "(R|r)+-[0-9]{1,3}" } };
    expect(of("Rr-007", { policy })).toBeNull();
    for (const other of ["R-", "xR-1", "R-1x", "R-1\n", "R-1234"]) {
      expect(of(other, { policy })).toBe("text-not-allowed");
    }
    const slow = { texts: { pattern: "(a|a|aa)*" } };
    expect(of("aaaaaaa!", { policy: slow })).toBe("text-not-allowed");
  });
  test("a policy of numbers lets no text through, and one of texts no number", () => {
    expect(of("R-1", { policy: { texts: null } })).toBe("text-not-allowed");
    expect(code({ command: { value: 62 }, policy: { texts: { values: ["62"] } } }))
      .toBe("out-of-range");
  });
  test("W9, W16 is never written into what could not be read, nor over somebody else's", () => {
    const read = { value: NaN, state: 67, at: now };
    expect(rest({ command: { value: "R-1" }, tag: { facts: text, read },
      policy: { texts: { values: ["R-1"] }, maxStep: null, deadband: 0 } })).toBe("unread");
    expect(of("R-1", { tag: { lastReadBack: "R-8" } })).toBe("external-change");
    expect(of("R-1", { tag: { lastReadBack: null, lastCommand: "R-9" } })).toBeNull();
  });
  test("W15 is read back as itself or it is unknown", () => {
    const of = (value: string) => readBackOutcome(text, "R-1", { value, state: 0, at: now });
    expect(of("R-1")).toMatchObject({ outcome: "verified", readBack: "R-1" });
    expect(of("R-10")).toMatchObject({ outcome: "unknown", code: "read-back-differs" });
  });
});

describe("W9 limits", () => {
  test("W9 limits are tested on what the raw words mean, not on the value asked for", () => {
    const near = (read: number): Change["tag"] => ({ read: good(read), lastReadBack: read });
    // 80.04 rounds to the raw 800, which means 80.0; 80.05 to 801.
    expect(code({ command: { value: 80.04 }, tag: near(78) })).toBeNull();
    expect(code({ command: { value: 80.06 }, tag: near(78) })).toBe("out-of-range");
    expect(code({ command: { value: 19.96 }, tag: near(22) })).toBeNull();
    const coarse = facts({ scale: 7, encode: (v) => ({
      bytes: new Uint8Array(2), means: Math.round(Number(v) / 7) * 7 }) });
    expect(code({ command: { value: 79.9 }, policy: { maxStep: null },
      tag: { facts: coarse, read: good(63), lastReadBack: 63 } })).toBeNull();
    expect(code({ command: { value: 79.9 }, policy: { maxStep: null, max: 76 },
      tag: { facts: coarse, read: good(63), lastReadBack: 63 } })).toBe("out-of-range");
    expect(code({ command: { value: 75.9 }, policy: { maxStep: null, max: 76 },
      tag: { facts: coarse, read: good(63), lastReadBack: 63 } })).toBe("out-of-range");
  });
  test("W9 a decimal limit is met by what it means in decimal", () => {
    // 801 × 0.1 = 80.10000000000001
    expect(code({ command: { value: 80.1 }, policy: { max: 80.1 },
      tag: { read: good(78), lastReadBack: 78 } })).toBeNull();
  });
  test("W9 what the words cannot hold", () => {
    expect(code({ command: { value: 99_999 } })).toBe("does-not-fit");
    expect(code({ command: { value: 62 }, tag: { facts: facts({
      encode: () => ({ bytes: new Uint8Array(2), means: NaN }) }) } })).toBe("out-of-range");
  });
  test("W9 clamp only if the policy says so, onto raw words that are inside", () => {
    const clamping = { ...policy, outside: "clamp" as const, maxStep: null };
    const tag = armedTag({ read: good(60) });
    for (const [asked, means] of [[1000, 80], [99_999, 80], [-5, 20], [62, 62]] as const) {
      const verdict = admitted(ruleAsk({ value: asked }), tag, clamping);
      expect(verdict.means).toBeCloseTo(means, 9);
      expect(verdict.clamped).toBe(asked !== means);
    }
    // No multiple of 0.3 is 80: 267 × 0.3 = 80.1 is outside, 266 × 0.3 = 79.8 is taken.
    const thirds = armedTag({ read: good(60), facts: facts({ scale: 0.3, encode: (v) => ({
      bytes: new Uint8Array(2), means: Math.round(Number(v) / 0.3) * 0.3 }) }) });
    expect(admitted(ruleAsk({ value: 500 }), thirds, clamping).means).toBeCloseTo(79.8, 9);
    expect(code({ command: { value: NaN }, policy: clamping })).toBe("not-a-number");
  });
  test("W9 the step counts from the read made for this command", () => {
    expect(code({ command: { value: 65 } })).toBeNull();
    expect(code({ command: { value: 65.1 } })).toBe("step-too-large");
    expect(code({ command: { value: 54.9 } })).toBe("step-too-large");
    // Half a count more than the step must not slip through by any tolerance.
    expect(code({ command: { value: 60.6 }, policy: { maxStep: 0.55 } })).toBe("step-too-large");
    expect(code({ command: { value: 60.4 } })).toBe("deadband");
    expect(code({ command: { value: 60.5 } })).toBeNull();
    expect(code({ command: { value: 60 }, policy: { deadband: 0 } })).toBeNull();
  });
  test("W9 without a read yet, everything else is said already", () => {
    expect(code({ tag: { read: null } })).toBeNull();
    expect(code({ tag: { read: null, arming: null } })).toBe("not-armed");
    expect(code({ tag: { read: null, linkUp: false } })).toBe("link-down");
  });
  test("W9 a tag that cannot be read is never written by a rule", () => {
    const unread = { read: { value: 60, state: 67, at: now } };
    expect(code({ tag: unread })).toBe("unread");
    expect(code({ tag: unread, policy: { maxStep: null } })).toBe("unread");
    expect(rest({ tag: unread })).toBe("unread");
    expect(rest({ tag: unread, policy: { maxStep: null } })).toBeNull();
    expect(code({ tag: { read: good(NaN) } })).toBe("unread");
  });
  test("W9 a read that is neither the last read-back nor our command refuses everybody", () => {
    expect(code({ tag: { read: good(61) } })).toBe("external-change");
    expect(rest({ tag: { read: good(61) } })).toBe("external-change");
    expect(code({ tag: { read: good(61), lastCommand: 61 } })).toBeNull();
    expect(code({ tag: { read: good(61.1), lastCommand: 61 } })).toBeNull();
    expect(code({ tag: { read: good(60.1) } })).toBe("external-change");
  });
});

test("W10 no audit, no writing; onLoss was committed at arming", () => {
  expect(code({ box: { auditTrouble: "disk full" } })).toBe("audit-unavailable");
  expect(code({ box: { auditTrouble: "disk full" }, tag: { read: good(42), lastReadBack: 42 } },
    loss())).toBeNull();
});

describe("W11 last look", () => {
  type Look = Change & { later?: number; answer_ms?: number };
  const look = (change: Look, ask = ruleAsk()): Code | null => {
    const verdict = admitted(ask);
    const p = { ...policy, ...change.policy };
    const seen = lastLook({ ...ask, ...change.command }, verdict, p,
      state(armedTag({ read: good(60), ...change.tag }), change.box), now + (change.later ?? 0),
      change.answer_ms);
    return seen && seen.code;
  };
  test("nothing changed", () => {
    expect(look({})).toBeNull();
    expect(look({ later: 400 })).toBeNull();
  });
  test("latch, arming number, deadline, inputs, permit: all now", () => {
    expect(look({ box: { latched: "anna" } })).toBe("latched");
    expect(look({ tag: { arming: null } })).toBe("not-armed");
    expect(look({ tag: { arming: arming({ number: 8 }) } })).toBe("arming-changed");
    expect(look({ tag: { hash: "moved" } })).toBe("not-armed");
    expect(look({ later: 451 })).toBe("input-old");
    expect(look({ command: { inputs: { oldest: now, state: 67, flags: 0 } } })).toBe("input-bad");
    expect(look({ later: 2001 }, restAsk())).toBe("expired");
    const cell = { condition: "press.door_closed", value: false, state: 0, at: now,
      overridden: false };
    expect(look({ tag: { permits: [cell] } })).toBe("permit-false");
    expect(look({ later: 58_001 }, restAsk({ notAfter: now + 59_000 }))).toBe("permit-old");
  });
  test("W14: nothing is begun whose answer cannot come by the deadline, but a loss is", () => {
    expect(look({ later: 400, answer_ms: 50 })).toBeNull();
    expect(look({ later: 401, answer_ms: 50 })).toBe("no-time");
    // The permit must be young when the frame leaves, not when the answer comes.
    expect(look({ answer_ms: policy.maxAge + 500 }, restAsk())).toBeNull();
    expect(look({ answer_ms: 2001 }, restAsk())).toBe("no-time");
    const [tag, command] = [armedTag({ read: good(42), lastReadBack: 42 }), loss()];
    const intent = admitted(command, tag);
    expect(lastLook(command, intent, policy, state(tag), now + 1499, 50)).toBeNull();
  });
  test("whoever sends compares latch, arming number and one time", () => {
    const verdict = admitted(ruleAsk());
    expect(verdict.notAfter).toBe(now + 450);
    expect(mayLeave(verdict, false, 7, now + 450)).toBe(true);
    expect(mayLeave(verdict, false, 7, now + 450.1)).toBe(false);
    expect(mayLeave(verdict, true, 7, now)).toBe(false);
    expect(mayLeave(verdict, false, 8, now)).toBe(false);
    expect(mayLeave({ arming: 7, notAfter: NaN }, false, 7, now)).toBe(false);
    expect(admitted(restAsk()).notAfter).toBe(now + 2000);
    expect(admitted(restAsk({ notAfter: now + 59_000 })).notAfter).toBe(now + 58_000);
  });
});

describe("W12 permit", () => {
  const cell = (over: object): Change =>
    ({ tag: { permits: [
      { condition: "press.door_closed", value: true, state: 0, at: now, overridden: false,
        ...over }] } });
  test("NULL, bad, old and FALSE refuse", () => {
    expect(code(cell({}))).toBeNull();
    expect(code(cell({ value: false }))).toBe("permit-false");
    expect(code(cell({ state: 192 }))).toBe("permit-unknown");
    expect(code(cell({ state: 1 }))).toBe("permit-unknown");
    expect(code(cell({ state: 67 }))).toBe("permit-unknown");
    expect(code(cell({ at: now - 1001 }))).toBe("permit-old");
    expect(code(cell({ at: NaN }))).toBe("permit-old");
    expect(code(cell({ at: now + 1 }))).toBe("permit-old");
    expect(code(cell({ value: 1 }))).toBe("permit-false");
    expect(rest(cell({ value: false }))).toBe("permit-false");
  });
  test("a condition without its cell refuses", () => {
    expect(code({ tag: { permits: [] } })).toBe("permit-unknown");
    expect(code(cell({ condition: "another" }))).toBe("permit-unknown");
  });
});

test("W15 unknown blocks rules, not people", () => {
  const pending = { means: 62, before: 60, since: now };
  expect(code({ tag: { pending } })).toBe("unknown-pending");
  expect(rest({ tag: { pending } })).toBeNull();
});

test("W16 after a change from outside rules yield, people do not", () => {
  expect(code({ tag: { yielded: "a change" } })).toBe("yielded");
  expect(rest({ tag: { yielded: "a change" } })).toBeNull();
  expect(code({ tag: { yielded: "a change" } }, loss())).toBe("yielded");
});

describe("W17 commands from outside", () => {
  test("id, deadline, retained, repeated, late", () => {
    expect(rest({ command: { id: "" } })).toBe("id-missing");
    expect(rest({ command: { notAfter: Infinity } })).toBe("deadline-missing");
    expect(rest({ command: { notAfter: NaN } })).toBe("deadline-missing");
    expect(rest({ command: { notAfter: now + 60_001 } })).toBe("deadline-too-far");
    expect(rest({ command: { notAfter: now - 1 } })).toBe("expired");
    expect(rest({ command: { retained: true } })).toBe("retained");
    expect(rest({ command: { seen: true } })).toBe("duplicate");
  });
  test("without clock sync a time of day is no deadline, a duration is", () => {
    const box = { clockTrusted: false };
    expect(rest({ command: { byWallClock: true }, box })).toBe("clock-unsynced");
    expect(rest({ command: { byWallClock: true } })).toBeNull();
    expect(rest({ box })).toBeNull();
  });
});

describe("W18 a rule's command", () => {
  const rows = (epoch: number, sequence: number): Change =>
    ({ tag: { rows: new Map([["rule:hold", { epoch, sequence }]]) } });
  test("each row once, in order, over the wrap of the sequence", () => {
    expect(code(rows(3, 16))).toBeNull();
    expect(code(rows(3, 17))).toBe("duplicate");
    expect(code(rows(3, 18))).toBe("duplicate");
    expect(code(rows(4, 0))).toBe("duplicate");
    expect(code(rows(2, 99))).toBeNull();
    const first = { command: { row: { epoch: 3, sequence: -2147483648 } } };
    expect(code({ ...first, ...rows(3, 2147483647) })).toBeNull();
    expect(code({ command: { row: null } })).toBe("id-missing");
  });
  test("replayed rows and what is computed from them are refused", () => {
    const inputs = { oldest: now - 50, state: 0, flags: 4 };
    expect(code({ command: { inputs } })).toBe("input-replayed");
  });
  test("a row that nobody vouches for is refused, whatever its cells say (W8)", () => {
    expect(code({ command: { inputs: { oldest: now - 50, state: 0, flags: 16 } } }))
      .toBe("input-doubtful");
  });
  test("the id is (rule, epoch, row sequence)", () => {
    const command = ruleCommand("hold", "press.setpoint", 62,
      { oldest: now, state: 0, flags: 0 }, { epoch: 3, sequence: -1 }, now);
    expect(command.id).toBe("hold/3/4294967295");
    expect(decide(command, policy, state(), now).admit).toBe(true);
  });
});

function loss(value = 40): Command {
  return onLossCommand("press.setpoint", value, 7, now, now + 1500);
}

describe("W20 onLoss", () => {
  const at = (read: number): Partial<TagState> => ({ read: good(read), lastReadBack: read });
  test("is an origin of its own, for its own value only", () => {
    expect(isOnLoss(loss().origin)).toBe(true);
    expect(code({ tag: at(42) }, loss())).toBeNull();
    expect(code({ tag: at(42) }, loss(41))).toBe("not-allowed");
    expect(code({ tag: at(42), policy: { onLoss: null } }, loss())).toBe("not-allowed");
    expect(code({ tag: at(42) }, { ...loss(), origin: "onLoss:press.other" })).toBe("not-allowed");
  });
  test("skips inputs, interval, deadband, quota and the block of unknown", () => {
    expect(code({ tag: { ...at(40), lastWriteAt: now - 1, writesToday: 100, day: 20_000,
      pending: { means: 1, before: 2, since: 0 } } }, loss())).toBeNull();
  });
  test("max step only with any; all other tests hold", () => {
    expect(code({ tag: at(60) }, loss())).toBe("step-too-large");
    const any = { onLoss: { after: 1, value: 40, step: "any" as const } };
    expect(code({ tag: at(60), policy: any }, loss())).toBeNull();
    expect(code({ tag: at(42), policy: { ...any, min: 41 } }, loss())).toBe("out-of-range");
    expect(code({ tag: { ...at(42), arming: null } }, loss())).toBe("not-armed");
    expect(code({ tag: at(42), box: { latched: "anna" } }, loss())).toBe("latched");
    expect(code({ tag: { read: { value: 0, state: 67, at: now } }, policy: any }, loss()))
      .toBe("unread");
    expect(code({ tag: { ...at(60), read: good(50) }, policy: any }, loss()))
      .toBe("external-change");
  });
  test("a permit that is good and FALSE refuses it, one that is merely not good does not", () => {
    const permits = (over: object): Partial<TagState> => ({ ...at(42), permits: [
      { condition: "press.door_closed", value: false, state: 0, at: now, overridden: false,
        ...over }] });
    expect(code({ tag: permits({}) }, loss())).toBe("permit-false");
    expect(code({ tag: permits({ state: 67 }) }, loss())).toBeNull();
    expect(code({ tag: permits({ at: now - 5000 }) }, loss())).toBeNull();
    expect(code({ tag: { ...at(42), permits: [] } }, loss())).toBeNull();
  });
  test("a permit whose tag a person forced or disabled refuses it (W12)", () => {
    for (const value of [true, false]) {
      for (const state of [0, 6, 78, 192]) {
        const cell = { condition: "press.door_closed", value, state, at: now,
          overridden: true };
        expect(code({ tag: { ...at(42), permits: [cell] } }, loss()))
          .toBe("permit-unknown");
        expect(code({ tag: { permits: [cell] } })).toBe("permit-unknown");
      }
    }
  });
  test("has until the hard end of the arming", () => {
    const ending = { ...at(42), arming: arming({ rulesUntil: now - 1, until: now + 1999 }) };
    expect(code({ tag: ending }, loss())).toBeNull();
    expect(code({ tag: { ...at(42), arming: arming({ until: now }) } }, loss())).toBe("not-armed");
  });
});

test("every sentence is filled in", () => {
  expect(sentenceOf("step-too-large", { read: 60, means: 70.10000000000001, maxStep: 5 }))
    .toBe("From 60 to 70.1 is more than the largest step 5.");
});

test("W16: 0 read twice is no change from outside, whatever the type", () => {
  for (const type of ["int16", "float32", "float64"] as const) {
    const tag = facts({ type, scale: 1, offset: 0 });
    expect([type, sameRaw(tag, 0, 0), sameRaw(tag, 0, 1)]).toEqual([type, true, false]);
  }
});
