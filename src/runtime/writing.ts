import { Fault, limits } from "../base.ts";
import type { Gateway, Link, Tag } from "../config.ts";
import type { AnyDriver, Broadcast } from "../driver.ts";
import {
  dayOf, decide, keyOf, proveCommand, refuse, refusedOutcome, ruleCommand, tryArm, type Arming,
  type Box, type Command, type Outcome, type ReadResult, type Refusal, type TagState,
} from "../gate.ts";
import {
  BAD, GOOD, readCell, readsAsNull, stateName, UNCERTAIN, type Column, type Ring,
  type Written,
} from "../ring.ts";
import { lookAround } from "./broadcast.ts";
import { Lane, type Answer } from "./lane.ts";
import { Record } from "./record.ts";
import type { Role } from "./role.ts";
import type { Past, StorePort } from "./store-port.ts";
import type { ArmRequest, ProofView, ProveRequest } from "./view.ts";
import { tagsAfter } from "./share.ts";
import { pause, type World } from "./world.ts";

/** What became of a command: plain data, it crosses threads. */
export interface Taken {
  readonly outcome: Outcome;
  readonly refusal: Refusal | null;
  readonly means: Written | null;
}

/** A rule's column that is written to a tag. */
interface RuleWrite {
  readonly rule: string;
  readonly lane: Lane;
  readonly ring: Ring;
  readonly column: Column;
  readonly oldest: Column;
  /** Sequence of the ring's first row: a ring made anew goes on where the one before ended. */
  readonly base: number;
  cursor: number;
}

interface Place {
  readonly tag: Tag;
  readonly driver: AnyDriver;
  readonly link: Link;
  readonly interval: number;
  readonly ring: Ring;
}

const not_open_yet = "the store is not open yet";

/** A proof by writing takes as long as its reads, its commit and its frame, and no longer (ms). */
const prove_ms = 5000;

/** Between two looks whether a command is still under way (ms). */
const look_ms = 2;

/** Everything about writing in one role: lanes, rules' targets, commands from outside, arming. */
export class Writing {
  readonly box: Box;
  readonly lanes = new Map<string, Lane>();
  readonly #role: Role;
  readonly #store: StorePort;
  #past: Past | null = null;
  readonly #world: World;
  readonly #record: Record;
  #places: ReadonlyMap<string, Place> = new Map();
  #rules: readonly RuleWrite[] = [];
  /** Beyond the number of every row that a rule wrote by. */
  #base = 0;
  /** What is known of tags that were written before a change took them away. */
  readonly #known = new Map<string, TagState>();
  readonly #wake: () => void;
  #stopping = false;

  constructor(
    role: Role, store: StorePort, past: Past | null, box: Box, world: World, wake: () => void,
  ) {
    this.#role = role;
    this.#store = store;
    this.#world = world;
    this.#wake = wake;
    this.box = box;
    this.#record = new Record(store, world.clock, role.gateway, wake);
    this.adopt(new Set(), null);
    if (past !== null) this.remember(past);
  }

  /**
   * The role runs another generation: lanes of tags that nothing touched go on, armed as they are;
   * the others are made anew, knowing what is known of their tags. `past` tells of new ones.
   */
  adopt(kept: ReadonlySet<string>, past: Past | null): void {
    this.#record.adopt(this.#gateway);
    this.#places = this.#findPlaces();
    for (const [id, lane] of this.lanes) {
      if (kept.has(id)) continue;
      this.lanes.delete(id);
      this.#known.set(id, lane.state);
    }
    for (const [id, place] of this.#places) {
      if (this.lanes.has(id)) continue;
      const lane = this.#addLane(id, place);
      const known = this.#known.get(id);
      if (known !== undefined) lane.state.inherit(known);
      else if (past !== null) this.#recall(lane, past);
    }
    this.#rules = this.#findRules();
    if (this.box.latched === null) return;
    for (const link of this.#role.links.values()) link.setLatch?.(true);
  }

  /**
   * W3: tags that a change touches are disarmed, and take nothing more. False = a command did not
   * end in time.
   */
  async retire(kept: ReadonlySet<string>, why: string): Promise<boolean> {
    const lanes = [...this.lanes.values()].filter((lane) => !kept.has(lane.id));
    for (const lane of lanes) {
      lane.retired = true;
      lane.end(why);
    }
    const { clock, timers } = this.#world;
    const deadline = clock.now() + limits.disarm_ms_max;
    const isBusy = (): boolean => lanes.some((lane) => lane.state.busy !== null || lane.onTheWire);
    while (isBusy() && clock.now() < deadline) await pause(timers, look_ms);
    return !isBusy();
  }

  /** The change was given up. */
  resume(): void {
    for (const lane of this.lanes.values()) lane.retired = false;
  }

  get #gateway(): Gateway {
    return this.#role.gateway;
  }

