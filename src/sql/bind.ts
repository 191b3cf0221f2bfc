import {
  type Binary, type Call, type Case, type Expr, type Field, type In, type Join, type Literal,
  type Name, type Order, type Over, type Select, type Star, type Unary, type Window, children,
  nameOf,
} from "./ast.ts";
import { limits, nextPowerOfTwo } from "../base.ts";
import { spread_name } from "../ring.ts";
import { check, isAggregate, placeOf } from "./check.ts";
import {
  type Bound, type BoundField, type BoundJoin, type BoundNewest, type BoundOrder, type BoundQuery,
  type BoundType, type BoundWindow, type Catalog, windowReads,
} from "./bound.ts";
import { notInThisVersion, refuseSeparator, SqlFault, type Span } from "./fault.ts";
import { knownFunctions } from "./functions.ts";
import { parseExpr, parseQuery } from "./parser.ts";
import { inline } from "./rewrite/inline.ts";
import { overWindows } from "./rewrite/over-windows.ts";
import { contains, walk } from "./rewrite/tree.ts";
import { Scope } from "./scope.ts";
import { Steps } from "./steps.ts";
import {
  arithmetic, bitwise, bool, float64, isNullLiteral, isNumber, isOpen, isWhole, nullOf, say, wider,
} from "./types.ts";
import { Calls, type Context } from "./bind/calls.ts";
import { bindJoin } from "./bind/joins.ts";

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
    return { name: `c${i}`, expr: binder.conditionOf(sql, tree), invisible: false };
  });
  const query = binder.query(inlined.map(({ sql }) => sql).join(" AND "), { select });
  const [model] = query.infers;
  if (model === undefined) return query;
  throw notInThisVersion(steps.sql, model.span, "A model in a condition on newest values alone; " +
    "a rule can ask it, and give no row where it says no");
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

class Binder extends Calls {
  readonly #steps: Steps;
  readonly #aliases = new Map<string, Field>();
  readonly #folding = new Map<Field, boolean>();
  readonly #bound = new Map<string, Bound>();
  /** Aliases being worked out: inside its own definition a name is the column. */
  readonly #open = new Set<string>();
  readonly #repeated: BoundQuery["repeated"][number][] = [];
  readonly #keys: { readonly expr: string; readonly bound: Bound }[] = [];
  readonly #where: Expr | null;

  constructor(
    sql: string, catalog: Catalog, select: Select | null, steps: Steps, newest?: BoundNewest[],
  ) {
    super(sql, catalog, new Scope(catalog, newest), select?.window === null);
    this.#steps = steps;
    this.#where = select?.where ?? null;
    for (const field of select?.fields ?? []) {
      if (field.alias !== null) this.#aliases.set(field.alias, field);
    }
  }

