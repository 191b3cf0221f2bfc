import { BAD, ERROR, NULL, UNCERTAIN } from "../../ring.ts";
import { assert, never } from "../../base.ts";
import type {
  Bound, BoundBinary, BoundCase, BoundCast, BoundCell, BoundCoalesce, BoundIn, BoundIsNull,
  BoundLike, BoundLiteral, BoundNarrow, BoundUnary,
} from "../bound.ts";
import { castValue } from "./cast.ts";
import { callValue } from "./call.ts";
import {
  all, any, type Code, doubtful, failed, failing, good, known, nullState, open, parens, trusted,
  type Value, whole, worst,
} from "./code.ts";
import { arithmeticDyn, closed, javascript, opened } from "./dyn.ts";
import { compareInt64, wholeInt64 } from "./int64.ts";
import type { Leaves, Test } from "./rows.ts";

/** Gives the values of the leaves that only the stage knows. */
export interface Scope extends Leaves {
  /** The value of a node that this stage reads rather than computes, else null. */
  leaf(node: Bound): Value | null;
  /** A condition that is not good lets nothing pass, and has failed (W8). */
  readonly strict: boolean;
}

/**
 * Emits a bound expression as straight lines: both branches of a CASE and both sides of AND are
 * computed and one is chosen, which no reader can tell as nothing here has an effect. Each node of
 * the DAG is computed once a row.
 */
export class Expressions {
  readonly #scope: Scope;
  readonly #code: Code;
  readonly #done = new Map<Bound, Value>();

  constructor(scope: Scope) {
    this.#scope = scope;
    this.#code = scope.code;
  }

  value(node: Bound): Value {
    let value = this.#done.get(node);
    if (value === undefined) this.#done.set(node, (value = this.#emit(node)));
    return value;
  }

  #emit(node: Bound): Value {
    const leaf = this.#scope.leaf(node);
    if (leaf !== null) return leaf;
    switch (node.kind) {
      case "column": case "newest": case "aggregate": case "infer": case "window": case "stateful":
      case "number": case "hits":
        assert(false, `${node.kind} is a leaf`);
      case "literal": return this.#literal(node);
      case "clock": return { kind: "time", state: "0", value: node.which === "now" ? "time"
        : this.#code.param({ of: "begun", part: "time" }, "began") };
      case "unary": return this.#unary(node);
      case "binary":
        return node.op === "and" || node.op === "or" ? this.#junction(node)
          : node.type.kind === "bool" && !"&|^".includes(node.op) ? this.#comparison(node)
          : this.#arithmetic(node);
      case "cell": return this.#cell(node);
      case "in": return this.#in(node);
      case "like": return this.#like(node);
      case "isnull": return this.#isNull(node);
      case "case": return this.#case(node);
      case "coalesce": return this.#coalesce(node);
      case "cast": return this.#cast(node);
      case "narrow": return this.#exact(node,
        closed(this.#code, "narrowDyn", this.value(node.operand), node.type));
      case "call": return callValue(this.#code, node, node.args.map((a) => this.value(a)));
      default: return never(node, "expression");
    }
  }

  /** A whole number that must be exact as a float or a time. */
  #exact({ operand, exact }: BoundCast | BoundNarrow, value: Value): Value {
    if (exact === undefined) return value;
    const isWhole = operand.type.kind === "int64" ? "true"
      : `typeof ${javascript(this.#code, this.value(operand))} === "bigint"`;
    return { ...value, ...whole(this.#code, value.value, value.state, isWhole) };
  }

  #cell({ which, operand }: BoundCell): Value {
    const value = this.value(operand);
    if (which === "state") return { kind: "int53", value: value.state, state: "0" };
    const { state } = value;
    return { ...value, state: this.#code.define("s", `${state} > 63 & ${state} < ${NULL} & ` +
      `${state} !== ${BAD.initial} ? ${UNCERTAIN.stale} : ${state}`) };
  }

  /** When a condition passes and when it fails, without making its value and state. */
  test(node: Bound): Test {
    if (node.kind === "binary" && (node.op === "and" || node.op === "or")) {
      const left = this.#named(this.test(node.left), node.left);
      const right = this.test(node.right);
      const states = [...new Set([...left.states, ...right.states])];
      return node.op === "and"
        ? { states, pass: all(parens(left.pass), parens(right.pass)),
          error: any(left.error, all(parens(left.pass), parens(right.error))) }
        : {
          states, pass: any(left.pass, all(not(left.error), parens(right.pass))),
          error: any(left.error, all(not(left.pass), parens(right.error))),
        };
    }
    if (node.kind === "binary" && node.type.kind === "bool" && !"&|^".includes(node.op)) {
      const left = this.value(node.left), right = this.value(node.right);
      if (left.kind === "dyn") {
        const { value, state } = this.#openComparison(node.op, left, right);
        return this.#leafTest(value, state);
      }
      return this.#leafTest(compare(this.#code, node.op, left, right), left.state, right.state);
    }
    const value = this.value(node);
    return this.#leafTest(value.value, value.state);
  }

  /** Both parts of a left side are used twice: of a chain the text would double with each link. */
  #named(test: Test, node: Bound): Test {
    if (node.kind !== "binary" || (node.op !== "and" && node.op !== "or")) return test;
    return { ...test, pass: this.#code.define("t", test.pass),
      error: this.#code.define("e", test.error) };
  }

  #leafTest(holds: string, ...states: string[]): Test {
    const { strict } = this.#scope;
    return {
      pass: all(...states.map(strict ? good : known), holds),
      error: any(...states.map(strict ? doubtful : failed)),
      // A constant that is not good fails on every row.
      states: strict ? [...new Set(states.filter((s) => s !== "0"))] : open(...states),
    };
  }

