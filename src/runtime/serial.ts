import { assert, limits, never } from "../base.ts";
import type { DriverTag } from "../driver.ts";
import {
  Arena, BAD, Bell, Bridge, CommandReader, CommandWriter, Ring, Word,
  type ColumnSpec, type OpenRow, type RingLayout,
} from "../ring.ts";
import type { Link, Profile, Tag, TagSpec } from "../config.ts";
import { Frames, type FramePiece } from "./frames.ts";
import type { GroupPlan, LinkPlan } from "./graph.ts";
import type { Overrides } from "./overrides.ts";
import { openRowPlace, type OpenRowPlace } from "./place.ts";
import { raw_bytes_max, type Guard, type JobDone, type LinkPort } from "./port.ts";
import { specsOf } from "./travel.ts";
import type { LinkView } from "./view.ts";
import type { Thread, WakePipe, World } from "./world.ts";

/** What a lost wake-up would cost at most. */
const listen_ms_max = 1000;

/** A worker that has not ended by then hangs in its port, and is ended. */
const close_ms_max = 1000;

/** A setpoint of four registers has a write frame of 17 bytes; a telegram may be longer. */
const frame_bytes_max = 2 * limits.telegram_write_bytes_max;

const whole = (name: string): ColumnSpec => ({ name, kind: "int53", slot: 0 });
const commandColumns: readonly ColumnSpec[] = [
  whole("id"), whole("kind"), whole("tag"), { name: "raw", kind: "bytes", slot: raw_bytes_max },
  whole("arming"), { name: "notAfter", kind: "float64", slot: 0 },
];
const outcomeColumns: readonly ColumnSpec[] = [
  whole("id"), whole("result"), whole("exception"), { name: "sent", kind: "bool", slot: 0 },
  { name: "leftAt", kind: "float64", slot: 0 },
  { name: "raw", kind: "bytes", slot: raw_bytes_max },
  { name: "frame", kind: "bytes", slot: frame_bytes_max },
];
export const READ = 0;
const WRITE = 1;

/** Where a ring lies in the worker's arena. */
export interface Placed {
  readonly at: number;
  readonly layout: RingLayout;
}

/** All that a serial worker is told; it makes nothing itself. */
export interface SerialInit {
  readonly kind: "serial";
  readonly link: Link;
  readonly driver: string;
  readonly buffer: SharedArrayBuffer;
  readonly groups: readonly {
    readonly plan: Omit<GroupPlan, "tags">; readonly specs: readonly TagSpec[];
    readonly ring: Placed; readonly open: OpenRowPlace;
  }[];
  readonly commands: Placed;
  readonly commandsInto: Placed;
  readonly outcomes: Placed;
  /** Rung when rows or outcomes were published. */
  readonly bell: number;
  /** Not 0 = disarmed by the latch: no write leaves. */
  readonly latch: number;
  /** Not 0 = somebody looks at the traffic. */
  readonly watched: number;
  /** Word of each device: not 0 = it is left alone. */
  readonly disabled: readonly { readonly device: string; readonly at: number }[];
  /** Not 0 = the link is not there any more: the port is given back, and the thread ends. */
  readonly stop: number;
  /** By tag, group by group: the number of its arming, 0 = not armed. */
  readonly armings: readonly number[];
  /** Read end of the wake pipe. */
  readonly wake: number;
  /** The clock of all threads. */
  readonly engineClock: SharedArrayBuffer;
  /** Of the profile: whether its time counts as certain without a time server. */
  readonly clock: Profile["clock"];
}

export type SerialMessage =
  | { readonly kind: "view"; readonly view: LinkView }
  | { readonly kind: "frames"; readonly pieces: readonly FramePiece[] }
  | { readonly kind: "ended"; readonly why: string };

export interface SerialEvents {
  wake(): void;
  /** The link's peer changed or its worker was started again: armings of its tags end (W3). */
  ended(why: string): void;
  /** The rows from … from + n are about to be published. */
  complete(ring: Ring, from: number, n: number): void;
}

