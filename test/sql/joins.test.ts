import { expect, test } from "bun:test";
import { createRandom, type Random } from "../../src/base.ts";
import {
  Arena, BAD, type Column, type ColumnSpec, ERROR, readCell, Ring, UNCERTAIN, writeCell,
} from "../../src/ring.ts";
import { Gather } from "../../src/runtime/gather.ts";
import {
  answer, byEventTime, type Catalog, compile, type EventTime, instantiate, instantiateLookup,
  instantiateScan, type Program, type Stage, SqlFault, type StageTable,
} from "../../src/sql.ts";
import { bind } from "../../src/sql/bind.ts";
import { ordered } from "../evaluate/order.ts";
import { type Cell, evaluateQuery, type Row, type World } from "../evaluate/evaluate.ts";

/**
 * Random joins of random rows: streams in a window, streams with the newest row of another, and
 * lookups. Generated code and the slow reference give the same, to the bit.
 */
const count = Number(process.env["SOAK_COUNT"] ?? 400);
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000_000);

const columns: readonly ColumnSpec[] = [
  { name: "k", kind: "int53", slot: 0 }, { name: "v", kind: "float64", slot: 0 },
  { name: "t", kind: "text", slot: 8 }, { name: "big", kind: "int64", slot: 0 },
  { name: "yes", kind: "bool", slot: 0 },
];
const streams = ["a", "b", "c"];
const tables = ["r", "s"];
/** Read as a whole. */
const wholes = ["w", "z"];
const catalog: Catalog = {
  // What a full window loses is tested elsewhere.
  stream: (name) => ([...streams, ...wholes].includes(name)
    ? { name, columns, interval_ms: 0.1, timed: true } : undefined),
  table: (name) => (tables.includes(name)
    ? { name, columns, rows: 16, key: name === "r" ? "k" : "t" }
    : wholes.includes(name) ? { name, columns, rows: 4, key: null } : undefined),
  match: () => [], device: () => false, tag: () => undefined, model: () => undefined,
  names: () => [],
};

class Queries {
  readonly #r: Random;
  #inputs: string[] = [];

  constructor(random: Random) {
    this.#r = random;
  }

  query(): string {
    return this.#r.pick([() => this.#lookups(), () => this.#windowed(), () => this.#asof(),
      () => this.#scans()])();
  }

