/** Source, ring and sink without a rule: what the connector alone costs. */
import { createLog, eventLoop, limits, systemClock } from "../../../src/base.ts";
import { mqttConnector } from "../../../src/connector.ts";
import { Arena, Ring, tagColumn } from "../../../src/ring.ts";
import { columns } from "./gateway.ts";

const [port, from, to] = process.argv.slice(2);
const clock = systemClock();
const specs = Object.entries(columns).map(([name, type]) => tagColumn(name, type));
const layout = Ring.layout("in", specs, 4096);
const { ring } = Ring.create(Arena.create(layout.bytes), layout);
let cursor = 0;
let due = false;

function turn(): void {
  due = false;
  while (cursor !== ring.head) {
    const n = Math.min((ring.head - cursor) | 0, limits.rows_per_step_max);
    const reached = sink.drain(cursor, (cursor + n) | 0);
    if (reached === cursor) return;
    cursor = reached;
  }
}

await mqttConnector.load!();
const connection = mqttConnector.connect("broker", { host: "127.0.0.1", port: Number(port) }, {
  log: createLog("warn", () => clock.time(), console.error),
  gateway: "bench", timers: eventLoop, durable: false,
  message_bytes_max: limits.mqtt_message_bytes_max,
  time: () => clock.time(), now: () => clock.now(), flags: () => 0,
  wake() {
    if (due) return;
    due = true;
    setImmediate(turn);
  },
});
const sink = connection.sink("out", { topic: to! }, ring, "pass");
connection.source("in", { topic: from! }, ring, null);
