import { describe, expect, test } from "bun:test";
import { DONE, modbusRtu } from "../../src/driver.ts";
import { Tag } from "../../src/config.ts";
import { Arena, BAD, Ring, tagColumn } from "../../src/ring.ts";
import type { TagPolicy } from "../../src/config.ts";
import { keyOf, proveCommand, type Command } from "../../src/gate.ts";
import { Lane } from "../../src/runtime/lane.ts";
import { Frames } from "../../src/runtime/frames.ts";
import type { Guard, LinkPort } from "../../src/runtime/port.ts";
import { linkOf, ringFor, tag } from "../driver/support.ts";
import * as fixture from "../gate/fixture.ts";

const { now, path } = fixture;

/** A hidden rule of one condition: TRUE, of an input that was read at engine time `at`. */
function permitOf(at: number) {
  const layout = Ring.layout("permit", [tagColumn("c0", "bool"), tagColumn("$oldest", "time")], 16);
  const { ring } = Ring.create(Arena.create(layout.bytes), layout);
  const run = (): number => {
    ring.claim(1);
    for (const [i, value] of [1, at].entries()) {
      const { payload, state } = ring.columns[i]!;
      ring.arena.F[payload + (ring.head & ring.mask)] = value;
      ring.arena.U[state + (ring.head & ring.mask)] = 0;
    }
    ring.publish(1);
    return 1;
  };
  const counters = { in: 0, out: 0, errors: 0, dropped: 0 };
  return { ring, streams: new Set(["press.fast"]), reads: [["press.door_closed"]],
    stage: { run, tick() {}, deadline: Infinity, counters } };
}

const link = linkOf(modbusRtu, { port: "/dev/null", rs485: "adapter", broadcast: true });

/** A lane whose link is a worker's: the frame leaves later than the last look. */
function laneOf(
  permitAt: number, committing = (): void => {},
  {
    station = path.station, policy = fixture.policy, alone = { device: null as string | null },
    readBack = undefined as number | null | undefined, forced = [] as readonly string[],
    lag_ms = 0, words = null as Uint8Array | null,
    hangs = null as "read" | "commit" | "write" | "answer" | null,
    clock = { now },
  } = {},
) {
  const answers = readBack !== undefined;
  const guards: (Guard & { until: number })[] = [];
  const story: (string | null)[] = [];
  let reads = 0;
  /** Until when each of them is waited for. */
  const waits: number[] = [];
  /** What the link would do, once it goes on. */
  const hanging: (() => void)[] = [];
  const box = fixture.box();
  const { ring, tags } = ringFor([tag("holding 9", "int16", { id: "press.setpoint", scale: 0.1 })]);
  const port: LinkPort = {
    name: "bus", peer: path.peer, open: true, step: () => Infinity, close() {},
    frames: new Frames(), lag_ms: () => lag_ms, view: () => { throw new Error("nobody asks"); },
    read(_tag, raw, notAfter, done) {
      reads += 1;
      waits.push(notAfter);
      const word = guards.length === 0 ? 600 : readBack!;
      raw.set(words ?? [word >> 8, word & 255]);
      const answer = (): void => done(word === null ? BAD.timeout : DONE, 0, true, NaN, null);
      if (hangs === "read") hanging.push(answer);
      else answer();
      return true;
    },
    write(_tag, raw, guard, done) {
      const send = (): void => {
        const until = guard.last(clock.now);
        if (until !== null) guards.push({ ...guard, until });
        if (until !== null && station === 0) done(BAD.broadcast, 0, true, now, raw);
        if (until === null) done(BAD.disconnected, 0, false, NaN, null);
        else if (hangs === "answer") hanging.push(() => done(DONE, 0, true, now, raw));
        else if (answers) done(DONE, 0, true, now, raw);
      };
      if (hangs === "write") hanging.push(send);
      else send();
      return true;
    },
  };
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const lane = new Lane({
    tag: new Tag({ name: "press", station }, { ...tags[0]!, ...path,
      name: "setpoint", type: words === null ? "int16" : "int64", eu: "°C", writable: true }),
    driver: modbusRtu, link, port, policy, ring, interval: 100,
    permit: permitOf(permitAt), box, log,
    audit: {
      intent: (_command, _admitted, _tag, done) => {
        committing();
        if (hangs === "commit") hanging.push(() => done(null));
        else done(null);
      },
      outcome: (_command, { code }) => story.push(code), refused() {},
      reserve: () => Promise.resolve(true) },
    clock: { now: () => clock.now, time: () => clock.now, steps: 0, certain: true,
      shared: new SharedArrayBuffer(0) },
    wake() {}, armingEnded() {}, isOverridden: (tag) => forced.includes(tag),
    leftAlone: () => alone.device,
  });
  lane.step(now, now, false);
  lane.state.arming = fixture.arming({ hash: lane.state.hash! });
  lane.state.lastReadBack = 60;
  return { lane, guards, ring, story, box, waits, reads: () => reads,
    goOn: () => hanging.splice(0).forEach((one) => one()) };
}
const broadcast: TagPolicy = { ...fixture.policy, maxStep: null, deadband: 0, onLoss: null,
  readBack: "none" };

