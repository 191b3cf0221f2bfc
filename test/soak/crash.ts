/**
 * Numbered rows, from the broker and from a file, through the compiled binary, which is killed
 * again and again: at a chosen write to its database, sync, or send to the broker (`kill_at.c`), or
 * at any moment. The broker is the real Mosquitto and outlives it; who reads the sinks stands
 * outside (`crash-oracle.ts`).
 */
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MqttClient } from "mqtt";
import { connect as connectTcp } from "node:net";
import { createRandom, type Random } from "../../src/base.ts";
import { mosquittoBroker } from "../connector/broker.ts";
import { binary, Program, until, workFolder } from "../support/binary.ts";
import { Oracle } from "./crash-oracle.ts";

export interface CrashVerdict {
  readonly kills: Readonly<Record<string, number>>;
  /** By MQTT, and as many in the file. */
  readonly rows: number;
  /** Rows that the oracle got more than once. */
  readonly again: number;
  readonly wrong: readonly string[];
  /** Of the last lives. */
  readonly log: string;
}

/** The rules over one source; `crash-oracle.ts` knows what each of them must say. */
function rulesOver(source: string): Record<string, object> {
  const rules = {
    steps: `SELECT n, lag(n) AS before FROM ${source}`,
    tally: `SELECT count(*) AS seen, sum(n) AS total FROM ${source}`,
    sevens: "SELECT count(*) AS seen, min(n) AS low, max(n) AS high, sum(n) AS total " +
      `FROM ${source} GROUP BY COUNTWINDOW(7)`,
    chained: `SELECT sum(seen) AS total FROM ${source}-sevens`,
    spans: `SELECT count(*) AS seen, sum(n) AS total FROM ${source} ` +
      "GROUP BY TUMBLINGWINDOW(ms, 250)",
  };
  return Object.fromEntries(Object.entries(rules).map(([name, sql]) =>
    [`${source}-${name}`, { sql, to: ["out"] }]));
}

const sources = ["numbered", "filed"] as const;

const config = (port: number, threads: 1 | 3): object => ({
  gateway: { id: "crash", profile: threads === 1 ? "generic-512mb" : "generic-1gb" },
  links: { broker: { type: "mqtt", host: "127.0.0.1", port } },
  sources: { numbered: { type: "mqtt", link: "broker", topic: "in/rows", qos: 1,
    columns: { n: "int64" }, rowsPerSecond: 2000 },
  filed: { type: "file", file: "rows.csv", format: "csv", poll: "50ms",
    columns: { n: "int64" }, rowsPerSecond: 2000 } },
  rules: Object.assign({}, ...sources.map(rulesOver)) as object,
  sinks: { out: { type: "mqtt", link: "broker", topic: "out/{rule}", qos: 1, identity: true } },
  api: { listen: "127.0.0.1:0" },
  store: { directory: "store", checkpoint: "150ms" },
});

/** Rows a second that are sent while the gateway lives and while it does not. */
const rate = 300;
/** A call that was not reached by then: killed from outside (ms). */
const life_ms_max = 2500;
const calls = ["write", "sync", "send"] as const;
const moments = { write: ["before", "half", "after"], sync: ["before", "after"],
  send: ["before", "half", "after"] } as const;

/** `KILL_AT` of the next life, or null: killed from outside. */
function nextKill(random: Random): { kind: string; at: string | null; ms: number } {
  const ms = 100 + random.below(900);
  if (random.below(5) === 0) return { kind: "any moment", at: null, ms };
  const call = calls[random.below(calls.length)]!;
  const moment = moments[call][random.below(moments[call].length)]!;
  // About as many as there are in the first two seconds.
  const most = { write: 120, sync: 25, send: 50 }[call];
  return { kind: `${moment} ${call}`, at: `${call} ${1 + random.below(most)} ${moment}`,
    ms: life_ms_max };
}

function client(port: number, id: string): MqttClient {
  return new MqttClient(() => connectTcp({ host: "127.0.0.1", port }), {
    protocol: "mqtt", host: "127.0.0.1", port, clientId: id, reconnectPeriod: 100,
  });
}

export async function crash(
  count: number, seed: number, threads: 1 | 3, preloaded: { readonly LD_PRELOAD: string },
): Promise<CrashVerdict> {
  const random = createRandom(seed);
  const broker = await mosquittoBroker();
  await broker.start();
  const folder = workFolder();
  const file = folder.write("gateway.json", config(broker.port, threads));
  const store = join(folder.path, "store");
  const rows = join(folder.path, "rows.csv");
  writeFileSync(rows, "n\n");
  const oracle = new Oracle();
  const reader = client(broker.port, "oracle");
  reader.on("message", (topic, payload) => oracle.take(topic, payload.toString()));
  await reader.subscribeAsync("out/#", { qos: 1 });
  const writer = client(broker.port, "numbers");
  const executable = await binary();
  const run = (env: Record<string, string>): Program =>
    new Program([executable, "run", file, "--store", store, "--normal"], { env });
  const kills: Record<string, number> = {};
  let log = "";
  let sent = 0;
  let sending = false;
  // Numbers go on while it is dead: the broker keeps them, and the file does. A line may be seen
  // half written: its second half comes with the next one.
  let half = "";
  const sender = setInterval(() => {
    if (!sending) return;
    for (let i = 0; i < rate / 100; i++) {
      writer.publish("in/rows", `{"n":${++sent}}`, { qos: 1 });
      const line = `${sent}\n`;
      const cut = random.below(line.length);
      appendFileSync(rows, half + line.slice(0, cut));
      half = line.slice(cut);
    }
  }, 10);
  try {
    // The first life makes the subscription that the broker keeps.
    const first = run({});
    await until("subscribed", () => first.output.includes("subscribed to in/rows"));
    await first.stop("SIGKILL");
    sending = true;
    for (let i = 0; i < count; i++) {
      const { kind, at, ms } = nextKill(random);
      const life = run(at === null ? {} : { ...preloaded, KILL_AT: at });
      const own = await Promise.race([life.child.exited.then(() => true),
        Bun.sleep(ms).then(() => false)]);
      await life.stop("SIGKILL");
      const what = own || at === null ? kind : "any moment";
      kills[what] = (kills[what] ?? 0) + 1;
      if (own && life.child.signalCode !== "SIGKILL") {
        oracle.wrong.push(`life ${i} ended by itself: ${life.output.slice(-500)}`);
      }
      log = life.output;
    }
    sending = false;
    appendFileSync(rows, half);
    const last = run({});
    await until("all rows", () => sources.every((source) =>
      oracle.count(`${source}-steps`) >= sent && oracle.count(`${source}-tally`) >= sent &&
      oracle.sum(`${source}-spans`, "seen") >= sent), 60_000).catch(() => null);
    await Bun.sleep(500);
    await last.stop();
    log += last.output;
    for (const source of sources) oracle.judge(source, sent);
    return { kills, rows: sent, again: oracle.again, wrong: oracle.wrong, log };
  } finally {
    clearInterval(sender);
    reader.end(true);
    writer.end(true);
    await broker.stop();
    folder.remove();
  }
}
