import { limits, nextPowerOfTwo } from "../base.ts";
import { type ColumnSpec, Ring } from "../ring.ts";
import type {
  Bound, BoundAsof, BoundJoin, BoundOrder, BoundQuery, BoundStateful, BoundWindow, Catalog,
} from "./bound.ts";
import {
  afterRows, innerOf, isArranged, isSelective, needsRows, queriesIn, windowReads,
} from "./bound.ts";
import { arrangeStage } from "./arrange.ts";
import {
  conditionsStage, type Field, type Folding, left_column, rowsStage, runningStage,
  type RowsRole, type StageInput, start_column, windowStage,
} from "./emit/stages.ts";
import { giving } from "./emit/direct.ts";
import type { JoinSide, JoinSpec } from "./emit/joined.ts";
import { joinedStage, type Keeping, keptRowsStage, keptStage, panesStage } from "./emit/kept.ts";
import { Layout } from "./emit/params.ts";
import { reorderStage } from "./emit/reorder.ts";
import { expandStage } from "./expand.ts";
import { scanStage } from "./scan.ts";
import { isShareable, sharedWindow } from "./shared.ts";
import { failuresStage } from "./failures.ts";
import { silenceStage } from "./silence.ts";
import { notInThisVersion, SqlFault, type Span } from "./fault.ts";
import type {
  AsofPlan, InferPlan, InputPlan, KeptPlan, LookupPlan, Program, SharedWindow, SortKey,
  SourcesPlan, StagePlan, WindowPlan,
} from "./program.ts";
import { conjunction, conjuncts } from "./rewrite/conjuncts.ts";
import { contains, inputsOf, walk } from "./rewrite/tree.ts";
import { listed, type Shown } from "./shown.ts";
import { statefulStage } from "./stateful/stage.ts";
import { followedIn } from "./stateful/followed.ts";
import { unsafeIn } from "./stateful/unsafe.ts";
import { bool, int53, nullOf } from "./types.ts";
import type { Mark } from "./window/kernel.ts";

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

const oldest: ColumnSpec = { name: "$oldest", kind: "time", slot: 0 };

/**
 * Cuts a bound query into stages:
 *
 *     reorder (event time) → [all below of a query in FROM →] functions with state →
 *     rows (WHERE) → rows+infer … → window → rows+infer … → rows (HAVING, select list) →
 *     arrange (row_number, DISTINCT, ORDER BY, LIMIT)
 *
 * What can be tested before a model or a window is tested there.
 */
export function plan(query: BoundQuery, catalog: Catalog, options: PlanOptions): Program {
  const { chain, shared } = chainOf(query, catalog, options);
  const { stages } = chain;
  const queries = queriesIn(query);
  if (stages.some((stage) => stage.output.length > limits.columns_max)) {
    throw new SqlFault("too-large", `A rule has at most ${limits.columns_max} columns ` +
      "(columns_max), those between its stages included; two rules can share them", query.sql,
      { from: 0, to: query.sql.length });
  }
  return {
    sql: query.sql,
    inputs: chain.inputPlans(),
    gather: chain.gather,
    newest: query.newest.map(({ tag, stream, column, pollMs }) => ({
      tag, stream, column: column.name, pollMs,
    })),
    output: stages.at(-1)!.output,
    stages,
    models: [...new Set(queries.flatMap(({ infers }) => infers.map((i) => i.model)))],
    tables: [...new Set(queries.flatMap(({ inputs }) =>
      inputs.flatMap(({ table }) => (table === null ? [] : [table.name]))))],
    unsafe: queries.flatMap(unsafeIn),
    rowwise: queries.every(({ window }) => window === null),
    selective: queries.some(isSelective),
    memory: stages.map((s, i) => ({
      owner: "rule", what: `state of stage ${i + 1} (${whatStage(s)})`, bytes: s.stateBytes,
    })),
    sources: sourcesOf(query),
    shared,
  };
}

/**
 * A window that rules may share tells when it began; one that gives the select list itself
 * (emit/direct.ts) is a rule's own.
 */
function chainOf(
  query: BoundQuery, catalog: Catalog, options: PlanOptions,
): { chain: Chain; shared: SharedWindow | null } {
  const alone = new Chain(query, catalog, options, { isLast: true, shareable: false });
  if (query.inputs.length === 0) alone.conditions();
  else alone.rule();
  const last = alone.stages.at(-1)!.kind;
  if (!isShareable(query, options) || last === "window" || last === "kept") {
    return { chain: alone, shared: null };
  }
  const chain = new Chain(query, catalog, options, { isLast: true, shareable: true });
  chain.rule();
  return { chain, shared: sharedWindow(chain.inputPlans(), chain.stages) };
}

function sourcesOf(query: BoundQuery): SourcesPlan {
  const { where, window, having, groupBy, select } = query;
  const inner = innerOf(query);
  const under = inner === null ? null : sourcesOf(inner);
  const names = (node: Bound): string[] => namesIn(node, query, under);
  const joined = query.joins.flatMap(({ kind, key, on, asof }) => (kind === "left" ? []
    : [key, on, ...(asof?.keys.flatMap(({ left, right }) => [left, right]) ?? [])]));
  const conditions = [where, window?.filter ?? null, ...windowReads(window), having, ...joined]
    .filter((c) => c !== null);
  return {
    row: [...under?.row ?? [], ...[...conditions, ...groupBy].flatMap(names)],
    columns: Object.fromEntries(select.map(({ name, expr }) => [name, names(expr)])),
    followed: followedIn(query),
  };
}

/**
 * The leaves of an expression, through models, aggregates and the query in FROM (`under`);
 * `count(*)` has none.
 */
