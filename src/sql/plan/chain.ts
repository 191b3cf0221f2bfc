import type { ColumnSpec } from "../../ring.ts";
import type { Bound, BoundQuery, BoundStateful, Catalog } from "../bound.ts";
import { left_column, rowsStage, type RowsRole, type StageInput } from "../emit/stages.ts";
import type { InferPlan, InputPlan, StagePlan } from "../program.ts";
import { conjunction, conjuncts } from "../rewrite/conjuncts.ts";
import { contains, walk } from "../rewrite/tree.ts";

export const oldest: ColumnSpec = { name: "$oldest", kind: "time", slot: 0 };
/** Of a row of several streams: the index of its input. */
export const from_column: ColumnSpec = { name: "$from", kind: "int53", slot: 0 };
/** Which of all streams that are gathered a row is from. */
export const member_column: ColumnSpec = { name: "$member", kind: "int53", slot: 0 };

/** What a column of a joined input is called in the rings of a rule. */
export const joinedName = (input: number, name: string): string =>
  (input === 0 ? name : `$${input}.${name}`);

const number = (name: string): ColumnSpec => ({ name, kind: "float64", slot: 0 });

export interface PlanOptions {
  /** Adds the hidden column `$oldest`: engine time of the oldest input of a row. */
  readonly lineage: boolean;
  /**
   * On the way to a write (W8): a condition passes and a key is taken only if its state is good.
   * What is left out for that is counted like an error.
   */
  readonly strict: boolean;
  /** The rule goes by the source time of its rows; null = by engine time. */
  readonly eventTime: EventTime | null;
  /** A window without a row gives one of NULLs; `"[]"`: one that is told as an empty list. */
  readonly emptyWindows: EmptyWindows;
  /** Rows say what failed, in a column `error`. */
  readonly sendError: boolean;
}

export type EmptyWindows = boolean | "[]";

export interface EventTime {
  /** How much later than the newest row a row may come, by event time. */
  readonly late_ms: number;
  /** After so long without a row event time goes on by the clock; null = it waits. */
  readonly idle_ms: number | null;
  /** A row further ahead of engine time than this has no usable event time. */
  readonly ahead_ms: number;
  /** Rows that may wait at most; null = as the declared rate needs. */
  readonly rows: number | null;
}

/** The stages planned so far and what the last ring holds. */
export class Chain {
  readonly stages: StagePlan[];
  protected readonly query: BoundQuery;
  protected readonly catalog: Catalog;
  protected readonly lineage: boolean;
  protected readonly strict: boolean;
  protected readonly eventTime: EventTime | null;
  /** What the query in FROM is planned as. */
  protected readonly before: Chain | null;
  #ring: readonly ColumnSpec[] = [];
  #names = new Set<string>();
  /** Columns of a closed window that hold an expression of GROUP BY. */
  protected readonly keys = new Map<Bound, string>();
  protected tests: Bound[];
  /** Something asks how often the select list was come to. */
  protected readonly hits: boolean;
  /** Rows that a closed window gives at most. */
  protected most = 0;
  /** What is still to be computed beside tests; a column that neither reads is not passed on. */
  protected later: Bound[] = [];

  constructor(
    query: BoundQuery, catalog: Catalog, options: PlanOptions, before: Chain | null,
  ) {
    this.query = query;
    this.catalog = catalog;
    this.lineage = options.lineage;
    this.strict = options.strict;
    this.eventTime = options.eventTime;
    this.before = before;
    this.stages = [...before?.stages ?? []];
    this.columns = query.inputs.length === 0 ? []
      : this.stages.at(-1)?.output ?? this.gather ?? this.inputPlan(0).columns;
    this.tests = conjuncts(query.where);
    this.hits = [query.where, query.having, ...this.shown()].some((node) =>
      node !== null && contains(node, "hits"));
  }

  /** Of the last ring. */
  protected get columns(): readonly ColumnSpec[] {
    return this.#ring;
  }

