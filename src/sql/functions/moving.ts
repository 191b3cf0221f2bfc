import { limits } from "../../base.ts";
import { ERROR, NULL, UNCERTAIN } from "../../ring.ts";
import { numberOf } from "../emit/code.ts";
import { argumentState } from "../stateful/signal.ts";
import { block, type Site } from "../stateful/site.ts";
import type { StatefulFunction } from "./stateful.ts";

/** The i-th value of a ring of n that begins at its place `first`. */
function nth(F: Float64Array, at: number, n: number, first: number, i: number): number {
  const place = first + i;
  return F[at + (place < n ? place : place - n)]!;
}

function meanOf(F: Float64Array, at: number, n: number, first: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += nth(F, at, n, first, i);
  return sum / n;
}

/** Sum of squared distances from the mean. */
function spread(F: Float64Array, at: number, n: number, first: number, mean: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += (nth(F, at, n, first, i) - mean) ** 2;
  return sum;
}

/**
 * What generated code calls: of a ring of `n` > 0 values F[at …] that begins at its place `first`;
 * sums are made in the order of rows. NaN: there is none.
 */
export const moving = {
  /** Of values in order. */
  median(F: Float64Array, at: number, n: number): number {
    const half = n >> 1;
    const high = F[at + half]!;
    return n % 2 === 1 ? high : F[at + half - 1]! + (high - F[at + half - 1]!) / 2;
  },

  rms(F: Float64Array, at: number, n: number, first: number): number {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += nth(F, at, n, first, i) ** 2;
    return Math.sqrt(sum / n);
  },

  /** Of the last value. */
  zscore(F: Float64Array, at: number, n: number, first: number): number {
    const mean = meanOf(F, at, n, first);
    const deviation = Math.sqrt(spread(F, at, n, first, mean) / n);
    return deviation > 0 ? (nth(F, at, n, first, n - 1) - mean) / deviation : NaN;
  },

  /** Least squares of the values over F[times …] (ms), per second. */
  slope(F: Float64Array, at: number, n: number, first: number, times: number): number {
    const value = meanOf(F, at, n, first), time = meanOf(F, times, n, first);
    let sum = 0;
    for (let i = 0; i < n; i++) {
      sum += (nth(F, times, n, first, i) - time) * (nth(F, at, n, first, i) - value);
    }
    return sum / spread(F, times, n, first, time) * 1000;
  },
};

/** A call's text, given the ring of values, its length and first place, and where times begin. */
type Fold = (ring: string, times: string) => string;

/**
 * The last n rows that had a value, as a ring: `next` is the place that is written next, `rows` how
 * many there are, `skip` for how many more rows one that was left out lies in between. Each place
 * has its value, its state and its lineage, so that a result is as old and as good as its rows.
 * `sorted`: the fold is of the values in their order, which they keep from row to row.
 */
function movingOver(site: Site, fold: Fold, sorted: boolean): string[] {
  const [x, n] = site.args.map(numberOf) as [string, string];
  const { code, s, y } = site;
  const count = Number(site.constants[1] ?? 1);
  const [next, rows, skip] = [site.place("next"), site.place("rows"), site.place("skip")];
  site.interrupted("skip", count, "rows");
  const [base, e, j, bad] = [code.name("base"), code.name("e"), code.name("j"), code.name("bad")];
  const of = (name: string, at: string): string => `F[${site.field(name, "F", count)} + ${at} | 0]`;
  const a = argumentState(site);
  const place = (name: string): string => `${site.field(name, "F", count)} + ${base} | 0`;
  const sort = !sorted ? [] : [
    `if (${rows} === ${n}) fn.order.remove(F, ${place("order")}, ${rows}, ${of("value", e)});`,
    `fn.order.insert(F, ${place("order")}, ${rows} < ${n} ? ${rows} : ${rows} - 1, ${x});`,
  ];
  const take = [
    `const ${e} = ${base} + ${next} | 0;`, ...sort,
    `${of("value", e)} = ${x}; ${of("state", e)} = ${a}; ${of("time", e)} = ${site.time};`,
    site.made(site.input, e, count),
    `${next} = ${next} + 1 < ${n} ? ${next} + 1 : 0;`,
    `if (${rows} < ${n}) ${rows} += 1;`, `if (${skip} > 0) ${skip} -= 1;`,
  ];
  const leave = [`${bad} = ${a};`, `if (${rows} > 0) ${skip} = ${n};`];
  const judge = [block(`if (${a} > 63)`, leave), block("else", take)];
  const ring = sorted ? `${place("order")}, ${rows}`
    : `${place("value")}, ${rows}, ${rows} < ${n} ? 0 : ${next}`;
  return [
    `const ${base} = Math.imul(${site.index}, ${n});`, `let ${bad} = 0;`,
    ...(site.when === "true" ? judge : [block(`if (${site.when})`, judge)]),
    block(`if (${bad} > 0)`, [`${s} = ${bad};`]),
    block(`else if (${rows} > 0)`, [
      `${s} = ${skip} > 0 ? ${UNCERTAIN.skipped} : 0;`,
      block(`for (let ${j} = ${base}; ${j} < ${base} + ${rows}; ${j} = ${j} + 1 | 0)`,
        [site.raise(of("state", j)), site.uses(j, count)]),
      `${y} = ${fold(ring, place("time"))};`,
      `if (${y} !== ${y}) { ${y} = 0; ${s} = ${NULL}; }`,
      `else if (${y} - ${y} !== 0) ${s} = ${ERROR.number};`,
    ]),
  ];
}

const rowsOf = (rows: unknown): string | null =>
  Number(rows) >= 1 && Number(rows) <= limits.lag_rows_max ? null
    : `The number of rows is written out, 1 to ${limits.lag_rows_max}`;

const record = (
  name: string, doc: string, source: string, x: readonly string[], gives: readonly string[],
  fold: Fold, sorted = false,
): StatefulFunction => ({
  name, doc, source, parameters: "du", result: "float64", usage: `${name}(x, rows)`,
  example: { call: `${name}(x, 3)`, x, gives }, constants: { 1: rowsOf },
  emit: (site) => movingOver(site, fold, sorted),
});

/** Functions of the last rows, the row itself among them; until there are so many, of all. */
export const movings: readonly StatefulFunction[] = [
  record("moving_median", "Median of the last so many values",
    "the value in the middle, of an even number the mean of two", ["1.0", "9.0", "2.0", "3.0"],
    ["1.0", "5.0", "2.0", "3.0"], (ring) => `fn.moving.median(F, ${ring})`, true),
  record("moving_rms", "Root of the mean square of the last so many values",
    "√(Σx² / n)", ["3.0", "4.0", "0.0"], ["3.0", "3.5355339059327378", "2.886751345948129"],
    (ring) => `fn.moving.rms(F, ${ring})`),
  record("zscore", "Distance of x from the mean of the last so many values, x among them, in " +
    "their standard deviations; NULL where they are all the same",
  "(x − mean) / √(Σ(x − mean)² / n)", ["1.0", "1.0", "4.0"], ["NULL", "NULL", "1.414213562373095"],
  (ring) => `fn.moving.zscore(F, ${ring})`),
  record("moving_slope", "Slope of the straight line nearest to the last so many values, per " +
    "second; NULL where no time has passed",
  "least squares: Σ(t − mean t)(x − mean x) / Σ(t − mean t)²", ["1.0", "3.0", "5.0", "3.0"],
  ["NULL", "2.0", "2.0", "0.0"],
  (ring, times) => `fn.moving.slope(F, ${ring}, ${times})`),
];
