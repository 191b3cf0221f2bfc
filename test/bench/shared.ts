import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connectAsync, type MqttClient } from "mqtt";
import { mosquittoBroker } from "../connector/broker.ts";
import { until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import type { Figure } from "./figure.ts";
import { cpuSeconds } from "./processor.ts";

const seconds = Number(process.env["BENCH_SECONDS"] ?? 20);
/** Before it counts: connections, the compiler's own thread. */
const warm_s = 5;

interface Case {
  readonly name: string;
  readonly rules: Readonly<Record<string, { readonly sql: string; readonly to: string[] }>>;
  readonly rate: number;
  /** What the source declares, by which memory is planned; as `rate` if left out. */
  readonly declared?: number;
  readonly message: (n: number) => object;
}

const rulesOf = (count: number, sql: (i: number) => string, sinkEvery = Infinity) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) =>
    [`r${i}`, { sql: sql(i), to: i % sinkEvery === 0 ? ["out"] : [] }]));

const filter = (): string => "SELECT temperature FROM s WHERE temperature > 20";
const climate = (n: number): object => ({ temperature: 12 + n % 10, humidity: 90 });
const reading = (n: number): object => ({ device: n % 100, temperature: n % 1000 / 10 });
const aggregates = (): string => "SELECT device, avg(temperature) AS mean, " +
  "max(temperature) AS high, min(temperature) AS low, count(*) AS n FROM s " +
  "GROUP BY device KEYS 128, TUMBLINGWINDOW(ss, 1)";
/** Of one window, and of windows that are nearly the same. */
const having = (apart: number) => (i: number): string => "SELECT avg(temperature) AS mean FROM s " +
  `GROUP BY TUMBLINGWINDOW(ms, ${1000 + i * apart}) HAVING avg(temperature) > ${i}`;

const cases: readonly Case[] = [
  { name: "300 rules", rules: rulesOf(300, filter, 10), rate: 500, message: climate },
  { name: "1,000 rules", rules: rulesOf(1000, filter, 10), rate: 500, message: climate },
  { name: "300 equal windows", rules: rulesOf(300, having(0)), rate: 500, message: climate },
  { name: "300 windows", rules: rulesOf(300, having(1)), rate: 500, message: climate },
  ...[5000, 25_000].map((rate) => ({ name: "4 aggregates by 100 devices in 1 s",
    rules: rulesOf(1, aggregates, 1), rate, declared: 25_000, message: reading })),
];

/**
 * Must-show D of the SQL engine: many rules on one MQTT stream of a real Mosquitto, and one window
 * at two rates. Processor time, memory and losses of the binary.
 */
export async function run(): Promise<Figure[]> {
  const wanted = process.env["BENCH_CASES"]?.split(";");
  const found: Figure[] = [];
  for (const one of cases) {
    if (wanted?.some((word) => one.name.includes(word)) === false) continue;
    found.push(...await measure(one));
  }
  return found;
}

async function measure({ name, rules, rate, declared = rate, message }: Case): Promise<Figure[]> {
  const broker = await mosquittoBroker();
  await broker.start();
  const folder = workFolder({ "gateway.json": {
    gateway: { id: "shared", profile: "generic-512mb" },
    links: { broker: { type: "mqtt", host: "127.0.0.1", port: broker.port } },
    sources: { s: { type: "mqtt", link: "broker", topic: "in", rowsPerSecond: declared,
      columns: { temperature: "float64", humidity: "float64", device: "int32" } } },
    sinks: { out: { type: "mqtt", link: "broker", topic: "out/{rule}" } },
    rules, api: { listen: "127.0.0.1:0" },
  } });
  const gateway = await RunningGateway.start(join(folder.path, "gateway.json"),
    join(folder.path, "store"), [], {}, [], 120_000);
  const client = await connectAsync({ host: "127.0.0.1", port: broker.port });
  try {
    await until("the source is connected", async () =>
      (await gateway.get("/links")).body.every(({ state }: { state: string }) => state === "open"));
    const { pid } = gateway.program;
    let sent = await publish(client, rate, warm_s, 0, message);
    const [before, first] = [cpuSeconds(pid), sent];
    sent = await publish(client, rate, seconds, sent, message);
    await until("all rows are read", async () =>
      (await gateway.get("/rules")).body.every(({ rows_in }: { rows_in: number }) =>
        rows_in === sent));
    // By messages, not by the clock: on a busy machine they may come more slowly than they should.
    const cores = (cpuSeconds(pid) - before) / (sent - first) * rate;
    const { lost, memory: { planned } } = (await gateway.get("/health")).body;
    const rows = Object.values<number>(lost).reduce((a, b) => a + b, 0);
    const figure = (metric: string, value: number, unit: string): Figure => ({
      bench: "shared", metric: `${name}, ${rate} messages/s: ${metric}`, median: value, min: value,
      max: value, unit, baseline: "", ratio: null });
    return [
      figure("processor", cores, "cores"), figure("RSS", memoryOf(pid, "Rss"), "MiB"),
      figure("anonymous", memoryOf(pid, "Anonymous"), "MiB"),
      figure("planned", planned / 2 ** 20, "MiB"), figure("rows lost", rows, "rows"),
    ];
  } catch (thrown) {
    throw new Error(`${thrown}\n${gateway.program.output}`);
  } finally {
    await client.endAsync();
    await gateway.stop();
    await broker.stop();
    folder.remove();
  }
}

/** At a steady rate; gives the number of the next message. */
async function publish(
  client: MqttClient, rate: number, during_s: number, from: number, message: Case["message"],
): Promise<number> {
  const begin = performance.now();
  let sent = 0;
  while (sent < rate * during_s) {
    const due = Math.min(rate * during_s,
      Math.floor((performance.now() - begin) / 1000 * rate));
    for (; sent < due; sent++) client.publish("in", JSON.stringify(message(from + sent)));
    await Bun.sleep(4);
  }
  return from + sent;
}

function memoryOf(pid: number, what: "Rss" | "Anonymous"): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(new RegExp(`^${what}:\\s+(\\d+)`, "m").exec(text)![1]) / 1024;
}

