import { describe, expect, test } from "bun:test";
import {
  Arena, BAD, type CellValue, type ColumnSpec, ERROR, FLAG, readCell, Ring, stateName, UNCERTAIN,
  writeCell,
} from "../../src/ring.ts";
import {
  type Catalog, compile, compileConditions, explain, instantiate, instantiateInfer, type Program,
  type Stage,
} from "../../src/sql.ts";
import type { Model } from "../../src/infer.ts";

const columns: readonly ColumnSpec[] = [
  { name: "a", kind: "float64", slot: 0 }, { name: "n", kind: "int53", slot: 0 },
  { name: "t", kind: "text", slot: 8 }, { name: "big", kind: "int64", slot: 0 },
];
const level: ColumnSpec = { name: "level", kind: "float64", slot: 0 };
const catalog: Catalog = {
  stream: (name) => (name === "s" ? { name, columns, interval_ms: 10 }
    : name === "up" ? { name, columns: [...columns, { name: "$oldest", kind: "time", slot: 0 }],
      interval_ms: 10 }
    : name === "tank.slow" ? { name, columns: [level], interval_ms: 1000 } : undefined),
  match: () => [], device: (name) => name === "tank",
  tag: (device, tag) => (device === "tank" && tag === "level"
    ? { stream: "tank.slow", column: "level", interval_ms: 1000 } : undefined),
  model: () => ({ inputs: 2, outputs: 1 }), names: () => [],
};

function push(
  ring: Ring, time: number, values: Record<string, CellValue>, states: Record<string, number> = {},
): void {
  ring.claim(1);
  const row = ring.head & ring.mask;
  ring.arena.F[ring.timeAt + row] = time;
  ring.arena.U[ring.flagsAt + row] = 0;
  for (const column of ring.columns) {
    writeCell(ring, column, ring.head, values[column.name] ?? null, states[column.name] ?? 0);
  }
  ring.publish(1);
}

interface Bench {
  readonly program: Program;
  readonly input: Ring;
  readonly tank: Ring;
  readonly rings: readonly Ring[];
  readonly stages: readonly Stage[];
}

/** A rule over fresh rings; models answer `answer`. */
function start(
  sql: string, options: { lineage?: boolean; strict?: boolean; rows?: number; model?: Model;
    clock?: () => number } = {},
): Bench {
  const { lineage = false, strict = false } = options;
  const program = compile(sql, catalog, { lineage, strict });
  const arena = Arena.create(1 << 22);
  const make = (name: string, specs: readonly ColumnSpec[], rows: number): Ring =>
    Ring.create(arena, Ring.layout(name, specs, rows)).ring;
  const input = make("s", program.inputs[0]!.columns, 2048);
  const tank = make("tank.slow", [level], 16);
  const rings = [input];
  const stages = program.stages.map((plan) => {
    const [from, output] = [rings.at(-1)!, make("out", plan.output, options.rows ?? 16)];
    rings.push(output);
    return plan.kind === "infer"
      ? instantiateInfer(plan, { input: from, output, model: options.model!, deadline: 10,
        now: options.clock ?? (() => 0) })
      : instantiate(plan, {
        arena, input: from, output, newest: program.newest.map(() => tank),
          state: arena.take(plan.stateBytes, "state"),
      });
  });
  return { program, input, tank, rings, stages };
}

/** One row as `name=value:state`. */
function show(ring: Ring, seq: number): string {
  return ring.columns.map((c) => {
    const state = ring.arena.U[c.state + (seq & ring.mask)]!;
    return `${c.name}=${state < 64 ? String(readCell(ring, c, seq)) : ""}:${stateName(state)}`;
  }).join(" ");
}

