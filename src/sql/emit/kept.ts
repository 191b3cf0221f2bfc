import { limits, nextPowerOfTwo } from "../../base.ts";
import { type ColumnSpec, Ring } from "../../ring.ts";
import { type Bound, type BoundColumn, type BoundWindow } from "../bound.ts";
import type { FoldPlan, JoinPlan, KeptPlan, KeptWindow } from "../program.ts";
import { contains } from "../rewrite/tree.ts";
import { bool } from "../types.ts";
import type { Mark } from "../window/kernel.ts";
import { addPartedFields } from "../window/parted.ts";
import { span_words } from "../window/span.ts";
import { Code } from "./code.ts";
import { addJoinFields, joinKernel, type JoinSpec } from "./joined.ts";
import { Layout } from "./params.ts";
import {
  type Field, foldPlan, type Folding, type RowsRole, rowsStage, type StageInput, windowRowsPlan,
} from "./stages.ts";

/** What a window over kept rows is made of beside what it folds. */
export interface Keeping {
  readonly window: BoundWindow;
  /** Tested before the window. */
  readonly before: Bound | null;
  /** Tested on the window's rows. */
  readonly after: Bound | null;
  readonly marks: readonly Mark[];
  /** Rows come in the order of event time. */
  readonly byEvents: boolean;
  /** Rows that its ring has room for at least. */
  readonly rows: number;
  /** Rows that may be in it at once, as far as its streams tell; 0: it keeps none. */
  readonly wanted: number;
}

interface Column { readonly spec: ColumnSpec; readonly expr: Bound }

/** Each row is kept with the values that the window needs, whatever they are made of. */
export function keptStage(input: StageInput, folding: Folding, keeping: Keeping): KeptPlan {
  const args = argumentsOf(folding);
  const conditions = conditionsOf(input, keeping);
  const keep = rowsStage(input, keeping.before,
    [...folding.keys, ...args.values(), ...conditions, ...partsOf(keeping)], keepRole(keeping));
  const where = conditions.find(({ spec }) => spec.name === "$where");
  const fold = foldColumns(inputOf(input, keep.output), folding, args,
    where === undefined ? null : columnOf(where), keeping, eachRowCloses(keeping.window));
  return planOf(input, keeping, keep, fold, {});
}

const eachRowCloses = (window: BoundWindow): boolean =>
  window.kind === "sliding" ? window.when === null : window.kind === "count" && window.every === 1;

function argumentsOf(folding: Folding): Map<Bound, Column> {
  const args = new Map<Bound, Column>();
  for (const { aggregate: { arg } } of folding.aggregates) {
    if (arg === null || args.has(arg)) continue;
    const spec = { name: `$arg${args.size}`, kind: arg.type.kind, slot: arg.type.slot };
    args.set(arg, { spec, expr: arg });
  }
  return args;
}

/** The fold where keys and arguments already are columns. */
function foldColumns(
  input: StageInput, folding: Folding, args: ReadonlyMap<Bound, Column>, where: Bound | null,
  keeping: Pick<Keeping, "marks" | "rows">, slides = false,
): FoldPlan {
  return foldPlan(input, {
    where,
    keys: folding.keys.map((key) => ({ spec: key.spec, expr: columnOf(key) })),
    aggregates: folding.aggregates.map(({ spec, aggregate }) => ({ spec, aggregate: {
      ...aggregate, arg: aggregate.arg === null ? null : columnOf(args.get(aggregate.arg)!),
    } })),
    groups: folding.groups, evicts: folding.evicts,
  }, { timed: false, marks: keeping.marks, panes: null, slides,
    rows: nextPowerOfTwo(keeping.rows) });
}

/** How rows of a window are joined, and what becomes of them. */
export interface Joining {
  /** Columns of the window's rows. */
  readonly passes: readonly Field[];
  readonly steps: (window: readonly ColumnSpec[]) => readonly JoinSpec[];
  /** Of joined rows. */
  readonly input: (joined: readonly ColumnSpec[]) => StageInput;
  readonly where: Bound | null;
  /** null: joined rows come out as they are, with these columns. */
  readonly folding: Folding | null;
  readonly columns: () => readonly Field[];
}

