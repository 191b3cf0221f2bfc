import { Arena, Ring } from "../../src/ring.ts";
import type { Runtime } from "../../src/runtime.ts";
import type { GatewayProcess } from "./process.ts";

/** A stream's way from where its rows begin to the broker, and who may lose some on it. */
interface Chain {
  readonly rule: string;
  /** Streams whose rows go in. */
  readonly streams: readonly string[];
  readonly losers: readonly string[];
}

const chains: readonly Chain[] = [
  { rule: "billed", streams: ["orders"], losers: ["rule billed", "sink plant of billed"] },
  { rule: "watched", streams: ["aux.fast"],
    losers: ["bridge aux.fast", "rule watched", "sink plant of watched"] },
  { rule: "asked", streams: ["wishes"], losers: ["bridge wishes", "rule asked",
    "sink plant of asked"] },
  { rule: "overheard", streams: ["meter-1.slow", "meter-2.slow"], losers: ["link heard",
    "bridge meter-1.slow", "bridge meter-2.slow", "rule overheard", "sink plant of overheard"] },
  { rule: "drives", streams: ["drive-1.slow", "drive-2.slow"], losers: ["link bus",
    "bridge drive-1.slow", "bridge drive-2.slow", "rule drives", "sink plant of drives"] },
];

export interface Balance {
  readonly rule: string;
  readonly rowsIn: number;
  readonly rowsOut: number;
  readonly lost: number;
}

/** Rows in, rows out and counted losses of one process; null while rows are on the move. */
export async function balance(
  process: GatewayProcess, runtime: Runtime, delivered: ReadonlyMap<string, number>,
): Promise<Balance[] | null> {
  const before = await rowsOf(process, runtime);
  const { lost } = await runtime.health();
  const out = new Map(delivered);
  const after = await rowsOf(process, runtime);
  const balances: Balance[] = [];
  for (const { rule, streams, losers } of chains) {
    for (const stream of streams) if (before.get(stream) !== after.get(stream)) return null;
    balances.push({
      rule, rowsOut: out.get(rule) ?? 0,
      rowsIn: streams.reduce((sum, stream) => sum + after.get(stream)!, 0),
      lost: losers.reduce((sum, loser) => sum + (lost[loser] ?? 0), 0),
    });
  }
  return balances;
}

/** Rows that were published where a stream begins: on a bus, in its worker's own rings. */
async function rowsOf(process: GatewayProcess, runtime: Runtime): Promise<Map<string, number>> {
  const rows = new Map((await runtime.streams()).map((stream) => [stream.name, stream.rows]));
  for (const { init } of process.serial.values()) {
    const arena = Arena.attach(init.buffer);
    for (const { plan, ring: { at, layout } } of init.groups) {
      rows.set(plan.stream, Ring.attach(arena, at, layout).head >>> 0);
    }
  }
  return rows;
}