describe("W8: on the way to a write only what is good lets a row pass", () => {
  const run = (sql: string, strict: boolean) => {
    const { input, stages, rings } = start(sql, { strict });
    push(input, 1, { a: 5, n: 1 });
    push(input, 2, { a: 5, n: 2 }, { a: UNCERTAIN.source, n: UNCERTAIN.skipped });
    push(input, 3, { a: 5, n: 1 }, { n: UNCERTAIN.stale });
    stages.forEach((stage, i) => stage.run(0, rings[i]!.head, 0, 0));
    return { out: rings.at(-1)!.head, errors: stages.reduce((n, s) => n + s.counters.errors, 0) };
  };
  const cases: [string, string, [number, number], [number, number]][] = [
    ["WHERE", "SELECT 5.0 AS o FROM s WHERE a > 3", [3, 0], [2, 1]],
    ["a bare condition", "SELECT 5.0 AS o FROM s WHERE a IN (5) OR a = 7", [3, 0], [2, 1]],
    ["a constant that is NULL", "SELECT 5.0 AS o FROM s WHERE a > NULL", [0, 0], [0, 3]],
    ["HAVING", "SELECT count(*) AS c FROM s GROUP BY COUNTWINDOW(3) HAVING max(a) > 3",
      [1, 0], [0, 1]],
    ["FILTER", "SELECT 5.0 AS o, count(*) AS c FROM s " +
      "GROUP BY COUNTWINDOW(3) FILTER (WHERE a > 3)", [1, 0], [0, 1]],
    ["a key", "SELECT 5.0 AS o, count(*) AS c FROM s GROUP BY n, COUNTWINDOW(3)", [2, 0], [1, 2]],
  ];
  test.each(cases)("%s; what it keeps back is counted", (_, sql, lax, strict) => {
    const [found, kept] = [run(sql, false), run(sql, true)];
    expect([found.out, found.errors]).toEqual(lax);
    expect([kept.out, kept.errors]).toEqual(strict);
  });

  // Rows at 201 s, 202 s (a and n uncertain), 203 s (n uncertain) and 204 s.
  const windows: [string, string, string[]][] = [
    ["WHERE of a tumbling window", "SELECT sum(a) AS v FROM s WHERE a > 3 GROUP BY " +
      "TUMBLINGWINDOW(ss, 2)", ["5:good", "5:uncertain:skipped", "5:good"]],
    ["of a count window", "SELECT count(*) AS v FROM s WHERE a > 3 GROUP BY COUNTWINDOW(2)",
      ["1:uncertain:skipped", "2:good"]],
    ["of panes", "SELECT sum(a) AS v FROM s WHERE a > 3 GROUP BY HOPPINGWINDOW(ss, 2, 1)",
      ["5:good", "5:uncertain:skipped", "5:uncertain:skipped", "10:good", "5:good"]],
    ["of kept rows", "SELECT percentile_cont(a, 0.5) AS v FROM s WHERE a > 3 GROUP BY " +
      "TUMBLINGWINDOW(ss, 2)", ["5:good", "5:uncertain:skipped", "5:good"]],
    ["of a session", "SELECT count(*) AS v FROM s WHERE a > 3 GROUP BY SESSIONWINDOW(ss, 4, 3)",
      ["3:uncertain:skipped"]],
    ["of a sliding window", "SELECT count(*) AS v FROM s WHERE a > 3 GROUP BY " +
      "SLIDINGWINDOW(ms, 500)", ["1:good", "1:good", "1:good"]],
    ["a key", "SELECT count(*) AS v FROM s GROUP BY n, TUMBLINGWINDOW(ss, 4)",
      ["1:uncertain:skipped", "1:good"]],
    ["the end of a state window",
      "SELECT count(*) AS v FROM s GROUP BY STATEWINDOW(n = 1, a > 3 AND n = 4)",
      ["4:uncertain:skipped"]],
    ["what may have begun a state window before it",
      "SELECT count(*) AS v FROM s GROUP BY STATEWINDOW(n > 3, n = 4)", ["1:uncertain:skipped"]],
    ["what the window itself skips", "SELECT sum(a) AS v FROM s GROUP BY COUNTWINDOW(4)",
      ["20:uncertain:source"]],
    ["NULL, which may be made of doubt", "SELECT count(CASE WHEN n > 3 THEN 1 END) AS v FROM s " +
      "GROUP BY TUMBLINGWINDOW(ss, 2)", ["0:uncertain:skipped", "0:uncertain:skipped", "1:good"]],
    ["NULL of panes", "SELECT sum(CASE WHEN n > 3 THEN a END) AS v FROM s " +
      "GROUP BY HOPPINGWINDOW(ss, 2, 1)", [":null", ":null", ":null", "5:uncertain:skipped",
      "5:good"]],
    ["NULL of kept rows", "SELECT median(CASE WHEN n > 3 THEN a END) AS v FROM s " +
      "GROUP BY SLIDINGWINDOW(ss, 1)", [":null", ":null", ":null", "5:uncertain:skipped"]],
  ];
  test.each(windows)("%s: results tell of rows that it kept out", (_, sql, expected) => {
    const { input, stages, rings } = start(sql, { strict: true });
    push(input, 201000, { a: 5, n: 1 });
    push(input, 202000, { a: 5, n: 2 }, { a: UNCERTAIN.source, n: UNCERTAIN.skipped });
    push(input, 203000, { a: 5, n: 1 }, { n: UNCERTAIN.stale });
    push(input, 204000, { a: 5, n: 4 });
    const found: string[] = [];
    stages.forEach((stage, i) => {
      let at = 0;
      while (at !== rings[i]!.head) at = stage.run(at, rings[i]!.head, 0, 204_000);
      for (let time = 204_000; time <= 209_000; time += 1000) stage.tick(time, 0);
    });
    const output = rings.at(-1)!;
    for (let seq = 0; seq < output.head; seq++) {
      found.push(show(output, seq).replace(/^.*v=/, ""));
    }
    expect(found).toEqual(expected);
  });
});

