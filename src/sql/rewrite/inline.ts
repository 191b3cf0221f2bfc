import { limits } from "../../base.ts";
import { checkCall, unknownFunction } from "../arguments.ts";
import { type Call, children, type Expr, type Name } from "../ast.ts";
import { addSection, SqlFault, type Span } from "../fault.ts";
import { knownFunctions } from "../functions.ts";
import { parseExpr } from "../parser.ts";

/** A function of the user's own: a named expression of its parameters. */
export interface UserFunction {
  readonly name: string;
  readonly parameters: readonly string[];
  readonly sql: string;
}

export type UserFunctions = ReadonlyMap<string, UserFunction>;

/**
 * A tree with each call of a user's function as the expression that it names. The functions' texts
 * are added to the query's, so that each node keeps its place in the text it comes from.
 */
export function inline<T>(
  sql: string, tree: T, functions: UserFunctions,
): { sql: string; tree: T } {
  if (functions.size === 0) return { sql, tree };
  const inliner = new Inliner(sql, functions);
  return { tree: inliner.tree(tree), sql: inliner.sql };
}

/** What is wrong with the functions themselves, whether they are called or not. */
export function faultsOf(functions: UserFunctions): { name: string; fault: SqlFault }[] {
  return [...functions.values()].flatMap((fn) => {
    try {
      checkDefinition(fn, functions);
      return [];
    } catch (thrown) {
      if (!(thrown instanceof SqlFault)) throw thrown;
      return [{ name: fn.name, fault: thrown }];
    }
  });
}

const nowhere: Span = { from: 0, to: 0 };

function checkDefinition(fn: UserFunction, functions: UserFunctions): void {
  const { name, parameters } = fn;
  const head = `${name}(${parameters.join(", ")})`;
  const fault = (code: string, sentence: string, from: number, length: number): SqlFault =>
    new SqlFault(code, sentence, head, { from, to: from + length });
  if (knownFunctions.has(name.toLowerCase())) {
    throw fault("taken", `${name}() is a function already`, 0, name.length);
  }
  const twice = parameters.findIndex((p, i) => parameters.indexOf(p) !== i);
  if (twice >= 0) {
    const at = `${name}(${parameters.slice(0, twice).map((p) => `${p}, `).join("")}`.length;
    throw fault("arguments", `The parameter ${parameters[twice]} stands there twice`, at,
      parameters[twice]!.length);
  }
  const inliner = new Inliner("", functions);
  const args = parameters.map((part): Expr => ({ kind: "name", parts: [part], span: nowhere }));
  const check = (expr: Expr): void => {
    if (expr.kind === "call") checkCall(inliner.sql, expr);
    children(expr).forEach(check);
  };
  check(inliner.call({ kind: "call", name, args, distinct: false, over: null, span: nowhere }, fn));
}

interface Size {
  readonly nodes: number;
  readonly depth: number;
}

/** Nodes are plain data: anything with a kind and a place. */
type Tree = Readonly<Record<string, unknown>>;

class Inliner {
  sql: string;
  readonly #functions: UserFunctions;
  readonly #bodies = new Map<UserFunction, Expr>();
  readonly #sizes = new Map<Expr, Size>();
  /** Parts made of bodies so far, and the query's own call that is at work. */
  #made = 0;
  #at = nowhere;
  /** Those whose expression is being worked out. */
  readonly #open: string[] = [];

  constructor(sql: string, functions: UserFunctions) {
    this.sql = sql;
    this.#functions = functions;
  }

  tree<T>(tree: T): T {
    if (typeof tree !== "object" || tree === null) return tree;
    if (Array.isArray(tree)) return tree.map((part) => this.tree(part) as unknown) as T;
    const fn = this.#called(tree as Tree);
    const copy = Object.fromEntries(
      Object.entries(tree as Tree).map(([key, part]) => [key, this.tree(part)]));
    if (fn !== undefined) return this.call(copy as unknown as Call, fn) as T;
    return this.#named(tree as Tree, copy) as T;
  }

