/** Configuration -> graph of steps -> roles and turns. Names no concrete component. */
export type { ConfigurationFile } from "./runtime/changes.ts";
export type { Forecast } from "./runtime/forecast.ts";
export { buildGraph } from "./runtime/build.ts";
export type { Components, Graph, MemoryLine } from "./runtime/graph.ts";
export { turn_bounds_ms } from "./runtime/loop.ts";
export { planText } from "./runtime/memory.ts";
export { notesOf } from "./runtime/notes.ts";
export { serveRole } from "./runtime/remote.ts";
export { startRuntime } from "./runtime/runtime.ts";
export { Rpc, type Port } from "./runtime/rpc.ts";
export { runSerialWorker } from "./runtime/serial-worker.ts";
export { worstStations } from "./runtime/station.ts";
export { received, type Sent, sent } from "./runtime/travel.ts";
export { machineWorld } from "./runtime/world.ts";
export type { SerialInit } from "./runtime/serial.ts";
export type { WatchInit } from "./runtime/watch.ts";
export { ruleOrders } from "./runtime/view.ts";
export type {
  AlarmView, AuditQuery, ChangeAnswer, ConfigTexts, DeviceView, FrameView, Health, LinkStationView,
  LinkView, PollView, RowView, RuleView, Runtime, ShownValue, StreamView, TableView, TagView,
  WhyView, WriteAnswer, WriteRequest, ArmRequest, BroadcastView, DisarmAnswer, DisarmRequest,
  ProofView, ProvedView, TryAnswer,
} from "./runtime/view.ts";