/** Rows of several inputs are kept, and joined when the window closes. */
export function joinedStage(input: StageInput, joining: Joining, keeping: Keeping): KeptPlan {
  const { folding, where } = joining;
  const conditions = conditionsOf(input, { ...keeping, before: null, after: null });
  const keep = rowsStage(input, keeping.before, [...joining.passes, ...conditions],
    keepRole(keeping));
  const specs = joining.steps(keep.output);
  const steps = specs.map(joinPlan);
  const last = steps.at(-1)!.ring;
  const joined = joining.input(last.columns);
  const args = folding === null ? null : argumentsOf(folding);
  const rows = folding !== null ? rowsStage(joined, where, [...folding.keys, ...args!.values()])
    : where !== null ? rowsStage(joined, where, joining.columns()) : null;
  const after = rows === null ? null
    : { rows, ring: Ring.layout("joined", rows.output, limits.join_rows_max) };
  const role = { marks: keeping.marks, rows: limits.join_rows_max };
  const columns = (after?.ring ?? last).columns;
  const over = inputOf(input, columns);
  const fold = folding === null
    ? windowRowsPlan(over, null, columns, { timed: false, panes: null, ...role })
    : foldColumns(over, folding, args!, null, role);
  return planOf(input, keeping, keep, fold, { join: { steps, after } });
}

function joinPlan(spec: JoinSpec): JoinPlan {
  const code = new Code(new Layout());
  addJoinFields(code, spec);
  const text = joinKernel(code, spec);
  code.layout.add("params", "F", code.params.length);
  const { output, oldest } = spec;
  const columns = [...output.map((c) => c.spec), ...(oldest === null ? [] : [oldest])];
  return { text, params: code.params, state: code.layout,
    ring: Ring.layout("joined", columns, limits.join_rows_max) };
}

/** Rows are kept to come out as they are when the window closes. */
export function keptRowsStage(
  input: StageInput, passes: readonly Field[], keeping: Keeping,
): KeptPlan {
  const conditions = conditionsOf(input, keeping);
  const parts = partsOf(keeping);
  const keep = rowsStage(input, keeping.before, [...passes, ...conditions, ...parts],
    keepRole(keeping));
  const where = conditions.find(({ spec }) => spec.name === "$where");
  const columns = keep.output.filter((c) =>
    ![...conditions, ...parts].some(({ spec }) => spec.name === c.name));
  const fold = windowRowsPlan(inputOf(input, keep.output),
    where === undefined ? null : columnOf(where), columns,
    { timed: false, marks: keeping.marks, panes: null, rows: nextPowerOfTwo(keeping.rows) });
  return planOf(input, keeping, keep, fold, {});
}

/** Panes are folded as rows come, the window is folded from panes. */
export function panesStage(
  input: StageInput, folding: Folding, keeping: Keeping, pane_ms: number,
): KeptPlan {
  const keep = foldPlan(input, { ...folding, where: keeping.before },
    { timed: true, marks: [], panes: "out", rows: 0 });
  const fold = foldPlan(inputOf(input, keep.output), {
    where: null, groups: folding.groups, evicts: folding.evicts,
    keys: folding.keys.map((key) => ({ spec: key.spec, expr: columnOf(key) })),
    aggregates: folding.aggregates,
  }, { timed: false, marks: keeping.marks, panes: "in", rows: 0 });
  return planOf(input, keeping, keep, fold, { pane_ms });
}

