import { describe, expect, test } from "bun:test";
import { Arena, type ColumnSpec, readCell, Ring, writeCell } from "../../src/ring.ts";
import { type Catalog, compile, explain, instantiate, SqlFault } from "../../src/sql.ts";

const columns: readonly ColumnSpec[] = [
  { name: "k", kind: "text", slot: 8 }, { name: "v", kind: "float64", slot: 0 },
];
const catalog: Catalog = {
  stream: (name) => ({ name, columns, interval_ms: null }), match: () => [], device: () => false,
  tag: () => undefined, model: () => undefined, names: () => [],
};

type Given = readonly [k: string | null, v: number | null];
const rows: readonly Given[] = [["b", 2], ["a", 3], ["b", null], ["a", 1], ["c", 3], ["b", 2]];

/** Rows 1 ms apart through a rule of small rings; all that comes out, and rows that failed. */
function run(sql: string, given: readonly Given[] = rows) {
  const program = compile(sql, catalog);
  const arena = Arena.create(1 << 23);
  const make = (specs: readonly ColumnSpec[], rows = 16): Ring =>
    Ring.create(arena, Ring.layout("r", specs, rows)).ring;
  const input = make(program.inputs[0]!.columns, 2048);
  const rings = [input, ...program.stages.map((plan) => make(plan.output))];
  const stages = program.stages.map((plan, i) => instantiate(plan, {
    arena, input: rings[i]!, output: rings[i + 1]!, newest: [],
    state: arena.take(plan.stateBytes, "state"),
  }));
  given.forEach((row, i) => {
    input.claim(1);
    input.arena.F[input.timeAt + (input.head & input.mask)] = 1000 + i;
    for (const column of input.columns) {
      writeCell(input, column, input.head, column.name === "k" ? row[0] : row[1]);
    }
    input.publish(1);
  });
  const found: string[] = [];
  const output = rings.at(-1)!;
  let read = 0;
  const cursors = stages.map(() => 0);
  for (let turn = 0; turn < 4 * given.length; turn++) {
    stages.forEach((stage, i) => {
      // What a stage has not read yet must not be overwritten.
      const lag = i + 1 < stages.length ? rings[i + 1]!.head - cursors[i + 1]! : 0;
      if (lag > rings[i + 1]!.rows >> 1) return;
      if (cursors[i] !== rings[i]!.head) {
        cursors[i] = stage.run(cursors[i]!, rings[i]!.head, 0, 1000);
      }
      if (stage.deadline <= 1000) stage.tick(1000, 0);
    });
    for (; read !== output.head; read++) {
      found.push(output.shown.map((column) => {
        const state = output.arena.U[column.state + (read & output.mask)]!;
        return state < 64 ? String(readCell(output, column, read)) : "-";
      }).join(" "));
    }
  }
  return { found, errors: stages.reduce((n, { counters }) => n + counters.errors, 0) };
}

const cases: readonly (readonly [sql: string, rows: readonly string[]])[] = [
  ["SELECT k, v FROM s GROUP BY COUNTWINDOW(6) ORDER BY v",
    ["a 1", "b 2", "b 2", "a 3", "c 3", "b -"]],
  ["SELECT k, v FROM s GROUP BY COUNTWINDOW(6) ORDER BY v DESC, k DESC",
    ["c 3", "a 3", "b 2", "b 2", "a 1", "b -"]],
  ["SELECT k, sum(v) AS total FROM s GROUP BY k, COUNTWINDOW(6) ORDER BY total DESC LIMIT 2",
    ["b 4", "a 4"]],
  ["SELECT k FROM s GROUP BY COUNTWINDOW(6) LIMIT 2", ["b", "a"]],
  ["SELECT DISTINCT k, v FROM s GROUP BY COUNTWINDOW(6)", ["b 2", "a 3", "b -", "a 1", "c 3"]],
  ["SELECT DISTINCT k FROM s GROUP BY COUNTWINDOW(6) ORDER BY k LIMIT 2", ["a", "b"]],
  ["SELECT k, v, row_number() AS n FROM s GROUP BY COUNTWINDOW(3)",
    ["b 2 1", "a 3 2", "b - 3", "a 1 1", "c 3 2", "b 2 3"]],
  ["SELECT k, row_number() OVER (PARTITION BY k ORDER BY v) * 10 AS n FROM s " +
    "GROUP BY COUNTWINDOW(6)", ["b 10", "a 20", "b 30", "a 10", "c 10", "b 20"]],
  ["SELECT k, count(*) AS n, row_number() OVER (ORDER BY k DESC) AS place FROM s " +
    "GROUP BY k, COUNTWINDOW(6) HAVING count(*) > 1 ORDER BY k", ["a 2 2", "b 3 1"]],
  ["SELECT count(DISTINCT k) AS n, count(DISTINCT v) AS m FROM s GROUP BY COUNTWINDOW(6)", ["3 3"]],
  ["SELECT cardinality(collect(DISTINCT v)) AS n, max(DISTINCT v) AS m FROM s GROUP BY k, " +
    "COUNTWINDOW(6)", ["1 2", "2 3", "1 3"]],
  ["SELECT count(DISTINCT v) AS n FROM s WHERE v IS NULL GROUP BY COUNTWINDOW(6)", ["0"]],
  ["SELECT row_number() AS n FROM s WHERE v > 2", ["1", "1"]],
];

