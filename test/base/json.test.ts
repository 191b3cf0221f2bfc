import { expect, test } from "bun:test";
import { createRandom, parseJson, stringifyJson } from "../../src/base.ts";

const random = createRandom(7);
const word = (): bigint => BigInt(random.below(2 ** 32));

test("whole numbers of 64 bits come back as they went, wherever they stand", () => {
  for (let i = 0; i < 2000; i++) {
    const whole = BigInt.asIntN(64, (word() << 32n) | word()) >> BigInt(random.below(64));
    const text = `{"a":[${whole}],"b":{"c":${whole}}}`;
    expect(stringifyJson(parseJson(text))).toBe(text);
    const small = Number.isSafeInteger(Number(whole));
    expect(parseJson(String(whole))).toBe(small ? Number(whole) : whole);
  }
});

test.each([
  ["9007199254740991", 9007199254740991], ["9223372036854775808", 9223372036854775808],
  ["-9223372036854775809", -9223372036854775808], ["9007199254740993.0", 9007199254740992],
  ["1e300", 1e300], ['"9007199254740993"', "9007199254740993"],
])("%s is no such number, or fits: as JSON.parse reads it", (text, value) =>
  expect(parseJson(text)).toBe(value));

test("a text that is no JSON is a SyntaxError with and without long digits", () => {
  expect(() => parseJson("{")).toThrow(SyntaxError);
  expect(() => parseJson("{9007199254740993")).toThrow(SyntaxError);
});
