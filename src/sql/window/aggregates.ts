import { type ColumnSpec, ERROR, NULL, UNCERTAIN } from "../../ring.ts";
import { type AggregateName, gathers, isQuantile, isSpectral, needsRows } from "../bound.ts";
import { spectrum_rows_min } from "../functions/spectrum.ts";
import { type Code, numberOf, trusted, type Value } from "../emit/code.ts";
import { outcome } from "../emit/dyn.ts";

/** One aggregate of a window, as the planner hands it over; `spec` is the column of its result. */
export interface Aggregate {
  readonly fn: AggregateName;
  readonly spec: ColumnSpec;
  /** null = count(*). */
  readonly arg: ColumnSpec | null;
  /** Whether an input that reads as NULL is left out. */
  readonly skipsNull: boolean;
  /** See BoundAggregate. */
  readonly settings: readonly number[];
  /** Each row closes a window: values of percentiles stand in order (sliding.ts). */
  readonly slides: boolean;
  /** On the way to a write: whatever made an input NULL, leaving it out is told (W8). */
  readonly strict: boolean;
}

/** True if values stay in their order from one window to the next. */
export const standsInOrder = ({ fn, slides }: Aggregate): boolean =>
  slides && isQuantile(fn);

/**
 * What an aggregate keeps for each group, all float64, with the value it begins with; null: any,
 * it is written before it is read.
 */
export type Fields = Readonly<Record<string, number | null>>;

/** Where an aggregate of the current group lies. */
export interface Place {
  /** The text of a field. */
  at(field: string): string;
  /** Names of the table of whole cells, for `first` and `last` of what is no number. */
  cell(): { readonly at: string; readonly slot: string; readonly length: string };
  /** Of an aggregate that needs its rows: their chain, its column, room for its values. */
  rows(): { readonly next: string; readonly payload: string };
  /** Room to put values in order. */
  values(): string;
  /** Values that stand in order, and how many numbers there are. */
  order(): { readonly at: string; readonly n: string };
  /** Bytes from one row's cell to the next. */
  stride(): string;
}

/** True if the aggregate keeps a cell that is no number: an int64 (two words) or a slot. */
export const keepsCell = ({ fn, spec }: Aggregate): boolean =>
  (fn === "first" || fn === "last" || fn === "min" || fn === "max") &&
  (spec.slot > 0 || spec.kind === "int64");

/** Values that a result needs: one says nothing of how a sample spreads. */
const leastOf = ({ fn }: Aggregate): number =>
  fn === "count_distinct" ? 0 : fn === "stddevs" || fn === "vars" ? 2
    : isSpectral(fn) ? spectrum_rows_min : 1;

const chained: Fields = { n: 0, worst: 0, head: null, tail: null };

const kept: Record<AggregateName, Fields> = {
  count: { n: 0 },
  sum: { n: 0, worst: 0, sum: 0 },
  avg: { n: 0, worst: 0, sum: 0 },
  min: { n: 0, worst: 0, best: null },
  max: { n: 0, worst: 0, best: null },
  stddev: { n: 0, worst: 0, mean: 0, squares: 0 },
  stddevs: { n: 0, worst: 0, mean: 0, squares: 0 },
  var: { n: 0, worst: 0, mean: 0, squares: 0 },
  vars: { n: 0, worst: 0, mean: 0, squares: 0 },
  rms: { n: 0, worst: 0, mean: 0, squares: 0 },
  last: { n: 0, worst: 0, value: null },
  first: { n: 0, worst: 0, value: null },
  percentile_cont: chained,
  percentile_disc: chained,
  fft_peak: chained,
  fft_magnitude: chained,
  collect: chained, merge_agg: chained, deduplicate: chained, newest_distinct: chained,
  distinct: chained, count_distinct: chained,
};

