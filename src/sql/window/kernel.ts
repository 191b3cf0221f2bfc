import { type ColumnSpec, UNCERTAIN } from "../../ring.ts";
import { gathers, isSpectral, needsRows } from "../bound.ts";
import { Code, indent, keyNumber, type Value, worst } from "../emit/code.ts";
import { NewestLeaves, RowLeaves, store } from "../emit/leaves.ts";
import { type Leaves, type Test, withSound } from "../emit/rows.ts";
import {
  type Aggregate, cellValue, fieldsOf, keepsCell, type Place, result, standsInOrder, update,
} from "./aggregates.ts";
import { mergePane, paneColumns } from "./pane.ts";
import { addStandingFields, orderOf } from "./sliding.ts";
import { window_words, word } from "./words.ts";

export interface WindowSpec {
  readonly input: readonly ColumnSpec[];
  readonly where: ((leaves: Leaves) => Test) | null;
  readonly keys: readonly { readonly spec: ColumnSpec; readonly value: (leaves: Leaves) =>
    Value }[];
  readonly aggregates: readonly {
    readonly aggregate: Aggregate;
    readonly value: ((leaves: Leaves) => Value) | null;
  }[];
  /** A tumbling window ends by time, a count window by rows. */
  readonly timed: boolean;
  readonly oldest: ColumnSpec | null;
  readonly inputOldest: boolean;
  /** A row whose key is not good is in no group, and counted like an error. */
  readonly strict: boolean;
  /** Columns of a closed window beside its groups. */
  readonly marks: readonly Mark[];
  /** Groups at most. */
  readonly groups_max: number;
  /** For one more the oldest gives way; else it is refused. */
  readonly evicts: boolean;
  /** Rows in are panes of groups, or groups out become one (pane.ts). */
  readonly panes: "in" | "out" | null;
  /** Rows that the window keeps, if its aggregates need them. */
  readonly rows: number;
  /** Each row closes a window, of one group (sliding.ts). */
  readonly slides: boolean;
}

/** The window's first time; how many of its rows are still to come, 0 = this is the last. */
export type Mark = ColumnSpec & { readonly name: "$start" | "$left" };

const chainsRows = (aggregate: Aggregate): boolean =>
  needsRows(aggregate.fn) && !standsInOrder(aggregate);

const slotted = (spec: ColumnSpec): boolean => spec.slot > 0;

/**
 * The state of a window, beside parameters and literals. A group is a row of these tables:
 *
 *     window   F × 13      see words.ts
 *     table    I × 2 keys  open addressing (linear probing): group + 1, 0 = free; only with keys
 *     scratch  F × 1       a key's bits on their way into the hash
 *     hashes   I × keys    where each group belongs in the table; only if the oldest gives way
 *     recency  I × n       see recency.ts; likewise
 *     keyN     F × keys, or U × keys × slot and I × keys (length);  U × keys (state)
 *     aggN.x   F × keys    one for each field of each aggregate
 *     aggN.cell, .length   as keyN: `first` and `last` of text or int64
 *     aggN.next  I × rows  percentiles, arrays: the next row of the same group, by row of the input
 *     values   F × rows    room to put the values of one group in order
 *     oldest   F × keys    engine time of the oldest row used
 *     flags    F × keys    OR of the rows' flags
 *     standing, orderN     see sliding.ts
 */
export function addFields(code: Code, spec: WindowSpec): void {
  const { layout } = code;
  const groups = spec.groups_max;
  layout.add("window", "F", window_words);
  if (spec.keys.length > 0) {
    layout.add("table", "I", 2 * groups);
    layout.add("scratch", "F", 1);
    if (spec.evicts) {
      layout.add("hashes", "I", groups);
      layout.add("recency", "I", 2 * (groups + 1));
    }
  }
  spec.keys.forEach(({ spec: key }, i) => {
    layout.add(`key${i}`, slotted(key) ? "U" : "F", slotted(key) ? groups * key.slot : groups);
    if (slotted(key)) layout.add(`key${i}.length`, "I", groups);
    layout.add(`key${i}.state`, "U", groups);
  });
  spec.aggregates.forEach(({ aggregate }, i) => {
    for (const field of Object.keys(fieldsOf(aggregate))) {
      layout.add(`agg${i}.${field}`, "F", groups);
    }
    if (chainsRows(aggregate)) layout.add(`agg${i}.next`, "I", spec.rows);
    if (!keepsCell(aggregate)) return;
    const { spec: cell } = aggregate;
    layout.add(`agg${i}.cell`, slotted(cell) ? "U" : "F", slotted(cell) ? groups * cell.slot
      : groups);
    if (slotted(cell)) layout.add(`agg${i}.length`, "I", groups);
  });
  if (spec.aggregates.some(({ aggregate: a }) => chainsRows(a) && !gathers(a.fn))) {
    // A spectrum has numbers of two parts.
    const parts = spec.aggregates.some(({ aggregate }) => isSpectral(aggregate.fn)) ? 2 : 1;
    layout.add("values", "F", parts * spec.rows);
  }
  if (spec.oldest !== null) layout.add("oldest", "F", groups);
  layout.add("flags", "F", groups);
  if (spec.slides) addStandingFields(code, spec);
}

