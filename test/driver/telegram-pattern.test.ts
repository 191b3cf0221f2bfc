import { describe, expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import { Pattern } from "../../src/driver/telegram/pattern.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Groups as texts, as RegExp gives them; null = no match. */
function groups(pattern: Pattern, text: string): (string | undefined)[] | null {
  if (!pattern.match(bytesOf(text), 0, text.length)) return null;
  const { found } = pattern;
  return Array.from({ length: pattern.groups + 1 }, (_, i) =>
    found[2 * i]! < 0 ? undefined : text.slice(found[2 * i], found[2 * i + 1]));
}

test.each([
  ["^S ([SD]) +(-?[\\d.]+) (\\w+)$", "S S  100.00 g", ["S S  100.00 g", "S", "100.00", "g"]],
  ["(a|ab)(c|bcd)", "xabcd", ["abcd", "a", "bcd"]],
  ["\\x41[^,;]*", "..A12,3", ["A12"]],
  ["a{2,3}?", "aaaa", ["aa"]],
  ["(x)?y", "y", ["y", undefined]],
  ["", "abc", [""]],
  ["b$", "bab", ["b"]],
])("%s in %s", (text, subject, found) => {
  expect(groups(new Pattern(text), subject)).toEqual(found as string[]);
});

test.each([
  ["(a", "without its `)`"], ["a)", "without its `(`"], ["[a", "without its `]`"],
  ["*a", "repeats nothing"], ["a**", "one repeat after the other"], ["(?=a)", "only `(?:`"],
  ["\\b", "not known here"], ["a{300}", "no count"], ["(a{100}){100}", "longer than 256 steps"],
  ["\\xZZ", "two hexadecimal digits"], ["[z-a]", "from the lower character"], ["°", "no ASCII"],
])("%s is refused", (text, sentence) => {
  expect(() => new Pattern(text)).toThrow(sentence);
});

/** A random expression of the part of the language whose meaning RegExp shares. */
function expression(rng: Random, depth: number): string {
  const pick = <T>(of: readonly T[]): T => of[rng.below(of.length)]!;
  const one = (): string => {
    const kind = depth === 0 ? rng.below(4) : rng.below(6);
    if (kind === 4) return `(${expression(rng, depth - 1)})`;
    if (kind === 5) return `(?:${expression(rng, depth - 1)})`;
    return pick(["a", "b", "c", ".", "[ab]", "[^a]", "\\d", "\\w", "\\s"]);
  };
  const sequence = (): string => Array.from({ length: 1 + rng.below(3) }, () =>
    one() + pick(["", "", "", "*", "+", "?", "*?", "+?", "{1,2}", "{2}"])).join("");
  const body = Array.from({ length: 1 + rng.below(2) }, sequence).join("|");
  return depth === 2 ? pick(["", "^"]) + body + pick(["", "$"]) : body;
}

describe("as RegExp finds it", () => {
  test("random expressions on random texts", () => {
    const rng = createRandom(20261126);
    let compared = 0;
    for (let i = 0; i < 4000; i++) {
      const text = expression(rng, 2);
      // A repeat of what can be empty differs: RegExp forgets groups there, others do not.
      if (/[)][*+?{]/.test(text)) continue;
      const pattern = new Pattern(text);
      for (let n = 0; n < 5; n++) {
        const subject = Array.from({ length: rng.below(9) }, () => "abc 1"[rng.below(5)]).join("");
        const expected = new RegExp(text).exec(subject);
        expect({ text, subject, groups: groups(pattern, subject) })
          .toEqual({ text, subject, groups: expected === null ? null : [...expected] });
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(5000);
  });

  test("what makes a backtracking engine slow takes bytes times steps", () => {
    const pattern = new Pattern("^(a+)+$");
    const text = bytesOf(`${"a".repeat(1000)}b`);
    // A backtracking one would try 2^1000 ways and never end.
    expect(pattern.match(text, 0, text.length)).toBe(false);
  });
});
