/** One figure of `bun run bench`, printed as one line of JSON. */
export interface Figure {
  readonly bench: string;
  readonly metric: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  readonly baseline: string;
  /** Ours over the baseline's, median of the rounds; null without baseline. */
  readonly ratio: number | null;
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}
