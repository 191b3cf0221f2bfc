import type { ColumnKind, ColumnSpec } from "../ring.ts";
import type { JoinKind } from "./ast.ts";
import type { UserFunctions } from "./rewrite/inline.ts";
import type { Span } from "./fault.ts";

/**
 * A query after names, types and aliases are worked out: what planner, emitter and reference read.
 * Operands are reconciled: both sides of an operator have the same kind, by explicit `cast` nodes.
 * An alias used twice is the same object twice: the tree is a DAG, and identity means "the same
 * value".
 *
 * What value and state every node has:
 * - State s: < 64 there is a value; 64..193 reads as NULL, the reason is kept; ≥ 194 error. The
 *   worst
 *   state is the largest number.
 * - Arithmetic, casts, calls: the worst of the arguments, or an own error. Division by zero is
 *   `ERROR.zero`, also for floats; an int53 past 2^53 − 1 is `ERROR.overflow`; int `/` truncates;
 *   `%` has the dividend's sign.
 * - Comparison, IN, LIKE: an operand that reads as NULL makes it FALSE (also negated), with at
 *   least UNCERTAIN.skipped; an error stays an error.
 * - AND, OR: left first; an operand that reads as NULL is FALSE with at least UNCERTAIN.skipped;
 *   what
 *   the left decides is not looked at on the right. NOT of NULL is NULL.
 * - CASE: conditions in order as AND reads them; worst of the conditions evaluated and the value
 *   taken.
 * - A function with state sees every row of the stream in order, before WHERE and windows; where
 *   its WHEN is not TRUE with a value its state stays as it is. `functions/stateful.ts`.
 * - Of no fixed type (`dyn`): arithmetic is that of floats, of whole numbers of 64 bits if both
 *   are; numbers compare by what they are worth; another kind than the operation takes is
 *   `ERROR.type`, as is comparing structures. `functions/access.ts` has fields, items, slices.
 * - IS NULL: TRUE and good if it reads as NULL, else FALSE with the operand's state.
 * - WHERE, HAVING, FILTER pass if TRUE with a value; an error drops the row and is counted.
 */
export interface BoundQuery {
  readonly sql: string;
  readonly inputs: readonly BoundInput[];
  /** How each input after the first is joined, in their order. */
  readonly joins: readonly BoundJoin[];
  readonly newest: readonly BoundNewest[];
  readonly where: Bound | null;
  readonly window: BoundWindow | null;
  readonly groupBy: readonly Bound[];
  /** Groups at most: a power of two. */
  readonly groups: number;
  /**
   * For one more key the group gives way whose newest row is the oldest: the new one has its place
   * among them. Else rows of more keys are refused.
   */
  readonly evicts: boolean;
  readonly having: Bound | null;
  readonly select: readonly BoundField[];
  /** Columns written out in place of one of the same name that is written out, too. */
  readonly repeated: readonly { readonly name: string; readonly span: Span }[];
  /**
   * What is done with all rows of a closed window that pass HAVING, in this order: they are
   * numbered; of rows with equal columns the first is left; they are put in order; the first
   * `limit` are left.
   */
  readonly numbers: readonly BoundNumber[];
  readonly distinct: boolean;
  readonly orderBy: readonly BoundOrder[];
  readonly limit: number | null;
  readonly aggregates: readonly BoundAggregate[];
  readonly infers: readonly BoundInfer[];
  /** Calls of functions with state; one inside another's arguments comes before it. */
  readonly stateful: readonly BoundStateful[];
  /**
   * True if rows are folded into groups: aggregates or GROUP BY. Without a window each row that
   * passes WHERE gives one, of its group so far.
   */
  readonly aggregated: boolean;
  /**
   * The select list is `$list` and `$rest`: each item of the array is a row of one column `*`, an
   * object of the fields of `$rest` and those of the item, which win. An item that is no object is
   * a field of this name. What reads as NULL gives no row; what is no array fails. Null: no such.
   */
  readonly expand: string | null;
}