test("W11, W12: the last look says how long its permit stays young", () => {
  const { lane, guards } = laneOf(now - 400);
  lane.take(fixture.restAsk({ notAfter: now + 5000 }), () => {});
  expect(guards[0]!.until).toBe(now - 400 + fixture.policy.maxAge);
  expect(guards[0]!.notAfter).toBe(now + 5000);
});
test("W11: a frame does not outlive its deadline, and it says what its permit reads", () => {
  const { lane, guards } = laneOf(now);
  lane.take(fixture.restAsk({ notAfter: now + 100 }), () => {});
  expect(guards[0]!.notAfter).toBe(now + 100);
  expect(guards[0]!.streams).toEqual(new Set(["test", "press.fast"]));
});
test("W16: a change that a poll tells between the command's read and its frame stops it", () => {
  const { lane, guards, ring, story } = laneOf(now, () => {
    ring.claim(1);
    const row = ring.head & ring.mask;
    ring.arena.F[ring.timeAt + row] = now;
    ring.arena.F[ring.columns[0]!.payload + row] = 10;
    ring.arena.U[ring.columns[0]!.state + row] = 0;
    ring.publish(1);
  });
  lane.take(fixture.ruleAsk(), () => {});
  expect(guards).toEqual([]);
  expect(story).toEqual(["external-change"]);
  expect(lane.state.yielded).toContain("10");
});
test("W19: only a rule's commands say that a rule is alive", () => {
  const refusedBy = (command: Command): number => {
    const { lane } = laneOf(now);
    // The value that stands there: the deadband keeps it back.
    lane.take({ ...command, value: 60 }, () => {});
    expect(lane.last!.code).toBe("deadband");
    return lane.step(now, now, false);
  };
  expect(refusedBy(fixture.ruleAsk())).toBeGreaterThan(refusedBy(fixture.restAsk({})));
});

test("W9, W14, W15: a broadcast is not read, leaves once, and is unknown", () => {
  const { lane, guards, story, reads } = laneOf(now, () => {}, { station: 0, policy: broadcast });
  const answers: unknown[] = [];
  lane.take(fixture.restAsk(), (outcome, _refusal, means) => answers.push(outcome, means));
  expect([guards.length, reads()]).toEqual([1, 0]);
  expect(story).toEqual(["broadcast"]);
  expect(answers).toEqual(
    [{ outcome: "unknown", code: "broadcast", exception: 0, readBack: null }, 62]);
  lane.take(fixture.ruleAsk(), ({ code }) => answers.push(code));
  expect([answers.at(-1), guards.length, reads()]).toEqual(["broadcast", 1, 0]);
});
test("W11: a device that a person has left alone meanwhile keeps a broadcast back", () => {
  const alone = { device: null as string | null };
  const { lane, guards, story } = laneOf(now, () => {
    alone.device = "fan-2";
  }, { station: 0, policy: broadcast, alone });
  const told: string[] = [];
  lane.take(fixture.restAsk(), (_outcome, refusal) => told.push(refusal!.sentence));
  expect([guards, story]).toEqual([[], ["broadcast"]]);
  expect(told[0]).toContain("fan-2 would obey too");
  lane.take(fixture.restAsk({ id: "a-2" }), ({ outcome }) => told.push(outcome));
  expect(told[1]).toBe("refused");
});