  /** Once a turn, after the rules. */
  step(now: number, time: number): number {
    this.box.day = dayOf(time);
    this.box.auditTrouble = this.#past === null ? not_open_yet : this.#store.unavailable;
    let next = Infinity;
    for (const lane of this.lanes.values()) {
      next = Math.min(next, lane.step(now, time, this.#stopping));
    }
    for (const write of this.#rules) this.#follow(write, now, time);
    this.#record.commit();
    return next;
  }

  /** Orderly stop: onLoss of every armed tag, then no more (W19). */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake();
    const { clock, timers } = this.#world;
    const deadline = clock.now() + limits.disarm_ms_max;
    while (clock.now() < deadline && [...this.lanes.values()].some((lane) =>
      lane.state.arming !== null || lane.state.busy !== null)) await pause(timers, look_ms);
    this.#record.commit();
  }

  /** W7: any command, whoever it comes from; the promise is its outcome. */
  take(command: Command): Promise<Taken> {
    return new Promise((resolve) => {
      const answer: Answer = (outcome, refusal, means) => resolve({ outcome, refusal, means });
      const lane = this.lanes.get(command.tag);
      if (lane !== undefined) return lane.take(command, answer);
      resolve(this.#refused(command, this.#withoutLane(command)));
    });
  }

  #refused(command: Command, refusal: Refusal): Taken {
    this.#record.refused(command, refusal);
    return { outcome: refusedOutcome(refusal.code), refusal, means: null };
  }

  /** A tag that nothing may write: the gate says why. */
  #withoutLane(command: Command): Refusal {
    const verdict = decide(command, null, { box: this.box, tag: null }, this.#world.clock.now());
    if (verdict.admit) throw new Error("bug: the gate admitted a tag without a policy");
    const known = this.#gateway.devices.some((device) =>
      device.groups.some((group) => group.tags.some((tag) => tag.is(command.tag))));
    return known && verdict.code === "unknown-tag"
      ? refuse("no-policy", { tag: command.tag }) : verdict;
  }

  /** W2 */
  async proof(id: string, value: Written | null): Promise<ProofView> {
    const { lane, place } = this.#laneOf(id);
    const { broadcast } = place.driver;
    if (broadcast?.is(place.tag)) return this.#broadcastProof(lane, place, broadcast, value);
    const { read, raw } = orThrow(await this.#read(lane));
    if (read.state !== GOOD || lane.state.hash === null) {
      throw asFault(refuse("unread", { tag: id, state: stateName(read.state) }));
    }
    const { tag, driver } = place;
    const wordOrders = typeof read.value === "string" ? []
      : ["ABCD", "CDAB", "BADC", "DCBA"] as const;
    const orders = Object.fromEntries(wordOrders.map((wordOrder) =>
      [wordOrder, driver.decode(tag.with({ wordOrder }), raw)]));
    return { ...await this.#saveProof(lane, raw.toHex()), raw: raw.toHex(), value: read.value,
      eu: tag.eu, orders, broadcast: null };
  }

  /** W2 of what cannot be read: a person sees what a write would be, and whom it reaches. */
  async #broadcastProof(
    lane: Lane, { tag }: Place, broadcast: Broadcast, value: Written | null,
  ): Promise<ProofView> {
    const { id } = lane;
    if (value === null) {
      throw asFault(refuse("broadcast", { tag: id, why: "it cannot be read, nor proved by " +
        "writing; name a value (arm --value) to see the frame that it would be" }));
    }
    const encoded = lane.state.facts.encode(value);
    if (typeof encoded === "string") {
      throw asFault(refuse("does-not-fit", { tag: id, value, why: encoded }));
    }
    if (lane.state.hash === null) throw asFault(refuse("link-down", { tag: id }));
    const plan = this.#role.share.links.find(({ link }) => link.name === lane.port.name)!;
    const view = await lookAround(broadcast, tag, encoded, plan, lane.port, this.#world.clock);
    return { ...await this.#saveProof(lane, view.frame), raw: "", value: null, eu: tag.eu,
      orders: {}, broadcast: view };
  }

  async #saveProof(
    { id, state, port: { peer } }: Lane, words: string,
  ): Promise<Pick<ProofView, "tag" | "hash" | "peer">> {
    const proof = { tag: id, hash: state.hash!, peer };
    await this.#store.saveProof({ ...proof, words, who: "socket",
      time: this.#world.clock.time() });
    return proof;
  }

  async arm(request: ArmRequest): Promise<{ tag: string; number: number; until: number }> {
    const { lane, place } = this.#laneOf(request.tag);
    const { read } = orThrow(await this.#read(lane));
    const { number, until } = orThrow(await this.#arm(request, lane, place, read, null));
    const { clock } = this.#world;
    return { tag: request.tag, number, until: clock.time() + (until - clock.now()) };
  }

  /**
   * The present value is written back unchanged and read again: a command with an arming of its
   * own, which is for nothing else and ends with it. `claim`: whether its id came before.
   */
  async prove(ask: ProveRequest, claim: "new" | "known" | "unknown"): Promise<Taken> {
    const { clock } = this.#world;
    const commandOf = (value: Written): Command =>
      proveCommand(ask, value, claim, clock.now(), clock.now() + prove_ms);
    const lane = this.lanes.get(ask.tag);
    const place = this.#places.get(ask.tag);
    if (lane === undefined || place === undefined) return this.take(commandOf(NaN));
    const got = await this.#read(lane, clock.now() + prove_ms);
    if ("admit" in got) return this.#refused(commandOf(NaN), got);
    const { read } = got;
    const command = commandOf(read.value);
    const { state } = lane;
    const foreseen = read.state === GOOD || state.facts.broadcast ? lane.foresee(command)
      : refuse("unread", { tag: lane.id, state: stateName(read.state) });
    if (foreseen !== null) return this.#refused(command, foreseen);
    const arming = await this.#arm({ ...ask, for_ms: prove_ms }, lane, place, read,
      keyOf(command));
    if ("admit" in arming) return this.#refused(command, arming);
    const taken = await this.take(command);
    if (state.arming?.number === arming.number) lane.end("its one command is over");
    return taken;
  }

  /** W1..W3: the row is durable before the arming takes effect. */
  async #arm(
    request: ArmRequest, lane: Lane, place: Place, read: ReadResult, only: string | null,
  ): Promise<Arming | Refusal> {
    const { tag: id, for_ms, by, proof } = request;
    const number = await this.#store.nextArming();
    if (number === null) return refuse("audit-unavailable", { why: this.#store.unavailable });
    const stored = (await this.#store.proof(id))?.hash ?? null;
    const minutes_max = limits.arm_minutes_max;
    await this.#betweenCommands(lane);
    const arming = tryArm({ for_ms, by, proof, stored, number, minutes_max, read, only },
      lane.policy, this.box, lane.known().tag, this.#world.clock.now());
    if ("admit" in arming) return arming;
    const time = this.#world.clock.time();
    const { tag } = place;
    const { policyHash, configHash } = this.#gateway;
    const durable = await this.#store.beginArming({
      number, tag: id, who: by, hash: arming.hash, peer: lane.port.peer, policyHash, configHash,
      station: tag.station, at: tag.at, type: tag.type, wordOrder: tag.wordOrder,
      scale: tag.scale, offset: tag.offset, begins: time, until: time + for_ms,
    });
    const refusal = durable ? await lane.arm(arming, read)
      : refuse("audit-unavailable", { why: this.#store.unavailable });
    if (refusal !== null) {
      this.#store.endArming(number, refusal.sentence);
      return refusal;
    }
    this.#wake();
    return arming;
  }

  /**
   * W4: resolves once no admitted command can still leave: with the latch in place no last look
   * lets one pass, so it is the frames that wait for their answers. Who does not answer soon is
   * given up: the rest of the plant must not end with a disarm that takes too long.
   */
  async latch(by: string | null): Promise<void> {
    this.box.latched = by;
    for (const link of this.#role.links.values()) link.setLatch?.(by !== null);
    if (by === null) return;
    for (const lane of this.lanes.values()) lane.end(`disarmed by ${by}`);
    this.#wake();
    const { clock, timers } = this.#world;
    const waiting = (): Lane[] => [...this.lanes.values()].filter((lane) => lane.onTheWire);
    const until = clock.now() + limits.disarm_patience_ms;
    while (waiting().length > 0 && clock.now() < until) await pause(timers, look_ms);
    for (const { port } of waiting()) port.giveUpWrite?.();
    while (waiting().length > 0) await pause(timers, look_ms);
  }

  /** W3: the path to these tags was broken: another peer, another worker. */
  pathEnded(link: string, why: string): void {
    for (const lane of this.lanes.values()) if (lane.port.name === link) lane.pathEnded(why);
  }

  /** Who leaves a device alone does not mean to write to it when it is asked again. */
  deviceEnded(device: string, why: string): void {
    const link = this.#gateway.devices.find(({ name }) => name === device)?.link;
    for (const lane of this.lanes.values()) {
      const isReached = lane.state.facts.broadcast && lane.port.name === link;
      if (isReached || lane.id.startsWith(`${device}.`)) lane.pathEnded(why);
    }
  }

  /** W3: what these tags' values are made of has changed in one rule on their way. */
  inputsEnded(rule: string, why: string): void {
    for (const tag of tagsAfter(this.#role.share.rules, rule)) this.lanes.get(tag)?.end(why);
  }

  get armed(): string[] {
    return [...this.lanes.values()].filter((lane) => lane.state.arming !== null).map((l) => l.id);
  }

  /** The rule's newest row is its command; rows it was too slow for are superseded, not queued. */
  #follow(write: RuleWrite, now: number, time: number): void {
    const { ring, lane } = write;
    if (ring.head === write.cursor) return;
    write.cursor = ring.head;
    const seq = (ring.head - 1) | 0;
    const row = seq & ring.mask;
    const { F, U } = ring.arena;
    const state = U[write.column.state + row]!;
    const oldest = now - (time - F[write.oldest.payload + row]!);
    const value = readsAsNull(state) ? null : readCell(ring, write.column, seq);
    const asked = typeof value === "bigint" ? Number(value) : value;
    const inputs = { oldest, state, flags: U[ring.flagsAt + row]! };
    const command = ruleCommand(write.rule, lane.id, asked, inputs,
      { epoch: this.#past?.epoch ?? 0, sequence: (seq + write.base) | 0 }, now);
    lane.take(command, () => {});
  }

  /** A tag that is written without a pause stays busy, and is refused for it. */
  async #betweenCommands(lane: Lane): Promise<void> {
    const { clock, timers } = this.#world;
    const until = clock.now() + limits.arm_wait_ms_max;
    while (lane.state.busy !== null && clock.now() < until) await pause(timers, look_ms);
  }

  #laneOf(id: string): { lane: Lane; place: Place } {
    const lane = this.lanes.get(id);
    if (lane === undefined) throw asFault(refuse("no-policy", { tag: id }));
    return { lane, place: this.#places.get(id)! };
  }

  /** `notAfter`: monotonic ms; a person who arms waits as long as the link itself does. */
  #read(
    lane: Lane, notAfter = Infinity,
  ): Promise<{ read: ReadResult; raw: Uint8Array } | Refusal> {
    return new Promise((resolve) => {
      if (!lane.read(notAfter, (read, raw) => resolve({ read, raw }))) {
        resolve(refuse("busy", { tag: lane.id }));
      }
      this.#wake();
    });
  }

  #findPlaces(): Map<string, Place> {
    const { gateway, share: { links } } = this.#role;
    const places = new Map<string, Place>();
    for (const plan of links) {
      for (const group of plan.groups) {
        for (const tag of group.tags) {
          if (gateway.policy[tag.id] === undefined) continue;
          places.set(tag.id, {
            tag, driver: plan.driver, link: plan.link, interval: group.interval,
            ring: this.#role.rings.get(group.stream)!,
          });
        }
      }
    }
    return places;
  }

  /** W18: rows of a ring that was made anew have numbers that none in this epoch had. */
  #findRules(): RuleWrite[] {
    const before = this.#rules;
    const base = this.#base = before.reduce((most, { ring, base: from }) =>
      Math.max(most, from + (ring.head >>> 0)), this.#base);
    return this.#role.rules.flatMap(({ name: rule, output: ring, plan }) =>
      plan.rule.to.flatMap((target): RuleWrite[] => {
        const lane = target.kind === "write" ? this.lanes.get(target.tag) : undefined;
        if (target.kind !== "write" || lane === undefined) return [];
        const was = before.find((one) => one.rule === rule && one.ring === ring);
        const cursor = was?.lane === lane ? was.cursor : ring.head;
        return [{ rule, lane, ring, cursor, base: was?.base ?? base,
          column: ring.column(target.from)!, oldest: ring.column("$oldest")! }];
      }));
  }

  /** W15: what the last run left open is unknown, and blocks until a read settles it. */
  remember(past: Past): void {
    this.#past = past;
    for (const lane of this.lanes.values()) this.#recall(lane, past);
  }

  #recall(lane: Lane, { abandoned, writes, lastSent }: Past): void {
    const time = this.#world.clock.time();
    const now = this.#world.clock.now();
    const open = abandoned.findLast((row) => row.tag === lane.id);
    lane.state.restore(open === undefined ? null : { means: open.means, before: open.read },
      writes[lane.id] ?? 0, dayOf(time), now);
    const sent = lastSent[lane.id] ?? null;
    if (sent !== null) lane.state.lastWriteAt = now - Math.max(0, time - sent);
  }

  #addLane(id: string, place: Place): Lane {
    const lane = new Lane({
      ...place, port: this.#role.links.get(place.link.name)!, policy: this.#gateway.policy[id]!,
      permit: this.#role.permits.get(id) ?? null,
      clock: this.#world.clock, log: this.#world.log,
      box: this.box, audit: this.#record, wake: this.#wake,
      armingEnded: (number, why) => this.#store.endArming(number, why),
      isOverridden: (tag) => this.#isOverridden(tag),
      leftAlone: () => this.#leftAlone(place.link.name),
    });
    this.lanes.set(id, lane);
    return lane;
  }

  #leftAlone(link: string): string | null {
    const alone = this.#gateway.devices.find((device) =>
      device.link === link && this.#role.overrides.isDisabled(device.name));
    return alone?.name ?? null;
  }

  /** Also while the newest row still says so. */
  #isOverridden(tag: string): boolean {
    if (this.#role.overrides.has(tag)) return true;
    const state = this.#role.newestState(tag);
    return state === UNCERTAIN.forced || state === BAD.disabled;
  }
}

function orThrow<T extends object>(got: T | Refusal): T {
  if ("admit" in got) throw asFault(got);
  return got;
}

/** A refusal of arming or proof, as the API answers it. */
function asFault({ code, sentence, values }: Refusal): Fault {
  return new Fault(code, sentence, values);
}
