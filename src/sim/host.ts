import { rmSync, writeFileSync } from "node:fs";
import { Fault, reason, type Log } from "../base.ts";
import { monotonic } from "../base/os.ts";
import type { Gateway } from "../config.ts";
import type { AnyDriver } from "../driver.ts";
import type { Behaviour } from "./behaviour.ts";
import { openPort, type Port } from "./port.ts";
import { FrameLog } from "./frame-log.ts";
import type { LinkOut } from "./link.ts";
import { Simulation } from "./simulation.ts";

export interface SimOptions {
  readonly seed: number;
  /** Plant seconds a second; 1 = real time. */
  readonly speed: number;
  /** Frame log to append to, or null. */
  readonly frameLog: string | null;
  /** File that says which port stands for which link, or null. */
  readonly linksOut: string | null;
  /** Unix socket of the control channel, or null. */
  readonly control: string | null;
  /** Milliseconds since the epoch. */
  time(): number;
  readonly log: Log;
}

/** What stands for each link: settings that `run --links` lays over those of the configuration. */
export type SimLinks = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export interface Sim {
  readonly links: SimLinks;
  /** Runs one line of the control channel; gives its answer, one JSON object. */
  command(line: string): string;
  close(): void;
}

/** Control lines longer than this are none. */
const control_characters_max = 4096;
/** Longest time until the simulator looks again whether a cut link is whole. */
const look_ms_max = 100;

/** Answers the devices of a configuration on loopback ports and ptys. */
export async function startSim(
  gateway: Gateway, drivers: readonly AnyDriver[], plant: Readonly<Record<string, Behaviour>>,
  options: SimOptions,
): Promise<Sim> {
  const frames = options.frameLog === null ? null : new FrameLog(options.frameLog, options.time);
  const ports = new Map<string, Port>();
  // The simulation is made before its ports: bytes can leave only after some came.
  const out = (name: string): LinkOut => ({
    send: (connection, bytes) => ports.get(name)!.send(connection, bytes),
    close: (connection) => ports.get(name)!.end(connection),
  });
  const simulation = new Simulation({
    gateway, drivers, behaviours: plant, seed: options.seed, speed: options.speed,
    now: monotonic(), out, record: (record) => frames?.add(record),
  });
  if (simulation.links.length === 0) {
    throw new Fault("sim-nothing", "the configuration has no link that can be simulated; known " +
      `types are ${drivers.map((driver) => driver.type).join(", ")}`);
  }
  let timer: Timer | null = null;
  const turn = (): void => {
    const now = monotonic();
    const next = Math.min(simulation.step(now), now + look_ms_max);
    for (const link of simulation.links) ports.get(link.name)?.cut(link.isCut(now));
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(turn, Math.max(0, next - now));
  };
  for (const link of simulation.links) {
    ports.set(link.name, await openPort(link.medium, {
      opened: (connection) => link.open(connection, monotonic()),
      received(connection, bytes) {
        const now = monotonic();
        simulation.advance(now);
        link.receive(connection, bytes, now);
        turn();
      },
      closed: (connection, reset) => link.closed(connection, reset, monotonic()),
    }));
  }
  const command = (line: string): string => {
    const answer = answerTo(simulation, line);
    frames?.flush();
    turn();
    return answer;
  };
  const control = options.control === null ? null : listenControl(options.control, command);
  const links = Object.fromEntries(gateway.links.filter((link) => ports.has(link.name))
    .map((link) => [link.name, { type: link.type, ...ports.get(link.name)!.settings }]));
  if (options.linksOut !== null) {
    writeFileSync(options.linksOut, `${JSON.stringify({ links }, null, 2)}\n`);
  }
  turn();
  return {
    links, command,
    close(): void {
      if (timer !== null) clearTimeout(timer);
      control?.stop(true);
      if (options.control !== null) rmSync(options.control, { force: true });
      for (const port of ports.values()) port.close();
      frames?.close();
    },
  };
}

function answerTo(simulation: Simulation, line: string): string {
  try {
    return JSON.stringify({ ok: true, ...simulation.command(line, monotonic()) });
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    return JSON.stringify({ ok: false, error: reason(thrown) });
  }
}

/** Lines in, one JSON object a line out; only the socket's owner may speak (mode 0600). */
function listenControl(
  path: string, command: (line: string) => string,
): Bun.UnixSocketListener<{ text: string }> {
  // What a simulator that was killed left behind would make the address "in use".
  rmSync(path, { force: true });
  const before = process.umask(0o177);
  try {
    return Bun.listen<{ text: string }>({
      unix: path,
      socket: {
        open(socket): void {
          socket.data = { text: "" };
        },
        data(socket, bytes): void {
          const lines = (socket.data.text + bytes.toString()).split("\n");
          socket.data.text = lines.pop()!;
          for (const line of lines) if (line.trim() !== "") socket.write(`${command(line)}\n`);
          if (socket.data.text.length > control_characters_max) socket.end();
        },
      },
    });
  } finally {
    process.umask(before);
  }
}
