import { never } from "../base.ts";
import type { Layout } from "./emit/params.ts";
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
    case "rows": case "conditions": case "window": case "running": case "stateful":
      return rangesOf(stage.state);
    case "kept": {
      const inner = (field: "keep" | "fold"): StateRange[] =>
        rangesOf(stage[field].state, stage.state.byteOf(field));
      return joined([
        { at: 0, bytes: stage.state.byteOf("keep") },
        ...inner("keep"), ...inner("fold"),
        { at: stage.state.byteOf("rows"), bytes: stage.ring.bytes },
      ]);
    }
    case "infer": return [];
    default: return never(stage, "stage");
  }
}

/**
 * Two programs of one hash mean the same by the bytes of their state: hash of plan shape, column
 * names, types and units (DESIGN §5). Literals of conditions are no part of it.
 */
export function stateHash(program: Program): string {
  const columns = (list: StagePlan["output"]): unknown =>
    list.map(({ name, kind, slot, eu }) => [name, kind, slot, eu ?? ""]);
  const stage = (plan: StagePlan): unknown => [
    plan.kind, plan.text, columns(plan.input), columns(plan.output),
    "state" in plan ? fieldsOf(plan) : [],
    "window" in plan ? plan.window : null,
  ];
  const shape = [program.inputs.map(({ streams }) => streams), program.stages.map(stage)];
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(shape)).digest("hex").slice(0, 16);
}

function fieldsOf(plan: Exclude<StagePlan, { kind: "infer" }>): unknown {
  return plan.kind !== "kept" ? plan.state.fields
    : [plan.state.fields, plan.keep.state.fields, plan.fold.state.fields];
}

/** Fields of a layout at byte `from` that are not made anew. */
function rangesOf(layout: Layout, from = 0): StateRange[] {
  const kept = layout.fields.filter(({ name }) => name !== "params" && !name.startsWith("text "));
  return joined(kept.map(({ name, view, count }) => {
    const width = view === "F" ? 8 : view === "I" ? 4 : 1;
    return { at: from + layout.byteOf(name), bytes: Math.ceil((count * width) / 8) * 8 };
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
