import type { ColumnSpec } from "../../src/ring.ts";
import type { Catalog } from "../../src/sql/bound.ts";

const f = (name: string): ColumnSpec => ({ name, kind: "float64", slot: 0 });

const fast: ColumnSpec[] = [f("temperature"), f("pressure"),
  { name: "door_closed", kind: "bool", slot: 0 }];
const slow: ColumnSpec[] = [f("setpoint")];
const meter: ColumnSpec[] = [f("power"), { name: "state", kind: "int53", slot: 0 }];
const orders: ColumnSpec[] = [
  { name: "id", kind: "int64", slot: 0 }, { name: "recipe", kind: "text", slot: 16 },
  { name: "due", kind: "time", slot: 0 }, { name: "extra", kind: "json", slot: 64 },
  { name: "count", kind: "int53", slot: 0 }, f("weight"),
];

const streams: Readonly<Record<string, { columns: ColumnSpec[]; interval_ms: number | null }>> = {
  "press.fast": { columns: fast, interval_ms: 100 },
  "press.slow": { columns: slow, interval_ms: 10_000 },
  "m-01.slow": { columns: meter, interval_ms: 10_000 },
  "m-02.slow": { columns: [...meter, f("extra")], interval_ms: 10_000 },
  orders: { columns: orders, interval_ms: null },
};

/** A small plant: a press with two groups, two meters, orders from above, one model. */
export const catalog: Catalog = {
  stream: (name) => streams[name] === undefined ? undefined : { name, ...streams[name] },
  match: (pattern) => {
    const wanted = new RegExp(`^${pattern.replace(/[.]/g, "\\.").replaceAll("*", "[^.]*")}$`);
    return Object.keys(streams).filter((name) => wanted.test(name));
  },
  device: (name) => ["press", "m-01", "m-02"].includes(name),
  tag: (device, tag) => {
    const stream = Object.keys(streams).find((name) => name.startsWith(`${device}.`) &&
      streams[name]!.columns.some((c) => c.name === tag));
    return stream === undefined ? undefined
      : { stream, column: tag, interval_ms: streams[stream]!.interval_ms };
  },
  model: (name) => name === "target" ? { inputs: 2, outputs: 2 } : undefined,
  self: "watch",
  names: () => [...Object.keys(streams), "press.temperature", "press.setpoint",
    "press.door_closed", "m-01.power"],
};
