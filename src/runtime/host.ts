import { limits, never } from "../base.ts";
import type { Connection } from "../connector.ts";
import { dayOf, type Box, type Command } from "../gate.ts";
import { Arena, Bell, Word, type Written } from "../ring.ts";
import { Commands, type FromTopic } from "./commands.ts";
import type { Kept } from "./change.ts";
import type { DurabilityStatus } from "./durability.ts";
import type { Components } from "./graph.ts";
import { Inspector } from "./inspect.ts";
import { Loop } from "./loop.ts";
import { ringPlace, type RingPlace } from "./place.ts";
import { Role } from "./role.ts";
import type { RoleName, Share } from "./share.ts";
import type { Past, StorePort } from "./store-port.ts";
import type {
  AlarmAct, ArmRequest, FrameView, LinkView, OverrideOrder, ProveRequest, RuleOrder,
} from "./view.ts";
import { type Breathe, pause, type World } from "./world.ts";
import { Writing } from "./writing.ts";

/** Bell of a role that reads, for whoever publishes. */
export interface BellPlace {
  readonly buffer: SharedArrayBuffer;
  readonly at: number;
}

/** What a role shows before it starts: its rings, its bell, its turn counter. */
export interface Offer {
  readonly role: RoleName;
  readonly rings: readonly RingPlace[];
  readonly bell: BellPlace;
  /** Turns taken, for W6. */
  readonly turns: BellPlace;
}

/** What a role begins with, on whichever thread. */
export interface RoleStart {
  readonly share: Share;
  readonly safeMode: boolean;
  readonly configRejected: boolean;
  readonly latched: string | null;
  /** Rules that a person stopped, in an earlier run too: name and why. */
  readonly stopped: Readonly<Record<string, string>>;
  /** The same of devices: name and who. */
  readonly disabled: Readonly<Record<string, string>>;
  readonly past: Past | null;
}

export interface HostOptions extends RoleStart {
  readonly components: Components;
  readonly world: World;
  readonly store: StorePort;
  /** What came by MQTT; the promise is the answer's text. */
  command(message: FromTopic): Promise<string>;
}

/** A turn at least this often, so that a standing turn counter means trouble (W6). */
const turn_ms_max = limits.stall_ms_max / 4;

export interface RoleStatus {
  readonly links: readonly LinkView[];
  readonly refused: readonly (readonly [string, string])[];
  readonly failed: readonly string[];
  readonly armed: readonly string[];
  /** Forced values and disabled devices, in words. */
  readonly overrides: readonly string[];
  readonly turns: number;
  readonly longest: number;
  readonly lengths: readonly number[];
  readonly clockSteps: number;
  readonly timeCertain: boolean;
  readonly lost: Readonly<Record<string, number>>;
  readonly durability: DurabilityStatus | null;
}

/**
 * One role on its thread: its share of the graph, its turns, and what `main` may ask of it. Every
 * public method is a call that may come from another thread: plain data in and out.
 */
export class RoleHost {
  readonly #options: HostOptions;
  readonly #role: Role;
  readonly #loop: Loop;
  #inspector: Inspector;
  /** Of its bell and its turns. */
  readonly #words: Arena;
  readonly #bell: Bell;
  readonly #turns: Word;
  #writing: Writing | null = null;
  #commands: Commands | null = null;
  #stopped = false;
  /** No turn before all that a checkpoint brings back is in its place. */
  #restored = false;

