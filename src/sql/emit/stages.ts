import { assert, nextPowerOfTwo } from "../../base.ts";
import type { ColumnSpec } from "../../ring.ts";
import { type Bound, type BoundAggregate, type BoundNewest, isQuantile } from "../bound.ts";
import type {
  ConditionsPlan, FoldPlan, RowsPlan, RunningPlan, WindowPlan,
} from "../program.ts";
import {
  accumulateKernel, addFields, emitKernel, type Mark, type WindowSpec,
} from "../window/kernel.ts";
import { addRowsFields, pickedKernel, pickKernel } from "../window/rows.ts";
import { paneColumns } from "../window/pane.ts";
import { runningKernel } from "../window/running.ts";
import { slidingKernel } from "../window/sliding.ts";
import { Code, type Value } from "./code.ts";
import { inBytes } from "./dyn.ts";
import { Expressions } from "./expression.ts";
import { Layout } from "./params.ts";
import {
  addHits, type Hits, hitsOf, type Leaves, perhaps, rowsKernel, type RowsSpec,
} from "./rows.ts";

/** What a stage may read. */
export interface StageInput {
  readonly columns: readonly ColumnSpec[];
  readonly newest: readonly BoundNewest[];
  /** Name of the input column that holds a node's value, if one does. */
  find(node: Bound): string | undefined;
  /** The column of the oldest input's time, if the rule carries it. */
  readonly oldest: ColumnSpec | null;
  /** Only what is good lets a row pass (W8). */
  readonly strict: boolean;
}

export type Field = { readonly spec: ColumnSpec; readonly expr: Bound | string };

function begin(): Code {
  const layout = new Layout();
  layout.add("errors", "F", 1);
  return new Code(layout);
}

/** Expressions over one kernel's leaves: one for each loop, as loads are remembered by row. */
class Bindings {
  readonly #input: StageInput;
  readonly #open = new Map<unknown, Expressions>();
  readonly #cells = new WeakMap<Value, Value>();

  constructor(input: StageInput) {
    this.#input = input;
  }

  value(leaves: Leaves, expr: Bound | string): Value {
    return typeof expr === "string" ? leaves.row.column(expr) : this.of(leaves).value(expr);
  }

  /** As it lies in a cell; made once, as it may be asked for again. */
  cell(leaves: Leaves, expr: Bound): Value {
    const value = this.value(leaves, expr);
    let cell = this.#cells.get(value);
    if (cell === undefined) this.#cells.set(value, (cell = inBytes(leaves.code, value)));
    return cell;
  }

  of(leaves: Leaves): Expressions {
    let known = this.#open.get(leaves.row);
    if (known === undefined) {
      const { strict } = this.#input;
      known = new Expressions({ ...leaves, strict, leaf: (node) => this.#leaf(leaves, node) });
      this.#open.set(leaves.row, known);
    }
    return known;
  }

  /** The value of a node that is not made of others here, or null. */
  #leaf(leaves: Leaves, node: Bound): Value | null {
    const name = this.#input.find(node);
    if (name !== undefined) return leaves.row.column(name);
    if (node.kind === "column") return leaves.row.column(node.name);
    if (node.kind === "newest") {
      const { column, pollMs } = this.#input.newest[node.index]!;
      return leaves.newest.cell(node.index, column, pollMs);
    }
    if (node.kind === "window") return this.#windowEnd(leaves.code);
    if (node.kind === "hits") return hitsOf(node.which);
    assert(!["aggregate", "infer", "stateful", "number"].includes(node.kind),
      `${node.kind} is no column here`);
    return null;
  }

  /** A row that a window gave carries the window's end as its time. */
  #windowEnd(code: Code): Value {
    const time = code.param({ of: "input", part: "time" }, "time");
    return { kind: "int53", value: code.define("end", `F[${time} + r | 0]`), state: "0" };
  }
}

