import { sectionsOf } from "./fault.ts";
import { formatDuration } from "../base.ts";
import type { ColumnSpec } from "../ring.ts";
import { hasField } from "./emit/params.ts";
import type { ArrangePlan, FoldPlan, KeptWindow, Program, SortKey, StagePlan } from "./program.ts";

/**
 * A rule as text for a person: its plan, its bytes, and the code that runs; `sharers`: the other
 * rules that its window is of.
 */
export function explain(program: Program, sharers: readonly string[] = []): string {
  const lines = [...sectionsOf(program.sql).map(({ name, text }) =>
    (name === null ? text.trim() : `function ${name}: ${text.trim()}`)), ""];
  for (const input of program.inputs) {
    const name = input.fanIn ? `${input.streams.length} streams` : input.streams.join(", ");
    lines.push(`reads   ${name} AS ${input.alias}: ${columns(input.columns)}`);
  }
  for (const newest of program.newest) lines.push(`newest  ${newest.tag} of ${newest.stream}`);
  lines.push(`writes  ${columns(program.output)}`, "");
  if (sharers.length > 0) {
    const { stages } = program.shared!;
    lines.push(`shares  ${stages === 1 ? "stage 1" : `stages 1 to ${stages}`} with ` +
      `${sharers.join(", ")}`, "");
  }
  program.stages.forEach((stage, i) => lines.push(...stageLines(stage, i), ""));
  const bytes = program.stages.reduce((sum, stage) => sum + stage.stateBytes, 0);
  lines.push(`state   ${bytes} bytes`);
  return lines.join("\n");
}

const columns = (specs: readonly ColumnSpec[]): string =>
  specs.map((c) => `${c.name} ${c.kind}${c.slot > 0 ? `(${c.slot})` : ""}`).join(", ");

function stageLines(stage: StagePlan, i: number): string[] {
  const head = `stage ${i + 1}: ${title(stage)}, ${stage.stateBytes} bytes`;
  const body = [`  in   ${columns(stage.input)}`, `  out  ${columns(stage.output)}`];
  if (stage.kind === "infer" || stage.kind === "lookup") return [head, ...body];
  if (stage.kind === "asof" || stage.kind === "arrange") return [head, ...body];
  const code = stage.kind === "window" ? [stage.text, stage.emitText] : [stage.text];
  const fields = stage.state.fields.map((f) => `${f.name} ${f.view} × ${f.count}`).join(", ");
  return [head, ...body, `  state  ${fields}`, "", ...code];
}

function keptTitle(window: KeptWindow): string {
  switch (window.kind) {
    case "tumbling": return `tumbling window of ${formatDuration(window.length_ms)}`;
    case "hopping": return `window of ${formatDuration(window.length_ms)} every ` +
      formatDuration(window.hop_ms);
    case "count": return `window of ${window.rows} rows every ${window.every} rows`;
    case "sliding": return `sliding window of ${formatDuration(window.length_ms)}` +
      (window.delay_ms > 0 ? ` and ${formatDuration(window.delay_ms)} more` : "");
    case "session": return `session window, pause ${formatDuration(window.timeout_ms)}, at most ` +
      formatDuration(window.most_ms);
    case "state": return "state window";
  }
}

function arrangement({ having, numbers, distinct, order, limit }: ArrangePlan): string {
  const by = (keys: readonly SortKey[]): string =>
    keys.map(({ column, descending }) => `${column}${descending ? " down" : ""}`).join(", ");
  return [
    ...(having ? ["those of HAVING"] : []),
    ...numbers.map(({ name, partition, order: keys }) => `numbered as ${name}` +
      (partition.length > 0 ? ` by ${partition.join(", ")}` : "") +
      (keys.length > 0 ? ` in order of ${by(keys)}` : "")),
    ...(distinct === null ? [] : ["different ones"]),
    ...(order.length > 0 ? [`in order of ${by(order)}`] : []),
    ...(limit === null ? [] : [`the first ${limit}`]),
  ].join(", ");
}

const groups = ({ keys, state }: Pick<FoldPlan, "keys" | "state">): string =>
  `at most ${keys} group${keys === 1 ? "" : "s"}` +
  (hasField(state, "recency") ? ", the oldest gives way" : "");

function title(stage: StagePlan): string {
  switch (stage.kind) {
    case "rows": return "rows";
    case "conditions": return "conditions, on demand";
    case "infer": return `model ${stage.model}`;
    case "asof": return `the newest row of the last ${formatDuration(stage.tolerance_ms)}, ` +
      `at most ${stage.ring.rows} keys`;
    case "lookup": return `asks the table ${stage.table}`;
    case "scan": return `joins all rows of the table ${stage.table}`;
    case "kept": {
      const { window, pane_ms, fold, parted } = stage;
      const ring = parted?.ring ?? stage.ring;
      const what = pane_ms === null ? "rows" : `groups of panes of ${formatDuration(pane_ms)}`;
      const out = hasField(fold.state, "picked") ? "which come out as they are" : groups(fold);
      const keys = parted === null ? "" : " by keys";
      return `${keptTitle(window)}${keys}, keeps ${ring.rows} ${what} in ${ring.bytes} bytes, ` +
        out;
    }
    case "reorder": {
      const { late_ms, idle_ms, ring } = stage;
      const idle = idle_ms === null ? ""
        : `, goes on after ${formatDuration(idle_ms)} without a row`;
      return `rows in the order of their source time, at most ${formatDuration(late_ms)} late` +
        `${idle}, ${ring.rows - 1} may wait in ${ring.bytes} bytes`;
    }
    case "running": return `running aggregates, ${groups(stage)}`;
    case "stateful": {
      const keys = stage.keys === 0 ? "" : `, at most ${stage.keys} keys`;
      return `functions with state (${stage.functions.join(", ")})${keys}`;
    }
    case "arrange": return `the rows of a window: ${arrangement(stage)}; at most ` +
      `${stage.ring.rows} in ${stage.ring.bytes} bytes`;
    case "failures": return "says what failed, in the column error";
    case "silence": return `${stage.asList ? "an empty list" : "a row of NULLs"} for each window ` +
      "without a row";
    case "expand": return "a row for each item of an array";
    case "window": {
      const { window } = stage;
      const kind = window.kind === "tumbling"
        ? `tumbling window of ${formatDuration(window.length_ms)}`
          : `count window of ${window.rows} rows`;
      return `${kind}, ${groups(stage)}`;
    }
  }
}
