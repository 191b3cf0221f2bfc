import { createLog, type Random } from "../../src/base.ts";
import { createClock } from "../../src/base/clock.ts";
import { logConnector, modbusServer } from "../../src/connector.ts";
import { modbusRegisters } from "../../src/driver.ts";
import { Arena, Word } from "../../src/ring.ts";
import {
  serveRole, startRuntime, type ConfigurationFile, type Graph, type Runtime, type SerialInit,
  type WatchInit,
} from "../../src/runtime.ts";
import { drivers, tables } from "../../src/registry.ts";
import type { Components } from "../../src/runtime/graph.ts";
import { SerialWorker } from "../../src/runtime/serial-worker.ts";
import type { Thread, World } from "../../src/runtime/world.ts";
import { openStore, type Store } from "../../src/store.ts";
import type { Broker } from "./broker.ts";
import { SimTty, type SharedLine } from "./bus.ts";
import type { Disk } from "./disk.ts";
import { simModel, type ModelTrouble } from "./model.ts";
import { SimTcpWire, type Network } from "./network.ts";
import type { Panel } from "./panel.ts";
import { SimThread } from "./thread.ts";
import type { Timeline } from "./timeline.ts";

/** What a gateway stands on and is connected with; it outlives the process. */
export interface Machine {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly graph: Graph;
  /** On a file system in memory. */
  readonly directory: string;
  readonly networks: ReadonlyMap<string, Network>;
  readonly buses: ReadonlyMap<string, SharedLine>;
  readonly broker: Broker;
  /** Clients of the Modbus server. */
  readonly panel: Panel;
  readonly disk: Disk;
  readonly model: ModelTrouble;
  /** Wall clock, ms since the epoch. */
  wall(): number;
  readonly synced: boolean;
  log(thread: string, line: string): void;
  ended(process: GatewayProcess, code: number): void;
}

/** Nobody changes a configuration in this world yet. */
const unchanged: ConfigurationFile = {
  texts: { config: "", policy: "" },
  examine: async () => ({ graph: null, texts: ["not here"] }),
  keep: () => undefined,
};

type Message = { readonly kind?: string };

/** One run of the program, from start to whatever ends it. */
export class GatewayProcess {
  readonly main: SimThread;
  readonly store: Store;
  /** Null until it is up. */
  runtime: Runtime | null = null;
  alive = true;
  readonly threads: SimThread[] = [];
  /** Serial workers that run, by link. */
  readonly serial = new Map<string, { readonly init: SerialInit; die(): void }>();
  readonly #machine: Machine;
  readonly #pipes = new Map<number, () => void>();

  constructor(machine: Machine) {
    this.#machine = machine;
    this.main = this.#thread("main");
    const world = this.#world(this.main, null);
    this.store = openStore(machine.directory, {
      maxMB: 64, stateMB: 64, lock: () => () => {}, database: machine.disk.database,
      now: () => world.clock.now(), time: () => world.clock.time(),
    });
    void startRuntime({
      graph: machine.graph, components: this.#components(this.main), store: this.store, world,
      version: "world", safeMode: false, configRejected: false, configChanged: false,
      file: unchanged,
    }).then((runtime) => {
      this.runtime = runtime;
    });
  }

  /** SIGKILL, or a process that ended itself: nothing runs on, and sockets are reset. */
  end(code: number): void {
    if (!this.alive) return;
    this.alive = false;
    const { networks, buses, broker, panel, disk } = this.#machine;
    for (const thread of this.threads) {
      thread.dead = true;
      for (const network of networks.values()) network.threadEnded(thread);
      broker.threadEnded(thread);
    }
    panel.end();
    for (const link of this.serial.keys()) buses.get(link)!.left();
    disk.processEnded();
    this.#machine.ended(this, code);
  }

