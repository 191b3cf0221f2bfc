import type { Literal } from "../ast.ts";
import { limits } from "../../base.ts";
import { expand } from "../arguments.ts";
import type { Bound, BoundBinaryOp, BoundType } from "../bound.ts";
import { notInThisVersion, SqlFault, type Span } from "../fault.ts";
import { type Line, scalarFunctions } from "../functions.ts";
import type { Found } from "../scope.ts";
import {
  bitwise, bool, coerce, dyn, dynOf, float64, int53, int64, isNullLiteral, isNumber, isOpen,
  isWhole, nullOf, parseTime, say, text, textOf, time, wider, capital,
} from "../types.ts";

/** Makes the nodes of a query, each of a type that its place takes. */
export class Nodes {
  /** The text that spans are of. */
  protected sql: string;
  readonly #ids = new Map<object, number>();
  readonly #known = new Map<string, Bound>();

  constructor(sql: string) {
    this.sql = sql;
  }

  protected fault(code: string, sentence: string, span: Span): SqlFault {
    return new SqlFault(code, sentence, this.sql, span);
  }

  protected later(span: Span, what: string): SqlFault {
    return notInThisVersion(this.sql, span, what);
  }

  /**
   * Equal expressions are one object, so that they are computed once. Not so literals: two that
   * happen to be equal stay two, else a query's shape would depend on its numbers.
   */
  protected node<T extends Bound>(node: T): T {
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
    const known = this.#known.get(key);
    if (known !== undefined) return known as T;
    this.#known.set(key, node);
    this.#ids.set(node, this.#ids.size);
    return node;
  }

