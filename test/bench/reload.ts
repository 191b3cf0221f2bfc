import { join } from "node:path";
import { Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { median, type Figure } from "./figure.ts";
import { memoryOf } from "./memory.ts";

const reloads = Number(process.env["RELOADS"] ?? 100);
const rules = Number(process.env["RULES"] ?? 300);
/** Sets of rules, one after the other and again; `SETS=100`: shapes that none before had. */
const sets = Number(process.env["SETS"] ?? 10);
/** Between two of them, so that polls during a reload are told from those after it. */
const rest_ms = 500;

/**
 * Must-show C of the SQL engine: anonymous memory after 100 reloads of 300 distinct rules, a set
 * of other shapes each time, and what polls of links that no reload touches miss meanwhile.
 */
export async function run(): Promise<Figure[]> {
  const device = new Program(["bun", join(import.meta.dir, "memory-device.ts")]);
  const { port } = JSON.parse(await until("device", () => device.output.split("\n")[0])) as {
    port: number;
  };
  try {
    return [...await reload(port, 1), ...await reload(port, 3)];
  } finally {
    await device.stop("SIGKILL");
  }
}

async function reload(port: number, threads: 1 | 3): Promise<Figure[]> {
  const folder = workFolder();
  const config = folder.write("gateway.json", configuration(port, threads, 0));
  const gateway = await RunningGateway.start(config, join(folder.path, "store"));
  try {
    const took: number[] = [];
    const anonymous: number[] = [];
    const settled: number[] = [];
    const kept: Record<string, number[]> = { "10 ms": [], "100 ms": [] };
    for (let n = 1; n <= reloads; n++) {
      const [before, began] = [await pollsOf(gateway), performance.now()];
      const { status, body } = await gateway.post("/apply",
        { config: configuration(port, threads, n % sets), by: "bench" });
      if (status !== 200) throw new Error(`reload ${n}: ${body.error.message}`);
      took.push(performance.now() - began);
      const after = await pollsOf(gateway);
      after.forEach(({ interval_ms, polls, missed }, i) => {
        const [made, left] = [polls - before[i]!.polls, missed - before[i]!.missed];
        kept[`${interval_ms} ms`]!.push(made + left === 0 ? 1 : made / (made + left));
      });
      await Bun.sleep(rest_ms);
      anonymous.push(memoryOf(gateway.program.pid).anonymous);
      if (n === Math.min(10, reloads) || n === reloads) settled.push(await settledOf(gateway));
    }
    const { body } = await gateway.get("/rules");
    const idle = body.filter((rule: any) => rule.state !== "running" || rule.rows_in === 0);
    if (idle.length > 0) throw new Error(`${idle.length} rules do not run: ${idle[0].reason}`);
    return figures(`${reloads} x ${rules} rules, threads ${threads}`, took, kept, anonymous,
      settled);
  } finally {
    await gateway.stop();
    folder.remove();
  }
}

/** The allocator gives back what it need not keep within seconds. */
async function settledOf(gateway: RunningGateway): Promise<number> {
  const samples: number[] = [];
  for (let n = 0; n < 10; n++) {
    await Bun.sleep(1000);
    samples.push(memoryOf(gateway.program.pid).anonymous);
  }
  return median(samples.slice(-5));
}

async function pollsOf(gateway: RunningGateway): Promise<
  { interval_ms: number; polls: number; missed: number }[]
> {
  return (await gateway.get("/links")).body[0].polls;
}

function figures(
  what: string, took: number[], kept: Record<string, number[]>, anonymous: number[],
  [tenth, last]: number[],
): Figure[] {
  const of = (metric: string, values: number[], unit: string, ratio: number | null = null) =>
    ({ bench: "reload", metric: `${what}: ${metric}`, median: median(values), unit, ratio,
      baseline: "", min: Math.min(...values), max: Math.max(...values) });
  return [
    of("one reload", took, "ms"),
    ...Object.entries(kept).map(([interval, rates]) =>
      of(`polls of untouched groups kept during it, every ${interval}`, rates, "of 1")),
    of("anonymous", anonymous, "MiB"),
    of("anonymous after the last, settled, and its ratio to that after the tenth", [last!], "MiB",
      last! / tenth!),
  ];
}

/** Each round has rules of shapes of its own. */
function configuration(port: number, threads: 1 | 3, round: number): object {
  const column = (n: number): string => `t${n % 100}`;
  const operators = ["+", "-", "*"];
  const sql = (i: number): string => {
    const n = round * rules + i;
    const name = `o${round}_${i}`;
    const value = `${column(n)} ${operators[n % 3]} ${column(n * 7 + round)}`;
    switch (i % 3) {
      case 0: return `SELECT ${value} AS ${name} FROM d.fast WHERE ${column(n * 3)} > ${n}`;
      case 1: return `SELECT avg(${value}) AS ${name}, count(*) AS n FROM d.fast ` +
        "GROUP BY TUMBLINGWINDOW(ss, 1)";
      default: return `SELECT lag(${value}) AS ${name} FROM d.fast`;
    }
  };
  return {
    gateway: { id: "reload", profile: threads === 1 ? "generic-512mb" : "generic-1gb" },
    links: { plc: { type: "modbus-tcp", host: "127.0.0.1", port } },
    devices: { d: { link: "plc", groups: { fast: "10ms", slow: "100ms" }, tags: {
      ...Object.fromEntries(Array.from({ length: 100 }, (_, i) =>
        [`t${i}`, { at: `holding ${i * 2}`, type: "float32", group: "fast" }])),
      slow_one: { at: "holding 200", type: "float32", group: "slow" } } } },
    rules: Object.fromEntries(Array.from({ length: rules }, (_, i) => [`r${i}`, { sql: sql(i) }])),
    api: { listen: "127.0.0.1:0" },
    store: { directory: "./store" },
  };
}

if (import.meta.main) for (const line of await run()) console.log(JSON.stringify(line));
