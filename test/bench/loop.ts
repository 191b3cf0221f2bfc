import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import { Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { median, type Figure } from "./figure.ts";

const poll_ms = 10;
const mean_ms = 25;

/**
 * Must-show F `loop`: from the scheduled start of the poll that saw a change to the write frame at
 * the device, through model, permit, durable audit and read-back. `SOAK_COUNT` changes (default
 * 1,000; the full proof takes 12,000: some come too fast to be seen).
 */
export async function run(): Promise<Figure[]> {
  const changes = Number(process.env["SOAK_COUNT"] ?? 1000);
  const seed = String(process.env["SOAK_SEED"] ?? 1);
  const device = new Program(["bun", join(import.meta.dir, "loop-device.ts"), String(changes),
    String(mean_ms), seed]);
  const { port } = JSON.parse(await until("device", () => device.output.split("\n")[0])) as {
    port: number;
  };
  const folder = workFolder();
  copyFileSync(join(import.meta.dir, "../../examples/demo/models/hold.onnx"),
    join(folder.path, "hold.onnx"));
  const config = folder.write("gateway.json", configuration(port));
  const gateway = await RunningGateway.start(config, join(folder.path, "store"));
  try {
    await gateway.arm("press.valve");
    const before = await grid(gateway);
    device.child.stdin.write("go\n");
    device.child.stdin.flush();
    await device.child.exited;
    const after = await grid(gateway);
    await gateway.stop();
    await device.stop();
    const told = JSON.parse(device.output.trim().split("\n").at(-1)!) as Told;
    return figures(told, before, after, commits(join(folder.path, "store", "store.sqlite")));
  } finally {
    await gateway.stop("SIGKILL");
    await device.stop("SIGKILL");
    folder.remove();
  }
}

interface Told {
  readonly seen: readonly { readonly read: number; readonly write: number }[];
  readonly frames: number;
}

interface Grid {
  readonly started: number;
  readonly missed: number;
  readonly polls: number;
}

async function grid(gateway: RunningGateway): Promise<Grid> {
  const links = (await gateway.get("/links")).body as any[];
  const poll = links.flatMap((l) => l.polls).find((p: any) => p.stream === "press.fast");
  return { started: poll.started_ms, missed: poll.missed, polls: poll.polls };
}

/** Of each admitted row that was sent: ms from making the intent to the frame's leaving. */
function commits(path: string): { sent: number; commit: number[] } {
  const db = new Database(path, { readonly: true });
  const rows = db.query(
    "SELECT time, sent FROM attempts WHERE verdict = 'admitted' AND sent IS NOT NULL ORDER BY row",
  ).all() as { time: number; sent: number }[];
  db.close();
  return { sent: rows.length, commit: rows.map((row) => row.sent - row.time) };
}

function figures(
  told: Told, before: Grid, after: Grid, audit: ReturnType<typeof commits>,
): Figure[] {
  const written = told.seen.filter((s) => s.write > 0);
  const latency = written.map(({ read, write }) =>
    write - (before.started + Math.floor((read - before.started) / poll_ms) * poll_ms));
  const commit = quantiles(audit.commit);
  const all = quantiles(latency);
  const line = (metric: string, median: number, min: number, max: number, unit: string,
    baseline = "", ratio: number | null = null): Figure =>
    ({ bench: "loop", metric, median, min, max, unit, baseline, ratio });
  return [
    line("write received - scheduled poll start", all.p50, all.min, all.max, "ms"),
    line("the same, p99", all.p99, all.p99, all.p99, "ms", "intent commit p99",
      all.p99 / commit.p99),
    line("intent commit to frame", commit.p50, commit.min, commit.max, "ms"),
    line("intent commit to frame, p99", commit.p99, commit.p99, commit.p99, "ms"),
    line("p99 beyond the commit", all.p99 - commit.p99, 0, 0, "ms"),
    line("changes seen", told.seen.length, written.length, told.seen.length, "changes"),
    line("missed polls", after.missed - before.missed, 0, after.polls - before.polls, "polls"),
    line("admitted audit rows that were sent", audit.sent, audit.sent, audit.sent, "rows",
      "write frames received", audit.sent / told.frames),
  ];
}

function quantiles(values: readonly number[
  ]): { p50: number; p99: number; min: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (q: number): number => sorted[
    Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
  return { p50: median(values), p99: at(0.99), min: sorted[0]!, max: sorted.at(-1)! };
}

function configuration(port: number): object {
  return {
    gateway: { id: "loop", profile: "generic-512mb" },
    links: { plc: { type: "modbus-tcp", host: "127.0.0.1", port } },
    devices: {
      press: {
        link: "plc", groups: { fast: `${poll_ms}ms`, slow: "1s" },
        tags: {
          temperature: { at: "input 0", type: "float32", group: "fast" },
          automatic: { at: "discrete 0", type: "bool", group: "fast" },
          valve: { at: "holding 0", type: "float32", group: "slow", access: "read-write" },
        },
      },
    },
    policy: {
      "press.valve": {
        allow: ["rule:hold"], maxMode: "armed", min: -1e6, max: 1e6, deadband: 1e-6,
        minInterval: "1ms", writesPerDay: 1_000_000, inputMaxAge: "200ms",
        permit: ["press.automatic"], maxAge: "200ms", onLoss: { after: "30s", value: "hold" },
      },
    },
    models: { hold: { file: "hold.onnx", memory: "32MB", deadline: "20ms" } },
    rules: {
      hold: {
        sql: "SELECT infer('hold', temperature, 60.0, 20.0) + temperature AS valve FROM press.fast",
        to: [{ write: "press.valve", from: "valve" }],
      },
    },
    api: { listen: "127.0.0.1:0" },
    store: { directory: "./store" },
  };
}
