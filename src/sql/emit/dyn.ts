import { assert } from "../../base.ts";
import { ERROR } from "../../ring.ts";
import type { BoundLiteral, BoundType } from "../bound.ts";
import { type Code, failing, known, refusing, type Value, worst } from "./code.ts";

/**
 * A value of no fixed type has two forms in generated code: bytes of a cell, and a JavaScript value
 * while a row is worked on. Each is made from the other where it is needed, once a row.
 */

/** The JavaScript value; null where there is none. */
export function javascript(code: Code, value: Value): string {
  assert(value.kind === "dyn", `a ${value.kind} is no value of no fixed type`);
  if (value.js !== undefined) return value.js;
  let js = code.read.get(value);
  if (js === undefined) {
    const read = `fn.readDyn(U, ${value.value})`;
    const has = known(value.state);
    js = code.define("v", has === "true" ? read : `${has} ? ${read} : null`);
    code.read.set(value, js);
  }
  return js;
}

/** Like a cell, for what copies, keeps and compares bytes; another value stays as it is. */
export function inBytes(code: Code, value: Value): Value {
  if (value.js === undefined) return value;
  const { kind, js, slot } = value;
  const at = code.scratch(slot!);
  const n = code.define("n", writeDyn(code, value, at, String(slot), js));
  if (value.fits) return { kind, slot: slot!, value: at, length: n, state: value.state };
  return {
    kind, slot: slot!, value: at, length: code.define("n", `Math.max(${n}, 0)`),
    state: refusing(code, value.state, `${n} < 0`, ERROR.length),
  };
}

/** Text that writes the value into a slot: its length, −1 if it does not fit. */
function writeDyn(code: Code, value: Value, at: string, slot: string, js: string): string {
  const most = code.param({ of: "number", value: Number(slot) }, "slot");
  return `${known(value.state)} ? fn.writeDyn(U, ${at}, ${most}, ${js}) : 0`;
}

/** A value of a fixed kind as one of none; `literal` is made once a call. */
export function opened(
  code: Code, from: Value, type: BoundType, literal: BoundLiteral | null,
): Value {
  const { kind, slot } = type;
  const open = (state: string, js: string): Value => ({ kind, slot, state, value: js, js });
  if (literal !== null && from.kind !== "float64" && from.kind !== "int64") {
    const name = code.name("k");
    code.before(`const ${name} = ${javascriptOf(from)};`);
    return open(from.state, name);
  }
  if (from.kind === "float64") return open(from.state, from.value);
  const has = known(from.state);
  const text = javascriptOf(from);
  const js = code.define("v", has === "true" ? text : `${has} ? ${text} : null`);
  if (from.kind !== "json") return open(from.state, js);
  // A document that is `null` is NULL.
  const state = failing(code, refusing(code, from.state, `${js} === undefined`, ERROR.parse),
    `${js} === null`, 192);
  return open(state, js);
}

function javascriptOf(from: Value): string {
  switch (from.kind) {
    case "float64": return from.value;
    case "int53": return `BigInt(${from.value})`;
    case "int64": return `fn.bigOf(${from.value}, ${from.high})`;
    case "bool": return `!!(${from.value})`;
    case "time": return `new Date(${from.value})`;
    case "text": return `fn.textOf(U, ${from.value}, ${from.length})`;
    case "bytes": return `fn.bytesOf(U, ${from.value}, ${from.length})`;
    case "json": return `fn.parseDyn(fn.textOf(U, ${from.value}, ${from.length}))`;
    case "dyn": return from.js!;
  }
}

/** A result of a function over values: undefined is the error that it left, null is NULL. */
export function outcome(code: Code, type: BoundType, state: string, call: string): Value {
  const { kind, slot } = type;
  const has = known(state);
  const js = code.define("v", has === "true" ? call : `${has} ? ${call} : null`);
  const refused = code.define("s", `${js} === undefined ? fn.wrong[0] : ${state}`);
  return { kind, slot, value: js, js,
    state: failing(code, refused, `${js} === null`, 192) };
}

export function arithmeticDyn(
  code: Code, op: string, type: BoundType, left: Value, right: Value,
): Value {
  const state = worst(code, left.state, right.state);
  const [a, b] = [javascript(code, left), javascript(code, right)];
  return outcome(code, type, state, `fn.arithmetic(${JSON.stringify(op)}, ${a}, ${b})`);
}

/** By a cast, or as a place takes it (`fn`); the result is of a fixed kind. */
export function closed(code: Code, fn: "castDyn" | "narrowDyn", from: Value, to: BoundType): Value {
  const { kind, slot } = to;
  const js = javascript(code, from);
  const has = known(from.state);
  const call = `fn.${fn}(${JSON.stringify(kind)}, ${js})`;
  const made = code.define("v", has === "true" ? call : `${has} ? ${call} : undefined`);
  const state = has === "true" ? code.define("s", `${made} === undefined ? fn.wrong[0] : 0`)
    : code.define("s", `${has} && ${made} === undefined ? fn.wrong[0] : ${from.state}`);
  return fixed(code, { kind, slot }, made, state);
}

/** A JavaScript value that is of a kind, as generated code has that kind. */
function fixed(code: Code, { kind, slot }: BoundType, made: string, state: string): Value {
  if (kind === "int64") {
    const done = code.define("t", `${known(state)} && fn.setBig(${made})`);
    const [low, high] = [`${done} ? fn.words[0] : 0`, `${done} ? fn.words[1] : 0`];
    return { kind, state, value: code.define("low", low), high: code.define("high", high) };
  }
  if (slot === 0) {
    const text = kind === "bool" ? `${made} === true` : `${known(state)} ? ${made} : 0`;
    return { kind, state, value: code.define("v", text) };
  }
  const at = code.scratch(slot);
  const most = code.param({ of: "number", value: slot }, "slot");
  const put = kind === "bytes" ? "putBytes" : "putText";
  const n = code.define("n", `${known(state)} ? fn.${put}(U, ${at}, ${most}, ${made}) : 0`);
  return {
    kind, slot, value: at, length: code.define("n", `Math.max(${n}, 0)`),
    state: refusing(code, state, `${n} < 0`, ERROR.length),
  };
}
