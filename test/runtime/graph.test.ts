import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { examineTexts, type Examined } from "../../src/cli/examine.ts";
import { notesOf, planText } from "../../src/runtime.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";

function configOf(
  rules: Record<string, string>, permit: readonly string[], functions: object, more: object = {},
): object {
  return {
    gateway: { id: "t" },
    links: { plc: { type: "modbus-tcp", host: "127.0.0.1" },
      broker: { type: "mqtt", host: "127.0.0.1" } },
    devices: { d: { link: "plc", groups: { fast: "100ms" }, tags: {
      a: { at: "input 0", type: "float32" }, b: { at: "input 2", type: "float32" },
      ok: { at: "discrete 0", type: "bool" }, on: { static: true }, line: { static: 7 },
      set: { at: "holding 0", type: "float32", access: "read-write" },
    } }, e: { link: "plc", station: 2, groups: { slow: "5s" }, tags: {
      level: { at: "input 0", type: "float32" } } } },
    policy: { "d.set": { allow: ["rule:write"], maxMode: "armed", min: 0, max: 1, permit,
      onLoss: { after: "5s", value: "hold" } } },
    sources: { asked: { type: "mqtt", link: "broker", topic: "asked",
      columns: { n: "float64" } } },
    rules: Object.fromEntries(Object.entries(rules).map(([name, sql]) =>
      [name, { sql, to: name === "write" ? [{ write: "d.set", from: "v" }] : [], ...more }])),
    functions,
    store: { directory: "./store" },
  };
}

function examine(
  rules: Record<string, string>, permit: string[] = [], functions: object = {},
  more: object = {},
): Examined {
  const texts = { config: JSON.stringify(configOf(rules, permit, functions, more)), policy: "" };
  return examineTexts("gateway.json", texts, { drivers, connectors, tables }, null);
}

const problems = (
  rules: Record<string, string>, permit: string[] = [], functions: object = {},
): string => examine(rules, permit, functions).texts.join("\n");

test("an array is no setpoint, and neither is an item that does not say what it is", () => {
  for (const v of ["array_create(a, b)", "array_create(a, b)[0]"]) {
    expect(problems({ write: `SELECT ${v} AS v FROM d.fast` })).toContain("A setpoint is a " +
      "number, this column is an array or of no fixed type: take one item and say what it is, " +
      'as in cast(zones[0], "float")');
  }
  expect(problems({ write: 'SELECT cast(array_create(a, b)[0], "float") AS v FROM d.fast' }))
    .not.toContain("A setpoint");
});