  #scans(): string {
    const r = this.#r;
    this.#inputs = ["a", ...r.pick([["w"], ["w", "z"]])];
    const joins = this.#inputs.slice(1).map((name, i) => {
      const kind = r.pick(["LEFT", "", "INNER", "CROSS"]);
      const on = kind === "CROSS" || r.chance(0.1) ? ""
        : ` ON ${this.#on(this.#inputs.slice(0, i + 2))}`;
      return `${kind} JOIN ${name}${on}`;
    });
    const where = r.chance(0.5)
      ? ` WHERE ${this.#test(["a"])} AND ${this.#test(this.#inputs)}` : "";
    const from = `FROM a ${joins.join(" ")}${where}`;
    if (r.chance(0.6)) {
      const state = r.chance(0.2) ? "lag(a.v) AS before, " : "";
      return `SELECT ${state}${this.#list()} ${from}`;
    }
    return `SELECT count(*) AS rows, sum(${this.#number(this.#inputs)}) AS total ` +
      `${from} GROUP BY ${r.chance(0.5) ? `${this.#inputs.at(-1)}.t, ` : ""}${this.#window()}`;
  }

  #asof(): string {
    const r = this.#r;
    this.#inputs = ["a", "b", ...r.pick([[], ["c"], ["r"]])];
    const joins = this.#inputs.slice(1).map((name, i) => {
      if (name === "r") return `${r.pick(["LEFT ", ""])}JOIN r ON r.k = ${r.pick(["a.k", "b.k"])}`;
      const keys = ["k", "t", "big", "yes"].filter(() => r.chance(0.3));
      const on = keys.map((key) => r.chance(0.5) ? `${name}.${key} = a.${key}`
        : `${r.pick(this.#inputs.slice(0, i + 1))}.${key} = ${name}.${key}`);
      return `ASOF ${r.pick(["LEFT ", ""])}JOIN ${name}` +
        `${on.length === 0 ? "" : ` ON ${on.join(" AND ")}`} TOLERANCE ` +
        r.pick(["1ms", "20ms", "100ms", "10s"]);
    });
    const where = r.chance(0.4) ? ` WHERE ${this.#test(this.#inputs)}` : "";
    const from = `FROM a ${joins.join(" ")}${where}`;
    if (r.chance(0.2)) return `SELECT count(*) AS rows, sum(b.v) AS v ${from} GROUP BY ` +
      this.#window();
    return `SELECT ${r.chance(0.2) ? "lag(b.v) AS before, " : ""}${this.#list()} ${from}`;
  }

  #windowed(): string {
    const r = this.#r;
    this.#inputs = streams.slice(0, 2 + r.below(2));
    let seen = ["a"];
    const joins = this.#inputs.slice(1).map((name) => {
      seen = [...seen, name];
      const kind = r.pick(["INNER", "LEFT", "RIGHT", "FULL", "CROSS", ""]);
      const on = kind === "CROSS" || r.chance(0.1) ? "" : ` ON ${this.#on(seen)}`;
      return `${kind} JOIN ${name}${on}`;
    });
    const filter = r.chance(0.2) ? ` FILTER (WHERE ${this.#test([r.pick(this.#inputs)])})` : "";
    const where = r.chance(0.4) ? ` WHERE ${this.#test(this.#inputs)}` : "";
    const from = `FROM a ${joins.join(" ")}${where} GROUP BY `;
    const window = this.#window() + filter;
    if (r.chance(0.5)) {
      const start = r.chance(0.2) ? "window_start() AS began, " : "";
      return `SELECT ${start}${this.#list()} ${from}${window}`;
    }
    const keys = r.pick([[], [`a.${r.pick(["k", "t"])}`], ["b.k"], ["a.t", "b.yes"]]);
    const having = r.chance(0.3) ? ` HAVING count(*) > ${r.pick(["1", "3"])}` : "";
    const aggregates = Array.from({ length: 1 + r.below(3) }, (_, i) => `${r.pick([
      () => `sum(${this.#number(this.#inputs)})`, () => `max(${this.#column("t")})`,
      () => `avg(${this.#column("v")})`, () => `count(${this.#column("k")})`,
      () => `last(${this.#column("big")})`, () => `median(${this.#column("v")})`,
    ])()} AS c${i}`);
    return `SELECT count(*) AS rows, ${[...keys.map((key, i) => `${key} AS key${i}`), ...aggregates]
      .join(", ")} ${from}${[...keys, window].join(", ")}${having}`;
  }

  #lookups(): string {
    const r = this.#r;
    this.#inputs = ["a", ...r.pick([["r"], ["s"], ["r", "s"]])];
    const joins = this.#inputs.slice(1).map((name, i) => {
      const before = this.#inputs.slice(0, i + 1);
      const key = name === "r" ? r.pick([`${r.pick(before)}.k`, `${r.pick(before)}.k + 1`, "1"])
        : r.pick([`${r.pick(before)}.t`, "'a'"]);
      const rest = r.chance(0.4) ? ` AND ${this.#test(this.#inputs.slice(0, i + 2))}` : "";
      return `${r.pick(["LEFT ", "", "INNER "])}JOIN ${name} ON ` +
        `${name}.${name === "r" ? "k" : "t"} = ${key}${rest}`;
    });
    const where = r.chance(0.5)
      ? ` WHERE ${this.#test(["a"])} AND ${this.#test(this.#inputs)}` : "";
    const from = `FROM a ${joins.join(" ")}${where}`;
    if (r.chance(0.6)) {
      const state = r.chance(0.2) ? "lag(a.v) AS before, " : "";
      return `SELECT ${state}${this.#list()} ${from}`;
    }
    return `SELECT count(*) AS rows, sum(${this.#number(this.#inputs)}) AS total ` +
      `${from} GROUP BY ${r.chance(0.5) ? `${this.#inputs.at(-1)}.t, ` : ""}${this.#window()}`;
  }

  #window(): string {
    const r = this.#r;
    return r.pick(["TUMBLINGWINDOW(ms, 100)", "TUMBLINGWINDOW(ms, 50)",
      "HOPPINGWINDOW(ms, 100, 50)", "SLIDINGWINDOW(ms, 60)", "SLIDINGWINDOW(ms, 30, 40)",
      "COUNTWINDOW(5)", "COUNTWINDOW(6, 2)", "SESSIONWINDOW(ms, 200, 60)",
      "STATEWINDOW(a.k > 0, a.yes)"]);
  }

  #list(): string {
    if (this.#r.chance(0.1)) return "*";
    return Array.from({ length: 1 + this.#r.below(4) }, (_, i) => `${this.#r.pick([
      () => this.#column(this.#r.pick(columns).name), () => this.#number(this.#inputs),
    ])()} AS c${i}`).join(", ");
  }

  #column(name: string, of = this.#inputs): string {
    return `${this.#r.pick(of)}.${name}`;
  }

  #number(of: readonly string[]): string {
    const one = (): string => `${this.#r.pick(of)}.${this.#r.pick(["k", "v"])}`;
    return this.#r.chance(0.5) ? one() : `${one()} ${this.#r.pick(["+", "*", "-"])} ${one()}`;
  }

  #on(of: readonly string[]): string {
    const r = this.#r;
    const last = of.at(-1)!, other = r.pick(of.slice(0, -1));
    const equal = r.pick([`${other}.k = ${last}.k`, `${other}.t = ${last}.t`,
      `${other}.k = ${last}.v`, `${other}.big = ${last}.big`, `${other}.yes`]);
    return r.chance(0.3) ? `${equal} AND ${this.#test(of)}` : equal;
  }

  #test(of: readonly string[]): string {
    const r = this.#r;
    return r.pick([
      () => `${this.#number(of)} ${r.pick([">", "<=", "!="])} ${r.pick(["0", "1", "2.5"])}`,
      () => `${r.pick(of)}.yes`, () => `${r.pick(of)}.t != 'a'`,
      () => `${r.pick(of)}.k / ${r.pick(of)}.k >= 1`, () => `${r.pick(of)}.v IS NOT NULL`,
    ])();
  }
}