export function fieldsOf(aggregate: Aggregate): Fields {
  const { fn, arg, spec, skipsNull } = aggregate;
  if (!skipsNull) {
    return { ...(fn === "first" ? { n: 0 } : {}), state: null,
      ...(keepsCell(aggregate) ? {} : { value: null }) };
  }
  if (standsInOrder(aggregate) || keepsCell(aggregate)) return { n: 0, worst: 0 };
  if (fn === "count" && arg !== null) return { n: 0, worst: 0 };
  if (fn !== "sum" && fn !== "avg") return kept[fn];
  if (spec.kind === "int64") return { n: 0, worst: 0, over: 0, low: 0, high: 0 };
  return spec.kind === "int53" ? { ...kept[fn], over: 0 } : kept[fn];
}

/** Lines that take one row's value in. `arg` is null for count(*). */
export function update(code: Code, aggregate: Aggregate, arg: Value | null, place: Place): void {
  if (!aggregate.skipsNull && arg !== null) {
    code.line(keepOne(aggregate, arg, place));
    return;
  }
  const n = place.at("n");
  if (arg === null) {
    code.line(`${n} = ${n} + 1;`);
    return;
  }
  const s = arg.state;
  const worse = worstLine(code, aggregate, s, place.at("worst"));
  if (worse !== null) code.line(worse);
  const lines = valueLines(code, aggregate, arg, place);
  code.line(`${s === "0" ? "" : `if (${s} < 64) `}{ ${lines.join(" ")} }`);
}

/** Of what skips nothing: the first value, or each, which leaves the last. */
export function keepOne(aggregate: Aggregate, arg: Value, place: Place): string {
  const kept = keep(aggregate, arg, place);
  return aggregate.fn === "first" ? `if (${place.at("n")} === 0) { ${place.at("n")} = 1; ${kept} }`
    : kept;
}

/**
 * What is left out for being bad makes the result uncertain. NULL is left out silently, but not on
 * the way to a write: it may be there because a condition or a key could not be trusted.
 */
export function worstLine(
  code: Code, { strict }: Aggregate, s: string, worst: string,
): string | null {
  if (s === "0") return null;
  const w = strict ? trusted(code, s)
    : code.define("worst", `${s} < 64 | ${s} > 193 ? ${s} : ${s} < 192 ? ${UNCERTAIN.skipped} : 0`);
  return `if (${w} > ${worst}) ${worst} = ${w};`;
}

/** Keeps a value with its state, whatever that is. */
export function keep(aggregate: Aggregate, arg: Value, place: Place): string {
  const state = "state" in fieldsOf(aggregate) ? `${place.at("state")} = ${arg.state};` : "";
  if (!keepsCell(aggregate)) return `${place.at("value")} = ${numberOf(arg)}; ${state}`;
  const { at, slot, length } = place.cell();
  if (arg.kind === "int64") {
    return `I[(${at} + g << 1) | 0] = ${arg.value}; I[(${at} + g << 1) + 1 | 0] = ${arg.high}; ` +
      `${state}`;
  }
  return `fn.copyBytes(U, ${at} + Math.imul(g, ${slot}) | 0, ${arg.value}, ${arg.length}); ` +
    `I[${length} + g | 0] = ${arg.length}; ${state}`;
}