describe("rows", () => {
  test("one shape is one text, whatever names and numbers", () => {
    const text = (sql: string): string => compile(sql, catalog).stages[0]!.text;
    expect(text("SELECT a + 1.5 AS x FROM s WHERE a > 2.0"))
      .toBe(text("SELECT a + 7.0 AS y FROM s WHERE a > 9.5"));
    expect(text("SELECT t FROM s WHERE t = 'x'"))
      .toBe(text("SELECT t FROM s WHERE t = 'a longer one'"));
    expect(text("SELECT a + 1.5 AS x FROM s")).not.toBe(text("SELECT a - 1.5 AS x FROM s"));
  });

  test("explain prints the code that runs", () => {
    const program = compile("SELECT a FROM s WHERE a > 2.0", catalog);
    expect(explain(program)).toContain(program.stages[0]!.text);
    expect(explain(program)).toContain("reads   s AS s: a float64");
  });

  test("at most half of the output ring is written in one call", () => {
    const { input, stages, rings } = start("SELECT a FROM s");
    for (let i = 0; i < 20; i++) push(input, i + 1, { a: i });
    expect(stages[0]!.run(0, 20, 0, 0)).toBe(8);
    expect(rings[1]!.head).toBe(8);
    expect(stages[0]!.run(8, 20, 0, 0)).toBe(16);
  });

  test("a condition that fails drops the row and is counted", () => {
    const { input, stages, rings } = start("SELECT a FROM s WHERE 10 / n > 1");
    push(input, 1, { a: 1, n: 0 });
    push(input, 2, { a: 2, n: 2 });
    stages[0]!.run(0, 2, 0, 0);
    expect(show(rings[1]!, 0)).toBe("a=2:good");
    expect(stages[0]!.counters).toEqual({ in: 2, out: 1, errors: 1, dropped: 0 });
  });

  test("row flags go through", () => {
    const { input, stages, rings } = start("SELECT a FROM s");
    push(input, 1, { a: 1 });
    input.arena.U[input.flagsAt] = FLAG.timeUncertain;
    stages[0]!.run(0, 1, 0, 0);
    expect(rings[1]!.arena.U[rings[1]!.flagsAt]).toBe(FLAG.timeUncertain);
  });

  test("sequences may wrap", () => {
    const { input, stages, rings } = start("SELECT a FROM s WHERE a > 0.0");
    input.arena.I[input.headAt] = 0x7ffffffe;
    for (let i = 1; i <= 4; i++) push(input, i, { a: i });
    const end = stages[0]!.run(0x7ffffffe, input.head, 0, 0);
    expect(end).toBe((0x7ffffffe + 4) | 0);
    expect([0, 1, 2, 3].map((seq) => show(rings[1]!, seq)))
      .toEqual(["a=1:good", "a=2:good", "a=3:good", "a=4:good"]);
  });
});

describe("newest and lineage", () => {
  test("no row yet is bad:initial, older than three polls bad:old, else the newest row", () => {
    const { input, tank, stages, rings } = start("SELECT tank.level AS l FROM s");
    push(input, 1000, { a: 1 });
    stages[0]!.run(0, 1, 0, 1000);
    push(tank, 900, { level: 1 });
    push(tank, 950, { level: 2 });
    push(input, 1010, { a: 1 });
    stages[0]!.run(1, 2, 0, 3950);
    push(input, 1020, { a: 1 });
    stages[0]!.run(2, 3, 0, 3951);
    expect([0, 1, 2].map((seq) => show(rings[1]!, seq)))
      .toEqual(["l=:bad:initial", "l=2:good", "l=:bad:old"]);
  });

  test("$oldest is the oldest time used: of the row, of its own input, of newest values", () => {
    const plain = start("SELECT a, tank.level AS l FROM s", { lineage: true });
    push(plain.tank, 900, { level: 1 });
    push(plain.input, 1000, { a: 1 });
    plain.stages[0]!.run(0, 1, 0, 1000);
    expect(show(plain.rings[1]!, 0)).toBe("a=1:good l=1:good $oldest=900:good");
    const chained = start("SELECT a FROM up", { lineage: true });
    push(chained.input, 1000, { a: 1, $oldest: 700 });
    chained.stages[0]!.run(0, 1, 0, 1000);
    expect(show(chained.rings[1]!, 0)).toBe("a=1:good $oldest=700:good");
  });

  test("conditions give a row each time they are asked", () => {
    const program = compileConditions(["tank.level > 3.0", "NOT (tank.level > 3.0)"], catalog);
    const arena = Arena.create(1 << 16);
    const tank = Ring.create(arena, Ring.layout("tank.slow", [level], 16)).ring;
    const output = Ring.create(arena, Ring.layout("permit", program.output, 16)).ring;
    const plan = program.stages[0]!;
    expect(plan.kind).toBe("conditions");
    const stage = instantiate(plan, { arena, input: null, output, newest: [tank, tank],
      state: arena.take(plan.stateBytes, "p") });
    stage.run(0, 1, 0, 1000);
    push(tank, 990, { level: 5 });
    stage.run(0, 1, 0, 1000);
    // Without a value a comparison is FALSE and not trusted: neither it nor its negation is good
    // and TRUE.
    expect(show(output, 0))
      .toBe("c0=false:uncertain:skipped c1=true:uncertain:skipped $oldest=1000:good");
    expect(show(output, 1)).toBe("c0=true:good c1=false:good $oldest=990:good");
  });
});

