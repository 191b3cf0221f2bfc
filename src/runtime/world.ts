import type { Clock, Log, Timers } from "../base.ts";
import { drawSeed, eventLoop } from "../base.ts";
import { clockSynced, close, pipe, writePipe } from "../base/os.ts";
import type { Link } from "../config.ts";
import {
  createListenWire, createTcpWire, createUdpWire, type Medium, type Wire, type WireEvents,
} from "../driver.ts";
import { loadOnnx, readModel, type Model, type ModelSettings } from "../infer.ts";
import type { Bell } from "../ring.ts";
import type { Port } from "./rpc.ts";

/** A thread, as who started it sees it. */
export interface Thread extends Port {
  onerror: ((event: ErrorEvent) => unknown) | null;
  addEventListener(type: "close", listener: () => void): void;
  terminate(): void;
  unref(): void;
}

/** What interrupts the wait of a thread that stands in `ppoll`. */
export interface WakePipe {
  /** The descriptor it waits on. */
  readonly end: number;
  wake(): void;
  /** Nobody waits on it any more. */
  close(): void;
}

/**
 * Everything outside that a running gateway touches beside its store and its connectors: the
 * machine, or a simulated world that a test hands in.
 */
export interface World {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  /** The kernel says that a time server keeps the wall clock in step (W17). */
  clockSynced(): boolean;
  /**
   * Gives back what the start of a thread left behind, or what ran before a change, with the code
   * that was compiled for it.
   */
  shrink(): void;
  /** Ends the process at once; init starts it anew (W6). */
  exit(code: number): void;
  /** A thread of the second entry point. */
  thread(): Thread;
  /** Where the second entry point is, for a thread that starts others. */
  readonly workerUrl: string;
  /** Where what must outlast the process is kept. */
  readonly directory: string;
  wakePipe(): WakePipe;
  /** Ends when the bell was rung since `seen`, or after `timeout_ms`. */
  sleep(bell: Bell, seen: number, timeout_ms: number): Promise<void>;
  /** Of every medium but `serial`, which has a thread of its own. */
  wire(link: Link, events: WireEvents, medium: Medium): Wire;
  /** A whole number, 1 to 2^52, that nobody can guess: what rules draw begins with it. */
  seed(): number;
  readModel(path: string): Promise<Uint8Array>;
  loadModel(settings: ModelSettings): Promise<Model>;
}

type CreateWire = (settings: never, events: WireEvents) => Wire;
const wires: Readonly<Record<Exclude<Medium, "serial">, CreateWire>> =
  { tcp: createTcpWire, listen: createListenWire, udp: createUdpWire };

/** The machine's own, on whichever thread a role runs; `workerUrl` is the second entry point. */
export function machineWorld(
  clock: Clock, log: Log, workerUrl: string, directory: string,
): World {
  return {
    clock, log, clockSynced, readModel, workerUrl, directory, seed: drawSeed,
    timers: eventLoop,
    loadModel: loadOnnx,
    shrink: () => {
      Bun.gc(true);
      Bun.shrink();
    },
    exit: (code) => process.exit(code),
    thread: () => new Worker(workerUrl),
    wakePipe: () => {
      const [end, write] = pipe();
      return { end, wake: () => writePipe(write), close: () => {
        close(end);
        close(write);
      } };
    },
    sleep: (bell, seen, timeout_ms) => bell.sleep(seen, timeout_ms),
    wire: (link, events, medium) =>
      wires[medium as keyof typeof wires](link.settings as never, events),
  };
}

/** Lets the thread's turns go on, if the work before took long enough to be felt. */
export type Breathe = () => Promise<void>;

/** Ends after `ms`, by the world's own timers. */
export function pause(timers: Timers, ms: number): Promise<void> {
  return new Promise((done) => void timers.after(ms, done));
}
