import { aggregates, type AggregateFunction } from "./functions/aggregate.ts";
import { access } from "./functions/access.ts";
import { alarms } from "./functions/alarm.ts";
import { analytics } from "./functions/analytic.ts";
import { compression } from "./functions/compress.ts";
import { controllers } from "./functions/control.ts";
import { convert } from "./functions/convert.ts";
import { datetime } from "./functions/datetime.ts";
import { absent, type DialectFunction } from "./functions/dialect.ts";
import { forms, type FormFunction } from "./functions/form.ts";
import { hash } from "./functions/hash.ts";
import { json } from "./functions/json.ts";
import { arrayMap, lists } from "./functions/list.ts";
import { math } from "./functions/math.ts";
import { movings } from "./functions/moving.ts";
import { draws, randoms } from "./functions/random.ts";
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
export {
  absent as absentFunctions, type DialectFunction, type FunctionClass,
} from "./functions/dialect.ts";

/** Functions of one kind, under their title in the manual. */
export interface FunctionFamily {
  readonly title: string;
  readonly functions: readonly (ScalarFunction | StatefulFunction | AggregateFunction |
    FormFunction)[];
}

const plain: readonly (readonly [string, readonly ScalarFunction[]])[] = [
  ["Numbers", math], ["Units", units], ["Texts", text], ["Regular expressions", regexp],
  ["Conversions", convert], ["Digests", hash], ["Compression", compression],
  ["Dates and times", datetime], ["Items and fields", access],
  ["Arrays", [...lists, arrayMap((name) => scalarFunctions.get(name))]],
  ["Objects", objects], ["JSON", json], ["At random", randoms],
];

const stateful: readonly (readonly [string, readonly StatefulFunction[]])[] = [
  ["Rows before this one", analytics], ["Signals", signals], ["Controllers", controllers],
  ["The last values", movings], ["Alarms", alarms],
  ["At random", draws],
];

/** Functions with a body, by every name they go by (small letters). */
export const scalarFunctions: ReadonlyMap<string, ScalarFunction> = new Map(
  plain.flatMap(([, functions]) => functions)
    .flatMap((f) => [f.name, ...(f.also ?? [])].map((name) => [name, f] as const)));

export const aggregateFunctions: ReadonlyMap<string, AggregateFunction> =
  new Map(aggregates.map((f) => [f.name, f]));

export const statefulFunctions: ReadonlyMap<string, StatefulFunction> = new Map(
  stateful.flatMap(([, functions]) => functions)
    .flatMap((f) => [f.name, ...(f.also ?? [])].map((name) => [name, f] as const)));

/** What the binder makes of others has no name to be called by. */
const isCallable = ([name]: readonly [name: string, record: unknown]): boolean =>
  !name.startsWith("$");

/** All that can be called, in the order of the manual. */
export const families: readonly FunctionFamily[] = [
  { title: "Over the rows of a window", functions: aggregates },
  { title: "Forms", functions: forms },
  ...[...stateful, ...plain].map(([title, functions]) => ({
    title,
    functions: functions.filter(({ name }) => isCallable([name, null])),
  })).filter(({ functions }) => functions.length > 0),
];

/** Every function of the dialect: what it takes and where it may stand. */
export const knownFunctions: ReadonlyMap<string, DialectFunction> =
  new Map<string, DialectFunction>([
    ...absent.map((f) => [f.name, f] as const),
    ...forms.map((f) => [f.name, f] as const),
    ...aggregates.map((f) => [f.name, { ...f, place: "aggregate" }] as const),
    ...[...statefulFunctions].filter(isCallable).map(([name, { parameters }]) =>
      [name, { name, parameters, place: "analytic" }] as const),
    ...[...scalarFunctions].filter(isCallable).map(([name, { parameters }]) =>
      [name, { name, parameters, place: "scalar" }] as const),
  ]);
