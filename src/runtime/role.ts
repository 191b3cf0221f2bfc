import { assert, Fault, limits, reason, type Clock, type Log } from "../base.ts";
import type { Connection, Connector } from "../connector.ts";
import type { Driver, Wire, WireEvents } from "../driver.ts";
import type { Link } from "../config.ts";
import type { Model, ModelSettings } from "../infer.ts";
import { Arena, Ring, type RingLayout } from "../ring.ts";
import { instantiate, instantiateInfer, type Program, type Stage } from "../sql.ts";
import type { Components, Graph, LinkPlan, RulePlan } from "./graph.ts";
import { FanIn } from "./gather.ts";
import { LinkRunner, type LinkGroup } from "./link.ts";
import { LocalPort, type LinkPort } from "./port.ts";
import { RuleRunner } from "./rule.ts";
import { SinkRunner } from "./sink.ts";

/** Everything outside that a role touches; a test hands in a simulated one (DESIGN §4, World). */
export interface World {
  readonly clock: Clock;
  readonly log: Log;
  wire(link: Link, driver: Driver, events: WireEvents): Wire;
  /** A link whose medium needs a thread of its own. */
  serial(plan: LinkPlan, rings: ReadonlyMap<string, Ring>, events: SerialEvents): LinkPort;
  loadModel(settings: ModelSettings): Promise<Model>;
  readModel(path: string): Promise<Uint8Array>;
}

export interface SerialEvents {
  wake(): void;
  /** The link's peer changed or its worker was started again: armings of its tags end (W3). */
  ended(why: string): void;
}

export interface RoleOptions {
  readonly graph: Graph;
  readonly components: Components;
  readonly world: World;
  /** Safe mode: reading and API on; rules, models and sinks off. */
  readonly rules: boolean;
  wake(): void;
  pathEnded(link: string, why: string): void;
}

/**
 * One thread's share of the work: links, sources, rules, sinks over one arena. A turn moves each in
 * topological order; nothing in it waits.
 */
export class Role {
  readonly arena: Arena;
  readonly rings = new Map<string, Ring>();
  readonly links = new Map<string, LinkPort>();
  readonly rules: RuleRunner[] = [];
  readonly sinks: SinkRunner[] = [];
  readonly connections = new Map<string, Connection>();
  /** Why a model or rule could not be started; by name. */
  readonly refused = new Map<string, string>();
  readonly #options: RoleOptions;

  constructor(options: RoleOptions) {
    this.#options = options;
    const { graph } = options;
    this.arena = Arena.create(arenaBytes(graph));
    for (const stream of graph.streams) this.#ring(stream.layout);
  }

  /** Opens everything, models first: a rule must not start on a model that is not there. */
  async start(): Promise<void> {
    const { graph, rules } = this.#options;
    const models = rules ? await this.#loadModels() : new Map<string, Model>();
    if (rules) for (const plan of graph.rules) this.#tryRule(plan, models);
    this.#startLinks();
    this.#startConnections(rules);
  }

  /** From here on asking the arena for more is a bug (DESIGN §2). */
  seal(): void {
    this.arena.seal();
  }

  turn(now: number, time: number): number {
    let deadline = Infinity;
    let more = false;
    for (const link of this.links.values()) deadline = Math.min(deadline, link.step(now, time));
    for (const rule of this.rules) {
      more = rule.run(now, time) || more;
      deadline = Math.min(deadline, now + (rule.deadline - time));
    }
    for (const sink of this.sinks) more = sink.step() || more;
    return more ? now : deadline;
  }

  async stop(): Promise<void> {
    for (const link of this.links.values()) link.close();
    for (const connection of this.connections.values()) await connection.close();
    for (const rule of this.rules) for (const model of rule.models) model.close();
  }

  /** A stage that is run on demand over newest values (permits). */
  conditions(program: Program, layout: RingLayout): { stage: Stage; ring: Ring } {
    const ring = Ring.create(this.arena, layout).ring;
    return { stage: this.#instantiate(program, 0, null, ring), ring };
  }

  #ring(layout: RingLayout): Ring {
    const { ring } = Ring.create(this.arena, layout);
    this.rings.set(layout.name, ring);
    return ring;
  }

  async #loadModels(): Promise<Map<string, Model>> {
    const { graph, world } = this.#options;
    const models = new Map<string, Model>();
    for (const model of graph.gateway.models) {
      try {
        const file = await world.readModel(model.file);
        models.set(model.name, await world.loadModel({ ...model, file }));
      } catch (thrown) {
        this.refused.set(model.name, reason(thrown));
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
      this.refused.set(plan.rule.name, thrown.message);
      this.#options.world.log.error("rule", `${plan.rule.name} is off`, { reason: thrown.message });
    }
  }

