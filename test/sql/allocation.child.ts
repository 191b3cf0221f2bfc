import { writeSync } from "node:fs";
import { heapStats } from "bun:jsc";
import { createRandom } from "../../src/base.ts";
import { DONE, modbusTcp, type DriverTag, type Wire } from "../../src/driver.ts";
import { Arena, Ring, tagColumn, writeCell } from "../../src/ring.ts";
import { Gather } from "../../src/runtime/gather.ts";
import { LookupCache, planTable } from "../../src/runtime/lookup.ts";
import { type Catalog, compile, instantiate, instantiateLookup } from "../../src/sql.ts";

/**
 * Run by allocation.test.ts in a process of its own: answers of a device in the receive buffer are
 * decoded into a ring and go through the query that is its argument; in the end one line of JSON
 * says how much memory grew between two forced collections. "begin" and "end" on stderr enclose the
 * rows among the collector's own log lines. Of several streams in FROM the rows are gathered, and
 * the table `parts` knows all its keys.
 */
const rows_total = 10_000_000;
const batch = 64;
const sql = process.argv[2]!;

const columns = [
  { name: "a", kind: "float64", slot: 0 }, { name: "b", kind: "float64", slot: 0 },
] as const;
/** As a float32 a value below 100 may be 100. */
const parts_rows = 101;
const parts = planTable({
  name: "parts", type: "sqlite", key: "id", ttl: Infinity, capacity: 128, deadline: 1000,
  columns: [{ name: "id", type: "int32" }, { name: "weight", type: "float64" }],
  onError: { kind: "null" }, settings: {},
});
const catalog: Catalog = {
  stream: (name) => ({ name, columns, interval_ms: 10 }), device: () => false,
  match: () => ["m-1.fast", "m-2.fast", "m-3.fast"],
  table: (name) => (name === "parts"
    ? { name, columns: parts.layout.columns, key: "id", rows: parts_rows } : undefined),
  tag: () => undefined, model: () => undefined, names: () => [],
};
const arena = Arena.create(1 << 22);
const program = compile(sql, catalog);
const inputs = program.inputs.flatMap(({ streams }) => streams)
  .map((name) => Ring.create(arena, Ring.layout(name, columns, 1024)).ring);
const gather = program.gather === null ? null : new Gather(program.inputs,
  new Map(inputs.map((ring) => [ring.name, ring])),
  Ring.create(arena, Ring.layout("gathered", program.gather, 1024)).ring);
const table = new LookupCache(parts, arena, {
  ask: async (keys) => keys.map((key) => [key, Number(key) * 1.5]), close: async () => {},
}, () => {});
const rings = [gather?.output ?? inputs[0]!];
const stages = program.stages.map((plan) => {
  const output = Ring.create(arena, Ring.layout("out", plan.output, 512)).ring;
  const from = rings.at(-1)!;
  rings.push(output);
  if (plan.kind === "lookup") return instantiateLookup(plan, { input: from, output, table });
  const state = arena.take(plan.stateBytes, "state");
  return instantiate(plan, { arena, input: from, output, newest: [], state });
});
const cursors = stages.map(() => 0);
const random = createRandom(1);
let time = 1_000_000;

const tags = columns.map(({ name }, column): DriverTag => ({
  id: `s.${name}`, station: 1, at: `input ${2 * column}`, type: "float32", scale: 1, offset: 0,
  decimals: null, signal: null, wordOrder: "ABCD", writable: false, column,
}));
const link = {
  name: "plc", type: "modbus-tcp", settings: modbusTcp.settings.parse({ host: "127.0.0.1" }),
};
/** An answer to FC 4: MBAP header, function, byte count, two float32. */
const answer = new Uint8Array([0, 0, 0, 0, 0, 11, 1, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
const values = new DataView(answer.buffer);
const wire: Wire = {
  open() {}, drain() {}, reset() {},
  send(bytes) {
    // The answer bears the request's transaction number.
    answer[0] = bytes[0]!;
    answer[1] = bytes[1]!;
    return true;
  },
};
const session = modbusTcp.open(link, wire);
const [request] = modbusTcp.plan(tags, link);

let turn = 0;

/** A row of one stream after the other. */
function poll(): void {
  time += 10;
  const input = inputs[turn++ % inputs.length]!;
  input.claim(1);
  const row = input.head & input.mask;
  arena.F[input.timeAt + row] = time;
  arena.F[input.sourceAt + row] = NaN;
  session.read(request!, input, input.head, time);
  session.step(time);
  values.setFloat32(9, random.next() * 100);
  values.setFloat32(13, random.next() * 100);
  session.receive(answer, answer.length, time);
  session.step(time);
  if (session.result !== DONE) throw new Error(`the exchange ended with ${session.result}`);
  input.publish(1);
}

function run(rows: number): void {
  for (let n = 0; n < rows; n += batch) {
    for (let i = 0; i < batch; i++) poll();
    while (gather?.step(time) === true) continue;
    for (let i = 0; i < stages.length; i++) {
      const head = rings[i]!.head;
      while (cursors[i] !== head) cursors[i] = stages[i]!.run(cursors[i]!, head, time, time);
      stages[i]!.tick(time, time);
      // A window that each row closes fills its ring more often than once a batch.
      while (stages[i]!.deadline === 0) stages[i]!.tick(time, time);
    }
  }
}

function memory(): number {
  Bun.gc(true);
  const { heapSize, extraMemorySize } = heapStats();
  return heapSize + extraMemorySize;
}

/** As after the first rows of each key. */
async function know(): Promise<void> {
  const column = tagColumn("id", "int32");
  const keys = Ring.create(arena, Ring.layout("keys", [column], 16)).ring;
  for (let id = 0; id < parts_rows; id++) {
    writeCell(keys, keys.columns[0]!, 0, id);
    table.find(keys, keys.columns[0]!, 0, time);
  }
  table.step(time);
  await new Promise((done) => setImmediate(done));
}

await know();
run(2_000_000);
memory();
const before = memory();
writeSync(2, "begin\n");
run(rows_total);
writeSync(2, "end\n");
const after = memory();
console.log(JSON.stringify({ grown: after - before, in: stages[0]!.counters.in,
  out: stages.at(-1)!.counters.out }));
