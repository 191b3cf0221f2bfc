import type { Log } from "../base.ts";
import {
  Arena, copyCell, readsAsNull, Ring, UNCERTAIN, writeCell, type Column,
} from "../ring.ts";

/** A value that stands in the place of a tag's own for a while. */
interface Force {
  readonly tag: string;
  /** Where its group's rows are: a change that makes them anew ends it. */
  readonly ring: Ring;
  readonly column: Column;
  readonly value: number | boolean | string;
  readonly by: string;
  /** Monotonic ms. */
  readonly until: number;
}

/** A force in its course. It stays for one more row: that one must not repeat what was forced. */
interface Standing {
  readonly force: Force;
  /** One cell: what the device itself said last, which a bad one repeats. */
  readonly own: Ring;
  isEnded: boolean;
}

/** The least that a ring has; one is used. */
const own_rows = 2;

export interface OverridesOptions {
  readonly now: () => number;
  readonly log: Log;
}

/**
 * What people put over the readings of devices: forced values, and devices that are left alone. A
 * forced cell is `uncertain:forced` in each row, before anybody reads it, so that nothing computed
 * from it reaches a machine (W8); it ends by time and with the process. A disabled device is asked
 * nothing and sent nothing; its tags are `bad:disabled`.
 */
export class Overrides {
  readonly #options: OverridesOptions;
  /** By what its group's rows are in. */
  readonly #standing = new Map<Ring, Standing[]>();
  /** Devices, and who disabled them. */
  readonly #disabled: Map<string, string>;

  constructor(disabled: Readonly<Record<string, string>>, options: OverridesOptions) {
    this.#options = options;
    this.#disabled = new Map(Object.entries(disabled));
  }

  isDisabled(device: string): boolean {
    return this.#disabled.has(device);
  }

  /** Its value is, or would be, another than what the device says. */
  has(tag: string): boolean {
    if (this.isDisabled(tag.slice(0, tag.indexOf(".")))) return true;
    return this.#forces().some((force) => force.tag === tag);
  }

  /** Null = it is asked again. */
  disable(device: string, by: string | null): void {
    if (by === null) this.#disabled.delete(device);
    else this.#disabled.set(device, by);
  }

  force(force: Force): void {
    const { ring, tag, column } = force;
    const others = this.#standing.get(ring) ?? [];
    const before = others.find((other) => other.force.tag === tag);
    const own = before?.own ?? cellOf(ring, column, tag);
    this.#standing.set(ring,
      [...others.filter((other) => other.force.tag !== tag), { force, own, isEnded: false }]);
  }

  unforce(tag: string): void {
    for (const standing of [...this.#standing.values()].flat()) {
      if (standing.force.tag === tag) standing.isEnded = true;
    }
  }

  /** A change was applied: forces on rows that are no more, or are made anew, have ended. */
  keep(rings: ReadonlySet<Ring>): void {
    for (const [ring, ended] of this.#standing) {
      if (rings.has(ring)) continue;
      this.#standing.delete(ring);
      for (const { force: { tag }, isEnded } of ended) if (!isEnded) this.#tellEnded(tag);
    }
  }

  /** Puts forced values into the rows `from … from + n` of a group, which nobody has read yet. */
  apply(ring: Ring, from: number, n: number): void {
    if (this.#standing.size === 0) return;
    for (const standing of this.#standing.get(ring) ?? []) {
      const { force: { until, tag } } = standing;
      if (!standing.isEnded && this.#options.now() >= until) {
        standing.isEnded = true;
        this.#tellEnded(tag);
      }
      for (let i = 0; i < n; i++) put(standing, (from + i) | 0);
      if (standing.isEnded) this.#drop(ring, standing);
    }
  }

  /** In words, for `/health`. */
  get told(): string[] {
    const now = this.#options.now();
    return [
      ...[...this.#disabled].map(([device, by]) => `device ${device} was disabled by ${by}`),
      ...this.#forces().map(({ tag, by, until }) =>
        `${tag} is forced by ${by} for another ${Math.ceil((until - now) / 1000)} s`),
    ];
  }

  /** Those in force: one whose time is over is so whether or not another row comes. */
  #forces(): Force[] {
    const now = this.#options.now();
    return [...this.#standing.values()].flat()
      .filter(({ isEnded, force: { until } }) => !isEnded && until > now)
      .map(({ force }) => force);
  }

  #drop(ring: Ring, ended: Standing): void {
    const others = this.#standing.get(ring)!.filter((standing) => standing !== ended);
    if (others.length > 0) this.#standing.set(ring, others);
    else this.#standing.delete(ring);
  }

  #tellEnded(tag: string): void {
    this.#options.log.info("force", `${tag} is no longer forced`);
  }
}

/** A place for one cell, with what stands in the newest row. */
function cellOf(ring: Ring, column: Column, tag: string): Ring {
  const layout = Ring.layout(`${tag} own`, [ring.layout.columns[column.index]!], own_rows);
  const own = Ring.create(Arena.create(2 * layout.bytes), layout).ring;
  copyCell(ring, column, (ring.head - 1) | 0, own, own.columns[0]!, 0);
  return own;
}

/** One row: what a device that fails repeats is its own last value, not the one forced before. */
function put({ force: { ring, column, value }, own, isEnded }: Standing, seq: number): void {
  const at = column.state + (seq & ring.mask);
  const state = ring.arena.U[at]!;
  if (readsAsNull(state)) copyCell(own, own.columns[0]!, 0, ring, column, seq);
  else copyCell(ring, column, seq, own, own.columns[0]!, 0);
  if (isEnded) ring.arena.U[at] = state;
  else writeCell(ring, column, seq, value, UNCERTAIN.forced);
}
