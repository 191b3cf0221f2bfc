import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathHash } from "../../src/gate.ts";
import type { Ending, Intent } from "../../src/store.ts";
import { World } from "../store/fixture.ts";

/**
 * W22: the judge itself. A story is told twice, as audit rows and as frames; what is planted in
 * one of them must be found, and by its name.
 */
const policyText = `{ // as an engineer writes it
  "press.setpoint": { "allow": ["rule:hold", "rest", "prove"], "maxMode": "armed",
    "min": 20, "max": 80, "maxStep": 5, "deadband": 0.5, "minInterval": "1s", "writesPerDay": 3,
    "inputMaxAge": "500ms",
    "permit": ["press.door_closed"], "maxAge": "1s",
    "onLoss": { "after": "30s", "value": 40, "step": "any" }, },
  "fans.speed": { "allow": ["rest", "rule:hold"], "maxMode": "armed", "min": 20, "max": 80,
    "readBack": "none" },
  "fans.bare": { "allow": ["rest"], "maxMode": "armed", "min": 20, "max": 80 },
}`;
const policyHash = createHash("sha256").update(policyText).digest("hex");
const place = {
  tag: "press.setpoint", station: 1, at: "holding 9", type: "int16", wordOrder: "ABCD", scale: 0.1,
  offset: 0,
};

let world: World;
let frames: Record<string, unknown>[];
beforeEach(() => {
  world = new World();
  frames = [];
  onBus = false;
  station = 1;
  world.store.savePlaces("c", [
    { ...place, tag: "fans.speed", station: 0, link: "plc-1" },
    { ...place, tag: "fans.bare", station: 0, at: "holding 10", link: "plc-1" },
    { ...place, link: "plc-1" },
    { ...place, tag: "press.temperature", at: "300003", link: "plc-1" },
    { ...place, tag: "press.door_closed", at: "discrete 4", type: "bool", scale: 1, link: "plc-1" },
  ]);
  arm();
});
afterEach(() => world.close());

function arm(over: { until?: number; hash?: string } = {}, of: Partial<typeof place> = {}): number {
  const number = world.store.nextArming()!;
  const path = { ...place, ...of };
  const hash = pathHash({ ...path, type: "int16", wordOrder: "ABCD", peer: "10.0.0.5:502" });
  world.store.beginArming({
    ...path, number, who: "anna", hash, peer: "10.0.0.5:502", policyHash, configHash: "c",
    begins: world.time, until: world.time + 600_000, ...over,
  });
  return number;
}

/** CRC-16 of a serial line (Modbus over serial line V1.02, 6.2.2), low byte first. */
function checksum(bytes: number[]): number[] {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xa001 : crc >> 1;
  }
  return [crc & 255, crc >> 8];
}

let onBus = false;
let station = 1;
let transaction = 0;
function exchange(request: number[], answer: number[] | null): void {
  transaction = (transaction + 1) & 0xffff;
  const wrap = (pdu: number[]): string => Buffer.from(onBus
    ? [station, ...pdu, ...checksum([station, ...pdu])]
    : [transaction >> 8, transaction & 255, 0, 0, 0, pdu.length + 1, station, ...pdu])
    .toString("hex");
  const record = { t: world.now, link: "plc-1", connection: 1, valid: true, fault: null };
  frames.push({ ...record, time: world.time, dir: "in", bytes: wrap(request) });
  world.now += 2;
  if (answer !== null) {
    frames.push({ ...record, time: world.time, dir: "out", bytes: wrap(answer) });
  }
}

const word = (value: number): number[] => {
  const raw = Math.round(value * 10) & 0xffff;
  return [raw >> 8, raw & 255];
};
const readSetpoint = (value: number): void => exchange([3, 0, 9, 0, 1], [3, 2, ...word(value)]);
const poll = (door = 1, temperature = 61): void => {
  exchange([2, 0, 0, 0, 8], [2, 1, door << 4]);
  exchange([4, 0, 0, 0, 4], [4, 8, 0, 0, 0, 0, ...word(temperature), 0, 0]);
};
const writeFrame = (value: number, answer: number[] | null = [16, 0, 9, 0, 1]): void =>
  exchange([16, 0, 9, 0, 1, 2, ...word(value)], answer);

