import type { RE2JS } from "re2js";
import { remember } from "../base.ts";
import type { TagPolicy } from "./model.ts";

/**
 * A policy's pattern is a regular expression of RE2, as those of SQL are: no text, whoever sends
 * it, makes one take more than time proportional to its length.
 */
let engine: typeof import("re2js") | undefined;

const compiled = remember((pattern): RE2JS | { readonly fault: string } => {
  // Loaded by the first policy that has one.
  engine ??= require("re2js") as typeof import("re2js");
  try {
    return engine.RE2JS.compile(pattern);
  } catch (thrown) {
    if (!(thrown instanceof engine.RE2JSException)) throw thrown;
    return { fault: thrown.message };
  }
});

/** What is wrong with a pattern, or null. */
export function patternFault(pattern: string): string | null {
  const found = compiled(pattern);
  return "fault" in found ? found.fault : null;
}

/** True if the policy lets this text be written: none, if it says nothing of texts. */
export function allowsText({ texts }: TagPolicy, text: unknown): boolean {
  if (texts === null || typeof text !== "string") return false;
  if ("values" in texts) return texts.values.includes(text);
  const found = compiled(texts.pattern);
  return !("fault" in found) && found.matches(text);
}
