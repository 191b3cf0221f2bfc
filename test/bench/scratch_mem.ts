import { readFileSync } from "node:fs";
import { join } from "node:path";
import { workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { ruleOf } from "./rules.ts";

const kinds = process.env.KINDS;
const rps = Number(process.env.RPS ?? 1000);
const profile = process.env.PROFILE ?? "generic-1gb";
for (const [rules, shapes] of (process.env.SETS ?? "1:1,100:100").split(",").map((s) => s.split(":").map(Number) as [number, number])) {
  const folder = workFolder();
  const config = folder.write("gateway.json", {
    gateway: { id: "rules", profile },
    links: { broker: { type: "mqtt", host: "127.0.0.1", port: 1 } },
    sources: { messages: { type: "mqtt", link: "broker", topic: "in", rowsPerSecond: rps,
      columns: { k: "int32", a: "float64", b: "float64" } } },
    rules: Object.fromEntries(Array.from({ length: rules }, (_, i) =>
      [`rule_${i}`, { sql: ruleOf(kinds === undefined ? i : Number(kinds) + 4 * i, shapes), to: [] }])),
    api: { listen: "127.0.0.1:0" },
    store: { directory: "./store" },
  });
  const t = performance.now();
  const gateway = await RunningGateway.start(config, join(folder.path, "store"));
  const up = performance.now() - t;
  await Bun.sleep(4000);
  const roll = readFileSync(`/proc/${gateway.program.pid}/smaps_rollup`, "utf8");
  const f = (k: string) => (Number(new RegExp(`^${k}:\\s+(\\d+)`, "m").exec(roll)![1]) / 1024).toFixed(1);
  const h = (await gateway.get("/health")).body;
  console.log(rules, shapes, "up", up.toFixed(0), "anon", f("Anonymous"), "rss", f("Rss"), "shared?", f("Private_Dirty"), JSON.stringify(h.memory ?? {}), JSON.stringify(h).slice(0,600));
  if (process.env.HOLD) { console.log(gateway.program.pid); await Bun.sleep(Number(process.env.HOLD) * 1000); }
  await gateway.stop();
  folder.remove();
}
