import { isNumberType, type TagType } from "../ring.ts";
import type { StaticTag } from "./model.ts";
import type { TagText } from "./schema.ts";
import { below, type Findings, type Origin } from "./problem.ts";

/** A constant has no address and nothing that says how a raw value is read. */
const others = ["at", "scale", "offset", "rawRange", "euRange", "signal", "decimals", "wordOrder",
  "access"] as const;

/** Tells what a constant tag must not have, and whether its value fits its type. */
export function checkStatic(tag: TagText, origin: Origin, findings: Findings): void {
  for (const setting of others) {
    if (tag[setting] === undefined) continue;
    findings.at(below(origin, setting), "a `static` tag is a constant: this has no meaning for it");
  }
  const { type, static: value } = tag;
  if (type === undefined || fits(value!, type)) return;
  findings.at(below(origin, "static"), `no ${type}`);
}

function fits(value: number | boolean | string, type: TagType): boolean {
  if (typeof value === "boolean") return type === "bool";
  if (typeof value === "number") {
    return isNumberType(type) && (type.startsWith("float") || Number.isSafeInteger(value));
  }
  const slot = /^text\((\d+)\)$/.exec(type);
  return slot !== null && Buffer.byteLength(value) <= Number(slot[1]);
}

/** `fill` puts the number of a device's pattern in the place of `{n}`. */
export function staticTag(
  device: string, name: string, tag: TagText, fill: (text: string) => string,
): StaticTag {
  const value = typeof tag.static === "string" ? fill(tag.static) : tag.static!;
  return { id: `${device}.${name}`, name, type: tag.type ?? typeOf(value), value,
    eu: tag.eu ?? null };
}

function typeOf(value: number | boolean | string): TagType {
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isSafeInteger(value) ? "int64" : "float64";
  return `text(${Math.max(1, Buffer.byteLength(value))})`;
}