  constructor(options: HostOptions) {
    const { share, components, world } = options;
    this.#options = options;
    this.#loop = new Loop(world.clock, world.timers, this);
    this.#role = new Role(share, {
      components, world, active: !options.safeMode, disabled: options.disabled,
      breathe: breather(world), wake: this.#loop.wake, state: options.store.state,
      epoch: options.past?.epoch ?? 0,
      pathEnded: (link, why) => this.#writing?.pathEnded(link, why),
    });
    // Not in the role's arena: to the engine of each thread that sees it that is its own heap, and
    // the larger it is, the later it collects.
    this.#words = Arena.create(2 * Arena.block_bytes_min);
    this.#bell = Bell.create(this.#words, "bell");
    this.#turns = Word.create(this.#words, "turns");
    this.#inspector = new Inspector(this.#role);
  }

  /** Builds the first generation. */
  async prepareFirst(): Promise<Offer> {
    await this.#role.prepare(this.#options.share, null);
    return this.#offer();
  }

  /** Builds a generation beside the one that runs; `begin` or `abandon` follows. */
  async prepare(share: Share, kept: Kept): Promise<Offer> {
    await this.#role.prepare(share, kept);
    return this.#offer();
  }

  abandon(): void {
    this.#role.abandon();
    this.#writing?.resume();
  }

  #offer(): Offer {
    const { buffer } = this.#words;
    return {
      role: this.#options.share.role,
      rings: this.#role.offered.map(ringPlace),
      bell: { buffer, at: this.#bell.at },
      turns: { buffer, at: this.#turns.at },
    };
  }

  /** `offers` of the other roles: the bridges are built, then everything is opened. */
  async start(offers: readonly Offer[]): Promise<void> {
    this.#begin(offers);
    await this.#role.restore();
    this.#restored = true;
    for (const rule of this.#role.rules) {
      const why = this.#options.stopped[rule.name];
      if (why !== undefined) rule.stop(why);
    }
    if (this.#options.share.role !== "data") this.#startWriting();
    this.#role.release();
    this.#startCommands();
    if (offers.length > 0) void this.#listen();
    this.#loop.wake();
  }

  /**
   * Before a change: what it touches of the way to a machine is disarmed, and no command of it is
   * under way any more; what may be open only once is closed. False = a command did not end.
   */
  async quiesce(why: string): Promise<boolean> {
    if (await this.#writing?.retire(this.#role.kept!.kept.tags, why) === false) return false;
    await this.#role.letGo();
    return true;
  }

  /** The prepared generation is the one that runs, from the next turn on. */
  begin(offers: readonly Offer[], past: Past | null): void {
    const { kept } = this.#role.kept!;
    this.#begin(offers);
    this.#writing?.adopt(kept.tags, past);
    this.#loop.wake();
  }

  #begin(offers: readonly Offer[]): void {
    this.#role.begin(offers.flatMap((offer) => offer.rings), offers.map((offer) => offer.bell));
    this.#inspector = new Inspector(this.#role);
  }

  /** All roles have begun: nobody looks at the blocks of before. */
  release(): void {
    this.#role.release();
    // Never on the thread that polls; with one thread `main` does it.
    if (this.#options.share.role === "data") this.#options.world.shrink();
  }

  /** Where the rings that it fills lie, for who reads along. */
  places(): readonly RingPlace[] {
    const { rings, share } = this.#role;
    return share.streams.map(({ name }) => ringPlace(rings.get(name)!));
  }

  /** How many blocks of 2^k bytes a change could take. */
  free(): number[] {
    return this.#role.arena.free;
  }

  turn(now: number, time: number): number {
    if (!this.#restored) return now + turn_ms_max;
    const deadline = this.#role.turn(now, time);
    this.#commands?.step(now);
    // W17: without certain time a deadline by wall clock means nothing.
    if (this.#writing !== null) this.#writing.box.clockTrusted = this.#role.timeFlags() === 0;
    const next = this.#writing?.step(now, time) ?? Infinity;
    const waiting = this.#commands?.rest(now, this.#options.world.clock.now()) ?? Infinity;
    this.#turns.add(1);
    return Math.min(deadline, next, waiting, now + turn_ms_max);
  }

  #startWriting(): void {
    const { store, past, safeMode, configRejected, latched, world } = this.#options;
    const { clock } = world;
    const box: Box = {
      safeMode, configRejected, latched, auditTrouble: store.unavailable,
      clockTrusted: this.#role.timeFlags() === 0,
      day: dayOf(clock.time()), deadline_ms_max: limits.deadline_ms_max,
    };
    this.#writing = new Writing(this.#role, store, past, box, world, this.#loop.wake);
    if (latched !== null) void this.#writing.latch(latched);
  }

  /** W17: commands by MQTT, only where the configuration names a topic. */
  #startCommands(): void {
    const { share, command } = this.#options;
    const { commands } = share.gateway;
    if (commands === null || this.#role.share.commands === null) return;
    const connection: Connection = this.#role.connect(commands.link);
    const queue: Commands = new Commands({
      ask: command, wake: this.#loop.wake,
      pause: (ms) => pause(this.#options.world.timers, ms),
      answer: (text) => reply?.(`${commands.topic}/reply`, text),
    });
    const reply = connection.commands?.(commands.topic, (message) => queue.arrived(message));
    this.#commands = queue;
  }

  /** Rows or messages of other threads: one notify wakes this one. */
  async #listen(): Promise<void> {
    while (!this.#stopped) {
      const seen = this.#bell.get();
      this.#loop.wake();
      await this.#options.world.sleep(this.#bell, seen, turn_ms_max);
    }
  }

  status(): RoleStatus {
    const { clock } = this.#options.world;
    const dropped = this.#commands?.dropped ?? 0;
    return {
      links: this.#inspector.links(clock.now()),
      refused: [...this.#role.refused],
      failed: this.#role.rules.filter((rule) => rule.state === "failed")
        .map((rule) => `rule ${rule.name}: ${rule.reason}`),
      armed: this.#writing?.armed ?? [], overrides: this.#role.overrides.told,
      turns: this.#loop.turns, longest: this.#loop.longest, lengths: this.#loop.lengths,
      clockSteps: clock.steps, timeCertain: this.#role.timeFlags() === 0,
      lost: { ...this.#role.losses(), ...(dropped > 0 ? { commands: dropped } : {}) },
      durability: this.#role.durability,
    };
  }

  /** Traffic of a link past number `after`; null = it is none of this role's. */
  frames(link: string, after: number): FrameView[] | null {
    return this.#inspector.frames(link, after, this.#options.world.clock.now());
  }

  devices() {
    const { clock } = this.#options.world;
    return this.#inspector.devices(clock.now(), clock.time());
  }

  device(name: string) {
    const { clock } = this.#options.world;
    return this.#inspector.device(name, clock.now(), clock.time());
  }

  tag(id: string) {
    return this.#inspector.tag(id, this.#options.world.clock.time());
  }

  /** The gate's last decision on a tag, or null. */
  decision(id: string): Record<string, unknown> | null {
    return this.#writing?.lanes.get(id)?.last ?? null;
  }

  streams() {
    return this.#inspector.streams(this.#role.share.streams);
  }

  latest(stream: string) {
    return this.#inspector.latest(stream);
  }

  /** What a person puts over the readings of a device; a Fault if it cannot be. */
  override(order: OverrideOrder): void {
    const { overrides } = this.#role;
    const { clock } = this.#options.world;
    switch (order.kind) {
      case "disable":
        overrides.disable(order.device, order.by);
        this.#writing?.deviceEnded(order.device, `${order.device} was disabled by ${order.by}`);
        break;
      case "enable": overrides.disable(order.device, null); break;
      case "force": {
        const place = this.#inspector.placeOf(order.tag, order.value);
        overrides.force({ ...place, tag: order.tag, value: order.value, by: order.by,
          until: clock.now() + order.for_ms });
        break;
      }
      case "unforce":
        this.#inspector.place(order.tag);
        overrides.unforce(order.tag);
        break;
      default: never(order, "override");
    }
    this.#loop.wake();
  }

  /** What a person wants of one rule. */
  rule({ rule: name, order, by }: RuleOrder): void {
    const rule = this.#role.rule(name);
    switch (order) {
      case "start": if (rule.state === "stopped") rule.begin(); break;
      case "stop": rule.stop(`stopped by ${by}`); break;
      case "restart": rule.begin(); break;
      case "reset":
        this.#writing?.inputsEnded(name, `the state of the rule ${name} was reset by ${by}`);
        rule.reset();
        break;
      default: never(order, "order");
    }
    this.#loop.wake();
  }

  tables() {
    return this.#inspector.tables();
  }

  rules() {
    return this.#inspector.rules(this.#role.share.rules);
  }

  alarms() {
    return this.#role.alarms.list(this.#options.world.clock.time());
  }

  operate(act: AlarmAct) {
    return this.#role.alarms.operate(act, this.#options.world.clock.time());
  }

  restoreShelves(shelves: Parameters<Role["alarms"]["restore"]>[0]): void {
    this.#role.alarms.restore(shelves);
  }

  take(command: Command) {
    return this.#writing!.take(command);
  }

  proof(tag: string, value: Written | null) {
    return this.#writing!.proof(tag, value);
  }

  arm(request: ArmRequest) {
    return this.#writing!.arm(request);
  }

  /** `pathHash` of each tag that the policy names, null while its link has no peer. */
  paths(): Record<string, string | null> {
    const lanes = [...this.#writing?.lanes.values() ?? []];
    return Object.fromEntries(lanes.map(({ id, state }) => [id, state.hash]));
  }

  prove(request: ProveRequest, claim: "new" | "known" | "unknown") {
    return this.#writing!.prove(request, claim);
  }

  async latch(by: string | null): Promise<void> {
    await this.#writing?.latch(by);
  }

  /** The store could be opened at last. */
  past(past: Past): void {
    this.#writing?.remember(past);
  }

  async stop(): Promise<void> {
    await this.#writing?.stop();
    this.#stopped = true;
    this.#loop.stop();
    await this.#role.stop();
  }
}

/** Work that is done in pieces beside the turns may hold its thread for so long at a time. */
const piece_ms_max = 4;

/** Between two pieces: the turns that are due come first. */
export function breather({ clock, timers }: Pick<World, "clock" | "timers">): Breathe {
  let began = clock.now();
  return async () => {
    if (clock.now() - began < piece_ms_max) return;
    await pause(timers, piece_ms_max);
    began = clock.now();
  };
}

/** The names that `main` may call on another thread. */
export const hostCalls = [
  "status", "devices", "device", "frames", "tag", "decision", "streams", "latest", "rules",
  "tables", "alarms", "operate", "override", "restoreShelves", "take", "proof", "paths", "arm",
  "prove", "latch", "past", "prepare", "abandon", "quiesce", "begin", "release", "free", "places",
  "rule", "stop",
] as const;

export type HostCalls = {
  [Name in (typeof hostCalls)[number]]:
    (...args: Parameters<RoleHost[Name]>) => Promise<Awaited<ReturnType<RoleHost[Name]>>>;
};
