import { Alike, limits, nearest, never, nextPowerOfTwo } from "../base.ts";
import type {
  Device, Gateway, Group, Hint, Link, Problem, Rule, Source, TableConfig, Tag,
} from "../config.ts";
import type { Connector, TableType } from "../connector.ts";
import type { Driver, DriverTag, Request } from "../driver.ts";
import {
  type ColumnSpec, meta_name, Ring, type RingLayout, rowsFor, tagColumn,
} from "../ring.ts";
import { reserveOf } from "./blocks.ts";
import { planTable, type TablePlan } from "./lookup.ts";
import { roleNames, rulesToWrites, shareOf } from "./share.ts";
import {
  compile, compileConditions, faultsOf, SqlFault, type Catalog, type EventTime, type Program,
  type Span,
  type UserFunctions,
} from "../sql.ts";

/** What a binary is made of; the registry's lists. */
export interface Components {
  readonly drivers: readonly Driver[];
  readonly connectors: readonly Connector[];
  readonly tables: readonly TableType[];
}

/** A configuration worked out: every stream, step and byte, before anything is opened. */
export interface Graph {
  readonly gateway: Gateway;
  readonly streams: readonly StreamPlan[];
  readonly links: readonly LinkPlan[];
  /** In an order in which each reads only what stands before it. */
  readonly rules: readonly RulePlan[];
  readonly permits: readonly PermitPlan[];
  readonly tables: readonly TablePlan[];
  readonly memory: readonly MemoryLine[];
}

export interface StreamPlan {
  readonly name: string;
  readonly from: "group" | "source" | "table" | "rule";
  readonly layout: RingLayout;
  /** ms between rows, null if nobody knows. */
  readonly interval: number | null;
  /**
   * Of a source that can wait, whose rows are durable before they are acknowledged: how many marks
   * of its messages are kept. Else null.
   */
  readonly journal: { readonly marks_min: number } | null;
  /** Its rows bear source times, by which a rule can go. */
  readonly timed: boolean;
}

export interface LinkPlan {
  readonly link: Link;
  readonly driver: Driver;
  readonly groups: readonly GroupPlan[];
}

export interface GroupPlan {
  readonly stream: string;
  readonly device: string;
  readonly station: number;
  readonly interval: number;
  readonly tags: readonly DriverTag[];
  readonly requests: readonly Request[];
}

export interface RulePlan {
  readonly rule: Rule;
  readonly program: Program;
  /** Layouts of the rings between the stages; the last one is the rule's stream. */
  readonly layouts: readonly RingLayout[];
  /** A target or another rule reads its stream, and may lag behind in it. */
  readonly isRead: boolean;
  /** The ring of a fan-in or of several streams; null = the only input's own. */
  readonly gather: RingLayout | null;
  /** Every tag that the rule's output can depend on, through other rules too. */
  readonly reads: ReadonlySet<string>;
}

export interface PermitPlan {
  readonly tag: string;
  readonly program: Program;
  readonly layout: RingLayout;
}

export interface MemoryLine {
  readonly owner: string;
  readonly what: string;
  readonly bytes: number;
}

/** A rule reads a rule that is not compiled yet: it is tried again later. */
class Pending {
  readonly stream: string;
  constructor(stream: string) {
    this.stream = stream;
  }
}

/** Makes a problem at a place of the configuration file; `load` gives one. */
export type PlaceProblem = (
  path: readonly (string | number)[], message: string, hint?: Hint,
) => Problem;

/** Works out a loaded configuration; what is wrong comes as problems with their places. */
export function buildGraph(
  gateway: Gateway, components: Components, place: PlaceProblem,
): { graph: Graph | null; problems: readonly Problem[] } {
  const builder = new Builder(gateway, components, place);
  const graph = builder.build();
  return { graph: builder.problems.length === 0 ? graph : null, problems: builder.problems };
}

/** Lets the thread's turns go on, if the work before took long enough to be felt. */
export type Breathe = () => Promise<void>;

/** One more rule, worked out over a graph as it stands; it is no part of it. */
export function planTrial(
  graph: Graph, components: Components, sql: string,
): { plan: RulePlan | null; problems: readonly Problem[] } {
  const place: PlaceProblem = (path, message, hint) =>
    ({ path: path.join("."), line: null, column: null, value: null, message, nearest: null,
      ...hint });
  const builder = new Builder(graph.gateway, components, place);
  return { plan: builder.trial(graph, sql), problems: builder.problems };
}

