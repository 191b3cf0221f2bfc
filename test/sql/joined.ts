import { assert, createRandom, type Random } from "../../src/base.ts";
import {
  type Arena, BAD, type Block, type Column, type ColumnSpec, DynReader, ERROR, readCell, Ring,
  UNCERTAIN, writeCell,
} from "../../src/ring.ts";
import { Gather } from "../../src/runtime/gather.ts";
import {
  answer, byEventTime, type Catalog, compile, type EventTime, instantiate, instantiateLookup,
  instantiateScan, type Program, type Stage, type StagePlan, SqlFault, stateRanges, type StageTable,
} from "../../src/sql.ts";
import { bind } from "../../src/sql/bind.ts";
import type { BoundQuery } from "../../src/sql/bound.ts";
import { exactly } from "../evaluate/open.ts";
import { type Ordered, ordered } from "../evaluate/order.ts";
import { type Cell, evaluateQuery, type Row, type World } from "../evaluate/evaluate.ts";
import { type Case, countedBy, type Done, emptyArena, soil } from "./differential.ts";
import { type Feature, featuresOf } from "./features.ts";

/**
 * Random joins of random rows: streams in a window, streams with the newest row of another, and
 * lookups, run by generated code and by the slow reference.
 */
export const columns: readonly ColumnSpec[] = [
  { name: "k", kind: "int53", slot: 0 }, { name: "v", kind: "float64", slot: 0 },
  { name: "t", kind: "text", slot: 8 }, { name: "big", kind: "int64", slot: 0 },
  { name: "yes", kind: "bool", slot: 0 }, { name: "d", kind: "dyn", slot: 24 },
];
const streams = ["a", "b", "c"];
const tables = ["r", "s"];
/** Read as a whole. */
const wholes = ["w", "z"];
export const catalog: Catalog = {
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
    return this.#ofEach(joins);
  }

  #asof(): string {
    const r = this.#r;
    this.#inputs = ["a", "b", ...r.pick([[], ["c"], ["r"]])];
    const joins = this.#inputs.slice(1).map((name, i) => {
      if (name === "r") return `${r.pick(["LEFT ", ""])}JOIN r ON r.k = ${r.pick(["a.k", "b.k"])}`;
      const keys = ["k", "t", "big", "yes", "d"].filter(() => r.chance(0.3));
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
      const list = this.#list();
      const arranged = this.#arranged(list === "*" ? "a.d" : "c0");
      return `SELECT ${start}${list} ${from}${window}${arranged}`;
    }
    const keys = r.pick([[], [`a.${r.pick(["k", "t", "d"])}`], ["b.k"], ["a.t", "b.yes"]]);
    const having = r.chance(0.3) ? ` HAVING count(*) > ${r.pick(["1", "3"])}` : "";
    const aggregates = Array.from({ length: 1 + r.below(3) }, (_, i) => `${r.pick([
      () => `sum(${this.#number(this.#inputs)})`, () => `max(${this.#column("t")})`,
      () => `avg(${this.#column("v")})`, () => `count(${this.#column("k")})`,
      () => `last(${this.#column(r.pick(["big", "d"]))})`, () => `median(${this.#column("v")})`,
    ])()} AS c${i}`);
    return `SELECT count(*) AS rows, ${[...keys.map((key, i) => `${key} AS key${i}`), ...aggregates]
      .join(", ")} ${from}${[...keys, window].join(", ")}${having}${this.#arranged("c0")}`;
  }

  #arranged(by: string): string {
    const r = this.#r;
    const order = r.chance(0.2) ? ` ORDER BY ${by}${r.pick(["", " DESC"])}` : "";
    return order + (r.chance(0.15) ? ` LIMIT ${r.pick(["1", "3"])}` : "");
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
    return this.#ofEach(joins);
  }

  /** Joins row by row, whose rows go out as they are or into a window. */
  #ofEach(joins: readonly string[]): string {
    const r = this.#r;
    const where = r.chance(0.5)
      ? ` WHERE ${this.#test(["a"])} AND ${this.#test(this.#inputs)}` : "";
    const from = `FROM a ${joins.join(" ")}${where}`;
    if (r.chance(0.6)) {
      const state = r.chance(0.2) ? "lag(a.v) AS before, " : "";
      return `SELECT ${state}${this.#list()} ${from}`;
    }
    const key = `${this.#inputs.at(-1)}.${r.pick(["t", "d"])}`;
    return `SELECT count(*) AS rows, sum(${this.#number(this.#inputs)}) AS total ` +
      `${from} GROUP BY ${r.pick([`${key}, ${this.#window()}`, this.#window(), key])}`;
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
      `${other}.k = ${last}.v`, `${other}.big = ${last}.big`, `${other}.yes`,
      `${other}.d = ${last}.${r.pick(["d", "k", "t"])}`]);
    return r.chance(0.3) ? `${equal} AND ${this.#test(of)}` : equal;
  }

  #test(of: readonly string[]): string {
    const r = this.#r;
    return r.pick([
      () => `${this.#number(of)} ${r.pick([">", "<=", "!="])} ${r.pick(["0", "1", "2.5"])}`,
      () => `${r.pick(of)}.yes`, () => `${r.pick(of)}.t != 'a'`,
      () => `${r.pick(of)}.k / ${r.pick(of)}.k >= 1`, () => `${r.pick(of)}.d != 'a'`,
      () => `${r.pick(of)}.v IS NOT NULL`,
    ])();
  }
}

