import { ERROR } from "../../ring.ts";
import type { BoundType } from "../bound.ts";
import { dynOf } from "../types.ts";
import { closed, opened } from "./dyn.ts";
import { type Code, failing, known, refusing, type Value, whole, worst } from "./code.ts";

/** A value in another kind, as `BoundCast` says. */
export function castValue(code: Code, from: Value, to: BoundType): Value {
  if (from.kind === to.kind) return from;
  if (from.kind === "dyn") return closed(code, "castDyn", from, to);
  if (from.kind === "text" && to.kind === "bytes") {
    const open = dynOf({ kind: from.kind, slot: from.slot! });
    return closed(code, "castDyn", opened(code, from, open, null), to);
  }
  switch (to.kind) {
    case "float64": case "time": return toFloat(code, from, to.kind);
    case "int53": return toWhole(code, from);
    case "int64": return toInt64(code, from);
    case "bool": return toBool(code, from);
    case "text": case "bytes": case "json": case "dyn": return toText(code, from, to);
  }
}

const isText = (v: Value): boolean => v.length !== undefined;
const int64Number = (v: Value): string => `${v.high} * 4294967296 + (${v.value} >>> 0)`;

/** A number that `fn.name` reads from a text; NaN is an error of parsing. */
function parsed(code: Code, from: Value, name: string): { value: string; state: string } {
  const value =
    code.define("t", `${known(from.state)} ? fn.${name}(U, ${from.value}, ${from.length}) : 0`);
  return { value, state: failing(code, from.state, `${value} !== ${value}`, ERROR.parse) };
}

function toFloat(code: Code, from: Value, kind: "float64" | "time"): Value {
  if (isText(from)) return { kind, ...parsed(code, from, kind === "time" ? "timeOf" : "numberOf") };
  if (from.kind === "int64") {
    return { kind, state: from.state, value: code.define("t", int64Number(from)) };
  }
  if (from.kind === "bool") {
    return { kind, state: from.state, value: code.define("t", `${from.value} | 0`) };
  }
  return { ...from, kind };
}

function toWhole(code: Code, from: Value): Value {
  const kind = "int53";
  if (from.kind === "bool") {
    return { kind, state: from.state, value: code.define("t", `${from.value} | 0`) };
  }
  const number = isText(from) ? parsed(code, from, "numberOf")
    : { value: from.kind === "int64" ? int64Number(from) : from.value, state: from.state };
  const value = code.define("t", from.kind === "int64" ? number.value
    : `Math.trunc(${number.value}) + 0`);
  const state = from.kind === "int64" ? number.state
    : failing(code, number.state, `${value} - ${value} !== 0`, ERROR.number);
  return { kind, ...whole(code, value, state) };
}

function toInt64(code: Code, from: Value): Value {
  const kind = "int64";
  if (isText(from)) {
    const error =
      code.define("t", `${known(from.state)} ? fn.int64Of(U, ${from.value}, ${from.length}) : 0`);
    return {
      kind, value: code.define("low", "fn.words[0]"), high: code.define("high", "fn.words[1]"),
      state: code.define("s", `${error} > 0 ? ${error} : ${from.state}`),
    };
  }
  const number = from.kind === "bool" ? `${from.value} | 0` : from.value;
  const t = code.define("t", from.kind === "float64" || from.kind === "time"
    ? `Math.trunc(${number})` : number);
  let state = from.state;
  if (from.kind === "float64" || from.kind === "time") {
    state = failing(code, state, `${t} - ${t} !== 0`, ERROR.number);
    state = failing(code, state, `${t} >= 9223372036854775808 | ${t} < -9223372036854775808`,
      ERROR.overflow);
  }
  return {
    kind, state, value: code.define("low", `${t} | 0`),
    high: code.define("high", `Math.floor(${t} / 4294967296) | 0`),
  };
}

function toBool(code: Code, from: Value): Value {
  const kind = "bool";
  if (isText(from)) return { kind, ...parsed(code, from, "boolOf") };
  const text = from.kind === "int64" ? `(${from.value} | ${from.high}) !== 0`
    : `${from.value} !== 0`;
  return { kind, state: from.state, value: code.define("t", text) };
}

/** Text of a number is written into a place of the state block that this row alone uses. */
function toText(code: Code, from: Value, to: BoundType): Value {
  if (isText(from)) return { ...from, kind: to.kind };
  const at = code.scratch(to.slot);
  const slot = code.param({ of: "number", value: to.slot }, "slot");
  const name = from.kind === "int64" ? "int64Text" : from.kind === "bool" ? "boolText"
    : from.kind === "time" ? "timeText" : "numberText";
  const value = from.kind === "int64" ? `${from.value}, ${from.high}` : from.value;
  const n = code.define("n", `${known(from.state)} ? fn.${name}(U, ${at}, ${slot}, ${value}) : 0`);
  return {
    kind: to.kind, slot: to.slot, value: at, length: code.define("n", `Math.max(${n}, 0)`),
    state: worst(code, refusing(code, from.state, `${n} < 0`, ERROR.length)),
  };
}
