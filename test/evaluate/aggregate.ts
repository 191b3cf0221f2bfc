import { ERROR, GOOD, NULL, UNCERTAIN } from "../../src/ring.ts";
import { type BoundAggregate, gathers } from "../../src/sql/bound.ts";
import { amplitudes, peak } from "../../src/sql/functions/spectrum.ts";
import { exactly, openOrder } from "./open.ts";
import { type Cell, failed, hasValue, order, type Value } from "./value.ts";

/**
 * The result of an aggregate over the cells of a group, in the order of its rows and by panes: each
 * is folded by itself, then panes are joined in time order.
 */
export function aggregate({ fn, skipsNull, type, arg, settings }: BoundAggregate,
  panes: readonly (readonly Cell[])[], rows: number, strict: boolean): Cell {
  if (arg === null) return { value: rows, state: GOOD };
  const cells = panes.flat();
  if (!skipsNull) return (fn === "first" ? cells[0] : cells.at(-1)) ?? { value: null, state: NULL };
  let state = Math.max(GOOD, ...cells.map((cell) => weight(cell, strict)));
  const valued = panes.map((pane) => pane.filter(hasValue).map((cell) => cell.value))
    .filter((pane) => pane.length > 0);
  const values = valued.flat();
  if (fn === "count") return state >= 194 ? failed(state) : { value: values.length, state };
  if (state >= 194) return failed(state);
  const spectral = fn === "fft_peak" || fn === "fft_magnitude";
  const least = fn === "count_distinct" ? 0
    : fn === "stddevs" || fn === "vars" ? 2 : spectral ? 4 : 1;
  if (values.length < least) return { value: null, state: NULL };
  if (gathers(fn)) {
    const value = gathered(fn, values);
    return value === null ? { value, state: NULL } : { value, state };
  }
  if (fn === "percentile_cont" || fn === "percentile_disc") {
    return { value: quantile(fn, values as number[], settings![0]!), state };
  }
  if (spectral) return { value: spectrum(values as number[], settings!), state };
  if ((fn === "sum" || fn === "avg") && (valued.some((pane) => overflows(pane, type.kind)) ||
    overflows(valued.map(sum), type.kind))) {
    state = ERROR.overflow;
  }
  return state >= 194 ? failed(state) : { value: fold(fn, valued, type.kind), state };
}

/**
 * What a cell does to the state of the result: bad was left out, NULL is left out silently; if a
 * machine may be written, nothing is.
 */
function weight({ state }: Cell, strict: boolean): number {
  if (state < 64 || state >= 194) return state;
  return strict || state < NULL ? UNCERTAIN.skipped : GOOD;
}

/** A sum of whole numbers must fit its kind after every row. */
function overflows(values: readonly Value[], kind: string): boolean {
  if (kind === "float64") return false;
  const most = kind === "int53" ? BigInt(Number.MAX_SAFE_INTEGER) : 2n ** 63n - 1n;
  const least = kind === "int53" ? -most : -most - 1n;
  let sum = 0n;
  return values.some((value) => {
    sum += BigInt(value as number | bigint);
    return sum > most || sum < least;
  });
}

const less = (best: Value, value: Value): Value => (order(value, best) < 0 ? value : best);
const more = (best: Value, value: Value): Value => (order(value, best) > 0 ? value : best);

function fold(
  fn: BoundAggregate["fn"], panes: readonly (readonly Value[])[], kind: string,
): Value {
  const values = panes.flat();
  const spread = (): number => panes.map((pane) => moments(pane.map(Number))).reduce(joined)
    .squares;
  switch (fn) {
    case "sum": return sum(panes.map(sum));
    case "avg": {
      const total = sum(panes.map(sum));
      if (typeof total === "bigint") return total / BigInt(values.length);
      return kind === "int53" ? Math.trunc(total / values.length) + 0 : total / values.length;
    }
    case "min": return panes.map((pane) => pane.reduce(less)).reduce(less);
    case "max": return panes.map((pane) => pane.reduce(more)).reduce(more);
    case "stddev": return Math.sqrt(spread() / values.length);
    case "stddevs": return Math.sqrt(spread() / (values.length - 1));
    case "rms": {
      const { mean, squares, n } = panes.map((pane) => moments(pane.map(Number))).reduce(joined);
      return Math.sqrt(mean * mean + squares / n);
    }
    case "var": return spread() / values.length;
    case "vars": return spread() / (values.length - 1);
    case "last": return values.at(-1)!;
    case "first": return values[0]!;
    case "count": return values.length;
    default: throw new Error(`bug: ${fn} folds nothing`);
  }
}

