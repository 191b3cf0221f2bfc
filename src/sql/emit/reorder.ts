import { nextPowerOfTwo } from "../../base.ts";
import { type ColumnSpec, Ring } from "../../ring.ts";
import { order_words } from "../event/reorder.ts";
import type { ReorderPlan } from "../program.ts";
import { Layout } from "./params.ts";
import { rowsStage, type StageInput } from "./stages.ts";

/** How rows are put in the order of their source time. */
export interface Ordering {
  readonly late_ms: number;
  readonly idle_ms: number | null;
  readonly ahead_ms: number;
  /** Streams that rows come from. */
  readonly streams: number;
  /** See `ReorderPlan`. */
  readonly first: readonly number[];
  /** Rows that may wait. */
  readonly rows: number;
}

/** `passes`: the columns that go on. */
export function reorderStage(
  input: StageInput, passes: readonly ColumnSpec[], ordering: Ordering,
): ReorderPlan {
  const through = passes.map((spec) => ({ spec, expr: spec.name }));
  const keep = rowsStage(input, null, through);
  const give = rowsStage({ ...input, columns: keep.output, newest: [], find: () => undefined },
    null, through);
  const { late_ms, idle_ms, ahead_ms, streams, first } = ordering;
  // One slot more than rows may wait: that of the row being looked at.
  const ring = Ring.layout("held", keep.output, nextPowerOfTwo(ordering.rows + 1));
  const state = new Layout();
  state.add("order", "F", order_words);
  state.add("reached", "F", streams);
  state.add("keep", "U", keep.stateBytes);
  state.add("give", "U", give.stateBytes);
  state.add("slots", "I", ring.rows);
  state.add("turns", "I", ring.rows);
  state.add("held", "U", ring.bytes);
  return {
    kind: "reorder", late_ms, idle_ms, ahead_ms, streams, first, keep, give, ring,
    input: input.columns, output: give.output, outputRows: 0, state, stateBytes: state.bytes,
    text: `${keep.text}\n\n${give.text}`,
  };
}