describe("W8: nothing on the way to a write hides a bad input", () => {
  test("coalesce, isnull and IS NULL are refused in a writing rule", () => {
    for (const v of ["coalesce(a, 1)", "CASE WHEN good(a) THEN a ELSE 1.0 END", "raw(a)",
      "CASE WHEN quality(a) = 'good' THEN 1.0 ELSE 2.0 END", "CASE WHEN changed(a) THEN 1.0 END",
      "CASE WHEN a IS NULL THEN 1.0 ELSE a END",
      "CASE WHEN isnull(a) THEN 1.0 ELSE a END"]) {
      expect(problems({ write: `SELECT ${v} AS v FROM d.fast` }), v).toContain("(W8)");
    }
  });
  test("each with its place, also behind a comment and in a function", () => {
    expect(problems({ write: "SELECT /* coalesce() */ a + coalesce(b, 1) AS v FROM d.fast" }))
      .toContain("1:29: coalesce hides an input that is bad or missing; it may not be on the way " +
        "to a write (W8)\n  SELECT /* coalesce() */ a + coalesce(b, 1) AS v FROM d.fast\n" +
        `${" ".repeat(30)}^^^^^^^^^^^^^^`);
    const functions = { smooth: { parameters: ["x"], sql: "1.0 * ewma(x, 1s)" } };
    expect(problems({ write: "SELECT smooth(a) AS v FROM d.fast" }, [], functions))
      .toContain("in the function smooth, 1:7: ewma() depends on every row since the start, so " +
        "the age of its inputs has no bound; it may not be on the way to a write (W8)\n" +
        "  1.0 * ewma(x, 1s)\n        ^^^^^^^^^^^");
  });
  test("a row that stands for an empty window is refused", () => {
    const rules = { slow: "SELECT avg(a) AS m FROM d.fast GROUP BY TUMBLINGWINDOW(ss, 1)",
      write: "SELECT 1.0 * count(*) AS v FROM slow WHERE m > 1 GROUP BY TUMBLINGWINDOW(ss, 10)" };
    const found = examine(rules, [], {}, { emptyWindows: true }).texts.join("\n");
    for (const name of ["slow", "write"]) {
      expect(found).toContain(`rules.${name}.emptyWindows: A row that stands for none may not be`);
    }
  });
  test("an empty list is read by no rule", () => {
    const rules = { slow: "SELECT avg(a) AS m FROM d.fast GROUP BY TUMBLINGWINDOW(ss, 1)",
      write: "SELECT 1.0 * count(*) AS v FROM slow WHERE m > 1 GROUP BY TUMBLINGWINDOW(ss, 10)" };
    expect(examine(rules, [], {}, { emptyWindows: "[]" }).texts.join("\n"))
      .toContain('rules.write.sql: The rule slow tells of an empty window by an empty list');
  });
  test("a row that tells of a failure is refused", () => {
    const found = examine({ write: "SELECT a AS v FROM d.fast" }, [], {}, { sendError: true });
    expect(found.texts.join("\n")).toContain("rules.write.sendError: A row that tells of");
  });
  test("NOT in WHERE is refused: what is not known to be true is not known to be false", () => {
    expect(problems({ write: "SELECT a AS v FROM d.fast WHERE NOT (b > 5)" })).toContain("(W8)");
    for (const window of ["SLIDINGWINDOW(ss, 1) OVER (WHEN NOT (b > 5))",
      "STATEWINDOW(NOT (b > 5))"]) {
      expect(problems({ write: `SELECT max(a) AS v FROM d.fast GROUP BY ${window}` }))
        .toContain("(W8)");
    }
    expect(problems({ write: "SELECT a AS v FROM d.fast WHERE b NOT IN (1, 2)" })).toBe("");
  });
  test("functions with state that stand in for a value, or remember without end", () => {
    for (const v of ["latest(a)", "lag(a, 1, 0.0)", "ewma(a, 1s)", "totalize(a)", "acc_sum(a)",
      "lag(a) OVER (WHEN ok)", "CASE WHEN had_changed(FALSE, a) THEN b ELSE a END"]) {
      expect(problems({ write: `SELECT ${v} AS v FROM d.fast` }), v).toContain("(W8)");
    }
    for (const v of ["lag(a)", "rate_limit(a, 1)", "deadband(a, 1)", "derivative(a)",
      "CASE WHEN hysteresis(a, 1, 2) AND debounce(ok, 1s) THEN b ELSE a END",
      "CASE WHEN rising(ok) OR had_changed(TRUE, a) THEN b ELSE a END"]) {
      expect(problems({ write: `SELECT ${v} AS v FROM d.fast` }), v).toBe("");
    }
  });
  test("a function with state in a condition on rows, whose quality nothing carries on", () => {
    for (const rest of ["WHERE rising(ok)", "WHERE b > 1 AND debounce(ok, 1s)",
      "GROUP BY rising(ok), TUMBLINGWINDOW(ss, 1)",
      "GROUP BY TUMBLINGWINDOW(ss, 1) FILTER (WHERE rising(ok))",
      "GROUP BY TUMBLINGWINDOW(ss, 1) HAVING max(lag(b)) > 1",
      "GROUP BY SLIDINGWINDOW(ss, 1) OVER (WHEN rising(ok))", "GROUP BY STATEWINDOW(rising(ok))",
      "GROUP BY STATEWINDOW(ok, falling(ok))"]) {
      const v = rest.startsWith("WHERE") ? "a" : "max(a)";
      expect(problems({ write: `SELECT ${v} AS v FROM d.fast ${rest}` }), rest).toContain("(W8)");
    }
    expect(problems({ write: "SELECT a AS v FROM d.fast",
      other: "SELECT latest(a) AS v FROM d.fast WHERE rising(ok)" })).toBe("");
  });
  test("two columns of one name, both written out: over a column of `*` is another thing", () => {
    for (const columns of ["a AS v, b AS v", "a AS v, a * 2 AS v", "*, a AS v, b AS v"]) {
      const told = problems({ write: `SELECT ${columns} FROM d.fast` });
      expect(told, columns).toContain("This is a second column v");
      expect(told).toContain("(W8)");
    }
    expect(problems({ write: "SELECT 2.0 AS x, b AS x, a AS v FROM d.fast" }))
      .toContain("second column x");
    expect(problems({ write: "SELECT * EXCEPT (set), a AS b, b AS v FROM d.fast" })).toBe("");
    expect(problems({ write: "SELECT a AS v FROM d.fast", other: "SELECT a, b AS a FROM d.fast" }))
      .toBe("");
  });
  test("an aggregate without a window, whose inputs have no oldest", () => {
    expect(problems({ write: "SELECT max(a) AS v FROM d.fast" })).toContain("(W8)");
    expect(problems({ write: "SELECT max(a) AS v FROM d.fast GROUP BY SLIDINGWINDOW(ss, 1)" }))
      .toBe("");
  });
  test("a window whose rows were chosen where it cannot see it", () => {
    const sum = "SELECT sum(v) AS v FROM before GROUP BY TUMBLINGWINDOW(ss, 1)";
    expect(problems({ before: "SELECT a AS v FROM d.fast WHERE ok", write: sum }))
      .toContain("which rows before left out");
    expect(problems({ before: "SELECT b, avg(a) AS v FROM d.fast GROUP BY b, COUNTWINDOW(3)",
      write: sum })).toContain("which rows before left out");
    expect(problems({ before: "SELECT avg(a) AS v FROM d.fast GROUP BY COUNTWINDOW(3)",
      write: sum })).toBe("");
    expect(problems({ before: "SELECT a AS v FROM d.fast", write: `${sum} HAVING count(*) > 1` }))
      .toBe("");
    expect(problems({ write: "SELECT sum(a) AS v FROM d.fast " +
      "GROUP BY COUNTWINDOW(3) FILTER (WHERE ok)" })).toContain("WHERE does not");
  });
  test("a query in FROM is on the way as a rule before this one would be", () => {
    const sum = (inner: string): string =>
      problems({ write: `SELECT sum(x) AS v FROM (${inner}) AS i GROUP BY TUMBLINGWINDOW(ss, 1)` });
    expect(sum("SELECT a AS x FROM d.fast")).toBe("");
    expect(sum("SELECT a AS x FROM d.fast WHERE ok")).toContain("cannot know which rows");
    expect(sum("SELECT coalesce(a, 1) AS x FROM d.fast")).toContain("coalesce hides");
    expect(sum("SELECT ewma(a, 1s) AS x FROM d.fast")).toContain("ewma() depends on every row");
    expect(sum("SELECT set AS x FROM d.fast")).toContain("(W13)");
    expect(problems({ write: "SELECT 1 AS v FROM (SELECT a FROM d.fast) AS i" }))
      .toContain("while the device is silent");
    const { graph } =
      examine({ write: "SELECT y AS v FROM (SELECT a AS y FROM d.fast WHERE b > 3)" });
    const { program } = graph!.rules.find(({ rule }) => rule.name === "write")!;
    expect(program.stages[0]!.text).toContain("c0_s === 0");
    expect(program.output.map(({ name }) => name)).toEqual(["v", "$oldest"]);
  });
  test("what is drawn at random, wherever it stands in the rule", () => {
    for (const sql of ["SELECT a * rand() AS v FROM d.fast",
      "SELECT a AS v FROM d.fast WHERE rand() < 0.5",
      "SELECT a AS v, newuuid() AS id FROM d.fast",
      "SELECT x AS v FROM (SELECT a AS x FROM d.fast WHERE rand() < 0.5)"]) {
      expect(problems({ write: sql }), sql).toContain("drawn at random");
    }
    expect(problems({ write: "SELECT a AS v FROM d.fast",
      other: "SELECT newuuid() AS id, a FROM d.fast WHERE rand() < 0.1" })).toBe("");
  });
  test("what leaves out a missing item of a list", () => {
    expect(problems({ write: "SELECT cast(array_max(array_create(a, b)), 'float') AS v " +
      "FROM d.fast" })).toContain("array_max hides");
  });
  test("also in a rule that a writing rule reads", () => {
    expect(problems({ before: "SELECT coalesce(a, 1) AS v FROM d.fast",
      write: "SELECT v FROM before" })).toContain("rules.before.sql");
  });
  test("and in a permit (W12)", () => {
    expect(problems({ write: "SELECT a AS v FROM d.fast" }, ["coalesce(d.ok, TRUE)"]))
      .toContain("(W12)");
  });
  test("conditions are strict in every rule on the way, and in no other", () => {
    const sql = "SELECT a AS v FROM d.fast WHERE b > 3";
    const write = "SELECT v FROM before WHERE v > 1";
    const { graph } = examine({ write, before: sql, other: sql });
    const text = (name: string): string =>
      graph!.rules.find(({ rule }) => rule.name === name)!.program.stages[0]!.text;
    expect(text("write")).toContain("c0_s === 0");
    expect(text("before")).toContain("c0_s === 0");
    expect(text("other")).not.toContain("=== 0");
  });
  test("IS NOT NULL by itself, a text that says so, and rules that write nothing are free", () => {
    expect(problems({ write: "SELECT a AS v FROM d.fast WHERE b IS NOT NULL AND 'is null' <> 'x'",
      other: "SELECT coalesce(a, 1) AS v FROM d.fast" }, ["d.ok AND d.a IS NOT NULL"])).toBe("");
    expect(problems({ write: "SELECT max(a) AS v FROM d.fast GROUP BY TUMBLINGWINDOW(ss, 1) " +
      "HAVING max(b) IS NOT NULL" })).toBe("");
  });
  test("IS NOT NULL as a value, or where it lets a row pass", () => {
    for (const sql of ["SELECT CASE WHEN a IS NOT NULL THEN a ELSE 40.0 END AS v FROM d.fast",
      "SELECT 1.0 * cast(a IS NOT NULL, 'bigint') AS v FROM d.fast",
      "SELECT b AS v FROM d.fast WHERE (a IS NOT NULL) = FALSE",
      "SELECT b AS v FROM d.fast WHERE (a IS NOT NULL) <> TRUE",
      "SELECT b AS v FROM d.fast WHERE (a IS NOT NULL) IN (FALSE)",
      "SELECT b AS v FROM d.fast WHERE CASE WHEN a IS NOT NULL THEN FALSE ELSE TRUE END",
      "SELECT a AS v FROM d.fast WHERE a IS NOT NULL OR ok",
      "SELECT max(CASE WHEN a IS NOT NULL THEN a ELSE 4.0 END) AS v FROM d.fast " +
        "GROUP BY TUMBLINGWINDOW(ss, 1)",
      "SELECT sum(a) AS v FROM d.fast WHERE a IS NOT NULL GROUP BY TUMBLINGWINDOW(ss, 1)",
      "SELECT sum(a) AS v FROM d.fast GROUP BY TUMBLINGWINDOW(ss, 1) FILTER (WHERE a IS NOT NULL)",
      "SELECT x AS v FROM (SELECT CASE WHEN a IS NOT NULL THEN a ELSE 4.0 END AS x FROM d.fast)",
      "SELECT a AS v FROM d.fast WHERE a IS NOT NULL AND CASE WHEN a IS NOT NULL THEN ok END",
      "SELECT rate_limit(CASE WHEN a IS NOT NULL THEN a ELSE 4.0 END, 1) AS v FROM d.fast"]) {
      expect(problems({ write: sql }), sql).toContain("IS NOT NULL hides");
    }
  });
  test("names that hide what stands behind them from who reads words", () => {
    for (const sql of ["SELECT a AS `t--raw`, coalesce(b, 50.0) AS v FROM d.fast",
      "SELECT a AS `operator's`, coalesce(b, 50.0) AS v, a AS `op's` FROM d.fast",
      "SELECT a AS `n /* 1`, coalesce(b, 3.0) AS v, a AS `m */ 1` FROM d.fast",
      "SELECT `coalesce`(b, 50.0) AS v FROM d.fast"]) {
      expect(problems({ write: sql }), sql).toContain("coalesce hides");
    }
    expect(problems({ write: "SELECT a AS `t--raw`, b AS v FROM d.fast WHERE NOT ok" }))
      .toContain("NOT hides");
  });
  test("in a permit: what is TRUE where the machine says nothing (W12)", () => {
    for (const condition of ["CASE WHEN d.ok IS NOT NULL THEN d.ok ELSE TRUE END",
      "(d.ok IS NOT NULL) = FALSE", "d.ok IS NULL", "`coalesce`(d.ok, TRUE)",
      "quality(d.ok) = 'good'", "d.a IS NOT NULL OR d.ok"]) {
      const told = problems({ write: "SELECT a AS v FROM d.fast" }, ["d.ok", condition]);
      expect(told, condition).toContain("(W12)");
      expect(told).toContain("permit[1]");
    }
    expect(problems({ write: "SELECT a AS v FROM d.fast" }, ["NOT d.ok"])).toBe("");
  });
});

