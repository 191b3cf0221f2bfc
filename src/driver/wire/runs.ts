/** Fields that are read together; `end` is past the last place of them. */
export interface Run<F> {
  readonly fields: F[];
  end: number;
}

/**
 * Fields in the order of their places, as few runs: `joins` says whether the next one belongs to
 * the run that `first` begins and that reaches to `end`.
 */
export function runsOf<F>(
  fields: readonly F[], endOf: (field: F) => number,
  joins: (first: F, end: number, next: F) => boolean,
): Run<F>[] {
  const runs: Run<F>[] = [];
  for (const field of fields) {
    const run = runs.at(-1);
    if (run === undefined || !joins(run.fields[0]!, run.end, field)) {
      runs.push({ fields: [field], end: endOf(field) });
      continue;
    }
    run.fields.push(field);
    run.end = Math.max(run.end, endOf(field));
  }
  return runs;
}
