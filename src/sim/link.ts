import { assert, never, type Random } from "../base.ts";
import type {
  Driver, DriverTag, FramingName, Medium, ServeEvents, Server,
} from "../driver.ts";
import type { Link } from "../config.ts";
import type { FaultKind, FaultOrder, Faults } from "./fault.ts";
import {
  damaged, exceptionTo, foreignTraffic, fromStation, isWrite, stationOf, understood,
} from "./frame.ts";
import type { Plant } from "./plant.ts";

/** One line of the frame log, before the host adds the time of day. */
export interface FrameRecord {
  /** Monotonic ms of the simulator. */
  readonly t: number;
  readonly link: string;
  readonly connection: number;
  /** `in`: from the client. `out`: what really went to it (nothing, if a fault took it). */
  readonly dir: "in" | "out" | "open" | "close";
  /** Hexadecimal, without spaces. */
  readonly bytes: string;
  /** CRC and length were right. */
  readonly valid: boolean;
  readonly fault: FaultKind | null;
}

/** Where a link's bytes go: a socket, a pty, or the simulated world. */
export interface LinkOut {
  send(connection: number, bytes: Uint8Array): void;
  close(connection: number): void;
}

export interface LinkOptions {
  readonly link: Link;
  readonly driver: Driver;
  readonly tags: readonly DriverTag[];
  readonly plant: Plant;
  readonly faults: Faults;
  readonly random: Random;
  readonly out: LinkOut;
  record(record: FrameRecord): void;
}

/** One connection of a TCP link, or the one there is of a bus. */
interface Line {
  readonly connection: number;
  readonly server: Server;
  readonly events: ServeEvents;
  /** The request being answered, and the fault that hits it. */
  request: Uint8Array;
  fault: FaultOrder | null;
  /** Pieces that a stalled cable holds back, in order. */
  held: { bytes: Uint8Array; due: number }[];
}

interface Answer {
  readonly line: Line;
  readonly bytes: Uint8Array;
  readonly fault: FaultKind;
  readonly due: number;
}

/** The other master's slave answers after this time. */
const foreign_answer_ms = 15;
/** Random bytes of a `garbage` or `noise` fault, at most. */
const garbage_bytes_max = 24;

/**
 * One link of the simulator: the drivers' own servers, with faults between them and the wire, and
 * every frame recorded. It has no socket and no timer.
 */
export class SimLink {
  readonly name: string;
  readonly medium: Medium;
  readonly #o: LinkOptions;
  /** Null = faults that change a frame, or choose by it, are for Modbus only. */
  readonly framing: FramingName | null;
  readonly #lines = new Map<number, Line>();
  #answers: Answer[] = [];
  #foreignDue = 0;
  #now = 0;

  constructor(options: LinkOptions) {
    this.#o = options;
    this.name = options.link.name;
    this.medium = options.driver.medium;
    this.framing = understood(options.link);
  }

  get connections(): number {
    return this.#lines.size;
  }

  has(station: number): boolean {
    return this.#o.tags.some((tag) => tag.station === station);
  }

  /** True while a `disconnect … for` lasts: no connection is taken, a bus is deaf and dumb. */
  isCut(now: number): boolean {
    return this.#o.faults.standing(this.name, "disconnect", now) !== null;
  }