export interface BoundInput {
  readonly name: string;
  readonly alias: string;
  readonly streams: readonly string[];
  /** Several streams seen as one, with a text column `device`. */
  readonly fanIn: boolean;
  /** The columns that the query uses, in the order of first use. */
  readonly columns: readonly ColumnSpec[];
  /** It is no stream but a table; `streams` is then empty. */
  readonly table: CatalogTable | null;
  /** It is what a query of its own gives, the first input only; `streams` is then empty. */
  readonly query: BoundQuery | null;
  /** Its place in FROM or JOIN. */
  readonly span: Span;
}

/**
 * `inner`, `left`, `cross`, and between streams also `right` and `full`, over what stands before it
 * and one more input. Rows of a window are joined when it closes. A lookup gives each row what its
 * table says for `key`: at most one row. A key that reads as NULL finds nothing.
 */
export interface BoundJoin {
  readonly kind: JoinKind;
  /** Index in `inputs`. */
  readonly input: number;
  /** Of a lookup only what is left beside its key. */
  readonly on: Bound | null;
  /** What a lookup table is asked for, of the kind of its key column; null = no lookup. */
  readonly key: Bound | null;
  /** With a table that is read as a whole: each row meets all of its rows, without a window. */
  readonly scan: boolean;
  readonly asof: BoundAsof | null;
  readonly span: Span;
}

/**
 * A row of the inputs before it gets the newest row of this one that is not newer and at most
 * `tolerance_ms` older, and has the same keys: pairs of one kind, none of which reads as NULL. ON
 * is nothing else.
 */
export interface BoundAsof {
  readonly tolerance_ms: number;
  readonly keys: readonly { readonly left: Bound; readonly right: Bound }[];
}

export interface BoundNewest {
  /** `device.tag` */
  readonly tag: string;
  readonly stream: string;
  readonly column: ColumnSpec;
  readonly pollMs: number | null;
}

/** `filter` acts before the window. */
export type BoundWindow = { readonly filter: Bound | null; readonly span: Span } & (
  | { readonly kind: "tumbling"; readonly length_ms: number }
  | { readonly kind: "hopping"; readonly length_ms: number; readonly hop_ms: number }
  | { readonly kind: "count"; readonly rows: number; readonly every: number }
  /** `when`: rows where it is not TRUE close no window. */
  | { readonly kind: "sliding"; readonly length_ms: number; readonly delay_ms: number;
      readonly when: Bound | null }
  | { readonly kind: "session"; readonly most_ms: number; readonly timeout_ms: number }
  /** `partitionBy`: each key has a window of its own. */
  | { readonly kind: "state"; readonly begin: Bound; readonly emit: Bound | null;
      readonly partitionBy: readonly Bound[] });

/** True if each row counts in the window or closes one, and WHERE comes after it. */
export const afterRows = ({ kind }: BoundWindow): boolean => kind === "count" || kind === "sliding";

/** Conditions of the window itself. */
export function windowConditions(window: BoundWindow | null): Bound[] {
  if (window?.kind === "sliding") return window.when === null ? [] : [window.when];
  if (window?.kind !== "state") return [];
  return window.emit === null ? [window.begin] : [window.begin, window.emit];
}

/** All that a window itself reads of a row, beside its FILTER. */
export function windowReads(window: BoundWindow | null): Bound[] {
  return [...windowConditions(window), ...(window?.kind === "state" ? window.partitionBy : [])];
}

export interface BoundField {
  readonly name: string;
  readonly expr: Bound;
  readonly invisible: boolean;
}

export type AggregateName =
  | "sum" | "avg" | "min" | "max" | "count" | "stddev" | "stddevs" | "var" | "vars" | "last"
  | "first" | "rms" | "percentile_cont" | "percentile_disc" | "fft_peak" | "fft_magnitude"
  | Gathering;

