import { regexpOf } from "../base.ts";
import type { TagPolicy } from "./model.ts";

/** What is wrong with a pattern, or null. */
export function patternFault(pattern: string): string | null {
  const found = regexpOf(pattern);
  return "fault" in found ? found.fault : null;
}

/** True if the policy lets this text be written: none, if it says nothing of texts. */
export function allowsText({ texts }: TagPolicy, text: unknown): boolean {
  if (texts === null || typeof text !== "string") return false;
  if ("values" in texts) return texts.values.includes(text);
  const found = regexpOf(texts.pattern);
  return !("fault" in found) && found.matches(text);
}