function valueLines(code: Code, aggregate: Aggregate, arg: Value, place: Place): string[] {
  const at = (field: string): string => place.at(field);
  const v = numberOf(arg);
  const n = at("n");
  const counted = `${n} = ${n} + 1;`;
  switch (aggregate.fn) {
    case "count": return [counted];
    case "sum": case "avg": {
      if (arg.kind === "int64") return [counted, ...add64(code, arg, at)];
      const sum = at("sum");
      const exact = arg.kind !== "int53" ? [] : [
        `if (${sum} > 9007199254740991 | ${sum} < -9007199254740991) ${at("over")} = 1;`];
      return [counted, `${sum} = ${sum} + ${v};`, ...exact];
    }
    case "min": case "max": {
      if (keepsCell(aggregate)) {
        return [`if (${n} === 0 || ${beats(aggregate, arg, place)}) { ` +
          `${keep(aggregate, arg, place)} }`, counted];
      }
      const better = aggregate.fn === "min" ? "<" : ">";
      return [`if (${n} === 0 || ${v} ${better} ${at("best")}) ${at("best")} = ${v};`, counted];
    }
    case "stddev": case "stddevs": case "var": case "vars": case "rms": {
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
    case "percentile_cont": case "percentile_disc": case "fft_peak": case "fft_magnitude":
    case "collect": case "merge_agg": case "deduplicate": case "newest_distinct":
    case "distinct": case "count_distinct": {
      const tail = at("tail");
      return [`if (${n} === 0) ${at("head")} = r; else I[${place.rows().next} + ${tail} | 0] = r;`,
        `${tail} = r;`, counted];
    }
  }
}

/** Exact sum of int64 values in two words. */
export function add64(code: Code, arg: Value, at: (field: string) => string): string[] {
  const before = { low: at("low"), high: at("high") };
  const low = code.name("low"), high = code.name("high");
  return [
    `const ${low} = (${before.low} | 0) + ${arg.value} | 0;`,
    `const ${high} = (${before.high} | 0) + ${arg.high} + ` +
      `(${low} >>> 0 < ${arg.value} >>> 0 ? 1 : 0) | 0;`,
    `if (((${before.high} ^ ${high}) & (${arg.high} ^ ${high})) < 0) ${at("over")} = 1;`,
    `${before.low} = ${low}; ${before.high} = ${high};`,
  ];
}

/** Whether a value comes before (min) or after (max) the cell that is kept. */
export function beats(aggregate: Aggregate, arg: Value, place: Place): string {
  const { at, slot, length } = place.cell();
  const better = aggregate.fn === "min" ? "<" : ">";
  if (arg.kind === "int64") {
    const low = `I[(${at} + g << 1) | 0]`, high = `I[(${at} + g << 1) + 1 | 0]`;
    return `${arg.high} ${better} ${high} || ${arg.high} === ${high} && ${arg.value} >>> 0 ` +
      `${better} ${low} >>> 0`;
  }
  const kept = `${at} + Math.imul(g, ${slot}) | 0, I[${length} + g | 0]`;
  return `fn.compareBytes(U, ${arg.value}, ${arg.length}, ${kept}) ${better} 0`;
}

/** The result of a closed group. */
export function result(code: Code, aggregate: Aggregate, place: Place): Value {
  const { kind } = aggregate.spec;
  if (!aggregate.skipsNull) {
    return keptValue(code, aggregate, place, code.define("s", place.at("state")));
  }
  const n = code.define("count", place.at("n"));
  if (aggregate.fn === "count") {
    return { kind, value: n, state: aggregate.arg === null ? "0"
      : code.define("s", place.at("worst")) };
  }
  const worst = code.define("s", place.at("worst"));
  const none = `${n} < ${leastOf(aggregate)}`;
  let state = code.define("s", `${none} & ${worst} < 194 ? ${NULL} : ${worst}`);
  if ("over" in fieldsOf(aggregate)) {
    state = code.define("s",
      `${place.at("over")} === 1 & ${state} < 194 ? ${ERROR.overflow} : ${state}`);
  }
  if (aggregate.fn === "last" || aggregate.fn === "first" || keepsCell(aggregate)) {
    return keptValue(code, aggregate, place, state);
  }
  if (gathers(aggregate.fn)) return gathered(code, aggregate, place, n, state);
  if (isSpectral(aggregate.fn)) return spectral(code, aggregate, place, n, state);
  if (needsRows(aggregate.fn)) return percentile(code, aggregate, place, n, state);
  if (kind === "int64") return whole64(code, aggregate, place, n, state);
  return { kind, value: code.define("v", finish(aggregate, n, place)), state };
}

function percentile(
  code: Code, aggregate: Aggregate, place: Place, n: string, state: string,
): Value {
  const { fn, settings } = aggregate;
  const at = code.param({ of: "number", value: settings[0]! }, "fraction");
  if (standsInOrder(aggregate)) {
    const order = place.order();
    const text = `${n} > 0 ? fn.order.quantile(F, ${order.at}, ${order.n}, ${n}, ${at}, ` +
      `${fn === "percentile_disc"}) : 0`;
    return { kind: "float64", state, value: code.define("v", text) };
  }
  const { next, payload } = place.rows();
  const values = place.values();
  const text = `${n} > 0 ? fn.quantile(F, I, ${next}, ${place.at("head")}, ${n}, ${payload}, ` +
    `${values}, ${at}, ${fn === "percentile_disc"}) : 0`;
  return { kind: "float64", state, value: code.define("v", text) };
}

function gathered(
  code: Code, { fn, spec }: Aggregate, place: Place, n: string, state: string,
): Value {
  const { next, payload } = place.rows();
  const rows = `${next}, ${place.at("head")}, ${n}, ${payload}, ${place.stride()}`;
  return outcome(code, spec, state, `fn.gather("${fn}", U, I, ${rows})`);
}

function spectral(
  code: Code, { fn, settings }: Aggregate, place: Place, n: string, state: string,
): Value {
  const { next, payload } = place.rows();
  const values = place.values();
  const [rate, hz] = settings.map((value) => code.param({ of: "number", value }, "setting"));
  const made = fn === "fft_peak" ? "peakOf" : "magnitudeOf";
  const text = `${n} < ${spectrum_rows_min} ? 0 : fn.${made}(F, I, ${next}, ` +
    `${place.at("head")}, ${n}, ${payload}, ${values}, ${rate}` +
    `${hz === undefined ? "" : `, ${hz}`})`;
  return { kind: "float64", state, value: code.define("v", text) };
}

function whole64(code: Code, aggregate: Aggregate, { at }: Place, n: string, state: string): Value {
  const [low, high] = [code.define("low", `${at("low")} | 0`),
    code.define("high", `${at("high")} | 0`)];
  if (aggregate.fn === "sum") return { kind: "int64", state, value: low, high };
  const sure = code.define("t", `${n} > 0 && fn.divide64(${low}, ${high}, ${n} | 0, 0)`);
  return {
    kind: "int64", state, value: code.define("low", `${sure} ? fn.words[0] : 0`),
    high: code.define("high", `${sure} ? fn.words[1] : 0`),
  };
}

function keptValue(code: Code, aggregate: Aggregate, place: Place, state: string): Value {
  const { kind } = aggregate.spec;
  if (!keepsCell(aggregate)) return { kind, state, value: code.define("v", place.at("value")) };
  return { ...cellValue(code, aggregate, place.cell()), state };
}

/** The cell that a group has kept, without its state. */
export function cellValue(
  code: Code, { spec }: Aggregate, cell: ReturnType<Place["cell"]>,
): Omit<Value, "state"> {
  const { kind, slot } = spec;
  if (kind === "int64") {
    return {
      kind, value: code.define("low", `I[(${cell.at} + g << 1) | 0]`),
      high: code.define("high", `I[(${cell.at} + g << 1) + 1 | 0]`),
    };
  }
  return {
    kind, slot, value: code.define("v", `${cell.at} + Math.imul(g, ${cell.slot}) | 0`),
    length: code.define("len", `I[${cell.length} + g | 0]`),
  };
}

function finish(aggregate: Aggregate, n: string, { at }: Place): string {
  switch (aggregate.fn) {
    case "sum": return at("sum");
    // eKuiper: the average of whole numbers is a whole number.
    case "avg": return aggregate.spec.kind === "int53" ? `Math.trunc(${at("sum")} / ${n}) + 0`
      : `${at("sum")} / ${n}`;
    case "min": case "max": return at("best");
    case "rms": return `Math.sqrt(${at("mean")} * ${at("mean")} + ${at("squares")} / ${n})`;
    case "stddev": return `Math.sqrt(${at("squares")} / ${n})`;
    case "stddevs": return `Math.sqrt(${at("squares")} / (${n} - 1))`;
    case "var": return `${at("squares")} / ${n}`;
    case "vars": return `${at("squares")} / (${n} - 1)`;
    default: return n;
  }
}