  run(written: Select): BoundQuery {
    const select = this.#fromStream(written);
    for (const source of [select.from, ...select.joins.map((join) => join.source)]) {
      if (source.query === null) this.scope.add(this.sql, source);
      else this.scope.addQuery(source, this.#inner(source.query));
    }
    const joins = select.joins.map((join, i) => this.#join(join, i + 1));
    const aggregated = isAggregate(select);
    this.counting = select.window === null && !aggregated ? "rows" : null;
    const where = select.where === null ? null : this.condition(select.where, "row");
    const window = select.window === null ? null : this.#window(select.window);
    this.delay_ms = window?.kind === "sliding" ? window.delay_ms : 0;
    for (const expr of select.groupBy) {
      const bound = this.comparable(this.expr(expr, "row"));
      this.#keys.push({ expr: shape(this.#resolve(expr)), bound });
    }
    const context: Context = aggregated ? "group" : "row";
    this.closed = window === null ? null : context;
    if (window !== null) this.counting = "windows";
    const rows = select.fields.find(({ expr }) => placeOf(expr) === "rows");
    const fields = rows === undefined ? this.#fields(select.fields, context)
      : this.#expanded(select.fields, rows, context);
    const expand = rows === undefined ? null : rows.alias ?? nameOf(rows.expr);
    const having = select.having === null ? null : this.#having(select.having, context);
    const groups = this.#groups(select);
    const { distinct, limit } = select;
    const orderBy = this.orderBy(select.orderBy, context);
    if (distinct !== null && this.numbers.length > 0) {
      throw this.fault("syntax", "With row_number() no two rows are equal: DISTINCT does nothing",
        distinct);
    }
    return this.query(this.sql, { joins, where, window, select: fields, having, groups, aggregated,
      evicts: select.groups?.evicts ?? false,
      expand, distinct: distinct !== null, limit: limit?.rows ?? null, orderBy });
  }

  #inner(query: Select): BoundQuery {
    return new Binder(this.sql, this.catalog, query, this.#steps, this.scope.newest).run(query);
  }

  #having(expr: Expr, context: Context): Bound {
    const bound = this.condition(expr, hasAggregate(expr) ? "group" : context);
    // An alias may stand for it.
    if (contains(bound, "number")) {
      throw this.fault("syntax", "row_number() counts the rows that pass HAVING; a rule over " +
        "this one can test it", expr.span);
    }
    return bound;
  }

  protected orderBy(keys: readonly Order[], context: Context): BoundOrder[] {
    return keys.map(({ expr, descending }) => {
      if (expr.kind === "literal") {
        throw this.fault("syntax", "ORDER BY takes a column or an expression, not its place",
          expr.span);
      }
      const bound = this.expr(expr, context);
      if (contains(bound, "number")) {
        throw this.fault("syntax", "The order of row_number() is that of its own " +
          "OVER (ORDER BY …)", expr.span);
      }
      return { expr: bound.type.kind === "json" ? this.untyped(bound) : bound, descending };
    });
  }

  /** `FROM table JOIN stream` asks the table for each row of the stream, as the other way round. */
  #fromStream(select: Select): Select {
    const { from, joins: [first, ...others] } = select;
    const isTable = (name: string): boolean => this.catalog.table?.(name) !== undefined;
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
      throw this.keysFault(groups.span);
    }
    return nextPowerOfTwo(groups?.most ?? limits.group_keys_default);
  }

  #join(join: Join, input: number): BoundJoin {
    const condition = join.on === null ? null : this.condition(join.on, "row");
    if (condition !== null && contains(condition, "infer", "stateful")) {
      throw this.later(condition.span, "A model or a function with state in ON");
    }
    const { table } = this.scope.inputs[input]!;
    if (table === null && condition !== null && contains(condition, "window")) {
      throw this.fault("join", "event_time() is that of one row: each of the two that ON " +
        "compares has its own", condition.span);
    }
    return bindJoin(join, input, condition, table,
      (...told) => this.fault(...told));
  }

  protected isKey(node: Bound): boolean {
    return this.#keys.some((key) => key.bound === node);
  }

  query(sql: string, parts: Partial<BoundQuery>): BoundQuery {
    const { where = null, window = null, having = null, select = [] } = parts;
    const joined = (parts.joins ?? []).flatMap(({ key, on, asof }) =>
      [key, on, ...(asof?.keys.flatMap(({ left, right }) => [left, right]) ?? [])]);
    const roots = [...joined, where, having, window?.filter ?? null, ...windowReads(window),
      ...this.#keys.map(({ bound }) => bound), ...select.map(({ expr }) => expr),
      ...(parts.orderBy ?? []).map(({ expr }) => expr),
      ...this.aggregates.map(({ arg }) => arg), ...this.infers.flatMap(({ args }) => args),
      ...this.states];
    this.scope.keep(columnsIn(roots.filter((root) => root !== null)));
    // Of columns of one name the last is left.
    const shown = new Set<Bound>();
    for (const { expr } of select) walk(expr, () => true, shown);
    return {
      sql, inputs: this.scope.inputs, joins: [], newest: this.scope.newest, where: null,
      window: null, having: null, distinct: false, orderBy: [], limit: null,
      numbers: this.numbers.filter((number) => shown.has(number)),
      select: [], groupBy: this.#keys.map((key) => key.bound), groups: 1, evicts: false,
      aggregates: this.aggregates,
      infers: this.infers, stateful: this.states, aggregated: false, expand: null,
      repeated: this.#repeated, ...parts,
    };
  }

  conditionOf(sql: string, expr: Expr): Bound {
    this.sql = sql;
    return this.condition(expr, "row");
  }

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
        for (const column of this.star(expr, context)) put(column);
        continue;
      }
      if (placeOf(expr) === "columns") {
        for (const column of this.#changedColumns(expr as Call, context)) put(column);
        continue;
      }
      const name = alias ?? nameOf(expr) ?? `kuiper_field_${unnamed++}`;
      if (!invisible && written.has(name)) this.#repeated.push({ name, span: expr.span });
      if (!invisible) written.add(name);
      const bound = alias === null ? this.expr(expr, context) : this.#alias(field, context);
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
    if (context === "group" || !this.running) {
      throw this.later(span, `${call.name}() over a window`);
    }
    if (prefix!.kind !== "literal") {
      throw this.fault("arguments", "The prefix is a text that is written out", prefix!.span);
    }
    const over: Over = { partitionBy: [], keys: null, orderBy: [], when: this.#where, span };
    const changed = (expr: Expr): Bound => this.expr({ kind: "call", name: "changed_col",
      args: [ignoreNull!, expr], distinct: false, over, span }, context);
    return columns.flatMap((expr): BoundField[] => {
      const named = expr.kind !== "star" ? [{ name: nameOf(expr), expr }]
        : this.scope.star(this.sql, expr.qualifier.join("."), span)
          .map(({ alias, name }) => ({ name,
            expr: { kind: "name", parts: [alias, name], span } as const }));
      if (expr.kind === "star" && (expr.except.length > 0 || expr.replace.length > 0 ||
        named.some(({ name }) => name === spread_name))) {
        throw this.later(expr.span, `This \`*\` in ${call.name}()`);
      }
      return named.map(({ name, expr }) => {
        if (name === null) throw this.fault("arguments", "Here a column is expected", expr.span);
        return { name: `${String(prefix.value)}${name}`, expr: changed(expr), invisible: false };
      });
    });
  }

  /** A select list with a function that makes rows: what it makes them of, and all else. */
  #expanded(fields: readonly Field[], rows: Field, context: Context): BoundField[] {
    const { name, args, span } = rows.expr as Call;
    const given = this.expr(args[0]!, context);
    const list = name.toLowerCase() === "unnest" ? this.argument("l", given)
      : this.access("$fields", [given], span);
    const others = this.#fields(fields.filter((field) => field !== rows), context)
      .filter(({ invisible }) => !invisible);
    return [{ name: "$list", expr: list, invisible: false },
      { name: "$rest", expr: this.object(others, span), invisible: false }];
  }

  /** Columns as one object. */
  protected object(fields: readonly BoundField[], span: Span): Bound {
    const whole = fields.find(({ name }) => name === spread_name);
    const rest = fields.filter((field) => field !== whole);
    const made = this.access("$row",
      rest.flatMap(({ name, expr }) => [this.textLiteral(name, span), expr]), span);
    if (whole === undefined) return made;
    return this.untyped(rest.length === 0 ? whole.expr
      : this.access("object_concat", [whole.expr, made], span));
  }

  protected star(star: Star, context: Context): BoundField[] {
    const { qualifier, except, replace, span } = star;
    const replaced = new Map(replace.map((field) => [field.alias!, field.expr]));
    const columns = this.scope.star(this.sql, qualifier.join("."), span);
    const [whole] = columns;
    if (columns.length === 1 && whole!.name === spread_name) {
      const left = except.filter((name) => !replaced.has(name));
      return this.#spread(whole!.alias, left, replaced, context, span);
    }
    for (const name of [...except, ...replaced.keys()]) {
      if (!columns.some((c) => c.name === name)) {
        throw new SqlFault("unknown-column", `\`*\` has no column ${name}`, this.sql, span,
          columns.map((c) => c.name), name);
      }
    }
    return columns.filter((c) => replaced.has(c.name) || !except.includes(c.name))
      .map(({ alias, name }) => ({
      name, invisible: false,
      expr: this.expr(replaced.get(name) ?? { kind: "name", parts: [alias, name], span },
        context, true),
    }));
  }

  /** A message of any fields as it is; a column beside it stands in the place of its field. */
  #spread(
    input: string, except: readonly string[], replaced: ReadonlyMap<string, Expr>,
    context: Context, span: Span,
  ): BoundField[] {
    const name: Name = { kind: "name", parts: [input, spread_name], span };
    const found = this.expr(name, context, true);
    const expr = except.length === 0 ? found : this.access("erase",
      [found, ...except.map((name) => this.textLiteral(name, span))], span);
    return [{ name: spread_name, expr, invisible: false },
      ...[...replaced].map(([name, value]) =>
        ({ name, expr: this.expr(value, context, true), invisible: false }))];
  }

  #alias(field: Field, context: Context): Bound {
    const key = `${context} ${field.alias}`;
    const known = this.#bound.get(key);
    if (known !== undefined) return known;
    this.#open.add(field.alias!);
    const bound = this.expr(field.expr, context);
    this.#open.delete(field.alias!);
    this.#bound.set(key, bound);
    return bound;
  }

  protected condition(expr: Expr, context: Context): Bound {
    const bound = this.expr(expr, context);
    if (isNullLiteral(bound)) return nullOf(bool, bound.span);
    if (isOpen(bound.type)) return this.narrow(bound, bool);
    if (bound.type.kind !== "bool") {
      const hint = isNumber(bound.type) ? "; of a number it is like x <> 0" : "";
      throw this.fault("type",
        `Here a condition is expected, but this is ${say(bound.type)}${hint}`, expr.span);
    }
    return bound;
  }

  protected expr(expr: Expr, context: Context, columnsOnly = false): Bound {
    this.#steps.take(expr.span);
    if (context === "group" && this.#keys.length > 0 && expr.kind !== "name") {
      const wanted = shape(expr);
      this.#steps.take(expr.span, wanted.length >> 4);
      const key = this.#keys.find((k) => k.expr === wanted);
      if (key !== undefined) return key.bound;
    }
    switch (expr.kind) {
      case "literal": return this.literal(expr);
      case "name": return this.name(expr, context, columnsOnly);
      case "unary": return this.#unary(expr, context);
      case "binary": return this.#binaryOf(expr, context);
      case "between": {
        const operand = this.expr(expr.operand, context);
        const [low, high] = [this.expr(expr.low, context), this.expr(expr.high, context)];
        const { negated, span } = expr;
        const left = this.compare(negated ? "<" : ">=", operand, low, span);
        const right = this.compare(negated ? ">" : "<=", operand, high, span);
        return this.node({ kind: "binary", op: negated ? "or" : "and", left, right, type: bool,
          span });
      }
      case "in": return this.#in(expr, context);
      case "like": {
        const operand = this.text(this.expr(expr.operand, context));
        const pattern = this.text(this.expr(expr.pattern, context));
        return this.node({ kind: "like", operand, pattern, negated: expr.negated, type: bool,
          span: expr.span });
      }
      case "isnull": {
        const operand = this.expr(expr.operand, context);
        return this.node({ kind: "isnull", operand, negated: expr.negated, type: bool,
          span: expr.span });
      }
      case "case": return this.#case(expr, context);
      case "call": return this.call(expr, context);
      case "index": return this.item(expr, context);
      case "member": return this.#member(this.expr(expr.of, context), expr.name, expr.span);
      case "slice": return this.access("$slice", [expr.of, expr.from, expr.to].map((part) =>
        (part === null ? this.literal({ kind: "literal", value: true, span: expr.span })
          : this.expr(part, context))), expr.span);
      case "star": throw this.fault("syntax", "`*` stands for columns, not for a value",
        expr.span);
    }
  }

  #resolve(expr: Expr): Expr {
    if (expr.kind !== "name" || expr.parts.length > 1) return expr;
    return this.#aliases.get(expr.parts[0]!)?.expr ?? expr;
  }

  protected name(expr: Name, context: Context, columnsOnly: boolean): Bound {
    const { parts, span } = expr;
    const alias = parts.length === 1 && !columnsOnly && !this.#open.has(parts[0]!)
      ? this.#aliases.get(parts[0]!) : undefined;
    // Inside an aggregate an alias that is one itself can only mean the column.
    if (alias !== undefined && !(context === "row" && this.#folds(alias))) {
      return this.#alias(alias, context);
    }
    const found = this.scope.find(parts);
    const inside = found === null ? this.#inside(expr, context, columnsOnly) : null;
    if (inside !== null) return inside;
    if (found === null) {
      if (alias !== undefined) {
        throw this.later(span, `The aggregate ${alias.alias} in this place`);
      }
      throw this.scope.unknown(this.sql, parts, span, this.#aliases.keys());
    }
    const { kind, slot } = found.spec;
    const type: BoundType = { kind, slot };
    if (found.kind === "newest") {
      return this.node({ kind: "newest", index: found.index, type, span });
    }
    const column = this.column(found, span);
    if (found.field !== null) {
      const inside = context === "row" ? column : this.ofGroup(column);
      return this.access("$member", [inside, this.textLiteral(found.field, span)], span);
    }
    if (context === "row" || this.isKey(column)) return column;
    return this.ofGroup(column);
  }

  /** `a.b.c`, where `a` or `a.b` is a structure: the longest that has a meaning. */
  #inside({ parts, span }: Name, context: Context, columnsOnly: boolean): Bound | null {
    for (let n = parts.length - 1; n > 0; n--) {
      const outer: Name = { kind: "name", parts: parts.slice(0, n), span };
      const alias = n === 1 && !columnsOnly && this.#aliases.has(parts[0]!);
      // What a stream of FROM does not have is no field of another one.
      if (n === 1 && !alias && this.scope.has(parts[0]!)) continue;
      if (!alias && this.scope.find(outer.parts) === null) continue;
      const of = this.name(outer, context, columnsOnly);
      return parts.slice(n).reduce((node: Bound, name) => this.#member(node, name, span), of);
    }
    return null;
  }

  #member(of: Bound, name: string, span: Span): Bound {
    const column = of.kind === "column" ? this.scope.inside(of.input, of.name, name) : null;
    if (column !== null) return this.column(column, span);
    if (!isOpen(of.type)) {
      throw this.fault("type", `Here a structure is expected, but this is ${say(of.type)}`,
        of.span);
    }
    return this.access("$member", [of, this.textLiteral(name, span)], span);
  }

  /** True if an alias is an aggregate itself. */
  #folds(alias: Field): boolean {
    let folds = this.#folding.get(alias);
    if (folds === undefined) this.#folding.set(alias, (folds = hasAggregate(alias.expr)));
    return folds;
  }

  #unary({ op, operand, span }: Unary, context: Context): Bound {
    if (op === "not") {
      const bound = this.condition(operand, context);
      return this.node({ kind: "unary", op, operand: bound, type: bool, span });
    }
    const bound = this.number(this.expr(operand, context));
    return this.node({ kind: "unary", op, operand: bound, type: bound.type, span });
  }

  #binaryOf(expr: Binary, context: Context): Bound {
    const { op, span } = expr;
    if (op === "and" || op === "or") {
      const [left, right] = [this.condition(expr.left, context),
        this.condition(expr.right, context)];
      return this.node({ kind: "binary", op, left, right, type: bool, span });
    }
    const left = this.expr(expr.left, context);
    const right = this.expr(expr.right, context);
    if (!arithmetic.has(op) && !bitwise.has(op)) return this.compare(op, left, right, span);
    if (isOpen(left.type) || isOpen(right.type)) return this.openArithmetic(op, left, right, span);
    const type = wider(this.number(left).type, this.number(right).type);
    if (bitwise.has(op) && !isWhole(type)) {
      const float = isWhole(left.type) ? right : left;
      throw this.fault("type", `\`${op}\` takes whole numbers, but this is ${say(float.type)}`,
        float.span);
    }
    return this.node({ kind: "binary", op, left: this.as(left, type),
      right: this.as(right, type), type, span });
  }

  #in(expr: In, context: Context): Bound {
    let operand = this.expr(expr.operand, context);
    if ("kind" in expr.items) {
      const list = this.expr(expr.items, context);
      return this.access(expr.negated ? "$not_in" : "$in",
        [operand, this.argument("l", list)], expr.span);
    }
    let items = expr.items.map((item) => this.expr(item, context));
    // All of them: NULL IN (…) has nothing that the others could be brought to.
    if ([operand, ...items].some(({ type }) => isOpen(type))) {
      operand = this.untyped(operand);
      items = items.map((item) => this.untyped(item));
    }
    if (isNumber(operand.type)) {
      const type = items.filter((i) => isNumber(i.type) && !isNullLiteral(i)).map((i) => i.type)
        .reduce(wider, operand.type);
      operand = this.as(operand, type);
    }
    const reconciled = items.map((item) => this.reconcile(operand, item, expr.span)[1]);
    return this.node({ kind: "in", operand, items: reconciled, negated: expr.negated, type: bool,
      span: expr.span });
  }

  #case(expr: Case, context: Context): Bound {
    const operand = expr.operand === null ? null : this.expr(expr.operand, context);
    const conditions = expr.whens.map(({ when }) => operand === null
      ? this.condition(when, context)
      : this.compare("=", operand, this.expr(when, context), when.span));
    const values = expr.whens.map(({ then }) => this.expr(then, context));
    const otherwise = expr.otherwise === null ? nullOf(float64, expr.span)
      : this.expr(expr.otherwise, context);
    const type = this.unified([...values, otherwise]);
    return this.node({
      kind: "case", type, span: expr.span,
      otherwise: this.exact(otherwise, this.as(otherwise, type)),
      whens: conditions.map((when, i) =>
        ({ when, then: this.exact(values[i]!, this.as(values[i]!, type)) })),
    });
  }

  #window(window: Window): BoundWindow {
    const { kind, args, span } = window;
    if (window.partitionBy.length > 0 && kind !== "state") {
      throw this.fault("syntax", "Only a state window takes OVER (PARTITION BY …); rows of the " +
        "others are parted by GROUP BY", window.partitionBy[0]!.span);
    }
    if (window.when !== null && kind !== "sliding") {
      throw this.fault("syntax", "Only a sliding window takes OVER (WHEN …)", span);
    }
    const unit = window.unit_ms ?? 1;
    const [first, second] = args.map((arg) => Number((arg as Literal).value));
    const condition = (expr: Expr | null | undefined): Bound | null =>
      expr === null || expr === undefined ? null : this.condition(expr, "row");
    const common = { filter: condition(window.filter), span };
    switch (kind) {
      case "tumbling": return { kind, length_ms: first! * unit, ...common };
      case "hopping":
        return { kind, length_ms: first! * unit, hop_ms: second! * unit, ...common };
      case "count": return { kind, rows: first!, every: second ?? first!, ...common };
      case "sliding": {
        this.counting = "when";
        const when = condition(window.when);
        this.counting = null;
        return { kind, length_ms: first! * unit, delay_ms: (second ?? 0) * unit, when, ...common };
      }
      case "session":
        return { kind, most_ms: first! * unit, timeout_ms: second! * unit, ...common };
      case "state": return { kind, begin: this.condition(args[0]!, "row"),
        emit: condition(args[1]), ...common,
        partitionBy: window.partitionBy.map((key) => this.expr(key, "row")) };
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
