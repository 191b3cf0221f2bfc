import type { AnyDriver, Driver, Wire, WireEvents } from "../driver.ts";
import { assert, limits, type Clock, type Log } from "../base.ts";
import type { Tag } from "../config.ts";
import { mayLeave } from "../gate.ts";
import { Arena, Bell, CommandReader, CommandWriter, Ring, Word, type Column } from "../ring.ts";
import type { FramePiece } from "./frames.ts";
import { LinkRunner } from "./link.ts";
import { openRowAt } from "./place.ts";
import { until, viewOf, type JobDone } from "./port.ts";
import { timeFlags } from "./time-flags.ts";
import { READ, type Placed, type SerialInit, type SerialMessage } from "./serial.ts";
import { tagsOf } from "./travel.ts";

/** The serial wire of a worker: a wire that also does the waiting. */
export interface WaitingWire extends Wire {
  /**
   * Waits for bytes, a byte in the wake pipe, or the monotonic time `until`; delivers what came.
   */
  wait(until: number): void;
}

export interface SerialWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly drivers: readonly AnyDriver[];
  wire(init: SerialInit, driver: Driver, events: WireEvents): WaitingWire;
  post(message: SerialMessage): void;
}

/** How often the worker tells how it is (ms). */
const view_ms = 500;
const none = new Uint8Array(0);

/**
 * `control` in miniature: the link's driver steps here; rows leave by rings that
 * `control` bridges, commands and outcomes pass by command rings. It serves no event loop and waits
 * only in the wire; it returns when its link is not there any more.
 */
export function runSerialWorker(init: SerialInit, world: SerialWorld): void {
  const worker = new SerialWorker(init, world);
  try {
    while (!worker.stopped) worker.round();
  } finally {
    // The thread ends, the process does not: the next worker must get the port.
    worker.close();
  }
}

/** One round after the other is a serial worker; a simulated world does the waiting between. */
export class SerialWorker {
  readonly #init: SerialInit;
  readonly #world: SerialWorld;
  readonly #runner: LinkRunner;
  readonly #wire: WaitingWire;
  readonly #rings: readonly Ring[];
  readonly #commands: CommandReader;
  readonly #command: Ring;
  readonly #outcomes: CommandWriter;
  readonly #bell: Bell;
  readonly #latch: Word;
  readonly #stop: Word;
  readonly #watched: Word;
  readonly #disabled: ReadonlyMap<string, Word>;
  /** Traffic that is still to be told. */
  #pieces: FramePiece[] = [];
  readonly #tags: readonly Tag[];
  readonly #armings: readonly Word[];
  #published = 0;
  #viewAt = 0;
  /** State of the link as it was told: a change is told at once, commands depend on it. */
  #told = "";