/** Of one group: by which its rows come, and where the one under way is told of. */
interface Way {
  readonly bridge: Bridge;
  readonly open: OpenRow;
}

interface Waiting {
  readonly raw: Uint8Array;
  readonly write: boolean;
  readonly done: JobDone;
}

/**
 * The gate's side of a link that runs in a serial worker: rows come by bridges, commands go and
 * outcomes come by command rings, and whoever waits in `ppoll` is woken by one byte in a pipe.
 */
export class SerialPort implements LinkPort {
  readonly name: string;
  readonly #events: SerialEvents;
  readonly #world: World;
  readonly #tags: readonly Tag[];
  readonly #init: SerialInit;
  readonly #ways: readonly Way[];
  readonly #commands: CommandWriter;
  readonly #outcomes: CommandReader;
  readonly #outcomesInto: Ring;
  readonly #bell: Bell;
  readonly #latch: Word;
  readonly #stop: Word;
  readonly #watched: Word;
  readonly frames = new Frames();
  readonly #armings: readonly Word[];
  readonly #overrides: Overrides;
  /** By device: not 0 = it is left alone. */
  readonly #disabled: ReadonlyMap<string, Word>;
  readonly #pipe: WakePipe;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Thread | null = null;
  #view: LinkView;
  #nextId = 1;
  #startAt = 0;
  #starts = 0;
  #closed = false;

