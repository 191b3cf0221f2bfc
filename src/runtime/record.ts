import { reason, type Clock } from "../base.ts";
import type { Gateway } from "../config.ts";
import {
  isRule, keyOf, type Admitted, type Command, type Outcome, type Refusal, type TagState,
} from "../gate.ts";
import type { Attempt, Ending, Intent, RefusedAttempt } from "../store.ts";
import type { LaneAudit } from "./lane.ts";
import type { StorePort } from "./store-port.ts";

interface Waiting {
  readonly intent: Intent;
  readonly key: string;
  done(trouble: string | null): void;
}

/**
 * Writes a lane's story into the audit, grouped: what came together in one turn is one commit
 * (W10, W21). Monotonic times become engine times, so that the rows can be laid beside other
 * records.
 */
export class Record implements LaneAudit {
  readonly #store: StorePort;
  readonly #clock: Clock;
  /** Of what runs now. */
  #hashes: { readonly policyHash: string; readonly configHash: string };
  #intents: Waiting[] = [];
  #endings: Ending[] = [];
  #refused: RefusedAttempt[] = [];
  /** Audit rows of intents without outcome, by `keyOf`. */
  readonly #rows = new Map<string, number>();

  readonly #wake: () => void;

  constructor(store: StorePort, clock: Clock, gateway: Gateway, wake: () => void) {
    this.#store = store;
    this.#clock = clock;
    this.#wake = wake;
    this.#hashes = { policyHash: gateway.policyHash, configHash: gateway.configHash };
  }

  /** Another configuration runs: what is written from now on is judged by it. */
  adopt({ policyHash, configHash }: Gateway): void {
    this.#hashes = { policyHash, configHash };
  }

  intent(
    command: Command, admitted: Admitted, tag: TagState, done: (trouble: string | null) => void,
  ): void {
    const key = keyOf(command);
    // What was committed at arming (W19) needs no second commit.
    if (this.#rows.has(key)) done(null);
    else this.#intents.push({ key, done, intent: this.#intentOf(command, admitted, tag) });
  }

  /** W19: the intent of a loss is committed at arming; false = the arming must not take effect. */
  async reserve(command: Command, admitted: Admitted, tag: TagState): Promise<boolean> {
    const rows = await this.#store.intents([this.#intentOf(command, admitted, tag)]);
    if (rows !== null) this.#rows.set(keyOf(command), rows[0]!);
    return rows !== null;
  }

  outcome(
    command: Command, outcome: Outcome, sentence: string | null, sent: number | null,
    frame: Uint8Array | null,
  ): void {
    const row = this.#rows.get(keyOf(command));
    if (row === undefined) return;
    this.#rows.delete(keyOf(command));
    this.#endings.push({
      row, sent: sent === null ? null : this.#time(sent), frame, outcome: outcome.outcome,
      code: outcome.code, sentence, exception: outcome.exception, readBack: outcome.readBack,
      time: this.#clock.time(),
    });
  }

  refused(command: Command, refusal: Refusal): void {
    const { code, sentence } = refusal;
    if (!isRule(command.origin)) {
      this.#refused.push({ ...this.#attempt(command), code, sentence });
      this.#wake();
      return;
    }
    const { origin, tag } = command;
    const time = this.#clock.time();
    const nobody = { who: "", source: "" };
    this.#store.withheld({ origin, ...nobody, tag, code, sentence, time, ...this.#hashes });
  }

  /** Once a turn: one commit for all that came. */
  commit(): void {
    const endings = this.#endings;
    const refused = this.#refused;
    const intents = this.#intents;
    if (refused.length > 0) {
      this.#refused = [];
      this.#store.refusals(refused);
    }
    if (endings.length > 0) {
      this.#endings = [];
      this.#store.outcomes(endings);
    }
    if (intents.length === 0) return;
    this.#intents = [];
    void this.#store.intents(intents.map(({ intent }) => intent)).then((rows) => {
      const trouble = this.#store.unavailable ?? "the disk refuses";
      intents.forEach(({ key, done }, i) => {
        if (rows !== null) this.#rows.set(key, rows[i]!);
        done(rows === null ? trouble : null);
      });
    }, (thrown: unknown) => {
      for (const { done } of intents) done(reason(thrown));
    });
  }

  #intentOf(command: Command, admitted: Admitted, tag: TagState): Intent {
    const { inputs } = command;
    return {
      ...this.#attempt(command),
      means: admitted.means, clamped: admitted.clamped, words: admitted.bytes,
      inputs: inputs && {
        oldest: this.#time(inputs.oldest), state: inputs.state, flags: inputs.flags,
      },
      permit: tag.permits.map((cell) =>
        ({ condition: cell.condition, value: cell.value, time: this.#time(cell.at) })),
      read: tag.read !== null && Number.isFinite(tag.read.value) ? tag.read.value : null,
      arming: admitted.arming, notAfter: this.#time(admitted.notAfter),
    };
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
