import type { z } from "zod";
import { nearest } from "../base.ts";
import { laterTypes } from "./schema.ts";
import { typeNames } from "./fields.ts";
import { below, type Findings, type Origin, type Path } from "./problem.ts";

type Issue = z.core.$ZodIssue;

/** The parts of a JSON Schema node that problems are told from. */
interface Shape {
  readonly title?: string;
  readonly description?: string;
  readonly type?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly propertyNames?: Shape;
  readonly additionalProperties?: Shape | boolean;
  readonly items?: Shape;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Shape>>;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
}

/** Tells zod's issues as problems: what would be right, and the nearest known name. */
export function tellIssues(
  issues: readonly Issue[], value: unknown, schema: Record<string, unknown>,
  origin: Origin, findings: Findings,
): void {
  for (const issue of issues) tell(issue, value, schema as Shape, origin, findings);
}

function tell(issue: Issue, value: unknown, root: Shape, origin: Origin, findings: Findings): void {
  const path = issue.path as Path;
  const at = below(origin, ...path);
  const shape = shapeAt(root, value, path);
  const found = valueAt(value, path);
  if (issue.code === "unrecognized_keys") {
    for (const key of issue.keys) tellUnknownKey(key, shape, below(at, key), findings);
  } else if (issue.code === "invalid_key") {
    findings.at(at, `expected ${expected(shapeAt(root, value, path.slice(0, -1))?.propertyNames)}`,
      { of: "key" });
  } else if (issue.code === "invalid_union" && issue.discriminator !== undefined) {
    tellUnknownType(String(path[0]), found, typesOf(shapeAt(root, value, path.slice(0, -1))), at,
      findings);
  } else if (issue.code === "invalid_union" && branch(issue.errors)) {
    for (const inner of branch(issue.errors)!) {
      tell({ ...inner, path: [...path, ...inner.path] } as Issue, value, root, origin, findings);
    }
  } else if (found === undefined) {
    findings.at(at, `is missing: ${expected(shape)}${help(shape)}`);
  } else if (!/^(Invalid|Too|Unrecognized)\b/.test(issue.message)) {
    // A sentence of our own or of the component's, not one of zod's.
    const types = issue.message.startsWith("expected a type:") && typeof found === "string";
    findings.at(at, issue.message, { nearest: types ? likely(found, typeNames) : null });
  } else {
    const known = shape?.enum?.map(String);
    const meant = known && typeof found === "string" ? likely(found, known) : null;
    findings.at(at, `expected ${expected(shape)}${help(shape)}`, { nearest: meant });
  }
}

function tellUnknownKey(
  key: string, shape: Shape | undefined, at: Origin, findings: Findings,
): void {
  const known = Object.keys(shape?.properties ?? {}).filter((name) => name !== "$schema");
  const meant = likely(key, known);
  const others = meant === null ? `; known here are ${known.join(", ")}` : "";
  findings.at(at, `unknown setting${others}`, { nearest: meant, of: "key" });
}

/** The types that a union of components knows. */
function typesOf(shape: Shape | undefined): string[] {
  return (shape?.oneOf ?? []).map((option) => String(option.properties?.type?.const));
}

const sectionNouns: Readonly<Record<string, string>> = {
  links: "link", sources: "source", tables: "table", sinks: "sink",
};

function tellUnknownType(
  section: string, found: unknown, known: readonly string[], at: Origin, findings: Findings,
): void {
  const noun = sectionNouns[section] ?? "entry";
  if (typeof found !== "string") {
    findings.at(at, `a ${noun} needs a type: ${known.join(", ")}`);
  } else if (laterTypes[section as "links"]?.includes(found)) {
    findings.at(at, `a ${noun} of type ${found} is not in this version; ` +
      `this version has ${known.join(", ")}`);
  } else {
    findings.at(at, `unknown type of ${noun}; known are ${known.join(", ")}`,
      { nearest: likely(found, known) });
  }
}

