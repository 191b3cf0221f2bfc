import type { ColumnKind, Dyn } from "../../ring.ts";

/**
 * What a function takes, one letter a parameter:
 * `n` number · `d` number, taken as float · `i` whole number · `u` whole number ≥ 0 · `s` text ·
 * `y` text or bytes · `k` whole number or text · `b` boolean · `B` TRUE or FALSE written out ·
 * `t` time · `v` a value of any kind · `l` array · `o` object, all three as one of no fixed
 * type (`Dyn`) · `c` text or array · `a` anything · `f` a field's name · `T` the name of a type ·
 * `*` anything or `*`;
 * after `?` they may be left out, `+` repeats the last.
 */
export type Parameters = string;

export type FunctionValue = Dyn | undefined;

/** An argument as far as the binder knows it. */
export interface ArgumentType {
  readonly kind: ColumnKind;
  readonly slot: number;
  /** Its value, where it is a constant. */
  readonly constant: unknown;
}

/** (x − `minus`) × `times` / `over` + `plus`. */
export interface Line {
  readonly minus: number;
  readonly times: number;
  readonly over: number;
  readonly plus: number;
}

/** A plain function of its arguments: no state, the same answer always. */
export type ScalarFunction = Plain & (Refusing | Answering);

/**
 * A body takes whole numbers, floats and times as number, text as string, bytes as Uint8Array.
 * It returns null for NULL, and is called with NULL only if `nulls` is "sees".
 */
interface Refusing {
  /**
   * The body returns undefined for what it does not take: `ERROR.argument`. "constants": only where
   * `constants` finds a fault, so never in an argument that is written out.
   */
  readonly refuses: true | "constants";
  readonly body: (...args: never[]) => FunctionValue;
}

interface Answering {
  readonly refuses?: undefined;
  readonly body: (...args: never[]) => Dyn;
}

interface Plain {
  readonly name: string;
  readonly also?: readonly string[];
  readonly parameters: Parameters;
  /** `same`: int53 if the first argument is a whole number, else float64. */
  readonly result: "float64" | "int53" | "bool" | "time" | "text" | "bytes" | "same" | "dyn";
  /** Names of the parameters for the manual, where their types do not say enough. */
  readonly takes?: string;
  readonly doc: string;
  /** Expression and its value as SQL: both a text for the manual and a test. */
  readonly examples: readonly (readonly [string, string])[];
  /** The same as JavaScript, `$0` … being the arguments; only for numbers. */
  readonly inline?: string;
  /** "null" (where left out): NULL as soon as one argument is. "sees": the body is given null. */
  readonly nulls?: "null" | "sees";
  /** What a NaN that the body returns means; where left out, ERROR.number. */
  readonly nan?: "null" | "error";
  /** A result may be ±∞; of other functions that is ERROR.number. */
  readonly infinite?: true;
  /**
   * Bytes of a result with a slot at most; where left out, those of the first argument, of a `dyn`
   * those of all together.
   */
  readonly slot?: (args: readonly ArgumentType[]) => number;
  /** The result is a part of the first argument, and so has room where that had. */
  readonly part?: true;
  /**
   * The body takes a time before the arguments of the call: engine time as the row is worked on,
   * that at which the rule began, or the row's own, which is the end of its window if it has one.
   */
  readonly clock?: "now" | "began" | "row";
  /** Behind that time it takes so many whole numbers of 52 bits, drawn at random for each row. */
  readonly draws?: number;
  /** The last parameter, which may be left out, is a time zone; `convert_tz` can set it too. */
  readonly zoned?: true;
  /** By the place of an argument: what is wrong with a constant there, or null. */
  readonly constants?: Readonly<Record<number, (value: string | number) => string | null>>;
  /**
   * What the function is with these constants, or what is wrong with them together; null: they are
   * none.
   */
  readonly line?: (args: readonly ArgumentType[]) => Line | string | null;
}
