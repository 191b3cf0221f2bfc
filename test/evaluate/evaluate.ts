import { BAD, ERROR, FLAG, GOOD, UNCERTAIN } from "../../src/ring.ts";
import type { Beginning } from "../../src/sql.ts";
import { exactly } from "./open.ts";
import {
  afterRows, type Bound, type BoundAggregate, type BoundHits, type BoundJoin, type BoundQuery,
  type BoundWindow, needsRows, windowConditions,
} from "../../src/sql/bound.ts";
import { conjunction, conjuncts } from "../../src/sql/rewrite/conjuncts.ts";
import { inputsOf } from "../../src/sql/rewrite/tree.ts";
import { aggregate } from "./aggregate.ts";
import { arranged, type Given } from "./arrange.ts";
import { Groups } from "./groups.ts";
import {
  afterTables, type Answer, asofRows, isWindowed, joinRows, lookUp, matchOf, scanned, splitWhere,
} from "./join.ts";
import { joined, type Origin, Stateful } from "./stateful.ts";
import { absent, type Cell, evaluate, failed, good, hasValue, type Leaves, passes, type Row,
  stored, type Value, worst } from "./value.ts";
import { hopping, paned, sessions, sliding, states, type Window } from "./window.ts";

export type { Cell, Row, Value } from "./value.ts";

/** What a query needs beside its rows. */
export interface World {
  /** The newest value of `query.newest[index]` when a row of this time is worked on. */
  newest?(index: number, time: number): Cell;
  /** Flags of the row that it stands in. */
  newestFlags?(index: number): number;
  /** What a model gives, or null if it failed. */
  infer?(model: string, args: readonly number[]): readonly number[] | null;
  /** Engine time after the last row: tumbling windows that end by then are closed. */
  end?: number;
  /** Rows get a cell `$oldest`; not for queries that read newest values. */
  lineage?: boolean;
  /** The rows already are the content of a window, whatever the query's own is. */
  window?: { readonly start: number; readonly end: number };
  /** The rows of a table that is read as a whole. */
  scan?(table: string): readonly ReadonlyMap<string, Cell>[];
  /** What a lookup table says for a key. */
  lookup?(table: string, key: Cell): Answer;
  /** Rows are in the order of event time. */
  eventTime?: boolean;
  /** Told of a window that has closed, and what it gives. */
  closed?(end: number, rows: readonly Row[]): void;
  /** Told of a window that ended then, whose rows have no order. */
  unordered?(end: number): void;
  /** When the rule began, and what it draws with. */
  begun?: Beginning;
  /** Only conditions and keys that are good let a row pass; the others count as failed (W8). */
  strict?: boolean;
}

export interface Evaluated {
  readonly rows: readonly Row[];
  /** Rows or groups left out because a condition failed on them. */
  readonly errors: number;
  /** Rows for whose group there was no room, once for each window. */
  readonly dropped: number;
  /** Groups that gave way to others. */
  readonly evicted: number;
  /** Whether a call with state had no room for a key. */
  readonly full: boolean;
}

/** Runs a query over rows that come in parts: functions with state go on where they were. */
export function evaluator(query: BoundQuery, world: World = {}): (rows: readonly Row[]) =>
  Evaluated {
  const stateful = new Stateful(query, () => world.begun?.seed() ?? 1);
  const passed = new Map<BoundHits["of"], Passed>();
  const inner = query.inputs[0]?.query ?? null;
  if (inner === null) return (rows) => new Evaluation(query, world, stateful, passed).run(rows);
  // Nobody is told of windows of a query in FROM.
  const { closed: _closed, unordered: _unordered, ...silent } = world;
  const before = evaluator(inner, silent);
  return (rows) => {
    const given = before(rows);
    const done = new Evaluation(query, world, stateful, passed).run(given.rows.map(asRead));
    return { rows: done.rows, errors: given.errors + done.errors,
      dropped: given.dropped + done.dropped, evicted: given.evicted + done.evicted,
      full: given.full || done.full };
  };
}

