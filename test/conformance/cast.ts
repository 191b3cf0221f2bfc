import { runScalar } from "./functions.ts";
import { type Case, type Json, type Outcome, unsupported } from "./vectors.ts";

/** What `cast()` does; what schemas and patterns of time do is decided elsewhere. */
export function runCast(c: Case): Outcome {
  if (c.kind !== "cast" || c.mode !== "all") return unsupported(`${c.kind} ${c.mode ?? ""}`);
  if (c.format !== undefined && c.format !== "") return unsupported("a pattern of time");
  return runScalar("cast", [c.value as Json, c.to as string], c.expect as Json);
}