function namesIn(node: Bound, query: BoundQuery, under: SourcesPlan | null): string[] {
  const names: string[] = [];
  const visit = (top: Bound): void => walk(top, (n) => {
    // What a table says is there because of the key that it was asked for.
    const join = n.kind === "column" ? query.joins.find(({ input }) => input === n.input) : null;
    if (join?.key) visit(join.key);
    else if (n.kind === "column" && n.input === 0 && under !== null) {
      names.push(...under.columns[n.name] ?? []);
    } else if (n.kind === "column") names.push(n.name);
    else if (n.kind === "newest") names.push(query.newest[n.index]!.tag);
    else if (n.kind === "infer") query.infers[n.index]!.args.forEach(visit);
    else if (n.kind === "aggregate") {
      const { arg } = query.aggregates[n.index]!;
      if (arg !== null) visit(arg);
    }
    return true;
  });
  visit(node);
  return names;
}

const whatStage = (stage: StagePlan): string =>
  stage.kind === "reorder" ? `reorder, ${stage.ring.rows - 1} rows may wait`
  : stage.kind !== "kept" ? stage.kind
  : `window, keeps ${(stage.parted?.ring ?? stage.ring).rows} ` +
    (stage.pane_ms === null ? "rows" : "groups of panes");

/** The stages planned so far and what the last ring holds. */
class Chain {
  readonly stages: StagePlan[];
  readonly #query: BoundQuery;
  readonly #catalog: Catalog;
  readonly #lineage: boolean;
  readonly #strict: boolean;
  readonly #eventTime: EventTime | null;
  readonly #emptyWindows: EmptyWindows;
  readonly #sendError: boolean;
  /** Its rows are those of the rule. */
  readonly #isLast: boolean;
  /** What the query in FROM is planned as. */
  readonly #before: Chain | null;
  #ring: readonly ColumnSpec[] = [];
  #names = new Set<string>();
  /** Columns of a closed window that hold an expression of GROUP BY. */
  readonly #keys = new Map<Bound, string>();
  #tests: Bound[];
  /** Something asks how often the select list was come to. */
  readonly #hits: boolean;
  /** Rules may share its window. */
  readonly #shareable: boolean;
  /** Rows that a closed window gives at most. */
  #most = 0;
  /** What is still to be computed beside tests; a column that neither reads is not passed on. */
  #later: Bound[] = [];

