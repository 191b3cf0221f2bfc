import { describe, expect, test } from "bun:test";
import { examineTexts } from "../../src/cli/examine.ts";
import { connectors, drivers } from "../../src/registry.ts";

function problems(rules: Record<string, string>, permit: string[] = []): string {
  const config = {
    gateway: { id: "t" },
    links: { plc: { type: "modbus-tcp", host: "127.0.0.1" } },
    devices: { d: { link: "plc", groups: { fast: "100ms" }, tags: {
      a: { at: "input 0", type: "float32" }, b: { at: "input 2", type: "float32" },
      ok: { at: "discrete 0", type: "bool" },
      set: { at: "holding 0", type: "float32", access: "read-write" },
    } } },
    policy: { "d.set": { allow: ["rule:write"], maxMode: "armed", min: 0, max: 1, permit,
      onLoss: { after: "5s", value: "hold" } } },
    rules: Object.fromEntries(Object.entries(rules).map(([name, sql]) =>
      [name, { sql, to: name === "write" ? [{ write: "d.set", from: "v" }] : [] }])),
    store: { directory: "./store" },
  };
  const texts = { config: JSON.stringify(config), policy: "" };
  return examineTexts("gateway.json", texts, { drivers, connectors }, null).texts.join("\n");
}

describe("W8: nothing on the way to a write hides a bad input", () => {
  test("coalesce, isnull and IS NULL are refused in a writing rule", () => {
    for (const v of ["coalesce(a, 1)", "CASE WHEN a IS NULL THEN 1.0 ELSE a END",
      "CASE WHEN isnull(a) THEN 1.0 ELSE a END"]) {
      expect(problems({ write: `SELECT ${v} AS v FROM d.fast` }), v).toContain("(W8)");
    }
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
  test("also in a rule that a writing rule reads", () => {
    expect(problems({ before: "SELECT coalesce(a, 1) AS v FROM d.fast",
      write: "SELECT v FROM before" })).toContain("rules.before.sql");
  });
  test("and in a permit (W12)", () => {
    expect(problems({ write: "SELECT a AS v FROM d.fast" }, ["coalesce(d.ok, TRUE)"]))
      .toContain("(W12)");
  });
  test("IS NOT NULL, a text that says so, and rules that write nothing are free", () => {
    expect(problems({ write: "SELECT a AS v FROM d.fast WHERE b IS NOT NULL AND 'is null' <> 'x'",
      other: "SELECT coalesce(a, 1) AS v FROM d.fast" })).toBe("");
  });
});

describe("W13", () => {
  test("what a rule writes may not feed it, directly or through another rule", () => {
    expect(problems({ write: "SELECT set + a AS v FROM d.fast" })).toContain("(W13)");
    expect(problems({ before: "SELECT set AS s FROM d.fast",
      write: "SELECT s AS v FROM before" })).toContain("(W13)");
  });
});
