import { describe, expect, test } from "bun:test";
import { type Dyn, DynWriter, jsonOfDyn, stateName } from "../../src/ring.ts";
import { expand } from "../../src/sql/arguments.ts";
import { bindSelect } from "../../src/sql/bind.ts";
import {
  aggregateFunctions, scalarFunctions, type ScalarFunction, statefulFunctions,
} from "../../src/sql/functions.ts";
import { parseQuery } from "../../src/sql/parser.ts";
import { evaluateQuery } from "../evaluate/evaluate.ts";
import { Bench, catalog } from "./bench.ts";

/** Every plain function, over values that nobody thinks of: it answers, and never throws. */
const functions = [...new Set(scalarFunctions.values())];

const nested = (levels: number): Dyn => (levels === 0 ? 1 : [nested(levels - 1)]);
const numbers = [NaN, Infinity, -Infinity, 1e308, 5e-324, -0, 2.5];
const wholes = [0, -1, 3, 40, 1e6, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER];
const texts = ["", "\ud800", "a\udc00b", "Ö😀", "9".repeat(400), "$.a[0]", "[", "gzip", "UTC",
  "year", "dec2hex", "abs"];
const times = [NaN, Infinity, 1e17, 8.64e15, -8.64e15, 0.5];
const bytes = [new Uint8Array(), new Uint8Array([0xff, 0xd8, 0x00])];
const lists: Dyn[] = [[], [new Date(NaN)], [new Date(1e17), "\ud800", null], nested(60),
  [NaN, 2n ** 64n, -(2n ** 63n), Infinity], [new Map([["\udc00", [null]]])]];
const objects: Dyn[] = [new Map(), new Map([["\ud800", new Date(NaN)]]),
  new Map<string, Dyn>([["a", nested(60)], ["", 2n ** 70n]])];
const any: Dyn[] = [null, true, ...numbers, 2n ** 70n, ...texts.slice(0, 4), new Date(NaN),
  ...bytes, ...lists, ...objects];

function valuesOf(letter: string): readonly Dyn[] {
  switch (letter) {
    case "n": case "d": return numbers;
    case "i": return wholes;
    case "u": return wholes.filter((whole) => whole >= 0);
    case "s": return texts;
    case "y": return [...texts, ...bytes];
    case "k": return [...texts, ...wholes];
    case "b": case "B": return [true, false];
    case "t": return times;
    case "l": return [...lists, "no list"];
    case "o": return [...objects, "no object"];
    case "c": return [...texts, ...lists, 1];
    default: return any;
  }
}

/** Argument lists in which each place takes each of its values, with those beside it at random. */
function* callsOf({ parameters, nulls, clock, draws }: ScalarFunction): Generator<Dyn[]> {
  const before = (time: number): Dyn[] => [...clock === undefined ? [] : [time],
    ...Array.from({ length: draws ?? 0 }, () => 2 ** 51)];
  for (let count = 0; count <= 4; count++) {
    const letters = expand(parameters, count);
    if (letters === null) continue;
    const lists = [...letters].map((letter) =>
      [...valuesOf(letter), ...nulls === "sees" ? [null] : []]);
    const most = Math.max(1, ...lists.map((list) => list.length));
    for (let turn = 0; turn < most; turn++) {
      for (let shift = 0; shift < 5; shift++) {
        yield [...before(shift === 0 ? 1e17 : 1e12),
          ...lists.map((list, i) => list[(turn + shift * i) % list.length]!)];
      }
    }
  }
}

/** What is wrong with an argument that would be refused if it were written out, or null. */
const faultIn = ({ constants = {} }: ScalarFunction, args: readonly Dyn[]): string | null =>
  Object.entries(constants).map(([i, fault]) => fault(args[Number(i)] as string))
    .find((fault) => fault !== null) ?? null;

const room = new Uint8Array(1 << 17);

test("no body throws, each refuses if its record says so, what it gives can be written", () => {
  let calls = 0;
  for (const fn of functions) {
    let refused = false;
    for (const args of callsOf(fn)) {
      const shown = `${fn.name}(${args.map((arg) => Bun.inspect(arg).slice(0, 40)).join(", ")})`;
      try {
        const result = (fn.body as (...args: Dyn[]) => Dyn | undefined)(...args);
        calls++;
        if (result === undefined) {
          refused = true;
          if (fn.refuses === "constants") expect([shown, faultIn(fn, args)]).not.toContain(null);
          continue;
        }
        jsonOfDyn(result);
        new DynWriter().write(room, 0, 65_536, result);
      } catch (thrown) {
        throw new Error(`${shown} throws ${thrown}`);
      }
    }
    expect([fn.name, refused]).toEqual([fn.name, fn.refuses !== undefined]);
  }
  expect(calls).toBeGreaterThan(5000);
});

