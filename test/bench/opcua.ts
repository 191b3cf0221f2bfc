import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createLog, systemClock } from "../../src/base.ts";
import { load } from "../../src/config.ts";
import { opcua, type Rows } from "../../src/driver.ts";
import { Arena, Ring, tagColumn } from "../../src/ring.ts";
import { componentSchemas } from "../../src/cli/examine.ts";
import { connectors, drivers, tables } from "../../src/registry.ts";
import { Program, until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import { python } from "../support/python.ts";
import { PlantProcess } from "../driver/opcua/process.ts";
import { freePort } from "../support/port.ts";
import type { Figure } from "./figure.ts";
import { memoryOf } from "./memory.ts";

const script = join(import.meta.dir, "../driver/opcua/asyncua_plant.py");
const items = 10_000;
/** It takes minutes to make 10,000. */
const asyncua_items = 2000;
const groups = 10;
const seconds = Number(process.env["SOAK_COUNT"] ?? 60);

/**
 * Must-show F: 10,000 monitored items that change each second, from node-opcua's server. Processor
 * time and memory of the binary; and, by the driver alone, whether each value came, in order, also
 * from asyncua at the rate that it reaches.
 */
export async function run(): Promise<Figure[]> {
  const port = await freePort();
  const plant = await PlantProcess.start(port, String(items));
  try {
    await plant.ask("count 1000");
    return [
      ...await whole(port, "None"),
      ...await whole(port, "Basic256Sha256"),
      ...await inOrder("node-opcua", config(port, "None")),
      ...await fromAsyncua(),
    ];
  } finally {
    await plant.stop();
  }
}

async function fromAsyncua(): Promise<Figure[]> {
  const interpreter = python("asyncua");
  if (interpreter === null) return [];
  const port = await freePort();
  const server = new Program([interpreter, "-u", script, String(port), String(asyncua_items)]);
  try {
    await until("asyncua is up", () => /^ready$/m.test(server.output), 240_000);
    return await inOrder("asyncua",
      config(port, "None", "nsu=urn:plant:asyncua", "/plant", asyncua_items));
  } finally {
    await server.stop("SIGKILL");
  }
}

const figure = (metric: string, value: number, unit: string): Figure =>
  ({ bench: "opcua", metric, median: value, min: value, max: value, unit,
    baseline: "none", ratio: null });

function config(
  port: number, security: string, namespace = "ns=1", path = "/", count = items,
): object {
  const size = count / groups;
  return {
    gateway: { id: "bench", profile: "generic-1gb" },
    links: { ua: { type: "opcua", host: "127.0.0.1", port, path, security, rowsPerInterval: 64,
      // Each change: a server that looks once a second sees not each of once a second.
      sampling: "0ms" } },
    devices: Object.fromEntries(Array.from({ length: groups }, (_, g) => [`m${g}`, {
      link: "ua", groups: { fast: "1s" },
      tags: Object.fromEntries(Array.from({ length: size }, (_, i) =>
        [`c${i}`, { at: `${namespace};s=Counter${g * size + i}`, type: "float64" }])),
    }])),
    rules: Object.fromEntries(Array.from({ length: groups }, (_, g) =>
      [`r${g}`, { sql: `SELECT c0 + c${size - 1} AS s FROM m${g}.fast` }])),
    api: { listen: "127.0.0.1:0" },
  };
}

/** Ticks of 10 ms of the processor: utime and stime of the process with its threads. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

async function whole(port: number, security: string): Promise<Figure[]> {
  const folder = workFolder();
  const file = folder.write("gateway.json", config(port, security));
  const gateway = await RunningGateway.start(file, join(folder.path, "store"), [], {}, [], 60_000);
  const { pid } = gateway.program;
  try {
    if (security !== "None") {
      const refused = await until("the refusal", async () =>
        /trust ua ([0-9a-f]+)/.exec((await gateway.get("/links")).body[0].reason), 30_000);
      await gateway.cli("trust", "ua", refused[1]!);
    }
    await until("values", async () =>
      (await gateway.get(`/tags/m${groups - 1}.c0`)).body.quality === "good", 60_000);
    await Bun.sleep(5000);
    const [ticks, began] = [ticksOf(pid), performance.now()];
    await Bun.sleep(seconds * 1000);
    const share = (ticksOf(pid) - ticks) / 100 / ((performance.now() - began) / 1000);
    const { rss, anonymous } = memoryOf(pid);
    const { lost = {} } = (await gateway.get("/health")).body;
    return [
      figure(`${items} items at 1 s, ${security}: processor`, share, "cores"),
      figure(`${items} items at 1 s, ${security}: resident`, rss, "MiB"),
      figure(`${items} items at 1 s, ${security}: anonymous`, anonymous, "MiB"),
      figure(`${items} items at 1 s, ${security}: rows lost`,
        Object.values(lost as Record<string, number>).reduce((a, b) => a + b, 0), "rows"),
    ];
  } finally {
    await gateway.stop();
    folder.remove();
  }
}

/** Each value of each item is one more than the one before it. */
async function inOrder(peer: string, configuration: object): Promise<Figure[]> {
  const folder = workFolder();
  const path = folder.write("gateway.json", configuration);
  const { gateway } = load(readFileSync(path, "utf8"), {
    path, components: componentSchemas({ drivers, connectors, tables }), env: {},
    readFile: (file) => readFileSync(file, "utf8"),
  });
  const clock = systemClock();
  const log = createLog("warn", () => clock.time(), console.error);
  const counted = { values: 0, wrong: 0, rows: 0 };
  const rows = gateway!.devices.map((device): Rows => {
    const { tags } = device.groups[0]!;
    const layout = Ring.layout(`${device.name}.fast`,
      tags.map(({ id, type }) => tagColumn(id, type)), 128);
    const { ring } = Ring.create(Arena.create(2 * layout.bytes), layout);
    return checked(ring, tags, counted);
  });
  await opcua.load(folder.path);
  let wakes = 0;
  const client = opcua.open(gateway!.links[0]!, { groups: rows, directory: folder.path, log,
    now: () => clock.now(), time: () => clock.time(), peerChanged: () => {}, tap: () => {},
    wake: () => void ++wakes });
  try {
    const end = performance.now() + seconds * 1000;
    while (performance.now() < end) {
      client.step(clock.now());
      await Bun.sleep(5);
    }
    return [
      figure(`${peer}, by the driver: changes`, counted.values, "values"),
      figure(`${peer}: changes left out, repeated or out of order`, counted.wrong, "values"),
      figure(`${peer}: changes a second`, counted.values / seconds, "values/s"),
      figure(`${peer}: rows of the ten groups`, counted.rows, "rows"),
    ];
  } finally {
    client.close();
    folder.remove();
  }
}

function checked(
  ring: Ring, tags: Rows["tags"], counted: { values: number; wrong: number; rows: number },
): Rows {
  const last = new Float64Array(tags.length).fill(NaN);
  // What was not told yet is no value.
  for (const { payload } of ring.columns) ring.arena.F.fill(NaN, payload, payload + ring.rows);
  return {
    stream: ring.name, interval: 1000, tags, ring, history: null, isDisabled: false,
    begin() {
      ring.claim(1);
      const { F } = ring.arena;
      const [at, before] = [ring.head & ring.mask, (ring.head - 1) & ring.mask];
      for (const { payload } of ring.columns) F[payload + at] = F[payload + before]!;
      return ring.head;
    },
    publish() {
      const at = ring.head & ring.mask;
      for (const { payload, index } of ring.columns) {
        const value = ring.arena.F[payload + at]!;
        if (value === last[index] || Number.isNaN(value)) continue;
        if (!Number.isNaN(last[index]!)) {
          counted.values += 1;
          if (value !== last[index]! + 1) counted.wrong += 1;
        }
        last[index] = value;
      }
      counted.rows += 1;
      ring.publish(1);
    },
    spoil: () => {},
    forget: () => {},
  };
}
