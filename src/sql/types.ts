import { isoTime, limits } from "../base.ts";
import type { ColumnKind } from "../ring.ts";
import type { Bound, BoundBinaryOp, BoundCast, BoundLiteral, BoundType } from "./bound.ts";
import type { Span } from "./fault.ts";

export const float64: BoundType = { kind: "float64", slot: 0 };
export const int53: BoundType = { kind: "int53", slot: 0 };
export const int64: BoundType = { kind: "int64", slot: 0 };
export const bool: BoundType = { kind: "bool", slot: 0 };
export const time: BoundType = { kind: "time", slot: 0 };

/** Room for so many bytes: at least `least`, and no more than any cell may have. */
const slotOf = (bytes: number, least: number): number =>
  Math.min(limits.slot_bytes_max, Math.max(least, Math.ceil(bytes / 8) * 8));

export const text = (bytes: number): BoundType => ({ kind: "text", slot: slotOf(bytes, 8) });

const encoder = new TextEncoder();
/** A value of no fixed type, in a cell of so many bytes at most. */
export const dyn = (bytes: number): BoundType => ({ kind: "dyn", slot: slotOf(bytes, 16) });

/** The same value without a fixed type: it takes some bytes for its kind, 5 for a short float. */
export function dynOf({ kind, slot }: BoundType): BoundType {
  switch (kind) {
    case "text": case "bytes": return dyn(slot + 5);
    case "json": return dyn(3 * slot);
    case "dyn": return { kind, slot };
    default: return dyn(16);
  }
}

export const textOf = (value: string): BoundType => text(encoder.encode(value).length);

export const isNumber = ({ kind }: BoundType): boolean =>
  kind === "float64" || kind === "int53" || kind === "int64";

/** Its kind is known only as the rule runs. */
export const isOpen = ({ kind }: BoundType): boolean => kind === "dyn" || kind === "json";

export const isWhole = ({ kind }: BoundType): boolean => kind === "int53" || kind === "int64";

/** What SQL says for a kind. */
export function say({ kind }: BoundType): string {
  switch (kind) {
    case "float64": return "a float";
    case "int53": case "int64": return "a whole number";
    case "bool": return "a boolean";
    case "time": return "a time";
    case "text": return "a text";
    case "bytes": return "bytes";
    case "json": return "a structure";
    case "dyn": return "of no fixed type";
  }
}

/** The kind that two numbers meet in: whole if both are, else float. */
export function wider(a: BoundType, b: BoundType): BoundType {
  if (a.kind === "float64" || b.kind === "float64") return float64;
  return a.kind === "int64" || b.kind === "int64" ? int64 : int53;
}

export const arithmetic = new Set<BoundBinaryOp>(["+", "-", "*", "/", "%"]);
export const bitwise = new Set<BoundBinaryOp>(["&", "|", "^"]);
export const comparison = new Set<BoundBinaryOp>(["=", "!=", "<", "<=", ">", ">="]);

export const nullOf = (type: BoundType, span: Span): BoundLiteral =>
  ({ kind: "literal", value: null, type, span });

export const isNullLiteral = (node: Bound): boolean => node.kind === "literal"
  && node.value === null;

/** Bytes that a value takes as text. */
function textSize(kind: ColumnKind): number {
  return kind === "bool" ? 8 : 32;
}

/** The node as `kind`: itself, another constant, or a cast. */
export function coerce(node: Bound, type: BoundType): Bound {
  const { kind } = type;
  if (node.type.kind === kind) return node;
  const slotted: BoundType = kind === "text" ? text(textSize(node.type.kind))
    : kind === "dyn" ? dynOf(node.type) : type;
  if (node.kind === "literal" && kind !== "dyn") {
    if (node.value === null) return { ...node, type: type.kind === "text" ? type : slotted };
    if (typeof node.value === "number"
      && (kind === "float64" || (kind === "time" && node.type.kind !== "time"))) {
      return { ...node, type: slotted };
    }
    if (typeof node.value === "number" && node.type.kind === "int53" && kind === "int64") {
      return { ...node, value: BigInt(node.value), type: slotted };
    }
  }
  if (isNullLiteral(node)) return nullOf(type, node.span);
  const cast: BoundCast = { kind: "cast", operand: node, type: slotted, span: node.span };
  return cast;
}

/** Milliseconds since the epoch of a text as ISO 8601 (UTC where it has no zone), or null. */
export function parseTime(value: string): number | null {
  const bytes = encoder.encode(value);
  const ms = isoTime(bytes, 0, bytes.length, "UTC");
  return Number.isNaN(ms) ? null : ms;
}

/** At the beginning of a sentence. */
export const capital = (text: string): string => text[0]!.toUpperCase() + text.slice(1);
