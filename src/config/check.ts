import { limits, nearest } from "../base.ts";
import { deviceNames, type Devices, type PlacedDevice } from "./devices.ts";
import type { Link, Profile, Rule, SerialPort } from "./model.ts";
import { onlyByPeople } from "./broadcast.ts";
import { hostPort, hostProblem, peersOf, placeOf } from "./peer.ts";
import { checkPolicy, type PlacedPolicy } from "./policy.ts";
import type { Components, GatewayText, LinkUse, TableTexts } from "./schema.ts";
import { below, type Findings, type Origin } from "./problem.ts";
import type { Tag } from "./tag.ts";

/** Everything that the checks across the configuration look at. */
export interface Parts {
  readonly config: GatewayText;
  readonly root: Origin;
  readonly components: Components;
  readonly profile: Profile;
  readonly links: readonly Link[];
  readonly devices: Devices;
  readonly rules: readonly Rule[];
  /** Null: the policy is wrong in itself, which was told. */
  readonly policy: PlacedPolicy | null;
  /** `links.NAME`, `sinks.NAME` … that are wrong in themselves, which was told. */
  readonly aside: ReadonlySet<string>;
}

export function checkAcross(parts: Parts, findings: Findings): void {
  checkNames(parts, findings);
  checkSerialPorts(parts, findings);
  checkConnections(parts, findings);
  checkDevices(parts, findings);
  checkConnectors(parts, findings);
  checkTables(parts, findings);
  const broadcasts = broadcastsOf(parts);
  checkRules(parts, broadcasts, findings);
  if (parts.policy) {
    const tags = new Map(everyTag(parts).map(({ tag }) => [tag.id, tag] as const));
    const rules = [...Object.keys(parts.config.rules), ...asideNames(parts, "rules")];
    const written = new Set(parts.rules.flatMap(({ to }) =>
      to.flatMap((target) => (target.kind === "write" ? [target.tag] : []))));
    checkPolicy(parts.policy, tags, parts.devices.incomplete, rules, written, broadcasts,
      findings);
  }
}

function asideNames(parts: Parts, section: string): string[] {
  return [...parts.aside].filter((name) => name.startsWith(`${section}.`))
    .map((name) => name.slice(section.length + 1));
}

function everyTag(parts: Parts): { tag: Tag; placed: PlacedDevice }[] {
  return parts.devices.placed.flatMap((placed) =>
    placed.device.groups.flatMap((group) => group.tags.map((tag) => ({ tag, placed }))));
}

/** Ids of tags that all devices of a link obey. */
function broadcastsOf({ links, devices, components }: Parts): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { device } of devices.placed) {
    const type = links.find(({ name }) => name === device.link)?.type;
    if (type === undefined || components.drivers?.includes(type) !== true) continue;
    for (const { tags } of device.groups) {
      for (const tag of tags) if (components.isBroadcast?.(type, tag) === true) found.add(tag.id);
    }
  }
  return found;
}

/** Devices, sources, tables and rules are all named after FROM. */
function checkNames({ config, root }: Parts, findings: Findings): void {
  const owners = new Map<string, string>();
  for (const section of ["devices", "sources", "tables", "rules"] as const) {
    for (const key of Object.keys(config[section])) {
      const names = section === "devices" ? deviceNames(key) : [key];
      for (const name of names) {
        const owner = owners.get(name);
        if (owner !== undefined) {
          findings.at(below(root, section, key), `the name ${name} is taken by ${owner}; ` +
            "devices, sources, tables and rules share names", { of: "key" });
        } else owners.set(name, `${section}.${key}`);
      }
    }
  }
}

/** The board's name for a port, or its path. */
export function serialPort(profile: Profile, port: string): SerialPort | null {
  if (Object.hasOwn(profile.serialPorts, port)) return profile.serialPorts[port]!;
  return port.startsWith("/") ? { path: port, rs485: null } : null;
}