test("a time that is no date is an error as a text, too", () => {
  const x = "convert_tz(m, 'UTC')";
  for (const expr of [`array_join(array_create(${x}), ',')`,
    `cast(array_create(${x})[0], "string")`]) {
    const bench = new Bench(expr);
    expect([expr, bench.row({ m: 0 })]).toEqual([expr, "1970-01-01T00:00:00.000Z good 0"]);
    expect([expr, bench.row({ m: 1e17 })]).toEqual([expr, expect.stringMatching(/^error:/)]);
  }
});

test("half of a pair of surrogates is U+FFFD in all that is made of a message", () => {
  const x = '{"n":"\\ud800"}';
  for (const [expr, result] of [["to_json(x)", '{"n":"\ufffd"}'], ["x->n", "\ufffd"],
    ["upper(x->n)", "\ufffd"], ["length(x->n)", "1"]]) {
    expect([expr, new Bench(expr!).row({ x })]).toEqual([expr, `${result} good 0`]);
  }
});

test("a byte order mark in front of a text is a character of it", () => {
  for (const [expr, result] of [["upper(t)", "\ufeffA"], ["length(t)", "2"],
    ["concat(t, 'b')", "\ufeffab"], ["array_create(t)[0]", "\ufeffa"]]) {
    expect([expr, new Bench(expr!).row({ t: "\ufeffa" })]).toEqual([expr, `${result} good 0`]);
  }
});

describe("whole numbers of 64 bits past 2^53", () => {
  const bigs = [9007199254740993n, -9007199254740993n, 2n ** 63n - 1n, -(2n ** 63n)];
  const others: Record<string, string> = { n: "2", d: "2", i: "2", u: "2", s: "'a'", y: "'a'",
    k: "2", b: "TRUE", t: "'2026-01-31T08:00:00Z'", v: "1", l: "array_create(1, 2)", c: "'a'",
    o: "object_construct('a', 1)" };

  /** Calls with the number in each place that takes one as a number. */
  const calls = functions.flatMap(({ name, parameters }) => {
    if (name.startsWith("$") || /[fTB*]/.test(parameters)) return [];
    const found: string[] = [];
    for (let count = 1; count <= 4; count++) {
      const letters = expand(parameters, count);
      for (let place = 0; letters !== null && place < count; place++) {
        if (!"ndiukt".includes(letters[place]!)) continue;
        found.push(`${name}(${[...letters].map((letter, i) =>
          (i === place ? "X" : others[letter])).join(", ")})`);
      }
    }
    return found;
  });

  /** What is exact, worked out here on its own; of 2 beside it, wherever that stands. */
  const exact: Record<string, (x: bigint) => bigint> = {
    abs: (x) => (x < 0n ? -x : x), sign: (x) => (x < 0n ? -1n : 1n), bitand: (x) => x & 2n,
    bitor: (x) => x | 2n, bitxor: (x) => x ^ 2n, bitnot: (x) => ~x,
  };
  function expected(fn: string, x: bigint): string {
    const whole = exact[fn]?.(x);
    if (whole === undefined) return "error";
    return BigInt.asIntN(64, whole) === whole ? `${whole} good` : "error";
  }

  function bound(expr: string): ReturnType<typeof bindSelect> | null {
    const sql = `SELECT ${expr} AS y FROM s`;
    try {
      return bindSelect(sql, parseQuery(sql), catalog);
    } catch {
      // A constant beside it is none that the function knows.
      return null;
    }
  }

  test("a function gives the exact number or an error, in generated code as in the reference",
    () => {
    let tried = 0;
    for (const column of ["big", "d"]) {
      for (const call of calls) {
        const expr = call.replace("X", column);
        const query = bound(expr);
        if (query === null) continue;
        const bench = new Bench(expr);
        for (const big of bigs) {
          const cells = new Map([[column, { value: big, state: 0 }]]);
          const { rows } = evaluateQuery(query, [{ time: 1000, flags: 0, cells }]);
          const { value, state } = rows[0]!.cells.get("y")!;
          const said = bench.row({ [column]: big }).replace(/ [\d.]+$/, "");
          const reference = state === 0 ? `${value} good` : stateName(state);
          expect([expr, big, reference]).toEqual([expr, big, said]);
          expect([expr, big, said.replace(/^error:.*/, "error")])
            .toEqual([expr, big, column === "d" ? "error" : expected(call.split("(")[0]!, big)]);
          tried++;
        }
      }
    }
    expect(tried).toBeGreaterThan(400);
  });

  test("a function with state takes none that it would round, in any place", () => {
    let tried = 0;
    for (const { name, parameters } of new Set(statefulFunctions.values())) {
      for (let count = 1; count <= 10; count++) {
        const letters = name.startsWith("$") ? null : expand(parameters, count);
        for (let place = 0; letters !== null && place < count; place++) {
          if (letters[place] !== "d") continue;
          const args = [...letters].map((letter, i) => i === place ? "X"
            : letter === "d" && name === "pid" ? String(i) : others[letter]);
          for (const column of ["big", "d"]) {
            const expr = `${name}(${args.join(", ")})`.replace("X", column);
            const bench = new Bench(expr);
            const given = bigs.slice(0, 2).map((big) => bench.row({ [column]: big }));
            expect([expr, ...given.map((said) => said.split(" ")[0])])
              .toEqual([expr, "error:overflow", "error:overflow"]);
            tried++;
          }
        }
      }
    }
    expect(tried).toBeGreaterThan(40);
  });

  test("an aggregate is exact to 64 bits, or takes none that it would round", () => {
    const exactly: Record<string, string> = { sum: "18014398509481988", avg: "9007199254740994",
      min: "9007199254740993", max: "9007199254740995", first: "9007199254740993",
      last: "9007199254740995", count: "2", first_value: "9007199254740993",
      last_value: "9007199254740995" };
    const numeric = [...aggregateFunctions.values()].filter(({ parameters }) =>
      /^[n*a]/.test(parameters) && parameters !== "aB");
    const lists = ["collect", "merge_agg"];
    for (const { name, parameters } of numeric.filter((fn) => !lists.includes(fn.name))) {
      for (const column of ["big", "d"]) {
        const more = parameters.slice(1).replaceAll("n", ", 1").replace("B", ", TRUE");
        for (const window of ["COUNTWINDOW(2)", "SLIDINGWINDOW(ss, 1)"]) {
          const bench = new Bench(`${name}(${column}${more})`, `GROUP BY ${window}`);
          const said = [9007199254740993n, 9007199254740995n]
            .map((big) => bench.row({ [column]: big })).at(-1)!.split(" ")[0]!;
          // What is of no fixed type is a float to a sum, and as it is to what only keeps it.
          const keeps = ["count", "first", "last", "first_value", "last_value"].includes(name);
          expect([name, column, window, said]).toEqual([name, column, window,
            column === "d" && !keeps ? "error:overflow" : exactly[name] ?? "error:overflow"]);
        }
      }
    }
    expect(numeric.length).toBeGreaterThan(15);
  });

  test("values of two kinds that meet in one place are not rounded; arithmetic is a float", () => {
    for (const [expr, result] of [["coalesce(big, 0.5)", "error:overflow"],
      ["CASE WHEN a IS NULL THEN big ELSE 0.5 END", "error:overflow"],
      ["latest(big, 0.5)", "error:overflow"], ["coalesce(big, 1)", "9007199254740993"],
      ["big * 1.0", "9007199254740992"], ["cast(big, \"float\")", "9007199254740992"],
      ["big > 0.5", "true"]]) {
      expect([expr, new Bench(expr!).row({ big: 9007199254740993n }).split(" ")[0]])
        .toEqual([expr, result]);
    }
  });

  test("what works on them by itself keeps their digits", () => {
    for (const [expr, result] of [["big % 10", "3"], ["big - 1", "9007199254740992"],
      ["cast(big, \"string\")", "9007199254740993"], ["to_json(array_create(big))",
        "[9007199254740993]"], ["bitand(7, 3)", "3"], ["big & 3", "1"]]) {
      expect([expr, new Bench(expr!).row({ big: 9007199254740993n })])
        .toEqual([expr, `${result} good 0`]);
    }
  });
});

