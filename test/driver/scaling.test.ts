import { describe, expect, test } from "bun:test";
import { Scaling } from "../../src/driver/scaling.ts";
import { stateName } from "../../src/ring.ts";

const card = [5530, 27648] as const;
const scaling = (more: Partial<ConstructorParameters<typeof Scaling>[0]> = {}): Scaling =>
  new Scaling({ scale: 1, offset: 0, decimals: null, signal: null, ...more });

describe("a signal of 4 to 20 mA (NE 43)", () => {
  const rawOf = (mA: number, [at4, at20]: readonly [number, number]): number =>
    at4 + (mA - 4) * (at20 - at4) / 16;
  const cases: readonly [number, string][] = [
    [0, "bad:underrange"], [3.59, "bad:underrange"], [3.61, "uncertain:saturated"],
    [3.79, "uncertain:saturated"], [3.81, "good"], [4, "good"], [12, "good"], [20, "good"],
    [20.49, "good"], [20.51, "uncertain:saturated"], [20.99, "uncertain:saturated"],
    [21.01, "bad:overrange"], [24, "bad:overrange"],
  ];
  for (const [mA, state] of cases) {
    test(`${mA} mA is ${state}, whichever way the range runs`, () => {
      for (const range of [card, [20000, 4000], [-1, 1]] as const) {
        expect(stateName(scaling({ signal: range }).stateOf(rawOf(mA, range)))).toBe(state);
      }
    });
  }

  test("NaN is out of range, with a signal and without", () => {
    for (const signal of [card, null]) {
      expect(stateName(scaling({ signal }).stateOf(NaN))).toBe("bad:range");
    }
  });
});

test("decimals round what a row has, not what limits are tested on", () => {
  const tenths = scaling({ scale: 0.0123, decimals: 1 });
  expect([tenths.value(1000), tenths.exact(1000)]).toEqual([12.3, 12.3]);
  expect([tenths.value(1004), tenths.exact(1004)]).toEqual([12.3, 12.3492]);
});

test("raw is the way back", () => {
  const both = scaling({ scale: -0.5, offset: 40 });
  expect(both.raw(both.exact(17))).toBe(17);
});
