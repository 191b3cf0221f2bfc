import { join } from "node:path";
import { workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";
import type { LinkView } from "../../src/runtime.ts";
import { compile } from "./compile.ts";
import { median, type Figure } from "./figure.ts";
import { ModbusPeer } from "./modbus-peer.ts";

const rounds = 5;
const registers = 125;
/** Reads of one poll of one device; all together are more than an interval has time for. */
const reads = 25;
const devices = 64;
const interval_ms = 20;
const seconds = Number(process.env["BENCH_SECONDS"] ?? 2);

/**
 * Reads/s of the gateway itself, the compiled binary with its schedule, its rings and everything
 * else, which always has a poll that is due; against a libmodbus client of the same C server and
 * of the same reads, in turns (issue 5, B). The device is another machine: the server has a core
 * for itself, and whoever asks it the other one.
 */
export async function run(): Promise<Figure[]> {
  const folder = workFolder();
  const peer = await ModbusPeer.start(folder.path, 1, onCore(0));
  try {
    const libmodbus = compile("libmodbus", folder.path, "-lmodbus");
    const one: number[] = [], eight: number[] = [], theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      one.push(await byGateway(folder, peer, 1, `${round}`));
      theirs.push(byLibmodbus(libmodbus, peer.ports[0]!));
      eight.push(await byGateway(folder, peer, 8, `${round}`));
    }
    const ratio = (ours: number[]): number =>
      Number(median(ours.map((rate, i) => rate / theirs[i]!)).toFixed(3));
    return [
      figure("1 in flight", one, "libmodbus", ratio(one)),
      figure("8 in flight", eight, "libmodbus", ratio(eight)),
      figure("libmodbus", theirs, "", null),
    ];
  } finally {
    await peer.stop();
    folder.remove();
  }
}

const onCore = (core: number): string[] => ["taskset", "-c", `${core}`];

function figure(what: string, rates: number[], baseline: string, ratio: number | null): Figure {
  return {
    bench: "modbus", metric: `reads of ${registers} registers, ${what}`,
    median: Math.round(median(rates)), min: Math.round(Math.min(...rates)),
    max: Math.round(Math.max(...rates)), unit: "reads/s", baseline, ratio,
  };
}

async function byGateway(
  folder: ReturnType<typeof workFolder>, peer: ModbusPeer, inFlight: number, round: string,
): Promise<number> {
  const config = folder.write("gateway.json", configuration(peer.ports[0]!, inFlight));
  const store = join(folder.path, `store-${inFlight}-${round}`);
  const gateway = await RunningGateway.start(config, store, [], {}, onCore(1), 60_000);
  try {
    await Bun.sleep(1500);
    const from = await peer.count();
    await Bun.sleep(seconds * 1000);
    const to = await peer.count();
    await check(gateway);
    return (to.answered - from.answered) / (to.at - from.at) * 1000;
  } finally {
    await gateway.stop();
  }
}

/** The newest row holds what the server says, and the next poll was due before this one ended. */
async function check(gateway: RunningGateway): Promise<void> {
  const { body: { values } } = await gateway.get("/streams/m1.all/latest");
  const view = new DataView(new ArrayBuffer(4));
  for (const [name, { at, type }] of Object.entries(tags)) {
    const n = Number(at.split(" ")[1]);
    view.setUint16(0, n);
    view.setUint16(2, n + 1);
    const expected = type === "uint16" ? n : view.getFloat32(0);
    if (values[name] !== expected) throw new Error(`${name} is ${values[name]}, not ${expected}`);
  }
  const [link] = (await gateway.get<LinkView[]>("/links")).body;
  const idle = link!.polls.filter(({ missed }) => missed === 0);
  if (idle.length > 0) throw new Error(`${idle[0]!.stream} has missed no poll: no figure`);
}

function byLibmodbus(program: string, port: number): number {
  const count = 10_000 * seconds;
  const { exitCode, stdout } = Bun.spawnSync(
    [...onCore(1), program, `${port}`, `${count}`]);
  if (exitCode !== 0) throw new Error("the libmodbus client failed");
  return count / Number(stdout.toString());
}

/** A read is 62 float32 and the register that is left. */
const tags = Object.fromEntries(Array.from({ length: reads }, (_, read) =>
  Array.from({ length: Math.ceil(registers / 2) }, (_, i) => {
    const n = read * registers + 2 * i;
    const type = 2 * i + 1 < registers ? "float32" : "uint16";
    return [`r${n}`, { at: `holding ${n}`, type }] as const;
  })).flat());

function configuration(port: number, inFlight: number): object {
  return {
    gateway: { id: "modbus", profile: "raspberry-pi-5" },
    links: { plc: { type: "modbus-tcp", host: "127.0.0.1", port, inFlight } },
    types: { block: { groups: { all: `${interval_ms}ms` }, tags } },
    devices: { [`m{1..${devices}}`]: { use: "block", link: "plc", station: "{n}" } },
    api: { listen: "127.0.0.1:0" },
    store: { directory: "./store" },
  };
}

if (import.meta.main) for (const figure of await run()) console.log(JSON.stringify(figure));