function cell(r: Random, { kind }: ColumnSpec): Cell {
  const state = r.chance(0.8) ? 0 : r.pick([1, 3, BAD.timeout, 192, 193, ERROR.zero]);
  switch (kind) {
    case "int53": return { value: r.below(4), state };
    case "int64": return { value: BigInt(r.below(3)) - 1n, state };
    case "float64": return { value: r.pick([0, -0, 1, 2.5, -1]), state };
    case "bool": return { value: r.chance(0.5), state };
    default: return { value: r.pick(["", "a", "ab", "Öl"]), state };
  }
}

const cellsOf = (r: Random): ReadonlyMap<string, Cell> =>
  new Map(columns.map((column) => [column.name, cell(r, column)]));

function randomRows(r: Random, inputs: number): Row[] {
  let time = 1_700_000_000_000 + r.below(1000);
  return Array.from({ length: r.below(40) }, () => {
    time += r.pick([0, 1, 10, 10, 30, 120]);
    const input = r.below(inputs), cells = cellsOf(r);
    return { time, flags: r.chance(0.1) ? r.pick([1, 2, 4]) : 0, cells,
      parts: Array.from({ length: inputs }, (_, i) => (i === input ? cells : undefined)) };
  });
}

/** With a source time; some are later than event time waits for, or have none. */
interface Timed extends Row {
  readonly event?: number;
}

/** As they come: at most so much behind a row that came before, and each at its own time. */
function arriving(r: Random, rows: readonly Row[], late_ms: number): Timed[] {
  return rows.map((row) => ({ row, at: row.time + r.below(late_ms) + (r.chance(0.1) ? 300 : 0) }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ row }, i) => ({ ...row, event: r.chance(0.05) ? NaN : row.time, time: 5000 + 7 * i }));
}

function put(ring: Ring, cells: ReadonlyMap<string, Cell>, row?: Timed): void {
  ring.claim(1);
  const at = ring.head & ring.mask;
  ring.arena.F[ring.timeAt + at] = row?.time ?? 0;
  ring.arena.F[ring.sourceAt + at] = row?.event ?? NaN;
  ring.arena.U[ring.flagsAt + at] = row?.flags ?? 0;
  for (const column of ring.columns) {
    const { value, state } = cells.get(column.name)!;
    writeCell(ring, column, ring.head, value);
    ring.arena.U[column.state + at] = state;
  }
  ring.publish(1);
}

function take(ring: Ring, seq: number, byEvents: boolean): Row {
  const at = seq & ring.mask;
  const cellOf = (column: Column): Cell => {
    const state = ring.arena.U[column.state + at]!;
    return { value: state < 64 ? readCell(ring, column, seq) : null, state };
  };
  return {
    // By event time a result's own time is when it was made.
    time: ring.arena.F[(byEvents ? ring.sourceAt : ring.timeAt) + at]!,
    flags: ring.arena.U[ring.flagsAt + at]!,
    cells: new Map(ring.columns.map((column) => [column.name, cellOf(column)])),
  };
}