describe("windows", () => {
  test("a tumbling window is aligned, opens with a row and closes by tick", () => {
    const { input, stages, rings } = start(
      "SELECT sum(a) AS s, window_start() AS w FROM s GROUP BY TUMBLINGWINDOW(ss, 1)");
    const [window, rows] = stages as [Stage, Stage];
    expect(window.deadline).toBe(Infinity);
    push(input, 10_400, { a: 1 });
    push(input, 10_999, { a: 2 });
    window.run(0, 2, 0, 10_999);
    expect(window.deadline).toBe(11_000);
    window.tick(10_999, 0);
    expect(rings[1]!.head).toBe(0);
    window.tick(11_000, 0);
    rows.run(0, 1, 0, 11_000);
    expect(show(rings[2]!, 0)).toBe("s=3:good w=10000:good");
    expect(rings[2]!.arena.F[rings[2]!.timeAt]).toBe(11_000);
    expect(window.deadline).toBe(Infinity);
  });

  test("many groups leave in slices and none is lost; no row is taken meanwhile", () => {
    const { input, stages, rings } = start(
      "SELECT n, count(*) AS c FROM s GROUP BY n, TUMBLINGWINDOW(ss, 1)");
    const [window] = stages as [Stage];
    for (let i = 0; i < 20; i++) push(input, 1000, { n: i });
    push(input, 2000, { n: 99 });
    let cursor = 0;
    const seen: string[] = [];
    for (let turn = 0; turn < 20; turn++) {
      cursor = window.run(cursor, input.head, 0, 2000);
      while (seen.length < rings[1]!.head) seen.push(show(rings[1]!, seen.length));
    }
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => `n=${i}:good c=1:good`));
    expect(window.deadline).toBe(3000);
  });

  test("rows of groups past the table's capacity are dropped and counted", () => {
    const { input, program, stages } =
      start("SELECT n, count(*) AS c FROM s GROUP BY n, TUMBLINGWINDOW(ss, 1)");
    const plan = program.stages[0]!;
    expect(plan.kind === "window" && plan.keys).toBe(1024);
    for (let i = 0; i < 1030; i++) push(input, 1000, { n: i });
    stages[0]!.run(0, input.head, 0, 1000);
    expect(stages[0]!.counters.dropped).toBe(6);
  });

  test("or the key without a row for longest gives way, and begins anew if it comes again", () => {
    const { input, program, stages, rings } =
      start("SELECT n, count(*) AS c FROM s GROUP BY n KEYS 4 EVICT OLDEST, TUMBLINGWINDOW(ss, 1)");
    for (const n of [1, 2, 3, 4, 1, 5, 2, 1]) push(input, 1000, { n });
    stages[0]!.run(0, input.head, 0, 1000);
    stages[0]!.tick(2000, 0);
    // 5 took the place of 2, which then took that of 3.
    expect(Array.from({ length: rings[1]!.head }, (_, seq) => show(rings[1]!, seq))).toEqual([
      "n=1:good c=3:good", "n=5:good c=1:good", "n=2:good c=1:good", "n=4:good c=1:good"]);
    expect(stages[0]!.counters).toMatchObject({ dropped: 0, evicted: 2 });
    expect(explain(program)).toContain("at most 4 groups, the oldest gives way");
  });

  test("W8: on the way to a write nothing of a window in which a key gave way is good", () => {
    const { input, stages, rings } = start("SELECT n, count(*) AS c FROM s " +
      "GROUP BY n KEYS 2 EVICT OLDEST, TUMBLINGWINDOW(ss, 1)", { strict: true });
    for (const n of [1, 2, 3]) push(input, 1000, { n });
    for (const n of [1, 2]) push(input, 2000, { n });
    let cursor = stages[0]!.run(0, input.head, 0, 2000);
    while (cursor !== input.head) cursor = stages[0]!.run(cursor, input.head, 0, 2000);
    stages[0]!.tick(3000, 0);
    expect(Array.from({ length: rings[1]!.head }, (_, seq) => show(rings[1]!, seq))).toEqual([
      "n=3:uncertain:skipped c=1:uncertain:skipped",
      "n=2:uncertain:skipped c=1:uncertain:skipped",
      "n=1:good c=1:good", "n=2:good c=1:good"]);
  });

  test.each(["TUMBLINGWINDOW(ss, 1)", "HOPPINGWINDOW(ms, 1000, 500)"])(
    "W8: nor of a %s in which a key found no room", (window) => {
      const { input, stages, rings } = start(
        `SELECT n, count(*) AS c FROM s GROUP BY n KEYS 2, ${window}`, { strict: true });
      for (const n of [1, 2, 3]) push(input, 1000, { n });
      for (const n of [1, 2]) push(input, 5000, { n });
      let cursor = 0;
      while (cursor !== input.head) cursor = stages[0]!.run(cursor, input.head, 0, 5000);
      for (let time = 5500; time <= 6500; time += 500) stages[0]!.tick(time, 0);
      const found = Array.from({ length: rings[1]!.head }, (_, seq) => show(rings[1]!, seq));
      const half = found.length / 2;
      expect(new Set(found.slice(0, half))).toEqual(new Set([
        "n=1:uncertain:skipped c=1:uncertain:skipped",
        "n=2:uncertain:skipped c=1:uncertain:skipped"]));
      expect(new Set(found.slice(half))).toEqual(new Set([
        "n=1:good c=1:good", "n=2:good c=1:good"]));
    });

  test("sums of what comes of int64 values, beside names of its own making", () => {
    const { input, stages, rings } = start("SELECT sum(big - 1) AS s, avg(big + big) AS m, " +
      "sum(big) AS t FROM s GROUP BY TUMBLINGWINDOW(ss, 1)");
    for (const big of [2n ** 60n, 5n, -3n]) push(input, 1000, { big });
    stages[0]!.run(0, input.head, 0, 1000);
    stages[0]!.tick(2000, 0);
    const sum = 2n ** 60n + 2n;
    expect(show(rings[1]!, 0))
      .toBe(`s=${sum - 3n}:good m=${2n * sum / 3n}:good t=${sum}:good`);
  });
});

