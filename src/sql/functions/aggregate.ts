import type { AggregateName } from "../bound.ts";

/** A function over the rows of a group. Bad, NULL and absent inputs are left out. */
export interface AggregateFunction {
  readonly name: string;
  readonly parameters: string;
  readonly fn: AggregateName;
  readonly doc: string;
}

export const aggregates: readonly AggregateFunction[] = [
  { name: "avg", parameters: "n", fn: "avg",
    doc: "Mean; of whole numbers a whole number, cut towards zero (eKuiper)" },
  { name: "count", parameters: "*", fn: "count",
    doc: "Number of rows (`*`), or of rows where the value is known" },
  { name: "max", parameters: "a", fn: "max", doc: "Largest value" },
  { name: "min", parameters: "a", fn: "min", doc: "Smallest value" },
  { name: "sum", parameters: "n", fn: "sum", doc: "Sum; floats are added in the order of rows" },
  { name: "stddev", parameters: "n", fn: "stddev", doc: "Standard deviation of the population" },
  { name: "stddevs", parameters: "n", fn: "stddevs",
    doc: "Standard deviation of a sample; of fewer than two values NULL" },
  { name: "var", parameters: "n", fn: "var", doc: "Variance of the population" },
  { name: "vars", parameters: "n", fn: "vars",
    doc: "Variance of a sample; of fewer than two values NULL" },
  { name: "rms", parameters: "n", fn: "rms", doc: "Root of the mean square, as float" },
  { name: "last_value", parameters: "aB", fn: "last",
    doc: "Value of the last row; with TRUE, of the last that has one" },
  { name: "last", parameters: "a", fn: "last", doc: "Last value known: last_value(x, TRUE)" },
  { name: "first_value", parameters: "aB", fn: "first",
    doc: "Value of the first row; with TRUE, of the first that has one" },
  { name: "first", parameters: "a", fn: "first", doc: "First value known: first_value(x, TRUE)" },
  { name: "collect", parameters: "*", fn: "collect",
    doc: "All values as an array; of `*` the rows as objects, without fields that are NULL" },
  { name: "merge_agg", parameters: "*", fn: "merge_agg",
    doc: "One object of the fields of all, of equal names the last; NULL if one is no object" },
  { name: "deduplicate", parameters: "aB", fn: "deduplicate",
    doc: "With TRUE an array of the rows of which each value is the first; with FALSE the last " +
      "row, if it is such a one" },
  { name: "median", parameters: "n", fn: "percentile_cont",
    doc: "Value in the middle, as float: percentile_cont(x, 0.5)" },
  { name: "percentile_cont", parameters: "nn", fn: "percentile_cont",
    doc: "Value below which a fraction (0 … 1) lies, between two neighbours in proportion" },
  { name: "percentile_disc", parameters: "nn", fn: "percentile_disc",
    doc: "The first value at which a fraction (0 … 1) of the values is reached" },
  { name: "fft_peak", parameters: "nn", fn: "fft_peak",
    doc: "Frequency (Hz) of the largest amplitude of fft_peak(x, rate), of rows that come `rate` " +
      "times a second; of the last 2^k values, without their mean, by a Hann window; NULL of " +
      "fewer than four" },
  { name: "fft_magnitude", parameters: "nnn", fn: "fft_magnitude",
    doc: "Amplitude of fft_magnitude(x, rate, hz) at the step of the spectrum that is nearest to " +
      "hz, in the unit of x; otherwise as fft_peak" },
];
