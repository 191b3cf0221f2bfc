import { describe, expect, test } from "bun:test";
import { createRandom, limits, type Random } from "../../src/base.ts";
import {
  Arena, type ColumnSpec, FLAG, readCell, Ring, stateName, UNCERTAIN, writeCell,
} from "../../src/ring.ts";
import {
  byEventTime, type Catalog, compile, type EventTime, instantiate, type Stage, SqlFault,
} from "../../src/sql.ts";
import { Gather } from "../../src/runtime/gather.ts";
import { bind } from "../../src/sql/bind.ts";
import { evaluateQuery, type Row } from "../evaluate/evaluate.ts";

const columns: readonly ColumnSpec[] = [
  { name: "a", kind: "float64", slot: 0 },
  { name: "n", kind: "int53", slot: 0 }, { name: "$oldest", kind: "time", slot: 0 },
];
const streams = new Map([
  ["s", { name: "s", columns, interval_ms: 1, timed: true }],
  ["t", { name: "t", columns, interval_ms: 1, timed: true }],
  ["plain", { name: "plain", columns, interval_ms: 1 }],
]);
const catalog: Catalog = {
  stream: (name) => streams.get(name), device: () => false,
  match: (pattern) => (pattern === "x*" ? ["s", "plain"] : ["s", "t"]),
  tag: () => undefined, model: () => undefined, names: () => [],
};

/** Source time, a value, and what else is not as usual. */
interface Input { readonly at: number; readonly a?: number; readonly flags?: number;
  readonly oldest?: number }

const usual: EventTime = { late_ms: 100, idle_ms: null, ahead_ms: 1e15, rows: 64 };

/** A rule over one stream or more, turn by turn. Engine time is what `turn` says. */
class Rule {
  readonly stages: readonly Stage[];
  readonly #inputs: ReadonlyMap<string, Ring>;
  readonly #gather: Gather | null;
  readonly #rings: Ring[];
  readonly #cursors: number[];
  #read = 0;

  constructor(sql: string, eventTime: Partial<EventTime> = {}, strict = false) {
    const program = compile(sql, catalog,
      { lineage: true, strict, eventTime: { ...usual, ...eventTime } });
    const arena = Arena.create(1 << 23);
    const ring = (specs: readonly ColumnSpec[], rows: number): Ring =>
      Ring.create(arena, Ring.layout("r", specs, rows)).ring;
    this.#inputs = new Map(program.inputs.flatMap(({ streams: names, columns: read }) =>
      names.map((name) => {
        const specs = read.filter((column) => column.name !== "device");
        return [name, Ring.create(arena, Ring.layout(name, specs, 4096)).ring];
      })));
    const gathered = program.gather === null ? null : ring(program.gather, 4096);
    this.#gather = gathered === null ? null : new Gather(program.inputs, this.#inputs, gathered);
    this.#rings = [gathered ?? this.#inputs.get("s")!];
    this.stages = byEventTime(program.stages.map((plan) => {
      const input = this.#rings.at(-1)!;
      const output = ring(plan.output, 16);
      this.#rings.push(output);
      return instantiate(plan, { arena, input, output, newest: [],
        state: arena.take(plan.stateBytes, "state") });
    }));
    this.#cursors = this.stages.map(() => 0);
  }

  get deadline(): number {
    return Math.min(...this.stages.map((stage) => stage.deadline));
  }

  get counters(): Stage["counters"] {
    return this.stages[0]!.counters;
  }

  put(inputs: readonly Input[], time: number, stream = "s"): void {
    const ring = this.#inputs.get(stream)!;
    for (const { at, a = 1, flags = 0, oldest = time } of inputs) {
      const row = ring.head & ring.mask;
      ring.claim(1);
      ring.arena.F[ring.timeAt + row] = time;
      ring.arena.F[ring.sourceAt + row] = at;
      ring.arena.U[ring.flagsAt + row] = flags;
      const cells = { a, n: Math.floor(a), $oldest: oldest };
      for (const column of ring.columns) {
        writeCell(ring, column, ring.head, cells[column.name as keyof typeof cells]);
        ring.arena.U[column.state + row] = 0;
      }
      ring.publish(1);
    }
    this.#gather?.step(Infinity);
  }

  /** Everything that is to be done now: rows out as texts. */
  turn(time: number, now = time): string[] {
    const found: string[] = [];
    let more = true;
    while (more) {
      more = false;
      this.stages.forEach((stage, i) => {
        const input = this.#rings[i]!;
        if (this.#cursors[i] !== input.head) {
          this.#cursors[i] = stage.run(this.#cursors[i]!, input.head, now, time);
        }
        if (this.#cursors[i] === input.head && stage.deadline <= time) stage.tick(time, now);
        more ||= this.#cursors[i] !== input.head || stage.deadline === 0;
      });
      const out = this.#rings.at(-1)!;
      for (; this.#read !== out.head; this.#read++) found.push(this.#show(out, this.#read));
      more ||= this.#cursors.some((cursor, i) => cursor !== this.#rings[i]!.head);
    }
    return found;
  }

  run(inputs: readonly Input[], time = 5000, stream = "s"): string[] {
    this.put(inputs, time, stream);
    return this.turn(time);
  }

  /** Event time of the row, its values, and what is not good. */
  #show(ring: Ring, seq: number): string {
    const row = seq & ring.mask;
    const cells = ring.columns.map((column) => {
      const state = ring.arena.U[column.state + row]!;
      const value = state < 64 ? String(readCell(ring, column, seq)) : "";
      return `${column.name}=${value}${state === 0 ? "" : `:${stateName(state)}`}`;
    });
    return `${ring.arena.F[ring.sourceAt + row]} ${cells.join(" ")}`;
  }
}