export const field = (code: Code, name: string, hint: string): string =>
  code.param({ of: "state", field: name }, hint);

/** Every field of a group with its first value and the text of its place. */
export function groupFields(code: Code, spec: WindowSpec, local: boolean): GroupField[] {
  const names: [string, number | null, string][] = [];
  spec.aggregates.forEach(({ aggregate }, i) => {
    for (const [name, first] of Object.entries(fieldsOf(aggregate))) {
      names.push([`agg${i}.${name}`, first, `a${i}_${name}`]);
    }
  });
  if (spec.oldest !== null) names.push(["oldest", Infinity, "oldest"]);
  names.push(["flags", 0, "flags"]);
  return names.map(([name, first, hint]) => {
    const at = field(code, name, `${hint}_at`);
    return { name, first, at, place: local ? hint : `F[${at} + g | 0]` };
  });
}

interface GroupField {
  readonly name: string;
  /** null: any. */
  readonly first: number | null;
  readonly at: string;
  readonly place: string;
}

/**
 * `accumulate(p, from, to, end, time)`: takes rows [from, to) into their groups, up to the first
 * row
 * whose time is not before `end`; returns the sequence it stopped at. Without keys the only group
 * lives in local variables while the loop runs.
 */
export function accumulateKernel(code: Code, spec: WindowSpec): string {
  const keyed = spec.keys.length > 0;
  const newest = new NewestLeaves(code);
  const leaves: Leaves = { code, row: new RowLeaves(code, spec.input, "r"), newest };
  const fields = groupFields(code, spec, !keyed);
  const window = field(code, "window", "window");
  const mask = code.param({ of: "input", part: "mask" }, "mask");
  const times = code.param({ of: "input", part: "time" }, "times");
  const errors = field(code, "errors", "errors");
  const test = takenRows(spec, leaves);
  const testing = code.take();
  enterGroup(code, spec, leaves, fields, window);
  takeRow(code, spec, leaves, fields);
  const updating = code.take();
  const locals = keyed ? [] : [
    `  ${fields.map((f) => `let ${f.place} = F[${f.at}];`).join(" ")}`];
  const saved = keyed ? [] : [`  ${fields.map((f) => `F[${f.at}] = ${f.place};`).join(" ")}`];
  const lines = [
    "  let seq = from, failed = 0;",
    ...(keyed ? [] : ["  const g = 0;"]),
    `  let groups = F[${window} + ${word.groups} | 0] | 0;`,
    ...locals,
    "  for (; seq !== to; seq = seq + 1 | 0) {",
    `    const r = seq & ${mask};`,
    ...(spec.timed ? [`    if (F[${times} + r | 0] >= end) break;`] : []),
    indent(testing, "    "),
    ...(test.error === "false" ? [] : [`    failed = failed + (${test.error}) | 0;`]),
    ...(test.pass === "true" ? [] : [`    if (!(${test.pass})) continue;`]),
    indent(updating, "    "),
    "  }",
    ...saved,
    `  F[${window} + ${word.groups} | 0] = groups;`,
    `  F[${errors}] += failed;`,
    ...(spec.strict ? [`  F[${window} + ${word.doubted} | 0] += failed;`] : []),
    "  return seq;",
  ].filter((line) => line !== "");
  const prologue = indent(code.takePrologue(), "  ");
  return ["function accumulate(p, from, to, end, time) {", prologue, ...lines, "}"].join("\n");
}

/** Which rows the window takes, and which it counts as failed. */
export function takenRows(spec: WindowSpec, leaves: Leaves): Test {
  const where = spec.where === null ? null : spec.where(leaves);
  return withSound(where, spec.strict ? spec.keys.map(({ value }) => value(leaves).state) : []);
}

