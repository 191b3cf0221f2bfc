import { assert, Fault, limits, reason } from "../base.ts";
import type { Link } from "../config.ts";
import type { Connection, Connector } from "../connector.ts";
import type { Model } from "../infer.ts";
import { Arena, Bell, Bridge, Ring, type RingLayout } from "../ring.ts";
import {
  instantiate, instantiateInfer, instantiateLookup, StageAlarms, type Program, type Stage,
} from "../sql.ts";
import { Alarms } from "./alarms.ts";
import type { Components, Graph, LinkPlan, RulePlan } from "./graph.ts";
import { Gather } from "./gather.ts";
import { LookupCache } from "./lookup.ts";
import { LinkRunner, type LinkGroup } from "./link.ts";
import { LocalPort, type LinkPort } from "./port.ts";
import { RuleRunner } from "./rule.ts";
import type { BellPlace, RingPlace } from "./host.ts";
import { SerialPort } from "./serial.ts";
import type { Share } from "./share.ts";
import { SinkRunner } from "./sink.ts";
import type { World } from "./world.ts";

export interface RoleOptions {
  readonly graph: Graph;
  readonly share: Share;
  readonly components: Components;
  readonly world: World;
  /** False in safe mode: reading and API on; rules, models and sinks off. */
  readonly active: boolean;
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
  #readers: readonly Bell[] = [];
  #published = 0;

  constructor(options: RoleOptions) {
    this.#options = options;
    const { share } = options;
    this.arena = Arena.create(arenaBytes(share));
    this.#own = share.streams.map((stream) => this.#ring(stream.layout));
    for (const layout of share.imports) this.#ring(layout);
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
    this.#startLinks();
    this.#startConnections(active);
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
    for (const rule of this.rules) {
      more = rule.run(now, time) || more;
      deadline = Math.min(deadline, now + (rule.deadline - time));
    }
    for (const table of this.tables.values()) deadline = Math.min(deadline, table.step(now));
    for (const sink of this.sinks) more = sink.step() || more;
    if (this.#readers.length > 0) this.#wakeReaders();
    return more ? now : deadline;
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
    for (const table of this.tables.values()) await table.close();
    for (const rule of this.rules) for (const model of rule.models) model.close();
  }

  /** A stage that is run on demand over newest values (permits). */
  conditions(
    program: Program, layout: RingLayout,
  ): { stage: Stage; ring: Ring; streams: ReadonlySet<string> } {
    const ring = Ring.create(this.arena, layout).ring;
    const streams = new Set(program.newest.map((newest) => newest.stream));
    return { stage: this.#instantiate(program, 0, null, ring, ""), ring, streams };
  }

  #ring(layout: RingLayout): Ring {
    const { ring } = Ring.create(this.arena, layout);
    this.rings.set(layout.name, ring);
    return ring;
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
    const rings = [gathered ?? this.rings.get(program.inputs[0]!.streams[0]!)!];
    const stages = program.stages.map((stage, i) => {
      const layout = plan.layouts[i]!;
      const last = i === program.stages.length - 1;
      const output = last ? this.rings.get(plan.rule.name)! : this.#ring(layout);
      const from = rings[i]!;
      rings.push(output);
      if (stage.kind === "lookup") {
        return instantiateLookup(stage, {
          input: from, output, table: this.tables.get(stage.table)!,
        });
      }
      return stage.kind === "infer"
        ? instantiateInfer(stage, {
          input: from, output, model: models.get(stage.model)!,
          deadline: this.#deadline(stage.model), now: () => this.#options.world.clock.now(),
        })
        : this.#instantiate(program, i, from, output, plan.rule.name);
    });
    const gather = gathered === null ? null : new Gather(program.inputs, this.rings, gathered);
    const used = program.models.map((name) => models.get(name)!);
    this.rules.push(new RuleRunner(plan, gather, stages, rings, used));
  }

  #deadline(model: string): number {
    return this.#options.graph.gateway.models.find((m) => m.name === model)!.deadline;
  }

  /** `rule` is whose alarms they are; a permit has none. */
  #instantiate(
    program: Program, i: number, input: Ring | null, output: Ring, rule: string,
  ): Stage {
    const stage = program.stages[i]!;
    assert(stage.kind !== "infer" && stage.kind !== "lookup", "made with its model or table");
    const state = this.arena.take(Math.max(8, stage.stateBytes), `${output.name} state`);
    if (stage.kind === "stateful" && stage.alarms.length > 0) {
      this.alarms.add(rule, new StageAlarms(stage, this.arena, state));
    }
    const newest = program.newest.map((n) => this.rings.get(n.stream)!);
    return instantiate(stage, { arena: this.arena, input, output, newest, state });
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
      if (this.#isClosed(source.link)) continue;
      this.#connection(source.type, source.link)
        .source(source.name, source.settings, this.rings.get(source.name)!);
    }
    if (!active) return;
    for (const { rule, sink: name } of share.sinks) {
      const config = graph.gateway.sinks.find((sink) => sink.name === name)!;
      if (this.#isClosed(config.link)) continue;
      const ring = this.rings.get(rule)!;
      const sink = this.#connection(config.type, config.link)
        .sink(config.name, config.settings, ring, rule);
      this.sinks.push(new SinkRunner(config.name, sink, ring));
    }
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
  #connection(type: string, link: string | null): Connection {
    const { graph, components, world, wake } = this.#options;
    const key = link ?? type;
    let connection = this.connections.get(key);
    if (connection === undefined) {
      const connector: Connector = components.connectors.find((c) => c.type === type)!;
      const settings = graph.gateway.links.find((l) => l.name === link)?.settings ?? {};
      const { mqtt_message_bytes_max } = { ...limits, ...graph.gateway.profile.limits };
      connection = connector.connect(key, settings, {
        log: world.log, gateway: graph.gateway.id, wake, message_bytes_max: mqtt_message_bytes_max,
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
  for (const stream of share.streams) add(stream.layout.bytes);
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
