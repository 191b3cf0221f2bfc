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
 * Event time, slowly: after each row everything is looked at anew. `rows` in order of arrival; of
 * several streams event time is that of the one furthest behind.
 */
export function ordered(
  rows: readonly Row[], event: (row: Row) => number | null, late_ms: number, streams = 1,
): Ordered {
  const taken: Row[] = [], given: Row[] = [];
  const newest = (stream: number): number => Math.max(-Infinity, ...taken
    .filter(({ parts }) => (parts ?? [{}]).findIndex((part) => part !== undefined) === stream)
    .map(({ time }) => time));
  let watermark = -Infinity, late = 0, errors = 0;
  for (const row of rows) {
    const value = event(row);
    if (value === null || !Number.isFinite(value)) {
      errors += 1;
    } else if (late_ms > 0 ? value <= watermark : value < watermark) {
      late += 1;
    } else {
      taken.push({ ...row, time: value, oldest: row.time });
      watermark = Math.min(...Array.from({ length: streams }, (_, i) => newest(i))) - late_ms;
      const due = taken.filter((one) => one.time <= watermark && !given.includes(one));
      given.push(...due.toSorted((a, b) => a.time - b.time));
    }
  }
  return { rows: given, watermark, late, errors };
}