function gathered(fn: BoundAggregate["fn"], values: readonly Value[]): Value {
  const first = values.filter((value, i) =>
    values.findIndex((other) => exactly(other) === exactly(value)) === i);
  if (fn === "count_distinct") return BigInt(first.length);
  if (fn === "distinct") return first;
  if (fn === "collect") return values;
  if (fn === "merge_agg") {
    return values.every((value) => value instanceof Map)
      ? new Map(values.flatMap((value) => [...value as ReadonlyMap<string, Value>])) : null;
  }
  const rows: Value[] = [];
  let known: Value[] = [];
  let isNew = false;
  for (const pair of values) {
    const [key, row] = pair as readonly Value[];
    isNew = !known.some((other) => sameKey(other, key!));
    if (isNew) rows.push(row!);
    known = [...known, key!];
  }
  return fn === "deduplicate" ? rows : isNew ? rows.at(-1)! : null;
}

/** Structures are all different, numbers are what they are worth. */
function sameKey(a: Value, b: Value): boolean {
  if (a === null || b === null) return a === b;
  return !Array.isArray(a) && !(a instanceof Map) && !(a instanceof Uint8Array)
    && openOrder(a, b) === 0 && (a instanceof Date) === (b instanceof Date);
}

/** Of the last 2^k values; the transform itself is the body of a plain function. */
function spectrum(values: readonly number[], [rate, hz]: readonly number[]): number {
  let m = 4;
  while (2 * m <= values.length) m *= 2;
  const F = new Float64Array(2 * m);
  F.set(values.slice(-m));
  amplitudes(F, 0, m);
  if (hz === undefined) return peak(F, 0, m) * rate! / m;
  return F[Math.min(m / 2 - 1, Math.max(0, Math.round(hz * m / rate!)))]!;
}

/** NaN comes after all others; zeros of both signs are one value. */
function quantile(fn: BoundAggregate["fn"], values: readonly number[], fraction: number): number {
  const sorted = [...values.filter((v) => !Number.isNaN(v)).map((v) => v + 0)
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)), ...values.filter(Number.isNaN)];
  const place = fraction * (values.length - 1);
  if (fn === "percentile_disc") {
    return sorted[Math.max(0, Math.ceil(fraction * values.length) - 1)]!;
  }
  const [low, high] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
  return Number.isInteger(place) ? low : low + (high - low) * (place - Math.floor(place));
}

/** Floats in the order of their rows, from 0: that order is part of what a sum is. */
function sum(values: readonly Value[]): number | bigint {
  if (typeof values[0] === "bigint") return (values as bigint[]).reduce((a, b) => a + b, 0n);
  let total = 0;
  for (const value of values as number[]) total += value;
  return total;
}

interface Moments {
  readonly n: number;
  readonly mean: number;
  /** Sum of squared distances from the mean. */
  readonly squares: number;
}

/** By Welford's recurrence (Technometrics 4, 1962), as the emitter defines it. */
function moments(values: readonly number[]): Moments {
  let n = 0, mean = 0, total = 0;
  for (const value of values) {
    n += 1;
    const before = value - mean;
    mean += before / n;
    total += before * (value - mean);
  }
  return { n, mean, squares: total };
}

/** Of two panes, by Chan, Golub and LeVeque (1979). */
function joined(a: Moments, b: Moments): Moments {
  const n = a.n + b.n, d = b.mean - a.mean;
  return {
    n, mean: a.mean + d * b.n / n, squares: a.squares + b.squares + d * d * a.n * b.n / n,
  };
}