function checkSerialPorts({ links, profile, root }: Parts, findings: Findings): void {
  const masters = new Map<string, string>();
  for (const { name, settings } of links) {
    if (typeof settings.port !== "string") continue;
    const origin = below(root, "links", name);
    const port = serialPort(profile, settings.port);
    if (port === null) {
      const known = Object.keys(profile.serialPorts);
      const names = known.length === 0 ? "names no ports" : `has ${known.join(", ")}`;
      findings.at(below(origin, "port"), `no such serial port; the profile ${profile.name} ` +
        `${names}; a path such as /dev/ttyUSB0 can stand here too`,
        { nearest: nearest(settings.port, known) });
      continue;
    }
    const first = masters.get(port.path);
    if (first !== undefined) {
      findings.at(below(origin, "port"), `two masters on one port: links.${first} has ` +
        `${port.path} already; put the devices of one bus on one link`);
    } else masters.set(port.path, name);
    if (settings.rs485 === undefined) {
      const hint = port.rs485 === null ? "" : `; on this board it is "${port.rs485}"`;
      findings.at(below(origin, "rs485"), `is missing: "kernel" if the driver of the port ` +
        `switches the direction, "adapter" if the hardware does${hint}`);
    }
  }
}

/** One connection serves all stations behind it: many a gateway takes no second one. */
function checkConnections({ links, components, root }: Parts, findings: Findings): void {
  const taken = new Map<string, string>();
  for (const { name, type, settings } of links) {
    if (typeof settings.host !== "string") {
      checkListening(name, settings.port, below(root, "links", name), taken, findings);
      continue;
    }
    checkHosts(settings, below(root, "links", name), findings);
    if (components.drivers?.includes(type) !== true) continue;
    const place = placeOf(settings.host, settings.port);
    const first = taken.get(place);
    if (first !== undefined) {
      findings.at(below(root, "links", name, "host"), `links.${first} leads to ` +
        `${hostPort(settings.host, settings.port)} already; one connection serves all its ` +
        "stations, so put the devices on one link");
    } else taken.set(place, name);
  }
}

function checkHosts(
  { host, backupHost, port }: Link["settings"], origin: Origin, findings: Findings,
): void {
  for (const [key, text] of Object.entries({ host, backupHost })) {
    const wrong = typeof text === "string" ? hostProblem(text) : null;
    if (wrong !== null) findings.at(below(origin, key), wrong);
  }
  const [first, second] = [host, backupHost].map((one) =>
    (typeof one === "string" ? placeOf(one, port) : null));
  if (second === null || first !== second) return;
  findings.at(below(origin, "backupHost"), "is host itself: it is another device's, or left out");
}

/** A link without a host waits on a port of this gateway, which is there once. */
function checkListening(
  name: string, port: unknown, origin: Origin, taken: Map<string, string>, findings: Findings,
): void {
  if (typeof port !== "number") return;
  const place = `port ${port} of this gateway`;
  const first = taken.get(place);
  if (first === undefined) taken.set(place, name);
  else findings.at(below(origin, "port"), `links.${first} waits on ${place} already; each device ` +
    "that dials in has a port of its own");
}

/** The link a name refers to; null when that was told, now or before. */
function linkOf(name: string, origin: Origin, parts: Parts, findings: Findings): Link | null {
  const link = parts.links.find((candidate) => candidate.name === name);
  if (!link && !parts.aside.has(`links.${name}`)) {
    findings.at(origin, "no such link",
      { nearest: nearest(name, Object.keys(parts.config.links)) });
  }
  return link ?? null;
}

function checkDevices(parts: Parts, findings: Findings): void {
  const { components, devices } = parts;
  const writable: Range[] = [];
  const peers = peersOf(parts.links);
  for (const placed of devices.placed) {
    const { device, origin } = placed;
    const link = linkOf(device.link, below(origin, "link"), parts, findings);
    if (!link) continue;
    if (components.drivers && !components.drivers.includes(link.type)) {
      findings.at(below(origin, "link"), `devices are not reached by a link of type ` +
        `${link.type}; a driver's link is one of ${components.drivers.join(", ")}`);
      continue;
    }
    for (const group of device.groups) {
      const told = findings.problems.length;
      for (const tag of group.tags) {
        writable.push(...checkTag(tag, link, placed, parts, findings)
          .map((range) => ({ ...range, peer: peers.get(link.name)! })));
      }
      if (findings.problems.length > told) continue;
      const wrong = components.checkGroup?.(link, group.tags) ?? null;
      if (wrong !== null) findings.at(below(origin, "groups", group.name), wrong);
    }
  }
  tellOverlaps(writable, findings);
}

