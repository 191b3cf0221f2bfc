import { assert } from "../base.ts";
import { ArrangeStage } from "./arrange.ts";
import { AsofStage } from "./asof.ts";
import { RowsStage } from "./emit/stage.ts";
import { ExpandStage } from "./expand.ts";
import { FailuresStage } from "./failures.ts";
import { ReorderStage } from "./event/reorder.ts";
import { InferStage, type InferSite } from "./infer.ts";
import { LookupStage, type LookupSite } from "./lookup.ts";
import type { Site, Stage, StagePlan } from "./program.ts";
import { type ScannedTable, ScanStage } from "./scan.ts";
import { SilenceStage } from "./silence.ts";
import { InterruptedStage } from "./stateful/interrupted.ts";
import { KeptStage } from "./window/kept.ts";
import { WindowStage } from "./window/stage.ts";

/** A stage of generated code, bound to its rings. */
export function instantiate(plan: StagePlan, site: Site): Stage {
  switch (plan.kind) {
    case "rows": case "conditions": case "running":
      return new RowsStage(plan, site);
    case "stateful":
      return plan.interrupts.length === 0 ? new RowsStage(plan, site)
        : new InterruptedStage(plan, site);
    case "window": return new WindowStage(plan, site);
    case "kept": return new KeptStage(plan, site);
    case "arrange": return new ArrangeStage(plan, site);
    case "asof": return new AsofStage(plan, site);
    case "expand": return new ExpandStage(plan, site);
    case "failures": return new FailuresStage(plan, site);
    case "silence": return new SilenceStage(plan, site);
    case "reorder": return new ReorderStage(plan, site);
    case "infer": case "lookup": case "scan":
      assert(false, `${plan.kind} has a function of its own`);
  }
}

/** A stage that runs a model, bound to its rings and its model. */
export function instantiateInfer(plan: StagePlan, site: InferSite): Stage {
  assert(plan.kind === "infer", `${plan.kind} is no infer stage`);
  return new InferStage(plan, site);
}

/** A stage that asks a table, bound to its rings and its table. */
export function instantiateLookup(plan: StagePlan, site: LookupSite): Stage {
  assert(plan.kind === "lookup", `${plan.kind} is no lookup stage`);
  return new LookupStage(plan, site);
}

/** A stage that goes through a table, bound to its rings and its table. */
export function instantiateScan(plan: StagePlan, site: Site, table: ScannedTable): Stage {
  assert(plan.kind === "scan", `${plan.kind} is no scan stage`);
  return new ScanStage(plan, site, table);
}