function cellOf(code: Code, { spec }: Aggregate, i: number): ReturnType<Place["cell"]> {
  const at = field(code, `agg${i}.cell`, `a${i}_cell`);
  if (!slotted(spec)) return { at, slot: "1", length: "" };
  return {
    at, slot: code.param({ of: "number", value: spec.slot }, `a${i}_slot`),
    length: field(code, `agg${i}.length`, `a${i}_length`),
  };
}

const placeOf = (
  code: Code, spec: WindowSpec, i: number, at: (field: string) => string,
): Place => {
  const { aggregate } = spec.aggregates[i]!;
  return {
  at,
  cell: () => cellOf(code, aggregate, i),
  rows: () => ({
    next: field(code, `agg${i}.next`, `a${i}_next`),
    payload: code.param({ of: "input", column: aggregate.arg!.name, part: "payload" },
      `a${i}_values`),
  }),
  values: () => field(code, "values", "values"),
  order: () => ({ at: field(code, `order${orderOf(spec, i)}`, "order"),
    n: `F[${field(code, `order${orderOf(spec, i)}.n`, "order_n")}]` }),
  stride: () => code.param({ of: "input", column: aggregate.arg!.name, part: "slot" },
    `a${i}_slot`),
  };
};

/** The lines that set `g` to the row's group and begin it if it is new. */
export function enterGroup(
  code: Code, spec: WindowSpec, leaves: Leaves, fields: readonly GroupField[], window: string,
): void {
  if (spec.keys.length > 0) findGroup(code, spec, leaves, fields, window);
  else code.line(
    `if (groups === 0) { groups = 1; ${beginning(fields)} }`);
}

/** What a group begins with. */
const beginning = (fields: readonly GroupField[]): string =>
  fields.filter((f) => f.first !== null).map((f) => `${f.place} = ${f.first};`).join(" ");

/** The lines that take a row into group `g`. */
export function takeRow(
  code: Code, spec: WindowSpec, leaves: Leaves, fields: readonly GroupField[],
): void {
  const places = new Map(fields.map(({ name, place }) => [name, place]));
  spec.aggregates.forEach(({ aggregate, value }, i) => {
    const at = (name: string): string => places.get(`agg${i}.${name}`)!;
    const place = placeOf(code, spec, i, at);
    if (standsInOrder(aggregate)) return;
    if (spec.panes === "in") mergePane(code, aggregate, i, leaves.row, place);
    else update(code, aggregate, value === null ? null : value(leaves), place);
  });
  trackRow(code, spec, leaves, fields);
}

/** Flags and, for lineage, the oldest time that the group has used. */
function trackRow(
  code: Code, spec: WindowSpec, leaves: Leaves, fields: readonly GroupField[],
): void {
  const flags = fields.find((f) => f.name === "flags")!.place;
  const used = leaves.newest.used.map((n) => ` | ${n.flags}`).join("");
  const rowFlags = code.param({ of: "input", part: "flags" }, "row_flags");
  code.line(`${flags} = ${flags} | U[${rowFlags} + r | 0]${used};`);
  if (spec.oldest === null) return;
  const oldest = fields.find((f) => f.name === "oldest")!.place;
  const times = code.param({ of: "input", part: "time" }, "times");
  const own = spec.inputOldest ? leaves.row.column(spec.oldest.name).value
    : code.define("t", `F[${times} + r | 0]`);
  for (const time of [own, ...leaves.newest.used.map((n) => n.time)]) {
    code.line(
      `if (${time} < ${oldest}${time === own ? "" : ` & ${time} !== 0`}) ${oldest} = ${time};`);
  }
}

