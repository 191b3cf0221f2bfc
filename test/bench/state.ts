import { readFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { join } from "node:path";
import { MqttClient } from "mqtt";
import { mosquittoBroker } from "../connector/broker.ts";
import { Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import type { Figure } from "./figure.ts";

/** Seconds of each measurement. */
const seconds = Number(process.env["SOAK_COUNT"] ?? 30);

/**
 * What checkpoints and the journal cost: whether polling at 10 ms notices that 22 MB of state are
 * copied every second on its own thread, and how many bytes an hour go to the disk.
 */
export async function run(): Promise<Figure[]> {
  return [
    ...await polling("no checkpoint", "1d"), ...await polling("a checkpoint a second", "1s"),
    ...await wear(10, "60s"), ...await wear(1000, "60s"),
  ];
}

async function polling(what: string, checkpoint: string): Promise<Figure[]> {
  const device = new Program(["bun", join(import.meta.dir, "memory-device.ts")]);
  const { port } = JSON.parse(await until("device", () => device.output.split("\n")[0])) as {
    port: number;
  };
  const folder = workFolder();
  const rules = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`r${i}`, {
    sql: `SELECT percentile_cont(t, 0.5) AS p, max(t) AS m${i} FROM d.fast ` +
      "GROUP BY COUNTWINDOW(4096)", to: [] }]));
  const gateway = await RunningGateway.start(folder.write("gateway.json", {
    gateway: { id: "bench", profile: "generic-512mb" },
    links: { plc: { type: "modbus-tcp", host: "127.0.0.1", port } },
    devices: { d: { link: "plc", groups: { fast: "10ms" },
      tags: { t: { at: "input 0", type: "float32" } } } },
    rules, api: { listen: "127.0.0.1:0" }, store: { checkpoint },
  }), join(folder.path, "store"));
  await Bun.sleep(seconds * 1000);
  const [poll] = ((await gateway.get("/links")).body as any[])[0].polls;
  const { turn_ms_max, state } = (await gateway.get("/health")).body;
  const { body } = await gateway.get("/rules");
  const written = state.written_bytes as number;
  await gateway.stop();
  await device.stop("SIGKILL");
  folder.remove();
  if ((body as any[]).some((rule) => rule.lost > 0)) throw new Error("rules lost rows");
  return [
    figure(what, "polls", poll.polls, "polls"), figure(what, "missed polls", poll.missed, "polls"),
    figure(what, "longest turn", turn_ms_max, "ms"),
    figure(what, "written to checkpoints", written / seconds * 3600 / 2 ** 20, "MiB/h"),
  ];
}

async function wear(rate: number, checkpoint: string): Promise<Figure[]> {
  const broker = await mosquittoBroker();
  await broker.start();
  const folder = workFolder();
  const gateway = await RunningGateway.start(folder.write("gateway.json", {
    gateway: { id: "bench", profile: "generic-512mb" },
    links: { broker: { type: "mqtt", host: "127.0.0.1", port: broker.port } },
    sources: { rows: { type: "mqtt", link: "broker", topic: "rows", qos: 1,
      columns: { id: "int64", x: "float64" } } },
    rules: { tally: { sql: "SELECT id, count(*) AS n, avg(x) AS x FROM rows GROUP BY id",
      to: [] } },
    api: { listen: "127.0.0.1:0" }, store: { checkpoint },
  }), join(folder.path, "store"));
  const client = new MqttClient(() => connectTcp({ host: "127.0.0.1", port: broker.port }),
    { protocol: "mqtt", host: "127.0.0.1", port: broker.port });
  let n = 0;
  const sender = setInterval(() => {
    for (let i = 0; i < Math.max(1, rate / 100); i++) {
      client.publish("rows", `{"id":${n % 100},"x":${n++ / 7}}`, { qos: 1 });
    }
  }, Math.max(10, 1000 / rate));
  await Bun.sleep(2000);
  const [before, from] = [blockBytes(gateway.program.pid), n];
  await Bun.sleep(seconds * 1000);
  const bytes = blockBytes(gateway.program.pid) - before;
  const rows = n - from;
  clearInterval(sender);
  client.end(true);
  await gateway.stop();
  await broker.stop();
  folder.remove();
  const what = `qos 1, ${Math.round(rows / seconds)} messages/s`;
  return [figure(what, "written to the disk", bytes / seconds * 3600 / 2 ** 20, "MiB/h"),
    figure(what, "written to the disk", bytes / rows, "bytes a message")];
}

/** What the kernel wrote for a process, journal and log of SQLite together. */
function blockBytes(pid: number): number {
  return Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"))![1]);
}

const figure = (what: string, metric: string, value: number, unit: string): Figure => ({
  bench: "state", metric: `${what}: ${metric}`, median: value, min: value, max: value, unit,
  baseline: "", ratio: null,
});