describe("numbers that are rounded", () => {
  const call = (name: string, ...args: number[]): unknown =>
    (scalarFunctions.get(name)!.body as (...args: number[]) => unknown)(...args);

  test.each([
    [123456789012345.67, 2, 123456789012345.67], [1e16, 2, 1e16],
    [9007199254740992, 0, 9007199254740992], [5e15 + 1, 1, 5e15 + 1],
    [4503599627370495.5, 0, 4503599627370496], [2 ** 51 + 0.25, 0, 2 ** 51], [1.005, 2, 1.01],
    [2.675, 2, 2.68], [0.49999999999999994, 0, 0], [-2.5, 0, -3], [5, -400, 0], [5, 400, 5],
    [56788.34, -3, 57000], [123e24, -22, 123e24], [NaN, 2, NaN], [-Infinity, 2, -Infinity],
  ])("round(%d, %d) = %d", (x, decimals, result) =>
    expect(call("round", x, decimals)).toBe(result));

  test.each([[1.15, 2, 1.15], [-1.29, 1, -1.2], [123456789012345.67, 2, 123456789012345.67],
    [0.999, 0, 0], [8.2, 1, 8.2]])("trunc(%d, %d) = %d", (x, decimals, result) =>
    expect(call("trunc", x, decimals)).toBe(result));
});

test.each([
  ["ln(a)", 0], ["log(a, 5)", 1], ["exp(a)", 1000], ["power(10, a)", 400], ["power(a, -1)", 0],
  ["sinh(a)", 1e3], ["cosh(a)", -1e3], ["degrees(a)", 1e308], ["round(a, 1)", Infinity],
])("%s of %d is not finite: an error", (expr, a) => {
  expect(new Bench(expr).row({ a })).toBe("error:number 0");
});

test("the logarithm of 0 to base 10 is what eKuiper says", () => {
  expect(new Bench("log(a)").row({ a: 0 })).toBe("-Infinity good 0");
});
