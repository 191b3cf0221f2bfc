import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Fault } from "../base.ts";
import { load, overlayLinks, problemText, type ComponentSchemas, type Problem } from "../config.ts";
import { buildGraph, type Components, type Graph } from "../runtime.ts";

/** A configuration read and worked out: a graph, or what is wrong with it, as texts. */
export interface Examined {
  readonly graph: Graph | null;
  readonly texts: readonly string[];
}

/** The schemas of a binary's components, as `load` wants them. */
export function componentSchemas(components: Components): ComponentSchemas {
  const { drivers, connectors } = components;
  const pick = (what: "link" | "source" | "sink") => Object.fromEntries(connectors
    .filter((c) => c[what] !== null).map((c) => [c.type, c[what]!]));
  return {
    links: { ...Object.fromEntries(drivers.map((d) => [d.type, d.settings])), ...pick("link") },
    sources: pick("source"),
    sinks: pick("sink"),
  };
}

/** Reads a configuration; `links` is a sim-links.json to lay over it (W25), or null. */
export function examine(path: string, components: Components, links: string | null): Examined {
  const loaded = load(readText(path), {
    path: resolve(path),
    components: componentSchemas(components),
    readFile: (file) => readText(resolve(dirname(path), file)),
    env: process.env,
  });
  const show = (problem: Problem): string => problemText(problem, path);
  if (loaded.gateway === null) return { graph: null, texts: loaded.problems.map(show) };
  const gateway = links === null ? loaded.gateway
    : overlayLinks(loaded.gateway, JSON.parse(readText(links)));
  const { graph, problems } = buildGraph(gateway, components);
  return { graph, texts: problems.map(show) };
}

export function readText(path: string): string {
  if (!existsSync(path)) throw new Fault("unknown-file", `There is no file ${path}`, { path });
  return readFileSync(path, "utf8");
}
