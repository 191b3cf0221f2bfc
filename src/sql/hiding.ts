import { type Bound, type BoundQuery, windowConditions, windowReads } from "./bound.ts";
import type { Unsafe } from "./program.ts";
import { conjuncts } from "./rewrite/conjuncts.ts";
import { walk } from "./rewrite/tree.ts";

/** They leave out what is missing as if it had never been there. */
const leaving: readonly string[] = ["array_max", "array_min", "array_join"];
const gathering: readonly string[] = ["collect", "distinct", "merge_agg"];

/**
 * W8, W12: what makes a good value of an input that is bad or missing, or lets a row pass because
 * of one. It is looked for in what a query means, not in its words.
 */
export function hidingIn(query: BoundQuery): Unsafe[] {
  const { sql, inputs, window, where, having, select, joins, orderBy, aggregates } = query;
  const found = new Map<Bound, Unsafe>();
  const look = (root: Bound, isTest: boolean): void => walk(root, (node) => {
    if (hides(node, isTest)) {
      const { span } = node;
      found.set(node, { span, sentence: `${wordOf(node, sql)} ${why}` });
    }
    if (node.kind === "stateful" && node.when !== null) look(node.when, true);
    return true;
  });
  const tests = (roots: readonly (Bound | null)[]): void =>
    roots.forEach((root) => conjuncts(root).forEach((test) => look(leftOut(test), true)));
  const values = [...select, ...orderBy].map(({ expr }) => expr);
  // A permit is nothing but conditions.
  if (inputs.length === 0) values.flatMap(conjuncts).forEach((test) => look(leftOut(test), false));
  else values.forEach((value) => look(value, false));
  tests([having, ...(window === null ? [where] : [])]);
  // Of a row that its condition left out a window does not know.
  const before = window === null ? [] : [where, window.filter, ...windowConditions(window)];
  for (const root of [...before, ...joins.map(({ on }) => on)]) if (root !== null) look(root, true);
  const others = [...joins.map(({ key }) => key), ...query.groupBy, ...windowReads(window),
    ...aggregates.map(({ arg }) => arg), ...query.infers.flatMap(({ args }) => args),
    ...joins.flatMap(({ asof }) => asof?.keys.flatMap(({ left, right }) => [left, right]) ?? []),
    ...query.stateful, ...query.numbers];
  for (const root of others) if (root !== null) look(root, false);
  const gathered = aggregates.filter(({ fn }) => gathering.includes(fn))
    .map(({ fn, span }) => ({ span, sentence: `${fn} ${why}` }));
  return [...found.values(), ...gathered];
}

const why = "hides an input that is bad or missing";

/** `x IS NOT NULL` as a condition of its own: it leaves out the row, which hides nothing. */
const leftOut = (test: Bound): Bound =>
  (test.kind === "isnull" && test.negated ? test.operand : test);

/** A comparison with NULL is not true: in a condition NOT of one lets a row pass. */
function hides(node: Bound, isTest: boolean): boolean {
  switch (node.kind) {
    case "coalesce": case "isnull": case "cell": return true;
    case "unary": return isTest && node.op === "not";
    case "call": return leaving.includes(node.fn);
    default: return false;
  }
}

function wordOf(node: Bound, sql: string): string {
  if (node.kind === "unary") return "NOT";
  if (node.kind === "isnull") return node.negated ? "IS NOT NULL" : "IS NULL";
  if (node.kind === "call") return node.fn;
  return /^`?(\w+)/.exec(sql.slice(node.span.from))?.[1] ?? node.kind;
}
