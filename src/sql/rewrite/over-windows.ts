import { checkCall } from "../arguments.ts";
import { type Call, children, type Expr, type Field, nameOf, type Select } from "../ast.ts";
import { placeOf } from "../check.ts";
import { notInThisVersion, SqlFault, type Span } from "../fault.ts";
import { statefulFunctions } from "../functions.ts";

/**
 * A function with state over what windows give (`changed_cols('c', TRUE, avg(a))`, `lag(avg(a))`)
 * sees one result after the other: the query becomes one over a query in FROM that has the windows.
 *
 *     SELECT lag(avg(a)) - 1 AS l FROM s GROUP BY w HAVING had_changed(TRUE, avg(a))
 *     SELECT lag("of 0") - 1 AS l FROM (SELECT avg(a) AS "of 0" FROM s GROUP BY w)
 *       WHERE had_changed(TRUE, "of 0")
 */
export function overWindows(sql: string, select: Select): Select {
  const { from } = select;
  const whole = from.query === null ? select
    : { ...select, from: { ...from, query: overWindows(sql, from.query) } };
  return whole.window === null ? whole : new OverWindows(sql, whole).run();
}

class OverWindows {
  readonly #sql: string;
  readonly #select: Select;
  readonly #aliases: ReadonlyMap<string, Field>;
  /** Of aliases, by what is asked of them. */
  readonly #known = new Map<string, boolean>();
  /** What the windows give, by its text. */
  readonly #columns = new Map<string, Field>();

  constructor(sql: string, select: Select) {
    this.#sql = sql;
    this.#select = select;
    this.#aliases = new Map(select.fields.flatMap((field) =>
      (field.alias === null ? [] : [[field.alias, field] as const])));
  }

  run(): Select {
    const { fields, having, span } = this.#select;
    const late = having !== null && this.#isLate(having);
    if (!late && !fields.some(({ expr }) => this.#isLate(expr))) return this.#select;
    this.#refuse(late);
    const where = late ? this.#outer(having) : null;
    const kept = fields.filter(({ expr, alias }) => alias !== null && !this.#isLate(expr));
    let unnamed = 0;
    const shown = fields.flatMap((field): Field[] => {
      const { expr, alias, invisible } = field;
      if (expr.kind === "call" && isColumns(expr)) return this.#changed(expr, where);
      const name = alias ?? nameOf(expr) ?? `kuiper_field_${unnamed++}`;
      if (kept.includes(field) && invisible) return [];
      if (kept.includes(field)) return [{ ...field, expr: named(name, expr.span) }];
      return [{ ...field, expr: this.#outer(expr), alias: name }];
    });
    const windows: Select = { ...this.#select, having: late ? null : having,
      fields: [...kept, ...this.#columns.values()] };
    return { kind: "select", fields: shown, where, span, joins: [], groupBy: [], groups: null,
      from: { name: "windows", alias: null, query: windows, span }, window: null, having: null,
      orderBy: [], limit: null, distinct: null };
  }

  #refuse(having: boolean): void {
    const { fields, orderBy, limit, distinct } = this.#select;
    const later = (place: Span, what: string): SqlFault =>
      notInThisVersion(this.#sql, place, `${what} beside a function with state over windows`);
    const odd = fields.find(({ expr }) => expr.kind === "star" || placeOf(expr) === "rows");
    if (odd !== undefined) throw later(odd.span, "This column");
    const place = orderBy[0]?.expr.span ?? limit?.span ?? distinct;
    const sorted = orderBy.some(({ expr }) => this.#isLate(expr));
    if (place && (having || sorted)) throw later(place, "ORDER BY, LIMIT or DISTINCT");
  }

  /** It has a call with state that looks at what a window gives. */
  #isLate(expr: Expr): boolean {
    if (expr.kind === "name") return this.#ofAlias("late", expr.parts, (e) => this.#isLate(e));
    if (expr.kind === "call") {
      if (isColumns(expr)) return true;
      const { name } = expr;
      const isStateful = statefulFunctions.has(name.toLowerCase());
      if (isStateful && children(expr).some((e) => this.#isOfWindow(e))) return true;
    }
    return children(expr).some((child) => this.#isLate(child));
  }

  #isOfWindow(expr: Expr): boolean {
    if (expr.kind === "name") return this.#ofAlias("agg", expr.parts, (e) => this.#isOfWindow(e));
    return placeOf(expr) === "aggregate" || children(expr).some((child) => this.#isOfWindow(child));
  }

  /** Each alias is looked into once; in its own definition the name means the column. */
  #ofAlias(what: string, parts: readonly string[], is: (expr: Expr) => boolean): boolean {
    const field = parts.length === 1 ? this.#aliases.get(parts[0]!) : undefined;
    if (field === undefined) return false;
    const key = `${what} ${parts[0]}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#known.set(key, false);
    const found = is(field.expr);
    this.#known.set(key, found);
    return found;
  }

  /** An expression over what windows give. */
  #outer(expr: Expr): Expr {
    if (expr.kind === "literal" || (expr.kind === "name" && this.#isLate(expr))) return expr;
    if (!this.#isLate(expr)) return this.#column(expr);
    if (expr.kind === "call" && isColumns(expr)) {
      throw new SqlFault("syntax", `${expr.name}() is a column by itself in SELECT`, this.#sql,
        expr.span);
    }
    return inside(expr, (child) => this.#outer(child));
  }

  /** The column that holds the value of an expression. */
  #column(expr: Expr): Expr {
    const key = JSON.stringify(expr, (name, value: unknown) =>
      name === "span" ? undefined : typeof value === "bigint" ? `${value}n` : value);
    const known = this.#columns.get(key) ??
      { expr, alias: `of ${this.#columns.size}`, invisible: false, span: expr.span };
    this.#columns.set(key, known);
    return named(known.alias!, expr.span);
  }

  /** `changed_cols`: a column for each, compared with the last result that came out. */
  #changed(call: Call, when: Expr | null): Field[] {
    checkCall(this.#sql, call);
    const { args: [prefix, ignoreNull, ...columns], span } = call;
    if (prefix!.kind !== "literal" || typeof prefix!.value !== "string") {
      throw new SqlFault("arguments", "The prefix is a text that is written out", this.#sql,
        prefix!.span);
    }
    const { value } = prefix!;
    const over = when === null ? null
      : { partitionBy: [], keys: null, orderBy: [], when, span };
    return columns.map((expr): Field => {
      const name = nameOf(expr);
      if (expr.kind === "star") {
        throw notInThisVersion(this.#sql, expr.span, `This \`*\` in ${call.name}() over a window`);
      }
      if (name === null) {
        throw new SqlFault("arguments", "Here a column is expected", this.#sql, expr.span);
      }
      return { alias: `${value}${name}`, invisible: false, span: expr.span, expr: {
        kind: "call", name: "changed_col", args: [ignoreNull!, this.#outer(expr)],
        distinct: false, over, span: expr.span,
      } };
    });
  }
}

const named = (name: string, span: Span): Expr => ({ kind: "name", parts: [name], span });

const isColumns = (expr: Expr): boolean => placeOf(expr) === "columns";

/** The node with the expressions directly inside it replaced. */
function inside(expr: Expr, made: (child: Expr) => Expr): Expr {
  const direct = new Set<unknown>(children(expr));
  const visit = (value: unknown): unknown => {
    if (direct.has(value)) return made(value as Expr);
    if (Array.isArray(value)) return value.map(visit);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, visit(part)]));
  };
  return Object.fromEntries(Object.entries(expr)
    .map(([name, part]) => [name, name === "span" ? part : visit(part)])) as unknown as Expr;
}
