import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { LinkView } from "../../src/runtime.ts";
import { workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import type { Figure } from "./figure.ts";
import { ModbusPeer } from "./modbus-peer.ts";

const links = 10;
const tags_per_link = 1000;
const poll_ms = 100;
const writes_per_s = 100;
const seconds = Number(process.env["BENCH_SECONDS"] ?? 20);
const profile = process.env["BENCH_PROFILE"] ?? "generic-512mb";
const token = "bench";

/**
 * 10,000 tags every 100 ms over 10 links, first alone, then beside 100 writes/s by REST (issue 5,
 * C): each through the gate, with its intent on disk before its frame, and read back.
 */
export async function run(): Promise<Figure[]> {
  const folder = workFolder();
  const peer = await ModbusPeer.start(folder.path, links);
  folder.write("token", token);
  const config = folder.write("gateway.json", configuration(peer.ports));
  const store = join(folder.path, "store");
  const gateway = await RunningGateway.start(config, store);
  try {
    for (let i = 0; i < links; i++) await gateway.arm(`m${i}.setpoint`);
    await Bun.sleep(3000);
    const before = await polled(gateway);
    await Bun.sleep(seconds * 1000);
    const alone = await polled(gateway);
    const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(gateway.program.output)!;
    const waits = await write(url);
    const beside = await polled(gateway);
    await gateway.stop();
    return figures(waits, shareMissed(before, alone), shareMissed(alone, beside),
      steps(join(store, "store.sqlite")));
  } finally {
    await gateway.stop("SIGKILL");
    await peer.stop();
    folder.remove();
  }
}

interface Polled {
  readonly polls: number;
  readonly missed: number;
}

async function polled(gateway: RunningGateway): Promise<Polled> {
  const polls = (await gateway.get<LinkView[]>("/links")).body.flatMap((link) => link.polls)
    .filter(({ interval_ms }) => interval_ms === poll_ms);
  const sum = (key: keyof Polled): number => polls.reduce((all, poll) => all + poll[key], 0);
  return { polls: sum("polls"), missed: sum("missed") };
}

/** Percent of the polls between two looks. */
function shareMissed(from: Polled, to: Polled): number {
  const missed = to.missed - from.missed;
  return missed / (to.polls - from.polls + missed) * 100;
}

/** One write every 10 ms, whether or not those before it are answered; ms of each. */
async function write(url: string): Promise<number[]> {
  const began = performance.now();
  const answers: Promise<number>[] = [];
  for (let n = 0; n < seconds * writes_per_s; n++) {
    const at = began + n * 1000 / writes_per_s;
    await Bun.sleep(Math.max(0, at - performance.now()));
    answers.push(writeOne(url, n));
  }
  return Promise.all(answers);
}

async function writeOne(url: string, n: number): Promise<number> {
  const sent = performance.now();
  const response = await fetch(`${url}/write`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ id: `w${n}`, tag: `m${n % links}.setpoint`, value: n % 30_000,
      within: "5s" }),
  });
  const { outcome, ...rest } = await response.json() as { outcome: string };
  if (outcome !== "verified") throw new Error(`w${n}: ${outcome} ${JSON.stringify(rest)}`);
  return performance.now() - sent;
}

interface Steps {
  /** The commit of the intent. */
  readonly intent: readonly number[];
  /** From the frame to the read-back. */
  readonly device: readonly number[];
  /** From the request's coming to the outcome, by the number of the write. */
  readonly inside: readonly number[];
}

/** From the audit. */
function steps(path: string): Steps {
  const db = new Database(path, { readonly: true });
  const rows = db.query("SELECT received, time, sent, ended FROM attempts WHERE " +
    "origin = 'rest' AND verdict = 'admitted' ORDER BY CAST(substr(id, 2) AS INTEGER)")
    .all() as { received: number; time: number; sent: number; ended: number }[];
  db.close();
  return { intent: rows.map(({ time, sent }) => sent - time),
    device: rows.map(({ sent, ended }) => ended - sent),
    inside: rows.map(({ received, ended }) => ended - received) };
}

function figures(
  waits: readonly number[], alone: number, beside: number, { intent, device, inside }: Steps,
): Figure[] {
  const what = `10,000 tags at ${poll_ms} ms, ${writes_per_s} writes/s, ${profile}`;
  const line = (metric: string, median: number, min: number, max: number, unit: string): Figure =>
    ({ bench: "writes", metric: `${what}: ${metric}`, median, min, max, unit, baseline: "",
      ratio: null });
  const spread = (metric: string, values: readonly number[]): Figure[] => {
    const sorted = values.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))]!;
    return [line(metric, at(0.5), at(0), at(1), "ms"),
      line(`${metric}, p99`, at(0.99), at(0.99), at(1), "ms")];
  };
  return [
    ...spread("REST request to verified", waits),
    ...spread("of it: the intent's commit", intent),
    ...spread("of it: frame, answer and read-back", device),
    // With three threads the answer need not wait for that commit.
    ...spread("of it: HTTP and the outcome's commit", waits.map((ms, n) => ms - inside[n]!)),
    line("writes verified", waits.length, waits.length, seconds * writes_per_s, "writes"),
    line("polls missed without writes", alone, alone, alone, "%"),
    line("polls missed beside them", beside, beside, beside, "%"),
  ];
}

function configuration(ports: readonly number[]): object {
  const policy = { allow: ["rest"], maxMode: "armed", min: 0, max: 30_000, minInterval: "1ms",
    writesPerDay: 1_000_000 };
  return {
    gateway: { id: "writes", profile },
    links: Object.fromEntries(ports.map((port, i) =>
      [`line-${i}`, { type: "modbus-tcp", host: "127.0.0.1", port }])),
    types: { machine: { groups: { fast: `${poll_ms}ms`, slow: "1s" }, tags: {
      ...Object.fromEntries(Array.from({ length: tags_per_link }, (_, i) =>
        [`t${i}`, { at: `input ${2 * i}`, type: "float32", group: "fast" }])),
      setpoint: { at: "holding 0", type: "uint16", group: "slow", access: "read-write" },
    } } },
    devices: Object.fromEntries(ports.map((_, i) =>
      [`m${i}`, { use: "machine", link: `line-${i}`, station: 1 }])),
    policy: Object.fromEntries(ports.map((_, i) => [`m${i}.setpoint`, policy])),
    api: { listen: "127.0.0.1:0", token: "file:token" },
    store: { directory: "./store" },
  };
}

if (import.meta.main) for (const figure of await run()) console.log(JSON.stringify(figure));
