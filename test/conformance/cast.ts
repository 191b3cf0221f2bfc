import { runScalar } from "./functions.ts";
import { type Case, type Json, type Outcome, unsupported } from "./vectors.ts";

/** What `cast()` and `format_time()` do; what schemas do is decided elsewhere. */
export function runCast(c: Case): Outcome {
  if (c.kind === "format_time") {
    return runScalar("format_time", [c.value as Json, c.format as string], c.expect as Json);
  }
  if (c.kind !== "cast" || c.mode !== "all") return unsupported(`${c.kind} ${c.mode ?? ""}`);
  if (c.format !== undefined && c.format !== "") return unsupported("a pattern of time");
  return runScalar("cast", [c.value as Json, c.to as string], c.expect as Json);
}