function rowsSpec(
  input: StageInput, where: Bound | null, fields: readonly Field[], from: boolean,
  { restamped = false, hits = null }: RowsRole = {},
): RowsSpec {
  const bindings = new Bindings(input);
  return {
    input: from ? input.columns : null,
    where: where === null ? null : (leaves) => bindings.of(leaves).test(where),
    select: fields.map(({ spec, expr }) =>
      ({ spec, value: (leaves) => bindings.value(leaves, expr) })),
    oldest: input.oldest,
    inputOldest: input.columns.some((c) => c.name === input.oldest?.name),
    strict: input.strict,
    restamped,
    hits,
  };
}

const outputOf = (fields: readonly Field[], input: StageInput): ColumnSpec[] => [
  ...fields.map((f) => f.spec).filter((c) => c.name !== input.oldest?.name),
  ...(input.oldest === null ? [] : [input.oldest]),
];

export interface RowsRole {
  /** On the way to a write rows pass too that may pass, for a later stage to judge. */
  readonly mayPass?: boolean;
  /** Rows by event time become rows by engine time. */
  readonly restamped?: boolean;
  readonly hits?: Hits | null;
}

export function rowsStage(
  input: StageInput, where: Bound | null, fields: readonly Field[],
  role: RowsRole = {},
): RowsPlan {
  const code = begin();
  if (role.hits) addHits(code);
  const kept = fields.filter((f) => f.spec.name !== input.oldest?.name);
  const spec = rowsSpec(input, where, kept, true, role);
  const test = spec.where;
  const text = rowsKernel(code, !role.mayPass || !input.strict || test === null ? spec
    : { ...spec, where: (leaves) => perhaps(test(leaves)) });
  code.layout.add("params", "F", code.params.length);
  return {
    kind: "rows", input: input.columns, output: outputOf(fields, input), outputRows: 0,
    stateBytes: code.layout.bytes, state: code.layout, params: code.params, text,
  };
}

export function conditionsStage(
  input: StageInput, fields: readonly Field[], oldest: ColumnSpec,
): ConditionsPlan {
  const code = begin();
  const text = rowsKernel(code, rowsSpec({ ...input, oldest }, null, fields, false));
  code.layout.add("params", "F", code.params.length);
  return {
    kind: "conditions", input: [], output: outputOf(fields, { ...input, oldest }), outputRows: 0,
    stateBytes: code.layout.bytes, state: code.layout, params: code.params, text,
  };
}

/** What a stage that folds rows into groups is made of. */
export interface Folding {
  readonly where: Bound | null;
  readonly keys: readonly { readonly spec: ColumnSpec; readonly expr: Bound }[];
  readonly aggregates: readonly {
    readonly spec: ColumnSpec;
    readonly aggregate: BoundAggregate;
  }[];
  /** Groups at most. */
  readonly groups: number;
  readonly evicts: boolean;
}

export const start_column: Mark = { name: "$start", kind: "time", slot: 0 };
export const left_column: Mark = { name: "$left", kind: "int53", slot: 0 };

/** How a fold stands to the window it is for. */
interface FoldRole {
  /** It stops at the first row past the window's end. */
  readonly timed: boolean;
  readonly marks: readonly Mark[];
  readonly panes: WindowSpec["panes"];
  /** Rows that the window keeps. */
  readonly rows: number;
  /** Each row closes a window. */
  readonly slides?: boolean;
}

