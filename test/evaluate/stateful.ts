import { BAD, ERROR, FLAG, NULL, UNCERTAIN } from "../../src/ring.ts";
import type { Bound, BoundQuery, BoundStateful } from "../../src/sql/bound.ts";
import { drawn } from "../../src/sql/functions/random.ts";
import { exactly } from "./open.ts";
import { Alarm, Pid } from "./control.ts";
import { Moving } from "./moving.ts";
import {
  type Cell, failed, good, hasValue, nothing, order, type Row, stored, type Value,
} from "./value.ts";

/** What a value is made of: time of the oldest row, and the flags that stay with it. */
export interface Origin {
  readonly oldest: number;
  readonly flags: number;
}

export interface Made {
  readonly cell: Cell;
  readonly from: Origin;
}

export const joined = (...all: readonly Origin[]): Origin => ({
  oldest: Math.min(...all.map((o) => o.oldest)),
  flags: all.reduce((flags, o) => flags | o.flags, 0),
});

const isNull = ({ state }: Cell): boolean => state >= 64 && state < 194;
const isError = ({ state }: Cell): boolean => state >= 194;
const isTrue = (cell: Cell): boolean => hasValue(cell) && cell.value === true;
const asCondition = (cell: Cell): number => (isNull(cell) ? UNCERTAIN.skipped : cell.state);
const atLeast = (cell: Cell, state: number): Cell =>
  ({ ...cell, state: Math.max(cell.state, state) });

/** One call site: `take` a row, or `hold` where WHEN is not true. */
export interface Call {
  take(args: readonly Cell[], time: number, from: Origin): Made;
  hold(from: Origin, args: readonly Cell[]): Made;
  /** Rows before the next one were not read; none for what may not lead to a write. */
  interrupt?(): void;
}

/** The calls of a query, with a state for each key. */
export class Stateful {
  readonly #rounds: readonly (readonly BoundStateful[])[];
  readonly #states = new Map<BoundStateful, Map<string, Call>>();
  /** Keys of a PARTITION BY, by its expressions: calls with the same one share them. */
  readonly #keys = new Map<string, Set<string>>();
  /** There was no room for a key. */
  full = false;

  readonly #seed: () => number;

  constructor(query: BoundQuery, seed: () => number) {
    this.#seed = seed;
    this.#rounds = roundsOf(query);
    for (const node of query.stateful) this.#states.set(node, new Map());
  }

  /** Works all calls out for one row, into `done`; what the row is made of after them. */
  run(row: Row, done: Map<Bound, Cell>, of: (node: Bound) => Cell,
    newestFlags: (node: Bound) => number): Origin {
    let whole: Origin = { oldest: row.oldest ?? row.time, flags: row.flags };
    if (row.isAfterGap === true) {
      for (const states of this.#states.values()) {
        for (const state of states.values()) state.interrupt?.();
      }
    }
    for (const round of this.#rounds) {
      const { oldest, flags } = whole;
      const carried = FLAG.backfill | FLAG.replayed | FLAG.doubtful;
      const origins = new Map<Bound, Origin>();
      for (const node of round) {
        const inner = round.filter((n) => n !== node && contains(node, n));
        const own = { oldest, flags: (flags | newestFlags(node)) & carried };
        const from = joined(own, ...inner.map((n) => origins.get(n)!));
        const made = this.#call(node, row.time, from, of);
        done.set(node, made.cell);
        origins.set(node, made.from);
      }
      whole = joined(whole, ...origins.values());
    }
    return whole;
  }