/** The lines that set `g` to the row's group, making it if it is new and there is room. */
function findGroup(
  code: Code, spec: WindowSpec, leaves: Leaves, fields: readonly GroupField[], window: string,
): void {
  const table = field(code, "table", "table");
  const scratch = field(code, "scratch", "scratch");
  const most = code.param({ of: "number", value: spec.groups_max }, "groups_max");
  const same: string[] = [];
  const make: string[] = [];
  code.line("let hash = -2128831035, g = -1;");
  spec.keys.forEach(({ spec: key, value }, i) => {
    const v = value(leaves);
    const states = field(code, `key${i}.state`, `key${i}_state`);
    const at = field(code, `key${i}`, `key${i}_at`);
    const none = code.define("none", `${v.state} > 63`);
    same.push(`U[${states} + g | 0] > 63 === ${none}`);
    make.push(`U[${states} + g | 0] = ${v.state};`);
    if (slotted(key)) {
      const slot = code.param({ of: "number", value: key.slot }, `key${i}_slot`);
      const lengths = field(code, `key${i}.length`, `key${i}_length`);
      const n = code.define("n", `${none} ? 0 : ${v.length}`);
      const place = `${at} + Math.imul(g, ${slot}) | 0`;
      code.line(`hash = fn.hashBytes(U, ${v.value}, ${n}, hash);`);
      same.push(`fn.sameBytes(U, ${place}, I[${lengths} + g | 0], ${v.value}, ${n})`);
      make.push(`fn.copyBytes(U, ${place}, ${v.value}, ${n}); I[${lengths} + g | 0] = ${n};`);
    } else {
      const [low, high] = keyWords(code, v, none, scratch);
      code.line(`hash = Math.imul(Math.imul(hash ^ ${low}, 0x01000193) ^ ${high}, 0x01000193);`);
      same.push(`I[(${at} + g << 1) | 0] === ${low} && I[(${at} + g << 1) + 1 | 0] === ${high}`);
      make.push(`I[(${at} + g << 1) | 0] = ${low}; I[(${at} + g << 1) + 1 | 0] = ${high};`);
    }
  });
  const entering = spec.evicts ? evicting(code, spec, window, table, most)
    : refusing(spec, window, table, most);
  code.line(`let slot = (hash ^ hash >>> 15) & 2 * ${most} - 1;
for (let e = I[${table} + slot | 0]; e !== 0; e = I[${table} + slot | 0]) {
  g = e - 1;
  if (${same.join(" && ")}) break;
  g = -1;
  slot = slot + 1 & 2 * ${most} - 1;
}
if (g < 0) {
  ${entering.made}
  ${make.join("\n  ")}
  ${beginning(fields)}
}${entering.found}`);
  raiseKeyStates(code, spec, leaves);
}

/** The lines that give a new key a group, and those for a key that has one. */
interface Entering { readonly made: string; readonly found: string }

const refusing = (
  spec: WindowSpec, window: string, table: string, most: string,
): Entering => ({
  made: `if (groups === ${most}) {
    F[${window} + ${word.dropped} | 0] += 1; ${lacking(spec, window)}
    continue;
  }
  g = groups;
  groups = groups + 1 | 0;
  I[${table} + slot | 0] = groups;`,
  found: "",
});

/**
 * On the way to a write the window tells of a key that found no room: what is made of all groups
 * lacks one.
 */
const lacking = ({ strict }: WindowSpec, window: string): string =>
  strict ? `F[${window} + ${word.doubted} | 0] += 1;` : "";

/** A key that has given way may come again, without its rows of before. */
function evicting(
  code: Code, spec: WindowSpec, window: string, table: string, most: string,
): Entering {
  const hashes = field(code, "hashes", "hashes");
  const recency = field(code, "recency", "recency");
  const mask = `2 * ${most} - 1`;
  return {
    made: `if (groups === ${most}) {
    F[${window} + ${word.evicted} | 0] += 1; ${lacking(spec, window)}
    g = fn.recency.evict(I, ${recency}, ${table}, ${mask}, ${hashes});
    slot = fn.recency.freeSlot(I, ${table}, ${mask}, hash ^ hash >>> 15);
  } else {
    g = groups;
    groups = groups + 1 | 0;
  }
  I[${table} + slot | 0] = g + 1;
  I[${hashes} + g | 0] = hash ^ hash >>> 15;
  fn.recency.append(I, ${recency}, g);`,
    found: ` else fn.recency.touch(I, ${recency}, g);`,
  };
}

/** A group's key is as good as the worst of its rows' keys. */
function raiseKeyStates(code: Code, spec: WindowSpec, leaves: Leaves): void {
  spec.keys.forEach(({ value }, i) => {
    const { state } = value(leaves);
    if (state === "0") return;
    const states = field(code, `key${i}.state`, `key${i}_state`);
    code.line(
      `if (${state} < 64 & ${state} > U[${states} + g | 0]) U[${states} + g | 0] = ${state};`);
  });
}

/** A key of 8 bytes as two words: equal bits are one group, also for NaN; −0 is 0; NULL is 0, 0. */
function keyWords(code: Code, v: Value, none: string, scratch: string): [string, string] {
  if (v.kind === "int64") {
    return [
      code.define("low", `${none} ? 0 : ${v.value}`),
      code.define("high", `${none} ? 0 : ${v.high}`),
    ];
  }
  code.line(`F[${scratch}] = ${none} ? 0 : ${keyNumber(v)};`);
  return [
    code.define("low", `I[${scratch} << 1]`),
    code.define("high", `I[(${scratch} << 1) + 1 | 0]`),
  ];
}

