/**
 * The running loop on one machine: a simulated plant, a broker, and the compiled binary that holds
 * a vessel's temperature through rule, model and gate while its door is opened.
 *
 *     bun run demo                          until Ctrl-C
 *     bun run demo -- --seconds 30          ends by itself; exit code 0 only if the loop closed
 *     … --unarmed                           nothing is written: ends with exit code 1
 *     … --freeze-model                      the model always says the same: ends with exit code 1
 *     … --slow 10                           plant, polls and time limits ten times as slow
 *     … --binary "qemu-aarch64-static …"    another binary than that of this machine
 */
import {
  copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync,
} from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { binary } from "./binary.ts";
import { startBroker, type Broker } from "./broker.ts";
import { Child, memoryOf } from "./children.ts";
import { makeModel } from "./make-model.ts";
import { PlantControl, WriteCounter } from "./plant.ts";
import { Screen, type View } from "./screen.ts";
import { Verdict } from "./verdict.ts";

const root = join(import.meta.dir, "../..");
const api_port = 8600;
/** How often the plant is looked at, and how often the terminal is drawn (ms). */
const look_ms = 100;
const draw_ms = 500;
/** Starting may take this long on a slow machine (ms). */
const start_ms_max = 60_000;
/** The door opens in the middle of the run; without an end, for a while every while. */
const door = { from: 0.4, to: 0.85, every_s: 40 };

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string" },
    unarmed: { type: "boolean", default: false },
    "freeze-model": { type: "boolean", default: false },
    slow: { type: "string", default: "1" },
    binary: { type: "string" },
  },
});
const seconds = options.seconds === undefined ? Infinity : Number(options.seconds);
if (!(seconds >= 10)) {
  console.error("--seconds N: at least 10");
  process.exit(2);
}

const slow = Number(options.slow);
if (!(slow >= 1)) {
  console.error("--slow N: at least 1");
  process.exit(2);
}

/** Everything that was started, in the order in which it is stopped. */
const started: { stop(): void | Promise<void> }[] = [];
const directory = mkdtempSync(join(tmpdir(), "tagwerk-demo-"));
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => { interrupted = true; });
}

try {
  process.exitCode = await demo();
} catch (thrown) {
  console.error(`\n${thrown instanceof Error ? thrown.message : String(thrown)}`);
  process.exitCode = 1;
} finally {
  for (const part of started.reverse()) await part.stop();
  rmSync(directory, { recursive: true, force: true });
}

async function demo(): Promise<number> {
  const tagwerk = options.binary?.split(" ") ?? [await binary(root)];
  await layOut();
  const broker = await startBroker();
  started.push({ stop: () => broker.close() });
  const simulator = start("sim", [...tagwerk, "sim", "gateway.json", "--plant", "plant.json",
    "--links-out", "sim-links.json", "--log", "frames.jsonl", "--control", "sim.sock",
    "--speed", String(1 / slow)]);
  await until("the simulator", simulator, () => existsSync(join(directory, "sim-links.json")));
  nameBroker(broker);
  const gateway = start("run", [...tagwerk, "run", "gateway.json", "--links", "links.json",
    "--store", "store"]);
  const socket = join(directory, "store/tagwerk.sock");
  await until("Tagwerk", gateway,
    async () => await get(socket, "/streams/press.fast/latest") !== null);
  if (!options.unarmed) await arm(tagwerk);
  const plant = await PlantControl.connect(join(directory, "sim.sock"));
  const writes = new WriteCounter(join(directory, "frames.jsonl"), "plc-1");
  started.push({ stop: () => { plant.close(); writes.close(); } });
  return await watch({ tagwerk, socket, broker, gateway, simulator, plant, writes });
}

/** The demo's files in a directory of its own, so that nothing of it stays. */
async function layOut(): Promise<void> {
  mkdirSync(join(directory, "models"));
  for (const name of ["plant.json", "models/hold.onnx"]) {
    copyFileSync(join(import.meta.dir, name), join(directory, name));
  }
  const port = await freePort();
  for (const name of ["gateway.json", "write-policy.json"]) {
    const text = readFileSync(join(import.meta.dir, name), "utf8")
      .replace(`:${api_port}"`, `:${port}"`)
      .replace(/"(\d+)(ms|s)"/g, (_, amount, unit) => `"${Number(amount) * slow}${unit}"`);
    writeFileSync(join(directory, name), text);
  }
  if (options["freeze-model"]) writeFileSync(join(directory, "models/hold.onnx"), frozenModel());
}

/** A model of the same shape that says 40 % whatever it is given: right while nothing disturbs. */
function frozenModel(): Uint8Array {
  return makeModel({
    w1: new Float32Array(16 * 3), b1: new Float32Array(16),
    w2: new Float32Array(16), b2: Float32Array.of(40),
  });
}

/** The port of the manual, or another if somebody has that one. */
async function freePort(): Promise<number> {
  const listen = (port: number): Promise<number> => new Promise((resolve, reject) => {
    const server = createServer().once("error", reject).listen(port, "127.0.0.1", () => {
      const taken = (server.address() as AddressInfo).port;
      server.close(() => resolve(taken));
    });
  });
  return await listen(api_port).catch(() => listen(0));
}

