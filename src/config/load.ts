import { dirname, normalize, resolve } from "node:path";
import { Fault, limits, nearest } from "../base.ts";
import { checkAcross, serialPort } from "./check.ts";
import { columnOf, type ColumnText } from "./columns.ts";
import { deviceNames, expandDevices } from "./devices.ts";
import { tellIssues } from "./issues.ts";
import { JsonText } from "./jsonc.ts";
import { readPolicy, type PlacedPolicy } from "./policy.ts";
import { findProfile, profileNames } from "./profiles.ts";
import { resolveSecrets } from "./secrets.ts";
import {
  gatewaySchema, translatedSchema, type Components, type GatewayText, type TableTexts,
} from "./schema.ts";
import { below, Findings, problemAt, type Hint, type Origin, type Path } from "./problem.ts";
import type {
  Gateway, Link, OnChange, Problem, Profile, Rule, SinkConfig, Source, TableConfig,
} from "./model.ts";

export interface LoadOptions {
  /** Path of the configuration file: relative paths in it are meant from its folder. */
  readonly path: string;
  readonly components: Components;
  /** Text of a file that the configuration names (an absolute path); throws if there is none. */
  readonly readFile: (path: string) => string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Finds a firmware profile; those of the executable if nothing is said. */
  readonly profile?: (name: string) => Profile | null;
}

export interface Loaded {
  /** Null when there are problems. */
  readonly gateway: Gateway | null;
  readonly problems: readonly Problem[];
  /** A problem of the configuration that a later check found, with its place. */
  problem(path: Path, message: string, hint?: Hint): Problem;
}

/** The text of a configuration → the gateway it describes, or everything that is wrong with it. */
export function load(text: string, options: LoadOptions): Loaded {
  const findings = new Findings();
  const tooLarge = text.length > limits.config_bytes_max;
  const json = new JsonText(tooLarge ? "{}" : text, null);
  const origin: Origin = { place: json, path: [] };
  const loaded = (built: Built | null): Loaded => ({
    gateway: findings.problems.length > 0 ? null : built?.gateway ?? null,
    problems: findings.problems,
    // What the policy says stands in a file of its own.
    problem: (path, message, hint) => problemAt(path[0] === "policy" && built !== null
      ? below(built.policy.origin, ...path.slice(1)) : below(origin, ...path), message, hint),
  });
  if (tooLarge) {
    findings.at(origin, `the file is larger than ${limits.config_bytes_max} bytes`, { of: "key" });
    return loaded(null);
  }
  json.problems.forEach((problem) => findings.add(problem));
  if (json.problems.length > 0) return loaded(null);
  return loaded(build(text, json, origin, options, findings));
}

interface Built {
  readonly gateway: Gateway;
  readonly policy: PlacedPolicy;
}

function build(
  text: string, json: JsonText, root: Origin, options: LoadOptions, findings: Findings,
): Built | null {
  const folder = dirname(resolve(options.path));
  const readFile = (path: string): string => options.readFile(resolve(folder, path));
  const find = options.profile ?? findProfile;
  const declared = withDeclared(json.value, root, options.components, findings);
  const value = withLines(
    withSecrets(declared, root, { env: options.env, readFile }, findings), find);
  const parsed = parse(value, root, options.components, findings);
  const policyText = (value as { policy?: unknown } | null)?.policy;
  const policy = readPolicy(json, policyText, readFile, findings);
  if (!parsed) return null;
  const { config, aside } = parsed;
  const profile = profileOf(config, find, root, findings);
  const links = Object.entries(config.links).map(([name, link]) => toLink(name, link, profile));
  const expanded = expandDevices(config, aside, root, readFile, findings);
  const incomplete = new Set([...expanded.incomplete, ...asideDevices(aside)]);
  const devices = { placed: expanded.placed, incomplete };
  const rules = Object.entries(config.rules).map(([name, rule]) => toRule(name, rule));
  checkAcross({
    config, root, components: options.components, profile, links, devices, rules, policy, aside,
  }, findings);
  const api = toApi(config, root, findings);
  if (findings.problems.length > 0 || !policy || !api) return null;
  const gateway: Gateway = {
    id: config.gateway.id, profile, links, rules, api,
    devices: devices.placed.map(({ device }) => device),
    sources: Object.entries(config.sources)
      .map(([name, entry]) => toSource(name, entry, folder)),
    tables: Object.entries(config.tables as TableTexts)
      .map(([name, entry]) => toTable(name, entry, folder)),
    models: Object.entries(config.models).map(([name, model]) =>
      ({ name, ...model, file: resolve(folder, model.file) })),
    functions: Object.entries(config.functions).map(([name, fn]) => ({ name, ...fn })),
    sinks: Object.entries(config.sinks).map(([name, entry]) => toSink(name, entry)),
    policy: policy.policy,
    commands: config.commands ?? null,
    store: { ...config.store, directory: resolve(folder, config.store.directory) },
    configHash: sha256(text), policyHash: sha256(policy.text),
  };
  return { gateway, policy };
}

