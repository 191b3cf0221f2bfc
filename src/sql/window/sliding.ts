import { type Code, indent, numberOf } from "../emit/code.ts";
import { NewestLeaves, RowLeaves } from "../emit/leaves.ts";
import type { Leaves } from "../emit/rows.ts";
import { standsInOrder, worstLine } from "./aggregates.ts";
import { field, groupFields, takeRow, takenRows, type WindowSpec } from "./kernel.ts";
import { word } from "./words.ts";

/**
 * Words of the state field `standing` (float64), where each row closes a window: that is the one
 * before but for few rows, so values stand in order as long as their rows are in it.
 *
 *     0 first   rows of the window that closed last, or of which rows are left: [first, next)
 *     1 next
 *     2 rows    how many of them are taken in
 *     3 odd     how many of these have a flag, or a value in order that is not good
 */
const standing_words = 4;

/** Values in order, one for each argument that percentiles are asked of. */
interface Order {
  readonly arg: string;
  /** Of the first aggregate that asks. */
  readonly index: number;
  readonly at: string;
  readonly n: string;
  readonly valued: string;
}

/** Beside the fields of a group: `order N` F × rows, its counts and values F × 1 each. */
export function addStandingFields({ layout }: Code, spec: WindowSpec): void {
  layout.add("standing", "F", standing_words);
  for (const i of firstOfArguments(spec)) {
    layout.add(`order${i}`, "F", spec.rows);
    layout.add(`order${i}.n`, "F", 1);
    layout.add(`order${i}.valued`, "F", 1);
  }
}

/** Those aggregates whose argument no one before them has. */
const firstOfArguments = (spec: WindowSpec): number[] =>
  spec.aggregates.flatMap(({ aggregate }, i) =>
    (standsInOrder(aggregate) && orderOf(spec, i) === i ? [i] : []));

/** Index of the aggregate that has the values of this one in order. */
export const orderOf = (spec: WindowSpec, index: number): number =>
  spec.aggregates.findIndex(({ aggregate }) => standsInOrder(aggregate) &&
    aggregate.arg!.name === spec.aggregates[index]!.aggregate.arg!.name);

/**
 * `accumulate(p, from, to, end, time)`: the window now has rows [from, to). What stands in order
 * loses the rows before and gets those behind; all else is made anew from the rows.
 */
export function slidingKernel(code: Code, spec: WindowSpec): string {
  const standing = field(code, "standing", "standing");
  const window = field(code, "window", "window");
  const mask = code.param({ of: "input", part: "mask" }, "mask");
  const orders = firstOfArguments(spec).map((index): Order => ({
    index, arg: spec.aggregates[index]!.aggregate.arg!.name,
    at: field(code, `order${index}`, `order${index}`),
    n: code.name(`order${index}_n`), valued: code.name(`order${index}_valued`),
  }));
  const place = (name: string, i: number): string => `F[${field(code, `order${i}.${name}`, name)}]`;
  const kept = orders.flatMap(({ index, n, valued }) =>
    [[n, place("n", index)], [valued, place("valued", index)]] as const);
  const leaving = passing(code, spec, orders, "remove");
  const entering = passing(code, spec, orders, "insert");
  const again = [...anew(code, spec, orders)];
  const lines = [
    `let first = F[${standing}] | 0, next = F[${standing} + 1 | 0] | 0;`,
    `let rows = F[${standing} + 2 | 0], odd = F[${standing} + 3 | 0];`,
    ...kept.map(([name, text]) => `let ${name} = ${text} | 0;`),
    "const gone = (from - next | 0) > 0 ? next : from;",
    "for (; first !== gone; first = first + 1 | 0) {",
    `  const r = first & ${mask};`, ...leaving, "}",
    "first = from;", "if ((from - next | 0) > 0) next = from;",
    "for (; (to - next | 0) > 0; next = next + 1 | 0) {",
    `  const r = next & ${mask};`, ...entering, "}",
    `F[${standing}] = first; F[${standing} + 1 | 0] = next;`,
    `F[${standing} + 2 | 0] = rows; F[${standing} + 3 | 0] = odd;`,
    ...kept.map(([name, text]) => `${text} = ${name};`),
    `F[${window} + ${word.groups} | 0] = rows > 0 ? 1 : 0;`,
    ...again,
    "return to;",
  ];
  return `function accumulate(p, from, to, end, time) {
${indent(code.takePrologue(), "  ")}
${indent(lines, "  ")}
}`;
}

