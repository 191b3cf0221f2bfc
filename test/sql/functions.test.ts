import { describe, expect, test } from "bun:test";
import { bindSelect } from "../../src/sql/bind.ts";
import type { Catalog } from "../../src/sql/bound.ts";
import { compile } from "../../src/sql/compile.ts";
import { expand } from "../../src/sql/arguments.ts";
import {
  absentFunctions, aggregateFunctions, knownFunctions, scalarFunctions, statefulFunctions,
} from "../../src/sql/functions.ts";
import { forms } from "../../src/sql/functions/form.ts";
import type { RowsExample } from "../../src/sql/functions/stateful.ts";
import { manual } from "../../src/sql/manual.ts";
import { parseQuery } from "../../src/sql/parser.ts";
import { type Cell, evaluateQuery } from "../evaluate/evaluate.ts";
import { catalog } from "./catalog.ts";

/** The moment of all examples. */
const time = Date.parse("2026-01-31T08:05:09.250Z");

function valueOf(expr: string): Cell & { kind: string } {
  const sql = `SELECT ${expr} AS x FROM orders`;
  const query = bindSelect(sql, parseQuery(sql), catalog);
  const { rows } = evaluateQuery(query, [{ time, flags: 0, cells: new Map() }]);
  return { ...rows[0]!.cells.get("x")!, kind: query.select[0]!.expr.type.kind };
}

describe("each example of each function", () => {
  for (const fn of new Set([...scalarFunctions.values(), ...forms])) {
    for (const example of fn.examples) {
      if (typeof example === "string" || "call" in example) continue;
      const [expr, expected] = example;
      test(`${expr} = ${expected}`, () => {
        const actual = valueOf(expr);
        const wanted = valueOf(expected);
        expect(actual.value as unknown).toBe(wanted.value as unknown);
        if (wanted.value !== null) expect(actual.kind).toBe(wanted.kind);
      });
    }
  }
});

/** Rows a second apart, whose column `x` is of the kind of its values; `clause`: a window. */
function resultsOf(
  call: string, x: readonly string[], clause = "",
): (Cell & { kind: string })[] {
  const cells = x.map(valueOf);
  const { kind } = cells.find(({ value }) => value !== null)!;
  const name = /^changed_cols/.test(call) ? "" : " AS y";
  const sql = `SELECT ${call}${name} FROM s${clause}`;
  const slot = kind === "text" ? 16 : kind === "dyn" ? 64 : 0;
  const query = bindSelect(sql, parseQuery(sql), {
    ...catalog, stream: (stream) => ({ name: stream, interval_ms: null,
      columns: [{ name: "x", kind: kind as "text", slot }] }),
  });
  const rows = cells.map((cell, i) =>
    ({ time: 1000 * i, flags: 0, cells: new Map([["x", cell]]) }));
  return evaluateQuery(query, rows).rows.map((row) => {
    const [cell] = row.cells.values() as Iterable<Cell>;
    // Of a function that makes rows the row is one object.
    if (cell!.value instanceof Map) return valueIn(cell as Cell & { value: Map<string, unknown> });
    return { ...cell!, kind: query.select[0]!.expr.type.kind };
  });
}

function valueIn(
  { value, state }: Cell & { value: Map<string, unknown> },
): Cell & { kind: string } {
  const [only] = value.values();
  return { value: Number(only), state, kind: "int53" };
}

function holds({ call, x, gives }: RowsExample, clause: string): void {
  const actual = resultsOf(call, x, clause);
  const wanted = gives.map(valueOf);
  expect(actual.map((cell) => cell.value)).toEqual(wanted.map((cell) => cell.value));
  for (const [i, { value, kind }] of wanted.entries()) {
    if (value !== null) expect(actual[i]!.kind).toBe(kind);
  }
}

const shown = ({ call, x, gives }: RowsExample): string =>
  `${call} of ${x.join(", ")} = ${gives.join(", ")}`;

/** Orders come as messages, which say something of themselves. */
const telling: Catalog = { ...catalog, stream: (name) => {
  const stream = catalog.stream(name);
  return stream === undefined || name !== "orders" ? stream
    : { ...stream, meta: { name: "$meta", kind: "dyn", slot: 64 } };
} };

describe("each example of each function over a window, and of each form", () => {
  for (const { example } of aggregateFunctions.values()) {
    test(shown(example), () => holds(example, ` GROUP BY COUNTWINDOW(${example.x.length})`));
  }
  for (const { examples, place } of forms) {
    for (const example of examples) {
      if (typeof example === "string") {
        test(example, () => expect(compile(example, telling).stages.length).toBeGreaterThan(0));
      } else if ("call" in example) {
        const alone = ["rows", "columns", "hit"].includes(place);
        test(shown(example), () =>
          holds(example, alone ? "" : ` GROUP BY COUNTWINDOW(${example.x.length})`));
      }
    }
  }
});

