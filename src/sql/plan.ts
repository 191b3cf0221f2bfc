import { limits } from "../base.ts";
import type { ColumnSpec } from "../ring.ts";
import {
  type Bound, type BoundOrder, type BoundQuery, type Catalog, afterRows, innerOf, isArranged,
  isSelective, queriesIn, windowReads,
} from "./bound.ts";
import { arrangeStage } from "./arrange.ts";
import { conditionsStage, type Field, left_column } from "./emit/stages.ts";
import { giving } from "./emit/direct.ts";
import { reorderStage } from "./emit/reorder.ts";
import { expandStage } from "./expand.ts";
import { isShareable, sharedWindow } from "./shared.ts";
import { failuresStage } from "./failures.ts";
import { silenceStage } from "./silence.ts";
import { SqlFault } from "./fault.ts";
import type { Program, SortKey, SourcesPlan, StagePlan } from "./program.ts";
import { conjunction, conjuncts } from "./rewrite/conjuncts.ts";
import { walk } from "./rewrite/tree.ts";
import { listed, type Shown } from "./shown.ts";
import { statefulStage } from "./stateful/stage.ts";
import { followedIn } from "./stateful/followed.ts";
import { unsafeIn } from "./unsafe.ts";
import {
  oldest, member_column, type PlanOptions, type EventTime, type EmptyWindows,
} from "./plan/chain.ts";
import { isWindowed, JoinChain } from "./plan/joins.ts";

export type { EmptyWindows, EventTime, PlanOptions } from "./plan/chain.ts";

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
  const queries = queriesIn(query);
  // Known before all is planned, which takes long of so many.
  if (queries.some((one) => [one.select, one.aggregates, one.stateful].some(hasTooMany))) {
    throw tooMany(query.sql);
  }
  const chain = new RuleChain(query, catalog, options,
    { isLast: true, shareable: isShareable(query, options) });
  if (query.inputs.length === 0) chain.conditions();
  else chain.rule();
  const { stages } = chain;
  if (stages.some((stage) => hasTooMany(stage.output))) throw tooMany(query.sql);
  const longest = Math.max(0, ...stages.map(({ text }) => text.length));
  if (longest > limits.kernel_chars_max) throw tooLong(query.sql, longest);
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
    shared: chain.shares ? sharedWindow(chain.inputPlans(), stages) : null,
  };
}

const hasTooMany = (columns: readonly unknown[]): boolean => columns.length > limits.columns_max;

const tooMany = (sql: string): SqlFault => new SqlFault("too-large", "A rule has at most " +
  `${limits.columns_max} columns (columns_max), those between its stages included; two rules can ` +
  "share them", sql, { from: 0, to: sql.length });

const tooLong = (sql: string, chars: number): SqlFault => new SqlFault("too-large",
  `A stage of this rule would be a program of ${chars} characters, at most ` +
  `${limits.kernel_chars_max} are compiled (kernel_chars_max); two rules can share its columns`,
  sql, { from: 0, to: sql.length });

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

/** Plans a query, and the one in FROM before it. */
class RuleChain extends JoinChain {
  readonly #emptyWindows: EmptyWindows;
  /** Its rows are those of the rule. */
  readonly #isLast: boolean;
  readonly #sendError: boolean;

  constructor(
    query: BoundQuery, catalog: Catalog, options: PlanOptions,
    { isLast, shareable }: { readonly isLast: boolean; readonly shareable: boolean },
  ) {
    const inner = innerOf(query);
    const before = inner === null ? null
      : new RuleChain(inner, catalog, options, { isLast: false, shareable: false });
    before?.rule();
    super(query, catalog, options, before, shareable);
    this.#emptyWindows = options.emptyWindows;
    this.#sendError = options.sendError;
    this.#isLast = isLast;
  }