interface Story {
  before?: number;
  /** It was not read for this command. */
  unread?: true;
  value?: number;
  intent?: Partial<Intent>;
  ending?: Partial<Ending>;
  /** What the machine says afterwards, if not what was written. */
  says?: number;
  /** Called between intent and frame. */
  between?: () => void;
  frame?: () => void;
}

/** A whole write, as it should be, with what the story changes. */
function write(story: Story = {}): number {
  const { before = 60, value = 62 } = story;
  const received = world.time;
  if (!story.unread) readSetpoint(before);
  const [row] = world.store.audit.intents([world.intent({
    policyHash, words: Uint8Array.from(word(value)), means: Math.round(value * 10) * 0.1,
    read: before, received, notAfter: world.time + 450, ...story.intent,
  })])!;
  world.now += 1;
  story.between?.();
  const sent = world.time;
  (story.frame ?? (() => writeFrame(value)))();
  readSetpoint(story.says ?? value);
  world.now += 1;
  world.store.audit.outcomes([world.ending(row!, { sent, readBack: value, ...story.ending })]);
  world.now += 1100;
  return row!;
}

/** A proof by writing, with an arming of its own. */
const proveBy = (story: Story): number => write({ ...story, intent: { origin: "prove",
  id: `p-${world.now}`, inputs: null, arming: arm(), ...story.intent } });

/** All stations obey it and none answers; `next` ms later the bus is used again. */
function broadcast(story: Story & { tag?: string; at?: number; next?: number } = {}): void {
  onBus = true;
  const { tag = "fans.speed", at = 9, next = 210 } = story;
  const number = arm({}, { tag, station: 0, at: `holding ${at}` });
  const received = world.time;
  const [row] = world.store.audit.intents([world.intent({ tag, policyHash, origin: "rest",
    id: `b-${world.now}`, inputs: null, permit: [], read: null, received, arming: number,
    words: Uint8Array.from(word(62)), means: 62, notAfter: world.time + 450, ...story.intent })])!;
  station = 0;
  const sent = world.time;
  (story.frame ?? (() => exchange([6, 0, at, ...word(62)], null)))();
  station = 1;
  world.now += next;
  world.store.audit.outcomes([world.ending(row!, { sent, readBack: null, outcome: "unknown",
    code: "broadcast", ...story.ending })]);
  poll();
  world.now += 1100;
}

interface Report {
  findings: Record<string, number>;
  matched: number;
  escapes: number;
  examples: unknown;
}

function judge(...more: string[]): Report {
  const at = (name: string): string => join(world.directory, name);
  writeFileSync(at("policy.json"), policyText);
  writeFileSync(at("frames.jsonl"), frames.map((f) => JSON.stringify(f)).join("\n"));
  world.store.audit.flush(true);
  const ran = Bun.spawnSync(["python3", join(import.meta.dir, "judge.py"), "--policy",
    at("policy.json"), "--audit", at("store.sqlite"), "--frames", at("frames.jsonl"),
    "--inputs", "hold=press.temperature", "--slack", "0.5", ...more]);
  expect(ran.stderr.toString()).toBe("");
  const report = JSON.parse(ran.stdout.toString());
  expect(ran.exitCode).toBe(Object.keys(report.findings).length > 0 ? 1 : 0);
  return report as Report;
}

