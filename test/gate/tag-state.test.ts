import { describe, expect, test } from "bun:test";
import {
  decide, lastLook, readBackOutcome, wireOutcome, refusedOutcome, TagState, type Admitted,
  type Command, type Outcome, type ReadResult,
} from "../../src/gate.ts";
import { armedTag, arming, facts, good, now, policy, restAsk, ruleAsk, state } from "./fixture.ts";

/** Takes a command through the machine as the runtime does, up to the given outcome. */
function write(tag: TagState, command: Command, before: ReadResult, outcome: Outcome, at = now) {
  tag.begin(command);
  tag.wasRead(before);
  const verdict = decide(command, policy, state(tag), at) as Admitted;
  expect(verdict.admit).toBe(true);
  tag.intend(verdict, 20_000);
  tag.leave(at);
  tag.finish(outcome, at + 10);
}

const verified = (readBack: number): Outcome =>
  ({ outcome: "verified", code: null, exception: 0, readBack });
const unknown = wireOutcome(true, false, 0, false);

test("an arming's read from before our last write does not make that write a foreign one", () => {
  const tag = armedTag();
  write(tag, ruleAsk(), good(60), verified(62));
  tag.arm(arming({ number: 8 }), good(60, now - 5));
  expect(tag.observe(good(62, now + 200))).toBe("nothing");
  expect(tag.yielded).toBeNull();
  tag.arm(arming({ number: 9 }), good(55, now + 300));
  expect(tag.observe(good(62, now + 400))).toBe("external-change");
});

describe("W8 one command a tag", () => {
  test("from begin to finish", () => {
    const tag = armedTag();
    tag.begin(ruleAsk());
    expect(decide(restAsk(), policy, state(tag), now)).toMatchObject({ code: "busy" });
    expect(() => tag.begin(restAsk())).toThrow("two commands at once");
    tag.finish(refusedOutcome("deadband"), now);
    expect(tag.busy).toBeNull();
    expect(decide(restAsk(), policy, state(tag), now).admit).toBe(true);
  });
  test("each command is taken once (W18), also when it was refused after the read", () => {
    const tag = armedTag();
    tag.begin(ruleAsk());
    tag.finish(refusedOutcome("deadband"), now);
    expect(decide(ruleAsk(), policy, state(tag), now)).toMatchObject({ code: "duplicate" });
  });
  test("a frame needs an intent, an outcome a command", () => {
    const tag = armedTag();
    expect(() => tag.leave(now)).toThrow("a frame without an intent");
    expect(() => tag.finish(unknown, now)).toThrow("an outcome for no command");
    tag.begin(ruleAsk());
    expect(() => tag.leave(now)).toThrow("a frame without an intent");
  });
  test("a second frame of one command is a bug (W14)", () => {
    const tag = armedTag();
    tag.begin(ruleAsk());
    tag.wasRead(good(60));
    tag.intend(decide(ruleAsk(), policy, state(tag), now) as Admitted, 20_000);
    tag.leave(now);
    expect(() => tag.leave(now)).toThrow("a frame without an intent");
  });
  test("intents are counted by day, frames set the interval", () => {
    const tag = armedTag();
    write(tag, ruleAsk(), good(60), verified(62));
    expect([tag.writesToday, tag.day, tag.lastWriteAt]).toEqual([1, 20_000, now]);
    const next = ruleAsk({ row: { epoch: 3, sequence: 18 } });
    tag.begin(next);
    tag.wasRead(good(62));
    tag.intend(decide({ ...next, value: 64 }, { ...policy, minInterval: 0 }, state(tag), now) as
      Admitted, 20_001);
    expect([tag.writesToday, tag.day]).toEqual([1, 20_001]);
  });
});

