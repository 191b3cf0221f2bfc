import { ERROR, UNCERTAIN } from "../../src/ring.ts";
import type { BoundStateful } from "../../src/sql/bound.ts";
import { type Call, joined, type Made, type Origin } from "./stateful.ts";
import { type Cell, failed, nothing } from "./value.ts";

interface Kept {
  readonly x: number;
  readonly time: number;
  readonly state: number;
  readonly from: Origin;
  /** A row without a value came between this one and the one before. */
  readonly afterGap: boolean;
}

/** Functions of the last rows that had a value. */
export class Moving implements Call {
  readonly #fn: string;
  readonly #rows: number;
  #kept: readonly Kept[] = [];
  #gap = false;

  constructor({ fn, args: [, rows] }: BoundStateful) {
    this.#fn = fn;
    this.#rows = rows!.kind === "literal" ? Number(rows!.value) : NaN;
  }

  interrupt(): void {
    this.#gap = this.#kept.length > 0;
  }

  hold(from: Origin): Made {
    if (this.#kept.length === 0) return { cell: nothing, from };
    const origin = joined(from, ...this.#kept.map((kept) => kept.from));
    const gap = this.#gap || this.#kept.slice(1).some((kept) => kept.afterGap) ||
      (this.#kept.length < this.#rows && this.#kept[0]!.afterGap);
    const state = Math.max(gap ? UNCERTAIN.skipped : 0, ...this.#kept.map((kept) => kept.state));
    const value = this.#value();
    if (Number.isNaN(value)) return { cell: nothing, from: origin };
    return { from: origin, cell: Number.isFinite(value) ? { value, state } : failed(ERROR.number) };
  }

  take([x, rows]: readonly Cell[], time: number, from: Origin): Made {
    const state = Math.max(x!.state, rows!.state);
    const value = x!.value as number;
    if (state >= 64 || !Number.isFinite(value)) {
      this.#gap = this.#kept.length > 0;
      return { cell: failed(state >= 64 ? state : ERROR.number), from };
    }
    this.#kept = [...this.#kept, { x: value, time, state, from, afterGap: this.#gap }]
      .slice(-this.#rows);
    this.#gap = false;
    return this.hold(from);
  }

  #value(): number {
    const values = this.#kept.map((kept) => kept.x);
    const n = values.length;
    switch (this.#fn) {
      case "moving_median": {
        const sorted = values.map((v) => v + 0).sort((a, b) => a - b);
        const [low, high] = [sorted[Math.ceil(n / 2) - 1]!, sorted[Math.floor(n / 2)]!];
        return low === high ? low : low + (high - low) / 2;
      }
      case "moving_rms": return Math.sqrt(total(values.map((v) => v * v)) / n);
      case "zscore": {
        const mean = total(values) / n;
        const deviation = Math.sqrt(total(values.map((v) => (v - mean) ** 2)) / n);
        return deviation > 0 ? (values.at(-1)! - mean) / deviation : NaN;
      }
      default: return this.#slope(values);
    }
  }

  #slope(values: readonly number[]): number {
    const times = this.#kept.map((kept) => kept.time);
    const [x, t] = [total(values) / values.length, total(times) / times.length];
    const both = total(values.map((v, i) => (times[i]! - t) * (v - x)));
    return both / total(times.map((time) => (time - t) ** 2)) * 1000;
  }
}

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
