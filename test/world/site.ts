import { componentSchemas } from "../../src/cli/examine.ts";
import { load, type Gateway } from "../../src/config.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import { buildGraph, type Graph } from "../../src/runtime.ts";
import type { Behaviour } from "../../src/sim/behaviour.ts";

/** ms that a stream's rows lie apart; of what is overheard, with a read of the other master. */
export const intervals = {
  "aux.fast": 200, "press.fast": 250, "drive-1.slow": 1000, "meter-1.slow": 1300,
} as const;

const written = { min: 0, max: 100, maxMode: "armed", writesPerDay: 1_000_000 };
const byRule = {
  ...written, minInterval: "700ms", inputMaxAge: "2500ms",
  onLoss: { after: "8s", value: 30, step: "any" },
};

/** Tags that may be written, and who writes them. */
export const targets = {
  "press.setpoint": "rule:hold", "drive-1.target": "rule:pace", "press.wished": "rule:wished",
  "press.manual": null, "line.all": null,
  "drive-2.target": null,
} as const;

/** Least time between two frames for a tag (ms). */
export const minIntervals: Readonly<Record<keyof typeof targets, number>> = {
  "press.setpoint": 700, "drive-1.target": 700, "press.wished": 700, "press.manual": 50,
  "drive-2.target": 50, "line.all": 50,
};

/** All stations of the bus at once: nobody answers, and so long nothing else is sent (ms). */
export const broadcast = { tag: "line.all", turnaround: 100 } as const;

const outside = ["rest", "mqtt", "cli", "prove"];

