import { describe, expect, test } from "bun:test";
import { examineTexts } from "../../src/cli/examine.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import { keptOf, type Kept } from "../../src/runtime/change.ts";
import { forecast } from "../../src/runtime/forecast.ts";
import type { Graph } from "../../src/runtime.ts";

const tag = (at: string, more: object = {}): object => ({ at, type: "int16", ...more });
const device = (link: string): any => ({ link, groups: { fast: "100ms" }, tags: {
  a: tag("input 0"), ok: { at: "discrete 0", type: "bool" },
  set: tag("holding 0", { access: "read-write" }) } });
const base: any = {
  gateway: { id: "t", profile: "generic-1gb" },
  links: { one: { type: "modbus-tcp", host: "10.0.0.1" },
    two: { type: "modbus-tcp", host: "10.0.0.2" }, broker: { type: "mqtt", host: "10.0.0.3" } },
  devices: { d: device("one"), e: device("two") },
  sources: { asked: { type: "mqtt", link: "broker", topic: "x", columns: { n: "float64" } } },
  rules: {
    up: { sql: "SELECT a + 1 AS v FROM d.fast" },
    hold: { sql: "SELECT v FROM up", to: [{ write: "d.set", from: "v" }] },
    mean: { sql: "SELECT avg(a) AS m FROM e.fast GROUP BY TUMBLINGWINDOW(ss, 1)", to: ["log"] },
    total: { sql: "SELECT acc_sum(n) AS s FROM asked" },
  },
  sinks: { log: { type: "log" } },
  policy: Object.fromEntries(["d.set", "e.set"].map((id) => [id, {
    allow: ["rule:hold", "cli"], maxMode: "armed", min: 0, max: 1, permit: [`${id[0]}.ok`],
    onLoss: { after: "5s", value: "hold" } }])),
};

function graphOf(change: (config: any) => void = () => {}): Graph {
  const config = structuredClone(base);
  change(config);
  const { graph, texts } = examineTexts("gateway.json", { config: JSON.stringify(config),
    policy: "" }, { drivers, connectors, tables }, null);
  expect(texts).toEqual([]);
  return graph!;
}

const before = graphOf();
/** What of the names is not kept. */
const gone = (what: keyof Kept, names: readonly string[], change: (config: any) => void) => {
  const kept = keptOf(before, graphOf(change));
  return names.filter((name) => !kept[what].has(name));
};
const rules = Object.keys(base.rules);
const tags = Object.keys(base.policy);

describe("what a change leaves alone", () => {
  const cases: [string, (config: any) => void, string[], string[]][] = [
    ["nothing", () => {}, [], []],
    ["an added rule", (c) => { c.rules.more = { sql: "SELECT a FROM d.fast" }; }, [], []],
    ["a rule's SQL", (c) => { c.rules.mean.sql = c.rules.mean.sql.replace("avg", "max"); },
      ["mean"], []],
    ["only a literal of it", (c) => { c.rules.up.sql = "SELECT a + 2 AS v FROM d.fast"; },
      ["up"], ["d.set"]],
    ["its columns, and so who reads it", (c) => {
      c.rules.up.sql = "SELECT a + 1 AS v, a FROM d.fast"; }, ["up", "hold"], ["d.set"]],
    ["a rule's sink", (c) => { c.rules.mean.to = []; }, [], []],
    ["the schedule of a rule on the way to a write", (c) => {
      c.rules.up.restart = { attempts: 3 }; }, [], ["d.set"]],
    ["a source's topic: its readers keep their state", (c) => { c.sources.asked.topic = "y"; },
      [], []],
    ["a tag's address", (c) => { c.devices.e.tags.a.at = "input 7"; }, ["mean"], ["e.set"]],
    ["a tag's scale", (c) => { c.devices.d.tags.set.scale = 0.1; }, ["up"], ["d.set"]],
    ["a link's peer", (c) => { c.links.two.host = "10.0.0.9"; }, ["mean"], ["e.set"]],
    ["a link's pace", (c) => { c.devices.e.groups.fast = "50ms"; }, ["mean"], ["e.set"]],
    ["a policy's limit", (c) => { c.policy["d.set"].max = 0.5; }, [], ["d.set"]],
    ["a permit", (c) => { c.policy["e.set"].permit.push("d.ok"); }, [], ["e.set"]],
    // With three threads it and what it reads move to another arena.
    ["a rule that writes no more", (c) => { c.rules.hold.to = []; }, ["up", "hold"], ["d.set"]],
    ["a rule that writes more", (c) => {
      c.rules.hold.to.push({ write: "e.set", from: "v" }); }, [], ["e.set"]],
  ];
  test.each(cases)("%s", (_, change, lostRules, disarmed) => {
    expect(gone("rules", rules, change)).toEqual(lostRules);
    expect(gone("tags", tags, change)).toEqual(disarmed);
  });

  test("a permit that reads another link is touched with it", () => {
    const through = (config: any): void => { config.policy["d.set"].permit = ["e.ok"]; };
    const kept = keptOf(graphOf(through), graphOf((config) => {
      through(config);
      config.devices.e.tags.ok.at = "discrete 5";
    }));
    expect([...kept.permits]).toEqual([]);
    expect([...kept.tags]).toEqual([]);
  });
});

