import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathHash } from "../../src/gate.ts";
import type { Ending, Intent } from "../../src/store.ts";
import { World } from "../store/fixture.ts";
import { broadcast, otherTexts, speeches, type Exchange, type Speech } from "./speeches.ts";

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
  "line.setpoint": { "allow": ["rest"], "maxMode": "armed", "min": 20, "max": 80,
    "readBack": "none" },
  "press.recipe": { "allow": ["rest", "prove"], "maxMode": "armed", "values": ["LOT7"],
    "pattern": "R-[0-9]+", "minInterval": "1s" },
}`;
const policyHash = createHash("sha256").update(policyText).digest("hex");
const common = { link: "plc-1", station: 1, wordOrder: "ABCD", offset: 0 } as const;
const peer = "10.0.0.5:502";

let world: World;
let frames: Record<string, unknown>[];
let speak: Speech;

/** What the machine speaks, from the beginning of a story. */
function begin(speech = speeches["Modbus TCP"]!): void {
  world = new World();
  frames = [];
  speak = speech;
  const { setpoint, temperature, door, recipe } = speak;
  world.store.savePlaces("c", [
    { ...common, ...setpoint, tag: "press.setpoint" },
    { ...common, ...temperature, tag: "press.temperature" },
    { ...common, ...door, tag: "press.door_closed" },
    { ...common, ...setpoint, tag: "line.setpoint", station: 0 },
    { ...common, ...recipe, tag: "press.recipe" },
  ]);
  arm();
}
beforeEach(() => begin());
afterEach(() => world.close());

function arm(over: { hash?: string } = {}, tag = "press.setpoint"): number {
  const number = world.store.nextArming()!;
  const place = { ...common, ...tag === "press.recipe" ? speak.recipe : speak.setpoint, peer,
    station: tag === "line.setpoint" ? 0 : 1 };
  world.store.beginArming({
    ...place, tag, number, who: "anna", hash: pathHash(place), policyHash,
    configHash: "c", begins: world.time, until: world.time + 600_000, ...over,
  });
  return number;
}

function exchange({ request, answer }: Exchange, isAnswered = true): void {
  const record = { t: world.now, link: "plc-1", connection: 1, valid: true, fault: null };
  const add = (dir: string, bytes: readonly number[]): void => void frames.push(
    { ...record, time: world.time, dir, bytes: Buffer.from(bytes).toString("hex") });
  add("in", request);
  world.now += 2;
  if (isAnswered) add("out", answer);
}

const readSetpoint = (value: number): void => exchange(speak.read(value));
const poll = (door = 1, temperature = 61): void =>
  speak.poll(door, temperature).forEach((one) => exchange(one));
const writeFrame = (value: number, isAnswered = true): void =>
  exchange(speak.write(value), isAnswered);
/** What the words of a value mean: of those with a scale, what binary makes of the tenths. */
const meant = (value: number): number =>
  (speak.setpoint.scale === 1 ? value : Math.round(value * 10) * 0.1);

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
    policyHash, words: speak.words(value), means: meant(value),
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

/** A whole write of a text: what stood there, what was admitted, what left, what is read then. */
function writeText(
  before: string | null = "LOT1", text = "LOT7", left: string | Exchange = text, says = text,
): void {
  const received = world.time;
  if (before !== null) exchange(speak.readText(before));
  const [row] = world.store.audit.intents([world.intent({
    tag: "press.recipe", origin: "rest", id: `t-${world.now}`, inputs: null, policyHash,
    words: speak.textWords(text), means: text, asked: text, read: before, received,
    notAfter: world.time + 450, arming: arm({}, "press.recipe") })])!;
  world.now += 1;
  const sent = world.time;
  exchange(typeof left === "string" ? speak.writeText(left) : left);
  exchange(speak.readText(says));
  world.now += 1;
  world.store.audit.outcomes([world.ending(row!, { sent, readBack: says })]);
  world.now += 1100;
}

/** A proof by writing, with an arming of its own. */
const proveBy = (story: Story): number => write({ ...story, intent: { origin: "prove",
  id: `p-${world.now}`, inputs: null, arming: arm(), ...story.intent } });

interface Report {
  findings: Record<string, number>;
  matched: number;
  escapes: number;
  examples: unknown;
}

function judge(...more: string[]): Report {
  const at = (name: string): string => join(world.directory, name);
  writeFileSync(at("policy.json"), policyText);
  writeFileSync(at("gateway.json"), JSON.stringify({ links: { "plc-1": speak.link } }));
  writeFileSync(at("frames.jsonl"), frames.map((f) => JSON.stringify(f)).join("\n"));
  world.store.audit.flush(true);
  const ran = Bun.spawnSync(["python3", join(import.meta.dir, "judge.py"), "--config",
    at("gateway.json"), "--policy", at("policy.json"), "--audit", at("store.sqlite"),
    "--frames", at("frames.jsonl"), "--inputs", "hold=press.temperature", "--slack", "0.5",
    ...more]);
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
      policyHash, words: speak.words(40), means: 40,
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
    write({ ending: unknown, frame: () => writeFrame(62, false) });
    poll();
    write({ before: 62, ending: unknown, frame: () => {}, value: 64 });
    expect(judge()).toMatchObject({ matched: 1, findings: {} });
  });

  const planted: Record<string, [string, () => void]> = {
    "a frame of nobody": ["escape", () => writeFrame(62)],
    "a frame that no reader knows": ["escape", () => exchange({ request: [1, 2, 3], answer: [] })],
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
    "a door not looked at": ["escape", () =>
      (world.now += 1100, exchange(speak.poll(1, 61)[1]!), write())],
    "a bad input": ["escape", () => write({ intent:
      { inputs: { oldest: world.time, state: 67, flags: 0 } } })],
    "an old input": ["escape", () => write({ intent:
      { inputs: { oldest: world.time - 600, state: 0, flags: 0 } } })],
    "an input that the machine was not asked for": ["escape", () => (world.now += 600,
      exchange(speak.poll(1, 61)[0]!), write())],
    "verified without a read that says so": ["not-verified", () => write({ says: 50 })],
    "rejected without an exception": ["not-rejected", () =>
      write({ ending: { outcome: "rejected" } })],
    "verified without a frame": ["row-without-frame", () => write({ frame: () => {} })],
    "a frame after the restart that ended its row": ["escape", () => {
      readSetpoint(60);
      world.store.audit.intents([world.intent({ policyHash, words: speak.words(62) })]);
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
  /** In each protocol: what a machine can be told by mistake, and what is refused by it. */
  const everywhere: Record<string, [string, () => void]> = {
    "a frame sent twice": planted["a frame sent twice"]!,
    "other words than admitted": planted["other words than admitted"]!,
    "after the deadline": planted["after the deadline"]!,
    "after the arming's end": planted["after the arming's end"]!,
    "outside the limits": planted["outside the limits"]!,
    "an open door": planted["an open door"]!,
    "another read": planted["another read"]!,
    "verified without a read that says so": planted["verified without a read that says so"]!,
    "rejected without an exception": planted["rejected without an exception"]!,
  };
  for (const [protocol, speech] of Object.entries(speeches)) {
    describe(protocol, () => {
      beforeEach(() => (world.close(), begin(speech)));
      test("finds nothing in an honest story", () => {
        poll();
        write();
        poll();
        write({ before: 62, value: 64, intent: { origin: "rest", id: "a-1", inputs: null } });
        expect(judge()).toMatchObject({ matched: 2, escapes: 0, findings: {} });
      });
      // Of an answer to a telegram nobody can tell that nothing was done.
      const rejected: Record<string, number> =
        protocol === "telegrams" ? { "not-rejected": 1 } : {};
      test("takes the machine's own word for a refusal", () => {
        poll();
        write({ ending: { outcome: "rejected", readBack: null }, says: 60,
          frame: () => exchange(speak.refused(62)) });
        expect(judge().findings).toEqual(rejected);
      });
      // In Modbus TCP all of them are told above.
      const plants = protocol === "Modbus TCP" ? {} : everywhere;
      for (const [name, [finding, plant]] of Object.entries(plants)) {
        test(`finds ${name}`, () => {
          poll();
          plant();
          expect(Object.keys(judge().findings)).toContain(finding);
        });
      }
      for (const [name, act] of Object.entries(speech.acts)) {
        test(`finds ${name}`, () => {
          poll();
          write({ frame: () => (writeFrame(62), exchange(act)) });
          expect(judge().findings).toEqual({ escape: 1 });
        });
      }
      test("reads texts", () => {
        writeText();
        writeText("LOT7", "R-12");
        expect(judge()).toMatchObject({ matched: 2, escapes: 0, findings: {} });
      });
      const wrongTexts: Record<string, [string, () => void]> = {
        "a text that the policy does not have": ["escape", () => writeText("R-1", "R-12;")],
        "another text than admitted": ["escape", () => writeText("R-1", "LOT7", "R-2")],
        "a text of which only the end is another": ["escape", () =>
          writeText("R-1", "R-2", "R-22")],
        "a text with something behind its end": ["escape", () =>
          writeText("R-1", "LOT7", "LOT7\0X")],
        "a text read back that is another": ["not-verified", () =>
          writeText("R-1", "LOT7", "LOT7", "LOT")],
        "a text over one that was not read": ["no-read-before", () => writeText(null)],
      };
      for (const [name, [finding, plant]] of Object.entries(wrongTexts)) {
        test(`finds ${name}`, () => {
          plant();
          expect(Object.keys(judge().findings)).toContain(finding);
        });
      }
    });
  }
  test("reads each kind of text that a controller has", () => {
    for (const speech of otherTexts) {
      world.close();
      begin(speech);
      writeText();
      writeText("LOT7", "R-12");
      expect(judge()).toMatchObject({ matched: 2, escapes: 0, findings: {} });
      writeText("R-12", "LOT7", "R-2");
      expect(judge().findings["escape"]).toBe(1);
    }
  });
  test("finds what is left of an older text in the structure of a controller", () => {
    world.close();
    begin(speeches["EtherNet/IP"]);
    const { request, answer } = speak.writeText("LOT7");
    const end = Buffer.from(request).indexOf("LOT7") + 4;
    writeText("R-1", "LOT7", { request: request.with(end, 0x58), answer });
    expect(judge().findings["escape"]).toBe(1);
  });
  test("reads a text whose registers have their bytes the other way round", () => {
    world.close();
    const { recipe, textWords, readText, writeText: tell, ...rest } = speeches["Modbus TCP"]!;
    const swapped = (text: string): string =>
      Buffer.from(text.padEnd(8, "\0")).swap16().toString("latin1");
    begin({ ...rest, recipe: { ...recipe, at: "400041#B" },
      textWords: (text) => textWords(swapped(text)), readText: (text) => readText(swapped(text)),
      writeText: (text) => tell(swapped(text)) });
    writeText();
    expect(judge()).toMatchObject({ matched: 1, escapes: 0, findings: {} });
  });
  /** A write to all stations of a bus, as it should be, with what the story changes. */
  const toAll = (
    intent: Partial<Intent> = {}, ending: Partial<Ending> = {}, n = 1, silence = Infinity,
  ): Report => {
    world.close();
    begin(speeches["Modbus RTU"]);
    poll();
    const [row] = world.store.audit.intents([world.intent({ tag: "line.setpoint", origin: "rest",
      id: "b-1", inputs: null, policyHash, words: speak.words(62), read: null,
      arming: arm({}, "line.setpoint"), ...intent })])!;
    for (let i = 0; i < n; i++) exchange(broadcast(62), false);
    world.store.audit.outcomes([world.ending(row!, { outcome: "unknown", code: "broadcast",
      readBack: null, ...ending })]);
    if (silence < Infinity) {
      world.now += silence;
      poll();
    }
    return judge();
  };
  test("a broadcast is one frame that nobody answers", () => {
    expect(toAll()).toMatchObject({ matched: 1, findings: {} });
    expect(toAll({}, {}, 1, 100)).toMatchObject({ matched: 1, findings: {} });
    expect(toAll({}, { code: "restart" }).findings).toEqual({});
  });
  const wrongBroadcasts: Record<string, [string, () => Report]> = {
    "a broadcast sent twice": ["sent-twice", () => toAll({}, {}, 2)],
    "what is sent too soon after a broadcast": ["no-turnaround", () => toAll({}, {}, 1, 90)],
    "a broadcast that somebody answered": ["broadcast-answered", () =>
      toAll({}, { outcome: "verified", code: null })],
    "a broadcast by a rule": ["escape", () => toAll({ origin: "rule:hold" })],
    "a broadcast in the place of one station's write": ["escape", () =>
      toAll({ tag: "press.setpoint" })],
  };
  for (const [name, [finding, tell]] of Object.entries(wrongBroadcasts)) {
    test(`finds ${name}`, () => {
      expect(Object.keys(tell().findings)).toContain(finding);
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
    begin(speeches["Modbus RTU"]);
    expect(seenLate(30, "--blind", "100")).toMatchObject({ findings: {}, late_or_unseen: 1 });
    frames = [];
    expect(seenLate(130, "--blind", "100").findings["after-deadline"]).toBe(1);
    frames = [];
    expect(seenLate(5, "--blind", "100").findings["after-deadline"]).toBeGreaterThan(1);
    begin();
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