/** The raw words of a writable tag. */
interface Range {
  readonly id: string;
  readonly peer: string;
  readonly area: string;
  readonly station: number;
  /** Its words are those of all stations. */
  readonly isBroadcast: boolean;
  readonly from: number;
  readonly to: number;
  readonly isPart?: true;
  readonly origin: Origin;
}

/** The address; and where its words lie, if it can be written. */
function checkTag(
  tag: Tag, link: Link, placed: PlacedDevice, { components }: Parts, findings: Findings,
): Omit<Range, "peer">[] {
  // Told before.
  if (tag.at === "" || tag.scale === 0 || !Number.isFinite(tag.scale)) return [];
  const origin = below(placed.tags.get(tag.id.slice(placed.device.name.length + 1))!, "at");
  const wrong = components.checkTag?.(link, tag) ?? null;
  if (wrong !== null) {
    findings.at(origin, wrong);
    return [];
  }
  if (!tag.writable || !components.extents) return [];
  const isBroadcast = components.isBroadcast?.(link.type, tag) ?? false;
  return components.extents(link, tag).map((extent) =>
    ({ ...extent, id: tag.id, station: tag.station, origin, isBroadcast }));
}

/** Two tags that share words would undo each other's writes (W13). */
function tellOverlaps(writable: readonly Range[], findings: Findings): void {
  const places = Map.groupBy(writable, ({ peer, area, station }) =>
    `${area} of station ${station} at ${peer}`);
  for (const [words, ranges] of places) {
    ranges.sort((a, b) => a.from - b.from);
    // Those that go furthest, of all and of wholes alone: what a part may overlap.
    let widest: Range | null = null, whole: Range | null = null;
    for (const range of ranges) {
      const other: Range | null = range.isPart ? whole : widest;
      if (other !== null && range.from <= other.to) {
        findings.at(range.origin, `two writable tags overlap: ${range.id} and ${other.id} share ` +
          `${words}`);
      }
      if (widest === null || range.to > widest.to) widest = range;
      if (!range.isPart && (whole === null || range.to > whole.to)) whole = range;
    }
  }
  for (const range of writable) if (range.isBroadcast) tellReached(range, writable, findings);
}

/** What every station obeys is a second writer of the same words at each of them (W13). */
function tellReached(all: Range, writable: readonly Range[], findings: Findings): void {
  for (const { id, peer, area, isBroadcast, from, to } of writable) {
    const overlaps = peer === all.peer && area === all.area && from <= all.to && to >= all.from;
    if (!overlaps || isBroadcast) continue;
    findings.at(all.origin, `${id} has two writers: the broadcast ${all.id} sets its ${area} at ` +
      `every station, and nobody could say which of both stands there; "access" of ${id} must be ` +
      '"read", or the broadcast lies elsewhere (W13)');
  }
}

function checkConnectors(parts: Parts, findings: Findings): void {
  const { config, root } = parts;
  const uses = new Map<Link, LinkUse[]>();
  for (const section of ["sources", "sinks"] as const) {
    for (const [name, entry] of Object.entries(config[section])) {
      const { type, link } = entry as { type: string; link?: string };
      if (link === undefined) continue;
      const origin = below(root, section, name, "link");
      const found = linkOf(link, origin, parts, findings);
      if (found && found.type !== type) {
        findings.at(origin, `a link of type ${found.type} cannot carry ${type}`);
      } else if (found) {
        uses.set(found, [...uses.get(found) ?? [], { section, name, settings: entry }]);
      }
    }
  }
  for (const [{ type }, all] of uses) {
    for (const { use, path, why } of parts.components.wrongTogether?.(type, all) ?? []) {
      findings.at(below(root, use.section, use.name, ...path), why);
    }
  }
  if (config.commands) {
    const origin = below(root, "commands", "link");
    const link = linkOf(config.commands.link, origin, parts, findings);
    if (link && link.type !== "mqtt") {
      findings.at(origin, `write commands come by a link of type mqtt, not ${link.type}`);
    }
  }
}

