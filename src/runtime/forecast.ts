import { limits } from "../base.ts";
import { diffGateways, type Difference } from "../config.ts";
import { widenings } from "../gate.ts";
import { fitsInto } from "../ring.ts";
import type { StagePlan } from "../sql.ts";
import { blocksOf } from "./blocks.ts";
import { keptOf, type Kept } from "./change.ts";
import type { Graph, LinkPlan, RulePlan } from "./graph.ts";
import { planText } from "./memory.ts";
import { roleNames, shareOf } from "./share.ts";
import type { LinkView } from "./view.ts";

/** What another configuration would do to what runs: plain data, as `plan` and REST show it. */
export interface Forecast {
  readonly configHash: { readonly before: string; readonly after: string };
  readonly policyHash: { readonly before: string; readonly after: string };
  readonly differences: readonly Difference[];
  /** Why it cannot be had while it runs, a sentence each; empty = it can. */
  readonly restart: readonly string[];
  /** Links and brokers that close, or begin. */
  readonly links: readonly LinkForecast[];
  readonly rules: readonly RuleForecast[];
  /** Tags of the policy that are not armed afterwards. */
  readonly disarms: readonly { readonly tag: string; readonly armed: boolean }[];
  readonly load: readonly LoadForecast[];
  readonly memory: {
    /** Bytes of the whole plan, and what the profile allows. */
    readonly before: number; readonly after: number; readonly budget: number;
    /** Bytes that the change takes of the reserve, before what is left is given back. */
    readonly taken: number;
  };
}

export interface LinkForecast {
  readonly name: string;
  readonly what: "begins" | "ends" | "restarts";
  /** What becomes of the rows meanwhile. */
  readonly gap: string;
}

export interface RuleForecast {
  readonly name: string;
  readonly what: "begins" | "ends" | "restarts";
  readonly why: string;
  /** State that is lost, in words; null = it has none. */
  readonly lost: string | null;
}

export interface LoadForecast {
  readonly link: string;
  /** TCP connections to the device, or 1 for a port. */
  readonly connections: number;
  readonly requestsPerSecond: number;
  /** Share of the wire's time, 0..1; null = not known before it was measured. */
  readonly share: number | null;
  readonly shareBefore: number | null;
}

/** What is known of the running gateway, beside its configuration. */
export interface Present {
  readonly links: readonly LinkView[];
  readonly armed: readonly string[];
  /** `Arena.free` of each role, in the order of `roleNames`. */
  readonly free: readonly (readonly number[])[];
}

/** Pure: two graphs, and how it is now. */
export function forecast(before: Graph, after: Graph, present: Present): Forecast {
  const kept = keptOf(before, after);
  const { differences, restart } = diffGateways(before.gateway, after.gateway);
  const memory = planText(after);
  // Roles of another profile are others.
  const blocks = restart.length > 0 ? [] : roleNames(after.gateway.profile).map((role) =>
    blocksOf(shareOf(after, role), { kept, before: shareOf(before, role) }));
  return {
    configHash: { before: before.gateway.configHash, after: after.gateway.configHash },
    policyHash: { before: before.gateway.policyHash, after: after.gateway.policyHash },
    differences,
    restart: [
      ...restart, ...widened(before, after), ...commandLink(before, kept),
      ...firstOfLibrary(before, after),
      ...(memory.fits ? [] : [`its memory plan does not fit the profile: ${memory.bytes} bytes`]),
      ...(blocks.every((sizes, i) => fitsInto(present.free[i]!, sizes)) ? []
        : ["it does not fit the reserve for changes: at the next start it is larger"]),
    ],
    links: linkForecasts(before, after, kept),
    rules: ruleForecasts(before, after, kept),
    disarms: Object.keys(before.gateway.policy).filter((tag) => !kept.tags.has(tag))
      .map((tag) => ({ tag, armed: present.armed.includes(tag) })),
    load: after.links.map((plan) => loadForecast(plan, before, present.links)),
    memory: {
      before: planText(before).bytes, after: memory.bytes,
      budget: after.gateway.profile.memoryMB * 2 ** 20,
      taken: blocks.flat().reduce((sum, bytes) => sum + bytes, 0),
    },
  };
}

/** A policy that runs is only ever narrowed: who may write more is said at a start. */
function widened(before: Graph, after: Graph): string[] {
  return Object.entries(after.gateway.policy).flatMap(([tag, policy]) => {
    const wider = widenings(before.gateway.policy[tag], policy);
    return wider.length === 0 ? []
      : [`the policy of ${tag} would let more through (${wider.join(", ")}): it is only narrowed ` +
          "while it runs"];
  });
}

function commandLink({ gateway: { commands } }: Graph, kept: Kept): string[] {
  return commands === null || kept.connections.has(commands.link) ? []
    : [`the link ${commands.link} changes, by which commands come`];
}

