import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mosquittoBroker, mosquittoPath } from "../connector/broker.ts";
import { median, type Figure } from "./figure.ts";
import { cpuSeconds } from "./processor.ts";
import { gateway } from "./mqtt/gateway.ts";
import { createLoad, payload, type Load } from "./mqtt/load.ts";

const rounds = 5;
const messages = Number(process.env["BENCH_MESSAGES"] ?? 100_000);
const binary = process.env["TAGWERK_BINARY"] ?? `dist/tagwerk-linux-${process.arch}`;

/** JSON in, rule, JSON out through a real Mosquitto, against a bare client that does as much. */
export async function run(): Promise<Figure[]> {
  if (mosquittoPath === null) throw new Error("bench mqtt needs Mosquitto");
  const folder = mkdtempSync(join(tmpdir(), "bench-mqtt-"));
  const broker = await mosquittoBroker();
  await broker.start();
  const ours = await startOurs(broker.port, folder);
  const bare = startScript("bare.ts", broker.port, "b");
  const load = await createLoad(broker.port, "bench/+/out");
  try {
    for (const side of [ours, bare]) {
      const answer = await load.prove(side.topic);
      if (answer !== payload(0)) throw new Error(`${side.what} made ${answer} of ${payload(0)}`);
    }
    for (const side of [ours, bare]) await measure(load, side);
    const results: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      const first = await measure(load, ours);
      const base = await measure(load, bare);
      results.push({ ours: [first, await measure(load, ours)], bare: base });
    }
    return [
      ...figures(results, "rate", "messages", "1/s", ours.what),
      ...figures(results, "cpu", "processor time", "us/message", ours.what),
    ];
  } finally {
    load.close();
    for (const side of [ours, bare]) {
      side.child.kill("SIGTERM");
      await side.child.exited;
    }
    await broker.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Side {
  readonly child: Bun.Subprocess;
  readonly topic: string;
  readonly what: string;
}

interface Sample {
  /** messages/s */
  readonly rate: number;
  /** microseconds of processor time a message, all threads */
  readonly cpu: number;
}

function startScript(script: string, port: number, side: string): Side {
  const path = Bun.fileURLToPath(new URL(`./mqtt/${script}`, import.meta.url));
  const child = Bun.spawn(
    [process.execPath, path, String(port), `bench/${side}/in`, `bench/${side}/out`],
    { stdout: "ignore", stderr: "inherit" },
  );
  return { child, topic: `bench/${side}/in`, what: script };
}

/** The compiled binary; without one, the connector alone in a process of its own. */
async function startOurs(port: number, folder: string): Promise<Side> {
  if (!await Bun.file(binary).exists()) return startScript("pipe.ts", port, "a");
  const file = join(folder, "gateway.json");
  const store = join(folder, "store");
  writeFileSync(file, JSON.stringify(gateway(port, "bench/a/in", "bench/a/out", store), null, 2));
  const child = Bun.spawn([binary, "run", file], { stdout: "ignore", stderr: "inherit" });
  return { child, topic: "bench/a/in", what: binary };
}

async function measure(load: Load, side: Side): Promise<Sample> {
  const before = cpuSeconds(side.child.pid);
  const seconds = await load.run(side.topic, messages);
  const used = cpuSeconds(side.child.pid) - before;
  return { rate: messages / seconds, cpu: used / messages * 1e6 };
}

interface Round {
  readonly ours: readonly [Sample, Sample];
  readonly bare: Sample;
}

function figures(
  rounds: readonly Round[], key: keyof Sample, metric: string, unit: string, what: string,
): Figure[] {
  const baseline = "bare mqtt client";
  const figure = (name: string, values: number[], ratio: number | null): Figure => ({
    bench: "mqtt", metric: `${metric} (${name})`,
    median: median(values), min: Math.min(...values), max: Math.max(...values),
    unit, baseline: ratio === null ? "" : baseline, ratio,
  });
  const ratios = rounds.map(({ ours: [a, b], bare }) => (a[key] + b[key]) / 2 / bare[key]);
  return [
    figure(what, rounds.flatMap(({ ours }) => ours.map((s) => s[key])), median(ratios)),
    figure(baseline, rounds.map(({ bare }) => bare[key]), null),
  ];
}

if (import.meta.main) for (const figure of await run()) console.log(JSON.stringify(figure));