function checkTables({ config, root, components }: Parts, findings: Findings): void {
  for (const [name, table] of Object.entries(config.tables as TableTexts)) {
    const { type, key, columns, capacity } = table;
    const origin = below(root, "tables", name, "key");
    const [setting, why] = components.wrongTable?.(type, table, key ?? null) ?? [];
    if (setting !== undefined) findings.at(below(root, "tables", name, setting), why!);
    if (key === undefined) {
      if (capacity > limits.join_rows_max) {
        findings.at(below(root, "tables", name, "capacity"), "a table without key, whose rows " +
          `all meet each row, has at most ${limits.join_rows_max} (join_rows_max)`);
      }
    } else if (!Object.hasOwn(columns, key)) {
      findings.at(origin, `no such column; there are ${Object.keys(columns).join(", ")}`,
        { nearest: nearest(key, Object.keys(columns)) });
    } else if (/^(json|bytes)/.test(columns[key]!)) {
      findings.at(origin, `rows are not asked for by a column of type ${columns[key]}`);
    }
  }
}

function checkRules(
  parts: Parts, broadcasts: ReadonlySet<string>, findings: Findings,
): void {
  const writers = new Map<string, string>();
  const tags = new Map(everyTag(parts).map(({ tag }) => [tag.id, tag] as const));
  for (const rule of parts.rules) {
    rule.to.forEach((target, index) => {
      const origin = below(parts.root, "rules", rule.name, "to", index);
      if (target.kind === "sink") {
        const sinks = Object.keys(parts.config.sinks);
        if (sinks.includes(target.sink) || parts.aside.has(`sinks.${target.sink}`)) return;
        findings.at(origin, tags.has(target.sink)
          ? `this is a tag: { "write": "${target.sink}", "from": "COLUMN" } writes it`
          : "no such sink", { nearest: nearest(target.sink, sinks) });
        return;
      }
      const at = below(origin, "write");
      const first = writers.get(target.tag);
      if (first !== undefined) {
        findings.at(at, first === rule.name ? `the rule ${first} writes ${target.tag} twice (W13)`
          : `two rules write ${target.tag}: ${first} and ${rule.name}; one tag has one rule (W13)`);
      }
      writers.set(target.tag, rule.name);
      if (broadcasts.has(target.tag)) findings.at(at, onlyByPeople(target.tag));
      else checkWrite(rule.name, target.tag, tags, at, parts, findings);
    });
  }
}

/** A written tag: it exists, is read-write, and the policy names it, the rule and onLoss. */
function checkWrite(
  rule: string, id: string, tags: ReadonlyMap<string, Tag>, origin: Origin, parts: Parts,
  findings: Findings,
): void {
  const tag = tags.get(id);
  if (!tag) {
    if (parts.devices.incomplete.has(id.split(".", 1)[0]!)) return;
    findings.at(origin, "no such tag", { nearest: nearest(id, tags.keys()) });
    return;
  }
  if (!tag.writable) {
    findings.at(origin, `${id} is read only; a tag that is written has "access": "read-write"`);
  }
  if (!parts.policy) return;
  const policy = parts.policy.policy[id];
  if (!policy) {
    findings.at(origin, `the policy does not name ${id}, so nobody may write it; add ` +
      `"${id}": { "allow": ["rule:${rule}"], "min": …, "max": …, "onLoss": … }`);
    return;
  }
  const place = below(parts.policy.origin, id);
  if (!policy.allow.includes(`rule:${rule}`)) {
    findings.at(below(place, "allow"), `rule ${rule} writes ${id}, but is not allowed to; ` +
      `add "rule:${rule}"`);
  }
  if (policy.onLoss === null) {
    findings.at(below(place, "onLoss"), `is missing: rule ${rule} writes ${id}, so say what ` +
      'happens when its commands stop, such as { "after": "30s", "value": "hold" }');
  }
}
