import { assert, never } from "../../src/base.ts";
import { ABSENT, BAD, type Dyn, DynWriter, ERROR, GOOD, NULL, UNCERTAIN } from "../../src/ring.ts";
import type { Bound, BoundBinaryOp, BoundCall, BoundHits, BoundType } from "../../src/sql/bound.ts";
import { scalarFunctions } from "../../src/sql/functions.ts";
import { parseTime } from "../../src/sql/types.ts";
import { exactly, oneZero, openCast, OpenError, opened, openNarrow, openOrder } from "./open.ts";

export type Value = Dyn;

/** A value with its state, as bound.ts says what both mean. */
export interface Cell {
  readonly value: Value;
  readonly state: number;
}

/** One row of plain cells, by column. */
export interface Row {
  readonly time: number;
  /** When its source says that it was; a row of a window says nothing. */
  readonly source?: number | undefined;
  /** When it came, where `time` is that of an event. */
  readonly oldest?: number;
  readonly flags: number;
  /** Rows before it were not read. */
  readonly isAfterGap?: boolean;
  readonly cells: ReadonlyMap<string, Cell>;
  /** Of a query over several inputs: the cells of each that the row has something of. */
  readonly parts?: readonly (ReadonlyMap<string, Cell> | undefined)[];
}

/** What the leaves of an expression are, at one moment. */
export interface Leaves {
  column(input: number, name: string): Cell;
  newest(index: number): Cell;
  aggregate(index: number): Cell;
  infer(index: number, output: number): Cell;
  window(which: "start" | "end"): number;
  hits(node: BoundHits): number;
  /** Engine time when the row is worked on. */
  readonly time: number;
  /** Engine time when the rule began. */
  readonly began: number;
  /** Expressions whose cells are known already: the keys of a group. */
  readonly seed: ReadonlyMap<Bound, Cell>;
}

export const good = (value: Value): Cell => ({ value, state: GOOD });
export const failed = (state: number): Cell => ({ value: null, state });
export const nothing: Cell = { value: null, state: NULL };

export const hasValue = ({ state }: Cell): boolean => state < 64;
const isError = ({ state }: Cell): boolean => state >= 194;

export const worst = (...cells: readonly Cell[]): number =>
  Math.max(GOOD, ...cells.map((c) => c.state));

const room = new Uint8Array(1 << 17);

/**
 * What becomes of a value in a cell: one of no fixed type that is too long for it is an error, and
 * there is one zero in it.
 */
export function stored(cell: Cell, { kind, slot }: BoundType): Cell {
  if (kind !== "dyn" || !hasValue(cell)) return cell;
  return new DynWriter().write(room, 0, slot, cell.value) < 0 ? failed(ERROR.length)
    : { value: oneZero(cell.value), state: cell.state };
}

/** A cell where NULL has been read as FALSE: no longer NULL, and no longer fully trusted. */
const trusted = (cell: Cell): number =>
  hasValue(cell) || isError(cell) ? cell.state : UNCERTAIN.skipped;

/** The slow meaning of an expression. `memo` holds what was computed for this row. */
export function evaluate(node: Bound, leaves: Leaves, memo = new Map(leaves.seed)): Cell {
  const known = memo.get(node);
  if (known !== undefined) return known;
  const cell = compute(node, leaves, (child) => evaluate(child, leaves, memo));
  memo.set(node, cell);
  return cell;
}