test.each([
  [620, "verified", null], [621, "verified", null], [600, "unknown", "read-back-differs"],
  [null, "unknown", "read-back-missing"],
])("W15: what is written is read back: raw %p is %s", (readBack, outcome, code) => {
  const { lane, reads } = laneOf(now, () => {}, { readBack });
  const answers: unknown[] = [];
  lane.take(fixture.restAsk(), (said) => answers.push(said.outcome, said.code));
  expect([answers, reads()]).toEqual([[outcome, code], 2]);
});
test("W12: a permit that reads a forced value, or of a disabled device, is none", () => {
  const { lane, guards } = laneOf(now, () => {}, { forced: ["press.door_closed"] });
  lane.take(fixture.restAsk(), () => {});
  expect([guards, lane.last!.code]).toEqual([[], "permit-unknown"]);
});
test("W16: a row that was looked at before the write came is no change from outside", () => {
  const yielded = (lag_ms: number): string | null => {
    const { lane, ring } = laneOf(now, () => {}, { readBack: 620, lag_ms });
    lane.take(fixture.ruleAsk(), () => {});
    ring.claim(1);
    const row = ring.head & ring.mask;
    ring.arena.F[ring.timeAt + row] = now + 100;
    ring.arena.F[ring.columns[0]!.payload + row] = 60;
    ring.arena.U[ring.columns[0]!.state + row] = 0;
    ring.publish(1);
    lane.step(now + 100, now + 100, false);
    return lane.state.yielded;
  };
  expect([yielded(0), yielded(500)]).toEqual([expect.stringContaining("60"), null]);
});

test("W2: a proof whose words are not those that stand there is refused", () => {
  const { scale } = path;
  const proofOf = (words: readonly number[], value: number): unknown[] => {
    const policy: TagPolicy = { ...fixture.policy, allow: ["prove"], max: 1e17, maxStep: null,
      onLoss: null };
    const { lane, guards } = laneOf(now, () => {}, { policy, words: Uint8Array.from(words) });
    const ask = proveCommand({ id: "p-1", tag: "press.setpoint", by: "anna" }, value, "new", now,
      now + 5000);
    lane.state.arming = fixture.arming({ hash: lane.state.hash!, only: keyOf(ask) });
    lane.state.lastReadBack = value;
    lane.take(ask, () => {});
    return [guards.length, lane.last?.code ?? null];
  };
  // 600, and 2^53 - 3: its value times 0.1, divided by it again, is the next one.
  expect(proofOf([0, 0, 0, 0, 0, 0, 600 >> 8, 600 & 255], 600 * scale)[0]).toBe(1);
  expect(proofOf([0, 0x1f, 255, 255, 255, 255, 255, 253], (2 ** 53 - 3) * scale))
    .toEqual([0, "does-not-fit"]);
});