/** A table as a test has it: some rows, some keys that cannot be answered, all of one quality. */
interface Content {
  readonly rows: ReadonlyMap<string, ReadonlyMap<string, Cell>>;
  readonly failing: ReadonlySet<string>;
  readonly state: number;
}

function contentOf(r: Random, key: ColumnSpec): Content {
  const rows = new Map<string, ReadonlyMap<string, Cell>>();
  const failing = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const { value } = cell(r, key);
    rows.set(String(value), new Map([...cellsOf(r), [key.name, { value, state: 0 }]]));
    if (r.chance(0.3)) failing.add(String(cell(r, key).value));
  }
  return { rows, failing, state: r.pick([0, 0, UNCERTAIN.stale]) };
}

/** It answers at the second time that it is asked for a key, as one does that must ask itself. */
class Table implements StageTable {
  state = 0;
  readonly rows: Ring;
  readonly #content: Content;
  readonly #random: Random;

  constructor(arena: Arena, content: Content, random: Random) {
    this.rows = Ring.create(arena, Ring.layout("table", columns, 16)).ring;
    this.#content = content;
    this.#random = random;
    for (const row of content.rows.values()) put(this.rows, row);
  }

  find(ring: Ring, key: Column, row: number): number {
    if (this.#random.chance(0.3)) return answer.waiting;
    const text = String(readCell(ring, key, row));
    this.state = this.#content.failing.has(text) ? BAD.disconnected : this.#content.state;
    if (this.state >= 64) return answer.failed;
    const at = [...this.#content.rows.keys()].indexOf(text);
    return at < 0 ? answer.missing : at;
  }
}

const wholeOf = ({ rows }: Content): ReadonlyMap<string, Cell>[] => [...rows.values()];

/** A program over rings, fed row by row. */
class Machine {
  readonly rows: Row[] = [];
  readonly stages: Stage[];
  readonly #inputs: Ring[];
  readonly #gather: Gather | null;
  readonly #rings: Ring[];
  readonly #cursors: number[];
  readonly #program: Program;
  readonly #byEvents: boolean;
  #read = 0;

  constructor(program: Program, contents: ReadonlyMap<string, Content>, random: Random) {
    this.#program = program;
    this.#byEvents = program.stages[0]!.kind === "reorder";
    const state = program.stages.reduce((sum, stage) => sum + stage.stateBytes, 0);
    const arena = Arena.create(state * 2 + (1 << 21));
    const ring = (name: string, specs: readonly ColumnSpec[]): Ring =>
      Ring.create(arena, Ring.layout(name, specs, 64)).ring;
    this.#inputs = program.inputs.map((input) => ring(input.streams[0]!, input.columns));
    const gathered = program.gather === null ? null : ring("gathered", program.gather);
    this.#gather = gathered === null ? null
      : new Gather(program.inputs, new Map(this.#inputs.map((r) => [r.name, r])), gathered);
    this.#rings = [gathered ?? this.#inputs[0]!];
    this.stages = byEventTime(program.stages.map((plan) => {
      const input = this.#rings.at(-1)!, output = ring("out", plan.output);
      this.#rings.push(output);
      if (plan.kind === "lookup") {
        const table = new Table(arena, contents.get(plan.table)!, random);
        return instantiateLookup(plan, { input, output, table });
      }
      const block = arena.take(Math.max(8, plan.stateBytes), "state");
      if (plan.kind === "scan") {
        const rows = ring("table", columns);
        for (const row of wholeOf(contents.get(plan.table)!)) put(rows, row);
        const table = { rows, from: 0, to: rows.head, waiting: false };
        return instantiateScan(plan, { arena, input, output, newest: [], state: block }, table);
      }
      return instantiate(plan, { arena, input, output, newest: [], state: block });
    }));
    this.#cursors = this.stages.map(() => 0);
  }

  feed(row: Row, time: number): void {
    const input = row.parts!.findIndex((part) => part !== undefined);
    const at = this.#program.inputs.findIndex((plan) => plan.index === input);
    put(this.#inputs[at]!, row.cells, row);
    this.#gather?.step(Infinity);
    this.run(time);
  }

  run(time: number): void {
    for (let more = true; more;) {
      more = false;
      // As the runtime: no window closes while rows before it wait for a table.
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
      this.#drain();
    }
  }

  #drain(): void {
    const last = this.#rings.at(-1)!;
    for (; this.#read !== last.head; this.#read++) {
      this.rows.push(take(last, this.#read, this.#byEvents));
    }
  }
}

const plain = (rows: readonly Row[]): unknown => rows.map(({ time, flags, cells }) => ({
  time, flags, cells: Object.fromEntries([...cells].map(([name, { value, state }]) =>
    [name, state < 64 ? `${Object.is(value, -0) ? "-0" : String(value)} ${state}` : state])),
}));

/** Queries that were compared, by what they join; refused ones are none. */
const compared = { window: 0, lookup: 0, asof: 0, scan: 0, byEvents: 0, rows: 0 };

function compareOne(caseSeed: number): void {
  const random = createRandom(caseSeed);
  const sql = new Queries(random).query();
  // On the way to a write no window comes after a join (unsafe.ts).
  const strict = !sql.includes("WINDOW") && random.chance(0.5), lineage = random.chance(0.5);
  const eventTime: EventTime | null = !sql.includes("ASOF") && random.chance(0.4)
    ? { late_ms: random.pick([1, 30, 200]), idle_ms: null, ahead_ms: Infinity, rows: 63 } : null;
  let program: Program;
  try {
    program = compile(sql, catalog, { strict, lineage, eventTime });
  } catch (thrown) {
    if (thrown instanceof SqlFault && thrown.code === "type") return;
    throw new Error(`seed ${caseSeed}: ${sql}`, { cause: thrown });
  }
  const query = bind(sql, catalog);
  const contents = new Map([...tables, ...wholes].map((name) =>
    [name, contentOf(random, columns.find((c) => c.name === (name === "r" ? "k" : "t"))!)]));
  const some = randomRows(random, program.inputs.length);
  const rows: readonly Timed[] = eventTime === null ? some
    : arriving(random, some, eventTime.late_ms);
  const order = eventTime === null ? null : ordered(rows, (row) => (row as Timed).event!,
    eventTime.late_ms, program.inputs.length,
    (row) => row.parts!.findIndex((part) => part !== undefined));
  const end = order?.watermark ?? (rows.at(-1)?.time ?? 0) + 1000;
  const machine = new Machine(program, contents, random);
  for (const row of rows) machine.feed(row, row.time);
  machine.run(order === null ? end : 1e6);
  const world: World = {
    end, lineage, strict,
    scan: (name) => wholeOf(contents.get(name)!),
    lookup: (name, key) => {
      const { rows: known, failing, state } = contents.get(name)!;
      const text = String(key.value);
      return { row: known.get(text) ?? null, state: failing.has(text) ? BAD.disconnected : state };
    },
  };
  const wanted = evaluateQuery(query, order?.rows ?? rows, world);
  // A count window tests each row once, the reference once for each window that it is in.
  const errors = query.window?.kind === "count" ? wanted.errors + (order?.errors ?? 0)
    : machine.stages.reduce((sum, stage) => sum + stage.counters.errors, 0);
  const context = `seed ${caseSeed}${strict ? " strict" : ""}` +
    `${eventTime ? " event time" : ""}: ${sql}`;
  const { late = 0 } = machine.stages[0]!.counters;
  expect({ context, errors, rows: plain(machine.rows), late })
    .toEqual({ context, errors: wanted.errors + (order?.errors ?? 0), rows: plain(wanted.rows),
      late: order?.late ?? 0 });
  if (order !== null && program.gather !== null) compared.byEvents += 1;
  const isScan = program.stages.some(({ kind }) => kind === "scan");
  compared[isScan ? "scan" : sql.includes("ASOF") ? "asof"
    : program.gather === null ? "lookup" : "window"] += 1;
  compared.rows += wanted.rows.length;
}

test(`${count} random joins, seed ${seed}: code and reference agree`, () => {
  for (let i = 0; i < count; i++) compareOne(seed + i);
  console.log(`joins compared: ${JSON.stringify(compared)}`);
  expect(compared.window).toBeGreaterThan(count / 6);
  expect(compared.lookup).toBeGreaterThan(count / 6);
  expect(compared.asof).toBeGreaterThan(count / 6);
  expect(compared.scan).toBeGreaterThan(count / 6);
  expect(compared.byEvents).toBeGreaterThan(count / 25);
  expect(compared.rows).toBeGreaterThan(count);
}, 600_000);

test.each([
  ["SELECT a.k FROM a JOIN b ON a.k = b.k", "1:19: Streams are joined in a window"],
  ["SELECT a.k FROM a JOIN r ON r.v = a.v", "1:29: r is asked by its key: ON r.k = …"],
  ["SELECT a.k FROM a JOIN r ON r.k = a.v", "1:29: r is asked by its key: ON r.k = …"],
  ["SELECT a.k FROM a RIGHT JOIN r ON r.k = a.k", "joined by INNER or LEFT JOIN"],
  ["SELECT k FROM r", "r is asked by its key: it stands after JOIN"],
  ["SELECT a.k FROM a RIGHT JOIN w ON w.k = a.k", "A table is joined by INNER, LEFT or CROSS"],
  ["SELECT a.k FROM a JOIN w ON w.k = z.k JOIN z ON z.k = a.k", "ON reads z, which is joined only"],
  ["SELECT a.k FROM a JOIN w ON w.k = a.k JOIN r ON r.k = a.k", "beside another kind of join"],
  ["SELECT a.k FROM a ASOF JOIN w ON w.k = a.k TOLERANCE 1s", "w is a table: JOIN asks it"],
  ["SELECT a.k FROM a ASOF JOIN b ON b.k > a.k TOLERANCE 1s", "which keys are equal"],
  ["SELECT a.k FROM a ASOF JOIN b ON b.k = 1 TOLERANCE 0s", "A tolerance is a time above 0"],
  ["SELECT a.k FROM a ASOF JOIN r ON r.k = a.k TOLERANCE 1s", "r is a table: JOIN asks it"],
  ["SELECT a.k FROM a JOIN b ON a.k = c.k JOIN c ON c.k = b.k GROUP BY COUNTWINDOW(9)",
    "ON reads c, which is joined only after it"],
  ["SELECT a.k FROM a JOIN b ON a.k = lag(b.k) GROUP BY COUNTWINDOW(9)", "in ON"],
])("refused, with its place: %s", (sql, sentence) => {
  expect(() => compile(sql, catalog)).toThrow(sentence);
});

test("W8: a join in a window is unsafe on the way to a write; ASOF and lookups are not", () => {
  const unsafe = (sql: string): number => compile(sql, catalog, { strict: true }).unsafe.length;
  expect(unsafe("SELECT a.k FROM a JOIN b ON a.k = b.k GROUP BY COUNTWINDOW(9)")).toBe(1);
  expect(unsafe("SELECT sum(r.v) AS s FROM a JOIN r ON r.k = a.k GROUP BY COUNTWINDOW(9)")).toBe(1);
  expect(unsafe("SELECT b.v FROM a ASOF JOIN b TOLERANCE 1s JOIN r ON r.k = a.k")).toBe(0);
  expect(unsafe("SELECT w.v FROM a JOIN w ON w.k = a.k")).toBe(1);
});

test("more keys than an ASOF JOIN keeps, and more rows than a window joins: counted", () => {
  const feedAll = (sql: string, rows: number, input: number): Machine => {
    const machine = new Machine(compile(sql, catalog), new Map(), createRandom(1));
    const good = (k: number): ReadonlyMap<string, Cell> => new Map(columns.map((c) =>
      [c.name, { value: c.name === "k" ? k : c.kind === "text" ? "" : c.kind === "bool" ? true
        : c.kind === "int64" ? 1n : 1, state: 0 }]));
    for (let i = 0; i < rows; i++) {
      const cells = good(i), at = input < 0 ? i % 2 : input;
      const parts = [0, 1].map((n) => (n === at ? cells : undefined));
      machine.feed({ time: 1000 + i / 1000, flags: 0, cells, parts }, 0);
    }
    machine.run(1e9);
    return machine;
  };
  const asof = feedAll("SELECT b.v FROM a ASOF JOIN b ON b.k = a.k TOLERANCE 10s", 1100, 1);
  expect(asof.stages.reduce((n, s) => n + s.counters.dropped, 0)).toBe(1100 - 1024);
  const cross = "SELECT count(*) AS n FROM a CROSS JOIN b GROUP BY COUNTWINDOW(200)";
  const pairs = feedAll(cross, 200, -1);
  expect(pairs.stages.reduce((n, s) => n + s.counters.dropped, 0)).toBe(100 * 100 - 4096);
  expect([...pairs.rows[0]!.cells.values()]).toEqual([{ value: 4096, state: 0 }]);
});
