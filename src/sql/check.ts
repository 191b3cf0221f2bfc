import { limits } from "../base.ts";
import { type Call, children, type Expr, type Field, type Select, type Window } from "./ast.ts";
import { checkCall } from "./arguments.ts";
import { SqlFault, type Span } from "./fault.ts";
import { knownFunctions } from "./functions.ts";
import { Steps, tooDeep } from "./steps.ts";

type Clause = "SELECT" | "WHERE" | "GROUP BY" | "HAVING" | "ORDER BY" | "ON" | "a window";

/** What grammar cannot say and needs no columns: functions, where they stand, aliases. */
export function check(sql: string, select: Select, steps = new Steps(sql)): void {
  new Check(sql, select, steps).run();
}

/**
 * True if the query folds rows: an aggregate in its select list or HAVING-less GROUP BY columns.
 */
export function isAggregate(select: Select): boolean {
  return select.groupBy.length > 0 || select.fields.some((field) => has(field.expr, "aggregate"));
}

export function placeOf(expr: Expr): string | null {
  if (expr.kind !== "call") return null;
  return knownFunctions.get(expr.name.toLowerCase())?.place ?? null;
}

function has(expr: Expr, place: string): boolean {
  return placeOf(expr) === place || children(expr).some((child) => has(child, place));
}

class Check {
  readonly #sql: string;
  readonly #select: Select;
  readonly #steps: Steps;
  readonly #aliases = new Map<string, Field>();
  /**
   * Levels of aliases found without a cycle, and whether they have an aggregate: each is looked
   * into once.
   */
  readonly #levels = new Map<Field, number>();
  readonly #folding = new Map<Field, boolean>();
  #rows = 0;
  /** Alias of the field being looked at: in its own definition the name means the column. */
  #own: string | null = null;

  constructor(sql: string, select: Select, steps: Steps) {
    this.#sql = sql;
    this.#select = select;
    this.#steps = steps;
    for (const field of select.fields) {
      if (field.alias !== null) this.#aliases.set(field.alias, field);
    }
  }

  run(): void {
    const { fields, where, groupBy, window, having, orderBy, joins } = this.#select;
    for (const field of this.#aliases.values()) this.#alias(field, [], 0);
    for (const field of fields) {
      this.#own = field.alias;
      this.#walk(field.expr, "SELECT", true, false);
    }
    this.#own = null;
    if (where !== null) this.#walk(where, "WHERE", false, false);
    for (const expr of groupBy) {
      this.#walk(expr, "GROUP BY", false, false);
      if (this.#aggregates(expr, null)) throw this.#fault("GROUP BY takes no aggregate", expr.span);
    }
    if (window !== null) this.#window(window);
    if (having !== null) {
      this.#walk(having, "HAVING", false, false);
      this.#having(having);
    }
    for (const { expr } of orderBy) this.#walk(expr, "ORDER BY", false, false);
    for (const { on } of joins) if (on !== null) this.#walk(on, "ON", false, false);
  }

  #fault(sentence: string, span: Span): SqlFault {
    return new SqlFault("syntax", sentence, this.#sql, span);
  }

  #walk(expr: Expr, clause: Clause, top: boolean, inAggregate: boolean): void {
    this.#steps.take(expr.span);
    if (expr.kind === "case" && expr.operand === null) {
      for (const { when } of expr.whens) {
        if (when.kind === "literal" && typeof when.value !== "boolean") {
          throw this.#fault("After WHEN a condition is expected", when.span);
        }
      }
    }
    if (expr.kind === "call") {
      checkCall(this.#sql, expr);
      this.#place(expr, clause, top, inAggregate);
    }
    const inside = inAggregate || placeOf(expr) === "aggregate";
    for (const child of children(expr)) this.#walk(child, clause, false, inside);
  }

  #place(call: Call, clause: Clause, top: boolean, inAggregate: boolean): void {
    const place = placeOf(call);
    const { name, span } = call;
    if ((place === "rows" || place === "columns") && !top) {
      throw this.#fault(`${name}() may only be a column of SELECT by itself`, span);
    }
    if (place === "rows" && ++this.#rows > 1) {
      throw this.#fault("A query has one function that makes rows", span);
    }
    if (place === "number" && clause !== "SELECT") {
      throw this.#fault(`${name}() may only stand in SELECT`, span);
    }
    if (place === "aggregate") {
      if (inAggregate || call.args.some((arg) => this.#aggregates(arg, this.#own))) {
        throw this.#fault("An aggregate of an aggregate; a rule before this one can give the " +
          "inner one", span);
      }
    }
    if (place === "hit" && clause === "SELECT" && this.#select.window !== null
      && !/_agg_/i.test(name)) {
      throw this.#fault(
        `${name}() counts rows, not windows; use ${name.replace(/^last_/i, "last_agg_")}()`, span);
    }
  }

