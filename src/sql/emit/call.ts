import { assert } from "../../base.ts";
import { ERROR, NULL } from "../../ring.ts";
import type { Bound, BoundCall } from "../bound.ts";
import { javascript } from "./dyn.ts";
import { scalarFunctions, type ScalarFunction } from "../functions.ts";
import { type Code, failing, known, refusing, trusted, type Value, whole, worst } from "./code.ts";

/**
 * A plain scalar function: as one JavaScript expression where it has one, else by calling its
 * body.
 */
export function callValue(code: Code, node: BoundCall, args: readonly Value[]): Value {
  const record = scalarFunctions.get(node.fn);
  assert(record !== undefined, `no function ${node.fn}`);
  const sees = record.nulls === "sees";
  const state = worst(code, ...args.map((a) => (sees ? trusted(code, a.state) : a.state)));
  const result = record.inline !== undefined
    ? { value: code.define("t", inlined(record.inline, args)), state }
    : calledBody(code, record, node.args, args, state);
  if (node.type.kind === "dyn") {
    const made = { ...node.type, value: result.value, js: result.value };
    return record.part ? { ...made, state: result.state }
      : { ...made, state: fitting(code, node.type.slot, result), fits: true };
  }
  if (record.result === "text" || record.result === "bytes") return madeResult(code, node, result);
  if (node.type.kind === "bool") return { kind: "bool", ...result };
  const nan = record.nan === "null" ? NULL : ERROR.number;
  const anyFinite = node.type.kind === "float64" && nan === ERROR.number && !record.infinite;
  const odd = anyFinite ? `${result.value} - ${result.value} !== 0`
    : `${result.value} !== ${result.value}`;
  const numbered = failing(code, result.state, odd, nan);
  if (node.type.kind !== "int53") {
    return { kind: node.type.kind, value: result.value, state: numbered };
  }
  return { kind: "int53", ...whole(code, code.define("t", `${result.value} + 0`), numbered) };
}

interface Made {
  readonly value: string;
  readonly state: string;
}

const inlined = (text: string, args: readonly Value[]): string =>
  text.replace(/\$(\d)/g, (_, i: string) => args[Number(i)]!.value);

/** Whether a call may be refused: a constant that is written out has been looked at. */
const refusable = ({ refuses, constants }: ScalarFunction, args: readonly Bound[]): boolean =>
  refuses === "constants" ? args.some(({ kind }, i) => constants?.[i] && kind !== "literal")
    : refuses === true;

function calledBody(
  code: Code, record: ScalarFunction, nodes: readonly Bound[], args: readonly Value[],
  state: string,
): Made {
  const sees = record.nulls === "sees";
  const list = args.map((a) => {
    const value = a.kind === "dyn" ? javascript(code, a) : a.length !== undefined
      ? `fn.${a.kind === "bytes" ? "bytesOf" : "textOf"}(U, ${a.value}, ${a.length})`
      : a.kind === "bool" ? `!!${a.value}`
      : a.kind === "int64" ? `(${a.high} * 4294967296 + (${a.value} >>> 0))` : a.value;
    return sees && known(a.state) !== "true" ? `${known(a.state)} ? ${value} : null` : value;
  });
  const value =
    code.define("t", `${known(state)} ? fn.body.${record.name}(${list.join(", ")}) : null`);
  const answered = refusable(record, nodes)
    ? refusing(code, state, `${value} === undefined`, ERROR.argument) : state;
  return { value, state: failing(code, answered, `${value} === null`, NULL) };
}

/** No result is longer than its cell would be: else calls inside calls could make any number. */
function fitting(code: Code, slot: number, { value, state }: Made): string {
  const most = code.param({ of: "number", value: slot }, "slot");
  return code.define("s",
    `${known(state)} && !fn.fits(${value}, ${most}) ? ${ERROR.length} : ${state}`);
}

/** Made text or bytes lie in a place of the state block that this row alone uses. */
function madeResult(code: Code, node: BoundCall, result: Made): Value {
  const { kind, slot } = node.type;
  const at = code.scratch(slot);
  const most = code.param({ of: "number", value: slot }, "slot");
  const put = `fn.${kind === "bytes" ? "putBytes" : "putText"}`;
  const n =
    code.define("n", `${known(result.state)} ? ${put}(U, ${at}, ${most}, ${result.value}) : 0`);
  return {
    kind, slot, value: at, length: code.define("n", `Math.max(${n}, 0)`),
    state: refusing(code, result.state, `${n} < 0`, ERROR.length),
  };
}
