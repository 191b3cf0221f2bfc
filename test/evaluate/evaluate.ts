import { BAD, ERROR, GOOD } from "../../src/ring.ts";
import type { Bound, BoundQuery } from "../../src/sql/bound.ts";
import { aggregate } from "./aggregate.ts";
import { joined, type Origin, Stateful } from "./stateful.ts";
import { absent, type Cell, evaluate, failed, good, hasValue, type Leaves, passes, type Row,
  worst } from "./value.ts";

export type { Cell, Row, Value } from "./value.ts";

/** What a query needs beside its rows. */
export interface World {
  /** The newest value of `query.newest[index]` when a row of this time is worked on. */
  newest?(index: number, time: number): Cell;
  /** What a model gives, or null if it failed. */
  infer?(model: string, args: readonly number[]): readonly number[] | null;
  /** Engine time after the last row: tumbling windows that end by then are closed. */
  end?: number;
  /** Rows get a cell `$oldest`; not for queries that read newest values. */
  lineage?: boolean;
  /** Of rows that already are the content of a window. */
  window?: { readonly start: number; readonly end: number };
  /** Only conditions and keys that are good let a row pass; the others count as failed (W8). */
  strict?: boolean;
}

export interface Evaluated {
  readonly rows: readonly Row[];
  /** Rows or groups left out because a condition failed on them. */
  readonly errors: number;
}

/** Runs a query over rows that come in parts: functions with state go on where they were. */
export function evaluator(query: BoundQuery, world: World = {}): (rows: readonly Row[]) =>
  Evaluated {
  const stateful = new Stateful(query);
  return (rows) => new Evaluation(query, world, stateful).run(rows);
}

/** The slow meaning of a query over the rows of its one input, in their order. */
export function evaluateQuery(query: BoundQuery, rows: readonly Row[],
  world: World = {}): Evaluated {
  return evaluator(query, world)(rows);
}

interface Window {
  readonly start: number;
  readonly end: number;
  readonly rows: readonly Row[];
}

class Evaluation {
  readonly #query: BoundQuery;
  readonly #world: World;
  readonly #stateful: Stateful;
  /** Results of the calls with state, for each row. */
  readonly #calls = new Map<Row, ReadonlyMap<Bound, Cell>>();
  readonly #origins = new Map<Row, Origin>();
  #errors = 0;

  constructor(query: BoundQuery, world: World, stateful: Stateful) {
    this.#query = query;
    this.#stateful = stateful;
    this.#world = world;
  }

  run(rows: readonly Row[]): Evaluated {
    const { window } = this.#query;
    for (const row of rows) this.#callAll(row);
    let found: Row[];
    if (window === null) {
      found = this.#query.aggregated
        ? this.#close({ ...(this.#world.window ?? { start: 0, end: 0 }),
        rows: this.#filtered(rows) })
        : this.#filtered(rows).map((row) =>
          this.#project(row.time, this.#origin([row]), this.#rowLeaves(row)));
    } else if (window.kind === "tumbling") {
      found = this.#tumbling(this.#filtered(this.#windowFiltered(rows)), window.length_ms);
    } else {
      found = this.#counted(this.#windowFiltered(rows), window.rows, window.every);
    }
    return { rows: found, errors: this.#errors };
  }

  /** Before anything else looks at the row. */
  #callAll(row: Row): void {
    if (this.#query.stateful.length === 0) return;
    const done = new Map<Bound, Cell>();
    this.#calls.set(row, done);
    const leaves = this.#rowLeaves(row);
    this.#origins.set(row, this.#stateful.run(row, done, (node) => evaluate(node, leaves)));
  }

  /** What some rows are made of, through state too. */
  #origin(rows: readonly Row[]): Origin {
    return joined(...rows.map((row) =>
      this.#origins.get(row) ?? { oldest: row.time, flags: row.flags }));
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
      return this.#test(this.#query.where, leaves) && this.#hasKeys(leaves);
    });
  }

  #hasKeys(leaves: Leaves): boolean {
    if (this.#world.strict !== true) return true;
    const sound = this.#query.groupBy.every((key) => evaluate(key, leaves).state === GOOD);
    if (!sound) this.#errors += 1;
    return sound;
  }

  #windowFiltered(rows: readonly Row[]): Row[] {
    const filter = this.#query.window?.filter ?? null;
    return rows.filter((row) => this.#test(filter, this.#rowLeaves(row)));
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
    const last = Math.max(this.#world.end ?? -Infinity, ...rows.map((row) => row.time));
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
        rows: this.#filtered(content) }));
    }
    return found;
  }

  /** One row for each group of a closed window, in the order of their first rows. */
  #close(window: Window): Row[] {
    const groups = new Map<string, Row[]>();
    for (const row of window.rows) {
      const leaves = this.#rowLeaves(row);
      const key = this.#query.groupBy.map((expr) => keyText(evaluate(expr, leaves))).join("\u0000");
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [row]);
      else group.push(row);
    }
    return [...groups.values()].flatMap((rows) => {
      const leaves = this.#groupLeaves(window, rows);
      if (!this.#test(this.#query.having, leaves)) return [];
      return [this.#project(window.end, this.#origin(rows), leaves)];
    });
  }

  #project(time: number, { flags, oldest }: Origin, leaves: Leaves): Row {
    const memo = new Map(leaves.seed);
    const cells = this.#query.select.filter((field) => !field.invisible)
      .map(({ name, expr }) => [name, evaluate(expr, leaves, memo)] as const);
    const lineage = this.#world.lineage ? [["$oldest", good(oldest)] as const] : [];
    return { time, flags, cells: new Map([...cells, ...lineage]) };
  }

  #rowLeaves(row: Row): Leaves {
    const leaves: Leaves = {
      column: (_, name) => row.cells.get(name) ?? absent,
      newest: (index) => this.#world.newest?.(index, row.time) ?? failed(BAD.initial),
      aggregate: () => failed(ERROR.type),
      infer: (index, output) => this.#infer(index, output, leaves),
      window: () => row.time,
      time: row.time,
      seed: this.#calls.get(row) ?? new Map(),
    };
    return leaves;
  }

  #groupLeaves(window: Window, rows: readonly Row[]): Leaves {
    const first = this.#rowLeaves(rows[0]!);
    const leaves: Leaves = {
      ...first,
      seed: new Map(this.#query.groupBy.map((expr) =>
        [expr, keyCell(rows.map((row) => evaluate(expr, this.#rowLeaves(row))))])),
      newest: (index) => this.#world.newest?.(index, window.end) ?? failed(BAD.initial),
      aggregate: (index) => {
        const spec = this.#query.aggregates[index]!;
        const { arg } = spec;
        const cells = arg === null ? [] : rows.map((row) => evaluate(arg, this.#rowLeaves(row)));
        return aggregate(spec, cells, rows.length);
      },
      infer: (index, output) => this.#infer(index, output, leaves),
      window: (which) => window[which],
      time: window.end,
    };
    return leaves;
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

/** A group's key: that of its first row, as good as the worst of its rows. */
function keyCell(cells: readonly Cell[]): Cell {
  const first = cells[0]!;
  const value = typeof first.value === "number" ? first.value + 0 : first.value;
  return hasValue(first) ? { value, state: worst(...cells) } : first;
}

/** Equal for the cells of one group: NULL is a group of its own, −0 is 0. */
function keyText(cell: Cell): string {
  if (!hasValue(cell)) return "null";
  const { value } = cell;
  return `${typeof value} ${typeof value === "number" ? value + 0 : String(value)}`;
}

