import { type Bound, type BoundQuery, queriesIn, windowReads } from "./bound.ts";
import type { PlanOptions } from "./plan.ts";
import type { InputPlan, SharedWindow, StagePlan } from "./program.ts";
import { contains, walk } from "./rewrite/tree.ts";

/**
 * True if rules with an equal window may share it: what comes before the end of the window knows
 * nothing but the rows of one stream. Its rows then tell when their window began, so that a rule
 * which comes later can leave out those from before its time. A rule on the way to a write has its
 * own (W8), and so has one by event time: by that nobody can tell which rows came before it; and
 * one that tells of all that fails.
 */
export function isShareable(
  query: BoundQuery, { strict, eventTime, sendError }: PlanOptions,
): boolean {
  const { window, inputs, joins, newest, infers, stateful, where, having, select, orderBy } = query;
  if (strict || sendError || eventTime !== null || window === null) return false;
  if (queriesIn(query).length > 1) return false;
  if (inputs.length !== 1 || joins.length > 0 || inputs[0]!.table !== null) return false;
  if (newest.length > 0 || infers.length > 0 || stateful.length > 0) return false;
  const all = [where, having, ...windowReads(window), ...query.groupBy,
    ...query.aggregates.map(({ arg }) => arg), ...[...select, ...orderBy].map(({ expr }) => expr)];
  return all.every((node) => node === null || !contains(node, "hits") && !asksForStart(node));
}

/** Rules that share a window have not begun together. */
function asksForStart(node: Bound): boolean {
  let asks = false;
  walk(node, (n) => {
    asks ||= n.kind === "clock" && n.which === "began";
    return !asks;
  });
  return asks;
}

/** The stages up to the window, and a text that is equal for equal ones. */
export function sharedWindow(
  inputs: readonly InputPlan[], stages: readonly StagePlan[],
): SharedWindow {
  const n = 1 + stages.findIndex(({ kind }) => kind === "window" || kind === "kept");
  const whole = JSON.stringify([inputs.map(({ streams, fanIn, columns }) =>
    [streams, fanIn, columns]), stages.slice(0, n)], exactly);
  return { stages: n,
    key: new Bun.CryptoHasher("sha256").update(whole).digest("hex").slice(0, 32) };
}

/** Numbers that JSON does not tell apart. */
function exactly(_name: string, value: unknown): unknown {
  if (typeof value !== "number") return value;
  return Number.isFinite(value) && !Object.is(value, -0) ? value
    : Object.is(value, -0) ? "-0" : String(value);
}
