import type {
  Binary, Call, Case, Expr, Field, In, Index, Join, Literal, Name, Order, Over, Select, Star,
  Unary, Window,
} from "./ast.ts";
import { limits, nextPowerOfTwo } from "../base.ts";
import { spread_name } from "../ring.ts";
import { children, nameOf } from "./ast.ts";
import { check, isAggregate, placeOf } from "./check.ts";
import { checkCall, expand } from "./arguments.ts";
import type {
  AggregateName, Bound, BoundAggregate, BoundBinaryOp, BoundField, BoundHits, BoundInfer,
  BoundJoin, BoundNewest, BoundNumber, BoundOrder, BoundQuery, BoundStateful, BoundType,
  BoundWindow, Catalog, Gathering,
} from "./bound.ts";
import { gathers, isSpectral, needsRows, windowReads } from "./bound.ts";
import { notInThisVersion, refuseSeparator, SqlFault, type Span } from "./fault.ts";
import {
  absentFunctions, aggregateFunctions, type ArgumentType, knownFunctions, type Line,
  type ScalarFunction, scalarFunctions, type StatefulFunction, statefulFunctions,
} from "./functions.ts";
import { parseExpr, parseQuery } from "./parser.ts";
import { conjunction, conjuncts } from "./rewrite/conjuncts.ts";
import { inline } from "./rewrite/inline.ts";
import { overWindows } from "./rewrite/over-windows.ts";
import { contains, inputsOf, walk } from "./rewrite/tree.ts";
import { type Found, Scope } from "./scope.ts";
import { Steps } from "./steps.ts";
import {
  arithmetic, bitwise, bool, coerce, dyn, dynOf, float64, int53, int64, isNullLiteral, isNumber,
  isOpen, isWhole, nullOf, parseTime, say, text, textOf, time, wider,
} from "./types.ts";

/** A query against what the catalog knows. Throws SqlFault. */
export function bind(text: string, catalog: Catalog, steps = new Steps(text)): BoundQuery {
  refuseSeparator(text);
  const parsed = parseQuery(text, steps);
  const { sql, tree } = inline(text, parsed, catalog.functions ?? new Map());
  steps.sql = sql;
  const select = overWindows(sql, tree);
  checkAll(sql, select, steps);
  return bindSelect(sql, select, catalog, steps);
}

/** A query and those inside it. */
function checkAll(sql: string, select: Select, steps: Steps): void {
  const { from: { query }, joins } = select;
  if (query !== null) checkAll(sql, query, steps);
  const joined = joins.find(({ source }) => source.query !== null);
  if (joined !== undefined) {
    throw notInThisVersion(sql, joined.source.span, "A query after JOIN; it can be a rule of its " +
      "own, which is joined by name");
  }
  check(sql, select, steps);
  refuseAlone(sql, select);
}

/** Conditions over newest values alone: one column `c0`, `c1` … for each. */
export function bindConditions(conditions: readonly string[], catalog: Catalog): BoundQuery {
  const steps = new Steps("");
  const binder = new Binder("", catalog, null, steps);
  const functions = catalog.functions ?? new Map();
  const inlined = conditions.map((text) => inline(text, parseExpr(text), functions));
  const select = inlined.map(({ sql, tree }, i): BoundField => {
    steps.sql = sql;
    return { name: `c${i}`, expr: binder.condition(sql, tree), invisible: false };
  });
  return binder.query(inlined.map(({ sql }) => sql).join(" AND "), { select });
}

/** What looks at several rows where each row is a result by itself. */
function refuseAlone(sql: string, select: Select): void {
  const { orderBy, limit, distinct, having, window } = select;
  const alone = (what: string, place: Span): SqlFault => new SqlFault("no-window",
    `${what} needs the rows of a window, such as GROUP BY TUMBLINGWINDOW(ss, 10): without one ` +
    "each row is a result by itself, at once", sql, place);
  if (window === null && distinct !== null) throw alone("DISTINCT", distinct);
  if (window === null && orderBy.length > 0) throw alone("ORDER BY", orderBy[0]!.expr.span);
  if (window === null && limit !== null) throw alone("LIMIT", limit.span);
  if (limit?.rows === 0) throw new SqlFault("arguments", "LIMIT is at least 1", sql, limit.span);
  if (isAggregate(select) || having === null) return;
  if (window === null || hasAggregate(having)) {
    throw notInThisVersion(sql, having.span, "HAVING without an aggregate in SELECT");
  }
}

/** Binds without asking whether the whole can run; the clauses each by themselves. */
export function bindSelect(
  sql: string, select: Select, catalog: Catalog, steps = new Steps(sql),
): BoundQuery {
  return new Binder(sql, catalog, select, steps).run(select);
}

/**
 * Where an expression stands: over rows, or over groups (in which a bare column is that of the
 * first row; without a window that of the newest, for which the row out stands).
 */
type Context = "row" | "group";

class Binder {
  #sql: string;
  readonly #catalog: Catalog;
  readonly #steps: Steps;
  readonly #scope: Scope;
  readonly #aliases = new Map<string, Field>();
  readonly #folding = new Map<Field, boolean>();
  readonly #bound = new Map<string, Bound>();
  /** Aliases being worked out: inside its own definition a name is the column. */
  readonly #open = new Set<string>();
  readonly #aggregates: BoundAggregate[] = [];
  readonly #infers: BoundInfer[] = [];
  readonly #calls: BoundStateful[] = [];
  readonly #repeated: BoundQuery["repeated"][number][] = [];
  readonly #numbers: BoundNumber[] = [];
  readonly #keys: { readonly expr: string; readonly bound: Bound }[] = [];
  readonly #ids = new Map<object, number>();
  readonly #nodes = new Map<string, Bound>();
  /** What a window has closed over, once it has: only there it has a beginning and an end. */
  #closed: Context | null = null;
  /** What `last_hit_count()` counts in this place; null: nothing. */
  #counting: BoundHits["of"] | null = null;
  /** From the row that asks for a sliding window to the window's end. */
  #delay_ms = 0;
  /** Without a window groups go on for ever. */
  readonly #running: boolean;
  readonly #where: Expr | null;

  constructor(
    sql: string, catalog: Catalog, select: Select | null, steps: Steps, newest?: BoundNewest[],
  ) {
    this.#sql = sql;
    this.#steps = steps;
    this.#catalog = catalog;
    this.#scope = new Scope(catalog, newest);
    this.#running = select?.window === null;
    this.#where = select?.where ?? null;
    for (const field of select?.fields ?? []) {
      if (field.alias !== null) this.#aliases.set(field.alias, field);
    }
  }

