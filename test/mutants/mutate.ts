import { statefulFunctions } from "../../src/sql/functions.ts";
import { callees } from "../../src/sql/emit/callees.ts";

/** One change of a kernel's text. */
export interface Mutant {
  /** The changed text. */
  text(): string;
  /** What became of what: `< → <=`. */
  readonly change: string;
  /** The statement that it stands in, and what of it stands before. */
  readonly statement: string;
  readonly before: string;
  /** The statement in the kernel it is of, as patterns have them. */
  readonly shape: string;
  /** The text of the kernel that it is in, as it was. */
  kernel(): string;
  /**
   * The same for all changes that are one of the emitter: names differ by their numbers only or by
   * what they are named after, and so do places of parameters.
   */
  readonly pattern: string;
}

const others: Readonly<Record<string, string>> = {
  "<": "<=", "<=": "<", ">": ">=", ">=": ">", "===": "!==", "!==": "===", "+": "-", "-": "+",
  "*": "+", "/": "*", "%": "*", "&": "|", "|": "&", "^": "&", "<<": ">>", ">>": "<<", ">>>": "<<",
  "&&": "||", "||": "&&", "+=": "-=", "!": "",
};
/** Between blanks an operator has two operands; `!` and `-` stand before one. */
const operator = /(?<= )(?:===|!==|<=|>=|<<|>>>|>>|&&|\|\||\+=|[<>+\-*/%&|^])(?= )|!(?=[\w(])/g;
const constant = /(?<![\w.])\d+(?:\.\d+)?(?:e\d+)?(?![\w.])/g;
const branch = /\bif \(/g;

/** A statement of a kernel's text, or the head of a loop or branch. */
interface Statement {
  readonly text: string;
  readonly at: number;
  /** The part of it that is changed. */
  readonly from: number;
  readonly to: number;
  /** The kernel and the part as patterns have them. */
  readonly shape: string;
}

/** What stands once for each key of a group, written by one line of the emitter. */
const keyPart = / && (?=U\[keys?\d)/g;

function* statementsOf(text: string): Generator<Statement> {
  let kernel = "";
  for (const { 0: statement, index: at } of text.matchAll(/[^;{}\n]+/g)) {
    kernel = /^function (\w+)/.exec(statement)?.[1] ?? kernel;
    if (statement.trim() === "") continue;
    const begins = [0, ...[...statement.matchAll(keyPart)].map(({ index }) => index)];
    for (const [i, from] of begins.entries()) {
      const to = begins[i + 1] ?? statement.length;
      const bare = patternOf(statement.slice(from, to)).trim();
      const shape = isParam(statement) ? bare.replace(/\+ \d+\]/, "+ #]")
        : bare.replace(/^(?:if \(|&& )(?=U\[keys?_)(.*?)(?:\) break)?$/, "key: $1");
      yield { text: statement, at, from, to, shape: `${kernel}: ${shape}` };
    }
  }
}

const isParam = (statement: string): boolean => /\bp(?: >> 1\))? \+ \d+\]/.test(statement);

/** Every operator, constant and branch of a text changed in turn; of some shapes, or all. */
export function* mutantsOf(text: string, shapes: ReadonlySet<string> | null = null):
  Generator<Mutant> {
  for (const statement of statementsOf(text)) {
    if (shapes?.has(statement.shape) !== false) yield* changesOf(statement, text);
  }
}

function* changesOf({ text, at, from: begin, to: end, shape }: Statement, whole: string):
  Generator<Mutant> {
  const isHere = ({ index }: { index: number }): boolean => index >= begin && index < end;
  const isIndex = isParam(text);
  const change = (index: number, from: string, to: string, what = `${from} → ${to}`): Mutant => {
    const before = text.slice(0, index).trimStart();
    const kind = isIndex && /^\d+$/.test(from) ? `# → ${to === "0" ? "0" : "# + 1"}` : what;
    const start = at + index;
    return { change: what, statement: text.trim(), before, shape,
      kernel: () => /^function [^]*?\n}/.exec(whole.slice(whole.lastIndexOf("function ", at)))![0],
      text: () => whole.slice(0, start) + to + whole.slice(start + from.length),
      pattern: `${shape} | ${kind} at ${patternOf(text.slice(begin, index).trimStart()).length}` };
  };
  for (const { 0: from, index } of [...text.matchAll(operator)].filter(isHere)) {
    yield change(index, from, others[from]!, `${from} → ${others[from] || "left out"}`);
  }
  for (const { 0: from, index } of [...text.matchAll(constant)].filter(isHere)) {
    // Past 2^53 one more is the same.
    if (Number(from) + 1 !== Number(from)) yield change(index, from, String(Number(from) + 1));
    if (from !== "0") yield change(index, from, "0");
  }
  for (const { 0: from, index } of [...text.matchAll(branch)].filter(isHere)) {
    const condition = text.slice(index, closing(text, index + from.length) + 1);
    yield change(index, condition, "if (true)", "if → always");
    yield change(index, condition, "if (false)", "if → never");
  }
  for (const { index, condition } of [...choices(text)].filter(isHere)) {
    if (condition !== "true") yield change(index, condition, "true", "? : → first");
    yield change(index, condition, "false", "? : → second");
  }
}