function compute(node: Bound, leaves: Leaves, of: (node: Bound) => Cell): Cell {
  switch (node.kind) {
    case "column": return leaves.column(node.input, node.name);
    case "newest": return leaves.newest(node.index);
    case "aggregate": return leaves.aggregate(node.index);
    case "infer": return leaves.infer(node.index, node.output);
    case "number": throw new Error("bug: a row's number is worked out before its columns");
    case "stateful": throw new Error("bug: a call with state is worked out before the row's rest");
    case "window": return good(leaves.window(node.which));
    case "cell": {
      const cell = of(node.operand);
      if (node.which === "state") return good(cell.state);
      const kept = cell.state >= 64 && cell.state < 192 && cell.state !== BAD.initial;
      return kept ? { value: cell.value, state: UNCERTAIN.stale } : cell;
    }
    case "hits": return good(leaves.hits(node));
    case "clock": return good(node.which === "now" ? leaves.time : leaves.began);
    case "literal": return node.value === null ? nothing : good(node.value);
    case "unary": {
      const operand = of(node.operand);
      if (!hasValue(operand)) return operand;
      if (node.op === "not") return { value: !operand.value, state: operand.state };
      if (node.type.kind === "float64") {
        return { value: -(operand.value as number), state: operand.state };
      }
      return whole(typeof operand.value === "bigint" ? -operand.value
        : 0 - (operand.value as number), operand.state);
    }
    case "binary": {
      if (node.op === "and" || node.op === "or") {
        return junction(node.op, of(node.left), () => of(node.right));
      }
      const [left, right] = [of(node.left), of(node.right)];
      if (node.left.type.kind === "dyn") {
        return node.type.kind === "bool" ? comparedOpen(node.op, left, right)
          : openArithmetic(node.op, left, right);
      }
      return node.type.kind === "bool" ? compared(left, right,
        (a, b) => holds(node.op, order(a, b)))
        : arithmetic(node.op, left, right, node.type.kind === "float64");
    }
    case "in": {
      const operand = of(node.operand);
      const items = node.items.map(of);
      const state = Math.max(trusted(operand), ...items.map(trusted));
      if (state >= 194) return failed(state);
      const same = (a: Value, b: Value): boolean => (node.operand.type.kind === "dyn"
        ? openOrder(a, b) === 0 : order(a, b) === 0);
      const hit = hasValue(operand) && items.some((i) => hasValue(i)
        && same(operand.value, i.value));
      const sure = hasValue(operand) && items.every(hasValue);
      return { value: node.negated ? sure && !hit : hit, state };
    }
    case "like": return compared(of(node.operand), of(node.pattern),
      (text, pattern) => likePattern(pattern as string).test(text as string) !== node.negated);
    case "isnull": {
      const operand = of(node.operand);
      if (isError(operand)) return operand;
      if (!hasValue(operand)) return good(!node.negated);
      return { value: node.negated, state: operand.state };
    }
    case "case": {
      let state: number = GOOD;
      for (const { when, then } of node.whens) {
        const condition = of(when);
        if (isError(condition)) return failed(condition.state);
        state = Math.max(state, trusted(condition));
        if (condition.value === true && hasValue(condition)) return raised(of(then), state);
      }
      return raised(of(node.otherwise), state);
    }
    case "cast": {
      const operand = of(node.operand);
      const [from, to] = [node.operand.type.kind, node.type.kind];
      if (!hasValue(operand)) return operand;
      if (to === "dyn") return opened(operand, from);
      if (node.exact && isRounded(operand)) return failed(ERROR.overflow);
      return from === "dyn" ? closed(operand, node.type, openCast)
        : cast(operand, from, to, node.type.slot);
    }
    case "narrow": {
      const operand = of(node.operand);
      if (!hasValue(operand)) return operand;
      return node.exact && isRounded(operand) ? failed(ERROR.overflow)
        : closed(operand, node.type, openNarrow);
    }
    case "coalesce": return node.args.map(of).find((arg) => hasValue(arg) || isError(arg))
      ?? nothing;
    case "call": return call(node, node.args.map(of));
    default: return never(node, "expression");
  }
}

/** The same value, no better than `state`. */
const raised = (cell: Cell, state: number): Cell =>
  ({ value: cell.value, state: Math.max(cell.state, state) });

function junction(op: "and" | "or", left: Cell, right: () => Cell): Cell {
  const truth = (cell: Cell): Cell => isError(cell) ? cell
    : { value: hasValue(cell) && cell.value === true, state: trusted(cell) };
  const l = truth(left);
  if (isError(l) || l.value === (op === "or")) return l;
  return raised(truth(right()), l.state);
}

function compared(left: Cell, right: Cell, test: (a: Value, b: Value) => boolean): Cell {
  const state = Math.max(trusted(left), trusted(right));
  if (state >= 194) return failed(state);
  return { value: hasValue(left) && hasValue(right) && test(left.value, right.value), state };
}

