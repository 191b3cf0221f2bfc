import type { Random } from "../../src/base.ts";
import { limits } from "../../src/base.ts";
import type { MasterEar, WireEvents } from "../../src/driver.ts";
import type { WaitingWire } from "../../src/runtime/serial-worker.ts";
import type { LinkOut } from "../../src/sim/link.ts";
import type { Device } from "./equipment.ts";
import type { Happening, Timeline } from "./timeline.ts";

/** What a serial port is connected to. */
export interface SharedLine {
  open(tty: SimTty): void;
  /** The port's owner ended: what the port has taken it still sends. */
  left(): void;
  /** What the port has taken and not yet sent is thrown away (TCIOFLUSH). */
  shut(tty: SimTty): void;
  transmit(bytes: Uint8Array): void;
}

/** One line that a gateway and its devices share; every character takes its time. */
export class Bus implements LinkOut, SharedLine {
  readonly #device: Device;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #character_ms: number;
  /** Who has the port open. */
  #tty: SimTty | null = null;
  #sending: { readonly bytes: Uint8Array; readonly began: number; done: Happening } | null = null;
  #backAt = 0;

  constructor(device: Device, character_ms: number, timeline: Timeline, random: Random) {
    this.#device = device;
    this.#character_ms = character_ms;
    this.#timeline = timeline;
    this.#random = random;
  }

  open(tty: SimTty): void {
    this.#tty = tty;
  }

  left(): void {
    this.#tty = null;
  }

  shut(tty: SimTty): void {
    if (this.#tty !== tty) return;
    this.#tty = null;
    const sending = this.#sending;
    if (sending === null) return;
    sending.done.off = true;
    this.#sending = null;
    const out = Math.floor((this.#timeline.now - sending.began) / this.#character_ms);
    if (out > 0) this.#device.receive(1, sending.bytes.subarray(0, out));
  }

  /** A bus has no connection that could end. */
  close(): void {}

  transmit(bytes: Uint8Array): void {
    const began = this.#timeline.now;
    const done = this.#timeline.after(bytes.length * this.#character_ms, () => {
      this.#sending = null;
      this.#device.receive(1, bytes);
    });
    this.#sending = { bytes, began, done };
  }

  /** A device talks: its first character comes after a turnaround, the others one by one. */
  send(_connection: number, bytes: Uint8Array): void {
    const turnaround = 0.3 + this.#random.next() * 3;
    let at = Math.max(this.#backAt, this.#timeline.now + turnaround);
    // An adapter hands over what it has when it likes.
    const pieces = 1 + this.#random.below(3);
    for (let i = 0; i < pieces; i++) {
      const from = Math.floor((bytes.length * i) / pieces);
      const piece = bytes.slice(from, Math.floor((bytes.length * (i + 1)) / pieces));
      at += piece.length * this.#character_ms;
      if (piece.length > 0) this.#timeline.at(at, () => this.#tty?.heard(piece));
    }
    this.#backAt = at;
  }
}

const CLOSED = 0, LISTENING = 1, OPEN = 2;

/**
 * The serial port of one worker. On a machine `wait` stands in `ppoll`; here it says until when,
 * and `ready` does what follows a wait.
 */
export class SimTty implements WaitingWire {
  until = 0;
  readonly #bus: SharedLine;
  readonly #path: string;
  readonly #newEar: () => MasterEar | null;
  readonly #timeline: Timeline;
  readonly #events: WireEvents;
  readonly #wake: () => void;
  #ear: MasterEar | null = null;
  #state = CLOSED;
  #silentUntil = Infinity;
  #waiting: Uint8Array[] = [];

  constructor(
    bus: SharedLine, path: string, newEar: () => MasterEar | null, timeline: Timeline,
    events: WireEvents, wake: () => void,
  ) {
    this.#bus = bus;
    this.#path = path;
    this.#newEar = newEar;
    this.#timeline = timeline;
    this.#events = events;
    this.#wake = wake;
  }

  open(): void {
    this.#bus.open(this);
    this.#ear = this.#newEar();
    this.#state = LISTENING;
    // Who never sends need not listen for another master first.
    this.#silentUntil = this.#timeline.now + (this.#ear === null ? 0 : limits.serial_listen_ms);
  }

  heard(bytes: Uint8Array): void {
    if (this.#state === CLOSED) return;
    this.#waiting.push(bytes);
    this.#wake();
  }

  send(bytes: Uint8Array, n: number): boolean {
    if (this.#state !== OPEN) return false;
    this.#bus.transmit(bytes.slice(0, n));
    return true;
  }

  drain(): void {
    if (this.#state === OPEN) this.#deliver();
  }

  reset(): void {
    if (this.#state !== CLOSED) this.#end("reset");
  }

  wait(until: number): void {
    this.until = Math.min(until, this.#silentUntil);
  }

  ready(): void {
    if (this.#state === LISTENING && this.#timeline.now >= this.#silentUntil) {
      this.#silentUntil = Infinity;
      this.#state = OPEN;
      this.#waiting = [];
      this.#events.opened(this.#path);
    } else {
      this.#deliver();
    }
  }

  #deliver(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const bytes of waiting) {
      if (this.#state === OPEN) this.#events.received(bytes, bytes.length);
      else if (this.#state === LISTENING && this.#ear?.(bytes, bytes.length)) {
        this.#end("another master speaks here");
      }
    }
  }

  #end(why: string): void {
    this.#bus.shut(this);
    this.#silentUntil = Infinity;
    this.#state = CLOSED;
    this.#waiting = [];
    this.#events.closed(why);
  }
}