  /**
   * True if the expression has an aggregate, through aliases too; in `own` its name is the column.
   */
  #aggregates(expr: Expr, own: string | null): boolean {
    if (placeOf(expr) === "aggregate") return true;
    const field = expr.kind === "name" ? this.#aliasOf(expr.parts, own) : undefined;
    if (field !== undefined) {
      let folds = this.#folding.get(field);
      if (folds === undefined) {
        this.#folding.set(field, (folds = this.#aggregates(field.expr, field.alias)));
      }
      return folds;
    }
    return children(expr).some((child) => this.#aggregates(child, own));
  }

  #aliasOf(parts: readonly string[], own: string | null): Field | undefined {
    return parts.length === 1 && parts[0] !== own ? this.#aliases.get(parts[0]!) : undefined;
  }

  /**
   * Levels of what an alias stands for, `above` levels of others that need it; that none needs
   * itself.
   */
  #alias(field: Field, path: readonly string[], above: number): number {
    if (path.includes(field.alias!)) {
      throw this.#fault(`These aliases need each other: ${[...path, field.alias].join(" → ")}`,
        field.span);
    }
    const known = this.#levels.get(field) ?? 0;
    if (above + known > limits.expression_levels_max) throw tooDeep(this.#sql, field.span);
    if (known > 0) return known;
    const inside = [...path, field.alias!];
    const levels = (expr: Expr, depth: number): number => {
      this.#steps.take(expr.span);
      const next = expr.kind === "name" ? this.#aliasOf(expr.parts, field.alias) : undefined;
      return 1 + (next === undefined
        ? children(expr).reduce((most, child) => Math.max(most, levels(child, depth + 1)), 0)
        : this.#alias(next, inside, depth + 1));
    };
    const found = levels(field.expr, above);
    this.#levels.set(field, found);
    return found;
  }

  /** HAVING sees groups: a bare column has no single value there. */
  #having(expr: Expr): void {
    if (placeOf(expr) === "aggregate") return;
    if (expr.kind === "name" && this.#aliasOf(expr.parts, null) === undefined
      && !this.#isKey(expr.parts)) {
      const name = expr.parts.join(".");
      const alias = expr.parts.length > 1 && this.#aliases.has(expr.parts[0]!);
      if (!alias) {
        throw this.#fault(`HAVING sees groups: ${name} is neither in GROUP BY nor in an ` +
          "aggregate; a condition on rows stands in WHERE", expr.span);
      }
    }
    for (const child of children(expr)) this.#having(child);
  }

  #isKey(parts: readonly string[]): boolean {
    return this.#select.groupBy.some((key) => key.kind === "name"
      && key.parts.at(-1) === parts.at(-1));
  }

  #window(window: Window): void {
    const { kind, args, filter, when, partitionBy } = window;
    for (const expr of [...args, ...partitionBy]) this.#walk(expr, "a window", false, false);
    for (const expr of [filter, when]) {
      if (expr !== null) this.#walk(expr, "a window", false, false);
    }
    if (kind === "state") return;
    for (const arg of args) {
      const value = arg.kind === "literal" ? arg.value : null;
      if (typeof value !== "bigint" || value < 0n || (value === 0n && arg === args[0])) {
        throw this.#fault("The length of a window is a whole number above 0", arg.span);
      }
    }
    if (kind === "count" && args.length === 2) {
      const [rows, every] = args.map((arg) => (arg.kind === "literal" ? arg.value as bigint : 0n));
      if (every! > rows! || every! < 1n) {
        throw this.#fault("The second number of COUNTWINDOW is from 1 to the first", args[1]!.span);
      }
    }
  }
}