describe.each([
  ["read", "The command's deadline passed 1 ms ago, before its tag was read."],
  ["write", "The command's deadline passed 1 ms ago, before it was sent."],
] as const)("W11: a command that waits for its %s on a link that hangs", (hangs, sentence) => {
  const start = () => {
    const clock = { now };
    const one = laneOf(now, () => {}, { hangs, clock, readBack: 620 });
    const answers: unknown[] = [];
    const ask = (id: string, within: number): void => {
      one.lane.take(fixture.restAsk({ id, notAfter: clock.now + within }), (outcome, refusal) =>
        answers.push(outcome.code ?? outcome.outcome, refusal?.sentence ?? null));
    };
    const step = (at: number): number => one.lane.step(clock.now = at, at, false);
    return { ...one, answers, ask, step };
  };

  test("ends with its deadline, in the turn after it, and cannot leave later", () => {
    const { lane, guards, answers, ask, step, goOn, story } = start();
    ask("a-1", 300);
    expect([lane.onTheWire, step(now + 300)]).toEqual([false, now + 301]);
    expect(answers).toEqual([]);
    step(now + 301);
    expect(answers).toEqual(["expired", sentence]);
    expect([lane.state.phase, lane.state.busy]).toEqual(["idle", null]);
    goOn();
    expect([guards, answers.length, lane.state.phase]).toEqual([[], 2, "idle"]);
    // What had an intent has an outcome, once.
    expect(story).toEqual(hangs === "write" ? ["expired"] : []);
  });
  test("ends with its arming, and says why: nothing waits for it", () => {
    const { lane, guards, answers, ask, step, goOn, box } = start();
    ask("a-1", 5000);
    box.latched = "anna";
    lane.end("disarmed by anna");
    expect(lane.onTheWire).toBe(false);
    step(now + 2);
    expect(answers[0]).toBe("latched");
    // The link goes on when the latch is lifted and the tag armed anew: too late.
    box.latched = null;
    lane.state.arming = fixture.arming({ hash: lane.state.hash! });
    goOn();
    expect([guards, answers.length]).toEqual([[], 2]);
  });
  test("what goes on for it meanwhile is nothing to the next command", () => {
    const { guards, answers, ask, step, goOn, lane } = start();
    ask("a-1", 300);
    step(now + 301);
    ask("a-2", 300);
    goOn();
    goOn();
    goOn();
    expect([guards.length, answers.slice(2)]).toEqual([1, ["verified", null]]);
    expect(lane.state.phase).toBe("idle");
  });
});

test("W4: from its last look to the answer a frame may leave, and not before", () => {
  const { lane, goOn, guards } = laneOf(now, () => {}, { hangs: "write" });
  lane.take(fixture.restAsk(), () => {});
  expect([lane.state.phase, lane.onTheWire]).toEqual(["intended", false]);
  goOn();
  expect([guards.length, lane.onTheWire]).toEqual([1, true]);
});

test("W10, W11: an intent that is being committed ends by its last look, with one outcome", () => {
  const clock = { now };
  const { lane, goOn, guards, story } = laneOf(now, () => {}, { hangs: "commit", clock });
  const codes: unknown[] = [];
  lane.take(fixture.restAsk({ notAfter: now + 300 }), ({ code }) => codes.push(code));
  clock.now = now + 400;
  lane.step(clock.now, clock.now, false);
  expect([codes, story]).toEqual([[], []]);
  goOn();
  expect([guards, codes, story]).toEqual([[], ["expired"], ["expired"]]);
});

test("W15: a frame that left waits for its answer, past its deadline and its arming", () => {
  const clock = { now };
  const { lane, goOn, guards } = laneOf(now, () => {}, { hangs: "answer", clock, readBack: 620 });
  const outcomes: unknown[] = [];
  lane.take(fixture.restAsk({ notAfter: now + 300 }), ({ outcome }) => outcomes.push(outcome));
  clock.now = now + 400;
  lane.end("disarmed by anna");
  lane.step(clock.now, clock.now, false);
  expect([guards.length, outcomes, lane.onTheWire]).toEqual([1, [], true]);
  goOn();
  expect([outcomes, lane.onTheWire]).toEqual([["verified"], false]);
});

test.each([[300, 2000], [5000, 5000]])(
  "W11: of %s ms the read has what there is, and the read-back %s", (within, readBack) => {
    const { lane, waits } = laneOf(now, () => {}, { readBack: 620 });
    lane.take(fixture.restAsk({ notAfter: now + within }), () => {});
    expect(waits).toEqual([now + within, now + readBack]);
  });