describe("windows that keep rows or panes", () => {
  const read = ({ input, stages, rings }: Bench, time: number): string[] => {
    stages.forEach((stage, i) => {
      stage.run(0, rings[i]!.head, 0, time);
      while (stage.deadline <= time) stage.tick(time, 0);
    });
    expect(stages[0]!.counters.in).toBe(input.head);
    const out = rings.at(-1)!;
    return Array.from({ length: out.head }, (_, seq) =>
      `${out.arena.F[out.timeAt + (seq & out.mask)]} ${show(out, seq)}`);
  };
  const fill = (sql: string, rows: readonly (readonly [number, number])[], time: number) => {
    const bench = start(sql, { rows: 64 });
    for (const [at, n] of rows) push(bench.input, at, { n });
    return read(bench, time);
  };
  const sum = (window: string): string => `SELECT sum(n) AS s FROM s GROUP BY ${window}`;

  test("hopping: panes of the common length, joined in time order", () => {
    const { program } = start(sum("HOPPINGWINDOW(ss, 6, 4)"));
    expect(program.stages[0]).toMatchObject({ kind: "kept", pane_ms: 2000 });
    const rows = [[1000, 1], [2000, 2], [5000, 4], [8000, 8]] as const;
    expect(fill(sum("HOPPINGWINDOW(ss, 6, 4)"), rows, 12_000))
      .toEqual(["4000 s=3:good", "8000 s=6:good", "12000 s=8:good"]);
  });

  test("sliding: of each row; with a delay so much later; only where WHEN holds", () => {
    const rows = [[1000, 1], [1500, 2], [2000, 4], [2600, 8]] as const;
    expect(fill(sum("SLIDINGWINDOW(ss, 1)"), rows, 9000))
      .toEqual(["1000 s=1:good", "1500 s=3:good", "2000 s=7:good", "2600 s=12:good"]);
    expect(fill(sum("SLIDINGWINDOW(ms, 1000, 500)"), rows, 9000))
      .toEqual(["1500 s=1:good", "2000 s=3:good", "2500 s=7:good", "3100 s=12:good"]);
    expect(fill(sum("SLIDINGWINDOW(ss, 1) OVER (WHEN n > 3)"), rows, 9000))
      .toEqual(["2000 s=7:good", "2600 s=12:good"]);
  });

  test("without an aggregate the rows of a window come out as they are, when it closes", () => {
    const rows = [[1000, 1], [1500, 2], [2000, 4], [2600, 8]] as const;
    expect(fill("SELECT n * 2 AS m, window_start() AS began FROM s WHERE n > 1 " +
      "GROUP BY TUMBLINGWINDOW(ss, 1)", rows, 3000)).toEqual([
      "2000 m=4:good began=1000:good", "3000 m=8:good began=2000:good",
      "3000 m=16:good began=2000:good"]);
    expect(fill("SELECT n FROM s GROUP BY SLIDINGWINDOW(ms, 600) OVER (WHEN n > 7)", rows, 3000))
      .toEqual(["2600 n=4:good", "2600 n=8:good"]);
  });

  test("a row out bears the time of the oldest row that it was made of", () => {
    const oldest = (sql: string): string[] => {
      const bench = start(sql, { lineage: true, rows: 64 });
      [1000, 1400, 2100, 2600].forEach((at, i) => push(bench.input, at, { n: i }));
      return read(bench, 3000).map((row) => row.replace(/^\d+ s=/, ""));
    };
    expect(oldest("SELECT sum(n) AS s FROM s GROUP BY HOPPINGWINDOW(ss, 2, 1)"))
      .toEqual(["1:good $oldest=1000:good", "6:good $oldest=1000:good"]);
    expect(oldest("SELECT sum(n) AS s FROM s WHERE n > 0 GROUP BY SLIDINGWINDOW(ss, 1)")).toEqual([
      "1:good $oldest=1400:good", "3:good $oldest=1400:good", "5:good $oldest=2100:good"]);
    expect(oldest("SELECT n AS s FROM s GROUP BY COUNTWINDOW(4)").slice(2))
      .toEqual(["2:good $oldest=2100:good", "3:good $oldest=2600:good"]);
    expect(oldest("SELECT sum(n) AS s FROM s WHERE n > 1"))
      .toEqual(["2:good $oldest=2100:good", "5:good $oldest=2100:good"]);
  });

  test("count with an interval, session, state", () => {
    const rows = [1, 2, 4, 8, 16].map((n, i) => [1000 + 100 * i, n] as const);
    expect(fill(sum("COUNTWINDOW(3, 2)"), rows, 9000)).toEqual(["1200 s=7:good", "1400 s=28:good"]);
    expect(fill(sum("SESSIONWINDOW(ss, 10, 1)"), [...rows, [3000, 32]], 9000))
      .toEqual(["2400 s=31:good", "4000 s=32:good"]);
    expect(fill(sum("SESSIONWINDOW(ms, 150, 120)"), rows, 9000))
      .toEqual(["1200 s=3:good", "1350 s=12:good", "1520 s=16:good"]);
    expect(fill(sum("STATEWINDOW(n = 2, n = 8)"), rows, 9000)).toEqual(["1300 s=14:good"]);
    expect(fill(sum("STATEWINDOW(n IN (2, 8))"), rows, 9000)).toEqual(["1300 s=6:good"]);
  });

  test("a full ring loses its oldest rows, counted; its bytes are in plan and explain", () => {
    const bench = start(sum("SLIDINGWINDOW(ms, 500)"), { rows: 4096 });
    const plan = bench.program.stages[0]!;
    // One row every 10 ms: 50, and a power of two.
    expect(plan.kind === "kept" && plan.ring.rows).toBe(64);
    for (let i = 0; i < 100; i++) push(bench.input, 1000, { n: 1 });
    expect(read(bench, 1000).at(-1)).toBe("1000 s=64:good");
    expect(bench.stages[0]!.counters.dropped).toBe(36);
    expect(bench.program.memory[0]).toMatchObject({ bytes: plan.stateBytes,
      what: "state of stage 1 (window, keeps 64 rows)" });
    expect(explain(bench.program)).toContain("sliding window of 500ms, keeps 64 rows in");
  });

  // One row every 10 ms; a ring has a power of two.
  test.each([
    ["TUMBLINGWINDOW(ss, 1)", "n", "SLIDINGWINDOW(ms, 20)", 128],
    ["HOPPINGWINDOW(ms, 1000, 100)", "n", "SLIDINGWINDOW(ms, 200)", 512],
    ["SLIDINGWINDOW(ms, 100)", "n", "SLIDINGWINDOW(ms, 100)", 256],
    ["COUNTWINDOW(50, 10)", "n", "SLIDINGWINDOW(ms, 100)", 256],
    ["SESSIONWINDOW(ss, 1, 1)", "n", "SLIDINGWINDOW(ms, 20)", 256],
    ["STATEWINDOW(a = 1)", "n", "SLIDINGWINDOW(ms, 20)", 4096],
    ["TUMBLINGWINDOW(ms, 100)", "avg(n) AS n", "SLIDINGWINDOW(ss, 1)", 16],
    ["a, TUMBLINGWINDOW(ms, 100)", "avg(n) AS n", "SLIDINGWINDOW(ss, 1)", 256],
  ] as const)("over %s of %s a %s keeps what that gives in its length", (inner, n, outer, rows) => {
    const bench = start(`SELECT sum(n) AS s FROM (SELECT ${n} FROM s GROUP BY ${inner}) AS s ` +
      `GROUP BY ${outer}`);
    const last = bench.program.stages.findLast(({ kind }) => kind === "kept")!;
    expect(last.kind === "kept" && last.ring.rows).toBe(rows);
  });
});

