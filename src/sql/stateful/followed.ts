import {
  type Bound, type BoundColumn, type BoundNewestValue, type BoundQuery, type BoundStateful,
  windowConditions,
} from "../bound.ts";
import { walk } from "../rewrite/tree.ts";

/** Place of the argument of `pid` that its output follows. */
const track = 8;

/**
 * W13: a controller may read what it writes if it only follows it, to begin without a bump and
 * while it is on manual: then it writes what it has read. So the column must be the controller
 * itself, and nothing else in the query may read the name.
 */
export function followedIn(query: BoundQuery): Record<string, string> {
  return Object.fromEntries(query.select.flatMap(({ name, expr }): [string, string][] => {
    if (expr.kind !== "stateful" || expr.fn !== "pid") return [];
    const leaf = leafOf(expr.args[track]);
    if (leaf === null || isReadElsewhere(query, expr, leaf)) return [];
    return [[name, leaf.kind === "column" ? leaf.name : query.newest[leaf.index]!.tag]];
  }));
}

/** The column or newest value that an argument is, also as a float. */
function leafOf(node: Bound | undefined): BoundColumn | BoundNewestValue | null {
  if (node === undefined) return null;
  if (node.kind === "cast") return leafOf(node.operand);
  return node.kind === "column" || node.kind === "newest" ? node : null;
}

function isReadElsewhere(query: BoundQuery, controller: BoundStateful, leaf: Bound): boolean {
  const { where, window, having, groupBy, select, aggregates, infers, stateful } = query;
  const { args, partitionBy, when } = controller;
  const others = stateful.filter((node) => node !== controller);
  const roots = [
    where, window?.filter, having, when, ...windowConditions(window), ...groupBy, ...partitionBy,
    ...select.map((f) => f.expr), ...aggregates.map((a) => a.arg), ...infers.flatMap((i) => i.args),
    ...others, ...args.filter((_, i) => i !== track),
  ];
  let found = false;
  for (const root of roots) {
    if (root === null || root === undefined) continue;
    walk(root, (node) => {
      found ||= node === leaf;
      return node !== controller;
    });
  }
  return found;
}