/** Rows a minute that a source without a declared rate is given room for. */
const source_interval_ms = 10;

const meta_column: ColumnSpec = { name: meta_name, kind: "dyn", slot: limits.meta_bytes };

/** The column of a source's own time, which is one however a rule would read it. */
const timeColumn = ({ settings: { time } }: Source): ColumnSpec[] =>
  (typeof time === "string" ? [tagColumn(time, "time")] : []);

class Builder {
  readonly problems: Problem[] = [];
  readonly #gateway: Gateway;
  readonly #components: Components;
  readonly #streams = new Map<string, StreamPlan>();
  readonly #tags = new Map<string, { stream: string; column: ColumnSpec; interval: number }>();
  readonly #rules = new Map<string, RulePlan>();

  readonly #place: PlaceProblem;
  readonly #functions: UserFunctions;
  /** Rules of one shape have most of their plans in common. */
  readonly #alike = new Alike();

  constructor(gateway: Gateway, components: Components, place: PlaceProblem) {
    this.#gateway = gateway;
    this.#components = components;
    this.#place = place;
    this.#functions = new Map(gateway.functions.map((fn) => [fn.name.toLowerCase(), fn]));
  }

  build(): Graph {
    const gateway = this.#gateway;
    for (const device of gateway.devices) {
      for (const group of device.groups) this.#addGroup(device, group);
    }
    for (const source of gateway.sources) {
      const columns = source.open === null
        ? source.columns : timeColumn(source);
      const { rowsPerSecond } = source.settings;
      const interval = typeof rowsPerSecond === "number" ? 1000 / rowsPerSecond : null;
      const connector = this.#components.connectors.find(({ type }) => type === source.type);
      this.#addStream(source.name, "source", columns, interval, {
        timed: this.#isTimed(source, columns),
        journal: connector?.waits?.(source.settings) !== true ? null
          : { marks_min: connector.marks_min ?? 1 },
      });
    }
    for (const table of gateway.tables) this.#addTable(table);
    const links = gateway.links.flatMap((link) => this.#planLink(link));
    this.#checkFunctions();
    const rules = this.#shorten(this.#planStrict(this.#planRules()));
    for (const source of gateway.sources) this.#closeSource(source, rules);
    this.#dropTables(rules);
    const permits = this.#planPermits();
    this.#checkFeedback(rules);
    this.#checkAlarms(rules);
    this.#checkHiding(rules, permits);
    this.#checkSources(rules);
    this.#checkPast(rules);
    const tables = gateway.tables.map(planTable);
    const graph = { gateway, streams: [...this.#streams.values()], links, rules, permits, tables };
    return { ...graph, memory: [...memoryOf(graph), ...this.#sourceMemory()] };
  }

  #sourceMemory(): MemoryLine[] {
    return this.#gateway.sources.flatMap(({ name, type }) => {
      const { source_bytes = 0 } = this.#components.connectors.find((c) => c.type === type) ?? {};
      return source_bytes === 0 ? []
        : [{ owner: name, what: "what was read and is no row yet", bytes: source_bytes }];
    });
  }

  trial(graph: Graph, sql: string): RulePlan | null {
    // Its tags by name; then everything as it was worked out.
    for (const device of graph.gateway.devices) {
      for (const group of device.groups) this.#addGroup(device, group);
    }
    for (const stream of graph.streams) this.#streams.set(stream.name, stream);
    for (const plan of graph.rules) this.#rules.set(plan.rule.name, plan);
    const name = "$try";
    const restart = { attempts: 0, delay: 0, most: 0 };
    this.#planRule(
      { name, sql, to: [], eventTime: null, emptyWindows: false, schedule: null, restart });
    const plan = this.#rules.get(name);
    return plan === undefined || !this.#hasColumns(plan) ? null : plan;
  }

  /** Of a source without declared columns only those are there that running rules read. */
  #hasColumns({ rule, program }: RulePlan): boolean {
    for (const { streams, fanIn, columns } of program.inputs) {
      for (const stream of fanIn ? [] : streams) {
        const known = this.#streams.get(stream)!.layout.columns;
        const missing = columns.find(({ name }) => name !== "$oldest" &&
          known.every((column) => column.name !== name));
        if (missing === undefined) continue;
        this.#problem(["rules", rule.name, "sql"], `No running rule reads ${missing.name} of ` +
          `${stream} yet, so that it is not kept: add the rule to the configuration first`);
        return false;
      }
    }
    return true;
  }

  #problem(path: readonly (string | number)[], message: string, hint: Hint = {}): void {
    this.problems.push(this.#place(path, message, hint));
  }

  #addStream(
    name: string, from: StreamPlan["from"], columns: readonly ColumnSpec[], interval: number | null,
    { timed = false, journal = null,
      layout = Ring.layout(name, columns, rowsFor(interval ?? source_interval_ms)) }:
    Partial<Pick<StreamPlan, "timed" | "journal" | "layout">> = {},
  ): StreamPlan {
    const stream = { name, from, interval, timed, journal, layout };
    this.#streams.set(name, stream);
    return stream;
  }

  /** What is read of a table without key is a stream for those that name it after FROM. */
  #addTable(table: TableConfig): void {
    if (table.key !== null) return;
    const { name, ttl, capacity } = table;
    const { columns, rows } = planTable(table).layout;
    // Its rows come all at once, and the next ones maybe while these are read.
    this.#streams.set(name, { name, from: "table", interval: ttl / 2 / capacity, timed: false,
      journal: null, layout: Ring.layout(name, columns, rows) });
  }

  /** A table that no rule reads by itself needs no stream. */
  #dropTables(rules: readonly RulePlan[]): void {
    const read = new Set(rules.flatMap(({ program }) =>
      program.inputs.flatMap(({ streams }) => streams)));
    for (const { name, from } of [...this.#streams.values()]) {
      if (from === "table" && !read.has(name)) this.#streams.delete(name);
    }
  }

  /**
   * A source without declared columns has those that its rules read; and if one reads what messages
   * say of themselves, any source keeps that too.
   */
  #closeSource(source: Source, rules: readonly RulePlan[]): void {
    const { interval, timed, journal, layout } = this.#streams.get(source.name)!;
    const read = rules.flatMap(({ program }) => program.inputs)
      .filter((input) => input.streams.includes(source.name)).flatMap((input) => input.columns);
    if (source.open === null && read.every(({ name }) => name !== meta_name)) return;
    const columns = new Map(layout.columns.map((column) => [column.name, column]));
    for (const column of read) columns.set(column.name, column);
    this.#addStream(source.name, "source", [...columns.values()], interval, { timed, journal });
  }

  #addGroup(device: Device, group: Group): void {
    const columns = group.tags.map((tag) =>
      tagColumn(tag.name, tag.type, tag.scale !== 1 || tag.offset !== 0, tag.eu ?? undefined));
    const stream = `${device.name}.${group.name}`;
    this.#addStream(stream, "group", columns, group.interval);
    group.tags.forEach((tag, i) => {
      this.#tags.set(tag.id, { stream, column: columns[i]!, interval: group.interval });
    });
  }

  #planLink(link: Link): LinkPlan[] {
    const driver = this.#components.drivers.find((d) => d.type === link.type);
    if (driver === undefined || link.closed) return [];
    const groups: GroupPlan[] = [];
    for (const device of this.#gateway.devices) {
      if (device.link !== link.name) continue;
      for (const group of device.groups) {
        const tags = group.tags.map((tag, column) => driverTag(device, tag, column));
        groups.push({
          stream: `${device.name}.${group.name}`, device: device.name, station: device.station,
          interval: group.interval, tags, requests: driver.plan(tags, link),
        });
      }
    }
    return [{ link, driver, groups }];
  }

  #catalog(compiling: string): Catalog {
    const pending = (name: string): boolean =>
      name !== compiling && !this.#rules.has(name) &&
      this.#gateway.rules.some((rule) => rule.name === name);
    const info = (name: string) => {
      const stream = this.#streams.get(name);
      if (stream === undefined && pending(name)) throw new Pending(name);
      if (stream === undefined) return undefined;
      const { layout, interval, timed } = stream;
      const source = this.#gateway.sources.find((one) => one.name === name);
      const connector = this.#components.connectors.find(({ type }) => type === source?.type);
      return { name, columns: layout.columns, interval_ms: interval, timed,
        ...(connector?.tells === true ? { meta: meta_column } : {}),
        ...(source === undefined || source.open === null ? {} : { open: source.open }) };
    };
    return {
      stream: info,
      table: (name) => {
        const table = this.#gateway.tables.find((t) => t.name === name);
        return table === undefined ? undefined
          : { name, key: table.key, rows: table.capacity,
            columns: planTable(table).layout.columns };
      },
      match: (pattern) => {
        const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
        const wanted = new RegExp(`^${parts.join("[^.]*")}$`);
        return [...this.#streams.keys()].filter((name) => wanted.test(name));
      },
      device: (name) => this.#gateway.devices.some((device) => device.name === name),
      tag: (device, tag) => {
        const known = this.#tags.get(`${device}.${tag}`);
        return known === undefined ? undefined
          : { stream: known.stream, column: known.column.name, interval_ms: known.interval };
      },
      model: (name) => {
        const model = this.#gateway.models.find((m) => m.name === name);
        return model === undefined ? undefined : { inputs: null, outputs: 1 };
      },
      names: () => [...this.#streams.keys(), ...this.#tags.keys(),
        ...this.#gateway.models.map((model) => model.name),
        ...this.#gateway.tables.map((table) => table.name),
        ...this.#gateway.rules.map((rule) => rule.name)],
      functions: this.#functions, self: compiling,
    };
  }

  #checkFunctions(): void {
    const { functions } = this.#gateway;
    for (const { name, fault } of faultsOf(this.#functions)) {
      this.#problem(["functions", name], fault.message, fault);
    }
    for (const { name } of functions.filter((f, i) => functions.findIndex((g) =>
      g.name.toLowerCase() === f.name.toLowerCase()) < i)) {
      this.#problem(["functions", name], `Another function has this name: case does not count`);
    }
  }

  #planRules(): RulePlan[] {
    let open = [...this.#gateway.rules];
    while (open.length > 0) {
      const later: Rule[] = [];
      for (const rule of open) if (!this.#planRule(rule)) later.push(rule);
      if (later.length === open.length) {
        for (const rule of later) {
          this.#problem(["rules", rule.name, "sql"], "This rule reads itself through other rules " +
            `(${later.map((r) => r.name).join(" → ")}); a rule may only read what comes before it`);
        }
        break;
      }
      open = later;
    }
    return [...this.#rules.values()];
  }

  /** W8: on the way to a write a row passes only by what is good; known once all are planned. */
  #planStrict(rules: readonly RulePlan[]): RulePlan[] {
    const writing = rulesToWrites(rules);
    return rules.map((plan) => {
      if (!writing.has(plan.rule.name)) return plan;
      const program = this.#compile(plan.rule, true);
      return program === null ? plan : { ...plan, program };
    });
  }

  /** Nobody can lag in the stream of a rule that has no target and that no other rule reads. */
  #shorten(rules: readonly RulePlan[]): RulePlan[] {
    const read = new Set(rules.flatMap(({ program: { inputs, newest } }) =>
      [...inputs.flatMap(({ streams }) => streams), ...newest.map(({ stream }) => stream)]));
    return rules.map((plan) => {
      const { name, to } = plan.rule;
      if (to.length > 0 || read.has(name)) return plan;
      const { columns, rows } = plan.layouts.at(-1)!;
      const layout = Ring.layout(name, columns, Math.min(rows, limits.stage_rows));
      this.#streams.set(name, { ...this.#streams.get(name)!, layout });
      return { ...plan, isRead: false, layouts: [...plan.layouts.slice(0, -1), layout] };
    });
  }

  /** Null = what is wrong with it has been told. */
  #compile(rule: Rule, strict: boolean): Program | null {
    // Also what a writing rule reads must carry the age of its oldest input. By the policy, not by
    // the rules: the first rule that writes must not make all others begin anew.
    const lineage = Object.keys(this.#gateway.policy).length > 0 ||
      this.#gateway.rules.some(({ to }) => to.some((t) => t.kind === "write"));
    try {
      return this.#alike.of(compile(rule.sql, this.#catalog(rule.name),
        { lineage, strict, eventTime: eventTimeOf(rule), emptyWindows: rule.emptyWindows }));
    } catch (thrown) {
      if (!(thrown instanceof SqlFault)) throw thrown;
      this.#problem(["rules", rule.name, "sql"], thrown.message, thrown);
      return null;
    }
  }

  /** False = it reads a rule that is not planned yet. */
  #planRule(rule: Rule): boolean {
    let program: Program | null;
    try {
      program = this.#compile(rule, false);
    } catch (thrown) {
      if (!(thrown instanceof Pending)) throw thrown;
      return false;
    }
    if (program === null) return true;
    const inputs = program.inputs.flatMap((input) => input.streams);
    const intervals = inputs.map((name) => this.#streams.get(name)!.interval ?? source_interval_ms);
    const interval = intervals.length === 0 ? null : 1 / intervals.reduce((a, ms) => a + 1 / ms, 0);
    const rows = rowsFor(interval ?? source_interval_ms);
    const layouts = layoutsOf(rule.name, program, rows);
    this.#addStream(rule.name, "rule", program.output, interval, { layout: layouts.at(-1)!,
      timed: rule.eventTime !== null ||
        (inputs.every((name) => this.#streams.get(name)!.timed) && program.rowwise) });
    this.#rules.set(rule.name, {
      rule,
      program,
      gather: program.gather === null ? null
        : Ring.layout(`${rule.name} input`, program.gather, rows),
      layouts,
      isRead: true,
      reads: this.#readsOf(program),
    });
    this.#checkTargets(rule, program);
    return true;
  }

  /** True if the source says which column holds the source time, and that is a time. */
  #isTimed({ name, settings }: Source, columns: readonly ColumnSpec[]): boolean {
    if (typeof settings.time !== "string") return false;
    const kinds = ["time", "float64", "int53", "int64", "text"];
    const times = columns.filter(({ kind }) => kinds.includes(kind));
    const names = times.map((column) => column.name);
    if (!names.includes(settings.time)) {
      const there = names.length === 0 ? "there is none" : `there is ${names.join(", ")}`;
      this.#problem(["sources", name, "time"], "This is no column of type time, of text, or " +
        `of a number in ms since 1970; ${there}`,
        { nearest: nearest(settings.time, names) });
    }
    return true;
  }

  #checkTargets(rule: Rule, program: Program): void {
    rule.to.forEach((target, i) => {
      if (target.kind !== "write") return;
      const column = program.output.find((c) => c.name === target.from);
      const columns = program.output.map((c) => c.name).filter((name) => !name.startsWith("$"));
      if (column === undefined) {
        this.#problem(["rules", rule.name, "to", i, "from"],
          `The rule has no column of this name; it has ${columns.join(", ")}`,
          { nearest: nearest(target.from, columns) });
      } else if (column.kind !== "float64" && column.kind !== "int53" && column.kind !== "int64") {
        this.#problem(["rules", rule.name, "to", i, "from"],
          `A setpoint is a number, this column is ${column.kind}`);
      }
    });
  }

  /** Without what has the name `but` in its own query. */
  #readsOf(program: Program, but?: string): Set<string> {
    const reads = new Set<string>(program.newest.map((n) => n.tag).filter((tag) => tag !== but));
    for (const input of program.inputs) {
      for (const name of input.streams) {
        const through = this.#rules.get(name);
        if (through !== undefined) for (const tag of through.reads) reads.add(tag);
        const device = name.slice(0, name.lastIndexOf("."));
        for (const column of input.columns.filter((c) => c.name !== but)) {
          if (this.#tags.has(`${device}.${column.name}`)) reads.add(`${device}.${column.name}`);
        }
      }
    }
    return reads;
  }

  #planPermits(): PermitPlan[] {
    const permits: PermitPlan[] = [];
    for (const [tag, policy] of Object.entries(this.#gateway.policy)) {
      if (policy.permit.length === 0) continue;
      // Each by itself first, so that what is wrong is told at its place.
      const each = policy.permit.map((condition, i) =>
        this.#compilePermit(["policy", tag, "permit", i], [condition]));
      if (each.includes(null)) continue;
      each.forEach((alone, i) => {
        if (alone!.newest.length === 0) {
          this.#problem(["policy", tag, "permit", i], "A condition that reads no tag permits " +
            "always or never: a permit asks the machine (W12)");
        }
      });
      const program = this.#compilePermit(["policy", tag, "permit"], policy.permit);
      if (program === null) continue;
      const layout = Ring.layout(`permit ${tag}`, program.output, limits.ring_rows_min);
      permits.push({ tag, program, layout });
    }
    return permits;
  }

  /**
   * W8: every input of a written value is good, by lineage. What turns a bad input into a good
   * value may therefore stand in no rule on the way to a write, and in no permit (W12).
   */
  #checkHiding(rules: readonly RulePlan[], permits: readonly PermitPlan[]): void {
    const writing = rulesToWrites(rules);
    const why = "hides an input that is bad or missing, which a machine must not be written from";
    for (const { rule, program } of rules) {
      if (!writing.has(rule.name)) continue;
      const found = hidingIn(program.sql);
      const refuse = (sentence: string, span: Span): void => {
        const fault = new SqlFault("unsafe", `${sentence} (W8)`, program.sql, span);
        this.#problem(["rules", rule.name, "sql"], fault.message, fault);
      };
      if (found !== null) refuse(`${found.word} ${why}`, found.span);
      if (rule.emptyWindows) {
        this.#problem(["rules", rule.name, "emptyWindows"], "A row that stands for none may not " +
          "be on the way to a write: whoever counts it would count a silent device (W8)");
      }
      for (const { sentence, span } of program.unsafe) {
        refuse(`${sentence}; it may not be on the way to a write`, span);
      }
      const selective = this.#selectiveBefore(program);
      if (selective !== undefined) {
        this.#problem(["rules", rule.name, "sql"], "The window cannot know which rows " +
          `${selective} left out only because its condition could not be trusted, and would call ` +
          "a sum without them good; a condition stands in the rule with the window (W8)");
      }
    }
    for (const { tag, program } of permits) {
      if (hidingIn(program.sql) === null) continue;
      this.#gateway.policy[tag]!.permit.forEach((_, i, permit) => {
        const { sql } = compileConditions([permit[i]!], this.#catalog(""));
        const found = hidingIn(sql);
        if (found === null) return;
        const fault = new SqlFault("unsafe", `${found.word} ${why} (W12)`, sql, found.span);
        this.#problem(["policy", tag, "permit", i], fault.message, fault);
      });
    }
  }

  /** Null = what is wrong with it has been told. */
  #compilePermit(path: readonly (string | number)[], permit: readonly string[]): Program | null {
    try {
      return this.#alike.of(compileConditions(permit, this.#catalog("")));
    } catch (thrown) {
      if (!(thrown instanceof SqlFault)) throw thrown;
      this.#problem(path, thrown.message, thrown);
      return null;
    }
  }

  /** A rule with a condition whose rows this one counts in a window. */
  #selectiveBefore({ stages, inputs }: Program): string | undefined {
    if (!stages.some(({ kind }) => kind === "window" || kind === "kept")) return undefined;
    return inputs.flatMap((input) => input.streams)
      .find((name) => this.#rules.get(name)?.program.selective);
  }

  /**
   * W8: the rows of a group come while its device is silent, too. What is written must therefore
   * be made of a value that then is bad, or its row must be there because of one.
   */
  #checkSources(rules: readonly RulePlan[]): void {
    // Each rule reads only what stands before it.
    const row = new Map<string, boolean>();
    const columns = new Map<string, boolean>();
    for (const { rule, program } of rules) {
      const streams = program.inputs.flatMap((input) => input.streams);
      const carries = (name: string): boolean => {
        const having = streams.filter((stream) =>
          this.#streams.get(stream)!.layout.columns.some((column) => column.name === name));
        return having.length > 0 &&
          having.every((stream) => columns.get(`${stream} ${name}`) ?? true);
      };
      const reads = (name: string): boolean =>
        program.newest.some(({ tag }) => tag === name) || carries(name);
      const hasRow = program.sources.row.some(reads) || streams.every((stream) =>
        row.get(stream) ?? this.#streams.get(stream)!.from === "source");
      row.set(rule.name, hasRow);
      for (const [name, of] of Object.entries(program.sources.columns)) {
        columns.set(`${rule.name} ${name}`, hasRow || of.some(reads));
      }
      this.#checkWritten(rule, (name) => columns.get(`${rule.name} ${name}`) ?? true);
    }
  }

  /** W8: no machine is written from a row whose age nobody knows. */
  #checkPast(rules: readonly RulePlan[]): void {
    const past = new Map([...this.#gateway.tables, ...this.#gateway.sources.filter(({ type }) =>
      this.#components.connectors.find((c) => c.type === type)?.isPast === true)]
      .map(({ name, type }) => [name, type]));
    const writing = rulesToWrites(rules);
    for (const { rule, program } of rules.filter((plan) => writing.has(plan.rule.name))) {
      const found = program.inputs.flatMap(({ streams }) => streams).find((name) => past.has(name));
      if (found === undefined) continue;
      this.#problem(["rules", rule.name, "sql"], `Nobody knows how old the rows of ${found} are, ` +
        `as with all that comes of type ${past.get(found)}; what is made of them may not be on ` +
        "the way to a write (W8)");
    }
  }

  #checkWritten(rule: Rule, reads: (column: string) => boolean): void {
    rule.to.forEach((target, i) => {
      if (target.kind !== "write" || reads(target.from)) return;
      this.#problem(["rules", rule.name, "to", i, "from"],
        `${target.from} is made of no value of a device, so it would be written while the device ` +
          "is silent; use a tag in it, or one in WHERE that says when to write (W8)");
    });
  }

  /** An operator's act must mean one alarm. */
  #checkAlarms(rules: readonly RulePlan[]): void {
    const owners = new Map<string, string>();
    for (const { rule, program } of rules) {
      for (const { name } of program.stages.flatMap((s) => s.kind === "stateful" ? s.alarms : [])) {
        const owner = owners.get(name);
        if (owner === undefined) owners.set(name, rule.name);
        else this.#problem(["rules", rule.name, "sql"], `Two alarms are called ${name}: here and ` +
          `in ${owner === rule.name ? "the same rule" : `rule ${owner}`}`);
      }
    }
  }

  /** W13: nothing that a rule writes may feed it, but a controller may follow it. */
  #checkFeedback(rules: readonly RulePlan[]): void {
    for (const { rule, program } of rules) {
      for (const target of rule.to) {
        if (target.kind !== "write") continue;
        const reads = this.#readsOf(program, program.sources.followed[target.from]);
        if (!reads.has(target.tag)) continue;
        this.#problem(["rules", rule.name],
          `The rule writes ${target.tag} and reads it, directly or through other rules: such ` +
            `feedback is refused, except as what pid() follows, its 9th argument, where ` +
            `${target.from} is that pid() and nothing else of the rule reads it (W13)`);
      }
    }
  }
}