function windowSpec(
  input: StageInput, { where, keys, aggregates, groups, evicts }: Folding, role: FoldRole,
): WindowSpec {
  const bindings = new Bindings(input);
  // On the way to a write more is told of a window than what stands (W8).
  const slides = role.slides === true && keys.length === 0 && !input.strict &&
    input.oldest === null && aggregates.some(({ aggregate: { fn } }) => isQuantile(fn));
  return {
    input: input.columns,
    where: where === null ? null : (leaves) => bindings.of(leaves).test(where),
    keys: keys.map(({ spec, expr }) => ({ spec, value: (leaves) => bindings.cell(leaves, expr) })),
    aggregates: aggregates.map(({ spec, aggregate: { fn, arg, skipsNull, settings } }) => ({
      aggregate: {
        fn, spec, skipsNull, slides, strict: input.strict, settings: settings ?? [],
        arg: arg === null ? null
          : { ...arg.type, name: arg.kind === "column" ? arg.name : "" },
      },
      value: arg === null ? null : (leaves) => bindings.cell(leaves, arg),
    })),
    timed: role.timed,
    panes: role.panes,
    rows: role.rows,
    oldest: input.oldest,
    inputOldest: input.columns.some((c) => c.name === input.oldest?.name),
    strict: input.strict,
    groups_max: groups,
    evicts,
    marks: role.marks,
    slides,
  };
}

const foldedColumns = (spec: WindowSpec): ColumnSpec[] => [
  ...spec.keys.map((k) => k.spec),
  ...spec.aggregates.flatMap(({ aggregate }, i) =>
    (spec.panes === "out" ? paneColumns(aggregate, i) : [aggregate.spec])),
  ...spec.marks, ...(spec.oldest === null ? [] : [spec.oldest]),
];

export function runningStage(input: StageInput, folding: Folding): RunningPlan {
  const code = begin();
  const spec = windowSpec(input, folding, { timed: false, marks: [], panes: null, rows: 0 });
  addFields(code, spec);
  const text = runningKernel(code, spec);
  code.layout.add("params", "F", code.params.length);
  return {
    kind: "running", input: input.columns, output: foldedColumns(spec), outputRows: 0,
    stateBytes: code.layout.bytes, state: code.layout, params: code.params, text,
    keys: folding.groups,
  };
}

export function foldPlan(input: StageInput, folding: Folding, role: FoldRole): FoldPlan {
  const code = begin();
  const spec = windowSpec(input, folding, role);
  addFields(code, spec);
  const text = spec.slides ? slidingKernel(code, spec) : accumulateKernel(code, spec);
  const emitCode = code.beside();
  const emitText = emitKernel(emitCode, spec);
  code.layout.add("params", "F", code.params.length);
  return {
    kind: "fold", input: input.columns, output: foldedColumns(spec),
    // Half the ring is written in one call, so that a window of few groups closes at once.
    outputRows: nextPowerOfTwo(Math.min(2 * folding.groups, 256)),
    stateBytes: code.layout.bytes, state: code.layout, params: code.params, text, emitText,
    keys: folding.groups, slides: spec.slides,
  };
}

/** Where a fold would stand, of a window without aggregates. */
export function windowRowsPlan(
  input: StageInput, where: Bound | null, columns: readonly ColumnSpec[], role: FoldRole,
): FoldPlan {
  const code = begin();
  const bindings = new Bindings(input);
  const spec = {
    input: input.columns, columns, rows: role.rows,
    where: where === null ? null : (leaves: Leaves) => bindings.of(leaves).test(where),
    marks: role.marks,
  };
  addRowsFields(code, spec);
  const text = pickKernel(code, spec);
  const emitCode = code.beside();
  const emitText = pickedKernel(emitCode, spec);
  code.layout.add("params", "F", code.params.length);
  return {
    kind: "fold", input: input.columns,
    output: [...columns, ...spec.marks],
    outputRows: nextPowerOfTwo(Math.min(2 * role.rows, 256)),
    stateBytes: code.layout.bytes, state: code.layout, params: code.params, text, emitText,
    keys: role.rows, slides: false,
  };
}

export function windowStage(
  input: StageInput, window: WindowPlan["window"], folding: Folding, marks: readonly Mark[],
): WindowPlan {
  const timed = window.kind === "tumbling";
  const fold = foldPlan(input, folding, { timed, marks, panes: null, rows: 0 });
  return { ...fold, kind: "window", window };
}
