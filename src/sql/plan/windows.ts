import { limits } from "../../base.ts";
import type { ColumnSpec } from "../../ring.ts";
import {
  type Bound, type BoundQuery, type BoundWindow, type Catalog, afterRows, isArranged, needsRows,
} from "../bound.ts";
import {
  type Folding, left_column, runningStage, start_column, windowStage,
} from "../emit/stages.ts";
import { type Keeping, keptRowsStage, keptStage, panesStage } from "../emit/kept.ts";
import { isList } from "../emit/direct.ts";
import { SqlFault } from "../fault.ts";
import type { KeptPlan, WindowPlan } from "../program.ts";
import { conjunction } from "../rewrite/conjuncts.ts";
import { walk } from "../rewrite/tree.ts";
import { listed } from "../shown.ts";
import type { Mark } from "../window/kernel.ts";
import { Chain, type PlanOptions } from "./chain.ts";

/** Plans the window of a query. */
export class WindowChain extends Chain {
  /** Rules may share its window, which then tells when it began. */
  #shares: boolean;
  /** The rows of its window are those of the rule but for the select list. */
  readonly #isPlain: boolean;

  constructor(
    query: BoundQuery, catalog: Catalog, options: PlanOptions, before: Chain | null,
    shareable: boolean,
  ) {
    super(query, catalog, options, before);
    this.#shares = shareable;
    this.#isPlain = options.emptyWindows === false && query.having === null &&
      !isArranged(query) && !this.hits;
  }

  get shares(): boolean {
    return this.#shares;
  }

  /** One whose columns are the select list gives that itself (emit/direct.ts): the rule's own. */
  #settle(columns: readonly ColumnSpec[], named: (expr: Bound) => string): void {
    const list = listed(this.query).map(({ spec, expr }) => ({ spec, from: named(expr) }));
    if (this.#isPlain && isList(list, [...columns, ...this.marksRead()])) this.#shares = false;
  }

  /** Rows of one time come together: so long have they been waited for. */
  protected get byEvents(): boolean {
    return this.eventTime !== null && this.eventTime.late_ms > 0;
  }

  /** What the rest of the query asks of a closed window. */
  protected marks(): Mark[] {
    const read = this.marksRead();
    const start = this.#shares && !read.includes(start_column) ? [start_column] : [];
    return [...start, ...read];
  }

  protected marksRead(): Mark[] {
    const { select, having, orderBy } = this.query;
    let start = false;
    for (const node of [...select, ...orderBy].map(({ expr }) => expr).concat(having ?? [])) {
      walk(node, (n) => {
        start ||= n.kind === "window" && n.which === "start";
        return true;
      });
    }
    const left = isArranged(this.query) || this.hits;
    return [...(start ? [start_column] : []), ...(left ? [left_column] : [])];
  }

  protected window(): void {
    const { window } = this.query;
    const folding = this.folding();
    const { keys, aggregates } = folding;
    this.#settle([...keys, ...aggregates].map(({ spec }) => spec), (node) =>
      keys.find(({ expr }) => expr === node)?.spec.name ??
        (node.kind === "aggregate" ? `$agg${node.index}`
          : node.kind === "window" && node.which === "start" ? start_column.name : ""));
    const stage = window === null ? runningStage(this.input(), folding)
      : this.#windowStage(window, folding);
    this.stages.push(stage);
    if (stage.kind !== "running") this.most = stage.kind === "kept" ? stage.fold.keys : stage.keys;
    this.columns = stage.output;
    folding.keys.forEach(({ spec, expr }) => this.keys.set(expr, spec.name));
  }

  #windowStage(window: BoundWindow, folding: Folding): WindowPlan | KeptPlan {
    const { where } = folding;
    const marks = this.marks(), byEvents = this.byEvents;
    const input = this.input();
    const rowwise = this.query.aggregates.some(({ fn }) => needsRows(fn));
    if (window.kind === "tumbling" && !rowwise) {
      return windowStage(input, { kind: window.kind, length_ms: window.length_ms }, folding, marks);
    }
    if (window.kind === "count" && window.every === window.rows && !rowwise) {
      return windowStage(input, { kind: window.kind, rows: window.rows }, folding, marks);
    }
    // Of panes a group that gave way would be lost only in part.
    if (window.kind === "hopping" && !rowwise && !folding.evicts) {
      return panesStage(input, folding,
        { window, before: where, after: null, marks, byEvents,
          rows: paneRows(window, folding.groups), wanted: 0 },
        paneOf(window));
    }
    return keptStage(input, folding, this.#keeping(window, where));
  }

  /** Without aggregates a window gives its rows as they are. */
  protected windowRows(window: BoundWindow): void {
    const where = conjunction(this.tests);
    this.tests = [];
    const passes = this.passes();
    this.#settle(passes.map(({ spec }) => spec), (node) => this.find(node) ??
      (node.kind === "column" ? node.name : ""));
    const stage = keptRowsStage(this.input(), passes,
      this.#keeping(window, where));
    this.most = stage.fold.keys;
    this.stages.push(stage);
    this.columns = stage.output;
  }

  protected folding(): Folding {
    const { aggregates, groupBy, groups, evicts } = this.query;
    const keys = groupBy.map((expr, i) => ({
      spec: { name: `$key${i}`, kind: expr.type.kind, slot: expr.type.slot }, expr,
    }));
    const columns = aggregates.map((aggregate, i) => ({
      spec: { name: `$agg${i}`, kind: aggregate.type.kind, slot: aggregate.type.slot }, aggregate,
    }));
    return { where: conjunction(this.tests), keys, aggregates: columns, groups, evicts };
  }

  #keeping(window: BoundWindow, where: Bound | null): Keeping {
    const after = afterRows(window);
    return { window, before: after ? null : where, after: after ? where : null,
      marks: this.marks(), byEvents: this.byEvents,
      ...this.keptRows(window, limits.ring_rows_max) };
  }

  /** Rows that a window keeps: its own number, or what comes within its length, if so many go. */
  protected keptRows(window: BoundWindow, most: number): Pick<Keeping, "rows" | "wanted"> {
    const wanted = Math.max(limits.ring_rows_min, this.#wantedRows(window));
    return { wanted, rows: Math.min(most, wanted) };
  }

  #wantedRows(window: BoundWindow): number {
    const { ring_rows_max } = limits;
    if (window.kind === "count") {
      if (window.rows > ring_rows_max) {
        throw new SqlFault("window-size", `A window keeps at most ${ring_rows_max} rows ` +
          "(ring_rows_max); take fewer, or a rule before this one that gives one row of many",
          this.query.sql, window.span);
      }
      return window.rows;
    }
    const length = longest(window);
    return (length === null ? null : this.within(length)) ?? limits.window_rows_default;
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
