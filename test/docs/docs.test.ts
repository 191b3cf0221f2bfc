import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse } from "jsonc-parser";
import manifest from "../../package.json" with { type: "json" };
import { cli } from "../../src/cli.ts";
import { examineTexts } from "../../src/cli/examine.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";

const root = resolve(import.meta.dir, "../..");
const components = { drivers, connectors, tables };
/** The other pages (configuration, messages, writing, simulate) have tests of their own. */
const pages = ["README.md", "docs/change.md", "docs/sql.md", "docs/functions.md",
  "docs/ekuiper.md", "docs/models.md", "docs/modbus.md", "docs/rs485.md", "docs/opcua.md",
  "docs/s7.md", "docs/ethernet-ip.md", "docs/telegram.md", "docs/modbus-server.md",
  "docs/install.md", "docs/state.md", "docs/tables.md", "docs/sources.md",
  "docs/alarms.md", "docs/pid.md"];

interface Block {
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

const blocks: Block[] = pages.flatMap((page) =>
  [...readFileSync(join(root, page), "utf8").matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .map(([, language, text]) => ({ page, language: language!, text: text! })));

/** The plant that the pages speak of. */
function plant(): Record<string, any> {
  return {
    gateway: { id: "docs", profile: "generic-512mb" },
    links: {
      "plc-1": { type: "modbus-tcp", host: "192.168.1.20" },
      broker: { type: "mqtt", host: "broker.local" },
    },
    types: { meter: { groups: { slow: "1s" }, tags: {
      power: { at: "input 0", type: "float32" }, energy: { at: "input 2", type: "float32" },
    } } },
    devices: {
      "m-{01..32}": { use: "meter", link: "plc-1", station: "{n}" },
      press: { link: "plc-1", station: 40, groups: { fast: "100ms", slow: "10s" }, tags: {
        temperature: { at: "input 0", type: "float32", group: "fast" },
        pressure: { at: "input 2", type: "float32", group: "fast" },
        recipe: { at: "holding 20", type: "int16", group: "fast" },
        door_closed: { at: "discrete 4", type: "bool", group: "fast" },
        setpoint: { at: "holding 9", type: "float32", group: "slow", access: "read-write" },
      } },
      oven: { link: "plc-1", station: 41, groups: { fast: "100ms" }, tags: {
        temperature: { at: "input 0", type: "float32" },
      } },
    },
    tables: { classes: { type: "csv", file: "classes.csv",
      columns: { class: "text(8)", low: "float64", high: "float64" } } },
    sources: { any: { type: "mqtt", link: "broker", topic: "in" } },
    models: { target: { file: "models/target.onnx", memory: "32MB", deadline: "20ms" } },
    rules: {},
    sinks: { plant: { type: "mqtt", link: "broker", topic: "plant/{rule}" } },
    store: { directory: "./store" },
  };
}

/** Of the environment that the pages speak of. */
process.env["MES_KEY"] = "a key";
process.env["UA_PASSWORD"] = "a password";
process.env["MES_DB"] = "postgres://reader@mes.local/production";

function problemsOf(config: unknown): readonly string[] {
  const text = typeof config === "string" ? config : JSON.stringify(config);
  return examineTexts("gateway.json", { config: text, policy: "" }, components, null).texts;
}

/** A whole configuration, a policy, or some sections that are laid over the plant. */
function configOf(text: string): unknown {
  if (/^\s*"?gateway|"gateway":/m.test(text)) return text;
  if (text.startsWith("// write-policy.json")) {
    return { ...plant(), policy: parse(text), rules: { hold: {
      sql: "SELECT infer('target', temperature, pressure) AS target FROM press.fast",
      to: [{ write: "press.setpoint", from: "target" }],
    } } };
  }
  const sections = parse(`{${text}}`) as Record<string, object>;
  const whole = plant();
  for (const [name, section] of Object.entries(sections)) {
    whole[name] = { ...whole[name], ...section };
  }
  return whole;
}

for (const [i, block] of blocks.entries()) {
  const title = `${block.page}, block ${i}: ${block.language}`;
  const lines = block.text.split("\n").filter((line) => line.trim() !== "");
  if (block.language === "jsonc") {
    test(title, () => expect(problemsOf(configOf(block.text))).toEqual([]));
  } else if (block.language === "sql") {
    test(title, () => {
      const rules = Object.fromEntries(lines.map((line, n) =>
        [`rule_${n}`, { sql: line.replace(/\s+--.*$/, ""), to: ["plant"] }]));
      expect(problemsOf({ ...plant(), rules })).toEqual([]);
    });
  } else if (block.language === "sh") {
    test(title, async () => {
      for (const line of lines) await checkCommand(line);
    });
  } else if (!["", "ini", "json"].includes(block.language)) {
    test(title, () => expect(`nothing runs a block of ${block.language}`).toBe(""));
  }
}

/** A script of package.json, or a known verb; commands.test.ts runs them. */
async function checkCommand(line: string): Promise<void> {
  const words = line.replace(/\s+#.*$|^sudo -u tagwerk /g, "").trim().split(/\s+/);
  if (words[0] === "npx") {
    expect(words.slice(0, 3)).toEqual(["npx", "bun@1.4.5", "run"]);
    expect(Object.keys(manifest.scripts)).toContain(words[3]!);
    return;
  }
  // Of the system, not ours.
  if (["scp", "useradd", "systemctl", "journalctl"].includes(words[0]!)) return;
  expect(words[0]).toBe("tagwerk");
  const host = { components, workerUrl: "", startApi: () => { throw new Error("not here"); } };
  expect(await cli(["help", words[1]!], host), line).toBe(0);
}

test("README is at most 500 lines", () => {
  expect(readFileSync(join(root, "README.md"), "utf8").split("\n").length).toBeLessThanOrEqual(500);
});

test("every page that README names is there, and every page is named", () => {
  const named = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/`(docs\/[\w-]+\.md)`/g)]
    .map(([, page]) => page!);
  const there = [...new Bun.Glob("docs/*.md").scanSync(root)];
  expect([...new Set(named)].sort()).toEqual(there.sort());
});

const [, leftOut] = readFileSync(join(root, "docs/sql.md"), "utf8").split("## Not in this version");
test.each([...leftOut!.matchAll(/^\| `(SELECT .*?)` \|/gm)].map(([, sql]) => sql!))(
  "what docs/sql.md leaves out is refused as not in this version: %s", (sql) => {
    const problems = problemsOf({ ...plant(), rules: { later: { sql, to: ["plant"] } } });
    expect(problems.join("\n")).toContain("not in this version");
  });

test("docs/sql.md: casts and places of a window as shown", () => {
  const casts = ["bigint", "float", "string", "boolean"]
    .map((to) => `cast(power, '${to}') AS ${to}`);
  const rules = {
    casts: { sql: `SELECT ${casts.join(", ")} FROM m-01.slow`, to: ["plant"] },
    bounds: {
      sql: "SELECT window_start() AS f, window_end() AS t, avg(cast(power, 'float')) AS mean " +
        "FROM m-01.slow GROUP BY TUMBLINGWINDOW(ss, 10)",
      to: ["plant"],
    },
  };
  expect(problemsOf({ ...plant(), rules })).toEqual([]);
});
