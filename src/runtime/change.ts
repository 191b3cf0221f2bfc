import type { RuleTarget } from "../config.ts";
import type { Graph, LinkPlan, RulePlan } from "./graph.ts";
import { rulesToWrites } from "./share.ts";

/**
 * What one generation takes over from the one before, by name: it goes on with its rings, its
 * state, its connection. Everything else of it is made anew or ends.
 */
export interface Kept {
  readonly links: ReadonlySet<string>;
  /** Links of brokers and services, and types that need no link. */
  readonly connections: ReadonlySet<string>;
  readonly streams: ReadonlySet<string>;
  readonly sources: ReadonlySet<string>;
  readonly models: ReadonlySet<string>;
  readonly tables: ReadonlySet<string>;
  readonly rules: ReadonlySet<string>;
  readonly sinks: ReadonlySet<string>;
  readonly permits: ReadonlySet<string>;
  /** Tags of the policy whose whole way to the machine stays as it is: they stay armed (W3). */
  readonly tags: ReadonlySet<string>;
}

const same = (a: unknown, b: unknown): boolean => Bun.deepEquals(a, b, true);

type Named = { readonly name: string };

function sameNames<T extends Named>(
  before: readonly T[], after: readonly T[], alike: (a: T, b: T) => boolean = same,
): Set<string> {
  const old = new Map(before.map((entry) => [entry.name, entry]));
  return new Set(after.filter((entry) => {
    const was = old.get(entry.name);
    return was !== undefined && alike(was, entry);
  }).map(({ name }) => name));
}

/** Pure, from two graphs. */
export function keptOf(before: Graph, after: Graph): Kept {
  const configured = sameNames(before.gateway.links, after.gateway.links);
  const streams = keptStreams(before, after, configured);
  const links = new Set([...sameNames(before.links.map(named), after.links.map(named),
    (a, b) => same(a.plan.groups, b.plan.groups))].filter((name) => configured.has(name)));
  const models = sameNames(before.gateway.models, after.gateway.models);
  const tables = sameNames(before.gateway.tables, after.gateway.tables);
  const rules = keptRules(before, after, { streams, models, tables });
  const permits = new Set(after.permits.filter((permit) => {
    const was = before.permits.find(({ tag }) => tag === permit.tag);
    return was !== undefined && same(was.program, permit.program) &&
      permit.program.newest.every(({ stream }) => streams.has(stream));
  }).map(({ tag }) => tag));
  const connected = <T extends Named & { readonly link: string | null }>(entry: T): boolean =>
    entry.link === null || configured.has(entry.link);
  const ofBoth = (what: "sources" | "sinks"): Set<string> => sameNames<any>(
    before.gateway[what], after.gateway[what], (a, b) => same(a, b) && connected(b));
  const sources = new Set([...ofBoth("sources")].filter((name) => streams.has(name)));
  return {
    links, streams, models, tables, rules, permits, sources,
    connections: configured,
    sinks: ofBoth("sinks"),
    tags: keptTags(before, after, { links, streams, permits, rules, sources }),
  };
}

const named = (plan: LinkPlan): Named & { plan: LinkPlan } => ({ name: plan.link.name, plan });

/**
 * A group's ring is kept only while its rows come from the same registers of the same peer: else
 * the newest row would be a good one of somewhere else.
 */
function keptStreams(
  before: Graph, after: Graph, configured: ReadonlySet<string>,
): Set<string> {
  const places = (graph: Graph): Map<string, { link: string; group: unknown }> =>
    new Map(graph.links.flatMap(({ link, groups }) =>
      groups.map((group) => [group.stream, { link: link.name, group }] as const)));
  const [old, now] = [places(before), places(after)];
  const threaded = after.gateway.profile.threads === 3;
  const [wrote, writes] = [rulesToWrites(before.rules), rulesToWrites(after.rules)];
  return sameNames(before.streams, after.streams, (a, b) => {
    if (a.from !== b.from || !same(a.layout, b.layout)) return false;
    // On another thread it lies in another arena.
    if (b.from === "rule" || b.from === "table") {
      return !threaded || wrote.has(b.name) === writes.has(b.name);
    }
    const place = now.get(b.name);
    return b.from === "source" || place === undefined ||
      (same(old.get(b.name), place) && configured.has(place.link));
  });
}