  conditions(): void {
    this.stages.push(conditionsStage(this.input(), this.#select(), oldest));
  }

  rule(): void {
    const { window, aggregated, aggregates, groupBy, having } = this.query;
    this.refuse();
    if (this.eventTime !== null && this.before === null) this.#reorder(this.eventTime);
    const grouped = aggregates.flatMap((a) => (a.arg === null ? [] : [a.arg]))
      .concat(groupBy, windowReads(window));
    const filter = conjuncts(window?.filter ?? null);
    const first = aggregated ? grouped
      : [...this.shown(), ...(having === null ? [] : [having]), ...windowReads(window)];
    if (this.query.joins.some(isWindowed)) return this.joinedWindow(filter);
    this.asof([...first, ...filter, ...this.query.stateful]);
    this.#stateful([...first, ...filter, ...this.joining()]);
    this.lookups([...first, ...filter], window === null || !afterRows(window));
    this.later = first;
    // What rows of a window give to a model is not known before it closes.
    const early = aggregated || window === null ? first : windowReads(window);
    // WHERE comes before a window of time, but after one that each row counts in or closes.
    if (window !== null && afterRows(window)) {
      if (filter.length > 0) {
        this.later = [...first, ...filter];
        this.infer(this.infersIn(filter), false);
        this.later = first;
        this.rows(filter, this.passes());
      }
      this.infer(this.infersIn([...early, ...this.tests]), false);
    } else {
      this.tests.unshift(...filter);
      // On the way to a write a window itself sees what its rows were tested for.
      const testing = window === null || !this.strict;
      this.infer(this.infersIn([...early, ...this.tests]), testing);
    }
    if (window !== null && !aggregated) {
      this.windowRows(window);
      this.tests = conjuncts(having);
      this.later = this.shown();
      this.infer(this.infersIn([...this.later, ...this.tests]), false);
    } else if (aggregated) {
      this.window();
      this.tests = conjuncts(having);
      this.later = this.shown();
      const testing = !isArranged(this.query) && !this.hits;
      this.infer(this.infersIn([...this.later, ...this.tests]), testing);
    }
    this.give();
    const { expand } = this.query;
    if (expand !== null) this.stages.push(expandStage(this.input(), expand));
    if (this.#sendError && this.#isLast) this.#failures();
    if (this.#emptyWindows !== false && this.#isLast) this.#silence();
  }

  /** What a stage leaves out is told of when all before it has been worked off. */
  #failures(): void {
    const { output } = this.stages.at(-1)!;
    if (output.some(({ name }) => name === "error")) {
      throw new SqlFault("send-error", "With sendError a rule has a column error of its own: " +
        "call this one otherwise", this.query.sql, { from: 0, to: this.query.sql.length });
    }
    this.stages.push(failuresStage(output, this.stages.length));
  }

  /** Windows of which nothing came are told of behind all else. */
  #silence(): void {
    const { sql, window } = this.query;
    const all = { from: 0, to: sql.length };
    if (window === null && this.#hasInnerWindow) {
      throw new SqlFault("empty-windows", "Empty windows are told of by the rule that they are " +
        "of (emptyWindows), not by one that looks at what windows give, through a query in FROM " +
        "or a function with state over a window, such as lag(avg(x)): put the window into a rule " +
        "of its own, with emptyWindows, and read that one", sql, all);
    }
    if (window?.kind !== "tumbling" && window?.kind !== "hopping") {
      throw new SqlFault("empty-windows", "Only windows that close at natural times can be empty " +
        "(emptyWindows): TUMBLINGWINDOW and HOPPINGWINDOW", sql, window?.span ?? all);
    }
    this.stages.push(silenceStage(this.stages.at(-1)!.output, {
      every_ms: window.kind === "hopping" ? window.hop_ms : window.length_ms,
      byEvents: this.eventTime !== null, asList: this.#emptyWindows === "[]",
    }));
  }

  get #hasInnerWindow(): boolean {
    return queriesIn(this.query).slice(1).some(({ window }) => window !== null);
  }

  /** HAVING and the select list; before it goes out what is done with all rows of a window. */
  protected give(): void {
    const restamped = this.eventTime !== null && this.#isLast;
    const of = this.query.window === null ? "rows" : "windows";
    if (!isArranged(this.query)) {
      const plain = this.tests.length === 0 && !restamped && !this.hits && !this.shares;
      if (plain && this.#giveDirectly()) return;
      return this.rows(this.tests, this.#select(),
        { restamped, hits: this.hits ? { of, column: null } : null });
    }
    const { numbers, distinct, orderBy, limit } = this.query;
    const having = conjunction(this.tests);
    this.tests = [];
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
      ...this.passes().filter(({ expr }) => expr !== left_column.name)] : this.#select();
    const passes = fields.map(({ spec }) => spec).filter(({ name }) => name !== oldest.name);
    this.rows([], [...fields, ...columns, { spec: left_column, expr: left_column.name }],
      { restamped: restamped && !numbered,
        hits: this.hits ? { of, column: having === null ? null : "$having" } : null });
    const stage = arrangeStage(this.input(), {
      having: having !== null, numbers: counts, order, limit, rows: this.most,
      distinct: distinct ? passes.map(({ name }) => name) : null, passes,
    });
    this.stages.push(stage);
    this.columns = stage.output;
    if (numbered) this.rows([], this.#select(), { restamped });
  }

  /** A select list of columns as they are is written by the stage before it: true = it is. */
  #giveDirectly(): boolean {
    const list = this.#select().map(({ spec, expr }) =>
      ({ spec, from: this.find(expr) ?? (expr.kind === "column" ? expr.name : "") }));
    const last = this.stages.at(-1);
    const stage = last === undefined ? null : giving(last, list, oldest.name);
    if (stage === null) return false;
    this.stages.splice(-1, 1, stage);
    this.columns = stage.output;
    return true;
  }

