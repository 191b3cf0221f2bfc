import type { Call, Expr, Index, Literal, Name, Order, Over, Star } from "../ast.ts";
import { limits } from "../../base.ts";
import { checkCall, expand } from "../arguments.ts";
import {
  type AggregateName, type Bound, type BoundAggregate, type BoundField, type BoundHits,
  type BoundInfer, type BoundNumber, type BoundOrder, type BoundStateful, type BoundType,
  type Catalog, type Gathering, gathers, isSpectral, needsRows,
} from "../bound.ts";
import { SqlFault, type Span } from "../fault.ts";
import {
  absentFunctions, aggregateFunctions, type ArgumentType, type ScalarFunction, scalarFunctions,
  type StatefulFunction, statefulFunctions,
} from "../functions.ts";
import { contains } from "../rewrite/tree.ts";
import { Scope } from "../scope.ts";
import {
  bool, dyn, float64, int53, int64, isNullLiteral, isOpen, isWhole, say, text, time, capital,
} from "../types.ts";
import { Nodes } from "./nodes.ts";

/**
 * Where an expression stands: over rows, or over groups (in which a bare column is that of the
 * first row; without a window that of the newest, for which the row out stands).
 */
export type Context = "row" | "group";

/** Binds calls of functions; those that are worked out once for all their places are listed. */
export abstract class Calls extends Nodes {
  protected readonly aggregates: BoundAggregate[] = [];
  protected readonly infers: BoundInfer[] = [];
  protected readonly states: BoundStateful[] = [];
  protected readonly numbers: BoundNumber[] = [];
  /** What a window has closed over, once it has: only there it has a beginning and an end. */
  protected closed: Context | null = null;
  /** What `last_hit_count()` counts in this place; null: nothing. */
  protected counting: BoundHits["of"] | null = null;
  /** From the row that asks for a sliding window to the window's end. */
  protected delay_ms = 0;
  protected readonly catalog: Catalog;
  protected readonly scope: Scope;
  /** Without a window groups go on for ever. */
  protected readonly running: boolean;

  constructor(sql: string, catalog: Catalog, scope: Scope, running: boolean) {
    super(sql);
    this.catalog = catalog;
    this.scope = scope;
    this.running = running;
  }

  protected abstract expr(expr: Expr, context: Context): Bound;
  protected abstract condition(expr: Expr, context: Context): Bound;
  protected abstract name(expr: Name, context: Context, columnsOnly: boolean): Bound;
  protected abstract star(star: Star, context: Context): BoundField[];
  protected abstract object(fields: readonly BoundField[], span: Span): Bound;
  protected abstract orderBy(keys: readonly Order[], context: Context): BoundOrder[];
  /** The query groups by it. */
  protected abstract isKey(node: Bound): boolean;

  protected call(call: Call, context: Context): Bound {
    checkCall(this.sql, call);
    const name = call.name.toLowerCase();
    const scalar = scalarFunctions.get(name);
    if (scalar !== undefined) return this.#scalar(scalar, call, context);
    const stateful = statefulFunctions.get(name);
    if (stateful !== undefined) return this.#stateful(stateful, call, context);
    if (aggregateFunctions.has(name)) return this.#aggregateCall(name, call, context);
    switch (name) {
      case "isnull": {
        const operand = this.expr(call.args[0]!, context);
        return this.node({ kind: "isnull", operand, negated: false, type: bool, span: call.span });
      }
      case "coalesce": {
        const args = call.args.map((arg) => this.expr(arg, context));
        const type = this.unified(args);
        return this.node({ kind: "coalesce", type, span: call.span,
          args: args.map((a) => this.exact(a, this.as(a, type))) });
      }
      case "cast": return this.#cast(call, context);
      case "infer": return this.#infer(call, 0, context);
      case "date_diff": return this.#dateDiff(call, context);
      case "meta": case "mqtt": return this.#meta(call, context);
      case "last_hit_count": case "last_agg_hit_count": return this.#hits(call, "count", context);
      case "last_hit_time": case "last_agg_hit_time": return this.#hits(call, "time", context);
      case "quality": case "good": case "raw": case "changed":
        return this.#ofCell(name, call, context);
      case "row_number": return this.#rowNumber(call, context);
      case "window_start": case "window_end": case "window_trigger":
        return this.#windowTime(name, call, context);
      case "rule_id": {
        const { self = "" } = this.catalog;
        if (self === "") throw this.fault("syntax", "rule_id() is of a rule", call.span);
        return this.textLiteral(self, call.span);
      }
    }
    const absent = absentFunctions.find((fn) => fn.name === name);
    throw absent === undefined
      ? this.fault("syntax", `${name}() may only be a column of SELECT by itself`, call.span)
      : this.fault("absent-function", `There is no ${name}() here: ${absent.why}`, call.span);
  }