/** Entries that are written in SQL, as those which they are a second spelling of. */
function withDeclared(
  value: unknown, root: Origin, { declare }: Components, findings: Findings,
): unknown {
  if (declare === undefined || typeof value !== "object" || value === null) return value;
  const whole = { ...value } as Record<string, unknown>;
  for (const section of ["sources", "tables"]) {
    const entries = whole[section];
    if (typeof entries !== "object" || entries === null) continue;
    whole[section] = Object.fromEntries(Object.entries(entries).flatMap(([name, entry]) => {
      if (typeof entry !== "string") return [[name, entry]];
      const found = declaredIn(entry, { section, name }, declare);
      if (typeof found !== "string") return [[name, withLink(found, whole["links"])]];
      findings.at(below(root, section, name), found);
      return [];
    }));
  }
  return whole;
}

/** The entry, or what is wrong with it. */
function declaredIn(
  sql: string, place: { section: string; name: string }, declare: Declare,
): Readonly<Record<string, unknown>> | string {
  try {
    const { section, name, entry } = declare(sql);
    if (section !== place.section) return `this stands under "${section}"`;
    return name === place.name ? entry : `the name in the statement is ${name}, here ${place.name}`;
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    return thrown.message;
  }
}
type Declare = NonNullable<Components["declare"]>;

/** SQL need not name the link where there is only one of the type. */
function withLink(entry: Readonly<Record<string, unknown>>, links: unknown): unknown {
  const fitting = Object.entries((links ?? {}) as Record<string, { type?: unknown } | null>)
    .filter(([, link]) => link?.type === entry["type"]);
  return "link" in entry || fitting.length !== 1 ? entry : { ...entry, link: fitting[0]![0] };
}

/** References are followed where secrets are used; elsewhere `file:` has its own meaning. */
const secretSections = ["links", "sources", "tables", "sinks", "api"];

function withSecrets(
  value: unknown, root: Origin, from: Parameters<typeof resolveSecrets>[2], findings: Findings,
): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([section, part]) => [section,
    secretSections.includes(section)
      ? resolveSecrets(part, below(root, section), from, findings) : part]));
}

/**
 * The value by the schema. What is wrong in itself is told and set aside (`links.plc-1`), so that
 * the rest is still checked; null if that is not possible.
 */
function parse(
  value: unknown, root: Origin, components: Components, findings: Findings,
): { config: GatewayText; aside: ReadonlySet<string> } | null {
  const schema = gatewaySchema(components);
  const whole = schema.safeParse(value);
  if (whole.success) return { config: whole.data, aside: new Set() };
  tellIssues(whole.error.issues, value, translatedSchema(components), root, findings);
  const rest = structuredClone(value) as Record<string, Record<string, unknown>> | null;
  const aside = new Set<string>();
  for (const { path, ...issue } of whole.error.issues) {
    const [section, name] = path as [string?, string?];
    const unknown = issue.code === "unrecognized_keys" && section === undefined ? issue.keys : [];
    for (const key of unknown) delete rest?.[key];
    if (section === undefined) continue;
    if (section === "gateway") rest!.gateway = { id: "unnamed" };
    else if (name === undefined || !(namedSections as readonly string[]).includes(section)) {
      delete rest![section];
    } else {
      aside.add(`${section}.${name}`);
      delete rest![section]?.[name];
    }
  }
  const again = schema.safeParse(rest);
  return again.success ? { config: again.data, aside } : null;
}

const namedSections = [
  "types", "links", "devices", "sources", "tables", "models", "functions", "rules", "sinks",
] as const;

function asideDevices(aside: ReadonlySet<string>): string[] {
  return [...aside].filter((name) => name.startsWith("devices."))
    .flatMap((name) => deviceNames(name.slice("devices.".length)));
}

type FindProfile = (name: string) => Profile | null;

