import { BAD, GOOD, UNCERTAIN } from "../ring.ts";
import type { DriverTag } from "../driver.ts";

/** What the raw numbers of one tag mean: its scale, its decimals, and its sensor's state. */
export class Scaling {
  /** Raw numbers are not the values. */
  readonly active: boolean;
  readonly #scale: number;
  readonly #offset: number;
  /** 10^decimals, 0 = as it comes. */
  readonly #rounding: number;
  readonly #signal: Signal | null;

  constructor(tag: Pick<DriverTag, "scale" | "offset" | "decimals" | "signal">) {
    this.#scale = tag.scale;
    this.#offset = tag.offset;
    this.#rounding = tag.decimals === null ? 0 : 10 ** tag.decimals;
    this.#signal = tag.signal === null ? null : new Signal(tag.signal);
    this.active = tag.scale !== 1 || tag.offset !== 0;
  }

  /** It makes the same value and state of the same raw number. */
  isLike(other: Scaling): boolean {
    return this.#scale === other.#scale && this.#offset === other.#offset &&
      this.#rounding === other.#rounding &&
      (this.#signal === null ? other.#signal === null : this.#signal.isLike(other.#signal));
  }

  /** The engineering value, as near as float64 has it: what limits are tested on. */
  exact(raw: number): number {
    return this.active ? raw * this.#scale + this.#offset : raw;
  }

  /** The engineering value as a row has it. */
  value(raw: number): number {
    const value = this.exact(raw);
    return this.#rounding === 0 ? value : Math.round(value * this.#rounding) / this.#rounding;
  }

  /** The raw number that comes nearest to meaning `value`, before it is made a whole one. */
  raw(value: number): number {
    return this.active ? (value - this.#offset) / this.#scale : value;
  }

  /** NaN and infinite are no measurements, and a signal may say that its sensor has failed. */
  stateOf(raw: number): number {
    if (raw - raw !== 0) return BAD.range;
    return this.#signal === null ? GOOD : this.#signal.stateOf(raw);
  }
}

/**
 * What a current of 4 to 20 mA says of its sensor (NAMUR NE 43): up to 3.6 and from 21 mA on it has
 * failed; between 3.8 and 20.5 mA it measures; what lies between says only "further out".
 *
 *     mA    3.6       3.8  4             20  20.5       21
 *       bad  | uncertain |       good        | uncertain | bad
 */
class Signal {
  readonly #raw4: number;
  readonly #rawPer_mA: number;

  constructor([at4, at20]: readonly [number, number]) {
    this.#raw4 = at4;
    this.#rawPer_mA = (at20 - at4) / 16;
  }

  isLike(other: Signal | null): boolean {
    return other !== null && this.#raw4 === other.#raw4 && this.#rawPer_mA === other.#rawPer_mA;
  }

  stateOf(raw: number): number {
    const mA = 4 + (raw - this.#raw4) / this.#rawPer_mA;
    if (mA >= 3.8 && mA <= 20.5) return GOOD;
    if (mA <= 3.6) return BAD.underrange;
    return mA >= 21 ? BAD.overrange : UNCERTAIN.saturated;
  }
}