  constructor(
    query: BoundQuery, catalog: Catalog, options: PlanOptions,
    { isLast, shareable }: { readonly isLast: boolean; readonly shareable: boolean },
  ) {
    this.#query = query;
    this.#catalog = catalog;
    this.#lineage = options.lineage;
    this.#strict = options.strict;
    this.#eventTime = options.eventTime;
    this.#emptyWindows = options.emptyWindows;
    this.#isLast = isLast;
    this.#sendError = options.sendError;
    this.#shareable = shareable;
    const inner = innerOf(query);
    this.#before = inner === null ? null : new Chain(inner, catalog, options,
      { isLast: false, shareable: false });
    this.#before?.rule();
    this.stages = [...this.#before?.stages ?? []];
    this.#columns = query.inputs.length === 0 ? []
      : this.stages.at(-1)?.output ?? this.gather ?? this.inputPlan(0).columns;
    this.#tests = conjuncts(query.where);
    this.#hits = [query.where, query.having, ...this.#shown()].some((node) =>
      node !== null && contains(node, "hits"));
  }

  /** Of the last ring. */
  get #columns(): readonly ColumnSpec[] {
    return this.#ring;
  }

  set #columns(columns: readonly ColumnSpec[]) {
    this.#ring = columns;
    this.#names = new Set(columns.map((c) => c.name));
  }

  inputPlan(index: number): InputPlan {
    const { alias, streams, fanIn, columns } = this.#query.inputs[index]!;
    const lineage = this.#lineage && streams.every((name) =>
      this.#catalog.stream(name)?.columns.some((c) => c.name === oldest.name));
    return { index, alias, streams, fanIn, columns: lineage ? [...columns, oldest] : columns };
  }

  inputPlans(): InputPlan[] {
    if (this.#before !== null) return this.#before.inputPlans();
    const { inputs, joins } = this.#query;
    const plans = inputs.flatMap(({ table }, i) => (table === null ? [this.inputPlan(i)] : []));
    // Of rows of one time those come first that stand beside the others.
    const rank = ({ index }: InputPlan): number =>
      Number(joins.find(({ input }) => input === index)?.asof == null);
    return plans.sort((a, b) => rank(a) - rank(b) || a.index - b.index);
  }

  /** Columns of several streams side by side, and which of them a row is from. */
  get gather(): readonly ColumnSpec[] | null {
    if (this.#before !== null) return this.#before.gather;
    const plans = this.inputPlans();
    // Event time is that of the stream which is furthest behind.
    const member = this.#eventTime === null ? [] : [member_column];
    if (plans.length < 2) return plans[0]?.fanIn ? [...plans[0].columns, ...member] : null;
    const columns = plans.flatMap(({ index }) => this.#query.inputs[index]!.columns
      .map((c) => ({ ...c, name: joinedName(index, c.name) })));
    return [from_column, ...columns, ...member, ...(this.#lineage ? [oldest] : [])];
  }

  conditions(): void {
    this.stages.push(conditionsStage(this.#input(), this.#select(), oldest));
  }

  rule(): void {
    const { window, aggregated, aggregates, groupBy, having } = this.#query;
    this.#refuse();
    if (this.#eventTime !== null && this.#before === null) this.#reorder(this.#eventTime);
    const grouped = aggregates.flatMap((a) => (a.arg === null ? [] : [a.arg]))
      .concat(groupBy, windowReads(window));
    const filter = conjuncts(window?.filter ?? null);
    const first = aggregated ? grouped
      : [...this.#shown(), ...(having === null ? [] : [having]), ...windowReads(window)];
    if (this.#query.joins.some(isWindowed)) return this.#joinedWindow(filter);
    this.#asof([...first, ...filter, ...this.#query.stateful]);
    this.#stateful([...first, ...filter, ...this.#joining()]);
    this.#lookups([...first, ...filter], window === null || !afterRows(window));
    this.#later = first;
    // What rows of a window give to a model is not known before it closes.
    const early = aggregated || window === null ? first : windowReads(window);
    // WHERE comes before a window of time, but after one that each row counts in or closes.
    if (window !== null && afterRows(window)) {
      if (filter.length > 0) {
        this.#later = [...first, ...filter];
        this.#infer(this.#infersIn(filter), false);
        this.#later = first;
        this.#rows(filter, this.#passes());
      }
      this.#infer(this.#infersIn([...early, ...this.#tests]), false);
    } else {
      this.#tests.unshift(...filter);
      // On the way to a write a window itself sees what its rows were tested for.
      const testing = window === null || !this.#strict;
      this.#infer(this.#infersIn([...early, ...this.#tests]), testing);
    }
    if (window !== null && !aggregated) {
      this.#windowRows(window);
      this.#tests = conjuncts(having);
      this.#later = this.#shown();
      this.#infer(this.#infersIn([...this.#later, ...this.#tests]), false);
    } else if (aggregated) {
      this.#window();
      this.#tests = conjuncts(having);
      this.#later = this.#shown();
      const testing = !isArranged(this.#query) && !this.#hits;
      this.#infer(this.#infersIn([...this.#later, ...this.#tests]), testing);
    }
    this.#give();
    const { expand } = this.#query;
    if (expand !== null) this.stages.push(expandStage(this.#input(), expand));
    if (this.#sendError && this.#isLast) this.#failures();
    if (this.#emptyWindows !== false && this.#isLast) this.#silence();
  }

  /** What a stage leaves out is told of when all before it has been worked off. */
  #failures(): void {
    const { output } = this.stages.at(-1)!;
    if (output.some(({ name }) => name === "error")) {
      throw new SqlFault("send-error", "With sendError a rule has a column error of its own: " +
        "call this one otherwise", this.#query.sql, { from: 0, to: this.#query.sql.length });
    }
    this.stages.push(failuresStage(output, this.stages.length));
  }

  /** Windows of which nothing came are told of behind all else. */
  #silence(): void {
    const { sql, window } = this.#query;
    const all = { from: 0, to: sql.length };
    if (window?.kind !== "tumbling" && window?.kind !== "hopping") {
      throw new SqlFault("empty-windows", "Only windows that close at natural times can be empty " +
        "(emptyWindows): TUMBLINGWINDOW and HOPPINGWINDOW", sql, window?.span ?? all);
    }
    this.stages.push(silenceStage(this.stages.at(-1)!.output, {
      every_ms: window.kind === "hopping" ? window.hop_ms : window.length_ms,
      byEvents: this.#eventTime !== null, asList: this.#emptyWindows === "[]",
    }));
  }

  /** What is read of the rows that a window gives, beside HAVING. */
  #shown(): Bound[] {
    return [...this.#query.select, ...this.#query.orderBy].map(({ expr }) => expr);
  }

  /** HAVING and the select list; before it goes out what is done with all rows of a window. */
  #give(): void {
    const restamped = this.#eventTime !== null && this.#isLast;
    const of = this.#query.window === null ? "rows" : "windows";
    if (!isArranged(this.#query)) {
      const plain = this.#tests.length === 0 && !restamped && !this.#hits;
      if (plain && this.#giveDirectly()) return;
      return this.#rows(this.#tests, this.#select(),
        { restamped, hits: this.#hits ? { of, column: null } : null });
    }
    const { numbers, distinct, orderBy, limit } = this.#query;
    const having = conjunction(this.#tests);
    this.#tests = [];
    const columns: Field[] = [];
    const column = (name: string, expr: Bound): string => {
      columns.push({ spec: { name, kind: expr.type.kind, slot: expr.type.slot }, expr });
      return name;
    };
    const keysOf = (name: string, keys: readonly BoundOrder[]): SortKey[] => keys.map((key, i) =>
      ({ column: column(`${name}${i}`, key.expr), descending: key.descending }));
    if (having !== null) column("$having", having);
    const counts = numbers.map(({ partitionBy, orderBy: keys }, n) => ({
      name: `$number${n}`, order: keysOf(`$order${n}_`, keys),
      partition: partitionBy.map((expr, i) => column(`$part${n}_${i}`, expr)),
    }));
    const order = keysOf("$by", orderBy);
    // Numbers are columns only when all rows of the window are there.
    const numbered = numbers.length > 0;
    const fields = numbered ? [...this.#hitsRead(),
      ...this.#passes().filter(({ expr }) => expr !== left_column.name)] : this.#select();
    const passes = fields.map(({ spec }) => spec).filter(({ name }) => name !== oldest.name);
    this.#rows([], [...fields, ...columns, { spec: left_column, expr: left_column.name }],
      { restamped: restamped && !numbered,
        hits: this.#hits ? { of, column: having === null ? null : "$having" } : null });
    const stage = arrangeStage(this.#input(), {
      having: having !== null, numbers: counts, order, limit, rows: this.#most,
      distinct: distinct ? passes.map(({ name }) => name) : null, passes,
    });
    this.stages.push(stage);
    this.#columns = stage.output;
    if (numbered) this.#rows([], this.#select(), { restamped });
  }

  /** A select list of columns as they are is written by the stage before it: true = it is. */
  #giveDirectly(): boolean {
    const list = this.#select().map(({ spec, expr }) =>
      ({ spec, from: this.#find(expr) ?? (expr.kind === "column" ? expr.name : "") }));
    const last = this.stages.at(-1);
    const stage = last === undefined ? null : giving(last, list, oldest.name);
    if (stage === null) return false;
    this.stages.splice(-1, 1, stage);
    this.#columns = stage.output;
    return true;
  }

  /** What is counted while rows are gone over, for a later stage. */
  #hitsRead(): Field[] {
    const read = new Map<string, Field>();
    for (const { expr } of this.#query.select) {
      walk(expr, (node) => {
        if (node.kind !== "hits") return true;
        const spec: ColumnSpec = { name: `$hits_${node.which}`, kind: "int53", slot: 0 };
        read.set(spec.name, { spec, expr: node });
        return false;
      });
    }
    return [...read.values()];
  }

  /** Before all else, so that whatever looks at rows sees them in order. */
  #reorder({ rows, ...timing }: EventTime): void {
    const { sql, joins, inputs } = this.#query;
    const streams = this.inputPlans().flatMap((input) => input.streams);
    const first = joins.filter(({ asof }) => asof !== null).map(({ input }) => input);
    const untimed = streams.find((name) => this.#catalog.stream(name)?.timed !== true);
    if (untimed !== undefined) {
      const { span } = inputs.find((input) => input.streams.includes(untimed))!;
      throw new SqlFault("event-time", `Rows of ${untimed} bear no source time, by which this ` +
        'rule is to go (eventTime); a source says with "time": "COLUMN" where it is', sql, span);
    }
    const passes = this.#columns.filter((c) => ![oldest.name, member_column.name].includes(c.name));
    const stage = reorderStage(this.#input(), passes, { ...timing, streams: streams.length, first,
      rows: rows ?? this.#waitingRows(timing.late_ms) });
    this.stages.push(stage);
    this.#columns = stage.output;
  }

  /** Twice what comes within the tolerance, where the rate is declared. */
  #waitingRows(late_ms: number): number {
    const interval = this.#interval();
    if (interval === null) return limits.window_rows_default - 1;
    const rows = Math.max(limits.ring_rows_min, 2 * Math.ceil(late_ms / interval));
    return Math.min(limits.ring_rows_max - 1, rows);
  }

  /**
   * Functions with state see every row, so they come first; a model that they read runs before
   * them, for every row too.
   */
  #stateful(later: readonly Bound[]): void {
    let waiting = [...this.#query.stateful];
    while (waiting.length > 0) {
      this.#later = [...later, ...waiting];
      this.#infer(this.#infersIn(waiting.slice(0, 1)), false);
      const ready = waiting.filter((node) => this.#infersIn([node]).length === 0);
      waiting = waiting.filter((node) => !ready.includes(node));
      const calls = ready.map((node) => ({
        node, spec: { name: this.#nameOf(node), kind: node.type.kind, slot: node.type.slot },
      }));
      this.#later = [...later, ...waiting];
      const passes = this.#passes(new Set(ready)).map((p) => p.spec);
      const stage = statefulStage(this.#input(), calls, passes);
      this.stages.push(stage);
      this.#columns = stage.output;
    }
  }

  /** What joins read of the inputs before them. */
  #joining(from = 0): Bound[] {
    return this.#query.joins.slice(from).flatMap(({ key, on }) => [key, on])
      .filter((node) => node !== null);
  }

  /** Streams whose newest rows stand beside those of the others: before all that looks at rows. */
  #asof(later: readonly Bound[]): void {
    const open = this.#query.joins.filter(({ asof }) => asof !== null);
    open.forEach(({ kind, input, asof }, i) => {
      const keys = open.slice(i).flatMap((join) =>
        join.asof!.keys.flatMap(({ left, right }) => [left, right]));
      this.#later = [...later, ...keys, ...this.#joining()];
      const own = (name: string): boolean => name.startsWith(`$${input}.`);
      const columnFor = (side: string, n: number, expr: Bound) =>
        ({ spec: { name: `$${side}${n}`, kind: expr.type.kind, slot: expr.type.slot }, expr });
      const pairs = asof!.keys.map(({ left, right }, n) => {
        const slot = Math.max(left.type.slot, right.type.slot);
        const wide = (field: ReturnType<typeof columnFor>) =>
          ({ ...field, spec: { ...field.spec, slot } });
        return [wide(columnFor("left", n, left)), wide(columnFor("right", n, right))] as const;
      });
      this.#rows([], [...pairs.flat(), { spec: from_column, expr: from_column.name },
        ...this.#passes()]);
      const columns = this.#columns.filter(({ name }) => own(name));
      this.#later = [...later, ...this.#joining(),
        ...open.slice(i + 1).flatMap((join) => join.asof!.keys.flatMap((k) => [k.left, k.right]))];
      const passes = [...(i + 1 < open.length ? [from_column] : []),
        ...this.#passes().map(({ spec }) => spec).filter(({ name }) => !own(name))];
      const stage = asofStage(this.#columns, { kind, input, asof: asof!, columns, passes,
        keys: pairs.map(([left, right]) => ({ left: left.spec, right: right.spec })),
        oldest: this.#lineage ? oldest : null, strict: this.#strict });
      this.stages.push(stage);
      this.#columns = stage.output;
    });
  }

  /** A request ring and a result ring for each table; tests that need no table come first. */
  #lookups(later: readonly Bound[], testing: boolean): void {
    this.#query.joins.forEach((join, i) => {
      const { kind, input, on, key } = join;
      if (join.scan) return this.#scan(join, [...later, ...this.#joining(i + 1)], testing);
      if (key === null) return;
      const found: Bound = { kind: "column", input, name: "$found", type: bool, span: join.span };
      const matched = [found, ...conjuncts(on)];
      this.#later = [...later, ...matched, ...this.#joining(i + 1)];
      const ready = testing ? this.#tests.filter((t) => this.#isReady(t)) : [];
      this.#tests = this.#tests.filter((t) => !ready.includes(t));
      const passes = this.#passes();
      const spec = { name: "$key", kind: key.type.kind, slot: key.type.slot };
      this.#rows(ready, [{ spec, expr: key }, ...passes]);
      this.#answers(input, passes.map((p) => p.spec));
      this.#later = [...later, ...this.#joining(i + 1)];
      if (kind === "left") this.#unmatched(input, on, matched);
      else if (testing) this.#tests.unshift(...matched);
      else this.#rows(matched, this.#passes());
    });
  }

  /** `later` is what reads its rows. */
  #scan({ kind, input, on }: BoundJoin, later: readonly Bound[], testing: boolean): void {
    this.#later = [...later, ...conjuncts(on)];
    const ready = testing ? this.#tests.filter((t) => this.#isReady(t)) : [];
    this.#tests = this.#tests.filter((t) => !ready.includes(t));
    // Rows of a stream have no age yet.
    const aged = !this.#lineage || this.#columns.some(({ name }) => name === oldest.name);
    if (ready.length > 0 || !aged) this.#rows(ready, this.#passes());
    this.#later = [...later];
    const { table, columns } = this.#query.inputs[input]!;
    const passed = [...this.#passes().map(({ spec }) => spec), ...(this.#lineage ? [oldest] : [])];
    const stage = scanStage(table!.name, table!.rows, this.#columns, {
      kind, on, newest: this.#query.newest, rightRows: 0, strict: this.#strict, oldest: null,
      left: { columns: this.#columns, from: null }, right: { columns, from: null },
      find: (node) => node.kind === "column" && node.input === input
        ? { side: "right", name: node.name } : this.#beside(node),
      output: [
        ...passed.map((spec) => ({ spec, side: "left" as const, name: spec.name })),
        ...columns.map((c) => ({ spec: { ...c, name: joinedName(input, c.name) },
          side: "right" as const, name: c.name })),
      ],
    });
    this.stages.push(stage);
    this.#columns = stage.output;
  }

  /** Where a node stands that is not of the table which is joined. */
  #beside(node: Bound): ReturnType<JoinSpec["find"]> {
    const name = this.#find(node) ?? (node.kind === "column" ? node.name : undefined);
    return name === undefined ? null : { side: "left", name };
  }

  #answers(input: number, passed: readonly ColumnSpec[]): void {
    const { table, columns } = this.#query.inputs[input]!;
    const named = (name: string): string => joinedName(input, name);
    const passes = this.#lineage ? [...passed, oldest] : passed;
    const found: ColumnSpec = { name: named("$found"), kind: "bool", slot: 0 };
    const stage: LookupPlan = {
      kind: "lookup", table: table!.name, key: "$key", found: found.name, input: this.#columns,
      columns: columns.map(({ name }) => ({ from: name, to: named(name) })),
      passes: passes.map((c) => c.name),
      output: [...passes, found, ...columns.map((c) => ({ ...c, name: named(c.name) }))],
      outputRows: 0, stateBytes: 0, text: "",
    };
    this.stages.push(stage);
    this.#columns = stage.output;
  }

  /** LEFT JOIN with more than its key in ON: where that is not TRUE the table has no values. */
  #unmatched(input: number, on: Bound | null, matched: readonly Bound[]): void {
    if (on === null) return;
    const own = new Map(this.#query.inputs[input]!.columns
      .map((c) => [joinedName(input, c.name), c]));
    this.#rows([], this.#passes().map(({ spec, expr }) => {
      const column = own.get(spec.name);
      if (column === undefined) return { spec, expr };
      const { span } = on, type = { kind: column.kind, slot: column.slot };
      const value: Bound = { kind: "column", input, name: column.name, type, span };
      const whens = [{ when: conjunction(matched)!, then: value }];
      return { spec, expr: { kind: "case", type, span, whens, otherwise: nullOf(type, span) } };
    }));
  }

  /** True if all that a node reads stands in the last ring. */
  #isReady(node: Bound): boolean {
    let ready = this.#infersIn([node]).length === 0 && !contains(node, "hits");
    walk(node, (n) => {
      ready &&= n.kind !== "column" || n.input === 0 || this.#find(n) !== undefined;
      return ready;
    });
    return ready;
  }

  #nameOf(node: BoundStateful): string {
    return `$state${this.#query.stateful.indexOf(node)}`;
  }

  #refuse(): void {
    const { sql, inputs, joins, stateful } = this.#query;
    const fault = (span: Span, sentence: string): SqlFault =>
      new SqlFault("join", sentence, sql, span);
    if (inputs[0]!.table !== null) {
      throw fault(inputs[0]!.span,
        `${inputs[0]!.name} is asked by its key: it stands after JOIN, a stream after FROM`);
    }
    const streams = joins.filter(isWindowed);
    const beside = joins.find((join) => isWindowed(join) || join.asof !== null);
    if (beside !== undefined && this.#before !== null) {
      throw notInThisVersion(sql, beside.span, "A stream that is joined with a query in FROM; " +
        "the query can be a rule of its own, which is joined by name");
    }
    if (streams.length > 0) this.#refuseJoined(streams);
    const scan = joins.find((join) => join.scan);
    if (scan !== undefined && joins.some((join) => !join.scan)) {
      throw notInThisVersion(sql, scan.span, "A table that is read as a whole beside another " +
        "kind of join; put it into a rule of its own, before or after");
    }
    for (const { kind, key, scan: whole, on, input, span } of joins) {
      if (whole && (kind === "right" || kind === "full")) {
        throw fault(span, "A table is joined by INNER, LEFT or CROSS JOIN: of itself it gives " +
          "no rows there");
      }
      const late = whole && on !== null ? inputsOf(on).filter((i) => i > input) : [];
      if (late.length > 0) {
        throw fault(on!.span, `ON reads ${inputs[late[0]!]!.alias}, which is joined only after it`);
      }
      if (key === null) continue;
      if (kind === "inner" || kind === "left") continue;
      throw fault(span, "A table that is asked by its key is joined by INNER or LEFT JOIN: " +
        "nobody knows its other rows");
    }
    const drawn = stateful.find(({ fn }) => fn === "$draw");
    if (scan !== undefined && drawn !== undefined) {
      throw notInThisVersion(sql, drawn.span, "A function of chance beside a table that is read " +
        "as a whole, whose rows would all get the same; a rule before this one can draw it");
    }
    for (const { args, partitionBy, when, span } of stateful) {
      const read = [...args, ...partitionBy, ...(when === null ? [] : [when])].flatMap(inputsOf);
      if (read.some((input) => inputs[input]!.table !== null)) {
        throw notInThisVersion(sql, span, "A function with state over the columns of a table");
      }
    }
  }

  #refuseJoined(streams: readonly BoundJoin[]): void {
    const { sql, window, joins, stateful, infers } = this.#query;
    const { span } = streams[0]!;
    if (window === null) {
      throw new SqlFault("join-window", "Streams are joined in a window: GROUP BY " +
        "TUMBLINGWINDOW(ss, 10) or another; for the newest row of a stream there is ASOF JOIN",
        sql, span);
    }
    if (window.kind === "state" && window.partitionBy.length > 0) {
      throw notInThisVersion(sql, window.span, "PARTITION BY of a window over several streams");
    }
    if (joins.length > streams.length) {
      throw notInThisVersion(sql, span, "Another kind of join beside that of streams in a " +
        "window; put it into a rule of its own, before or after");
    }
    for (const { span: place } of [...stateful, ...infers]) {
      throw notInThisVersion(sql, place, "A function with state or a model beside a join of " +
        "streams; put it into a rule of its own");
    }
    for (const { on, input } of streams) {
      const late = on === null ? [] : inputsOf(on).filter((i) => i > input);
      if (late.length > 0) {
        throw new SqlFault("join", `ON reads ${this.#query.inputs[late[0]!]!.alias}, which is ` +
          "joined only after it", sql, on!.span);
      }
    }
  }

  /** Streams side by side in a window, whose rows are joined when it closes. */
  #joinedWindow(filter: readonly Bound[]): void {
    const { window, aggregated, aggregates, having, joins } = this.#query;
    const where = conjunction(this.#tests);
    const folding = aggregated ? { ...this.#folding(), where: null } : null;
    const read = aggregated ? [...folding!.keys.map((k) => k.expr),
      ...aggregates.flatMap(({ arg }) => (arg === null ? [] : [arg]))] : this.#shown();
    const rows = Math.min(limits.join_rows_max, this.#keptRows(window!));
    this.#later = [...read, ...joins.flatMap(({ on }) => (on === null ? [] : [on])),
      ...windowReads(window)];
    const passes = [{ spec: from_column, expr: from_column.name }, ...this.#passes()];
    const marks = this.#marks(), byEvents = this.#byEvents;
    const stage = joinedStage(this.#input(), {
      passes, folding, where,
      steps: (columns) => this.#joinSteps(columns, rows, where === null ? read : [...read, where]),
      input: (columns) => {
        this.#columns = columns;
        return this.#input();
      },
      columns: () => {
        this.#later = read;
        this.#tests = [];
        return this.#passes();
      },
    }, { window: window!, before: this.#filterOf(filter), after: null, marks, rows, byEvents });
    this.stages.push(stage);
    this.#columns = stage.output;
    folding?.keys.forEach(({ spec, expr }) => this.#keys.set(expr, spec.name));
    this.#tests = conjuncts(having);
    this.#most = stage.fold.keys;
    this.#later = this.#shown();
    this.#give();
  }

  /** A condition of FILTER looks at the rows of the input that it reads. */
  #filterOf(filter: readonly Bound[]): Bound | null {
    return conjunction(filter.map((test) => {
      const [input, ...others] = inputsOf(test);
      if (input === undefined) return test;
      if (others.length > 0) {
        throw notInThisVersion(this.#query.sql, test.span, "FILTER over several streams at once");
      }
      const { span } = test, type = int53;
      const from: Bound = { kind: "column", input: 0, name: from_column.name, type, span };
      const literal: Bound = { kind: "literal", value: input, type, span };
      const other: Bound =
        { kind: "binary", op: "!=", left: from, right: literal, type: bool, span };
      return { kind: "binary", op: "or", left: other, right: test, type: bool, span };
    }));
  }

  /** `read` is what is read of the rows that all joins have made. */
  #joinSteps(
    window: readonly ColumnSpec[], rightRows: number, read: readonly Bound[],
  ): JoinSpec[] {
    const { joins, newest, inputs } = this.#query;
    const inputOf = (name: string): number => Number(/^\$(\d+)\./.exec(name)?.[1] ?? 0);
    const own = window.filter(({ name }) => inputs[inputOf(name)]!.columns
      .some((c) => joinedName(inputOf(name), c.name) === name));
    let left: JoinSide = { columns: window, from: 0 };
    return joins.map(({ kind, input, on }, i) => {
      const names = new Set<string>();
      for (const node of [...read, ...this.#joining(i + 1)]) this.#reads(node, names, new Set());
      const needed = own.filter(({ name }) => inputOf(name) <= input && names.has(name));
      const output = needed.map((spec) => ({
        spec, name: spec.name,
        side: inputOf(spec.name) === input ? "right" as const : "left" as const,
      }));
      const spec: JoinSpec = {
        kind, on, newest, output, rightRows: nextPowerOfTwo(rightRows), left,
        right: { columns: window, from: input }, strict: this.#strict,
        oldest: this.#lineage ? oldest : null,
        find: (node) => node.kind !== "column" ? null : {
          side: node.input === input ? "right" : "left", name: joinedName(node.input, node.name),
        },
      };
      left = { from: null, columns: [...output.map((c) => c.spec), oldest] };
      return spec;
    });
  }

  #input(): StageInput {
    return {
      columns: this.#columns,
      newest: this.#query.newest,
      find: (node) => this.#find(node),
      oldest: this.#lineage || this.#query.inputs.length === 0 ? oldest : null,
      strict: this.#strict,
    };
  }

  /** Name of the column that holds a node's value in the last ring, if one does. */
  #find(node: Bound): string | undefined {
    const name = this.#keys.get(node) ?? (node.kind === "column" && node.input > 0
      ? joinedName(node.input, node.name) : node.kind === "aggregate" ? `$agg${node.index}`
      : node.kind === "infer" ? `$infer${node.index}_${node.output}` : node.kind === "window"
        && node.which === "start" ? "$start"
      : node.kind === "stateful" ? this.#nameOf(node)
      : node.kind === "hits" ? `$hits_${node.which}`
      : node.kind === "number" ? `$number${this.#query.numbers.indexOf(node)}` : undefined);
    return name !== undefined && this.#names.has(name) ? name : undefined;
  }

  #select(): readonly Shown[] {
    return listed(this.#query);
  }

  #rows(
    tests: readonly Bound[], select: readonly { spec: ColumnSpec; expr: Bound | string }[],
    role: RowsRole = {},
  ): void {
    const stage = rowsStage(this.#input(), conjunction(tests), select, role);
    this.stages.push(stage);
    this.#columns = stage.output;
  }

  /**
   * Columns of the last ring that what is still to come reads, and `$left`, as they are. `made`:
   * what is a column from now on.
   */
  #passes(made: ReadonlySet<Bound> = new Set()): { spec: ColumnSpec; expr: string }[] {
    const names = new Set<string>();
    for (const node of [...this.#later, ...this.#tests]) this.#reads(node, names, made);
    return this.#columns.filter((c) => names.has(c.name) || c.name === left_column.name)
      .map((spec) => ({ spec, expr: spec.name }));
  }

  /** Adds the columns of the last ring that a node reads, also through models still to run. */
  #reads(node: Bound, names: Set<string>, made: ReadonlySet<Bound>): void {
    walk(node, (n) => {
      if (made.has(n)) return false;
      const column = this.#find(n) ?? (n.kind === "column" ? n.name : undefined);
      if (column !== undefined) names.add(column);
      else if (n.kind === "infer") {
        for (const arg of this.#query.infers[n.index]!.args) this.#reads(arg, names, made);
      }
      return column === undefined;
    });
  }

  /** Models that some expressions need, innermost first. */
  #infersIn(nodes: readonly Bound[]): number[] {
    const found: number[] = [];
    const visit = (node: Bound): void => walk(node, (n) => {
      if (this.#find(n) !== undefined) return false;
      if (n.kind !== "infer" || found.includes(n.index)) return true;
      this.#query.infers[n.index]!.args.forEach(visit);
      if (!found.includes(n.index)) found.push(n.index);
      return true;
    });
    nodes.forEach(visit);
    return found;
  }

  /** A request ring and a result ring for each model; tests that need no model come first. */
  #infer(indices: readonly number[], testing: boolean): void {
    for (const index of indices) {
      const { model, args } = this.#query.infers[index]!;
      const ready = testing ? this.#tests.filter((t) => this.#infersIn([t]).length === 0 &&
        !contains(t, "hits")) : [];
      this.#tests = this.#tests.filter((t) => !ready.includes(t));
      const names = args.map((_, i) => `$arg${i}`);
      const passes = this.#passes();
      const request = args.map((expr, i) => ({ spec: number(names[i]!), expr }));
      this.#rows(ready, [...request, ...passes]);
      this.#result(index, model, names, passes.map((p) => p.spec));
    }
  }

  #result(
    index: number, model: string, args: readonly string[], passed: readonly ColumnSpec[],
  ): void {
    const outputs = this.#catalog.model(model)?.outputs ?? 1;
    const results = Array.from({ length: outputs }, (_, i) => number(`$infer${index}_${i}`));
    const passes = this.#lineage ? [...passed, oldest] : passed;
    const stage: InferPlan = {
      kind: "infer", model, args, input: this.#columns,
      results: results.map((c) => c.name), passes: passes.map((c) => c.name),
      output: [...passes, ...results], outputRows: 0, stateBytes: 0, text: "",
    };
    this.stages.push(stage);
    this.#columns = stage.output;
  }

  /** Rows of one time come together: so long have they been waited for. */
  get #byEvents(): boolean {
    return this.#eventTime !== null && this.#eventTime.late_ms > 0;
  }

  /** What the rest of the query asks of a closed window. */
  #marks(): Mark[] {
    const { select, having, orderBy } = this.#query;
    let start = this.#shareable;
    for (const node of [...select, ...orderBy].map(({ expr }) => expr).concat(having ?? [])) {
      walk(node, (n) => {
        start ||= n.kind === "window" && n.which === "start";
        return true;
      });
    }
    const left = isArranged(this.#query) || this.#hits;
    return [...(start ? [start_column] : []), ...(left ? [left_column] : [])];
  }

  #windowStage(window: BoundWindow, folding: Folding): WindowPlan | KeptPlan {
    const { where } = folding;
    const marks = this.#marks(), byEvents = this.#byEvents;
    const input = this.#input();
    const rowwise = this.#query.aggregates.some(({ fn }) => needsRows(fn));
    if (window.kind === "tumbling" && !rowwise) {
      return windowStage(input, { kind: window.kind, length_ms: window.length_ms }, folding, marks);
    }
    if (window.kind === "count" && window.every === window.rows && !rowwise) {
      return windowStage(input, { kind: window.kind, rows: window.rows }, folding, marks);
    }
    if (window.kind === "hopping" && !rowwise) {
      return panesStage(input, folding,
        { window, before: where, after: null, marks, byEvents,
          rows: paneRows(window, folding.groups) },
        paneOf(window));
    }
    return keptStage(input, folding, this.#keeping(window, where));
  }

  /** Without aggregates a window gives its rows as they are. */
  #windowRows(window: BoundWindow): void {
    const where = conjunction(this.#tests);
    this.#tests = [];
    const stage = keptRowsStage(this.#input(), this.#passes(),
      this.#keeping(window, where));
    this.#most = stage.fold.keys;
    this.stages.push(stage);
    this.#columns = stage.output;
  }

  #keeping(window: BoundWindow, where: Bound | null): Keeping {
    const after = afterRows(window);
    return { window, before: after ? null : where, after: after ? where : null,
      marks: this.#marks(), byEvents: this.#byEvents, rows: this.#keptRows(window) };
  }

  /** Rows that a window keeps: its own number, or its length by the declared rate. */
  #keptRows(window: BoundWindow): number {
    const { ring_rows_max, ring_rows_min } = limits;
    if (window.kind === "count") {
      if (window.rows > ring_rows_max) {
        throw new SqlFault("window-size", `A window keeps at most ${ring_rows_max} rows ` +
          "(ring_rows_max); take fewer, or a rule before this one that gives one row of many",
          this.#query.sql, window.span);
      }
      return Math.max(ring_rows_min, window.rows);
    }
    const interval = this.#interval();
    const length = longest(window);
    if (interval === null || length === null) return limits.window_rows_default;
    return Math.min(ring_rows_max, Math.max(ring_rows_min, Math.ceil(length / interval) + 2));
  }

  /** ms between two rows of the input, where its streams declare it. */
  #interval(): number | null {
    if (this.#before !== null) return this.#before.#interval();
    let rate = 0;
    for (const name of this.#query.inputs.flatMap((input) => input.streams)) {
      const interval = this.#catalog.stream(name)?.interval_ms ?? null;
      if (interval === null) return null;
      rate += 1 / interval;
    }
    return 1 / rate;
  }

  #folding(): Folding {
    const { aggregates, groupBy, groups } = this.#query;
    const keys = groupBy.map((expr, i) => ({
      spec: { name: `$key${i}`, kind: expr.type.kind, slot: expr.type.slot }, expr,
    }));
    const columns = aggregates.map((aggregate, i) => ({
      spec: { name: `$agg${i}`, kind: aggregate.type.kind, slot: aggregate.type.slot }, aggregate,
    }));
    return { where: conjunction(this.#tests), keys, aggregates: columns, groups };
  }

  #window(): void {
    const { window } = this.#query;
    const folding = this.#folding();
    const stage = window === null ? runningStage(this.#input(), folding)
      : this.#windowStage(window, folding);
    this.stages.push(stage);
    if (stage.kind !== "running") this.#most = stage.kind === "kept" ? stage.fold.keys : stage.keys;
    this.#columns = stage.output;
    folding.keys.forEach(({ spec, expr }) => this.#keys.set(expr, spec.name));
  }
}

/** ms that a row may be kept; null = it depends on the rows. */
function longest(window: BoundWindow): number | null {
  switch (window.kind) {
    case "tumbling": return window.length_ms;
    case "hopping": return window.length_ms + window.hop_ms;
    case "sliding": return window.length_ms + window.delay_ms;
    case "session": return 2 * window.most_ms;
    case "count": case "state": return null;
  }
}

/** Groups of panes that a hopping window keeps. */
function paneRows(window: BoundWindow & { kind: "hopping" }, groups: number): number {
  const all = (window.length_ms / paneOf(window) + 2) * groups;
  return Math.max(limits.ring_rows_min, 2 * groups, Math.min(limits.pane_rows_max, all));
}

/** The longest time that both length and hop are whole numbers of. */
function paneOf({ length_ms, hop_ms }: BoundWindow & { kind: "hopping" }): number {
  let [a, b] = [length_ms, hop_ms];
  while (b > 0) [a, b] = [b, a % b];
  return a;
}

/** Of streams in a window: neither a table nor ASOF. */
const isWindowed = ({ key, scan, asof }: BoundJoin): boolean =>
  key === null && !scan && asof === null;

function asofStage(
  input: readonly ColumnSpec[],
  { kind, input: from, asof, columns, passes, keys, oldest: age, strict }: {
    readonly kind: string; readonly input: number; readonly asof: BoundAsof;
    readonly columns: readonly ColumnSpec[]; readonly passes: readonly ColumnSpec[];
    readonly keys: readonly { readonly left: ColumnSpec; readonly right: ColumnSpec }[];
    readonly oldest: ColumnSpec | null; readonly strict: boolean;
  },
): AsofPlan {
  const aged = age === null ? [] : [age];
  const rows = keys.length === 0 ? 2 : limits.partition_keys_default;
  const ring = Ring.layout("newest", [...keys.map((k) => k.right), ...columns, ...aged], rows);
  const state = new Layout();
  state.add("used", "F", 1);
  state.add("heads", "I", 2 * rows);
  state.add("next", "I", rows);
  state.add("rows", "U", ring.bytes);
  return {
    kind: "asof", from, left: kind === "left", tolerance_ms: asof.tolerance_ms, strict, ring, state,
    keys: keys.map(({ left, right }) => ({ left: left.name, right: right.name })),
    columns: columns.map((c) => c.name), passes: passes.map((c) => c.name),
    lineage: age !== null, input, output: [...passes, ...columns, ...aged], outputRows: 0,
    stateBytes: state.bytes, text: "",
  };
}

/** What a column of a joined input is called in the rings of a rule. */
const joinedName = (input: number, name: string): string =>
  (input === 0 ? name : `$${input}.${name}`);

/** Of a row of several streams: the index of its input. */
const from_column: ColumnSpec = { name: "$from", kind: "int53", slot: 0 };
/** Which of all streams that are gathered a row is from. */
const member_column: ColumnSpec = { name: "$member", kind: "int53", slot: 0 };

const number = (name: string): ColumnSpec => ({ name, kind: "float64", slot: 0 });