  #literal(node: BoundLiteral): Value {
    const { kind, slot } = node.type;
    const code = this.#code;
    if (node.value === null) return nothing(kind, slot);
    if (typeof node.value === "string") {
      const text = code.text(node.value);
      return { kind, state: "0", value: text.at, length: text.length, slot: text.slot };
    }
    if (kind === "int64") {
      const bits = BigInt(node.value);
      const part = (n: bigint): string =>
        code.define("k",
          `${code.param({ of: "number", value: Number(BigInt.asIntN(32, n)) }, "k")} | 0`);
      return { kind, state: "0", value: part(bits), high: part(bits >> 32n) };
    }
    return { kind, state: "0", value: code.param({ of: "number", value: Number(node.value) },
      "k") };
  }

  #unary(node: BoundUnary): Value {
    const operand = this.value(node.operand);
    const code = this.#code;
    if (node.op === "not") {
      return { kind: "bool", state: operand.state,
        value: code.define("t", `${parens(operand.value)} ^ 1`) };
    }
    if (operand.kind === "int64") return wholeInt64(code, "-", zero64, operand);
    return { kind: operand.kind, state: operand.state,
      value: code.define("t", operand.kind === "int53" ? `0 - ${operand.value}`
      : `-${operand.value}`) };
  }

  #cast(node: BoundCast): Value {
    const { operand, type } = node;
    const value = this.value(operand);
    // A constant that is a key of groups is a column like any other key.
    const literal = operand.kind === "literal" && this.#scope.leaf(operand) === null;
    return type.kind === "dyn" && value.kind !== "dyn"
      ? opened(this.#code, value, type, literal ? operand : null)
      : this.#exact(node, castValue(this.#code, value, type));
  }

  #openComparison(op: string, left: Value, right: Value): Value {
    const code = this.#code;
    const state = worst(code, trusted(code, left.state), trusted(code, right.state));
    const both = all(known(left.state), known(right.state));
    const call = `fn.compareDyn("${op}", ${javascript(code, left)}, ${javascript(code, right)})`;
    const holds = code.define("t", both === "true" ? call : `(${both}) ? ${call} : false`);
    return { kind: "bool", value: code.define("t", `${holds} === true`),
      state: code.define("s", `${holds} === undefined ? fn.wrong[0] : ${state}`) };
  }

  #comparison(node: BoundBinary): Value {
    const code = this.#code;
    const left = this.value(node.left), right = this.value(node.right);
    if (left.kind === "dyn") return this.#openComparison(node.op, left, right);
    const state = worst(code, trusted(code, left.state), trusted(code, right.state));
    const test = all(known(left.state), known(right.state), compare(code, node.op, left, right));
    return { kind: "bool", state, value: code.define("t", test) };
  }

  /** What the left side decides is not looked at on the right. */
  #junction(node: BoundBinary): Value {
    const code = this.#code;
    const [left, right] = [this.#condition(node.left), this.#condition(node.right)];
    const and = node.op === "and";
    const both = worst(code, left.state, right.state);
    if (both === left.state) {
      return { kind: "bool", state: both,
        value: code.define("t", `${left.value} ${and ? "&" : "|"} ${right.value}`) };
    }
    const decided = all(known(left.state), and ? `!${parens(left.value)}` : parens(left.value));
    const state = any(decided, failed(left.state));
    return {
      kind: "bool",
      state: code.define("s", `${state} ? ${left.state} : ${both}`),
      value: code.define("t", `${left.value} ${and ? "&" : "|"} ${right.value}`),
    };
  }

  /** A bool as AND, OR and CASE take it: a name or constant that is true only with a value. */
  #condition(node: Bound): Value {
    const code = this.#code;
    const { value, state } = this.value(node);
    const isTrue = code.define("t", all(known(state), parens(value)));
    return { kind: "bool", value: isTrue, state: trusted(code, state) };
  }

  #arithmetic(node: BoundBinary): Value {
    const code = this.#code;
    const left = this.value(node.left), right = this.value(node.right);
    const { op } = node;
    const { kind } = node.type;
    if (kind === "int64") return wholeInt64(code, op, left, right);
    if (kind === "dyn") return arithmeticDyn(code, op, node.type, left, right);
    let state = worst(code, left.state, right.state);
    if (op === "&" || op === "|" || op === "^") return this.#bits(node, left, right, state);
    if (op === "/" || op === "%") state = failing(code, state, `${right.value} === 0`, ERROR.zero);
    const exact = kind === "int53";
    const text = `${left.value} ${op} ${right.value}`;
    // `+ 0` makes −0 of a whole number 0.
    const value = code.define("t", !exact ? text
      : op === "/" ? `Math.trunc(${text}) + 0` : op === "+" || op === "-" ? text : `${text} + 0`);
    if (!exact || op === "/" || op === "%") return { kind, value, state };
    return { kind, ...whole(code, value, state) };
  }

  #bits(node: BoundBinary, left: Value, right: Value, state: string): Value {
    const { kind } = node.type;
    if (kind === "bool") {
      return { kind, state, value: this.#code.define("t",
        `${left.value} ${node.op} ${right.value}`) };
    }
    const name = node.op === "&" ? "bitAnd" : node.op === "|" ? "bitOr" : "bitXor";
    const value = this.#code.define("t", `fn.${name}(${left.value}, ${right.value})`);
    return { kind, ...whole(this.#code, value, state) };
  }

  #in(node: BoundIn): Value {
    const code = this.#code;
    const operand = this.value(node.operand);
    const items = node.items.map((item) => this.value(item));
    const found = items.map((item) => all(known(item.state),
      parens(compare(code, "=", operand, item))));
    const state = worst(code, trusted(code, operand.state),
      ...items.map((i) => trusted(code, i.state)));
    const hit = code.define("t", any(...found.map((f) => `(${f})`)));
    const valid = all(known(operand.state),
      ...(node.negated ? items.map((i) => known(i.state)) : []));
    const value = code.define("t", all(valid, node.negated ? `!${hit}` : hit));
    return { kind: "bool", state, value };
  }

  #like(node: BoundLike): Value {
    const code = this.#code;
    const text = this.value(node.operand), pattern = this.value(node.pattern);
    const state = worst(code, trusted(code, text.state), trusted(code, pattern.state));
    const call = `fn.like(U, ${text.value}, ${text.length}, ${pattern.value}, ${pattern.length})`;
    const matches = node.negated ? `!${call}` : call;
    const both = all(known(text.state), known(pattern.state));
    const value = code.define("t", both === "true" ? matches : `(${both}) && ${matches}`);
    return { kind: "bool", state, value };
  }

  #isNull(node: BoundIsNull): Value {
    const code = this.#code;
    const { state } = this.value(node.operand);
    const isNull = /^\d+$/.test(state)
      ? String(Number(state) > 63 && Number(state) < 194)
      : code.define("t", `${state} > 63 & ${state} < 194`);
    const value = code.define("t", node.negated ? `!${isNull}` : isNull);
    return { kind: "bool", value, state: code.define("s", `${isNull} ? 0 : ${state}`) };
  }

  #case(node: BoundCase): Value {
    const code = this.#code;
    let chosen = this.#as(this.value(node.otherwise), node.type);
    // From the last condition to the first: each chooses between its value and what comes after it.
    for (const { when, then } of [...node.whens].reverse()) {
      const condition = this.#condition(when);
      const taken = this.#as(this.value(then), node.type);
      chosen = choose(code, condition.value, taken, chosen);
      let state = worst(code, condition.state, chosen.state);
      const error = failed(condition.state);
      if (error !== "false") state = code.define("s", `${error} ? ${condition.state} : ${state}`);
      chosen = { ...chosen, state };
    }
    return chosen;
  }

  #coalesce(node: BoundCoalesce): Value {
    const code = this.#code;
    let chosen: Value = nothing(node.type.kind, node.type.slot);
    for (const arg of [...node.args].reverse()) {
      const value = this.#as(this.value(arg), node.type);
      const { state } = value;
      const taken = any(known(state), failed(state));
      if (taken === "true") chosen = value;
      else if (taken !== "false") chosen = choose(code, code.define("t", taken), value, chosen);
    }
    return chosen;
  }

  /** A NULL literal takes the kind of where it stands. */
  #as(value: Value, type: { kind: Value["kind"]; slot: number }): Value {
    return value.kind === type.kind || value.state !== nullState ? value
      : nothing(type.kind, type.slot);
  }
}