  protected set columns(columns: readonly ColumnSpec[]) {
    this.#ring = columns;
    this.#names = new Set(columns.map((c) => c.name));
  }

  inputPlan(index: number): InputPlan {
    const { alias, streams, fanIn, columns } = this.query.inputs[index]!;
    const lineage = this.lineage && streams.every((name) =>
      this.catalog.stream(name)?.columns.some((c) => c.name === oldest.name));
    return { index, alias, streams, fanIn, columns: lineage ? [...columns, oldest] : columns };
  }

  inputPlans(): InputPlan[] {
    if (this.before !== null) return this.before.inputPlans();
    const { inputs, joins } = this.query;
    const plans = inputs.flatMap(({ table }, i) => (table === null ? [this.inputPlan(i)] : []));
    // Of rows of one time those come first that stand beside the others.
    const rank = ({ index }: InputPlan): number =>
      Number(joins.find(({ input }) => input === index)?.asof == null);
    return plans.sort((a, b) => rank(a) - rank(b) || a.index - b.index);
  }

  /** Columns of several streams side by side, and which of them a row is from. */
  get gather(): readonly ColumnSpec[] | null {
    if (this.before !== null) return this.before.gather;
    const plans = this.inputPlans();
    // Event time is that of the stream which is furthest behind.
    const member = this.eventTime === null ? [] : [member_column];
    if (plans.length < 2) return plans[0]?.fanIn ? [...plans[0].columns, ...member] : null;
    const columns = plans.flatMap(({ index }) => this.query.inputs[index]!.columns
      .map((c) => ({ ...c, name: joinedName(index, c.name) })));
    return [from_column, ...columns, ...member, ...(this.lineage ? [oldest] : [])];
  }

  protected input(): StageInput {
    return {
      columns: this.columns,
      newest: this.query.newest,
      find: (node) => this.find(node),
      oldest: this.lineage || this.query.inputs.length === 0 ? oldest : null,
      strict: this.strict,
    };
  }

  /** Name of the column that holds a node's value in the last ring, if one does. */
  protected find(node: Bound): string | undefined {
    const name = this.keys.get(node) ?? (node.kind === "column" && node.input > 0
      ? joinedName(node.input, node.name) : node.kind === "aggregate" ? `$agg${node.index}`
      : node.kind === "infer" ? `$infer${node.index}_${node.output}` : node.kind === "window"
        && node.which === "start" ? "$start"
      : node.kind === "stateful" ? this.nameOf(node)
      : node.kind === "hits" ? `$hits_${node.which}`
      : node.kind === "number" ? `$number${this.query.numbers.indexOf(node)}` : undefined);
    return name !== undefined && this.#names.has(name) ? name : undefined;
  }

  protected nameOf(node: BoundStateful): string {
    return `$state${this.query.stateful.indexOf(node)}`;
  }

  protected rows(
    tests: readonly Bound[], select: readonly { spec: ColumnSpec; expr: Bound | string }[],
    role: RowsRole = {},
  ): void {
    const stage = rowsStage(this.input(), conjunction(tests), select, role);
    this.stages.push(stage);
    this.columns = stage.output;
  }

  /**
   * Columns of the last ring that what is still to come reads, and `$left`, as they are. `made`:
   * what is a column from now on.
   */
  protected passes(made: ReadonlySet<Bound> = new Set()): { spec: ColumnSpec; expr: string }[] {
    const names = new Set<string>();
    for (const node of [...this.later, ...this.tests]) this.reads(node, names, made);
    return this.columns.filter((c) => names.has(c.name) || c.name === left_column.name)
      .map((spec) => ({ spec, expr: spec.name }));
  }