const leavesOf = (code: Code, spec: WindowSpec): Leaves =>
  ({ code, row: new RowLeaves(code, spec.input, "r"), newest: new NewestLeaves(code) });

/** The lines that take row `r` in or out. */
function passing(
  code: Code, spec: WindowSpec, orders: readonly Order[], how: "insert" | "remove",
): string[] {
  const leaves = leavesOf(code, spec);
  const sign = how === "insert" ? "+" : "-";
  const { pass } = takenRows(spec, leaves);
  if (pass !== "true") code.line(`if (!(${pass})) continue;`);
  const flags = code.param({ of: "input", part: "flags" }, "row_flags");
  const states: string[] = [];
  for (const { index, at, n, valued } of orders) {
    const arg = spec.aggregates[index]!.value!(leaves);
    states.push(arg.state);
    code.line(`if (${arg.state} < 64) {`);
    code.line(`  ${valued} = ${valued} ${sign} 1 | 0;`);
    code.line(`  ${n} = ${n} ${sign} fn.order.${how}(F, ${at}, ${n}, ${numberOf(arg)}) | 0;`);
    code.line("}");
  }
  code.line(`rows = rows ${sign} 1;`);
  code.line(`if ((U[${flags} + r | 0] | ${states.join(" | ")}) !== 0) odd = odd ${sign} 1;`);
  return code.take().map((line) => indent([line], "  "));
}

/** What does not stand: other aggregates, and the worst state of those whose values do. */
function anew(code: Code, spec: WindowSpec, orders: readonly Order[]): string[] {
  const leaves = leavesOf(code, spec);
  const stands = (i: number): boolean => standsInOrder(spec.aggregates[i]!.aggregate);
  const fields = groupFields(code, spec, true);
  const { pass } = takenRows(spec, leaves);
  if (pass !== "true") code.line(`if (!(${pass})) continue;`);
  spec.aggregates.forEach(({ aggregate, value }, i) => {
    if (!stands(i)) return;
    const worst = worstLine(code, aggregate, value!(leaves).state,
      fields.find(({ name }) => name === `agg${i}.worst`)!.place);
    if (worst !== null) code.line(worst);
  });
  takeRow(code, spec, leaves, fields);
  const body = code.take();
  const mask = code.param({ of: "input", part: "mask" }, "mask");
  // Counts of rows and of values stand, too.
  const others = spec.aggregates.some(({ aggregate }, i) => !stands(i) && aggregate.arg !== null);
  const known = spec.aggregates.flatMap(({ aggregate }, i) => {
    const count = stands(i) ? orders.find(({ index }) => index === orderOf(spec, i))!.valued
      : aggregate.arg === null ? "rows" : null;
    // The others count for themselves, and last_value(x, FALSE) not at all.
    return count === null ? []
      : [`${fields.find(({ name }) => name === `agg${i}.n`)!.place} = ${count};`];
  });
  return [
    `const g = 0;`,
    fields.map((f) => `let ${f.place} = ${f.first};`).join(" "),
    `${others ? "" : "if (odd > 0) "}for (let seq = from; seq !== to; seq = seq + 1 | 0) {`,
    `  const r = seq & ${mask};`, indent(body, "  "), "}",
    ...known,
    fields.map((f) => `F[${f.at}] = ${f.place};`).join(" "),
  ];
}
