/** Where a function may stand. */
export type FunctionClass =
  | "scalar" | "aggregate" | "analytic" | "rows" | "columns" | "number" | "hit" | "context";

/**
 * Functions of the dialect without a body in this version, and their parameters
 * (`functions/record.ts`): a query with one is told so, and a wrong call of one is told what is
 * wrong.
 */
const later: Readonly<Record<Exclude<FunctionClass, "analytic">, string>> = {
  aggregate: "collect:* merge_agg:* deduplicate:aB",
  rows: "unnest:a extract:a",
  columns: "changed_cols:sb*+",
  number: "row_number:",
  hit: "last_hit_count: last_hit_time: last_agg_hit_count: last_agg_hit_time:",
  context: "newuuid: rule_id: rule_start: mqtt:f meta:f window_start: " +
    "window_end: " +
    "window_trigger: get_keyed_state:aTa delay:ia props:s quality:f good:f raw:f changed:f",
  scalar: "rand: array_cardinality:a cardinality:a array_concat:a+ array_contains:aa " +
    "array_contains_any:aa array_create:a+ array_distinct:a array_except:aa array_flatten:a " +
    "array_intersect:aa array_join:as?s array_last_position:aa array_map:sa array_max:a " +
    "array_min:a " +
    "array_position:aa array_remove:aa array_shuffle:a array_sort:a array_union:aa element_at:aa " +
    "kvpair_array_to_obj:a repeat:ai sequence:ii?i keys:a values:a object:aa zip:a items:a " +
    "object_construct:sa/ object_concat:aa+ object_pick:aa+ erase:aa obj_to_kvpair_array:a " +
    "object_size:a " +
    "to_json:a parse_json:s json_path_exists:as " +
    "json_path_query:as json_path_query_first:as",
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
