import { assert, Fault, limits, reason } from "../base.ts";
import type { Link } from "../config.ts";
import type { Connection, Connector } from "../connector.ts";
import type { Model } from "../infer.ts";
import { Arena, Bell, type Block, Bridge, Ring, type RingLayout } from "../ring.ts";
import {
  instantiate, instantiateInfer, instantiateLookup, StageAlarms, type Program, type Stage,
} from "../sql.ts";
import { Alarms } from "./alarms.ts";
import { Durability, type DurabilityStatus } from "./durability.ts";
import type { Components, Graph, LinkPlan, RulePlan } from "./graph.ts";
import { Gather } from "./gather.ts";
import { Journal } from "./journal.ts";
import { LookupCache } from "./lookup.ts";
import { LinkRunner, type LinkGroup } from "./link.ts";
import { LocalPort, type LinkPort } from "./port.ts";
import { RuleState } from "./rule-state.ts";
import { RuleRunner, type RuleLink } from "./rule.ts";
import type { BellPlace, RingPlace } from "./host.ts";
import { SerialPort } from "./serial.ts";
import { rulesToWrites, type Share } from "./share.ts";
import { SinkRunner } from "./sink.ts";
import type { StatePort } from "./store-port.ts";
import type { World } from "./world.ts";

export interface RoleOptions {
  readonly graph: Graph;
  readonly share: Share;
  readonly components: Components;
  readonly world: World;
  /** False in safe mode: reading and API on; rules, models and sinks off. */
  readonly active: boolean;
  readonly state: StatePort;
  /** Of this start, 0 while the store could not be read. */
  readonly epoch: number;
  wake(): void;
  pathEnded(link: string, why: string): void;
}

/**
 * One thread's share of the work: links, sources, rules, sinks over one arena. A turn moves each in
 * topological order; nothing in it waits. What it reads of another role comes by a bridge.
 */
export class Role {
  readonly arena: Arena;
  readonly rings = new Map<string, Ring>();
  readonly links = new Map<string, LinkPort>();
  readonly rules: RuleRunner[] = [];
  readonly sinks: SinkRunner[] = [];
  readonly alarms = new Alarms();
  readonly connections = new Map<string, Connection>();
  readonly tables = new Map<string, LookupCache>();
  /** Why one could not be started; by `model NAME` and `rule NAME`. */
  readonly refused = new Map<string, string>();
  readonly #options: RoleOptions;
  readonly #bridges: { readonly bridge: Bridge; readonly stream: string }[] = [];
  /** Own streams, whose new rows other roles may wait for. */
  readonly #own: Ring[];
  /** Of the sources that can wait. */
  readonly #journals: Journal[] = [];
  /** Rules that wait for another one, and which. */
  readonly #upstream = new Map<RuleRunner, readonly RuleRunner[]>();
  /** Journals of the sources that a rule reads. */
  readonly #journaled = new Map<RuleRunner, readonly Journal[]>();
  /** null in safe mode, and where every rule is on the way to a write. */
  #durability: Durability | null = null;
  #readers: readonly Bell[] = [];
  #published = 0;

  constructor(options: RoleOptions) {
    this.#options = options;
    const { share } = options;
    this.arena = Arena.create(arenaBytes(share));
    this.#own = share.streams.map((stream) => this.#ring(stream.layout));
    for (const layout of share.imports) this.#ring(layout);
    for (const { name, journal, layout } of share.streams) {
      if (!journal) continue;
      const inlet = Ring.create(this.arena, { ...layout, name: `${name} inlet` }).ring;
      this.#journals.push(new Journal(inlet, this.rings.get(name)!, options.wake));
    }
  }

  /** A stream of another role is carried into this one's ring of the same name. */
  bridge(place: RingPlace, layout: RingLayout): void {
    const remote = Ring.attach(Arena.attach(place.buffer), place.at, place.layout);
    // From its very first row: the other role may be ahead of this one.
    const bridge = new Bridge(remote, this.rings.get(layout.name)!, 0);
    this.#bridges.push({ bridge, stream: layout.name });
  }

  /** Opens everything, models first: a rule must not start on a model that is not there. */
  async start(readers: readonly BellPlace[]): Promise<void> {
    const { share, active } = this.#options;
    this.#readers = readers.map(({ buffer, at }) => Bell.attach(Arena.attach(buffer), at));
    if (active) this.#openTables();
    const models = active ? await this.#loadModels() : new Map<string, Model>();
    if (active) for (const plan of share.rules) this.#tryRule(plan, models);
    if (active) await this.#restore();
    this.#startLinks();
    this.#startConnections(active);
    this.#durability?.start();
  }

  /** From here on asking the arena for more is a bug (DESIGN §2). */
  seal(): void {
    this.arena.seal();
  }

