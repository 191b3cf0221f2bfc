import { describe, expect, test } from "bun:test";
import { examineTexts } from "../../src/cli/examine.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import type { Block } from "../../src/ring.ts";
import { Arena } from "../../src/ring.ts";
import { blocksOf } from "../../src/runtime/blocks.ts";
import { keptOf } from "../../src/runtime/change.ts";
import type { Graph } from "../../src/runtime/graph.ts";
import { Role } from "../../src/runtime/role.ts";
import { shareOf } from "../../src/runtime/share.ts";
import type { StatePort } from "../../src/runtime/store-port.ts";
import type { World } from "../../src/runtime/world.ts";

function graphOf(rules: Record<string, string>, threads: 1 | 3 = 3): Graph {
  const config = {
    gateway: { id: "t", profile: threads === 3 ? "generic-1gb" : "generic-512mb" },
    links: { plc: { type: "modbus-tcp", host: "127.0.0.1" },
      broker: { type: "mqtt", host: "127.0.0.1" } },
    devices: { d: { link: "plc", groups: { fast: "100ms" }, tags: {
      a: { at: "input 0", type: "float32" }, ok: { at: "discrete 0", type: "bool" },
      set: { at: "holding 0", type: "float32", access: "read-write" } } } },
    sources: { asked: { type: "mqtt", link: "broker", topic: "asked", columns: { n: "float64" } },
      polled: { type: "http", url: "http://127.0.0.1:1/", interval: "1s",
        columns: { n: "float64" } } },
    rules: Object.fromEntries(Object.entries(rules).map(([name, sql]) =>
      [name, { sql, to: name === "write" ? [{ write: "d.set", from: "v" }] : [] }])),
    policy: { "d.set": { allow: ["rule:write"], maxMode: "armed", min: 0, max: 1,
      permit: ["d.ok"], onLoss: { after: "5s", value: "hold" } } },
  };
  const { graph, texts } = examineTexts("gateway.json",
    { config: JSON.stringify(config), policy: "" }, { drivers, connectors, tables }, null);
  expect(texts).toEqual([]);
  return graph!;
}

describe("three threads", () => {
  const graph = graphOf({ up: "SELECT n FROM asked", write: "SELECT n AS v FROM up",
    shown: "SELECT n FROM polled" });
  const [control, data] = [shareOf(graph, "control"), shareOf(graph, "data")];
  const names = (streams: readonly { readonly name: string }[]): string[] =>
    streams.map(({ name }) => name);

  test("a source's stream is where the source runs, whoever reads it", () => {
    expect(names(data.sources)).toEqual(["asked", "polled"]);
    expect(names(data.streams)).toEqual(["asked", "polled", "shown"]);
    expect(names(data.imports)).toEqual([]);
    expect(names(control.streams)).toEqual(["d.fast", "up", "write"]);
    expect(names(control.imports)).toEqual(["asked"]);
  });
  test("it is kept as it stands when a rule that writes by it comes", () => {
    const before = graphOf({ write: "SELECT a AS v FROM d.fast", shown: "SELECT n FROM asked" });
    const after = graphOf({ write: "SELECT n AS v FROM asked", shown: "SELECT n FROM asked" });
    expect(keptOf(before, after).streams).toContain("asked");
    expect(names(shareOf(after, "data").streams)).toContain("asked");
  });
});

/** All of the arena but so many bytes, in the smallest pieces. */
function fill(arena: Arena, bytes: number): Block[] {
  const blocks: Block[] = [];
  for (let left = arena.buffer.byteLength; left > 0; left -= Arena.block_bytes_min) {
    blocks.push(arena.take(Arena.block_bytes_min, "filler"));
  }
  for (const block of blocks.splice(0, bytes / Arena.block_bytes_min)) arena.give(block);
  return blocks;
}

test("a change that finds no room, wherever it is, gives back what it took", async () => {
  const share = shareOf(graphOf({ write: "SELECT a AS v FROM d.fast" }, 1), "all");
  const world = { clock: { now: () => 0, time: () => 0 } } as unknown as World;
  const needed = blocksOf(share, null).reduce((sum, bytes) => sum + bytes, 0);
  let failed = 0;
  for (let less = 128; less <= 4096; less += 128) {
    const role = new Role(share, { components: { drivers, connectors, tables }, world,
      active: true, breathe: async () => {}, state: {} as StatePort, epoch: 1, disabled: {},
      wake() {}, pathEnded() {} });
    const held = fill(role.arena, needed - less);
    const thrown = await role.prepare(share, null).catch((fault: unknown) => fault);
    expect(thrown).toMatchObject({ code: "arena-full" });
    expect(role.arena.blocks()).toEqual(held);
    failed += 1;
  }
  expect(failed).toBe(32);
});
