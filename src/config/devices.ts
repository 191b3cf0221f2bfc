import { Alike, nearest, reason } from "../base.ts";
import type { Device, Group, StaticTag } from "./model.ts";
import { TagTable } from "./csv.ts";
import { tellIssues } from "./issues.ts";
import { nameText } from "./fields.ts";
import { checkMeaning, meaningOf } from "./scaling.ts";
import { checkStatic, staticTag } from "./static.ts";
import { tagSettings, type DeviceText, type GatewayText, type TagText } from "./schema.ts";
import { below, type Findings, type Origin } from "./problem.ts";
import { Tag, type TagSpec } from "./tag.ts";
import { z } from "zod";

/** A device of the configuration and where the texts of its settings stand. */
export interface PlacedDevice {
  readonly device: Device;
  readonly origin: Origin;
  /** By the tag's name. */
  readonly tags: ReadonlyMap<string, Origin>;
}

interface PlacedTag {
  readonly settings: TagText;
  readonly origin: Origin;
}

type Tags = ReadonlyMap<string, PlacedTag>;
type ReadFile = (path: string) => string;

const tagsSchema = z.record(z.string(), tagSettings);

export interface Devices {
  readonly placed: readonly PlacedDevice[];
  /** Devices some of whose tags could not be read: what is missing there was told already. */
  readonly incomplete: ReadonlySet<string>;
}

/** Devices with patterns expanded, types applied and tags put into their groups. */
export function expandDevices(
  config: GatewayText, aside: ReadonlySet<string>, root: Origin, readFile: ReadFile,
  findings: Findings,
): Devices {
  const typeTags = new Map<string, Tags | null>();
  for (const [name, type] of Object.entries(config.types)) {
    typeTags.set(name, readTags(type.tags, below(root, "types", name, "tags"), readFile, findings));
  }
  const alike = new Alike();
  const devices: PlacedDevice[] = [];
  const incomplete = new Set<string>();
  for (const [pattern, device] of Object.entries(config.devices)) {
    const origin = below(root, "devices", pattern);
    const names = expandName(pattern, origin, findings);
    const type = device.use !== undefined && Object.hasOwn(config.types, device.use)
      ? config.types[device.use] : undefined;
    if (device.use !== undefined && !type && !aside.has(`types.${device.use}`)) {
      findings.at(below(origin, "use"), "no such type",
        { nearest: nearest(device.use, Object.keys(config.types)) });
    }
    const inherited = device.use === undefined ? new Map() : typeTags.get(device.use) ?? null;
    const own = readTags(device.tags ?? {}, below(origin, "tags"), readFile, findings);
    if (inherited === null || own === null) {
      for (const { name } of names) incomplete.add(name);
      continue;
    }
    const groups = { ...type?.groups, ...device.groups };
    const order = device.wordOrder ?? type?.wordOrder ?? "ABCD";
    const grouped = groupTags(mergeTags(inherited, own), groups, origin, findings);
    const specs = new Specs(order, alike);
    for (const { name, n } of names) {
      devices.push(instance(name, n, device, specs, grouped, groups, origin, findings));
    }
  }
  return { placed: devices, incomplete };
}

/** The names that a key of `devices` stands for. */
export function deviceNames(pattern: string): string[] {
  return rangeOf(pattern)?.names.map(({ name }) => name) ?? [];
}

/** The tags of a type or device, from JSON or from its CSV file. */
function readTags(
  tags: string | Readonly<Record<string, TagText>>, origin: Origin, readFile: ReadFile,
  findings: Findings,
): Tags | null {
  if (typeof tags !== "string") {
    return new Map(Object.entries(tags).map(([name, settings]) =>
      [name, { settings, origin: below(origin, name) }]));
  }
  const file = tags.slice("file:".length);
  let text: string;
  try {
    text = readFile(file);
  } catch (thrown) {
    findings.at(origin, `the file ${file} cannot be read: ${reason(thrown)}`);
    return null;
  }
  const told = findings.problems.length;
  const table = new TagTable(text, file, origin.path.map(String), findings);
  const place: Origin = { place: table, path: [] };
  const parsed = tagsSchema.safeParse(table.value);
  if (!parsed.success) {
    const schema = z.toJSONSchema(tagsSchema, { io: "input", unrepresentable: "any" });
    tellIssues(parsed.error.issues, table.value, schema, place, findings);
    return null;
  }
  for (const name of Object.keys(parsed.data)) checkTagName(name, below(place, name), findings);
  if (findings.problems.length > told) return null;
  return new Map(Object.entries(parsed.data).map(([name, settings]) =>
    [name, { settings, origin: below(place, name) }]));
}

function checkTagName(name: string, origin: Origin, findings: Findings): void {
  const known = nameText.safeParse(name);
  if (!known.success) findings.at(origin, `expected ${nameText.meta()!.title}`);
}

/** A device's own settings of a tag go over its type's, key by key. */
function mergeTags(type: Tags, own: Tags): Tags {
  const merged = new Map(type);
  for (const [name, tag] of own) {
    const base = type.get(name)?.settings ?? {};
    merged.set(name, { settings: { ...base, ...tag.settings }, origin: tag.origin });
  }
  return merged;
}

