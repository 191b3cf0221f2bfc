import { expect, test } from "bun:test";
import { Arena, BAD, copyCell, readCell, Ring, stateName, writeCell, type CellValue,
} from "../../src/ring.ts";
import { Overrides } from "../../src/runtime/overrides.ts";

const silent = { debug() {}, info() {}, warn() {}, error() {} } as never;

/** A group of one tag as a link fills it: a row that fails repeats the one before. */
function group(kind: "float64" | "text" = "float64") {
  const layout = Ring.layout("press.fast", [{ name: "t", kind, slot: kind === "text" ? 8 : 0 }], 8);
  const { ring } = Ring.create(Arena.create(2 * layout.bytes), layout);
  const column = ring.columns[0]!;
  let now = 0;
  const overrides = new Overrides({}, { now: () => now, log: silent });
  const publish = (): string => {
    overrides.apply(ring, ring.head, 1);
    ring.publish(1);
    const seq = ring.head - 1;
    const state = ring.arena.U[column.state + (seq & ring.mask)]!;
    // What `raw(tag)` gives: the last known value, whatever the state.
    ring.arena.U[column.state + (seq & ring.mask)] = 0;
    const value = readCell(ring, column, seq);
    ring.arena.U[column.state + (seq & ring.mask)] = state;
    return `${value} ${stateName(state)}`;
  };
  return {
    overrides, ring,
    force: (value: number | string, until: number) =>
      overrides.force({ tag: "press.t", ring, column, value, by: "anna", until }),
    at: (ms: number) => (now = ms),
    says(value: CellValue): string {
      ring.claim(1);
      writeCell(ring, column, ring.head, value);
      return publish();
    },
    fails(): string {
      ring.claim(1);
      copyCell(ring, column, ring.head - 1, ring, column, ring.head);
      ring.arena.U[column.state + (ring.head & ring.mask)] = BAD.timeout;
      return publish();
    },
  };
}

test("after a force that a person ends, a device that fails repeats its own last value", () => {
  const it = group();
  expect(it.says(7)).toBe("7 good");
  it.force(71, 1000);
  expect(it.says(8)).toBe("71 uncertain:forced");
  it.overrides.unforce("press.t");
  expect([it.fails(), it.fails()]).toEqual(["8 bad:timeout", "8 bad:timeout"]);
  expect(it.says(9)).toBe("9 good");
  expect(it.overrides.has("press.t")).toBe(false);
});

test("the same if it fails while it is forced, and the force ends by time", () => {
  const it = group();
  it.says(7);
  it.force(71, 1000);
  expect([it.fails(), it.fails()]).toEqual(["71 uncertain:forced", "71 uncertain:forced"]);
  it.at(1000);
  expect([it.fails(), it.fails()]).toEqual(["7 bad:timeout", "7 bad:timeout"]);
});

test("forced anew with another value, the own one stays the device's", () => {
  const it = group("text");
  it.says("on");
  it.force("off", 1000);
  it.fails();
  it.force("idle", 1000);
  expect(it.fails()).toBe("idle uncertain:forced");
  expect(it.overrides.told).toEqual(["press.t is forced by anna for another 1 s"]);
  it.overrides.unforce("press.t");
  expect(it.overrides.told).toEqual([]);
  expect(it.fails()).toBe("on bad:timeout");
});

test("its time is over whether or not another row comes", () => {
  const it = group();
  it.says(7);
  it.force(71, 1000);
  it.at(999);
  expect(it.overrides.has("press.t")).toBe(true);
  it.at(1000);
  expect(it.overrides.has("press.t")).toBe(false);
  expect(it.overrides.told).toEqual([]);
});

test("a change that makes the rows of its group anew ends it, another one does not", () => {
  const it = group();
  it.says(7);
  it.force(71, 1000);
  it.overrides.keep(new Set([it.ring]));
  expect(it.overrides.has("press.t")).toBe(true);
  expect(it.says(8)).toBe("71 uncertain:forced");
  it.overrides.keep(new Set());
  expect(it.overrides.has("press.t")).toBe(false);
  expect(it.says(8)).toBe("8 good");
});