const zero64: Value = { kind: "int64", value: "0", high: "0", state: "0" };

function nothing(kind: Value["kind"], slot: number): Value {
  const state = nullState;
  if (kind === "dyn") return { kind, state, value: "null", js: "null", slot };
  if (kind === "int64") return { kind, state, value: "0", high: "0" };
  return slot > 0 ? { kind, state, value: "0", length: "0", slot } : { kind, state, value: "0" };
}

function choose(code: Code, condition: string, yes: Value, no: Value): Value {
  if (yes.kind === "dyn") {
    const [a, b] = [javascript(code, yes), javascript(code, no)];
    const js = code.define("v", `${condition} ? ${a} : ${b}`);
    return { kind: "dyn", value: js, js, slot: Math.max(yes.slot!, no.slot!),
      state: code.define("s", `${condition} ? ${yes.state} : ${no.state}`) };
  }
  const pick = (a: string, b: string, hint: string): string =>
    a === b ? a : code.define(hint, `${condition} ? ${a} : ${b}`);
  const picked = { kind: yes.kind, value: pick(yes.value, no.value, "v"),
    state: pick(yes.state, no.state, "s") };
  if (yes.kind === "int64") return { ...picked, high: pick(yes.high!, no.high!, "v") };
  if (yes.length === undefined) return picked;
  return { ...picked, length: pick(yes.length, no.length!, "n"),
    slot: Math.max(yes.slot!, no.slot!) };
}

const not = (text: string): string =>
  text === "false" ? "true" : text === "true" ? "false" : `!(${text})`;

const operators: Record<string, string> = {
  "=": "===", "!=": "!==", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
};

/** The bare comparison of two values of one kind. */
function compare(code: Code, op: string, left: Value, right: Value): string {
  const operator = operators[op]!;
  if (left.kind === "dyn") {
    return `fn.equalDyn(${javascript(code, left)}, ${javascript(code, right)})`;
  }
  if (left.kind === "int64") return compareInt64(code, op, left, right);
  if (left.length !== undefined) {
    if (op === "=" || op === "!=") {
      const same =
        `fn.sameBytes(U, ${left.value}, ${left.length}, ${right.value}, ${right.length})`;
      return op === "=" ? same : `!${same}`;
    }
    return `fn.compareBytes(U, ${left.value}, ${left.length}, ${right.value}, ${right.length}) ` +
      `${operator} 0`;
  }
  // A bool may be true or 1.
  if (left.kind === "bool") return `(${left.value} | 0) ${operator} (${right.value} | 0)`;
  return `${left.value} ${operator} ${right.value}`;
}