describe("W22 the judge", () => {
  test("finds nothing in an honest story", () => {
    poll();
    write();
    poll();
    write({ before: 62, value: 64 });
    poll();
    write({ before: 64, value: 62, intent: { origin: "rest", id: "a-1", inputs: null } });
    const unsent = world.store.audit.intents([world.intent({ policyHash })])!;
    world.store.audit.outcomes([
      world.ending(unsent[0]!, { outcome: "refused", code: "latched", sent: null })]);
    expect(judge()).toMatchObject({ matched: 3, escapes: 0, findings: {} });
  });
  test("a proof by writing is inside the deadband, and what stood there", () => {
    poll();
    proveBy({ value: 60 });
    expect(judge()).toMatchObject({ matched: 1, escapes: 0, findings: {} });
  });
  test("an onLoss intent of arming time matches its later frame", () => {
    const [row] = world.store.audit.intents([world.intent({
      policyHash, words: Uint8Array.from(word(40)), means: 40,
      origin: "onLoss:press.setpoint", read: null, inputs: null,
      notAfter: world.time + 600_000 })])!;
    world.now += 60_000;
    poll();
    readSetpoint(60);
    const sent = world.time;
    writeFrame(40);
    readSetpoint(40);
    world.now += 1;
    world.store.audit.outcomes([world.ending(row!, { sent, readBack: 40 })]);
    expect(judge()).toMatchObject({ matched: 1, findings: {} });
  });
  test("unknown is honest with one frame or with none", () => {
    poll();
    const unknown: Partial<Ending> = { outcome: "unknown", code: "answer-missing", readBack: null };
    write({ ending: unknown, frame: () => writeFrame(62, null) });
    poll();
    write({ before: 62, ending: unknown, frame: () => {}, value: 64 });
    expect(judge()).toMatchObject({ matched: 1, findings: {} });
  });

  test("a broadcast has one frame, no read and no answer", () => {
    broadcast();
    broadcast();
    broadcast({ ending: { code: "restart" } });
    expect(judge()).toMatchObject({ matched: 3, findings: {} });
  });

  const planted: Record<string, [string, () => void]> = {
    "a broadcast of nobody": ["escape", () => (broadcast(), station = 0,
      exchange([6, 0, 9, ...word(62)], null))],
    "a broadcast sent twice": ["sent-twice", () => broadcast({ frame: () => {
      for (const _ of [1, 2]) exchange([6, 0, 9, ...word(62)], null);
    } })],
    "a broadcast of a rule": ["escape", () => broadcast({ intent: { origin: "rule:hold" } })],
    "a broadcast that the policy does not know as one": ["escape", () =>
      broadcast({ tag: "fans.bare", at: 10 })],
    "a broadcast as FC22": ["escape", () => broadcast({ frame: () =>
      exchange([22, 0, 9, 0, 0, ...word(62)], null) })],
    "a broadcast over TCP": ["escape", () => broadcast({ frame: () => {
      [frames, onBus] = [[], false];
      exchange([6, 0, 9, ...word(62)], null);
    } })],
    "a broadcast that somebody called verified": ["broadcast-known", () =>
      broadcast({ ending: { outcome: "acknowledged", code: null } })],
    "a broadcast that somebody answered": ["broadcast-answered", () => broadcast({ frame: () =>
      exchange([6, 0, 9, ...word(62)], [6, 0, 9, ...word(62)]) })],
    "no silence after a broadcast": ["no-turnaround", () => broadcast({ next: 90 })],
    "a frame of nobody": ["escape", () => writeFrame(62)],
    "a coil": ["escape", () => exchange([5, 0, 9, 0xff, 0], [5, 0, 9, 0xff, 0])],
    "a frame sent twice": ["sent-twice", () =>
      write({ frame: () => (writeFrame(62), writeFrame(62)) })],
    "other words than admitted": ["escape", () => write({ frame: () => writeFrame(63) })],
    "after the deadline": ["after-deadline", () => write({
      between: () => (world.now += 460), intent: { origin: "rest", id: "a-1", inputs: null } })],
    "after the arming's end": ["outside-arming", () => write({ between: () =>
      world.store.endArming(1, "disarmed"), frame: () => (world.now += 5, writeFrame(62)) })],
    "under no arming": ["outside-arming", () => write({ intent: { arming: 7 } })],
    "a proof of another path": ["proof-of-another-path", () =>
      write({ intent: { arming: arm({ hash: "0".repeat(64) }) } })],
    "outside the limits": ["escape", () => write({ value: 80.1, before: 78 })],
    "a step too large": ["escape", () => write({ value: 65.1 })],
    "inside the deadband": ["escape", () => write({ value: 60.4 })],
    "another meaning": ["means-differs", () => write({ intent: { means: 62.5 } })],
    "what was not read for it": ["no-read-before", () =>
      (readSetpoint(60), world.now += 100, write({ unread: true, intent: { read: null } }))],
    "another read": ["read-differs", () => write({ intent: { read: 61 } })],
    "an origin that is not allowed": ["escape", () => write({ intent: { origin: "rule:other" } })],
    "a tag that is nowhere": ["row-without-place", () => write({ intent: { tag: "x.y" } })],
    "another policy": ["unknown-policy", () => write({ intent: { policyHash: "0" } })],
    "too soon": ["escape", () =>
      (write(), world.now -= 300, poll(), write({ before: 62, value: 64 }))],
    "too often a day": ["escape", () => [62, 64, 62, 64].forEach((value, i) =>
      (poll(), write({ value, before: i === 0 ? 60 : 126 - value })))],
    "a proof that changed the value": ["escape", () => proveBy({ value: 62 })],
    "a proof under the arming of others": ["proof-arming-shared", () =>
      (write(), poll(), proveBy({ before: 62, intent: { arming: 1 } }))],
    "an open door": ["escape", () => (poll(0), write())],
    "a door not looked at": ["escape", () => (world.now += 1100, exchange([4, 0, 0, 0, 4],
      [4, 8, 0, 0, 0, 0, ...word(61), 0, 0]), write())],
    "a bad input": ["escape", () => write({ intent:
      { inputs: { oldest: world.time, state: 67, flags: 0 } } })],
    "an old input": ["escape", () => write({ intent:
      { inputs: { oldest: world.time - 600, state: 0, flags: 0 } } })],
    "an input that the machine was not asked for": ["escape", () => (world.now += 600,
      exchange([2, 0, 0, 0, 8], [2, 1, 16]), write())],
    "verified without a read that says so": ["not-verified", () => write({ says: 50 })],
    "rejected without an exception": ["not-rejected", () =>
      write({ ending: { outcome: "rejected" } })],
    "verified without a frame": ["row-without-frame", () => write({ frame: () => {} })],
    "a frame after the restart that ended its row": ["escape", () => {
      readSetpoint(60);
      world.store.audit.intents([world.intent({ policyHash, words: Uint8Array.from(word(62)) })]);
      world.store.audit.abandon("a restart", world.time);
      world.now += 100;
      writeFrame(62);
    }],
    "no outcome": ["row-without-outcome", () =>
      void world.store.audit.intents([world.intent({ policyHash })])],
    "an id twice": ["id-admitted-twice", () => [60, 62].forEach((before) => (poll(), write({
      before, value: before + 2, intent: { origin: "rest", id: "a-1", inputs: null } })))],
  };
  for (const [name, [finding, plant]] of Object.entries(planted)) {
    test(`finds ${name}`, () => {
      poll();
      plant();
      const report = judge();
      expect(Object.keys(report.findings)).toContain(finding);
    });
  }
  test("may be told that the simulator stood still, and for how long", () => {
    const late = (): Report => judge("--blind", "100");
    const intent = { origin: "rest", id: "a-1", inputs: null };
    poll();
    write({ intent, ending: { sent: world.time + 1 },
      between: () => (world.now += 400, poll(), world.now += 60) });
    expect(late()).toMatchObject({ findings: {}, late_or_unseen: 1 });
    poll();
    write({ before: 62, value: 64, intent: { ...intent, id: "a-2" }, ending: { sent: world.time },
      between: () => (world.now += 400, poll(), world.now += 60, poll()) });
    expect(late().findings).toEqual({ "after-deadline": 1 });
  });
  test("takes a frame on a bus by its sender's stamp, if it was not held for too long", () => {
    /** Seen by the machine 10 ms after its deadline, and sent `wait` ms before that. */
    const seenLate = (wait: number, ...more: string[]): Report => {
      poll();
      write({ intent: { origin: "rest", id: `${wait}`, inputs: null },
        ending: { sent: world.time + 460 - wait }, between: () => (world.now += 460, poll()) });
      return judge(...more);
    };
    onBus = true;
    expect(seenLate(30, "--blind", "100")).toMatchObject({ findings: {}, late_or_unseen: 1 });
    frames = [];
    expect(seenLate(130, "--blind", "100").findings["after-deadline"]).toBe(1);
    frames = [];
    expect(seenLate(5, "--blind", "100").findings["after-deadline"]).toBeGreaterThan(1);
    onBus = false;
    frames = [];
    expect(seenLate(40, "--blind", "100").findings["after-deadline"]).toBeGreaterThan(0);
  });
  const expecting = (...lines: object[]): Report => {
    const file = join(world.directory, "expected.jsonl");
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    return judge("--expected", file);
  };
  test("holds the answers against what the driver of the soak expected", () => {
    world.store.audit.refusals([world.refusal({ id: "a-1", code: "out-of-range" })]);
    expect(expecting({ id: "a-1", outcome: "refused", code: "out-of-range" }).findings).toEqual({});
    expect(expecting({ id: "a-1", any: ["expired", "out-of-range"] }).findings).toEqual({});
    expect(expecting({ id: "a-1", outcome: "refused", code: "quota" },
      { id: "a-9", outcome: "verified" }).findings).toEqual({ unexpected: 2 });
  });
  test("wants a row for each attempt, also for those of one id", () => {
    const twice = { id: "a-1", any: ["duplicate"] };
    world.store.audit.refusals([world.refusal({ id: "a-1", code: "duplicate" })]);
    expect(expecting(twice, twice).findings).toEqual({ unexpected: 1 });
    world.store.audit.refusals([world.refusal({ id: "a-1", code: "duplicate" })]);
    expect(expecting(twice, twice)).toMatchObject({ findings: {}, expected: { duplicate: 2 } });
  });
  test("finds a write of a rule that must not write", () => {
    poll();
    write();
    expect(expecting({ origin: "rule:hold", never: "shadow" }).findings).toEqual({ unexpected: 1 });
    expect(expecting({ origin: "rule:other", never: "shadow" }).findings).toEqual({});
  });
  test("finds a value of a rule that the machine did not give when the rule says so", () => {
    const copy = { origin: "rule:hold", copies: "press.temperature" };
    const polled = (temperature: number) => {
      const inputs = { oldest: world.time, state: 0, flags: 0 };
      poll(1, temperature);
      return inputs;
    };
    write({ intent: { inputs: polled(62), asked: 62 } });
    expect(expecting(copy).findings).toEqual({});
    write({ before: 62, value: 63, intent: { inputs: polled(64), asked: 63 } });
    expect(expecting(copy).findings).toEqual({ "input-never-read": 1 });
  });
  test("counts a rule's attempts with their codes, and no more than its rows", () => {
    const refused = { origin: "rule:hold", who: "", source: "", tag: "press.setpoint", sentence: "",
      policyHash,
      configHash: "c", time: world.time };
    poll();
    world.store.audit.withheld({ ...refused, code: "too-soon" });
    expect(judge()).toMatchObject({ findings: {}, attempts: { rule: { "too-soon": 1 } } });
    world.store.audit.withheld({ ...refused, code: "too-soon" });
    expect(judge().findings).toEqual({ "more-tries-than-rows": 1 });
    world.store.audit.withheld({ ...refused, code: "input-bad" });
    poll();
    expect(judge()).toMatchObject({ findings: {}, attempts: { rule: { "input-bad": 1 } } });
  });
});
