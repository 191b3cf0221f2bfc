import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "mqtt";
import { aedesBroker } from "../connector/broker.ts";
import { turn_bounds_ms } from "../../src/runtime.ts";
import { until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import type { Figure } from "./figure.ts";
import { cpuSeconds } from "./processor.ts";

/** Rows that each rule reads at least before its memory counts. */
const rows_min = Number(process.env["BENCH_ROWS"] ?? 20_000);
/** Rules where a shape is that of several, or of one. */
const many = Number(process.env["BENCH_RULES"] ?? 1000);
/** Rules that run for `seconds` on a slow stream. */
const most = Number(process.env["BENCH_MOST"] ?? 8000);
const seconds = Number(process.env["BENCH_SECONDS"] ?? 600);
const parts = (process.env["BENCH_PARTS"] ?? "shapes,crowd,keys").split(",");
const keys = 10;
/** A shared machine needs its time for 8,000 rules. */
const start_ms_max = 180_000;
/** 10 million keys. */
const array_keys = 250;
const array_messages = Number(process.env["BENCH_ARRAYS"] ?? 40_000);

/**
 * Must-show C of the SQL engine: memory of many rules on one stream, on the binary. Anonymous
 * memory of all its processes, what it loses, and how long its turns take.
 */
export async function run(): Promise<Figure[]> {
  const found: Figure[] = [];
  if (parts.includes("shapes")) found.push(...await shapes());
  if (parts.includes("crowd")) found.push(...await crowd());
  if (parts.includes("keys")) found.push(...await distinctKeys());
  return found;
}

async function shapes(): Promise<Figure[]> {
  const one = await measure(rulesOf(1, 1), 1000, rows_min);
  const figures = [figure("1 rule", "anonymous", one.anonymous, "MiB")];
  for (const count of [many / 10, many]) {
    const { anonymous, lost } = await measure(rulesOf(many, count), 1000, rows_min);
    const what = `${many} rules of ${count} shapes`;
    figures.push(figure(what, "anonymous", anonymous, "MiB"),
      figure(what, "a rule above the first",
        (anonymous - one.anonymous) * 1024 / (many - 1), "KiB"),
      figure(what, "rows lost", lost, "rows"));
  }
  return figures;
}

async function crowd(): Promise<Figure[]> {
  const rows = seconds * 10;
  const { anonymous, lost, turn_ms, turns, cpu } =
    await measure(rulesOf(most, most / 10), 10, rows);
  const what = `${most} rules of ${most / 10} shapes, 10 rows/s, ${seconds} s`;
  return [
    figure(what, "anonymous", anonymous, "MiB"), figure(what, "rows lost", lost, "rows"),
    figure(what, "turns, 99 of 100 within", turn_ms, "ms"),
    figure(what, "turns longer than 50 ms", slowOf(turns), "turns"),
    figure(what, "turns", turns.reduce((a, b) => a + b, 0), "turns"),
    figure(what, "processor time a row", cpu * 1000 / rows, "ms"),
  ];
}

const operators = ["+", "-", "*", "/", "%"];
const comparisons = [">", "<", ">=", "<=", "!="];

/** Four kinds of rules in as many shapes as asked for; the numbers in them differ by the rule. */
function ruleOf(rule: number, shapes: number): string {
  const shape = rule % shapes;
  const form = Math.floor(shape / 4);
  const n = rule + 0.5;
  // No two forms have the same operators in the same places.
  const digits = [form % 5, Math.floor(form / 5) % 5, Math.floor(form / 25) % 5,
    Math.floor(form / 125) % 5];
  const x = `a ${operators[digits[0]!]} b ${operators[digits[1]!]} ${n} ` +
    `${operators[digits[2]!]} ${operators.length + digits[2]!}`;
  const test = comparisons[digits[3]!];
  switch (shape % 4) {
    case 0: return `SELECT k, avg(${x}) AS mean FROM messages WHERE a ${test} 50.0 ` +
      `GROUP BY k KEYS 16, TUMBLINGWINDOW(ss, 10)`;
    case 1: return `SELECT a, ${x} AS y FROM messages WHERE a ${test} ${50 + n % 40}`;
    case 2: return `SELECT k, ${x} AS y, lag(a) AS before FROM messages WHERE b ${test} ${n % 90}`;
    default: return `SELECT hysteresis(${x}, 10, ${20 + n % 60}) AS on FROM messages ` +
      `WHERE b ${test} 40.0`;
  }
}

/** Many more groups than there is room for; each message is an array of keys. */
async function distinctKeys(): Promise<Figure[]> {
  const groups = "GROUP BY k KEYS 1000";
  const rules = {
    items: { sql: "SELECT unnest(ks) AS k FROM arrays", to: [] },
    running: { sql: `SELECT k, count(*) AS n FROM items ${groups}`, to: [] },
    windows: { sql: `SELECT k, count(*) AS n FROM items ${groups}, TUMBLINGWINDOW(ss, 1)`, to: [] },
    evicting: { sql: `SELECT k, count(*) AS n FROM items ${groups} EVICT OLDEST`, to: [] },
  };
  const row = (n: number): object =>
    ({ ks: Array.from({ length: array_keys }, (_, i) => n * array_keys + i) });
  return withGateway(rules, 1000, async (gateway, port) => {
    const anonymous: number[] = [];
    for (const messages of [array_messages / 10, array_messages * 9 / 10]) {
      await feed(port, gateway, 400, messages, (n) =>
        row(n + anonymous.length * array_messages / 10), "arrays");
      anonymous.push(memoryOf(gateway.program.pid));
    }
    const { body } = await gateway.get<{ name: string; rows_in: number; lost: number;
      evicted: number }[]>("/rules");
    const what = `${array_messages * array_keys} distinct keys, room for 1,024`;
    return [
      { ...figure(what, "anonymous", anonymous[1]!, "MiB"), ratio: anonymous[1]! / anonymous[0]!,
        baseline: "after the first tenth" },
      ...body.filter(({ name }) => name !== "items").flatMap((rule) => [
        figure(what, `rows in, ${rule.name}`, rule.rows_in, "rows"),
        figure(what, `rows counted as lost, ${rule.name}`, rule.lost, "rows"),
        figure(what, `keys counted as evicted, ${rule.name}`, rule.evicted, "keys")]),
    ];
  });
}

const rulesOf = (rules: number, count: number): Record<string, object> =>
  Object.fromEntries(Array.from({ length: rules }, (_, i) =>
    [`rule_${i}`, { sql: ruleOf(i, count), to: [] }]));

interface Measured {
  readonly anonymous: number;
  readonly lost: number;
  readonly turn_ms: number;
  /** By length (`turn_bounds_ms`), of the thread that runs the rules. */
  readonly turns: readonly number[];
  /** Seconds of the processor while rows came. */
  readonly cpu: number;
}

async function measure(
  rules: Record<string, object>, rowsPerSecond: number, rows: number,
): Promise<Measured> {
  const rate = Math.min(rowsPerSecond, 500);
  return withGateway(rules, rowsPerSecond, async (gateway, port) => {
    const { pid } = gateway.program;
    const before = cpuSeconds(pid);
    await feed(port, gateway, rate, rows, (n) => ({ k: n % keys, a: n * 7 % 100, b: n * 3 % 97 }));
    const cpu = cpuSeconds(pid) - before;
    const { body } = await gateway.get<{ rows_in: number; lost: number }[]>("/rules");
    const idle = body.filter(({ rows_in }) => rows_in < rows);
    if (idle.length > 0) throw new Error(`${idle.length} rules have not read all rows`);
    const { lost, turn_lengths } = (await gateway.get("/health")).body;
    return {
      anonymous: memoryOf(pid), turns: turn_lengths.data, cpu,
      turn_ms: percentile99(turn_lengths.data),
      lost: body.reduce((sum, rule) => sum + rule.lost, 0) + lostOf(lost),
    };
  });
}

const lostOf = (lost: Record<string, number>): number =>
  Object.entries(lost).reduce((sum, [where, n]) => (where.startsWith("rule ") ? sum : sum + n), 0);

const slowOf = (lengths: readonly number[]): number =>
  lengths.slice(turn_bounds_ms.indexOf(50) + 1).reduce((a, b) => a + b, 0);

/** Upper bound of the class of turns that 99 of 100 are in or below. */
function percentile99(lengths: readonly number[]): number {
  const all = lengths.reduce((a, b) => a + b, 0);
  let upTo = 0;
  const i = lengths.findIndex((count) => (upTo += count) >= 0.99 * all);
  return turn_bounds_ms[i] ?? Infinity;
}

async function withGateway<T>(
  rules: Record<string, object>, rowsPerSecond: number,
  use: (gateway: RunningGateway, port: number) => Promise<T>,
): Promise<T> {
  const broker = await aedesBroker();
  await broker.start();
  const folder = workFolder();
  const config = folder.write("gateway.json", {
    gateway: { id: "rules", profile: "generic-1gb" },
    links: { broker: { type: "mqtt", host: "127.0.0.1", port: broker.port } },
    sources: { messages: { type: "mqtt", link: "broker", topic: "messages", rowsPerSecond,
      columns: { k: "int32", a: "float64", b: "float64" } },
      arrays: { type: "mqtt", link: "broker", topic: "arrays", columns: { ks: "json(4096)" } } },
    rules,
    api: { listen: "127.0.0.1:0" },
    store: { directory: "./store" },
  });
  const started = performance.now();
  const gateway = await RunningGateway.start(config, join(folder.path, "store"), [], {}, [],
    start_ms_max);
  console.error(`${Object.keys(rules).length} rules up after ` +
    `${(performance.now() - started).toFixed(0)} ms, ` +
    `${memoryOf(gateway.program.pid).toFixed(1)} MiB`);
  try {
    return await use(gateway, broker.port);
  } catch (thrown) {
    throw new Error(`${thrown}\n${gateway.program.output}`);
  } finally {
    await gateway.stop();
    await broker.stop();
    folder.remove();
  }
}

/** Publishes rows at a steady rate, and waits until the gateway has them. */
async function feed(
  port: number, gateway: RunningGateway, rate: number, rows: number,
  row: (n: number) => object, stream: "messages" | "arrays" = "messages",
): Promise<void> {
  const latest = async (): Promise<number> =>
    (await gateway.get(`/streams/${stream}/latest`)).body?.sequence ?? -1;
  const before = await latest();
  const client = connect({ host: "127.0.0.1", port });
  await new Promise<void>((done) => client.once("connect", () => done()));
  await until("the source is connected", async () =>
    (await gateway.get("/links")).body.every(({ state }: { state: string }) => state === "open"));
  const begin = performance.now();
  for (let sent = 0; sent < rows;) {
    const due = Math.min(rows, Math.floor((performance.now() - begin) / 1000 * rate));
    for (; sent < due; sent++) {
      client.publish(stream, JSON.stringify(row(sent)));
    }
    await Bun.sleep(10);
  }
  await until("all rows are there", async () => await latest() >= before + rows, 30_000);
  client.end(true);
  await Bun.sleep(1000);
}

/** MiB of anonymous memory of a process and all its children. */
function memoryOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const own = Number(/^Anonymous:\s+(\d+)/m.exec(text)![1]) / 1024;
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter((s) => s !== ""))
    .reduce((sum, child) => sum + memoryOf(Number(child)), own);
}

function figure(what: string, metric: string, value: number, unit: string): Figure {
  return { bench: "rules", metric: `${what}: ${metric}`, median: value, min: value, max: value,
    unit, baseline: "", ratio: null };
}

if (import.meta.main) for (const line of await run()) console.log(JSON.stringify(line));
