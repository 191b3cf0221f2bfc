import { join } from "node:path";
import { binary, Program, until, workFolder } from "../support/binary.ts";
import { compile } from "./compile.ts";
import type { Figure } from "./figure.ts";

/**
 * How much of a bus the compiled binary uses (issue 5, A). A peer in C keeps the time of the line
 * (rs485_peer.c) and measures by its own clock: the time that frames and one silence an exchange
 * must take, over the time that went by; and the gap from the end of an answer to the next request,
 * which may never be under 3.5 characters. The peer's own silence is subtracted.
 */
const seconds = Number(process.env["BENCH_SECONDS"] ?? 4);
const bauds = (process.env["BENCH_BAUDS"] ?? "9600,19200,115200").split(",").map(Number);
const stationCounts = [1, 8, 32];
const registerCounts = [1, 10, 125];

interface Told {
  readonly exchanges: number;
  readonly utilisation: number;
  readonly gap_min: number;
  readonly gap_p50: number;
  readonly gap_p99: number;
  readonly silence: number;
  readonly bad: number;
}

export async function run(): Promise<Figure[]> {
  const folder = workFolder();
  try {
    const peer = compile("rs485_peer", folder.path);
    const figures: Figure[] = [];
    for (const baud of bauds) {
      for (const stations of stationCounts) {
        for (const registers of registerCounts) {
          figures.push(...await measure(peer, folder, baud, stations, registers));
        }
      }
    }
    return figures;
  } finally {
    folder.remove();
  }
}

async function measure(
  peer: string, folder: ReturnType<typeof workFolder>, baud: number, stations: number,
  registers: number,
): Promise<Figure[]> {
  const bus = new Program([peer, `${baud}`, `${seconds}`]);
  const gateway: Program[] = [];
  // Always due when the one before has ended: no longer than an exchange without any silence.
  const interval = Math.max(1, Math.floor((8 + 5 + 2 * registers) * 11_000 / baud));
  try {
    const port = await until("the peer's pty", () => /^\/dev\/\S+$/m.exec(bus.output)?.[0] ?? null);
    const config = folder.write("gateway.json", {
      gateway: { id: "rs485" },
      links: { bus: { type: "modbus-rtu", port, rs485: "adapter", baud, parity: "even" } },
      types: { meter: { groups: { all: `${interval}ms` }, tags: Object.fromEntries(
        Array.from({ length: registers }, (_, i) =>
          [`r${i}`, { at: `holding ${i}`, type: "uint16" }])) } },
      devices: Object.fromEntries(Array.from({ length: stations }, (_, i) =>
        [`m${i + 1}`, { use: "meter", link: "bus", station: i + 1 }])),
      api: { listen: "127.0.0.1:0" },
    });
    gateway.push(new Program([await binary(), "run", config, "--store",
      join(folder.path, `store-${baud}-${stations}-${registers}`)]));
    const line = await until("the peer's figures", () =>
      bus.output.split("\n").find((text) => text.startsWith("{")) ?? null, 30_000 + seconds * 2000)
      .catch((thrown: unknown) => { throw new Error(`${thrown}\n${gateway[0]!.output}`); });
    return figuresOf(`${baud} ${stations} ${registers}`, JSON.parse(line) as Told);
  } finally {
    for (const program of [...gateway, bus]) await program.stop("SIGKILL");
  }
}

function figuresOf(what: string, told: Told): Figure[] {
  const figure = (metric: string, value: number, unit: string): Figure => ({
    bench: "rs485", metric: `${metric} ${what}`, median: value, min: value, max: value, unit,
    baseline: "", ratio: null,
  });
  const over = (gap: number): number => Number((gap - told.silence).toFixed(3));
  return [
    figure("utilisation", told.utilisation, "of the wire's time"),
    figure("gap p50 over t3.5", over(told.gap_p50), "ms"),
    figure("gap p99 over t3.5", over(told.gap_p99), "ms"),
    figure("gap min over t3.5", over(told.gap_min), "ms"),
    ...(told.bad > 0 ? [figure("damaged requests", told.bad, "")] : []),
  ];
}
