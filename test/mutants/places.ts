import { type Program, type StagePlan } from "../../src/sql.ts";
import { guarded } from "./mutate.ts";

/** A kernel of a program, and what the program is with another text in its place. */
export interface Place {
  readonly text: string;
  change(text: string): Program;
}

/** Every kernel text of a program. */
export function placesOf(program: Program): Place[] {
  return program.stages.flatMap((stage, i) => textsIn(stage).map(({ text, change }) => ({
    text,
    change: (changed) => ({ ...program,
      stages: program.stages.map((s, j) => (i === j ? change(changed) as StagePlan : s)) }),
  })));
}

interface Text {
  readonly text: string;
  change(text: string): object;
}

/** Texts of kernels; a stage that has steps inside runs theirs, and its own is all of them. */
function textsIn(plan: object): Text[] {
  const isKept = "keep" in plan;
  return Object.entries(plan).flatMap(([name, value]: [string, unknown]): Text[] => {
    const put = (made: unknown): object => (Array.isArray(plan)
      ? plan.map((one, i) => (String(i) === name ? made : one)) : { ...plan, [name]: made });
    if (typeof value === "string") {
      return value.startsWith("function ") && !isKept ? [{ text: value, change: put }] : [];
    }
    if (typeof value !== "object" || value === null) return [];
    return textsIn(value).map(({ text, change }) =>
      ({ text, change: (changed) => put(change(changed)) }));
  });
}

/** A program of which no kernel goes on for ever, whatever another has written over its rings. */
export const guardedProgram = (program: Program): Program =>
  placesOf(program).reduce((made, _, i) => {
    const { text, change } = placesOf(made)[i]!;
    return change(guarded(text));
  }, program);
