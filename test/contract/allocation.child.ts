import { writeSync } from "node:fs";
import { heapStats } from "bun:jsc";
import { DONE } from "../../src/driver.ts";
import { ringFor, tag } from "../driver/support.ts";
import { kits, linkFor } from "./drivers.ts";

/**
 * Run by allocation.test.ts in a process of its own, for the driver that is its argument: the same
 * read again and again, answered by bytes that were recorded once. In the end one line of JSON says
 * how much memory grew between two forced collections.
 */
const polls_total = 1_000_000;
const kit = kits.find(({ driver }) => driver.type === process.argv[2])!;
const { driver } = kit;
/** Where a request's number stands in it, and in its answer. */
const [from, to] = { "modbus-tcp": [0, 2], s7: [11, 13], "ethernet-ip": [12, 16],
  "telegram-tcp": [0, 0], cells: [2, 4] }[driver.type]!;

const one = ["int16", "uint32", "float32", "float64", "bool"].map((type, i) =>
  tag(kit.at(type, i), type as "int16", { id: `d.${type}` }));
const several = kit.item === undefined ? [] : ["bool", "int32", "float64"].map((type) =>
  tag(kit.item!(type, 0), `${type}[5]` as "int16", { id: `d.some_${type}` }));
const { ring, tags } = ringFor([...one, ...several]);
const link = linkFor(kit);
const server = driver.serve(tags, link, { value: () => 1, written: () => true });
const answers = new Map<number, Uint8Array>();
let waiting: Uint8Array | null = null;
/** The request of the plan that is being read. */
let current = 0;
const frame_bytes_max = 4096;
function record(key: number, request: Uint8Array): void {
  server.receive(request, request.length, 0, {
    frame() {}, reply: (answer, n) => { answers.set(key, answer.slice(0, n)); },
  });
}

const session = driver.open(link, {
  open() {}, drain() {}, reset() {},
  send(bytes, n) {
    const key = current * frame_bytes_max + n;
    if (!answers.has(key)) record(key, bytes.slice(0, n));
    const answer = answers.get(key)!;
    for (let i = from!; i < to!; i++) answer[i] = bytes[i]!;
    waiting = answer;
    return true;
  },
});
const plan = driver.plan(tags, link);

function poll(now: number): void {
  ring.claim(1);
  for (let i = 0; i < plan.length; i++) {
    current = i;
    session.read(plan[i]!, ring, ring.head, now);
    session.step(now);
    while (waiting !== null) {
      const bytes = waiting;
      waiting = null;
      session.receive(bytes, bytes.length, now);
    }
    if (session.result !== DONE) throw new Error(`the exchange ended with ${session.result}`);
  }
  ring.publish(1);
}

function memory(): number {
  Bun.gc(true);
  const { heapSize, extraMemorySize } = heapStats();
  return heapSize + extraMemorySize;
}

// The engine may be late with its best code where others keep the processor busy.
for (let i = 0; i < polls_total; i++) poll(i);
memory();
const before = memory();
writeSync(2, "begin\n");
for (let i = polls_total; i < 2 * polls_total; i++) poll(i);
writeSync(2, "end\n");
console.log(JSON.stringify({ grown: memory() - before, polls: ring.head }));
