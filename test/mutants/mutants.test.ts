import { expect, test } from "bun:test";
import type { Program, StagePlan } from "../../src/sql.ts";
import { type Case, caseOf, type Done } from "../sql/differential.ts";
import { guarded, type Mutant, mutantsOf } from "./mutate.ts";
import { reasonOf } from "./equivalent.ts";

/** Programs whose kernels are changed. */
const count = Number(process.env.SOAK_COUNT ?? 8);
/** Without a count one mutant of so many is tried: a look in the check, all of them in the soak. */
const every = process.env.SOAK_COUNT === undefined ? 61 : Number(process.env.SOAK_EVERY ?? 1);
const seed = Number(process.env.SOAK_SEED ?? 20_261_126);
/** Sets of rows that a mutant must stand: the suite gives each shape far more than one, too. */
const row_sets = 12;
const rounds_max = 50_000;

declare global {
  var rounds: number;
}

type Texts = "text" | "emitText";

/** A stage whose kernels are texts of its own, and where it stands in its program. */
interface Place {
  readonly text: string;
  change(text: string): Program;
}

/** Every kernel text of a program, and how the program is with another in its place. */
function placesOf(program: Program): Place[] {
  const inStage = (i: number, stage: StagePlan): Program =>
    ({ ...program, stages: program.stages.map((s, j) => (i === j ? stage : s)) });
  return program.stages.flatMap((stage, i): Place[] => {
    const own = (plan: object, put: (changed: object) => StagePlan): Place[] =>
      (["text", "emitText"] as Texts[]).flatMap((name) => {
        const text = (plan as Record<string, unknown>)[name];
        return typeof text !== "string" || text === "" ? []
          : [{ text, change: (changed) => inStage(i, put({ ...plan, [name]: changed })) }];
      });
    if (stage.kind === "infer") return [];
    if (stage.kind !== "kept") return own(stage, (s) => s as StagePlan);
    return [...own(stage.keep, (keep) => ({ ...stage, keep }) as StagePlan),
      ...own(stage.fold, (fold) => ({ ...stage, fold }) as StagePlan)];
  });
}

const same = (a: Done, b: Done): boolean =>
  a.errors === b.errors && a.rows.length === b.rows.length
  && a.rows.every((row, i) => row === b.rows[i]);

/** Whether some rows tell a changed program from the right one. */
function isFound(one: Case, program: Program, expected: (set: number) => Done): boolean {
  for (let set = 0; set < row_sets; set++) {
    globalThis.rounds = rounds_max;
    try {
      if (!same(one.run(program, one.seed + set), expected(set))) return true;
    } catch {
      // It does not even run: nothing could be more visible.
      return true;
    }
  }
  return false;
}

test(`mutants of generated code are found (${count} programs from seed ${seed})`, () => {
  let all = 0, found = 0, explained = 0;
  const survivors = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const one = caseOf(seed + i);
    if (one === null) continue;
    const known: Done[] = [];
    const expected = (set: number): Done => (known[set] ??= one.expected(one.seed + set));
    for (const place of placesOf(one.program)) {
      for (const [n, mutant] of mutantsOf(place.text).entries()) {
        if ((n + i) % every !== 0) continue;
        all += 1;
        if (isFound(one, place.change(guarded(mutant.text)), expected)) found += 1;
        else if (reasonOf(mutant) !== null) explained += 1;
        else note(survivors, mutant);
      }
    }
    if (process.env.SOAK_COUNT !== undefined && i % 10 === 9) {
      console.log(`${i + 1} programs: ${all} mutants, ${found} found, ${explained} equivalent`);
    }
  }
  const score = found / (all - explained);
  console.log(`${all} mutants, ${explained} equivalent by rule, ${found} found of the others: ` +
    `${(score * 100).toFixed(2)} %`);
  for (const [what, n] of [...survivors].sort((a, b) => b[1] - a[1])) {
    console.log(`  ${n} × ${what}`);
  }
  expect(all).toBeGreaterThan(100);
  expect(score).toBeGreaterThan(0.95);
}, 7_200_000);

/** Survivors of one kind are one line: names without their numbers. */
function note(survivors: Map<string, number>, { change, line }: Mutant): void {
  const what = `${change} in ${line.replace(/([a-z_]+?)\d+/g, "$1#")}`;
  survivors.set(what, (survivors.get(what) ?? 0) + 1);
}
