import { expect, test } from "bun:test";
import { Alike } from "../../src/base.ts";

class Shape {
  readonly fields = [{ name: "a" }];
}

test("equal parts become one, whatever they are parts of", () => {
  const alike = new Alike();
  const one = alike.of({ name: "x", parts: [{ at: 1 }, { at: 2 }], text: "long".repeat(9) });
  const two = alike.of({ name: "y", parts: [{ at: 1 }, { at: 2 }], text: "long".repeat(9) });
  expect(two).toEqual({ name: "y", parts: [{ at: 1 }, { at: 2 }], text: "long".repeat(9) });
  expect(two).not.toBe(one);
  expect(two.parts).toBe(one.parts);
  expect(alike.of([{ at: 2 }])[0]).toBe(one.parts[1]!);
});

test("what is not equal stays apart", () => {
  const alike = new Alike();
  const values: unknown[] = [1, "1", [1], ["1"], { a: 1 }, { a: "1" }, { a: [1] }, { "a:1": 1 },
    { a: undefined }, {}, [], [[]], 0, -0, NaN, null, true, "true", ["a", "b"], ["a,b"],
    { a: -0 }, { a: 0 }, { a: 1, b: 2 }, { b: 2, a: 1 }];
  const given = values.map((value) => alike.of(value));
  given.forEach((value, i) => expect(Object.is(value, values[i]) ||
    Bun.deepEquals(value, values[i], true), String(i)).toBe(true));
  expect(new Set(given).size).toBe(values.length - 1); // 0 and -0 are one to a Set
});

test("of an object of a class its open parts stay; a Set stays itself", () => {
  const alike = new Alike();
  const shape = alike.of(new Shape());
  expect(Bun.deepEquals(shape, structuredClone(shape), true)).toBe(true);
  expect(alike.of({ fields: [{ name: "a" }] })).toBe(shape);
  const [one, two] = [new Set(["a"]), new Set(["b"])];
  expect(alike.of({ one, two })).toEqual({ one, two });
});
