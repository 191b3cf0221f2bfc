import { expect, test } from "bun:test";
import { createRandom } from "../../src/base.ts";
import { Arena, type ColumnSpec, readCell, Ring, stateName, writeCell } from "../../src/ring.ts";
import {
  byEventTime, type Catalog, compile, type EventTime, inTurn, instantiate, type Stage, SqlFault,
} from "../../src/sql.ts";
import { bind } from "../../src/sql/bind.ts";
import { evaluateQuery, type Row } from "../evaluate/evaluate.ts";
import { ordered } from "../evaluate/order.ts";
import { silences } from "../evaluate/window.ts";

/** Windows that are empty give a row (`emptyWindows`): code and slow reference are one. */
const columns: readonly ColumnSpec[] = [
  { name: "a", kind: "float64", slot: 0 }, { name: "n", kind: "int53", slot: 0 },
];
const catalog: Catalog = {
  stream: (name) => (name === "s" ? { name, columns, interval_ms: 1, timed: true }
    : undefined),
  match: () => [], device: () => false, tag: () => undefined, model: () => undefined,
  names: () => [],
};

class Machine {
  readonly stages: readonly Stage[];
  readonly #rings: Ring[];
  readonly #cursors: number[];
  readonly found: string[] = [];
  #read = 0;

  constructor(sql: string, lineage: boolean, eventTime: EventTime | null = null, rows = 16) {
    const { stages } = compile(sql, catalog, { lineage, emptyWindows: true, eventTime });
    const arena = Arena.create(1 << 22);
    const ring = (specs: readonly ColumnSpec[], size: number): Ring =>
      Ring.create(arena, Ring.layout("r", specs, size)).ring;
    this.#rings = [ring(columns, 256)];
    this.stages = inTurn(byEventTime(stages.map((plan) => {
      const input = this.#rings.at(-1)!, output = ring(plan.output, rows);
      this.#rings.push(output);
      return instantiate(plan, { arena, input, output, newest: [],
        state: arena.take(Math.max(8, plan.stateBytes), "state") });
    })));
    this.#cursors = stages.map(() => 0);
  }

  put({ time, cells }: Row, event = NaN): void {
    const ring = this.#rings[0]!;
    ring.claim(1);
    ring.arena.F[ring.timeAt + (ring.head & ring.mask)] = time;
    ring.arena.F[ring.sourceAt + (ring.head & ring.mask)] = event;
    ring.arena.U[ring.flagsAt + (ring.head & ring.mask)] = 0;
    for (const column of ring.columns) {
      writeCell(ring, column, ring.head, cells.get(column.name)!.value);
    }
    ring.publish(1);
  }

  /** As the runtime does it: none closes by the clock while rows before it are to be worked off. */
  turn(time: number): void {
    for (let more = true; more;) {
      more = false;
      let waits = false;
      this.stages.forEach((stage, i) => {
        const input = this.#rings[i]!;
        if (this.#cursors[i] !== input.head) {
          this.#cursors[i] = stage.run(this.#cursors[i]!, input.head, time, time);
          more = true;
        }
        waits ||= this.#cursors[i] !== input.head;
        if (!waits && stage.deadline <= time) {
          stage.tick(time, time);
          more = true;
        }
      });
      const out = this.#rings.at(-1)!;
      for (; this.#read !== out.head; this.#read++) this.found.push(this.#show(out, this.#read));
    }
  }

  #show(ring: Ring, seq: number): string {
    const row = seq & ring.mask;
    const cells = ring.columns.map((column) => {
      const state = ring.arena.U[column.state + row]!;
      const text = state < 64 ? String(readCell(ring, column, seq)) : stateName(state);
      return `${column.name}=${text}`;
    });
    // By event time a row's own time is when it was made.
    const event = ring.arena.F[ring.sourceAt + row]!;
    return `${Number.isNaN(event) ? ring.arena.F[ring.timeAt + row] : event} ${cells.join(" ")}`;
  }
}

const show = ({ time, cells }: Row): string => `${time} ${[...cells].map(([name, cell]) =>
  `${name}=${cell.state < 64 ? cell.value : stateName(cell.state)}`).join(" ")}`;

const windows = [["TUMBLINGWINDOW(ms, 100)", 100], ["HOPPINGWINDOW(ms, 100, 30)", 30],
  ["HOPPINGWINDOW(ms, 40, 90)", 90], ["TUMBLINGWINDOW(ms, 250)", 250]] as const;
const queries = ["SELECT count(*) AS c, sum(a) AS x FROM s GROUP BY W",
  "SELECT n, last(a) AS l FROM s WHERE a > 4 GROUP BY n, W",
  "SELECT median(a) AS m FROM s GROUP BY W HAVING count(*) > 1", "SELECT a, n FROM s GROUP BY W"];