/** A simulation leaves brokers closed unless they are named: this one is the demo's own. */
function nameBroker(broker: Broker): void {
  const { links } = JSON.parse(readFileSync(join(directory, "sim-links.json"), "utf8"));
  links.broker = { type: "mqtt", host: "127.0.0.1", port: broker.port };
  writeFileSync(join(directory, "links.json"), JSON.stringify({ links }, null, 2));
}

function start(name: string, command: string[]): Child {
  const child = new Child(name, command, join(directory, `${name}.log`), directory);
  started.push(child);
  return child;
}

async function until(
  what: string, child: Child, ready: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + start_ms_max;
  while (!await ready()) {
    if (interrupted) throw new Error("interrupted");
    if (!child.running) throw new Error(`${what} ended before its time:\n${child.tail()}`);
    if (Date.now() > deadline) throw new Error(`${what} is not up:\n${child.tail()}`);
    await Bun.sleep(20);
  }
}

/** GET from the running binary; null while it does not answer. */
async function get(socket: string, path: string): Promise<any> {
  if (!existsSync(socket)) return null;
  const response = await fetch(`http://tagwerk${path}`, { unix: socket }).catch(() => null);
  return response?.ok ? await response.json() : null;
}

/** The demo arms only the tag of the simulator that it started itself. */
async function arm(tagwerk: readonly string[]): Promise<void> {
  const store = join(directory, "store");
  const arming = Bun.spawn([
    ...tagwerk, "arm", "press.heater", "--for", "60m", "--by", "demo", "--yes", "--store", store,
  ], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  if (await arming.exited === 0) return;
  throw new Error(`arming failed: ${await new Response(arming.stderr).text()}`);
}

interface Parts {
  readonly tagwerk: readonly string[];
  readonly socket: string;
  readonly broker: Broker;
  readonly gateway: Child;
  readonly simulator: Child;
  readonly plant: PlantControl;
  readonly writes: WriteCounter;
}

async function watch(parts: Parts): Promise<number> {
  const { plant, writes, gateway, simulator } = parts;
  const target = await plant.truth("press.target");
  const verdict = new Verdict(seconds, target);
  const screen = new Screen(further(parts));
  const begun = performance.now();
  let drawn = -Infinity;
  for (let open = false; ;) {
    const elapsed = (performance.now() - begun) / 1000;
    if (elapsed >= seconds || interrupted) break;
    for (const child of [gateway, simulator]) {
      if (!child.running) throw new Error(`${child.name} ended:\n${child.tail()}`);
    }
    if (isOpen(elapsed) !== open) {
      open = !open;
      await plant.ask(`set press.door_closed ${!open}`);
    }
    writes.read();
    const temperature = await plant.truth("press.temperature");
    verdict.sample(elapsed, temperature, writes.writes);
    if (elapsed * 1000 - drawn >= draw_ms) {
      drawn = elapsed * 1000;
      screen.draw(await view(parts, elapsed, temperature, target, open));
    }
    await Bun.sleep(look_ms);
  }
  screen.end();
  if (seconds === Infinity) return 0;
  console.log(verdict.text());
  return verdict.closed && !interrupted ? 0 : 1;
}

function isOpen(elapsed: number): boolean {
  const period = seconds === Infinity ? door.every_s : seconds;
  const part = (elapsed % period) / period;
  return part >= door.from && part < door.to;
}

async function view(
  { socket, broker, gateway, plant, writes }: Parts,
  elapsed: number, temperature: number, target: number, open: boolean,
): Promise<View> {
  const [fast, first, second, links, rules, audit, health] = await Promise.all([
    "/streams/press.fast/latest", "/streams/m-01.slow/latest", "/streams/m-02.slow/latest",
    "/links", "/rules", "/audit?tag=press.heater&limit=1", "/health",
  ].map((path) => get(socket, path)));
  return {
    elapsed, seconds, temperature, target, open, armed: (health?.writing.armed.length ?? 0) > 0,
    valve: await plant.truth("press.heater"),
    fast, meters: [["m-01", first], ["m-02", second]], links, rules,
    lastAudit: audit?.[0] ?? null, messages: broker.received, newest: broker.newest,
    writes: writes.writes, memory: memoryOf(gateway.pid),
  };
}

/** How to look further while the demo runs. */
function further({ tagwerk }: Parts): string[] {
  const config = readFileSync(join(directory, "gateway.json"), "utf8");
  const shown = options.binary ?? relative(process.cwd(), tagwerk[0]!);
  const listen = /"listen": "([^"]+)"/.exec(config)![1];
  return [
    `${shown} watch press.temperature press.heater --store ${join(directory, "store")}`,
    `${shown} why press.heater --store ${join(directory, "store")}`,
    `${shown} sim --control ${join(directory, "sim.sock")} --send "fault plc-1 silence for 3s"`,
    `curl http://${listen}/rules`,
  ];
}
