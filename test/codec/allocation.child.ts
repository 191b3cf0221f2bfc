import { heapStats } from "bun:jsc";
import { writeSync } from "node:fs";
import { createDecoder } from "../../src/codec.ts";
import { Arena, GOOD, Ring, tagColumn, type ColumnSpec, type Shape } from "../../src/ring.ts";

/** Messages into cells, many times: what is left on the heap, and what was collected. */
const messages_total = 400_000;

const value = (kind: "float64" | "int64" | "text" | "bytes" | "time", slot = 0): Shape =>
  ({ of: "value", kind, slot });
const motor: Shape = { of: "struct", fields: [
  { name: "name", shape: value("text", 16) }, { name: "starts", shape: value("int64") },
  { name: "at", shape: value("time") }, { name: "curve", shape: { of: "array", item:
    { of: "struct", fields: [{ name: "x", shape: value("float64") }] } } },
  { name: "raw", shape: value("bytes", 16) },
  { name: "missing", shape: value("int64"), fallback: 5 },
] };
const columns: readonly ColumnSpec[] = [
  tagColumn("f", "float64"), tagColumn("id", "int64"), tagColumn("text", "text(16)"),
  tagColumn("raw", "bytes(16)"), tagColumn("at", "time"),
  { ...tagColumn("given", "int64"), fallback: 22 },
  { name: "motor", kind: "dyn", slot: 256, shape: motor },
  { name: "open", kind: "dyn", slot: 256, path: ["open"] },
];
const layout = Ring.layout("s", columns, 1024);
const { ring } = Ring.create(Arena.create(layout.bytes), layout);
const decoder = createDecoder(ring, { time: "at" });
const bytes = new TextEncoder().encode('{"text":"größe","id":9223372036854775806,"f":21.5,' +
  '"at":"2026-01-31T08:05:09.250+01:00","raw":"AQIDBA==","motor":{"curve":[{"x":1},{"x":2.5}],' +
  '"starts":-7,"name":"m-1","raw":"AQI=","at":1769846709250,"other":[null]},' +
  '"open":{"a":[1,2.5,"x",true,null],"b":{"c":-4e3}},"nobody":{"wants":[1,2]}}');

function memory(): number {
  Bun.gc(true);
  const { heapSize, extraMemorySize } = heapStats();
  return heapSize + extraMemorySize;
}

function run(messages: number): void {
  for (let i = 0; i < messages; i++) decoder.decode(bytes, i, GOOD);
}

run(100_000);
memory();
const before = memory();
writeSync(2, "begin\n");
run(messages_total);
writeSync(2, "end\n");
const after = memory();
console.log(JSON.stringify({ grown: after - before, rows: ring.head }));
