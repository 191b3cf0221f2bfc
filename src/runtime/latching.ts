import { resolve } from "node:path";
import { reason } from "../base.ts";
import type { Store } from "../store.ts";
import type { DisarmAnswer, DisarmRequest } from "./view.ts";
import type { World } from "./world.ts";

/** A latch file that could not be written is tried again after so long at the earliest. */
const retry_ms = 1000;

interface Options {
  readonly store: Store;
  readonly world: World;
  /** Tells the gate's role; resolves once no admitted command can still leave. */
  latch(by: string | null): Promise<void>;
  hashes(): { readonly policyHash: string; readonly configHash: string };
}

/**
 * W4 in the running gateway: latch file, role, audit, in this order. Who asks while it is latched
 * and quiet already is answered from memory: a disarm needs no right, so a flood of them must cost
 * the machine's polls nothing.
 */
export class Latching {
  readonly #options: Options;
  /** Whoever asks meanwhile is answered by the same one. */
  #underWay: Promise<DisarmAnswer> | null = null;
  /** The answer that holds as long as nobody lifts the latch; null = not known to be quiet. */
  #quiet: DisarmAnswer | null = null;
  #retryAt = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  disarm(request: DisarmRequest): Promise<DisarmAnswer> {
    const quiet = this.#quiet;
    if (quiet !== null && this.#stands(quiet)) return Promise.resolve(quiet);
    if (this.#underWay !== null) return this.#underWay;
    const mine = this.#raise(request).then((answer) => {
      // Lifted meanwhile: what was quiet then is not known to be so now.
      if (this.#underWay === mine) this.#quiet = answer;
      return answer;
    }).finally(() => {
      if (this.#underWay === mine) this.#underWay = null;
    });
    return this.#underWay = mine;
  }

  async lift(request: DisarmRequest): Promise<DisarmAnswer> {
    const { store, world: { log }, latch } = this.#options;
    store.latch.clear();
    this.#underWay = this.#quiet = null;
    await latch(null);
    log.warn("gate", "the latch was lifted", { by: request.by });
    this.#note(request, "latch-lifted",
      `${request.by} lifted the latch; nothing is armed by that.`);
    return { latched: false, store: resolve(store.directory), trouble: null };
  }

  /** Who latched it while nothing ran, or what was killed for it, is on record with this start. */
  recall(): void {
    const by = this.#options.store.latch.read();
    if (by === null) return;
    this.#note({ by, origin: "cli", from: "latch file" }, "starts-disarmed",
      `${by} had disarmed: all writing is off until the latch is lifted.`);
  }

  /** A latch file that somebody removed by hand does not stand any more. */
  #stands({ trouble }: DisarmAnswer): boolean {
    const { store, world: { clock } } = this.#options;
    return trouble === null ? store.latch.read() !== null : clock.now() < this.#retryAt;
  }

  async #raise(request: DisarmRequest): Promise<DisarmAnswer> {
    const { store, world: { log, clock }, latch } = this.#options;
    const { by } = request;
    // The file first: if this process ends now, the next one starts latched.
    let trouble: string | null = null;
    try {
      store.latch.set(by);
    } catch (thrown) {
      trouble = `The latch file could not be written (${reason(thrown)}): a restart lifts it.`;
      this.#retryAt = clock.now() + retry_ms;
    }
    log.warn("gate", "disarmed", { by, ...(trouble === null ? {} : { trouble }) });
    await latch(by);
    this.#note(request, "disarmed",
      `${by} disarmed: all writing is off until the latch is lifted.`);
    return { latched: true, store: resolve(store.directory), trouble };
  }

  #note({ by, origin, from }: DisarmRequest, code: string, sentence: string): void {
    const { store, world: { clock }, hashes } = this.#options;
    store.audit.note({ origin, who: by, source: from, code, sentence, asked: null,
      time: clock.time(), monotonic: clock.now(), ...hashes() });
  }
}
