import {
  type Bound, type BoundColumn, type BoundNewestValue, type BoundQuery, type BoundStateful, innerOf,
} from "../bound.ts";

/** Place of the argument of `pid` that its output follows. */
const track = 8;

/**
 * W13: a controller may read what it writes if it only follows it, to begin without a bump and
 * while it is on manual: then it writes what it has read. So the column must be the controller
 * itself, and nothing else in the query may read the name.
 */
export function followedIn(query: BoundQuery): Record<string, string> {
  // What the query in FROM reads it may read for something else.
  if (innerOf(query) !== null) return {};
  return Object.fromEntries(query.select.flatMap(({ name, expr }): [string, string][] => {
    if (expr.kind !== "stateful" || expr.fn !== "pid") return [];
    const leaf = leafOf(expr.args[track]);
    // A column's name alone says which tag it is only where there is one stream.
    if (leaf?.kind === "column" && query.inputs.flatMap((i) => i.streams).length > 1) return [];
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

/** Whatever clause of the query it may be in: bound trees are plain data. */
function isReadElsewhere(query: BoundQuery, controller: BoundStateful, leaf: Bound): boolean {
  const seen = new Set<unknown>();
  const reads = (part: unknown): boolean => {
    if (part === leaf) return true;
    if (typeof part !== "object" || part === null || seen.has(part)) return false;
    seen.add(part);
    if (part !== controller) return Object.values(part).some(reads);
    const { args, partitionBy, when } = controller;
    return [...args.filter((_, i) => i !== track), ...partitionBy, when].some(reads);
  };
  return reads(query);
}