/** A library is loaded in one piece, while nothing is polled: longer than W6 lets a role rest. */
function firstOfLibrary(before: Graph, after: Graph): string[] {
  const open = ({ link }: LinkPlan): boolean => link.closed !== true;
  const loaded = new Set(before.links.filter(open).map(({ link }) => link.type));
  return after.links.filter((plan) =>
    plan.driver.medium === "client" && open(plan) && !loaded.has(plan.link.type))
    .map(({ link: { name, type } }) => `${name} is the first link of type ${type}, whose library ` +
      "is only loaded at a start");
}

function linkForecasts(before: Graph, after: Graph, kept: Kept): LinkForecast[] {
  const old = new Set(before.gateway.links.map(({ name }) => name));
  const found: LinkForecast[] = before.gateway.links
    .filter(({ name }) => !after.gateway.links.some((link) => link.name === name))
    .map(({ name }) => ({ name, what: "ends", gap: "no rows any more" }));
  for (const { name } of after.gateway.links) {
    const plan = after.links.find(({ link }) => link.name === name);
    if ((plan === undefined ? kept.connections : kept.links).has(name)) continue;
    const gap = plan === undefined ? "rows wait in their streams until it is connected"
      : plan.driver.medium === "serial"
        ? `no polls for some ${limits.serial_listen_ms / 1000} s: it listens before it speaks`
        : plan.driver.medium === "client" ? "no rows until it is connected, mostly within a second"
          : "no polls until it is connected, mostly within 0.1 s";
    found.push({ name, what: old.has(name) ? "restarts" : "begins", gap });
  }
  return found;
}

function ruleForecasts(before: Graph, after: Graph, kept: Kept): RuleForecast[] {
  const old = new Map(before.rules.map((plan) => [plan.rule.name, plan]));
  const found: RuleForecast[] = [];
  for (const plan of after.rules) {
    const { name, sql } = plan.rule;
    const was = old.get(name);
    old.delete(name);
    if (was === undefined) found.push({ name, what: "begins", why: "it is new", lost: null });
    else if (!kept.rules.has(name)) {
      const why = was.rule.sql !== sql ? "its SQL changed" : whyRestarted(plan, after, kept);
      found.push({ name, what: "restarts", why, lost: stateOf(was) });
    }
  }
  for (const [name, plan] of old) {
    found.push({ name, what: "ends", why: "it is not there any more", lost: stateOf(plan) });
  }
  return found;
}

function whyRestarted({ program }: RulePlan, after: Graph, kept: Kept): string {
  const reads = [...program.inputs.flatMap((input) => input.streams),
    ...program.newest.map(({ stream }) => stream)];
  const changed = reads.filter((stream) => !kept.streams.has(stream));
  if (changed.length > 0) return `what it reads changed: ${[...new Set(changed)].join(", ")}`;
  const others = [...program.models.filter((model) => !kept.models.has(model)),
    ...program.tables.filter((table) => !kept.tables.has(table))];
  if (others.length > 0) return `its model or table changed: ${others.join(", ")}`;
  return after.gateway.profile.threads === 3
    ? "its plan changed: it is now on the way to a write, or no longer" : "its plan changed";
}

function stateOf({ program }: RulePlan): string | null {
  const words = program.stages.flatMap((stage) => stateWords(stage));
  return words.length === 0 ? null : words.join(", ");
}

function stateWords(stage: StagePlan): string[] {
  switch (stage.kind) {
    case "window": case "kept": return [`the open ${stage.window.kind} window`];
    case "reorder": return ["rows that wait for their order"];
    case "running": return ["the running aggregates"];
    case "stateful": return [`what ${stage.functions.join(", ")} remember`];
    case "asof": return ["the newest rows of an ASOF JOIN"];
    case "arrange": return ["rows of a window that are put in order"];
    case "failures": return ["which failures were told"];
    case "silence": return ["which windows gave a row"];
    case "expand": return ["the rest of a row of many"];
    case "rows": case "conditions": case "infer": case "lookup": case "scan": return [];
  }
}

function loadForecast(
  plan: LinkPlan, before: Graph, views: readonly LinkView[],
): LoadForecast {
  const { name } = plan.link;
  const measured = views.find((view) => view.name === name)?.counters["roundTrip"] ?? 0;
  const was = before.links.find(({ link }) => link.name === name);
  const requests = plan.groups.reduce((sum, group) =>
    sum + plan.driver.plan(group.tags, plan.link).length * 1000 / group.interval, 0);
  return {
    link: name, connections: 1, requestsPerSecond: requests,
    share: shareOfWire(plan, measured),
    shareBefore: was === undefined ? null : shareOfWire(was, measured),
  };
}

/** By the line's own arithmetic, or by the newest answer's time. */
function shareOfWire({ link, driver, groups }: LinkPlan, measured_ms: number): number | null {
  let share = 0;
  for (const { tags, interval } of groups) {
    for (const request of driver.plan(tags, link)) {
      const ms = driver.occupies(request, link) ?? measured_ms;
      if (ms === 0) return null;
      share += ms / interval;
    }
  }
  return share;
}