  open(connection: number, now: number): void {
    assert(!this.#lines.has(connection), `connection ${connection} is open`);
    const line: Line = {
      connection, request: new Uint8Array(0), fault: null, held: [],
      server: this.#o.driver.serve(this.#o.tags, this.#o.link, {
        value: (tag) => this.#o.plant.text(tag.id) ?? this.#o.plant.value(tag.id),
        // What the device did not hear or refused, it does not do.
        written: (tag, value) => isUndone(line.fault) || this.#o.plant.write(tag.id, value),
      }),
      events: {
        frame: (bytes, n, valid) => this.#request(line, bytes.slice(0, n), valid),
        reply: (bytes, n) => this.#answer(line, bytes.slice(0, n)),
      },
    };
    this.#lines.set(connection, line);
    this.#record(now, connection, "open", null);
  }

  /** `reset`: the client took back what was still under way (W14). */
  closed(connection: number, reset: boolean, now: number): void {
    const line = this.#lines.get(connection);
    if (line === undefined) return;
    this.#lines.delete(connection);
    this.#answers = this.#answers.filter((answer) => answer.line !== line);
    if (!reset) for (const piece of line.held) this.#feed(line, piece.bytes, now);
    this.#record(now, connection, "close", null);
  }

  receive(connection: number, bytes: Uint8Array, now: number): void {
    const line = this.#lines.get(connection);
    assert(line !== undefined, `bytes on connection ${connection}, which is not open`);
    if (this.isCut(now)) {
      this.#record(now, connection, "in", "disconnect", bytes, false);
      return;
    }
    const stall = this.#o.faults.hit(this.#hit(bytes), true, now);
    if (stall !== null || line.held.length > 0) {
      const due = Math.max(line.held.at(-1)?.due ?? 0, now + (stall?.value ?? 0));
      line.held.push({ bytes: bytes.slice(), due });
      return;
    }
    this.#feed(line, bytes, now);
  }

  /** Sends what is due; gives when (monotonic ms) it wants to be called again. */
  step(now: number): number {
    this.#now = now;
    let next = this.#talkForeign(now);
    for (const line of this.#lines.values()) {
      while (line.held.length > 0 && line.held[0]!.due <= now) {
        this.#feed(line, line.held.shift()!.bytes, now);
      }
      next = Math.min(next, line.held[0]?.due ?? Infinity, line.server.step(now, line.events));
    }
    for (const answer of this.#answers.filter((a) => a.due <= now)) {
      this.#send(answer.line, answer.bytes, answer.fault);
    }
    this.#answers = this.#answers.filter((a) => a.due > now);
    for (const answer of this.#answers) next = Math.min(next, answer.due);
    return next;
  }

  #hit(request: Uint8Array): { link: string; station: number | null; write: boolean } {
    const { framing, name: link } = this;
    if (framing === null) return { link, station: null, write: false };
    return { link, station: stationOf(framing, request), write: isWrite(framing, request) };
  }

  #feed(line: Line, bytes: Uint8Array, now: number): void {
    this.#now = now;
    line.server.receive(bytes, bytes.length, now, line.events);
  }

  #request(line: Line, bytes: Uint8Array, valid: boolean): void {
    line.request = bytes;
    line.fault = valid ? this.#o.faults.hit(this.#hit(bytes), false, this.#now) : null;
    this.#record(this.#now, line.connection, "in", line.fault?.kind ?? null, bytes, valid);
  }

  #answer(line: Line, answer: Uint8Array): void {
    const order = line.fault;
    if (order === null) {
      this.#send(line, answer, null);
      return;
    }
    const { kind, value } = order;
    switch (kind) {
      case "silence": case "mute": this.#send(line, new Uint8Array(0), kind); return;
      case "delay":
        this.#answers.push({ line, bytes: answer, fault: kind, due: this.#now + value });
        return;
      case "exception": case "wrong-crc": case "wrong-station":
        this.#send(line, this.#changed(kind, value, line.request, answer), kind);
        return;
      case "garbage": this.#send(line, this.#garbage(), kind); return;
      case "noise": this.#send(line, Buffer.concat([this.#garbage(), answer]), kind); return;
      case "half": this.#send(line, answer.subarray(0, answer.length >> 1), kind); return;
      case "disconnect":
        this.#send(line, new Uint8Array(0), kind);
        this.#o.out.close(line.connection);
        return;
      case "stall": case "other-master": assert(false, `${kind} hits no answer`); return;
      default: never(kind, "fault");
    }
  }

  #changed(
    kind: "exception" | "wrong-crc" | "wrong-station", value: number, request: Uint8Array,
    answer: Uint8Array,
  ): Uint8Array {
    const { framing } = this;
    assert(framing !== null, `${kind} on a link whose frames are not understood`);
    if (kind === "exception") return exceptionTo(framing, request, value);
    if (kind === "wrong-crc") return damaged(framing, answer);
    return fromStation(framing, answer, (stationOf(framing, answer) ?? 0) % 247 + 1);
  }

  /** Another master's request and its slave's answer, heard by everybody on the bus. */
  #talkForeign(now: number): number {
    const order = this.#o.faults.standing(this.name, "other-master", now);
    if (order === null) return Infinity;
    if (now >= this.#foreignDue) {
      const { request, answer } =
        foreignTraffic(this.framing ?? "rtu", this.#o.random.below(65536));
      this.#foreignDue = now + Math.max(order.value, 2 * foreign_answer_ms);
      for (const line of this.#lines.values()) {
        this.#send(line, request, order.kind);
        const due = now + foreign_answer_ms;
        this.#answers.push({ line, bytes: answer, fault: order.kind, due });
      }
    }
    return this.#foreignDue;
  }

  #garbage(): Uint8Array {
    const n = 1 + this.#o.random.below(garbage_bytes_max);
    return Uint8Array.from({ length: n }, () => this.#o.random.below(256));
  }

  #send(line: Line, bytes: Uint8Array, fault: FaultKind | null): void {
    // A request that a stall held back may be answered after its connection was closed.
    const isOpen = this.#lines.has(line.connection) && !this.isCut(this.#now);
    const sent = isOpen ? bytes : new Uint8Array(0);
    const untouched = fault === null || fault === "delay" || fault === "other-master";
    this.#record(this.#now, line.connection, "out", fault, sent, untouched);
    if (sent.length > 0) this.#o.out.send(line.connection, sent);
  }

  #record(
    t: number, connection: number, dir: FrameRecord["dir"], fault: FaultKind | null,
    bytes: Uint8Array = new Uint8Array(0), valid = true,
  ): void {
    this.#o.record({
      t, link: this.name, connection, dir, bytes: Buffer.from(bytes).toString("hex"), valid, fault,
    });
  }
}

/** A device does not do what it did not hear, or what it answers with an exception. */
function isUndone(fault: FaultOrder | null): boolean {
  return fault?.kind === "silence" || fault?.kind === "exception";
}
