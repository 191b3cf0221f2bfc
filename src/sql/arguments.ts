import type { Call, Expr } from "./ast.ts";
import { SqlFault } from "./fault.ts";
import { type DialectFunction, knownFunctions } from "./functions.ts";
import { usageFor } from "./manual.ts";

export const typeNames = new Set(["bigint", "float", "string", "boolean", "bytea", "datetime"]);

const letters: Readonly<Record<string, string>> = {
  n: "a number", d: "a number", i: "a whole number", u: "a whole number from 0 on", s: "a text",
  y: "a text or bytes",
  v: "a value", l: "an array", o: "an object", c: "a text or an array",
  b: "TRUE, FALSE or a column", B: "TRUE or FALSE", t: "a time", a: "a value",
    f: "the name of a field",
  T: `the name of a type in quotes: ${[...typeNames].join(", ")}`, k: "a whole number or a text",
};

const choice = "a choice is CASE WHEN condition THEN a ELSE b END";
const instead = "what stands in for a value that is missing is coalesce(a, b)";
/** Functions of other languages, and what they are here. */
const foreign: ReadonlyMap<string, string> = new Map([["if", choice], ["iif", choice],
  ["iff", choice], ["ifnull", instead], ["nvl", instead]]);

export function unknownFunction(name: string): string {
  const here = foreign.get(name.toLowerCase());
  return `There is no function ${name}()${here === undefined ? "" : `: ${here}`}`;
}

/** Is the call one that can be: known name, so many arguments, constants of the right kind. */
export function checkCall(sql: string, call: Call): void {
  const fn = knownFunctions.get(call.name.toLowerCase());
  if (fn === undefined) {
    throw new SqlFault("unknown-function", unknownFunction(call.name), sql, call.span,
      knownFunctions.keys(), call.name);
  }
  if (call.distinct && !["count", "collect", "min", "max"].includes(call.name.toLowerCase())) {
    throw new SqlFault("syntax", "DISTINCT stands in count(), collect(), min() and max()", sql,
      call.span);
  }
  if (call.over !== null && fn.place !== "analytic" && fn.place !== "number") {
    throw new SqlFault("syntax", `${call.name}() takes no OVER${withoutOver(fn)}`, sql,
      call.over.span);
  }
  const expected = expand(fn.parameters, call.args.length);
  if (expected === null) {
    const usage = usageFor(fn.name) ?? `${call.name}()`;
    throw new SqlFault("arguments", `${usage} is called with ${call.args.length} argument` +
      (call.args.length === 1 ? "" : "s"), sql, call.span);
  }
  call.args.forEach((arg, i) => {
    if (!fits(expected[i]!, arg)) {
      const given = arg.kind === "literal" && typeof arg.value === "string" ? arg.value : undefined;
      throw new SqlFault("arguments",
        `Argument ${i + 1} of ${call.name}() is ${letters[expected[i]!] ?? "a value"}`,
        sql, arg.span, expected[i] === "T" ? typeNames : [], given);
    }
  });
}

/** What does by key, or row by row, what an aggregate does with a window. */
function withoutOver({ name, place }: DialectFunction): string {
  if (place !== "aggregate") return "";
  const running = knownFunctions.has(`acc_${name}`) ? `, and acc_${name}() takes OVER` : "";
  return `: GROUP BY has its keys${running}`;
}

/** One letter for each of `count` arguments, or null if there cannot be so many. */
export function expand(parameters: string, count: number): string | null {
  const [must, may] = parameters.replace(/[+/]$/, "").split("?") as [string, string?];
  if (parameters.endsWith("/")) {
    // In pairs: names and values.
    return count % must.length === 0 ? must.repeat(count / must.length) : null;
  }
  let all = must + (may ?? "");
  if (parameters.endsWith("+")) all += all.at(-1)!.repeat(Math.max(0, count - all.length));
  return count >= must.length && count <= all.length ? all : null;
}

function fits(letter: string, arg: Expr): boolean {
  if (arg.kind === "star") return letter === "*" || letter === "f";
  if (letter === "f") return arg.kind === "name" || arg.kind === "member";
  if (arg.kind !== "literal") return letter !== "B" && letter !== "T";
  const { value } = arg;
  if (value === null) return letter !== "T" && letter !== "B";
  const type = typeof value;
  switch (letter) {
    case "n": case "d": return type === "number" || type === "bigint";
    case "i": return type === "bigint";
    case "u": return type === "bigint" && (value as bigint) >= 0n;
    case "s": case "y": return type === "string";
    case "b": case "B": return type === "boolean";
    case "t": return type === "string";
    case "k": return type === "bigint" || type === "string";
    case "l": case "o": return false;
    case "T": return type === "string" && typeNames.has((value as string).toLowerCase());
    default: return true;
  }
}
