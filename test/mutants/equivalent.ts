import type { Mutant } from "./mutate.ts";

/** Why a mutant that nothing told from the original means the same; null if nothing says so. */
export function reasonOf(_mutant: Mutant): string | null {
  return null;
}