function comparedOpen(op: BoundBinaryOp, left: Cell, right: Cell): Cell {
  const state = Math.max(trusted(left), trusted(right));
  if (state >= 194) return failed(state);
  if (!hasValue(left) || !hasValue(right)) return { value: false, state };
  const sign = openOrder(left.value, right.value);
  const unordered = typeof left.value === "boolean" && op !== "=" && op !== "!=";
  return sign === null || unordered ? failed(ERROR.type) : { value: holds(op, sign), state };
}

function openArithmetic(op: BoundBinaryOp, left: Cell, right: Cell): Cell {
  const state = worst(left, right);
  if (state >= 64) return failed(state);
  const { value: a } = left, { value: b } = right;
  const numeric = (value: Value): boolean => typeof value === "number" || typeof value === "bigint";
  if (!numeric(a) || !numeric(b)) return failed(ERROR.type);
  return arithmetic(op, left, right, typeof a === "number" || typeof b === "number");
}

/** A value of a dyn cell as one of a fixed kind, by what `to` gives for it. */
function closed(
  { value, state }: Cell, type: BoundType, to: (kind: string, value: Dyn) => Dyn | OpenError,
): Cell {
  const made = to(type.kind, value);
  if (made instanceof OpenError) return failed(made.state);
  const long = typeof made === "string" || made instanceof Uint8Array;
  return long && Buffer.byteLength(made) > type.slot ? failed(ERROR.length)
    : { value: made, state };
}

