import type { Ring } from "../../ring.ts";
import { fieldIndex } from "../emit/params.ts";
import { RowsStage } from "../emit/stage.ts";
import type { Site, Stage, StageCounters, StatefulPlan } from "../program.ts";

/** Where the fields of an `Interrupt` lie. */
interface Place {
  readonly at: number;
  readonly value: number;
  readonly begunAt: number;
  readonly keys: number;
}

/**
 * Functions with state on the way to a write (W8). A gap in the rows is to each of them what a row
 * without a value is: their timers begin anew, and results are uncertain as long as something from
 * before it is in them. Which of the rows up to its time came before it is not known: each may be
 * the first after it.
 */
export class InterruptedStage implements Stage {
  readonly deadline = Infinity;
  readonly counters: StageCounters;
  readonly #stage: RowsStage;
  readonly #places: readonly Place[];
  readonly #input: Ring;
  readonly #F: Float64Array;
  /** Rows up to this time may be missing. */
  #upTo = 0;
  /** None has come that is later. */
  #open = false;

  constructor(plan: StatefulPlan, site: Site) {
    const at = (field: string): number => fieldIndex(plan.state, field, site.state.at);
    this.#stage = new RowsStage(plan, site);
    this.counters = this.#stage.counters;
    this.#places = plan.interrupts.map(({ field, value, begun, keys }) =>
      ({ at: at(field), value, begunAt: at(begun), keys }));
    this.#input = site.input!;
    this.#F = site.arena.F;
  }

  run(from: number, to: number, now: number, time: number): number {
    const input = this.#input;
    let seq = from;
    while (this.#open && seq !== to) {
      this.#interrupt();
      this.#open = this.#F[input.timeAt + (seq & input.mask)]! < this.#upTo;
      seq = this.#stage.run(seq, (seq + 1) | 0, now, time);
    }
    return seq === to ? seq : this.#stage.run(seq, to, now, time);
  }

  tick(): void {}

  interrupt(time: number): void {
    if (time <= this.#upTo) return;
    this.#upTo = time;
    this.#open = true;
  }

  #interrupt(): void {
    const F = this.#F;
    for (let i = 0; i < this.#places.length; i++) {
      const { at, value, begunAt, keys } = this.#places[i]!;
      for (let key = 0; key < keys; key++) if (F[begunAt + key] !== 0) F[at + key] = value;
    }
  }
}
