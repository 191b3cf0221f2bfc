import type { Case, Done } from "./differential.ts";
import type { Feature } from "./features.ts";

/** State of one program (bytes) past which `check` would refuse it on a small gateway. */
const state_bytes_max = 32 << 20;
/** Cases between two turns of the event loop: what is only held weakly lives until the next. */
const cases_per_turn = 20;

/** Cases of how many features, by group and name. */
export type Counts = Record<string, Record<string, number>>;

function count(counts: Counts, [group, name]: Feature, by = 1): void {
  const named = counts[group] ??= {};
  named[name] = (named[name] ?? 0) + by;
}

/** Cases of some seeds, and rows that the reference gave. */
export interface Compared {
  cases: number;
  refused: number;
  tooLarge: number;
  rows: number;
  readonly counts: Counts;
}

export const nothing = (): Compared =>
  ({ cases: 0, refused: 0, tooLarge: 0, rows: 0, counts: {} });

export function add(all: Compared, some: Compared): void {
  for (const name of ["cases", "refused", "tooLarge", "rows"] as const) all[name] += some[name];
  for (const [group, named] of Object.entries(some.counts)) {
    for (const [name, n] of Object.entries(named)) count(all.counts, [group, name], n);
  }
}

/** Runs the cases of some seeds by generated code and by the reference; `each` compares them. */
export async function compare(
  seeds: readonly number[], caseOf: (seed: number) => Case | null,
  each: (one: Case, actual: Done, expected: Done) => void,
): Promise<Compared> {
  const compared = nothing();
  for (const [i, seed] of seeds.entries()) {
    if (i % cases_per_turn === 0) await new Promise((done) => setImmediate(done));
    const one = caseOf(seed);
    if (one === null) compared.refused += 1;
    else if (bytesOf(one) > state_bytes_max) compared.tooLarge += 1;
    else compareOne(one, compared, each);
  }
  return compared;
}

function compareOne(
  one: Case, compared: Compared, each: (one: Case, actual: Done, expected: Done) => void,
): void {
  const expected = one.expected(one.seed), actual = one.run(one.program, one.seed);
  each(one, actual, expected);
  compared.cases += 1;
  compared.rows += expected.rows.length;
  for (const feature of one.features) count(compared.counts, feature);
  if (one.restarts > 0) count(compared.counts, ["with", "restart"]);
}

const bytesOf = ({ program }: Case): number =>
  program.stages.reduce((sum, { stateBytes }) => sum + stateBytes, 0);

/** A line for each group: what most cases have first. */
export function shown(counts: Counts): string {
  return Object.entries(counts).map(([group, named]) => `${group}: ` +
    Object.entries(named).toSorted((a, b) => b[1] - a[1])
      .map(([name, n]) => `${name} ${n}`).join(", ")).join("\n");
}
