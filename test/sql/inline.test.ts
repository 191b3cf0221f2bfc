import { describe, expect, test } from "bun:test";
import { SqlFault } from "../../src/sql.ts";
import { bind } from "../../src/sql/bind.ts";
import { faultsOf, type UserFunctions } from "../../src/sql/rewrite/inline.ts";
import { compile, compileConditions, explain } from "../../src/sql.ts";
import { catalog } from "./catalog.ts";

type Texts = Readonly<Record<string, readonly [parameters: string, sql: string]>>;

const mapOf = (texts: Texts): UserFunctions => new Map(Object.entries(texts).map(
  ([name, [parameters, sql]]) =>
    [name.toLowerCase(), { name, parameters: parameters.split(" ").filter(Boolean), sql }]));

const functions = mapOf({
  kw: ["volts amps", "volts * amps / 1000"],
  hot: ["t", "t > limit_of() + 10"],
  limit_of: ["", "80"],
  spread: ["x", "max(x) - min(x)"],
  Calm: ["x", "abs(derivative(x)) < 1"],
  far: ["x", "x > press.setpoint"],
  wrong: ["x", "x + \n  lenght(x)"],
  typed: ["x", "concat(x, 'a') > 5 + 1"],
  stray: ["x", "x + pressure"],
});
const own = { ...catalog, functions };

const thrown = (sql: string): SqlFault => {
  try {
    bind(sql, own);
  } catch (fault) {
    if (fault instanceof SqlFault) return fault;
    throw fault;
  }
  throw new Error(`bound: ${sql}`);
};

/** The stages of two queries are the same text, and so are their numbers. */
function same(called: string, written: string): void {
  const [a, b] = [compile(called, own), compile(written, catalog)].map(({ stages, output }) =>
    JSON.stringify([stages, output.map((c) => c.name)]));
  expect(a).toBe(b!);
}

describe("a user's function is its expression", () => {
  test.each([
    ["SELECT kw(temperature, pressure + 1) AS p FROM press.fast",
      "SELECT temperature * (pressure + 1) / 1000 AS p FROM press.fast"],
    ["SELECT KW(temperature, 2) FROM press.fast",
      "SELECT temperature * 2 / 1000 AS kw FROM press.fast"],
    ["SELECT temperature AS t FROM press.fast WHERE hot(kw(temperature, 3))",
      "SELECT temperature AS t FROM press.fast WHERE temperature * 3 / 1000 > 80 + 10"],
    ["SELECT spread(power) AS s FROM m-01.slow GROUP BY TUMBLINGWINDOW(ss, 10)",
      "SELECT max(power) - min(power) AS s FROM m-01.slow GROUP BY TUMBLINGWINDOW(ss, 10)"],
    ["SELECT calm(temperature) AS c FROM press.fast",
      "SELECT abs(derivative(temperature)) < 1 AS c FROM press.fast"],
    ["SELECT far(temperature) AS c FROM press.fast",
      "SELECT temperature > press.setpoint AS c FROM press.fast"],
  ])("%s", same);

  test("in a permit, too", () => {
    expect(compileConditions(["hot(press.temperature)"], own).stages[0]!.text)
      .toBe(compileConditions(["press.temperature > 80 + 10"], catalog).stages[0]!.text);
  });

  test("explain shows it", () => {
    expect(explain(compile("SELECT kw(temperature, 2) AS p FROM press.fast", own)))
      .toContain("function kw: volts * amps / 1000");
  });
});

describe("errors say where in which text", () => {
  test.each([
    ["SELECT wrong(temperature) FROM press.fast",
      "in the function wrong, 2:3: There is no function lenght()", "  lenght(x)\n  ^^^^^^^^^"],
    ["SELECT typed(temperature) AS t FROM press.fast",
      "1:14: Here a text is expected, but this is a float", "^^^^^^^^^^^"],
    ["SELECT typed('b') AS t FROM press.fast",
      "in the function typed, 1:1: A text cannot be compared", "concat(x, 'a') > 5 + 1\n^"],
    ["SELECT stray(temperature) AS t FROM press.fast",
      "in the function stray, 1:5: pressure is no parameter of stray(x)", "    ^^^^^^^^"],
    ["SELECT kw(temperature) AS t FROM press.fast",
      "1:8: kw(volts, amps) is called with 1 argument", "^^^^"],
    ["SELECT kw(temperature, 1) OVER (WHEN TRUE) AS t FROM press.fast",
      "1:8: kw() stands for", "^"],
    ["SELECT kww(temperature, 1) AS t FROM press.fast", "1:8: There is no function kww()", "^^^"],
  ])("%s", (sql, message, caret) => {
    const fault = thrown(sql);
    expect(fault.message).toStartWith(message);
    expect(fault.caret).toContain(caret);
  });

  test("the nearest name may be a user's", () => {
    expect(thrown("SELECT kww(temperature, 1) AS t FROM press.fast").nearest).toBe("kw");
  });
});

describe("definitions", () => {
  const wrong = (texts: Texts): string =>
    faultsOf(mapOf(texts)).map(({ name, fault }) => `${name}: ${fault.message}`).join("\n");

  test("right ones have no fault", () => {
    expect(wrong({ kw: ["v a", "v * a"], twice: ["x", "kw(x, 2)"], now_hot: ["", "d.a > 5"] }))
      .toBe("");
  });
  test.each<[string, Texts, string]>([
    ["recursion", { a: ["x", "1 + b(x)"], b: ["x", "a(x)"] },
      "a: in the function b, 1:1: a() calls itself: a → b → a"],
    ["a name that is taken", { Lag: ["x", "x"] }, "Lag: 1:1: Lag() is a function already"],
    ["a parameter twice", { f: ["x x", "x"] }, "The parameter x stands there twice"],
    ["text that is none", { f: ["x", "x + "] }, "in the function f, 1:5"],
    ["what is no parameter", { f: ["x", "x + y"] }, "in the function f, 1:5: y is no parameter"],
    ["an unknown function", { f: ["x", "squar(x)"] },
      "in the function f, 1:1: There is no function"],
    ["too few arguments inside", { f: ["x", "power(x)"] }, "in the function f, 1:1: power("],
    ["a part of a parameter", { f: ["x", "x.y"] }, "x->y"],
  ])("%s", (_, texts, sentence) => {
    expect(wrong(texts)).toContain(sentence);
  });

  test("one that would become gigabytes of expression is refused at once", () => {
    const texts: Record<string, readonly [string, string]> = { f0: ["x", "x + x"] };
    for (let i = 1; i < 64; i++) texts[`f${i}`] = ["x", `f${i - 1}(x) + f${i - 1}(x)`];
    expect(wrong(texts)).toContain("too large");
  });
});
