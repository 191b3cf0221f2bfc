import { describe, expect, test } from "bun:test";
import {
  armingEnds, disarm, LossWatch, pathHash, tryArm, whyUnsupported, type ArmAsk,
  type DisarmSteps,
} from "../../src/gate.ts";
import { armedTag, arming, box, facts, good, hash, now, path, policy } from "./fixture.ts";

const ask = (over: Partial<ArmAsk> = {}): ArmAsk => ({
  for_ms: 600_000, by: "anna", proof: hash, stored: hash, number: 9, minutes_max: 60,
  read: good(60), only: null, ...over,
});
const tag = (over = {}) => armedTag({ arming: null, ...over });

describe("W1 W2 W3 arming", () => {
  test("is what was asked, with its number and hash", () => {
    expect(tryArm(ask(), { ...policy, onLoss: null }, box(), tag(), now)).toEqual({
      number: 9, from: now, until: now + 600_000, rulesUntil: now + 600_000, by: "anna", hash,
      only: null });
  });
  test("W19 with a value for onLoss, rules stop a little earlier", () => {
    expect(tryArm(ask(), policy, box(), tag(), now)).toMatchObject({ rulesUntil: now + 598_000 });
    expect(tryArm(ask({ for_ms: 1000 }), policy, box(), tag(), now))
      .toMatchObject({ rulesUntil: now + 900 });
    const hold = { ...policy, onLoss: { after: 1, value: "hold" as const, step: "any" as const } };
    expect(tryArm(ask(), hold, box(), tag(), now)).toMatchObject({ rulesUntil: now + 600_000 });
  });
  test("is refused with the reason", () => {
    const codes = [
      tryArm(ask({ for_ms: 0 }), policy, box(), tag(), now),
      tryArm(ask({ for_ms: NaN }), policy, box(), tag(), now),
      tryArm(ask({ by: "" }), policy, box(), tag(), now),
      tryArm(ask({ for_ms: 3_600_001 }), policy, box(), tag(), now),
      tryArm(ask(), null, box(), tag(), now),
      tryArm(ask(), policy, box(), tag({ facts: facts({ writable: false }) }), now),
      tryArm(ask(), policy, box(), tag({ facts: facts({ unsupported: "a coil" }) }), now),
      tryArm(ask(), policy, box({ safeMode: true }), tag(), now),
      tryArm(ask(), policy, box({ configRejected: true }), tag(), now),
      tryArm(ask(), policy, box({ latched: "anna" }), tag(), now),
      tryArm(ask(), { ...policy, maxMode: "off" }, box(), tag(), now),
      tryArm(ask(), { ...policy, maxMode: "shadow" }, box(), tag(), now),
      tryArm(ask(), policy, box({ auditTrouble: "full" }), tag(), now),
      tryArm(ask(), policy, box(), tag({ busy: "rest a" }), now),
      tryArm(ask(), policy, box(), tag({ linkUp: false }), now),
      tryArm(ask({ read: { value: 0, state: 67, at: now } }), policy, box(), tag(), now),
    ].map((answer) => ("code" in answer ? answer.code : "armed"));
    expect(codes).toEqual(["arm-invalid", "arm-invalid", "arm-invalid", "arm-too-long",
      "no-policy", "not-writable", "not-supported", "safe-mode", "config-rejected", "latched",
      "mode-off", "shadow", "audit-unavailable", "busy", "link-down", "unread"]);
  });
  test("W2 needs the proof of just this path", () => {
    for (const key of Object.keys(path) as (keyof typeof path)[]) {
      const other = pathHash({ ...path, [key]: key === "wordOrder" ? "CDAB" : 2 });
      expect(other).not.toBe(hash);
      expect(tryArm(ask(), policy, box(), tag({ hash: other }), now))
        .toMatchObject({ code: "no-proof" });
    }
    expect(tryArm(ask({ stored: null }), policy, box(), tag(), now))
      .toMatchObject({ code: "no-proof" });
    expect(tryArm(ask({ proof: "old" }), policy, box(), tag(), now))
      .toMatchObject({ code: "no-proof" });
    // Fields cannot run into another: station 1 at 2 is not station 12.
    expect(pathHash({ ...path, station: 1, at: "2" }))
      .not.toBe(pathHash({ ...path, station: 12, at: "" }));
  });
  test("W2 for a proof by writing only a tag that nobody armed, and no lead for a loss", () => {
    const proof = ask({ only: "prove press.setpoint p-1", for_ms: 5000 });
    expect(tryArm(proof, policy, box(), tag(), now)).toMatchObject({
      only: "prove press.setpoint p-1", until: now + 5000, rulesUntil: now + 5000 });
    expect(tryArm(proof, policy, box(), armedTag(), now))
      .toMatchObject({ code: "armed-otherwise", values: { by: "anna" } });
    expect(tryArm(ask(), policy, box(), armedTag(), now)).toMatchObject({ number: 9 });
  });
  test("W3 ends by time, latch and another address", () => {
    expect(armingEnds(armedTag(), box(), now)).toBeNull();
    expect(armingEnds(armedTag(), box(), now + 60_000)).toBe("its time is over");
    expect(armingEnds(armedTag(), box({ latched: "anna" }), now)).toBe("disarmed by anna");
    expect(armingEnds(armedTag({ hash: "other" }), box(), now))
      .toBe("the device's address changed");
    // A link that is merely down for a moment has no other address.
    expect(armingEnds(armedTag({ hash: null }), box(), now)).toBeNull();
    const ended = armedTag();
    expect(ended.disarm("worker restarted")).toBe(true);
    expect(ended.disarm("again")).toBe(false);
    expect([ended.arming, ended.unarmedWhy]).toEqual([null, "worker restarted"]);
  });
  test("what is not written in this version", () => {
    expect((["int16", "float64", "bool", "text(8)"] as const).map(whyUnsupported))
      .toEqual([null, null, null, null]);
    expect(whyUnsupported("bytes(8)")).toContain("bytes(8)");
  });
});