function planOf(
  input: StageInput, keeping: Keeping, keep: KeptPlan["keep"], fold: KeptPlan["fold"],
  { pane_ms = null, join = null }: Partial<Pick<KeptPlan, "pane_ms" | "join">>,
): KeptPlan {
  const rows = nextPowerOfTwo(keeping.rows);
  const parts = partsOf(keeping).map(({ spec }) => spec.name);
  const parted = parts.length === 0 ? null
    : { keys: parts, ring: Ring.layout("parted", keep.output, rows) };
  // Rows of windows by key have places of their own; they come through the ring one by one.
  const ring = Ring.layout("window", keep.output, parted === null ? rows : limits.stage_rows);
  const state = new Layout();
  state.add("span", "F", span_words);
  state.add("keep", "U", keep.stateBytes);
  state.add("fold", "U", fold.stateBytes);
  state.add("rows", "U", ring.bytes);
  join?.steps.forEach((step, i) => {
    state.add(`join ${i}`, "U", step.state.bytes);
    state.add(`joined ${i}`, "U", step.ring.bytes);
  });
  if (parted !== null) addPartedFields(state, parted);
  if (join?.after) {
    state.add("after", "U", join.after.rows.stateBytes);
    state.add("after rows", "U", join.after.ring.bytes);
  }
  return {
    kind: "kept", window: keptWindow(keeping), keep, pane_ms, ring, fold, join, parted,
    lacks: keeping.wanted > keeping.rows ? { rows, wanted: keeping.wanted } : null,
    input: input.columns,
    output: fold.output,
    outputRows: fold.outputRows, state, stateBytes: state.bytes, strict: input.strict,
    text: [keep.text, ...(keep.kind === "fold" ? [keep.emitText] : []),
      ...(join?.steps.map((step) => step.text) ?? []),
      ...(join?.after ? [join.after.rows.text] : []),
      fold.text, fold.emitText].join("\n\n"),
  };
}

/** What may pass is kept on the way to a write: the window shall know that it was there (W8). */
function conditionsOf({ strict }: StageInput, { window, before, after }: Keeping): Column[] {
  const named: [string, Bound | null][] = [["$where", strict ? after ?? before : after]];
  if (window.kind === "sliding") named.push(["$when", window.when]);
  if (window.kind === "state") named.push(["$begin", window.begin], ["$emit", window.emit]);
  return named.flatMap(([name, expr]) =>
    (expr === null ? [] : [{ spec: { name, kind: "bool", slot: 0 }, expr }]));
}

/** The keys of a state window. */
function partsOf({ window }: Keeping): Column[] {
  if (window.kind !== "state") return [];
  return window.partitionBy.map((expr, i) =>
    ({ spec: { name: `$part${i}`, kind: expr.type.kind, slot: expr.type.slot }, expr }));
}

/** How rows are kept; on the way to a write those too that may pass. */
function keepRole({ window }: Keeping): RowsRole {
  const counts = window.kind === "sliding" && window.when !== null &&
    contains(window.when, "hits");
  return { mayPass: true, hits: counts ? { of: "rows", column: "$when" } : null };
}

function keptWindow({ window, byEvents }: Keeping): KeptWindow {
  switch (window.kind) {
    case "tumbling": return { kind: window.kind, length_ms: window.length_ms };
    case "hopping":
      return { kind: window.kind, length_ms: window.length_ms, hop_ms: window.hop_ms };
    case "count": return { kind: window.kind, rows: window.rows, every: window.every };
    case "sliding": return { kind: window.kind, length_ms: window.length_ms,
      delay_ms: window.delay_ms, conditional: window.when !== null,
      whole: byEvents && window.delay_ms === 0 };
    case "session":
      return { kind: window.kind, most_ms: window.most_ms, timeout_ms: window.timeout_ms };
    case "state": return { kind: window.kind, single: window.emit === null };
  }
}

const inputOf = (input: StageInput, columns: readonly ColumnSpec[]): StageInput => ({
  columns, newest: [], find: () => undefined, oldest: input.oldest, strict: input.strict,
});

const columnOf = ({ spec, expr }: Column): BoundColumn => ({
  kind: "column", input: 0, name: spec.name, span: expr.span,
  type: spec.kind === "bool" ? bool : { kind: spec.kind, slot: spec.slot },
});
