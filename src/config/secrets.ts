import { reason } from "../base.ts";
import { below, isSecretName, type Findings, type Origin } from "./problem.ts";

export interface SecretSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => string;
}

/**
 * A copy of `value` with each `env:NAME` and `file:path` replaced by what it refers to. A password
 * or token that stands there itself is refused: a configuration is passed around, and printed.
 */
export function resolveSecrets(
  value: unknown, origin: Origin, from: SecretSources, findings: Findings,
): unknown {
  if (Array.isArray(value)) {
    return value.map((item, index) => resolveSecrets(item, below(origin, index), from, findings));
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) =>
      [key, resolveSecrets(item, below(origin, key), from, findings)]));
  }
  if (typeof value !== "string") return value;
  const reference = /^(env|file):(.+)$/s.exec(value);
  if (reference) return resolve(reference[1]!, reference[2]!, origin, from, findings) ?? value;
  if (/^\w+:\/\/[^/@\s]*:[^/@\s]+@/.test(value)) {
    findings.at(origin, 'a password does not stand in the configuration: write the whole address ' +
      'as "env:NAME" or "file:path"');
  }
  if (isSecretName(origin.path.at(-1)) && value !== "") {
    findings.at(origin, 'a secret does not stand in the configuration: write "env:NAME" for an ' +
      'environment variable or "file:path" for the content of a file');
  }
  return value;
}

function resolve(
  kind: string, name: string, origin: Origin, from: SecretSources, findings: Findings,
): string | null {
  if (kind === "env") {
    const content = from.env[name];
    if (content !== undefined && content !== "") return content;
    const state = content === undefined ? "not set" : "empty";
    findings.at(origin, `the environment variable ${name} is ${state}`);
    return null;
  }
  try {
    const content = from.readFile(name).trim();
    if (content !== "") return content;
    findings.at(origin, `the file ${name} is empty`);
  } catch (thrown) {
    findings.at(origin, `the file ${name} cannot be read: ${reason(thrown)}`);
  }
  return null;
}
