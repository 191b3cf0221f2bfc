import type { RE2JS } from "re2js";
import { limits, regexpOf, remember } from "../../base.ts";
import type { ArgumentType, ScalarFunction } from "./record.ts";

/** Expressions are RE2's, as in eKuiper. */
const expression = (pattern: string): RE2JS | undefined => {
  const found = regexpOf(pattern);
  return "fault" in found ? undefined : found;
};

function regexpFault(pattern: string | number): string | null {
  const found = regexpOf(String(pattern));
  return "fault" in found ? `This is no regular expression of RE2: ${found.fault}` : null;
}

/** A replacement: texts, and numbers or names of groups. */
type Template = readonly (string | { readonly group: string })[];

const template = remember((text): Template => {
  const parts: (string | { group: string })[] = [];
  let from = 0;
  for (const match of text.matchAll(/\$(?:(\$)|(\w+)|\{(\w+)\})/g)) {
    const [whole, dollar, name, braced] = match;
    parts.push(text.slice(from, match.index), dollar ?? { group: (name ?? braced)! });
    from = match.index + whole.length;
  }
  return [...parts, text.slice(from)];
});

function replace(text: string, pattern: string, by: string): string | undefined {
  const found = expression(pattern);
  if (found === undefined) return undefined;
  const names = found.namedGroups(), count = found.groupCount(), parts = template(by);
  const matcher = found.matcher(text);
  let result = "", from = 0, last = -1;
  while (matcher.find()) {
    const start = matcher.start(), end = matcher.end();
    // Nothing, directly after a match, is no match of its own.
    if (start === end && start === last) continue;
    result += text.slice(from, start);
    for (const part of parts) {
      if (typeof part === "string") result += part;
      else {
        const group = /^\d+$/.test(part.group) ? Number(part.group) : names[part.group];
        if (group !== undefined && group <= count) result += matcher.group(group) ?? "";
      }
    }
    from = last = end;
    // No cell has room for more.
    if (result.length > limits.slot_bytes_max) return result;
  }
  return result + text.slice(from);
}

/** Each character may be replaced; what grows past this much more is an error of its row. */
const growth_max = 1024;

function replacedSlot([text, , by]: readonly ArgumentType[]): number {
  const bytes = typeof by!.constant === "string" ? Buffer.byteLength(by!.constant) : by!.slot;
  return Math.min(text!.slot * Math.max(1, bytes) + bytes, text!.slot + growth_max);
}

export const regexp: readonly ScalarFunction[] = [
  {
    name: "regexp_matches", parameters: "ss", result: "bool", refuses: "constants", nulls: "sees",
    takes: "text, pattern",
    doc: "Whether the regular expression (RE2) matches somewhere in the text; NULL: no",
    constants: { 1: regexpFault },
    examples: [["regexp_matches('seafood', 'fo+')", "TRUE"],
      ["regexp_matches('seafood', '^fo+')", "FALSE"]],
    body: (text: string | null, pattern: string | null) =>
      text !== null && pattern !== null && expression(pattern)?.test(text),
  },
  {
    name: "regexp_replace", parameters: "sss", result: "text", refuses: "constants",
    slot: replacedSlot,
    takes: "text, pattern, by",
    doc: "With each match replaced; `$1` or `${name}` is what a group matched, `$$` a `$`",
    constants: { 1: regexpFault },
    examples: [["regexp_replace('-ab-axxb-', 'a(x*)b', '[$1]')", "'-[]-[xx]-'"]],
    body: replace,
  },
  {
    name: "regexp_substr", parameters: "ss",
    result: "text", refuses: "constants", constants: { 1: regexpFault },
    takes: "text, pattern",
    doc: "The first match; where there is none an empty text",
    examples: [["regexp_substr('seafood', 'fo+')", "'foo'"]],
    body: (text: string, pattern: string) => {
      const matcher = expression(pattern)?.matcher(text);
      return matcher === undefined ? undefined : matcher.find() ? matcher.group()! : "";
    },
  },
];
