import { never } from "../base.ts";
import { fieldByte, type StateLayout } from "./emit/params.ts";
import type { Program, StagePlan } from "./program.ts";

/** A piece of a stage's state block, in bytes from its beginning. */
export interface StateRange {
  readonly at: number;
  readonly bytes: number;
}

/**
 * What a stage remembers of its rows: its block without parameters and text literals, which are
 * made anew from the plan. A checkpoint is a copy of these.
 */
export function stateRanges(stage: StagePlan): StateRange[] {
  switch (stage.kind) {
    case "rows": case "conditions": case "window": case "running": case "stateful": case "expand":
    case "failures": case "silence":
    case "asof": case "arrange":
      return rangesOf(stage.state);
    case "kept": {
      const { keep, fold, join, state } = stage;
      const steps = join?.steps.map((step, i): [string, StateLayout] =>
        [`join ${i}`, step.state]) ?? [];
      return rangesOf(state, new Map([["keep", keep.state], ["fold", fold.state], ...steps,
        ...(join?.after ? [["after", join.after.rows.state] as const] : [])]));
    }
    case "reorder": {
      const { keep, give, state } = stage;
      return rangesOf(state, new Map([["keep", keep.state], ["give", give.state]]));
    }
    case "infer": case "lookup": case "scan": return [];
    default: return never(stage, "stage");
  }
}

/**
 * Two programs of one hash mean the same by the bytes of their state: hash of plan shape, column
 * names, types and units. Literals of conditions are no part of it.
 */
export function stateHash(program: Program): string {
  const columns = (list: StagePlan["output"]): unknown =>
    list.map(({ name, kind, slot, eu }) => [name, kind, slot, eu ?? ""]);
  const stage = (plan: StagePlan): unknown => [
    plan.kind, plan.text, columns(plan.input), columns(plan.output),
    "state" in plan ? fieldsOf(plan) : [],
    "window" in plan ? plan.window : null,
    plan.kind === "reorder" ? [plan.late_ms, plan.idle_ms, plan.streams] : null,
    plan.kind === "arrange" ? [plan.numbers, plan.distinct, plan.order, plan.passes] : null,
    plan.kind === "asof" ? [plan.from, plan.keys, plan.columns] : null,
  ];
  const shape = [program.inputs.map(({ streams }) => streams), program.stages.map(stage)];
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(shape)).digest("hex").slice(0, 16);
}

/** Fields of a stage's state, and of what lies inside of one. */
function fieldsOf(plan: Exclude<StagePlan, { kind: "infer" | "lookup" }>): unknown {
  const inner = plan.kind === "kept" ? [plan.keep.state, plan.fold.state,
    ...(plan.join?.steps.map((step) => step.state) ?? []),
    ...(plan.join?.after ? [plan.join.after.rows.state] : [])]
    : plan.kind === "reorder" ? [plan.keep.state, plan.give.state] : [];
  return [plan.state, ...inner].map(({ fields }) => fields);
}

/** Fields of a layout at byte `from` that are not made anew; `inner`: those that have a layout. */
function rangesOf(
  layout: StateLayout, inner: ReadonlyMap<string, StateLayout> = new Map(), from = 0,
): StateRange[] {
  return joined(layout.fields.flatMap(({ name, view, count }) => {
    if (name === "params" || name.startsWith("text ")) return [];
    const at = from + fieldByte(layout, name);
    const own = inner.get(name);
    if (own !== undefined) return rangesOf(own, new Map(), at);
    const width = view === "F" ? 8 : view === "I" ? 4 : 1;
    return [{ at, bytes: Math.ceil((count * width) / 8) * 8 }];
  }));
}

/** Neighbours become one. */
function joined(ranges: readonly StateRange[]): StateRange[] {
  const found: { at: number; bytes: number }[] = [];
  for (const { at, bytes } of ranges) {
    const last = found.at(-1);
    if (last !== undefined && last.at + last.bytes === at) last.bytes += bytes;
    else found.push({ at, bytes });
  }
  return found;
}