  #windowTime(name: string, { span }: Call, context: Context): Bound {
    if (this.closed !== context) {
      throw this.fault("syntax", `${name}() stands in SELECT or HAVING, over a window`, span);
    }
    const which = name === "window_start" ? "start" : "end";
    const at = this.node<Bound>({ kind: "window", which, type: int53, span });
    if (name !== "window_trigger" || this.delay_ms === 0) return at;
    const delay = this.node<Bound>({ kind: "literal", value: this.delay_ms, type: int53, span });
    return this.node({ kind: "binary", op: "-", left: at, right: delay, type: int53, span });
  }

  /** `meta([stream.]key[->inside]…)`, `meta([stream.]*)`; `mqtt(topic)` says where from. */
  #meta({ name, args: [arg], span }: Call, context: Context): Bound {
    const path = pathOf(arg!);
    const [first, ...rest] = path;
    const qualified = first !== undefined && (rest.length > 0 || arg!.kind === "star") &&
      this.scope.has(first);
    const column = this.column(this.scope.meta(this.sql, qualified ? first : "", span), span);
    const keys = qualified ? rest : path;
    if (name.toLowerCase() === "mqtt") {
      const key = mqttKeys.get(keys.join().toLowerCase());
      if (key === undefined) {
        throw this.fault("arguments", "mqtt() knows topic, qos and messageid", arg!.span);
      }
      keys.splice(0, Infinity, key);
    }
    const of = context === "row" ? column : this.ofGroup(column);
    return keys.reduce((node: Bound, key) =>
      this.access("$member", [node, this.textLiteral(key, span)], span), of);
  }

  #hits({ name, span }: Call, which: BoundHits["which"], context: Context): Bound {
    const of = this.counting;
    const misplaced = of === "windows" && this.closed !== context;
    if (of === null || misplaced || (of === "rows" && /_agg_/i.test(name))) {
      throw this.fault("syntax", `${name}() stands in ` + (/_agg_/i.test(name)
        ? "HAVING or SELECT of a query with a window" : "WHERE or SELECT of a query without a " +
          "window and without aggregates, or in OVER (WHEN …) of a sliding window"), span);
    }
    return this.node({ kind: "hits", of, which, type: int53, span });
  }

  /** What is known of a value beside itself: it looks at a column, not at an expression. */
  #ofCell(name: string, { args: [arg], span }: Call, context: Context): Bound {
    const operand = arg!.kind === "name" ? this.name(arg!, "row", true) : null;
    if (operand === null || (operand.kind !== "column" && operand.kind !== "newest")) {
      throw this.fault("arguments", `${name}() takes the name of a column or a tag`, arg!.span);
    }
    if (name === "changed" && this.scope.inputs.length === 0) {
      throw this.fault("syntax", "changed() needs the rows of a stream, one after the other",
        span);
    }
    if (name === "raw" && operand.kind === "newest") {
      throw this.fault("arguments", "raw() takes a column of the row itself: an old newest " +
        "value may never have been one", arg!.span);
    }
    if (name === "raw" && operand.kind === "column"
      && this.scope.inputs[operand.input]!.query !== null) {
      throw this.fault("arguments", "raw() takes a column of a stream: what a query in FROM " +
        "makes of a value that is missing has no last one", arg!.span);
    }
    if (name === "raw" && (isOpen(operand.type) || operand.type.kind === "json")) {
      throw this.fault("type", "raw() takes a value of a fixed type: an array, or what a message " +
        "may not have, has no last one", arg!.span);
    }
    const state = this.node<Bound>({ kind: "cell", which: "state", operand, type: int53, span });
    const zero = this.node<Bound>({ kind: "literal", value: 0, type: int53, span });
    switch (name) {
      case "quality": return this.#inGroup(this.node<Bound>(
        { kind: "call", fn: "$quality", args: [state], type: text(32), span }), context);
      case "good": return this.#inGroup(this.compare("=", state, zero, span), context);
      case "raw": return this.#inGroup(this.node<Bound>(
        { kind: "cell", which: "raw", operand, type: operand.type, span }), context);
    }
    const all = this.node<Bound>({ kind: "literal", value: false, type: bool, span });
    const node = this.node<BoundStateful>({ kind: "stateful", fn: "had_changed", keys: 0,
      args: [all, operand, state], partitionBy: [], when: null, type: bool, span });
    if (!this.states.includes(node)) this.states.push(node);
    return this.#inGroup(node, context);
  }

  #inGroup(node: Bound, context: Context): Bound {
    return context === "row" ? node : this.ofGroup(node);
  }

  /** Without a window each row is the only one of its result. */
  #rowNumber({ over, span }: Call, context: Context): Bound {
    if (this.running) return this.node({ kind: "literal", value: 1, type: int53, span });
    if (this.closed !== context || (over !== null && (over.when ?? over.keys) !== null)) {
      throw this.fault("syntax", "row_number() [OVER ([PARTITION BY …] [ORDER BY …])] counts " +
        "the rows that a window gives", span);
    }
    const partitionBy = (over?.partitionBy ?? []).map((expr) => this.expr(expr, context));
    if (partitionBy.some((key) => contains(key, "number"))) {
      throw this.fault("syntax", "row_number() counts rows: it is no key of its own", span);
    }
    const orderBy = this.orderBy(over?.orderBy ?? [], context);
    const node = this.node<BoundNumber>(
      { kind: "number", partitionBy, orderBy, type: int53, span });
    if (!this.numbers.includes(node)) this.numbers.push(node);
    return node;
  }

  #scalar(fn: ScalarFunction, call: Call, context: Context): Bound {
    const letters = expand(fn.parameters, call.args.length)!;
    const given = call.args.map((arg) => this.expr(arg, context));
    const exact = given.some(({ type }) => type.kind === "int64") && given.every(isWholeNumber)
      ? this.#exact(fn.name, given, call.span) : null;
    if (exact !== null) return exact;
    const args = given.map((arg, i) => this.argument(letters[i]!, arg));
    this.#zone(fn, args);
    const types = args.map((arg, i): ArgumentType => {
      const constant = arg.kind === "literal" ? arg.value : undefined;
      const fault = typeof constant === "string" || typeof constant === "number"
        ? fn.constants?.[i]?.(constant) ?? null : null;
      if (fault !== null) throw this.fault("arguments", fault, arg.span);
      return { ...arg.type, constant };
    });
    const line = fn.line?.(types) ?? null;
    if (typeof line === "string") throw this.fault("arguments", line, call.span);
    if (line !== null) return this.line(args[0]!, line, call.span);
    let type: BoundType;
    if (fn.result === "dyn") {
      type = dyn(fn.slot?.(types) ?? types.reduce((sum, arg) => sum + arg.slot, 16));
    } else if (fn.result === "text") type = text(fn.slot?.(types) ?? types[0]!.slot);
    else if (fn.result === "bytes") type = { ...text(fn.slot!(types)), kind: "bytes" };
    else if (fn.result === "same") type = { kind: args[0]!.type.kind, slot: 0 };
    else type = { kind: fn.result, slot: 0 };
    for (let n = fn.draws ?? 0; n > 0; n--) args.unshift(this.#draw(call, context));
    if (fn.clock !== undefined) args.unshift(this.#clock(fn.clock, call));
    return this.node({ kind: "call", fn: fn.name, args, type, span: call.span });
  }

  /** Of 64 bits what is made of operators, which are exact; null: other functions take floats. */
  #exact(fn: string, given: readonly Bound[], span: Span): Bound | null {
    const [a, b] = given.map((arg) => this.as(arg, int64)) as [Bound, Bound];
    const literal = (value: number | bigint): Bound => this.node({
      kind: "literal", value, type: typeof value === "bigint" ? int64 : int53, span });
    const binary = (op: "&" | "|" | "^" | "-", left: Bound, right: Bound): Bound =>
      this.node({ kind: "binary", op, left, right, type: int64, span });
    const when = (op: "<" | ">", then: Bound): { when: Bound; then: Bound } =>
      ({ when: this.compare(op, a, literal(0n), span), then });
    switch (fn) {
      case "bitand": return binary("&", a, b);
      case "bitor": return binary("|", a, b);
      case "bitxor": return binary("^", a, b);
      case "bitnot": return binary("-", literal(-1n), a);
      case "abs": return this.node({ kind: "case", type: int64, span, otherwise: a,
        whens: [when("<", binary("-", literal(0n), a))] });
      // What is left is 0 or has no value.
      case "sign": return this.node({ kind: "case", type: int53, span,
        otherwise: this.as(a, int53), whens: [when("<", literal(-1)), when(">", literal(1))] });
      default: return null;
    }
  }

  /** Each is another one, also where a call is written twice. */
  #draw({ name, span }: Call, context: Context): Bound {
    if (this.scope.inputs.length === 0) {
      throw this.fault("syntax", `${name}() needs the rows of a stream`, span);
    }
    const site = this.node<Bound>({ kind: "literal", value: this.states.length, type: int53,
      span });
    const node = this.node<BoundStateful>({ kind: "stateful", fn: "$draw", args: [site],
      partitionBy: [], keys: 0, when: null, type: int53, span });
    this.states.push(node);
    return context === "row" ? node : this.ofGroup(node);
  }

  #clock(which: "now" | "began" | "row", { name, span }: Call): Bound {
    if (which !== "row") return this.node({ kind: "clock", which, type: time, span });
    if (this.scope.inputs.length === 0) {
      throw this.fault("syntax", `${name}() needs the rows of a stream`, span);
    }
    return this.node({ kind: "window", which: "end", type: int53, span });
  }

  /** `hour(convert_tz(t, zone))` is `hour(t, zone)`: the kind time has no zone of its own. */
  #zone(fn: ScalarFunction, args: Bound[]): void {
    const [first] = args;
    if (fn.zoned !== true || args.length !== fn.parameters.indexOf("?")) return;
    if (first!.kind !== "call" || first!.fn !== "convert_tz") return;
    args.push(first!.args[1]!);
  }

  /** Nanoseconds from the first to the second, as eKuiper gives them: past 2^53 in 104 days. */
  #dateDiff(call: Call, context: Context): Bound {
    const { span } = call;
    const [from, to] = call.args.map((arg) =>
      this.as(this.argument("t", this.expr(arg, context)), int64)) as [Bound, Bound];
    const ms = this.node({ kind: "binary", op: "-", left: to, right: from, type: int64, span });
    const ns = this.node({ kind: "literal", value: 1_000_000n, type: int64, span });
    return this.node({ kind: "binary", op: "*", left: ms, right: ns, type: int64, span });
  }

  /** A function with state works on rows, whatever the context. */
  #stateful(fn: StatefulFunction, call: Call, context: Context): Bound {
    const { over, span } = call;
    if (this.scope.inputs.length === 0) {
      throw this.fault("syntax", `${fn.name}() needs the rows of a stream, one after the other`,
        span);
    }
    if (over !== null && over.orderBy.length > 0) {
      throw this.fault("syntax", `${fn.name}() takes rows as they come: no ORDER BY`, over.span);
    }
    // No window has closed over what it looks at, and nothing has been counted.
    const closed = this.closed, counting = this.counting;
    this.closed = null;
    this.counting = null;
    const partitionBy = (over?.partitionBy ?? [])
      .map((expr) => this.comparable(this.expr(expr, "row")));
    const when = over === null || over.when === null ? null : this.condition(over.when, "row");
    const { args, value } = this.#statefulArguments(fn, call);
    // An alias may stand for it.
    const read = [...args, ...partitionBy, ...(when === null ? [] : [when])];
    if (read.some((part) => contains(part, "number"))) {
      throw this.fault("syntax", `row_number() counts what a window gives, which ${fn.name}() ` +
        "does not see; a rule over this one can", span);
    }
    if (read.some((part) => contains(part, "hits"))) {
      throw this.fault("syntax", "last_hit_time() and its like tell of rows that have passed, " +
        `which ${fn.name}() does not see; a rule over this one can`, span);
    }
    this.closed = closed;
    this.counting = counting;
    const type = fn.result === "value" ? value : { kind: fn.result, slot: fn.slot ?? 0 };
    const node = this.node<BoundStateful>({
      kind: "stateful", fn: fn.name, args, partitionBy, keys: this.#keysOf(over), when, type, span,
    });
    if (!this.states.includes(node)) this.states.push(node);
    if (context === "row" || this.isKey(node)) return node;
    return this.ofGroup(node);
  }

  /** What a group shows of its rows: that of the first, without a window that of the newest. */
  protected ofGroup(arg: Bound): Bound {
    const { type, span } = arg;
    const fn = this.running ? "last" : "first";
    return this.#aggregate({ fn, arg, skipsNull: false, type, span });
  }

  /** The arguments, and the type of the value that the function gives back. */
  #statefulArguments(fn: StatefulFunction, call: Call): { args: Bound[]; value: BoundType } {
    const letters = fn.parameters.replace("?", "");
    const args = call.args.flatMap((arg, i): Bound[] => {
      const letter = letters[i] ?? letters.at(-2)!;
      if (arg.kind === "star") return this.star(arg, "row").map((field) => field.expr);
      const bound = this.expr(arg, "row");
      return letter === "a" || letter === "*" || letter === "+" || letter === "B" ? [bound]
        : [this.argument(letter, bound)];
    }).map((arg) => this.comparable(arg));
    args.forEach((arg, i) => {
      const fault = fn.constants?.[i]?.(arg.kind === "literal" ? arg.value : undefined) ?? null;
      if (fault !== null) throw this.fault("arguments", fault, arg.span);
    });
    const x = args[fn.name === "changed_col" ? 1 : 0]!;
    const fallback = fn.name === "lag" ? args[2] : fn.name === "latest" ? args[1] : undefined;
    if (fallback === undefined) return { args, value: x.type };
    const value = this.unified([x, fallback]);
    return {
      value, args: args.map((arg) => (arg === x || arg === fallback
        ? this.exact(arg, this.as(arg, value)) : arg)),
    };
  }

  #keysOf(over: Over | null): number {
    if (over === null || over.partitionBy.length === 0) return 0;
    const keys = over.keys ?? limits.partition_keys_default;
    if (keys < 1 || keys > limits.partition_keys_max) {
      throw this.keysFault(over.span);
    }
    return keys;
  }

  #aggregateCall(name: string, call: Call, context: Context): Bound {
    if (context === "row") throw this.later(call.span,
      "An aggregate in this place (a condition on a group stands in HAVING, one on each row of a " +
      "window over a query in FROM that gives the rows again, by unnest(collect(*)))");
    const { fn } = aggregateFunctions.get(name)!;
    const { span } = call;
    const [first, second] = call.args;
    if (call.distinct && fn === "collect") return this.#gathering("distinct", call);
    if (call.distinct && fn === "count") {
      return this.narrow(this.#gathering("count_distinct", call), int53);
    }
    if (gathers(fn)) return this.#gathering(fn, call);
    if (first!.kind === "star" && fn === "count") {
      return this.#aggregate({ fn, arg: null, skipsNull: true, type: int53, span });
    }
    const given = first!.kind === "star" ? this.object(this.star(first!, "row"), span)
      : this.expr(first!, "row");
    // Numbers alone have an order and a sum.
    const arg = isOpen(given.type) && !["count", "first", "last"].includes(fn)
      ? this.float(given) : given;
    if (needsRows(fn)) return this.#ofRows(fn, name, arg, call);
    const skipsNull = !(second?.kind === "literal" && second.value === false);
    const type = this.#aggregateType(fn, arg);
    // Of a literal any is the least and the greatest: nothing is compared.
    const taken = (fn === "min" || fn === "max") && arg.kind === "literal" ? "last" : fn;
    const ofFloats = type.kind === "float64" && arg.type.kind === "int64";
    return this.#aggregate({ fn: taken, arg: ofFloats ? this.float(arg) : arg, skipsNull, type,
      span });
  }

  /** The values of a window's rows themselves. */
  #gathering(fn: Gathering, { name, args, span }: Call): Bound {
    if (this.running) {
      throw this.#needsWindow(name, span);
    }
    const [first, all] = args;
    const row = (star: Star): Bound => this.object(this.star(star, "row"), span);
    let arg = this.untyped(first!.kind === "star" ? row(first!) : this.expr(first!, "row"));
    const pairs = fn === "deduplicate";
    if (pairs) {
      const whole: Star = { kind: "star", qualifier: [], except: [], replace: [], span };
      arg = this.access("$pair", [arg, row(whole)], span);
    }
    const newest = pairs && all?.kind === "literal" && all.value === false;
    const one = fn === "merge_agg" || newest;
    const type = fn === "count_distinct" ? dyn(16)
      : dyn(Math.max(limits.list_bytes_default, arg.type.slot * (one ? 1 : 8)));
    return this.#aggregate({ fn: newest ? "newest_distinct" : fn, arg, skipsNull: true, type,
      span });
  }

  /** Over values in order, or over all of them at once: so over the rows of a window. */
  #ofRows(fn: AggregateName, name: string, arg: Bound, call: Call): Bound {
    const { args, span } = call;
    if (this.running) {
      throw this.#needsWindow(name, span);
    }
    const given = args.slice(1).map((at) =>
      (at.kind === "literal" && at.value !== null ? Number(at.value) : NaN));
    const settings = given.length === 0 ? [0.5] : given;
    const [first, second = 0] = settings as [number, number?];
    const most = isSpectral(fn) ? Infinity : 1;
    if (!(first >= 0 && first <= most && second >= 0) || (isSpectral(fn) && first === 0)) {
      throw this.fault("arguments", isSpectral(fn)
        ? `${name}() takes the rows a second, and a frequency in Hz, as numbers written out`
        : `The second argument of ${name}() is a number from 0 to 1`, args[1]!.span);
    }
    return this.#aggregate({ fn, arg: this.float(arg), skipsNull: true,
      settings, type: float64, span });
  }

  #aggregateType(fn: string, arg: Bound): BoundType {
    switch (fn) {
      case "count": return int53;
      case "stddev": case "stddevs": case "var": case "vars": case "rms":
        this.number(arg);
        return float64;
      case "sum": case "avg": return this.number(arg).type;
      case "min": case "max":
        if (arg.type.kind === "bytes") throw this.later(arg.span, "An order of bytes");
        if (arg.type.kind === "bool") throw this.fault("type", "Booleans have no order", arg.span);
        return arg.type;
      default: return arg.type;
    }
  }

  #aggregate(aggregate: BoundAggregate): Bound {
    const { fn, arg, skipsNull, type, span } = aggregate;
    let index = this.aggregates.findIndex((a) => a.fn === fn && a.arg === arg
      && a.skipsNull === skipsNull && String(a.settings) === String(aggregate.settings));
    if (index < 0) index = this.aggregates.push(aggregate) - 1;
    return this.node({ kind: "aggregate", index, type, span });
  }

  #cast(call: Call, context: Context): Bound {
    const [arg, target] = call.args as [Expr, Literal];
    const given = this.expr(arg, context);
    const operand = given.type.kind === "json" ? this.untyped(given) : given;
    const to = (target.value as string).toLowerCase();
    const { kind, slot } = operand.type;
    const ofBytes = ["text", "bytes", "dyn"].includes(kind) || isNullLiteral(operand);
    if (!ofBytes && to === "bytea" || (kind === "bytes" && to !== "bytea" && to !== "string")) {
      throw this.fault("type", `${capital(say(operand.type))} cannot become ${to}`, call.span);
    }
    if (to === "bigint" && isWhole(operand.type)) return operand;
    const written = text(kind === "dyn" ? 6 * slot + 16 : Math.max(32, slot));
    const types: Readonly<Record<string, BoundType>> = { bigint: int53, float: float64,
      string: written, boolean: bool, datetime: time, bytea: { ...written, kind: "bytes" } };
    const type = types[to]!;
    if ((type.kind === "bool" && kind === "time") || (type.kind === "time" && kind === "bool")) {
      throw this.fault("type", `${capital(say(operand.type))} cannot become ${say(type)}`,
        call.span);
    }
    if (kind === "dyn" && !isNullLiteral(operand)) {
      return this.node({ kind: "cast", operand, type, span: call.span });
    }
    return this.as(operand, type);
  }

  #infer(call: Call, output: number, context: Context): Bound {
    const [first, ...rest] = call.args;
    const model = first!.kind === "literal" ? first!.value : null;
    if (typeof model !== "string") {
      throw this.fault("arguments", "The model's name is a text in quotes", first!.span);
    }
    const known = this.catalog.model(model);
    if (known === undefined) {
      throw new SqlFault("unknown-model", `There is no model ${model}`, this.sql, first!.span,
        this.catalog.names(), model);
    }
    if (known.inputs !== null && known.inputs !== rest.length) {
      throw this.fault("arguments",
        `The model ${model} takes ${known.inputs} numbers, not ${rest.length}`, call.span);
    }
    if (known.inputs !== null && output >= known.outputs) {
      throw this.fault("arguments",
        `The model ${model} gives ${known.outputs} numbers, counted from 0`, call.span);
    }
    const counting = this.counting;
    this.counting = null;
    const args = rest.map((arg) => {
      const bound = this.expr(arg, context);
      return bound.type.kind === "bool" ? this.as(bound, float64)
        : this.as(this.number(bound), float64);
    });
    this.counting = counting;
    const same = (infer: BoundInfer): boolean => infer.model === model &&
      infer.args.length === args.length && infer.args.every((arg, i) => arg === args[i]);
    let index = this.infers.findIndex(same);
    if (index < 0) index = this.infers.push({ model, args, span: call.span }) - 1;
    if (index >= limits.query_models_max) {
      throw this.fault("too-large",
        `A query calls models at most ${limits.query_models_max} times (query_models_max); a ` +
        "second rule can call the others", call.span);
    }
    return this.node({ kind: "infer", index, output, type: float64, span: call.span });
  }

  /** `infer('model', …)[1]`: the second number that it gives. */
  protected item(expr: Index, context: Context): Bound {
    const { of, at } = expr;
    if (of.kind === "call" && of.name.toLowerCase() === "infer" && at.kind === "literal" &&
      typeof at.value === "bigint" && at.value >= 0n) {
      checkCall(this.sql, of);
      return this.#infer(of, Number(at.value), context);
    }
    return this.access("$item", [this.expr(of, context), this.expr(at, context)], expr.span);
  }

  #needsWindow(name: string, span: Span): SqlFault {
    return this.fault("syntax", `${name}() needs the rows of a window, such as GROUP BY ` +
      "TUMBLINGWINDOW(ss, 10)", span);
  }

  protected keysFault(span: Span): SqlFault {
    return this.fault("arguments", "KEYS is how many keys there may be, 1 to " +
      `${limits.partition_keys_max} (partition_keys_max)`, span);
  }
}

/** Names from the outside in; of `*` that of its stream. */
function pathOf(expr: Expr): string[] {
  switch (expr.kind) {
    case "name": return [...expr.parts];
    case "star": return expr.qualifier.length === 0 ? [] : [expr.qualifier.join(".")];
    case "member": return [...pathOf(expr.of), expr.name];
    default: return [];
  }
}

const mqttKeys = new Map(["topic", "qos", "messageId"].map((key) => [key.toLowerCase(), key]));

const isWholeNumber = ({ type }: Bound): boolean => isWhole(type);