  turn(now: number, time: number): number {
    let deadline = Infinity;
    let more = false;
    for (const { bridge } of this.#bridges) {
      bridge.step(limits.rows_per_step_max);
      more = bridge.lag() > 0 || more;
    }
    for (const link of this.links.values()) deadline = Math.min(deadline, link.step(now, time));
    this.alarms.step(now, time);
    const until = this.#durability?.replayedUntil ?? Infinity;
    for (const rule of this.rules) {
      more = rule.run(now, time, this.#isHeld(rule), until) || more;
      deadline = Math.min(deadline, now + (rule.deadline - time));
    }
    for (const table of this.tables.values()) deadline = Math.min(deadline, table.step(now));
    for (const sink of this.sinks) more = sink.step() || more;
    if (this.#durability !== null) deadline = Math.min(deadline, this.#durability.step(now));
    if (this.#readers.length > 0) this.#wakeReaders();
    return more ? now : deadline;
  }

  get durability(): DurabilityStatus | null {
    return this.#durability?.status ?? null;
  }

  /** Rows that somebody was too slow for, by where; only what is not zero. */
  losses(): Record<string, number> {
    const all: [string, number][] = [
      ...this.rules.map((rule): [string, number] => [`rule ${rule.name}`, rule.lost]),
      ...this.sinks.map((sink): [string, number] =>
        [`sink ${sink.name} of ${sink.stream}`, sink.lost]),
      ...this.#bridges.map(({ bridge, stream }): [string, number] =>
        [`bridge ${stream}`, bridge.lost]),
      ...[...this.links].map(([name, link]): [string, number] => [`link ${name}`, link.lost ?? 0]),
      ...[...this.#durability?.lost ?? []].map(([stream, lost]): [string, number] =>
        [`journal ${stream}`, lost]),
    ];
    return Object.fromEntries(all.filter(([, lost]) => lost > 0));
  }

  /** One notify a turn for all that was published in it. */
  #wakeReaders(): void {
    let published = 0;
    for (const ring of this.#own) published = (published + ring.head) | 0;
    if (published === this.#published) return;
    this.#published = published;
    for (const bell of this.#readers) bell.ring();
  }

  async stop(): Promise<void> {
    for (const link of this.links.values()) link.close();
    for (const connection of this.connections.values()) await connection.close();
    await this.#durability?.stop();
    for (const table of this.tables.values()) await table.close();
    for (const rule of this.rules) for (const model of rule.models) model.close();
  }

  /** A stage that is run on demand over newest values (permits). */
  conditions(
    program: Program, layout: RingLayout,
  ): { stage: Stage; ring: Ring; streams: ReadonlySet<string> } {
    const ring = Ring.create(this.arena, layout).ring;
    const streams = new Set(program.newest.map((newest) => newest.stream));
    return { stage: this.#instantiate(program, 0, null, ring, "").stage, ring, streams };
  }

  #ring(layout: RingLayout): Ring {
    const { ring } = Ring.create(this.arena, layout);
    this.rings.set(layout.name, ring);
    return ring;
  }

  /** Windows after it must not close by the clock: earlier rows are still to come. */
  #isHeld(rule: RuleRunner): boolean {
    for (const journal of this.#journaled.get(rule)!) {
      if (journal.pending || this.#durability?.replaying === true) return true;
    }
    for (const before of this.#upstream.get(rule)!) if (before.behind) return true;
    return false;
  }

  /**
   * Rules that no machine is written by go on where they were; one on the way to a write begins
   * anew, as arming does, so that the gate need trust no state of before (W18).
   */
  async #restore(): Promise<void> {
    const { graph, state, epoch, world, wake } = this.#options;
    const writing = rulesToWrites(graph.rules);
    const follows = new Set(this.#journals.map(({ stream }) => stream.name));
    const rules = this.rules.filter(({ name }) => !writing.has(name)).map((runner) => {
      const streams = runner.plan.program.inputs.flatMap((input) => input.streams);
      const followed = streams.length > 0 && streams.every((name) => follows.has(name));
      if (followed) follows.add(runner.name);
      return new RuleState(runner, followed);
    });
    if (rules.length === 0 && this.#journals.length === 0) return;
    this.#durability = new Durability({
      port: state, log: world.log, interval: graph.gateway.store.checkpoint, epoch, wake, rules,
      journal_bytes_max: graph.gateway.store.stateMB * 2 ** 19,
      streams: this.rings, journals: this.#journals, sinks: this.sinks,
      time: () => world.clock.time(), begin: (journal) => this.#startSource(journal),
    });
    await this.#durability.restore(world.clock.now());
  }

  #openTables(): void {
    const { share, components, wake } = this.#options;
    for (const plan of share.tables) {
      const { name, type, settings, key } = plan.table;
      const { open } = components.tables.find((t) => t.type === type)!;
      const source = open(settings, { columns: plan.layout.columns, key });
      this.tables.set(name, new LookupCache(plan, this.arena, source, wake));
    }
  }

  /** Only the models that this role's rules use. */
  async #loadModels(): Promise<Map<string, Model>> {
    const { graph, share, world } = this.#options;
    const used = new Set(share.rules.flatMap((plan) => plan.program.models));
    const models = new Map<string, Model>();
    for (const model of graph.gateway.models.filter((m) => used.has(m.name))) {
      try {
        const file = await world.readModel(model.file);
        models.set(model.name, await world.loadModel({ ...model, file }));
      } catch (thrown) {
        this.refused.set(`model ${model.name}`, reason(thrown));
        world.log.error("model", `${model.name} is not used`, { reason: reason(thrown) });
      }
    }
    return models;
  }

  /** A rule that cannot start takes only itself down. */
  #tryRule(plan: RulePlan, models: ReadonlyMap<string, Model>): void {
    try {
      this.#startRule(plan, models);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      this.refused.set(`rule ${plan.rule.name}`, thrown.message);
      this.#options.world.log.error("rule", `${plan.rule.name} is off`, { reason: thrown.message });
    }
  }

  #startRule(plan: RulePlan, models: ReadonlyMap<string, Model>): void {
    const missing = plan.program.models.filter((name) => !models.has(name));
    if (missing.length > 0) {
      const why = missing.map((name) => `model ${name}: ${this.refused.get(`model ${name}`)}`);
      throw new Fault("model-missing", why.join("; "));
    }
    const { program } = plan;
    const gathered = plan.gather === null ? null : this.#ring(plan.gather);
    const links: RuleLink[] = [];
    let from = gathered ?? this.rings.get(program.inputs[0]!.streams[0]!)!;
    program.stages.forEach((stage, i) => {
      const layout = plan.layouts[i]!;
      const last = i === program.stages.length - 1;
      const output = last ? this.rings.get(plan.rule.name)! : this.#ring(layout);
      const made = stage.kind === "lookup"
        ? { state: null, stage: instantiateLookup(stage, {
          input: from, output, table: this.tables.get(stage.table)!,
        }) }
        : stage.kind === "infer" ? { state: null, stage: instantiateInfer(stage, {
          input: from, output, model: models.get(stage.model)!,
          deadline: this.#deadline(stage.model), now: () => this.#options.world.clock.now(),
        }) }
        : this.#instantiate(program, i, from, output, plan.rule.name);
      links.push({ ...made, input: from, output, cursor: from.head });
      from = output;
    });
    const gather = gathered === null ? null : new Gather(program.inputs, this.rings, gathered);
    const used = program.models.map((name) => models.get(name)!);
    const runner = new RuleRunner(plan, gather, links, used);
    const reads = (name: string): boolean =>
      program.inputs.some(({ streams }) => streams.includes(name));
    this.#upstream.set(runner, this.rules.filter(({ name }) => reads(name)));
    this.#journaled.set(runner, this.#journals.filter(({ stream }) => reads(stream.name)));
    this.rules.push(runner);
  }

