import { assert, Fault, limits } from "../../base.ts";
import {
  closeTty, flushTty, monotonic, openTty, readDescriptor, Waiter, writeDescriptor,
  type LineSettings,
} from "../../base/os.ts";
import type { Link } from "../../config.ts";
import type { Driver, MasterEar, Wire, WireEvents } from "../../driver.ts";
import { other_master } from "./exchange.ts";

export interface TtySettings extends LineSettings {
  /** Path of the device. */
  readonly port: string;
}

interface TtyOptions {
  /** Read end of the pipe that interrupts a wait. */
  readonly wake: number;
  /** Judges what is heard before the first transmit; null = nothing is listened for. */
  readonly ear: MasterEar | null;
  /** ms of listening before the first transmit. */
  readonly listen_ms: number;
}

/** A wire for a thread of its own: it also does the waiting. */
export interface TtyWire extends Wire {
  /** Waits for bytes, a byte in the wake pipe, or the monotonic ms `until`; delivers what came. */
  wait(until: number): void;
}

const CLOSED = 0, LISTENING = 1, OPEN = 2;
/** Bits of `Waiter.wait`. */
const READABLE = 1, WOKEN = 2, GONE = 4;
const chunk_bytes = 512;

/**
 * A serial port. Before the first byte leaves it listens; if another master speaks it ends instead
 * of opening, and so stays silent for as long as its owner tries again. It waits in ppoll(2) only.
 */
class Tty implements TtyWire {
  readonly #settings: TtySettings;
  readonly #events: WireEvents;
  readonly #options: TtyOptions;
  readonly #chunk = new Uint8Array(chunk_bytes);
  #fd = -1;
  #waiter: Waiter;
  #state = CLOSED;
  #silentUntil = 0;

  constructor(settings: TtySettings, options: TtyOptions, events: WireEvents) {
    this.#settings = settings;
    this.#options = options;
    this.#events = events;
    this.#waiter = new Waiter(-1, options.wake);
  }

  open(): void {
    try {
      this.#fd = openTty(this.#settings.port, this.#settings);
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      this.#events.closed(thrown.message, true);
      return;
    }
    this.#waiter = new Waiter(this.#fd, this.#options.wake);
    this.#state = LISTENING;
    this.#silentUntil = monotonic() + this.#options.listen_ms;
  }

  send(bytes: Uint8Array, n: number): boolean {
    assert(this.#settings.listenOnly !== true, "a link that only listens sends");
    if (this.#state !== OPEN) return false;
    // The driver's buffer is far larger than a frame. Half a frame on the bus is noise to all, but
    // what became of it nobody knows: it counts as sent.
    if (writeDescriptor(this.#fd, bytes, n) !== n) this.#end("the port takes no bytes", true);
    return true;
  }

  drain(): void {
    if (this.#state !== OPEN) return;
    this.#deliver();
    if (this.#state === OPEN) flushTty(this.#fd);
  }

  reset(why = "reset"): void {
    if (this.#state !== CLOSED) this.#end(why);
  }

  wait(until: number): void {
    if (this.#state === LISTENING && monotonic() >= this.#silentUntil) {
      this.#state = OPEN;
      this.#events.opened(this.#settings.port);
      return;
    }
    const least = this.#state === LISTENING ? Math.min(until, this.#silentUntil) : until;
    const ready = this.#waiter.wait(least);
    if ((ready & WOKEN) !== 0) while (readDescriptor(this.#options.wake, this.#chunk) > 0);
    if ((ready & READABLE) !== 0) this.#deliver();
    else if ((ready & GONE) !== 0) this.#gone();
  }

  /** Everything that is there now. */
  #deliver(): void {
    for (;;) {
      const n = readDescriptor(this.#fd, this.#chunk);
      if (n < 0) this.#gone();
      if (n <= 0) return;
      if (this.#state === OPEN) this.#events.received(this.#chunk, n);
      else if (this.#hearsMaster(n)) this.#end(other_master);
      // Who received may have ended it.
      if (this.#fd < 0) return;
    }
  }

  #gone(): void {
    this.#end(`${this.#settings.port} is gone: was its adapter pulled out?`, true);
  }

  #hearsMaster(n: number): boolean {
    return this.#options.ear?.(this.#chunk, n) === true;
  }

  #end(text: string, isGone = false): void {
    closeTty(this.#fd);
    this.#fd = -1;
    this.#waiter = new Waiter(-1, this.#options.wake);
    this.#state = CLOSED;
    this.#events.closed(text, isGone);
  }
}

/**
 * The serial port of a link, for the thread that does nothing else; `wake` is the read end of the
 * pipe that interrupts its wait, `listen_ms` the limit but for tests.
 */
export function createTtyWire(
  link: Link, driver: Driver, wake: number, events: WireEvents,
  listen_ms: number = limits.serial_listen_ms,
): TtyWire {
  const ear = driver.ear?.(link) ?? null;
  // Eight bits where the protocol leaves no choice, and the link so has no setting.
  const settings = { dataBits: 8, ...link.settings } as unknown as TtySettings;
  return new Tty(settings, { wake, ear, listen_ms: ear === null ? 0 : listen_ms }, events);
}
