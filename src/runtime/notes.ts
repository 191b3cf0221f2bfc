import { formatDuration } from "../base.ts";
import type { StagePlan } from "../sql.ts";
import type { Graph, LinkPlan } from "./graph.ts";

/**
 * What may be meant, but seldom is. Values that the policy wants younger than they are polled, or
 * than a window lets them be: the gate would refuse most commands for it, and now and then none.
 * Windows with gaps between them, and without room for their rows.
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
    ...graph.links.flatMap(sendNotes),
    ...permits.flatMap(({ tag, program }) => slow(program.newest, policy[tag]!.maxAge, "maxAge")
      .map((text) => `note: permit of ${tag}: ${text}`)),
    ...rules.flatMap(({ rule, program }) => rule.to.flatMap((target) => target.kind === "write"
      ? slow(program.newest, policy[target.tag]!.inputMaxAge, "inputMaxAge")
        .map((text) => `note: rule ${rule.name}, which writes ${target.tag}: ${text}`) : [])),
    ...windowNotes(graph),
    ...rules.flatMap(({ rule, program: { stages } }) => stages.flatMap((stage) => {
      const texts = [gapOf(stage), lackOf(stage)].filter((text) => text !== null);
      return texts.map((text) => `note: rule ${rule.name}: ${text}`);
    })),
  ];
}

/** W24: what polls send is not tested by the gate, so a person looks at it. */
function sendNotes({ link, driver, groups }: LinkPlan): string[] {
  return groups.flatMap(({ stream, interval, tags }) =>
    driver.plan(tags, link).flatMap(({ sends }) => (sends === undefined ? [] :
      [`note: links.${link.name}: sent unarmed, every ${formatDuration(interval)} for ` +
        `${stream}: ${sends}`])));
}

/** What a hopping window leaves out that hops further than it is long. */
function gapOf(stage: StagePlan): string | null {
  if (stage.kind !== "kept" || stage.window.kind !== "hopping") return null;
  const { length_ms, hop_ms } = stage.window;
  return hop_ms <= length_ms ? null : `its HOPPINGWINDOW is ${formatDuration(length_ms)} long ` +
    `and hops ${formatDuration(hop_ms)}: rows of ${formatDuration(hop_ms - length_ms)} between ` +
    "two windows are in none";
}

/** What a window has no room for, if all rows come that its streams declare. */
function lackOf(stage: StagePlan): string | null {
  if (stage.kind !== "kept" || stage.lacks === null) return null;
  const [rows, wanted] = [stage.lacks.rows, stage.lacks.wanted].map((n) => n.toLocaleString("en"));
  return `up to ${wanted} rows are in its window, which has room for ${rows}: of more the ` +
    "newest stay, the others are counted in `lost`; take a shorter window, or a rule before " +
    "this one that gives one row of many";
}

/** A window has rows from its beginning on, and its result is as old as the oldest of them. */
function windowNotes({ streams, rules, gateway: { policy } }: Graph): string[] {
  /** ms that the oldest input of a rule's row is old while rows come as declared. */
  const ages = new Map<string, number>();
  const intervalOf = (name: string): number =>
    streams.find((stream) => stream.name === name)?.interval ?? Infinity;
  return rules.flatMap(({ rule, program: { inputs, stages } }) => {
    const read = inputs.flatMap((input) => input.streams);
    const interval = Math.max(...read.map(intervalOf));
    const own = stages.reduce((sum, stage) => sum + Math.max(0, spanOf(stage, interval)), 0);
    const age = own + Math.max(...read.map((name) => ages.get(name) ?? 0));
    ages.set(rule.name, age);
    return rule.to.flatMap((target) => {
      const most = target.kind === "write" ? policy[target.tag]!.inputMaxAge : Infinity;
      return target.kind !== "write" || age <= most ? [] : [`note: rule ${rule.name}, which ` +
        `writes ${target.tag}: the oldest value of a window is ${formatDuration(age)} old when ` +
        `its result comes, older than inputMaxAge allows (${formatDuration(most)}): the gate ` +
        "would refuse almost every command"];
    });
  });
}

/** How much older the oldest row of a stage's result is than a row that comes, ms. */
function spanOf(stage: StagePlan, interval: number): number {
  if (stage.kind === "reorder") return stage.late_ms;
  if (stage.kind !== "window" && stage.kind !== "kept") return 0;
  const { window } = stage;
  switch (window.kind) {
    case "tumbling": case "hopping": return window.length_ms - interval;
    case "sliding": return window.length_ms + window.delay_ms - interval;
    case "count": return interval === Infinity ? 0 : (window.rows - 1) * interval;
    case "session": case "state": return 0;
  }
}
