import type { ColumnKind } from "../../ring.ts";
import { ERROR, NULL, UNCERTAIN } from "../../ring.ts";
import { isNumber, type Layout, type Param, textField } from "./params.ts";

/**
 * A value inside generated code: names or constants, never text that has an effect. `state` below
 * 64
 * means there is a value, 64..193 reads as NULL, from 194 on it is an error.
 * - numbers, times: `value` is a number; bool: a JavaScript boolean, 0 or 1
 * - int64: `value` is the low word, `high` the high one, both Int32
 * - text, bytes, json, dyn: `value` is an index into U, with `length` bytes; `slot` at most
 * - dyn may instead be a JavaScript value `js` (dyn.ts); `fits`: it is known to fit its slot
 */
export interface Value {
  readonly kind: ColumnKind;
  readonly value: string;
  readonly state: string;
  readonly high?: string;
  readonly length?: string;
  readonly slot?: number;
  readonly js?: string;
  readonly fits?: true;
}

/** 2^53 − 1: whole numbers up to here are exact in a float64. */
const whole_max = "9007199254740991";

/** Words of a parameter block, and where each stands. */
class Words {
  readonly list: Param[] = [];
  readonly #at = new Map<string, number>();
  texts = 0;
  scratches = 0;

  /** Two literals of equal value are two words, else the shape would depend on the values. */
  add(param: Param, key: string): number {
    const known = param.of === "number" ? undefined : this.#at.get(key);
    if (known !== undefined) return known;
    this.#at.set(key, this.list.length);
    return this.list.push(param) - 1;
  }
}

/** Text of one kernel in the making: its parameters, and lines that define a name each. */
export class Code {
  readonly layout: Layout;
  readonly #words: Words;
  readonly #names = new Map<string, string>();
  readonly #prologue: string[] = [];
  readonly #epilogue: string[] = [];
  readonly #variables = new Map<string, string>();
  /** Names of values of no fixed type that have been read in this row (dyn.ts). */
  readonly read = new WeakMap<Value, string>();
  #lines: string[] = [];
  /** How often a name was given out; those of the kernels' own frame are taken. */
  readonly #taken = new Map<string, number>(
    ["p", "from", "to", "head", "time", "end", "seq", "r", "w", "j", "n", "failed", "seen", "block",
      "written", "groups", "g", "hash", "slot", "e", "d", "first", "next", "gone", "rows", "odd",
      "F", "I", "U", "S", "fn",
    ].map((name) => [name, 1]));

  constructor(layout: Layout, words = new Words()) {
    this.layout = layout;
    this.#words = words;
  }

  get params(): readonly Param[] {
    return this.#words.list;
  }

  /** Another kernel of the same stage: they share state and parameters. */
  beside(): Code {
    return new Code(this.layout, this.#words);
  }

  /**
   * Name of a parameter; read once, before the loop. Each is a word of 8 bytes; offsets are read as
   * Int32: to make one of a float64 has a slow path, around which no other stays in a register.
   */
  param(param: Param, hint: string): string {
    const key = JSON.stringify(param);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const index = this.#words.add(param, key);
    const name = this.name(hint);
    const load = isNumber(param) ? `F[${index === 0 ? "p >> 1" : `(p >> 1) + ${index}`}]`
      : `I[${index === 0 ? "p" : `p + ${2 * index}`}]`;
    this.#prologue.push(`const ${name} = ${load};`);
    if (param.of !== "number") this.#names.set(key, name);
    return name;
  }

  /** A text literal; each is one of its own, else the shape would depend on the values. */
  text(bytes: string): { at: string; length: string; slot: number } {
    const id = this.#words.texts++;
    const slot = Math.max(8, Math.ceil(new TextEncoder().encode(bytes).length / 8) * 8);
    this.layout.add(textField(id), "U", slot);
    return {
      at: this.param({ of: "text", id, bytes, part: "at" }, "text"),
      length: this.param({ of: "text", id, bytes, part: "length" }, "length"),
      slot,
    };
  }

  /** Index into U of `slot` bytes that hold a text made within one row. */
  scratch(slot: number): string {
    const field = `made ${this.#words.scratches++}`;
    this.layout.add(field, "U", slot);
    return this.param({ of: "state", field }, "made");
  }

  /** A name not used before. */
  name(hint: string): string {
    const times = this.#taken.get(hint) ?? 0;
    this.#taken.set(hint, times + 1);
    return times === 0 ? hint : this.name(`${hint}${times + 1}`);
  }

  line(text: string): void {
    this.#lines.push(text);
  }

  /** Runs before the loops, once a call. */
  before(text: string): void {
    this.#prologue.push(text);
  }

  /** Variable that stands for F[index], a parameter, while the loops run. */
  variable(index: string, whole = false): string {
    let name = this.#variables.get(index);
    if (name === undefined) {
      name = this.name(`${index}_now`);
      this.#variables.set(index, name);
      this.before(`let ${name} = F[${index}]${whole ? " | 0" : ""};`);
      this.#epilogue.push(`F[${index}] = ${name};`);
    }
    return name;
  }

  /** A new constant of this row. */
  define(hint: string, text: string): string {
    if (/^[\w.]+$/.test(text)) return text;
    const name = this.name(hint);
    this.line(`const ${name} = ${text};`);
    return name;
  }

  /** The lines since the last take. */
  take(): string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  takePrologue(): string[] {
    return this.#prologue.splice(0);
  }

  /** Runs behind the loops. */
  takeEpilogue(): string[] {
    return this.#epilogue.splice(0);
  }
}

