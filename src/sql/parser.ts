import type {
  BinaryOp, Case, Expr, Field, Join, JoinKind, Keys, Literal, Order, Over, Select, Source,
  Statement, Window, WindowKind,
} from "./ast.ts";
import { duration, limits, nearest } from "../base.ts";
import { notInThisVersion, SqlFault, type Span } from "./fault.ts";
import { Lexer, type Token, type TokenKind } from "./lexer.ts";
import { Steps, tooDeep } from "./steps.ts";

/** Not ON: a tag may well be called so, and where a value is expected nothing else can be meant. */
export const reserved =
  new Set(("SELECT AS FROM WHERE AND OR GROUP HAVING ORDER BY DESC ASC FILTER INNER LEFT " +
  "RIGHT FULL CROSS JOIN CASE WHEN THEN DEFAULT ELSE END IN NOT BETWEEN LIKE OVER PARTITION " +
  "REPLACE " +
  "EXCEPT INVISIBLE TRUE FALSE DD HH MI SS MS LIMIT IS NULL").split(" "));

/** What may follow the source of a query. */
const clauses = ("AS JOIN INNER LEFT RIGHT FULL CROSS ASOF ON WHERE GROUP HAVING ORDER LIMIT AND " +
  "OR").split(" ");

/** Words of other dialects, and what there is here. */
const elsewhere: Readonly<Record<string, string>> = {
  UNION: "two queries are two rules, and streams of one kind are read by a pattern: FROM m-*.slow",
  OFFSET: "LIMIT takes the first rows, row_number() tells which one a row is",
  CREATE: "a stream or a table is an entry of `sources` or `tables`",
  INSERT: "what becomes of the rows stands in `to` of the rule",
  WITH: "a query inside another one stands after FROM, in brackets",
  FILTER: "it stands behind a window; some rows of an aggregate are avg(CASE WHEN … THEN x END)",
};

/** Units of window lengths, in ms. */
const units: Readonly<Record<string, number>> = {
  DD: 86_400_000, HH: 3_600_000, MI: 60_000, SS: 1000, MS: 1,
};

/** Units of an INTERVAL, those of windows and of standard SQL, in ms. */
const interval_units: Readonly<Record<string, number>> = {
  ...units, DAY: units["DD"]!, HOUR: units["HH"]!, MINUTE: units["MI"]!, SECOND: units["SS"]!,
};

export const windows: Readonly<Record<string, {
  kind: WindowKind; least: number; most: number; takes: string;
}>> = {
  TUMBLINGWINDOW: { kind: "tumbling", least: 1, most: 1, takes: "unit, length" },
  HOPPINGWINDOW: { kind: "hopping", least: 2, most: 2, takes: "unit, length, hop" },
  SLIDINGWINDOW: { kind: "sliding", least: 1, most: 2, takes: "unit, length, [delay]" },
  SESSIONWINDOW: { kind: "session", least: 2, most: 2, takes: "unit, longest, pause" },
  COUNTWINDOW: { kind: "count", least: 1, most: 2, takes: "rows, [every]" },
  STATEWINDOW: { kind: "state", least: 1, most: 2, takes: "begin, [emit]" },
};

/** What an INTERVAL may be so many of. */
const amounts: ReadonlySet<TokenKind> = new Set<TokenKind>(["string", "bigint", "float"]);

/** How tightly binary operators bind; all are left-associative. */
export const precedence: Readonly<Record<string, number>> = {
  OR: 1, AND: 2, "=": 4, "!=": 4, "<>": 4, "<": 4, "<=": 4, ">": 4, ">=": 4,
  IN: 4, BETWEEN: 4, LIKE: 4, NOT: 4, IS: 4,
  "+": 5, "-": 5, "|": 5, "^": 5, "*": 6, "/": 6, "%": 6, "&": 6,
};
export const not_precedence = 3;

/** Cursor over the tokens of one text, and expressions; statements build on it. */
export class Parser {
  readonly sql: string;
  readonly #lexer: Lexer;
  readonly #steps: Steps;
  #token: Token;
  /** End of the token before, for spans. */
  #end = 0;
  #depth = 0;

  constructor(sql: string, steps = new Steps(sql), from = 0) {
    this.sql = sql;
    this.#steps = steps;
    this.#lexer = new Lexer(sql, from);
    this.#token = this.#lexer.next();
  }

  get token(): Token {
    return this.#token;
  }

