import type { Span } from "./fault.ts";

/** What the parser makes of a text, names unresolved. Every node knows its place. */
export type Statement = Select | Create | Manage;

export interface Select {
  readonly kind: "select";
  readonly fields: readonly Field[];
  readonly from: Source;
  readonly joins: readonly Join[];
  readonly where: Expr | null;
  readonly groupBy: readonly Expr[];
  /** Of GROUP BY: how many groups there may be. */
  readonly groups: Keys | null;
  readonly window: Window | null;
  readonly having: Expr | null;
  readonly orderBy: readonly Order[];
  readonly limit: { readonly rows: number; readonly span: Span } | null;
  /** The word itself. */
  readonly distinct: Span | null;
  readonly span: Span;
}

export interface Field {
  readonly expr: Expr;
  readonly alias: string | null;
  /** Computed and usable by name, but not part of the result. */
  readonly invisible: boolean;
  readonly span: Span;
}

export interface Source {
  /** `press.fast`, `m-*.slow`, `topic/+/x`; of a query the text of its alias. */
  readonly name: string;
  readonly alias: string | null;
  /** `(SELECT …)` in the place of a name, else null. */
  readonly query: Select | null;
  readonly span: Span;
}

export type JoinKind = "inner" | "left" | "right" | "full" | "cross";

export interface Join {
  readonly kind: JoinKind;
  readonly source: Source;
  readonly on: Expr | null;
  /** ASOF: so old the newest row may be; null = an ordinary join. */
  readonly tolerance_ms: number | null;
  readonly span: Span;
}

export type WindowKind = "tumbling" | "hopping" | "sliding" | "session" | "count" | "state";

export interface Window {
  readonly kind: WindowKind;
  /** ms; null for count and state windows. */
  readonly unit_ms: number | null;
  /** Lengths in units, rows, or the conditions of a state window. */
  readonly args: readonly Expr[];
  readonly filter: Expr | null;
  readonly when: Expr | null;
  readonly partitionBy: readonly Expr[];
  readonly span: Span;
}

export interface Order {
  readonly expr: Expr;
  readonly descending: boolean;
}

/** `KEYS n [EVICT OLDEST]` */
export interface Keys {
  readonly most: number;
  /** For one more the key gives way that has had no row for longest. */
  readonly evicts: boolean;
  readonly span: Span;
}

export interface Over {
  readonly partitionBy: readonly Expr[];
  /** `PARTITION BY … KEYS n`: how many keys there may be. */
  readonly keys: number | null;
  readonly orderBy: readonly Order[];
  readonly when: Expr | null;
  readonly span: Span;
}

export type BinaryOp =
  | "+" | "-" | "*" | "/" | "%" | "&" | "|" | "^"
  | "=" | "!=" | "<" | "<=" | ">" | ">=" | "and" | "or";

export type Expr =
  | Name | Literal | Star | Unary | Binary | Between | In | Like | IsNull | Case | Call
  | Member | Index | Slice;

interface Node {
  readonly span: Span;
}

/** `a`, `s.a`, `press.fast.a`: the parts before the last may be a stream, an alias or a struct. */
export interface Name extends Node {
  readonly kind: "name";
  readonly parts: readonly string[];
}

export interface Literal extends Node {
  readonly kind: "literal";
  readonly value: bigint | number | string | boolean | null;
}

/** `*`, `s.*`, `* EXCEPT(a) REPLACE(b * 2 AS b)` */
export interface Star extends Node {
  readonly kind: "star";
  readonly qualifier: readonly string[];
  readonly except: readonly string[];
  readonly replace: readonly Field[];
}

export interface Unary extends Node {
  readonly kind: "unary";
  readonly op: "not" | "neg";
  readonly operand: Expr;
}

export interface Binary extends Node {
  readonly kind: "binary";
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
}

