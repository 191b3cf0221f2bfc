import type { Arena } from "../../ring.ts";
import { callees, type Callees } from "./callees.ts";

/**
 * A compiled stage body. What the numbers mean is the stage's own (`rows.ts`, `window/`); `p` is
 * always the place of its parameter block in I.
 */
export type Kernel = (p: number, a: number, b: number, c: number, d: number) => number;

/** What generated text may name beside its own variables. */
interface Scope {
  readonly F: Float64Array;
  readonly I: Int32Array;
  readonly U: Uint8Array;
  /** Rows of a block that WHERE picked; never kept between calls, so one serves all kernels. */
  readonly S: Int32Array;
  readonly fn: Callees;
}

/** Rows that WHERE tests before those that pass are copied: four cache lines of a column. */
export const block_rows = 32;

/** Values by text, each for as long as somebody else holds it. */
class WeakTexts<T extends object> {
  readonly #refs = new Map<string, WeakRef<T>>();
  readonly #gone = new FinalizationRegistry<string>((text) => {
    // A new one may have come in its place.
    if (this.#refs.get(text)?.deref() === undefined) this.#refs.delete(text);
  });

  get(text: string): T | undefined {
    return this.#refs.get(text)?.deref();
  }

  keep(text: string, value: T): T {
    this.#refs.set(text, new WeakRef(value));
    this.#gone.register(value, text);
    return value;
  }
}

const picked = new Int32Array(block_rows);
const factories = new WeakTexts<(scope: Scope) => Kernel>();
const kernels = new WeakMap<Arena, WeakTexts<Kernel>>();

/**
 * The function of a kernel text over an arena. Equal texts are one function: a thousand rules of
 * one shape share code and its optimisation. The views are captured, not passed: they are then
 * constants to the JIT, which is worth a fifth of the speed. What no stage runs any more is
 * forgotten, else each change of the rules would leave its code behind.
 */
export function kernelOf(arena: Arena, text: string): Kernel {
  let known = kernels.get(arena);
  if (known === undefined) kernels.set(arena, (known = new WeakTexts()));
  return known.get(text) ?? known.keep(text, factoryOf(text)(
    { F: arena.F, I: arena.I, U: arena.U, S: picked, fn: callees }));
}

function factoryOf(text: string): (scope: Scope) => Kernel {
  return factories.get(text) ?? factories.keep(text, new Function(
    "scope", `"use strict";\nconst { F, I, U, S, fn } = scope;\nreturn ${text}`,
  ) as (scope: Scope) => Kernel);
}