describe("W8: what is written is made of a value of a device, or there because of one", () => {
  const counted = "SELECT count(*) AS v FROM d.fast";
  test.each([
    ["a constant", { write: "SELECT 5 AS v FROM d.fast" }],
    ["a time", { write: "SELECT tstamp() AS v FROM d.fast" }],
    ["a count of rows", { write: `${counted} GROUP BY TUMBLINGWINDOW(ss, 1)` }],
    ["a condition that reads nothing", { write: "SELECT 5 AS v FROM d.fast WHERE 1 < 2" }],
    ["a constant of another rule", { before: "SELECT 5 AS c, a FROM d.fast",
      write: "SELECT c * 2 AS v FROM before WHERE c > 3" }],
    ["a name of a device", { write: "SELECT 5 AS v FROM d.f* WHERE device = 'd'" }],
  ])("%s is refused", (_, rules) => {
    expect(problems(rules)).toContain("(W8)");
    expect(problems(rules)).toContain("rules.write.to[0].from");
  });
  test.each([
    ["a tag in it", { write: "SELECT a * 0 + 5 AS v FROM d.fast" }],
    ["a newest tag", { write: "SELECT d.b + 1 AS v FROM d.fast" }],
    ["WHERE", { write: "SELECT 5 AS v FROM d.fast WHERE ok" }],
    ["HAVING", { write: `${counted} GROUP BY TUMBLINGWINDOW(ss, 1) HAVING max(a) > 3` }],
    ["FILTER", { write: `${counted} GROUP BY TUMBLINGWINDOW(ss, 1) FILTER (WHERE a > 3)` }],
    ["a key", { write: `${counted} GROUP BY ok, COUNTWINDOW(3)` }],
    ["the condition of another rule", { before: "SELECT 5 AS c FROM d.fast WHERE ok",
      write: "SELECT 6 AS v FROM before" }],
    ["a message, which does not come from nothing", { write: "SELECT 5 AS v FROM asked" }],
  ])("%s is enough", (_, rules) => {
    expect(problems(rules)).toBe("");
  });
});