describe("all rows of a window together", () => {
  test.each(cases)("%s", (sql, wanted) => {
    expect(run(sql).found).toEqual([...wanted]);
  });

  test("more rows than a ring between stages has", () => {
    const given = Array.from({ length: 700 }, (_, i): Given => ["k", (i * 37) % 700]);
    const { found } = run("SELECT v FROM s GROUP BY COUNTWINDOW(350) ORDER BY v", given);
    const half = (from: number): string[] => given.slice(from, from + 350).map(([, v]) => v!)
      .sort((a, b) => a - b).map(String);
    expect(found).toEqual([...half(0), ...half(350)]);
  });

  test("values of several kinds have no order, and all rows of the window count as failed", () => {
    const sql = "SELECT v FROM s GROUP BY COUNTWINDOW(3) ORDER BY " +
      "array_create(1, 'a')[CASE WHEN k = 'a' THEN 1 ELSE 0 END]";
    expect(run(sql)).toEqual({ found: [], errors: 6 });
  });

  test("explain shows what is done, and its bytes", () => {
    const text = explain(compile("SELECT DISTINCT k, count(*) AS n FROM s GROUP BY k, " +
      "COUNTWINDOW(100) HAVING count(*) > 1 ORDER BY n DESC LIMIT 3", catalog));
    expect(text).toMatch(/the rows of a window: those of HAVING, different ones, in order of /);
    expect(text).toMatch(/ \$by0 down, the first 3; at most 1024 in \d+ bytes, \d+ bytes\n/);
  });
});

const counted: readonly (readonly [sql: string, rows: readonly string[]])[] = [
  ["SELECT k, last_hit_count() AS n FROM s WHERE last_hit_count() < 2", ["b 0", "a 1"]],
  ["SELECT last_hit_time() AS t FROM s WHERE k = 'a'", ["0", "1001"]],
  ["SELECT count(*) AS n, last_agg_hit_count() AS hits, last_agg_hit_time() AS t FROM s " +
    "GROUP BY COUNTWINDOW(2) HAVING sum(v) > 2", ["2 0 0", "2 1 1001"]],
  ["SELECT k, last_agg_hit_count() AS n FROM s GROUP BY COUNTWINDOW(2) " +
    "HAVING last_agg_hit_count() < 2", ["b 0", "a 0", "b 1", "a 1"]],
  ["SELECT count(*) AS n FROM s GROUP BY SLIDINGWINDOW(ms, 1) OVER (WHEN last_hit_count() < 3)",
    ["1", "2", "2"]],
  ["SELECT k, row_number() + last_agg_hit_count() AS n FROM s GROUP BY COUNTWINDOW(3) " +
    "ORDER BY k DESC LIMIT 2", ["b 1", "b 3", "c 3", "b 4"]],
];
test.each(counted)("%s", (sql, wanted) => {
  expect(run(sql).found).toEqual([...wanted]);
});