  take(): Token {
    const token = this.#token;
    this.#steps.take(token);
    this.#end = token.to;
    this.#token = this.#lexer.next();
    return token;
  }

  /** The current token read again as a source's name. */
  takeSource(): Token {
    const name = this.#lexer.sourceName(this.#token.from);
    if (name.kind !== "word" && name.kind !== "quoted" || reserved.has(name.upper)) {
      throw this.unexpected("the name of a stream", name);
    }
    this.#end = name.to;
    this.#token = this.#lexer.next();
    return name;
  }

  is(text: string): boolean {
    return this.#token.kind === "mark" ? this.#token.text === text : this.#token.upper === text;
  }

  atEnd(): boolean {
    return this.#token.kind === "end";
  }

  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.take();
    return true;
  }

  expect(text: string): Token {
    if (!this.is(text)) throw this.unexpected(text);
    return this.take();
  }

  span(from: number): Span {
    return { from, to: this.#end };
  }

  /** The words of SQL that `wanted` names are those that may have been meant. */
  unexpected(
    wanted: string, token = this.#token, hint = "", 
    known: readonly string[] = wanted.match(/[A-Z]{2,}/g) ?? [],
  ): SqlFault {
    const found = token.kind === "end" ? "the query ends"
      : `\`${this.sql.slice(token.from, token.to)}\` stands`;
    const other = elsewhere[token.upper];
    return this.unknown(`Here ${wanted} is expected, but ${found}` +
      (other === undefined ? hint : `; ${other}`), token, known);
  }

  /** What stands where an alias could, without AS before it. */
  unexpectedAfterName(wanted: string, known: readonly string[]): SqlFault {
    const { kind, upper } = this.#token;
    const alias = kind === "quoted" ||
      (kind === "word" && !reserved.has(upper) && nearest(upper, known) === null);
    return this.unexpected(wanted, this.#token, alias ? "; an alias stands after AS" : "", known);
  }

  fault(sentence: string, span: Span): SqlFault {
    return new SqlFault("syntax", sentence, this.sql, span);
  }

  /** A word that is none of the known ones. */
  unknown(sentence: string, token: Token, known: Iterable<string>): SqlFault {
    return new SqlFault("syntax", sentence, this.sql, token, known, token.upper);
  }

  /** A name of a column, alias or function. */
  identifier(what: string): Token {
    const { kind, upper } = this.#token;
    if (kind === "quoted" || (kind === "word" && !reserved.has(upper))) return this.take();
    if (kind === "word") {
      throw this.unexpected(what, this.#token, ", a word of SQL; as a name it is in back-quotes");
    }
    if (kind === "string") {
      throw this.unexpected(what, this.#token, ", a text; a name is in back-quotes");
    }
    throw this.unexpected(what);
  }

  /** After a dot or an arrow every word is a name. */
  #fieldName(): string {
    return (this.#token.kind === "word" ? this.take() : this.identifier("a field's name")).text;
  }

  list<T>(item: () => T): T[] {
    const items = [item()];
    while (this.accept(",")) items.push(item());
    return items;
  }

  expr(least = 1): Expr {
    const depth = this.#depth;
    this.#deeper();
    let left = this.#prefix();
    for (;;) {
      const op = this.#token.kind === "mark" ? this.#token.text : this.#token.upper;
      const binds = precedence[op];
      if (binds === undefined || binds < least) break;
      this.#deeper();
      left = this.#infix(left, op, binds);
    }
    this.#depth = depth;
    return left;
  }

  #deeper(): void {
    if (this.#depth++ > limits.expression_levels_max) throw tooDeep(this.sql, this.#token);
  }

  /** What may stand inside itself without being an expression: a type, a query. */
  nested<T>(make: () => T): T {
    this.#deeper();
    const made = make();
    this.#depth -= 1;
    return made;
  }

  #infix(left: Expr, op: string, binds: number): Expr {
    const { from } = left.span;
    this.take();
    if (op === "IS") {
      const negated = this.accept("NOT");
      this.expect("NULL");
      return { kind: "isnull", operand: left, negated, span: this.span(from) };
    }
    const negated = op === "NOT";
    if (negated && !["IN", "BETWEEN", "LIKE"].includes(this.#token.upper)) {
      throw this.unexpected("IN, BETWEEN or LIKE");
    }
    const word = negated ? this.take().upper : op;
    switch (word) {
      case "IN": return this.#in(left, negated);
      case "BETWEEN": {
        const low = this.expr(binds + 1);
        this.expect("AND");
        const high = this.expr(binds + 1);
        return { kind: "between", operand: left, low, high, negated, span: this.span(from) };
      }
      case "LIKE": {
        const pattern = this.expr(binds + 1);
        return { kind: "like", operand: left, pattern, negated, span: this.span(from) };
      }
    }
    const right = this.expr(binds + 1);
    const name = (op === "<>" ? "!=" : op.toLowerCase()) as BinaryOp;
    return { kind: "binary", op: name, left, right, span: this.span(from) };
  }

  #in(operand: Expr, negated: boolean): Expr {
    const { from } = operand.span;
    let items: Expr[] | Expr;
    if (this.accept("(")) {
      if (this.#token.text === ")") throw this.unexpected("at least one value");
      items = this.list(() => this.expr());
      this.expect(")");
    } else {
      items = this.expr(precedence["+"]!);
    }
    return { kind: "in", operand, items, negated, span: this.span(from) };
  }

  #prefix(): Expr {
    const { from } = this.#token;
    if (this.accept("NOT")) {
      const operand = this.expr(not_precedence);
      return { kind: "unary", op: "not", operand, span: this.span(from) };
    }
    if (this.accept("-")) {
      const operand = this.expr(precedence["*"]! + 1);
      // A sign before a number belongs to it: −2^63 is a literal though 2^63 is none.
      if (operand.kind === "literal" && (typeof operand.value === "number"
        || typeof operand.value === "bigint")) {
        return { kind: "literal", value: -operand.value, span: this.span(from) };
      }
      return { kind: "unary", op: "neg", operand, span: this.span(from) };
    }
    if (this.accept("+")) return this.expr(precedence["*"]! + 1);
    return this.#postfix(this.#primary());
  }

  #postfix(start: Expr): Expr {
    let expr = start;
    for (;;) {
      const { from } = start.span;
      this.#deeper();
      if (this.accept("->")) {
        if (this.is("[") || this.is("*")) {
          throw notInThisVersion(this.sql, this.#token, "A wildcard in a path");
        }
        const name = this.#fieldName();
        expr = { kind: "member", of: expr, name, arrow: true, span: this.span(from) };
      } else if (this.accept(".")) {
        if (expr.kind === "name" && this.is("*")) {
          this.take();
          return this.#star(expr.parts, from);
        }
        const name = this.#fieldName();
        expr = expr.kind === "name"
          ? { kind: "name", parts: [...expr.parts, name], span: this.span(from) }
          : { kind: "member", of: expr, name, arrow: false, span: this.span(from) };
      } else if (this.accept("[")) {
        expr = this.#subscript(expr, from);
      } else {
        return expr;
      }
    }
  }

  #subscript(of: Expr, from: number): Expr {
    if (this.accept("]")) return { kind: "slice", of, from: null, to: null, span: this.span(from) };
    if (this.is("*")) throw notInThisVersion(this.sql, this.#token, "A wildcard in a path");
    const first = this.is(":") ? null : this.expr();
    if (this.accept("]")) return { kind: "index", of, at: first!, span: this.span(from) };
    this.expect(":");
    const last = this.is("]") ? null : this.expr();
    this.expect("]");
    return { kind: "slice", of, from: first, to: last, span: this.span(from) };
  }

  #primary(): Expr {
    const token = this.#token;
    const { from, kind, upper } = token;
    const literal = (value: Literal["value"]): Literal => {
      this.take();
      return { kind: "literal", value, span: this.span(from) };
    };
    if (kind === "string") return literal(token.text);
    if (kind === "bigint") return literal(BigInt(token.text));
    if (kind === "float") return literal(this.#float(token));
    if (kind === "duration") return literal(this.#duration(token));
    if (upper === "TRUE" || upper === "FALSE") return literal(upper === "TRUE");
    if (upper === "NULL") return literal(null);
    if (upper === "CASE") return this.#case();
    if (this.accept("(")) {
      const inner = this.expr();
      this.expect(")");
      return { ...inner, span: this.span(from) };
    }
    if (this.accept("*")) return this.#star([], from);
    if (upper === "REPLACE") this.#replaceAsName();
    if (upper === "SELECT") {
      throw this.unexpected("a value", token, "; a query inside another one stands after FROM, " +
        "in brackets; a list of values that changes is a table, which is joined");
    }
    if (this.is("[")) throw this.unexpected("a value", token, "; an array is array_create(1, 2)");
    const name = this.identifier("a value");
    if (upper === "INTERVAL" && amounts.has(this.#token.kind)) return this.#interval(from);
    if (this.is("(")) return this.#call(name);
    this.#refuseHyphen(name);
    return { kind: "name", parts: [name.text], span: this.span(from) };
  }

  #replaceAsName(): void {
    throw this.fault("REPLACE stands after `*`; a function replace() is called regexp_replace()",
      this.#token);
  }

  #float(token: Token): number {
    const value = Number(token.text);
    if (!Number.isFinite(value)) throw this.fault("This number is too large", token);
    return value;
  }

  /** `100ms` is the number of its milliseconds. */
  #duration(token: Token): bigint | number {
    const ms = duration(token.text)!;
    return Number.isInteger(ms) ? BigInt(ms) : ms;
  }

  /** `INTERVAL '100' MS`, `INTERVAL 2 MINUTE`. */
  #interval(from: number): Expr {
    const amount = this.take();
    const unit = interval_units[this.#token.upper];
    if (unit === undefined) {
      throw this.unexpected("MS, SECOND, MINUTE, HOUR, DAY or DD, HH, MI, SS");
    }
    this.take();
    const ms = Number(amount.text) * unit;
    if (!Number.isFinite(ms) || amount.text.trim() === "") {
      throw this.fault("This is no number", amount);
    }
    return { kind: "literal", value: Number.isSafeInteger(ms) ? BigInt(ms) : ms,
      span: this.span(from) };
  }

  /** `m-01.temperature` is three names and two signs to SQL; say so where it cannot be meant. */
  #refuseHyphen(name: Token): void {
    const rest = /^-\d+(\.[A-Za-z_]|[A-Za-z_])/.exec(this.sql.slice(name.to));
    if (name.kind === "word" && rest !== null) {
      const whole = /^[\w$\u0080-\uffff-]+/.exec(this.sql.slice(name.from))![0];
      throw this.fault(`A name with a hyphen stands in back-quotes here: \`${whole}\``,
        { from: name.from, to: name.from + whole.length });
    }
  }

  #star(qualifier: readonly string[], from: number): Expr {
    let except: string[] = [];
    let replace: Field[] = [];
    if (this.accept("EXCEPT")) {
      this.expect("(");
      except = this.list(() => this.identifier("a column").text);
      this.expect(")");
    }
    if (this.accept("REPLACE")) {
      this.expect("(");
      replace = this.list(() => this.#replacement());
      this.expect(")");
    }
    return { kind: "star", qualifier, except, replace, span: this.span(from) };
  }

  #replacement(): Field {
    const { from } = this.#token;
    const expr = this.expr();
    this.expect("AS");
    const alias = this.identifier("a column").text;
    return { expr, alias, invisible: false, span: this.span(from) };
  }

  #case(): Case {
    const { from } = this.take();
    const operand = this.is("WHEN") ? null : this.expr();
    const whens: { when: Expr; then: Expr }[] = [];
    while (this.accept("WHEN")) {
      const when = this.expr();
      this.expect("THEN");
      whens.push({ when, then: this.expr() });
    }
    if (whens.length === 0) throw this.unexpected("WHEN");
    const otherwise = this.accept("ELSE") ? this.expr() : null;
    this.expect("END");
    return { kind: "case", operand, whens, otherwise, span: this.span(from) };
  }

  #call(name: Token): Expr {
    this.expect("(");
    this.#refuseWindow(name);
    const distinct = this.accept("DISTINCT");
    const args = this.is(")") ? [] : this.list(() => this.expr());
    if (name.upper === "CAST" && args.length === 1 && this.accept("AS")) args.push(this.#type());
    this.expect(")");
    const over = this.is("OVER") ? this.over() : null;
    return { kind: "call", name: name.text, args, distinct, over, span: this.span(name.from) };
  }

  /** `CAST(x AS bigint)` is `cast(x, 'bigint')`. */
  #type(): Literal {
    const { text, from, to } = this.identifier("the name of a type");
    return { kind: "literal", value: text, span: { from, to } };
  }

  /** A window where a value is expected, or its name misspelled. */
  #refuseWindow(name: Token): void {
    if (windows[name.upper] !== undefined) {
      throw this.fault(`${name.upper} is a window: it stands in GROUP BY, by itself`, name);
    }
    if (units[this.#token.upper] === undefined) return;
    throw new SqlFault("unknown-window", `There is no window ${name.text}()`, this.sql, name,
      Object.keys(windows), name.upper);
  }

  /** `OVER ([PARTITION BY … [KEYS n]] [ORDER BY …] [WHEN …])`, the parts in any order. */
  over(): Over {
    const { from } = this.expect("OVER");
    this.expect("(");
    let partitionBy: Expr[] = [];
    let keys: number | null = null;
    let orderBy: Order[] = [];
    let when: Expr | null = null;
    while (!this.accept(")")) {
      if (this.accept("PARTITION")) {
        this.expect("BY");
        partitionBy = this.list(() => this.expr());
        const table = this.keys();
        if (table?.evicts) {
          throw this.fault("EVICT OLDEST is for GROUP BY: a function whose state is forgotten " +
            "would begin anew without a word. Without it a key past KEYS has no result, counted",
            table.span);
        }
        keys = table?.most ?? null;
      } else if (this.accept("ORDER")) {
        this.expect("BY");
        orderBy = this.list(() => this.order());
      } else if (this.accept("WHEN")) {
        when = this.expr();
      } else {
        throw this.unexpected("PARTITION BY, ORDER BY or WHEN");
      }
    }
    return { partitionBy, keys, orderBy, when, span: this.span(from) };
  }

  /** `KEYS n [EVICT OLDEST]`: how many keys there may be, and what becomes of one more. */
  keys(): Keys | null {
    if (!this.accept("KEYS")) return null;
    if (this.#token.kind !== "bigint") throw this.unexpected("a number of keys");
    const { from, text } = this.take();
    const evicts = this.accept("EVICT");
    if (evicts) this.expect("OLDEST");
    return { most: Number(text), evicts, span: this.span(from) };
  }

  order(): Order {
    const expr = this.expr();
    const descending = this.accept("DESC");
    if (!descending) this.accept("ASC");
    return { expr, descending };
  }

  isWindow(): boolean {
    return windows[this.#token.upper] !== undefined;
  }

  window(): Window {
    const name = this.take();
    const { kind, least, most, takes } = windows[name.upper]!;
    this.expect("(");
    let unit_ms: number | null = null;
    if (kind !== "count" && kind !== "state") {
      const unit = units[this.#token.upper];
      if (unit === undefined && this.#token.kind !== "duration") {
        throw this.unexpected("DD, HH, MI, SS, MS or a duration like 10s");
      }
      unit_ms = unit ?? 1;
      if (unit !== undefined) {
        this.take();
        this.expect(",");
      }
    }
    const args = this.list(() => this.expr());
    this.expect(")");
    if (args.length < least || args.length > most) {
      throw this.fault(`It is ${name.upper}(${takes})`, this.span(name.from));
    }
    let filter: Expr | null = null;
    if (this.accept("FILTER")) {
      this.expect("(");
      this.expect("WHERE");
      filter = this.expr();
      this.expect(")");
    }
    const over = this.is("OVER") ? this.over() : null;
    if (over !== null && (over.keys !== null || over.orderBy.length > 0)) {
      throw this.fault("OVER of a window has WHEN or PARTITION BY, no KEYS and no order",
        over.span);
    }
    return {
      kind, unit_ms, args, filter, when: over?.when ?? null, partitionBy: over?.partitionBy ?? [],
      span: this.span(name.from),
    };
  }
}

const joinKinds: Readonly<Record<string, JoinKind>> = {
  INNER: "inner", LEFT: "left", RIGHT: "right", FULL: "full", CROSS: "cross",
};

function parseSelect(p: Parser): Select {
  const { from } = p.expect("SELECT");
  const distinct = p.token.upper === "DISTINCT" ? p.take() : null;
  const fields = p.list(() => parseField(p));
  if (!p.accept("FROM")) throw p.unexpectedAfterName("FROM", ["FROM", "AS"]);
  const source = parseSource(p);
  const joins: Join[] = [];
  while (joinKinds[p.token.upper] !== undefined || p.is("JOIN") || p.is("ASOF")) {
    joins.push(p.is("ASOF") ? parseAsof(p) : parseJoin(p));
  }
  if (p.is(",")) throw p.unexpected("JOIN … ON", p.token, "; streams are joined by JOIN");
  const where = p.accept("WHERE") ? p.expr() : null;
  const { groupBy, groups, window } = parseGroupBy(p);
  const having = p.accept("HAVING") ? p.expr() : null;
  let orderBy: Order[] = [];
  if (p.accept("ORDER")) {
    p.expect("BY");
    orderBy = p.list(() => p.order());
  }
  let limit: Select["limit"] = null;
  if (p.accept("LIMIT")) {
    if (p.token.kind !== "bigint") throw p.unexpected("a number of rows");
    const number = p.take();
    limit = { rows: Number(number.text), span: number };
  }
  return {
    kind: "select", fields, from: source, joins, where, groupBy, groups, window, having, orderBy,
      limit, distinct,
    span: p.span(from),
  };
}

function parseField(p: Parser): Field {
  const { from } = p.token;
  const expr = p.expr();
  let alias: string | null = null;
  if (p.accept("AS")) {
    const name = p.identifier("an alias");
    if (expr.kind === "star") throw p.fault("`*` takes no alias", name);
    alias = name.text;
  }
  const invisible = p.accept("INVISIBLE");
  return { expr, alias, invisible, span: p.span(from) };
}

function parseSource(p: Parser): Source {
  if (p.is("(")) return parseInnerQuery(p);
  const name = p.takeSource();
  const alias = p.accept("AS") ? p.identifier("an alias").text : null;
  return { name: name.text, alias, query: null, span: p.span(name.from) };
}

/** `(SELECT …) [AS alias]`; errors name it by its alias. */
function parseInnerQuery(p: Parser): Source {
  const { from } = p.expect("(");
  const query = p.nested(() => parseSelect(p));
  p.expect(")");
  const alias = p.accept("AS") ? p.identifier("an alias").text : null;
  return { name: alias ?? "the query in FROM", alias, query, span: p.span(from) };
}

function parseJoin(p: Parser): Join {
  const { from } = p.token;
  const kind = joinKinds[p.token.upper] ?? "inner";
  if (!p.is("JOIN")) p.take();
  if (kind !== "inner" && kind !== "cross") p.accept("OUTER");
  p.expect("JOIN");
  const source = parseSource(p);
  if (p.is("ON") && kind === "cross") throw p.fault("CROSS JOIN takes no ON", p.token);
  const on = p.accept("ON") ? p.expr() : null;
  return { kind, source, on, tolerance_ms: null, span: p.span(from) };
}

/** `ASOF [LEFT] JOIN x [ON keys] TOLERANCE 30s` */
function parseAsof(p: Parser): Join {
  const { from } = p.expect("ASOF");
  const kind = p.accept("LEFT") ? "left" : "inner";
  p.expect("JOIN");
  const source = parseSource(p);
  const on = p.accept("ON") ? p.expr() : null;
  p.expect("TOLERANCE");
  const time = p.expr();
  const ms = time.kind === "literal" ? Number(time.value) : NaN;
  if (!(ms > 0)) throw p.fault("A tolerance is a time above 0, such as 30s", time.span);
  return { kind, source, on, tolerance_ms: ms, span: p.span(from) };
}

/** `GROUP BY a, b KEYS 40, TUMBLINGWINDOW(ss, 10)` */
function parseGroupBy(p: Parser): Pick<Select, "groupBy" | "groups" | "window"> {
  const groupBy: Expr[] = [];
  let groups: Select["groups"] = null;
  let window: Window | null = null;
  if (!p.accept("GROUP")) return { groupBy, groups, window };
  p.expect("BY");
  p.list(() => {
    if (!p.isWindow()) {
      groupBy.push(p.expr());
      groups = p.keys() ?? groups;
      return 0;
    }
    const next = p.window();
    if (window !== null) throw p.fault("A query has one window", next.span);
    window = next;
    return 0;
  });
  return { groupBy, groups, window };
}

/** The statements of a text, separated by `;`. */
export function parseStatements(sql: string, others: (p: Parser) => Statement): Statement[] {
  const p = new Parser(sql);
  const statements: Statement[] = [];
  while (!p.atEnd()) {
    statements.push(p.is("SELECT") ? parseSelect(p) : others(p));
    if (!p.atEnd()) p.expect(";");
  }
  return statements;
}

/** A text that is one SELECT. */
export function parseQuery(sql: string, steps = new Steps(sql)): Select {
  const p = new Parser(sql, steps);
  const select = parseSelect(p);
  p.accept(";");
  if (!p.atEnd()) throw p.unexpectedAfterName("the end of the query", clauses);
  return select;
}

/** A text that is one expression, a permit's condition or a function; `from`: where it begins. */
export function parseExpr(sql: string, from = 0): Expr {
  const p = new Parser(sql, new Steps(sql), from);
  const expr = p.expr();
  if (!p.atEnd()) throw p.unexpected("the end of the expression");
  return expr;
}
