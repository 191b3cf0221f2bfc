import { formatDuration, nearest } from "../base.ts";
import type { Gateway, Hint } from "../config.ts";
import type { Connector, Taken } from "../connector.ts";
import type { ColumnSpec } from "../ring.ts";
import type { Outflow, RulePlan, StreamPlan } from "./graph.ts";

/** What sinks are looked at with. */
export interface Outlets {
  readonly gateway: Gateway;
  readonly connectors: readonly Connector[];
  readonly streams: ReadonlyMap<string, StreamPlan>;
  /** By `device.tag`. */
  readonly tags: ReadonlyMap<string, { readonly stream: string; readonly column: ColumnSpec }>;
}

type Tell = (path: readonly (string | number)[], message: string, hint?: Hint) => void;

/** What each sink takes that says so itself, by the sink's name. */
export function takenBy({ gateway, connectors }: Outlets): Map<string, readonly Taken[]> {
  return new Map(gateway.sinks.flatMap(({ name, type, settings }) => {
    const takes = connectors.find((one) => one.type === type)?.takes;
    return takes === undefined ? [] : [[name, takes(settings)] as const];
  }));
}

/** Which streams go to which sinks, and what is wrong with what sinks name. */
export function planOutflows(
  outlets: Outlets, rules: readonly RulePlan[], tell: Tell,
): Outflow[] {
  const taken = takenBy(outlets);
  const flows: Outflow[] = rules.flatMap(({ rule }) => rule.to.flatMap((target, i) => {
    if (target.kind !== "sink") return [];
    if (!taken.has(target.sink)) return [{ stream: rule.name, sink: target.sink }];
    tell(["rules", rule.name, "to", i],
      `${target.sink} says itself what it takes, such as "${rule.name}.COLUMN": leave it out here`);
    return [];
  }));
  for (const [sink, values] of taken) {
    const streams = new Set(values.flatMap((value) => {
      const stream = streamOf(value, outlets, (message, hint) =>
        tell(["sinks", sink, ...value.path], message, hint));
      return stream === null ? [] : [stream];
    }));
    for (const stream of streams) flows.push({ stream, sink });
  }
  return flows;
}

/** The stream of a value; null: there is none, or none that fits, which is told. */
function streamOf(
  { name, maxAge, wrong }: Taken, { streams, tags }: Outlets,
  tell: (message: string, hint?: Hint) => void,
): string | null {
  const found = tags.get(name) ?? columnOf(name, streams);
  if (found === null) {
    tell(`There is no ${name}: a name is a tag, device.tag, or the column of a rule or source, ` +
      "rule.column", { nearest: nearest(name, [...tags.keys(), ...columnNames(streams)]) });
    return null;
  }
  const why = wrong(found.column.kind);
  if (why !== null) {
    tell(why);
    return null;
  }
  const { from, interval } = streams.get(found.stream)!;
  if (from === "group" && interval! >= maxAge) {
    tell(`${name} is polled every ${formatDuration(interval!)}, and would be too old after ` +
      `${formatDuration(maxAge)}: "maxAge" has to be longer`);
  }
  return found.stream;
}

/** Of a rule or source; a group's tags are known by their device. */
function columnOf(
  name: string, streams: Outlets["streams"],
): { stream: string; column: ColumnSpec } | null {
  for (const { name: stream, from, layout } of streams.values()) {
    if ((from !== "rule" && from !== "source") || !name.startsWith(`${stream}.`)) continue;
    const column = layout.columns.find((one) => one.name === name.slice(stream.length + 1));
    if (column !== undefined && !column.name.startsWith("$")) return { stream, column };
  }
  return null;
}

const columnNames = (streams: Outlets["streams"]): string[] =>
  [...streams.values()].flatMap(({ name, from, layout }) =>
    (from !== "rule" && from !== "source" ? []
      : layout.columns.map((column) => `${name}.${column.name}`)));
