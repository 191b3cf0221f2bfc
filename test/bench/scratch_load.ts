import { readFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "mqtt";
import { aedesBroker } from "../connector/broker.ts";
import { workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { ruleOf } from "./rules.ts";

const profile = process.env.PROFILE ?? "generic-1gb";
const [rules, shapes] = (process.env.SET ?? "1000:1000").split(":").map(Number) as [number, number];
const broker = await aedesBroker();
await broker.start();
const folder = workFolder();
const config = folder.write("gateway.json", {
    gateway: { id: "rules", profile },
    links: { broker: { type: "mqtt", host: "127.0.0.1", port: broker.port } },
    sources: { messages: { type: "mqtt", link: "broker", topic: "in", rowsPerSecond: 1000,
      columns: { k: "int32", a: "float64", b: "float64" } } },
    rules: Object.fromEntries(Array.from({ length: rules }, (_, i) =>
      [`rule_${i}`, { sql: ruleOf(i, shapes), to: [] }])),
    api: { listen: "127.0.0.1:0" },
    store: { directory: "./store" },
});
const gateway = await RunningGateway.start(config, join(folder.path, "store"), [], {}, [], 60_000);
await Bun.sleep(3000);
const anon = () => (Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${gateway.program.pid}/smaps_rollup`, "utf8"))![1]) / 1024).toFixed(1);
const cpu = () => { const f = readFileSync(`/proc/${gateway.program.pid}/stat`, "utf8").split(") ")[1]!.split(" "); return (Number(f[11]) + Number(f[12])) / 100; };
console.log("idle", anon());
const client = connect({ host: "127.0.0.1", port: broker.port });
await new Promise<void>((done) => client.once("connect", () => done()));
const c0 = cpu();
for (let i = 0; i < 20_000;) {
  const end = Math.min(20_000, i + 10);
  for (; i < end; i++) client.publish("in", JSON.stringify({ k: i % 10, a: i * 7 % 100, b: i * 3 % 97 }));
  await Bun.sleep(10);
  if (i % 2000 === 0) process.stdout.write(` ${i}:${anon()}`);
}
await Bun.sleep(2000);
console.log("\nafter", anon(), "cpu", (cpu() - c0).toFixed(1));
if (process.env.SMAPS) {
  const text = readFileSync(`/proc/${gateway.program.pid}/smaps`, "utf8");
  const by = new Map<string, number>();
  let head = "";
  for (const line of text.split("\n")) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) { const p = line.split(/\s+/); const [x, y] = p[0]!.split("-").map((h) => parseInt(h, 16)); head = `${p[1]} ${p[5] ?? ""} ${(y! - x!) > 2 ** 26 ? "huge" : (y! - x!) > 2 ** 20 ? "MB" : "small"}`; }
    const m = /^Anonymous:\s+(\d+)/.exec(line);
    if (m) by.set(head, (by.get(head) ?? 0) + Number(m[1]));
  }
  console.log([...by].sort((a, b) => b[1] - a[1]).slice(0, 12).map(([h, k]) => `${h}: ${(k / 1024).toFixed(1)}`).join("\n"));
}
await gateway.stop(); await broker.stop(); folder.remove(); process.exit();
