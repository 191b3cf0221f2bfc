import { serialize } from "bun:jsc";
import { expect, test } from "bun:test";
import { examineTexts } from "../../src/cli/examine.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import { type Graph, received, sent } from "../../src/runtime.ts";

const components = { drivers, connectors, tables };

/** So many equal meters of 50 tags, all of them read by one rule. */
function graphOf(meters: number, at = (i: number) => `input ${i}`): Graph {
  const config = {
    gateway: { id: "t", profile: "generic-1gb" },
    links: { bus: { type: "modbus-tcp", host: "10.0.0.1" } },
    types: { meter: { groups: { all: "1s" }, tags: Object.fromEntries(
      Array.from({ length: 50 }, (_, i) => [`t${i}`, { at: at(i), type: "int16", eu: "kW" }])) } },
    devices: { [`m-{1..${meters}}`]: { use: "meter", link: "bus", station: "{n}",
      tags: { place: { static: "hall {n}" } } } },
    rules: { all: { sql: "SELECT * FROM m-*.all", to: [] } },
  };
  const { graph, texts } = examineTexts("gateway.json",
    { config: JSON.stringify(config), policy: "" }, components, null);
  expect(texts).toEqual([]);
  return graph!;
}

const carried = (graph: Graph): Graph => received(structuredClone(sent(graph)), components);

test("what arrives on another thread is what was sent, and one object a tag", () => {
  const graph = graphOf(3);
  const there = carried(graph);
  expect(Bun.deepEquals(there, graph, true)).toBe(true);
  const { gateway: { devices }, links } = there;
  expect(links[0]!.groups.map(({ tags }) => tags[7]!.id)).toEqual(["m-1.t7", "m-2.t7", "m-3.t7"]);
  links[0]!.groups.forEach(({ tags }, i) => expect(tags).toBe(devices[i]!.groups[0]!.tags));
  expect(links[0]!.driver).toBe(graph.links[0]!.driver);
});

test("equal devices have what their tags are once, here and there", () => {
  for (const graph of [graphOf(3), carried(graphOf(3))]) {
    const [first, ...others] = graph.gateway.devices.map(({ groups }) => groups[0]!.tags);
    for (const tags of others) {
      tags.forEach(({ spec, home }, i) => {
        expect(spec).toBe(first![i]!.spec);
        expect(home).not.toBe(first![i]!.home);
      });
    }
  }
});

test("an address with the device's number is its own", () => {
  const { gateway: { devices } } = carried(graphOf(2, (i) => `{n}!${300001 + i}`));
  expect(devices.map(({ groups }) => groups[0]!.tags[4]!.at)).toEqual(["1!300005", "2!300005"]);
});

test("another equal device costs a message a few bytes a tag", () => {
  const bytes = (meters: number): number => serialize(sent(graphOf(meters))).byteLength;
  const tags = 50 * 90;
  expect((bytes(100) - bytes(10)) / tags).toBeLessThan(24);
});

test("a tag is told from others without its name being made", () => {
  const [{ groups: [group] }] = graphOf(12).gateway.devices as any;
  const tag = group.tags[1];
  expect(tag.id).toBe("m-1.t1");
  expect(tag.is("m-1.t1")).toBe(true);
  for (const other of ["m-1.t11", "m-11.t1", "m-1.t2", "m-2.t1", "m-1-t1", "t1", ""]) {
    expect(tag.is(other)).toBe(false);
  }
  expect(tag.with({ at: "input 9" })).toMatchObject({ id: "m-1.t1", at: "input 9", type: "int16" });
});
