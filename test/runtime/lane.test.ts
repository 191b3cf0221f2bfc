import { expect, test } from "bun:test";
import { DONE, modbusRtu } from "../../src/driver.ts";
import { Tag } from "../../src/config.ts";
import { Arena, BAD, Ring, tagColumn } from "../../src/ring.ts";
import type { TagPolicy } from "../../src/config.ts";
import type { Command } from "../../src/gate.ts";
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
    readBack = undefined as number | null | undefined, forced = [] as readonly string[], lag_ms = 0,
  } = {},
) {
  const answers = readBack !== undefined;
  const guards: (Guard & { until: number })[] = [];
  const story: (string | null)[] = [];
  let reads = 0;
  const { ring, tags } = ringFor([tag("holding 9", "int16", { id: "press.setpoint", scale: 0.1 })]);
  const port: LinkPort = {
    name: "bus", peer: path.peer, open: true, step: () => Infinity, close() {},
    frames: new Frames(), lag_ms: () => lag_ms, view: () => { throw new Error("nobody asks"); },
    read(_tag, raw, done) {
      reads += 1;
      const words = reads === 1 ? 600 : readBack!;
      raw.set([words >> 8, words & 255]);
      done(words === null ? BAD.timeout : DONE, 0, true, NaN, null);
      return true;
    },
    write(_tag, raw, guard, done) {
      const until = guard.last(now);
      if (until !== null) guards.push({ ...guard, until });
      if (until !== null && station === 0) done(BAD.broadcast, 0, true, now, raw);
      if (until === null) done(BAD.disconnected, 0, false, NaN, null);
      else if (answers) done(DONE, 0, true, now, raw);
      return true;
    },
  };
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const lane = new Lane({
    tag: new Tag({ name: "press", station }, { ...tags[0]!, ...path,
      name: "setpoint", type: "int16", eu: "°C", writable: true }),
    driver: modbusRtu, link, port, policy, ring, interval: 100,
    permit: permitOf(permitAt), box: fixture.box(), log,
    audit: { intent: (_command, _admitted, _tag, done) => (committing(), done(null)),
      outcome: (_command, { code }) => story.push(code), refused() {},
      reserve: () => Promise.resolve(true) },
    clock: { now: () => now, time: () => now, steps: 0, certain: true,
      shared: new SharedArrayBuffer(0) },
    wake() {}, armingEnded() {}, isOverridden: (tag) => forced.includes(tag),
    leftAlone: () => alone.device,
  });
  lane.step(now, now, false);
  lane.state.arming = fixture.arming({ hash: lane.state.hash! });
  lane.state.lastReadBack = 60;
  return { lane, guards, ring, story, reads: () => reads };
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