describe("W12: what is wrong with a permit is told where it stands", () => {
  const rules = { write: "SELECT a AS v FROM d.fast" };
  test("which condition, its place in it, and what was meant", () => {
    const told = problems(rules, ["d.ok", "d.a > 3 AND d.okk"]);
    expect(told).toMatch(/^gateway\.json:1:\d+ policy\.d\.set\.permit\[1\]: 1:13: /);
    expect(told).toContain(`\n  d.a > 3 AND d.okk\n              ^`);
    expect(told).toContain('did you mean "d.ok"?');
  });
  test("in the policy's own file", () => {
    const folder = mkdtempSync(join(tmpdir(), "tagwerk-permit-"));
    const policy =
      `{ "d.set": { "allow": ["rest"], "min": 0, "max": 1,\n  "permit": ["d.shut"] } }`;
    writeFileSync(join(folder, "write-policy.json"), policy);
    const path = join(folder, "gateway.json");
    const config = JSON.stringify({ ...configOf({}, [], {}), policy: "file:write-policy.json" });
    const { texts } = examineTexts(path, { config, policy }, { drivers, connectors, tables }, null);
    rmSync(folder, { recursive: true });
    expect(texts.length).toBe(1);
    expect(texts[0]).toMatch(/^write-policy\.json:2:\d+ d\.set\.permit\[0\]: 1:1: /);
  });
  test.each(["TRUE", "1 < 2", "tstamp() > 0"])("%s asks nothing of the machine", (condition) => {
    expect(problems(rules, ["d.ok", condition]))
      .toMatch(/permit\[1\]: A condition that reads no tag/);
  });
});

