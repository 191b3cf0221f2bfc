import type { Bound, BoundNumber, BoundOrder, BoundQuery } from "../../src/sql/bound.ts";
import { exactly, openOrder, oneZero } from "./open.ts";
import type { Origin } from "./stateful.ts";
import {
  type Cell, evaluate, good, hasValue, type Leaves, order, type Row, stored,
} from "./value.ts";

/** What a closed window gives: not yet a row. */
export interface Given {
  readonly time: number;
  readonly origin: Origin;
  readonly leaves: Leaves;
}

/**
 * The rows of one window that pass HAVING: numbered, without duplicates, in order, not too many.
 * Null: there is no order.
 */
export function arranged(
  query: BoundQuery, given: readonly Given[], project: (given: Given) => Row,
): Row[] | null {
  const keys = (of: Given, by: readonly BoundOrder[]): Cell[] =>
    by.map(({ expr }) => cellOf(expr, of));
  const orders = [query.orderBy, ...query.numbers.map(({ orderBy }) => orderBy)];
  const all = orders.flatMap((by) => by.map((_, i) => given.map((one) => keys(one, by)[i]!)));
  if (!all.every(isOneKind)) return null;
  const numbered = given.map((one) => {
    const numbers = query.numbers.map((node): [Bound, Cell] =>
      [node, good(numberOf(node, one, given))]);
    return { ...one, leaves: { ...one.leaves, seed: new Map([...one.leaves.seed, ...numbers]) } };
  });
  const rows = numbered.map((one) => ({ row: project(one), keys: keys(one, query.orderBy) }));
  const texts = rows.map(({ row }) => textOf(row));
  return rows.filter((_, i) => !query.distinct || texts.indexOf(texts[i]!) === i)
    .toSorted((a, b) => compare(a.keys, b.keys, query.orderBy))
    .map(({ row }) => row).slice(0, query.limit ?? Infinity);
}

/** What rows are put in order by stands in cells. */
const cellOf = (expr: Bound, { leaves }: Given): Cell => stored(evaluate(expr, leaves), expr.type);

/** One more than those of its partition that come before it. */
function numberOf(
  { partitionBy, orderBy }: BoundNumber, one: Given, all: readonly Given[],
): number {
  const partition = (of: Given): string =>
    partitionBy.map((expr) => valueText(cellOf(expr, of))).join("\u0000");
  const keys = (of: Given): Cell[] => orderBy.map(({ expr }) => cellOf(expr, of));
  const place = all.indexOf(one);
  return 1 + all.filter((other, i) => {
    if (other === one || partition(other) !== partition(one)) return false;
    const sign = compare(keys(other), keys(one), orderBy);
    return sign < 0 || (sign === 0 && i < place);
  }).length;
}

function compare(a: readonly Cell[], b: readonly Cell[], by: readonly BoundOrder[]): number {
  for (const [i, { descending }] of by.entries()) {
    const [x, y] = [a[i]!, b[i]!];
    if (!hasValue(x) || !hasValue(y)) {
      if (hasValue(x) !== hasValue(y)) return hasValue(x) ? -1 : 1;
      continue;
    }
    const sign = compareValues(x, y);
    if (sign !== 0) return descending ? -sign : sign;
  }
  return 0;
}

function compareValues({ value: x }: Cell, { value: y }: Cell): number {
  const odd = [x, y].map(Number.isNaN);
  if (odd.includes(true)) return Number(odd[0]) - Number(odd[1]);
  const open = typeof x !== typeof y || (typeof x === "object" && x !== null);
  return open ? openOrder(x, y)! : order(x, y);
}

/** Numbers with numbers, texts with texts … and nothing with a structure. */
function isOneKind(cells: readonly Cell[]): boolean {
  const kinds = cells.filter(hasValue).map(({ value }) => {
    if (value instanceof Date) return "time";
    if (value instanceof Uint8Array) return "bytes";
    return typeof value === "bigint" ? "number" : typeof value;
  });
  return new Set(kinds).size < 2 && !kinds.includes("object");
}

/** Equal for equal values, and for all that reads as NULL. */
function valueText({ value, state }: Cell): string {
  if (state >= 64) return "NULL";
  return `${typeof value} ${exactly(oneZero(value))}`;
}

/** The lineage is no column. */
const textOf = ({ cells }: Row): string => [...cells].filter(([name]) => name !== "$oldest")
  .map(([, cell]) => (cell.state >= 194 ? `error ${cell.state}` : valueText(cell))).join("\u0000");
