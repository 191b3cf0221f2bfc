/** Where a function may stand. */
export type FunctionClass =
  | "scalar" | "aggregate" | "analytic" | "rows" | "columns" | "number" | "hit" | "context";

/**
 * Functions of the dialect that are not in this version, and their parameters
 * (`functions/record.ts`): a query with one is told so, and a wrong call of one is told what is
 * wrong.
 */
const later: Readonly<Record<"context" | "scalar", string>> = {
  context: "newuuid: rule_id: rule_start: " +
    "window_trigger: get_keyed_state:aTa delay:ia props:s",
  scalar: "rand: array_shuffle:a",
};

export interface DialectFunction {
  readonly name: string;
  readonly parameters: string;
  readonly place: FunctionClass;
}

export const dialect: ReadonlyMap<string, DialectFunction> = new Map(
  (Object.entries(later) as [FunctionClass, string][]).flatMap(([place, list]) =>
    list.split(" ").map((entry): [string, DialectFunction] => {
      const [name, parameters] = entry.split(":") as [string, string];
      return [name, { name, parameters, place }];
    })));