const config = (threads: 1 | 3): object => ({
  gateway: { id: "world", profile: threads === 1 ? "generic-256mb" : "generic-1gb" },
  links: {
    plc: { type: "modbus-tcp", host: "plc", timeout: "300ms" },
    aux: { type: "modbus-tcp", host: "aux", timeout: "300ms" },
    bus: { type: "modbus-rtu", port: "/dev/bus", rs485: "adapter", baud: 19200, timeout: "200ms",
      broadcast: true, turnaround: `${broadcast.turnaround}ms` },
    // A bus that another master has, and a port for those who speak nothing but Modbus.
    heard: { type: "modbus-rtu", port: "/dev/heard", rs485: "adapter", baud: 19200,
      listenOnly: true, timeout: "100ms" },
    panel: { type: "modbus-server", port: 5020, clients: 4, idleTimeout: "5s" },
    broker: { type: "mqtt", host: "broker" },
  },
  devices: {
    press: { link: "plc", station: 1, wordOrder: "CDAB", groups: { fast: "250ms", slow: "1s" },
      tags: {
        temperature: { at: "input 0", type: "float32", group: "fast" },
        door: { at: "discrete 4", type: "bool", group: "fast" },
        setpoint: { at: "holding 8", type: "float32", group: "slow", access: "read-write" },
        manual: { at: "holding 12", type: "int16", scale: 0.1, group: "slow",
          access: "read-write" },
        wished: { at: "holding 14", type: "int16", scale: 0.1, group: "slow",
          access: "read-write" } } },
    aux: { link: "aux", groups: { fast: "200ms" }, tags: {
      level: { at: "input 0", type: "uint16" }, flow: { at: "input 1", type: "float32" },
      curve: { at: "input 10", type: "float32[5]" } } },
    "drive-{1..2}": { link: "bus", station: "{n}", groups: { slow: "1s" }, tags: {
      speed: { at: "input 0", type: "int16", scale: 0.1 },
      loads: { at: "input 1", type: "uint16[3]" },
      target: { at: "holding 4", type: "int16", scale: 0.1, access: "read-write" } } },
    line: { link: "bus", station: 0, groups: { slow: "1s" }, tags: {
      all: { at: "holding 20", type: "int16", scale: 0.1, access: "read-write" } } },
    "meter-{1..2}": { link: "heard", station: "{n}", groups: { slow: "1s" }, tags: {
      number: { at: "holding 0", type: "uint16" }, proof: { at: "holding 1", type: "uint16" } } },
  },
  sources: { orders: { type: "mqtt", link: "broker", topic: "mes/orders",
    columns: { n: "int64", amount: "float64" } },
  wishes: { type: "modbus-server", link: "panel", columns: { wish: "float32", number: "uint16" },
    registers: { "holding 100": { column: "wish", type: "float32" },
      "holding 102": { column: "number", type: "uint16" } } },
  numbered: { type: "mqtt", link: "broker", topic: "mes/numbered", qos: 1,
    columns: { n: "int64" } } },
  models: { target: { file: "target.onnx", memory: "1MB", deadline: "20ms" } },
  rules: {
    hold: { sql: "SELECT infer('target', temperature) AS target FROM press.fast",
      to: [{ write: "press.setpoint", from: "target" }] },
    pace: { sql: "SELECT speed * 0.5 + 20.0 AS target FROM drive-1.slow",
      to: [{ write: "drive-1.target", from: "target" }] },
    billed: { sql: "SELECT n, amount * 2.0 AS total FROM orders", to: ["plant"] },
    watched: { sql: "SELECT level, flow, curve, curve[1] AS second FROM aux.fast", to: ["plant"] },
    drives: { sql: "SELECT device, speed, loads FROM drive-*.slow", to: ["plant"] },
    overheard: { sql: "SELECT device, number, proof FROM meter-*.slow", to: ["plant"] },
    asked: { sql: "SELECT number, wish FROM wishes", to: ["plant"] },
    // What a client writes is no command: it reaches the machine by this rule's policy, or not.
    wished: { sql: "SELECT wish AS target FROM wishes",
      to: [{ write: "press.wished", from: "target" }] },
    // What outlasts a restart: each number once.
    steps: { sql: "SELECT n, lag(n) AS before FROM numbered", to: ["plant"] },
    tally: { sql: "SELECT count(*) AS seen, sum(n) AS total FROM numbered", to: ["plant"] },
    mean: { sql: "SELECT avg(level) AS level, count(*) AS n FROM aux.fast " +
      "GROUP BY TUMBLINGWINDOW(ss, 5)", to: ["plant"] },
  },
  sinks: { plant: { type: "mqtt", link: "broker", topic: "plant/{rule}" },
    screen: { type: "modbus-server", link: "panel", maxAge: "2s", registers: {
      "input 0": { value: "aux.level", type: "uint16" }, "input 1": { quality: "aux.level" },
      "input 2": { counter: "aux.level" } } } },
  commands: { link: "broker", topic: "commands" },
  policy: {
    "press.setpoint": { ...byRule, allow: ["rule:hold", ...outside], permit: ["press.door"],
      maxAge: "2500ms" },
    "drive-1.target": { ...byRule, allow: ["rule:pace", ...outside] },
    "press.wished": { ...byRule, allow: ["rule:wished", "prove"] },
    "press.manual": { ...written, allow: outside, minInterval: "50ms" },
    "line.all": { ...written, allow: outside.filter((who) => who !== "prove"),
      minInterval: "50ms", readBack: "none" },
    "drive-2.target": { ...written, allow: outside, minInterval: "50ms" },
  },
  store: { directory: "store", maxMB: 64, checkpoint: "2s" },
});

export const behaviours: Readonly<Record<string, Behaviour>> = {
  "press.temperature": {
    kind: "walk", start: 50, min: 10, max: 90, step: 4, every: 250,
  },
  "press.door": { kind: "door", opens: 1500, every: 40_000, closed: 1 },
  "press.setpoint": { kind: "follow", value: 40 },
  "press.manual": { kind: "follow", value: 10 },
  "press.wished": { kind: "follow", value: 30 },
  "drive-1.speed": { kind: "walk", start: 60, min: 20, max: 100, step: 8, every: 500 },
  "drive-1.target": { kind: "follow", value: 40 },
  "drive-2.target": { kind: "follow", value: 10 },
};

/** The configuration as `run` would work it out. */
export function graphOf(threads: 1 | 3): Graph {
  const loaded = load(JSON.stringify(config(threads)), {
    path: "/world/gateway.json", components: componentSchemas({ drivers, connectors, tables }),
    readFile: (path) => {
      throw new Error(`${path} is not in this world`);
    },
    env: {},
  });
  if (loaded.gateway === null) throw new Error(loaded.problems.map((p) => p.message).join("\n"));
  const { graph, problems } = buildGraph(
    loaded.gateway satisfies Gateway, { drivers, connectors, tables }, loaded.problem);
  if (graph === null) throw new Error(problems.map((p) => p.message).join("\n"));
  return graph;
}
