import { type ColumnSpec, spread_name } from "../ring.ts";
import type { Bound, BoundField, BoundQuery } from "./bound.ts";
import { dyn } from "./types.ts";

/** A column of the select list. */
export interface Shown {
  readonly spec: ColumnSpec;
  readonly expr: Bound;
}

/** What the select list writes; with a function that makes rows it is not yet what comes out. */
export function listed({ select, inputs }: BoundQuery): Shown[] {
  const unitOf = (expr: Bound): string | undefined => (expr.kind === "column"
    ? inputs[expr.input]?.columns.find((c) => c.name === expr.name)?.eu : undefined);
  return select.filter((field) => !field.invisible).map(({ name, expr }: BoundField) => {
    const { kind, slot } = expr.type;
    const eu = unitOf(expr);
    return { spec: { name, kind, slot, ...(eu ? { eu } : {}) }, expr };
  });
}

/** The columns of what comes out of a query. */
export function shownOf(query: BoundQuery): { readonly spec: ColumnSpec }[] {
  const columns = listed(query);
  return query.expand === null ? columns : [{ spec: spreadOf(columns.map(({ spec }) => spec)) }];
}

/** The one column that holds a row of a function that makes rows, from these columns. */
export function spreadOf(columns: readonly ColumnSpec[]): ColumnSpec {
  return { name: spread_name, ...dyn(columns.reduce((sum, { slot }) => sum + slot, 16)) };
}
