import { assert, never } from "../base.ts";
import { isNumberType, type TagType, type Written } from "../ring.ts";
import type { Behaviour } from "./behaviour.ts";

/** What the plant has to know of a tag. */
export interface PlantTag {
  /** `device.tag` */
  readonly id: string;
  readonly type: TagType;
  readonly scale: number;
  readonly offset: number;
  /** Somebody writes it: by itself, or all stations at once. */
  readonly takes: boolean;
  readonly eu: string | null;
}

/** A tag that shows a text: if its behaviour is a number's, that number in digits. */
export const holdsText = ({ type }: Pick<PlantTag, "type">): boolean =>
  /^(text|bytes|json)/.test(type);

/** Integrated in steps of this length, so that its path does not depend on its readers. */
const plant_step_ms = 10;
/** A simulator that was stopped for longer than this does not make up for the lost time. */
const plant_behind_ms_max = 60_000;

/**
 * The simulated equipment behind the tags. A pure stepper: the same seed, behaviours, steps and
 * writes give the same values, whoever reads them and how often.
 */
export class Plant {
  /** Plant time in ms since the start. */
  time = 0;
  readonly #seed: number;
  readonly #index = new Map<string, number>();
  readonly #behaviours: Behaviour[] = [];
  /** What integrates (vessel, walk, counter) or was written (follow). */
  readonly #state: Float64Array;
  /** A value that a person set over the behaviour, until `release`; NaN = none. */
  readonly #held: Float64Array;
  /** Of tags that show one: the text that they hold; null = they show their number. */
  readonly #texts = new Map<number, string | null>();
  /** The same that a person set over it, until `release`. */
  readonly #heldTexts = new Map<number, string>();
  /** Tags whose state moves by itself. */
  readonly #moving: number[] = [];

  constructor(
    tags: readonly PlantTag[], behaviours: Readonly<Record<string, Behaviour>>, seed: number,
  ) {
    this.#seed = seed >>> 0;
    this.#state = new Float64Array(tags.length);
    this.#held = new Float64Array(tags.length).fill(NaN);
    for (const [i, tag] of tags.entries()) {
      const behaves = behaviours[tag.id] ?? usual(tag, i);
      this.#index.set(tag.id, i);
      this.#behaviours.push(behaves);
      this.#state[i] = start(behaves);
      if (holdsText(tag)) this.#texts.set(i, textOf(behaves));
      if (moves(behaves)) this.#moving.push(i);
    }
  }

  get ids(): Iterable<string> {
    return this.#index.keys();
  }

  has(id: string): boolean {
    return this.#index.has(id);
  }

  kind(id: string): Behaviour["kind"] {
    return this.#behaviours[this.#at(id)]!.kind;
  }

  /** Moves the plant on by `dt` ms, a whole number of `plant_step_ms`. */
  step(dt: number): void {
    assert(dt % plant_step_ms === 0, `a plant step of ${dt} ms`);
    for (let done = 0; done < dt; done += plant_step_ms) {
      for (let k = 0; k < this.#moving.length; k++) this.#move(this.#moving[k]!);
      this.time += plant_step_ms;
    }
  }

  /** Moves the plant on to `time` (ms since the start), as near as whole steps go. */
  advance(time: number): void {
    if (time - this.time > plant_behind_ms_max) {
      this.time = Math.floor(time / plant_step_ms) * plant_step_ms - plant_behind_ms_max;
    }
    const steps = Math.floor((time - this.time) / plant_step_ms);
    if (steps > 0) this.step(steps * plant_step_ms);
  }

  /** What a sensor reads now, noise included. */
  value(id: string): number {
    const i = this.#at(id);
    return this.#value(i) + (Number.isNaN(this.#held[i]!) ? this.#noise(i) : 0);
  }

  /** The same without noise: what really is. */
  truth(id: string): number {
    return this.#value(this.#at(id));
  }

  /** What a tag that holds a text shows now; null: it is a number's. */
  text(id: string): string | null {
    const i = this.#at(id);
    const text = this.#texts.get(i);
    if (text === undefined) return null;
    return this.#heldTexts.get(i) ?? text ?? String(this.#value(i));
  }

  /** A client wrote the tag. False: it is not one that takes what is written. */
  write(id: string, value: Written): boolean {
    const i = this.#at(id);
    if (this.#behaviours[i]!.kind !== "follow") return false;
    if (this.#texts.has(i)) this.#texts.set(i, String(value));
    else this.#state[i] = Number(value);
    return true;
  }

  /** A person at the plant sets a tag: what follows keeps it, all else is held until `release`. */
  set(id: string, value: Written): void {
    if (!this.write(id, value)) this.hold(id, value);
  }

  /** The tag reads `value`, whatever it would do, until `release`. */
  hold(id: string, value: Written): void {
    const i = this.#at(id);
    if (this.#texts.has(i)) this.#heldTexts.set(i, String(value));
    else this.#held[i] = Number(value);
  }

  /** Gives a held tag back to its behaviour. */
  release(id: string): void {
    this.#held[this.#at(id)] = NaN;
    this.#heldTexts.delete(this.#at(id));
  }

  #at(id: string): number {
    const i = this.#index.get(id);
    assert(i !== undefined, `the plant has no tag ${id}`);
    return i;
  }

  #value(i: number): number {
    const held = this.#held[i]!;
    if (!Number.isNaN(held)) return held;
    const b = this.#behaviours[i]!;
    switch (b.kind) {
      case "constant": return Number(b.value);
      case "sine":
        return (b.min + b.max) / 2
          + (b.max - b.min) / 2 * Math.sin(2 * Math.PI * (this.time / b.period + b.phase));
      case "saw": return b.min + (b.max - b.min) * (this.time % b.period) / b.period;
      case "square": return this.time % b.period < b.period / 2 ? b.max : b.min;
      case "door": return this.#isOpen(b) ? (b.closed === 0 ? 1 : 0) : b.closed;
      case "follow": case "walk": case "counter": case "vessel": return this.#state[i]!;
      default: return never(b, "behaviour");
    }
  }

  #isOpen(door: Extract<Behaviour, { kind: "door" }>): boolean {
    const since = this.time - (door.after ?? door.every);
    return since >= 0 && since % door.every < door.opens;
  }

  #move(i: number): void {
    const b = this.#behaviours[i]!;
    const seconds = plant_step_ms / 1000;
    switch (b.kind) {
      case "walk":
        if (this.time % b.every < plant_step_ms) {
          const next = this.#state[i]! + b.step * (2 * this.#uniform(i, 0) - 1);
          this.#state[i] = Math.min(b.max, Math.max(b.min, next));
        }
        return;
      case "counter": {
        const rate = b.of === undefined ? b.rate : b.rate * this.truth(b.of);
        const next = this.#state[i]! + rate * seconds;
        this.#state[i] = b.wrap !== undefined && next >= b.wrap ? next - b.wrap : next;
        return;
      }
      case "vessel": this.#state[i] = this.#heat(b, this.#state[i]!); return;
      default: assert(false, `${b.kind} does not move`);
    }
  }

