import type { ColumnSpec } from "../../ring.ts";
import { all, any, Code, doubtful, good, indent, known, parens, type Value } from "./code.ts";
import { block_rows } from "./kernel.ts";
import { NewestLeaves, RowLeaves, store } from "./leaves.ts";

/** When a row passes, and when the condition itself failed: conditions of the generated code. */
export interface Test {
  readonly pass: string;
  readonly error: string;
  /** Names of states: where none is an error, the condition did not fail. */
  readonly states: readonly string[];
}

/** Rows whose keys have these states must also be good in them (W8), else they count as failed. */
export function withSound(where: Test | null, keys: readonly string[]): Test {
  const { pass, error, states } = where ?? { pass: "true", error: "false", states: [] };
  if (keys.length === 0) return { pass, error, states };
  return {
    pass: all(parens(pass), ...keys.map(good)),
    error: any(error, all(parens(pass), parens(any(...keys.map(doubtful))))),
    states: [...new Set([...states, ...keys.filter((s) => s !== "0")])],
  };
}

/** Also what may pass: a later stage looks again, and counts. */
export const perhaps = ({ pass, error, states }: Test): Test =>
  ({ pass: any(pass, error), error: "false", states });

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
  /** What is not good in WHERE is counted like an error. */
  readonly strict: boolean;
  /** Rows out are of the call's engine time; the time of the row in is their source time. */
  readonly restamped: boolean;
  /** What `last_hit_count()` and its like count here. */
  readonly hits: Hits | null;
}

export interface Hits {
  /** Rows, or windows that had one: those whose column `$left` says that they are over. */
  readonly of: "rows" | "windows";
  /** Only rows where this column is TRUE; null: all that come out. */
  readonly column: string | null;
}

/** State `hits`, F × 3: how many, the time of the last; 1 = the window has had one. */
export const addHits = (code: Code): void => code.layout.add("hits", "F", 3);

/** The state is in variables while rows are gone over. */
export const hitsOf = (which: "count" | "time"): Value =>
  ({ kind: "int53", value: which === "count" ? "hits" : "hit_time", state: "0" });

/**
 * The kernel of a row stage: `rows(p, from, to, head, time)` reads input rows [from, to), writes
 * output rows from `head` on and returns their number.
 */
export function rowsKernel(code: Code, spec: RowsSpec): string {
  const newest = new NewestLeaves(code);
  const body = spec.hits !== null ? countedRows(code, spec, spec.hits, newest)
    : spec.where === null ? everyRow(code, spec, newest) : pickedRows(code, spec, newest);
  return `function rows(p, from, to, head, time) {
${indent(code.takePrologue(), "  ")}
${body}
}`;
}

function everyRow(code: Code, spec: RowsSpec, newest: NewestLeaves): string {
  const row = spec.input === null ? []
    : [`const r = from + j & ${code.param({ of: "input", part: "mask" }, "mask")};`];
  const outMask = code.param({ of: "output", part: "mask" }, "out_mask");
  return `  const n = to - from | 0;
  let w = head & ${outMask};
  for (let j = 0; j < n; j = j + 1 | 0) {
${indent([...row, ...copyLines(code, spec, newest)], "    ")}
    w = w + 1 & ${outMask};
  }
  return n;`;
}

/** One by one: whether a row passes may depend on how many have before it. */
function countedRows(code: Code, spec: RowsSpec, hits: Hits, newest: NewestLeaves): string {
  const mask = code.param({ of: "input", part: "mask" }, "mask");
  const outMask = code.param({ of: "output", part: "mask" }, "out_mask");
  const at = code.param({ of: "state", field: "hits" }, "hits_at");
  const errors = code.param({ of: "state", field: "errors" }, "errors");
  const times = code.param({ of: "input", part: "time" }, "in_time");
  const row = new RowLeaves(code, spec.input!, "r");
  const left = hits.of === "rows" ? null : row.column("$left").value;
  const { pass, error } = spec.where === null ? { pass: "true", error: "false" }
    : spec.where({ code, row, newest });
  const testing = code.take();
  const copying = copyLines(code, spec, newest, row);
  const counted = hits.column === null ? "true"
    : holds(spec, spec.select.find((c) => c.spec.name === hits.column)!
      .value({ code, row, newest }));
  const count = `hits = hits + 1; hit_time = F[${times} + r | 0];`;
  const passing = [...copying, ...code.take(), `w = w + 1 & ${outMask};`,
    "written = written + 1 | 0;",
    `if (${counted}) { ${hits.of === "rows" ? count : "some = 1;"} }`];
  const closing = left === null ? []
    : [`if (${left} === 0) {`, `  if (some === 1) { ${count} }`, "  some = 0;", "}"];
  return `  let w = head & ${outMask}, written = 0, failed = 0;
  let hits = F[${at} | 0], hit_time = F[${at} + 1 | 0], some = F[${at} + 2 | 0];
  for (let seq = from; seq !== to; seq = seq + 1 | 0) {
    const r = seq & ${mask};
${indent(testing, "    ")}${error === "false" ? "" : `
    if (${error}) failed = failed + 1 | 0;`}
    if (${pass}) {
${indent(passing, "      ")}
    }
${indent(closing, "    ")}
  }
  F[${at} | 0] = hits; F[${at} + 1 | 0] = hit_time; F[${at} + 2 | 0] = some;
  F[${errors} | 0] += failed;
  return written;`;
}