describe("a state window for each key", () => {
  const sql = "SELECT n, count(*) AS c, window_start() AS began FROM s GROUP BY " +
    "STATEWINDOW(a = 1, a = 2) OVER (PARTITION BY n)";

  /** Rows [key, condition], one each ms; what came out. */
  function feed(bench: Bench, rows: readonly (readonly [number, number])[]): string[] {
    const { input, stages, rings } = bench;
    const cursors = rings.map((ring) => ring.head);
    for (const [n, a] of rows) {
      push(input, 1000 + input.head, { n, a });
      stages.forEach((stage, i) => {
        cursors[i] = stage.run(cursors[i]!, rings[i]!.head, 0, 0);
      });
    }
    const out = rings.at(-1)!;
    return Array.from({ length: out.head - cursors.at(-1)! }, (_, i) =>
      show(out, cursors.at(-1)! + i).replaceAll(":good", ""));
  }

  test("each opens and closes by itself", () => {
    expect(feed(start(sql), [[1, 0], [1, 1], [2, 1], [1, 5], [2, 5], [3, 2], [2, 2], [1, 2], [1, 2],
      [2, 1], [2, 2]])).toEqual(["n=2 c=3 began=1002", "n=1 c=3 began=1001", "n=2 c=2 began=1009"]);
  });

  test("when there is no more room the oldest row of all gives way, counted", () => {
    const bench = start(sql);
    const { ring } = (bench.program.stages[0] as { parted: { ring: { rows: number } } }).parted;
    expect(ring.rows).toBe(4096);
    const many = Array.from({ length: 4094 }, () => [2, 1] as const);
    expect(feed(bench, [[1, 1], ...many, [3, 1]])).toEqual([]);
    expect(bench.stages[0]!.counters.dropped).toBe(0);
    // Of 1 the only row is gone, and with it its window; of 2 the first.
    expect(feed(bench, [[4, 1], [1, 5], [5, 1], [1, 2]])).toEqual([]);
    expect(bench.stages[0]!.counters.dropped).toBe(2);
    expect(feed(bench, [[2, 2], [4, 2], [3, 2], [5, 2], [1, 1], [1, 2]])).toEqual([
      "n=2 c=4093 began=1003", "n=4 c=2 began=5096", "n=3 c=2 began=5095", "n=5 c=2 began=5098",
      "n=1 c=2 began=5104"]);
    expect(explain(bench.program)).toContain("state window by keys, keeps 4096 rows in");
  });

  test("only a state window has keys, and none on the way to a write", () => {
    const parted = (window: string): string =>
      `SELECT count(*) AS c FROM s GROUP BY ${window} OVER (PARTITION BY n)`;
    expect(() => compile(parted("TUMBLINGWINDOW(ss, 1)"), catalog))
      .toThrow("Only a state window takes OVER (PARTITION BY …)");
    const { unsafe } = compile(parted("STATEWINDOW(a = 1)"), catalog);
    expect(unsafe.map(({ sentence }) => sentence))
      .toEqual([expect.stringContaining("PARTITION BY of a window puts a row into another")]);
  });
});

