import type { FunctionClass } from "./dialect.ts";
import type { Parameters } from "./record.ts";
import type { RowsExample } from "./stateful.ts";

/** A function that the binder itself turns into a node. */
export interface FormFunction {
  readonly name: string;
  readonly parameters: Parameters;
  readonly place: FunctionClass;
  readonly usage: string;
  /** The type of its result, for the manual. */
  readonly gives: string;
  readonly doc: string;
  /** As of a plain function, of one with state, or a query that it stands in. */
  readonly examples: readonly (readonly [string, string] | RowsExample | string)[];
}

export const forms: readonly FormFunction[] = [
  {
    name: "cast", parameters: "aT", place: "scalar", usage: "cast(x, 'type')",
    gives: "that type",
    doc: "x as bigint, float, string, boolean, datetime or bytea; a float is cut towards zero, " +
      "what cannot be one of the type is an error of this row",
    examples: [["cast(2.9, 'bigint')", "2"], ["cast('2.5', 'float')", "2.5"],
      ["cast(7, 'string')", "'7'"]],
  },
  {
    name: "coalesce", parameters: "a+", place: "scalar", usage: "coalesce(a, b, …)",
    gives: "as a", doc: "The first that is not NULL; bad counts as NULL",
    examples: [["coalesce(NULL, 2)", "2"]],
  },
  {
    name: "isnull", parameters: "a", place: "scalar", usage: "isnull(x)", gives: "boolean",
    doc: "Whether x has no value, as x IS NULL", examples: [["isnull(NULL)", "TRUE"]],
  },
  {
    name: "quality", parameters: "f", place: "context", usage: "quality(tag)", gives: "string",
    doc: "Why a value is as it is: 'good', 'uncertain:stale', 'bad:timeout', 'null' and so on",
    examples: ["SELECT quality(temperature) AS why FROM press.fast WHERE temperature IS NULL"],
  },
  {
    name: "good", parameters: "f", place: "context", usage: "good(tag)", gives: "boolean",
    doc: "Whether the value is good: neither bad nor missing nor uncertain",
    examples: ["SELECT temperature FROM press.fast WHERE good(pressure)"],
  },
  {
    name: "raw", parameters: "f", place: "context", usage: "raw(tag)", gives: "as tag",
    doc: "The value, or where it is bad the last one known, which is then uncertain",
    examples: ["SELECT raw(temperature) AS last_known FROM press.fast"],
  },
  {
    name: "changed", parameters: "f", place: "context", usage: "changed(tag)", gives: "boolean",
    doc: "Whether value or quality differ from the row before; TRUE on the first row",
    examples: [{ call: "changed(x)", x: ["1", "1", "2"], gives: ["TRUE", "FALSE", "TRUE"] },
      "SELECT temperature FROM press.fast WHERE changed(temperature)"],
  },
  {
    name: "date_diff", parameters: "tt", place: "scalar", usage: "date_diff(from, to)",
    gives: "bigint", doc: "Nanoseconds from one time to another, exact in 64 bits; times are " +
      "milliseconds: digits of a text behind those are left out",
    examples: [["date_diff('2026-01-31T08:00:00Z', '2026-01-31T08:00:01Z') = 1000000000", "TRUE"]],
  },
  {
    name: "infer", parameters: "sa+", place: "scalar", usage: "infer('model', a, b, …)",
    gives: "float",
    doc: "What a model of the configuration gives for these numbers: the first of its results; " +
      "infer(…)[1] is the second",
    examples: ["SELECT infer('target', temperature, pressure) AS target FROM press.fast"],
  },
  {
    name: "window_start", parameters: "", place: "context", usage: "window_start()",
    gives: "bigint", doc: "When the window began, in milliseconds since 1970",
    examples: [{ call: "window_start()", x: ["1", "2", "3"], gives: ["0", "0", "0"] }],
  },
  {
    name: "window_end", parameters: "", place: "context", usage: "window_end()",
    gives: "bigint", doc: "When the window ended, in milliseconds since 1970",
    examples: [{ call: "window_end()", x: ["1", "2", "3"], gives: ["2000", "2000", "2000"] }],
  },
  {
    name: "window_trigger", parameters: "", place: "context", usage: "window_trigger()",
    gives: "bigint",
    doc: "When the window was asked for, in milliseconds since 1970: of a sliding window with a " +
      "delay the time of its row, of any other one its end",
    examples: [{ call: "window_trigger()", x: ["1", "2", "3"], gives: ["2000", "2000", "2000"] }],
  },
  {
    name: "rule_id", parameters: "", place: "context", usage: "rule_id()", gives: "string",
    doc: "The name of the rule",
    examples: ["SELECT rule_id() AS rule, temperature FROM press.fast WHERE temperature > 80"],
  },
  {
    name: "row_number", parameters: "", place: "number",
    usage: "row_number() [OVER ([PARTITION BY …] [ORDER BY …])]", gives: "bigint",
    doc: "Number of the row among those that the window gives, from 1; without a window 1",
    examples: [{ call: "row_number() OVER (ORDER BY x DESC)", x: ["5", "9", "7"],
      gives: ["3", "1", "2"] }],
  },
  {
    name: "last_hit_count", parameters: "", place: "hit", usage: "last_hit_count()",
    gives: "bigint",
    doc: "How many rows came out before this one; in OVER (WHEN …) of a window, for how many " +
      "rows its condition was TRUE",
    examples: [{ call: "last_hit_count()", x: ["5", "5", "5"], gives: ["0", "1", "2"] },
      "SELECT temperature FROM press.fast WHERE temperature > 80 AND last_hit_count() < 10"],
  },
  {
    name: "last_hit_time", parameters: "", place: "hit", usage: "last_hit_time()",
    gives: "bigint",
    doc: "When the last row came out, in milliseconds since 1970; 0 before the first",
    examples: [{ call: "last_hit_time()", x: ["5", "5", "5"], gives: ["0", "0", "1000"] }],
  },
  {
    name: "last_agg_hit_count", parameters: "", place: "hit", usage: "last_agg_hit_count()",
    gives: "bigint", doc: "How many windows gave a row before this one, in HAVING and SELECT",
    examples: ["SELECT max(pressure) AS peak FROM press.fast GROUP BY TUMBLINGWINDOW(ss, 1) " +
      "HAVING max(pressure) > 8 AND last_agg_hit_count() < 3"],
  },
  {
    name: "last_agg_hit_time", parameters: "", place: "hit", usage: "last_agg_hit_time()",
    gives: "bigint",
    doc: "When the last window that gave a row ended, in milliseconds since 1970; 0 before the " +
      "first",
    examples: ["SELECT max(pressure) AS peak FROM press.fast GROUP BY TUMBLINGWINDOW(ss, 1) " +
      "HAVING max(pressure) > 8 AND window_end() - last_agg_hit_time() > 60000"],
  },
  {
    name: "meta", parameters: "f", place: "context", usage: "meta([stream.]key)",
    gives: "any type",
    doc: "What a message says of itself beside its fields: of MQTT topic, qos and messageId; " +
      "meta(*) is all of it as an object",
    examples: ["SELECT meta(topic) AS topic, recipe FROM orders WHERE meta(topic) LIKE 'hall-2/%'"],
  },
  {
    name: "mqtt", parameters: "f", place: "context", usage: "mqtt(key)", gives: "any type",
    doc: "The same of a source of type mqtt: topic, qos or messageid",
    examples: ["SELECT mqtt(topic) AS topic, recipe FROM orders"],
  },
  {
    name: "unnest", parameters: "l", place: "rows", usage: "unnest(array)", gives: "rows",
    doc: "A row of each item, by itself in SELECT; an item that is an object gives its fields as " +
      "columns",
    examples: [{ call: "unnest(x)", x: ["array_create(4, 5)"], gives: ["4", "5"] }],
  },
  {
    name: "extract", parameters: "o", place: "rows", usage: "extract(object)", gives: "rows",
    doc: "A row of each field, a column of the field's name; by itself in SELECT",
    examples: [{ call: "extract(x)", x: ["object_construct('a', 4, 'b', 5)"], gives: ["4", "5"] }],
  },
  {
    name: "changed_cols", parameters: "sb*+", place: "columns",
    usage: "changed_cols('prefix', ignoreNull, x, …)", gives: "columns",
    doc: "Of each column, named with the prefix, its value where it differs from the last row " +
      "that came out, else NULL; by itself in SELECT, without a window",
    examples: [{ call: "changed_cols('new_', TRUE, x)", x: ["1", "1", "2"],
      gives: ["1", "NULL", "2"] }],
  },
];