/** `emit(p, from, to, head, time)`: writes groups [from, to) as rows of engine time `time`. */
export function emitKernel(code: Code, spec: WindowSpec): string {
  const out = (part: "mask" | "time" | "source" | "flags"): string =>
    code.param({ of: "output", part }, `out_${part}`);
  storeGroup(code, spec, doubt(code, spec));
  code.line(`F[${out("time")} + w | 0] = time;`);
  code.line(`F[${out("source")} + w | 0] = NaN;`);
  storeMarks(code, spec.marks);
  const lines = indent(code.take(), "    ");
  const mask = out("mask");
  return `function emit(p, from, to, head, time) {
${indent(code.takePrologue(), "  ")}
  for (let g = from; g < to; g = g + 1 | 0) {
    const w = head + (g - from) & ${mask};
${lines}
  }
  return to - from | 0;
}`;
}

/** Into output row `w`, of group `g` of a closed window. */
export function storeMarks(code: Code, marks: readonly Mark[]): void {
  const window = field(code, "window", "window");
  for (const mark of marks) {
    const value = code.define("mark", mark.name === "$start" ? `F[${window} + ${word.start} | 0]`
      : `F[${window} + ${word.groups} | 0] - 1 - g`);
    store(code, mark, { kind: mark.kind, value, state: "0" }, "w");
  }
}

/**
 * The state that results have at least: on the way to a write they tell of rows that were kept out
 * only because nobody knows whether they belong (W8).
 */
function doubt(code: Code, spec: WindowSpec): string {
  if (!spec.strict || spec.panes === "out") return "0";
  return code.define("doubt",
    `F[${field(code, "window", "window")} + ${word.doubted} | 0] > 0 ? ${UNCERTAIN.skipped} : 0`);
}

/** Keys, results, flags and lineage of group `g` into output row `w`. */
export function storeGroup(code: Code, spec: WindowSpec, least = "0"): void {
  const place = (name: string, hint: string): string => `F[${field(code, name, hint)} + g | 0]`;
  spec.keys.forEach(({ spec: key }, i) => {
    const value = keyValue(code, key, i);
    store(code, key, { ...value, state: worst(code, least, value.state) }, "w");
  });
  spec.aggregates.forEach(({ aggregate }, i) => {
    const at = (name: string): string => place(`agg${i}.${name}`, `a${i}_${name}_at`);
    if (spec.panes === "out") {
      storePane(code, aggregate, i, at);
      return;
    }
    const value = result(code, aggregate, placeOf(code, spec, i, at));
    store(code, aggregate.spec, { ...value, state: worst(code, least, value.state) }, "w");
  });
  const flags = code.param({ of: "output", part: "flags" }, "out_flags");
  code.line(`U[${flags} + w | 0] = ${place("flags", "flags_at")};`);
  if (spec.oldest !== null) {
    const value = code.define("oldest", place("oldest", "oldest_at"));
    store(code, spec.oldest, { kind: "time", value, state: "0" }, "w");
  }
}

/** What an aggregate has come to, as it is, so that a later fold can go on with it. */
function storePane(
  code: Code, aggregate: Aggregate, i: number, at: (field: string) => string,
): void {
  for (const column of paneColumns(aggregate, i)) {
    const value = column.name === `agg${i}.cell`
      ? { ...cellValue(code, aggregate, cellOf(code, aggregate, i)), state: "0" }
      : { kind: column.kind, state: "0", value: code.define("v", at(column.name.split(".")[1]!)) };
    store(code, column, value, "w");
  }
}

function keyValue(code: Code, key: ColumnSpec, i: number): Value {
  const at = field(code, `key${i}`, `key${i}_at`);
  const state = code.define("s", `U[${field(code, `key${i}.state`, `key${i}_state`)} + g | 0]`);
  if (key.kind === "int64") {
    return {
      kind: key.kind, state, value: code.define("low", `I[(${at} + g << 1) | 0]`),
      high: code.define("high", `I[(${at} + g << 1) + 1 | 0]`),
    };
  }
  if (!slotted(key)) return { kind: key.kind, state, value: code.define("v", `F[${at} + g | 0]`) };
  const slot = code.param({ of: "number", value: key.slot }, `key${i}_slot`);
  return {
    kind: key.kind, state, slot: key.slot,
    value: code.define("v", `${at} + Math.imul(g, ${slot}) | 0`),
    length: code.define("n", `I[${field(code, `key${i}.length`, `key${i}_length`)} + g | 0]`),
  };
}