test("what the policy wants younger than it is polled is noted", () => {
  const notes = (sql: string, permit: string[]): string[] =>
    notesOf(examine({ write: sql }, permit).graph!);
  expect(notes("SELECT a AS v FROM d.fast", ["d.ok"])).toEqual([]);
  expect(notes("SELECT a + e.level AS v FROM d.fast", ["d.ok", "e.level > 3"])).toEqual([
    "note: permit of d.set: e.level, polled every 5s, is mostly older than maxAge allows (1s)",
    "note: rule write, which writes d.set: e.level, polled every 5s, is mostly older than " +
      "inputMaxAge allows (1s)"]);
});

test("a window that lets its rows grow older than the policy allows is noted", () => {
  const notes = (sql: string, rules: Record<string, string> = {}): string[] =>
    notesOf(examine({ ...rules, write: sql }).graph!);
  const mean = (window: string, x = "a", from = "d.fast"): string =>
    `SELECT avg(${x}) AS v FROM ${from} GROUP BY ${window}`;
  expect(notes(mean("TUMBLINGWINDOW(ss, 10)"))).toEqual(["note: rule write, which writes d.set: " +
    "the oldest value of a window is 9.9s old when its result comes, older than inputMaxAge " +
    "allows (1s): the gate would refuse almost every command"]);
  for (const [window, count] of [["TUMBLINGWINDOW(ms, 1100)", 0], ["COUNTWINDOW(11)", 0],
    ["COUNTWINDOW(12)", 1], ["SLIDINGWINDOW(ms, 900, 300)", 1], ["SESSIONWINDOW(mi, 1, 1)", 0],
    ["HOPPINGWINDOW(ss, 5, 1)", 1]] as const) {
    expect([window, notes(mean(window)).length]).toEqual([window, count]);
  }
  expect(notes(mean("TUMBLINGWINDOW(ms, 700)", "v", "before"),
    { before: mean("TUMBLINGWINDOW(ms, 700)") })).toHaveLength(1);
  expect(notes(`SELECT v FROM (${mean("TUMBLINGWINDOW(ss, 10)")}) AS i`)).toHaveLength(1);
});