describe("aggregates without a window", () => {
  const sql = "SELECT n, a, sum(a) AS total FROM s WHERE a > 0.0 GROUP BY n";

  test("one row out for each row in, of its group so far", () => {
    const { program, input, stages, rings } = start(sql);
    expect(program.stages.map((s) => s.kind)).toEqual(["running"]);
    [[1, 5], [2, 7], [1, 6], [1, -1]].forEach(([n, a], i) => push(input, i, { n: n!, a: a! }));
    stages.forEach((stage, i) => stage.run(0, rings[i]!.head, 0, 4));
    const out = rings.at(-1)!;
    expect(Array.from({ length: out.head }, (_, seq) => show(out, seq))).toEqual([
      "n=1:good a=5:good total=5:good", "n=2:good a=7:good total=7:good",
      "n=1:good a=6:good total=11:good",
    ]);
  });

  test("an error is that of its row; later the result is uncertain", () => {
    const { input, stages, rings } = start("SELECT sum(1.0 / a) AS total FROM s");
    for (const a of [1, 0, 1]) push(input, 1, { a });
    stages.forEach((stage, i) => stage.run(0, rings[i]!.head, 0, 4));
    expect([0, 1, 2].map((seq) => show(rings.at(-1)!, seq))).toEqual(
      ["total=1:good", "total=:error:zero", "total=2:uncertain:skipped"]);
  });

  test("10,000 keys: the first 1,024 go on, the rest is counted", () => {
    const { input, stages } = start(sql, { rows: 64 });
    let read = 0;
    for (let i = 0; i < 10_000; i++) {
      push(input, i, { n: i, a: 1 });
      read = stages[0]!.run(read, input.head, 0, i);
    }
    push(input, 10_000, { n: 1023, a: 1 });
    stages[0]!.run(read, input.head, 0, 10_000);
    expect(stages[0]!.counters).toMatchObject({ in: 10_001, out: 1025, dropped: 8976 });
  });
});