  constructor(init: SerialInit, world: SerialWorld) {
    this.#init = init;
    this.#world = world;
    const arena = Arena.attach(init.buffer);
    const ring = (placed: Placed): Ring => Ring.attach(arena, placed.at, placed.layout);
    this.#rings = init.groups.map((group) => {
      const made = ring(group.ring);
      made.open = openRowAt(group.open);
      return made;
    });
    this.#command = ring(init.commandsInto);
    this.#commands = new CommandReader(ring(init.commands), this.#command);
    // What an earlier worker left behind was told as unknown: it must never be sent (W14).
    while (this.#commands.pop());
    this.#outcomes = new CommandWriter(ring(init.outcomes));
    this.#bell = Bell.attach(arena, init.bell);
    this.#latch = Word.attach(arena, init.latch);
    this.#stop = Word.attach(arena, init.stop);
    this.#watched = Word.attach(arena, init.watched);
    this.#disabled = new Map(init.disabled.map(({ device, at }) =>
      [device, Word.attach(arena, at)]));
    this.#armings = init.armings.map((at) => Word.attach(arena, at));
    const driver = world.drivers.find((d) => d.type === init.driver)!;
    assert(driver.medium === "serial", `${driver.type} has no serial worker`);
    const tags = init.groups.map(({ plan: { device, station }, specs }) =>
      tagsOf({ name: device, station }, specs));
    this.#tags = tags.flat();
    this.#runner = new LinkRunner({
      name: init.link.name,
      groups: init.groups.map(({ plan }, i) => ({
        stream: plan.stream, device: plan.device, station: plan.station,
        interval: plan.interval, ring: this.#rings[i]!, constants: plan.constants,
        broadcasts: plan.broadcasts,
        requests: driver.plan(tags[i]!, init.link),
      })),
      splitter: driver, route: driver.route?.(init.link),
      advise: (trouble) => driver.advise(trouble, init.link),
      connectTimeout: limits.serial_listen_ms + limits.connect_ms_max,
      reopenWhenSilent: false, now: () => world.clock.now(),
      time: () => world.clock.time(), log: world.log,
      flags: () => timeFlags(world.clock, init.clock),
      tap: (dir, bytes, n) => {
        if (this.#watched.get() === 0) return;
        this.#pieces.push({ time: world.clock.time(), dir, bytes: bytes.slice(0, n) });
      },
      isDisabled: (device) => this.#disabled.get(device)!.get() !== 0,
      complete: () => {}, published: () => {},
      pathEnded: (why) => {
        // At once, and not only when `control` has heard of it.
        for (const arming of this.#armings) arming.set(0);
        world.post({ kind: "ended", why });
      },
      wake: () => {},
    });
    this.#wire = world.wire(init, driver, this.#runner);
    this.#runner.attach(this.#wire, (wire) => driver.open(init.link, wire));
  }

  /** Its link was closed for good. */
  get stopped(): boolean {
    return this.#stop.get() !== 0;
  }

  round(): void {
    while (this.#commands.pop()) this.#take();
    const now = this.#world.clock.now();
    const deadline = this.#runner.step(now);
    this.#tell(now);
    this.#wire.wait(Math.min(deadline, this.#viewAt));
  }

  close(): void {
    this.#runner.close();
  }

  /** One byte in the bell if there is something new to fetch. */
  #tell(now: number): void {
    const published = this.#rings.reduce((sum, ring) => (sum + ring.head) | 0, 0);
    if (published !== this.#published) this.#bell.ring();
    this.#published = published;
    if (this.#pieces.length > 0) {
      this.#world.post({ kind: "frames", pieces: this.#pieces });
      this.#pieces = [];
    }
    if (now < this.#viewAt && this.#runner.state === this.#told) return;
    this.#viewAt = now + view_ms;
    this.#told = this.#runner.state;
    this.#world.post({ kind: "view", view: viewOf(this.#runner, this.#init.link.type, now) });
  }

  #take(): void {
    const { arena, columns, mask } = this.#command;
    const row = this.#commands.seq & mask;
    const number = (column: Column): number => arena.F[column.payload + row]!;
    const [idC, kindC, tagC, rawC, armingC, notAfterC] = columns as readonly [
      Column, Column, Column, Column, Column, Column];
    const id = number(idC);
    const index = number(tagC);
    const from = rawC.payload + row * rawC.stride;
    const raw = arena.U.slice(from, from + arena.I[rawC.length + row]!);
    const arming = number(armingC);
    const notAfter = number(notAfterC);
    const done: JobDone = (result, exception, sent, leftAt, frame) =>
      this.#done(id, result, exception, sent, leftAt, raw, frame ?? none);
    const isRead = number(kindC) === READ;
    this.#runner.submit({
      kind: isRead ? "read" : "write",
      tag: this.#tags[index]!,
      raw,
      last: isRead ? until(notAfter) : (now) => {
        const isLatched = this.#latch.get() !== 0;
        const current = this.#armings[index]!.get();
        return mayLeave({ arming, notAfter }, isLatched, current, now) ? notAfter : null;
      },
      done,
    });
  }

  #done(
    id: number, result: number, exception: number, sent: boolean, leftAt: number,
    raw: Uint8Array, frame: Uint8Array,
  ): void {
    const told = this.#outcomes.push((ring, seq) => {
      const { F, I, U } = ring.arena;
      const row = seq & ring.mask;
      const [idC, resultC, exceptionC, sentC, leftC, rawC, frameC] = ring.columns;
      assert(frame.length <= frameC!.stride, "a write frame fits its slot");
      F[idC!.payload + row] = id;
      F[resultC!.payload + row] = result;
      F[exceptionC!.payload + row] = exception;
      F[sentC!.payload + row] = sent ? 1 : 0;
      F[leftC!.payload + row] = leftAt;
      U.set(raw, rawC!.payload + row * rawC!.stride);
      I[rawC!.length + row] = raw.length;
      U.set(frame, frameC!.payload + row * frameC!.stride);
      I[frameC!.length + row] = frame.length;
    });
    assert(told, "the ring of outcomes has room for every command");
    this.#bell.ring();
  }
}
