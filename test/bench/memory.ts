import { copyFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { aedesBroker } from "../connector/broker.ts";
import { Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { median, type Figure } from "./figure.ts";

/**
 * Seconds of warm-up and of sampling at 1 Hz; the full proof takes 300 and 900 (`SOAK_COUNT=900`).
 */
const sample_seconds = Number(process.env["SOAK_COUNT"] ?? 60);
const warm_seconds = sample_seconds >= 900 ? 300 : 20;

/**
 * Must-show G: resident and anonymous memory of all processes (smaps_rollup), idle and under 10,000
 * tags at 100 ms; start to first row.
 */
export async function run(): Promise<Figure[]> {
  const device = new Program(["bun", join(import.meta.dir, "memory-device.ts")]);
  const { port } = JSON.parse(await until("device", () => device.output.split("\n")[0])) as {
    port: number;
  };
  const broker = await aedesBroker();
  await broker.start();
  try {
    return [
      ...await idle("idle, threads 1", port, broker.port, "generic-512mb", false),
      ...await idle("idle, threads 3", port, broker.port, "generic-1gb", false),
      ...await idle("idle with a model, threads 1", port, broker.port, "generic-512mb", true),
      ...await loaded(port),
    ];
  } finally {
    await broker.stop();
    await device.stop("SIGKILL");
  }
}

interface Memory {
  readonly rss: number;
  readonly anonymous: number;
}

/** MiB of a process and all its children. */
export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)![1]);
  const own = { rss: kilobytes("Rss") / 1024, anonymous: kilobytes("Anonymous") / 1024 };
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) => childrenOf(pid, task));
  return children.map((child) => memoryOf(Number(child))).reduce((a, b) =>
    ({ rss: a.rss + b.rss, anonymous: a.anonymous + b.anonymous }), own);
}

function childrenOf(pid: number, task: string): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${task}/children`, "utf8");
    return text.split(" ").filter((s) => s !== "");
  } catch (thrown) {
    // The thread ended since it was listed.
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw thrown;
  }
}

async function idle(
  what: string, port: number, brokerPort: number, profile: string, model: boolean,
): Promise<Figure[]> {
  const folder = workFolder();
  copyFileSync(join(import.meta.dir, "../../examples/demo/models/hold.onnx"),
    join(folder.path, "hold.onnx"));
  const config = folder.write("gateway.json", {
    ...configuration(port, profile, 1, "1s"),
    ...(model ? { models: { hold: { file: "hold.onnx", memory: "32MB", deadline: "20ms" } } } : {}),
    links: { plc: { type: "modbus-tcp", host: "127.0.0.1", port },
      broker: { type: "mqtt", host: "127.0.0.1", port: brokerPort } },
    sinks: { plant: { type: "mqtt", link: "broker", topic: "plant/{rule}" } },
    rules: { r: { to: ["plant"], sql: model
      ? "SELECT infer('hold', t00000, 60.0, 20.0) AS v FROM d.fast"
        : "SELECT t00000 FROM d.fast" } },
  });
  const gateway = await RunningGateway.start(config, join(folder.path, "store"));
  const row = await until("a good row", async () => {
    const { body } = await gateway.get("/streams/d.fast/latest");
    return body?.values?.t00000 === undefined ? null : body as { time: number; sequence: number };
  });
  // The first poll, or the one that the opened link was read by at once.
  if (row.sequence > 1) throw new Error(`the first good row was missed: it is ${row.sequence}`);
  const first = row.time - gateway.startedAt;
  await Bun.sleep(15_000);
  const { rss, anonymous } = memoryOf(gateway.program.pid);
  await gateway.stop();
  folder.remove();
  return [figure(what, "RSS", rss, "MiB"), figure(what, "anonymous", anonymous, "MiB"),
    figure(what, "start to first row", first, "ms")];
}

async function loaded(port: number): Promise<Figure[]> {
  const folder = workFolder();
  const config = folder.write("gateway.json", configuration(port, "generic-1gb", 10_000, "100ms"));
  const gateway = await RunningGateway.start(config, join(folder.path, "store"));
  await Bun.sleep(warm_seconds * 1000);
  const samples: number[] = [];
  for (let n = 0; n < sample_seconds; n++) {
    samples.push(memoryOf(gateway.program.pid).anonymous);
    await Bun.sleep(1000);
  }
  const poll = ((await gateway.get("/links")).body as any[])[0].polls[0];
  await gateway.stop();
  folder.remove();
  const what = `10,000 tags at 100 ms, ${sample_seconds} s`;
  return [
    figure(what, "anonymous", median(samples), "MiB", Math.min(...samples), Math.max(...samples)),
    figure(what, "slope x 15 minutes", slope(samples) * 900, "MiB"),
    figure(what, "max - min", Math.max(...samples) - Math.min(...samples), "MiB"),
    figure(what, "polls", poll.polls, "polls"),
    figure(what, "missed polls", poll.missed, "polls"),
  ];
}

/** Least squares, per sample. */
function slope(values: readonly number[]): number {
  const n = values.length;
  const x = (n - 1) / 2;
  const y = values.reduce((a, b) => a + b, 0) / n;
  let above = 0, below = 0;
  values.forEach((value, i) => {
    above += (i - x) * (value - y);
    below += (i - x) ** 2;
  });
  return above / below;
}

function figure(
  what: string, metric: string, value: number, unit: string, min = value, max = value,
): Figure {
  return { bench: "memory", metric: `${what}: ${metric}`, median: value, min, max, unit,
    baseline: "", ratio: null };
}

function configuration(port: number, profile: string, tags: number, interval: string): object {
  return {
    gateway: { id: "memory", profile },
    links: { plc: { type: "modbus-tcp", host: "127.0.0.1", port } },
    devices: {
      d: {
        link: "plc", groups: { fast: interval },
        tags: Object.fromEntries(Array.from({ length: tags }, (_, i) =>
          [`t${String(i).padStart(5, "0")}`, { at: `holding ${i * 2}`, type: "float32" }])),
      },
    },
    rules: {},
    api: { listen: "127.0.0.1:0" },
    store: { directory: "./store" },
  };
}

if (import.meta.main) for (const line of await run()) console.log(JSON.stringify(line));