const values = (rows: readonly string[]): string[] => rows.map((row) => row.replace(/^\S+ /, "")
  .replace(/ ?\$oldest=\S+/, ""));

describe("rows", () => {
  test("come out in the order of their time once the watermark has reached them", () => {
    const rule = new Rule("SELECT a FROM s");
    expect(values(rule.run([{ at: 1050, a: 2 }, { at: 1000, a: 1 }]))).toEqual([]);
    expect(values(rule.run([{ at: 1150, a: 3 }]))).toEqual(["a=1", "a=2"]);
    expect(values(rule.run([{ at: 1051, a: 2.5 }, { at: 1300, a: 4 }]))).toEqual(["a=2.5", "a=3"]);
    expect(rule.counters).toMatchObject({ in: 5, out: 4, late: 0, early: 0, errors: 0 });
  });

  test("carry event time as source time; their own is the engine's, $oldest when they came", () => {
    const rule = new Rule("SELECT a, event_time() AS e FROM s");
    rule.put([{ at: 1000, oldest: 4900 }], 5000);
    rule.turn(5000);
    rule.put([{ at: 9000, oldest: 6900 }], 7000);
    expect(rule.turn(7000)).toEqual(["1000 a=1 e=1000 $oldest=4900"]);
  });

  test("that are as late as the tolerance are left out and counted", () => {
    const rule = new Rule("SELECT a FROM s");
    rule.run([{ at: 1000 }, { at: 1200 }]);
    expect(values(rule.run([{ at: 1099 }, { at: 1100 }, { at: 1101, a: 7 }, { at: 1400 }])))
      .toEqual(["a=7", "a=1"]);
    expect(rule.counters.late).toBe(2);
  });

  test("without a tolerance rows of one time are not late", () => {
    const rule = new Rule("SELECT a FROM s", { late_ms: 0 });
    expect(values(rule.run([{ at: 1000, a: 1 }, { at: 1000, a: 2 }, { at: 999 }])))
      .toEqual(["a=1", "a=2"]);
    expect(rule.counters.late).toBe(1);
  });

  test("of a sliding window are all that have its time, in whatever order they came", () => {
    const rule = new Rule("SELECT count(*) AS n FROM s GROUP BY SLIDINGWINDOW(ms, 10)");
    expect(values(rule.run([{ at: 1000 }, { at: 1005 }, { at: 1005 }, { at: 1105 }])))
      .toEqual(["n=1", "n=3", "n=3"]);
  });

  test("without a time, or with one that is too far ahead, are counted as errors", () => {
    const rule = new Rule("SELECT a FROM s", { ahead_ms: 10_000 });
    rule.run([{ at: 1000 }, { at: NaN }, { at: 15_001 }, { at: 15_000 }]);
    expect(rule.counters).toMatchObject({ in: 4, out: 1, errors: 2 });
    // Where the gateway's own time is uncertain nobody can tell.
    rule.run([{ at: 99_000, flags: FLAG.timeUncertain }]);
    expect(rule.counters.errors).toBe(2);
  });

  test("that have no room to wait go on early, the oldest first, and are counted", () => {
    const rule = new Rule("SELECT a FROM s", { late_ms: 1000, rows: 15 });
    const inputs = Array.from({ length: 17 }, (_, i) => ({ at: 2000 - i, a: i }));
    expect(values(rule.run(inputs))).toEqual(["a=14"]);
    // The watermark stood at the row that went: what came after it was older.
    expect(rule.counters).toMatchObject({ early: 1, late: 2 });
  });
});

