import type { AggregateName } from "../bound.ts";
import type { RowsExample } from "./stateful.ts";

/** A function over the rows of a group. Bad, NULL and absent inputs are left out. */
export interface AggregateFunction {
  readonly name: string;
  readonly parameters: string;
  readonly fn: AggregateName;
  /** The type of its result, for the manual. */
  readonly gives: string;
  /** Names of the parameters for the manual, where their types do not say enough. */
  readonly takes?: string;
  readonly doc: string;
  /** Of the rows of one window. */
  readonly example: RowsExample;
}

export const aggregates: readonly AggregateFunction[] = [
  { name: "avg", parameters: "n", fn: "avg", gives: "as x",
    doc: "Mean; of whole numbers a whole number, cut towards zero (eKuiper)",
    example: { call: "avg(x)", x: ["1", "2", "4"], gives: ["2"] } },
  { name: "count", parameters: "*", fn: "count", gives: "bigint",
    doc: "Number of rows (`*`), or of rows where the value is known",
    example: { call: "count(x)", x: ["1", "NULL", "3"], gives: ["2"] } },
  { name: "max", parameters: "a", fn: "max", gives: "as x", doc: "Largest value",
    example: { call: "max(x)", x: ["1", "3", "2"], gives: ["3"] } },
  { name: "min", parameters: "a", fn: "min", gives: "as x", doc: "Smallest value",
    example: { call: "min(x)", x: ["2", "1", "3"], gives: ["1"] } },
  { name: "sum", parameters: "n", fn: "sum", gives: "as x",
    doc: "Sum; floats are added in the order of rows",
    example: { call: "sum(x)", x: ["1", "2", "3"], gives: ["6"] } },
  { name: "stddev", parameters: "n", fn: "stddev", gives: "float",
    doc: "Standard deviation of the population",
    example: { call: "stddev(x)", x: ["2.0", "4.0"], gives: ["1.0"] } },
  { name: "stddevs", parameters: "n", fn: "stddevs", gives: "float",
    doc: "Standard deviation of a sample; of fewer than two values NULL",
    example: { call: "round(stddevs(x), 3)", x: ["1.0", "3.0"], gives: ["1.414"] } },
  { name: "var", parameters: "n", fn: "var", gives: "float", doc: "Variance of the population",
    example: { call: "var(x)", x: ["2.0", "4.0"], gives: ["1.0"] } },
  { name: "vars", parameters: "n", fn: "vars", gives: "float",
    doc: "Variance of a sample; of fewer than two values NULL",
    example: { call: "vars(x)", x: ["1.0", "3.0"], gives: ["2.0"] } },
  { name: "rms", parameters: "n", fn: "rms", gives: "float",
    doc: "Root of the mean square, as float",
    example: { call: "round(rms(x), 3)", x: ["3.0", "4.0"], gives: ["3.536"] } },
  { name: "last_value", parameters: "*B", fn: "last", gives: "as x",
    takes: "x, ignoreNull",
    doc: "Value of the last row; with TRUE, of the last that has one; `*`: the row as an object",
    example: { call: "last_value(x, TRUE)", x: ["1", "2", "NULL"], gives: ["2"] } },
  { name: "last", parameters: "a", fn: "last", gives: "as x",
    doc: "Last value known: last_value(x, TRUE)",
    example: { call: "last(x)", x: ["1", "2", "NULL"], gives: ["2"] } },
  { name: "first_value", parameters: "*B", fn: "first", gives: "as x",
    takes: "x, ignoreNull",
    doc: "Value of the first row; with TRUE, of the first that has one; `*`: the row as an object",
    example: { call: "first_value(x, TRUE)", x: ["NULL", "1", "2"], gives: ["1"] } },
  { name: "first", parameters: "a", fn: "first", gives: "as x",
    doc: "First value known: first_value(x, TRUE)",
    example: { call: "first(x)", x: ["NULL", "1", "2"], gives: ["1"] } },
  { name: "collect", parameters: "*", fn: "collect", gives: "array",
    doc: "All values as an array; of `*` the rows as objects, without fields that are NULL",
    example: { call: "to_json(collect(x))", x: ["1", "2"], gives: ["'[1,2]'"] } },
  { name: "merge_agg", parameters: "*", fn: "merge_agg", gives: "object",
    doc: "One object of the fields of all, of equal names the last; NULL if one is no object",
    example: { call: "to_json(merge_agg(x))",
      x: ["object_construct('a', 1)", "object_construct('b', 2)"],
      gives: ["'{\"a\":1,\"b\":2}'"] } },
  { name: "deduplicate", parameters: "aB", fn: "deduplicate", gives: "array or row",
    takes: "key, all",
    doc: "With TRUE an array of the rows of which each value is the first; with FALSE the last " +
      "row, if it is such a one",
    example: { call: "cardinality(deduplicate(x, TRUE))", x: ["1", "1", "2"], gives: ["2"] } },
  { name: "median", parameters: "n", fn: "percentile_cont", gives: "float",
    doc: "Value in the middle, as float: percentile_cont(x, 0.5)",
    example: { call: "median(x)", x: ["1.0", "5.0", "2.0"], gives: ["2.0"] } },
  { name: "percentile_cont", parameters: "nn", fn: "percentile_cont", gives: "float",
    takes: "x, fraction",
    doc: "Value below which a fraction (0 … 1) lies, between two neighbours in proportion",
    example: { call: "percentile_cont(x, 0.5)", x: ["1.0", "2.0"], gives: ["1.5"] } },
  { name: "percentile", parameters: "nn", fn: "percentile_cont", gives: "float",
    takes: "x, fraction", doc: "percentile_cont(x, fraction), as eKuiper's manual calls it",
    example: { call: "percentile(x, 0.5)", x: ["1.0", "2.0"], gives: ["1.5"] } },
  { name: "percentile_disc", parameters: "nn", fn: "percentile_disc", gives: "float",
    takes: "x, fraction",
    doc: "The first value at which a fraction (0 … 1) of the values is reached",
    example: { call: "percentile_disc(x, 0.5)", x: ["1.0", "2.0"], gives: ["1.0"] } },
  { name: "fft_peak", parameters: "nn", fn: "fft_peak", gives: "float",
    takes: "x, rate",
    doc: "Frequency (Hz) of the largest amplitude of fft_peak(x, rate), of rows that come `rate` " +
      "times a second; of the last 2^k values, without their mean, by a Hann window; NULL of " +
      "fewer than four",
    example: { call: "fft_peak(x, 4)",
      x: ["1.0", "0.0", "-1.0", "0.0", "1.0", "0.0", "-1.0", "0.0"],
      gives: ["1.0"] } },
  { name: "fft_magnitude", parameters: "nnn", fn: "fft_magnitude", gives: "float",
    takes: "x, rate, hz",
    doc: "Amplitude of fft_magnitude(x, rate, hz) at the step of the spectrum that is nearest to " +
      "hz, in the unit of x; otherwise as fft_peak",
    example: { call: "round(fft_magnitude(x, 4, 1), 6)",
      x: ["1.0", "0.0", "-1.0", "0.0", "1.0", "0.0", "-1.0", "0.0"],
      gives: ["1.0"] } },
];