  /** What is counted while rows are gone over, for a later stage. */
  #hitsRead(): Field[] {
    const read = new Map<string, Field>();
    for (const { expr } of this.query.select) {
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
    const { sql, joins, inputs } = this.query;
    const streams = this.inputPlans().flatMap((input) => input.streams);
    const first = joins.filter(({ asof }) => asof !== null).map(({ input }) => input);
    const untimed = streams.find((name) => this.catalog.stream(name)?.timed !== true);
    if (untimed !== undefined) {
      const { span } = inputs.find((input) => input.streams.includes(untimed))!;
      throw new SqlFault("event-time", `Rows of ${untimed} bear no source time, by which this ` +
        'rule is to go (eventTime); a source says with "time": "COLUMN" where it is', sql, span);
    }
    const passes = this.columns.filter((c) => ![oldest.name, member_column.name].includes(c.name));
    const stage = reorderStage(this.input(), passes, { ...timing, streams: streams.length, first,
      rows: rows ?? this.#waitingRows(timing.late_ms) });
    this.stages.push(stage);
    this.columns = stage.output;
  }

  /** Twice what comes within the tolerance, where the rate is declared. */
  #waitingRows(late_ms: number): number {
    const rows = this.within(late_ms);
    if (rows === null) return limits.window_rows_default - 1;
    return Math.min(limits.ring_rows_max - 1, Math.max(limits.ring_rows_min, 2 * rows));
  }

  /**
   * Functions with state see every row, so they come first; a model that they read runs before
   * them, for every row too.
   */
  #stateful(later: readonly Bound[]): void {
    let waiting = [...this.query.stateful];
    while (waiting.length > 0) {
      this.later = [...later, ...waiting];
      this.infer(this.infersIn(waiting.slice(0, 1)), false);
      const ready = waiting.filter((node) => this.infersIn([node]).length === 0);
      waiting = waiting.filter((node) => !ready.includes(node));
      const calls = ready.map((node) => ({
        node, spec: { name: this.nameOf(node), kind: node.type.kind, slot: node.type.slot },
      }));
      this.later = [...later, ...waiting];
      const passes = this.passes(new Set(ready)).map((p) => p.spec);
      const stage = statefulStage(this.input(), calls, passes);
      this.stages.push(stage);
      this.columns = stage.output;
    }
  }

  #select(): readonly Shown[] {
    return listed(this.query);
  }
}
