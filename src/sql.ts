/** Text → stages. Pure: it knows columns and rings, never devices or sinks. */
export type { Catalog, CatalogStream, CatalogTable } from "./sql/bound.ts";
export { declaration } from "./sql/declare.ts";
export { SqlFault, type Span } from "./sql/fault.ts";
export { manual, type ManualEntry } from "./sql/manual.ts";
export { holdsBlindly } from "./sql/blind.ts";
export { compile, compileConditions } from "./sql/compile.ts";
export { StageAlarms } from "./sql/stateful/alarms.ts";
export { explain } from "./sql/explain.ts";
export type { EventTime } from "./sql/plan.ts";
export { misfitOf, type InferSite } from "./sql/infer.ts";
export { byEventTime, ReorderStage } from "./sql/event/reorder.ts";
export { answer, type StageTable } from "./sql/lookup.ts";
export { faultsOf, type UserFunction, type UserFunctions } from "./sql/rewrite/inline.ts";
export {
  instantiate, instantiateInfer, instantiateLookup, instantiateScan,
} from "./sql/instantiate.ts";
export type { ScannedTable } from "./sql/scan.ts";
export { inTurn } from "./sql/silence.ts";
export { stateHash, stateRanges, type StateRange } from "./sql/state.ts";
export type { Beginning } from "./sql/emit/params.ts";
export type {
  InputPlan, MemoryLine, NewestPlan, Program, Site, Stage, StageCounters, StagePlan,
} from "./sql/program.ts";
