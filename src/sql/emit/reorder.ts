import { nextPowerOfTwo } from "../../base.ts";
import { type ColumnSpec, Ring } from "../../ring.ts";
import type { Bound } from "../bound.ts";
import { order_words } from "../event/reorder.ts";
import type { ReorderPlan } from "../program.ts";
import { Layout } from "./params.ts";
import { rowsStage, type StageInput } from "./stages.ts";

/** How rows are put in the order of their event time. */
export interface Ordering {
  /** The column that holds it. */
  readonly column: string;
  /** The column as a time. */
  readonly event: Bound;
  readonly late_ms: number;
  readonly idle_ms: number | null;
  readonly ahead_ms: number;
  /** Rows that may wait. */
  readonly rows: number;
}

const event_column: ColumnSpec = { name: "$event", kind: "time", slot: 0 };

/** `passes`: the columns that go on. */
export function reorderStage(
  input: StageInput, passes: readonly ColumnSpec[], ordering: Ordering,
): ReorderPlan {
  const through = passes.map((spec) => ({ spec, expr: spec.name }));
  const keep = rowsStage(input, null, [...through, { spec: event_column, expr: ordering.event }]);
  const give = rowsStage({ ...input, columns: keep.output, newest: [], find: () => undefined },
    null, through);
  const { column, late_ms, idle_ms, ahead_ms } = ordering;
  // One slot more than rows may wait: that of the row being looked at.
  const ring = Ring.layout("held", keep.output, nextPowerOfTwo(ordering.rows + 1));
  const state = new Layout();
  state.add("order", "F", order_words);
  state.add("keep", "U", keep.stateBytes);
  state.add("give", "U", give.stateBytes);
  state.add("slots", "I", ring.rows);
  state.add("turns", "I", ring.rows);
  state.add("held", "U", ring.bytes);
  return {
    kind: "reorder", column, late_ms, idle_ms, ahead_ms, strict: input.strict, keep, give, ring,
    input: input.columns, output: give.output, outputRows: 0, state, stateBytes: state.bytes,
    text: `${keep.text}\n\n${give.text}`,
  };
}