function keptRules(
  before: Graph, after: Graph, kept: Pick<Kept, "streams" | "models" | "tables">,
): Set<string> {
  const { streams } = kept;
  const plan = ({ program, layouts, gather, window }: RulePlan): unknown =>
    ({ program, layouts, gather, window });
  const old = new Map(before.rules.map((rule) => [rule.rule.name, rule]));
  return new Set(after.rules.filter((rule) => {
    const was = old.get(rule.rule.name);
    const { inputs, newest, models, tables } = rule.program;
    const reads = [...inputs.flatMap((input) => input.streams), ...newest.map((n) => n.stream)];
    return was !== undefined && same(plan(was), plan(rule)) && streams.has(rule.rule.name) &&
      reads.every((stream) => streams.has(stream)) &&
      models.every((model) => kept.models.has(model)) &&
      tables.every((table) => kept.tables.has(table));
  }).map(({ rule }) => rule.name));
}

/**
 * W3: a tag stays armed only if nothing changes of where it lies, what lets it be written, and
 * what its value is made of, through other rules too.
 */
function keptTags(
  before: Graph, after: Graph,
  kept: Pick<Kept, "links" | "streams" | "permits" | "rules" | "sources">,
): Set<string> {
  const untouched = untouchedRules(before, after, kept);
  const writers = (graph: Graph, tag: string): unknown => graph.rules.flatMap(({ rule }) =>
    rule.to.filter((target) => writes(target, tag)).map((target) => [rule.name, target]));
  const wireOf = (graph: Graph, tag: string) => graph.links.flatMap(({ link, groups }) =>
    groups.flatMap((group) => group.tags.filter((one) => one.is(tag))
      .map((wire) => ({ link: link.name, stream: group.stream, wire }))))[0];
  const settings = (graph: Graph, tag: string): unknown => graph.gateway.devices
    .flatMap(({ groups }) => groups.flatMap(({ tags }) => tags)).find((one) => one.is(tag));
  return new Set(Object.keys(after.gateway.policy).filter((tag) => {
    const place = wireOf(after, tag);
    const conditions = after.gateway.policy[tag]!.permit.length > 0;
    return place !== undefined && kept.links.has(place.link) && kept.streams.has(place.stream) &&
      same(before.gateway.policy[tag], after.gateway.policy[tag]) &&
      same(settings(before, tag), settings(after, tag)) &&
      (!conditions || kept.permits.has(tag)) &&
      same(writers(before, tag), writers(after, tag)) &&
      after.rules.every(({ rule }) =>
        !rule.to.some((target) => writes(target, tag)) || untouched.has(rule.name));
  }));
}

const writes = (target: RuleTarget, tag: string): boolean =>
  target.kind === "write" && target.tag === tag;

/** Kept as they are, and so is all that they read. Each rule reads only what stands before it. */
function untouchedRules(
  before: Graph, after: Graph, kept: Pick<Kept, "rules" | "sources">,
): Set<string> {
  const untouched = new Set<string>();
  const settings = (graph: Graph, name: string): unknown =>
    ({ ...graph.rules.find(({ rule }) => rule.name === name)?.rule, to: null });
  const from = new Map(after.streams.map((stream) => [stream.name, stream.from]));
  const isUntouched = (stream: string): boolean => {
    switch (from.get(stream)) {
      case "rule": return untouched.has(stream);
      case "source": return kept.sources.has(stream);
      default: return true;
    }
  };
  for (const { rule, program } of after.rules) {
    const reads = [...program.inputs.flatMap((input) => input.streams),
      ...program.newest.map(({ stream }) => stream)];
    if (kept.rules.has(rule.name) && reads.every(isUntouched) &&
      same(settings(before, rule.name), settings(after, rule.name))) untouched.add(rule.name);
  }
  return untouched;
}