/**
 * The first word of a query that makes a value of a missing one; texts and comments aside. A
 * comparison with NULL is not true, so NOT of one in WHERE, or in a condition of a window, lets a
 * row pass of which nothing is known.
 */
function hidingIn(sql: string): { word: string; span: Span } | null {
  const aside = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|--.*|\/\*[\s\S]*?\*\//g;
  const code = sql.replace(aside, (text) => " ".repeat(text.length));
  const where = code.search(/\b(?:on|where|over|statewindow)\b/i);
  const not = /(?<!\bis\s+)\bnot\b(?!\s+(?:in|like|between)\b)/gi;
  not.lastIndex = where;
  const named = new RegExp("\\b(?:coalesce|isnull|quality|good|raw|changed|collect|merge_agg|" +
    "array_(?:max|min|join))(?=\\s*\\()", "i");
  const found = named.exec(code) ?? /\bis\s+null\b/i.exec(code) ??
    (where < 0 ? null : not.exec(code));
  if (found === null) return null;
  const [word] = found;
  return { word, span: { from: found.index, to: found.index + word.length } };
}

function eventTimeOf({ eventTime }: Rule): EventTime | null {
  if (eventTime === null) return null;
  const { lateTolerance, idleTimeout, maxAhead, rows } = eventTime;
  return { late_ms: lateTolerance, idle_ms: idleTimeout, ahead_ms: maxAhead, rows };
}