  #thread(name: string): SimThread {
    const { timeline, random } = this.#machine;
    const thread = new SimThread(name, timeline, random);
    this.threads.push(thread);
    return thread;
  }

  #components(thread: SimThread): Components {
    const { broker, panel } = this.#machine;
    return { drivers, tables, connectors: [logConnector, broker.connector(thread),
      modbusServer(modbusRegisters, panel.portOn(thread))] };
  }

  #world(thread: SimThread, shared: SharedArrayBuffer | null): World {
    const machine = this.#machine;
    const { timeline } = machine;
    const clock = createClock(
      () => timeline.now, () => machine.wall(), () => machine.synced, shared);
    return {
      clock, timers: thread.timers, workerUrl: "", directory: "",
      log: createLog("info", () => clock.time(), (line) => machine.log(thread.name, line)),
      clockSynced: () => machine.synced,
      shrink: () => {},
      exit: (code) => this.end(code),
      thread: () => new SimWorker(thread, this.#thread("worker"), timeline, machine.random,
        (first, worker) => this.#serve(first, worker)),
      wakePipe: () => {
        const end = this.#pipes.size + 1;
        this.#pipes.set(end, () => {});
        return { end, wake: () => this.#pipes.get(end)!(), close: () => {} };
      },
      sleep: (bell, seen, timeout_ms) => thread.sleep(bell, seen, timeout_ms),
      wire: (link, events) => new SimTcpWire(machine.networks.get(link.name)!, thread, events),
      seed: () => 1 + machine.random.below(2 ** 32),
      readModel: async () => new Uint8Array(0),
      loadModel: async ({ name }) => simModel(name, timeline, machine.model),
    };
  }

  /** What `worker.ts` does on a thread of its own. */
  #serve(first: Message, worker: SimWorker): void {
    if (first.kind === "serial") this.#serveSerial(first as SerialInit, worker);
    else if (first.kind === "watch") this.#watch(first as WatchInit, worker.thread);
    else {
      serveRole(worker.inner, this.#components(worker.thread), ({ engineClock }) =>
        this.#world(worker.thread, engineClock));
    }
  }

  #serveSerial(init: SerialInit, worker: SimWorker): void {
    const { thread } = worker;
    const { timeline, buses, random } = this.#machine;
    const { clock, log } = this.#world(thread, init.engineClock);
    const bus = buses.get(init.link.name)!;
    let due: { at: number; off: boolean } | null = null;
    const round = (): void => {
      due = null;
      if (serial.stopped) {
        serial.close();
        thread.dead = true;
        return;
      }
      tty.ready();
      serial.round();
      soon(Math.max(0.01, tty.until - timeline.now));
    };
    const soon = (ms: number): void => {
      if (due !== null && due.at <= timeline.now + ms) return;
      if (due !== null) due.off = true;
      due = thread.post(Math.min(ms, 60_000), round);
    };
    const wake = (): void => soon(0.03 + random.next() * 0.12);
    let tty!: SimTty;
    const serial = new SerialWorker(init, {
      clock, log, drivers,
      wire: (_init, driver, events) => (tty = new SimTty(bus, `${init.link.name} port`,
        () => driver.ear?.(init.link) ?? null, timeline, events, wake)),
      post: (message) => worker.inner.postMessage(message),
    });
    this.#pipes.set(init.wake, wake);
    this.serial.set(init.link.name, {
      init,
      die: () => {
        thread.dead = true;
        this.serial.delete(init.link.name);
        serial.close();
        worker.died();
      },
    });
    round();
  }

  #watch({ buffer, at, stall_ms_max }: WatchInit, thread: SimThread): void {
    const turns = Word.attach(Arena.attach(buffer), at);
    let seen = turns.get();
    let still = 0;
    const look = (): void => {
      still = turns.get() === seen ? still + 1 : 0;
      seen = turns.get();
      if (still < 4) thread.timers.after(stall_ms_max / 4, look);
      else this.end(137);
    };
    look();
  }
}

/** A worker: two threads that exchange copies of messages, in order. */
class SimWorker implements Thread {
  onmessage: ((event: MessageEvent) => unknown) | null = null;
  onerror: ((event: ErrorEvent) => unknown) | null = null;
  readonly thread: SimThread;
  /** The worker's own scope. */
  readonly inner: Pick<Thread, "postMessage" | "onmessage">;
  readonly #parent: SimThread;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #closed: (() => void)[] = [];
  #served = false;
  #inAt = 0;
  #outAt = 0;

  constructor(
    parent: SimThread, thread: SimThread, timeline: Timeline, random: Random,
    serve: (first: Message, worker: SimWorker) => void,
  ) {
    this.thread = thread;
    this.#parent = parent;
    this.#timeline = timeline;
    this.#random = random;
    this.#serve = serve;
    this.inner = {
      onmessage: null,
      postMessage: (message) => {
        const data: unknown = structuredClone(message);
        this.#outAt = this.#later(this.#outAt);
        parent.post(this.#outAt - timeline.now, () =>
          this.onmessage?.({ data } as MessageEvent));
      },
    };
  }

  readonly #serve: (first: Message, worker: SimWorker) => void;

  postMessage(message: unknown): void {
    const data = structuredClone(message) as Message;
    this.#inAt = this.#later(this.#inAt);
    this.thread.post(this.#inAt - this.#timeline.now, () => {
      if (!this.#served) this.#serve(data, this);
      this.#served = true;
      this.inner.onmessage?.({ data } as MessageEvent);
    });
  }

  addEventListener(_type: "close", listener: () => void): void {
    this.#closed.push(listener);
  }

  /** It failed by itself. */
  died(): void {
    this.#parent.post(0.5, () => this.#closed.forEach((listener) => listener()));
  }

  terminate(): void {
    this.thread.dead = true;
  }

  unref(): void {}

  /** In order, and never at once. */
  #later(last: number): number {
    return Math.max(last, this.#timeline.now + 0.02 + this.#random.next() * 0.15);
  }
}
