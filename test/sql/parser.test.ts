import { describe, expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import type { Expr, Select } from "../../src/sql/ast.ts";
import { check } from "../../src/sql/check.ts";
import { parse } from "../../src/sql/create.ts";
import { SqlFault } from "../../src/sql/fault.ts";
import { parseExpr, parseQuery } from "../../src/sql/parser.ts";

const count = Number(process.env.SOAK_COUNT ?? 5000);

/** An expression with all its brackets. */
function show(expr: Expr): string {
  switch (expr.kind) {
    case "name": return expr.parts.join(".");
    case "literal": return typeof expr.value === "string" ? `'${expr.value}'` : String(expr.value);
    case "unary": return `(${expr.op} ${show(expr.operand)})`;
    case "binary": return `(${show(expr.left)} ${expr.op} ${show(expr.right)})`;
    case "between": return `(${show(expr.operand)}${expr.negated ? " not" : ""} between ` +
      `${show(expr.low)} and ${show(expr.high)})`;
    case "isnull": return `(${show(expr.operand)} is ${expr.negated ? "not " : ""}null)`;
    case "like": return `(${show(expr.operand)} like ${show(expr.pattern)})`;
    case "call": return `${expr.name}(${expr.args.map(show).join(", ")})`;
    case "member": return `${show(expr.of)}->${expr.name}`;
    case "index": return `${show(expr.of)}[${show(expr.at)}]`;
    case "slice": return `${show(expr.of)}[${expr.from ? show(expr.from) : ""}:` +
      `${expr.to ? show(expr.to) : ""}]`;
    default: return expr.kind;
  }
}

const shown = (sql: string): string => show(parseExpr(sql));

function fault(run: () => unknown): SqlFault {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof SqlFault) return thrown;
    throw thrown;
  }
  throw new Error("nothing thrown");
}

describe("expressions", () => {
  const cases: [string, string][] = [
    ["a + b * c - d", "((a + (b * c)) - d)"],
    ["a OR b AND c = d", "(a or (b and (c = d)))"],
    ["NOT a = b AND c", "((not (a = b)) and c)"],
    ["a & b | c", "((a & b) | c)"],
    ["-a * 2", "((neg a) * 2)"],
    ["- 3 + -2.5", "(-3 + -2.5)"],
    ["a <> b", "(a != b)"],
    ["a BETWEEN 1 AND 2 + 3 AND b", "((a between 1 and (2 + 3)) and b)"],
    ["a NOT BETWEEN 1 AND 2", "(a not between 1 and 2)"],
    ["a IS NOT NULL OR b IS NULL", "((a is not null) or (b is null))"],
    ["s.a->b[0]->c", "s.a->b[0]->c"],
    ["a[1:]", "a[1:]"],
    ["x LIKE 'a%' AND y", "((x like 'a%') and y)"],
    ["0x10 + 100ms", "(16 + 100)"],
    ["INTERVAL '2' SS", "2000"],
    ["INTERVAL 2 minute + INTERVAL '1' HOUR + INTERVAL 1 DAY", "((120000 + 3600000) + 86400000)"],
    ["CAST(a AS bigint)", shown("CAST(a, 'bigint')")],
    ["press.on AND on", "(press.on and on)"],
    ["a->order", "a->order"],
    ["f(a, g(1))", "f(a, g(1))"],
  ];
  for (const [sql, expected] of cases) test(sql, () => expect(shown(sql)).toBe(expected));
});

describe("queries", () => {
  test("every clause", () => {
    const select =
      parseQuery(
      "SELECT a AS x INVISIBLE, * EXCEPT(b) REPLACE(c * 2 AS c) FROM m-*.slow AS m LEFT JOIN t " +
      "ON m.a = t.a WHERE a > 1 GROUP BY a, HOPPINGWINDOW(ss, 10, 5) FILTER(WHERE b) HAVING " +
      "count(*) > 1 " +
      "ORDER BY a DESC LIMIT 3;");
    expect(select).toMatchObject({
      from: { name: "m-*.slow", alias: "m" }, joins: [{ kind: "left", source: { name: "t" } }],
        limit: { rows: 3 },
      window: { kind: "hopping", unit_ms: 1000 }, orderBy: [{ descending: true }],
    } as object as Partial<Select>);
    expect(select.fields[0]).toMatchObject({ alias: "x", invisible: true });
    expect(select.fields[1]!.expr).toMatchObject({ kind: "star", except: ["b"] });
  });

  test("CREATE STREAM with nested types and options", () => {
    const [create] =
      parse('CREATE STREAM s (a BIGINT DEFAULT 3, b ARRAY(STRUCT(c STRING)),) WITH ' +
        '(datasource="x", SHARED="true")');
    expect(create).toMatchObject({
      kind: "create", name: "s", options: { DATASOURCE: "x", SHARED: "true" },
      columns: [{ name: "a", type: { of: "bigint" } },
        { name: "b", type: { of: "array", element: { of: "struct" } } }],
    });
  });

  test("several statements", () => {
    expect(parse("SELECT a FROM s; SHOW TABLES; DROP STREAM s;").map((s) => s.kind))
      .toEqual(["select", "show", "drop"]);
  });
});