function cell(r: Random, { kind }: ColumnSpec, goodChance = 0.8): Cell {
  const state = r.chance(goodChance) ? 0
    : r.pick([1, 3, 63, 64, BAD.timeout, 191, 192, 193, 194, ERROR.zero, 255]);
  switch (kind) {
    case "int53": return { value: r.below(4), state };
    case "int64": return { value: BigInt(r.below(3)) - 1n, state };
    case "float64": return { value: r.pick([0, -0, 1, 2.5, -1]), state };
    case "bool": return { value: r.chance(0.5), state };
    case "dyn": return { value: r.pick<Cell["value"]>([0n, 1n, 1, 2.5, "a", "b", true]), state };
    default: return { value: r.pick(["", "a", "ab", "Öl"]), state };
  }
}

const cellsOf = (r: Random): ReadonlyMap<string, Cell> =>
  new Map(columns.map((column) => [column.name, cell(r, column)]));

/** Some sets have bad cells in one column alone: what is wrong with one hides what another does. */
function randomRows(r: Random, inputs: number): Row[] {
  let time = 1_700_000_000_000 + r.below(1000);
  const goodChance = r.pick([0.8, 0.8, 1]), bad = r.chance(0.4) ? r.pick(columns) : null;
  const chanceOf = (column: ColumnSpec): number =>
    (bad === null ? goodChance : bad === column ? 0.5 : 1);
  return Array.from({ length: r.below(40) }, () => {
    time += r.pick([0, 1, 10, 10, 30, 120]);
    const input = r.below(inputs);
    const cells = new Map(columns.map((c) => [c.name, cell(r, c, chanceOf(c))]));
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
    const bytes = column.length < 0 ? 0 : ring.arena.I[column.length + at]!;
    assert(bytes >= 0 && bytes <= column.slot, "a text is no longer than its place");
    if (state >= 64) return { value: null, state };
    return { state, value: column.kind !== "dyn" ? readCell(ring, column, seq)
      : new DynReader().read(ring.arena.U, column.payload + at * column.stride) };
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

  findKnown(
    ring: Ring, key: Column, from: number, n: number, _now: number, found: Int32Array,
  ): number {
    for (let i = 0; i < n; i++) {
      const row = (from + i) | 0;
      if (ring.arena.U[key.state + (row & ring.mask)]! > 63) return i;
      found[i] = this.find(ring, key, row);
      if (found[i]! < 0 || this.state !== 0) return i;
    }
    return n;
  }
}

/** More than any join of so few rows comes to, unless it does not end. */
const calls_max = 100_000, rows_max = 1_000_000;

const wholeOf = ({ rows }: Content): ReadonlyMap<string, Cell>[] => [...rows.values()];

interface Link {
  readonly stage: Stage;
  /** Of its state, where it has some. */
  readonly block: Block | null;
  /** The ring that it reads. */
  readonly input: Ring;
  cursor: number;
}

/** A program over rings, fed row by row. */
export class Machine {
  readonly rows: Row[] = [];
  links!: Link[];
  restarts = 0;
  #inputs!: Ring[];
  #gather!: Gather | null;
  #output!: Ring;
  readonly #program: Program;
  readonly #contents: ReadonlyMap<string, Content>;
  readonly #random: Random;
  readonly #byEvents: boolean;
  #read = 0;
  #calls = 0;

  constructor(program: Program, contents: ReadonlyMap<string, Content>, random: Random) {
    this.#program = program;
    this.#contents = contents;
    this.#random = random;
    this.#byEvents = program.stages[0]!.kind === "reorder";
    this.#build();
  }

  #build(): void {
    const program = this.#program;
    const state = program.stages.reduce((sum, stage) => sum + stage.stateBytes, 0);
    const arena = emptyArena(state * 2 + (1 << 21));
    if (this.restarts > 0) arena.take(this.restarts * 128, "something else");
    const ring = (name: string, specs: readonly ColumnSpec[]): Ring =>
      Ring.create(arena, Ring.layout(name, specs, 64)).ring;
    this.#inputs = program.inputs.map((input) => ring(input.streams[0]!, input.columns));
    const gathered = program.gather === null ? null : ring("gathered", program.gather);
    this.#gather = gathered === null ? null
      : new Gather(program.inputs, new Map(this.#inputs.map((r) => [r.name, r])), gathered);
    let from = gathered ?? this.#inputs[0]!;
    const links = program.stages.map((plan) => {
      const [input, output] = [from, (from = ring("out", plan.output))];
      soil(output);
      const block = plan.kind === "lookup" ? null
        : arena.take(Math.max(8, plan.stateBytes), "state");
      return { input, block, cursor: 0, stage: this.#stage(plan, input, output, block) };
    });
    this.#output = from;
    const stages = byEventTime(links.map(({ stage }) => stage));
    this.links = links.map((link, i) => ({ ...link, stage: stages[i]! }));
  }

  #stage(plan: StagePlan, input: Ring, output: Ring, state: Block | null): Stage {
    const { arena } = output;
    if (plan.kind === "lookup") {
      const table = new Table(arena, this.#contents.get(plan.table)!, this.#random);
      return instantiateLookup(plan, { input, output, table });
    }
    const site = { arena, input, output, newest: [], state: state! };
    if (plan.kind !== "scan") return instantiate(plan, site);
    const { ring: rows } = Ring.create(arena, Ring.layout("table", columns, 64));
    for (const row of wholeOf(this.#contents.get(plan.table)!)) put(rows, row);
    return instantiateScan(plan, site, { rows, from: 0, to: rows.head, waiting: false });
  }

  /** As after a kill, when all rows so far have gone through. */
  restart(): void {
    const before = this.links;
    this.restarts += 1;
    this.#build();
    this.#read = 0;
    this.links.forEach(({ stage, block, input: { arena: { U } } }, i) => {
      const old = before[i]!;
      Object.assign(stage.counters, old.stage.counters);
      for (const { at, bytes } of stateRanges(this.#program.stages[i]!)) {
        const start = old.block!.at + at;
        U.set(old.input.arena.U.slice(start, start + bytes), block!.at + at);
      }
    });
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
      assert(++this.#calls < calls_max, "a join goes on");
      more = false;
      // As the runtime: no window closes while rows before it wait for a table.
      let waits = false;
      for (const link of this.links) {
        const { stage, input } = link;
        if (link.cursor !== input.head) {
          link.cursor = stage.run(link.cursor, input.head, time, time);
          more = true;
        }
        waits ||= link.cursor !== input.head;
        if (!waits && stage.deadline <= time) {
          stage.tick(time, time);
          more = true;
        }
      }
      this.#drain();
    }
  }

  #drain(): void {
    for (; this.#read !== this.#output.head; this.#read++) {
      this.rows.push(take(this.#output, this.#read, this.#byEvents));
      assert(this.rows.length < rows_max, "a join ends");
    }
  }
}

const shown = (rows: readonly Row[]): string[] => rows.map(({ time, flags, cells }) =>
  `${time} ${flags} ` + [...cells].map(([name, { value, state }]) =>
    `${name}=${state >= 64 ? "" : exactly(value)}:${state}`).join(" "));

interface Options {
  readonly strict: boolean;
  readonly lineage: boolean;
  readonly eventTime: EventTime | null;
}

/** A random join; null if the binder refuses it. */
/** The case of a seed, or its query with the options and rows of another. */
export function joinOf(querySeed: number, seed = querySeed): Case | null {
  const made = createRandom(querySeed);
  const sql = new Queries(made).query();
  const random = seed === querySeed ? made : createRandom(seed);
  // On the way to a write no window comes after a join (unsafe.ts).
  const strict = !sql.includes("WINDOW") && random.chance(0.5), lineage = random.chance(0.5);
  const eventTime: EventTime | null = random.chance(0.4)
    ? { late_ms: random.pick([1, 30, 200]), idle_ms: null, ahead_ms: Infinity, rows: 63 } : null;
  const options = { strict, lineage, eventTime };
  try {
    return new JoinCase(seed, sql, compile(sql, catalog, options), options);
  } catch (thrown) {
    if (thrown instanceof SqlFault && thrown.code === "type") return null;
    throw new Error(`seed ${seed}: ${sql}`, { cause: thrown });
  }
}

interface Input {
  readonly contents: ReadonlyMap<string, Content>;
  readonly rows: readonly Timed[];
  /** By event time: the rows as they go on. */
  readonly order: Ordered | null;
  readonly end: number;
  readonly random: Random;
}

class JoinCase implements Case {
  readonly seed: number;
  readonly sql: string;
  readonly program: Program;
  readonly #options: Options;
  readonly #query: BoundQuery;
  /** A count window tests each row once, the reference once for each window that it is in. */
  readonly #counts: boolean;
  /** By event time the last windows stay open: only code has looked at their rows. */
  readonly #drops: boolean;
  restarts = 0;

  constructor(seed: number, sql: string, program: Program, options: Options) {
    this.seed = seed;
    this.sql = sql;
    this.program = program;
    this.#options = options;
    this.#query = bind(sql, catalog);
    this.#counts = this.#query.window?.kind !== "count";
    this.#drops = options.eventTime === null || this.#query.window === null;
  }

  get title(): string {
    const { strict, eventTime } = this.#options;
    return `seed ${this.seed}${strict ? ", strict" : ""}${eventTime ? ", event time" : ""}: ` +
      this.sql;
  }

  get kinds(): string[] {
    const when = this.#options.eventTime === null ? "" : "event time: ";
    return this.program.stages.map((s) => when + (s.kind !== "kept" ? s.kind
      : `kept ${s.window.kind}${s.join === null ? "" : ` ${s.join.steps.length + 1} joined`}`));
  }

  get features(): Feature[] {
    return featuresOf(this.#query, this.program, this.#options);
  }

  expected(rowsSeed: number): Done {
    const { contents, rows, order, end } = this.#input(rowsSeed);
    const { strict, lineage, eventTime } = this.#options;
    const world: World = {
      end, strict, lineage, eventTime: eventTime !== null && eventTime.late_ms > 0,
      scan: (name) => wholeOf(contents.get(name)!),
      lookup: (name, key) => {
        const { rows: known, failing, state } = contents.get(name)!;
        const text = String(key.value);
        return { row: known.get(text) ?? null,
          state: failing.has(text) ? BAD.disconnected : state };
      },
    };
    const done = evaluateQuery(this.#query, order?.rows ?? rows, world);
    return { rows: shown(done.rows), late: order?.late ?? 0,
      dropped: this.#drops ? done.dropped : null, full: done.full,
      evicted: this.#drops ? done.evicted : null,
      errors: this.#counts ? done.errors + (order?.errors ?? 0) : null };
  }

  run(program: Program, rowsSeed: number): Done {
    const { contents, rows, order, end, random } = this.#input(rowsSeed);
    const machine = new Machine(program, contents, random);
    const restartChance = random.pick([0, 0.1]);
    for (const row of rows) {
      if (random.chance(restartChance)) machine.restart();
      machine.feed(row, row.time);
    }
    machine.run(order === null ? end : 1e6);
    this.restarts += machine.restarts;
    const counters = machine.links.map(({ stage }) => stage.counters);
    return { rows: shown(machine.rows), late: counters[0]!.late ?? 0,
      ...countedBy(program, counters, this.#counts, this.#drops) };
  }

  #input(seed: number): Input {
    const random = createRandom(seed);
    const { eventTime } = this.#options, inputs = this.program.inputs.length;
    const contents = new Map([...tables, ...wholes].map((name) =>
      [name, contentOf(random, columns.find((c) => c.name === (name === "r" ? "k" : "t"))!)]));
    const some = randomRows(random, inputs);
    const rows = eventTime === null ? some : arriving(random, some, eventTime.late_ms);
    const order = eventTime === null ? null : ordered(rows, (row) => (row as Timed).event!,
      eventTime.late_ms, inputs, (row) => row.parts!.findIndex((part) => part !== undefined),
      this.#query.joins.filter(({ asof }) => asof !== null).map(({ input }) => input));
    const end = order?.watermark ?? (rows.at(-1)?.time ?? 0) + 1000;
    return { contents, rows, order, end, random };
  }
}
