import { join } from "node:path";
import { mosquittoBroker } from "../connector/broker.ts";
import { Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import type { Figure } from "./figure.ts";
import { memoryOf } from "./memory.ts";
import { ModbusPeer } from "./modbus-peer.ts";
import { cpuSeconds } from "./processor.ts";

const links = 10;
const tags_per_device = 1000;
const interval_ms = 1000;
/** The full proof takes 600. */
const seconds = Number(process.env["BENCH_SECONDS"] ?? 30);
const tags = Number(process.env["BENCH_TAGS"] ?? 100_000);
const profile = process.env["BENCH_PROFILE"] ?? "generic-512mb";
/** The start of some hundred thousand tags. */
const start_ms_max = 60_000;

interface Told {
  readonly messages: number;
  readonly samples: number;
  readonly fresh: number;
  readonly repeated: number;
  readonly stale: number;
  readonly missing: number;
  readonly expected: number;
  readonly drift_p50: number;
  readonly drift_max: number;
  readonly jitter_p50: number;
  readonly jitter_p99: number;
  readonly jitter_max: number;
  readonly age_p50: number;
  readonly age_p99: number;
}

/**
 * 100,000 float32 tags over 10 Modbus TCP links each second, in the compiled binary, published to a
 * Mosquitto with one message a device and poll (issue 5, B). Each value is the device's clock when
 * it was read: who subscribes sees how old it is, and when the next poll came.
 */
export async function run(): Promise<Figure[]> {
  const folder = workFolder();
  const broker = await mosquittoBroker();
  await broker.start();
  const peer = await ModbusPeer.start(folder.path, links);
  const devices = Math.ceil(tags / tags_per_device / links);
  folder.write("drive.csv", "name,at,type\n" + Array.from({ length: tags_per_device }, (_, i) =>
    `t${i},input ${2 * i},float32\n`).join(""));
  const config = folder.write("gateway.json", configuration(peer.ports, devices, broker.port));
  const began = performance.now();
  const gateway = await RunningGateway.start(config, join(folder.path, "store"), [], {}, [],
    start_ms_max);
  const start_s = (performance.now() - began) / 1000;
  const subscriber = new Program(["bun", join(import.meta.dir, "tags-subscriber.ts"),
    ...[broker.port, devices * links, tags_per_device, interval_ms, seconds].map(String)]);
  try {
    await until("the first message", () => subscriber.output.startsWith("begin"), 30_000);
    const { pid } = gateway.program;
    const from = cpuSeconds(pid), fromAt = performance.now();
    const memory = await sampled(pid, subscriber);
    const cpu = (cpuSeconds(pid) - from) / (performance.now() - fromAt) * 1000;
    const told = JSON.parse(subscriber.output.trim().split("\n").at(-1)!) as Told;
    return figures(told, start_s, cpu, memory);
  } finally {
    await subscriber.stop("SIGKILL");
    await gateway.stop();
    await peer.stop();
    await broker.stop();
    folder.remove();
  }
}

/** The gateway's memory, once a second until the subscriber ends. */
async function sampled(pid: number, subscriber: Program): Promise<readonly number[]> {
  const samples: number[] = [];
  while (subscriber.child.exitCode === null) {
    samples.push(memoryOf(pid).rss);
    await Bun.sleep(1000);
  }
  return samples;
}

function figures(
  told: Told, start_s: number, cpu: number, memory: readonly number[],
): Figure[] {
  const what = `${tags} tags, ${profile}, ${seconds} s`;
  const figure = (metric: string, median: number, unit: string, min = median, max = median) =>
    ({ bench: "tags", metric: `${what}: ${metric}`, median, min, max, unit, baseline: "",
      ratio: null });
  return [
    figure("fresh and distinct", told.fresh / told.expected * 100, "%"),
    figure("samples that are not", told.repeated + told.stale + told.missing, "samples"),
    figure("samples", told.samples, "samples", told.samples, told.expected),
    figure("messages", told.messages, "messages"),
    figure("phase, last poll - first", told.drift_p50, "ms", told.drift_p50, told.drift_max),
    figure("jitter p99", told.jitter_p99, "ms", told.jitter_p50, told.jitter_max),
    figure("age at the subscriber p99", told.age_p99, "ms", told.age_p50, told.age_p99),
    figure("processor", cpu, "cores"),
    figure("RSS", memory.toSorted((a, b) => a - b)[memory.length >> 1]!, "MiB",
      Math.min(...memory), Math.max(...memory)),
    figure("start until it answers", start_s, "s"),
  ];
}

function configuration(ports: readonly number[], devices: number, broker: number): object {
  const two = (n: number): string => String(n).padStart(2, "0");
  return {
    gateway: { id: "tags", profile },
    links: {
      ...Object.fromEntries(ports.map((port, i) =>
        [`line-${i}`, { type: "modbus-tcp", host: "127.0.0.1", port }])),
      broker: { type: "mqtt", host: "127.0.0.1", port: broker },
    },
    types: { drive: { groups: { all: `${interval_ms}ms` }, tags: "file:drive.csv" } },
    devices: Object.fromEntries(ports.map((_, i) => [`d${i}-{01..${two(devices)}}`,
      { use: "drive", link: `line-${i}`, station: "{n}" }])),
    rules: { all: { sql: "SELECT * FROM d*.all", to: ["plant"] } },
    sinks: { plant: { type: "mqtt", link: "broker", topic: "plant/{rule}" } },
    api: { listen: "127.0.0.1:0" },
    store: { directory: "./store" },
  };
}

if (import.meta.main) for (const figure of await run()) console.log(JSON.stringify(figure));
