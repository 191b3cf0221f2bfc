import type { TagPolicy } from "../config.ts";
import type { Code } from "./codes.ts";
import { losesValue } from "./arming.ts";
import type { Arming, TagView } from "./state.ts";

/**
 * W19, W20 for one tag: notices that commands stay away. Time is an argument; the caller makes the
 * command (`onLossCommand`), takes it through the gate, and then ends the arming.
 */
export class LossWatch {
  /** Monotonic ms of the last sign of life. */
  #alive = -Infinity;
  /** Number of the arming whose loss was dealt with already. */
  #done = -1;

  /**
   * At arming, and for each verdict on a rule's command: admitted, or only withheld for a while.
   */
  alive(now: number): void {
    this.#alive = now;
  }

  /** A rule's command was refused with this code; some refusals are no loss (W19). */
  refused(code: Code, now: number): void {
    if (code === "deadband" || code === "too-soon") this.#alive = now;
  }

  /** Why the loss has come, or null. `stopping`: an orderly stop is under way. */
  due(policy: TagPolicy, tag: TagView, stopping: boolean, now: number): Loss | null {
    const { arming } = tag;
    const { onLoss } = policy;
    if (onLoss === null || arming === null || !this.#watches(arming)) return null;
    const why = stopping ? "stopping" as const : this.#why(arming, onLoss.after, now);
    if (why === null) return null;
    // W20: what a person or somebody else has set is theirs; the arming ends all the same.
    const writes = losesValue(policy) && tag.yielded === null;
    return { why, value: writes ? onLoss.value as number : null };
  }

  /** Its command was made, or there was none to make: it fires once an arming. */
  done(arming: Arming): void {
    this.#done = arming.number;
  }

  /** Monotonic ms at which `due` may become true by time alone. */
  next(policy: TagPolicy, tag: TagView): number {
    const { arming } = tag;
    if (policy.onLoss === null || arming === null || !this.#watches(arming)) return Infinity;
    return Math.min(arming.rulesUntil, this.#since(arming) + policy.onLoss.after);
  }

  /** Under the arming of a proof nothing was to come but that. */
  #watches(arming: Arming): boolean {
    return arming.number !== this.#done && arming.only === null;
  }

  #why(arming: Arming, after: number, now: number): Loss["why"] | null {
    if (now >= arming.rulesUntil) return "arming-ends";
    return now - this.#since(arming) >= after ? "silence" : null;
  }

  #since(arming: Arming): number {
    return Math.max(this.#alive, arming.from);
  }
}

export interface Loss {
  readonly why: "silence" | "arming-ends" | "stopping";
  /** Engineering value to write, or null: hold what stands. */
  readonly value: number | null;
}

/** Plain words for the end of the arming that a loss brings. */
export function lossText(loss: Loss): string {
  switch (loss.why) {
    case "silence": return "no command came for the time that onLoss allows";
    case "arming-ends": return "its time is over";
    case "stopping": return "the gateway was stopped";
  }
}