describe("models", () => {
  function model(run: (args: Float64Array) => number | null): Model {
    const [given, results] = [new Float64Array(2), new Float64Array(1)];
    return {
      name: "m", inputs: [], outputs: [], bytes: 0, probe: 0, arguments: given, results, close() {},
      run() {
        const result = run(given);
        results[0] = result ?? 0;
        return result !== null;
      },
    };
  }

  function infer(
    answer: (args: Float64Array) => number | null, a: number, state: number, clock?: () => number,
  ): string {
    const { input, stages, rings } = start("SELECT infer('m', a, 2) AS y FROM s",
      { model: model(answer), ...(clock === undefined ? {} : { clock }) });
    push(input, 1, { a }, { a: state });
    stages.forEach((stage, i) => stage.run(0, rings[i]!.head, 0, 1));
    return show(rings.at(-1)!, 0);
  }

  test("result and state", () => {
    const double = ([x]: Float64Array): number => x! * 2;
    expect(infer(double, 4, 0)).toBe("y=8:good");
    expect(infer(double, 4, 1)).toBe("y=8:uncertain:source");
    expect(infer(double, 4, BAD.timeout)).toBe("y=:bad:timeout");
    expect(infer(double, 4, ERROR.zero)).toBe("y=:error:zero");
    expect(infer(() => null, 4, 0)).toBe("y=:error:model");
    expect(infer(() => NaN, 4, 0)).toBe("y=:error:number");
    let now = 0;
    expect(infer(double, 4, 0, () => (now += 11))).toBe("y=:bad:late");
  });

  test("WHERE runs before the model where it does not need it", () => {
    let runs = 0;
    const { program, input, stages, rings } = start(
      "SELECT t, infer('m', a, n) AS y FROM s WHERE a > 1.0 AND infer('m', a, n) > 5.0",
      { model: model(([x]) => (runs++, x!)) });
    expect(program.stages.map((s) => s.kind)).toEqual(["rows", "infer", "rows"]);
    push(input, 1, { n: 0, a: 1, t: "x" });
    push(input, 2, { n: 0, a: 4, t: "y" });
    push(input, 3, { n: 0, a: 6, t: "z" });
    stages.forEach((stage, i) => stage.run(0, rings[i]!.head, 0, 1));
    expect(runs).toBe(2);
    expect(rings.at(-1)!.head).toBe(1);
    expect(show(rings.at(-1)!, 0)).toBe("t=z:good y=6:good");
  });

  test("a group's key made of a model's result is not computed again after the window", () => {
    const { program } = start("SELECT count(*) AS c, cast(infer('m', a, n), 'bigint') % 3 AS k " +
      "FROM s GROUP BY cast(infer('m', a, n), 'bigint') % 3, TUMBLINGWINDOW(ss, 1)",
    { model: model(([x]) => x!) });
    expect(program.stages.map((s) => s.kind)).toEqual(["rows", "infer", "window"]);
  });
});

describe("a select list of columns as they are", () => {
  const kinds = (sql: string, options: Parameters<typeof start>[1] = {}): string =>
    start(sql, options).program.stages.map((s) => s.kind).join();
  const window = "FROM s GROUP BY n, TUMBLINGWINDOW(ss, 1)";

  test("is written by the stage before it, in its order and under its names", () => {
    const { input, stages, rings } = start(`SELECT count(*) AS c, n AS k ${window}`);
    push(input, 1000, { n: 7 });
    stages[0]!.run(0, input.head, 0, 1000);
    stages[0]!.tick(2000, 0);
    expect(stages.length).toBe(1);
    expect(show(rings[1]!, 0)).toBe("c=1:good k=7:good");
  });

  test("has a stage of its own where it computes, selects, repeats or leaves out", () => {
    expect(kinds(`SELECT n, count(*) AS c ${window}`)).toBe("window");
    expect(kinds(`SELECT n, count(*) + 1 AS c ${window}`)).toBe("window,rows");
    expect(kinds(`SELECT n, count(*) AS c ${window} HAVING count(*) > 1`)).toBe("window,rows");
    expect(kinds(`SELECT n, n AS m, count(*) AS c ${window}`)).toBe("window,rows");
    expect(kinds(`SELECT count(*) AS c ${window}`)).toBe("window,rows");
    expect(kinds("SELECT a, lag(a) AS b, had_changed(TRUE, n) AS c FROM s")).toBe("stateful");
    expect(kinds("SELECT lag(a) AS b FROM s WHERE n > 1")).toBe("stateful,rows");
  });
});