describe("W15 outcome", () => {
  test("what the wire said", () => {
    expect(wireOutcome(false, false, 0, false))
      .toMatchObject({ outcome: "refused", code: "not-sent" });
    expect(wireOutcome(true, true, 0, false)).toMatchObject({ outcome: "acknowledged" });
    expect(wireOutcome(true, false, 0, false)).toMatchObject({ outcome: "unknown" });
    expect(wireOutcome(true, false, 2, true)).toMatchObject(
      { outcome: "rejected", code: "exception", exception: 2 });
    expect(wireOutcome(true, false, 4, false)).toMatchObject(
      { outcome: "unknown", code: "exception", exception: 4 });
  });
  test("the read-back: equal within one LSB, different, or none", () => {
    expect(readBackOutcome(facts(), 62, good(62.1)).outcome).toBe("verified");
    expect(readBackOutcome(facts(), 62, good(62.2))).toMatchObject(
      { outcome: "unknown", code: "read-back-differs", readBack: 62.2 });
    expect(readBackOutcome(facts(), 62, { value: 62, state: 67, at: now })).toMatchObject(
      { outcome: "unknown", code: "read-back-missing", readBack: null });
    const float = facts({ type: "float32", scale: 1 });
    const next = new Float32Array(Int32Array.of(new Int32Array(Float32Array.of(62).buffer)[0]! + 1)
      .buffer)[0]!;
    expect(readBackOutcome(float, 62, good(next)).outcome).toBe("verified");
    expect(readBackOutcome(float, 62, good(62 + 3 * (next - 62))).outcome).toBe("unknown");
  });
  test("unknown blocks rules until a good read at least one poll later", () => {
    const tag = armedTag();
    write(tag, ruleAsk(), good(60), unknown);
    const next = ruleAsk({ row: { epoch: 3, sequence: 18 } });
    expect(decide(next, policy, state(tag), now + 20)).toMatchObject({ code: "unknown-pending" });
    expect(tag.observe(good(62, now + 109))).toBe("nothing");
    expect(tag.observe({ value: 62, state: 67, at: now + 200 })).toBe("nothing");
    expect(tag.pending).not.toBeNull();
    expect(tag.observe(good(62, now + 110))).toBe("verified-late");
    expect(tag.pending).toBeNull();
    expect(tag.yielded).toBeNull();
  });
  test("equal to the value before is free, anything else is an external change", () => {
    const free = armedTag();
    write(free, ruleAsk(), good(60), unknown);
    expect(free.observe(good(60, now + 200))).toBe("not-written");
    expect([free.pending, free.yielded, free.lastReadBack]).toEqual([null, null, 60]);
    const changed = armedTag();
    write(changed, ruleAsk(), good(60), unknown);
    expect(changed.observe(good(71, now + 200))).toBe("external-change");
    expect(changed.pending).toBeNull();
    expect(changed.yielded).toContain("71");
  });
  test("after a restart: what the audit knows blocks until it is read", () => {
    const tag = new TagState(facts(), 100);
    tag.restore({ means: 62, before: 60 }, 12, 20_000, now);
    expect(tag.pending).not.toBeNull();
    expect(tag.writesToday).toBe(12);
    tag.arm(arming(), good(62, now + 5));
    expect(tag.pending).toBeNull();
    expect([tag.lastReadBack, tag.yielded]).toEqual([62, null]);
  });
  test("what the wire did not take has changed nothing", () => {
    const tag = armedTag();
    write(tag, restAsk(), good(60), wireOutcome(false, false, 0, false));
    expect([tag.lastReadBack, tag.lastCommand, tag.pending, tag.yielded])
      .toEqual([60, null, null, null]);
  });
  test("rejected leaves the value before", () => {
    const tag = armedTag();
    write(tag, ruleAsk(), good(60), wireOutcome(true, true, 2, true));
    expect([tag.lastReadBack, tag.lastCommand, tag.pending]).toEqual([60, null, null]);
    expect(tag.observe(good(60, now + 50))).toBe("nothing");
  });
});

describe("W16 external change", () => {
  test("a poll that shows another value makes rules yield until armed again", () => {
    const tag = armedTag();
    write(tag, ruleAsk(), good(60), verified(62));
    expect(tag.observe(good(62, now + 100))).toBe("nothing");
    expect(tag.observe(good(55, now + 200))).toBe("external-change");
    const next = ruleAsk({ row: { epoch: 3, sequence: 18 } });
    expect(decide(next, policy, state(tag), now + 1)).toMatchObject({ code: "yielded" });
    tag.arm(arming({ number: 8 }), good(55, now + 300));
    expect([tag.yielded, tag.lastReadBack, tag.lastCommand]).toEqual([null, 55, null]);
  });
  test("a poll that began before our write tells nothing", () => {
    const tag = armedTag();
    write(tag, ruleAsk(), good(60), verified(62));
    expect(tag.observe(good(60, now - 5))).toBe("nothing");
    expect(tag.observe(good(60, now + 5))).toBe("nothing");
    expect(tag.observe(good(60, now + 11))).toBe("external-change");
  });
  test("a read for the command that is not ours takes over its value", () => {
    const tag = armedTag();
    const command = restAsk();
    tag.begin(command);
    tag.wasRead(good(50));
    const verdict = decide(command, policy, state(tag), now);
    expect(verdict).toMatchObject({ code: "external-change" });
    tag.finish(refusedOutcome("external-change"), now);
    expect([tag.lastReadBack, tag.yielded === null]).toEqual([50, false]);
    // A person may look and send again.
    expect(decide(restAsk({ value: 52, id: "a-2" }), policy, state(tag), now).admit).toBe(true);
  });
  test("a poll after that read that tells another value is seen by the last look", () => {
    const tag = armedTag();
    const command = ruleAsk();
    tag.begin(command);
    tag.observe(good(50, now + 1));
    expect(tag.overtaken).toBeNull();
    tag.wasRead(good(60, now));
    const verdict = decide(command, policy, state(tag), now) as Admitted;
    tag.intend(verdict, 20_000);
    tag.observe(good(60, now + 1));
    expect(lastLook(command, verdict, policy, state(tag), now + 2)).toBeNull();
    tag.observe(good(10, now + 3));
    expect(lastLook(command, verdict, policy, state(tag), now + 4))
      .toMatchObject({ code: "external-change", values: { read: 10, left: 60 } });
    tag.finish(refusedOutcome("external-change"), now + 4);
    expect([tag.lastReadBack, tag.yielded]).toEqual([10, "a change from outside to 10"]);
    tag.begin(restAsk());
    expect(tag.overtaken).toBeNull();
  });
  test("a poll that began before our last write tells nothing of the next command's tag", () => {
    const tag = armedTag();
    write(tag, ruleAsk(), good(60), verified(62));
    tag.begin(ruleAsk({ id: "hold/3/18" }));
    tag.wasRead(good(62, now + 20));
    tag.observe(good(60, now - 5));
    expect(tag.overtaken).toBeNull();
  });
  test("an admitted manual write makes rules yield", () => {
    for (const outcome of [verified(62), unknown, wireOutcome(true, true, 2, true)]) {
      const tag = armedTag();
      write(tag, restAsk(), good(60), outcome);
      expect(tag.yielded).toBe("a manual write by panel");
    }
    const rule = armedTag();
    write(rule, ruleAsk(), good(60), verified(62));
    expect(rule.yielded).toBeNull();
  });
});
