import {
  afterRows, type Bound, type BoundQuery, type BoundStateful, isArranged, isSelective, queriesIn,
  windowReads,
} from "./bound.ts";
import type { Span } from "./fault.ts";
import { statefulFunctions } from "./functions.ts";
import { hidingIn } from "./hiding.ts";
import type { Unsafe } from "./program.ts";
import { walk } from "./rewrite/tree.ts";

const endless = "depends on every row since the start, so the age of its inputs has no bound";
const drawn = "This is drawn at random: nobody could say why a machine was written so";
const hides = "puts a value in the place of one that is bad or missing";

/**
 * W8 on the way to a write: every input that made a value is good and has an age, also through the
 * state of a function. What a rule has that breaks this.
 */
export function unsafeIn(query: BoundQuery): Unsafe[] {
  const found = hidingIn(query);
  const add = (span: Span, sentence: string): number => found.push({ sentence, span });
  for (const node of query.stateful) {
    const why = reason(node);
    if (why !== null) add(node.span, why === drawn ? why : `${node.fn}() ${why}`);
  }
  for (const { name, span } of query.repeated) {
    add(span, `This is a second column ${name}, and it is not certain which one is meant`);
  }
  const { where, window, having, groupBy, aggregated, aggregates, joins, orderBy, numbers } = query;
  const whole = { from: 0, to: query.sql.length };
  if (window !== null && queriesIn(query).slice(1).some(isSelective)) {
    add(window.span, "A window over a query in FROM cannot know which rows that left out only " +
      "because its condition, join or key could not be trusted; a condition stands beside the " +
      "window");
  }
  if (aggregated && window === null) {
    add(aggregates[0]?.span ?? whole, `An aggregate without a window ${endless}`);
  }
  if (window !== null && joins.length > 0) {
    add(joins[0]!.span, "A join before a window leaves out a row, of which it is not certain " +
      "whether it has a partner, before the window can know of it");
  }
  for (const { scan, input, span } of joins) {
    if (!scan) continue;
    add(span, `Whether a row of ${query.inputs[input]!.alias} is there, nobody can tell from ` +
      "its values; a table that is asked by its key says so");
  }
  if (aggregated && window?.filter && afterRows(window)) {
    add(window.filter.span, "FILTER of a window that its rows begin or end leaves out a row with " +
      "a doubtful condition before the window can know of it; WHERE does not");
  }
  if (window?.kind === "state" && window.partitionBy.length > 0) {
    add(window.span, "PARTITION BY of a window puts a row into another window if its key cannot " +
      "be trusted, which neither of the two can know of");
  }
  const all = [...query.select, ...orderBy].map(({ expr }) => expr)
    .concat([where, having, ...windowReads(window)].filter((node) => node !== null));
  const hits = all.flatMap((node) => hitsIn(node));
  if (hits.length > 0) add(hits[0]!.span, `How often a clause has let rows pass ${endless}`);
  if (isArranged(query)) {
    add(orderBy[0]?.expr.span ?? numbers[0]?.span ?? whole, "ORDER BY, LIMIT, DISTINCT and " +
      "row_number() choose by values whose quality is not that of what is written");
  }
  // What WHERE lets pass carries nothing of the quality of the condition.
  const tests = [where, window?.filter ?? null, having, ...groupBy, ...windowReads(window)];
  const tested = tests.flatMap((node) => (node === null ? [] : callsIn(query, node)));
  for (const { fn, span } of tested) {
    add(span, `${fn}() in a condition on rows lets one pass whatever the quality of what its ` +
      "state was made of; CASE WHEN keeps it");
  }
  return found;
}

function reason({ fn, args, when }: BoundStateful): string | null {
  const { unsafe } = statefulFunctions.get(fn)!;
  if (unsafe !== undefined) return { endless, hides, drawn }[unsafe];
  const [ignoreNull] = args;
  if (fn === "had_changed" && !(ignoreNull!.kind === "literal" && ignoreNull.value === true)) {
    return "with another first argument than TRUE is TRUE where a value goes missing";
  }
  if (fn === "lag" && args[2] !== undefined) return `with a default ${hides}`;
  return when === null ? null : "OVER (WHEN …) keeps an old value where its condition is not known";
}

function hitsIn(node: Bound): Bound[] {
  const found: Bound[] = [];
  walk(node, (n) => {
    if (n.kind === "hits") found.push(n);
    return true;
  });
  return found;
}

function callsIn(query: BoundQuery, node: Bound): BoundStateful[] {
  const calls: BoundStateful[] = [];
  walk(node, (n) => {
    if (n.kind === "stateful") calls.push(n);
    const arg = n.kind === "aggregate" ? query.aggregates[n.index]!.arg : null;
    const args = n.kind === "infer" ? query.infers[n.index]!.args : [];
    for (const inner of [...(arg === null ? [] : [arg]), ...args]) {
      calls.push(...callsIn(query, inner));
    }
    return true;
  });
  return calls;
}
