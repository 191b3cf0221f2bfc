/**
 * `bun run bench [NAME…]`: measures, and prints one JSON line a figure. Never part of `check`: a
 * shared machine is noisy, so only ratios within one run are to be trusted.
 */
import type { Figure } from "./bench/figure.ts";

const benches: Record<string, () => Promise<{ run(): Promise<Figure[]> }>> = {
  loop: () => import("./bench/loop.ts"),
  memory: () => import("./bench/memory.ts"),
  modbus: () => import("./bench/modbus.ts"),
  mqtt: () => import("./bench/mqtt.ts"),
  neighbours: () => import("./bench/neighbours.ts"),
  opcua: () => import("./bench/opcua.ts"),
  reload: () => import("./bench/reload.ts"),
  rs485: () => import("./bench/rs485.ts"),
  rules: () => import("./bench/rules.ts"),
  shared: () => import("./bench/shared.ts"),
  sql: () => import("./bench/sql.ts"),
  stage: () => import("./bench/stage.ts"),
  state: () => import("./bench/state.ts"),
  tags: () => import("./bench/tags.ts"),
  wide: () => import("./bench/wide.ts"),
  writes: () => import("./bench/writes.ts"),
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in benches));
if (unknown.length > 0) {
  console.error(`no bench ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}`);
  process.exit(2);
}
for (const name of wanted.length > 0 ? wanted : Object.keys(benches)) {
  for (const figure of await (await benches[name]!()).run()) console.log(JSON.stringify(figure));
}
