import type { RingLayout } from "../ring.ts";
import type { Gateway, Profile, Source } from "../config.ts";
import type { Program } from "../sql.ts";
import type { TablePlan } from "./lookup.ts";
import type { Graph, LinkPlan, Outflow, PermitPlan, RulePlan, StreamPlan } from "./graph.ts";

/** `all` = one thread does everything; else each of the two has its share. */
export type RoleName = "all" | "control" | "data";

export const roleNames = ({ threads }: Profile): readonly RoleName[] =>
  threads === 1 ? ["all"] : ["control", "data"];

/** What of a graph one role does: all that it is told of it. */
export interface Share {
  readonly role: RoleName;
  readonly gateway: Gateway;
  /** Streams that this role writes. */
  readonly streams: readonly StreamPlan[];
  /**
   * Streams of another role that it reads: rings that a bridge fills. Whole, so that a rule which
   * comes later and reads another column does not make those that run begin anew.
   */
  readonly imports: readonly RingLayout[];
  readonly links: readonly LinkPlan[];
  readonly rules: readonly RulePlan[];
  readonly permits: readonly PermitPlan[];
  /** Tables that its rules look rows up in, join or read; each role has its own cache. */
  readonly tables: readonly TablePlan[];
  readonly sources: readonly Source[];
  readonly sinks: readonly Outflow[];
  /** The link that commands come by, or null. */
  readonly commands: string | null;
}

/** `control`: links, the gate, and every rule with a path to a write; `data`: the rest. */
export function shareOf(graph: Omit<Graph, "memory">, role: RoleName): Share {
  const { gateway } = graph;
  const control = rulesToWrites(graph.rules);
  const here = (isControl: boolean): boolean =>
    role === "all" || (role === "control") === isControl;
  const rules = graph.rules.filter((plan) => here(control.has(plan.rule.name)));
  const streams = graph.streams.filter((stream) =>
    here(stream.from === "group" || stream.from === "history" ||
      (stream.from !== "source" && control.has(stream.name))));
  const sinks = here(false) ? graph.sinks : [];
  const permits = here(true) ? graph.permits : [];
  return {
    // Its rules stand in their plans; devices are asked about where their links are.
    gateway: { ...gateway, rules: [], devices: here(true) ? gateway.devices : [] },
    role, streams, rules, permits, sinks,
    imports: importsOf(graph, streams, [...rules, ...permits].map((plan) => plan.program), sinks),
    tables: graph.tables.filter(({ table: { name } }) =>
      rules.some(({ program }) => program.tables.includes(name)) ||
      streams.some((stream) => stream.from === "table" && stream.name === name)),
    links: here(true) ? graph.links : [],
    sources: here(false) ? gateway.sources : [],
    commands: here(false) ? gateway.commands?.link ?? null : null,
  };
}

/** Rules that write, and every rule that one of them reads. */
export function rulesToWrites(rules: readonly RulePlan[]): Set<string> {
  const found = new Set<string>();
  // Backwards: each rule reads only what stands before it.
  for (const { rule, program } of [...rules].reverse()) {
    if (!rule.to.some((target) => target.kind === "write") && !found.has(rule.name)) continue;
    found.add(rule.name);
    for (const input of program.inputs) for (const stream of input.streams) found.add(stream);
    for (const newest of program.newest) found.add(newest.stream);
  }
  return found;
}

/** Tags that one rule writes, or that are written by rules which read it, through others too. */
export function tagsAfter(rules: readonly RulePlan[], name: string): Set<string> {
  const after = new Set([name]);
  const tags = new Set<string>();
  // Each rule reads only what stands before it.
  for (const { rule, program } of rules) {
    const reads = [...program.inputs.flatMap((input) => input.streams),
      ...program.newest.map(({ stream }) => stream)];
    if (reads.some((stream) => after.has(stream))) after.add(rule.name);
    if (!after.has(rule.name)) continue;
    for (const target of rule.to) if (target.kind === "write") tags.add(target.tag);
  }
  return tags;
}

function importsOf(
  { streams }: Pick<Graph, "streams">, own: readonly StreamPlan[], programs: readonly Program[],
  sinks: Share["sinks"],
): RingLayout[] {
  const needed = new Set([
    ...programs.flatMap(({ inputs, newest }) =>
      [...inputs.flatMap((input) => input.streams), ...newest.map(({ stream }) => stream)]),
    ...sinks.map(({ stream }) => stream),
  ]);
  for (const { name } of own) needed.delete(name);
  return streams.filter(({ name }) => needed.has(name)).map(({ layout }) => layout);
}
