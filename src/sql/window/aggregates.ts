import { type ColumnSpec, ERROR, NULL, UNCERTAIN } from "../../ring.ts";
import type { AggregateName } from "../bound.ts";
import type { Code, Value } from "../emit/code.ts";

/** One aggregate of a window, as the planner hands it over; `spec` is the column of its result. */
export interface Aggregate {
  readonly fn: AggregateName;
  readonly spec: ColumnSpec;
  /** null = count(*). */
  readonly arg: ColumnSpec | null;
  /** Whether an input that reads as NULL is left out. */
  readonly skipsNull: boolean;
}

/** What an aggregate keeps for each group, all float64, with the value it begins with. */
export type Fields = Readonly<Record<string, number>>;

/** Gives the text of a field's place for the current group. */
export type Place = (field: string) => string;

const kept: Record<AggregateName, Fields> = {
  count: { n: 0 },
  sum: { n: 0, worst: 0, sum: 0 },
  avg: { n: 0, worst: 0, sum: 0 },
  min: { n: 0, worst: 0, best: 0 },
  max: { n: 0, worst: 0, best: 0 },
  stddev: { n: 0, worst: 0, mean: 0, squares: 0 },
  last: { value: 0, state: NULL },
  first: { value: 0, state: NULL, n: 0 },
};

export const fieldsOf = (aggregate: Aggregate): Fields =>
  aggregate.fn === "count" && aggregate.arg !== null ? { n: 0, worst: 0 } : kept[aggregate.fn];

/** Lines that take one row's value in. `arg` is null for count(*). */
export function update(code: Code, aggregate: Aggregate, arg: Value | null, at: Place): void {
  const n = (): string => at("n");
  if (arg === null) {
    code.line(`${n()} = ${n()} + 1;`);
    return;
  }
  if (aggregate.fn === "last") {
    const test = aggregate.skipsNull ? `if (${arg.state} < 64 | ${arg.state} > 193) ` : "";
    code.line(`${test}{ ${at("value")} = ${number(arg)}; ${at("state")} = ${arg.state}; }`);
    return;
  }
  if (aggregate.fn === "first") {
    code.line(`if (${n()} === 0) { ${at("value")} = ${number(arg)}; ${at("state")} = ${arg.state}; ${n()} = 1; }`);
    return;
  }
  // What is left out for being bad makes the result uncertain; NULL is left out silently.
  const s = arg.state;
  if (s !== "0") {
    const w = code.define("w", `${s} < 64 | ${s} > 193 ? ${s} : ${s} < 192 ? ${UNCERTAIN.skipped} : 0`);
    code.line(`if (${w} > ${at("worst")}) ${at("worst")} = ${w};`);
  }
  const lines = valueLines(aggregate, number(arg), at);
  code.line(`${s === "0" ? "" : `if (${s} < 64) `}{ ${lines.join(" ")} }`);
}

const number = (arg: Value): string => (arg.kind === "bool" ? `(${arg.value} | 0)` : arg.value);

function valueLines(aggregate: Aggregate, v: string, at: Place): string[] {
  const n = at("n");
  const counted = `${n} = ${n} + 1;`;
  switch (aggregate.fn) {
    case "count": return [counted];
    case "sum": case "avg": {
      const sum = at("sum");
      const exact = aggregate.arg!.kind !== "int53" ? [] : [
        `if (${sum} > 9007199254740991 | ${sum} < -9007199254740991) ${at("worst")} = ${ERROR.overflow};`];
      return [counted, `${sum} = ${sum} + ${v};`, ...exact];
    }
    case "min": return [`if (${n} === 0 || ${v} < ${at("best")}) ${at("best")} = ${v};`, counted];
    case "max": return [`if (${n} === 0 || ${v} > ${at("best")}) ${at("best")} = ${v};`, counted];
    case "stddev": {
      // Welford 1962: one pass, no cancellation.
      const mean = at("mean"), squares = at("squares");
      return [
        counted,
        `const d = ${v} - ${mean};`,
        `${mean} = ${mean} + d / ${n};`,
        `${squares} = ${squares} + d * (${v} - ${mean});`,
      ];
    }
    case "last": case "first": return [];
  }
}

/** The result of a closed group. */
export function result(code: Code, aggregate: Aggregate, at: Place): Value {
  const { kind } = aggregate.spec;
  if (aggregate.fn === "last" || aggregate.fn === "first") {
    return { kind, value: code.define("v", at("value")), state: code.define("s", at("state")) };
  }
  const n = code.define("n", at("n"));
  if (aggregate.fn === "count") {
    return { kind, value: n, state: aggregate.arg === null ? "0" : code.define("s", at("worst")) };
  }
  const worst = code.define("s", at("worst"));
  const state = code.define("s", `${n} === 0 & ${worst} < 194 ? ${NULL} : ${worst}`);
  return { kind, value: code.define("v", finish(aggregate, n, at)), state };
}

function finish(aggregate: Aggregate, n: string, at: Place): string {
  switch (aggregate.fn) {
    case "count": return n;
    case "sum": return at("sum");
    // eKuiper: the average of whole numbers is a whole number.
    case "avg": return aggregate.spec.kind === "int53" ? `Math.trunc(${at("sum")} / ${n}) + 0` : `${at("sum")} / ${n}`;
    case "min": case "max": return at("best");
    case "stddev": return `Math.sqrt(${at("squares")} / ${n})`;
    case "last": case "first": return at("value");
  }
}
