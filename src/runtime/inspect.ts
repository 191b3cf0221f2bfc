import { Fault, nearest } from "../base.ts";
import type { Device, Group, StaticTag, Tag } from "../config.ts";
import type { ConnectionStatus } from "../connector.ts";
import {
  arrayOf, BAD, categoryOf, DynReader, flagNames, NULL, readCell, stateName, type Column,
  type Dyn, type Ring,
} from "../ring.ts";
import { connectionOf, linkOf } from "./generation.ts";
import type { RulePlan, StreamPlan } from "./graph.ts";
import type { Role } from "./role.ts";
import type { StageCounters } from "../sql.ts";
import type {
  DeviceView, FrameView, LinkView, RowView, RuleView, ShownValue, SourceView, StreamView, TableView,
  TagView,
} from "./view.ts";

const dyns = new DynReader();

/** A cell's payload as JSON takes it: int64 as text, bytes as hex; of no fixed type as it is. */
function json(ring: Ring, column: Column, seq: number): ShownValue {
  if (column.kind === "dyn") {
    const row = seq & ring.mask;
    return ring.arena.I[column.length + row] === 0 ? null
      : shown(dyns.read(ring.arena.U, column.payload + row * column.stride));
  }
  const value = readCell(ring, column, seq);
  return typeof value === "bigint" ? value.toString() : shown(value);
}

function shown(value: Dyn): ShownValue {
  switch (typeof value) {
    case "bigint": {
      const near = Number(value);
      return Number.isSafeInteger(near) ? near : value.toString();
    }
    // JSON has no such number, and null would be a value that is not there.
    case "number": return Number.isFinite(value) ? value : String(value);
    case "boolean": case "string": return value;
  }
  if (value === null) return null;
  if (value instanceof Uint8Array) return value.toHex();
  if (value instanceof Date) return Number.isNaN(+value) ? null : value.toISOString();
  if (value instanceof Map) {
    return Object.fromEntries([...value as ReadonlyMap<string, Dyn>]
      .map(([name, item]) => [name, shown(item)]));
  }
  return (value as readonly Dyn[]).map(shown);
}

/** One that is read, or a constant. */
type AnyTag = Tag | StaticTag;

interface Place {
  readonly device: Device;
  readonly group: Group;
  readonly tag: AnyTag;
}

const accessTo = (tag: AnyTag): TagView["access"] =>
  ("writable" in tag && tag.writable ? "read-write" : "read");

const tagsOf = ({ tags, statics }: Group): readonly AnyTag[] => [...tags, ...statics];

/** What a role looks like from outside: newest values, rows, rules, links. */
export class Inspector {
  readonly #role: Role;

  constructor(role: Role) {
    this.#role = role;
  }

  /** Where a tag stands in the configuration; a Fault with the nearest name if nowhere. */
  place(id: string): Place {
    const { devices } = this.#role.gateway;
    const device = devices.find(({ name }) => id.startsWith(`${name}.`));
    for (const group of device?.groups ?? []) {
      const tag = group.tags.find((one) => one.is(id)) ??
        group.statics.find((one) => one.id === id);
      if (tag !== undefined) return { device: device!, group, tag };
    }
    const close = nearest(id, devices.flatMap(({ groups }) =>
      groups.flatMap((group) => tagsOf(group).map((tag) => tag.id))));
    throw new Fault("unknown-tag",
      `There is no tag ${id}${close === null ? "" : `; did you mean ${close}?`}`, { tag: id });
  }

  /** Where the cells of a tag are that is read, in which `value` can stand. */
  placeOf(id: string, value: number | boolean | string): { ring: Ring; column: Column } {
    const { device, group, tag } = this.place(id);
    if (!("at" in tag)) {
      throw new Fault("force", `${id} is a constant: change it in the configuration`, { tag: id });
    }
    const ring = this.#role.rings.get(`${device.name}.${group.name}`)!;
    const column = ring.column(tag.name)!;
    if (arrayOf(tag.type) !== null) {
      throw new Fault("force", `${id} is an array, which cannot be forced: give the element a ` +
        "tag of its own and force that", { tag: id, type: tag.type });
    }
    if (!fits(value, column)) {
      throw new Fault("force", `${id} is ${tag.type}: ${JSON.stringify(value)} cannot stand there`,
        { tag: id, type: tag.type });
    }
    // What no raw number means is no reading: the driver's Fault says why.
    const { driver, link } = this.#role.share.links.find((one) => one.link.name === device.link)!;
    if (typeof value === "number" && column.kind !== "time") driver.encode(tag, value, link);
    return { ring, column };
  }