describe("a source that is idle", () => {
  const idle = { idle_ms: 1000 };

  test("lets event time go on by the clock", () => {
    const rule = new Rule("SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ms, 500)", idle);
    expect(rule.run([{ at: 1000 }, { at: 1450 }], 5000)).toEqual([]);
    // 1450 waits for the watermark, then its window for its end; neither before the timeout.
    expect(rule.deadline).toBe(6000);
    expect(rule.turn(5999)).toEqual([]);
    expect(values(rule.turn(6000))).toEqual(["c=2"]);
    // 1450 − 100 + 1000: this is how far it has come.
    expect(rule.run([{ at: 2349 }, { at: 2400 }], 6001)).toEqual([]);
    expect(rule.counters.late).toBe(1);
    expect(rule.deadline).toBe(7001);
    expect(values(rule.turn(7001))).toEqual(["c=1"]);
  });

  test("a window that ends later closes when the clock has come so far", () => {
    const rule = new Rule("SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ss, 10)", idle);
    rule.run([{ at: 1000 }], 5000);
    rule.turn(6000);
    // 10,000 = 1000 − 100 + what has passed.
    expect(rule.deadline).toBe(5000 + 9100);
    expect(values(rule.turn(14_100))).toEqual(["c=1"]);
    expect(rule.deadline).toBe(Infinity);
  });

  test("is told by the monotonic clock: a step of the wall clock is no silence", () => {
    const rule = new Rule("SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ms, 500)", idle);
    rule.put([{ at: 1000 }, { at: 1450 }], 5000);
    rule.turn(5000, 10);
    expect(rule.turn(3_605_000, 20)).toEqual([]);
    expect(values(rule.turn(3_606_000, 1010))).toEqual(["c=2"]);
  });

  test("without a timeout windows wait for a row", () => {
    const rule = new Rule("SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ms, 500)");
    rule.run([{ at: 1000 }], 5000);
    expect(rule.deadline).toBe(Infinity);
    expect(rule.turn(5_000_000)).toEqual([]);
  });
});

