import { z } from "zod";
import { limits } from "../base.ts";
import { tagColumn, type ColumnSpec, type Fallback, type Shape } from "../ring.ts";
import { typeText } from "./fields.ts";

/**
 * A column of messages: a type, a type with a default, or the form of an array or object, whose
 * parts are written in the same way.
 */
export type ColumnText =
  | z.output<typeof typeText>
  | { readonly type: z.output<typeof typeText>; readonly default?: Fallback | undefined }
  | { readonly array: ColumnText; readonly bytes?: number | undefined }
  | { readonly struct: Readonly<Record<string, ColumnText>>; readonly bytes?: number | undefined };

const bytes = z.int().min(16).max(limits.slot_bytes_max).optional()
  .describe("bytes that a value takes at most; `valueBytes` of the source if left out");

const parts: z.ZodType<ColumnText> = z.lazy(() => columnText);

const typed = z.strictObject({
  type: typeText.describe("type of the value"),
  default: z.union([z.boolean(), z.number(), z.string()]).optional()
    .describe("stands in where a message has no such value, with the quality " +
      "`uncertain:substituted`; of whole numbers past 2^53 it is written as text"),
}).superRefine(({ type, default: fallback }, context) => {
  if (fallback === undefined || fits(fallback, tagColumn("", type))) return;
  context.addIssue({ code: "custom", path: ["default"],
    message: `expected a value of the type ${type}` });
});

export const columnText = z.union([
  typeText, typed,
  z.strictObject({ array: parts.describe("what its items are"), bytes }),
  z.strictObject({
    struct: z.record(z.string().min(1), parts).describe("its fields"), bytes,
  }),
]).meta({ title: 'a type such as "float64" or "text(16)", { "type", "default" }, { "array" } or ' +
  '{ "struct" }' });

/** True if the value can stand in the column. */
function fits(value: Fallback, { kind, slot }: ColumnSpec): boolean {
  switch (kind) {
    case "bool": return typeof value === "boolean";
    case "text": return typeof value === "string" && Buffer.byteLength(value) <= slot;
    case "float64": case "time": return typeof value === "number";
    case "int53": return Number.isSafeInteger(value);
    case "int64":
      return typeof value === "string" ? /^-?\d{1,19}$/.test(value) && within64(BigInt(value))
        : Number.isSafeInteger(value);
    default: return false;
  }
}

const within64 = (value: bigint): boolean => BigInt.asIntN(64, value) === value;

/** `most`: bytes of an array or object that does not say how many it takes. */
export function columnOf(name: string, text: ColumnText, most: number): ColumnSpec {
  if (typeof text === "string") return tagColumn(name, text);
  if ("type" in text) {
    const { type, default: fallback } = text;
    return { ...tagColumn(name, type), ...(fallback === undefined ? {} : { fallback }) };
  }
  return { name, kind: "dyn", slot: Math.ceil((text.bytes ?? most) / 8) * 8, shape: shapeOf(text) };
}

function shapeOf(text: ColumnText): Shape {
  if (typeof text !== "string" && "array" in text) {
    return { of: "array", item: shapeOf(text.array) };
  }
  if (typeof text !== "string" && "struct" in text) {
    const fields = Object.entries(text.struct).map(([name, part]) => ({
      name, shape: shapeOf(part),
      ...(typeof part !== "string" && "type" in part && part.default !== undefined
        ? { fallback: part.default } : {}),
    }));
    return { of: "struct", fields };
  }
  const { kind, slot } = tagColumn("", typeof text === "string" ? text : text.type);
  if (kind === "dyn") throw new TypeError("no type of the list is of no fixed type");
  return { of: "value", kind, slot };
}
