import { assert } from "../../base.ts";
import type { ColumnSpec } from "../../ring.ts";
import type { Code, Value } from "../emit/code.ts";
import type { RowLeaves } from "../emit/leaves.ts";
import { add64, type Aggregate, beats, fieldsOf, keep, keepOne, keepsCell, type Place } from
  "./aggregates.ts";

/** What an aggregate of a pane has come to, as columns: one for each field, and the whole cell. */
export function paneColumns(aggregate: Aggregate, i: number): ColumnSpec[] {
  const { spec } = aggregate;
  const fields = Object.keys(fieldsOf(aggregate)).map((name): ColumnSpec =>
    ({ name: `agg${i}.${name}`, kind: "float64", slot: 0 }));
  return keepsCell(aggregate)
    ? [...fields, { name: `agg${i}.cell`, kind: spec.kind, slot: spec.slot }] : fields;
}

/**
 * Lines that join a pane, the current row, to what the panes before it have come to. This order is
 * part of what the result of a float is.
 */
export function mergePane(
  code: Code, aggregate: Aggregate, i: number, row: RowLeaves, place: Place,
): void {
  const at = (field: string): string => place.at(field);
  const of = (field: string): string => row.column(`agg${i}.${field}`).value;
  if (!aggregate.skipsNull && aggregate.arg !== null) {
    code.line(keepOne(aggregate, paneValue(aggregate, i, row), place));
    return;
  }
  const n = at("n"), more = of("n");
  if (aggregate.arg === null) {
    code.line(`${n} = ${n} + ${more};`);
    return;
  }
  const worst = of("worst");
  code.line(`if (${worst} > ${at("worst")}) ${at("worst")} = ${worst};`);
  if ("over" in fieldsOf(aggregate)) code.line(`if (${of("over")} === 1) ${at("over")} = 1;`);
  const lines = mergeLines(code, aggregate, i, row, place);
  code.line(`if (${more} > 0) { ${[...lines, `${n} = ${n} + ${more};`].join(" ")} }`);
}

function mergeLines(
  code: Code, aggregate: Aggregate, i: number, row: RowLeaves, place: Place,
): string[] {
  const at = (field: string): string => place.at(field);
  const of = (field: string): string => row.column(`agg${i}.${field}`).value;
  const n = at("n");
  switch (aggregate.fn) {
    case "count": return [];
    case "sum": case "avg": {
      if (aggregate.spec.kind === "int64") {
        const value = { kind: "int64", state: "0", value: `(${of("low")} | 0)`,
          high: `(${of("high")} | 0)` } as const;
        return add64(code, value, at);
      }
      const sum = at("sum");
      const exact = aggregate.spec.kind !== "int53" ? [] : [
        `if (${sum} > 9007199254740991 | ${sum} < -9007199254740991) ${at("over")} = 1;`];
      return [`${sum} = ${sum} + ${of("sum")};`, ...exact];
    }
    case "min": case "max": {
      if (keepsCell(aggregate)) {
        const value = paneValue(aggregate, i, row);
        return [`if (${n} === 0 || ${beats(aggregate, value, place)}) { ` +
          `${keep(aggregate, value, place)} }`];
      }
      const best = at("best"), other = of("best");
      const better = aggregate.fn === "min" ? "<" : ">";
      return [`if (${n} === 0 || ${other} ${better} ${best}) ${best} = ${other};`];
    }
    case "stddev": case "stddevs": case "var": case "vars": case "rms":
      return mergeMoments({ n, mean: at("mean"), squares: at("squares") },
        { n: of("n"), mean: of("mean"), squares: of("squares") });
    default:
      assert(false, `${aggregate.fn} is not made of panes`);
      return [];
    case "last": return [keep(aggregate, paneValue(aggregate, i, row), place)];
    case "first": return [
      `if (${n} === 0) { ${keep(aggregate, paneValue(aggregate, i, row), place)} }`];
  }
}

interface Moments { readonly n: string; readonly mean: string; readonly squares: string }

/** Chan, Golub, LeVeque 1979. Of nothing and a pane it is the pane, also where it is not finite. */
function mergeMoments(a: Moments, b: Moments): string[] {
  const first = `${a.mean} = ${b.mean}; ${a.squares} = ${b.squares};`;
  return [
    `if (${a.n} === 0) { ${first} } else {`,
    `const d = ${b.mean} - ${a.mean}, both = ${a.n} + ${b.n};`,
    `${a.squares} = ${a.squares} + ${b.squares} + d * d * ${a.n} * ${b.n} / both;`,
    `${a.mean} = ${a.mean} + d * ${b.n} / both; }`,
  ];
}

/** The value that a pane has kept. */
function paneValue(aggregate: Aggregate, i: number, row: RowLeaves): Value {
  const state = "state" in fieldsOf(aggregate) ? row.column(`agg${i}.state`).value : "0";
  if (keepsCell(aggregate)) return { ...row.column(`agg${i}.cell`), state };
  const value = row.column(`agg${i}.value`);
  return { kind: "float64", value: value.value, state };
}