describe("several streams", () => {
  const sql = "SELECT a FROM y*";
  const idle = { idle_ms: 1000 };

  test("the one that is furthest behind says how far event time has come", () => {
    const rule = new Rule(sql);
    // Nobody knows yet what the other one has.
    expect(rule.run([{ at: 1000, a: 1 }, { at: 9000, a: 9 }])).toEqual([]);
    expect(values(rule.run([{ at: 1500, a: 2 }], 5010, "t"))).toEqual(["a=1"]);
    expect(values(rule.run([{ at: 8000, a: 8 }], 5020, "t"))).toEqual(["a=2"]);
    expect(values(rule.run([{ at: 7500, a: 7 }, { at: 7901, a: 7.9 }]))).toEqual([]);
    // 7500 was behind 8000 − 100; one stream that is far ahead makes nothing late.
    expect(rule.counters).toMatchObject({ late: 1, out: 2 });
    expect(values(rule.run([{ at: 9500 }], 5030, "t"))).toEqual(["a=7.9", "a=8"]);
  });

  test("one that is idle is not waited for, and is when it comes again", () => {
    const rule = new Rule(sql, idle);
    rule.run([{ at: 1000, a: 1 }], 5000);
    rule.run([{ at: 1100, a: 1.1 }], 5000, "t");
    expect(values(rule.run([{ at: 3000, a: 3 }, { at: 4000, a: 4 }], 5500))).toEqual(["a=1"]);
    expect(rule.deadline).toBe(6000);
    expect(values(rule.turn(5999))).toEqual([]);
    expect(values(rule.turn(6000))).toEqual(["a=1.1", "a=3"]);
    // It is behind now: what it brings is late, and it is waited for until it has come up.
    expect(rule.run([{ at: 3500, a: 0 }], 6100, "t")).toEqual([]);
    expect(rule.counters.late).toBe(1);
    expect(rule.run([{ at: 6000, a: 6 }], 6200)).toEqual([]);
    expect(values(rule.run([{ at: 6050, a: 6.5 }], 6300, "t"))).toEqual(["a=4"]);
  });

  test("where all are idle event time goes on by the clock from the newest of all", () => {
    const rule = new Rule("SELECT count(*) AS c FROM y* GROUP BY TUMBLINGWINDOW(ss, 10)", idle);
    rule.run([{ at: 4000 }], 5000);
    rule.run([{ at: 1000 }], 5200, "t");
    expect(rule.deadline).toBe(6200);
    expect(values(rule.turn(6200))).toEqual([]);
    // 4000 − 100 + what has passed since the newest row came.
    expect(rule.deadline).toBe(5200 + 6100);
    expect(values(rule.turn(11_299))).toEqual([]);
    expect(values(rule.turn(11_300))).toEqual(["c=2"]);
  });

  test("one that never brings a row is waited for, or not for ever", () => {
    const waiting = new Rule(sql);
    waiting.run([{ at: 1000 }, { at: 9000 }], 5000);
    expect([waiting.deadline, waiting.turn(1e9)]).toEqual([Infinity, []]);
    const rule = new Rule(sql, idle);
    rule.run([{ at: 1000 }, { at: 9000 }], 5000);
    rule.run([{ at: 9100 }], 5900);
    expect(rule.deadline).toBe(6000);
    expect(values(rule.turn(6000))).toEqual(["a=1", "a=1"]);
  });
});

describe("on the way to a write", () => {
  const query = "SELECT sum(a) AS x FROM s GROUP BY HOPPINGWINDOW(ms, 1000, 500)";
  const windows = [
    ["SELECT sum(a) AS x FROM s GROUP BY TUMBLINGWINDOW(ss, 1)", ["x=2"]],
    [query, ["x=2", "x=2"]],
  ] as const;

  for (const [sql, found] of windows) {
    test(`a window tells of a row that came too late for it: ${sql}`, () => {
      const doubt = `:${stateName(UNCERTAIN.skipped)}`;
      const good = new Rule(sql, {}, true);
      expect(values(good.run([{ at: 2300 }, { at: 2450 }, { at: 4900 }])).slice(0, found.length))
        .toEqual([...found]);
      const rule = new Rule(sql, {}, true);
      const rows = values(rule.run([{ at: 2300 }, { at: 2450 }, { at: 2310, a: 50 }, { at: 4900 },
        { at: 8000 }]));
      expect(rows.slice(0, found.length)).toEqual(found.map((text) => text + doubt));
      // What began after the lost row is whole.
      expect(rows.at(-1)).toBe("x=1");
      expect(rule.counters.late).toBe(1);
    });
  }

  test("a row without a time may belong to a window, which tells of it", () => {
    const rule = new Rule(query, {}, true);
    expect(values(rule.run([{ at: 2300 }, { at: NaN }, { at: 4900 }]))[0])
      .toBe(`x=1:${stateName(UNCERTAIN.skipped)}`);
    expect(rule.counters.errors).toBe(1);
  });

  test("rows that waited are as old as they are, whatever time they claim", () => {
    const rule = new Rule("SELECT sum(a) AS x FROM s GROUP BY TUMBLINGWINDOW(ss, 1)", {}, true);
    rule.put([{ at: 90_000_000, oldest: 5000 }], 5010);
    rule.turn(5010);
    rule.put([{ at: 90_009_000, oldest: 9000 }], 9000);
    expect(rule.turn(9000)).toEqual(["90001000 x=1 $oldest=5000"]);
  });
});

