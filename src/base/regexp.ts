import type { RE2JS } from "re2js";
import { remember } from "./remember.ts";

let engine: typeof import("re2js") | undefined;

/**
 * A regular expression of RE2, or what is wrong with it: no pattern, and no text, makes one take
 * more than time proportional to both. JavaScript's own go back and forth.
 */
export const regexpOf = remember((pattern): RE2JS | { readonly fault: string } => {
  // Loaded by the first that is asked for: others pay no memory for it.
  engine ??= require("re2js") as typeof import("re2js");
  try {
    return engine.RE2JS.compile(pattern);
  } catch (thrown) {
    if (!(thrown instanceof engine.RE2JSException)) throw thrown;
    return { fault: thrown.message };
  }
});