describe("W19 onLoss", () => {
  const armed = () => armedTag({ arming: arming({ from: now, until: now + 600_000,
    rulesUntil: now + 598_000 }) });
  test("fires after silence; deadband and interval are no silence, other refusals are", () => {
    const watch = new LossWatch(), t = armed();
    expect(watch.due(policy, t, false, now + 29_999)).toBeNull();
    expect(watch.due(policy, t, false, now + 30_000)).toEqual({ why: "silence", value: 40 });
    watch.refused("deadband", now + 20_000);
    expect(watch.due(policy, t, false, now + 49_999)).toBeNull();
    watch.refused("too-soon", now + 40_000);
    expect(watch.next(policy, t)).toBe(now + 70_000);
    watch.refused("input-old", now + 60_000);
    watch.refused("permit-false", now + 60_000);
    expect(watch.due(policy, t, false, now + 70_000)?.why).toBe("silence");
    watch.alive(now + 70_000);
    expect(watch.due(policy, t, false, now + 70_001)).toBeNull();
  });
  test("fires when the arming ends by time, and at an orderly stop", () => {
    const watch = new LossWatch(), t = armed();
    watch.alive(now + 597_999);
    expect(watch.due(policy, t, false, now + 598_000)).toEqual({ why: "arming-ends", value: 40 });
    expect(watch.due(policy, t, true, now + 1)).toEqual({ why: "stopping", value: 40 });
  });
  test("never fires under the arming of a proof", () => {
    const watch = new LossWatch(), t = armedTag({ arming: arming({ only: "prove t p-1" }) });
    expect(watch.due(policy, t, true, now + 1e9)).toBeNull();
    expect(watch.next(policy, t)).toBe(Infinity);
  });
  test("fires once an arming, and counts anew from the next", () => {
    const watch = new LossWatch(), t = armed();
    watch.done(t.arming!);
    expect(watch.due(policy, t, true, now + 40_000)).toBeNull();
    expect(watch.next(policy, t)).toBe(Infinity);
    t.arming = arming({ number: 8, from: now + 50_000, until: now + 90_000,
      rulesUntil: now + 88_000 });
    expect(watch.due(policy, t, false, now + 79_999)).toBeNull();
    expect(watch.due(policy, t, false, now + 80_000)?.why).toBe("silence");
  });
  test("hold writes nothing; W20 after a change from outside neither", () => {
    const watch = new LossWatch(), t = armed();
    const hold = { ...policy, onLoss: { after: 1, value: "hold" as const, step: "any" as const } };
    expect(watch.due(hold, t, false, now + 1)).toEqual({ why: "silence", value: null });
    t.yielded = "a manual write by anna";
    expect(watch.due(policy, t, false, now + 30_000)).toEqual({ why: "silence", value: null });
  });
  test("unarmed, or without a policy for it, there is no loss", () => {
    const watch = new LossWatch();
    expect(watch.due(policy, armedTag({ arming: null }), true, now)).toBeNull();
    expect(watch.due({ ...policy, onLoss: null }, armed(), true, now + 1e9)).toBeNull();
  });
});

