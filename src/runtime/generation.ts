import { assert, Fault, reason } from "../base.ts";
import type { Source } from "../config.ts";
import type { Connection } from "../connector.ts";
import type { Model } from "../infer.ts";
import {
  Arena, OpenRow, open_row_bytes, Ring, type Block, type Bridge, type RingLayout,
} from "../ring.ts";
import {
  instantiate, instantiateInfer, instantiateLookup, instantiateScan, StageAlarms,
  type Program, type Stage,
} from "../sql.ts";
import { isCarried, stateBytes, type Inherited } from "./blocks.ts";
import { Gather } from "./gather.ts";
import { Journal } from "./journal.ts";
import type { Gateway } from "../config.ts";
import type { Components, PermitPlan, RulePlan } from "./graph.ts";
import { LookupCache } from "./lookup.ts";
import type { LinkPort } from "./port.ts";
import { RuleRunner } from "./rule.ts";
import { ScanTable } from "./scan.ts";
import type { Share } from "./share.ts";
import type { SinkRunner } from "./sink.ts";
import { sharedStages } from "./windows.ts";
import type { Breathe, World } from "./world.ts";

/** Conditions that are worked out on demand over newest values (W12). */
export interface Permit {
  readonly stage: Stage;
  readonly ring: Ring;
  /** What the conditions read. */
  readonly streams: ReadonlySet<string>;
  /** By condition: tags. */
  readonly reads: readonly (readonly string[])[];
  readonly blocks: readonly Block[];
}

/** A stream of another role, carried into the ring of the same name. */
export interface Import {
  readonly bridge: Bridge;
  readonly stream: string;
}

/** A source that fills its ring; `end` gives up what it listens to. */
export interface RunningSource {
  readonly name: string;
  readonly connection: string;
  end(): void;
}

/** What a generation stands on. */
interface Place {
  readonly arena: Arena;
  readonly world: World;
  readonly components: Components;
  readonly wake: () => void;
}

/**
 * One role's share of one configuration, as it runs or as it is built beside the one that runs:
 * what is kept of the one before is taken over as it stands, the rest is made in the reserve.
 */
export class Generation {
  readonly share: Share;
  readonly inherited: Inherited | null;
  readonly rings = new Map<string, Ring>();
  /** Of the sources that can wait, by stream. */
  readonly journals = new Map<string, Journal>();
  readonly rules: RuleRunner[] = [];
  /** Windows that rules share, by `RulePlan.window`. */
  readonly windows = new Map<string, RuleRunner>();
  readonly permits = new Map<string, Permit>();
  readonly models = new Map<string, Model>();
  readonly tables = new Map<string, LookupCache | ScanTable>();
  /** Made when it begins: what is opened must not be open twice. */
  readonly links = new Map<string, LinkPort>();
  readonly connections = new Map<string, Connection>();
  readonly sources: RunningSource[] = [];
  readonly sinks: SinkRunner[] = [];
  readonly imports: Import[] = [];
  /** Why one could not be started; by `model NAME` and `rule NAME`. */
  readonly refused = new Map<string, string>();
  readonly #place: Place;
  readonly #arena: Arena;
  readonly #world: World;
  readonly #ringBlocks = new Map<Ring, Block>();

  constructor(share: Share, inherited: Inherited | null, place: Place) {
    this.share = share;
    this.inherited = inherited;
    this.#place = place;
    this.#arena = place.arena;
    this.#world = place.world;
  }

  get gateway(): Gateway {
    return this.share.gateway;
  }

  /** Makes everything that can be made while another one runs; a Fault if there is no room. */
  async build(before: Generation | null, active: boolean, breathe: Breathe): Promise<void> {
    this.#takeRings(before);
    await breathe();
    if (active) this.#openTables(before);
    if (active) await this.#loadModels(before);
    if (active) this.#takeWindows(before);
    const running = new Map(before?.rules.map((rule) => [rule.name, rule]));
    for (const plan of active ? this.share.rules : []) {
      this.#takeRule(plan, running.get(plan.rule.name));
      await breathe();
    }
    for (const plan of this.share.permits) this.#takePermit(plan, before);
  }

  /** Every block of the arena that it stands on. */
  blocks(): Set<Block> {
    return new Set([
      ...this.#ringBlocks.values(),
      ...[...this.tables.values()].flatMap((table) => table.blocks),
      ...[...this.rules, ...this.windows.values()].flatMap((rule) => rule.blocks),
      ...[...this.permits.values()].flatMap((permit) => permit.blocks),
    ]);
  }

  /** It is of a link of the configuration: no source's own, and of no type without links. */
  hasLink(name: string): boolean {
    return this.gateway.links.some((link) => link.name === linkOf(name));
  }