describe("each example of each function with state", () => {
  for (const { name, example, usage, source } of new Set(statefulFunctions.values())) {
    if (name.startsWith("$")) continue;
    const { call } = example;
    test(shown(example), () => {
      holds(example, "");
      expect(usage).toContain(call.match(/\w+(?=\()/g)!.at(-1)!);
      expect(source.length).toBeGreaterThan(3);
    });
  }
});

describe("records", () => {
  test("every function has a sentence, a type and an example", () => {
    for (const { name, doc, gives, examples, usage } of manual) {
      expect([name, doc.length > 3, gives.length > 3, examples.length > 0, usage])
        .toEqual([name, true, true, true, expect.not.stringContaining("undefined")]);
    }
  });

  test("names of parameters are as many as parameters", () => {
    for (const { name, parameters, takes } of
      [...scalarFunctions.values(), ...aggregateFunctions.values()]) {
      if (takes === undefined) continue;
      const named = takes.split(", ").filter((part) => part !== "…").length;
      expect([name, named]).toEqual([name, parameters.replace(/[?+/]/g, "").length]);
    }
  });

  test("what is not in the reference cannot be called", () => {
    const values: Record<string, string> = { a: "1", s: "'x'", T: "'bigint'", i: "1", f: "weight" };
    for (const { name, parameters, why } of absentFunctions) {
      const letters = [...expand(parameters, parameters.replace(/\W.*/, "").length)!];
      const call = `${name}(${letters.map((letter) => values[letter] ?? "1").join(", ")})`;
      expect(() => valueOf(call)).toThrow(`There is no ${name}() here: ${why}`);
    }
  });

  test("the inline text means what the body does", () => {
    const samples = [-2.5, -1, -0.3, 0, 0.5, 1, 7, 1e9];
    for (const fn of scalarFunctions.values()) {
      if (fn.inline === undefined) continue;
      const inlined = new Function("a", "b",
        `return ${fn.inline.replaceAll("$0", "a").replaceAll("$1", "b")};`);
      for (const a of samples) {
        for (const b of samples) {
          expect(inlined(a, b)).toBe((fn.body as (...args: number[]) => number)(a, b));
        }
      }
    }
  });

  test("the dialect knows eKuiper's names, each once", () => {
    expect(knownFunctions.size).toBeGreaterThan(183);
    for (const name of ["avg", "lag", "array_sort", "json_path_query", "sha256", "unnest",
      "window_start", "infer"]) {
      expect(knownFunctions.has(name)).toBe(true);
    }
    for (const name of aggregateFunctions.keys()) expect(scalarFunctions.has(name)).toBe(false);
  });
});

describe("constants are looked at when the query is checked", () => {
  test.each([
    ["regexp_matches('a', '(?=a)')", 28, "no regular expression of RE2"],
    ["format_time(0.0 + 1, 'YYY')", 29, "no pattern of a time"],
    ["hour(id, 'Mars/Base')", 17, "no such time zone"],
    ["date_calc(id, '1 day')", 22, "no duration"],
    ["format(weight, 2, 'xx_XX')", 26, "no such locale"],
    ["format(weight, 31)", 23, "Decimals are 0 to 30"],
    ["now(7)", 12, "0 to 6"],
    ["encode('a', 'rot13')", 20, "only encoding"],
    ["convert_unit(weight, 'stone', 'kg')", 29, "no such unit"],
    ["convert_unit(weight, 'bar', 'kg')", 8, "A value in bar cannot be one in kg"],
    ["hour('noon')", 13, "a time is expected"],
  ])("%s", (expr, column, sentence) => {
    const sql = `SELECT ${expr} AS x FROM orders`;
    const check = (): unknown => bindSelect(sql, parseQuery(sql), catalog);
    expect(check).toThrow(sentence);
    expect(check).toThrow(`1:${column}: `);
  });

  test("a text that is none in a row is that row's error", () => {
    expect(valueOf("hour(id, lower('MARS'))").state).toBeGreaterThan(63);
    expect(valueOf("regexp_matches('a', lower('[A'))").state).toBe(200);
    expect(valueOf("format_time(0 + 1, concat('Y', 'YY'))").state).toBe(200);
  });
});

describe("times", () => {
  test("date_diff is nanoseconds in 64 bits", () => {
    expect(valueOf("date_diff('2025-01-31', '2026-01-31')"))
      .toEqual({ value: 31_536_000_000_000_000n, state: 0, kind: "int64" });
  });

  test("convert_tz sets the zone through a name, not over one that is given", () => {
    const sql = "SELECT convert_tz(0 + 1, '+05:30') AS there, hour(there) AS h, " +
      "hour(there, 'UTC') AS u FROM orders";
    const query = bindSelect(sql, parseQuery(sql), catalog);
    const [row] = evaluateQuery(query, [{ time, flags: 0, cells: new Map() }]).rows;
    expect([...row!.cells.values()].map((c) => c.value)).toEqual([1, 5, 0]);
  });
});

describe("errors are values", () => {
  test("an argument outside its range, a number that is none", () => {
    expect(valueOf("split_value('a/b', '/', 5)").state).toBe(200);
    expect(valueOf("sqrt(-1)").state).toBe(198);
    expect(valueOf("1 / 0").state).toBe(195);
    expect(valueOf("9007199254740991 + 1").state).toBe(196);
    expect(valueOf("cast('x', 'bigint')").state).toBe(201);
  });
});

test("a part of an array with an open end is as good as the array; of NULL it is NULL", () => {
  const list = "array_create(1, 2, 3)";
  for (const [expr, text] of [[`${list}[1:]`, "'[2,3]'"], [`${list}[:-1]`, "'[1,2]'"],
    [`${list}[:]`, "'[1,2,3]'"], [`${list}[0:2]`, "'[1,2]'"]]) {
    expect([expr, valueOf(`to_json(${expr})`)]).toEqual([expr, valueOf(text!)]);
  }
  expect(valueOf(`to_json(${list}[NULL:2])`).value).toBeNull();
});