  #startRule(plan: RulePlan, models: ReadonlyMap<string, Model>): void {
    const missing = plan.program.models.filter((name) => !models.has(name));
    if (missing.length > 0) {
      throw new Fault("model-missing", `model ${missing.join(", ")} is not there`);
    }
    const { program } = plan;
    const input = program.inputs[0]!;
    const members = input.streams.map((name) => this.rings.get(name)!);
    const gathered = plan.gather === null ? null : this.#ring(plan.gather);
    const rings = [gathered ?? members[0]!];
    const stages = program.stages.map((stage, i) => {
      const layout = plan.layouts[i]!;
      const last = i === program.stages.length - 1;
      const output = last ? this.rings.get(plan.rule.name)! : this.#ring(layout);
      const from = rings[i]!;
      rings.push(output);
      return stage.kind === "infer"
        ? instantiateInfer(stage, {
          input: from, output, model: models.get(stage.model)!,
          deadline: this.#deadline(stage.model), now: () => this.#options.world.clock.now(),
        })
        : this.#instantiate(program, i, from, output);
    });
    const fanIn = gathered === null ? null : new FanIn(members, gathered);
    const used = program.models.map((name) => models.get(name)!);
    this.rules.push(new RuleRunner(plan, fanIn, stages, rings, used));
  }

  #deadline(model: string): number {
    return this.#options.graph.gateway.models.find((m) => m.name === model)!.deadline;
  }

  #instantiate(program: Program, i: number, input: Ring | null, output: Ring): Stage {
    const stage = program.stages[i]!;
    assert(stage.kind !== "infer", "a model's stage is made with its model");
    const state = this.arena.take(Math.max(8, stage.stateBytes), `${output.name} state`);
    const newest = program.newest.map((n) => this.rings.get(n.stream)!);
    return instantiate(stage, { arena: this.arena, input, output, newest, state });
  }

  #startLinks(): void {
    const { graph, world, wake, pathEnded } = this.#options;
    for (const plan of graph.links) {
      const name = plan.link.name;
      const ended = (why: string): void => pathEnded(name, why);
      const port = plan.driver.medium === "serial"
        ? world.serial(plan, this.rings, { wake, ended })
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
      name: plan.link.name, groups, reopenWhenSilent: true, now: () => world.clock.now(), log: world.log,
      connectTimeout: limits.connect_ms_max, wake,
      peerChanged: (peer) => ended(`the peer changed to ${peer}`),
    });
    const wire = world.wire(plan.link, plan.driver, runner);
    runner.attach(wire, plan.driver.open(plan.link, wire));
    return new LocalPort(runner, plan.link.type);
  }

  #startConnections(rules: boolean): void {
    const { gateway } = this.#options.graph;
    for (const source of gateway.sources) {
      this.#connection(source.type, source.link)
        .source(source.name, source.settings, this.rings.get(source.name)!);
    }
    if (!rules) return;
    for (const runner of this.rules) {
      for (const target of runner.plan.rule.to) {
        if (target.kind !== "sink") continue;
        const config = gateway.sinks.find((sink) => sink.name === target.sink)!;
        const sink = this.#connection(config.type, config.link)
          .sink(config.name, config.settings, runner.output, runner.name);
        this.sinks.push(new SinkRunner(config.name, sink, runner.output));
      }
    }
  }

  /** One client for all that use a link; a type without link has one for itself. */
  #connection(type: string, link: string | null): Connection {
    const { graph, components, world, wake } = this.#options;
    const key = link ?? type;
    let connection = this.connections.get(key);
    if (connection === undefined) {
      const connector: Connector = components.connectors.find((c) => c.type === type)!;
      const settings = graph.gateway.links.find((l) => l.name === link)?.settings ?? {};
      connection = connector.connect(key, settings, {
        log: world.log, gateway: graph.gateway.id, wake,
        time: () => world.clock.time(), now: () => world.clock.now(),
      });
      this.connections.set(key, connection);
    }
    return connection;
  }
}

/** Room for every ring and state, as blocks of powers of two. */
function arenaBytes(graph: Graph): number {
  let bytes = 0;
  const add = (n: number): void => { bytes += Arena.sizeOf(n); };
  for (const stream of graph.streams) add(stream.layout.bytes);
  for (const permit of graph.permits) {
    add(permit.layout.bytes);
    for (const stage of permit.program.stages) add(Math.max(8, stage.stateBytes));
  }
  for (const rule of graph.rules) {
    for (const layout of rule.layouts.slice(0, -1)) add(layout.bytes);
    if (rule.gather !== null) add(rule.gather.bytes);
    for (const stage of rule.program.stages) add(Math.max(8, stage.stateBytes));
  }
  // A buddy allocator can place any set of blocks of powers of two that adds up to at most its size.
  return bytes;
}