describe("refused", () => {
  const refusal = (sql: string): string => {
    try {
      new Rule(sql);
    } catch (thrown) {
      if (thrown instanceof SqlFault) return thrown.message;
      throw thrown;
    }
    return "";
  };

  test("what has no event time", () => {
    expect(refusal("SELECT a FROM plain")).toContain("1:15: Rows of plain bear no source time");
    expect(refusal("SELECT a FROM x*")).toContain("Rows of plain bear no source time");
  });
});

const windows = ["TUMBLINGWINDOW(ms, 100)", "HOPPINGWINDOW(ms, 100, 30)",
  "HOPPINGWINDOW(ms, 40, 90)",
  "SLIDINGWINDOW(ms, 60)", "SLIDINGWINDOW(ms, 60, 40)", "SLIDINGWINDOW(ms, 60) OVER (WHEN n = 3)",
  "SESSIONWINDOW(ms, 200, 35)", "COUNTWINDOW(4)", "COUNTWINDOW(5, 2)",
  "STATEWINDOW(n = 3)", "STATEWINDOW(n = 2, n = 4)"];
const lists = ["sum(a) AS x, count(*) AS c, last(n) AS l", "median(a) AS x", "a, lag(n) AS l"];

/** At most so much behind a row that came before. */
function shuffled(r: Random, inputs: readonly Input[], late_ms: number): Input[] {
  return inputs.map((input) => ({ input, at: input.at + r.below(late_ms) }))
    .toSorted((a, b) => a.at - b.at).map(({ input }) => input);
}

/** As they come, some at a time, each turn 10 ms after the last. */
function feed(r: Random, sql: string, inputs: readonly Input[], late_ms: number): string[] {
  const rule = new Rule(sql, { late_ms, rows: limits.rows_per_step_max });
  const found: string[] = [];
  for (let i = 0; i < inputs.length;) {
    const to = i + 1 + r.below(4);
    found.push(...rule.run(inputs.slice(i, to), 5000 + 10 * i));
    i = to;
  }
  expect(rule.counters).toMatchObject({ late: 0, early: 0 });
  return values(found);
}

for (const window of windows) {
  test(`the order of arrival changes nothing: ${window}`, () => {
    for (let seed = 0; seed < 12; seed++) {
      const r = createRandom(seed);
      const late_ms = r.pick([1, 40, 150]);
      const group = r.chance(0.4) ? "n, " : "";
      const list = r.pick(lists.slice(0, group === "" ? 3 : 2));
      const sql = `SELECT ${list} FROM s WHERE a < 7 GROUP BY ${group}${window}`;
      let at = 10_000;
      const inputs = Array.from({ length: 60 }, () => {
        at += 1 + r.below(30);
        return { at, a: r.below(80) / 10 };
      });
      const rows: Row[] = inputs.map(({ at: time, a }) => ({ time, flags: 0, cells: new Map([
        ["a", { value: a, state: 0 }], ["n", { value: Math.floor(a), state: 0 }],
      ]) })).filter((row) => row.time <= at - late_ms);
      const expected = evaluateQuery(bind(sql, catalog), rows, { end: at - late_ms }).rows
        .map(({ cells }) => [...cells].map(([name, { value, state }]) =>
          `${name}=${state < 64 ? value : ""}` + (state === 0 ? "" : `:${stateName(state)}`))
          .join(" "));
      const seen = [sql, ...expected];
      expect([sql, ...feed(r, sql, inputs, late_ms)]).toEqual(seen);
      expect([sql, ...feed(r, sql, shuffled(r, inputs, late_ms), late_ms)]).toEqual(seen);
    }
  });
}
