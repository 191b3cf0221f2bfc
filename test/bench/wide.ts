import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectAsync } from "mqtt";
import { mosquittoBroker, mosquittoPath } from "../connector/broker.ts";
import { binary } from "../support/binary.ts";
import { median, type Figure } from "./figure.ts";
import { cpuSeconds } from "./processor.ts";

/** The wide message: 15,000 numbers, 315 KB, 50 a second (issue 4, D). */
const fields = 15_000;
const rate = 50;
const seconds = Number(process.env["BENCH_SECONDS"] ?? 10);
const rounds = 3;

const cases = {
  "3 fields": { sql: "SELECT a1, a7500, a15000 FROM wide", expect: '"a7500":' },
  "SELECT *": { sql: "SELECT * FROM wide", expect: '"a14999":' },
} as const;

/** 21 bytes a field. */
function payload(round: number): string {
  const parts = Array.from({ length: fields }, (_, i) =>
    `"a${i + 1}":${(i % 977) + 0.25 + round}`.padEnd(20));
  return `{${parts.join(",")}}`;
}

/** Processor time of all threads of the compiled gateway, and its anonymous memory. */
export async function run(): Promise<Figure[]> {
  if (mosquittoPath === null) throw new Error("bench wide needs Mosquitto");
  const file = await binary();
  const figures: Figure[] = [];
  for (const [name, { sql, expect }] of Object.entries(cases)) {
    const folder = mkdtempSync(join(tmpdir(), "bench-wide-"));
    const broker = await mosquittoBroker();
    await broker.start();
    const config = join(folder, "gateway.json");
    writeFileSync(config, JSON.stringify({
      gateway: { id: "bench", profile: "generic-1gb" },
      links: { broker: { type: "mqtt", host: "127.0.0.1", port: broker.port } },
      sources: { wide: { type: "mqtt", link: "broker", topic: "in", rowsPerSecond: rate,
        messageBytes: 330_000 } },
      rules: { r: { sql, to: ["out"] } },
      sinks: { out: { type: "mqtt", link: "broker", topic: "out" } },
      api: { listen: "127.0.0.1:0" }, store: { directory: join(folder, "store") },
    }));
    const child = Bun.spawn([file, "run", config], { stdout: "ignore", stderr: "inherit" });
    try {
      const rounds = await measure(broker.port, child.pid, expect);
      const figure = (metric: string, values: number[], unit: string): Figure => ({
        bench: "wide", metric: `${metric} (${name})`, median: median(values),
        min: Math.min(...values), max: Math.max(...values), unit, baseline: "", ratio: null,
      });
      figures.push(figure("processor time", rounds.map(({ cores }) => cores), "cores"),
        figure("anonymous memory", rounds.map(({ megabytes }) => megabytes), "MB"),
        figure("messages lost", rounds.map(({ lost }) => lost), "messages"));
    } finally {
      child.kill("SIGTERM");
      await child.exited;
      await broker.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return figures;
}

interface Round {
  readonly cores: number;
  readonly megabytes: number;
  readonly lost: number;
}

async function measure(port: number, pid: number, expect: string): Promise<Round[]> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`);
  const messages = Array.from({ length: 16 }, (_, i) => payload(i));
  let received = 0;
  client.on("message", (_, message) => {
    if (!message.includes(expect)) throw new Error(`no ${expect} in ${message.subarray(0, 80)}`);
    received++;
  });
  await client.subscribeAsync("out");
  // Until the gateway has subscribed, its broker has nobody to give a message to.
  while (received === 0) {
    client.publish("in", messages[0]!);
    await Bun.sleep(200);
  }
  const found: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    await Bun.sleep(500);
    received = 0;
    const [begun, before] = [performance.now(), cpuSeconds(pid)];
    const wanted = rate * seconds;
    for (let i = 0; i < wanted; i++) {
      client.publish("in", messages[i % messages.length]!);
      await Bun.sleep(Math.max(0, begun + (i + 1) * 1000 / rate - performance.now()));
    }
    await Bun.sleep(500);
    const elapsed = (performance.now() - begun) / 1000;
    found.push({ cores: (cpuSeconds(pid) - before) / elapsed, megabytes: anonymous(pid),
      lost: wanted - received });
  }
  await client.endAsync();
  return found;
}

function anonymous(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  return Number(/^Anonymous:\s+(\d+)/m.exec(text)![1]) / 1024;
}

if (import.meta.main) for (const figure of await run()) console.log(JSON.stringify(figure));