test("a window that hops further than it is long is noted", () => {
  const notes = (window: string): string[] => notesOf(examine({
    write: "SELECT a AS v FROM d.fast",
    gaps: `SELECT count(*) AS n FROM d.fast GROUP BY ${window}` }).graph!);
  expect(notes("HOPPINGWINDOW(ss, 5, 10)")).toEqual(["note: rule gaps: its HOPPINGWINDOW is 5s " +
    "long and hops 10s: rows of 5s between two windows are in none"]);
  expect(notes("HOPPINGWINDOW(ss, 10, 10)")).toEqual([]);
  expect(notes("HOPPINGWINDOW(ss, 10, 3)")).toEqual([]);
});

test("a window that has no room for the rows of its length is noted", () => {
  const notes = (sql: string): string[] =>
    notesOf(examine({ write: "SELECT a AS v FROM d.fast", long: sql }).graph!);
  const of = (window: string, x = "max(a)"): string =>
    `SELECT ${x} AS m FROM d.fast GROUP BY ${window}`;
  expect(notes(of("SLIDINGWINDOW(dd, 365)"))).toEqual(["note: rule long: up to 315,360,002 rows " +
    "are in its window, which has room for 1,048,576: of more the newest stay, the others are " +
    "counted in `lost`; take a shorter window, or a rule before this one that gives one row of " +
    "many"]);
  expect(notes(of("TUMBLINGWINDOW(dd, 30)", "median(a)"))).toHaveLength(1);
  expect(notes(of("SLIDINGWINDOW(hh, 29)"))).toEqual([]);
  // What is folded as rows come keeps none.
  expect(notes(of("TUMBLINGWINDOW(dd, 30)"))).toEqual([]);
  expect(notes(of("HOPPINGWINDOW(dd, 30, 1)"))).toEqual([]);
});

