import { writeSync } from "node:fs";
import { heapStats } from "bun:jsc";
import { createRandom } from "../../src/base.ts";
import { Arena, Ring } from "../../src/ring.ts";
import { type Catalog, compile, instantiate } from "../../src/sql.ts";

/**
 * Run by allocation.test.ts in a process of its own: rows go through a ring, a filter and a pane;
 * in
 * the end one line of JSON says how much memory grew between two forced collections. "begin" and
 * "end" on stderr enclose the rows among the collector's own log lines.
 */
const rows_total = 10_000_000;
const batch = 64;
const sql = "SELECT avg(a) AS mean, max(b) AS most, count(*) AS n FROM s WHERE a > 50 " +
  "GROUP BY TUMBLINGWINDOW(ss, 1)";

const columns = [
  { name: "a", kind: "float64", slot: 0 }, { name: "b", kind: "float64", slot: 0 },
] as const;
const catalog: Catalog = {
  stream: (name) => ({ name, columns, interval_ms: 10 }), match: () => [], device: () => false,
  tag: () => undefined, model: () => undefined, names: () => [],
};
const arena = Arena.create(1 << 22);
const input = Ring.create(arena, Ring.layout("s", columns, 1024)).ring;
const rings = [input];
const stages = compile(sql, catalog).stages.map((plan) => {
  const output = Ring.create(arena, Ring.layout("out", plan.output, 16)).ring;
  const state = arena.take(plan.stateBytes, "state");
  const from = rings.at(-1)!;
  rings.push(output);
  return instantiate(plan, { arena, input: from, output, newest: [], state });
});
const cursors = stages.map(() => 0);
const random = createRandom(1);
let time = 1_000_000;

function write(): void {
  const { F, U } = arena;
  const a = input.columns[0]!, b = input.columns[1]!;
  input.claim(batch);
  for (let i = 0; i < batch; i++) {
    const row = (input.head + i) & input.mask;
    time += 10;
    F[input.timeAt + row] = time;
    F[input.sourceAt + row] = NaN;
    F[a.payload + row] = random.next() * 100;
    F[b.payload + row] = random.next() * 100;
    U[a.state + row] = 0;
    U[b.state + row] = 0;
  }
  input.publish(batch);
}

function run(rows: number): void {
  for (let n = 0; n < rows; n += batch) {
    write();
    for (let i = 0; i < stages.length; i++) {
      const head = rings[i]!.head;
      while (cursors[i] !== head) cursors[i] = stages[i]!.run(cursors[i]!, head, time, time);
      stages[i]!.tick(time);
    }
  }
}

function memory(): number {
  Bun.gc(true);
  const { heapSize, extraMemorySize } = heapStats();
  return heapSize + extraMemorySize;
}

run(2_000_000);
memory();
const before = memory();
writeSync(2, "begin\n");
run(rows_total);
writeSync(2, "end\n");
const after = memory();
console.log(JSON.stringify({ grown: after - before, in: stages[0]!.counters.in,
  out: stages.at(-1)!.counters.out }));
