import { nextPowerOfTwo } from "../../base.ts";
import { type ColumnSpec, Ring } from "../../ring.ts";
import { type Bound, type BoundColumn, type BoundWindow } from "../bound.ts";
import type { KeptPlan, KeptWindow } from "../program.ts";
import { bool } from "../types.ts";
import { span_words } from "../window/span.ts";
import { Layout } from "./params.ts";
import {
  type Field, foldPlan, type Folding, rowsStage, type StageInput, windowRowsPlan,
} from "./stages.ts";

/** What a window over kept rows is made of beside what it folds. */
export interface Keeping {
  readonly window: BoundWindow;
  /** Tested before the window. */
  readonly before: Bound | null;
  /** Tested on the window's rows. */
  readonly after: Bound | null;
  readonly start: boolean;
  /** Rows of the ring, a power of two. */
  readonly rows: number;
}

interface Column { readonly spec: ColumnSpec; readonly expr: Bound }

/** Each row is kept with the values that the window needs, whatever they are made of. */
export function keptStage(input: StageInput, folding: Folding, keeping: Keeping): KeptPlan {
  const args = new Map<Bound, Column>();
  for (const { aggregate: { arg } } of folding.aggregates) {
    if (arg === null || args.has(arg)) continue;
    const spec = { name: `$arg${args.size}`, kind: arg.type.kind, slot: arg.type.slot };
    args.set(arg, { spec, expr: arg });
  }
  const conditions = conditionsOf(input, keeping);
  const keep = rowsStage(input, keeping.before,
    [...folding.keys, ...args.values(), ...conditions], { mayPass: true });
  const where = conditions.find(({ spec }) => spec.name === "$where");
  const fold = foldPlan(inputOf(input, keep.output), {
    where: where === undefined ? null : columnOf(where),
    keys: folding.keys.map((key) => ({ spec: key.spec, expr: columnOf(key) })),
    aggregates: folding.aggregates.map(({ spec, aggregate }) => ({ spec, aggregate: {
      ...aggregate, arg: aggregate.arg === null ? null : columnOf(args.get(aggregate.arg)!),
    } })),
    groups: folding.groups,
  }, { timed: false, start: keeping.start, panes: null, rows: nextPowerOfTwo(keeping.rows) });
  return planOf(input, keptWindow(keeping.window), keep, null, fold, keeping.rows);
}

/** Rows are kept to come out as they are when the window closes. */
export function keptRowsStage(
  input: StageInput, passes: readonly Field[], keeping: Keeping,
): KeptPlan {
  const conditions = conditionsOf(input, keeping);
  const keep = rowsStage(input, keeping.before, [...passes, ...conditions], { mayPass: true });
  const where = conditions.find(({ spec }) => spec.name === "$where");
  const columns = keep.output.filter((c) => !conditions.some(({ spec }) => spec.name === c.name));
  const fold = windowRowsPlan(inputOf(input, keep.output),
    where === undefined ? null : columnOf(where), columns,
    { timed: false, start: keeping.start, panes: null, rows: nextPowerOfTwo(keeping.rows) });
  return planOf(input, keptWindow(keeping.window), keep, null, fold, keeping.rows);
}

/** Panes are folded as rows come, the window is folded from panes. */
export function panesStage(
  input: StageInput, folding: Folding, keeping: Keeping, pane_ms: number,
): KeptPlan {
  const keep = foldPlan(input, { ...folding, where: keeping.before },
    { timed: true, start: false, panes: "out", rows: 0 });
  const fold = foldPlan(inputOf(input, keep.output), {
    where: null, groups: folding.groups,
    keys: folding.keys.map((key) => ({ spec: key.spec, expr: columnOf(key) })),
    aggregates: folding.aggregates,
  }, { timed: false, start: keeping.start, panes: "in", rows: 0 });
  return planOf(input, keptWindow(keeping.window), keep, pane_ms, fold, keeping.rows);
}

function planOf(
  input: StageInput, window: KeptWindow, keep: KeptPlan["keep"], pane_ms: number | null,
  fold: KeptPlan["fold"], rows: number,
): KeptPlan {
  const ring = Ring.layout("window", keep.output, nextPowerOfTwo(rows));
  const state = new Layout();
  state.add("span", "F", span_words);
  state.add("keep", "U", keep.stateBytes);
  state.add("fold", "U", fold.stateBytes);
  state.add("rows", "U", ring.bytes);
  return {
    kind: "kept", window, keep, pane_ms, ring, fold, input: input.columns, output: fold.output,
    outputRows: fold.outputRows, state, stateBytes: state.bytes, strict: input.strict,
    text: [keep.text, ...(keep.kind === "fold" ? [keep.emitText] : []), fold.text, fold.emitText]
      .join("\n\n"),
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

function keptWindow(window: BoundWindow): KeptWindow {
  switch (window.kind) {
    case "tumbling": return { kind: window.kind, length_ms: window.length_ms };
    case "hopping":
      return { kind: window.kind, length_ms: window.length_ms, hop_ms: window.hop_ms };
    case "count": return { kind: window.kind, rows: window.rows, every: window.every };
    case "sliding": return { kind: window.kind, length_ms: window.length_ms,
      delay_ms: window.delay_ms, conditional: window.when !== null };
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
