import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { examineTexts } from "../../src/cli/examine.ts";
import { limits } from "../../src/base.ts";
import type { Graph } from "../../src/runtime.ts";
import { JudgedPlaces } from "../../src/runtime/judged.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import { World } from "../store/fixture.ts";

let world: World;
beforeEach(() => void (world = new World()));
afterEach(() => world.close());

const tags = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) =>
  [`t${i}`, { at: `holding ${i}`, type: "int16", access: "read-write" }]));

function graphOf(config: object): Graph {
  const texts = { config: JSON.stringify({ gateway: { id: "g" }, store: { directory: "s" },
    links: { plc: { type: "modbus-tcp", host: "127.0.0.1" } }, ...config }), policy: "" };
  const { graph, texts: problems } =
    examineTexts("gateway.json", texts, { drivers, connectors, tables }, null);
  expect(problems).toEqual([]);
  return graph!;
}

function saved(): { tag: string; link: string; station: number; at: string }[] {
  const db = new Database(join(world.directory, "store.sqlite"), { readonly: true });
  try {
    return db.query("SELECT tag, link, station, at FROM tags ORDER BY rowid").all() as [];
  } finally {
    db.close();
  }
}

test("W22: the tags that are written, and those that this hangs on, and no others", () => {
  const on = { access: "read-write", type: "float32" };
  const judged = new JudgedPlaces(world.store);
  judged.begin(graphOf({
    devices: {
      "m-{1..3}": { link: "plc", station: "{n}", groups: { fast: "1s" }, tags: {
        flow: { at: "input 0", type: "float32" }, unused: { at: "input 2", type: "float32" } } },
      d: { link: "plc", station: 9, groups: { fast: "1s" }, tags: {
        set: { at: "holding 0", ...on }, byHand: { at: "holding 2", ...on },
        ok: { at: "discrete 0", type: "bool" }, seen: { at: "input 2", type: "float32" },
        newest: { at: "input 4", type: "float32" }, free: { at: "holding 8", ...on } } } },
    rules: {
      mean: { sql: "SELECT flow AS v FROM m-*.fast" },
      write: { sql: "SELECT mean.v + d.newest AS v FROM mean",
        to: [{ write: "d.set", from: "v" }] },
      look: { sql: "SELECT seen FROM d.fast" },
    },
    policy: {
      "d.set": { allow: ["rule:write"], maxMode: "armed", min: 0, max: 1, permit: ["d.ok"],
        onLoss: { after: "5s", value: "hold" } },
      "d.byHand": { allow: ["rest"], maxMode: "armed", min: 0, max: 1 },
    },
  }));
  expect(saved().map(({ tag }) => tag).sort()).toEqual(["d.byHand", "d.newest", "d.ok", "d.set",
    "m-1.flow", "m-2.flow", "m-3.flow"]);
  expect(saved()[0]).toEqual({ tag: "d.set", link: "plc", station: 9, at: "holding 0" });
});

test("some a step, until all are there; a disk that refuses is asked again", () => {
  const count = 2 * limits.places_a_step_max + 1;
  const graph = graphOf({
    devices: { d: { link: "plc", groups: { fast: "1s" }, tags: tags(count) } },
    policy: Object.fromEntries(Object.keys(tags(count)).map((name) =>
      [`d.${name}`, { allow: ["rest"], maxMode: "armed", min: 0, max: 1 }])),
  });
  const judged = new JudgedPlaces(world.store);
  const steps: number[] = [];
  judged.begin(graph);
  steps.push(saved().length);
  const other = new Database(join(world.directory, "store.sqlite"));
  other.run("BEGIN IMMEDIATE");
  judged.step();
  other.run("ROLLBACK");
  other.close();
  steps.push(saved().length);
  for (let i = 0; i < 3; i++) {
    world.now += 2000;
    world.store.step();
    judged.step();
    steps.push(saved().length);
  }
  const most = limits.places_a_step_max;
  expect(steps).toEqual([most, most, 2 * most, count, count]);
});