  /** The call of a user's function as its expression; its arguments have been seen to. */
  call(call: Call, fn: UserFunction): Expr {
    const { name, span, args } = call;
    const { parameters } = fn;
    if (this.#open.includes(fn.name)) {
      throw new SqlFault("recursion", `${fn.name}() calls itself: ` +
        [...this.#open.slice(this.#open.indexOf(fn.name)), fn.name].join(" → "), this.sql, span);
    }
    if (args.length !== parameters.length) {
      throw new SqlFault("arguments", `${name}(${parameters.join(", ")}) is called with ` +
        `${args.length} argument${args.length === 1 ? "" : "s"}`, this.sql, span);
    }
    if (call.over !== null || call.distinct || args.some((arg) => arg.kind === "star")) {
      throw new SqlFault("syntax", `${name}() stands for an expression: it takes no OVER, ` +
        "DISTINCT or *", this.sql, span);
    }
    const given = new Map(parameters.map((p, i) => [p, args[i]!]));
    const body = this.#body(fn);
    if (this.#open.length === 0) this.#at = span;
    this.#open.push(fn.name);
    const expr = this.#filled(body, fn, given);
    this.#open.pop();
    const { nodes, depth } = this.#sizeOf(expr);
    if (nodes > limits.inlined_nodes_max || depth > limits.expression_levels_max) {
      throw this.#tooLarge(fn, span);
    }
    return expr;
  }

  #tooLarge({ name }: UserFunction, span: Span): SqlFault {
    return new SqlFault("too-large", `${name}() makes too large an expression of the query: at ` +
      `most ${limits.inlined_nodes_max} parts (inlined_nodes_max), of ` +
      `${limits.expression_levels_max} levels (expression_levels_max); a rule before this one ` +
      "can work out a part of it", this.sql, span);
  }

  /** Arguments are shared by all places of their parameter; each is counted where it stands. */
  #sizeOf(expr: Expr): Size {
    let size = this.#sizes.get(expr);
    if (size === undefined) {
      const parts = children(expr).map((child) => this.#sizeOf(child));
      size = { nodes: parts.reduce((sum, { nodes }) => sum + nodes, 1),
        depth: 1 + Math.max(0, ...parts.map(({ depth }) => depth)) };
      this.#sizes.set(expr, size);
    }
    return size;
  }

  #called(tree: Tree): UserFunction | undefined {
    if (tree["kind"] !== "call") return undefined;
    const name = (tree["name"] as string).toLowerCase();
    const fn = this.#functions.get(name);
    if (fn === undefined && !knownFunctions.has(name)) {
      throw new SqlFault("unknown-function", unknownFunction(tree["name"] as string), this.sql,
        tree["span"] as Span, [...knownFunctions.keys(), ...this.#functions.keys()], name);
    }
    return fn;
  }

  /** A column without a name has that of the function, as with any other call. */
  #named(field: Tree, copy: Tree): Tree {
    if (field["alias"] !== null || !("invisible" in field)) return copy;
    const fn = this.#called(field["expr"] as Tree);
    return fn === undefined ? copy : { ...copy, alias: fn.name.toLowerCase() };
  }

  #body(fn: UserFunction): Expr {
    let body = this.#bodies.get(fn);
    if (body === undefined) {
      const section = addSection(this.sql, fn.name, fn.sql);
      this.sql = section.sql;
      this.#bodies.set(fn, (body = parseExpr(section.sql, section.from)));
    }
    return body;
  }

  /** The body with its parameters filled in; other names are those of tags anywhere. */
  #filled<T>(tree: T, fn: UserFunction, given: ReadonlyMap<string, Expr>): T {
    if (typeof tree !== "object" || tree === null) return tree;
    if (Array.isArray(tree)) return tree.map((p) => this.#filled(p, fn, given) as unknown) as T;
    const node = tree as Tree;
    if (node["kind"] === "name") return this.#name(tree as unknown as Name, fn, given) as T;
    this.#made += 1;
    if (this.#made > limits.inlined_nodes_max) throw this.#tooLarge(fn, this.#at);
    const filled = Object.fromEntries(
      Object.entries(node).map(([key, part]) => [key, this.#filled(part, fn, given)]));
    const inner = this.#called(filled);
    return (inner === undefined ? filled : this.call(filled as unknown as Call, inner)) as T;
  }

  #name(name: Name, fn: UserFunction, given: ReadonlyMap<string, Expr>): Expr {
    const [first, ...rest] = name.parts;
    const arg = given.get(first!);
    if (rest.length > 0 && arg === undefined) return name;
    if (rest.length === 0 && arg !== undefined) return arg;
    throw new SqlFault("unknown-column", arg === undefined
      ? `${first} is no parameter of ${fn.name}(${fn.parameters.join(", ")}); a tag is device.tag`
      : `${first} is a parameter: what is inside it is ${first}->${rest.join("->")}`,
      this.sql, name.span, fn.parameters, first);
  }
}
