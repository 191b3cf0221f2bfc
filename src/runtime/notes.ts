import { formatDuration } from "../base.ts";
import type { Graph } from "./graph.ts";

/**
 * What may be meant, but seldom is: values that the policy wants younger than they are polled. The
 * gate would refuse most commands for it, and now and then none.
 */
export function notesOf(graph: Graph): string[] {
  const { streams, rules, permits, gateway: { policy } } = graph;
  const slow = (newest: readonly { tag: string; stream: string }[], most: number, key: string) =>
    newest.flatMap(({ tag, stream }) => {
      const interval = streams.find(({ name }) => name === stream)?.interval ?? 0;
      return interval <= most ? [] : [`${tag}, polled every ${formatDuration(interval)}, is ` +
        `mostly older than ${key} allows (${formatDuration(most)})`];
    });
  return [
    ...permits.flatMap(({ tag, program }) => slow(program.newest, policy[tag]!.maxAge, "maxAge")
      .map((text) => `note: permit of ${tag}: ${text}`)),
    ...rules.flatMap(({ rule, program }) => rule.to.flatMap((target) => target.kind === "write"
      ? slow(program.newest, policy[target.tag]!.inputMaxAge, "inputMaxAge")
        .map((text) => `note: rule ${rule.name}, which writes ${target.tag}: ${text}`) : [])),
  ];
}
