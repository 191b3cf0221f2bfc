import { describe, expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { bind, bindConditions } from "../../src/sql/bind.ts";
import type { Bound, BoundQuery, Catalog } from "../../src/sql/bound.ts";
import { SqlFault } from "../../src/sql/fault.ts";
import { catalog } from "./catalog.ts";

const count = Number(process.env.SOAK_COUNT ?? 3000);
const bound = (sql: string): BoundQuery => bind(sql, catalog);
const first = (expr: string, from = "orders"): Bound => bound(`SELECT ${expr} AS x FROM ${from}`)
  .select[0]!.expr;

function fault(sql: string): SqlFault {
  try {
    bound(sql);
  } catch (thrown) {
    if (thrown instanceof SqlFault) return thrown;
    throw thrown;
  }
  throw new Error(`accepted: ${sql}`);
}

describe("names", () => {
  test("columns of FROM, by themselves, by device, by stream, by alias", () => {
    for (const name of ["temperature", "press.temperature", "press.fast.temperature"]) {
      expect(first(name, "press.fast")).toMatchObject({ kind: "column", name: "temperature" });
    }
    expect(bound("SELECT p.temperature FROM press.fast AS p").select[0])
      .toMatchObject({ name: "temperature" });
  });

  test("a tag of another group or device is its newest value", () => {
    const query = bound("SELECT temperature - press.setpoint AS d, `m-01`.power FROM press.fast");
    expect(query.newest).toMatchObject([
      { tag: "press.setpoint", stream: "press.slow", pollMs: 10_000 },
        { tag: "m-01.power", stream: "m-01.slow" }]);
    expect(query.inputs[0]!.columns.map((c) => c.name)).toEqual(["temperature"]);
  });

  test("a pattern is a fan-in with `device` and the columns that all have", () => {
    const query = bound("SELECT * FROM m-*.slow");
    expect(query.inputs[0]).toMatchObject({ fanIn: true, streams: ["m-01.slow", "m-02.slow"] });
    expect(query.select.map((f) => f.name).sort()).toEqual(["device", "power", "state"]);
  });

  test("conditions read newest values only", () => {
    const query = bindConditions(["press.door_closed", "`m-01`.power < 80 AND press.setpoint > 1"],
      catalog);
    expect(query.select.map((f) => f.name)).toEqual(["c0", "c1"]);
    expect(query.newest.map((n) => n.tag))
      .toEqual(["press.door_closed", "m-01.power", "press.setpoint"]);
    expect(query.inputs).toEqual([]);
    expect(() => bindConditions(["press.setpoint + 1"], catalog)).toThrow("condition is expected");
    expect(() => bindConditions(["temperature > 1"], catalog)).toThrow("device.tag");
    expect(() => bindConditions(["event_time() > 1"], catalog)).toThrow("rows of a stream");
    expect(() => bindConditions(["infer('target', press.setpoint, 2) > 1"], catalog))
      .toThrow("A model in a condition on newest values alone");
  });

  test("aliases: usable everywhere; inside its own definition the name is the column", () => {
    const query = bound("SELECT weight + 1 AS weight, weight * 2 AS w FROM orders WHERE w > 3");
    const [weight, double] = query.select;
    expect(double!.expr).toMatchObject({ kind: "binary", left: weight!.expr });
    expect(query.where).toMatchObject({ left: double!.expr });
    expect(weight!.expr).toMatchObject({ left: { kind: "column", name: "weight" } });
    expect(fault("SELECT weight + b AS a, a + 1 AS b FROM orders").message)
      .toContain("need each other");
  });

  test("names of results", () => {
    const names = (list: string): string[] => bound(`SELECT ${list} FROM orders`)
      .select.map((f) => f.name);
    expect(names("id, weight + 1, ABS(weight), 3"))
      .toEqual(["id", "kuiper_field_0", "abs", "kuiper_field_1"]);
    expect(names("*, id + 1 AS id")).toEqual(
      ["recipe", "due", "extra", "count", "weight"].toSpliced(0, 0, "id"));
    expect(names("* EXCEPT(extra, due) REPLACE(1 AS count)"))
      .toEqual(["id", "recipe", "count", "weight"]);
  });
});

describe("types", () => {
  const cases: [string, string][] = [
    ["count / 2", "int53"], ["count / 2.0", "float64"], ["id + 1", "int64"],
      ["id * 0.5", "float64"],
    ["weight > 3", "bool"], ["CASE WHEN weight > 1 THEN 1 ELSE 2.5 END", "float64"],
      ["abs(count)", "int53"],
    ["coalesce(count, weight)", "float64"], ["cast(weight, 'bigint')", "int53"],
      ["round(count)", "float64"],
    ["lower(recipe)", "text"], ["-9223372036854775808", "int64"], ["NOT weight > 1", "bool"],
      ["length(recipe)", "int53"],
  ];
  for (const [expr, kind] of cases) {
    test(expr, () => expect(first(expr).type.kind as string).toBe(kind));
  }

  test("what cannot be compared is a mistake, with its place", () => {
    expect(fault("SELECT id FROM orders WHERE recipe > 3"))
      .toMatchObject({ code: "type", column: 29 });
    expect(fault("SELECT recipe + 1 FROM orders").message).toContain("a number is expected");
    expect(fault("SELECT id FROM orders WHERE weight").message)
      .toContain("a condition is expected");
    expect(fault("SELECT weight & 1 FROM orders").message).toContain("whole numbers");
    expect(fault("SELECT id FROM orders WHERE due > 'soon'").message).toContain("2026-01-31");
  });

  test("a text beside a time is a time", () => {
    expect(first("due > '1970-01-01T00:00:01Z'"))
      .toMatchObject({ right: { kind: "literal", value: 1000, type: { kind: "time" } } });
  });

  test("equal expressions are one object, equal literals are two", () => {
    const query =
      bound("SELECT weight + count AS a, weight + count AS b, 5 AS c, 5 AS d FROM orders");
    const [a, b, c, d] = query.select.map((f) => f.expr);
    expect(a).toBe(b!);
    expect(c).not.toBe(d!);
  });
});

describe("groups", () => {
  test("keys, aggregates once each, a bare column is that of the first row", () => {
    const query =
      bound("SELECT lower(recipe) AS k, sum(count) AS s, sum(count) / count(*) AS m, due FROM " +
        "orders " +
      "GROUP BY k, TUMBLINGWINDOW(mi, 1) HAVING s > 2");
    expect(query.window).toMatchObject({ kind: "tumbling", length_ms: 60_000 });
    expect(query.select[0]!.expr).toBe(query.groupBy[0]!);
    expect(query.aggregates.map((a) => a.fn)).toEqual(["sum", "count", "first"]);
    expect(query.having).toMatchObject({ left: { kind: "aggregate", index: 0 } });
  });

  test("types of aggregates", () => {
    const query =
      bound("SELECT avg(count), avg(weight), stddev(count), min(recipe), count(recipe), " +
        "last(due), " +
      "last_value(weight, FALSE) FROM orders GROUP BY COUNTWINDOW(10, 2)");
    expect(query.aggregates.map((a) => a.type.kind as string))
      .toEqual(["int53", "float64", "float64", "text", "int53", "time", "float64"]);
    expect(query.aggregates.at(-1)!.skipsNull).toBe(false);
    expect(query.window).toMatchObject({ kind: "count", rows: 10, every: 2 });
  });
});

describe("infer", () => {
  test("arguments as floats, equal calls once, outputs by index", () => {
    const query =
      bound("SELECT infer('target', temperature, door_closed) AS a, infer('target', temperature, " +
        "door_closed)[1] AS b " +
      "FROM press.fast WHERE infer('target', temperature, door_closed) > 1");
    expect(query.infers).toHaveLength(1);
    expect(query.infers[0]!.args[1]).toMatchObject({ kind: "cast", type: { kind: "float64" } });
    expect(query.select.map((f) => f.expr))
      .toMatchObject([{ kind: "infer", output: 0 }, { kind: "infer", output: 1 }]);
  });

  test("a model that is not there, wrong numbers of inputs and outputs", () => {
    expect(fault("SELECT infer('targt', temperature) FROM press.fast").code).toBe("unknown-model");
    expect(fault("SELECT infer('target', temperature) FROM press.fast").message)
      .toContain("takes 2 numbers");
    expect(fault("SELECT infer('target', temperature, 1)[2] FROM press.fast").message)
      .toContain("gives 2 numbers");
  });
});

describe("a stream of any fields", () => {
  const open: Catalog = { ...catalog, stream: (name) => (name === "any"
    ? { name, columns: [], interval_ms: null, open: { value_bytes: 32, message_bytes: 512 } }
    : catalog.stream(name)) };
  const read = (sql: string): (readonly [string, readonly string[] | undefined])[] =>
    bind(sql, open).inputs[0]!.columns.map(({ name, path }) => [name, path]);

  test("its columns are the fields that the rule reads, inside others too", () => {
    expect(read("SELECT a + 1 AS x, b->c->d AS y, b->l[0] AS z FROM any WHERE q"))
      .toEqual([["q", ["q"]], ["a", ["a"]], ["b->c->d", ["b", "c", "d"]], ["b->l", ["b", "l"]]]);
    expect(read("SELECT b AS s, s->c AS c, any.b.e AS e FROM any"))
      .toEqual([["b", ["b"]], ["b->c", ["b", "c"]], ["b->e", ["b", "e"]]]);
  });

  test("what joins read is read, and what a stream of FROM lacks is no field of another", () => {
    expect(read("SELECT any.a FROM any JOIN press.fast AS p ON any.b = p.temperature " +
      "GROUP BY COUNTWINDOW(2)").map(([name]) => name)).toEqual(["b", "a"]);
    expect(() => bind("SELECT p.a FROM any JOIN press.fast AS p GROUP BY COUNTWINDOW(2)", open))
      .toThrow("press.fast has no column a");
  });

  test("`*` is the message; a column beside it has its name", () => {
    const { select, inputs } = bind("SELECT * EXCEPT(x) REPLACE(a * 2 AS a) FROM any", open);
    expect(select.map(({ name }) => name)).toEqual(["*", "a"]);
    expect(inputs[0]!.columns.map(({ name, kind, slot }) => [name, kind, slot]))
      .toEqual([["*", "json", 512], ["a", "dyn", 32]]);
  });

  test("what a place takes is asked in the row", () => {
    const { select } = bind("SELECT upper(a) AS t, a * 1.5 AS f, a * 2 AS n FROM any", open);
    expect(select.map(({ expr }) => [expr.kind, expr.type.kind])).toEqual([["call", "text"],
      ["binary", "float64"], ["binary", "dyn"]]);
    expect(fault("SELECT array_max(weight) FROM orders").message).toContain("an array is expected");
    expect(fault("SELECT weight->a FROM orders").message).toContain("a structure is expected");
  });
});

test("changed_cols is a changed_col for each column, of the rows that WHERE lets pass", () => {
  const { select, stateful } = bound("SELECT changed_cols('n_', TRUE, weight, *) FROM orders " +
    "WHERE count > 1");
  expect(select.map(({ name }) => name)).toEqual(["n_weight", "n_id", "n_recipe", "n_due",
    "n_extra", "n_count"]);
  expect(stateful.every(({ fn, when }) => fn === "changed_col" && when !== null)).toBe(true);
  const refused = (sql: string): string => fault(`SELECT changed_cols(${sql}`).message;
  expect(refused("recipe, TRUE, id) FROM orders")).toContain("is a text");
  expect(refused("'n_', TRUE, *) FROM orders GROUP BY COUNTWINDOW(2)")).toContain("over a window");
});

describe("errors", () => {
  test("mutated queries never crash the binder", () => {
    const seed = Number(process.env.SOAK_SEED ?? Date.now() % 1e6);
    console.log(`seed ${seed}`);
    const random = createRandom(seed);
    const pieces = ["id", "recipe", "weight", "count", "due", "extra", "press.setpoint",
      "`m-01`.power", "NULL", "'x'", "1", "2.5", "TRUE"];
    const operators = ["+", "/", "=", "<", "AND", "OR", "LIKE", "&", "IN (1, 'a')", "IS NULL",
      "BETWEEN 1 AND"];
    const calls = ["abs(", "sum(", "infer('target', ", "coalesce(", "lower(", "last_value(",
      "round(", "cast("];
    const expr = (depth: number): string => {
      if (depth === 0 || random.chance(0.3)) return random.pick(pieces);
      if (random.chance(0.3)) {
        return `${random.pick(calls)}${expr(depth - 1)}` +
          `${random.chance(0.5) ? `, ${expr(depth - 1)}` : ""})`;
      }
      if (random.chance(0.1)) {
        return `CASE WHEN ${expr(depth - 1)} THEN ${expr(depth - 1)} ELSE ${expr(depth - 1)} END`;
      }
      return `${expr(depth - 1)} ${random.pick(operators)} ${expr(depth - 1)}`;
    };
    let accepted = 0;
    for (let i = 0; i < count; i++) {
      const group = random.chance(0.4) ? ` GROUP BY ${expr(1)}, COUNTWINDOW(3) HAVING ${expr(1)}`
        : "";
      const sql = `SELECT ${expr(3)} AS weight, ${expr(2)} FROM orders WHERE ${expr(2)}${group}`;
      try {
        bound(sql);
        accepted += 1;
      } catch (thrown) {
        if (!(thrown instanceof SqlFault)) throw new Error(`${sql}: ${thrown}`);
      }
    }
    expect(accepted).toBeGreaterThan(0);
  }, 5000 + count);

  test("aliases that double cost no more than they are long", () => {
    const doubled = Array.from({ length: 60 }, (_, i) => `a${i} + a${i} AS a${i + 1}`);
    const query = bound(`SELECT weight AS a0, ${doubled.join(", ")} FROM orders WHERE a60 > 1`);
    expect(query.select).toHaveLength(61);
  });

  test("the nearest known name", () => {
    expect(fault("SELECT temprature FROM press.fast"))
      .toMatchObject({ code: "unknown-column", nearest: "temperature", column: 8 });
    expect(fault("SELECT id FROM orderz"))
      .toMatchObject({ code: "unknown-stream", nearest: "orders" });
    expect(fault("SELECT press.setpont FROM orders"))
      .toMatchObject({ code: "unknown-tag", nearest: "press.setpoint" });
    expect(fault("SELECT id FROM x-*.slow").code).toBe("unknown-stream");
  });

  const later = [
    "SELECT id FROM orders WHERE sum(id) > 1"];
  for (const sql of later) {
    test(`not in this version: ${sql}`, () => {
      const error = fault(sql);
      expect(error.code).toBe("not-in-this-version");
      expect(error.message).toContain("not in this version");
    });
  }
});

describe("meta()", () => {
  const about = { name: "$meta", kind: "dyn", slot: 64 } as const;
  const telling: Catalog = { ...catalog, stream: (name) => {
    const stream = catalog.stream(name);
    return stream === undefined || name !== "orders" ? stream : { ...stream, meta: about };
  } };

  test("is a column of its own, which `*` does not show", () => {
    const query = bind("SELECT *, meta(topic) AS topic FROM orders WHERE mqtt(QoS) = 1 AND " +
      "meta(orders.a->b) = 'x' AND meta(*) IS NOT NULL", telling);
    expect(query.inputs[0]!.columns.map(({ name }) => name)).toContain("$meta");
    expect(query.select.map(({ name }) => name)).not.toContain("$meta");
  });

  test("is refused where there is none", () => {
    expect(fault("SELECT meta(topic) FROM orders")).toMatchObject({ code: "no-meta" });
    expect(() => bind("SELECT mqtt(size) FROM orders", telling))
      .toThrow("topic, qos and messageid");
  });
});

test("no text has more room than a cell may have", () => {
  const nested = "to_json(to_json(to_json(to_json(to_json(to_json(recipe))))))";
  expect(first(nested).type).toEqual({ kind: "text", slot: 65_536 });
  expect(first("compress(to_json(to_json(to_json(to_json(to_json(recipe))))), 'gzip')").type)
    .toEqual({ kind: "bytes", slot: 65_536 });
  expect(fault(`SELECT '${"x".repeat(65_537)}' AS x FROM orders`).message)
    .toStartWith("1:8: A text has at most 65536 bytes, this one has 65537");
  expect(first(`'${"x".repeat(65_536)}'`).type.slot).toBe(65_536);
});