/** A row that came out of a query, as the next one reads it. */
function asRead(row: Row): Row {
  const cells = new Map(row.cells);
  const age = cells.get("$oldest");
  cells.delete("$oldest");
  return age === undefined ? row : { ...row, cells, oldest: age.value as number };
}

/** The slow meaning of a query over the rows of its one input, in their order. */
export function evaluateQuery(query: BoundQuery, rows: readonly Row[],
  world: World = {}): Evaluated {
  return evaluator(query, world)(rows);
}

/** How often a clause has let something pass, and the time of the last one. */
interface Passed {
  readonly count: number;
  readonly time: number;
}

class Evaluation {
  readonly #query: BoundQuery;
  readonly #world: World;
  readonly #stateful: Stateful;
  /** Results of the calls with state, for each row. */
  readonly #calls = new Map<Row, ReadonlyMap<Bound, Cell>>();
  readonly #passed: Map<BoundHits["of"], Passed>;
  /** What the condition of a sliding window comes to, for each row. */
  readonly #when = new Map<Row, Cell>();
  readonly #origins = new Map<Row, Origin>();
  /** Rows of a window that are in no group only because nobody knows whether they belong (W8). */
  readonly #doubted = new Set<Row>();
  #errors = 0;
  #dropped = 0;
  #evicted = 0;
  /** Flags of all newest values that are read. */
  readonly #newestFlags: number;
  /** What is left of WHERE when a row comes to the window or the select list. */
  #where: Bound | null;

  constructor(
    query: BoundQuery, world: World, stateful: Stateful, passed: Map<BoundHits["of"], Passed>,
  ) {
    this.#passed = passed;
    this.#query = query;
    this.#stateful = stateful;
    this.#world = world;
    this.#where = query.where;
    const { inputs: _inputs, newest: _newest, ...read } = query;
    this.#newestFlags = this.#flagsIn(read);
  }