  run(written: Select): BoundQuery {
    const select = this.#fromStream(written);
    for (const source of [select.from, ...select.joins.map((join) => join.source)]) {
      if (source.query === null) this.#scope.add(this.#sql, source);
      else this.#scope.addQuery(source, this.#inner(source.query));
    }
    const joins = select.joins.map((join, i) => this.#join(join, i + 1));
    const aggregated = isAggregate(select);
    this.#counting = select.window === null && !aggregated ? "rows" : null;
    const where = select.where === null ? null : this.#condition(select.where, "row");
    const window = select.window === null ? null : this.#window(select.window);
    this.#delay_ms = window?.kind === "sliding" ? window.delay_ms : 0;
    for (const expr of select.groupBy) {
      const bound = this.#comparable(this.#expr(expr, "row"));
      this.#keys.push({ expr: shape(this.#resolve(expr)), bound });
    }
    const context: Context = aggregated ? "group" : "row";
    this.#closed = window === null ? null : context;
    if (window !== null) this.#counting = "windows";
    const rows = select.fields.find(({ expr }) => placeOf(expr) === "rows");
    const fields = rows === undefined ? this.#fields(select.fields, context)
      : this.#expanded(select.fields, rows, context);
    const expand = rows === undefined ? null : rows.alias ?? nameOf(rows.expr);
    const having = select.having === null ? null : this.#having(select.having, context);
    const groups = this.#groups(select);
    const { distinct, limit } = select;
    const orderBy = this.#orderBy(select.orderBy, context);
    if (distinct !== null && this.#numbers.length > 0) {
      throw this.#fault("syntax", "With row_number() no two rows are equal: DISTINCT does nothing",
        distinct);
    }
    return this.query(this.#sql, { joins, where, window, select: fields, having, groups, aggregated,
      expand, distinct: distinct !== null, limit: limit?.rows ?? null, orderBy });
  }

  #inner(query: Select): BoundQuery {
    return new Binder(this.#sql, this.#catalog, query, this.#steps, this.#scope.newest).run(query);
  }

  #having(expr: Expr, context: Context): Bound {
    return this.#condition(expr, hasAggregate(expr) ? "group" : context);
  }

  #orderBy(keys: readonly Order[], context: Context): BoundOrder[] {
    return keys.map(({ expr, descending }) => {
      if (expr.kind === "literal") {
        throw this.#fault("syntax", "ORDER BY takes a column or an expression, not its place",
          expr.span);
      }
      const bound = this.#expr(expr, context);
      if (contains(bound, "number")) {
        throw this.#fault("syntax", "The order of row_number() is that of its own " +
          "OVER (ORDER BY …)", expr.span);
      }
      return { expr: bound.type.kind === "json" ? this.#untyped(bound) : bound, descending };
    });
  }

  /** `FROM table JOIN stream` asks the table for each row of the stream, as the other way round. */
  #fromStream(select: Select): Select {
    const { from, joins: [first, ...others] } = select;
    const isTable = (name: string): boolean => this.#catalog.table?.(name) !== undefined;
    if (first === undefined || from.query !== null) return select;
    if (!isTable(from.name) || isTable(first.source.name)) return select;
    if (first.tolerance_ms !== null || !["inner", "right"].includes(first.kind)) return select;
    const kind = first.kind === "right" ? "left" : first.kind;
    return { ...select, from: first.source, joins: [{ ...first, kind, source: from }, ...others] };
  }

  /** Groups at most, so many that their table has a size that is a power of two. */
  #groups({ groupBy, groups }: Select): number {
    if (groupBy.length === 0) return 1;
    if (groups !== null && (groups.most < 1 || groups.most > limits.partition_keys_max)) {
      throw this.#keysFault(groups.span);
    }
    return nextPowerOfTwo(groups?.most ?? limits.group_keys_default);
  }

  #needsWindow(name: string, span: Span): SqlFault {
    return this.#fault("syntax", `${name}() needs the rows of a window, such as GROUP BY ` +
      "TUMBLINGWINDOW(ss, 10)", span);
  }

  #keysFault(span: Span): SqlFault {
    return this.#fault("arguments", "KEYS is how many keys there may be, 1 to " +
      `${limits.partition_keys_max} (partition_keys_max)`, span);
  }

  #join({ kind, on, source, span, tolerance_ms }: Join, input: number): BoundJoin {
    const condition = on === null ? null : this.#condition(on, "row");
    if (condition !== null && contains(condition, "infer", "stateful")) {
      throw this.#later(on!.span, "A model or a function with state in ON");
    }
    const { table } = this.#scope.inputs[input]!;
    const tests = conjuncts(condition);
    if (tolerance_ms !== null) {
      if (table !== null) {
        throw this.#fault("join", `${source.name} is a table: JOIN asks it, without ASOF`, span);
      }
      const asof = { tolerance_ms, keys: tests.map((test) => this.#pairIn(test, input)) };
      return { kind, input, on: null, key: null, scan: false, asof, span };
    }
    const { key = null } = table ?? {};
    if (key === null) {
      return { kind, input, on: condition, key, scan: table !== null, asof: null, span };
    }
    const keyed = tests.find((test) => this.#keyIn(test, input, key) !== null);
    if (keyed === undefined) {
      throw this.#fault("lookup-key", `${source.name} is asked by its key: ON ` +
        `${table!.name}.${key} = …, of the key's own type and of what stands before it`,
        on?.span ?? span);
    }
    return { kind, input, span, scan: false, asof: null, key: this.#keyIn(keyed, input, key),
      on: conjunction(tests.filter((test) => test !== keyed)) };
  }

  /** A condition of ASOF: something of the inputs before it equals something of its own. */
  #pairIn(test: Bound, input: number): { left: Bound; right: Bound } {
    const own = (node: Bound): boolean => {
      const read = inputsOf(node);
      return read.length > 0 && read.every((i) => i === input);
    };
    const before = (node: Bound): boolean => inputsOf(node).every((i) => i < input);
    if (test.kind === "binary" && test.op === "=") {
      if (own(test.right) && before(test.left)) return { left: test.left, right: test.right };
      if (own(test.left) && before(test.right)) return { left: test.right, right: test.left };
    }
    throw this.#fault("join", "ON of an ASOF JOIN says which keys are equal: a = b AND …, each " +
      "with one side of the stream that is joined", test.span);
  }

  /** What a table is asked for, if a condition says that its key equals it. */
  #keyIn(test: Bound, input: number, key: string): Bound | null {
    if (test.kind !== "binary" || test.op !== "=") return null;
    const isKey = (node: Bound): boolean =>
      node.kind === "column" && node.input === input && node.name === key;
    const [column, value] = isKey(test.left) ? [test.left, test.right] : [test.right, test.left];
    return isKey(column) && inputsOf(value).every((i) => i < input) ? value : null;
  }

  query(sql: string, parts: Partial<BoundQuery>): BoundQuery {
    const { where = null, window = null, having = null, select = [] } = parts;
    const joined = (parts.joins ?? []).flatMap(({ key, on, asof }) =>
      [key, on, ...(asof?.keys.flatMap(({ left, right }) => [left, right]) ?? [])]);
    const roots = [...joined, where, having, window?.filter ?? null, ...windowReads(window),
      ...this.#keys.map(({ bound }) => bound), ...select.map(({ expr }) => expr),
      ...(parts.orderBy ?? []).map(({ expr }) => expr),
      ...this.#aggregates.map(({ arg }) => arg), ...this.#infers.flatMap(({ args }) => args),
      ...this.#calls];
    this.#scope.keep(columnsIn(roots.filter((root) => root !== null)));
    // Of columns of one name the last is left.
    const shown = new Set<Bound>();
    for (const { expr } of select) walk(expr, () => true, shown);
    return {
      sql, inputs: this.#scope.inputs, joins: [], newest: this.#scope.newest, where: null,
      window: null, having: null, distinct: false, orderBy: [], limit: null,
      numbers: this.#numbers.filter((number) => shown.has(number)),
      select: [], groupBy: this.#keys.map((key) => key.bound), groups: 1,
      aggregates: this.#aggregates,
      infers: this.#infers, stateful: this.#calls, aggregated: false, expand: null,
      repeated: this.#repeated, ...parts,
    };
  }

  condition(sql: string, expr: Expr): Bound {
    this.#sql = sql;
    return this.#condition(expr, "row");
  }

  #fault(code: string, sentence: string, span: Span): SqlFault {
    return new SqlFault(code, sentence, this.#sql, span);
  }

  #later(span: Span, what: string): SqlFault {
    return notInThisVersion(this.#sql, span, what);
  }

  /**
   * Equal expressions are one object, so that they are computed once. Not so literals: two that
   * happen to be equal stay two, else a query's shape would depend on its numbers.
   */
  #node<T extends Bound>(node: T): T {
    if (node.kind === "literal") {
      this.#ids.set(node, this.#ids.size);
      return node;
    }
    const key = JSON.stringify(node, (name, value: unknown) => {
      if (name === "span") return undefined;
      if (typeof value === "bigint") return `${value}n`;
      const id = typeof value === "object" && value !== null ? this.#ids.get(value) : undefined;
      return id === undefined ? Object.is(value, -0) ? "-0" : value : `#${id}`;
    });
    const known = this.#nodes.get(key);
    if (known !== undefined) return known as T;
    this.#nodes.set(key, node);
    this.#ids.set(node, this.#ids.size);
    return node;
  }

  // Select list

  #fields(fields: readonly Field[], context: Context): BoundField[] {
    const found: BoundField[] = [];
    const places = new Map<string, number>();
    const written = new Set<string>();
    let unnamed = 0;
    const put = (field: BoundField): void => {
      // A name given twice: the later one stands, in the place of the first.
      const at = field.invisible ? undefined : places.get(field.name);
      if (at !== undefined) found[at] = field;
      else if (found.push(field) && !field.invisible) places.set(field.name, found.length - 1);
    };
    for (const field of fields) {
      const { expr, alias, invisible } = field;
      if (expr.kind === "star") {
        for (const column of this.#star(expr, context)) put(column);
        continue;
      }
      if (placeOf(expr) === "columns") {
        for (const column of this.#changedColumns(expr as Call, context)) put(column);
        continue;
      }
      const name = alias ?? nameOf(expr) ?? `kuiper_field_${unnamed++}`;
      if (!invisible && written.has(name)) this.#repeated.push({ name, span: expr.span });
      if (!invisible) written.add(name);
      const bound = alias === null ? this.#expr(expr, context) : this.#alias(field, context);
      put({ name, expr: bound, invisible });
    }
    return found;
  }

  /**
   * `changed_cols(prefix, ignoreNull, …)` is a `changed_col` for each column. They are compared
   * with the last row that came out: rows that WHERE leaves out change nothing.
   */
  #changedColumns(call: Call, context: Context): BoundField[] {
    const { args: [prefix, ignoreNull, ...columns], span } = call;
    if (context === "group" || !this.#running) {
      throw this.#later(span, `${call.name}() over a window`);
    }
    if (prefix!.kind !== "literal") {
      throw this.#fault("arguments", "The prefix is a text that is written out", prefix!.span);
    }
    const over: Over = { partitionBy: [], keys: null, orderBy: [], when: this.#where, span };
    const changed = (expr: Expr): Bound => this.#expr({ kind: "call", name: "changed_col",
      args: [ignoreNull!, expr], distinct: false, over, span }, context);
    return columns.flatMap((expr): BoundField[] => {
      const named = expr.kind !== "star" ? [{ name: nameOf(expr), expr }]
        : this.#scope.star(this.#sql, expr.qualifier.join("."), span)
          .map(({ alias, name }) => ({ name,
            expr: { kind: "name", parts: [alias, name], span } as const }));
      if (expr.kind === "star" && (expr.except.length > 0 || expr.replace.length > 0 ||
        named.some(({ name }) => name === spread_name))) {
        throw this.#later(expr.span, `This \`*\` in ${call.name}()`);
      }
      return named.map(({ name, expr }) => {
        if (name === null) throw this.#fault("arguments", "Here a column is expected", expr.span);
        return { name: `${String(prefix.value)}${name}`, expr: changed(expr), invisible: false };
      });
    });
  }

  /** A select list with a function that makes rows: what it makes them of, and all else. */
  #expanded(fields: readonly Field[], rows: Field, context: Context): BoundField[] {
    const { name, args, span } = rows.expr as Call;
    const given = this.#expr(args[0]!, context);
    const list = name.toLowerCase() === "unnest" ? this.#argument("l", given)
      : this.#access("$fields", [given], span);
    const others = this.#fields(fields.filter((field) => field !== rows), context)
      .filter(({ invisible }) => !invisible);
    return [{ name: "$list", expr: list, invisible: false },
      { name: "$rest", expr: this.#object(others, span), invisible: false }];
  }

  /** Columns as one object. */
  #object(fields: readonly BoundField[], span: Span): Bound {
    const whole = fields.find(({ name }) => name === spread_name);
    const rest = fields.filter((field) => field !== whole);
    const made = this.#access("$row",
      rest.flatMap(({ name, expr }) => [this.#textLiteral(name, span), expr]), span);
    if (whole === undefined) return made;
    return this.#untyped(rest.length === 0 ? whole.expr
      : this.#access("object_concat", [whole.expr, made], span));
  }

  #star(star: Star, context: Context): BoundField[] {
    const { qualifier, except, replace, span } = star;
    const replaced = new Map(replace.map((field) => [field.alias!, field.expr]));
    const columns = this.#scope.star(this.#sql, qualifier.join("."), span);
    const [whole] = columns;
    if (columns.length === 1 && whole!.name === spread_name) {
      const left = except.filter((name) => !replaced.has(name));
      return this.#spread(whole!.alias, left, replaced, context, span);
    }
    for (const name of [...except, ...replaced.keys()]) {
      if (!columns.some((c) => c.name === name)) {
        throw new SqlFault("unknown-column", `\`*\` has no column ${name}`, this.#sql, span,
          columns.map((c) => c.name), name);
      }
    }
    return columns.filter((c) => replaced.has(c.name) || !except.includes(c.name))
      .map(({ alias, name }) => ({
      name, invisible: false,
      expr: this.#expr(replaced.get(name) ?? { kind: "name", parts: [alias, name], span },
        context, true),
    }));
  }

  /** A message of any fields as it is; a column beside it stands in the place of its field. */
  #spread(
    input: string, except: readonly string[], replaced: ReadonlyMap<string, Expr>,
    context: Context, span: Span,
  ): BoundField[] {
    const name: Name = { kind: "name", parts: [input, spread_name], span };
    const found = this.#expr(name, context, true);
    const expr = except.length === 0 ? found : this.#access("erase",
      [found, ...except.map((name) => this.#textLiteral(name, span))], span);
    return [{ name: spread_name, expr, invisible: false },
      ...[...replaced].map(([name, value]) =>
        ({ name, expr: this.#expr(value, context, true), invisible: false }))];
  }

  #alias(field: Field, context: Context): Bound {
    const key = `${context} ${field.alias}`;
    const known = this.#bound.get(key);
    if (known !== undefined) return known;
    this.#open.add(field.alias!);
    const bound = this.#expr(field.expr, context);
    this.#open.delete(field.alias!);
    this.#bound.set(key, bound);
    return bound;
  }

  // Expressions

  #condition(expr: Expr, context: Context): Bound {
    const bound = this.#expr(expr, context);
    if (isNullLiteral(bound)) return nullOf(bool, bound.span);
    if (isOpen(bound.type)) return this.#narrow(bound, bool);
    if (bound.type.kind !== "bool") {
      const hint = isNumber(bound.type) ? "; of a number it is like x <> 0" : "";
      throw this.#fault("type",
        `Here a condition is expected, but this is ${say(bound.type)}${hint}`, expr.span);
    }
    return bound;
  }

  #expr(expr: Expr, context: Context, columnsOnly = false): Bound {
    this.#steps.take(expr.span);
    if (context === "group" && this.#keys.length > 0 && expr.kind !== "name") {
      const wanted = shape(expr);
      this.#steps.take(expr.span, wanted.length >> 4);
      const key = this.#keys.find((k) => k.expr === wanted);
      if (key !== undefined) return key.bound;
    }
    switch (expr.kind) {
      case "literal": return this.#literal(expr);
      case "name": return this.#name(expr, context, columnsOnly);
      case "unary": return this.#unary(expr, context);
      case "binary": return this.#binaryOf(expr, context);
      case "between": {
        const operand = this.#expr(expr.operand, context);
        const [low, high] = [this.#expr(expr.low, context), this.#expr(expr.high, context)];
        const { negated, span } = expr;
        const left = this.#compare(negated ? "<" : ">=", operand, low, span);
        const right = this.#compare(negated ? ">" : "<=", operand, high, span);
        return this.#node({ kind: "binary", op: negated ? "or" : "and", left, right, type: bool,
          span });
      }
      case "in": return this.#in(expr, context);
      case "like": {
        const operand = this.#text(this.#expr(expr.operand, context));
        const pattern = this.#text(this.#expr(expr.pattern, context));
        return this.#node({ kind: "like", operand, pattern, negated: expr.negated, type: bool,
          span: expr.span });
      }
      case "isnull": {
        const operand = this.#expr(expr.operand, context);
        return this.#node({ kind: "isnull", operand, negated: expr.negated, type: bool,
          span: expr.span });
      }
      case "case": return this.#case(expr, context);
      case "call": return this.#call(expr, context);
      case "index": return this.#index(expr, context);
      case "member": return this.#member(this.#expr(expr.of, context), expr.name, expr.span);
      case "slice": return this.#access("$slice", [expr.of, expr.from, expr.to].map((part) =>
        (part === null ? this.#literal({ kind: "literal", value: true, span: expr.span })
          : this.#expr(part, context))), expr.span);
      case "star": throw this.#fault("syntax", "`*` stands for columns, not for a value",
        expr.span);
    }
  }

  #literal({ value, span }: Literal): Bound {
    if (value === null) return this.#node(nullOf(float64, span));
    if (typeof value === "string") {
      const bytes = Buffer.byteLength(value), most = limits.slot_bytes_max;
      if (bytes > most) {
        throw this.#fault("too-large", `A text has at most ${most} bytes, this one has ${bytes}`,
          span);
      }
      return this.#node({ kind: "literal", value, type: textOf(value), span });
    }
    if (typeof value === "boolean") return this.#node({ kind: "literal", value, type: bool, span });
    if (typeof value === "number") {
      return this.#node({ kind: "literal", value, type: float64, span });
    }
    if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) {
      return this.#node({ kind: "literal", value: Number(value), type: int53, span });
    }
    if (BigInt.asIntN(64, value) === value) {
      return this.#node({ kind: "literal", value, type: int64, span });
    }
    throw this.#fault("overflow", "A whole number has at most 64 bits", span);
  }

  #resolve(expr: Expr): Expr {
    if (expr.kind !== "name" || expr.parts.length > 1) return expr;
    return this.#aliases.get(expr.parts[0]!)?.expr ?? expr;
  }

  #name(expr: Name, context: Context, columnsOnly: boolean): Bound {
    const { parts, span } = expr;
    const alias = parts.length === 1 && !columnsOnly && !this.#open.has(parts[0]!)
      ? this.#aliases.get(parts[0]!) : undefined;
    // Inside an aggregate an alias that is one itself can only mean the column.
    if (alias !== undefined && !(context === "row" && this.#folds(alias))) {
      return this.#alias(alias, context);
    }
    const found = this.#scope.find(parts);
    const inside = found === null ? this.#inside(expr, context, columnsOnly) : null;
    if (inside !== null) return inside;
    if (found === null) {
      if (alias !== undefined) {
        throw this.#later(span, `The aggregate ${alias.alias} in this place`);
      }
      throw this.#scope.unknown(this.#sql, parts, span, this.#aliases.keys());
    }
    const { kind, slot } = found.spec;
    const type: BoundType = { kind, slot };
    if (found.kind === "newest") {
      return this.#node({ kind: "newest", index: found.index, type, span });
    }
    const column = this.#column(found, span);
    if (found.field !== null) {
      const inside = context === "row" ? column : this.#ofGroup(column);
      return this.#access("$member", [inside, this.#textLiteral(found.field, span)], span);
    }
    if (context === "row" || this.#keys.some((key) => key.bound === column)) return column;
    return this.#ofGroup(column);
  }

  #column({ input, spec: { name, kind, slot } }: Extract<Found, { kind: "column" }>, span: Span) {
    return this.#node({ kind: "column", input, name, type: { kind, slot }, span } as const);
  }

  /** `a.b.c`, where `a` or `a.b` is a structure: the longest that has a meaning. */
  #inside({ parts, span }: Name, context: Context, columnsOnly: boolean): Bound | null {
    for (let n = parts.length - 1; n > 0; n--) {
      const outer: Name = { kind: "name", parts: parts.slice(0, n), span };
      const alias = n === 1 && !columnsOnly && this.#aliases.has(parts[0]!);
      // What a stream of FROM does not have is no field of another one.
      if (n === 1 && !alias && this.#scope.has(parts[0]!)) continue;
      if (!alias && this.#scope.find(outer.parts) === null) continue;
      const of = this.#name(outer, context, columnsOnly);
      return parts.slice(n).reduce((node: Bound, name) => this.#member(node, name, span), of);
    }
    return null;
  }

  #member(of: Bound, name: string, span: Span): Bound {
    const column = of.kind === "column" ? this.#scope.inside(of.input, of.name, name) : null;
    if (column !== null) return this.#column(column, span);
    if (!isOpen(of.type)) {
      throw this.#fault("type", `Here a structure is expected, but this is ${say(of.type)}`,
        of.span);
    }
    return this.#access("$member", [of, this.#textLiteral(name, span)], span);
  }

  /** A call of one of the functions that operators are bound to (`functions/access.ts`). */
  #access(fn: string, nodes: readonly Bound[], span: Span): Bound {
    const { parameters, result, slot } = scalarFunctions.get(fn)!;
    const letters = expand(parameters, nodes.length)!;
    const args = nodes.map((node, i) => this.#argument(letters[i]!, node));
    const types = args.map((arg) => ({ ...arg.type, constant: undefined }));
    const type = result === "bool" ? bool
      : dyn(slot?.(types) ?? types.reduce((sum, arg) => sum + arg.slot, 16));
    return this.#node({ kind: "call", fn, args, type, span });
  }

  /** True if an alias is an aggregate itself. */
  #folds(alias: Field): boolean {
    let folds = this.#folding.get(alias);
    if (folds === undefined) this.#folding.set(alias, (folds = hasAggregate(alias.expr)));
    return folds;
  }

  #aggregate(aggregate: BoundAggregate): Bound {
    const { fn, arg, skipsNull, type, span } = aggregate;
    let index = this.#aggregates.findIndex((a) => a.fn === fn && a.arg === arg
      && a.skipsNull === skipsNull && String(a.settings) === String(aggregate.settings));
    if (index < 0) index = this.#aggregates.push(aggregate) - 1;
    return this.#node({ kind: "aggregate", index, type, span });
  }

  #unary({ op, operand, span }: Unary, context: Context): Bound {
    if (op === "not") {
      const bound = this.#condition(operand, context);
      return this.#node({ kind: "unary", op, operand: bound, type: bool, span });
    }
    const bound = this.#number(this.#expr(operand, context));
    return this.#node({ kind: "unary", op, operand: bound, type: bound.type, span });
  }

  #binaryOf(expr: Binary, context: Context): Bound {
    const { op, span } = expr;
    if (op === "and" || op === "or") {
      const [left, right] = [this.#condition(expr.left, context),
        this.#condition(expr.right, context)];
      return this.#node({ kind: "binary", op, left, right, type: bool, span });
    }
    const left = this.#expr(expr.left, context);
    const right = this.#expr(expr.right, context);
    if (!arithmetic.has(op) && !bitwise.has(op)) return this.#compare(op, left, right, span);
    if (isOpen(left.type) || isOpen(right.type)) return this.#openArithmetic(op, left, right, span);
    const type = wider(this.#number(left).type, this.#number(right).type);
    if (bitwise.has(op) && !isWhole(type)) {
      const float = isWhole(left.type) ? right : left;
      throw this.#fault("type", `\`${op}\` takes whole numbers, but this is ${say(float.type)}`,
        float.span);
    }
    return this.#node({ kind: "binary", op, left: this.#as(left, type),
      right: this.#as(right, type), type, span });
  }

  /** With a float beside it the result is one; else whole or not is known only in the row. */
  #openArithmetic(op: BoundBinaryOp, left: Bound, right: Bound, span: Span): Bound {
    const float = [left, right].some(({ type }) => type.kind === "float64");
    const known = [left, right].filter((node) => !isOpen(node.type) && !isNullLiteral(node));
    known.forEach((node) => this.#number(node));
    if (bitwise.has(op)) {
      const [a, b] = [left, right].map((node) => this.#as(this.#argument("i", node), int53));
      return this.#node({ kind: "binary", op, left: a!, right: b!, type: int53, span });
    }
    const type = float && known.length > 0 ? float64 : dyn(16);
    const [a, b] = [left, right].map((node) => (type === float64
      ? this.#as(this.#number(node), float64) : this.#untyped(node)));
    return this.#node({ kind: "binary", op, left: a!, right: b!, type, span });
  }

  #compare(op: BoundBinaryOp, left: Bound, right: Bound, span: Span): Bound {
    const [a, b] = this.#reconcile(left, right, span);
    if (a.type.kind === "bool" && op !== "=" && op !== "!=") {
      throw this.#fault("type", `Booleans have no order: \`${op}\` cannot compare them`, span);
    }
    return this.#node({ kind: "binary", op, left: a, right: b, type: bool, span });
  }

  /** Both sides as one kind, or a fault: what cannot be compared is a mistake, not FALSE. */
  #reconcile(left: Bound, right: Bound, span: Span): [Bound, Bound] {
    if (isNullLiteral(left)) return [this.#as(left, right.type), right];
    if (isNullLiteral(right)) return [left, this.#as(right, left.type)];
    if (isOpen(left.type) || isOpen(right.type)) return [this.#untyped(left), this.#untyped(right)];
    this.#comparable(left);
    this.#comparable(right);
    const [a, b] = [left.type.kind, right.type.kind];
    if (isNumber(left.type) && isNumber(right.type)) {
      const type = wider(left.type, right.type);
      return [this.#as(left, type), this.#as(right, type)];
    }
    if (a === b) return [left, right];
    if (a === "time" && isNumber(right.type)) return [left, this.#as(right, time)];
    if (a === "time" && b === "text") return [left, this.#time(right)];
    if (b === "time" && left.kind === "literal") {
      return [a === "text" ? this.#time(left) : this.#as(left, time), right];
    }
    const quoted = [left, right].find((node) => node.kind === "literal" &&
      typeof node.value === "string" && node.value.trim() !== "" &&
      Number.isFinite(Number(node.value)));
    throw this.#fault("type",
      `${capital(say(left.type))} cannot be compared with ${say(right.type)}` +
        (quoted === undefined ? "" : "; a number stands without quotes"), span);
  }

  #time(node: Bound): Bound {
    if (node.kind !== "literal" || typeof node.value !== "string") return this.#as(node, time);
    const value = parseTime(node.value);
    if (value === null) {
      throw this.#fault("type",
        "Here a time is expected: one is like '2026-01-31T08:00:00Z'", node.span);
    }
    return this.#node({ kind: "literal", value, type: time, span: node.span });
  }

  #as(node: Bound, type: BoundType): Bound {
    const coerced = coerce(node, type);
    return coerced === node ? node : this.#node(coerced);
  }

  #in(expr: In, context: Context): Bound {
    let operand = this.#expr(expr.operand, context);
    if ("kind" in expr.items) {
      const list = this.#expr(expr.items, context);
      return this.#access(expr.negated ? "$not_in" : "$in",
        [operand, this.#argument("l", list)], expr.span);
    }
    let items = expr.items.map((item) => this.#expr(item, context));
    // All of them: NULL IN (…) has nothing that the others could be brought to.
    if ([operand, ...items].some(({ type }) => isOpen(type))) {
      operand = this.#untyped(operand);
      items = items.map((item) => this.#untyped(item));
    }
    if (isNumber(operand.type)) {
      const type = items.filter((i) => isNumber(i.type) && !isNullLiteral(i)).map((i) => i.type)
        .reduce(wider, operand.type);
      operand = this.#as(operand, type);
    }
    const reconciled = items.map((item) => this.#reconcile(operand, item, expr.span)[1]);
    return this.#node({ kind: "in", operand, items: reconciled, negated: expr.negated, type: bool,
      span: expr.span });
  }

  #case(expr: Case, context: Context): Bound {
    const operand = expr.operand === null ? null : this.#expr(expr.operand, context);
    const conditions = expr.whens.map(({ when }) => operand === null
      ? this.#condition(when, context)
      : this.#compare("=", operand, this.#expr(when, context), when.span));
    const values = expr.whens.map(({ then }) => this.#expr(then, context));
    const otherwise = expr.otherwise === null ? nullOf(float64, expr.span)
      : this.#expr(expr.otherwise, context);
    const type = this.#unified([...values, otherwise]);
    return this.#node({
      kind: "case", type, span: expr.span, otherwise: this.#as(otherwise, type),
      whens: conditions.map((when, i) => ({ when, then: this.#as(values[i]!, type) })),
    });
  }

  /** One type for all values: numbers meet in the widest kind, texts in the longest slot. */
  #unified(values: readonly Bound[]): BoundType {
    const [first, ...rest] = values.filter((value) => !isNullLiteral(value));
    if (first === undefined) return float64;
    return rest.reduce((type: BoundType, value) => {
      if (isNumber(type) && isNumber(value.type)) return wider(type, value.type);
      if (isOpen(type) || isOpen(value.type)) {
        return dyn(Math.max(dynOf(type).slot, dynOf(value.type).slot));
      }
      if (type.kind === value.type.kind) return type.slot >= value.type.slot ? type : value.type;
      throw this.#fault("type",
        `The values are of different types: ${say(type)} and ${say(value.type)}`, value.span);
    }, first.type);
  }

  // What a place takes

  /** Without a fixed type. */
  #untyped(node: Bound): Bound {
    return this.#as(node, dynOf(node.type));
  }

  /** Of a fixed kind, which the value must have when the row comes. */
  #narrow(node: Bound, type: BoundType): Bound {
    const operand = this.#untyped(node);
    return this.#node({ kind: "narrow", operand, type, span: node.span });
  }

  #comparable(node: Bound): Bound {
    if (node.type.kind === "bytes") throw this.#later(node.span, "Comparing bytes");
    return node.type.kind === "json" ? this.#untyped(node) : node;
  }

  #number(node: Bound): Bound {
    if (isOpen(node.type)) return this.#narrow(node, float64);
    if (!isNumber(node.type)) {
      throw this.#fault("type", `Here a number is expected, but this is ${say(node.type)}`,
        node.span);
    }
    return node;
  }

  #text(node: Bound): Bound {
    if (isNullLiteral(node)) return this.#as(node, text(8));
    if (isOpen(node.type)) return this.#narrow(node, text(this.#untyped(node).type.slot));
    if (node.type.kind !== "text") {
      throw this.#fault("type", `Here a text is expected, but this is ${say(node.type)}`,
        node.span);
    }
    return node;
  }

  // Functions

  #call(call: Call, context: Context): Bound {
    checkCall(this.#sql, call);
    const name = call.name.toLowerCase();
    const scalar = scalarFunctions.get(name);
    if (scalar !== undefined) return this.#scalar(scalar, call, context);
    const stateful = statefulFunctions.get(name);
    if (stateful !== undefined) return this.#stateful(stateful, call, context);
    if (aggregateFunctions.has(name)) return this.#aggregateCall(name, call, context);
    switch (name) {
      case "isnull": {
        const operand = this.#expr(call.args[0]!, context);
        return this.#node({ kind: "isnull", operand, negated: false, type: bool, span: call.span });
      }
      case "coalesce": {
        const args = call.args.map((arg) => this.#expr(arg, context));
        const type = this.#unified(args);
        return this.#node({ kind: "coalesce", args: args.map((a) => this.#as(a, type)), type,
          span: call.span });
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
        const { self = "" } = this.#catalog;
        if (self === "") throw this.#fault("syntax", "rule_id() is of a rule", call.span);
        return this.#textLiteral(self, call.span);
      }
    }
    const absent = absentFunctions.find((fn) => fn.name === name);
    throw absent === undefined
      ? this.#fault("syntax", `${name}() may only be a column of SELECT by itself`, call.span)
      : this.#fault("absent-function", `There is no ${name}() here: ${absent.why}`, call.span);
  }

  #windowTime(name: string, { span }: Call, context: Context): Bound {
    if (this.#closed !== context) {
      throw this.#fault("syntax", `${name}() stands in SELECT or HAVING, over a window`, span);
    }
    const which = name === "window_start" ? "start" : "end";
    const at = this.#node<Bound>({ kind: "window", which, type: int53, span });
    if (name !== "window_trigger" || this.#delay_ms === 0) return at;
    const delay = this.#node<Bound>({ kind: "literal", value: this.#delay_ms, type: int53, span });
    return this.#node({ kind: "binary", op: "-", left: at, right: delay, type: int53, span });
  }

  /** `meta([stream.]key[->inside]…)`, `meta([stream.]*)`; `mqtt(topic)` says where from. */
  #meta({ name, args: [arg], span }: Call, context: Context): Bound {
    const path = pathOf(arg!);
    const [first, ...rest] = path;
    const qualified = first !== undefined && (rest.length > 0 || arg!.kind === "star") &&
      this.#scope.has(first);
    const column = this.#column(this.#scope.meta(this.#sql, qualified ? first : "", span), span);
    const keys = qualified ? rest : path;
    if (name.toLowerCase() === "mqtt") {
      const key = mqttKeys.get(keys.join().toLowerCase());
      if (key === undefined) {
        throw this.#fault("arguments", "mqtt() knows topic, qos and messageid", arg!.span);
      }
      keys.splice(0, Infinity, key);
    }
    const of = context === "row" ? column : this.#ofGroup(column);
    return keys.reduce((node: Bound, key) =>
      this.#access("$member", [node, this.#textLiteral(key, span)], span), of);
  }

  #hits({ name, span }: Call, which: BoundHits["which"], context: Context): Bound {
    const of = this.#counting;
    const misplaced = of === "windows" && this.#closed !== context;
    if (of === null || misplaced || (of === "rows" && /_agg_/i.test(name))) {
      throw this.#fault("syntax", `${name}() stands in ` + (/_agg_/i.test(name)
        ? "HAVING or SELECT of a query with a window" : "WHERE or SELECT of a query without a " +
          "window and without aggregates, or in OVER (WHEN …) of a sliding window"), span);
    }
    return this.#node({ kind: "hits", of, which, type: int53, span });
  }

  /** What is known of a value beside itself: it looks at a column, not at an expression. */
  #ofCell(name: string, { args: [arg], span }: Call, context: Context): Bound {
    const operand = arg!.kind === "name" ? this.#name(arg!, "row", true) : null;
    if (operand === null || (operand.kind !== "column" && operand.kind !== "newest")) {
      throw this.#fault("arguments", `${name}() takes the name of a column or a tag`, arg!.span);
    }
    if (name === "changed" && this.#scope.inputs.length === 0) {
      throw this.#fault("syntax", "changed() needs the rows of a stream, one after the other",
        span);
    }
    if (name === "raw" && operand.kind === "newest") {
      throw this.#fault("arguments", "raw() takes a column of the row itself: an old newest " +
        "value may never have been one", arg!.span);
    }
    if (name === "raw" && operand.kind === "column"
      && this.#scope.inputs[operand.input]!.query !== null) {
      throw this.#fault("arguments", "raw() takes a column of a stream: what a query in FROM " +
        "makes of a value that is missing has no last one", arg!.span);
    }
    if (name === "raw" && (isOpen(operand.type) || operand.type.kind === "json")) {
      throw this.#fault("type", "What a message does not have has no last value", arg!.span);
    }
    const state = this.#node<Bound>({ kind: "cell", which: "state", operand, type: int53, span });
    const zero = this.#node<Bound>({ kind: "literal", value: 0, type: int53, span });
    switch (name) {
      case "quality": return this.#inGroup(this.#node<Bound>(
        { kind: "call", fn: "$quality", args: [state], type: text(32), span }), context);
      case "good": return this.#inGroup(this.#compare("=", state, zero, span), context);
      case "raw": return this.#inGroup(this.#node<Bound>(
        { kind: "cell", which: "raw", operand, type: operand.type, span }), context);
    }
    const all = this.#node<Bound>({ kind: "literal", value: false, type: bool, span });
    const node = this.#node<BoundStateful>({ kind: "stateful", fn: "had_changed", keys: 0,
      args: [all, operand, state], partitionBy: [], when: null, type: bool, span });
    if (!this.#calls.includes(node)) this.#calls.push(node);
    return this.#inGroup(node, context);
  }

  #inGroup(node: Bound, context: Context): Bound {
    return context === "row" ? node : this.#ofGroup(node);
  }

  /** Without a window each row is the only one of its result. */
  #rowNumber({ over, span }: Call, context: Context): Bound {
    if (this.#running) return this.#node({ kind: "literal", value: 1, type: int53, span });
    if (this.#closed !== context || (over !== null && (over.when ?? over.keys) !== null)) {
      throw this.#fault("syntax", "row_number() [OVER ([PARTITION BY …] [ORDER BY …])] counts " +
        "the rows that a window gives", span);
    }
    const partitionBy = (over?.partitionBy ?? []).map((expr) => this.#expr(expr, context));
    if (partitionBy.some((key) => contains(key, "number"))) {
      throw this.#fault("syntax", "row_number() counts rows: it is no key of its own", span);
    }
    const orderBy = this.#orderBy(over?.orderBy ?? [], context);
    const node = this.#node<BoundNumber>(
      { kind: "number", partitionBy, orderBy, type: int53, span });
    if (!this.#numbers.includes(node)) this.#numbers.push(node);
    return node;
  }

  #scalar(fn: ScalarFunction, call: Call, context: Context): Bound {
    const letters = expand(fn.parameters, call.args.length)!;
    const args = call.args.map((arg, i) =>
      this.#argument(letters[i]!, this.#expr(arg, context)));
    this.#zone(fn, args);
    const types = args.map((arg, i): ArgumentType => {
      const constant = arg.kind === "literal" ? arg.value : undefined;
      const fault = typeof constant === "string" || typeof constant === "number"
        ? fn.constants?.[i]?.(constant) ?? null : null;
      if (fault !== null) throw this.#fault("arguments", fault, arg.span);
      return { ...arg.type, constant };
    });
    const line = fn.line?.(types) ?? null;
    if (typeof line === "string") throw this.#fault("arguments", line, call.span);
    if (line !== null) return this.#line(args[0]!, line, call.span);
    let type: BoundType;
    if (fn.result === "dyn") {
      type = dyn(fn.slot?.(types) ?? types.reduce((sum, arg) => sum + arg.slot, 16));
    } else if (fn.result === "text") type = text(fn.slot?.(types) ?? types[0]!.slot);
    else if (fn.result === "bytes") type = { ...text(fn.slot!(types)), kind: "bytes" };
    else if (fn.result === "same") type = { kind: args[0]!.type.kind, slot: 0 };
    else type = { kind: fn.result, slot: 0 };
    for (let n = fn.draws ?? 0; n > 0; n--) args.unshift(this.#draw(call, context));
    if (fn.clock !== undefined) args.unshift(this.#clock(fn.clock, call));
    return this.#node({ kind: "call", fn: fn.name, args, type, span: call.span });
  }

  /** Each is another one, also where a call is written twice. */
  #draw({ name, span }: Call, context: Context): Bound {
    if (this.#scope.inputs.length === 0) {
      throw this.#fault("syntax", `${name}() needs the rows of a stream`, span);
    }
    const site = this.#node<Bound>({ kind: "literal", value: this.#calls.length, type: int53,
      span });
    const node = this.#node<BoundStateful>({ kind: "stateful", fn: "$draw", args: [site],
      partitionBy: [], keys: 0, when: null, type: int53, span });
    this.#calls.push(node);
    return context === "row" ? node : this.#ofGroup(node);
  }

  #clock(which: "now" | "began" | "row", { name, span }: Call): Bound {
    if (which !== "row") return this.#node({ kind: "clock", which, type: time, span });
    if (this.#scope.inputs.length === 0) {
      throw this.#fault("syntax", `${name}() needs the rows of a stream`, span);
    }
    return this.#node({ kind: "window", which: "end", type: int53, span });
  }

  /** `hour(convert_tz(t, zone))` is `hour(t, zone)`: the kind time has no zone of its own. */
  #zone(fn: ScalarFunction, args: Bound[]): void {
    const [first] = args;
    if (fn.zoned !== true || args.length !== fn.parameters.indexOf("?")) return;
    if (first!.kind !== "call" || first!.fn !== "convert_tz") return;
    args.push(first!.args[1]!);
  }

  /** As arithmetic, its numbers parameters of the rule: no texts are looked at on each row. */
  #line(x: Bound, { minus, times, over, plus }: Line, span: Span): Bound {
    const step = (op: BoundBinaryOp, left: Bound, value: number): Bound => this.#node({
      kind: "binary", op, left, type: float64, span,
      right: this.#node({ kind: "literal", value, type: float64, span }),
    });
    return step("+", step("/", step("*", step("-", x, minus), times), over), plus);
  }

  /** Nanoseconds from the first to the second, as eKuiper gives them: past 2^53 in 104 days. */
  #dateDiff(call: Call, context: Context): Bound {
    const { span } = call;
    const [from, to] = call.args.map((arg) =>
      this.#as(this.#argument("t", this.#expr(arg, context)), int64)) as [Bound, Bound];
    const ms = this.#node({ kind: "binary", op: "-", left: to, right: from, type: int64, span });
    const ns = this.#node({ kind: "literal", value: 1_000_000n, type: int64, span });
    return this.#node({ kind: "binary", op: "*", left: ms, right: ns, type: int64, span });
  }

  /** An argument as the body takes it (`functions/record.ts`). */
  #argument(letter: string, node: Bound): Bound {
    switch (letter) {
      case "s": return this.#text(node);
      case "v": return this.#untyped(node);
      case "l": case "o":
        if (isOpen(node.type) || isNullLiteral(node)) return this.#untyped(node);
        throw this.#fault("type", `Here ${letter === "l" ? "an array" : "an object"} is ` +
          `expected, but this is ${say(node.type)}`, node.span);
      case "c": return isOpen(node.type) ? this.#untyped(node) : this.#text(node);
      case "b": return this.#isKind(node, bool);
      case "t":
        if (isOpen(node.type)) return this.#narrow(node, time);
        if (isNumber(node.type)) return this.#as(node, time);
        return node.type.kind === "text" ? this.#time(node) : this.#isKind(node, time);
      case "y": return node.type.kind === "bytes" ? node : this.#text(node);
      case "k":
        return this.#argument(node.type.kind === "text" || isOpen(node.type) ? "s" : "i", node);
      case "d": return this.#as(this.#number(node), float64);
      case "i": case "u":
        if (isNullLiteral(node)) return this.#as(node, int53);
        if (isOpen(node.type)) return this.#narrow(node, int53);
        if (!isWhole(this.#number(node).type)) {
          throw this.#fault("type",
            `Here a whole number is expected, but this is ${say(node.type)}`, node.span);
        }
        return this.#as(node, int53);
      default: return node.type.kind === "int64" ? this.#as(node, int53) : this.#number(node);
    }
  }

  #isKind(node: Bound, type: BoundType): Bound {
    if (isNullLiteral(node) || node.type.kind === type.kind) return this.#as(node, type);
    if (isOpen(node.type)) return this.#narrow(node, type);
    throw this.#fault("type", `Here ${say(type)} is expected, but this is ${say(node.type)}`,
      node.span);
  }

  /** A function with state works on rows, whatever the context. */
  #stateful(fn: StatefulFunction, call: Call, context: Context): Bound {
    const { over, span } = call;
    if (this.#scope.inputs.length === 0) {
      throw this.#fault("syntax", `${fn.name}() needs the rows of a stream, one after the other`,
        span);
    }
    if (over !== null && over.orderBy.length > 0) {
      throw this.#fault("syntax", `${fn.name}() takes rows as they come: no ORDER BY`, over.span);
    }
    // No window has closed over what it looks at, and nothing has been counted.
    const closed = this.#closed, counting = this.#counting;
    this.#closed = null;
    this.#counting = null;
    const partitionBy = (over?.partitionBy ?? [])
      .map((expr) => this.#comparable(this.#expr(expr, "row")));
    const when = over === null || over.when === null ? null : this.#condition(over.when, "row");
    const { args, value } = this.#statefulArguments(fn, call);
    this.#closed = closed;
    this.#counting = counting;
    const type = fn.result === "value" ? value : { kind: fn.result, slot: fn.slot ?? 0 };
    const node = this.#node<BoundStateful>({
      kind: "stateful", fn: fn.name, args, partitionBy, keys: this.#keysOf(over), when, type, span,
    });
    if (!this.#calls.includes(node)) this.#calls.push(node);
    if (context === "row" || this.#keys.some((key) => key.bound === node)) return node;
    return this.#ofGroup(node);
  }

  /** What a group shows of its rows: that of the first, without a window that of the newest. */
  #ofGroup(arg: Bound): Bound {
    const { type, span } = arg;
    const fn = this.#running ? "last" : "first";
    return this.#aggregate({ fn, arg, skipsNull: false, type, span });
  }

  /** The arguments, and the type of the value that the function gives back. */
  #statefulArguments(fn: StatefulFunction, call: Call): { args: Bound[]; value: BoundType } {
    const letters = fn.parameters.replace("?", "");
    const args = call.args.flatMap((arg, i): Bound[] => {
      const letter = letters[i] ?? letters.at(-2)!;
      if (arg.kind === "star") return this.#star(arg, "row").map((field) => field.expr);
      const bound = this.#expr(arg, "row");
      return letter === "a" || letter === "*" || letter === "+" || letter === "B" ? [bound]
        : [this.#argument(letter, bound)];
    }).map((arg) => this.#comparable(arg));
    args.forEach((arg, i) => {
      const fault = fn.constants?.[i]?.(arg.kind === "literal" ? arg.value : undefined) ?? null;
      if (fault !== null) throw this.#fault("arguments", fault, arg.span);
    });
    const x = args[fn.name === "changed_col" ? 1 : 0]!;
    const fallback = fn.name === "lag" ? args[2] : fn.name === "latest" ? args[1] : undefined;
    if (fallback === undefined) return { args, value: x.type };
    const value = this.#unified([x, fallback]);
    return {
      value, args: args.map((arg) => (arg === x || arg === fallback ? this.#as(arg, value) : arg)),
    };
  }

  #keysOf(over: Over | null): number {
    if (over === null || over.partitionBy.length === 0) return 0;
    const keys = over.keys ?? limits.partition_keys_default;
    if (keys < 1 || keys > limits.partition_keys_max) {
      throw this.#keysFault(over.span);
    }
    return keys;
  }

  #aggregateCall(name: string, call: Call, context: Context): Bound {
    if (context === "row") throw this.#later(call.span,
      "An aggregate in this place (a condition on one stands in HAVING)");
    const { fn } = aggregateFunctions.get(name)!;
    const { span } = call;
    const [first, second] = call.args;
    if (call.distinct && fn === "collect") return this.#gathering("distinct", call);
    if (call.distinct && fn === "count") {
      return this.#narrow(this.#gathering("count_distinct", call), int53);
    }
    if (gathers(fn)) return this.#gathering(fn, call);
    if (first!.kind === "star" && fn === "count") {
      return this.#aggregate({ fn, arg: null, skipsNull: true, type: int53, span });
    }
    const given = first!.kind === "star" ? this.#object(this.#star(first!, "row"), span)
      : this.#expr(first!, "row");
    // Numbers alone have an order and a sum.
    const arg = isOpen(given.type) && !["count", "first", "last"].includes(fn)
      ? this.#number(given) : given;
    if (needsRows(fn)) return this.#ofRows(fn, name, arg, call);
    const skipsNull = !(second?.kind === "literal" && second.value === false);
    return this.#aggregate({ fn, arg, skipsNull, type: this.#aggregateType(fn, arg), span });
  }

  /** The values of a window's rows themselves. */
  #gathering(fn: Gathering, { name, args, span }: Call): Bound {
    if (this.#running) {
      throw this.#needsWindow(name, span);
    }
    const [first, all] = args;
    const row = (star: Star): Bound => this.#object(this.#star(star, "row"), span);
    let arg = this.#untyped(first!.kind === "star" ? row(first!) : this.#expr(first!, "row"));
    const pairs = fn === "deduplicate";
    if (pairs) {
      const whole: Star = { kind: "star", qualifier: [], except: [], replace: [], span };
      arg = this.#access("$pair", [arg, row(whole)], span);
    }
    const newest = pairs && all?.kind === "literal" && all.value === false;
    const one = fn === "merge_agg" || newest;
    const type = fn === "count_distinct" ? dyn(16)
      : dyn(Math.max(limits.list_bytes_default, arg.type.slot * (one ? 1 : 8)));
    return this.#aggregate({ fn: newest ? "newest_distinct" : fn, arg, skipsNull: true, type,
      span });
  }

  #textLiteral(value: string, span: Span): Bound {
    return this.#node({ kind: "literal", value, type: textOf(value), span } as const);
  }

  /** Over values in order, or over all of them at once: so over the rows of a window. */
  #ofRows(fn: AggregateName, name: string, arg: Bound, call: Call): Bound {
    const { args, span } = call;
    if (this.#running) {
      throw this.#needsWindow(name, span);
    }
    const given = args.slice(1).map((at) =>
      (at.kind === "literal" && at.value !== null ? Number(at.value) : NaN));
    const settings = given.length === 0 ? [0.5] : given;
    const [first, second = 0] = settings as [number, number?];
    const most = isSpectral(fn) ? Infinity : 1;
    if (!(first >= 0 && first <= most && second >= 0) || (isSpectral(fn) && first === 0)) {
      throw this.#fault("arguments", isSpectral(fn)
        ? `${name}() takes the rows a second, and a frequency in Hz, as numbers written out`
        : `The second argument of ${name}() is a number from 0 to 1`, args[1]!.span);
    }
    return this.#aggregate({ fn, arg: this.#as(this.#number(arg), float64), skipsNull: true,
      settings, type: float64, span });
  }

  #aggregateType(fn: string, arg: Bound): BoundType {
    switch (fn) {
      case "count": return int53;
      case "stddev": case "stddevs": case "var": case "vars": case "rms":
        this.#number(arg);
        return float64;
      case "sum": case "avg": return this.#number(arg).type;
      case "min": case "max":
        if (arg.type.kind === "bytes") throw this.#later(arg.span, "An order of bytes");
        if (arg.type.kind === "bool") throw this.#fault("type", "Booleans have no order", arg.span);
        return arg.type;
      default: return arg.type;
    }
  }

  #cast(call: Call, context: Context): Bound {
    const [arg, target] = call.args as [Expr, Literal];
    const given = this.#expr(arg, context);
    const operand = given.type.kind === "json" ? this.#untyped(given) : given;
    const to = (target.value as string).toLowerCase();
    const { kind, slot } = operand.type;
    const ofBytes = ["text", "bytes", "dyn"].includes(kind) || isNullLiteral(operand);
    if (!ofBytes && to === "bytea" || (kind === "bytes" && to !== "bytea" && to !== "string")) {
      throw this.#fault("type", `${capital(say(operand.type))} cannot become ${to}`, call.span);
    }
    if (to === "bigint" && isWhole(operand.type)) return operand;
    const written = text(kind === "dyn" ? 6 * slot + 16 : Math.max(32, slot));
    const types: Readonly<Record<string, BoundType>> = { bigint: int53, float: float64,
      string: written, boolean: bool, datetime: time, bytea: { ...written, kind: "bytes" } };
    const type = types[to]!;
    if ((type.kind === "bool" && kind === "time") || (type.kind === "time" && kind === "bool")) {
      throw this.#fault("type", `${capital(say(operand.type))} cannot become ${say(type)}`,
        call.span);
    }
    if (kind === "dyn" && !isNullLiteral(operand)) {
      return this.#node({ kind: "cast", operand, type, span: call.span });
    }
    return this.#as(operand, type);
  }

  #infer(call: Call, output: number, context: Context): Bound {
    const [first, ...rest] = call.args;
    const model = first!.kind === "literal" ? first!.value : null;
    if (typeof model !== "string") {
      throw this.#fault("arguments", "The model's name is a text in quotes", first!.span);
    }
    const known = this.#catalog.model(model);
    if (known === undefined) {
      throw new SqlFault("unknown-model", `There is no model ${model}`, this.#sql, first!.span,
        this.#catalog.names(), model);
    }
    if (known.inputs !== null && known.inputs !== rest.length) {
      throw this.#fault("arguments",
        `The model ${model} takes ${known.inputs} numbers, not ${rest.length}`, call.span);
    }
    if (known.inputs !== null && output >= known.outputs) {
      throw this.#fault("arguments",
        `The model ${model} gives ${known.outputs} numbers, counted from 0`, call.span);
    }
    const counting = this.#counting;
    this.#counting = null;
    const args = rest.map((arg) => {
      const bound = this.#expr(arg, context);
      return bound.type.kind === "bool" ? this.#as(bound, float64)
        : this.#as(this.#number(bound), float64);
    });
    this.#counting = counting;
    const same = (infer: BoundInfer): boolean => infer.model === model &&
      infer.args.length === args.length && infer.args.every((arg, i) => arg === args[i]);
    let index = this.#infers.findIndex(same);
    if (index < 0) index = this.#infers.push({ model, args, span: call.span }) - 1;
    if (index >= limits.query_models_max) {
      throw this.#fault("too-large",
        `A query calls models at most ${limits.query_models_max} times (query_models_max); a ` +
        "second rule can call the others", call.span);
    }
    return this.#node({ kind: "infer", index, output, type: float64, span: call.span });
  }

  /** `infer('model', …)[1]`: the second number that it gives. */
  #index(expr: Index, context: Context): Bound {
    const { of, at } = expr;
    if (of.kind === "call" && of.name.toLowerCase() === "infer" && at.kind === "literal" &&
      typeof at.value === "bigint" && at.value >= 0n) {
      checkCall(this.#sql, of);
      return this.#infer(of, Number(at.value), context);
    }
    return this.#access("$item", [this.#expr(of, context), this.#expr(at, context)], expr.span);
  }

  #window(window: Window): BoundWindow {
    const { kind, args, span } = window;
    if (window.partitionBy.length > 0 && kind !== "state") {
      throw this.#fault("syntax", "Only a state window takes OVER (PARTITION BY …); rows of the " +
        "others are parted by GROUP BY", window.partitionBy[0]!.span);
    }
    if (window.when !== null && kind !== "sliding") {
      throw this.#fault("syntax", "Only a sliding window takes OVER (WHEN …)", span);
    }
    const unit = window.unit_ms ?? 1;
    const [first, second] = args.map((arg) => Number((arg as Literal).value));
    const condition = (expr: Expr | null | undefined): Bound | null =>
      expr === null || expr === undefined ? null : this.#condition(expr, "row");
    const common = { filter: condition(window.filter), span };
    switch (kind) {
      case "tumbling": return { kind, length_ms: first! * unit, ...common };
      case "hopping":
        return { kind, length_ms: first! * unit, hop_ms: second! * unit, ...common };
      case "count": return { kind, rows: first!, every: second ?? first!, ...common };
      case "sliding": {
        this.#counting = "when";
        const when = condition(window.when);
        this.#counting = null;
        return { kind, length_ms: first! * unit, delay_ms: (second ?? 0) * unit, when, ...common };
      }
      case "session":
        return { kind, most_ms: first! * unit, timeout_ms: second! * unit, ...common };
      case "state": return { kind, begin: this.#condition(args[0]!, "row"),
        emit: condition(args[1]), ...common,
        partitionBy: window.partitionBy.map((key) => this.#expr(key, "row")) };
    }
  }
}

function columnsIn(roots: readonly Bound[]): Set<string> {
  const names = new Set<string>();
  const seen = new Set<Bound>();
  for (const root of roots) {
    walk(root, (node) => {
      if (node.kind === "column") names.add(node.name);
      return true;
    }, seen);
  }
  return names;
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

function hasAggregate(expr: Expr): boolean {
  return (expr.kind === "call"
    && knownFunctions.get(expr.name.toLowerCase())?.place === "aggregate") ||
    children(expr).some(hasAggregate);
}

/** Equal for equal expressions, wherever they stand. */
function shape(expr: Expr): string {
  return JSON.stringify(expr, (name, value: unknown) =>
    name === "span" ? undefined : typeof value === "bigint" ? `${value}n` : value);
}

const capital = (text: string): string => text[0]!.toUpperCase() + text.slice(1);
