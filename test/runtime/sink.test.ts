import { describe, expect, test } from "bun:test";
import type { OnChange } from "../../src/config.ts";
import { Arena, BAD, Ring, writeCell, type Dyn } from "../../src/ring.ts";
import { Changes } from "../../src/runtime/sink-changes.ts";
import { SinkRunner } from "../../src/runtime/sink.ts";

const always: OnChange = { deadbands: {}, every: null, atLeast: null };
const columns = [
  { name: "x", kind: "float64", slot: 0 }, { name: "id", kind: "int64", slot: 0 },
  { name: "text", kind: "text", slot: 16 }, { name: "$oldest", kind: "time", slot: 0 },
] as const;

/** A sink that takes at most `room` rows a call, and what it was sent of column x. */
function fixture(onChange: OnChange | null, room = Infinity) {
  const layout = Ring.layout("rule", columns, 64);
  const { ring } = Ring.create(Arena.create(layout.bytes), layout);
  const sent: number[] = [];
  const sink = { drain: (from: number, to: number): number => {
    const end = (from + Math.min(room, (to - from) | 0)) | 0;
    for (let seq = from; seq !== end; seq = (seq + 1) | 0) {
      sent.push(ring.arena.F[ring.columns[0]!.payload + (seq & ring.mask)]!);
    }
    return end;
  } };
  const runner = new SinkRunner(sink as never, ring, ring.head,
    { name: "s", type: "log", link: null, omitIfEmpty: false, onChange, settings: {} });
  const put = (x: Dyn, { id = 1n, text = "a", time = 0, state = 0 } = {}): void => {
    ring.claim(1);
    [x, id, text, ring.head].forEach((value, i) =>
      writeCell(ring, ring.columns[i]!, ring.head, value, i === 0 ? state : 0));
    ring.arena.F[ring.timeAt + (ring.head & ring.mask)] = time;
    ring.publish(1);
  };
  const drained = (): number[] => {
    for (let calls = 0; runner.step() && calls < 100; calls++);
    return sent;
  };
  return { put, drained, runner, ring };
}

describe("a sink with onChange", () => {
  test("is told the first row and each in which something shown differs", () => {
    const { put, drained, runner } = fixture(always);
    put(1); put(1); put(2); put(2, { id: 9007199254740993n }); put(2, { id: 9007199254740992n });
    put(2, { id: 9007199254740992n, text: "b" }); put(2, { id: 9007199254740992n, text: "b" });
    expect(drained()).toEqual([1, 2, 2, 2, 2]);
    expect([runner.sent, runner.lost]).toEqual([5, 0]);
  });

  test("is told of another quality, once", () => {
    const { put, drained } = fixture(always);
    put(1); put(1, { state: BAD.timeout }); put(1, { state: BAD.timeout }); put(1);
    expect(drained()).toEqual([1, 1, 1]);
  });

  test("compares with what was told, not with the row before: a slow drift is seen", () => {
    const { put, drained } = fixture({ ...always, every: { band: 0.5, percent: false } });
    for (const x of [10, 10.2, 10.4, 10.5, 10.6, 10.8, 11.2]) put(x);
    expect(drained()).toEqual([10, 10.6, 11.2]);
  });

  test("has a band by column, in percent too, from which 0 gets out", () => {
    const { put, drained } = fixture({ ...always, deadbands: { x: { band: 10, percent: true } } });
    for (const x of [100, 109, 111, 100, 0, 0, 0.001]) put(x);
    expect(drained()).toEqual([100, 111, 0, 0.001]);
  });

  test("has a band for arrays: one item over it is enough", () => {
    const layout = Ring.layout("rule", [{ name: "a", kind: "dyn", slot: 64 }], 64);
    const { ring } = Ring.create(Arena.create(layout.bytes), layout);
    const changes = new Changes(ring, { ...always, every: { band: 0.5, percent: false } });
    const told = (value: Dyn): boolean => {
      writeCell(ring, ring.columns[0]!, 0, value);
      return changes.isTold(0);
    };
    expect([[1, 2n, 3], [1.4, 2n, 2.6], [1, 2n, 3.6], [1, 2n, 4], [1, 2n], [1, 2n]].map(told))
      .toEqual([true, false, true, false, true, false]);
    expect([["a"], ["a"], ["b"], [1], null, [1]].map(told))
      .toEqual([true, false, true, true, true, true]);
  });

  test("has a band for whole numbers of 64 bits", () => {
    const deadbands = { id: { band: 1000, percent: false } };
    const { put, drained } = fixture({ ...always, deadbands });
    const big = 2n ** 52n;
    for (const id of [big, big + 900n, big + 2000n, -big, -big - 500n, 0n]) put(1, { id });
    expect(drained().length).toBe(4);
  });

  test("is told at least so often, by the rows' own time", () => {
    const { put, drained } = fixture({ ...always, atLeast: 1000 });
    for (const time of [0, 400, 999, 1000, 1500, 1999]) put(1, { time });
    expect(drained()).toEqual([1, 1]);
  });

  test("that takes few at a time gets the same rows", () => {
    for (const room of [1, 2, Infinity]) {
      const { put, drained } = fixture(always, room);
      for (let i = 0; i < 40; i++) put(Math.floor(i / 3));
      const all: number[] = [];
      for (let turn = 0; turn < 20; turn++) all.splice(0, Infinity, ...drained());
      expect(all).toEqual(Array.from({ length: 14 }, (_, i) => i));
    }
  });

  test("counts what it was too slow for, and goes on", () => {
    const { put, drained, runner } = fixture(always);
    for (let i = 0; i < 100; i++) put(i);
    expect(drained().length).toBe(64);
    expect(runner.lost).toBe(36);
  });
});
