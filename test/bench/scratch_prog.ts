import { heapStats } from "bun:jsc";
import { tagColumn } from "../../src/ring.ts";
import { compile } from "../../src/sql.ts";
import { ruleOf } from "./rules.ts";
const cols = [tagColumn("k", "int32"), tagColumn("a", "float64"), tagColumn("b", "float64")];
const catalog: any = { stream: (n: string) => ({ name: n, columns: cols, interval_ms: 100, timed: false }), table: () => undefined, match: () => [], device: () => false, tag: () => undefined, model: () => undefined, names: () => [], functions: new Map() };
const N = 1000, shapes = Number(process.env.SHAPES ?? 100);
const size = () => { Bun.gc(true); Bun.gc(true); const h = heapStats(); return h.heapSize + (h as any).extraMemorySize; };
compile(ruleOf(0, 100), catalog, { lineage: false, strict: false, eventTime: null } as any);
for (const kind of [0, 1, 2, 3, null]) {
  const before = size(); const t0 = performance.now();
  const programs: any[] = Array.from({ length: N }, (_, i) => compile(ruleOf(kind === null ? i : kind + 4 * i, shapes), catalog, { lineage: false, strict: false, eventTime: null } as any));
  const t = performance.now() - t0;
  let last = size();
  console.log("kind", kind, "total KB/rule", ((last - before) / N / 1024).toFixed(1), "compile ms", (t / N).toFixed(2), "stages", programs[0].stages.map((s: any) => s.kind).join());
  const drop = (what: string, fn: (p: any) => void) => { programs.forEach(fn); const now = size(); console.log("  without", what, ((last - now) / N / 1024).toFixed(1)); last = now; };
  console.log("   text", programs[0].stages.map((s: any) => [s.text.length, s.emitText?.length ?? 0, s.params?.length]).join(" "), JSON.stringify(programs[0]).length);
  drop("text", (p) => p.stages.forEach((s: any) => { s.text = ""; s.emitText = ""; }));
  drop("params", (p) => p.stages.forEach((s: any) => { s.params = []; }));
  drop("state", (p) => p.stages.forEach((s: any) => { s.state = null; }));
  drop("stages", (p) => { p.stages = []; });
  drop("sql", (p) => { p.sql = ""; });
  drop("memory", (p) => { p.memory = []; });
  drop("sources", (p) => { p.sources = null; });
  drop("inputs", (p) => { p.inputs = null; });
  drop("output", (p) => { p.output = null; });
}
