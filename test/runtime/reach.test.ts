import { expect, test } from "bun:test";
import { examineTexts } from "../../src/cli/examine.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import { Reach } from "../../src/runtime/reach.ts";

const device = { link: "plc", groups: { fast: "1s", slow: "10s" }, tags: {
  a: { at: "input 0", type: "int16", group: "fast" },
  b: { at: "input 1", type: "int16", group: "slow" } } };
const { graph, texts } = examineTexts("gateway.json", { policy: "", config: JSON.stringify({
  gateway: { id: "t", profile: "generic-1gb" },
  links: { plc: { type: "modbus-tcp", host: "10.0.0.1" } },
  devices: { "m-1": device, "m-11": device },
  rules: {
    one: { sql: "SELECT a AS v FROM m-1.fast" },
    two: { sql: "SELECT v + 1 AS w FROM one" },
    all: { sql: "SELECT avg(a) AS a FROM m-*.fast GROUP BY TUMBLINGWINDOW(ss, 5)" },
    newest: { sql: "SELECT `m-1`.b AS b, a FROM m-11.fast" },
    behind: { sql: "SELECT b FROM newest" },
  },
}) }, { drivers, connectors, tables }, null);
expect(texts).toEqual([]);
const rules = new Map(graph!.rules.map((plan) => [plan.rule.name, plan]));

test("which rules a tag reaches: by its stream, as a newest value, and through other rules", () => {
  const reached = (tag: string): string[] => {
    const reach = new Reach(rules, tag);
    return [...rules.values()].filter(({ program }) => reach.isOf(program))
      .map(({ rule }) => rule.name).sort();
  };
  expect(reached("m-1.a")).toEqual(["all", "one", "two"]);
  expect(reached("m-11.a")).toEqual(["all", "behind", "newest"]);
  expect(reached("m-1.b")).toEqual(["behind", "newest"]);
  expect(reached("m-11.b")).toEqual([]);
});

test("but for what has a name in the query's own text", () => {
  const reach = new Reach(rules, "m-1.a");
  expect(reach.isOf(rules.get("one")!.program, "a")).toBe(false);
  expect(reach.isOf(rules.get("two")!.program, "a")).toBe(true);
});
