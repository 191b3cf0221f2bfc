import type { Ring } from "../../ring.ts";
import { type Kernel, kernelOf } from "../emit/kernel.ts";
import { fieldIndex } from "../emit/params.ts";
import { bindParams } from "../emit/stage.ts";
import type { FoldPlan, RowsPlan, Site } from "../program.ts";
import { GroupTable } from "./groups.ts";
import { word } from "./words.ts";

/** Fills the ring of a window (kept.ts). */
export interface Keeper {
  /** Takes rows [from, to) or fewer, `free` being the room in the ring; where it stopped. */
  take(from: number, to: number, free: number, time: number): number;
  /** Engine time up to which everything is kept, though the newest kept row is older. */
  readonly reached: number;
  /** Keeps what is complete by `time`, engine time. */
  tick(time: number): void;
  /** Engine time at which something will be complete. */
  readonly closes: number;
  /** Rows that must have room. */
  readonly least: number;
  readonly errors: number;
  readonly dropped: number;
  /** Engine time from which on a row was kept out that may belong (words.ts); 0 = none was. */
  readonly doubtedSince: number;
}

/** Row by row: the columns that the window needs, of the rows that pass what comes before it. */
export class RowKeeper implements Keeper {
  readonly closes = Infinity;
  readonly reached = -Infinity;
  readonly least = 1;
  readonly dropped = 0;
  /** Such rows are kept: the window itself finds them. */
  readonly doubtedSince = 0;
  readonly #kernel: Kernel;
  readonly #params: number;
  readonly #errorsAt: number;
  readonly #ring: Ring;

  constructor(plan: RowsPlan, site: Site) {
    this.#kernel = kernelOf(site.arena, plan.text);
    this.#params = bindParams(plan.state, plan.params, site);
    this.#errorsAt = fieldIndex(plan.state, "errors", site.state.at);
    this.#ring = site.output;
  }

  get errors(): number {
    return this.#ring.arena.F[this.#errorsAt]!;
  }

  take(from: number, to: number, free: number, time: number): number {
    const waiting = (to - from) | 0;
    const n = waiting < free ? waiting : free;
    const end = (from + n) | 0;
    this.#ring.claim(n);
    this.#ring.publish(this.#kernel(this.#params, from, end, this.#ring.head, time));
    return end;
  }

  tick(_time: number): void {}
}

const { open, end, groups, dropped, doubted, since } = word;

/** Pane by pane: rows are folded into groups, of a complete pane each is one row of the ring. */
export class PaneKeeper implements Keeper {
  readonly least: number;
  readonly #pane_ms: number;
  readonly #accumulate: Kernel;
  readonly #emit: Kernel;
  readonly #params: number;
  readonly #input: Ring;
  readonly #ring: Ring;
  readonly #at: number;
  readonly #errorsAt: number;
  readonly #table: GroupTable;

  constructor(plan: FoldPlan, site: Site, pane_ms: number) {
    this.#pane_ms = pane_ms;
    this.least = plan.keys;
    this.#accumulate = kernelOf(site.arena, plan.text);
    this.#emit = kernelOf(site.arena, plan.emitText);
    this.#params = bindParams(plan.state, plan.params, site);
    this.#input = site.input!;
    this.#ring = site.output;
    this.#at = fieldIndex(plan.state, "window", site.state.at);
    this.#errorsAt = fieldIndex(plan.state, "errors", site.state.at);
    this.#table = new GroupTable(plan, site);
  }

  get closes(): number {
    const { F } = this.#ring.arena;
    return F[this.#at + open] === 1 ? F[this.#at + end]! : Infinity;
  }

  get errors(): number {
    return this.#ring.arena.F[this.#errorsAt]!;
  }

  get dropped(): number {
    return this.#ring.arena.F[this.#at + dropped]!;
  }

  get doubtedSince(): number {
    return this.#ring.arena.F[this.#at + since]!;
  }

  take(from: number, to: number, _free: number, time: number): number {
    const { F } = this.#ring.arena, at = this.#at;
    if (F[at + open] === 0) {
      const first = F[this.#input.timeAt + (from & this.#input.mask)]!;
      F[at + open] = 1;
      F[at + end] = (Math.floor(first / this.#pane_ms) + 1) * this.#pane_ms;
      // Windows that end before the row close first.
      return from;
    }
    const seq = this.#accumulate(this.#params, from, to, F[at + end]!, time);
    if (seq !== to) this.#close();
    return seq;
  }

  /** The beginning of the open pane. */
  get reached(): number {
    return this.closes === Infinity ? -Infinity : this.closes - this.#pane_ms;
  }

  tick(time: number): void {
    if (time >= this.closes) this.#close();
  }

  /** A pane's rows bear the time at which it began. */
  #close(): void {
    const { F } = this.#ring.arena, at = this.#at;
    const n = F[at + groups]!;
    this.#ring.claim(n);
    this.#emit(this.#params, 0, n, this.#ring.head, F[at + end]! - this.#pane_ms);
    this.#ring.publish(n);
    this.#table.clear();
    if (F[at + doubted]! > 0) F[at + since] = F[at + end]! - this.#pane_ms;
    F[at + doubted] = 0;
    F[at + groups] = 0;
    F[at + open] = 0;
  }
}
