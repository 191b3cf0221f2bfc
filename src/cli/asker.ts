import { Fault, limits } from "../base.ts";
import { close, monotonic, pipe } from "../base/os.ts";
import type { Link } from "../config.ts";
import {
  createTcpWire, createTtyWire, createUdpWire, PENDING, type Driver, type DriverTag, type Session,
  type Wire, type WireEvents,
} from "../driver.ts";

/** What one read gave. */
export interface Answer {
  /** `DONE`, or the `BAD.*` state that says why not. */
  readonly result: number;
  /** Code of the exception that the device answered with, 0 = none. */
  readonly exception: number;
  readonly raw: Uint8Array;
}

/**
 * A link that the command line asks by itself, one read after the other: the driver's own session
 * over the driver's own wire, so that a port is locked, and listened to before the first byte, as
 * by a running gateway. It can do nothing but read.
 */
export class Asker implements WireEvents {
  readonly #link: Link;
  readonly #driver: Driver;
  readonly #pause: number;
  readonly #wire: Wire;
  readonly #session: Session;
  readonly #wait: (until: number) => Promise<void>;
  readonly #release: () => void;
  #open = false;
  #closed: string | null = null;
  /** The session gives the connection up for a late answer, and wants another one. */
  #anew = false;
  #wake: () => void = () => {};
  #nextAt = -Infinity;

  /** `pause_ms` after each read at least: others want their turn on the device too. */
  constructor(driver: Driver, link: Link, pause_ms: number) {
    this.#driver = driver;
    this.#link = link;
    this.#pause = pause_ms;
    if (driver.medium === "serial") {
      // Nobody writes into it: this thread has nothing else to do than to wait for the line.
      const [end, write] = pipe();
      const wire = createTtyWire(link, driver, end, this);
      this.#wire = wire;
      this.#wait = async (until) => wire.wait(until);
      this.#release = () => [end, write].forEach(close);
    } else {
      const create = driver.medium === "udp" ? createUdpWire : createTcpWire;
      this.#wire = create(link.settings as never, this);
      this.#wait = (until) => this.#sleep(until);
      this.#release = () => {};
    }
    const wire = this.#wire;
    this.#session = driver.open(link, {
      open: () => wire.open(), drain: () => wire.drain(),
      send: (bytes, n, within_ms) => wire.send(bytes, n, within_ms),
      reset: (why, anew = false) => {
        this.#anew = anew;
        wire.reset(why);
        this.#anew = false;
      },
    });
  }

  opened(): void {
    this.#open = true;
    this.#wake();
  }

  received(bytes: Uint8Array, n: number): void {
    this.#session.receive(bytes, n, monotonic());
    this.#wake();
  }

  closed(reason: string): void {
    this.#open = false;
    this.#session.abort();
    if (this.#anew) this.#wire.open();
    else this.#closed = reason;
    this.#wake();
  }

  /** A Fault says why it cannot be: nobody there, another program has it, another master speaks. */
  async open(within_ms: number): Promise<void> {
    this.#wire.open();
    await this.#opened(monotonic() + within_ms);
  }

  async #opened(until: number): Promise<void> {
    while (!this.#open) {
      if (this.#closed !== null || monotonic() >= until) throw this.#failure();
      await this.#wait(until);
    }
  }

  /** Bytes on the line that belonged to no exchange of ours. */
  get stray(): number {
    return this.#session.counters.stray;
  }

  async read(tag: DriverTag): Promise<Answer> {
    while (monotonic() < this.#nextAt) await this.#wait(this.#nextAt);
    await this.#opened(monotonic() + limits.connect_ms_max);
    const raw = new Uint8Array(this.#driver.rawBytes(tag));
    this.#session.readRaw(tag, raw, monotonic());
    for (;;) {
      if (this.#closed !== null) throw this.#failure();
      const next = this.#session.step(monotonic());
      const { result, exception } = this.#session;
      if (result === PENDING) {
        await this.#wait(next);
        continue;
      }
      this.#nextAt = monotonic() + this.#pause;
      return { result, exception, raw };
    }
  }

  close(): void {
    if (this.#closed === null) this.#wire.reset();
    this.#release();
  }

  #failure(): Fault {
    const { name } = this.#link;
    return new Fault("scan", `${name}: ${this.#closed ?? "no connection in time"}`,
      { link: name });
  }

  /** Until something happens on the connection, or a time has come. */
  #sleep(until: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(1000, Math.max(0, until - monotonic())));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
