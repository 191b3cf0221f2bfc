import { writeSync } from "node:fs";
import { heapStats } from "bun:jsc";
import { modbusRtu, type Wire } from "../../src/driver.ts";
import { linkOf, ringFor, tag, withCrc } from "../driver/support.ts";

/**
 * Run by allocation.test.ts in a process of its own: the same read of another master and its answer
 * heard again and again, each of them a row. One line of JSON says how much memory grew.
 */
const rows_total = 1_000_000;
const { ring, tags } = ringFor([tag("holding 0", "int16"), tag("holding 1", "float32"),
  tag("holding 3", "float64"), tag("holding 7.2", "bool"), tag("holding 0", "int16[8]")]);
const link = linkOf(modbusRtu, { port: "/dev/null", rs485: "adapter", listenOnly: true });
const wire: Wire = { open() {}, drain() {}, reset() {}, send: () => false };
const session = modbusRtu.open(link, wire);
let rows = 0;
session.listen!({
  requests: modbusRtu.plan(tags, link), interval: () => 1,
  begins: () => ring.claim(1),
  came(request) {
    session.fill!(request, ring, ring.head);
    ring.publish(1);
    rows += 1;
  },
}, 0);
const request = Uint8Array.from(withCrc(1, 3, 0, 0, 0, 8));
const answer = Uint8Array.from(withCrc(1, 3, 16, ...Array.from({ length: 16 }, (_, i) => i)));

function hear(now: number): void {
  session.receive(request, request.length, now);
  session.receive(answer, answer.length, now);
  session.step(now);
}

function memory(): number {
  Bun.gc(true);
  const { heapSize, extraMemorySize } = heapStats();
  return heapSize + extraMemorySize;
}

for (let i = 0; i < rows_total; i++) hear(i);
memory();
const before = memory();
writeSync(2, "begin\n");
for (let i = rows_total; i < 2 * rows_total; i++) hear(i);
writeSync(2, "end\n");
console.log(JSON.stringify({ grown: memory() - before, polls: rows }));
