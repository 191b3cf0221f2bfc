import { readFileSync } from "node:fs";
import { join } from "node:path";
import { runCast } from "./cast.ts";
import { runFunction } from "./functions.ts";
import { runOperator } from "./operators.ts";
import { runParser } from "./parser.ts";
import { rulesOf } from "./rules.ts";
import { type Case, cases, type Outcome } from "./vectors.ts";

export interface Report {
  readonly set: string;
  readonly passed: number;
  readonly failed: readonly { readonly id: string; readonly why: string }[];
  readonly deviating: number;
  readonly unsupported: ReadonlyMap<string, number>;
}

export const sets = ["parser", "operators", "functions", "rules", "cast"] as const;
export type SetName = (typeof sets)[number];

function runnerOf(directory: string, set: SetName): (c: Case) => Outcome {
  switch (set) {
    case "parser": return runParser;
    case "operators": return runOperator;
    case "functions": return runFunction;
    case "rules": return rulesOf(directory);
    case "cast": return runCast;
  }
}

/** Cases that may fail, each with its reason. */
export function deviations(): ReadonlyMap<string, string> {
  const text = readFileSync(join(import.meta.dir, "deviations.json"), "utf8");
  return new Map((JSON.parse(text) as { id: string; reason: string }[])
    .map((d) => [d.id, d.reason]));
}

/** Runs one set; a listed deviation that passes is a failure of the list. */
export function runSet(directory: string, set: SetName): Report {
  const run = runnerOf(directory, set);
  const listed = deviations();
  const failed: { id: string; why: string }[] = [];
  const unsupported = new Map<string, number>();
  let passed = 0, deviating = 0;
  for (const c of cases(directory, set)) {
    const outcome = run(c);
    const reason = listed.get(c.id);
    if (outcome.kind === "unsupported" && reason === undefined) {
      const why = outcome.why.replace(/^\d+:\d+: /, "");
      unsupported.set(why, (unsupported.get(why) ?? 0) + 1);
    } else if (outcome.kind === "passed") {
      passed += 1;
      if (reason !== undefined) {
        failed.push({ id: c.id, why: "passes, and so is no deviation any more" });
      }
    } else if (reason !== undefined) {
      deviating += 1;
    } else {
      failed.push({ id: c.id, why: outcome.why });
    }
  }
  return { set, passed, failed, deviating, unsupported };
}
