import type { EventTime, Program } from "../../src/sql.ts";
import {
  type Bound, type BoundJoin, type BoundQuery, innerOf,
} from "../../src/sql/bound.ts";

/** What a case is made of: a group, and what of it. */
export type Feature = readonly [group: string, name: string];

interface Conditions {
  readonly strict: boolean;
  readonly lineage: boolean;
  readonly eventTime: EventTime | null;
  readonly sendError?: boolean;
}

/** What a query asks of the engine, each once: by this cases are counted. */
export function featuresOf(
  query: BoundQuery, program: Program,
  { strict, lineage, eventTime, sendError = false }: Conditions,
): Feature[] {
  const nodes = nodesOf(query);
  const found: Feature[] = [
    ...program.stages.map((stage): Feature => ["stages", stage.kind]),
    ...nodes.map(featureOf).filter((feature) => feature !== null),
    ...query.joins.map((join): Feature => ["joins", joinName(join)]),
    ...windowFeatures(query),
    ...query.aggregates.map(({ fn }): Feature => ["aggregates", fn]),
  ];
  const how: readonly (readonly [string, boolean])[] = [
    ["dyn", nodes.some(({ type }) => type.kind === "dyn")],
    ["int64", nodes.some(({ type }) => type.kind === "int64")],
    ["quality", nodes.some(({ kind }) => kind === "cell")],
    ["state", query.stateful.length > 0],
    ["state by key", query.stateful.some(({ partitionBy }) => partitionBy.length > 0)],
    ["state WHEN", query.stateful.some(({ when }) => when !== null)],
    ["newest value", query.newest.length > 0], ["model", query.infers.length > 0],
    ["event time", eventTime !== null], ["sendError", sendError],
    ["strict", strict], ["lineage", lineage],
    ["GROUP BY", query.groupBy.length > 0], ["EVICT OLDEST", query.evicts],
    ["HAVING", query.having !== null], ["DISTINCT", query.distinct],
    ["ORDER BY", query.orderBy.length > 0],
    ["query in FROM", innerOf(query) !== null], ["LIMIT", query.limit !== null],
    ["unnest", query.expand !== null],
    ["values in order", program.stages.some((s) => s.kind === "kept" && s.fold.slides)],
    ["window by key", query.window?.kind === "state" && query.window.partitionBy.length > 0],
  ];
  found.push(...how.filter(([, is]) => is).map(([name]): Feature => ["with", name]));
  return [...new Map(found.map((feature) => [feature.join(": "), feature])).values()];
}

/** Every expression in a query, and all below it. */
export function nodesOf(query: BoundQuery): Bound[] {
  const seen = new Set<object>();
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    for (const part of Object.values(value)) visit(part);
  };
  visit(query);
  return [...seen].filter((one): one is Bound => "kind" in one && "type" in one && "span" in one);
}

function featureOf(node: Bound): Feature | null {
  switch (node.kind) {
    case "binary": case "unary": return ["operators", node.op];
    case "in": case "like": case "isnull": case "case": case "coalesce": case "narrow":
      return ["operators", node.kind];
    case "cast": return ["operators", `cast to ${node.type.kind}`];
    case "stateful": return ["functions with state", node.fn];
    // Those of operators have no name that a query could call them by.
    case "call": return [node.fn.startsWith("$") ? "operators" : "functions", node.fn];
    default: return null;
  }
}

function joinName({ kind, key, scan, asof }: BoundJoin): string {
  const of = asof !== null ? "ASOF" : key !== null ? "lookup" : scan ? "table" : "window";
  return `${of} ${kind}`;
}

function windowFeatures({ window, aggregated }: BoundQuery): Feature[] {
  if (window === null) return aggregated ? [["windows", "none, running"]] : [];
  const conditional = window.kind === "sliding" && window.when !== null;
  return [["windows", window.kind], ...aggregated ? [] : [["windows", "rows as they are"] as const],
    ...window.filter === null ? [] : [["windows", "FILTER"] as const],
    ...conditional ? [["windows", "sliding WHEN"] as const] : []];
}
