import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { componentSchemas, examine } from "../../src/cli/examine.ts";
import { jsonSchema, policyJsonSchema, profileNames } from "../../src/config.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";

/**
 * Every file and every answer that stands in the two pages is run here. A fence names its file
 * (```jsonc gateway.json); one that begins with a key is a part of the page's gateway.json, and all
 * parts together must be a configuration. A ```text fence is what `tagwerk check` prints.
 */
const components = { drivers, connectors, tables };
const docs = join(import.meta.dir, "..", "..", "docs");
const scratch = mkdtempSync(join(tmpdir(), "tagwerk-docs-"));
afterAll(() => rmSync(scratch, { recursive: true }));

interface Fence {
  readonly language: string;
  readonly file: string;
  readonly text: string;
}

function fences(markdown: string): Fence[] {
  return [...markdown.matchAll(/^```(\w+) ?(\S*)\n([^]*?)^```$/gm)]
    .map(([, language, file, text]) => ({ language: language!, file: file!, text: text! }));
}

function write(folder: string, file: string, text: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), text);
}

/** What `tagwerk check gateway.json` says of the files in a folder, run from there. */
function check(folder: string): string {
  const { texts } = examine(join(folder, "gateway.json"), components, null);
  return texts.join("\n\n").replaceAll(`${folder}/`, "");
}

describe("docs/messages.md", () => {
  const page = readFileSync(join(docs, "messages.md"), "utf8");
  const sections = page.split(/^## /m).slice(1);
  const used = new Set<string>();
  for (const section of sections) {
    const title = section.split("\n", 1)[0]!;
    test(title, () => {
      const folder = join(scratch, `messages-${used.size}`);
      used.add(title);
      const parts = fences(section);
      for (const { language, file, text } of parts) {
        if (language !== "text") write(folder, file, text);
      }
      const answers = parts.filter(({ language }) => language === "text");
      expect(answers).toHaveLength(1);
      expect(check(folder)).toBe(answers[0]!.text.trimEnd());
    });
  }
});

describe("docs/configuration.md", () => {
  const page = readFileSync(join(docs, "configuration.md"), "utf8");
  const folder = join(scratch, "configuration");
  const sections: Record<string, string[]> = {};
  for (const { language, file, text } of fences(page)) {
    if (language === "sh" || language === "text") continue;
    const part = /^\s*"(\w+)":\s*([^]*?),?\s*$/.exec(text);
    if (file === "gateway.json" && part) {
      const inner = /^\{([^]*)\}$/.exec(part[2]!)?.[1];
      (sections[part[1]!] ??= []).push(inner ?? part[2]!);
    } else write(folder, file, text);
  }

  test("the parts together are a configuration", () => {
    const text = Object.entries(sections).map(([name, parts]) =>
      parts[0]!.startsWith('"') ? `"${name}": ${parts[0]}`
        : `"${name}": {${parts.map((part) => part.trimEnd().replace(/,$/, "")).join(",")}}`);
    process.env.MQTT_PASSWORD = "secret";
    process.env.TAGWERK_TOKEN = "secret";
    write(folder, "gateway.json", `{${text.join(",\n")}}`);
    expect(check(folder)).toBe("");
  });

  const schema = jsonSchema(componentSchemas(components)) as Shape;
  const sectionsOf = schema.properties!;

  test("every section and every profile is named", () => {
    for (const name of [...Object.keys(sectionsOf), ...profileNames]) {
      if (name !== "$schema") expect(page).toContain(`\`${name}\``);
    }
  });

  test("every setting of components, tags and the policy stands in a table", () => {
    const components = (name: string): readonly Shape[] => {
      const entry = sectionsOf[name]!.additionalProperties!;
      // An entry may also be a text in SQL.
      return (entry.oneOf ?? entry.anyOf![0]!.oneOf)!;
    };
    const tags = sectionsOf.devices!.additionalProperties!.properties!.tags!;
    const settings = [
      ...["links", "sources", "tables", "sinks"].flatMap(components),
      tags.anyOf![1]!.additionalProperties!, (policyJsonSchema() as Shape).additionalProperties!,
    ];
    // Drivers have pages of their own.
    const rows = [...new Bun.Glob("*.md").scanSync(docs)]
      .flatMap((file) => readFileSync(join(docs, file), "utf8").split("\n"));
    for (const { properties } of settings) {
      for (const [name, { description, default: preset }] of Object.entries(properties!)) {
        if (["type", "link", "columns", "heartbeat"].includes(name)) continue;
        const shown = preset === undefined || preset === null ? ""
          : `\`${typeof preset === "string" ? preset : JSON.stringify(preset)}\``;
        const row = rows.find((text) => text.startsWith(`| \`${name}\` |`) &&
          text.includes(shown) && text.endsWith(`| ${description ?? ""} |`));
        expect(row ?? `no row: | \`${name}\` | … | ${shown} | ${description} |`).toBe(row!);
      }
    }
  });
});

/** The parts of a JSON Schema that the tables are of. */
interface Shape {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
}
