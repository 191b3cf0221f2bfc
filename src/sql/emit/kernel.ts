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

const picked = new Int32Array(block_rows);
const factories = new Map<string, (scope: Scope) => Kernel>();
const kernels = new WeakMap<Arena, Map<string, Kernel>>();

/**
 * The function of a kernel text over an arena. Equal texts are one function: a thousand rules of
 * one
 * shape share code and its optimisation. The views are captured, not passed: they are then
 * constants
 * to the JIT, which is worth a fifth of the speed.
 */
export function kernelOf(arena: Arena, text: string): Kernel {
  let known = kernels.get(arena);
  if (known === undefined) kernels.set(arena, (known = new Map()));
  let kernel = known.get(text);
  if (kernel === undefined) {
    let factory = factories.get(text);
    if (factory === undefined) {
      factory = new Function(
        "scope", `"use strict";\nconst { F, I, U, S, fn } = scope;\nreturn ${text}`,
      ) as (scope: Scope) => Kernel;
      factories.set(text, factory);
    }
    kernel = factory({ F: arena.F, I: arena.I, U: arena.U, S: picked, fn: callees });
    known.set(text, kernel);
  }
  return kernel;
}
