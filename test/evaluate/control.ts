import { ERROR, FLAG, NULL, UNCERTAIN } from "../../src/ring.ts";
import type { BoundStateful } from "../../src/sql/bound.ts";
import { type Call, joined, type Made, type Origin } from "./stateful.ts";
import { type Cell, failed } from "./value.ts";

/** State of a controller after a row that was fit for it. */
interface Loop {
  readonly integral: number;
  readonly derivative: number;
  readonly x: number;
  readonly y: number;
  readonly time: number;
  readonly from: Origin;
}

export class Pid implements Call {
  readonly #floats: readonly boolean[];
  #before: Loop | null = null;
  #broken = false;

  constructor({ args }: BoundStateful) {
    this.#floats = args.map((arg) => arg.type.kind === "float64");
  }

  interrupt(): void {
    this.#broken = true;
  }

  hold(from: Origin, args: readonly Cell[]): Made {
    const state = this.#worst(args);
    this.#broken = true;
    return { cell: failed(state > 63 ? state : NULL), from };
  }

  take(args: readonly Cell[], time: number, from: Origin): Made {
    const unfit = FLAG.backfill | FLAG.replayed | FLAG.doubtful;
    if (this.#worst(args) !== 0 || (from.flags & unfit) !== 0) {
      return this.hold(from, args);
    }
    const [x, setpoint, kp, ti, td, low, high] = args.map(({ value }) => value as number) as
      [number, number, number, number, number, number, number];
    // Not by min and max, which would turn a zero's sign.
    const limit = (v: number): number => (v < low ? low : v > high ? high : v);
    const before = this.#usable(args[7]!.value as number, time);
    const p = kp * (setpoint - x);
    const track = args[8] === undefined ? null : limit(args[8].value as number);
    const started = (y: number, d: number): number => (ti > 0 ? y - p - d : 0);
    let [i, d] = [0, 0];
    if (before === null) i = track === null ? 0 : started(track, 0);
    else if (this.#broken) i = started(before.y, 0);
    else {
      const dt = time - before.time;
      // A first-order lag of td / 10 before the difference quotient.
      const filter = td + 10 * dt;
      d = td > 0 ? td / filter * before.derivative - kp * td * 10 / filter * (x - before.x) : 0;
      const step = ti > 0 ? kp * (setpoint - x) * dt / ti : 0;
      i = this.#integrated(before.integral, p + d, step, args);
    }
    const manual = args[9]?.value === false;
    const y = manual ? track! : limit(p + i + d);
    if (manual) i = started(y, d);
    const state = before !== null && this.#broken ? UNCERTAIN.skipped : 0;
    const origin = before === null ? from : joined(from, before.from);
    this.#broken = false;
    this.#before = { integral: i, derivative: d, x, y, time, from };
    if (Number.isFinite(y)) return { cell: { value: y, state }, from: origin };
    this.#before = null;
    return { cell: failed(ERROR.number), from: origin };
  }

  /** The integral moves to where the output is at its limit, and no further. */
  #integrated(integral: number, rest: number, step: number, args: readonly Cell[]): number {
    const [low, high] = [args[5]!.value as number, args[6]!.value as number];
    const open = rest + integral + step;
    if (step > 0 && open > high) return Math.max(integral, high - rest);
    if (step < 0 && open < low) return Math.min(integral, low - rest);
    return integral + step;
  }

  #usable(longest: number, time: number): Loop | null {
    const before = this.#before;
    if (before === null || time < before.time || time - before.time > longest) return null;
    return before;
  }

  #worst(args: readonly Cell[]): number {
    const state = Math.max(...args.map((arg) => arg.state));
    if (state >= 64) return state;
    if (args.some((arg, i) => this.#floats[i] && !Number.isFinite(arg.value))) return ERROR.number;
    const [, , , ti, td, low, high, gap] = args.map(({ value }) => value as number);
    return ti! >= 0 && td! >= 0 && low! < high! && gap! > 0 ? state : ERROR.argument;
  }
}

const alarmStates = ["normal", "unacknowledged", "acknowledged", "returned"] as const;

/** Nobody acknowledges or shelves anything here. */
export class Alarm implements Call {
  #state: (typeof alarmStates)[number] = "normal";
  #active = false;
  #run: { readonly condition: boolean; readonly since: number } | null = null;

  hold(from: Origin): Made {
    return { cell: { value: this.#state, state: UNCERTAIN.skipped }, from };
  }

  take([condition, on, off]: readonly Cell[], time: number, from: Origin): Made {
    const state = this.#worst(condition!, on!, off!);
    if (state >= 64) {
      this.#run = null;
      return state < 194 ? this.hold(from) : { cell: failed(state), from };
    }
    const now = condition!.value as boolean;
    if (this.#run?.condition !== now) this.#run = { condition: now, since: time };
    const delay = (now ? on : off)!.value as number;
    if (now !== this.#active && time - this.#run.since >= delay) {
      this.#active = now;
      this.#state = now ? "unacknowledged"
        : this.#state === "unacknowledged" ? "returned" : "normal";
    }
    return { cell: { value: this.#state, state }, from };
  }

  #worst(condition: Cell, ...delays: readonly Cell[]): number {
    const state = Math.max(condition.state, ...delays.map((d) => d.state));
    if (state >= 64) return state;
    if (delays.some((d) => !Number.isFinite(d.value))) return ERROR.number;
    return delays.every((d) => (d.value as number) >= 0) ? state : ERROR.argument;
  }
}