/** Checks each tag and finds its group. */
function groupTags(
  tags: Tags, groups: Readonly<Record<string, number>>, origin: Origin, findings: Findings,
): ReadonlyMap<string, readonly [string, PlacedTag][]> {
  const names = Object.keys(groups);
  const grouped = new Map<string, [string, PlacedTag][]>(names.map((name) => [name, []]));
  if (tags.size === 0) {
    findings.at(origin, "a device needs tags, of its own or of its type (`use`)");
  } else if (names.length === 0) {
    findings.at(origin, 'a device needs groups, such as "groups": { "fast": "100ms" }');
  }
  for (const [name, tag] of tags) {
    const { at, type, group } = tag.settings;
    const isStatic = tag.settings.static !== undefined;
    if (isStatic) checkStatic(tag.settings, tag.origin, findings);
    else {
      if (at === undefined) findings.at(below(tag.origin, "at"), "is missing: the tag's address");
      if (type === undefined) findings.at(below(tag.origin, "type"), "is missing: the tag's type");
      checkMeaning(tag.settings, tag.origin, findings);
    }
    if (names.includes(name)) {
      findings.at(tag.origin, `a tag may not have its group's name: ${name}`, { of: "key" });
    }
    const chosen = group ?? (names.length === 1 ? names[0]! : undefined);
    if (isStatic && chosen === undefined) {
      for (const members of grouped.values()) members.push([name, tag]);
    } else if (chosen === undefined) {
      if (names.length > 0) {
        findings.at(below(tag.origin, "group"), `is missing: one of ${names.join(", ")}`);
      }
    } else if (!grouped.has(chosen)) {
      if (names.length > 0) {
        findings.at(below(tag.origin, "group"), `no such group; there are ${names.join(", ")}`,
          { nearest: nearest(chosen, names) });
      }
    } else grouped.get(chosen)!.push([name, tag]);
  }
  return grouped;
}

/** A row of devices in one pattern: more is a typing error, not a plant. */
const devices_per_pattern_max = 10_000;

interface NumberedName {
  readonly name: string;
  readonly n: number | null;
}

/** Names of a pattern: `m-{01..32}` gives m-01 … m-32, each with its number. */
function expandName(pattern: string, origin: Origin, findings: Findings): readonly NumberedName[] {
  const range = rangeOf(pattern);
  if (range) return range.names;
  findings.at(origin, `expected a range upwards of at most ${devices_per_pattern_max} numbers`,
    { of: "key" });
  return [];
}

function rangeOf(pattern: string): { names: readonly NumberedName[] } | null {
  const range = /^(.*)\{(\d+)\.\.(\d+)\}(.*)$/.exec(pattern);
  if (!range) return { names: [{ name: pattern, n: null }] };
  const [before, first, after] = [range[1]!, range[2]!, range[4]!];
  const count = Number(range[3]) - Number(first) + 1;
  if (count < 1 || count > devices_per_pattern_max) return null;
  return {
    names: Array.from({ length: count }, (_, index) => {
      const n = Number(first) + index;
      return { name: `${before}${String(n).padStart(first.length, "0")}${after}`, n };
    }),
  };
}

/** What tags are, once for all devices in which they are the same. */
class Specs {
  readonly #wordOrder: TagSpec["wordOrder"];
  readonly #alike: Alike;
  /** Of the devices of one pattern, by what they share already. */
  readonly #known = new Map<TagText, TagSpec>();

  constructor(wordOrder: TagSpec["wordOrder"], alike: Alike) {
    this.#wordOrder = wordOrder;
    this.#alike = alike;
  }

  /** `at`: its device's number filled in. A tag stands in one group, so `column` is its own. */
  of(name: string, at: string, settings: TagText, column: number): TagSpec {
    const known = this.#known.get(settings);
    if (known?.at === at) return known;
    const spec = this.#alike.of<TagSpec>({
      name, column, at, type: settings.type ?? "float64", ...meaningOf(settings),
      wordOrder: settings.wordOrder ?? this.#wordOrder,
      eu: settings.eu ?? null, writable: settings.access === "read-write",
    });
    this.#known.set(settings, spec);
    return spec;
  }
}

function instance(
  name: string, n: number | null, settings: DeviceText, specs: Specs,
  grouped: ReadonlyMap<string, readonly [string, PlacedTag][]>,
  intervals: Readonly<Record<string, number>>, origin: Origin, findings: Findings,
): PlacedDevice {
  const fill = (text: string, at: Origin): string => {
    if (!text.includes("{n}")) return text;
    if (n === null) findings.at(at, "{n} needs a device name with a range, such as m-{01..32}");
    return text.replaceAll("{n}", String(n));
  };
  const tags = new Map<string, Origin>();
  const station = typeof settings.station === "number" ? settings.station
    : Number(fill(settings.station, below(origin, "station")));
  if (station > 255) {
    findings.at(below(origin, "station"), `station ${station} of ${name}: at most 255`);
  }
  const home = { name, station };
  const tagOf = (
    [tag, { origin: placed, settings }]: [string, PlacedTag], column: number,
  ): Tag => new Tag(home, specs.of(tag, fill(settings.at ?? "", below(placed, "at")), settings,
    column));
  const isStatic = ([, { settings }]: [string, PlacedTag]): boolean =>
    settings.static !== undefined;
  const groups: Group[] = [...grouped]
    .filter(([, members]) => members.some((member) => !isStatic(member)))
    .map(([group, members]) => ({
      name: group,
      interval: intervals[group]!,
      tags: members.filter((member) => !isStatic(member)).map(tagOf),
      statics: members.filter(isStatic).map(([tag, { origin: placed, settings }]): StaticTag =>
        staticTag(name, tag, settings, (text) => fill(text, below(placed, "static")))),
    }));
  for (const members of grouped.values()) {
    for (const [tag, placed] of members) tags.set(tag, placed.origin);
  }
  const labels = Object.fromEntries(Object.entries(settings.labels).map(([label, text]) =>
    [label, fill(text, below(origin, "labels", label))]));
  return { device: { name, link: settings.link, station, labels, groups }, origin, tags };
}
