import { expect, test } from "bun:test";
import { Arena, BAD, FLAG, flagNames, GOOD, Ring, UNCERTAIN, writeCell } from "../../src/ring.ts";
import { doubt } from "../../src/runtime/doubt.ts";

test("W8: a row is doubtful if no tag of its device is good, whatever is constant in it", () => {
  const float = (name: string) => ({ name, kind: "float64", slot: 0 } as const);
  const layout = Ring.layout("press.fast", [float("a"), float("line"), float("b")], 8);
  const { ring } = Ring.create(Arena.create(2 * layout.bytes), layout);
  const [a, , b] = ring.columns;
  const flags = (...rows: readonly (readonly [number, number])[]): string[] => {
    const from = ring.head;
    ring.claim(rows.length);
    for (const [i, states] of rows.entries()) {
      const seq = (from + i) | 0;
      ring.columns.forEach((column) => writeCell(ring, column, seq, 1));
      [a!, b!].forEach(({ state }, k) => { ring.arena.U[state + (seq & ring.mask)] = states[k]!; });
      ring.arena.U[ring.flagsAt + (seq & ring.mask)] = FLAG.timeUncertain;
    }
    doubt(ring, from, rows.length, [a!, b!]);
    ring.publish(rows.length);
    return rows.map((_, i) =>
      flagNames(ring.arena.U[ring.flagsAt + ((from + i) & ring.mask)]!).join(" "));
  };
  const [fresh, doubtful] = ["time-uncertain", "time-uncertain doubtful"];
  expect(flags([GOOD, GOOD], [BAD.timeout, GOOD], [GOOD, UNCERTAIN.forced]))
    .toEqual([fresh, fresh, fresh]);
  expect(flags([BAD.timeout, BAD.disconnected], [UNCERTAIN.forced, BAD.timeout],
    [GOOD, BAD.timeout], [BAD.paused, BAD.paused])).toEqual([doubtful, doubtful, fresh, doubtful]);
  // Over the wrap of the ring.
  expect(flags([GOOD, GOOD], [BAD.timeout, BAD.timeout], [GOOD, GOOD]))
    .toEqual([fresh, doubtful, fresh]);
});