test("a rule that reads itself is told so, not asked whether it meant itself", () => {
  const told = problems({ write: "SELECT a AS v FROM d.fast", loop: "SELECT a FROM loop" });
  expect(told).toContain("1:15: This rule is loop: it may not read itself");
  expect(told).not.toContain("did you mean");
});

describe("a user's own functions", () => {
  const functions = { twice: { parameters: ["x"], sql: "x * 2" },
    shut: { sql: "d.ok" }, filled: { parameters: ["x"], sql: "coalesce(x, 1)" } };

  test("stand in rules and permits, and are shown", () => {
    const examined = examine({ write: "SELECT Twice(a) AS v FROM d.fast" }, ["shut()"], functions);
    expect(examined.texts).toEqual([]);
    expect(planText(examined.graph!).text).toContain("function twice(x) = x * 2\n");
  });
  test("W8, W12: hide nothing", () => {
    expect(problems({ write: "SELECT filled(a) AS v FROM d.fast" }, [], functions))
      .toContain("coalesce hides an input");
    expect(problems({ write: "SELECT a AS v FROM d.fast" }, ["filled(d.a) > 3"], functions))
      .toContain("(W12)");
  });
  test("W13: feed nothing back", () => {
    expect(problems({ write: "SELECT a + last_set() AS v FROM d.fast" }, [],
      { last_set: { sql: "d.set" } })).toContain("(W13)");
  });
  test("a fault in one is told at its place, called or not", () => {
    const texts = problems({ write: "SELECT a AS v FROM d.fast" }, [],
      { bad: { sql: "1 + " }, Shut: { sql: "1" }, shut: { sql: "2" } });
    expect(texts).toContain("functions.bad: in the function bad, 1:5");
    expect(texts).toContain("functions.shut: Another function has this name");
  });
});

describe("W13", () => {
  test("what a rule writes may not feed it, directly or through another rule", () => {
    expect(problems({ write: "SELECT set + a AS v FROM d.fast" })).toContain("(W13)");
    expect(problems({ before: "SELECT set AS s FROM d.fast",
      write: "SELECT s AS v FROM before" })).toContain("(W13)");
    expect(problems({ write: "SELECT rate_limit(set, 1) AS v FROM d.fast" })).toContain("(W13)");
  });

  const pid = (track: string, x = "a"): string => `pid(${x}, 5, 1, 10s, 0, 0, 1, 1s, ${track})`;
  test.each([
    `SELECT ${pid("set")} AS v FROM d.fast`, `SELECT ${pid("d.set")} AS v FROM d.fast`,
    `SELECT ${pid("set, ok")} AS v, v + 1 AS more FROM d.fast WHERE b > 3`,
  ])("a controller may follow it: %s", (write) => {
    expect(problems({ write })).toBe("");
  });
  test.each([
    `SELECT ${pid("set")} * 2 AS v FROM d.fast`, `SELECT ${pid("set + 0.1")} AS v FROM d.fast`,
    `SELECT ${pid("set")} AS v FROM d.fast WHERE set > 3`,
    `SELECT ${pid("set", "set")} AS v FROM d.fast`,
    `SELECT ${pid("set")} AS v, set * 2 AS w FROM d.fast`,
    `SELECT ${pid("set")} AS w, ${pid("0", "set")} AS v FROM d.fast`,
    `SELECT max(${pid("set")}) AS v FROM d.fast GROUP BY TUMBLINGWINDOW(ss, 1)`,
    `SELECT ${pid("a")} OVER (PARTITION BY set) AS v FROM d.fast`,
    `SELECT ${pid("d.set", "d.set")} AS v FROM d.fast`,
    `SELECT ${pid("set")} AS v FROM d.fast WHERE d.set > 3`,
  ])("and nothing else may be made of it: %s", (write) => {
    expect(problems({ write })).toContain("(W13)");
  });
  test("not through another rule, which may make of it what it likes", () => {
    expect(problems({ before: "SELECT a, set * 2 AS s FROM d.fast",
      write: `SELECT ${pid("s")} AS v FROM before` })).toContain("(W13)");
    expect(problems({ before: `SELECT ${pid("set")} AS s FROM d.fast`,
      write: "SELECT s * 2 AS v FROM before" })).toContain("(W13)");
  });
});

