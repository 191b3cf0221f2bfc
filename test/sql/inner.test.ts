import { describe, expect, test } from "bun:test";
import { compile, explain, SqlFault } from "../../src/sql.ts";
import { catalog } from "./catalog.ts";

/** A query in FROM: its stages stand before those of the query that reads it. */

const planned = (sql: string) => compile(sql, catalog, { lineage: true });
const kinds = (sql: string): string[] => planned(sql).stages.map(({ kind }) => kind);
const refusal = (sql: string): string => {
  try {
    compile(sql, catalog);
  } catch (thrown) {
    if (thrown instanceof SqlFault) return thrown.message;
    throw thrown;
  }
  return "";
};

describe("a query in FROM", () => {
  test("is planned as the first stages of the rule, whatever it is made of", () => {
    expect(kinds("SELECT x + 1 AS y FROM (SELECT temperature AS x FROM press.fast) AS i"))
      .toEqual(["rows", "rows"]);
    expect(kinds("SELECT max(m) AS top FROM (SELECT avg(temperature) AS m FROM press.fast " +
      "GROUP BY TUMBLINGWINDOW(ss, 1)) AS i GROUP BY TUMBLINGWINDOW(ss, 10)"))
      .toEqual(["window", "window"]);
    expect(kinds("SELECT z FROM (SELECT y AS z FROM (SELECT lag(pressure) AS y FROM press.fast))"))
      .toEqual(["stateful"]);
  });

  test("tells what the rule reads, and what its columns are made of", () => {
    const { inputs, newest, sources, rowwise, selective, output } = planned(
      "SELECT x, `m-01`.power AS other FROM (SELECT temperature * 2 AS x, press.setpoint " +
      "AS wanted FROM press.fast WHERE pressure > 1) AS i WHERE wanted > 3");
    expect(inputs.flatMap(({ streams }) => streams)).toEqual(["press.fast"]);
    expect(newest.map(({ tag }) => tag)).toEqual(["press.setpoint", "m-01.power"]);
    expect(sources.row).toEqual(["pressure", "press.setpoint"]);
    expect(sources.columns).toEqual({ x: ["temperature"], other: ["m-01.power"] });
    expect([rowwise, selective]).toEqual([true, true]);
    expect(output.map(({ name }) => name)).toEqual(["x", "other", "$oldest"]);
  });

  test("is shown stage by stage", () => {
    const text = explain(planned("SELECT count(*) AS n FROM (SELECT temperature FROM press.fast " +
      "WHERE pressure > 1) AS i GROUP BY TUMBLINGWINDOW(ss, 10)"));
    expect(text).toContain("reads   press.fast AS press.fast: ");
    expect(text).toMatch(/stage 1: rows[^]*stage 2: tumbling window/);
  });

  test.each([
    ["SELECT z FROM (SELECT temperature FROM press.fast) AS i", "1:8: z is no column of i"],
    ["SELECT a FROM (SELECT tempreature AS a FROM press.fast)",
      "1:23: tempreature is no column of press.fast"],
    ["SELECT a FROM (press.fast)", "Here SELECT is expected"],
    ["SELECT a FROM (SELECT temperature AS a FROM press.fast", "Here ) is expected"],
    ["SELECT a FROM (SELECT temperature AS a FROM press.fast) i", "an alias stands after AS"],
    ["SELECT a FROM (SELECT temperature AS a FROM press.fast LIMIT 3)", "LIMIT needs the rows"],
    ["SELECT raw(a) AS r FROM (SELECT temperature AS a FROM press.fast)", "raw() takes a column"],
    ["SELECT a FROM (SELECT sum(max(temperature)) AS a FROM press.fast)", "aggregate of an"],
    ["SELECT p.temperature FROM press.fast AS p JOIN (SELECT power FROM m-01.slow) AS o ON " +
      "o.power = p.temperature GROUP BY TUMBLINGWINDOW(ss, 1)", "a rule of its own"],
    ["SELECT p.temperature FROM (SELECT temperature FROM press.fast) AS p ASOF JOIN m-01.slow AS " +
      "o TOLERANCE 1s", "a rule of its own"],
  ])("%s", (sql, sentence) => expect(refusal(sql)).toContain(sentence));

  test("stands inside another one only so deep", () => {
    const deep = (n: number): string => n === 0 ? "press.fast" : `(SELECT * FROM ${deep(n - 1)})`;
    expect(refusal(`SELECT * FROM ${deep(20)}`)).toBe("");
    expect(refusal(`SELECT * FROM ${deep(600)}`)).toContain("expression_levels_max");
  });
});