test.each(windows)("%s: seeded rows with pauses between them", (window, every) => {
  let empties = 0;
  for (let seed = 0; seed < 60; seed++) {
    const r = createRandom(seed);
    const sql = r.pick(queries).replace(/\bW\b/, window), lineage = r.chance(0.5);
    let time = 10_000 + r.below(500);
    const rows: Row[] = Array.from({ length: 1 + r.below(40) }, () => {
      time += r.pick([1, 10, 30, 120, 400]);
      const a = r.below(80) / 10;
      return { time, flags: 0, cells: new Map([["a", { value: a, state: 0 }],
        ["n", { value: Math.floor(a), state: 0 }]]) };
    });
    const start = rows[0]!.time, end = time + r.below(1000);
    const machine = new Machine(sql, lineage);
    machine.turn(start);
    for (const row of rows) {
      if (r.chance(0.3)) machine.turn(row.time);
      machine.put(row);
      machine.turn(row.time);
    }
    machine.turn(end);
    const given = evaluateQuery(bind(sql, catalog), rows, { end, lineage }).rows;
    const names = [...bind(sql, catalog).select.map(({ name }) => name)];
    const wanted = [...given.map((row) => ({ time: row.time, text: show(row) })),
      ...silences(given, every, start, end).map((at) => {
        const cells = names.map((name) => `${name}=null`);
        return { time: at, text: [at, ...cells, ...(lineage ? [`$oldest=${at}`] : [])].join(" ") };
      }),
    ].toSorted((a, b) => a.time - b.time).map(({ text }) => text);
    expect([sql, seed, ...machine.found]).toEqual([sql, seed, ...wanted]);
    empties += wanted.length - given.length;
  }
  expect(empties).toBeGreaterThan(100);
});

test.each(windows)("%s by event time: what is told of follows the watermark", (window, every) => {
  let empties = 0;
  for (let seed = 0; seed < 60; seed++) {
    const r = createRandom(seed);
    const sql = r.pick(queries).replace(/\bW\b/, window);
    const late_ms = r.pick([1, 30, 200]);
    const machine = new Machine(sql, false,
      { late_ms, idle_ms: null, ahead_ms: Infinity, rows: 255 });
    let event = 10_000 + r.below(500);
    const events: number[] = [];
    const rows: Row[] = Array.from({ length: 1 + r.below(40) }, (_, i) => {
      event += r.pick([1, 10, 30, 120, 400]);
      events.push(event - r.below(late_ms + 20));
      const a = r.below(80) / 10;
      return { time: 5000 + i, flags: 0, cells: new Map([["a", { value: a, state: 0 }],
        ["n", { value: Math.floor(a), state: 0 }]]) };
    });
    machine.turn(4000);
    rows.forEach((row, i) => {
      machine.put(row, events[i]);
      if (r.chance(0.7)) machine.turn(row.time);
    });
    machine.turn(9000);
    const order = ordered(rows, (row) => events[rows.indexOf(row)]!, late_ms);
    const given = evaluateQuery(bind(sql, catalog), order.rows,
      { end: order.watermark, eventTime: true }).rows;
    const nulls = bind(sql, catalog).select.map(({ name }) => `${name}=null`).join(" ");
    const wanted = [...given.map((row) => ({ time: row.time, text: show(row) })),
      ...silences(given, every, events[0]!, order.watermark)
        .map((at) => ({ time: at, text: `${at} ${nulls}` }))]
      .toSorted((a, b) => a.time - b.time).map(({ text }) => text);
    expect([sql, seed, ...machine.found]).toEqual([sql, seed, ...wanted]);
    empties += wanted.length - given.length;
  }
  expect(empties).toBeGreaterThan(100);
});

test("by event time an idle source lets windows be told of by the clock", () => {
  const machine = new Machine("SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ms, 100)", false,
    { late_ms: 50, idle_ms: 1000, ahead_ms: Infinity, rows: 15 });
  const cells = new Map([["a", { value: 1, state: 0 }], ["n", { value: 1, state: 0 }]]);
  machine.put({ time: 5000, flags: 0, cells }, 10_010);
  machine.turn(5000);
  machine.turn(5999);
  expect(machine.found).toEqual([]);
  machine.turn(6000);
  expect(machine.found).toEqual(["10100 c=1",
    ...[10200, 10300, 10400, 10500, 10600, 10700, 10800, 10900].map((end) => `${end} c=null`)]);
  expect(machine.stages.at(-1)!.deadline).toBe(6040);
  machine.turn(6040);
  expect(machine.found.at(-1)).toBe("11000 c=null");
});

test("a step of the clock by more than a thousand windows is one of them", () => {
  const machine = new Machine("SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ms, 10)", false);
  machine.turn(5);
  machine.turn(1_700_000_000_005);
  expect(machine.found).toEqual(["1700000000000 c=null"]);
  expect(machine.stages.at(-1)!.deadline).toBe(1_700_000_000_010);
});

test("what cannot be empty is refused", () => {
  const refusal = (sql: string, more: object = {}): string => {
    try {
      compile(sql, catalog, { emptyWindows: true, ...more });
    } catch (thrown) {
      if (thrown instanceof SqlFault) return thrown.message;
      throw thrown;
    }
    return "";
  };
  expect(refusal("SELECT a FROM s")).toContain("TUMBLINGWINDOW and HOPPINGWINDOW");
  expect(refusal("SELECT a FROM s GROUP BY COUNTWINDOW(3)")).toContain("TUMBLINGWINDOW");
  for (const sql of ["SELECT lag(avg(a)) AS l FROM s GROUP BY TUMBLINGWINDOW(ms, 10)",
    "SELECT m FROM (SELECT avg(a) AS m FROM s GROUP BY TUMBLINGWINDOW(ms, 10)) AS w"]) {
    expect(refusal(sql)).toContain("put the window into a rule of its own, with emptyWindows");
  }
});
