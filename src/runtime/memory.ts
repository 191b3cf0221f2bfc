import { limits, never } from "../base.ts";
import type { Connector } from "../connector.ts";
import { reserveOf } from "./blocks.ts";
import type { Graph, MemoryLine, RulePlan, StreamPlan } from "./graph.ts";
import { roleNames, shareOf } from "./share.ts";
import { bringers, sharedStages, sharers } from "./windows.ts";

const mega = (bytes: number): string => (bytes / 2 ** 20).toFixed(2).padStart(9);

/** The user's functions, then the memory plan, and whether that fits the profile's budget. */
export function planText(graph: Graph): { text: string; bytes: number; fits: boolean } {
  const { memory } = graph;
  const bytes = memory.reduce((sum, line) => sum + line.bytes, 0);
  const budget = graph.gateway.profile.memoryMB * 2 ** 20;
  const width = Math.max(...memory.map((line) => line.owner.length));
  const lines = [
    ...graph.gateway.functions.map(({ name, parameters, sql }) =>
      `function ${name}(${parameters.join(", ")}) = ${sql}`),
    ...memory.map((line) =>
      `${mega(line.bytes)} MB  ${line.owner.padEnd(width)}  ${line.what}`),
  ];
  const fits = bytes <= budget;
  const verdict = fits
    ? "fits" : "does not fit: take fewer tags, longer intervals or a larger profile";
  lines.push(`${mega(bytes)} MB  of ${graph.gateway.profile.memoryMB} MB ` +
    `(profile ${graph.gateway.profile.name}): ${verdict}`);
  return { text: lines.join("\n"), bytes, fits };
}

/**
 * What the process needs before any stream: engine, SQLite, HTTP, MQTT; measured, `docs/proofs.md`.
 */
const engine_bytes = 32 * 2 ** 20;
/** A worker thread of its own (a serial port, or a role). */
const worker_bytes = 4 * 2 ** 20;

/** A client library with one link, and with each of its tags; measured, `docs/proofs.md`. */
const client_bytes = 24 * 2 ** 20;
const client_tag_bytes = 5 * 1024;

/** What each owner takes of the memory, for as long as it is there. */
export function memoryOf(
  graph: Omit<Graph, "memory">, connectors: readonly Connector[],
): MemoryLine[] {
  const lines: MemoryLine[] = [
    { owner: "tagwerk", what: "engine, database, API", bytes: engine_bytes },
  ];
  for (const { link, driver, groups } of graph.links) {
    if (link.closed === true) continue;
    if (driver.medium === "serial") {
      lines.push({ owner: link.name, what: "serial worker", bytes: worker_bytes });
    } else if (driver.medium === "client") {
      const tags = groups.reduce((sum, group) => sum + group.tags.length, 0);
      lines.push({ owner: link.name, what: `client library, ${tags} tags`,
        bytes: client_bytes + tags * client_tag_bytes });
    }
  }
  for (const stream of graph.streams) {
    const what = `ring, ${stream.layout.rows} rows × ${stream.layout.columns.length} columns`;
    lines.push({ owner: stream.name, what: whatStream(stream, what), bytes: stream.layout.bytes });
    if (stream.journal !== null) {
      lines.push({ owner: stream.name, what: "inlet of the journal", bytes: stream.layout.bytes });
    }
  }
  const bringing = bringers(graph.rules);
  for (const rule of graph.rules) lines.push(...ruleLines(rule, graph, bringing.has(rule)));
  const state = graph.rules.flatMap(({ program }) => program.stages)
    .reduce((sum, { stateBytes }) => sum + stateBytes, 0);
  lines.push({ owner: "tagwerk", what: "checkpoint, pages that wait for the disk",
    bytes: Math.min(state, limits.checkpoint_waiting_bytes) });
  for (const { table, layout, indexBytes } of graph.tables) {
    lines.push({ owner: table.name, what: table.key === null
      ? `table, twice ${table.capacity} rows` : `table, ${layout.rows} rows known`,
      bytes: layout.bytes + indexBytes });
  }
  for (const model of graph.gateway.models) {
    lines.push({ owner: model.name, what: "model heap (cap)", bytes: model.memory });
  }
  const reserve = roleNames(graph.gateway.profile).map((role) => reserveOf(shareOf(graph, role)));
  lines.push({ owner: "tagwerk", what: "reserve for changes while it runs",
    bytes: reserve.reduce((sum, bytes) => sum + bytes, 0) });
  for (const { name, type, settings, closed } of graph.gateway.links) {
    const connector = closed === true ? undefined : connectors.find((one) => one.type === type);
    const bytes = connector?.link_bytes?.(settings) ?? 0;
    if (bytes > 0) lines.push({ owner: name, what: "clients, and what they read", bytes });
  }
  for (const { name, type } of graph.gateway.sources) {
    const bytes = connectors.find((one) => one.type === type)?.source_bytes ?? 0;
    if (bytes > 0) lines.push({ owner: name, what: "what was read and is no row yet", bytes });
  }
  return lines;
}

/** A window that rules share stands with the one that brings it. */
function ruleLines(
  plan: RulePlan, { rules }: Pick<Graph, "rules">, bringing: boolean,
): MemoryLine[] {
  const { rule: { name: owner }, program, layouts, gather } = plan;
  const shared = sharedStages(plan), from = bringing ? 0 : shared;
  const others = sharers(rules, plan).length;
  const rings = [...layouts.slice(from, -1), ...(gather === null || from > 0 ? [] : [gather])];
  return [
    ...rings.map(({ rows, bytes }) => ({ owner, what: `ring, ${rows} rows`, bytes })),
    ...program.memory.flatMap(({ what, bytes }, i): MemoryLine[] => {
      const sharing = i < shared && others > 0
        ? `, shared with ${others} other rule${others === 1 ? "" : "s"}` : "";
      return i < from || bytes === 0 ? [] : [{ owner, what: what + sharing, bytes }];
    }),
  ];
}

function whatStream(stream: StreamPlan, what: string): string {
  switch (stream.from) {
    case "group": return `${what}, one row every ${stream.interval} ms`;
    case "history": return `${what}, what was missed while its link was down`;
    case "source": return `${what}, source`;
    case "table": return `${what}, a table's rows when it was read`;
    case "rule": return `${what}, rule`;
    default: return never(stream.from, "stream");
  }
}
