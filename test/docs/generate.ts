import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import type { Connector } from "../../src/connector.ts";
import { connectors, drivers } from "../../src/registry.ts";
import { limits } from "../../src/base.ts";
import { typeNames } from "../../src/sql/arguments.ts";
import { absentFunctions } from "../../src/sql/functions.ts";
import { quantities } from "../../src/sql/functions/units.ts";
import { manual } from "../../src/sql/manual.ts";
import { not_precedence, precedence, reserved, windows } from "../../src/sql/parser.ts";
import { deviations } from "../conformance/sets.ts";

/**
 * What pages take from the code: between `<!-- generated: NAME -->` and `<!-- end -->` stands what
 * the section of this name gives. `bun run docs` writes it; a test holds the pages to it.
 */
export const root = resolve(import.meta.dir, "../..");
export const pages = [...new Bun.Glob("docs/*.md").scanSync(root)].sort();

const code = (text: string): string => `\`${text}\``;
/** A bar inside a cell of a table. */
const cell = (text: string): string => text.replaceAll("|", "\\|");

function functions(): string {
  const titles = [...new Set(manual.map(({ family }) => family))];
  return titles.map((title) => {
    const rows = manual.filter(({ family }) => family === title)
      .map(({ usage, also, gives, doc, examples }) => {
        const names = [usage, ...also].map(code).join(", ");
        return `| ${names} | ${gives} | ${cell(doc)} | ${examples.map(example).join("<br>")} |`;
      });
    return `### ${title}\n\n| function | gives | meaning | examples |\n|---|---|---|---|\n` +
      rows.join("\n");
  }).join("\n\n");
}

const example = (text: string): string => code(cell(text));

