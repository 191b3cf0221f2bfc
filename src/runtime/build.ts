import { Alike, limits, nearest, nextPowerOfTwo } from "../base.ts";
import type {
  Device, Gateway, Group, Hint, Link, Problem, Rule, Source, TableConfig,
} from "../config.ts";
import {
  type ColumnSpec, meta_name, Ring, type RingLayout, rowsFor, tagColumn,
} from "../ring.ts";
import {
  compile, compileConditions, faultsOf, holdsBlindly, SqlFault, type Catalog, type EventTime,
  type Program, type UserFunctions,
} from "../sql.ts";
import type {
  Components, Constant, Graph, GroupPlan, LinkPlan, PermitPlan, RulePlan, StreamPlan,
} from "./graph.ts";
import type { AnyDriver } from "../driver.ts";
import { planTable } from "./lookup.ts";
import { memoryOf } from "./memory.ts";
import { planOutflows, takenBy, type Outlets } from "./outflows.ts";
import { rulesToWrites } from "./share.ts";
import { checkWritePaths } from "./write-paths.ts";

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

/** A rule that is tried, and the rings of its own that it reads. */
export interface TrialPlan {
  readonly rule: RulePlan;
  readonly inputs: readonly RingLayout[];
}

/**
 * One more rule, worked out over a graph as it stands; it is no part of it. `given`: over rows that
 * are given one by one, not over those that come.
 */
export function planTrial(
  graph: Graph, components: Components, sql: string, given: boolean,
): { plan: TrialPlan | null; problems: readonly Problem[] } {
  const place: PlaceProblem = (path, message, hint) =>
    ({ path: path.join("."), line: null, column: null, value: null, message, nearest: null,
      ...hint });
  const builder = new Builder(graph.gateway, components, place);
  return { plan: builder.trial(graph, sql, given), problems: builder.problems };
}

/** Rows a minute that a source without a declared rate is given room for. */
const source_interval_ms = 10;

/** What was missed comes all at once: so many rows wait for who reads them. */
const history_rows = 256;

const historyOf = (stream: string): string => `${stream}.history`;

const meta_column: ColumnSpec = { name: meta_name, kind: "dyn", slot: limits.meta_bytes };

/** The column of a source's own time, which is one however a rule would read it. */
const timeColumn = ({ settings: { time } }: Source): ColumnSpec[] =>
  (typeof time === "string" ? [tagColumn(time, "time")] : []);

class Builder {
  readonly problems: Problem[] = [];
  readonly #gateway: Gateway;
  readonly #components: Components;
  readonly #streams = new Map<string, StreamPlan>();
  readonly #tags =
    new Map<string, { id: string; stream: string; column: ColumnSpec; interval: number }>();
  readonly #constants = new Set<string>();
  readonly #rules = new Map<string, RulePlan>();

  /** How much a reader of a rule may lag. */
  #lag_ms: number = limits.reader_lag_ms;
  readonly #place: PlaceProblem;
  readonly #functions: UserFunctions;
  /**
   * Also what a writing rule reads must carry the age of its oldest input. By the policy, not by
   * the rules: the first rule that writes must not make all others begin anew.
   */
  readonly #lineage: boolean;
  /** Rules of one shape have most of their plans in common. */
  readonly #alike = new Alike();

