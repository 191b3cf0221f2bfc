import { Arena } from "../ring.ts";
import type { Kept } from "./change.ts";
import type { PermitPlan, RulePlan } from "./graph.ts";
import type { Share } from "./share.ts";
import { bringers, sharedStages } from "./windows.ts";

/** The least room that is left for changes, whatever the configuration. */
const reserve_bytes_min = 512 * 1024;

/** What a generation takes over from the one before. */
export interface Inherited {
  readonly kept: Kept;
  readonly before: Share;
}

/** A stream of another role that goes on being carried here. */
export const isCarried = (name: string, { kept, before }: Inherited): boolean =>
  kept.streams.has(name) && before.imports.some((layout) => layout.name === name);

/** Sizes of the blocks that a role's generation takes beside what it has of the one before. */
export function blocksOf(share: Share, inherited: Inherited | null): number[] {
  const kept = inherited?.kept;
  const streams = share.streams.filter(({ name }) => kept?.streams.has(name) !== true);
  const imports = share.imports.filter(({ name }) =>
    inherited === null || !isCarried(name, inherited));
  const rules = share.rules.filter(({ rule }) => kept?.rules.has(rule.name) !== true);
  const there = share.rules.filter((plan) => !rules.includes(plan)).map(({ window }) => window);
  const bringing = bringers(rules, new Set(there));
  const permits = share.permits.filter(({ tag }) => kept?.permits.has(tag) !== true);
  const tables = share.tables.filter(({ table }) => inherited === null ||
    !(inherited.kept.tables.has(table.name) &&
      inherited.before.tables.some((t) => t.table.name === table.name)));
  return [
    ...tables.flatMap(({ layout, indexBytes }) => [layout.bytes, indexBytes])
      .filter((bytes) => bytes > 0),
    ...streams.flatMap(({ layout, journal }) =>
      (journal === null ? [layout.bytes] : [layout.bytes, layout.bytes])),
    ...imports.map(({ bytes }) => bytes),
    ...rules.flatMap((rule) => innerBlocks(rule, bringing.has(rule))),
    ...permits.flatMap(permitBlocks),
  ].map((bytes) => Arena.sizeOf(bytes));
}

/** Of a rule; `bringing` its window, too, if others share that. */
function innerBlocks(plan: RulePlan, bringing: boolean): number[] {
  const { layouts, gather, program } = plan, shared = bringing ? 0 : sharedStages(plan);
  return [
    ...layouts.slice(shared, -1).map(({ bytes }) => bytes),
    ...(gather === null || shared > 0 ? [] : [gather.bytes]),
    ...program.stages.slice(shared).map(stateBytes),
  ];
}

function permitBlocks({ layout, program }: PermitPlan): number[] {
  return [layout.bytes, ...program.stages.map(stateBytes)];
}

export const stateBytes = (stage: { readonly stateBytes: number }): number =>
  Math.max(8, stage.stateBytes);

const sum = (sizes: readonly number[]): number => sizes.reduce((a, b) => a + b, 0);

/**
 * Room for another generation beside the one that runs: all rules anew, with the
 * streams they fill, and the streams of the largest link.
 */
export function reserveOf(share: Share): number {
  const filled = share.streams.filter(({ from }) => from === "rule");
  const ofLinks = share.links.map(({ groups }) => sum(share.streams
    .filter(({ name }) => groups.some(({ stream }) => stream === name))
    .map(({ layout }) => Arena.sizeOf(layout.bytes))));
  return Math.max(reserve_bytes_min, Math.max(0, ...ofLinks) +
    sum(blocksOf({ ...share, streams: filled, imports: [], permits: [],
      tables: [] }, null)));
}

/** A buddy allocator can place any blocks of powers of two that add up to at most its size. */
export function arenaBytes(share: Share): number {
  return sum(blocksOf(share, null)) + reserveOf(share);
}
