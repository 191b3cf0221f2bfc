import type { ColumnSpec } from "../../ring.ts";
import type { StagePlan } from "../program.ts";
import type { Param } from "./params.ts";

/** A column of a select list that takes one of the stage before it as it is. */
export interface Taken {
  readonly spec: ColumnSpec;
  readonly from: string;
}

/** Whether the list is these columns as they are; one asked for twice has a name too many. */
export function isList(list: readonly Taken[], columns: readonly ColumnSpec[]): boolean {
  const named = new Map(list.map(({ spec, from }) => [from, spec]));
  return list.length === columns.length && columns.every(({ name, kind, slot }) =>
    named.get(name)?.kind === kind && named.get(name)!.slot === slot);
}

/**
 * The stage as it gives its columns under the names of a select list, which then needs no stage of
 * its own; null if the list wants other columns than the stage has. `hidden` columns keep their
 * names and stand behind the others.
 */
export function giving(stage: StagePlan, list: readonly Taken[], hidden: string): StagePlan | null {
  if (!["rows", "running", "stateful", "window", "kept"].includes(stage.kind)) return null;
  if (!isList(list, stage.output.filter(({ name }) => name !== hidden))) return null;
  const named = new Map(list.map(({ spec, from }) => [from, spec]));
  const output = [...list.map(({ spec }) => spec),
    ...stage.output.filter(({ name }) => name === hidden)];
  const renamed = (param: Param): Param => param.of === "output" && "column" in param
    ? { ...param, column: named.get(param.column)?.name ?? param.column } : param;
  switch (stage.kind) {
    case "rows": case "running": case "stateful": case "window":
      return { ...stage, output, params: stage.params.map(renamed) };
    case "kept": {
      const { fold } = stage;
      return { ...stage, output, fold: { ...fold, output, params: fold.params.map(renamed) } };
    }
    default: return null;
  }
}
