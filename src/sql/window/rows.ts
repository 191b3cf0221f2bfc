import type { ColumnSpec } from "../../ring.ts";
import { type Code, indent } from "../emit/code.ts";
import { NewestLeaves, RowLeaves, store } from "../emit/leaves.ts";
import type { Leaves, Test } from "../emit/rows.ts";
import { field, type Mark, storeMarks } from "./kernel.ts";
import { window_words, word } from "./words.ts";

/** A window without aggregates: its rows come out as they are, all when it closes. */
export interface WindowRowsSpec {
  readonly input: readonly ColumnSpec[];
  readonly where: ((leaves: Leaves) => Test) | null;
  readonly columns: readonly ColumnSpec[];
  readonly marks: readonly Mark[];
  /** Rows that the window keeps at most. */
  readonly rows: number;
}

/**
 * Its state, where that of a fold stands (kernel.ts): a row that passes WHERE is a group.
 *
 *     window   F × 13     see words.ts
 *     picked   I × rows   rows of the input, as they stand in its ring
 */
export function addRowsFields(code: Code, spec: WindowRowsSpec): void {
  code.layout.add("window", "F", window_words);
  code.layout.add("picked", "I", spec.rows);
}

/** `accumulate(p, from, to, end, time)`: picks those of rows [from, to) that pass WHERE. */
export function pickKernel(code: Code, spec: WindowRowsSpec): string {
  const leaves: Leaves = {
    code, row: new RowLeaves(code, spec.input, "r"), newest: new NewestLeaves(code),
  };
  const window = field(code, "window", "window");
  const picked = field(code, "picked", "picked");
  const mask = code.param({ of: "input", part: "mask" }, "mask");
  const test = spec.where === null ? "true" : spec.where(leaves).pass;
  if (test !== "true") code.line(`if (!(${test})) continue;`);
  code.line(`I[${picked} + groups | 0] = r;`);
  const body = indent(code.take(), "    ");
  return `function accumulate(p, from, to, end, time) {
${indent(code.takePrologue(), "  ")}
  let groups = F[${window} + ${word.groups} | 0] | 0;
  for (let seq = from; seq !== to; seq = seq + 1 | 0) {
    const r = seq & ${mask};
${body}
    groups = groups + 1 | 0;
  }
  F[${window} + ${word.groups} | 0] = groups;
  return to;
}`;
}

/** `emit(p, from, to, head, time)`: writes picked rows [from, to) as rows of engine time `time`. */
export function pickedKernel(code: Code, spec: WindowRowsSpec): string {
  const row = new RowLeaves(code, spec.input, "r");
  const out = (part: "mask" | "time" | "source" | "flags"): string =>
    code.param({ of: "output", part }, `out_${part}`);
  for (const column of spec.columns) store(code, column, row.column(column.name), "w");
  storeMarks(code, spec.marks);
  code.line(`F[${out("time")} + w | 0] = time;`);
  code.line(`F[${out("source")} + w | 0] = NaN;`);
  const flags = code.param({ of: "input", part: "flags" }, "row_flags");
  code.line(`U[${out("flags")} + w | 0] = U[${flags} + r | 0];`);
  const picked = field(code, "picked", "picked");
  const mask = out("mask");
  const body = indent(code.take(), "    ");
  return `function emit(p, from, to, head, time) {
${indent(code.takePrologue(), "  ")}
  for (let g = from; g < to; g = g + 1 | 0) {
    const r = I[${picked} + g | 0];
    const w = head + (g - from) & ${mask};
${body}
  }
  return to - from | 0;
}`;
}
