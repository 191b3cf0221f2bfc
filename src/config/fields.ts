import { z } from "zod";
import { duration, formatDuration, limits } from "../base.ts";
import { arrayOf, itemTypes, tagTypes, type TagType } from "../ring.ts";

/**
 * Kinds of settings that stand in more than one place. `title` is what a value of the kind is
 * called in a problem ("expected …") and in the published JSON Schema.
 */

/** Text with units that becomes milliseconds: `durationText("1ms", "1d").prefault("1s")`. */
export function durationText(least: string, most: string) {
  const [min, max] = [duration(least)!, duration(most)!];
  const such = formatDuration(example(min, max));
  const kind = `a duration from ${least} to ${most}, such as "${such}"`;
  return z.string().meta({ title: kind }).transform((text, context) => {
    const ms = duration(text);
    if (ms !== null && ms >= min && ms <= max) return ms;
    context.addIssue({ code: "custom", message: `expected ${kind}` });
    return z.NEVER;
  });
}

/** A round example inside the bounds. */
function example(min: number, max: number): number {
  return [1000, 100, 60_000, 10].find((ms) => ms >= min && ms <= max) ?? max;
}

const sizeUnits: Readonly<Record<string, number>> = { KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30 };

/** Text with a unit that becomes bytes: `32MB`. */
export function sizeText(least: string, most: string) {
  const [min, max] = [bytesOf(least)!, bytesOf(most)!];
  const kind = `a size from ${least} to ${most}, such as "32MB"`;
  return z.string().meta({ title: kind }).transform((text, context) => {
    const bytes = bytesOf(text);
    if (bytes !== null && bytes >= min && bytes <= max) return bytes;
    context.addIssue({ code: "custom", message: `expected ${kind}` });
    return z.NEVER;
  });
}

function bytesOf(text: string): number | null {
  const match = /^(\d+) ?(KB|MB|GB)$/.exec(text);
  return match ? Number(match[1]) * sizeUnits[match[2]!]! : null;
}

/** A password or token: only ever a reference, so that a configuration can be passed around. */
export function secretText() {
  return z.string().meta({
    title: 'a reference to a secret: "env:NAME" (environment) or "file:path"', writeOnly: true,
  });
}

const nameCharacters = "letters, digits, _ and -, beginning with a letter";

/** Of links, devices, tags, groups, rules …: what can stand in SQL, a topic and a file name. */
export const nameText = z.string()
  .regex(/^(?!__)[A-Za-z_][A-Za-z0-9_-]{0,127}$/)
  .meta({ title: `a name of ${nameCharacters}` });

/** A name, or a pattern that stands for a row of devices: `m-{01..32}`. */
export const devicePattern = z.string()
  .regex(/^(?!__)(?:[A-Za-z_][A-Za-z0-9_-]*(?:\{\d+\.\.\d+\}[A-Za-z0-9_-]*)?)$/)
  .meta({ title: `a name of ${nameCharacters}, or a pattern such as m-{01..32}` });

const typeKind = `a type: ${tagTypes.join(", ")}, text(n), bytes(n) or json(n) ` +
  `with n from 1 to ${limits.slot_bytes_max} bytes`;
const arrayKind = `; or an array of numbers or bool, such as float32[8], of 1 to ` +
  `${limits.array_items_max} items`;

function typeOf(kind: string, isKnown: (text: string) => boolean) {
  return z.string().meta({ title: kind }).transform((text, context): TagType => {
    if (!isKnown(text)) context.addIssue({ code: "custom", message: `expected ${kind}` });
    return text as TagType;
  });
}

function isOne(text: string): boolean {
  const slotted = /^(?:text|bytes|json)\((\d{1,6})\)$/.exec(text);
  return slotted
    ? Number(slotted[1]) >= 1 && Number(slotted[1]) <= limits.slot_bytes_max
    : (tagTypes as readonly string[]).includes(text);
}

function isArray(text: string): boolean {
  const array = arrayOf(text);
  return array !== null && itemTypes.includes(array.item) &&
    array.count >= 1 && array.count <= limits.array_items_max;
}

/** Of one value. */
export const typeText = typeOf(typeKind, isOne);

/** Of a tag that is read from equipment. */
export const tagTypeText = typeOf(typeKind + arrayKind, (text) => isOne(text) || isArray(text));

/** Names that a wrong type may have meant. */
export const typeNames: readonly string[] = [...tagTypes, "text(16)", "bytes(16)", "json(256)",
  "float32[8]"];