/** Aggregates that give the values themselves: the argument is `dyn`, as is the result. */
export type Gathering =
  /** An array of them. */
  | "collect"
  /** One object of all fields, of equal names the last; NULL if one is no object. */
  | "merge_agg"
  /** Of pairs [key, row] an array of the rows whose key comes first in them. */
  | "deduplicate"
  /** Of pairs the last row, if its key comes first in it. */
  | "newest_distinct"
  /** An array of the values without those that are the same as one before, or their number. */
  | "distinct" | "count_distinct";

const gatherings: readonly string[] = ["collect", "merge_agg", "deduplicate", "newest_distinct",
  "distinct", "count_distinct"];

export const gathers = (fn: AggregateName): fn is Gathering => gatherings.includes(fn);

/** True if the result cannot be had from sums: the window keeps its rows. */
export const needsRows = (fn: AggregateName): boolean =>
  isQuantile(fn) || isSpectral(fn) || gathers(fn);

export const isQuantile = (fn: AggregateName): boolean =>
  fn === "percentile_cont" || fn === "percentile_disc";

export const isSpectral = (fn: AggregateName): boolean =>
  fn === "fft_peak" || fn === "fft_magnitude";

export interface BoundAggregate {
  readonly fn: AggregateName;
  /** null = count(*). */
  readonly arg: Bound | null;
  /**
   * Whether an input that reads as NULL is left out. False only for `first` and `last`, which also
   * are the value of a bare column: that of the group's first row, without a window of its newest.
   */
  readonly skipsNull: boolean;
  /**
   * Of percentiles a fraction, 0 … 1: the argument is float64, NaN comes after all other values. Of
   * a spectrum the rows a second, and the frequency that is looked at (Hz).
   */
  readonly settings?: readonly number[];
  readonly type: BoundType;
  readonly span: Span;
}

export interface BoundInfer {
  readonly model: string;
  /** All float64. */
  readonly args: readonly Bound[];
  readonly span: Span;
}

/** `slot` is 0 for the kinds of 8 bytes. */
export interface BoundType {
  readonly kind: ColumnKind;
  readonly slot: number;
}

export type BoundBinaryOp =
  | "+" | "-" | "*" | "/" | "%" | "&" | "|" | "^"
  | "=" | "!=" | "<" | "<=" | ">" | ">=" | "and" | "or";

interface Typed {
  readonly type: BoundType;
  readonly span: Span;
}

export type Bound =
  | BoundColumn | BoundNewestValue | BoundLiteral | BoundUnary | BoundBinary | BoundIn | BoundLike
  | BoundIsNull | BoundCase | BoundCast | BoundNarrow | BoundCoalesce | BoundCall
  | BoundAggregateValue | BoundInferValue | BoundWindowTime | BoundClock | BoundStateful
  | BoundNumber | BoundHits | BoundCell;

export interface BoundColumn extends Typed {
  readonly kind: "column";
  readonly input: number;
  readonly name: string;
}

/** The newest value of `query.newest[index]`. */
export interface BoundNewestValue extends Typed {
  readonly kind: "newest";
  readonly index: number;
}

export interface BoundLiteral extends Typed {
  readonly kind: "literal";
  /** int53, float64, time: number; int64: bigint; null: NULL of the node's type. */
  readonly value: number | bigint | string | boolean | null;
}

export interface BoundUnary extends Typed {
  readonly kind: "unary";
  readonly op: "not" | "neg";
  readonly operand: Bound;
}

export interface BoundBinary extends Typed {
  readonly kind: "binary";
  readonly op: BoundBinaryOp;
  readonly left: Bound;
  readonly right: Bound;
}

export interface BoundIn extends Typed {
  readonly kind: "in";
  readonly operand: Bound;
  /** Of the operand's kind. */
  readonly items: readonly Bound[];
  readonly negated: boolean;
}