describe("W4 disarm", () => {
  function steps(over: Partial<DisarmSteps> = {}): [DisarmSteps, string[]] {
    const did: string[] = [];
    return [{
      raise: () => void did.push("raise"),
      ask: async () => {
        did.push("ask");
        return null;
      },
      wait: () => new Promise(() => {}),
      kill: () => (did.push("kill"), 4711), ...over,
    }, did];
  }
  test("file first, then the runtime", async () => {
    const [world, did] = steps();
    expect((await disarm(world)).how).toBe("quiet");
    expect(did).toEqual(["raise", "ask"]);
  });
  test("no answer in time: the runtime is killed, and that is said", async () => {
    const [world, did] = steps({
      ask: () => new Promise(() => {}), wait: async (ms) => void did.push(`wait ${ms}`),
    });
    const answer = await disarm(world);
    expect(answer.how).toBe("killed");
    expect(answer.text).toContain("4711");
    expect(did).toEqual(["raise", "wait 2000", "kill"]);
  });
  test("nobody runs: the latch is enough", async () => {
    const [world] = steps({ ask: () => Promise.reject(new Error("no socket")), kill: () => null });
    expect((await disarm(world)).how).toBe("absent");
  });
  test("a latch file that cannot be written is told, and does not stop the rest", async () => {
    const raise = (): never => { throw new Error("disk full"); };
    const trouble = "The latch file could not be written (disk full).";
    const [world, did] = steps({ raise, ask: async () => {
      did.push("ask");
      return trouble;
    } });
    expect(await disarm(world)).toEqual(
      { how: "quiet", text: `Disarmed; nothing can leave. ${trouble}` });
    expect(did).toEqual(["ask"]);
    // The runtime may write where we may not: then the latch lasts.
    expect((await disarm(steps({ raise })[0])).text).toBe("Disarmed; nothing can leave.");
    const ask = (): Promise<never> => Promise.reject(new Error("no socket"));
    expect((await disarm(steps({ raise, ask })[0])).text).toMatch(/4711 was killed.*disk full/);
    expect(await disarm(steps({ raise, ask, kill: () => null })[0])).toMatchObject(
      { how: "failed", text: expect.stringMatching(/^NOT disarmed: .*disk full/) });
  });
  test("whoever may not end the runtime is told that it is not disarmed", async () => {
    const [world] = steps({ ask: () => Promise.reject(new Error("no socket")),
      kill: () => { throw new Error("EPERM"); } });
    expect(await disarm(world)).toEqual(
      { how: "failed", text: "NOT disarmed: no socket; EPERM" });
  });
});