const refused: readonly (readonly [sql: string, code: string, words: string])[] = [
  ["SELECT v FROM s ORDER BY v", "no-window", "ORDER BY needs the rows of a window"],
  ["SELECT v FROM s LIMIT 3", "no-window", "LIMIT needs the rows of a window"],
  ["SELECT DISTINCT v FROM s", "no-window", "DISTINCT needs the rows of a window"],
  ["SELECT max(v) AS m FROM s GROUP BY k ORDER BY m", "no-window", "each row is a result"],
  ["SELECT sum(DISTINCT v) FROM s GROUP BY COUNTWINDOW(2)", "syntax", "DISTINCT stands in count()"],
  ["SELECT count(DISTINCT v) FROM s", "syntax", "the rows of a window"],
  ["SELECT v FROM s GROUP BY COUNTWINDOW(2) LIMIT 0", "arguments", "at least 1"],
  ["SELECT v FROM s GROUP BY COUNTWINDOW(2) ORDER BY 1", "syntax", "not its place"],
  ["SELECT row_number() AS n FROM s GROUP BY COUNTWINDOW(2) ORDER BY n", "syntax", "its own"],
  ["SELECT DISTINCT row_number() FROM s GROUP BY COUNTWINDOW(2)", "syntax", "no two rows"],
  ["SELECT last_agg_hit_count() FROM s", "syntax", "a query with a window"],
  ["SELECT count(*) FROM s WHERE last_hit_count() > 1 GROUP BY COUNTWINDOW(2)", "syntax",
    "without a window"],
  ["SELECT sum(last_agg_hit_count()) FROM s GROUP BY COUNTWINDOW(2)", "syntax", "HAVING"],
  ["SELECT lag(last_hit_count()) FROM s", "syntax", "WHERE or SELECT"],
  ["SELECT v FROM s WHERE row_number() > 1", "syntax", "only stand in SELECT"],
  ["SELECT sum(row_number()) FROM s GROUP BY COUNTWINDOW(2)", "syntax", "counts the rows"],
  ["SELECT row_number() OVER (PARTITION BY row_number() > 1) FROM s GROUP BY COUNTWINDOW(2)",
    "syntax", "no key of its own"],
  ["SELECT row_number() + 1 AS b, lag(b) FROM s GROUP BY COUNTWINDOW(2)", "syntax",
    "which lag() does not see"],
  ["SELECT row_number() AS n FROM s GROUP BY COUNTWINDOW(2) HAVING n > 1", "syntax",
    "pass HAVING"],
  ["SELECT last_hit_time() AS b, lag(b) FROM s", "syntax", "have passed, which lag()"],
  ["SELECT row_number() AS b, had_changed(TRUE, v) OVER (PARTITION BY b) FROM s " +
    "GROUP BY COUNTWINDOW(2)", "syntax", "which had_changed() does not see"],
  ["SELECT a.v FROM s AS a JOIN s AS b ON a.v = b.v AND a.v > event_time() GROUP BY " +
    "TUMBLINGWINDOW(ss, 1)", "join", "each of the two that ON compares has its own"],
];
test.each(refused)("refused: %s", (sql, code, words) => {
  try {
    compile(sql, catalog);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(SqlFault);
    expect((thrown as SqlFault).code).toBe(code);
    expect((thrown as SqlFault).message).toContain(words);
    return;
  }
  throw new Error(`accepted: ${sql}`);
});

test("of two columns of one name the last is left, and only what it reads", () => {
  expect(run("SELECT row_number() OVER (PARTITION BY k), row_number() OVER (ORDER BY v) FROM s " +
    "GROUP BY COUNTWINDOW(2)")).toEqual(run("SELECT row_number() OVER (ORDER BY v) FROM s " +
    "GROUP BY COUNTWINDOW(2)"));
});

test("HAVING over rows of a window may read a function with state", () => {
  const all = run("SELECT v FROM s GROUP BY COUNTWINDOW(2)");
  // Nothing comes before the first row.
  expect(run("SELECT v FROM s GROUP BY COUNTWINDOW(2) HAVING lag(3) = 3"))
    .toEqual({ ...all, found: all.found.slice(1) });
});

test("W8: how often something has passed is not on the way to a write", () => {
  const sql = "SELECT v FROM s WHERE last_hit_count() < 3";
  const [unsafe] = compile(sql, catalog, { strict: true }).unsafe;
  expect(unsafe!.sentence).toContain("every row since");
});

test.each([
  "SELECT v FROM s GROUP BY COUNTWINDOW(2) ORDER BY v",
  "SELECT v FROM s GROUP BY COUNTWINDOW(2) LIMIT 1",
  "SELECT DISTINCT v FROM s GROUP BY COUNTWINDOW(2)",
  "SELECT v * row_number() AS v FROM s GROUP BY COUNTWINDOW(2)",
])("W8: not on the way to a write: %s", (sql) => {
  const { unsafe } = compile(sql, catalog, { strict: true });
  expect(unsafe.map(({ sentence }) => sentence).join()).toContain("choose by values");
});