export interface BoundLike extends Typed {
  readonly kind: "like";
  readonly operand: Bound;
  readonly pattern: Bound;
  readonly negated: boolean;
}

export interface BoundIsNull extends Typed {
  readonly kind: "isnull";
  readonly operand: Bound;
  readonly negated: boolean;
}

/** Conditions are bool; values are of the node's type. `CASE v WHEN w` has become `v = w`. */
export interface BoundCase extends Typed {
  readonly kind: "case";
  readonly whens: readonly { readonly when: Bound; readonly then: Bound }[];
  /** NULL where the query has no ELSE. */
  readonly otherwise: Bound;
}

/**
 * To `type`. Number to number: float to int truncates (`ERROR.overflow` past the kind's range,
 * `ERROR.number` if not finite); int64 to float64 is the nearest. Number to and from time is
 * milliseconds. bool to number is 0 or 1, number to bool is `<> 0`. To text: as JSON writes it,
 * time as ISO 8601; from text: what `Number` reads, `true`/`false`/`1`/`0`, ISO 8601; else
 * `ERROR.parse`. To and from `dyn`: as from and to the kind that the value is of, `ERROR.cast`
 * where there is no such cast; a structure becomes a text of JSON. Text to bytes is base64, bytes
 * to text UTF-8. `exact`: a whole number that its float does not hold is `ERROR.overflow` instead.
 */
export interface BoundCast extends Typed {
  readonly kind: "cast";
  readonly operand: Bound;
  readonly exact?: true;
}

/**
 * A `dyn` operand as the kind that a place takes, which it must already be: `ERROR.type` if not. A
 * whole number is a float too, a float a whole number if it has no fraction, a time also a number
 * or a text that is one. `exact` as of a cast.
 */
export interface BoundNarrow extends Typed {
  readonly kind: "narrow";
  readonly operand: Bound;
  readonly exact?: true;
}

/**
 * The first argument that has a value or is an error; state of that argument alone. NULL if none.
 */
export interface BoundCoalesce extends Typed {
  readonly kind: "coalesce";
  readonly args: readonly Bound[];
}

/** A plain scalar function; `fn` names its record in `functions`. */
export interface BoundCall extends Typed {
  readonly kind: "call";
  readonly fn: string;
  /**
   * Already of the kinds that the body takes; a whole number past ±(2^53 − 1) that a cast to float
   * or time would make another one is `ERROR.overflow`.
   */
  readonly args: readonly Bound[];
}

export interface BoundAggregateValue extends Typed {
  readonly kind: "aggregate";
  readonly index: number;
}

/** Output `output` of `query.infers[index]`, flattened; always float64. */
export interface BoundInferValue extends Typed {
  readonly kind: "infer";
  readonly index: number;
  readonly output: number;
}

/** `fn` names its record in `statefulFunctions`. */
export interface BoundStateful extends Typed {
  readonly kind: "stateful";
  readonly fn: string;
  readonly args: readonly Bound[];
  readonly partitionBy: readonly Bound[];
  /** Keys at most; a further one has no state, and its rows NULL. */
  readonly keys: number;
  readonly when: Bound | null;
}

/**
 * A key of an order. What reads as NULL comes last, whichever way; NaN is the largest number. The
 * values of a key without a fixed type are of one kind in a window, and no structures: else nobody
 * knows the order, and all rows of the window count as failed. Rows of equal keys keep their order.
 */
export interface BoundOrder {
  readonly expr: Bound;
  readonly descending: boolean;
}

/** `row_number()`: int53, from 1 in each partition of the rows that a window gives. */
export interface BoundNumber extends Typed {
  readonly kind: "number";
  readonly partitionBy: readonly Bound[];
  readonly orderBy: readonly BoundOrder[];
}

/**
 * How often a clause has let something pass before, and the time of the last one (0: none yet);
 * int53. `rows`: rows that come out of a query without a window; `when`: rows on which the
 * condition of a sliding window was TRUE; `windows`: windows that gave a row after HAVING, by their
 * end.
 */
