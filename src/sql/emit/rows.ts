import type { ColumnSpec } from "../../ring.ts";
import { Code, indent, type Value } from "./code.ts";
import { NewestLeaves, RowLeaves, store } from "./leaves.ts";

/** When a row passes, and when the condition itself failed: conditions of the generated code. */
export interface Test {
  readonly pass: string;
  readonly error: string;
}

export interface Leaves {
  readonly code: Code;
  readonly row: RowLeaves;
  readonly newest: NewestLeaves;
}

export interface RowsSpec {
  /** null: no input, one row from newest values. */
  readonly input: readonly ColumnSpec[] | null;
  readonly where: ((leaves: Leaves) => Test) | null;
  readonly select: readonly { readonly spec: ColumnSpec; readonly value: (leaves: Leaves) =>
    Value }[];
  /** Column of engine time of the oldest input used, if the rule has one. */
  readonly oldest: ColumnSpec | null;
  /** The input has such a column too. */
  readonly inputOldest: boolean;
}

/**
 * The kernel of a row stage: `rows(p, from, to, head, time)` reads input rows [from, to), writes
 * output rows from `head` on and returns their number. WHERE first collects the numbers of the rows
 * that pass, without a jump on the data; then one loop copies them.
 */
export function rowsKernel(code: Code, spec: RowsSpec): string {
  const newest = new NewestLeaves(code);
  const picking = spec.where === null ? "  const n = to - from | 0;" : pickLoop(code, spec, newest);
  const copying = copyLoop(code, spec, newest);
  return [
    "function rows(p, from, to, head, time) {",
    indent(code.takePrologue(), "  "),
    picking,
    copying,
    "  return n;",
    "}",
  ].join("\n");
}

/** An error is rare, so a jump over its count is cheaper than an addition in every row. */
function pickLoop(code: Code, spec: RowsSpec, newest: NewestLeaves): string {
  const mask = code.param({ of: "input", part: "mask" }, "mask");
  const test = spec.where!({ code, row: new RowLeaves(code, spec.input!, "r"), newest });
  const lines = [...code.take(), "S[n] = r;", `n = n + (${test.pass}) | 0;`];
  const counts = test.error !== "false";
  if (counts) lines.push(`if (${test.error}) failed = failed + 1 | 0;`);
  return `  let n = 0${counts ? ", failed = 0" : ""};
  for (let seq = from; seq !== to; seq = seq + 1 | 0) {
    const r = seq & ${mask};
${indent(lines, "    ")}
  }${counts ? `
  F[${code.param({ of: "state", field: "errors" }, "errors")}] += failed;` : ""}`;
}

function copyLoop(code: Code, spec: RowsSpec, newest: NewestLeaves): string {
  const row = new RowLeaves(code, spec.input ?? [], "r");
  // Each cell is stored as soon as it is made: few values then wait for a register.
  for (const { spec: column, value } of spec.select) {
    store(code, column, value({ code, row, newest }), "w");
  }
  storeHeader(code, spec, row, newest);
  const lines = indent(code.take(), "    ");
  const outMask = code.param({ of: "output", part: "mask" }, "out_mask");
  const reads = spec.input === null ? "" : spec.where !== null ? "    const r = S[j];\n"
    : `    const r = from + j & ${code.param({ of: "input", part: "mask" }, "mask")};\n`;
  return `  let w = head & ${outMask};
  for (let j = 0; j < n; j = j + 1 | 0) {
${reads}${lines}
    w = w + 1 & ${outMask};
  }`;
}

function storeHeader(code: Code, spec: RowsSpec, row: RowLeaves, newest: NewestLeaves): void {
  const place = (of: "input" | "output", part: "time" | "source" | "flags"): string =>
    of === "input" ? `${code.param({ of, part }, `in_${part}`)} + r | 0`
      : `${code.param({ of, part }, `out_${part}`)} + w | 0`;
  const time = spec.input === null ? "time" : `F[${place("input", "time")}]`;
  const source = spec.input === null ? "NaN" : `F[${place("input", "source")}]`;
  const flags = [
    ...(spec.input === null ? [] : [`U[${place("input", "flags")}]`]),
    ...newest.used.map((n) => n.flags),
  ].join(" | ") || "0";
  code.line(`F[${place("output", "time")}] = ${time};`);
  code.line(`F[${place("output", "source")}] = ${source};`);
  code.line(`U[${place("output", "flags")}] = ${flags};`);
  if (spec.oldest !== null) storeOldest(code, spec, row, newest, time);
}

function storeOldest(
  code: Code, spec: RowsSpec, row: RowLeaves, newest: NewestLeaves, time: string,
): void {
  let oldest = spec.inputOldest ? row.column(spec.oldest!.name).value : time;
  for (const { time: newestTime } of newest.used) {
    oldest =
      code.define("oldest",
      `${newestTime} !== 0 & ${newestTime} < ${oldest} ? ${newestTime} : ${oldest}`);
  }
  store(code, spec.oldest!, { kind: "time", value: oldest, state: "0" }, "w");
}
