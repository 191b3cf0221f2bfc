import { ERROR } from "../../ring.ts";
import { all, type Code, failing, known, type Value, worst } from "./code.ts";

/** Comparison of two int64 values: by the high words, then by the low ones without sign. */
export function compareInt64(code: Code, op: string, left: Value, right: Value): string {
  const equal = `${left.value} === ${right.value} & ${left.high} === ${right.high}`;
  if (op === "=") return `(${equal})`;
  if (op === "!=") return `(${left.value} !== ${right.value} | ${left.high} !== ${right.high})`;
  const [a, b] = op === "<" || op === ">=" ? [left, right] : [right, left];
  const less = code.define("t",
    `${a.high} < ${b.high} | ${a.high} === ${b.high} & ${a.value} >>> 0 < ${b.value} >>> 0`);
  return op === "<" || op === ">" ? less : `!${less}`;
}

/** Exact arithmetic: + and − inline by words, the rest in one helper; past 64 bits is an error. */
export function wholeInt64(code: Code, op: string, left: Value, right: Value): Value {
  let state = worst(code, left.state, right.state);
  const kind = "int64";
  if (op === "+" || op === "-") {
    const value = code.define("low", `${left.value} ${op} ${right.value} | 0`);
    const carry = op === "+"
      ? `(${value} >>> 0 < ${left.value} >>> 0 ? 1 : 0)`
      : `(${left.value} >>> 0 < ${right.value} >>> 0 ? 1 : 0)`;
    const high = code.define("high", `${left.high} ${op} ${right.high} ${op} ${carry} | 0`);
    // Overflow: of two equal signs (+) or unequal signs (−) came the wrong one.
    const signs = op === "+"
      ? `(${left.high} ^ ${high}) & (${right.high} ^ ${high})`
      : `(${left.high} ^ ${right.high}) & (${left.high} ^ ${high})`;
    return { kind, value, high, state: failing(code, state, `(${signs}) < 0`, ERROR.overflow) };
  }
  if (op === "&" || op === "|" || op === "^") {
    return {
      kind, state, value: code.define("low", `${left.value} ${op} ${right.value}`),
      high: code.define("high", `${left.high} ${op} ${right.high}`),
    };
  }
  if (op !== "*") {
    state = failing(code, state, `(${right.value} | ${right.high}) === 0`, ERROR.zero);
  }
  const name = op === "*" ? "multiply64" : op === "/" ? "divide64" : "remainder64";
  const args = `${left.value}, ${left.high}, ${right.value}, ${right.high}`;
  const fits = code.define("t", `${known(state)} && fn.${name}(${args})`);
  return {
    kind,
    value: code.define("low", `fn.words[0]`), high: code.define("high", `fn.words[1]`),
    state: code.define("s", `${all(known(state), `!${fits}`)} ? ${ERROR.overflow} : ${state}`),
  };
}