  protected literal({ value, span }: Literal): Bound {
    if (value === null) return this.node(nullOf(float64, span));
    if (typeof value === "string") {
      const bytes = Buffer.byteLength(value), most = limits.slot_bytes_max;
      if (bytes > most) {
        throw this.fault("too-large", `A text has at most ${most} bytes, this one has ${bytes}`,
          span);
      }
      return this.node({ kind: "literal", value, type: textOf(value), span });
    }
    if (typeof value === "boolean") return this.node({ kind: "literal", value, type: bool, span });
    if (typeof value === "number") {
      return this.node({ kind: "literal", value, type: float64, span });
    }
    if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) {
      return this.node({ kind: "literal", value: Number(value), type: int53, span });
    }
    if (BigInt.asIntN(64, value) === value) {
      return this.node({ kind: "literal", value, type: int64, span });
    }
    throw this.fault("overflow", "A whole number has at most 64 bits", span);
  }

  protected textLiteral(value: string, span: Span): Bound {
    return this.node({ kind: "literal", value, type: textOf(value), span } as const);
  }

  protected column(
    { input, spec: { name, kind, slot } }: Extract<Found, { kind: "column" }>, span: Span,
  ) {
    return this.node({ kind: "column", input, name, type: { kind, slot }, span } as const);
  }

  /** A call of one of the functions that operators are bound to (`functions/access.ts`). */
  protected access(fn: string, nodes: readonly Bound[], span: Span): Bound {
    const { parameters, result, slot } = scalarFunctions.get(fn)!;
    const letters = expand(parameters, nodes.length)!;
    const args = nodes.map((node, i) => this.argument(letters[i]!, node));
    const types = args.map((arg) => ({ ...arg.type, constant: undefined }));
    const type = result === "bool" ? bool
      : dyn(slot?.(types) ?? types.reduce((sum, arg) => sum + arg.slot, 16));
    return this.node({ kind: "call", fn, args, type, span });
  }

  protected as(node: Bound, type: BoundType): Bound {
    const coerced = coerce(node, type);
    return coerced === node ? node : this.node(coerced);
  }

  /** Without a fixed type. */
  protected untyped(node: Bound): Bound {
    return this.as(node, dynOf(node.type));
  }

  /** Of a fixed kind, which the value must have when the row comes. */
  protected narrow(node: Bound, type: BoundType): Bound {
    const operand = this.untyped(node);
    return this.node({ kind: "narrow", operand, type, span: node.span });
  }

  /** `made` of `from` without a word of the user: no whole number becomes another by it. */
  protected exact(from: Bound, made: Bound): Bound {
    const { kind } = made.type;
    const converted = made !== from && (made.kind === "cast" || made.kind === "narrow") &&
      (kind === "float64" || kind === "time");
    return converted && (from.type.kind === "int64" || isOpen(from.type))
      ? this.node({ ...made, exact: true }) : made;
  }

  protected float(node: Bound): Bound {
    return this.exact(node, this.as(this.number(node), float64));
  }

  protected comparable(node: Bound): Bound {
    return node.type.kind === "json" ? this.untyped(node) : node;
  }

  protected number(node: Bound): Bound {
    if (isOpen(node.type)) return this.narrow(node, float64);
    if (!isNumber(node.type)) {
      throw this.fault("type", `Here a number is expected, but this is ${say(node.type)}`,
        node.span);
    }
    return node;
  }

  protected text(node: Bound): Bound {
    if (isNullLiteral(node)) return this.as(node, text(8));
    if (isOpen(node.type)) return this.narrow(node, text(this.untyped(node).type.slot));
    if (node.type.kind !== "text") {
      throw this.fault("type", `Here a text is expected, but this is ${say(node.type)}`,
        node.span);
    }
    return node;
  }

  #time(node: Bound): Bound {
    if (node.kind !== "literal" || typeof node.value !== "string") return this.as(node, time);
    const value = parseTime(node.value);
    if (value === null) {
      throw this.fault("type",
        "Here a time is expected: one is like '2026-01-31T08:00:00Z'", node.span);
    }
    return this.node({ kind: "literal", value, type: time, span: node.span });
  }

  #isKind(node: Bound, type: BoundType): Bound {
    if (isNullLiteral(node) || node.type.kind === type.kind) return this.as(node, type);
    if (isOpen(node.type)) return this.narrow(node, type);
    throw this.fault("type", `Here ${say(type)} is expected, but this is ${say(node.type)}`,
      node.span);
  }

  /** An argument as the body takes it (`functions/record.ts`). */
  protected argument(letter: string, node: Bound): Bound {
    switch (letter) {
      case "s": return this.text(node);
      case "v": return this.untyped(node);
      case "l": case "o":
        if (isOpen(node.type) || isNullLiteral(node)) return this.untyped(node);
        throw this.fault("type", `Here ${letter === "l" ? "an array" : "an object"} is ` +
          `expected, but this is ${say(node.type)}`, node.span);
      case "c": return isOpen(node.type) ? this.untyped(node) : this.text(node);
      case "b": return this.#isKind(node, bool);
      case "t":
        if (isOpen(node.type)) return this.exact(node, this.narrow(node, time));
        if (isNumber(node.type)) return this.exact(node, this.as(node, time));
        return node.type.kind === "text" ? this.#time(node) : this.#isKind(node, time);
      case "y": return node.type.kind === "bytes" ? node : this.text(node);
      case "k":
        return this.argument(node.type.kind === "text" || isOpen(node.type) ? "s" : "i", node);
      case "d": return this.float(node);
      case "i": case "u":
        if (isNullLiteral(node)) return this.as(node, int53);
        if (isOpen(node.type)) return this.narrow(node, int53);
        if (!isWhole(this.number(node).type)) {
          throw this.fault("type",
            `Here a whole number is expected, but this is ${say(node.type)}`, node.span);
        }
        return this.as(node, int53);
      default: return node.type.kind === "int64" ? this.as(node, int53)
        : this.exact(node, this.number(node));
    }
  }

  /** One type for all values: numbers meet in the widest kind, texts in the longest slot. */
  protected unified(values: readonly Bound[]): BoundType {
    const [first, ...rest] = values.filter((value) => !isNullLiteral(value));
    if (first === undefined) return float64;
    return rest.reduce((type: BoundType, value) => {
      if (isNumber(type) && isNumber(value.type)) return wider(type, value.type);
      if (isOpen(type) || isOpen(value.type)) {
        return dyn(Math.max(dynOf(type).slot, dynOf(value.type).slot));
      }
      if (type.kind === value.type.kind) return type.slot >= value.type.slot ? type : value.type;
      throw this.fault("type",
        `The values are of different types: ${say(type)} and ${say(value.type)}`, value.span);
    }, first.type);
  }

  /** Both sides as one kind, or a fault: what cannot be compared is a mistake, not FALSE. */
  protected reconcile(left: Bound, right: Bound, span: Span): [Bound, Bound] {
    if (isNullLiteral(left)) return [this.as(left, right.type), right];
    if (isNullLiteral(right)) return [left, this.as(right, left.type)];
    if (isOpen(left.type) || isOpen(right.type)) return [this.untyped(left), this.untyped(right)];
    this.comparable(left);
    this.comparable(right);
    const [a, b] = [left.type.kind, right.type.kind];
    if (isNumber(left.type) && isNumber(right.type)) {
      const type = wider(left.type, right.type);
      return [this.as(left, type), this.as(right, type)];
    }
    if (a === b) return [left, right];
    if (a === "time" && isNumber(right.type)) return [left, this.as(right, time)];
    if (a === "time" && b === "text") return [left, this.#time(right)];
    if (b === "time" && left.kind === "literal") {
      return [a === "text" ? this.#time(left) : this.as(left, time), right];
    }
    const quoted = [left, right].find((node) => node.kind === "literal" &&
      typeof node.value === "string" && node.value.trim() !== "" &&
      Number.isFinite(Number(node.value)));
    throw this.fault("type",
      `${capital(say(left.type))} cannot be compared with ${say(right.type)}` +
        (quoted === undefined ? "" : "; a number stands without quotes"), span);
  }

  protected compare(op: BoundBinaryOp, left: Bound, right: Bound, span: Span): Bound {
    const [a, b] = this.reconcile(left, right, span);
    const { kind } = a.type;
    if ((kind === "bool" || kind === "bytes") && op !== "=" && op !== "!=") {
      throw this.fault("type", `${kind === "bool" ? "Booleans" : "Bytes"} have no order: ` +
        `\`${op}\` cannot compare them`, span);
    }
    return this.node({ kind: "binary", op, left: a, right: b, type: bool, span });
  }

  /** With a float beside it the result is one; else whole or not is known only in the row. */
  protected openArithmetic(op: BoundBinaryOp, left: Bound, right: Bound, span: Span): Bound {
    const float = [left, right].some(({ type }) => type.kind === "float64");
    const known = [left, right].filter((node) => !isOpen(node.type) && !isNullLiteral(node));
    known.forEach((node) => this.number(node));
    if (bitwise.has(op)) {
      const [a, b] = [left, right].map((node) => this.as(this.argument("i", node), int53));
      return this.node({ kind: "binary", op, left: a!, right: b!, type: int53, span });
    }
    const type = float && known.length > 0 ? float64 : dyn(16);
    const [a, b] = [left, right].map((node) => (type === float64
      ? this.as(this.number(node), float64) : this.untyped(node)));
    return this.node({ kind: "binary", op, left: a!, right: b!, type, span });
  }

  /** As arithmetic, its numbers parameters of the rule: no texts are looked at on each row. */
  protected line(x: Bound, { minus, times, over, plus }: Line, span: Span): Bound {
    const step = (op: BoundBinaryOp, left: Bound, value: number): Bound => this.node({
      kind: "binary", op, left, type: float64, span,
      right: this.node({ kind: "literal", value, type: float64, span }),
    });
    return step("+", step("/", step("*", step("-", x, minus), times), over), plus);
  }
}
