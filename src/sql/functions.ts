import { aggregates, type AggregateFunction } from "./functions/aggregate.ts";
import { access } from "./functions/access.ts";
import { alarms } from "./functions/alarm.ts";
import { analytics } from "./functions/analytic.ts";
import { compression } from "./functions/compress.ts";
import { controllers } from "./functions/control.ts";
import { convert } from "./functions/convert.ts";
import { datetime } from "./functions/datetime.ts";
import { dialect, type DialectFunction } from "./functions/dialect.ts";
import { hash } from "./functions/hash.ts";
import { json } from "./functions/json.ts";
import { arrayMap, lists } from "./functions/list.ts";
import { math } from "./functions/math.ts";
import { movings } from "./functions/moving.ts";
import { objects } from "./functions/object.ts";
import type { ScalarFunction } from "./functions/record.ts";
import { regexp } from "./functions/regexp.ts";
import { signals } from "./functions/signal.ts";
import type { StatefulFunction } from "./functions/stateful.ts";
import { text } from "./functions/text.ts";
import { units } from "./functions/units.ts";

export type { ArgumentType, FunctionValue, Line, ScalarFunction } from "./functions/record.ts";
export type { StatefulFunction } from "./functions/stateful.ts";
export type { AggregateFunction } from "./functions/aggregate.ts";
export type { FunctionClass } from "./functions/dialect.ts";

/** Functions with a body, by every name they go by (small letters). */
export const scalarFunctions: ReadonlyMap<string, ScalarFunction> = new Map(
  [...math, ...text, ...regexp, ...convert, ...hash, ...compression, ...datetime, ...units,
    ...access, ...lists, ...objects, ...json, arrayMap((name) => scalarFunctions.get(name))]
    .flatMap((f) => [f.name, ...(f.also ?? [])].map((name) => [name, f] as const)));

export const aggregateFunctions: ReadonlyMap<string, AggregateFunction> =
  new Map(aggregates.map((f) => [f.name, f]));

export const statefulFunctions: ReadonlyMap<string, StatefulFunction> = new Map(
  [...analytics, ...signals, ...controllers, ...movings, ...alarms].flatMap((f) =>
    [f.name, ...(f.also ?? [])].map((name) => [name, f] as const)));

/** Forms that the binder itself turns into nodes. */
const forms: readonly DialectFunction[] = [
  { name: "cast", parameters: "aT", place: "scalar" },
  { name: "coalesce", parameters: "a+", place: "scalar" },
  { name: "isnull", parameters: "a", place: "scalar" },
  { name: "infer", parameters: "sa+", place: "scalar" },
  { name: "date_diff", parameters: "tt", place: "scalar" },
];

/** Every function of the dialect: what it takes and where it may stand. */
export const knownFunctions: ReadonlyMap<string, DialectFunction> = new Map([
  ...dialect,
  ...forms.map((f) => [f.name, f] as const),
  ...aggregates.map((f) => [f.name, { ...f, place: "aggregate" }] as const),
  ...[...statefulFunctions].map(([name, { parameters }]) =>
    [name, { name, parameters, place: "analytic" }] as const),
  ...[...scalarFunctions].filter(([name]) => !name.startsWith("$")).map(([name, { parameters }]) =>
    [name, { name, parameters, place: "scalar" }] as const),
]);