function profileOf(
  config: GatewayText, find: FindProfile, root: Origin, findings: Findings,
): Profile {
  const found = find(config.gateway.profile);
  if (found) return found;
  findings.at(below(root, "gateway", "profile"),
    `no such profile; there are ${profileNames.join(", ")}`,
    { nearest: nearest(config.gateway.profile, profileNames) });
  return findProfile("generic-512mb")!;
}

/** What the board's profile knows of a serial port stands for what the link does not say. */
function withLines(value: unknown, find: FindProfile): unknown {
  const { gateway, links } = (value ?? {}) as
    { gateway?: { profile?: unknown }; links?: Record<string, unknown> };
  const profile = typeof gateway?.profile === "string" ? find(gateway.profile) : null;
  if (profile === null || typeof links !== "object" || links === null) return value;
  const lined = Object.entries(links).map(([name, link]): [string, unknown] => {
    const port = (link as { port?: unknown } | null)?.port;
    const line = typeof port === "string" ? serialPort(profile, port)?.line : undefined;
    return [name, line === undefined ? link : { ...line, ...link as object }];
  });
  return { ...value as object, links: Object.fromEntries(lined) };
}

/** A serial port is a path from here on, whatever the configuration calls it. */
function toLink(name: string, link: object, profile: Profile): Link {
  const { type, ...settings } = link as { type: string; port?: unknown };
  if (typeof settings.port === "string") {
    const port = serialPort(profile, settings.port);
    return { name, type, settings: port ? { ...settings, port: normalize(port.path) } : settings };
  }
  return { name, type, settings };
}

function toSource(name: string, entry: object, folder: string): Source {
  const { type, link, columns, valueBytes, messageBytes, ...settings } = entry as {
    type: string; link?: string; columns?: Record<string, ColumnText>;
    valueBytes: number; messageBytes: number;
  };
  return {
    name, type, link: link ?? null, settings: withFile(settings, folder),
    columns: Object.entries(columns ?? {}).map(([column, text]) =>
      columnOf(column, text, valueBytes)),
    open: columns === undefined ? { value_bytes: valueBytes, message_bytes: messageBytes } : null,
  };
}

function toTable(name: string, entry: TableTexts[string], folder: string): TableConfig {
  const { type, columns, key = null, ttl, capacity, deadline, onError, ...settings } = entry;
  return {
    name, type, key, ttl, capacity, deadline, onError, settings: withFile(settings, folder),
    columns: Object.entries(columns).map(([column, type]) => ({ name: column, type })),
  };
}

/** A `file` of a table or source is meant from the configuration's folder. */
function withFile(settings: Record<string, unknown>, folder: string): Record<string, unknown> {
  const { file } = settings;
  return typeof file === "string" ? { ...settings, file: resolve(folder, file) } : settings;
}

function toSink(name: string, entry: object): SinkConfig {
  const { type, link, omitIfEmpty, onChange, ...settings } =
    entry as { type: string; link?: string; omitIfEmpty: boolean; onChange: OnChange | null };
  return { name, type, link: link ?? null, omitIfEmpty, onChange, settings };
}

function toRule(name: string, text: GatewayText["rules"][string]): Rule {
  const { sql, to, eventTime, emptyWindows, sendError, schedule, restart } = text;
  return {
    name, sql, restart, emptyWindows, sendError,
    schedule: schedule === undefined ? null : {
      cron: schedule.cron ?? null, duration: schedule.duration ?? null, between: schedule.between,
    },
    eventTime: eventTime === undefined ? null : {
      ...eventTime, idleTimeout: eventTime.idleTimeout ?? null, rows: eventTime.rows ?? null,
    },
    to: to.map((target) => typeof target === "string" ? { kind: "sink", sink: target }
      : { kind: "write", tag: target.write, from: target.from }),
  };
}

/** Off the loopback the API asks for a token, always. */
function toApi(config: GatewayText, root: Origin, findings: Findings): Gateway["api"] | null {
  const { listen, token } = config.api;
  const origin = below(root, "api", "listen");
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s]+)):(\d{1,5})$/.exec(listen);
  const port = Number(match?.[3]);
  if (!match || port > 65535) {
    findings.at(origin, 'expected host:port, such as "127.0.0.1:8600" or "[::1]:8600"');
    return null;
  }
  const host = match[1] ?? match[2]!;
  const loopback = host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
  if (!loopback && token === undefined) {
    findings.at(origin, `to listen on ${host}, others can reach the API: set "token": "env:NAME"`);
    return null;
  }
  return { listen: host, port, token: token ?? null };
}

function sha256(text: string): string {
  return new Bun.CryptoHasher("sha256").update(text).digest("hex");
}
