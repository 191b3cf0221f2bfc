import type { Gateway } from "./model.ts";

/** Parts of a configuration that have names, in the order in which a plan speaks of them. */
const sections = [
  "links", "devices", "sources", "tables", "models", "functions", "rules", "sinks",
] as const;

/** One entry that another configuration adds, removes or changes. */
export interface Difference {
  readonly section: (typeof sections)[number] | "policy";
  readonly name: string;
  readonly what: "added" | "removed" | "changed";
  /** What of it differs, by name: values may be secrets. Empty unless it is changed. */
  readonly keys: readonly string[];
}

export interface Diff {
  readonly differences: readonly Difference[];
  /** One sentence each for what can only be had by a restart. */
  readonly restart: readonly string[];
}

/** Named settings of an entry, those of its component among them. */
type Entry = { readonly name: string; readonly settings?: object };

/** How two checked configurations differ. Pure; says nothing of what follows from it. */
export function diffGateways(before: Gateway, after: Gateway): Diff {
  const policies = ({ policy }: Gateway): Entry[] =>
    Object.entries(policy).map(([name, entry]) => ({ name, ...entry }));
  const differences = [
    ...sections.flatMap((section) => diffEntries(section, before[section], after[section])),
    ...diffEntries("policy", policies(before), policies(after)),
  ];
  return { differences, restart: restartsFor(before, after) };
}

function diffEntries(
  section: Difference["section"], before: readonly Entry[], after: readonly Entry[],
): Difference[] {
  const old = new Map(before.map((entry) => [entry.name, entry]));
  const found: Difference[] = [];
  for (const entry of after) {
    const was = old.get(entry.name);
    old.delete(entry.name);
    if (was === undefined) found.push({ section, name: entry.name, what: "added", keys: [] });
    else if (!Bun.deepEquals(was, entry, true)) {
      found.push({ section, name: entry.name, what: "changed", keys: differingKeys(was, entry) });
    }
  }
  for (const name of old.keys()) found.push({ section, name, what: "removed", keys: [] });
  return found;
}

function differingKeys(before: Entry, after: Entry): string[] {
  const flat = ({ settings, ...rest }: Entry): Record<string, unknown> =>
    ({ ...rest, ...settings });
  const [a, b] = [flat(before), flat(after)];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .filter((key) => !Bun.deepEquals(a[key], b[key], true));
}

/** What the process was made with, and cannot be made anew while it runs. */
function restartsFor(before: Gateway, after: Gateway): string[] {
  const fixed = {
    "gateway.id": [before.id, after.id, "topics and client ids are made of it"],
    "gateway.profile": [before.profile, after.profile, "threads and memory are made at the start"],
    commands: [before.commands, after.commands, "the command topic is subscribed at the start"],
    api: [before.api, after.api, "the API listens from the start on"],
    store: [before.store, after.store, "the store is open from the start on"],
  } as const;
  return Object.entries(fixed)
    .filter(([, [was, is]]) => !Bun.deepEquals(was, is, true))
    .map(([name, [, , why]]) => `${name} differs: ${why}`);
}