describe("what it says of the future", () => {
  const present = { links: [], armed: ["d.set"], free: [[], []] };
  const roomy = { ...present, free: [Array(31).fill(64), Array(31).fill(64)] };
  const ahead = (change: (config: any) => void, with_ = roomy) =>
    forecast(before, graphOf(change), with_);

  test("W6: the first link of a library needs a restart, a further one does not", () => {
    const ua = (config: any, n: number): void => {
      config.links[`ua${n}`] = { type: "opcua", host: `10.0.1.${n}`, security: "None" };
      config.devices[`u${n}`] = { link: `ua${n}`, groups: { fast: "1s" },
        tags: { x: { at: "ns=1;s=X", type: "float64" } } };
    };
    expect(ahead((config) => ua(config, 1)).restart)
      .toEqual([expect.stringContaining("ua1 is the first link of type opcua, whose library")]);
    const has = graphOf((config) => ua(config, 1));
    const both = graphOf((config) => [1, 2].forEach((n) => ua(config, n)));
    expect(forecast(has, both, roomy).restart).toEqual([]);
  });

  test("no room, and a plan that does not fit, need a restart", () => {
    const more = (config: any): void => { config.rules.more = { sql: "SELECT a FROM d.fast" }; };
    expect(ahead(more).restart).toEqual([]);
    expect(ahead(more, present).restart.join()).toContain("does not fit the reserve");
  });

  test("names, never values: a link's settings may be secrets", () => {
    const secret = (config: any): void => { config.links.broker.password = "env:HOME"; };
    const { differences, links } = ahead(secret);
    expect(differences).toEqual([
      { section: "links", name: "broker", what: "changed", keys: ["password"] }]);
    expect(links.map(({ name, what }) => [name, what])).toEqual([["broker", "restarts"]]);
    expect(JSON.stringify(ahead(secret)))
      .not.toContain(process.env["HOME"]!);
  });

  test("a wider policy, and a new one, need a restart; a narrower one does not", () => {
    const restart = (change: (policy: any) => void): string =>
      ahead((config) => change(config.policy)).restart.join();
    expect(restart((policy) => { policy["d.set"].max = 2; })).toContain("d.set");
    expect(restart((policy) => { policy["d.set"].max = 0.5; })).toBe("");
    expect(restart((policy) => { delete policy["e.set"]; })).toBe("");
  });

  test("state that is lost is told in words", () => {
    const { rules: told, disarms } = ahead((config) => {
      config.rules.mean.sql = config.rules.mean.sql.replace("avg", "max");
      delete config.rules.total;
      config.devices.d.tags.set.scale = 0.1;
    });
    expect(Object.fromEntries(told.map(({ name, what, lost }) => [name, [what, lost]]))).toEqual({
      mean: ["restarts", "the open tumbling window"], total: ["ends", "what acc_sum remember"],
      up: ["restarts", null],
    });
    expect(disarms).toEqual([{ tag: "d.set", armed: true }]);
  });
});
