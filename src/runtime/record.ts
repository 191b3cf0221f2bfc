import type { Clock } from "../base.ts";
import type { Gateway } from "../config.ts";
import { isRule, keyOf, type Admitted, type Command, type Outcome, type Refusal, type TagState } from "../gate.ts";
import type { Attempt, Ending, Intent, Store } from "../store.ts";
import type { LaneAudit } from "./lane.ts";

/**
 * Writes a lane's story into the audit, grouped: what came together in one turn is one commit
 * (W10, W21). Monotonic times become engine times, so that the rows can be laid beside other records.
 */
export class Record implements LaneAudit {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #hashes: { readonly policyHash: string; readonly configHash: string };
  #intents: { readonly intent: Intent; readonly key: string; done(trouble: string | null): void }[] = [];
  #endings: Ending[] = [];
  /** Audit rows of intents without outcome, by `keyOf`. */
  readonly #rows = new Map<string, number>();

  constructor(store: Store, clock: Clock, gateway: Gateway) {
    this.#store = store;
    this.#clock = clock;
    this.#hashes = { policyHash: gateway.policyHash, configHash: gateway.configHash };
  }

  intent(
    command: Command, admitted: Admitted, tag: TagState, done: (trouble: string | null) => void,
  ): void {
    const { inputs } = command;
    this.#intents.push({
      key: keyOf(command),
      done,
      intent: {
        ...this.#attempt(command),
        means: admitted.means, clamped: admitted.clamped, words: admitted.bytes,
        inputs: inputs && { oldest: this.#time(inputs.oldest), state: inputs.state, flags: inputs.flags },
        permit: tag.permits.map((cell) =>
          ({ condition: cell.condition, value: cell.value, time: this.#time(cell.at) })),
        read: tag.read !== null && Number.isFinite(tag.read.value) ? tag.read.value : null,
        arming: admitted.arming, notAfter: this.#time(admitted.notAfter),
      },
    });
  }

  outcome(
    command: Command, outcome: Outcome, sentence: string | null, sent: number | null,
  ): void {
    const row = this.#rows.get(keyOf(command));
    if (row === undefined) return;
    this.#rows.delete(keyOf(command));
    this.#endings.push({
      row, sent: sent === null ? null : this.#time(sent), frame: null, outcome: outcome.outcome,
      code: outcome.code, sentence, exception: outcome.exception, readBack: outcome.readBack,
      time: this.#clock.time(),
    });
  }

  refused(command: Command, refusal: Refusal): void {
    const { code, sentence } = refusal;
    if (!isRule(command.origin)) {
      this.#store.audit.refusals([{ ...this.#attempt(command), code, sentence }]);
      return;
    }
    const { origin, tag } = command;
    this.#store.audit.withheld({ origin, tag, code, sentence, time: this.#clock.time(), ...this.#hashes });
  }

  /** Once a turn: one commit for all that came. True if there was something. */
  commit(): boolean {
    const endings = this.#endings;
    const intents = this.#intents;
    this.#endings = [];
    this.#intents = [];
    if (endings.length > 0) this.#store.audit.outcomes(endings);
    if (intents.length === 0) return endings.length > 0;
    const rows = this.#store.audit.intents(intents.map(({ intent }) => intent));
    const trouble = this.#store.audit.unavailable ?? "the disk refuses";
    intents.forEach(({ key, done }, i) => {
      if (rows !== null) this.#rows.set(key, rows[i]!);
      done(rows === null ? trouble : null);
    });
    return true;
  }

  #attempt(command: Command): Attempt {
    return {
      id: command.id, origin: command.origin, who: command.by, source: command.from,
      tag: command.tag, asked: command.value, received: this.#time(command.receivedAt),
      time: this.#clock.time(), monotonic: this.#clock.now(), ...this.#hashes,
    };
  }

  /** Engine time of a monotonic one. */
  #time(monotonic: number): number {
    return this.#clock.time() + (monotonic - this.#clock.now());
  }
}
