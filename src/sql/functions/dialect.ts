/** Where a function may stand. */
export type FunctionClass =
  | "scalar" | "aggregate" | "analytic" | "rows" | "columns" | "number" | "hit" | "context";

/**
 * Functions of the dialect without a body in this version, and their parameters
 * (`functions/record.ts`): a query with one is told so, and a wrong call of one is told what is
 * wrong.
 */
const later: Readonly<Record<FunctionClass, string>> = {
  aggregate: "collect:* merge_agg:* deduplicate:aB",
  analytic: "lag:a?iaB latest:a?a changed_col:ba had_changed:b*+ acc_sum:n?bb acc_min:n?bb " +
    "acc_max:n?bb " +
    "acc_avg:n?bb acc_count:a?bb",
  rows: "unnest:a extract:a",
  columns: "changed_cols:sb*+",
  number: "row_number:",
  hit: "last_hit_count: last_hit_time: last_agg_hit_count: last_agg_hit_time:",
  context: "newuuid: tstamp: event_time: rule_id: rule_start: mqtt:f meta:f window_start: " +
    "window_end: " +
    "window_trigger: get_keyed_state:aTa delay:ia props:s quality:f good:f raw:f changed:f",
  scalar: "rand: chr:k format:nu?s regexp_matches:ss regexp_replace:sss regexp_substr:ss " +
    "now:?u current_timestamp:?u local_time:?u local_timestamp:?u cur_date: current_date: " +
    "cur_time:?u " +
    "current_time:?u format_time:ts date_calc:ts date_diff:tt day_name:t day_of_month:t day:t " +
    "day_of_week:t " +
    "day_of_year:t from_days:t from_unix_time:i hour:t last_day:t microsecond:t minute:t month:t " +
    "month_name:t second:t array_cardinality:a cardinality:a array_concat:a+ array_contains:aa " +
    "array_contains_any:aa array_create:a+ array_distinct:a array_except:aa array_flatten:a " +
    "array_intersect:aa array_join:as?s array_last_position:aa array_map:sa array_max:a " +
    "array_min:a " +
    "array_position:aa array_remove:aa array_shuffle:a array_sort:a array_union:aa element_at:aa " +
    "kvpair_array_to_obj:a repeat:ai sequence:ii?i keys:a values:a object:aa zip:a items:a " +
    "object_construct:sa/ object_concat:aa+ object_pick:aa+ erase:aa obj_to_kvpair_array:a " +
    "object_size:a " +
    "md5:s sha1:s sha256:s sha384:s sha512:s crc32:s to_json:a parse_json:s json_path_exists:as " +
    "json_path_query:as json_path_query_first:as convert_tz:ts to_seconds:t encode:as decode:ss " +
    "compress:as decompress:as",
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