export const indent = (lines: readonly string[], by: string): string =>
  lines.map((line) => line.split("\n").map((l) => (l === "" ? l : by + l)).join("\n")).join("\n");

const isConstant = (state: string): boolean => /^\d+$/.test(state);

/** Those states that are only known as the kernel runs, each once. */
export const open = (...states: string[]): string[] =>
  [...new Set(states.filter((s) => !isConstant(s)))];

/** The worst of some states: the largest number. */
export function worst(code: Code, ...states: string[]): string {
  const constant = Math.max(0, ...states.filter(isConstant).map(Number));
  const [first, ...rest] = open(...states);
  if (first === undefined) return String(constant);
  let result = first;
  for (const state of rest) {
    result = code.define("s", `${result} > ${state} ? ${result} : ${state}`);
  }
  if (constant > 0) result = code.define("s", `${result} > ${constant} ? ${result} : ${constant}`);
  return result;
}

/** Like `failing`, of a test that holds nowhere where the state says that there is no value. */
export const refusing = (code: Code, state: string, test: string, error: number): string =>
  code.define("s", `${test} ? ${error} : ${state}`);

/** True if the state carries a value. */
export const known = (state: string): string =>
  isConstant(state) ? (Number(state) < 64 ? "true" : "false") : `${state} < 64`;

export const failed = (state: string): string =>
  isConstant(state) ? (Number(state) > 193 ? "true" : "false") : `${state} > 193`;

/** True if the value is fully trusted. */
export const good = (state: string): string =>
  isConstant(state) ? String(state === "0") : `${state} === 0`;

export const doubtful = (state: string): string =>
  isConstant(state) ? String(state !== "0") : `${state} !== 0`;

/** A number whose bits are a key: −0 is 0, and an engine may give each NaN other bits. */
export function keyNumber({ kind, value }: Value): string {
  if (kind === "bool") return `${parens(value)} | 0`;
  if (kind !== "float64" && kind !== "time") return `${parens(value)} + 0`;
  return `${parens(value)} === ${parens(value)} ? ${parens(value)} + 0 : NaN`;
}

/** One operand of `all` or `any`. */
export const parens = (text: string): string => (/^[\w.]+$/.test(text) ? text : `(${text})`);

/**
 * Conditions joined by `&`: evaluated without a jump, so that random data costs no misprediction.
 */
export function all(...tests: string[]): string {
  if (tests.includes("false")) return "false";
  const open = [...new Set(tests.filter((t) => t !== "true"))];
  return open.length === 0 ? "true" : open.join(" & ");
}

export function any(...tests: string[]): string {
  if (tests.includes("true")) return "true";
  const open = [...new Set(tests.filter((t) => t !== "false"))];
  return open.length === 0 ? "false" : open.map((t) => (/ & /.test(t) ? `(${t})` : t)).join(" | ");
}

/**
 * A state as a comparison or condition takes it: what reads as NULL is FALSE, not fully trusted.
 */
export function trusted(code: Code, state: string): string {
  if (isConstant(state)) {
    return Number(state) < 64 || Number(state) > 193 ? state : String(UNCERTAIN.skipped);
  }
  return code.define("s", `${state} < 64 | ${state} > 193 ? ${state} : ${UNCERTAIN.skipped}`);
}

/** The state after an operation that fails if `test`, on arguments of state `state`. */
export function failing(code: Code, state: string, test: string, error: number): string {
  const condition = all(known(state), `(${test})`);
  return code.define("s", `${condition} ? ${error} : ${state}`);
}

/** Of all but an int64: the value as a number. */
export const numberOf = (v: Value): string => (v.kind === "bool" ? `(${v.value} | 0)` : v.value);

/** A number that must be exact, if it is a whole one. */
export function whole(
  code: Code, value: string, state: string, isWhole = "true",
): { value: string; state: string } {
  const past = `${value} > ${whole_max} | ${value} < -${whole_max}`;
  const test = isWhole === "true" ? past : `${isWhole} & (${past})`;
  return { value, state: failing(code, state, test, ERROR.overflow) };
}

export const nullState = String(NULL);