export interface Between extends Node {
  readonly kind: "between";
  readonly operand: Expr;
  readonly low: Expr;
  readonly high: Expr;
  readonly negated: boolean;
}

export interface In extends Node {
  readonly kind: "in";
  readonly operand: Expr;
  /** A list, or one expression that is an array. */
  readonly items: readonly Expr[] | Expr;
  readonly negated: boolean;
}

export interface Like extends Node {
  readonly kind: "like";
  readonly operand: Expr;
  readonly pattern: Expr;
  readonly negated: boolean;
}

export interface IsNull extends Node {
  readonly kind: "isnull";
  readonly operand: Expr;
  readonly negated: boolean;
}

export interface Case extends Node {
  readonly kind: "case";
  readonly operand: Expr | null;
  readonly whens: readonly { readonly when: Expr; readonly then: Expr }[];
  readonly otherwise: Expr | null;
}

export interface Call extends Node {
  readonly kind: "call";
  /** As written. */
  readonly name: string;
  readonly args: readonly Expr[];
  readonly distinct: boolean;
  readonly over: Over | null;
}

/** `a->b`; `arrow` false: a dot after something that is no name. */
export interface Member extends Node {
  readonly kind: "member";
  readonly of: Expr;
  readonly name: string;
  readonly arrow: boolean;
}

export interface Index extends Node {
  readonly kind: "index";
  readonly of: Expr;
  readonly at: Expr;
}

/** `a[1:3]`; null is an open end. */
export interface Slice extends Node {
  readonly kind: "slice";
  readonly of: Expr;
  readonly from: Expr | null;
  readonly to: Expr | null;
}

/** `CREATE STREAM|TABLE name (schema) WITH (options)` */
export interface Create {
  readonly kind: "create";
  readonly what: "stream" | "table";
  readonly name: string;
  readonly columns: readonly CreateColumn[];
  /** Keys in upper case. */
  readonly options: Readonly<Record<string, string>>;
  readonly span: Span;
}

export interface CreateColumn {
  readonly name: string;
  readonly type: CreateType;
  readonly fallback: Literal | null;
}

export type CreateType =
  | { readonly of: "bigint" | "float" | "string" | "bytea" | "datetime" | "boolean" }
  | { readonly of: "array"; readonly element: CreateType }
  | { readonly of: "struct"; readonly fields: readonly CreateColumn[] };

export interface Manage {
  readonly kind: "show" | "describe" | "explain" | "drop";
  readonly what: "stream" | "table";
  /** null for SHOW. */
  readonly name: string | null;
  readonly span: Span;
}

/** The expressions directly inside one. */
export function children(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case "name": case "literal": return [];
    case "star": return expr.replace.map((field) => field.expr);
    case "unary": case "isnull": return [expr.operand];
    case "binary": return [expr.left, expr.right];
    case "between": return [expr.operand, expr.low, expr.high];
    case "in": return [expr.operand, ...("kind" in expr.items ? [expr.items] : expr.items)];
    case "like": return [expr.operand, expr.pattern];
    case "case": return [
      ...(expr.operand === null ? [] : [expr.operand]),
      ...expr.whens.flatMap(({ when, then }) => [when, then]),
      ...(expr.otherwise === null ? [] : [expr.otherwise]),
    ];
    case "call": return [
      ...expr.args,
      ...(expr.over === null ? [] : [...expr.over.partitionBy,
        ...expr.over.orderBy.map((order) => order.expr),
        ...(expr.over.when === null ? [] : [expr.over.when])]),
    ];
    case "member": return [expr.of];
    case "index": return [expr.of, expr.at];
    case "slice": return [expr.of, expr.from, expr.to].filter((e) => e !== null);
  }
}

/** The name that a field has by itself: of its column or its function. */
export function nameOf(expr: Expr): string | null {
  if (expr.kind === "name") return expr.parts.at(-1)!;
  return expr.kind === "call" ? expr.name.toLowerCase() : null;
}
