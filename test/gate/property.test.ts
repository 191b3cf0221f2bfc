import { expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import type { TagPolicy } from "../../src/config.ts";
import {
  decide, keyOf, onLossCommand, type Box, type Code, type Command, type TagFacts, type TagState,
} from "../../src/gate.ts";
import { BAD } from "../../src/ring.ts";
import { armedTag, arming, facts, now, policy, restAsk, ruleAsk } from "./fixture.ts";

/**
 * W7, W8: the gate against a second reading of docs/writing-rules.md, as one table of faults,
 * in the order of the page. The first line that holds is the refusal; if none does, it is
 * admitted. It shares no function with `src/gate`; arithmetic is on whole counts of the int16.
 */
interface Case {
  c: Command;
  p: TagPolicy | null;
  t: TagState | null;
  b: Box;
}

const count = (value: unknown): number => Math.round((value as number) / 0.1);
const isText = ({ t }: Case): boolean => t?.facts.type === "text(4)";
const mayBe = ({ c, p }: Case): boolean => p!.texts !== null &&
  ("values" in p!.texts ? p!.texts.values.some((one) => one === c.value)
    : c.value === "A" || c.value === "AA");
const outside = ({ c }: Case): boolean => ["rest", "mqtt", "cli", "prove"].includes(c.origin);
const proof = ({ c }: Case): boolean => c.origin === "prove";
const rule = ({ c }: Case): boolean => c.origin === "rule:hold" || c.origin === "rule:other";
const loss = ({ c }: Case): boolean => c.origin.startsWith("onLoss");
const asked = ({ c, p }: Case): number => {
  const v = c.value as number;
  // The limits of the random policies are whole counts, so a clamp lands on them exactly.
  return p!.outside === "reject" || c.origin === "prove" ? count(v)
    : Math.min(count(p!.max), Math.max(count(p!.min), count(v)));
};
const cell = (s: Case) => s.t!.permits[0];
const wants = (s: Case): boolean => s.p!.permit.length > 0;

const table: readonly (readonly [Code, (s: Case) => boolean])[] = [
  ["not-authenticated", (s) => !s.c.authenticated],
  ["not-authorised", (s) => !s.c.authorised],
  ["retained", (s) => outside(s) && s.c.retained],
  ["id-missing", (s) => outside(s) && s.c.id.length === 0],
  ["deadline-missing", (s) => outside(s) && s.c.notAfter === Infinity],
  ["deadline-too-far", (s) => outside(s) && s.c.notAfter - s.c.receivedAt > s.b.deadline_ms_max],
  ["clock-unsynced", (s) => outside(s) && s.c.byWallClock && !s.b.clockTrusted],
  ["expired", (s) => s.c.notAfter < now],
  ["duplicate", (s) => s.c.seen],
  ["id-missing", (s) => rule(s) && s.c.row === null],
  ["duplicate", (s) => rule(s) && s.t !== null && s.t.rows.has(s.c.origin)
    && s.t.busy !== keyOf(s.c)
    && s.t.rows.get(s.c.origin)!.sequence >= s.c.row!.sequence],
  ["unknown-tag", (s) => s.t === null],
  ["no-policy", (s) => s.p === null],
  ["not-writable", (s) => !s.t!.facts.writable],
  ["not-supported", (s) => s.t!.facts.unsupported !== null],
  ["not-allowed", (s) => (loss(s) ? s.p!.onLoss === null || s.p!.onLoss.value !== s.c.value
    : s.p!.allow.every((origin) => origin !== s.c.origin))],
  ["broadcast", (s) => s.t!.facts.broadcast && (!outside(s) || proof(s)
    || s.p!.readBack === null || s.p!.maxStep !== null || s.p!.deadband > 0)],
  ["busy", (s) => s.t!.busy !== null && s.t!.busy !== keyOf(s.c)],
  ["yielded", (s) => !outside(s) && s.t!.yielded !== null],
  ["unknown-pending", (s) => (rule(s) || proof(s)) && s.t!.pending !== null],
  ["input-missing", (s) => rule(s) && s.c.inputs === null],
  ["input-old", (s) => rule(s) && now - s.c.inputs!.oldest > s.p!.inputMaxAge],
  ["input-bad", (s) => rule(s) && s.c.inputs!.state > 0],
  ["input-backfill", (s) => rule(s) && s.c.inputs!.flags % 2 === 1],
  ["input-replayed", (s) => rule(s) && Math.floor(s.c.inputs!.flags / 4) % 2 === 1],
  ["input-doubtful", (s) => rule(s) && s.c.inputs!.flags >= 16],
  ["wrong-type", (s) => typeof s.c.value !== (isText(s) ? "string" : "number")],
  ["wrong-unit", (s) => s.c.unit !== null && (isText(s) || s.c.unit !== "°C")],
  ["not-a-number", (s) => !isText(s)
    && (Math.abs(s.c.value as number) === Infinity || s.c.value !== s.c.value)],
  ["does-not-fit", (s) => isText(s) && (s.c.value as string).length > 4],
  ["does-not-fit", (s) => !isText(s) && (s.p!.outside === "reject" || proof(s) || !!s.p!.texts)
    && Math.abs(s.c.value as number) > 4000],
  ["text-not-allowed", (s) => isText(s) && !mayBe(s)],
  ["out-of-range", (s) => !isText(s) && s.p!.texts !== null],
  ["out-of-range", (s) => !isText(s)
    && (asked(s) < count(s.p!.min) || asked(s) > count(s.p!.max))],
  ["link-down", (s) => !s.t!.linkUp],
  ["unread", (s) => s.t!.read !== null && s.t!.read.state !== 0
    && !(outside(s) && !proof(s) && s.p!.maxStep === null && !isText(s))],
  ["external-change", (s) => readable(s) && isText(s) && s.t!.lastReadBack !== count0(s)
    && s.t!.lastCommand !== count0(s)],
  ["external-change", (s) => readable(s) && !isText(s) && s.t!.lastReadBack !== count0(s)
    && !(s.t!.lastCommand !== null
      && Math.abs(count(s.t!.lastCommand) - count(s.t!.read!.value)) <= 1)],
  ["step-too-large", (s) => readable(s) && !isText(s) && s.p!.maxStep !== null
    && !(loss(s) && s.p!.onLoss!.step === "any") && distance(s) > count(s.p!.maxStep)],
  ["not-present", (s) => readable(s) && proof(s)
    && (isText(s) ? s.c.value !== count0(s) : distance(s) > 0)],
  ["deadband", (s) => readable(s) && !isText(s) && !loss(s) && !proof(s)
    && distance(s) < count(s.p!.deadband)],
  ["too-soon", (s) => !loss(s) && now - s.t!.lastWriteAt < s.p!.minInterval],
  ["quota", (s) => !loss(s) && s.t!.day === s.b.day && s.t!.writesToday >= s.p!.writesPerDay],
  ["permit-unknown", (s) => wants(s) && cell(s)?.overridden === true],
  ["permit-unknown", (s) => wants(s) && !loss(s) && cell(s)?.state !== 0],
  ["permit-old", (s) => wants(s) && !loss(s) && now - cell(s)!.at > s.p!.maxAge],
  ["permit-false", (s) => wants(s) && cell(s)?.state === 0 && !cell(s)!.value
    && now - cell(s)!.at <= s.p!.maxAge],
  ["safe-mode", (s) => s.b.safeMode],
  ["config-rejected", (s) => s.b.configRejected],
  ["latched", (s) => s.b.latched !== null],
  ["mode-off", (s) => s.p!.maxMode === "off"],
  ["shadow", (s) => s.p!.maxMode === "shadow"],
  ["broadcast", (s) => s.t!.leftAlone !== null],
  ["not-armed", (s) => s.t!.arming === null || s.t!.arming.hash !== s.t!.hash
    || now >= (loss(s) ? s.t!.arming.until : s.t!.arming.rulesUntil)
    || (proof(s) ? s.t!.arming.only !== `prove press.setpoint ${s.c.id}`
      : s.t!.arming.only !== null)],
  ["audit-unavailable", (s) => !loss(s) && s.b.auditTrouble !== null],
];

const readable = (s: Case): boolean => s.t!.read !== null && s.t!.read.state === 0;
const count0 = (s: Case): unknown => s.t!.read!.value;
const distance = (s: Case): number => Math.abs(asked(s) - count(s.t!.read!.value));

function someCommand(r: Random, rare: (p?: number) => boolean): Command {
  const common = {
    value: rare() ? r.pick<unknown>(["62", null, true, NaN, Infinity, 9999, -9999, undefined])
      : Math.round(r.next() * 900) / 10,
    authenticated: !rare(), authorised: !rare(), seen: rare(),
    unit: rare() ? r.pick(["bar", "°C"]) : null,
  };
  const kind = r.below(10);
  if (kind < 5) {
    return ruleAsk({
      ...common, origin: rare() ? "rule:other" : "rule:hold",
      inputs: rare() ? null : {
        oldest: now - (rare() ? r.below(1000) : r.below(400)), state: rare() ? r.below(256) : 0,
        flags: rare() ? r.below(32) : 0,
      },
      row: rare() ? null : { epoch: 3, sequence: r.below(30) },
    });
  }
  if (kind < 9) {
    return restAsk({
      ...common, origin: r.pick(["rest", "mqtt", "cli", "prove"]), id: rare() ? "" : "a-1",
      notAfter: rare() ? r.pick([Infinity, now - 1, now + 60_001]) : now + r.below(60_000),
      byWallClock: r.chance(0.5), retained: rare(),
    });
  }
  return { ...onLossCommand("press.setpoint", rare() ? 41 : 40, 7, now, now + 100), seen: rare() };
}

/** Texts in the place of numbers: the command, what stands there, and what was left there. */
function asText(r: Random, rare: () => boolean, c: Command, t: TagState): [Command, TagState] {
  const text = (): string => r.pick(["A", "AA", "B-1", ...(rare() ? ["a", "", "AAAAA"] : [])]);
  const value = rare() ? c.value : text();
  const read = t.read && { ...t.read, value: c.origin === "prove" && !rare() ? value as string
    : text() };
  const tag = armedTag({ ...t, read,
    facts: { ...t.facts, type: "text(4)", eu: null, encode: (one) =>
      (typeof one !== "string" || one.length > 4 ? "four characters"
        : { bytes: Buffer.from(one), means: one }) },
    lastReadBack: rare() || read === null ? "B-1" : read.value,
    lastCommand: rare() ? text() : null });
  return [{ ...c, value }, tag];
}

function someTag(r: Random, rare: (p?: number) => boolean, c: Command): TagState {
  // A proof is of what stands there.
  const there = c.origin === "prove" && typeof c.value === "number" && Math.abs(c.value) < 3000
    && !rare() ? c.value : r.next() * 90;
  const read = rare() ? null : { value: 0.1 * count(Math.round(there * 10) / 10),
    state: rare() ? 67 : 0, at: now };
  const unusual: Partial<TagFacts> = { writable: !rare(), unsupported: rare() ? "a coil" : null };
  return armedTag({
    facts: facts(unusual), read, linkUp: !rare(), hash: rare() ? "other" : armedTag().hash,
    arming: rare() ? null : arming({
      only: (c.origin === "prove") !== rare() ? r.pick([keyOf(c), keyOf(c), "prove x b"]) : null,
      rulesUntil: now + (rare() ? 0 : 1000),
      until: now + (rare() ? 0 : 2000) }),
    lastReadBack: rare() || read === null ? 60 : read.value,
    lastCommand: rare() ? 0.1 * (count(read?.value ?? 60) + r.below(5) - 2) : null,
    lastWriteAt: rare() ? now - r.below(2000) : -Infinity,
    writesToday: rare() ? 90 + r.below(20) : 0, day: 20_000 - r.below(2),
    pending: rare() ? { means: 1, before: null, since: 0 } : null,
    yielded: rare() ? "a change" : null,
    busy: r.pick(rare() ? ["rest b-2"] : [null, keyOf(c)]),
    rows: new Map(rare() ? [[c.origin, { epoch: 3, sequence: r.below(30) }]] : []),
    permits: rare() ? [] : [{ condition: "press.door_closed", value: !rare(),
      state: rare() ? r.below(256) : 0, at: now - (rare() ? r.below(2000) : 10),
      overridden: rare() }],
  });
}

/** All devices obey it, nobody answers: what a policy says of it, and what is known of it. */
function asBroadcast(rare: () => boolean, p: TagPolicy, t: TagState): [TagPolicy, TagState] {
  return [{ ...p, readBack: rare() ? null : "none", maxStep: rare() ? 5 : null,
    deadband: rare() ? 0.5 : 0, onLoss: rare() ? p.onLoss : null },
  armedTag({ ...t, facts: { ...t.facts, broadcast: true },
    read: t.read && { value: NaN, state: BAD.broadcast, at: now },
    leftAlone: rare() ? "fan-2" : null })];
}

function someCase(r: Random): Case {
  // From nearly all well to much wrong at once, so that each line of the table is met first.
  const evil = r.pick([0, 0.01, 0.03, 0.1]);
  const rare = (): boolean => r.chance(evil);
  let c = someCommand(r, rare);
  const hasTexts = r.chance(0.2);
  let p: TagPolicy = {
    ...policy, texts: hasTexts === rare() ? null
      : r.pick([{ values: ["A", "B-1"] }, { pattern: "A{1,2}" }]),
    allow: rare() ? [] : ["rule:hold", "rest", "mqtt", "cli", "prove"],
    maxMode: rare() ? r.pick(["off", "shadow"]) : "armed", outside: r.pick(["reject", "clamp"]),
    maxStep: r.pick([null, 5, 30, 60]), deadband: r.pick([0, 0.5]),
    permit: r.chance(0.5) ? policy.permit : [],
    onLoss: rare() ? null : { after: 1, value: 40, step: r.pick(["any", "limited"]) },
  };
  const b: Box = {
    safeMode: rare(), configRejected: rare(), latched: rare() ? "anna" : null,
    auditTrouble: rare() ? "full" : null, clockTrusted: !rare(), day: 20_000,
    deadline_ms_max: 60_000,
  };
  let t: TagState | null = someTag(r, rare, c);
  if (hasTexts) [c, t] = asText(r, rare, c, t);
  else if (r.chance(0.2)) [p, t] = asBroadcast(rare, p, t);
  return { c, p: rare() ? null : p, t: rare() ? null : t, b };
}

test("W7 W8 the gate agrees with a second reading of the rules, no escape", () => {
  const seed = Number(process.env["SOAK_SEED"] ?? Math.floor(performance.timeOrigin) % 1e9);
  const cases = Number(process.env["SOAK_COUNT"] ?? 100_000);
  console.log(`seed ${seed}, ${cases} cases`);
  const r = createRandom(seed);
  const met = new Map<string, number>();
  for (let i = 0; i < cases; i++) {
    const s = someCase(r);
    const verdict = decide(s.c, s.p, { box: s.b, tag: s.t }, now);
    const got = verdict.admit ? "admitted" : verdict.code;
    const line = table.find(([, holds]) => holds(s));
    const wanted = line === undefined ? "admitted" : line[0];
    if (got !== wanted) {
      throw new Error(`seed ${seed} case ${i}: gate ${got}, reading ${wanted}\n`
        + Bun.inspect(s, { depth: 6 }));
    }
    if (verdict.admit) {
      if (isText(s)) {
        expect([verdict.means, Buffer.from(verdict.bytes).toString()])
          .toEqual([s.c.value, s.c.value] as never);
        met.set("a text", (met.get("a text") ?? 0) + 1);
        continue;
      }
      expect(count(verdict.means)).toBe(asked(s));
      expect(new DataView(verdict.bytes.buffer).getInt16(0)).toBe(asked(s));
    }
    met.set(got, (met.get(got) ?? 0) + 1);
  }
  // A property test that never reaches a line says nothing about it.
  const missed = [...new Set(table.map(([code]) => code))].filter((code) => !met.has(code));
  expect(missed).toEqual([]);
  expect(met.get("a text")!).toBeGreaterThan(cases / 200);
  expect(met.get("admitted")!).toBeGreaterThan(cases / 20);
}, 600_000);