describe("rows of a rule's stream", () => {
  const rows = (rules: Record<string, string>, name: string): number => {
    const { graph, texts } = examine({ write: "SELECT a AS v FROM d.fast", ...rules });
    expect(texts).toEqual([]);
    return graph!.streams.find((stream) => stream.name === name)!.layout.rows;
  };
  const all = "SELECT n FROM asked";
  test("are few where nobody can lag, and two seconds of its input where somebody reads", () => {
    expect(rows({ one: all }, "one")).toBe(64);
    expect(rows({ one: all, two: "SELECT n FROM one" }, "one")).toBe(2048);
    expect(rows({ one: all, two: "SELECT n FROM one" }, "two")).toBe(64);
  });
  test("are two closings of a tumbling window, or those of two seconds", () => {
    const window = (ms: number): string =>
      `SELECT n, count(*) AS c FROM asked GROUP BY n KEYS 16, TUMBLINGWINDOW(ms, ${ms})`;
    const read = (ms: number): number =>
      rows({ one: window(ms), two: "SELECT c FROM one" }, "one");
    expect([read(10_000), read(500), read(1)]).toEqual([32, 128, 2048]);
  });
});

describe("W12: a permit asks the machine, whichever way it comes to be TRUE", () => {
  const rules = { write: "SELECT a AS v FROM d.fast" };
  test("what can be TRUE by constants or the clock alone is refused", () => {
    for (const condition of ["d.on OR d.ok", "d.ok OR d.on", "d.on OR d.a > 3", "TRUE OR d.ok",
      "CASE WHEN d.on THEN TRUE ELSE d.ok END", "CASE WHEN d.line > 3 THEN d.on ELSE d.ok END",
      "NOT (d.on AND d.ok)", "d.line IN (7, d.a)", "hour(now()) > 22 OR d.ok",
      "d.on AND d.line = 7 OR d.ok", "d.ok AND d.b > 1 OR d.on", "(d.on OR d.ok) = TRUE"]) {
      expect(problems(rules, [condition]), condition)
        .toContain("policy.d.set.permit[0]: This can be TRUE by constants or the clock alone");
    }
  });
  test("what looks at a device's value in each way is taken", () => {
    for (const condition of ["d.on AND d.ok", "d.ok OR d.a > 3", "d.ok OR d.on AND d.b > 2",
      "CASE WHEN d.ok THEN d.on ELSE FALSE END", "CASE WHEN d.on THEN d.ok ELSE d.a > 3 END",
      "CASE WHEN d.a > 3 THEN TRUE ELSE FALSE END", "d.ok OR FALSE", "d.a IN (1, d.line)",
      "hour(now()) > 22 AND d.ok", "d.a BETWEEN 1 AND d.line", "d.on = d.ok"]) {
      expect(problems(rules, [condition]), condition).toBe("");
    }
  });
});
