import { Fault, limits } from "../base.ts";
import type { Gateway, Link } from "../config.ts";
import type { Connection, Connector } from "../connector.ts";
import type { ClientDriver, Driver } from "../driver.ts";
import { sentenceOf } from "../gate.ts";
import { Arena, Bell, type Block, Bridge, type Column, FLAG, type Ring } from "../ring.ts";
import { arenaBytes, isCarried } from "./blocks.ts";
import type { Kept } from "./change.ts";
import { doubt } from "./doubt.ts";
import { Durability, type DurabilityStatus } from "./durability.ts";
import {
  connectionOf, Generation, isOwn, linkOf, type Import, type Permit, type RunningSource,
} from "./generation.ts";
import type { Components, GroupPlan, LinkPlan, Outflow } from "./graph.ts";
import { Alarms } from "./alarms.ts";
import { ClosedPort } from "./closed-port.ts";
import { Frames, type Tap } from "./frames.ts";
import { LinkRunner } from "./link.ts";
import type { LinkGroup } from "./poll.ts";
import { ClientPort, ClientRows } from "./client-port.ts";
import { LocalPort, type LinkPort } from "./port.ts";
import type { Journal } from "./journal.ts";
import { RuleState } from "./rule-state.ts";
import { Round, type Inflow, type Reading } from "./round.ts";
import type { RuleRunner } from "./rule.ts";
import type { BellPlace } from "./host.ts";
import { ringAt, type RingPlace } from "./place.ts";
import { SerialPort } from "./serial.ts";
import { Overrides } from "./overrides.ts";
import { rulesToWrites, type Share } from "./share.ts";
import { SinkRunner } from "./sink.ts";
import type { StatePort } from "./store-port.ts";
import { timeFlags } from "./time-flags.ts";
import type { Breathe, World } from "./world.ts";

export interface RoleOptions {
  readonly components: Components;
  readonly world: World;
  /** False in safe mode: reading and API on; rules, models and sinks off. */
  readonly active: boolean;
  readonly breathe: Breathe;
  readonly state: StatePort;
  /** Devices that a person disabled, in an earlier run too, and who. */
  readonly disabled: Readonly<Record<string, string>>;
  /** Of this start, 0 while the store could not be read. */
  readonly epoch: number;
  wake(): void;
  pathEnded(link: string, why: string): void;
}

/**
 * One thread's share of the work: links, sources, rules, sinks over one arena. A turn moves each in
 * topological order; nothing in it waits. What it reads of another role comes by a bridge.
 *
 * A generation is its share of one configuration. The first one comes as every other does: it is
 * prepared beside what runs (nothing, then), begins in one step between two turns, and what it did
 * not keep is given back.
 */
export class Role {
  readonly arena: Arena;
  readonly alarms = new Alarms();
  readonly #options: RoleOptions;
  #now: Generation;
  #next: Generation | null = null;
  /** What ran before, until everybody has left it. */
  #left: Generation | null = null;
  /** What was taken before the prepared one. */
  #held: ReadonlySet<Block> = new Set();
  /** null in safe mode, and where the rules are those on the way to a write. */
  readonly #durability: Durability | null;
  readonly overrides: Overrides;
  /** Columns of groups that their device is asked for: all but constants. */
  readonly #asked = new WeakMap<Ring, readonly Column[]>();
  #round: Round;
  #readers: readonly Bell[] = [];
  /** Its streams that are not of rules, and the sum of their heads. */
  #filled: readonly Ring[] = [];
  #published = 0;

  get world(): World {
    return this.#options.world;
  }

  get components(): Components {
    return this.#options.components;
  }

  /** A turn soon: something came. */
  get wake(): () => void {
    return this.#options.wake;
  }

