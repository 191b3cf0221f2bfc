import { never } from "../../base.ts";
import type { Bound } from "../bound.ts";

/** The direct operands of a node. */
export function operands(node: Bound): readonly Bound[] {
  switch (node.kind) {
    case "column": case "newest": case "literal": case "aggregate": case "infer": case "window":
    case "clock": case "hits":
      return [];
    case "unary": case "isnull": case "cast": case "narrow": case "cell":
      return [node.operand];
    case "binary": return [node.left, node.right];
    case "in": return [node.operand, ...node.items];
    case "like": return [node.operand, node.pattern];
    case "case": return [...node.whens.flatMap((w) => [w.when, w.then]), node.otherwise];
    case "coalesce": case "call": return node.args;
    case "stateful":
      return [...node.args, ...node.partitionBy, ...(node.when === null ? [] : [node.when])];
    case "number": return [...node.partitionBy, ...node.orderBy.map(({ expr }) => expr)];
    default: return never(node, "expression");
  }
}

/**
 * Calls `visit` for a node and all below it, each once however often it is used: the tree is a DAG,
 * whose paths may be beyond number. False = not below this one.
 */
export function walk(
  node: Bound, visit: (node: Bound) => boolean, seen: Set<Bound> = new Set(),
): void {
  if (seen.has(node)) return;
  seen.add(node);
  if (visit(node)) for (const operand of operands(node)) walk(operand, visit, seen);
}

/** The inputs whose columns a node reads. */
export function inputsOf(node: Bound): number[] {
  const found = new Set<number>();
  walk(node, (n) => {
    if (n.kind === "column") found.add(n.input);
    return true;
  });
  return [...found];
}

/** True if a node or one below it is of one of these kinds. */
export function contains(node: Bound, ...kinds: Bound["kind"][]): boolean {
  let found = false;
  walk(node, (n) => {
    found ||= kinds.includes(n.kind);
    return !found;
  });
  return found;
}
