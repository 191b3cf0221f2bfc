import type { z } from "zod";
import { nearest } from "../base.ts";
import { JsonText, problemAt, type Path, type Problem } from "../config.ts";
import { behaviour, kinds, type Behaviour } from "./behaviour.ts";
import { holdsText, type PlantTag } from "./plant.ts";

export interface PlantFile {
  /** By `device.tag`. */
  readonly behaviours: Readonly<Record<string, Behaviour>>;
  readonly problems: readonly Problem[];
}

/**
 * Reads plant.json (JSON with comments). `tags` are those on links that can be simulated. Where
 * there are problems, `behaviours` is empty.
 */
export function readPlant(
  text: string, file: string, tags: readonly Pick<PlantTag, "id" | "type">[],
): PlantFile {
  const known = new Map(tags.map((tag) => [tag.id, tag]));
  const json = new JsonText(text, file);
  if (json.problems.length > 0) return { behaviours: {}, problems: json.problems };
  const behaviours: Record<string, Behaviour> = {};
  const problems: Problem[] = [];
  const add = (path: Path, message: string, meant: string | null = null): void => {
    problems.push(problemAt({ place: json, path }, message, { nearest: meant }));
  };
  if (json.value === null || typeof json.value !== "object" || Array.isArray(json.value)) {
    add([], `expected { "device.tag": { "kind": … }, … }`);
    return { behaviours, problems };
  }
  for (const [id, entry] of Object.entries(json.value)) {
    if (!known.has(id)) {
      add([id], "no such tag on a link that can be simulated", nearest(id, known.keys()));
      continue;
    }
    const parsed = behaviour.safeParse(entry);
    if (!parsed.success) {
      for (const issue of parsed.error.issues) explain(id, entry, issue, add);
      continue;
    }
    for (const [key, other] of references(parsed.data)) {
      if (!known.has(other)) add([id, key], `no such tag: ${other}`, nearest(other, known.keys()));
    }
    const tag = known.get(id)!;
    if ("value" in parsed.data && typeof parsed.data.value === "string" && !holdsText(tag)) {
      add([id, "value"], `a number, true or false is needed: the tag is a ${tag.type}`);
    }
    behaviours[id] = parsed.data;
  }
  return { behaviours: problems.length > 0 ? {} : behaviours, problems };
}

/** The keys of a behaviour that name other tags. */
function references(b: Behaviour): [key: string, tag: string][] {
  const named: [string, string | number | undefined][] =
    b.kind === "vessel" ? [["valve", b.valve], ["door", b.door], ["ambient", b.ambient]]
      : b.kind === "counter" ? [["of", b.of]] : [];
  return named.filter((pair): pair is [string, string] => typeof pair[1] === "string");
}

type Add = (path: Path, message: string, meant?: string | null) => void;

function explain(id: string, entry: unknown, issue: z.core.$ZodIssue, add: Add): void {
  const path = [id, ...issue.path.filter((step) => typeof step !== "symbol")];
  if (issue.code === "unrecognized_keys") {
    const keys = keysOf(entry);
    for (const key of issue.keys) {
      add([...path, key], `unknown key; known are ${keys.join(", ")}`, nearest(key, keys));
    }
    return;
  }
  if (issue.path[0] === "kind") {
    const kind = (entry as { kind?: unknown }).kind;
    add(path, `kind is one of ${kinds.join(", ")}`, nearest(String(kind), kinds));
    return;
  }
  add(path, issue.code === "invalid_union" ? "a number, true or false is needed" : issue.message);
}

function keysOf(entry: unknown): string[] {
  const kind = (entry as { kind?: unknown }).kind;
  const shape = behaviour.options.find((option) => option.shape.kind.value === kind)?.shape;
  return Object.keys(shape ?? {});
}