  #deadline(model: string): number {
    return this.#options.graph.gateway.models.find((m) => m.name === model)!.deadline;
  }

  /** `rule` is whose alarms they are; a permit has none. */
  #instantiate(
    program: Program, i: number, input: Ring | null, output: Ring, rule: string,
  ): { stage: Stage; state: Block } {
    const stage = program.stages[i]!;
    assert(stage.kind !== "infer" && stage.kind !== "lookup", "made with its model or table");
    const state = this.arena.take(Math.max(8, stage.stateBytes), `${output.name} state`);
    if (stage.kind === "stateful" && stage.alarms.length > 0) {
      this.alarms.add(rule, new StageAlarms(stage, this.arena, state));
    }
    const newest = program.newest.map((n) => this.rings.get(n.stream)!);
    const site = { arena: this.arena, input, output, newest, state };
    return { state, stage: instantiate(stage, site) };
  }

  #startLinks(): void {
    const { share, world, wake, pathEnded } = this.#options;
    for (const plan of share.links) {
      const name = plan.link.name;
      const ended = (why: string): void => pathEnded(name, why);
      const port = plan.driver.medium === "serial"
        ? new SerialPort(plan, this.rings, { wake, ended }, world)
        : this.#localLink(plan, ended);
      this.links.set(name, port);
    }
  }

  #localLink(plan: LinkPlan, ended: (why: string) => void): LinkPort {
    const { world, wake } = this.#options;
    const groups: LinkGroup[] = plan.groups.map((group) => ({
      stream: group.stream, station: group.station, interval: group.interval,
      ring: this.rings.get(group.stream)!, requests: group.requests,
    }));
    const runner = new LinkRunner({
      name: plan.link.name, groups, reopenWhenSilent: true, log: world.log,
      now: () => world.clock.now(),
      connectTimeout: connectTimeout(plan.link), wake,
      peerChanged: (peer) => ended(`the peer changed to ${peer}`),
    });
    const wire = world.wire(plan.link, runner);
    runner.attach(wire, plan.driver.open(plan.link, wire));
    return new LocalPort(runner, plan.link.type);
  }

  #startConnections(active: boolean): void {
    const { graph, share } = this.#options;
    for (const source of share.sources) {
      // One that can wait begins when all that it had acknowledged has been replayed.
      if (this.#isClosed(source.link) || this.#journalOf(source.name) !== undefined) continue;
      this.#connection(source.type, source.link)
        .source(source.name, source.settings, this.rings.get(source.name)!, null);
    }
    if (!active) return;
    for (const { rule, sink: name } of share.sinks) {
      const config = graph.gateway.sinks.find((sink) => sink.name === name)!;
      if (this.#isClosed(config.link)) continue;
      const ring = this.rings.get(rule)!;
      const sink = this.#connection(config.type, config.link)
        .sink(config.name, config.settings, ring, rule);
      const from = this.#durability?.sinkFrom(config.name, ring) ?? ring.head;
      const runner = new SinkRunner(config.name, sink, ring, from);
      this.sinks.push(runner);
      this.#durability?.linkSink(runner);
    }
  }

  #journalOf(source: string): Journal | undefined {
    return this.#journals.find(({ stream }) => stream.name === source);
  }

  #startSource(journal: Journal): void {
    const { name, type, link, settings } = this.#options.share.sources.find((source) =>
      source.name === journal.stream.name)!;
    if (this.#isClosed(link)) return;
    this.#connection(type, link, true).source(name, settings, journal.inlet, journal);
  }

  /** W25: a simulation keeps what it does not stand for closed. */
  #isClosed(link: string | null): boolean {
    return this.#options.graph.gateway.links.some((l) => l.name === link && l.closed === true);
  }

  /** The client of a link that a source, sink or `commands` uses. */
  connect(link: string): Connection {
    const { type } = this.#options.graph.gateway.links.find((l) => l.name === link)!;
    return this.#connection(type, link);
  }

  /** One client for all that use a link; a type without link has one for itself. */
  #connection(type: string, link: string | null, durable = false): Connection {
    const { graph, components, world, wake } = this.#options;
    // A connection whose session outlasts it is of nobody else: commands must not come late (W17).
    const key = durable ? `${link ?? type} journal` : link ?? type;
    let connection = this.connections.get(key);
    if (connection === undefined) {
      const connector: Connector = components.connectors.find((c) => c.type === type)!;
      const settings = graph.gateway.links.find((l) => l.name === link)?.settings ?? {};
      const { mqtt_message_bytes_max } = { ...limits, ...graph.gateway.profile.limits };
      connection = connector.connect(key, settings, {
        log: world.log, gateway: graph.gateway.id, wake, durable,
        message_bytes_max: mqtt_message_bytes_max,
        time: () => world.clock.time(), now: () => world.clock.now(),
      });
      this.connections.set(key, connection);
    }
    return connection;
  }
}