function driverTag(device: Device, tag: Tag, column: number): DriverTag {
  return {
    id: tag.id, station: device.station, at: tag.at, type: tag.type, scale: tag.scale,
    offset: tag.offset, wordOrder: tag.wordOrder, writable: tag.access === "read-write", column,
  };
}

/**
 * What the process needs before any stream: engine, SQLite, HTTP, MQTT; measured, `docs/proofs.md`.
 */
const engine_bytes = 32 * 2 ** 20;
/** A worker thread of its own (a serial port, or a role). */
const worker_bytes = 4 * 2 ** 20;

function memoryOf(graph: Omit<Graph, "memory">): MemoryLine[] {
  const lines: MemoryLine[] = [
    { owner: "tagwerk", what: "engine, database, API", bytes: engine_bytes },
  ];
  for (const { link, driver } of graph.links) {
    if (driver.medium === "serial") {
      lines.push({ owner: link.name, what: "serial worker", bytes: worker_bytes });
    }
  }
  for (const stream of graph.streams) {
    const what = `ring, ${stream.layout.rows} rows × ${stream.layout.columns.length} columns`;
    lines.push({ owner: stream.name, what: whatStream(stream, what), bytes: stream.layout.bytes });
    if (stream.journal !== null) {
      lines.push({ owner: stream.name, what: "inlet of the journal", bytes: stream.layout.bytes });
    }
  }
  for (const rule of graph.rules) {
    const inner = rule.layouts.slice(0, -1).concat(rule.gather ?? []);
    for (const layout of inner) {
      lines.push({ owner: rule.rule.name, what: `ring, ${layout.rows} rows`, bytes: layout.bytes });
    }
    lines.push(...rule.program.memory.map((line) => ({ ...line, owner: rule.rule.name })));
  }
  const state = graph.rules.flatMap(({ program }) => program.stages)
    .reduce((sum, { stateBytes }) => sum + stateBytes, 0);
  lines.push({ owner: "tagwerk", what: "checkpoint, pages that wait for the disk",
    bytes: Math.min(state, limits.checkpoint_waiting_bytes) });
  for (const { table, layout, indexBytes } of graph.tables) {
    lines.push({ owner: table.name, what: table.key === null
      ? `table, twice ${table.capacity} rows` : `table, ${layout.rows} rows known`,
      bytes: layout.bytes + indexBytes });
  }
  for (const model of graph.gateway.models) {
    lines.push({ owner: model.name, what: "model heap (cap)", bytes: model.memory });
  }
  const reserve = roleNames(graph.gateway.profile).map((role) => reserveOf(shareOf(graph, role)));
  lines.push({ owner: "tagwerk", what: "reserve for changes while it runs",
    bytes: reserve.reduce((sum, bytes) => sum + bytes, 0) });
  return lines;
}

