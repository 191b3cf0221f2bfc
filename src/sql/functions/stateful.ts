import type { Site } from "../stateful/site.ts";
import type { Parameters } from "./record.ts";

/** A text for the manual and a test: rows a second apart, the column `x` and the results. */
export interface RowsExample {
  readonly call: string;
  readonly x: readonly string[];
  readonly gives: readonly string[];
}

/**
 * A function with state: it sees every row of its stream in order, before WHERE and windows. One
 * call site is one state, or one for each key of its PARTITION BY. Where WHEN is not true the
 * state stays as it is.
 */
export interface StatefulFunction {
  readonly name: string;
  readonly also?: readonly string[];
  /** `functions/record.ts`; `d` is a number that must be finite. */
  readonly parameters: Parameters;
  /** `value`: the type of its first argument that is no switch, and of a default. */
  readonly result: "float64" | "int53" | "bool" | "text" | "value";
  /** Bytes of a text result at most. */
  readonly slot?: number;
  /** How it is called, for the manual. */
  readonly usage: string;
  readonly doc: string;
  /** Where the formula is from. */
  readonly source: string;
  readonly example: RowsExample;
  /** By the place of an argument that must be written out: what is wrong with it there, or null. */
  readonly constants?: Readonly<Record<number, (value: unknown) => string | null>>;
  /**
   * Why it may not stand in a rule on the way to a write (W8): its result depends on every row
   * since the start ("endless"), it puts a value in the place of a missing one ("hides"), or
   * nothing was measured ("drawn").
   */
  readonly unsafe?: "endless" | "hides" | "drawn";
  /** The lines that work on one row; definitions go to the site's code before them. */
  emit(site: Site): string[];
}