/** The link's own setting, where its type has one (ms). */
function connectTimeout({ settings }: Link): number {
  const { connectTimeout: own } = settings as { readonly connectTimeout?: number };
  return own ?? limits.connect_ms_max;
}

/** Room for every ring and state, as blocks of powers of two. */
function arenaBytes(share: Share): number {
  // The bell and the turn counter.
  let bytes = 2 * Arena.block_bytes_min;
  const add = (n: number): void => { bytes += Arena.sizeOf(n); };
  for (const stream of share.streams) {
    add(stream.layout.bytes);
    if (stream.journal) add(stream.layout.bytes);
  }
  for (const layout of share.imports) add(layout.bytes);
  for (const { layout, indexBytes } of share.tables) {
    add(layout.bytes);
    add(indexBytes);
  }
  for (const permit of share.permits) {
    add(permit.layout.bytes);
    for (const stage of permit.program.stages) add(Math.max(8, stage.stateBytes));
  }
  for (const rule of share.rules) {
    for (const layout of rule.layouts.slice(0, -1)) add(layout.bytes);
    if (rule.gather !== null) add(rule.gather.bytes);
    for (const stage of rule.program.stages) add(Math.max(8, stage.stateBytes));
  }
  // A buddy allocator can place any set of blocks of powers of two that adds up to at most its
  // size.
  return bytes;
}