  #call(node: BoundStateful, time: number, from: Origin, of: (node: Bound) => Cell): Made {
    const when = node.when === null ? good(true) : of(node.when);
    // Arguments and keys stand in cells, also those that are not kept.
    const cellOf = (part: Bound): Cell => stored(of(part), part.type);
    const keys = node.partitionBy.map(cellOf);
    const context = Math.max(...[when, ...keys].map(asCondition));
    const args = node.args.map((arg) => atLeast(cellOf(arg), context));
    const state = this.#stateOf(node, keys);
    if (state === null) return { cell: atLeast(nothing, context), from };
    const made = isTrue(when) ? state.take(args, time, from) : state.hold(from, args);
    return { ...made, cell: atLeast(made.cell, context) };
  }

  #stateOf(node: BoundStateful, keys: readonly Cell[]): Call | null {
    const key = keys.map((cell) => !hasValue(cell) ? "null"
      : typeof cell.value === "number" ? `number ${cell.value + 0}`
      : typeof cell.value === "object" ? exactly(cell.value)
      : `${typeof cell.value} ${String(cell.value)}`).join("\u0000");
    if (keys.length > 0) {
      const table = JSON.stringify([node.keys, node.partitionBy], (name, value: unknown) =>
        name === "span" ? undefined : typeof value === "bigint" ? String(value) : value);
      const known = this.#keys.get(table) ?? new Set();
      this.#keys.set(table, known);
      if (!known.has(key) && known.size === node.keys) {
        this.full = true;
        return null;
      }
      known.add(key);
    }
    const states = this.#states.get(node)!;
    let state = states.get(key);
    if (state === undefined) states.set(key, (state = callOf(node, this.#seed)));
    return state;
  }
}

/**
 * Calls that wait for a model come after it, and see rows that the calls before it have made: a
 * round of calls for each time that models had to run.
 */
function roundsOf(query: BoundQuery): BoundStateful[][] {
  const needs = (node: Bound): number[] => query.infers.flatMap((infer, i) =>
    (reads(node, i) ? [i, ...infer.args.flatMap(needs)] : []));
  const rounds: BoundStateful[][] = [];
  const run = new Set<number>();
  let waiting = [...query.stateful];
  while (waiting.length > 0) {
    for (const i of needs(waiting[0]!)) run.add(i);
    const ready = waiting.filter((node) => needs(node).every((i) => run.has(i)));
    waiting = waiting.filter((node) => !ready.includes(node));
    rounds.push(ready);
  }
  return rounds;
}

const reads = (node: Bound, infer: number): boolean =>
  node.kind === "infer" ? node.index === infer : parts(node).some((part) => reads(part, infer));

function contains(node: Bound, wanted: Bound): boolean {
  return node === wanted || parts(node).some((part) => contains(part, wanted));
}

/** The nodes directly inside one. */
const parts = (node: object): Bound[] => Object.values(node).flat()
  .filter((part: unknown) => typeof part === "object" && part !== null)
  .flatMap((part: object) => ("type" in part ? [part as Bound] : parts(part)));

function callOf(node: BoundStateful, seed: () => number): Call {
  const { fn } = node;
  switch (fn) {
    case "lag": return new Lag(node);
    case "latest": return new Latest(node);
    case "changed_col": return new Changed(true, node);
    case "had_changed": return new Changed(false, node);
    case "acc_sum": case "acc_min": case "acc_max": case "acc_avg": case "acc_count":
      return new Accumulated(fn.slice(4));
    case "pid": return new Pid(node);
    case "moving_median": case "moving_rms": case "moving_slope": case "zscore":
      return new Moving(node);
    case "alarm": return new Alarm();
    case "$draw": return new Draw(seed());
    default: return new Signal(node, signals[fn]!);
  }
}

/** One more of its row of numbers for each row. */
class Draw implements Call {
  readonly #seed: number;
  #n = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  hold(from: Origin): Made {
    return { cell: nothing, from };
  }

  take([site]: readonly Cell[], _time: number, from: Origin): Made {
    this.#n += 1;
    return { cell: good(drawn(this.#seed + (site!.value as number), this.#n)), from };
  }
}

class Lag implements Call {
  readonly #n: number;
  readonly #hasDefault: boolean;
  /** The last rows, the newest at the end. */
  readonly #kept: Made[] = [];
  /** How many rows have been kept since one was left out. */
  #sinceSkip = Infinity;

  constructor({ args }: BoundStateful) {
    const offset = args[1];
    this.#n = offset?.kind === "literal" ? Number(offset.value) : 1;
    this.#hasDefault = args.length > 2;
  }

  interrupt(): void {
    this.#sinceSkip = 0;
  }

  hold(from: Origin, args: readonly Cell[]): Made {
    const oldest = this.#kept.at(-this.#n);
    if (oldest === undefined) {
      return { from, cell: this.#hasDefault ? atLeast(args[2]!, UNCERTAIN.substituted) : nothing };
    }
    const skipped = this.#sinceSkip < this.#n ? UNCERTAIN.skipped : 0;
    return { cell: atLeast(oldest.cell, skipped), from: joined(from, oldest.from) };
  }

  take(args: readonly Cell[], _time: number, from: Origin): Made {
    const result = this.hold(from, args);
    const [x, , , ignore] = args;
    if (isNull(x!) && (ignore === undefined || ignore.value === true)) this.#sinceSkip = 0;
    else {
      this.#kept.push({ cell: x!, from });
      this.#sinceSkip += 1;
    }
    return result;
  }
}

class Latest implements Call {
  readonly #hasDefault: boolean;
  #kept: Made | null = null;

  constructor({ args }: BoundStateful) {
    this.#hasDefault = args.length > 1;
  }

  hold(from: Origin, args: readonly Cell[], absent: Cell = nothing): Made {
    if (this.#kept !== null) {
      return { cell: this.#kept.cell, from: joined(from, this.#kept.from) };
    }
    return { from, cell: this.#hasDefault ? atLeast(args[1]!, UNCERTAIN.substituted) : absent };
  }

  take(args: readonly Cell[], _time: number, from: Origin): Made {
    const x = args[0]!;
    if (isError(x)) return { cell: x, from };
    if (isNull(x)) {
      const { cell, from: origin } = this.hold(from, args, x);
      return { from: origin, cell: this.#kept === null ? cell
        : atLeast(cell, UNCERTAIN.substituted) };
    }
    return (this.#kept = { cell: x, from });
  }
}

const equal = (a: Value, b: Value): boolean => a === b ||
  (a !== null && b !== null && order(a, b) === 0);

/** changed_col gives the value (one column), had_changed whether any differs. */
class Changed implements Call {
  readonly #column: boolean;
  /** Of no fixed type: NaN is the same as before. */
  readonly #open: readonly boolean[];
  readonly #before: (Cell | undefined)[] = [];
  #gap = false;
  #from: Origin | null = null;

  constructor(column: boolean, { args }: BoundStateful) {
    this.#open = args.slice(1).map((arg) => arg.type.kind === "dyn");
    this.#column = column;
  }

  interrupt(): void {
    this.#gap ||= this.#from !== null;
  }

  hold(from: Origin): Made {
    return { cell: this.#column ? nothing : good(false), from };
  }

  take([ignore, ...values]: readonly Cell[], _time: number, from: Origin): Made {
    const skips = isTrue(ignore!);
    return this.#column ? this.#takeColumn(skips, values[0]!, from)
      : this.#takeAny(skips, values, from);
  }

  #takeColumn(skips: boolean, x: Cell, from: Origin): Made {
    if (isError(x) || (skips && isNull(x))) {
      this.#gap = true;
      return { cell: failed(x.state), from };
    }
    const changed = this.#differs(0, x);
    const trust = Math.max(this.#trust(0), this.#gap ? UNCERTAIN.skipped : 0);
    const origin = this.#from === null ? from : joined(from, this.#from);
    this.#before[0] = x;
    this.#gap = false;
    this.#from = from;
    if (!changed) return { cell: nothing, from };
    return { cell: atLeast(x, trust), from: origin };
  }

  #takeAny(skips: boolean, values: readonly Cell[], from: Origin): Made {
    let state = this.#gap ? UNCERTAIN.skipped : 0;
    let changed = false;
    this.#gap = false;
    values.forEach((x, i) => {
      if (isError(x) || (skips && isNull(x))) {
        state = Math.max(state, isError(x) ? x.state : UNCERTAIN.skipped);
        this.#gap = true;
      } else {
        changed ||= this.#differs(i, x);
        state = Math.max(state, asCondition(x), this.#trust(i));
        this.#before[i] = x;
      }
    });
    const origin = this.#from === null ? from : joined(from, this.#from);
    this.#from = this.#gap ? origin : from;
    return { from: origin, cell: { value: changed, state } };
  }

  #differs(i: number, x: Cell): boolean {
    const before = this.#before[i];
    if (before === undefined || isNull(before)) return hasValue(x);
    const same = this.#open[i] === true && exactly(before.value) === exactly(x.value);
    return !hasValue(x) || !(same || equal(before.value, x.value));
  }

  #trust(i: number): number {
    const before = this.#before[i];
    return before === undefined ? 0 : asCondition(before);
  }
}

class Accumulated implements Call {
  readonly #fold: string;
  #on = false;
  #values: number[] = [];
  #count = 0;
  #total = 0;
  #state = 0;
  #from: Origin | null = null;

  constructor(fold: string) {
    this.#fold = fold;
  }

  hold(from: Origin): Made {
    return { cell: this.#checked({ value: this.#value(), state: this.#state }),
      from: this.#origin(from) };
  }

  take([given, start, reset]: readonly Cell[], _time: number, from: Origin): Made {
    const x = this.#fold !== "count" && hasValue(given!) && !Number.isFinite(given!.value)
      ? failed(ERROR.number) : given!;
    const conditions = Math.max(0, ...[start, reset].filter((c) => c !== undefined)
      .map(asCondition));
    if (start === undefined || isTrue(start)) this.#on = true;
    const origin = this.#origin(from);
    if (this.#on && conditions < 194) {
      this.#add(x, conditions);
      this.#from = origin;
    }
    let cell: Cell = { value: this.#value(), state: Math.max(this.#state, conditions) };
    if (isError(x)) cell = failed(x.state);
    if (reset !== undefined && isTrue(reset)) this.#clear();
    return { cell: this.#checked(cell), from: origin };
  }

  #origin(from: Origin): Origin {
    return this.#from === null ? from : joined(from, this.#from);
  }

  #add(x: Cell, conditions: number): void {
    const bad = x.state >= BAD.source && x.state < NULL;
    const taint = bad || isError(x) ? UNCERTAIN.skipped : hasValue(x) ? x.state : 0;
    this.#state = Math.max(this.#state, conditions, taint);
    if (!hasValue(x)) return;
    this.#count += 1;
    if (this.#fold === "count") return;
    this.#values.push(x.value as number);
    this.#total += x.value as number;
  }

  #value(): number {
    if (this.#fold === "count") return this.#count;
    if (this.#values.length === 0) return 0;
    switch (this.#fold) {
      case "sum": return this.#total;
      case "avg": return this.#total / this.#count;
      case "min": return this.#values.reduce((a, b) => (b < a ? b : a));
      default: return this.#values.reduce((a, b) => (b > a ? b : a));
    }
  }

  #clear(): void {
    this.#on = false;
    this.#state = 0;
    this.#from = null;
    this.#forget();
  }

  #forget(): void {
    this.#values = [];
    this.#count = 0;
    this.#total = 0;
  }

  /** What is no number any more begins anew. */
  #checked(cell: Cell): Cell {
    if (typeof cell.value !== "number" || Number.isFinite(cell.value)) return cell;
    this.#forget();
    return failed(ERROR.number);
  }
}

/** The state of a signal function: of the last row that had a value. */
interface Before {
  readonly y: Value;
  readonly time: number;
  /** What the function itself remembers. */
  readonly memory: any;
  readonly gap: boolean;
}

interface Step {
  readonly y: Value;
  readonly memory?: any;
  /** Nothing of what was before is in the state any more. */
  readonly renewed: boolean;
  /** The result is assumed, no input shows it. */
  readonly assumed?: boolean;
  readonly skips?: boolean;
}

interface SignalFunction {
  valid?(args: number[]): boolean;
  /** A row left out does not taint what comes after the next. */
  readonly bridges?: boolean;
  readonly pulse?: boolean;
  step(args: readonly any[], time: number, before: Before | null): Step;
}

class Signal implements Call {
  readonly #fn: SignalFunction;
  readonly #floats: readonly boolean[];
  #before: Before | null = null;
  #state = 0;
  #from: Origin = { oldest: 0, flags: 0 };
  #gap = false;

  constructor(node: BoundStateful, fn: SignalFunction) {
    this.#fn = fn;
    this.#floats = node.args.map((arg) => arg.type.kind === "float64");
  }

  interrupt(): void {
    this.#gap = true;
  }

  hold(from: Origin): Made {
    if (this.#fn.pulse) return { cell: good(false), from };
    if (this.#before === null) return { cell: nothing, from };
    const { y } = this.#before;
    return { from: joined(from, this.#from),
      cell: y === null ? nothing : { value: y, state: this.#state } };
  }

  take(args: readonly Cell[], time: number, from: Origin): Made {
    const state = this.#argumentState(args);
    if (state >= 64) {
      this.#gap = true;
      return { cell: failed(state), from };
    }
    const before = this.#before === null ? null : { ...this.#before, gap: this.#gap };
    const step = this.#fn.step(args.map((arg) => arg.value), time, before);
    const made = before === null ? this.#first(step, state, from)
      : this.#later(step, state, from);
    this.#gap = false;
    this.#before = { y: step.y, time, memory: step.memory, gap: false };
    if (typeof step.y !== "number" || Number.isFinite(step.y)) {
      return { from: made.from, cell: step.y === null ? nothing : made.cell };
    }
    this.#before = null;
    return { cell: failed(ERROR.number), from: made.from };
  }

  #first(step: Step, state: number, from: Origin): Made {
    this.#state = step.assumed ? Math.max(state, UNCERTAIN.substituted) : state;
    this.#from = from;
    return { cell: { value: step.y, state: this.#state }, from };
  }

  #later(step: Step, state: number, from: Origin): Made {
    const skipped = this.#gap || step.skips ? UNCERTAIN.skipped : 0;
    const all = Math.max(state, this.#state, skipped);
    const origin = joined(from, this.#from);
    this.#state = step.renewed ? state
      : this.#fn.bridges ? Math.max(this.#state, state) : all;
    this.#from = step.renewed ? from : origin;
    return { cell: { value: step.y, state: all }, from: origin };
  }

  #argumentState(args: readonly Cell[]): number {
    const state = Math.max(...args.map((arg) => arg.state));
    if (state >= 64) return state;
    if (args.some((arg, i) => this.#floats[i] && !Number.isFinite(arg.value))) return ERROR.number;
    const valid = this.#fn.valid?.(args.map((arg) => Number(arg.value))) ?? true;
    return valid ? state : ERROR.argument;
  }
}

const edge = (to: boolean): SignalFunction => ({
  pulse: true,
  step: ([b], _, before) => ({
    y: before !== null && b === to && before.memory !== to, memory: b, renewed: true,
  }),
});

const signals: Readonly<Record<string, SignalFunction>> = {
  rising: edge(true),
  falling: edge(false),
  deadband: {
    valid: ([, band]) => band! >= 0,
    step([x, band], _, before) {
      if (before === null) return { y: x, renewed: true };
      const moved = Math.abs(x - (before.y as number)) > band;
      return { y: moved ? x : before.y, renewed: moved };
    },
  },
  hysteresis: {
    valid: ([, low, high]) => low! <= high!,
    step([x, low, high], _, before) {
      const clear = x > high || x < low;
      return { y: clear ? x > high : before?.y ?? false, renewed: clear,
        assumed: before === null && !clear };
    },
  },
  debounce: {
    valid: ([, delay]) => delay! >= 0,
    step([b, delay], time, before) {
      if (before === null) {
        return { y: b, memory: { b, since: time }, renewed: false, assumed: delay > 0 };
      }
      const goes = b === before.memory.b && !before.gap;
      const since = goes ? before.memory.since : time;
      const settled = time - since >= delay;
      return { y: settled ? b : before.y, memory: { b, since },
        renewed: settled && b === before.y };
    },
  },
  rate_limit: {
    valid: ([, ...rates]) => rates.every((rate) => rate >= 0),
    step([x, up, down = up], time, before) {
      if (before === null) return { y: x, renewed: true };
      const y = before.y as number, dt = (time - before.time) / 1000;
      const [most, least] = [y + up * dt, y - down * dt];
      const next = x > most ? most : x < least ? least : x;
      return { y: next, renewed: next === x };
    },
  },
  ewma: {
    bridges: true,
    valid: ([, tau]) => tau! > 0,
    step([x, tau], time, before) {
      if (before === null) return { y: x, renewed: true };
      const y = before.y as number;
      return { y: y + (1 - Math.exp(-(time - before.time) / tau)) * (x - y), renewed: false };
    },
  },
  derivative: {
    step([x], time, before) {
      const dt = before === null ? 0 : (time - before.time) / 1000;
      return { y: dt > 0 ? (x - before!.memory) / dt : null, memory: x, renewed: true };
    },
  },
  totalize: {
    valid: ([, unit = 1, gap = 0]) => unit > 0 && gap >= 0,
    step([x, unit = 1000, gap = Infinity], time, before) {
      if (before === null) return { y: 0, memory: x, renewed: true };
      const dt = time - before.time, y = before.y as number;
      if (before.gap || dt > gap) return { y, memory: x, renewed: false, skips: true };
      return { y: y + (before.memory + x) / 2 * (dt / unit), memory: x, renewed: false };
    },
  },
  cusum: {
    valid: ([, , slack]) => slack! >= 0,
    step([x, target, slack], _, before) {
      const { high, low } = before?.memory ?? { high: 0, low: 0 };
      const up = Math.max(0, high + (x - target - slack));
      const down = Math.max(0, low + (target - x - slack));
      return { y: up >= down ? up : -down, memory: { high: up, low: down },
        renewed: up === 0 && down === 0 || before === null };
    },
  },
  time_in_state: {
    step([x], time, before) {
      // NaN, which only a value of no fixed type can be here, stays what it is.
      const same = before !== null &&
        (equal(before.memory.x, x) || exactly(before.memory.x) === exactly(x));
      const since = same ? before.memory.since : time;
      return { y: (time - since) / 1000, memory: { x, since }, renewed: !same };
    },
  },
};