const wrap = (words: readonly string[]): string => {
  const lines = [""];
  for (const word of words) {
    const line = lines.at(-1)!;
    if (line.length + word.length > 140) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join("\n");
};

const units = (): string => wrap(quantities.flatMap((quantity, i) =>
  [...Object.keys(quantity).map(code), ...(i + 1 < quantities.length ? ["·"] : [])]));

/** From the loosest; NOT stands before its operand. */
function operators(): string {
  const levels = new Map<number, string[]>([[not_precedence, ["NOT x"]]]);
  for (const [op, level] of Object.entries(precedence)) {
    const before = op === "NOT" ? [] : [op === "IS" ? "IS [NOT] NULL"
      : /^(IN|BETWEEN|LIKE)$/.test(op) ? `[NOT] ${op}` : op];
    levels.set(level, [...levels.get(level) ?? [], ...before]);
  }
  const rows = [...levels].sort(([a], [b]) => a - b)
    .map(([, ops], i) => `| ${i + 1} | ${ops.map((op) => code(cell(op))).join(" ")} |`);
  return `| binds | operators |\n|---|---|\n${rows.join("\n")}\n` +
    `| ${rows.length + 1} | \`-x\` \`+x\` |\n` +
    `| ${rows.length + 2} | \`a->b\` \`a.b\` \`a[i]\` \`a[i:j]\` |`;
}

const sql_limits = ["expression_levels_max", "query_steps_max", "inlined_nodes_max",
  "query_models_max", "columns_max", "kernel_chars_max", "slot_bytes_max",
  "list_bytes_default", "ring_rows_min",
  "ring_rows_max", "reader_lag_ms", "window_rows_default", "pane_rows_max", "join_rows_max",
  "group_keys_default", "partition_keys_default", "partition_keys_max", "lag_rows_max",
  "table_rows_default", "table_rows_max", "lookup_keys_max"] as const;

/** The comment above a limit: those that follow it without one share it. */
function reasonOf(name: string): string {
  const text = readFileSync(join(root, "src/base/limits.ts"), "utf8");
  const before = text.slice(0, text.search(new RegExp(`^  ${name}:`, "m")));
  const [, comment] = /\/\*\*((?:(?!\*\/)[^])*)\*\/(?:(?!\/\*\*)[^])*$/.exec(before)!;
  return comment!.replaceAll("*", "").replace(/\s+/g, " ").trim();
}

function limitsTable(): string {
  const rows = sql_limits.map((name) =>
    `| ${code(name)} | ${limits[name].toLocaleString("en-US")} | ${reasonOf(name)} |`);
  return `| limit | value | what it bounds |\n|---|---|---|\n${rows.join("\n")}`;
}

/** The same reason stands once, with all cases that it is the reason of. */
function deviating(): string {
  const cases = new Map<string, string[]>();
  for (const [id, reason] of deviations()) cases.set(reason, [...cases.get(reason) ?? [], id]);
  return [...cases].map(([reason, ids]) =>
    `- ${reason}.\n  (${ids.map((id) => code(id.split("/").slice(1).join("/"))).join(", ")})`)
    .join("\n");
}

interface Setting {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Setting[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Setting>>;
  readonly additionalProperties?: Setting | boolean;
}

/** What a setting takes, in words. */
function valueOf(setting: Setting): string {
  const { type, anyOf, minimum, maximum } = setting;
  const words = setting.enum ?? anyOf?.map((one) => one.const);
  if (words !== undefined) return words.map((word) => JSON.stringify(word)).join(", ");
  if (type === "object") return "settings";
  if (type !== "integer" && type !== "number") return type === "string" ? "text" : String(type);
  return `${type === "integer" ? "whole number" : "number"} ${minimum} to ${maximum}`;
}

/** A table of settings. */
function settingsTable({ properties = {}, required = [] }: Setting): string {
  const rows = Object.entries(properties).map(([name, setting]) => {
    const preset = setting.default === undefined ? required.includes(name) ? "required" : ""
      : code(typeof setting.default === "string" ? setting.default
        : JSON.stringify(setting.default));
    return `| ${code(name)} | ${valueOf(setting)} | ${preset} | ${setting.description} |`;
  });
  return `| setting | value | default | |\n|---|---|---|---|\n${rows.join("\n")}`;
}

/** A section for the settings of a link, as its driver declares them, and one for each in it. */
function settingSections(name: string, schema: Setting): [string, () => string][] {
  const inner = Object.entries(schema.properties ?? {}).flatMap(([key, setting]) => {
    const each = setting.additionalProperties;
    const own = typeof each === "object" ? each : setting;
    return own.properties === undefined ? [] : settingSections(`${name}-${key}`, own);
  });
  return [[name, () => settingsTable(schema)], ...inner];
}

/** The same of what a connector has: its link, its sinks, its sources. */
function connectorSections({ type, link, sink, source }: Connector): [string, () => string][] {
  const parts = { [type]: link, [`${type}-sink`]: sink, [`${type}-source`]: source };
  return Object.entries(parts).flatMap(([name, settings]): [string, () => string][] =>
    (settings === null ? [] : [[name, () =>
      settingsTable(z.toJSONSchema(settings, { io: "input" }) as Setting)]]));
}

const example_folder = "examples/driver/cells";

/** A file of the worked driver, as it would stand in a folder of `src/driver/`. */
function driverFile(name: string): string {
  const text = readFileSync(join(root, example_folder, name), "utf8")
    .replaceAll("../../../src/driver/", "../").replaceAll("../../../src/", "../../");
  return `\`\`\`ts\n${text}\`\`\``;
}

const driverFiles = (): string[] =>
  [...new Bun.Glob("*.ts").scanSync(join(root, example_folder))].sort();

const sections: Readonly<Record<string, () => string>> = {
  ...Object.fromEntries(driverFiles().map((name) =>
    [`cells-${name.replace(".ts", "")}`, () => driverFile(name)])),
  functions, units, operators, deviations: deviating, limits: limitsTable,
  "absent-functions": () => absentFunctions.map(({ name, why }) =>
    `- ${code(`${name}()`)}: ${why}.`).join("\n"),
  words: () => wrap([...reserved].map(code)),
  types: () => [...typeNames].map(code).join(", "),
  windows: () => Object.entries(windows).map(([name, { takes }]) => code(`${name}(${takes})`))
    .join(", "),
  ...Object.fromEntries(drivers.flatMap(({ type, settings }) =>
    settingSections(type, z.toJSONSchema(settings, { io: "input" }) as Setting))),
  ...Object.fromEntries(connectors.flatMap(connectorSections)),
};

/** A page with its sections as the code says them now. */
export function filled(page: string): string {
  return page.replace(/(<!-- generated: ([\w-]+) -->\n)[^]*?(\n?<!-- end -->)/g,
    (_all, begin: string, name: string) => {
      const section = sections[name];
      if (section === undefined) throw new Error(`no section is called ${name}`);
      return `${begin}${section()}\n<!-- end -->`;
    });
}