describe("errors say where and what was meant", () => {
  test("place and caret", () => {
    const error = fault(() => parseQuery("SELECT a\nFORM s"));
    expect(error).toMatchObject({ line: 2, column: 1, nearest: "FROM" });
    expect(error.caret).toBe("FORM s\n^^^^");
    expect(error.message).toStartWith("2:1: ");
  });

  test.each([
    ["SELECT a FROM s, t", "1:16: Here JOIN … ON is expected, but `,` stands; streams are joined"],
    ["SELECT a FROM s WHERE a IN (SELECT b FROM t)", "stands after FROM, in brackets; a list of"],
    ["SELECT a FROM s INNER OUTER JOIN t", "1:23: Here JOIN is expected, but `OUTER` stands"],
    ["SELECT INTERVAL 2 WEEK FROM s", "1:19: Here MS, SECOND, MINUTE, HOUR, DAY or DD, HH"],
    ["SELECT cast(a AS 3) FROM s", "1:18: Here the name of a type is expected"],
  ])("%s", (sql, said) => expect(fault(() => parseQuery(sql)).message).toContain(said));

  test("OUTER says nothing more", () => {
    for (const kind of ["LEFT", "RIGHT", "FULL"]) {
      const [join] = parseQuery(`SELECT a FROM s ${kind} OUTER JOIN outer ON s.a = outer.a`).joins;
      expect(join).toMatchObject({ kind: kind.toLowerCase(), source: { name: "outer" } });
    }
  });

  test("a name with a hyphen stands in back-quotes", () => {
    expect(fault(() => parseQuery("SELECT a FROM s WHERE m-01.power > 3")).message)
      .toContain("`m-01`");
  });

  test("an unknown function, and a wrong call of a known one", () => {
    const of = (sql: string): SqlFault => fault(() => check(sql, parseQuery(sql)));
    expect(of("SELECT flor(a) FROM s"))
      .toMatchObject({ code: "unknown-function", nearest: "floor" });
    expect(of("SELECT round(a, 1, 2) FROM s").message).toContain("3 arguments");
    expect(of("SELECT abs('x') FROM s").message).toContain("a number");
  });

  test("depth and length have a bound", () => {
    expect(fault(() => parseExpr("(".repeat(5000))).message).toContain("levels");
    expect(fault(() => parseExpr("a" + "+a".repeat(5000))).message).toContain("levels");
  });

  test("mutated texts never crash, and every error has a place", () => {
    const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1e6);
    console.log(`seed ${seed}`);
    const random = createRandom(seed);
    const sources =
      ["SELECT a, avg(b) AS x FROM m-*.slow WHERE a > 1.5 AND b IN (1, 2) GROUP BY a, " +
        "TUMBLINGWINDOW(ss, 10)",
      "SELECT CASE WHEN a THEN 'x' ELSE \"y\" END, infer('m', a)[1] FROM `s` -- c\nHAVING " +
      "last_value(c, true) <> 3",
      'CREATE STREAM s (a BIGINT, b ARRAY(STRING)) WITH (DATASOURCE="x")'];
    const pieces = ["(", ")", "'", "`", " ", ",", "*", "-", "[", ":", "FROM", "NOT", "IN", "0x",
      "1e", "/*", "\\", "é", "->", "AS"];
    for (let i = 0; i < count; i++) {
      let text = random.pick(sources);
      for (let k = random.below(4) + 1; k > 0; k--) {
        const at = random.below(text.length + 1);
        text = text.slice(0, at) + (random.chance(0.6) ? random.pick(pieces) : "") +
          text.slice(at + random.below(3));
      }
      try {
        for (const statement of parse(text)) {
          if (statement.kind === "select") check(text, statement);
        }
      } catch (thrown) {
        if (!(thrown instanceof SqlFault)) throw new Error(`${JSON.stringify(text)}: ${thrown}`);
        if (thrown.line < 1 || thrown.column < 1) {
          throw new Error(`no place: ${JSON.stringify(text)}`);
        }
      }
    }
  }, 5000 + count);
});