  /** Adds the columns of the last ring that a node reads, also through models still to run. */
  protected reads(node: Bound, names: Set<string>, made: ReadonlySet<Bound>): void {
    walk(node, (n) => {
      if (made.has(n)) return false;
      const column = this.find(n) ?? (n.kind === "column" ? n.name : undefined);
      if (column !== undefined) names.add(column);
      else if (n.kind === "infer") {
        for (const arg of this.query.infers[n.index]!.args) this.reads(arg, names, made);
      }
      return column === undefined;
    });
  }

  /** Models that some expressions need, innermost first. */
  protected infersIn(nodes: readonly Bound[]): number[] {
    const found: number[] = [];
    const visit = (node: Bound): void => walk(node, (n) => {
      if (this.find(n) !== undefined) return false;
      if (n.kind !== "infer" || found.includes(n.index)) return true;
      this.query.infers[n.index]!.args.forEach(visit);
      if (!found.includes(n.index)) found.push(n.index);
      return true;
    });
    nodes.forEach(visit);
    return found;
  }

  /** A request ring and a result ring for each model; tests that need no model come first. */
  protected infer(indices: readonly number[], testing: boolean): void {
    for (const index of indices) {
      const { model, args } = this.query.infers[index]!;
      const ready = testing ? this.tests.filter((t) => this.infersIn([t]).length === 0 &&
        !contains(t, "hits")) : [];
      this.tests = this.tests.filter((t) => !ready.includes(t));
      const names = args.map((_, i) => `$arg${i}`);
      const passes = this.passes();
      const request = args.map((expr, i) => ({ spec: number(names[i]!), expr }));
      this.rows(ready, [...request, ...passes]);
      this.#result(index, model, names, passes.map((p) => p.spec));
    }
  }

  #result(
    index: number, model: string, args: readonly string[], passed: readonly ColumnSpec[],
  ): void {
    const outputs = this.catalog.model(model)?.outputs ?? 1;
    const results = Array.from({ length: outputs }, (_, i) => number(`$infer${index}_${i}`));
    const passes = this.lineage ? [...passed, oldest] : passed;
    const stage: InferPlan = {
      kind: "infer", model, args, input: this.columns,
      results: results.map((c) => c.name), passes: passes.map((c) => c.name),
      output: [...passes, ...results], outputRows: 0, stateBytes: 0, text: "",
    };
    this.stages.push(stage);
    this.columns = stage.output;
  }

  /** What is read of the rows that a window gives, beside HAVING. */
  protected shown(): Bound[] {
    return [...this.query.select, ...this.query.orderBy].map(({ expr }) => expr);
  }

  /** Rows of the input within so many ms at most, where its streams declare their rates. */
  protected within(length_ms: number): number | null {
    if (this.before !== null) return this.before.#given(length_ms);
    let rate = 0;
    for (const name of this.query.inputs.flatMap((input) => input.streams)) {
      const interval = this.catalog.stream(name)?.interval_ms ?? null;
      if (interval === null) return null;
      rate += 1 / interval;
    }
    return Math.ceil(length_ms / (1 / rate)) + 2;
  }

  /** Rows that the query gives within so many ms at most; null = it depends on the rows. */
  #given(length_ms: number): number | null {
    const { window, expand, joins } = this.query;
    const rows = this.within(length_ms);
    if (rows === null || expand !== null || joins.length > 0) return null;
    const each = (covered_ms: number): number => Math.min(this.most, this.within(covered_ms)!);
    switch (window?.kind) {
      case undefined: return rows;
      case "tumbling": return closings(length_ms, window.length_ms) * each(window.length_ms);
      case "hopping": return closings(length_ms, window.hop_ms) * each(window.length_ms);
      case "sliding": return rows * each(window.length_ms + window.delay_ms);
      case "count": return (Math.ceil(rows / window.every) + 1) * Math.min(this.most, window.rows);
      case "session": return this.within(length_ms + 2 * window.most_ms);
      case "state": return null;
    }
  }
}

/** How often what closes every `hop_ms` does so within so many ms at most. */
const closings = (length_ms: number, hop_ms: number): number =>
  Math.floor(length_ms / hop_ms) + 1;
