import type { Row } from "./value.ts";

/** Rows as a rule that goes by event time sees them, and what it does not see. */
export interface Ordered {
  /** By event time; `oldest` is the time at which a row came. */
  readonly rows: readonly Row[];
  /** −Infinity if no row came. */
  readonly watermark: number;
  readonly late: number;
  /** Rows without a time that can be used. */
  readonly errors: number;
}

/**
 * Event time, slowly: after each row everything is looked at anew. `rows` in order of arrival, each
 * of one of the `streams` that `from` tells; all of them are waited for. Of rows of one time those
 * of streams in `first` come before the others.
 */
export function ordered(
  rows: readonly Row[], event: (row: Row) => number | null, late_ms: number,
  streams = 1, from: (row: Row) => number = () => 0, first: readonly number[] = [],
): Ordered {
  const taken: Row[] = [], given: Row[] = [], seen: { stream: number; time: number }[] = [];
  let watermark = -Infinity, late = 0, errors = 0;
  for (const row of rows) {
    const value = event(row);
    if (value === null || !Number.isFinite(value)) {
      errors += 1;
    } else {
      seen.push({ stream: from(row), time: value });
      if (late_ms > 0 ? value <= watermark : value < watermark) late += 1;
      else taken.push({ ...row, time: value, oldest: row.time });
      const reached = Array.from({ length: streams }, (_, i) =>
        Math.max(...seen.filter(({ stream }) => stream === i).map(({ time }) => time)));
      watermark = Math.max(watermark, Math.min(...reached) - late_ms);
      const due = taken.filter((one) => one.time <= watermark && !given.includes(one));
      const rank = (row: Row): number => (first.includes(from(row)) ? 0 : 1);
      given.push(...due.toSorted((a, b) => a.time - b.time || rank(a) - rank(b)));
    }
  }
  return { rows: given, watermark, late, errors };
}