  /**
   * Flags of all newest values in expressions, whether their branch is taken or not. That no tag of
   * their device is good is said by those values themselves.
   */
  #flagsIn(part: unknown): number {
    if (typeof part !== "object" || part === null) return 0;
    const own = "kind" in part && part.kind === "newest" && "index" in part
      ? (this.#world.newestFlags?.(part.index as number) ?? 0) & ~FLAG.doubtful : 0;
    return Object.values(part).reduce((flags, inside) => flags | this.#flagsIn(inside), own);
  }

  run(rows: readonly Row[]): Evaluated {
    const met = this.#query.joins.filter(({ asof }) => asof !== null).reduce((found, join) =>
      asofRows(this.#query, join, found, this.#world.strict === true, () => { this.#errors += 1; },
        (node, row) => evaluate(node, this.#rowLeaves(row))), rows);
    for (const row of met) this.#callAll(row);
    if (this.#query.joins.some(isWindowed)) {
      return this.#evaluated(this.#joinedWindows(met));
    }
    return this.#lookedUp(this.#lookAll(met));
  }

  #lookedUp(rows: readonly Row[]): Evaluated {
    const { window, aggregated } = this.#query;
    let found: Row[];
    if (this.#world.window !== undefined) {
      found = this.#close({ ...this.#world.window, rows: this.#filtered(rows) });
    } else if (window === null && !aggregated) {
      found = rows.flatMap((one) => this.#filtered([one]).map((row) => {
        const made = this.#project(row.time, this.#origin([row]), this.#rowLeaves(row));
        this.#hit("rows", row.time);
        return { ...made, source: row.source };
      }));
    } else if (window === null) {
      found = this.#running(this.#filtered(rows));
    } else {
      found = this.#windows(window, this.#windowFiltered(rows));
    }
    const made = this.#query.expand === null ? found
      : found.flatMap((row) => this.#expanded(row));
    return this.#evaluated(made);
  }

  #evaluated(rows: readonly Row[]): Evaluated {
    return { rows, errors: this.#errors, dropped: this.#dropped,
      evicted: this.#evicted, full: this.#stateful.full };
  }

  /** A row for each item of its array. */
  #expanded(row: Row): Row[] {
    const [list, rest] = [row.cells.get("$list")!, row.cells.get("$rest")!];
    if (!hasValue(list) && list.state < 194) return [];
    if (!hasValue(list) || !Array.isArray(list.value)) {
      this.#errors += 1;
      return [];
    }
    const base = hasValue(rest) ? [...rest.value as ReadonlyMap<string, Value>] : [];
    const state = Math.max(list.state, rest.state >= 194 ? rest.state : Math.min(rest.state, 63));
    const slot = 16 + this.#query.select.reduce((sum, { expr }) => sum + expr.type.slot, 0);
    return (list.value as readonly Value[]).map((item) => {
      const own = item instanceof Map ? [...item as ReadonlyMap<string, Value>]
        : [[this.#query.expand!, item] as const];
      const cells = new Map(row.cells);
      cells.delete("$list");
      cells.delete("$rest");
      const object = stored({ value: new Map([...base, ...own]), state },
        { kind: "dyn", slot: Math.min(65536, Math.ceil(slot / 8) * 8) });
      return { ...row, cells: new Map([["*", object], ...cells]) };
    });
  }

  /** Each row with what tables say for it; those are left out that need not be asked about. */
  #lookAll(rows: readonly Row[]): readonly Row[] {
    const { window } = this.#query;
    const scans = this.#query.joins.filter(({ scan }) => scan);
    if (scans.length > 0) return this.#scanAll(rows, scans);
    const joins = this.#query.joins.filter(({ key }) => key !== null);
    if (joins.length === 0) return rows;
    const { early, late } = splitWhere(this.#query);
    const first = window === null || !afterRows(window);
    this.#where = first ? afterTables(this.#query, late) : this.#query.where;
    const asked = first ? rows.filter((row) => this.#test(early, this.#rowLeaves(row))) : rows;
    const found = asked.map((row) => joins.reduce((looked, join) => {
      const key = evaluate(join.key!, this.#rowLeaves(looked));
      const { table } = this.#query.inputs[join.input]!;
      const next = lookUp(this.#query, join, looked, key,
        (k) => this.#world.lookup!(table!.name, k),
        (condition, r) => evaluate(condition, this.#rowLeaves(r)));
      this.#calls.set(next, this.#calls.get(looked) ?? new Map());
      this.#origins.set(next, this.#origin([looked]));
      return next;
    }, row));
    return first ? found : joins.reduce((left, join) => join.kind !== "inner" ? left
      : left.filter((row) => this.#test(matchOf(join), this.#rowLeaves(row))), found);
  }

  /** Each row with each of a table's, one table after the other. */
  #scanAll(rows: readonly Row[], scans: readonly BoundJoin[]): readonly Row[] {
    const { window } = this.#query;
    const first = window === null || !afterRows(window);
    let tests = conjuncts(this.#query.where);
    const tested = (found: readonly Row[], input: number): readonly Row[] => {
      const ready = first ? tests.filter((t) => inputsOf(t).every((i) => i < input)) : [];
      tests = tests.filter((t) => !ready.includes(t));
      return found.filter((row) => this.#test(conjunction(ready), this.#rowLeaves(row)));
    };
    const found = scans.reduce((met, join) => {
      const table = this.#world.scan!(this.#query.inputs[join.input]!.table!.name);
      return tested(met, join.input).flatMap((row) => scanned(this.#query, join, row, table,
        (made) => {
          this.#calls.set(made, this.#calls.get(row) ?? new Map());
          this.#origins.set(made, this.#origin([row]));
        }, (made) => this.#test(join.on, this.#rowLeaves(made))));
    }, rows);
    this.#where = conjunction(tests);
    return found;
  }

  /** Windows over streams side by side; each is joined when it closes, then WHERE looks at it. */
  #joinedWindows(rows: readonly Row[]): Row[] {
    const { window, where } = this.#query;
    const filters = conjuncts(window!.filter);
    const filtered = rows.filter((row) => this.#test(conjunction(filters.filter((test) =>
      inputsOf(test).every((input) => row.parts![input] !== undefined))), this.#rowLeaves(row)));
    return this.#joinable(window!, filtered).flatMap((closed) => {
      const test = (on: Bound | null, row: Row): boolean => this.#test(on, this.#rowLeaves(row));
      const found = joinRows(this.#query, closed.rows, test, this.#origins);
      return this.#close({ ...closed, rows: found.filter((row) => {
        const leaves = this.#rowLeaves(row);
        return this.#test(where, leaves) && this.#hasKeys(leaves);
      }) });
    });
  }

  #joinable(window: BoundWindow, rows: readonly Row[]): Window[] {
    this.#trigger(window, rows);
    switch (window.kind) {
      case "tumbling":
        return hopping(rows, { ...window, kind: "hopping", hop_ms: window.length_ms },
          this.#last(rows));
      case "count":
        return rows.flatMap((row, i) => {
          const past = i + 1 - window.rows;
          return past < 0 || past % window.every !== 0 ? []
            : [{ start: rows[past]!.time, end: row.time, rows: rows.slice(past, i + 1) }];
        });
      case "sliding":
        return sliding(this.#asked(rows), window, (row) => this.#holds(window.when, row),
          this.#last(rows), this.#world.eventTime === true);
      default: return this.#timed(window, this.#asked(rows));
    }
  }

  /** WHERE looks at the rows before a window of time, but after one that each row counts in. */
  #windows(window: BoundWindow, rows: readonly Row[]): Row[] {
    this.#trigger(window, rows);
    switch (window.kind) {
      case "tumbling": return this.#tumbling(this.#belonging(rows), window.length_ms);
      case "count": return this.#counted(rows, window.rows, window.every);
      case "sliding": {
        const passed = new Set(this.#belonging(rows));
        const triggers = (row: Row): boolean => this.#holds(window.when, row);
        return this.#spans(sliding(this.#asked(rows), window, triggers, this.#last(rows),
          this.#world.eventTime === true), passed);
      }
      default: {
        const passed = this.#belonging(rows);
        return this.#spans(this.#timed(window, this.#asked(passed)), new Set(passed));
      }
    }
  }

  #hit(of: BoundHits["of"], time: number): void {
    this.#passed.set(of, { count: (this.#passed.get(of)?.count ?? 0) + 1, time });
  }

  /** The condition of a sliding window, row by row, as it may ask when it was TRUE before. */
  #trigger(window: BoundWindow, rows: readonly Row[]): void {
    if (window.kind !== "sliding" || window.when === null) return;
    for (const row of rows) {
      const cell = evaluate(window.when, this.#rowLeaves(row));
      this.#when.set(row, cell);
      const trusted = this.#world.strict === true ? cell.state === GOOD : hasValue(cell);
      if (trusted && cell.value === true) this.#hit("when", row.time);
    }
  }

  #timed(window: BoundWindow, rows: readonly Row[]): Window[] {
    const last = this.#last(rows);
    switch (window.kind) {
      case "hopping": return hopping(rows, window, last);
      case "session": return sessions(rows, window, last);
      case "state": return states(rows, (row) => this.#holds(window.begin, row),
        window.emit === null ? null : (row) => this.#holds(window.emit, row),
        (row) => this.#textOf(window.partitionBy, row),
        (row) => this.#isSound(window.begin, this.#rowLeaves(row)));
      default: throw new Error(`bug: a ${window.kind} window`);
    }
  }

  /** A condition of the window itself; an error in it is not TRUE. */
  #holds(condition: Bound | null, row: Row): boolean {
    if (condition === null) return true;
    const cell = this.#when.get(row) ?? evaluate(condition, this.#rowLeaves(row));
    return hasValue(cell) && cell.value === true && this.#isTrusted(cell);
  }

  #isTrusted({ state }: Cell): boolean {
    return this.#world.strict !== true || state === GOOD;
  }

  /** The rows that a window's own conditions are asked about. */
  #asked(rows: readonly Row[]): readonly Row[] {
    const conditions = windowConditions(this.#query.window);
    this.#errors += rows.filter((row) =>
      conditions.some((condition) => !this.#isTrusted(
        this.#when.get(row) ?? evaluate(condition, this.#rowLeaves(row))))).length;
    return rows;
  }

  #isSound(node: Bound | null, leaves: Leaves): boolean {
    return node === null || this.#isTrusted(evaluate(node, leaves));
  }

  /** Engine time up to which windows have closed. */
  #last(rows: readonly Row[]): number {
    return Math.max(this.#world.end ?? -Infinity, ...rows.map((row) => row.time));
  }

  #spans(windows: readonly Window[], passed: ReadonlySet<Row>): Row[] {
    return windows.flatMap((window) =>
      this.#close({ ...window, rows: window.rows.filter((row) => passed.has(row)) }));
  }

  /** Before anything else looks at the row. */
  #callAll(row: Row): void {
    if (this.#query.stateful.length === 0) return;
    const done = new Map<Bound, Cell>();
    this.#calls.set(row, done);
    const leaves = this.#rowLeaves(row);
    this.#origins.set(row, this.#stateful.run(row, done, (node) => evaluate(node, leaves),
      (node) => this.#flagsIn(node)));
  }

  /** What some rows are made of, through state too. */
  #origin(rows: readonly Row[]): Origin {
    return joined(...rows.map((row) =>
      this.#origins.get(row) ?? { oldest: row.oldest ?? row.time, flags: row.flags }));
  }

  #test(condition: BoundQuery["where"], leaves: Leaves): boolean {
    if (condition === null) return true;
    if (this.#world.strict === true) {
      const { value, state } = evaluate(condition, leaves);
      if (state !== GOOD) this.#errors += 1;
      return state === GOOD && value === true;
    }
    const passed = passes(condition, leaves);
    if (passed === null) this.#errors += 1;
    return passed === true;
  }

  #filtered(rows: readonly Row[]): Row[] {
    return rows.filter((row) => {
      const leaves = this.#rowLeaves(row);
      return this.#test(this.#where, leaves) && this.#hasKeys(leaves);
    });
  }

  /** Rows of a window, and those that may be: nobody knows of them. */
  #belonging(rows: readonly Row[]): Row[] {
    return rows.filter((row) => {
      if (this.#doubted.has(row)) return true;
      const leaves = this.#rowLeaves(row);
      const passed = this.#test(this.#where, leaves);
      if (passed && this.#hasKeys(leaves)) return true;
      const known = passed ? false : this.#isSound(this.#where, leaves);
      if (!known && this.#world.strict === true) this.#doubted.add(row);
      return this.#doubted.has(row);
    });
  }

  #hasKeys(leaves: Leaves): boolean {
    const sound = this.#query.groupBy.every((key) => this.#isTrusted(keyOf(key, leaves)));
    if (!sound) this.#errors += 1;
    return sound;
  }

  #windowFiltered(rows: readonly Row[]): Row[] {
    const { window } = this.#query;
    const filter = window?.filter ?? null;
    return rows.filter((row) => {
      const leaves = this.#rowLeaves(row);
      if (this.#test(filter, leaves)) return true;
      if (!afterRows(window!) && !this.#isSound(filter, leaves)) this.#doubted.add(row);
      return this.#doubted.has(row);
    });
  }

  /** Aligned to natural time: window k is [k × length, (k+1) × length). */
  #tumbling(rows: readonly Row[], length_ms: number): Row[] {
    const windows = new Map<number, Row[]>();
    for (const row of rows) {
      const start = Math.floor(row.time / length_ms) * length_ms;
      const content = windows.get(start);
      if (content === undefined) windows.set(start, [row]);
      else content.push(row);
    }
    const last = this.#last(rows);
    return [...windows].filter(([start]) => start + length_ms <= last)
      .flatMap(([start, content]) => this.#close({ start, end: start + length_ms, rows: content }));
  }

  /**
   * The newest `n` rows, each time that `every` more have come; WHERE looks at what was counted.
   */
  #counted(rows: readonly Row[], n: number, every: number): Row[] {
    const found: Row[] = [];
    for (let to = n; to <= rows.length; to += every) {
      const content = rows.slice(to - n, to);
      const { time } = content.at(-1)!;
      found.push(...this.#close({ start: content[0]!.time, end: time,
        rows: this.#belonging(content) }));
    }
    return found;
  }

  /** One row for each row, of its group up to there. */
  #running(rows: readonly Row[]): Row[] {
    const groups = new Groups(this.#query);
    const found = rows.flatMap((row) => {
      const group = groups.put(this.#keyOf(row), row);
      if (group === null) return [];
      return this.#group({ start: row.time, end: row.time, rows: group }, group)
        .map(({ time, origin, leaves }) =>
          ({ ...this.#project(time, origin, leaves), source: row.source }));
    });
    this.#count(groups);
    return found;
  }

  #count({ refused, evicted }: Groups): void {
    this.#dropped += refused;
    this.#evicted += evicted;
  }

  #keyOf(row: Row): string {
    return this.#textOf(this.#query.groupBy, row);
  }

  #textOf(keys: readonly Bound[], row: Row): string {
    const leaves = this.#rowLeaves(row);
    return keys.map((expr) => keyText(keyOf(expr, leaves))).join("\u0000");
  }

  /** One row for each group of a closed window, in the order of their places; or its rows. */
  #close(window: Window): Row[] {
    const rows = window.rows.filter((row) => !this.#doubted.has(row));
    if (!this.#query.aggregated) {
      return this.#arranged(rows.map((row) => ({ time: window.end, origin: this.#origin([row]),
        leaves: this.#windowLeaves(window, row) }))
        .filter(({ leaves }) => this.#test(this.#query.having, leaves)));
    }
    const groups = new Groups(this.#query);
    for (const row of rows) groups.put(this.#keyOf(row), row);
    this.#count(groups);
    const doubtful = rows.length < window.rows.length || window.unsure === true ||
      this.#isDoubtful(window.rows) ||
      (groups.evicted + groups.refused > 0 && this.#world.strict === true);
    const least = doubtful ? UNCERTAIN.skipped : GOOD;
    return this.#arranged(groups.rows.flatMap((group) =>
      this.#group(window, group, least)));
  }

  /** Nobody knows whether a window began and ended as it should, or which rows its key has. */
  #isDoubtful(rows: readonly Row[]): boolean {
    const { window } = this.#query;
    if (window?.kind !== "state") return false;
    if (window.partitionBy.length > 0 && this.#world.strict === true) return true;
    return windowConditions(window).some((condition) =>
      rows.some((row) => !this.#isSound(condition, this.#rowLeaves(row))));
  }

  /** What one group gives, no better than `least`; nothing if HAVING leaves it out. */
  #group(window: Window, rows: readonly Row[], least: number = GOOD): Given[] {
    const leaves = this.#groupLeaves(window, rows, least);
    if (!this.#test(this.#query.having, leaves)) return [];
    return [{ time: window.end, origin: this.#origin(rows), leaves }];
  }

  /** The rows of one window, looked at together. */
  #arranged(given: readonly Given[]): Row[] {
    const found = arranged(this.#query, given, (one) =>
      this.#project(one.time, one.origin, one.leaves));
    if (given.length > 0) this.#hit("windows", given[0]!.time);
    if (found !== null && given.length > 0) this.#world.closed?.(given[0]!.time, found);
    if (found !== null) return found;
    this.#errors += given.length;
    this.#world.unordered?.(given[0]!.time);
    return [];
  }

  #project(time: number, { flags, oldest }: Origin, leaves: Leaves): Row {
    const memo = new Map(leaves.seed);
    const cells = this.#query.select.filter((field) => !field.invisible)
      .map(({ name, expr }) => [name, stored(evaluate(expr, leaves, memo), expr.type)] as const);
    const lineage = this.#world.lineage ? [["$oldest", good(oldest)] as const] : [];
    return { time, flags: flags | this.#newestFlags, cells: new Map([...cells, ...lineage]) };
  }

  #rowLeaves(row: Row): Leaves {
    const leaves: Leaves = {
      column: (input, name) =>
        (row.parts === undefined ? row.cells : row.parts[input])?.get(name) ?? absent,
      newest: (index) => this.#world.newest?.(index, row.time) ?? failed(BAD.initial),
      aggregate: () => failed(ERROR.type),
      infer: (index, output) => this.#infer(index, output, leaves),
      window: () => row.time,
      began: this.#world.begun?.time ?? 0,
      hits: ({ of, which }) => this.#passed.get(of)?.[which] ?? 0,
      time: row.time,
      seed: this.#calls.get(row) ?? new Map(),
    };
    return leaves;
  }

  /** Of a row that comes out of a closed window as it is. */
  #windowLeaves(window: Window, row: Row): Leaves {
    const leaves: Leaves = {
      ...this.#rowLeaves(row), window: (which) => window[which], time: window.end,
      newest: (index) => this.#world.newest?.(index, window.end) ?? failed(BAD.initial),
      infer: (index, output) => this.#infer(index, output, leaves),
    };
    return leaves;
  }

  #groupLeaves(window: Window, rows: readonly Row[], least: number): Leaves {
    const first = this.#rowLeaves(rows[0]!);
    const leaves: Leaves = {
      ...first,
      seed: new Map(this.#query.groupBy.map((expr) =>
        [expr, keyCell(rows.map((row) => keyOf(expr, this.#rowLeaves(row))), least)])),
      newest: (index) => this.#world.newest?.(index, window.end) ?? failed(BAD.initial),
      aggregate: (index) => {
        const spec = this.#query.aggregates[index]!;
        const { arg } = spec;
        const panes = this.#panes(rows).map((pane) => (arg === null ? []
          : this.#forgiven(spec, pane.map((row) =>
            stored(evaluate(arg, this.#rowLeaves(row)), arg.type)))));
        const cell = stored(aggregate(spec, panes, rows.length,
          this.#world.strict === true), spec.type);
        return { ...cell, state: Math.max(cell.state, least) };
      },
      infer: (index, output) => this.#infer(index, output, leaves),
      window: (which) => window[which],
      time: window.end,
    };
    return leaves;
  }

  /**
   * Rows of a hopping window by panes: what floats come to depends on it. A window that keeps its
   * rows for another aggregate has one pane.
   */
  #panes(rows: readonly Row[]): (readonly Row[])[] {
    const { window } = this.#query;
    const whole = this.#query.aggregates.some(({ fn }) => needsRows(fn));
    const joined = this.#query.joins.some(isWindowed);
    if (whole || joined || this.#query.evicts || this.#world.window !== undefined) return [rows];
    if (window?.kind !== "hopping") return [rows];
    return paned(rows, window);
  }

  /** Without a window an error is that of its row only; for later ones it was left out. */
  #forgiven({ skipsNull }: BoundAggregate, cells: readonly Cell[]): readonly Cell[] {
    const running = this.#query.window === null && this.#world.window === undefined;
    return !running || !skipsNull ? cells : cells.map((cell, i) =>
      (cell.state >= 194 && i < cells.length - 1 ? failed(BAD.source) : cell));
  }

  /** An input without a value gives NULL in the worst state; a model that fails, an error. */
  #infer(index: number, output: number, leaves: Leaves): Cell {
    const { model, args } = this.#query.infers[index]!;
    const cells = args.map((arg) => evaluate(arg, leaves));
    const state = worst(...cells);
    if (state >= 64) return failed(state);
    const results = this.#world.infer?.(model, cells.map((cell) => cell.value as number)) ?? null;
    if (results === null) return failed(ERROR.model);
    const value = results[output];
    return value === undefined || !Number.isFinite(value) ? failed(ERROR.number) : { value, state };
  }
}

/** Keys stand in cells. */
const keyOf = (expr: Bound, leaves: Leaves): Cell => stored(evaluate(expr, leaves), expr.type);

/** A group's key: that of its first row, as good as the worst of its rows, no better than that. */
function keyCell(cells: readonly Cell[], least: number): Cell {
  const first = cells[0]!;
  const value = typeof first.value === "number" ? first.value + 0 : first.value;
  return hasValue(first) ? { value, state: Math.max(worst(...cells), least) } : first;
}

/** Equal for the cells of one group: NULL is a group of its own, −0 is 0. */
function keyText(cell: Cell): string {
  if (!hasValue(cell)) return "null";
  const { value } = cell;
  return typeof value === "object" ? exactly(value)
    : `${typeof value} ${typeof value === "number" ? value + 0 : String(value)}`;
}