/** −1, 0, 1, or NaN where there is no order; text by its bytes. */
export function order(a: Value, b: Value): number {
  if (typeof a === "string" && typeof b === "string") {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  if (typeof a === "object" || typeof b === "object") return exactly(a) === exactly(b) ? 0 : NaN;
  const [x, y] = [a, b] as [number, number];
  return x < y ? -1 : x > y ? 1 : x === y ? 0 : NaN;
}

function holds(op: BoundBinaryOp, sign: number): boolean {
  switch (op) {
    case "=": return sign === 0;
    case "!=": return sign !== 0;
    case "<": return sign < 0;
    case "<=": return sign <= 0;
    case ">": return sign > 0;
    case ">=": return sign >= 0;
    default: throw new Error(`bug: ${op} compares nothing`);
  }
}

function whole(value: number | bigint, state: number): Cell {
  if (typeof value === "bigint") {
    return BigInt.asIntN(64, value) === value ? { value, state } : failed(ERROR.overflow);
  }
  return Number.isSafeInteger(value) ? { value: value + 0, state } : failed(ERROR.overflow);
}

function arithmetic(op: BoundBinaryOp, left: Cell, right: Cell, float: boolean): Cell {
  const state = worst(left, right);
  if (state >= 64) return failed(state);
  const { value: a } = left, { value: b } = right;
  if ((op === "/" || op === "%") && Number(b) === 0) return failed(ERROR.zero);
  if (float) return { value: floats(op, Number(a), Number(b)), state };
  // Whole numbers are exact here; whether they fit is asked at the end.
  const result = wholes(op, BigInt(a as number), BigInt(b as number));
  if (typeof a === "bigint") return whole(result, state);
  return result <= BigInt(Number.MAX_SAFE_INTEGER) && result >= -BigInt(Number.MAX_SAFE_INTEGER)
    ? { value: Number(result), state } : failed(ERROR.overflow);
}

function floats(op: BoundBinaryOp, a: number, b: number): number {
  switch (op) {
    case "+": return a + b;
    case "-": return a - b;
    case "*": return a * b;
    case "/": return a / b;
    case "%": return a % b;
    default: throw new Error(`bug: ${op} of floats`);
  }
}

function wholes(op: BoundBinaryOp, a: bigint, b: bigint): bigint {
  switch (op) {
    case "+": return a + b;
    case "-": return a - b;
    case "*": return a * b;
    case "/": return a / b;
    case "%": return a % b;
    case "&": return a & b;
    case "|": return a | b;
    case "^": return a ^ b;
    default: throw new Error(`bug: ${op} of whole numbers`);
  }
}

/** `%` any text, `_` one character, a backslash takes what follows as it is. */
function likePattern(pattern: string): RegExp {
  let source = "";
  const characters = [...pattern];
  for (let i = 0; i < characters.length; i++) {
    const c = characters[i]!;
    if (c === "%") source += "[^]*";
    else if (c === "_") source += "[^]";
    else {
      const literal = c === "\\" && i + 1 < characters.length ? characters[++i]! : c;
      source += literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
    }
  }
  return new RegExp(`^${source}$`, "u");
}

function cast(from: Cell, kind: string, to: string, slot: number): Cell {
  const { value, state } = from;
  if (kind === to) return from;
  if (kind === "text" && to === "bytes") return closed(from, { kind: to, slot }, openCast);
  if (kind === "text") return fromText(value as string, to, state);
  if (kind === "bytes") return { value: Buffer.from(value as Uint8Array).toString(), state };
  switch (to) {
    case "text": {
      const text = kind === "time" ? new Date(value as number).toISOString()
        : typeof value === "number" ? JSON.stringify(value) : String(value);
      return Buffer.byteLength(text) <= slot ? { value: text, state } : failed(ERROR.length);
    }
    case "bool": return { value: Number(value) !== 0, state };
    case "float64": case "time": return { value: Number(value), state };
    default: {
      if (typeof value === "number" && !Number.isFinite(value)) return failed(ERROR.number);
      const exact = BigInt(typeof value === "number" ? Math.trunc(value) : value as bigint
        | boolean);
      if (to === "int64") return whole(exact, state);
      return Number.isSafeInteger(Number(exact)) ? { value: Number(exact), state }
        : failed(ERROR.overflow);
    }
  }
}

function fromText(text: string, to: string, state: number): Cell {
  if (to === "time") {
    const time = parseTime(text);
    return time === null ? failed(ERROR.parse) : { value: time, state };
  }
  if (to === "bool") {
    if (["true", "1"].includes(text)) return { value: true, state };
    return ["false", "0"].includes(text) ? { value: false, state } : failed(ERROR.parse);
  }
  if (to === "int64") {
    return /^\s*[+-]?\d{1,20}\s*$/.test(text) ? whole(BigInt(text.trim().replace("+", "")), state)
      : failed(ERROR.parse);
  }
  const number = Number(text);
  if (Number.isNaN(number)) return failed(ERROR.parse);
  return to === "float64" ? { value: number, state }
    : cast({ value: number, state }, "float64", to, 0);
}

/** A whole number that would be another as a float or a time. */
const isRounded = ({ value }: Cell): boolean =>
  typeof value === "bigint" && !Number.isSafeInteger(Number(value));

function call(node: BoundCall, args: readonly Cell[]): Cell {
  const fn = scalarFunctions.get(node.fn);
  assert(fn !== undefined, `no function ${node.fn}`);
  const state = fn.nulls === "sees" ? Math.max(GOOD, ...args.map(trusted)) : worst(...args);
  if (state >= 64) return failed(state);
  const values = args.map((arg) => (hasValue(arg) ? arg.value : null));
  const result = fn.body(...values as never[]);
  if (result === undefined) return failed(ERROR.argument);
  if (result === null) return nothing;
  if (node.type.kind === "dyn") {
    // No longer than its cell would be, though it stands in none.
    const cell = { value: result, state };
    return hasValue(stored(cell, node.type)) ? cell : failed(ERROR.length);
  }
  if (typeof result === "string" || result instanceof Uint8Array) {
    return Buffer.byteLength(result) <= node.type.slot ? { value: result, state }
      : failed(ERROR.length);
  }
  if (typeof result === "number" && Number.isNaN(result)) {
    return fn.nan === "null" ? nothing : failed(ERROR.number);
  }
  const infinite = result === Infinity || result === -Infinity;
  if (infinite && node.type.kind === "float64" && fn.infinite !== true) return failed(ERROR.number);
  return node.type.kind === "int53" ? whole(result as number, state) : { value: result, state };
}

/** True if a row passes the condition; null if the condition itself failed. */
export function passes(condition: Bound | null, leaves: Leaves): boolean | null {
  if (condition === null) return true;
  const cell = evaluate(condition, leaves);
  if (isError(cell)) return null;
  return hasValue(cell) && cell.value === true;
}

export const absent: Cell = { value: null, state: ABSENT };