export interface BoundHits extends Typed {
  readonly kind: "hits";
  readonly of: "rows" | "when" | "windows";
  readonly which: "count" | "time";
}

/**
 * Of a column or a newest value its state as a number, always good; or its last value where it is
 * bad, which is then `UNCERTAIN.stale` (if there has been one).
 */
export interface BoundCell extends Typed {
  readonly kind: "cell";
  readonly which: "state" | "raw";
  readonly operand: BoundColumn | BoundNewestValue;
}

/** The query in FROM, which gives what this one reads. */
export const innerOf = ({ inputs }: BoundQuery): BoundQuery | null => inputs[0]?.query ?? null;

/** A query and those inside it. */
export function queriesIn(query: BoundQuery): readonly BoundQuery[] {
  const inner = innerOf(query);
  return inner === null ? [query] : [query, ...queriesIn(inner)];
}

/**
 * True if it may leave rows out by a condition, for want of a partner, or because of a key. The
 * column `device` of several streams is always good.
 */
export const isSelective = (
  { where, window, having, joins, groupBy, inputs }: BoundQuery,
): boolean =>
  [where, window?.filter ?? null, having].some((condition) => condition !== null) ||
  joins.some(({ kind }) => kind !== "left") ||
  groupBy.some((key) => !(key.kind === "column" && key.name === "device" &&
    inputs[key.input]!.fanIn));

/** True if the rows of a closed window are looked at together before they go out. */
export const isArranged = ({ numbers, distinct, orderBy, limit }: BoundQuery): boolean =>
  numbers.length > 0 || distinct || orderBy.length > 0 || limit !== null;

/**
 * `window_start()`, `window_end()`: int53, ms since the epoch. Where there is no window, the end is
 * the row's own time.
 */
export interface BoundWindowTime extends Typed {
  readonly kind: "window";
  readonly which: "start" | "end";
}

/**
 * Engine time of the call that works on the row, the same for all rows of the call; or that at
 * which the rule began.
 */
export interface BoundClock extends Typed {
  readonly kind: "clock";
  readonly which: "now" | "began";
}

/**
 * What the binder may know of the world. Names of streams are `device.group`, a source or a rule.
 */
export interface Catalog {
  stream(name: string): CatalogStream | undefined;
  table?(name: string): CatalogTable | undefined;
  /** Streams whose name fits a pattern with `*`. */
  match(pattern: string): readonly string[];
  device(name: string): boolean;
  tag(device: string, tag: string):
    | { readonly stream: string; readonly column: string; readonly interval_ms: number | null }
    | undefined;
  /** `inputs` null = not known before the model is loaded. */
  model(name: string): { readonly inputs: number | null; readonly outputs: number } | undefined;
  /** Known names, for hints. */
  names(): Iterable<string>;
  /** The rule that the query is of. */
  readonly self?: string;
  /** Of the user's own, by name in small letters; none if left out. */
  readonly functions?: UserFunctions;
}

export interface CatalogTable {
  readonly name: string;
  readonly columns: readonly ColumnSpec[];
  /**
   * The column that rows are asked for by; null: it is read as a whole, and there is a stream of
   * its name.
   */
  readonly key: string | null;
  /** Rows at most. */
  readonly rows: number;
}

export interface CatalogStream {
  readonly name: string;
  readonly columns: readonly ColumnSpec[];
  /** ms between rows, where it is fixed. */
  readonly interval_ms: number | null;
  /** Its rows bear source times. */
  readonly timed?: boolean;
  /** What a message says of itself beside its fields (`meta()`): a column of objects. */
  readonly meta?: ColumnSpec;
  /** Its messages have any fields; what a rule names becomes a column. */
  readonly open?: OpenStream;
}

export interface OpenStream {
  /** Bytes of one value, and of a whole message (`SELECT *`). */
  readonly value_bytes: number;
  readonly message_bytes: number;
}