/** The conditions before `?`, from the `=` or bracket that they follow. */
function* choices(text: string): Generator<{ index: number; condition: string }> {
  for (const { 0: whole, 1: before, 2: condition, index } of
    text.matchAll(/(= |\? |: )([^=?:;{}\n](?:[^?:;{}\n])*?) \? /g)) {
    if (whole.includes("\n")) continue;
    yield { index: index + before!.length, condition: condition! };
  }
}

/** An operand may be a column, a newest value, a result or one made in the row: it is as good. */
const operands: Readonly<Record<string, string>> = {
  c: "v", t: "v", y: "v", newest: "v", c_s: "s", newest_s: "s", c_n: "n", newest_n: "n",
  c_low: "low", newest_low: "low", c_high: "high", newest_high: "high",
};

/**
 * Names without their numbers, of operands without what they are named after; so are fields of
 * calls with state: what reads and keeps them is the same for all functions (stateful/site.ts).
 */
const patternOf = (statement: string): string =>
  statement.replace(/\b[a-zA-Z]\w*/g, (name) => {
    const bare = name.replace(/^(\w+?)\d+_(?=[a-z])/,
      (whole, fn: string) => (statefulFunctions.has(fn) ? "call_" : whole)).replace(/\d+/g, "");
    return operands[bare] ?? bare;
  }).replace(/(?: \| flags){2,}/g, " | flags");

function closing(text: string, from: number): number {
  let open = 1;
  for (let at = from; ; at++) {
    if (text[at] === "(") open += 1;
    else if (text[at] === ")" && --open === 0) return at;
  }
}

declare global {
  /** Rounds of loops that a changed kernel has left. */
  var rounds: number;
  var boundedly: (name: "copyBytes" | "hashBytes", U: Uint8Array, ...args: number[]) => unknown;
}

/** No kernel copies or hashes so much. */
const bytes_max = 4096;

globalThis.boundedly = (name, U, ...args): unknown => {
  if (args[name === "copyBytes" ? 2 : 1]! > bytes_max) throw new Error("endless");
  return (callees[name] as (U: Uint8Array, ...args: number[]) => unknown)(U, ...args);
};

/**
 * Each call and round of a loop takes of `rounds`: what would never end throws; so does what has
 * written fewer rows than none, which others would go through without end.
 */
export const guarded = (text: string): string => text
  .replace(/(?<=\b(?:for|while|function \w+) \([^{]*\) \{|\bfunction \w+\([^{]*\) \{)/g,
    " if (globalThis.rounds-- < 0) throw new Error('endless');")
  .replace(/\breturn (\w+);/g, "if ($1 < 0) throw new Error('endless'); return $1;")
  .replace(/\bfn\.(copyBytes|hashBytes)\(/g, 'globalThis.boundedly("$1", ');