  constructor(gateway: Gateway, components: Components, place: PlaceProblem) {
    this.#gateway = gateway;
    this.#components = components;
    this.#place = place;
    this.#functions = new Map(gateway.functions.map((fn) => [fn.name.toLowerCase(), fn]));
    this.#lineage = Object.keys(gateway.policy).length > 0 ||
      gateway.rules.some(({ to }) => to.some((target) => target.kind === "write"));
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
    this.#checkFunctions();
    const rules = this.#shorten(this.#planStrict(this.#planRules()));
    for (const source of gateway.sources) this.#closeSource(source, rules);
    this.#dropUnread(rules);
    const sinks = planOutflows(this.#outlets, rules, (...told) => this.#problem(...told));
    const links = gateway.links.flatMap((link) => this.#planLink(link));
    const permits = this.#planPermits();
    this.#checkAlarms(rules);
    this.#checkDeadbands(rules);
    checkWritePaths({
      gateway, rules, permits, streams: this.#streams, past: this.#past(),
      constants: this.#constants,
      permitAlone: (condition) => compileConditions([condition], this.#catalog("")),
    }, (...told) => this.#problem(...told));
    const tables = gateway.tables.map(planTable);
    const graph =
      { gateway, streams: [...this.#streams.values()], links, rules, sinks, permits, tables };
    return { ...graph, memory: memoryOf(graph, this.#components.connectors) };
  }

  get #outlets(): Outlets {
    const { connectors } = this.#components;
    return { gateway: this.#gateway, connectors, streams: this.#streams, tags: this.#tags };
  }

  trial(graph: Graph, sql: string, given: boolean): TrialPlan | null {
    this.#lag_ms = given ? 0 : limits.try_lag_ms;
    // Its tags by name; then everything as it was worked out.
    for (const device of graph.gateway.devices) {
      for (const group of device.groups) this.#addGroup(device, group);
    }
    for (const table of this.#gateway.tables) this.#addTable(table);
    for (const stream of graph.streams) this.#streams.set(stream.name, stream);
    for (const plan of graph.rules) this.#rules.set(plan.rule.name, plan);
    const name = "$try";
    const restart = { attempts: 0, delay: 0, most: 0 };
    this.#planRule({ name, sql, to: [], eventTime: null, emptyWindows: false, sendError: false,
      schedule: null, restart });
    const rule = this.#rules.get(name);
    if (rule === undefined || (!given && !this.#hasColumns(rule))) return null;
    return { rule, inputs: this.#inputsOf(rule.program, given) };
  }

  /** Given rows have all columns that the query reads, others those of their stream. */
  #inputsOf({ inputs, newest }: Program, given: boolean): RingLayout[] {
    const names = [...inputs.flatMap(({ streams }) => streams), ...newest.map((n) => n.stream)];
    return [...new Set(names)].map((name) => {
      const { layout, interval } = this.#streams.get(name)!;
      const columns = new Map(layout.columns.map((column) => [column.name, column]));
      for (const input of given ? inputs : []) {
        if (!input.streams.includes(name) || input.fanIn) continue;
        for (const column of input.columns) columns.set(column.name, column);
      }
      return Ring.layout(name, [...columns.values()],
        Math.min(layout.rows, rowsFor(interval ?? source_interval_ms, this.#lag_ms)));
    });
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

  /** A table or a history that no rule reads by itself needs no stream. */
  #dropUnread(rules: readonly RulePlan[]): void {
    const read = new Set(rules.flatMap(({ program }) =>
      program.inputs.flatMap(({ streams }) => streams)));
    for (const { name, from } of [...this.#streams.values()]) {
      if ((from === "table" || from === "history") && !read.has(name)) this.#streams.delete(name);
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
    const { interval, tags, statics } = group;
    const columns = this.#alike.of([
      ...tags.map((tag) =>
        tagColumn(tag.name, tag.type, tag.scale !== 1 || tag.offset !== 0, tag.eu ?? undefined)),
      ...statics.map((tag) => tagColumn(tag.name, tag.type, false, tag.eu ?? undefined)),
    ]);
    const stream = `${device.name}.${group.name}`;
    this.#addStream(stream, "group", columns, interval, { layout: Ring.layout(stream, columns,
      rowsFor(interval / this.#rowsPerInterval(device.link))) });
    if (this.#driverOf(device.link)?.medium === "client") {
      const name = historyOf(stream);
      const layout = Ring.layout(name, columns, Math.max(history_rows, rowsFor(interval)));
      this.#addStream(name, "history", columns, interval, { layout });
    }
    [...tags, ...statics].forEach(({ id }, i) => {
      this.#tags.set(id, { id, stream, column: columns[i]!, interval });
    });
    for (const { id } of statics) this.#constants.add(id);
  }

  /** One poll is one row; a client may bring several. */
  #rowsPerInterval(name: string): number {
    const driver = this.#driverOf(name);
    return driver?.medium === "client"
      ? driver.rowsPerInterval(this.#gateway.links.find((one) => one.name === name)!) : 1;
  }

  #driverOf(link: string): AnyDriver | undefined {
    const type = this.#gateway.links.find((one) => one.name === link)?.type;
    return this.#components.drivers.find((driver) => driver.type === type);
  }

  #planLink(link: Link): LinkPlan[] {
    const driver = this.#components.drivers.find((d) => d.type === link.type);
    if (driver === undefined) return [];
    const groups: GroupPlan[] = [];
    for (const device of this.#gateway.devices) {
      if (device.link !== link.name) continue;
      for (const group of device.groups) {
        const { tags } = group;
        groups.push({
          stream: `${device.name}.${group.name}`, device: device.name, station: device.station,
          interval: group.interval, tags, constants: constantsOf(group),
          history: this.#streams.has(historyOf(`${device.name}.${group.name}`)),
          broadcasts: tags.filter((tag) => driver.broadcast?.is(tag)).map(({ column }) => column),
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
      return program === null ? plan : { ...plan, program, window: null };
    });
  }

  /** Nobody can lag in the stream of a rule that has no target and that no other rule reads. */
  #shorten(rules: readonly RulePlan[]): RulePlan[] {
    const read = new Set(rules.flatMap(({ program: { inputs, newest } }) =>
      [...inputs.flatMap(({ streams }) => streams), ...newest.map(({ stream }) => stream)]));
    const taken = [...takenBy(this.#outlets).values()].flat();
    return rules.map((plan) => {
      const { name, to } = plan.rule;
      if (to.length > 0 || read.has(name)) return plan;
      if (taken.some((value) => value.name.startsWith(`${name}.`))) return plan;
      const { columns, rows } = plan.layouts.at(-1)!;
      const layout = Ring.layout(name, columns, Math.min(rows, limits.stage_rows));
      this.#streams.set(name, { ...this.#streams.get(name)!, layout });
      return { ...plan, isRead: false, layouts: [...plan.layouts.slice(0, -1), layout] };
    });
  }

  /** Null = what is wrong with it has been told. */
  #compile(rule: Rule, strict: boolean): Program | null {
    try {
      return this.#alike.of(compile(rule.sql, this.#catalog(rule.name), { lineage: this.#lineage,
        strict, eventTime: eventTimeOf(rule), emptyWindows: rule.emptyWindows,
        sendError: rule.sendError }));
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
    this.#checkEmpty(rule, program);
    const inputs = program.inputs.flatMap((input) => input.streams);
    const intervals = inputs.map((name) => this.#streams.get(name)!.interval ?? source_interval_ms);
    const interval = intervals.length === 0 ? null : 1 / intervals.reduce((a, ms) => a + 1 / ms, 0);
    const rows = rowsFor(interval ?? source_interval_ms, this.#lag_ms);
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
      window: program.shared === null || inputs.every((name) => this.#isFollowed(name)) ? null
        : program.shared.key,
    });
    this.#checkTargets(rule, program);
    return true;
  }

  /** All its rows come again after a restart, and who reads it is where it was then. */
  #isFollowed(stream: string): boolean {
    const rule = this.#rules.get(stream);
    return rule === undefined ? this.#streams.get(stream)!.journal !== null
      : rule.program.inputs.every(({ streams }) => streams.every((name) => this.#isFollowed(name)));
  }

  /** An empty list is no row; who looks at rows would count it. */
  #checkEmpty(rule: Rule, { inputs }: Program): void {
    const listed = inputs.flatMap(({ streams }) => streams)
      .find((name) => this.#rules.get(name)?.rule.emptyWindows === "[]");
    if (listed === undefined) return;
    this.#problem(["rules", rule.name, "sql"], `The rule ${listed} tells of an empty window by ` +
      'an empty list (emptyWindows: "[]"), which is no row; a rule reads it with emptyWindows: ' +
      "true, a row of NULLs, or false");
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
      } else if (!this.#fits(column.kind, target.tag)) {
        this.#problem(["rules", rule.name, "to", i, "from"],
          `A setpoint is a ${this.#isText(target.tag) ? "text" : "number"}, this column is ` +
            (column.kind !== "dyn" ? column.kind : "an array or of no fixed type: take one item " +
              'and say what it is, as in cast(zones[0], "float")'));
      }
    });
  }

  #isText(tag: string): boolean {
    return this.#tags.get(tag)?.column.kind === "text";
  }

  /** A number can be written, a bool to a bool, and a text to a text. */
  #fits(kind: ColumnSpec["kind"], tag: string): boolean {
    if (kind === "text" || this.#isText(tag)) return kind === "text" && this.#isText(tag);
    if (kind === "bool") return this.#tags.get(tag)?.column.kind === "bool";
    return kind === "float64" || kind === "int53" || kind === "int64";
  }

  /** A deadband is of a column that some rule sends to its sink. */
  #checkDeadbands(rules: readonly RulePlan[]): void {
    for (const { name, onChange } of this.#gateway.sinks) {
      const feeding = rules.filter(({ rule }) =>
        rule.to.some((target) => target.kind === "sink" && target.sink === name));
      const columns = new Set(feeding.flatMap(({ program }) =>
        program.output.map((column) => column.name)));
      if (columns.size === 0) continue;
      for (const column of Object.keys(onChange?.deadbands ?? {})) {
        if (columns.has(column)) continue;
        this.#problem(["sinks", name, "onChange", "deadband", column],
          "No rule that goes to this sink has a column of this name",
          { nearest: nearest(column, columns) });
      }
    }
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
        if (alone!.newest.every((newest) => this.#constants.has(newest.tag))) {
          this.#problem(["policy", tag, "permit", i], "A condition that reads no tag of a device " +
            "permits always or never: a permit asks the machine (W12)");
        } else if (this.#isBlind(policy.permit[i]!)) {
          this.#problem(["policy", tag, "permit", i], "This can be TRUE by constants or the " +
            "clock alone, and would then permit while its device is silent: let each side of " +
            "an OR, and the first condition of a CASE, ask for a tag of a device (W12)");
        }
      });
      const program = this.#compilePermit(["policy", tag, "permit"], policy.permit);
      if (program === null) continue;
      const layout = Ring.layout(`permit ${tag}`, program.output, limits.ring_rows_min);
      const reads = each.map((alone) => alone!.newest.map((newest) => newest.tag));
      permits.push({ tag, program, layout, reads });
    }
    return permits;
  }

  #isBlind(condition: string): boolean {
    return holdsBlindly(condition, this.#catalog(""), (tag) => !this.#constants.has(tag));
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

  /** Of whose rows nobody knows the age, by name: their types. */
  #past(): Map<string, string> {
    const sources = this.#gateway.sources.filter(({ type }) =>
      this.#components.connectors.find((c) => c.type === type)?.isPast === true);
    const histories = [...this.#streams.values()].filter(({ from }) => from === "history")
      .map(({ name }) => ({ name, type: "history" }));
    return new Map([...this.#gateway.tables, ...sources, ...histories]
      .map(({ name, type }) => [name, type]));
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
}

/** Constants stand behind the tags that are read. */
const constantsOf = ({ tags, statics }: Group): Constant[] =>
  statics.map(({ value }, i) => ({ column: tags.length + i, value }));

function eventTimeOf({ eventTime }: Rule): EventTime | null {
  if (eventTime === null) return null;
  const { lateTolerance, idleTimeout, maxAhead, rows } = eventTime;
  return { late_ms: lateTolerance, idle_ms: idleTimeout, ahead_ms: maxAhead, rows };
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

