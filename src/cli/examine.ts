import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "jsonc-parser";
import { Fault, limits } from "../base.ts";
import {
  load, overlayLinks, problemText, readSimLinks, tooDeep, type Components as ConfigComponents,
  type Problem,
} from "../config.ts";
import { buildGraph, type Components, type ConfigTexts, type Graph } from "../runtime.ts";
import { declaration } from "../sql.ts";
import { readText } from "./client.ts";

/** A configuration read and worked out: a graph, or what is wrong with it, as texts. */
export interface Examined {
  readonly graph: Graph | null;
  readonly texts: readonly string[];
  /** As a text, what a later look found wrong with a place of the configuration. */
  tell(path: readonly (string | number)[], message: string): string;
}

/** The schemas of a binary's components, as `load` wants them. */
export function componentSchemas(components: Components): ConfigComponents {
  const { drivers, connectors } = components;
  const pick = (what: "link" | "source" | "sink") => Object.fromEntries(connectors
    .filter((c) => c[what] !== null).map((c) => [c.type, c[what]!]));
  const driver = (type: string) => drivers.find((d) => d.type === type)!;
  return {
    links: { ...Object.fromEntries(drivers.map((d) => [d.type, d.settings])), ...pick("link") },
    sources: pick("source"),
    tables: Object.fromEntries(components.tables.map((t) => [t.type, t.settings])),
    wrongTable: (type, settings, key) =>
      components.tables.find((t) => t.type === type)!.wrong?.(settings, key) ?? null,
    sinks: pick("sink"),
    wrongTogether: (type, uses) =>
      connectors.find((c) => c.type === type)?.wrongTogether?.(uses) ?? [],
    drivers: drivers.map((d) => d.type),
    declare: declaration,
    checkTag: (link, tag) => driver(link.type).checkTag(tag, link),
    checkGroup: (link, tags) => driver(link.type).checkGroup?.(tags, link) ?? null,
    extents: (link, tag) => driver(link.type).extents(tag, link),
    isBroadcast: (type, tag) => driver(type).broadcast?.is(tag) ?? false,
  };
}

/** Reads a configuration from its file and works it out. */
export function examine(path: string, components: Components, links: string | null): Examined {
  return examineTexts(path, readTexts(path), components, links);
}

export function readTexts(path: string): ConfigTexts {
  const config = readJson(path);
  const policy = policyPath(path, config);
  return { config, policy: policy !== null && existsSync(policy) ? readJson(policy) : "" };
}

/** Texts that no parser could follow to their end are refused before any tries. */
function readJson(path: string): string {
  const text = readText(path);
  const line = tooDeep(text);
  if (line === null) return text;
  throw new Fault("config-too-deep", `${path}:${line} more than ${limits.nesting_max} braces and ` +
    "brackets are open here: is a closing one missing?", { path, line });
}

/**
 * Works out texts as if they stood at `path`; `links` is a sim-links.json to lay over (W25), `name`
 * what problems call the file.
 */
export function examineTexts(
  path: string, texts: ConfigTexts, components: Components, links: string | null, name = path,
): Examined {
  const policy = policyPath(path, texts.config);
  const loaded = load(texts.config, {
    path: resolve(path),
    components: componentSchemas(components),
    readFile: (file) => (file === policy && texts.policy !== "" ? texts.policy : readText(file)),
    env: process.env,
  });
  const show = (problem: Problem): string => problemText(problem, name);
  const tell: Examined["tell"] = (at, message) => show(loaded.problem(at, message));
  if (loaded.gateway === null) return { graph: null, texts: loaded.problems.map(show), tell };
  const gateway = links === null ? loaded.gateway
    : overlayLinks(loaded.gateway, readSimLinks(readText(links), links));
  const { graph, problems } = buildGraph(gateway, components, loaded.problem);
  return { graph, texts: problems.map(show), tell };
}

/** Where `"policy": "file:…"` of a configuration leads, or null. */
export function policyPath(path: string, config: string): string | null {
  const { policy } = (parse(config) ?? {}) as { policy?: unknown };
  if (typeof policy !== "string" || !policy.startsWith("file:")) return null;
  return resolve(dirname(resolve(path)), policy.slice("file:".length));
}