  /**
   * tau · dT/dt = gain · valve − k · (T − ambient), with k = 1, or 1 + doorLoss while the door is
   * open. Solved exactly over one step, so that no time constant makes it unstable.
   */
  #heat(b: Extract<Behaviour, { kind: "vessel" }>, now: number): number {
    const ambient = typeof b.ambient === "number" ? b.ambient : this.truth(b.ambient);
    const valve = Math.min(100, Math.max(0, this.truth(b.valve)));
    const open = b.door !== undefined && this.truth(b.door) === 0;
    const k = open ? 1 + b.doorLoss : 1;
    const end = ambient + b.gain * valve / k;
    return end + (now - end) * Math.exp(-k * plant_step_ms / b.tau);
  }

  /** Bell-shaped by the sum of four uniform numbers (variance 4/12), so it has an end. */
  #noise(i: number): number {
    const b = this.#behaviours[i]!;
    const sigma = "noise" in b ? b.noise : 0;
    if (sigma === 0) return 0;
    let sum = -2;
    for (let k = 1; k <= 4; k++) sum += this.#uniform(i, k);
    return sigma * sum * Math.sqrt(3);
  }

  /** [0, 1) by seed, tag, plant time and `k`: no generator whose state readers would move. */
  #uniform(i: number, k: number): number {
    let z = this.#seed ^ Math.imul(i * 8 + k + 1, 0x9e3779b9);
    z = Math.imul(z ^ (z >>> 16) ^ Math.imul(this.time / plant_step_ms, 0x85ebca6b), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 4294967296;
  }
}

function start(b: Behaviour): number {
  if (b.kind === "follow") return Number(b.value);
  return "start" in b ? b.start : 0;
}

/** What a tag holds at first that shows a text; null = the number of its behaviour. */
const textOf = (b: Behaviour): string | null =>
  (b.kind === "follow" || b.kind === "constant" ? String(b.value) : null);

function moves(b: Behaviour): boolean {
  return b.kind === "walk" || b.kind === "counter" || b.kind === "vessel";
}

/** Ranges that look right on a screen, by engineering unit. */
const ranges: Readonly<Record<string, readonly [number, number]>> = {
  "°C": [20, 60], "%": [0, 100], bar: [1, 6], V: [225, 235], A: [0, 10], W: [200, 4000],
  kW: [0.2, 4], Hz: [49.95, 50.05], "1/min": [1400, 1500],
};
const sine_period_ms = 60_000;

/** A tag that plant.json does not name: writable ones hold, bools are false, the rest swings. */
function usual(tag: PlantTag, index: number): Behaviour {
  if (tag.takes) return { kind: "follow", value: holdsText(tag) ? "" : 0 };
  if (!isNumberType(tag.type)) {
    return { kind: "constant", value: holdsText(tag) ? "" : 0, noise: 0 };
  }
  const [low, high] = ranges[tag.eu ?? ""] ?? [0, 100];
  const [least, most] = representable(tag);
  return {
    kind: "sine", period: sine_period_ms, noise: 0,
    // The golden ratio spreads the phases of neighbouring tags.
    phase: (index * 0.618034) % 1,
    min: Math.max(least, Math.min(low, most)), max: Math.min(most, Math.max(high, least)),
  };
}

/** What the tag's raw words can mean. */
function representable(tag: PlantTag): readonly [number, number] {
  const whole = /^(u?)int(\d+)$/.exec(tag.type);
  if (whole === null) return [-Infinity, Infinity];
  const bits = Number(whole[2]);
  const raw = whole[1] === "u" ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
  const ends = raw.map((r) => r * tag.scale + tag.offset);
  return [Math.min(...ends), Math.max(...ends)];
}
