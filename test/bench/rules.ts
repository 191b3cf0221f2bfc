import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "mqtt";
import { aedesBroker } from "../connector/broker.ts";
import { until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import type { Figure } from "./figure.ts";

/** Rows that each rule reads at least before its memory counts. */
const rows_min = Number(process.env["BENCH_ROWS"] ?? 20_000);
/** Seconds that 8,000 rules run; the full proof takes 600. */
const seconds = Number(process.env["BENCH_SECONDS"] ?? 60);
const keys = 10;

/**
 * Memory of many rules on one stream, on the binary: anonymous memory of all its processes, and
 * what it loses.
 */
export async function run(): Promise<Figure[]> {
  const one = await measure(1, 1, 1000);
  const figures = [figure("1 rule", "anonymous", one.anonymous, "MiB")];
  for (const shapes of [100, 1000]) {
    const many = await measure(1000, shapes, 1000);
    const each = (many.anonymous - one.anonymous) * 1024 / 999;
    figures.push(figure(`1,000 rules of ${shapes} shapes`, "anonymous", many.anonymous, "MiB"),
      figure(`1,000 rules of ${shapes} shapes`, "a rule above the first", each, "KiB"),
      figure(`1,000 rules of ${shapes} shapes`, "rows lost", many.lost, "rows"));
  }
  const crowd = await measure(8000, 800, 10);
  return [...figures,
    figure(`8,000 rules of 800 shapes, ${seconds} s`, "anonymous", crowd.anonymous, "MiB"),
    figure(`8,000 rules of 800 shapes, ${seconds} s`, "rows lost", crowd.lost, "rows")];
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

interface Measured {
  readonly anonymous: number;
  readonly lost: number;
}

async function measure(
  rules: number, shapes: number, rowsPerSecond: number,
): Promise<Measured> {
  const broker = await aedesBroker();
  await broker.start();
  const folder = workFolder();
  const config = folder.write("gateway.json", {
    gateway: { id: "rules", profile: "generic-1gb" },
    links: { broker: { type: "mqtt", host: "127.0.0.1", port: broker.port } },
    sources: { messages: { type: "mqtt", link: "broker", topic: "in", rowsPerSecond,
      columns: { k: "int32", a: "float64", b: "float64" } } },
    rules: Object.fromEntries(Array.from({ length: rules }, (_, i) =>
      [`rule_${i}`, { sql: ruleOf(i, shapes), to: [] }])),
    api: { listen: "127.0.0.1:0" },
    store: { directory: "./store" },
  });
  const started = performance.now();
  const gateway = await RunningGateway.start(config, join(folder.path, "store"));
  console.error(`${rules} rules up after ${(performance.now() - started).toFixed(0)} ms, ` +
    `${memoryOf(gateway.program.pid).toFixed(1)} MiB`);
  try {
    await feed(broker.port, gateway, rowsPerSecond === 10 ? 10 : 500,
      rowsPerSecond === 10 ? seconds * 10 : rows_min);
    const { body } = await gateway.get<{ name: string; lost: number }[]>("/rules");
    const lost = body.reduce((sum, rule) => sum + rule.lost, 0);
    return { anonymous: memoryOf(gateway.program.pid), lost };
  } finally {
    await gateway.stop();
    await broker.stop();
    folder.remove();
  }
}

/** Publishes rows at a steady rate, and waits until the gateway has them. */
async function feed(
  port: number, gateway: RunningGateway, rate: number, rows: number,
): Promise<void> {
  const client = connect({ host: "127.0.0.1", port });
  await new Promise<void>((done) => client.once("connect", () => done()));
  await until("the source is connected", async () =>
    ((await gateway.get("/streams/messages/latest")).status === 200 || true), 1000);
  await Bun.sleep(1000);
  const begin = performance.now();
  for (let sent = 0; sent < rows;) {
    const due = Math.min(rows, Math.floor((performance.now() - begin) / 1000 * rate));
    for (; sent < due; sent++) {
      client.publish("in", JSON.stringify({ k: sent % keys, a: sent * 7 % 100, b: sent * 3 % 97 }));
    }
    await Bun.sleep(10);
  }
  await until("all rows are there", async () => {
    const { body } = await gateway.get("/streams/messages/latest");
    return body !== null && body.sequence >= rows - 1;
  }, 30_000);
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