  tag(id: string, time: number): TagView {
    const { device, group, tag } = this.place(id);
    return this.#tagView(device, group, tag, time);
  }

  devices(now: number, time: number): DeviceView[] {
    return this.#role.gateway.devices.map((device) => this.#deviceView(device, now, time));
  }

  /** Of one that there is. */
  device(name: string, now: number, time: number): DeviceView {
    const device = this.#role.gateway.devices.find((one) => one.name === name)!;
    return this.#deviceView(device, now, time);
  }

  #deviceView(device: Device, now: number, time: number): DeviceView {
    const link = this.#role.links.get(device.link)?.view(now);
    const station = link?.stations.find((s) => s.station === device.station);
    return {
      name: device.name, link: device.link, station: device.station, labels: device.labels,
      state: link?.state !== "open"
        ? `link ${link?.state ?? "closed"}` : station?.reason ?? "good",
      tags: device.groups.flatMap((group) =>
        tagsOf(group).map((tag) => this.#tagView(device, group, tag, time))),
    };
  }

  links(now: number): LinkView[] {
    const links = [...this.#role.links.values()].map((link) => link.view(now));
    for (const [name, { status }] of this.#role.connections) {
      links.push({
        name, type: this.#typeOf(name),
        state: stateOf(status), reason: status.reason,
        since_ms: now - status.since, peer: "", opens: 0, polls: [], stations: [],
        counters: { received: status.received, sent: status.sent, dropped: status.dropped,
          errors: status.errors },
        lastError: status.lastError,
      });
    }
    return links;
  }

  frames(name: string, after: number, now: number): FrameView[] | null {
    const { links, share } = this.#role;
    const port = links.get(name);
    const plan = share.links.find(({ link }) => link.name === name);
    if (port === undefined || plan === undefined) return null;
    const { driver, link } = plan;
    return port.frames.after(after, now).map(({ n, piece: { time, dir, bytes } }) => ({
      n, time, dir, hex: bytes.toHex(), text: driver.readable(bytes, dir === "tx", link),
    }));
  }

  #typeOf(connection: string): string {
    const { links, sources } = this.#role.gateway;
    return links.find(({ name }) => name === linkOf(connection))?.type ??
      sources.find((source) => connectionOf(source, false) === connection)?.type ?? connection;
  }

  streams(own: readonly StreamPlan[]): StreamView[] {
    return own.map((stream) => {
      const ring = this.#role.rings.get(stream.name)!;
      return {
        name: stream.name, from: stream.from, interval_ms: stream.interval,
        columns: ring.shown.map(({ name, kind, eu }) => ({ name, kind, eu })),
        rows: ring.head >>> 0, capacity: ring.rows, source: this.#sourceOf(stream),
      };
    });
  }

  #sourceOf({ name, journal }: StreamPlan): SourceView | null {
    const source = this.#role.gateway.sources.find((s) => s.name === name);
    if (source === undefined) return null;
    const status = this.#role.connections.get(connectionOf(source, journal !== null))?.status;
    const { reason = "", received = 0, dropped = 0, errors = 0, lastError = "" } = status ?? {};
    return { state: stateOf(status), reason, received, dropped, errors, lastError };
  }

  latest(name: string): RowView | null {
    const ring = this.#role.rings.get(name)!;
    return ring.head === 0 ? null : rowOf(ring, (ring.head - 1) | 0);
  }