/** TRUE with a value, on the way to a write a good one. */
const holds = ({ strict }: RowsSpec, { value, state }: Value): string =>
  all(strict ? good(state) : known(state), parens(value));

/**
 * WHERE first collects the numbers of the rows that pass, without a jump on the data; then a loop
 * copies them. Both take a block of few rows, so that all columns stream from memory side by side:
 * after a pass over a long block of the tested columns alone the others would be waited for anew.
 * An error of the condition is rare: that a state may be one is noticed, then they are counted.
 */
function pickedRows(code: Code, spec: RowsSpec, newest: NewestLeaves): string {
  const mask = code.param({ of: "input", part: "mask" }, "mask");
  const outMask = code.param({ of: "output", part: "mask" }, "out_mask");
  const test = spec.where!({ code, row: new RowLeaves(code, spec.input!, "r"), newest });
  const testing = [`const r = seq & ${mask};`, ...code.take()];
  const counts = test.error !== "false";
  const picking = [...testing, "S[n] = r;", `n = n + (${test.pass}) | 0;`];
  // Joined by OR, states are at least the largest of them.
  if (counts) picking.push(`seen = ${["seen", ...test.states].join(" | ")};`);
  const counting = [...testing, `if (${test.error}) failed = failed + 1 | 0;`];
  return `  let w = head & ${outMask}, written = 0${counts ? ", seen = 0" : ""};
  for (let block = from; block !== to;) {
    const end = (to - block | 0) > ${block_rows} ? block + ${block_rows} | 0 : to;
    let n = 0;
    for (let seq = block; seq !== end; seq = seq + 1 | 0) {
${indent(picking, "      ")}
    }
    for (let j = 0; j < n; j = j + 1 | 0) {
      const r = S[j];
${indent(copyLines(code, spec, newest), "      ")}
      w = w + 1 & ${outMask};
    }
    written = written + n | 0;
    block = end;
  }${counts ? countErrors(code, spec.strict ? 0 : 193, counting) : ""}
  return written;`;
}

function countErrors(code: Code, sound: number, lines: readonly string[]): string {
  const errors = code.param({ of: "state", field: "errors" }, "errors");
  return `
  if (seen > ${sound}) {
    let failed = 0;
    for (let seq = from; seq !== to; seq = seq + 1 | 0) {
${indent(lines, "      ")}
    }
    F[${errors}] += failed;
  }`;
}

/** Each cell is stored as soon as it is made: few values then wait for a register. */
function copyLines(
  code: Code, spec: RowsSpec, newest: NewestLeaves,
  row = new RowLeaves(code, spec.input ?? [], "r"),
): string[] {
  for (const { spec: column, value } of spec.select) {
    store(code, column, value({ code, row, newest }), "w");
  }
  storeHeader(code, spec, row, newest);
  return code.take();
}

function storeHeader(code: Code, spec: RowsSpec, row: RowLeaves, newest: NewestLeaves): void {
  const place = (of: "input" | "output", part: "time" | "source" | "flags"): string =>
    of === "input" ? `${code.param({ of, part }, `in_${part}`)} + r | 0`
      : `${code.param({ of, part }, `out_${part}`)} + w | 0`;
  const time = spec.input === null || spec.restamped ? "time" : `F[${place("input", "time")}]`;
  const source = spec.input === null ? "NaN"
    : `F[${place("input", spec.restamped ? "time" : "source")}]`;
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
