import { createRandom, Fault, nearest } from "../base.ts";
import type { Gateway, Link } from "../config.ts";
import { itemsOf, overlap, type AnyDriver, type Driver, type DriverTag } from "../driver.ts";
import type { Behaviour } from "./behaviour.ts";
import { commandHelp, parseCommand, parseLevel, type Command } from "./command.ts";
import { Faults, type FaultOrder } from "./fault.ts";
import { SimLink, type FrameRecord, type LinkOut } from "./link.ts";
import { Plant, type PlantTag } from "./plant.ts";

/** Links of the configuration that some driver can serve. */
export function simulated(
  gateway: Gateway, drivers: readonly AnyDriver[],
): SimulatedLink[] {
  return gateway.links.flatMap((link) => {
    const driver = drivers.find((d) => d.type === link.type);
    if (driver === undefined || driver.medium === "client") return [];
    const tags = tagsOf(gateway, link, driver);
    return [{ link, driver, tags, signals: tags.flatMap(signalsOf) }];
  });
}

interface SimulatedLink {
  readonly link: Link;
  readonly driver: Driver;
  readonly tags: readonly DriverTag[];
  /** What the plant has: of an array each item by itself. */
  readonly signals: readonly PlantTag[];
}

const signalsOf = (tag: DriverTag & PlantTag): PlantTag[] =>
  itemsOf(tag).map((item) => ({ ...item, eu: tag.eu, takes: tag.takes }));

function tagsOf(gateway: Gateway, link: Link, driver: Driver): (DriverTag & PlantTag)[] {
  const tags = gateway.devices.filter((device) => device.link === link.name)
    .flatMap(({ groups }) => groups.flatMap((group) => group.tags));
  const broadcasts = tags.filter((tag) => driver.broadcast?.is(tag));
  // Not as the gateway has them: here each value is asked for by its tag's name.
  return tags.map((tag, column) => ({ ...tag.spec, id: tag.id, station: tag.station, column,
    takes: tag.writable || broadcasts.some((all) => overlap(driver, link, all, tag)) }));
}

export interface SimulationOptions {
  readonly gateway: Gateway;
  readonly drivers: readonly AnyDriver[];
  readonly behaviours: Readonly<Record<string, Behaviour>>;
  readonly seed: number;
  /** Plant seconds a second. */
  readonly speed: number;
  /** Monotonic ms of the start. */
  readonly now: number;
  /** Where the bytes of a link go. */
  out(link: string): LinkOut;
  record(record: FrameRecord): void;
}

/** The simulator without sockets, files and timers: time and bytes are handed in. */
export class Simulation {
  readonly plant: Plant;
  readonly links: readonly SimLink[];
  readonly #faults: Faults;
  readonly #start: number;
  readonly #speed: number;
  /** Tags held for a time, and when it is over (monotonic ms). */
  readonly #holds = new Map<string, number>();

  constructor(options: SimulationOptions) {
    const random = createRandom(options.seed);
    const parts = simulated(options.gateway, options.drivers);
    this.plant = new Plant(parts.flatMap((part) => part.signals), options.behaviours, options.seed);
    this.#faults = new Faults(random);
    this.#start = options.now;
    this.#speed = options.speed;
    this.links = parts.map(({ link, driver, tags }) => new SimLink({
      link, driver, tags, random, plant: this.plant, faults: this.#faults,
      out: options.out(link.name), record: (record) => options.record(record),
    }));
  }

  link(name: string): SimLink {
    const found = this.links.find((link) => link.name === name);
    if (found !== undefined) return found;
    const names = this.links.map((link) => link.name);
    const meant = nearest(name, names);
    throw new Fault("sim-command", `no simulated link ${name}` +
      `${meant === null ? "" : `, ${meant} was meant?`}; there are ${names.join(", ")}`);
  }

  /** Brings the plant to `now`: before bytes are handed to a link, and before anything is read. */
  advance(now: number): void {
    this.plant.advance((now - this.#start) * this.#speed);
    for (const [id, until] of this.#holds) {
      if (now < until) continue;
      this.plant.release(id);
      this.#holds.delete(id);
    }
  }

  /** Works off what is due; gives when (monotonic ms) it wants to be called again. */
  step(now: number): number {
    this.advance(now);
    let next = Math.min(Infinity, ...this.#holds.values());
    for (const link of this.links) next = Math.min(next, link.step(now));
    return next;
  }

  /** Runs one line of the control channel; a Fault says what was wrong with it. */
  command(line: string, now: number): Readonly<Record<string, unknown>> {
    this.advance(now);
    const command = parseCommand(line);
    switch (command.verb) {
      case "fault": this.#inject(command.order, now); return {};
      case "clear":
        if (command.link !== null) this.link(command.link);
        return { cleared: this.#faults.clear(command.link) };
      case "set": return this.#set(command, now);
      case "release":
        this.plant.release(this.#tag(command.tag));
        this.#holds.delete(command.tag);
        return {};
      case "get": {
        const id = this.#tag(command.tag);
        const text = this.plant.text(id);
        return { value: text ?? this.plant.value(id), truth: text ?? this.plant.truth(id) };
      }
      case "status": return this.#status(now);
      case "help": return { help: commandHelp };
    }
    return command satisfies never;
  }

  #inject(order: FaultOrder, now: number): void {
    const link = this.link(order.link);
    if (order.station !== null && !link.has(order.station)) {
      throw new Fault("sim-command", `${order.link} has no station ${order.station}`);
    }
    if (order.kind === "other-master" && link.medium !== "serial") {
      throw new Fault("sim-command", `other-master needs a bus; ${order.link} is none`);
    }
    const reads = order.station !== null || order.only !== "any" ||
      ["exception", "wrong-crc", "wrong-station"].includes(order.kind);
    if (reads && link.framing === null) {
      throw new Fault("sim-command", `${order.link} is no Modbus link: of its frames only whole ` +
        "ones can be hit: silence, mute, delay, garbage, noise, half, disconnect, stall");
    }
    this.#faults.add(order, now);
  }

  #set(command: Extract<Command, { verb: "set" }>, now: number): Readonly<Record<string, unknown>> {
    const id = this.#tag(command.tag);
    const value = this.plant.text(id) === null ? parseLevel(command.value) : command.value;
    if (command.lasts === Infinity) {
      this.plant.set(id, value);
    } else {
      this.plant.hold(id, value);
      this.#holds.set(id, now + command.lasts);
    }
    return { value };
  }

  #tag(id: string): string {
    if (this.plant.has(id)) return id;
    const meant = nearest(id, this.plant.ids);
    const hint = meant === null ? "" : `, ${meant} was meant?`;
    throw new Fault("sim-command", `no such tag ${id}${hint}`);
  }

  #status(now: number): Readonly<Record<string, unknown>> {
    return {
      plantSeconds: this.plant.time / 1000,
      links: this.links.map((link) => ({
        name: link.name, connections: link.connections, cut: link.isCut(now),
      })),
      faults: this.#faults.list(now).map(({ order, left, remaining }) => ({
        link: order.link, station: order.station, kind: order.kind, value: order.value,
        chance: order.chance, only: order.only,
        // JSON knows no Infinity: null = no bound.
        left: Number.isFinite(left) ? left : null,
        remaining: Number.isFinite(remaining) ? Math.round(remaining) : null,
      })),
    };
  }
}