  constructor(
    plan: LinkPlan, locals: ReadonlyMap<string, Ring>, events: SerialEvents, world: World,
    clock: Profile["clock"], overrides: Overrides,
  ) {
    this.name = plan.link.name;
    this.#overrides = overrides;
    this.#events = events;
    this.#world = world;
    this.#tags = plan.groups.flatMap((group) => group.tags);
    const devices = [...new Set(plan.groups.map(({ device }) => device))];
    const records = (what: string, columns: readonly ColumnSpec[]): RingLayout =>
      Ring.layout(`${plan.link.name} ${what}`, columns, limits.commands_max);
    const commands = records("commands", commandColumns);
    const outcomes = records("outcomes", outcomeColumns);
    const groups = plan.groups.map((group) => locals.get(group.stream)!.layout);
    const arena = Arena.create(arenaBytes(
      [...groups, commands, commands, outcomes, outcomes], 4 + this.#tags.length + devices.length));
    const place = (layout: RingLayout): { ring: Ring; placed: Placed } => {
      const { ring } = Ring.create(arena, layout);
      return { ring, placed: { at: ring.at, layout } };
    };
    const placed = groups.map(place);
    this.#ways = placed.map(({ ring }, i) => {
      const { open } = locals.get(plan.groups[i]!.stream)!;
      assert(open !== null, `${plan.groups[i]!.stream} is polled`);
      open.reset(0);
      return { bridge: new Bridge(ring, locals.get(plan.groups[i]!.stream)!), open };
    });
    const [out, outInto, back, backInto] = [commands, commands, outcomes, outcomes].map(place);
    this.#commands = new CommandWriter(out!.ring);
    this.#outcomesInto = backInto!.ring;
    this.#outcomes = new CommandReader(back!.ring, this.#outcomesInto);
    this.#bell = Bell.create(arena, `${this.name} bell`);
    this.#latch = Word.create(arena, `${this.name} latch`);
    this.#stop = Word.create(arena, `${this.name} stop`);
    this.#watched = Word.create(arena, `${this.name} watched`);
    this.#armings = this.#tags.map((tag) => Word.create(arena, `${tag.id} arming`));
    this.#disabled = new Map(devices.map((device) =>
      [device, Word.create(arena, `${device} disabled`)]));
    this.#pipe = world.wakePipe();
    this.#init = {
      kind: "serial", link: plan.link, driver: plan.driver.type, buffer: arena.buffer,
      groups: plan.groups.map(({ tags, ...group }, i) => ({
        plan: group, specs: specsOf(tags), ring: placed[i]!.placed,
        open: openRowPlace(this.#ways[i]!.open),
      })),
      commands: out!.placed, commandsInto: outInto!.placed, outcomes: back!.placed,
      bell: this.#bell.at, latch: this.#latch.at, stop: this.#stop.at, watched: this.#watched.at,
      disabled: [...this.#disabled].map(([device, { at }]) => ({ device, at })),
      armings: this.#armings.map((word) => word.at), wake: this.#pipe.end, clock,
      engineClock: world.clock.shared,
    };
    this.#view = {
      name: this.name, type: plan.link.type, state: "closed", reason: "worker starting",
      since_ms: 0, peer: "", opens: 0, counters: {}, polls: [], stations: [],
    };
    void this.#listen();
  }

  get lost(): number {
    return this.#ways.reduce((sum, { bridge }) => sum + bridge.lost, 0);
  }

  get peer(): string {
    return this.#view.peer;
  }

  get open(): boolean {
    return this.#worker !== null && this.#view.state === "open";
  }

  /** Tells the worker what may be written: 0 = nothing for this tag (W11). */
  setArming(tag: string, number: number): void {
    const i = this.#tags.findIndex((t) => t.is(tag));
    if (i >= 0) this.#armings[i]!.set(number);
  }

  setLatch(latched: boolean): void {
    this.#latch.set(latched ? 1 : 0);
  }

  read(tag: DriverTag, raw: Uint8Array, notAfter: number, done: JobDone): boolean {
    return this.#send(READ, tag, raw, 0, notAfter, done);
  }

  write(tag: DriverTag, raw: Uint8Array, guard: Guard, done: JobDone): boolean {
    // The gate's own last look is now; the worker compares latch, arming and deadline last.
    const now = this.#world.clock.now();
    const until = guard.last(now);
    if (until === null) {
      done(BAD.disconnected, 0, false, NaN, null);
      return true;
    }
    return this.#send(WRITE, tag, raw, guard.arming, Math.min(guard.notAfter, until), done);
  }

  #send(
    kind: number, tag: DriverTag, raw: Uint8Array, arming: number, notAfter: number, done: JobDone,
  ): boolean {
    // Only a worker that told it is open is given commands: a new one discards what it finds.
    if (!this.open) {
      done(BAD.disconnected, 0, false, NaN, null);
      return true;
    }
    assert(raw.length <= raw_bytes_max, `the raw bytes of ${tag.id} fit their slot`);
    // No more under way than the ring of outcomes holds: none is ever left over.
    if (this.#waiting.size >= limits.commands_max) return false;
    const id = this.#nextId++;
    const index = this.#tags.findIndex((t) => t.is(tag.id));
    const sent = this.#commands.push((ring, seq) => {
      const { F, I, U } = ring.arena;
      const row = seq & ring.mask;
      const [idC, kindC, tagC, rawC, armingC, notAfterC] = ring.columns;
      F[idC!.payload + row] = id;
      F[kindC!.payload + row] = kind;
      F[tagC!.payload + row] = index;
      U.set(raw, rawC!.payload + row * rawC!.stride);
      I[rawC!.length + row] = raw.length;
      F[armingC!.payload + row] = arming;
      F[notAfterC!.payload + row] = notAfter;
    });
    if (!sent) return false;
    this.#waiting.set(id, { raw, write: kind === WRITE, done });
    this.#pipe.wake();
    return true;
  }

  step(now: number): number {
    if (this.#worker === null && now >= this.#startAt && !this.#closed) this.#start();
    this.#watched.set(this.frames.isWatched(now) ? 1 : 0);
    for (const [device, word] of this.#disabled) {
      word.set(this.#overrides.isDisabled(device) ? 1 : 0);
    }
    for (const { bridge, open } of this.#ways) {
      bridge.step(limits.rows_per_step_max, this.#events.complete);
      open.end(bridge.cursor);
    }
    while (this.#outcomes.pop()) this.#outcome();
    // A bridge moves at most half of its own ring: the rest comes in the next turn, at once.
    if (this.#ways.some(({ bridge }) => bridge.lag() > 0)) return now;
    return this.#worker === null ? this.#startAt : Infinity;
  }

  #outcome(): void {
    const { arena, columns, mask } = this.#outcomesInto;
    const row = this.#outcomes.seq & mask;
    const [idC, resultC, exceptionC, sentC, leftC, rawC, frameC] = columns;
    const id = arena.F[idC!.payload + row]!;
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    const from = rawC!.payload + row * rawC!.stride;
    if (!waiting.write) waiting.raw.set(arena.U.subarray(from, from + waiting.raw.length));
    const at = frameC!.payload + row * frameC!.stride;
    const frame = arena.U.slice(at, at + arena.I[frameC!.length + row]!);
    waiting.done(arena.F[resultC!.payload + row]!, arena.F[exceptionC!.payload + row]!,
      arena.F[sentC!.payload + row] !== 0, arena.F[leftC!.payload + row]!,
      frame.length > 0 ? frame : null);
  }

  view(_now: number): LinkView {
    return this.#view;
  }

  /** The worker gives its port back by itself: whoever comes next must get it. */
  close(): void {
    this.#closed = true;
    const worker = this.#worker;
    this.#worker = null;
    if (worker === null) return this.#pipe.close();
    this.#stop.set(1);
    this.#pipe.wake();
    const { timers } = this.#world;
    const late = timers.after(close_ms_max, () => worker.terminate());
    worker.addEventListener("close", () => {
      timers.clear(late);
      this.#pipe.close();
    });
  }

  #start(): void {
    const worker = this.#world.thread();
    this.#worker = worker;
    this.#starts += 1;
    worker.onmessage = (event: MessageEvent<SerialMessage>) => {
      if (this.#worker !== worker) return;
      this.#told(event.data);
      this.#events.wake();
    };
    const died = (why: string): void => {
      if (this.#worker === worker) this.#died(why);
    };
    worker.onerror = (event) => died(event.message);
    worker.addEventListener("close", () => died("the worker ended"));
    worker.postMessage(this.#init);
  }

  #told(message: SerialMessage): void {
    switch (message.kind) {
      case "view": this.#view = message.view; break;
      case "frames": for (const piece of message.pieces) this.frames.add(piece); break;
      case "ended": this.#events.ended(message.why); break;
      default: never(message, "message of a serial worker");
    }
  }

  /** W3, W15: armings end, and a command whose bytes may have left is unknown. */
  #died(why: string): void {
    this.#worker = null;
    this.#view = { ...this.#view, state: "closed", reason: why };
    const now = this.#world.clock.now();
    this.#startAt = now + Math.min(limits.reconnect_ms_max,
      limits.reconnect_ms_min * 2 ** Math.min(10, this.#starts));
    this.#world.log.error("link", `${this.name}: serial worker ended`, { reason: why });
    this.#events.ended("the link's worker was started again");
    for (const [id, waiting] of this.#waiting) {
      this.#waiting.delete(id);
      waiting.done(BAD.disconnected, 0, waiting.write, NaN, null);
    }
    this.#events.wake();
  }

  async #listen(): Promise<void> {
    while (!this.#closed) {
      const seen = this.#bell.get();
      this.#events.wake();
      await this.#world.sleep(this.#bell, seen, listen_ms_max);
    }
  }
}

function arenaBytes(rings: readonly RingLayout[], words: number): number {
  const bytes = rings.reduce((sum, layout) => sum + Arena.sizeOf(layout.bytes), 0);
  return bytes + words * Arena.block_bytes_min;
}
