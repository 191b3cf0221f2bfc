import { expect, test } from "bun:test";
import { type Catalog, compile } from "../../src/sql.ts";
import type { ColumnSpec } from "../../src/ring.ts";

/** Functions with state over what windows give: the query over a query that has the windows. */
const columns: readonly ColumnSpec[] = [
  { name: "a", kind: "float64", slot: 0 }, { name: "n", kind: "int53", slot: 0 },
];
const catalog: Catalog = {
  stream: (name) => (name === "s" ? { name, columns, interval_ms: 10 } : undefined),
  match: () => [], device: () => false, tag: () => undefined, model: () => undefined,
  names: () => [],
};
const window = "FROM s GROUP BY n, TUMBLINGWINDOW(ss, 1)";

test.each([
  [`SELECT changed_cols('t_', TRUE, avg(a), n) ${window}`,
    "SELECT changed_col(TRUE, `of 0`) AS t_avg, changed_col(TRUE, `of 1`) AS t_n FROM " +
    `(SELECT avg(a) AS \`of 0\`, n AS \`of 1\` ${window})`],
  [`SELECT n, lag(avg(a)) - avg(a) AS d ${window} HAVING count(*) > 1`,
    "SELECT `of 0` AS n, lag(`of 1`) - `of 1` AS d FROM " +
    `(SELECT n AS \`of 0\`, avg(a) AS \`of 1\` ${window} HAVING count(*) > 1)`],
  [`SELECT avg(a) AS m, lag(m, 2) AS l ${window}`,
    `SELECT m, lag(\`of 0\`, 2) AS l FROM (SELECT avg(a) AS m, m AS \`of 0\` ${window})`],
  [`SELECT max(a) ${window} HAVING had_changed(TRUE, max(a)) AND count(*) > 1`,
    "SELECT `of 0` AS max FROM (SELECT max(a) AS `of 0`, count(*) > 1 AS `of 1` " +
    `${window}) WHERE had_changed(TRUE, \`of 0\`) AND \`of 1\``],
  ["SELECT changed_cols('', FALSE, a) FROM s GROUP BY COUNTWINDOW(3)",
    "SELECT changed_col(FALSE, `of 0`) AS a FROM (SELECT a AS `of 0` FROM s GROUP BY " +
    "COUNTWINDOW(3))"],
  [`SELECT lag(sum(a)) OVER (PARTITION BY n WHEN sum(a) > 1) AS l, n ${window} ORDER BY n LIMIT 3`,
    "SELECT lag(`of 0`) OVER (PARTITION BY `of 1` WHEN `of 2`) AS l, `of 1` AS n FROM " +
    "(SELECT sum(a) AS `of 0`, n AS `of 1`, sum(a) > 1 AS `of 2` " +
    `${window} ORDER BY n LIMIT 3)`],
])("%s is %s", (short, long) => {
  const plan = (sql: string): unknown => {
    const { stages, output } = compile(sql, catalog);
    return { output, stages: stages.map(({ kind, output: of }) => [kind, of.map((c) => c.kind)]) };
  };
  expect(plan(short)).toEqual(plan(long));
});

test.each([
  ["SELECT lag(a) AS l FROM s GROUP BY TUMBLINGWINDOW(ss, 1)", "stateful"],
  [`SELECT max(a) AS a, n ${window}`, "window"],
])("what looks at rows stays before the window: %s", (sql, first) => {
  expect(compile(sql, catalog).stages[0]!.kind).toBe(first as "window");
});

test.each([
  ["SELECT changed_cols('c', TRUE, *) FROM s GROUP BY COUNTWINDOW(2)", "over a window: not in"],
  ["SELECT changed_cols(n, TRUE, a) FROM s GROUP BY COUNTWINDOW(2)", "The prefix is a text"],
  ["SELECT changed_cols('c', TRUE, a + 1) FROM s GROUP BY COUNTWINDOW(2)", "a column is expected"],
  ["SELECT *, changed_cols('c', TRUE, a) FROM s GROUP BY COUNTWINDOW(2)", "This column beside"],
  [`SELECT max(a) ${window} HAVING had_changed(TRUE, max(a)) ORDER BY n`, "ORDER BY, LIMIT or"],
  ["SELECT changed_cols('c') FROM s GROUP BY COUNTWINDOW(2)", "changed_cols"],
])("refused with its place: %s", (sql, sentence) => {
  expect(() => compile(sql, catalog)).toThrow(sentence);
});
