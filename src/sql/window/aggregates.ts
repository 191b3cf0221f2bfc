import { type ColumnSpec, ERROR, NULL, UNCERTAIN } from "../../ring.ts";
import type { AggregateName } from "../bound.ts";
import type { Code, Value } from "../emit/code.ts";

/** One aggregate of a window, as the planner hands it over; `spec` is the column of its result. */
export interface Aggregate {
  readonly fn: AggregateName;
  readonly spec: ColumnSpec;
  /** null = count(*). */
  readonly arg: ColumnSpec | null;
  /** Whether an input that reads as NULL is left out. */
  readonly skipsNull: boolean;
}

/** What an aggregate keeps for each group, all float64, with the value it begins with. */
export type Fields = Readonly<Record<string, number>>;

/** Where an aggregate of the current group lies. */
export interface Place {
  /** The text of a field. */
  at(field: string): string;
  /** Names of the table of whole cells, for `first` and `last` of what is no number. */
  cell(): { readonly at: string; readonly slot: string; readonly length: string };
}

/** True if the aggregate keeps a cell that is no number: an int64 (two words) or a slot. */
export const keepsCell = ({ fn, spec }: Aggregate): boolean =>
  (fn === "first" || fn === "last") && (spec.slot > 0 || spec.kind === "int64");

const kept: Record<AggregateName, Fields> = {
  count: { n: 0 },
  sum: { n: 0, worst: 0, sum: 0 },
  avg: { n: 0, worst: 0, sum: 0 },
  min: { n: 0, worst: 0, best: 0 },
  max: { n: 0, worst: 0, best: 0 },
  stddev: { n: 0, worst: 0, mean: 0, squares: 0 },
  last: { n: 0, worst: 0, value: 0, state: NULL },
  first: { n: 0, worst: 0, value: 0, state: NULL },
};

export const fieldsOf = (aggregate: Aggregate): Fields =>
  aggregate.fn === "count" && aggregate.arg !== null ? { n: 0, worst: 0 } : kept[aggregate.fn];

/** Lines that take one row's value in. `arg` is null for count(*). */
export function update(code: Code, aggregate: Aggregate, arg: Value | null, place: Place): void {
  const n = place.at("n");
  if (arg === null) {
    code.line(`${n} = ${n} + 1;`);
    return;
  }
  const s = arg.state;
  if (!aggregate.skipsNull) {
    const kept = keep(aggregate, arg, place);
    code.line(aggregate.fn === "first" ? `if (${n} === 0) { ${n} = 1; ${kept} }` : `{ ${n} = 1; ${kept} }`);
    return;
  }
  // What is left out for being bad makes the result uncertain; NULL is left out silently.
  if (s !== "0") {
    const w = code.define("worst", `${s} < 64 | ${s} > 193 ? ${s} : ${s} < 192 ? ${UNCERTAIN.skipped} : 0`);
    code.line(`if (${w} > ${place.at("worst")}) ${place.at("worst")} = ${w};`);
  }
  const lines = valueLines(aggregate, arg, place);
  code.line(`${s === "0" ? "" : `if (${s} < 64) `}{ ${lines.join(" ")} }`);
}

/** Keeps a value with its state, whatever that is. */
function keep(aggregate: Aggregate, arg: Value, place: Place): string {
  const state = `${place.at("state")} = ${arg.state};`;
  if (!keepsCell(aggregate)) return `${place.at("value")} = ${number(arg)}; ${state}`;
  const { at, slot, length } = place.cell();
  if (arg.kind === "int64") {
    return `I[(${at} + g << 1) | 0] = ${arg.value}; I[(${at} + g << 1) + 1 | 0] = ${arg.high}; ${state}`;
  }
  return `fn.copyBytes(U, ${at} + Math.imul(g, ${slot}) | 0, ${arg.value}, ${arg.length}); ` +
    `I[${length} + g | 0] = ${arg.length}; ${state}`;
}

const number = (arg: Value): string => (arg.kind === "bool" ? `(${arg.value} | 0)` : arg.value);

function valueLines(aggregate: Aggregate, arg: Value, place: Place): string[] {
  const at = (field: string): string => place.at(field);
  const v = number(arg);
  const n = at("n");
  const counted = `${n} = ${n} + 1;`;
  switch (aggregate.fn) {
    case "count": return [counted];
    case "sum": case "avg": {
      const sum = at("sum");
      const exact = aggregate.arg!.kind !== "int53" ? [] : [
        `if (${sum} > 9007199254740991 | ${sum} < -9007199254740991) ${at("worst")} = ${ERROR.overflow};`];
      return [counted, `${sum} = ${sum} + ${v};`, ...exact];
    }
    case "min": return [`if (${n} === 0 || ${v} < ${at("best")}) ${at("best")} = ${v};`, counted];
    case "max": return [`if (${n} === 0 || ${v} > ${at("best")}) ${at("best")} = ${v};`, counted];
    case "stddev": {
      // Welford 1962: one pass, no cancellation.
      const mean = at("mean"), squares = at("squares");
      return [
        counted,
        `const d = ${v} - ${mean};`,
        `${mean} = ${mean} + d / ${n};`,
        `${squares} = ${squares} + d * (${v} - ${mean});`,
      ];
    }
    case "last": return [counted, keep(aggregate, arg, place)];
    case "first": return [`if (${n} === 0) { ${keep(aggregate, arg, place)} }`, counted];
  }
}

/** The result of a closed group. */
export function result(code: Code, aggregate: Aggregate, place: Place): Value {
  const { kind } = aggregate.spec;
  if (!aggregate.skipsNull) return keptValue(code, aggregate, place, code.define("s", place.at("state")));
  const n = code.define("count", place.at("n"));
  if (aggregate.fn === "count") {
    return { kind, value: n, state: aggregate.arg === null ? "0" : code.define("s", place.at("worst")) };
  }
  const worst = code.define("s", place.at("worst"));
  const state = code.define("s", `${n} === 0 & ${worst} < 194 ? ${NULL} : ${worst}`);
  if (aggregate.fn === "last" || aggregate.fn === "first") return keptValue(code, aggregate, place, state);
  return { kind, value: code.define("v", finish(aggregate, n, place)), state };
}

function keptValue(code: Code, aggregate: Aggregate, place: Place, state: string): Value {
  const { kind, slot } = aggregate.spec;
  if (!keepsCell(aggregate)) return { kind, state, value: code.define("v", place.at("value")) };
  const cell = place.cell();
  if (kind === "int64") {
    return {
      kind, state, value: code.define("low", `I[(${cell.at} + g << 1) | 0]`),
      high: code.define("high", `I[(${cell.at} + g << 1) + 1 | 0]`),
    };
  }
  return {
    kind, state, slot, value: code.define("v", `${cell.at} + Math.imul(g, ${cell.slot}) | 0`),
    length: code.define("len", `I[${cell.length} + g | 0]`),
  };
}

function finish(aggregate: Aggregate, n: string, { at }: Place): string {
  switch (aggregate.fn) {
    case "sum": return at("sum");
    // eKuiper: the average of whole numbers is a whole number.
    case "avg": return aggregate.spec.kind === "int53" ? `Math.trunc(${at("sum")} / ${n}) + 0` : `${at("sum")} / ${n}`;
    case "min": case "max": return at("best");
    case "stddev": return `Math.sqrt(${at("squares")} / ${n})`;
    case "count": case "last": case "first": return n;
  }
}
