import type { Problem } from "./model.ts";

export type Path = readonly (string | number)[];

/** A path as it is shown: `rules.hold.to[0].write`. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, step) => typeof step === "number" ? `${text}[${step}]`
    : text === "" ? step : `${text}.${step}`, "");
}

export interface Spot {
  readonly path: string;
  readonly line: number | null;
  readonly column: number | null;
  /** The text that stands there, or null if nothing does. */
  readonly value: string | null;
}

/** A text that knows where its values stand: the configuration, the policy, a CSV file. */
export interface Place {
  /** Null for the configuration itself. */
  readonly file: string | null;
  spot(path: Path, of?: "key" | "value"): Spot;
}

/** A value of a place: what later checks point at when they find it wrong. */
export interface Origin {
  readonly place: Place;
  readonly path: Path;
}

const value_characters_max = 60;
const secretName =
  /(password|passphrase|token|secret|private_?key|api[-_]?key|authorization|cookie)$/i;

export function isSecretName(name: string | number | undefined): boolean {
  return typeof name === "string" && secretName.test(name);
}

const secretPair = new RegExp('("[^"]*(?:password|passphrase|token|secret|private_?key|' +
  'api[-_]?key|authorization|cookie)"\\s*:?\\s*)"[^"]*"?', "gi");

/** A text of the configuration as it may be shown: one short line, without secrets. */
export function shorten(text: string): string {
  const line = text.replace(/\s+/g, " ").replace(secretPair, '$1***');
  return line.length > value_characters_max ? `${line.slice(0, value_characters_max - 1)}…` : line;
}

/** Collects what is wrong; the same problem of many devices of one pattern is told once. */
export class Findings {
  readonly problems: Problem[] = [];
  readonly #told = new Set<string>();

  add(problem: Problem): void {
    const key = `${problem.file ?? ""}\n${problem.path}\n${problem.message}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.problems.push(problem);
  }

  at(
    origin: Origin, message: string,
    more: { nearest?: string | null; of?: "key" | "value" } = {},
  ): void {
    this.add(problemAt(origin, message, more));
  }
}

/** What a problem says beside its sentence; a query's fault is one. */
export interface Hint {
  readonly nearest?: string | null;
  readonly caret?: string;
}

export function problemAt(
  origin: Origin, message: string, more: Hint & { of?: "key" | "value" } = {},
): Problem {
  const { path, line, column, value } = origin.place.spot(origin.path, more.of);
  const hidden = isSecretName(origin.path.at(-1)) && value !== null &&
    !/^"(env|file):/.test(value);
  return {
    ...(origin.place.file === null ? {} : { file: origin.place.file }),
    path, line, column, message,
    value: hidden ? "***" : value === null || more.of === "key" ? null : shorten(value),
    nearest: more.nearest ?? null,
    ...(more.caret === undefined ? {} : { caret: more.caret }),
  };
}

/** `origin` one or more steps further down. */
export function below(origin: Origin, ...steps: readonly (string | number)[]): Origin {
  return { place: origin.place, path: [...origin.path, ...steps] };
}

/**
 * As `check` prints it:
 *
 *     gateway.json:12:9 rules.hold.to[0].write: no such tag
 *       found:  "press.setpiont"
 *       did you mean "press.setpoint"?
 *
 * or of a query
 *
 *     gateway.json:9:14 rules.hot.sql: 1:8: temprature is no column of press.fast, and no tag
 *       SELECT temprature FROM press.fast
 *              ^^^^^^^^^^
 *       did you mean "temperature"?
 */
export function problemText(problem: Problem, file: string): string {
  const place = problem.line === null ? problem.file ?? file
    : `${problem.file ?? file}:${problem.line}:${problem.column}`;
  const path = problem.path === "" ? "" : ` ${problem.path}:`;
  const found = problem.caret !== undefined ? `\n${problem.caret}`.replaceAll("\n", "\n  ")
    : problem.value === null ? "" : `\n  found: ${problem.value}`;
  const meant = problem.nearest === null ? "" : `\n  did you mean "${problem.nearest}"?`;
  return `${place}${path} ${problem.message}${found}${meant}`;
}