  rules(own: readonly RulePlan[]): RuleView[] {
    const runners = new Map(this.#role.rules.map((runner) => [runner.name, runner]));
    return own.map(({ rule }) => {
      const runner = runners.get(rule.name);
      const sum = (what: keyof StageCounters): number =>
        runner?.stages.reduce((n, stage) => n + (stage.counters[what] ?? 0), 0) ?? 0;
      const first = runner?.stages[0]?.counters;
      const last = runner?.stages.at(-1)?.counters;
      return {
        name: rule.name, sql: rule.sql,
        state: runner?.state ?? "off",
        reason: runner?.reason ?? this.#role.whyOff(rule.name),
        rows_in: first?.in ?? 0, rows_out: last?.out ?? 0, errors: sum("errors"),
        lost: (runner?.lost ?? 0) + sum("dropped"), evicted: sum("evicted"),
        late: sum("late"), early: sum("early"),
        failures: runner?.failures ?? 0,
        targets: rule.to.map((t) => (t.kind === "sink" ? t.sink : `write ${t.tag} from ${t.from}`)),
      };
    });
  }

  tables(): TableView[] {
    return [...this.#role.tables.values()].map((table) => ({
      name: table.name, type: table.type, state: table.failing ? "down" : "open",
      reason: table.failing ? table.lastError : "", known: table.known,
      capacity: table.capacity, counters: { ...table.counters },
    }));
  }

  #tagView(device: Device, group: Group, tag: AnyTag, time: number): TagView {
    const ring = this.#role.rings.get(`${device.name}.${group.name}`)!;
    const head = {
      id: tag.id, type: tag.type, group: group.name, eu: tag.eu,
      at: "at" in tag ? tag.at : "static", access: accessTo(tag),
    };
    if (ring.head === 0) {
      return { ...head, value: null, quality: stateName(BAD.initial), category: null, time: null,
        age_ms: null };
    }
    const seq = (ring.head - 1) | 0;
    const column = ring.column(tag.name)!;
    const state = stateAt(ring, column, seq);
    const rowTime = ring.arena.F[ring.timeAt + (seq & ring.mask)]!;
    return {
      ...head, value: state === BAD.broadcast ? null : json(ring, column, seq),
      quality: stateName(state),
      category: categoryOf(state), time: rowTime, age_ms: time - rowTime, ...flagsOf(ring, seq),
    };
  }
}

/** A bad cell shows what it had last, and a broadcast never had anything. */
const hasValue = (state: number): boolean => state < NULL && state !== BAD.broadcast;

function fits(value: number | boolean | string, { kind, slot }: Column): boolean {
  switch (kind) {
    case "float64": return typeof value === "number" && Number.isFinite(value);
    case "int53": case "int64": case "time": return Number.isSafeInteger(value);
    case "bool": return typeof value === "boolean";
    case "text": return typeof value === "string" && Buffer.byteLength(value) <= slot;
    default: return false;
  }
}

/** As links of every kind call it. */
function stateOf(status: ConnectionStatus | undefined): string {
  return status === undefined ? "closed" : status.state === "up" ? "open" : status.state;
}

/** One row as the API shows it. */
export function rowOf(ring: Ring, seq: number): RowView {
  const values: Record<string, ShownValue> = {};
  const quality: Record<string, string> = {};
  for (const column of ring.shown) {
    const state = stateAt(ring, column, seq);
    values[column.name] = hasValue(state) ? json(ring, column, seq) : null;
    if (state !== 0) quality[column.name] = stateName(state);
  }
  const time = ring.arena.F[ring.timeAt + (seq & ring.mask)]!;
  return { stream: ring.name, sequence: seq >>> 0, time, values, quality, ...flagsOf(ring, seq) };
}

/** What is to be known of a row as a whole, if there is anything. */
function flagsOf(ring: Ring, seq: number): { readonly flags?: readonly string[] } {
  const flags = flagNames(ring.arena.U[ring.flagsAt + (seq & ring.mask)]!);
  return flags.length === 0 ? {} : { flags };
}

function stateAt(ring: Ring, column: Column, seq: number): number {
  return ring.arena.U[column.state + (seq & ring.mask)]!;
}
