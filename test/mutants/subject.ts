import { type Case, caseOf } from "../sql/differential.ts";
import { joinOf } from "../sql/joined.ts";

/**
 * The program of a seed; null if the binder refuses it. Expressions are one operator deep: what
 * stands deep inside others is seldom seen through them.
 */
export const subjectOf = (seed: number): Case | null =>
  (seed % 4 === 3 ? joinOf(seed) : caseOf(seed, 1));

/** What is asked of the process that runs changed kernels (judge.ts); it answers yes or no. */
export type Question = { readonly seed: number } & (
  | { readonly what: "lively" }
  | {
    readonly what: "found"; readonly at: number; readonly text: string;
    /** Sets of rows. */
    readonly from: number; readonly to: number;
  });
