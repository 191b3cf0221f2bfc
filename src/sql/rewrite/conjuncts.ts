import type { Bound } from "../bound.ts";

/** `a AND b AND c` as a list: each can be tested as soon as its inputs are there. */
export function conjuncts(node: Bound | null): Bound[] {
  if (node === null) return [];
  return node.kind === "binary" && node.op === "and"
    ? [...conjuncts(node.left), ...conjuncts(node.right)]
    : [node];
}

/** The list as one condition again. */
export function conjunction(nodes: readonly Bound[]): Bound | null {
  return nodes.reduce<Bound | null>((left, right) => (left === null ? right : {
    kind: "binary", op: "and", left, right, type: right.type,
    span: { from: left.span.from, to: right.span.to },
  }), null);
}