  /** The arena has room for `first`, and the reserve for changes. */
  constructor(first: Share, options: RoleOptions) {
    this.#options = options;
    this.arena = Arena.create(arenaBytes(first));
    const { gateway } = first;
    this.overrides = new Overrides(options.disabled,
      { now: () => options.world.clock.now(), log: options.world.log });
    const nothing: Share = { role: first.role, gateway, streams: [], imports: [], links: [],
      rules: [], permits: [], sources: [], sinks: [], tables: [], commands: null };
    this.#now = new Generation(nothing, null, this);
    this.#round = new Round(options.world.clock, []);
    const { active, state: port, epoch, wake, world } = options;
    this.#durability = !active || first.role === "control" ? null : new Durability({
      port, epoch, wake, log: world.log, interval: gateway.store.checkpoint,
      journal_bytes_max: gateway.store.stateMB * 2 ** 19,
      time: () => world.clock.time(), begin: (journal) => this.#beginSource(journal),
    });
  }

  /** Of rows that are made now. */
  readonly timeFlags = (): number =>
    timeFlags(this.#options.world.clock, this.gateway.profile.clock);

  get durability(): DurabilityStatus | null {
    return this.#durability?.status ?? null;
  }

  /** Rows of a group before anybody reads them. */
  readonly #complete = (ring: Ring, from: number, n: number): void => {
    this.overrides.apply(ring, from, n);
    doubt(ring, from, n, this.#asked.get(ring)!);
  };

  /** After the first generation has begun, and before its first turn. */
  async restore(): Promise<void> {
    await this.#durability?.restore(this.#options.world.clock.now());
    this.#durability?.start();
  }

  get gateway(): Gateway {
    return this.#now.gateway;
  }

  get share(): Share {
    return this.#now.share;
  }

  get rings(): ReadonlyMap<string, Ring> {
    return this.#now.rings;
  }

  get links(): ReadonlyMap<string, LinkPort> {
    return this.#now.links;
  }

  get rules(): readonly RuleRunner[] {
    return this.#now.rules;
  }

  /** State of a tag's newest cell, null before the first row and of constants. */
  newestState(tag: string): number | null {
    for (const { groups } of this.share.links) {
      for (const { device, stream, tags } of groups) {
        if (!tag.startsWith(`${device}.`)) continue;
        const found = tags.find((one) => one.is(tag));
        const ring = this.rings.get(stream)!;
        if (found === undefined || ring.head === 0) continue;
        const { state } = ring.columns[found.column]!;
        return ring.arena.U[state + ((ring.head - 1) & ring.mask)]!;
      }
    }
    return null;
  }

  get permits(): ReadonlyMap<string, Permit> {
    return this.#now.permits;
  }

  get connections(): ReadonlyMap<string, Connection> {
    return this.#now.connections;
  }

  get tables(): Generation["tables"] {
    return this.#now.tables;
  }

  get refused(): ReadonlyMap<string, string> {
    return this.#now.refused;
  }

  /** A rule of this role that could be started; a Fault says why there is none. */
  rule(name: string): RuleRunner {
    const found = this.rules.find((rule) => rule.name === name);
    if (found !== undefined) return found;
    throw new Fault("rule-off", `The rule ${name} is off: ${this.whyOff(name)}`, { name });
  }

  /** Of a rule that there is no runner of. */
  whyOff(name: string): string {
    return this.refused.get(`rule ${name}`) ?? sentenceOf("safe-mode", {});
  }

  /** What the prepared generation keeps of the one that runs; null = everything is new. */
  get kept(): Generation["inherited"] {
    return this.#next?.inherited ?? null;
  }

  /** Builds a generation in the reserve, beside the one that runs; the first keeps nothing. */
  async prepare(share: Share, kept: Kept | null): Promise<void> {
    const { active, breathe } = this.#options;
    await this.#loadConnectors(share);
    for (const { driver, link } of share.links) {
      if (driver.medium !== "client" || link.closed === true) continue;
      await driver.load(clientDirectory(this.#options.world, link.type));
    }
    const inherited = kept === null ? null : { kept, before: this.#now.share };
    this.#next = new Generation(share, inherited, this);
    this.#held = new Set(this.arena.blocks());
    this.arena.unseal();
    try {
      await this.#next.build(kept === null ? null : this.#now, active, breathe);
    } catch (thrown) {
      this.abandon();
      throw thrown;
    }
  }

  /** Of what this role connects to: a library costs each thread that has it some MiB. */
  async #loadConnectors(share: Share): Promise<void> {
    const { components } = this.#options;
    const { gateway } = share;
    const types = new Set([...share.sources.map(({ type }) => type),
      ...share.sinks.map(({ sink }) => gateway.sinks.find(({ name }) => name === sink)!.type),
      ...gateway.links.filter(({ name }) => name === share.commands).map(({ type }) => type)]);
    for (const connector of components.connectors) {
      if (types.has(connector.type)) await connector.load?.();
    }
  }

  /** Rings of the prepared generation, which other roles may bridge. */
  get offered(): readonly Ring[] {
    return this.#next!.share.streams.map(({ name }) => this.#next!.rings.get(name)!);
  }

  /**
   * Gives a prepared generation up: nothing of it has begun. Also blocks that nobody has yet, as
   * it failed between taking and using them.
   */
  abandon(): void {
    const next = this.#next;
    if (next !== null) {
      for (const block of this.arena.blocks()) if (!this.#held.has(block)) this.arena.give(block);
      this.#close(next, this.#now);
    }
    this.#next = null;
    this.arena.seal();
  }

  /**
   * What is open only once is closed before its successor opens it: brokers know a client by its
   * name. Rows for them wait in their rings.
   */
  async letGo(): Promise<void> {
    const { kept } = this.#next!.inherited!;
    await Promise.all([...this.#now.connections]
      .filter(([name]) => this.#now.hasLink(name) && !kept.connections.has(linkOf(name)))
      .map(([, connection]) => connection.close()));
  }

  /** Between two turns: the prepared generation is the one that runs. */
  begin(places: readonly RingPlace[], readers: readonly BellPlace[]): void {
    const before = this.#now;
    const next = this.#next!;
    this.#now = next;
    this.#next = null;
    this.#left = before;
    this.overrides.keep(new Set(next.rings.values()));
    this.#readers = readers.map(({ buffer, at }) => Bell.attach(Arena.attach(buffer), at));
    for (const layout of next.share.imports) {
      const place = places.find(({ stream }) => stream === layout.name)!;
      next.imports.push(this.#import(place, before));
    }
    const ran = new Map(before.rules.map((rule) => [rule.name, rule]));
    const plans = new Map(next.share.rules.map((plan) => [plan.rule.name, plan]));
    const open = new Set(before.windows.values());
    const served = Map.groupBy(next.rules, ({ window }) => window);
    for (const window of next.windows.values()) {
      window.serve(served.get(window) ?? []);
      if (!open.has(window)) window.open(this.#options.world.clock.time());
    }
    for (const rule of next.rules) {
      const was = ran.get(rule.name);
      rule.adopt(plans.get(rule.name)!);
      if (was === rule) continue;
      rule.begin();
      // Whoever stopped it meant the rule, whatever its text.
      if (was?.state === "stopped") rule.stop(was.reason);
    }
    this.alarms.follow(next.rules);
    this.#beginLinks(before);
    this.#beginConnections(before);
    this.#beginDurability(before);
  }

  /**
   * Rules that no machine is written by go on where they were; one on the way to a write begins
   * anew, as arming does, so that the gate need trust no state of before (W18).
   */
  #beginDurability(before: Generation): void {
    const { share, rings, rules, sinks, journals, imports } = this.#now;
    for (const [name, journal] of before.journals) {
      if (journals.get(name) === journal) continue;
      journals.get(name)?.follow(journal);
      journal.close();
    }
    const inflows = new Map<string, Set<Inflow>>([
      ...[...rings].flatMap(([name, ring]): [string, Set<Inflow>][] =>
        (ring.open === null ? [] : [[name, new Set([ring])]])),
      ...imports.map(({ stream, bridge }): [string, Set<Inflow>] => [stream, new Set([bridge])])]);
    const order: Reading[] = [];
    const ordered = new Set<RuleRunner>();
    const writing = rulesToWrites(share.rules);
    const follows = new Set(journals.keys());
    const states: RuleState[] = [];
    const byName = new Map(rules.map((rule) => [rule.name, rule]));
    for (const rule of rules) {
      const streams = rule.plan.program.inputs.flatMap((input) => input.streams);
      const reads = { rules: streams.flatMap((name) => byName.get(name) ?? []),
        journals: streams.flatMap((name) => journals.get(name) ?? []),
        inflows: new Set(streams.flatMap((name) => [...inflows.get(name) ?? []])) };
      inflows.set(rule.name, reads.inflows);
      const { window } = rule;
      // It stands before the first of those that share it, which sets the order of turns.
      if (window !== null && !ordered.has(window)) order.push({ runner: window, ...reads });
      if (window !== null) ordered.add(window);
      order.push({ runner: rule, ...reads, ...(window === null ? {} : { rules: [window] }) });
      if (writing.has(rule.name)) continue;
      const followed = streams.length > 0 && streams.every((name) => follows.has(name));
      if (followed) follows.add(rule.name);
      states.push(new RuleState(rule, followed));
    }
    tellOrder(order);
    this.#round = new Round(this.#options.world.clock, order);
    this.#filled = share.streams.filter(({ name }) => !byName.has(name))
      .map(({ name }) => rings.get(name)!);
    this.#durability?.adopt(
      { streams: rings, journals: [...journals.values()], rules: states, sinks });
  }

  /** Everybody has left the generation before: what was its own is free. */
  release(): void {
    const left = this.#left;
    this.#left = null;
    if (left !== null) this.#giveBack(left, this.#now);
    // Memory is decided before the first row: from here on asking for more is a bug.
    this.arena.seal();
  }

  #giveBack(left: Generation, stays: Generation): void {
    const needed = stays.blocks();
    for (const block of left.blocks()) if (!needed.has(block)) this.arena.give(block);
    this.#close(left, stays);
  }

  #close(left: Generation, stays: Generation): void {
    const used = new Set(stays.models.values());
    for (const model of left.models.values()) if (!used.has(model)) model.close();
    const asked = new Set(stays.tables.values());
    for (const table of left.tables.values()) if (!asked.has(table)) void table.close();
  }

  #import(place: RingPlace, before: Generation): Import {
    const { inherited, rings } = this.#now;
    const { stream } = place;
    if (inherited !== null && isCarried(stream, inherited)) {
      return before.imports.find((one) => one.stream === stream)!;
    }
    const remote = ringAt(place);
    // A new ring from its very first row: the other role may be ahead of this one. Of one that runs
    // already, what comes.
    const isNew = inherited === null || !inherited.kept.streams.has(stream);
    return { stream, bridge: new Bridge(remote, rings.get(stream)!, isNew ? 0 : undefined) };
  }

  turn(now: number, time: number): number {
    const { imports, links, sinks, tables } = this.#now;
    let deadline = Infinity;
    let more = false;
    for (const { bridge } of imports) {
      bridge.step(limits.rows_per_step_max);
      more = bridge.lag() > 0 || more;
    }
    for (const link of links.values()) deadline = Math.min(deadline, link.step(now, time));
    this.alarms.step(now, time);
    deadline = Math.min(deadline, this.#round.step(now, time, this.#durability));
    // What stands behind the rules sees what all of them have done.
    if (this.#round.done) {
      for (const table of tables.values()) deadline = Math.min(deadline, table.step(now, time));
      for (const sink of sinks) more = sink.step() || more;
      if (this.#durability !== null) deadline = Math.min(deadline, this.#durability.step(now));
    }
    if (this.#readers.length > 0) this.#wakeReaders();
    return more ? now : deadline;
  }

  /** Rows that somebody was too slow for, by where; only what is not zero. */
  losses(): Record<string, number> {
    const { imports, links, rules, sinks } = this.#now;
    const all: [string, number][] = [
      ...rules.map((rule): [string, number] => [`rule ${rule.name}`, rule.lost]),
      ...sinks.map((sink): [string, number] => [`sink ${sink.name} of ${sink.stream}`, sink.lost]),
      ...imports.map(({ bridge, stream }): [string, number] => [`bridge ${stream}`, bridge.lost]),
      ...[...links].map(([name, link]): [string, number] => [`link ${name}`, link.lost ?? 0]),
      ...[...this.#durability?.lost ?? []].map(([stream, lost]): [string, number] =>
        [`journal ${stream}`, lost]),
    ];
    return Object.fromEntries(all.filter(([, lost]) => lost > 0));
  }

  /** One notify a turn for all that was published in it. */
  #wakeReaders(): void {
    let published = 0;
    for (const ring of this.#filled) published = (published + ring.head) | 0;
    if (published === this.#published && !this.#round.published) return;
    this.#published = published;
    for (const bell of this.#readers) bell.ring();
  }

  async stop(): Promise<void> {
    const { links, connections, models, tables } = this.#now;
    for (const link of links.values()) link.close();
    for (const connection of connections.values()) await connection.close();
    await this.#durability?.stop();
    for (const table of tables.values()) await table.close();
    for (const model of models.values()) model.close();
  }

  #beginLinks(before: Generation): void {
    const { gateway, share, inherited, links } = this.#now;
    const { world, wake, pathEnded } = this.#options;
    const { clock } = gateway.profile;
    for (const [name, link] of before.links) {
      if (inherited?.kept.links.has(name) !== true) link.close();
    }
    for (const plan of share.links) {
      this.#askFor(plan);
      const { name } = plan.link;
      const running = before.links.get(name);
      const ended = (why: string): void => pathEnded(name, why);
      if (inherited?.kept.links.has(name) !== true) this.#noneOpen(plan);
      links.set(name, running !== undefined && inherited!.kept.links.has(name) ? running
        : plan.link.closed === true ? this.#closedLink(plan)
        : plan.driver.medium === "serial"
          ? new SerialPort(plan, this.rings, { wake, ended, complete: this.#complete },
            world, clock, this.overrides)
          : plan.driver.medium === "client" ? this.#clientLink(plan, plan.driver, ended)
            : this.#localLink(plan, plan.driver, ended));
    }
  }

  #askFor({ groups }: LinkPlan): void {
    for (const { stream, tags } of groups) {
      for (const name of [stream, `${stream}.history`]) {
        const ring = this.rings.get(name);
        if (ring !== undefined) this.#asked.set(ring, tags.map((tag) => ring.columns[tag.column]!));
      }
    }
  }

  /** A link that was closed may have left a row unfinished in a stream that is kept. */
  #noneOpen({ groups }: LinkPlan): void {
    for (const { stream } of groups) {
      const { open, head } = this.rings.get(stream)!;
      open!.reset(head);
    }
  }

  #tap(frames: Frames): Tap {
    const { clock } = this.world;
    return (dir, bytes, n) => {
      if (!frames.isWatched(clock.now())) return;
      frames.add({ time: clock.time(), dir, bytes: bytes.slice(0, n) });
    };
  }

  #clientLink(plan: LinkPlan, driver: ClientDriver, ended: (why: string) => void): LinkPort {
    const { world: { clock, log }, wake } = this.#options;
    const now = (): number => clock.now();
    const time = (): number => clock.time();
    const isDisabled = (device: string): boolean => this.overrides.isDisabled(device);
    const { name, type } = plan.link;
    const rowsOf = (group: GroupPlan, stream: string, flag: number, history: ClientRows | null) =>
      new ClientRows(group, this.rings.get(stream)!, { now, history, isDisabled,
        complete: this.#complete, flags: () => this.timeFlags() | flag });
    const groups = plan.groups.map((group) => rowsOf(group, group.stream, 0, !group.history ? null
      : rowsOf(group, `${group.stream}.history`, FLAG.backfill, null)));
    const frames = new Frames();
    const client = driver.open(plan.link, {
      groups, directory: clientDirectory(this.#options.world, type), log, now, time, wake,
      tap: this.#tap(frames), peerChanged: (peer) => ended(`the peer changed to ${peer}`),
    });
    return new ClientPort({ name, type, client, rows: groups, frames, now,
      isDisabled });
  }

  #groupsOf(plan: LinkPlan): LinkGroup[] {
    return plan.groups.map((group) => ({
      stream: group.stream, device: group.device, station: group.station,
      interval: group.interval, ring: this.rings.get(group.stream)!, constants: group.constants,
      broadcasts: group.broadcasts,
      requests: plan.driver.plan(group.tags, plan.link),
    }));
  }

  #closedLink(plan: LinkPlan): LinkPort {
    return new ClosedPort({
      name: plan.link.name, type: plan.link.type, groups: this.#groupsOf(plan),
      now: this.#options.world.clock.now(), flags: this.timeFlags,
      complete: this.#complete,
    });
  }

  #localLink(plan: LinkPlan, driver: Driver, ended: (why: string) => void): LinkPort {
    const { world, wake } = this.#options;
    const { share } = this.#now;
    const groups = this.#groupsOf(plan);
    const frames = new Frames();
    const runner = new LinkRunner({
      name: plan.link.name, groups, splitter: plan.driver, reopenWhenSilent: true, log: world.log,
      place: share.links.indexOf(plan) / share.links.length,
      now: () => world.clock.now(), time: () => world.clock.time(), flags: this.timeFlags,
      tap: this.#tap(frames),
      connectTimeout: connectTimeout(plan.link), wake,
      route: plan.driver.route?.(plan.link),
      advise: (trouble) => driver.advise(trouble, plan.link),
      isDisabled: (device) => this.overrides.isDisabled(device),
      complete: this.#complete,
      published: ({ open, head }) => open!.end(head),
      pathEnded: ended,
    });
    const wire = world.wire(plan.link, runner, driver.medium);
    runner.attach(wire, (own) => driver.open(plan.link, own));
    return new LocalPort(runner, plan.link.type, frames);
  }

  /** One client serves all sources and sinks of a link; they come and go. */
  #beginConnections(before: Generation): void {
    const { share, sources } = this.#now;
    const { kept } = this.#now.inherited ?? {};
    for (const [name, connection] of before.connections) {
      if (before.hasLink(name) && kept?.connections.has(linkOf(name)) !== true) continue;
      this.#now.connections.set(name, connection);
    }
    for (const source of before.sources) {
      if (kept!.sources.has(source.name)) sources.push(source);
      else this.#endSource(source);
    }
    const running = new Set(sources.map(({ name }) => name));
    for (const source of share.sources) {
      const { name, type, link, settings } = source;
      if (source.closed === true || this.#isClosed(link) || running.has(name)) continue;
      // One that can wait begins when all that it had acknowledged has been replayed.
      if (this.#now.journals.has(name)) continue;
      const connection = connectionOf(source, false);
      const end = this.#connection(type, connection)
        .source(name, settings, this.rings.get(name)!, null);
      sources.push({ name, connection, end });
    }
    if (this.#options.active) this.#beginSinks(before, kept);
  }

  #beginSinks(before: Generation, kept: Kept | undefined): void {
    const { gateway, share, sinks } = this.#now;
    const running = (stream: string, name: string): SinkRunner | undefined =>
      before.sinks.find((one) => one.name === name && one.stream === stream);
    const isSame = ({ stream, sink }: Outflow): boolean => kept?.sinks.has(sink) === true &&
      running(stream, sink)?.ring === this.rings.get(stream);
    const stays = new Set(share.sinks.filter(isSame).map(({ stream, sink }) =>
      running(stream, sink)));
    for (const sink of before.sinks) if (!stays.has(sink)) sink.end();
    for (const outflow of share.sinks) {
      const { stream, sink: name } = outflow;
      const config = gateway.sinks.find((sink) => sink.name === name)!;
      if (this.#isClosed(config.link)) continue;
      const ring = this.rings.get(stream)!;
      const was = running(stream, name);
      // A changed sink goes on where it was, as long as its rows are where they were.
      sinks.push(isSame(outflow) ? was! : new SinkRunner(
        this.#connection(config.type, config.link ?? config.type)
          .sink(name, config.settings, ring, stream), ring,
        was?.ring === ring ? was.cursor : ring.head, config));
    }
  }

  #beginSource(journal: Journal): void {
    const { share, sources } = this.#now;
    const source = share.sources.find(({ name }) => name === journal.stream.name)!;
    const { name, type, link, settings } = source;
    if (this.#isClosed(link) || sources.some((running) => running.name === name)) return;
    const connection = connectionOf(source, true);
    const end = this.#connection(type, connection, true)
      .source(name, settings, journal.inlet, journal);
    sources.push({ name, connection, end });
  }

  /** It may have been closed with its link. */
  #endSource({ connection, end }: RunningSource): void {
    const { connections } = this.#now;
    if (!connections.has(connection)) return;
    end();
    if (!isOwn(connection)) return;
    void connections.get(connection)!.close();
    connections.delete(connection);
  }

  /** W25: a simulation keeps what it does not stand for closed. */
  #isClosed(link: string | null): boolean {
    return this.gateway.links.some((l) => l.name === link && l.closed === true);
  }

  /** The client of a link that a source, sink or `commands` uses. */
  connect(link: string): Connection {
    const { type } = this.gateway.links.find((l) => l.name === link)!;
    return this.#connection(type, link);
  }

  /**
   * One client for all that use a link. One whose session outlasts it (`durable`) is of nobody
   * else: commands must not come late (W17).
   */
  #connection(type: string, key: string, durable = false): Connection {
    const { components, world, wake } = this.#options;
    const { gateway, connections } = this.#now;
    let connection = connections.get(key);
    if (connection === undefined) {
      const connector: Connector = components.connectors.find((c) => c.type === type)!;
      const settings = gateway.links.find((l) => l.name === linkOf(key))?.settings ?? {};
      const { mqtt_message_bytes_max } = { ...limits, ...gateway.profile.limits };
      connection = connector.connect(key, settings, {
        log: world.log, timers: world.timers, gateway: gateway.id, wake, durable,
        message_bytes_max: mqtt_message_bytes_max,
        time: () => world.clock.time(), now: () => world.clock.now(), flags: this.timeFlags,
      });
      connections.set(key, connection);
    }
    return connection;
  }
}

/** Tells rules whose rows come to a window of a later one. */
function tellOrder(order: readonly Reading[]): void {
  for (const { runner } of order) runner.readInOrder = false;
  for (const { runner, rules } of order.toReversed()) {
    if (!runner.readInOrder && !runner.hasWindow) continue;
    for (const before of rules) before.readInOrder = true;
  }
}

/** What a client library keeps below the store, of all links of its type. */
const clientDirectory = ({ directory }: Pick<World, "directory">, type: string): string =>
  `${directory}/${type}`;

/** The link's own setting, where its type has one (ms). */
function connectTimeout({ settings }: Link): number {
  const { connectTimeout: own } = settings as { readonly connectTimeout?: number };
  return own ?? limits.connect_ms_max;
}