/** The nearest known name, or one that continues it or that it continues: `baudrate`, `float`. */
function likely(name: string, known: readonly string[]): string | null {
  const longer = (long: string, short: string): boolean =>
    short.length >= 3 && long.toLowerCase().startsWith(short.toLowerCase());
  return nearest(name, known)
    ?? known.find((other) => longer(name, other) || longer(other, name)) ?? null;
}

/** Of a union's branches, the one whose kind of value was meant: its issues lie further inside. */
function branch(errors: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const meant = errors.filter((issues) => issues.length > 0 &&
    !issues.some(({ path, code }) => path.length === 0 &&
      (code === "invalid_type" || code === "invalid_value")));
  // One that knows all keys is nearer than one that does not.
  return meant.find((issues) => issues.every((issue) => issue.code !== "unrecognized_keys"))
    ?? meant[0];
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const step of path) at = (at as Record<string | number, unknown> | undefined)?.[step];
  return at;
}

/** The schema of the value at `path`; in a union, of the branch that `value` is meant for. */
function shapeAt(root: Shape, value: unknown, path: Path): Shape | undefined {
  const follow = (part: Shape): Shape => (part.$ref === undefined ? part
    : root.$defs?.[part.$ref.slice(part.$ref.lastIndexOf("/") + 1)] ?? part);
  let shape: Shape | undefined = select(root, value);
  let at = value;
  for (const step of path) {
    at = (at as Record<string | number, unknown> | undefined)?.[step];
    const next: Shape | boolean | undefined = typeof step === "number" ? shape?.items
      : shape?.properties?.[step] ?? shape?.additionalProperties;
    shape = typeof next === "object" ? select(follow(next), at) : undefined;
  }
  return shape;
}

function select(shape: Shape, value: unknown): Shape {
  const options = shape.oneOf ?? shape.anyOf;
  if (!options || typeof value !== "object" || value === null) return shape;
  const type = (value as { type?: unknown }).type;
  const kind = Array.isArray(value) ? "array" : "object";
  const chosen = options.find((option) => option.type === kind &&
    (shape.oneOf === undefined || option.properties?.type?.const === type));
  return chosen ?? shape;
}

function help(shape: Shape | undefined): string {
  return shape?.description === undefined ? "" : ` (${shape.description})`;
}

/** `a whole number from 1 to 247`, `"none", "even" or "odd"`. */
function expected(shape: Shape | undefined): string {
  if (!shape) return "another value";
  if (shape.title !== undefined) return shape.title;
  if (shape.const !== undefined) return JSON.stringify(shape.const);
  if (shape.enum) return alternatives(shape.enum.map((value) => JSON.stringify(value)));
  const options = shape.oneOf ?? shape.anyOf;
  if (options) return alternatives(options.map(expected));
  switch (shape.type) {
    case "integer": return `a whole number${bounds(shape)}`;
    case "number": return `a number${bounds(shape)}`;
    case "string": return text(shape);
    case "boolean": return "true or false";
    case "array": return `a list in brackets of ${expected(shape.items)}`;
    case "null": return "null";
    default: return "an object in braces";
  }
}

function text(shape: Shape): string {
  if (shape.minLength === 1 && shape.default === undefined) return "text that is not empty";
  if (shape.maxLength !== undefined) return `text of at most ${shape.maxLength} characters`;
  const such = typeof shape.default === "string" ? `, such as "${shape.default}"` : "";
  return `text in double quotes${such}`;
}

function bounds(shape: Shape): string {
  const least = shape.minimum, most = shape.maximum;
  const finite = (n: number | undefined): boolean =>
    n !== undefined && Math.abs(n) < Number.MAX_SAFE_INTEGER;
  if (shape.exclusiveMinimum !== undefined) return ` above ${shape.exclusiveMinimum}`;
  if (finite(least) && finite(most)) return ` from ${least} to ${most}`;
  if (finite(least)) return ` of at least ${least}`;
  return finite(most) ? ` of at most ${most}` : "";
}

function alternatives(texts: readonly string[]): string {
  return texts.length < 2 ? texts.join("")
    : `${texts.slice(0, -1).join(", ")} or ${texts.at(-1)}`;
}
