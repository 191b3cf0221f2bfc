import { type Case, caseFor, queryOf } from "../sql/differential.ts";
import { joinOf } from "../sql/joined.ts";

/**
 * The program of a seed; null if the binder refuses it. Expressions are one operator deep: what
 * stands deep inside others is seldom seen through them. Beside the first it has others, of the
 * same query, with other rows, by event time or not, on the way to a write or not.
 */
export function subjectOf({ seed, variant }: Subject): Case | null {
  const of = (seed + Math.imul(variant, 0x9e3779b1)) >>> 0;
  return seed % 4 === 3 ? joinOf(seed, of) : caseFor(of, queryOf(seed, 1));
}

export interface Subject {
  readonly seed: number;
  /** 0: the first one. */
  readonly variant: number;
}

/** What is asked of the process that runs changed kernels (judge.ts); it answers yes or no. */
export type Question = Subject & (
  | { readonly what: "lively" }
  | {
    readonly what: "found"; readonly at: number; readonly text: string;
    /** Sets of rows. */
    readonly from: number; readonly to: number;
  });
