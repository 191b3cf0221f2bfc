import type { Gateway } from "../../src/config.ts";
import { drivers } from "../../src/registry.ts";
import type { Behaviour } from "../../src/sim/behaviour.ts";
import type { FrameRecord, LinkOut, SimLink } from "../../src/sim/link.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import type { Happening, Timeline } from "./timeline.ts";

/** The far end of one link, as its network or bus sees it. */
export interface Device {
  isCut(): boolean;
  open(connection: number): void;
  receive(connection: number, bytes: Uint8Array): void;
  /** `reset`: the gateway took back what was still under way. */
  closed(connection: number, reset: boolean): void;
}

/** The simulator's machines, driven by simulated time. */
export class Equipment {
  readonly simulation: Simulation;
  readonly #timeline: Timeline;
  #due: Happening | null = null;

  constructor(
    gateway: Gateway, behaviours: Readonly<Record<string, Behaviour>>, seed: number,
    timeline: Timeline, out: (link: string) => LinkOut, record: (record: FrameRecord) => void,
  ) {
    this.#timeline = timeline;
    this.simulation = new Simulation({
      gateway, drivers, behaviours, seed, speed: 1, now: timeline.now, record,
      // Bytes can leave only after some came: by then everything is made.
      out: (link) => ({
        send: (connection, bytes) => out(link).send(connection, bytes),
        close: (connection) => out(link).close(connection),
      }),
    });
  }

  device(name: string): Device {
    const link = (): SimLink => this.simulation.link(name);
    const now = (): number => this.#timeline.now;
    return {
      isCut: () => link().isCut(now()),
      open: (connection) => link().open(connection, now()),
      receive: (connection, bytes) => {
        this.simulation.advance(now());
        link().receive(connection, bytes, now());
        this.turn();
      },
      closed: (connection, reset) => {
        link().closed(connection, reset, now());
        this.turn();
      },
    };
  }

  /** One line of the simulator's control channel, such as `fault plc silence`. */
  command(line: string): void {
    this.simulation.command(line, this.#timeline.now);
    this.turn();
  }

  /** What is due; then again when something is. */
  turn(): void {
    const next = this.simulation.step(this.#timeline.now);
    if (this.#due !== null) this.#due.off = true;
    this.#due = next === Infinity ? null : this.#timeline.at(next, () => this.turn());
  }
}
