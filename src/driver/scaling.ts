import { Fault } from "../base.ts";
import { arrayOf, BAD, GOOD, isNumberType, UNCERTAIN } from "../ring.ts";
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

/** Smallest and largest raw number of the whole types; 64 bits: what a float64 holds exactly. */
const ranges: Readonly<Record<string, readonly [least: number, most: number]>> = {
  bool: [0, 1], int8: [-(2 ** 7), 2 ** 7 - 1], uint8: [0, 2 ** 8 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1], uint16: [0, 2 ** 16 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1], uint32: [0, 2 ** 32 - 1], time: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER], uint64: [0, Number.MAX_SAFE_INTEGER],
};
const endless = [-Infinity, Infinity] as const;
export const rangeOf = (type: string): readonly [least: number, most: number] =>
  ranges[type] ?? endless;

/** raw = round((value − offset) / scale); a Fault if the tag's type cannot hold it. */
export function rawNumberOf(
  { id, type }: Pick<DriverTag, "id" | "type">, scaling: Scaling, value: number,
): number {
  const unscaled = scaling.raw(value);
  if (!Number.isFinite(value) || !Number.isFinite(unscaled)) {
    throw new Fault("value-range", `${value} is no number that ${id} can be set to`, { tag: id });
  }
  if (type === "float64") return unscaled;
  if (type === "float32") {
    const raw = Math.fround(unscaled);
    if (Number.isFinite(raw)) return raw;
    throw new Fault("value-range", `${value} is past the largest float32 of ${id}`, { tag: id });
  }
  const raw = Math.round(unscaled);
  const [least, most] = rangeOf(type);
  if (raw >= least && raw <= most) return raw;
  throw new Fault("value-range", `${value} would be raw ${raw} of ${id}; ${type} ends at ` +
    `${raw < least ? least : most}`, { tag: id, value, raw, least, most });
}

/** What is wrong with a tag's scale and offset, or null. */
export function scaleProblem({ type, scale, offset }: DriverTag): string | null {
  if (!Number.isFinite(scale) || scale === 0 || !Number.isFinite(offset)) {
    return `scale ${scale}, offset ${offset}: scale is a number other than 0`;
  }
  const isScaled = scale !== 1 || offset !== 0;
  return isScaled && !isNumberType(arrayOf(type)?.item ?? type)
    ? `scale and offset have no meaning for ${type}` : null;
}
