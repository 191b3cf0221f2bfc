import { heapStats } from "bun:jsc";
import { examineTexts } from "../../src/cli/examine.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import { Arena } from "../../src/ring.ts";
import { arenaBytes } from "../../src/runtime/blocks.ts";
import { Generation } from "../../src/runtime/generation.ts";
import { shareOf } from "../../src/runtime/share.ts";
import { RuleState } from "../../src/runtime/rule-state.ts";
import { ruleOf } from "./rules.ts";
const N = Number(process.env.N ?? 1000), shapes = Number(process.env.SHAPES ?? 100);
const kind = process.env.KIND;
const counts = () => { Bun.gc(true); Bun.gc(true); const h = heapStats() as any; return { size: h.heapSize + h.extraMemorySize, heap: h.heapSize, extra: h.extraMemorySize, types: h.objectTypeCounts as Record<string, number> }; };
const c0 = counts();
const show = (name: string, a: any, b: any) => {
  console.log(name, ((b.heap - a.heap) / N / 1024).toFixed(1), "+", ((b.extra - a.extra) / N / 1024).toFixed(1), "KB/rule", Object.entries(b.types as Record<string, number>).map(([k, v]) => [k, (v - (a.types[k] ?? 0)) / N] as const).filter(([, v]) => v > 0.5).sort((x, y) => y[1] - x[1]).slice(0, 14).map(([k, v]) => `${k} ${v.toFixed(1)}`).join(", "));
};
const config = { gateway: { id: "rules", profile: "generic-1gb" },
    links: { broker: { type: "mqtt", host: "127.0.0.1", port: 1 } },
    sources: { messages: { type: "mqtt", link: "broker", topic: "in", rowsPerSecond: 10, columns: { k: "int32", a: "float64", b: "float64" } } },
    rules: Object.fromEntries(Array.from({ length: N }, (_, i) => [`rule_${i}`, { sql: ruleOf(kind === undefined ? i : Number(kind) + 4 * i, shapes), to: [] }])),
    store: { directory: "./store" } };
const t0 = performance.now();
const { graph, texts } = examineTexts("gateway.json", { config: JSON.stringify(config), policy: "" }, { drivers, connectors, tables } as any, null) as any;
if (graph === null) { console.log(texts.slice(0, 2)); process.exit(1); }
console.log("examine ms", performance.now() - t0);
const c1 = counts();
show("graph", c0, c1);
const share = shareOf(graph, "data");
const arena = Arena.create(arenaBytes(share));
console.log("arena KB/rule", arenaBytes(share) / N / 1024);
const world: any = { clock: { now: () => 0, time: () => 0 }, log: { error: console.log } };
const g = new Generation(graph, share, null, { arena, world, components: { drivers, connectors, tables } as any, wake() {} });
const t1 = performance.now();
await g.build(null, true, async () => {});
console.log("build ms", performance.now() - t1);
const c2 = counts();
show("generation", c1, c2);
const used = arena.blocks().reduce((s, b) => s + b.bytes, 0);
console.log("arena used KB/rule", used / N / 1024, g.rules.length);
const states = g.rules.map((r) => new RuleState(r, false));
const c3 = counts();
show("states", c2, c3);
const ring: any = g.rings.get("messages");
for (const seq of Array.from({length: Number(process.env.TURNS ?? 3000)}, (_, i) => i)) {
  ring.claim(1); ring.publish(1);
  for (const r of g.rules) r.run(seq * 100, seq * 100);
}
const c4 = counts();
show("running", c3, c4);
console.log(states.length, graph.rules.length);
if (process.env.SNAP) {
  const { generateHeapSnapshot } = Bun as any;
  const snap = generateHeapSnapshot();
  const by = new Map<string, [number, number]>();
  for (let i = 0; i < snap.nodes.length; i += 4) {
    const name = snap.nodeClassNames[snap.nodes[i + 2]]; const e = by.get(name) ?? [0, 0];
    e[0]++; e[1] += snap.nodes[i + 1]; by.set(name, e);
  }
  console.log([...by].sort((a, b) => b[1][1] - a[1][1]).slice(0, 30).map(([n, [c, s]]) => `${n} ${(c / N).toFixed(1)} × ${(s / c).toFixed(0)} = ${(s / N).toFixed(0)} B`).join("\n"));
}