  #deadlineOf(model: string): number {
    return this.gateway.models.find(({ name }) => name === model)!.deadline;
  }

  #takeRings(before: Generation | null): void {
    const { inherited } = this;
    const carry = (layout: RingLayout, isKept: boolean): void => {
      const ring = isKept ? before!.rings.get(layout.name)! : this.#ring(layout);
      if (isKept) this.#ringBlocks.set(ring, before!.#ringBlocks.get(ring)!);
      this.rings.set(layout.name, ring);
    };
    for (const { name, layout, journal } of this.share.streams) {
      const isKept = inherited?.kept.streams.has(name) ?? false;
      carry(layout, isKept);
      if (journal !== null) {
        this.#takeJournal(name, layout, journal.marks_min, isKept ? before : null);
      }
    }
    for (const layout of this.share.imports) {
      carry(layout, inherited !== null && isCarried(layout.name, inherited));
    }
    this.#openRows();
  }

  /** Not in the role's arena: who polls goes on for a moment when its stream is given back. */
  #openRows(): void {
    const polled = this.share.links.flatMap(({ groups }) =>
      groups.map(({ stream }) => this.rings.get(stream)!)).filter(({ open }) => open === null);
    if (polled.length === 0) return;
    const arena = Arena.create(polled.length * Arena.sizeOf(open_row_bytes));
    for (const ring of polled) ring.open = OpenRow.create(arena, ring.name);
  }

  #takeJournal(
    stream: string, layout: RingLayout, marks_min: number, before: Generation | null,
  ): void {
    const running = before?.journals.get(stream);
    if (running !== undefined) {
      this.#ringBlocks.set(running.inlet, before!.#ringBlocks.get(running.inlet)!);
    }
    this.journals.set(stream, running ?? new Journal(
      this.#ring({ ...layout, name: `${stream} inlet` }), this.rings.get(stream)!,
      marks_min, this.#place.wake));
  }

  #ring(layout: RingLayout): Ring {
    const { ring, block } = Ring.create(this.#arena, layout);
    this.#ringBlocks.set(ring, block);
    return ring;
  }

  /** Nothing is connected before the first question. */
  #openTables(before: Generation | null): void {
    const { components, wake } = this.#place;
    for (const plan of this.share.tables) {
      const { name, type, settings, key } = plan.table;
      const running = before?.tables.get(name);
      const stream = this.rings.get(name) ?? null;
      if (running !== undefined && this.inherited!.kept.tables.has(name)) {
        if (running instanceof ScanTable) running.stream = stream;
        this.tables.set(name, running);
        continue;
      }
      const { open } = components.tables.find((t) => t.type === type)!;
      const source = open(settings, { columns: plan.layout.columns, key });
      this.tables.set(name, key === null ? new ScanTable(plan, this.#arena, source, stream, wake)
        : new LookupCache(plan, this.#arena, source, wake));
    }
  }

  /** Only the models that this role's rules use. */
  async #loadModels(before: Generation | null): Promise<void> {
    const used = new Set(this.share.rules.flatMap((plan) => plan.program.models));
    for (const model of this.gateway.models.filter((m) => used.has(m.name))) {
      const running = before?.models.get(model.name);
      if (running !== undefined && this.inherited!.kept.models.has(model.name)) {
        this.models.set(model.name, running);
        continue;
      }
      try {
        const file = await this.#world.readModel(model.file);
        this.models.set(model.name, await this.#world.loadModel({ ...model, file }));
      } catch (thrown) {
        this.refused.set(`model ${model.name}`, reason(thrown));
        this.#world.log.error("model", `${model.name} is not used`, { reason: reason(thrown) });
      }
    }
  }

  /** A rule that cannot start takes only itself down. */
  #takeRule(plan: RulePlan, running: RuleRunner | undefined): void {
    const { name } = plan.rule;
    if (running !== undefined && this.inherited!.kept.rules.has(name)) {
      this.rules.push(running);
      return;
    }
    try {
      this.rules.push(this.#makeRule(plan));
    } catch (thrown) {
      if (!(thrown instanceof Fault) || thrown.code === "arena-full") throw thrown;
      this.refused.set(`rule ${name}`, thrown.message);
      this.#world.log.error("rule", `${name} is off`, { reason: thrown.message });
    }
  }

  #makeRule(plan: RulePlan): RuleRunner {
    const { program } = plan;
    const missing = program.models.filter((name) => !this.models.has(name));
    if (missing.length > 0) {
      const why = missing.map((name) => `model ${name}: ${this.refused.get(`model ${name}`)}`);
      throw new Fault("model-missing", why.join("; "));
    }
    const window = this.#windowOf(plan);
    return this.#made(plan, window, window === null ? 0 : sharedStages(plan),
      program.stages.length);
  }

  /** Windows of rules that go on, which others may come to. */
  #takeWindows(before: Generation | null): void {
    for (const { plan: { window: key, rule }, window } of before?.rules ?? []) {
      if (key !== null && window !== null && this.inherited!.kept.rules.has(rule.name)) {
        this.windows.set(key, window);
      }
    }
  }

  /** The window that a rule shares, made by the first of them. */
  #windowOf(plan: RulePlan): RuleRunner | null {
    const { window: key } = plan;
    if (key === null) return null;
    // It runs as long as one of its rules does.
    const always = { ...plan, rule: { ...plan.rule, schedule: null } };
    const window = this.windows.get(key) ?? this.#made(always, null, 0, sharedStages(plan));
    this.windows.set(key, window);
    return window;
  }

  /** Runs stages [from, to) of a rule, of which those before are `window`. */
  #made(plan: RulePlan, window: RuleRunner | null, from: number, to: number): RuleRunner {
    const { program } = plan;
    const blocks: Block[] = [];
    const inner = (layout: RingLayout): Ring => {
      const { ring, block } = Ring.create(this.#arena, layout);
      blocks.push(block);
      return ring;
    };
    try {
      const gathered = plan.gather === null || from > 0 ? null : inner(plan.gather);
      const first = this.rings.get(program.inputs[0]!.streams[0]!)!;
      const last = to === program.stages.length ? this.rings.get(plan.rule.name)!
        : inner(plan.layouts[to - 1]!);
      const rings = [window?.output ?? gathered ?? first,
        ...plan.layouts.slice(from, to - 1).map(inner), last];
      const states = program.stages.slice(from, to).map((stage) =>
        this.#arena.take(stateBytes(stage), `${plan.rule.name} state`));
      blocks.push(...states);
      return new RuleRunner(plan, {
        window, rings, blocks, states, models: program.models.map((name) => this.models.get(name)!),
        alarms: program.stages.slice(from, to).flatMap((stage, i) =>
          (stage.kind === "stateful" && stage.alarms.length > 0
            ? [new StageAlarms(stage, this.#arena, states[i]!)] : [])),
        gather: () =>
          (gathered === null ? null : new Gather(program.inputs, this.rings, gathered)),
        stages: () => program.stages.slice(from, to).map((_, i) =>
          this.#stage(program, from + i, rings[i]!, rings[i + 1]!, states[i]!)),
      });
    } catch (thrown) {
      for (const block of blocks) this.#arena.give(block);
      throw thrown;
    }
  }

  /** From nothing: what its state block held is forgotten. */
  #stage(
    program: Program, i: number, input: Ring | null, output: Ring, state: Block,
  ): Stage {
    const stage = program.stages[i]!;
    if (stage.kind === "infer") {
      assert(input !== null, "a model's stage reads rows");
      return instantiateInfer(stage, {
        input, output, model: this.models.get(stage.model)!,
        deadline: this.#deadlineOf(stage.model), now: () => this.#world.clock.now(),
      });
    }
    if (stage.kind === "lookup") {
      assert(input !== null, "a lookup's stage reads rows");
      const table = this.tables.get(stage.table) as LookupCache;
      return instantiateLookup(stage, { input, output, table });
    }
    const newest = program.newest.map((n) => this.rings.get(n.stream)!);
    const { clock, seed } = this.#world;
    const site = { arena: this.#arena, input, output, newest, state,
      begun: { time: clock.time(), seed } };
    return stage.kind !== "scan" ? instantiate(stage, site)
      : instantiateScan(stage, site, this.tables.get(stage.table) as ScanTable);
  }

  #takePermit({ tag, program, layout, reads }: PermitPlan, before: Generation | null): void {
    const running = before?.permits.get(tag);
    if (running !== undefined && this.inherited!.kept.permits.has(tag)) {
      this.permits.set(tag, running);
      return;
    }
    const { ring, block } = Ring.create(this.#arena, layout);
    const state = this.#arena.take(stateBytes(program.stages[0]!), `${ring.name} state`);
    this.permits.set(tag, {
      ring, blocks: [block, state], stage: this.#stage(program, 0, null, ring, state),
      streams: new Set(program.newest.map((newest) => newest.stream)), reads,
    });
  }
}

const own = "source ";

/**
 * The connection of a source. That of a link's sources that can wait is another one than that of
 * the rest; a source without link has one of its own.
 */
export function connectionOf({ name, link }: Source, waits: boolean): string {
  if (link === null) return own + name;
  return waits ? `${link} journal` : link;
}

/** It is of one source, which has no link. */
export const isOwn = (connection: string): boolean => connection.startsWith(own);

/** The link that a connection is of. */
export const linkOf = (connection: string): string => connection.replace(/ journal$/, "");
