/** Configuration -> graph of steps -> roles and turns. Names no concrete component. */
export { buildGraph, type Components, type Graph, type MemoryLine } from "./runtime/graph.ts";
export { planText } from "./runtime/memory.ts";
export { serveRole } from "./runtime/remote.ts";
export { startRuntime } from "./runtime/runtime.ts";
export { runSerialWorker } from "./runtime/serial-worker.ts";
export { machineWorld } from "./runtime/world.ts";
export type { SerialInit } from "./runtime/serial.ts";
export type { WatchInit } from "./runtime/watch.ts";
export type {
  AlarmView, AuditQuery, DeviceView, Health, LinkView, PollView, RowView, RuleView, Runtime,
  StreamView, TableView, TagView, WhyView, WriteAnswer, WriteRequest, ArmRequest, ProofView,
  DisarmRequest,
} from "./runtime/view.ts";