/**
 * The rings that the stages write. What stands between two of them is read in the same turn, unless
 * a table is waited for, and is small; the last one is what the rule's readers may lag in.
 */
function layoutsOf(rule: string, { stages }: Program, rows: number): RingLayout[] {
  return stages.map(({ output, outputRows }, i) => {
    const next = stages[i + 1];
    if (next === undefined) return Ring.layout(rule, output, lagRows(stages, rows));
    // A row may meet all of a table's; other stages fill what they have room for.
    const few = stages[i]!.kind === "scan" ? nextPowerOfTwo(outputRows)
      : Math.min(rows, Math.max(limits.stage_rows, outputRows));
    return Ring.layout(`${rule} ${i + 1}`, output, next.kind === "lookup" ? rows : few);
  });
}

/** A tumbling window gives few rows, many at once: there is room for two closings. */
function lagRows(stages: Program["stages"], rows: number): number {
  // Behind a window a row may become several.
  if (stages.some(({ kind }) => kind === "expand" || kind === "scan")) return rows;
  const closings = stages.flatMap((stage) =>
    (stage.kind === "window" && stage.window.kind === "tumbling"
      ? [2 * stage.keys * Math.max(1, limits.reader_lag_ms / stage.window.length_ms)] : []));
  const most = Math.min(rows, ...closings.map(Math.ceil));
  return nextPowerOfTwo(Math.max(limits.ring_rows_min, most));
}

function whatStream(stream: StreamPlan, what: string): string {
  switch (stream.from) {
    case "group": return `${what}, one row every ${stream.interval} ms`;
    case "source": return `${what}, source`;
    case "table": return `${what}, a table's rows when it was read`;
    case "rule": return `${what}, rule`;
    default: return never(stream.from, "stream");
  }
}
