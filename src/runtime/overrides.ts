import type { Log } from "../base.ts";
import { UNCERTAIN, writeCell, type Column, type Ring } from "../ring.ts";

/** A value that stands in the place of a tag's own for a while. */
interface Force {
  readonly tag: string;
  /** Where its group's rows were when it was forced: a change that makes them anew ends it. */
  readonly ring: Ring;
  readonly column: Column;
  readonly value: number | boolean | string;
  readonly by: string;
  /** Monotonic ms. */
  readonly until: number;
}

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
  /** By stream. */
  readonly #forces = new Map<string, Force[]>();
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
    return [...this.#forces.values()].some((forces) => forces.some((force) => force.tag === tag));
  }

  /** Null = it is asked again. */
  disable(device: string, by: string | null): void {
    if (by === null) this.#disabled.delete(device);
    else this.#disabled.set(device, by);
  }

  force(force: Force): void {
    const stream = force.ring.name;
    this.unforce(force.tag);
    this.#forces.set(stream, [...this.#forces.get(stream) ?? [], force]);
  }

  unforce(tag: string): void {
    for (const [stream, forces] of this.#forces) {
      const others = forces.filter((force) => force.tag !== tag);
      if (others.length > 0) this.#forces.set(stream, others);
      else this.#forces.delete(stream);
    }
  }

  /** Puts forced values into the rows `from … from + n` of a group, which nobody has read yet. */
  apply(ring: Ring, from: number, n: number): void {
    if (this.#forces.size === 0) return;
    const now = this.#options.now();
    for (const { tag, ring: own, column, value, until } of this.#forces.get(ring.name) ?? []) {
      if (now >= until || own !== ring) {
        this.unforce(tag);
        this.#options.log.info("force", `${tag} is no longer forced`);
        continue;
      }
      for (let i = 0; i < n; i++) writeCell(ring, column, (from + i) | 0, value, UNCERTAIN.forced);
    }
  }

  /** In words, for `/health`. */
  get told(): string[] {
    const now = this.#options.now();
    return [
      ...[...this.#disabled].map(([device, by]) => `device ${device} was disabled by ${by}`),
      ...[...this.#forces.values()].flat().filter(({ until }) => until > now)
        .map(({ tag, by, until }) =>
          `${tag} is forced by ${by} for another ${Math.ceil((until - now) / 1000)} s`),
    ];
  }
}
